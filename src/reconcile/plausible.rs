//! Amounts against what is plausible: what most rows of a legacy table, insurance and year say (docs/reconciliation.md).
//!
//! Always: rows vote, so that a single absurd amount decides nothing. Only a factor of 100 is a fault, and the whole money of its rows is
//! unexplained; anything else outside the range is for a person to look at.

use std::collections::{BTreeMap, BTreeSet};

use super::{ReconcileError, grow};
use crate::artifacts::{Judged, Plausible};
use crate::measures::{Measure, boundary, plausible_bucket as bucket};

/// Fewer rows say nothing.
const LEAST_ROWS: u64 = 10;

/// What is counted of one check, legacy table, insurance and year.
#[derive(Default)]
struct Votes {
    rows: BTreeMap<String, u64>,
    fen: i128,
}

/// Every check that found rows, and the fen that are unexplained: of a factor of 100, except in those insurances and years in which the
/// ledgers found it (`told`): the same money is not counted twice.
pub(super) fn compare(
    measures: &[Measure],
    told: &BTreeSet<(String, String)>,
) -> Result<(Vec<Plausible>, u64), ReconcileError> {
    let mut votes: BTreeMap<[&str; 4], Votes> = BTreeMap::new();
    for m in measures.iter().filter(|m| m.boundary == boundary::PLAUSIBLE) {
        let Some((unit, check)) = m.measure.split_once(':') else { continue };
        let one = votes.entry([check, &m.table, &m.insurance, &m.period]).or_default();
        if unit == "rows" {
            *one.rows.entry(m.bucket.clone()).or_default() += u64::try_from(m.value).unwrap_or(0);
        } else {
            grow(&mut one.fen, m.value, || format!("{check} of {}", m.table))?;
        }
    }
    let (mut all, mut unexplained) = (Vec::new(), 0_u64);
    for ([check, table, insurance, year], of) in votes {
        let count = |bucket: &str| of.rows.get(bucket).copied().unwrap_or(0);
        let line = Plausible {
            check: check.to_owned(),
            table: table.to_owned(),
            insurance: insurance.to_owned(),
            year: year.to_owned(),
            rows: of.rows.values().sum(),
            inside: count(""),
            times_100: count(bucket::TIMES_100),
            hundredth: count(bucket::HUNDREDTH),
            fen: of.fen,
            verdict: Judged::TooFew,
        };
        let verdict = verdict(&line);
        let fault = matches!(verdict, Judged::Times100 | Judged::Hundredth);
        if fault && !told.contains(&(insurance.to_owned(), year.to_owned())) {
            unexplained =
                unexplained.saturating_add(u64::try_from(line.fen.unsigned_abs()).unwrap_or(u64::MAX));
        }
        all.push(Plausible { verdict, ..line });
    }
    Ok((all, unexplained))
}

/// The most votes that are half of the rows or more; inside goes before a fault.
fn verdict(of: &Plausible) -> Judged {
    let most = |votes: u64| votes * 2 >= of.rows;
    if of.rows < LEAST_ROWS {
        Judged::TooFew
    } else if most(of.inside) {
        Judged::Inside
    } else if most(of.times_100) {
        Judged::Times100
    } else if most(of.hundredth) {
        Judged::Hundredth
    } else {
        Judged::Implausible
    }
}
