//! The unit of money: payment details against unit ledgers, by insurance and year (FORMS 7).
//!
//! Always: all details of an insurance and year together, since a detail table also holds back payments of earlier years. Only a
//! factor of about 100 is a fault: missing and differing ledgers are the business of rules.

use std::collections::BTreeMap;

use super::{ReconcileError, grow};
use crate::artifacts::UnitOfMoney;
use crate::measures::{Measure, NONE, boundary, side};

/// From so many times on, a sum is taken for 100 times (or a hundredth of) the other.
const FAR_OFF: i128 = 30;
/// A table with at least a third of the details of a year that is far off is to blame, and always the largest.
const SHARE: u128 = 3;

/// One insurance and year.
#[derive(Default)]
struct Year<'a> {
    details: BTreeMap<&'a str, i128>,
    ledgers: i128,
}

/// Every insurance and year that has both, and the fen that are unexplained.
pub(super) fn compare(measures: &[Measure]) -> Result<(Vec<UnitOfMoney>, u64), ReconcileError> {
    let mut years: BTreeMap<(&str, &str), Year<'_>> = BTreeMap::new();
    let told =
        |m: &&Measure| m.boundary == boundary::DETAILS_LEDGERS && m.measure == "fen" && m.period != NONE;
    for m in measures.iter().filter(told) {
        let year = years.entry((&m.insurance, &m.period)).or_default();
        let what = || format!("payment details {} {}", m.insurance, m.period);
        if m.side == side::DETAILS {
            grow(year.details.entry(&m.table).or_default(), m.value, what)?;
        } else {
            grow(&mut year.ledgers, m.value, what)?;
        }
    }
    let mut lines = Vec::new();
    let mut unexplained = 0_u64;
    for ((insurance, period), year) in years {
        let what = || format!("payment details {insurance} {period}");
        let mut details = 0;
        for of_table in year.details.values() {
            grow(&mut details, *of_table, what)?;
        }
        if details == 0 || year.ledgers == 0 {
            continue;
        }
        let fault = fault(details, year.ledgers);
        if fault.is_some() {
            let off = u64::try_from(details.abs_diff(year.ledgers)).unwrap_or(u64::MAX);
            unexplained = unexplained.saturating_add(off);
        }
        for (table, _) in blamed(&year.details) {
            lines.push(UnitOfMoney {
                table: table.to_owned(),
                insurance: insurance.to_owned(),
                year: period.to_owned(),
                details_fen: details,
                ledgers_fen: year.ledgers,
                fault: fault.map(str::to_owned),
            });
        }
    }
    Ok((lines, unexplained))
}

fn fault(details: i128, ledgers: i128) -> Option<&'static str> {
    let (details, ledgers) = (details.abs(), ledgers.abs());
    if details >= ledgers.saturating_mul(FAR_OFF) {
        Some("times_100")
    } else if ledgers >= details.saturating_mul(FAR_OFF) {
        Some("hundredth")
    } else {
        None
    }
}

/// The tables that hold most of the details.
fn blamed<'a>(details: &BTreeMap<&'a str, i128>) -> Vec<(&'a str, i128)> {
    let all = details.values().fold(0_u128, |all, v| all.saturating_add(v.unsigned_abs()));
    let most = details.values().map(|v| v.unsigned_abs()).max().unwrap_or(0);
    let heavy = |v: i128| v.unsigned_abs() == most || v.unsigned_abs().saturating_mul(SHARE) >= all;
    details.iter().map(|(t, v)| (*t, *v)).filter(|(_, v)| heavy(*v)).collect()
}
