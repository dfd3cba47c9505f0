//! `tables/units.csv`: what amounts of money are plausible, by which yuan and fen are told apart where no ledger stands beside them.
//!
//! Always: a range spans less than a factor of 100, so that no amount and its hundredfold are both inside; every column that is named
//! exists and is money; the years of one check do not overlap.

use std::ops::Range;
use std::path::Path;

use super::file::{Reader, Text, unknown};
use super::{Kind, Table, UnitCheck, UnitRange};
use crate::phrase;

/// A range is written with at most four digits after the point.
const DIGITS: usize = 4;
/// What keeps an amount and its hundredfold from being both inside.
const FACTOR: i64 = 100;

/// Reads the file; lines of the same table and columns are one check.
pub(super) fn read(reader: &mut Reader, dir: &Path, tables: &[Table]) -> Vec<UnitCheck> {
    let head = ["table", "amounts", "per", "times", "from", "to", "min", "max", "basis"];
    let (text, rows) = reader.csv(&dir.join("tables").join("units.csv"), head);
    let mut checks: Vec<UnitCheck> = Vec::new();
    for ([table, amounts, per, times, from, to, min, max, _], span) in rows {
        let list = |t: &str| t.split('+').filter(|c| !c.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let (amounts, per) = (list(&amounts), list(&per));
        let times = (!times.is_empty()).then_some(times);
        columns(reader, &text, &span, tables, &table, amounts.iter().chain(&per), times.as_deref());
        if amounts.is_empty() {
            reader.fault(&text, span.clone(), phrase!("national.units_amounts"));
        }
        let years = (year(&from, i32::MIN), year(&to, i32::MAX));
        let limits = (hundredths_of_fen(&min), hundredths_of_fen(&max));
        let ((Some(from), Some(to)), (Some(min), Some(max))) = (years, limits) else {
            let message = phrase!("national.units_numbers");
            reader.fault(&text, span, message);
            continue;
        };
        if from > to || min <= 0 || max < min || max >= min.saturating_mul(FACTOR) {
            reader.fault(&text, span, phrase!("national.units_range"));
            continue;
        }
        let range = UnitRange { from, to, min, max };
        match checks.iter_mut().find(|c| (&c.table, &c.amounts, &c.per) == (&table, &amounts, &per)) {
            Some(check) if check.ranges.iter().any(|r| r.from <= to && from <= r.to) => {
                reader.fault(&text, span, phrase!("national.units_years"));
            }
            Some(check) if check.times != times => {
                reader.fault(&text, span, phrase!("national.units_times"));
            }
            Some(check) => check.ranges.push(range),
            None => checks.push(UnitCheck { table, amounts, per, times, ranges: vec![range] }),
        }
    }
    checks
}

fn columns<'a>(
    reader: &mut Reader,
    text: &Text,
    span: &Range<usize>,
    tables: &[Table],
    table: &str,
    money: impl Iterator<Item = &'a String>,
    times: Option<&str>,
) {
    let Some(of) = tables.iter().find(|t| t.name == table) else {
        if !reader.unread.contains(table) {
            let message = unknown(phrase!("national.table"), table, tables.iter().map(|t| &t.name));
            reader.fault(text, span.clone(), message);
        }
        return;
    };
    let mut check = |name: &str, what: String, fits: fn(Kind) -> bool| match of.column(name) {
        Some(column) if fits(column.kind) => {}
        Some(_) => reader.fault(text, span.clone(), phrase!("national.units_kind", table, name, what)),
        None => {
            let message = unknown(phrase!("national.column"), name, of.columns.iter().map(|c| &c.code));
            reader.fault(text, span.clone(), message);
        }
    };
    money.for_each(|name| check(name, phrase!("national.money"), |k| k == Kind::Money));
    if let Some(name) = times {
        check(name, phrase!("national.whole"), |k| matches!(k, Kind::Int(_)));
    }
}

fn year(text: &str, open: i32) -> Option<i32> {
    if text.is_empty() { Some(open) } else { text.parse().ok().filter(|y| (1900..=2999).contains(y)) }
}

/// `0.05` → 500: in 1/10000.
fn hundredths_of_fen(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || fraction.len() > DIGITS || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<DIGITS$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::hundredths_of_fen;

    #[test]
    fn a_limit_is_a_number_with_at_most_four_digits_after_the_point() {
        assert_eq!(hundredths_of_fen("0.05"), Some(500));
        assert_eq!(hundredths_of_fen("39900"), Some(399_000_000));
        assert_eq!(hundredths_of_fen("0.0025"), Some(25));
        for wrong in ["", ".5", "0.00001", "-1", "1e3", "1,000"] {
            assert_eq!(hundredths_of_fen(wrong), None, "{wrong}");
        }
    }
}
