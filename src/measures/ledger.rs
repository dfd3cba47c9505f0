//! The sums by which a wrongly declared unit of money is found (FORMS 7): payment details and unit ledgers, by insurance and year.
//!
//! Always: details are told apart by legacy table, ledgers are not. A schema without these tables gives no measures.

use std::path::PathBuf;

use super::cells::Cells;
use super::measure::{boundary, side};
use super::query::{add_group, ask, cell, groups, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};

/// What a person's or unit's month was to bring, arrived or owed: AC43.
pub const DETAILS: &str = "AC43";
/// What was to be paid by a unit for a month, arrived or owed: AB07.
pub const LEDGERS: &str = "AB07";

/// Rows and fen of details (table: the legacy table) and ledgers (table: `AB07`), by insurance and year of the period paid for.
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-003`, `MEA-004`.
pub fn ledger_measures(
    engine: &Engine,
    details: &[PathBuf],
    ledgers: &[PathBuf],
) -> Result<Vec<Measure>, MeasureError> {
    let mut out = sums(engine, DETAILS, details, "_source", "AAE020", "AAE022", side::DETAILS)?;
    out.extend(sums(engine, LEDGERS, ledgers, "'AB07'", "AAB150", "AAB152", side::LEDGERS)?);
    Ok(out)
}

fn sums(
    engine: &Engine,
    table: &str,
    parts: &[PathBuf],
    of: &str,
    unit: &str,
    person: &str,
    side: &str,
) -> Result<Vec<Measure>, MeasureError> {
    let session = session(engine, Joins::OneSmall, &[("t", parts)])?;
    let sql = format!(
        "SELECT {of} AS s, {} AS i, {} AS y, count(*), sum({unit}), sum({person}) FROM t GROUP BY s, i, y",
        cell(Some("AAE140")),
        cell(Some("AAE003 / 100")),
    );
    let answer = ask(engine, &session, table, &sql)?;
    let mut out = Vec::new();
    for group in groups(&answer, 3) {
        let what = group.text(0).to_owned();
        let mut cells = Cells::new(&what, vec!["rows".to_owned(), "fen".to_owned()]);
        let at = [group.text(1), group.text(2), ""];
        add_group(&mut cells, &group, at, &[vec![0], vec![1, 2]], &what)?;
        out.extend(cells.measures(boundary::DETAILS_LEDGERS, side));
    }
    Ok(out)
}
