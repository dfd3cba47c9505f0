//! What a clerk writes as the right value → the value as its national column holds it, or why the column does not take it.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};

use super::items::Line;
use super::reading::is_formula;
use crate::national::{Kind, LengthIn, National};
use crate::rules::fitting;

/// The words of what is wrong (under `mistake`), and what stands in them.
pub(super) type Wrong = (&'static str, Vec<String>);

/// A day as people write it: 2021-06-01, 2021/6/1, 2021.6.1, 20210601, 2021年6月1日.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = if text.len() == 8 && digits(text) {
        vec![&text[..4], &text[4..6], &text[6..]]
    } else {
        let text = text.split(' ').next().unwrap_or_default();
        text.trim_end_matches('日').split(['-', '/', '.', '年', '月']).collect()
    };
    let [year, month, day] = parts[..] else { return None };
    if year.len() != 4 || ![year, month, day].iter().all(|p| digits(p)) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// A period (yyyymm) as people write it: 202106, 2021-06, 2021年6月.
fn period(text: &str) -> Option<String> {
    let text = text.trim_end_matches('月').replace(['-', '/', '.', '年'], " ");
    let (year, month) = match text.split_once(' ') {
        Some((year, month)) => (year.to_owned(), month.to_owned()),
        None if text.len() == 6 && text.is_ascii() => (text[..4].to_owned(), text[4..].to_owned()),
        None => return None,
    };
    let first = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
    (year.len() == 4).then(|| format!("{:04}{:02}", first.year(), first.month()))
}

/// The value as the column of an item holds it.
pub(super) fn check(
    national: &National,
    untouchable: &BTreeSet<(String, String)>,
    line: &Line,
    text: &str,
) -> Result<String, Wrong> {
    let table = national.table(&line.table);
    let column = table.and_then(|t| t.column(&line.column));
    let (Some(table), Some(column)) = (table, column) else { return Err(("no_field", Vec::new())) };
    let is_key = column.kind == Kind::Id || table.key.contains(&column.code);
    if is_key || untouchable.contains(&(table.name.clone(), column.code.clone())) {
        return Err(("untouchable", vec![column.title.clone()]));
    }
    if is_formula(text) {
        return Err(("formula", Vec::new()));
    }
    let written = match column.kind {
        Kind::Date => day(text).map(|d| d.to_string()),
        Kind::Period => period(text),
        Kind::Money | Kind::Rate { .. } => Some(text.replace(',', "")),
        Kind::Id | Kind::Text(_) | Kind::Time | Kind::Int(_) => Some(text.to_owned()),
    };
    let fitted = written.and_then(|w| fitting(&w, &column.kind.arrow()));
    let Some(value) = fitted else { return Err(("unfit", vec![column.title.clone()])) };
    let length = |n: u32| match national.length_in {
        LengthIn::Characters => value.chars().count() > n as usize,
        LengthIn::Bytes => value.len() > n as usize,
    };
    match (column.codes.as_ref().and_then(|c| national.codes.get(c)), column.kind) {
        (Some(list), _) if !list.codes.contains_key(&value) => Err(("code", vec![column.title.clone()])),
        (None, Kind::Text(n)) if length(n) => Err(("long", vec![column.title.clone(), n.to_string()])),
        (None, Kind::Int(n)) if value.trim_start_matches('-').len() > n as usize => {
            Err(("long", vec![column.title.clone(), n.to_string()]))
        }
        _ if line.before.as_deref() == Some(value.as_str()) => Err(("same", Vec::new())),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{day, period};

    #[test]
    fn days_and_periods_are_read_as_people_write_them() {
        for text in ["2021-06-01", "2021/6/1", "2021.6.1", "20210601", "2021年6月1日", "2021-06-01 00:00:00"]
        {
            assert_eq!(day(text).map(|d| d.to_string()).as_deref(), Some("2021-06-01"), "{text}");
        }
        for text in ["", "2021-13-01", "21-6-1", "2021-6", "x", "２０２１-06-01", "2021-06-31"] {
            assert_eq!(day(text), None, "{text}");
        }
        for text in ["202106", "2021-06", "2021年6月", "2021/6"] {
            assert_eq!(period(text).as_deref(), Some("202106"), "{text}");
        }
        for text in ["202113", "2021", "", "2021-00", "二〇二一06"] {
            assert_eq!(period(text), None, "{text}");
        }
    }
}
