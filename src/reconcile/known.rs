//! Known differences: what a cell leaves unexplained, and somebody answers for.
//!
//! Always: one explains its own cell, and only where exactly its amount is left and its last day is not past; what became of it is told.

use std::collections::BTreeMap;

use super::{CellKey, Sum};
use crate::artifacts::{KnownDifference, KnownEnd, KnownRow};

/// The reason of what they explain.
const KNOWN: &str = "known";

/// Every known difference, before anything is compared.
pub(super) fn rows(of: &[KnownDifference]) -> Vec<KnownRow> {
    of.iter().map(|of| KnownRow { difference: of.clone(), ended: KnownEnd::Absent, found: 0 }).collect()
}

/// Explains cells of one line; `day` stands for today. `None` where a sum does not fit.
pub(super) fn explain(
    known: &mut [KnownRow],
    [boundary, table, measure]: [&str; 3],
    cells: &mut BTreeMap<CellKey<'_>, Sum>,
    day: &str,
) -> Option<()> {
    let about = |k: &&mut KnownRow| {
        let of = &k.difference;
        of.boundary == boundary && of.table == table && of.measure == measure
    };
    for row in known.iter_mut().filter(about) {
        let KnownDifference { insurance, period, amount, until, .. } = &row.difference;
        let own = cells.iter_mut().find(|(cell, _)| cell.0 == insurance && cell.1 == period);
        let Some((_, cell)) = own else { continue };
        row.found = cell.rest()?;
        row.ended = match row.found {
            0 => KnownEnd::Absent,
            found if found != *amount => KnownEnd::Differs,
            _ if until.as_str() < day => KnownEnd::Expired,
            found => {
                cell.explained.insert(KNOWN.to_owned(), found);
                KnownEnd::Explains
            }
        };
    }
    Some(())
}
