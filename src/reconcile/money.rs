//! The unit of money: payment details against unit ledgers, by insurance and year (FORMS 7).
//!
//! Always: all details of an insurance and year together, since a detail table also holds back payments of earlier years. Only a
//! factor of about 100 is a fault: missing and differing ledgers are the business of rules.

use std::collections::BTreeMap;

use super::ReconcileError;
use crate::tally::{Measure, NONE, border, side};
use crate::trail::UnitOfMoney;

/// From so many times on, a sum is taken for 100 times (or a hundredth of) the other.
const FAR_OFF: i128 = 30;
/// A table with at least a third of the details of a year that is far off is to blame, and always the largest.
const SHARE: i128 = 3;

/// One insurance and year.
#[derive(Default)]
struct Year<'a> {
    details: BTreeMap<&'a str, i128>,
    ledgers: i128,
}

/// Every insurance and year that has both, and the fen that are unexplained.
pub(super) fn compare(measures: &[Measure]) -> Result<(Vec<UnitOfMoney>, u64), ReconcileError> {
    let mut years: BTreeMap<(&str, &str), Year<'_>> = BTreeMap::new();
    let told = |m: &&Measure| m.border == border::DETAILS_LEDGERS && m.measure == "fen" && m.period != NONE;
    for m in measures.iter().filter(told) {
        let year = years.entry((&m.insurance, &m.period)).or_default();
        if m.side == side::DETAILS {
            *year.details.entry(&m.table).or_default() += i128::from(m.value);
        } else {
            year.ledgers += i128::from(m.value);
        }
    }
    let mut lines = Vec::new();
    let mut unexplained = 0_u64;
    for ((insurance, period), year) in years {
        let what = format!("payment details {insurance} {period}");
        let overflow = || ReconcileError::Overflow { what: what.clone() };
        let details: i128 = year.details.values().sum();
        if details == 0 || year.ledgers == 0 {
            continue;
        }
        let fault = fault(details, year.ledgers);
        if fault.is_some() {
            let off = u64::try_from((details - year.ledgers).unsigned_abs()).map_err(|_| overflow())?;
            unexplained = unexplained.checked_add(off).ok_or_else(overflow)?;
        }
        for (table, _) in blamed(&year.details) {
            lines.push(UnitOfMoney {
                table: table.to_owned(),
                insurance: insurance.to_owned(),
                year: period.to_owned(),
                details_fen: i64::try_from(details).map_err(|_| overflow())?,
                ledgers_fen: i64::try_from(year.ledgers).map_err(|_| overflow())?,
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
    let all: i128 = details.values().map(|v| v.abs()).sum();
    let most = details.values().map(|v| v.abs()).max().unwrap_or(0);
    let heavy = |v: i128| v.abs() == most || v.abs() * SHARE >= all;
    details.iter().map(|(t, v)| (*t, *v)).filter(|(_, v)| heavy(*v)).collect()
}
