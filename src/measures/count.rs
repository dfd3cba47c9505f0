//! Counts and sums of a national dataset: mapped rows, rows by disposition, staged rows, a package's rows.

use std::path::PathBuf;

use super::cells::Cells;
use super::query::{add_group, ask, cell, groups, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};

/// What is counted, and as which side.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    pub boundary: &'a str,
    pub side: &'a str,
    /// National table.
    pub table: &'a str,
    pub parts: &'a [PathBuf],
    /// The column that says why a row does not go on (`_disposition`); none where all do.
    pub bucket: Option<&'a str>,
    /// Columns by which it is summed.
    pub insurance: Option<&'a str>,
    pub period: Option<&'a str>,
    /// Columns with `measure = true`.
    pub amounts: &'a [String],
}

/// Rows (`rows`) and fen (`fen:<column>`) by insurance, period and bucket.
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-003`, `MEA-004`.
pub fn count(engine: &Engine, of: &Counted<'_>) -> Result<Vec<Measure>, MeasureError> {
    let session = session(engine, Joins::OneSmall, &[("t", of.parts)])?;
    let column = |name: Option<&str>| cell(name.map(quote).as_deref());
    let bucket = of.bucket.map_or_else(|| "''".to_owned(), quote);
    let sums: Vec<String> = of.amounts.iter().map(|a| format!(", sum({})", quote(a))).collect();
    let sql = format!(
        "SELECT {} AS i, {} AS p, {bucket} AS b, count(*){} FROM t GROUP BY i, p, b",
        column(of.insurance),
        column(of.period),
        sums.concat()
    );
    let answer = ask(engine, &session, of.table, &sql)?;
    let mut names = vec!["rows".to_owned()];
    names.extend(of.amounts.iter().map(|a| format!("fen:{a}")));
    let take: Vec<Vec<usize>> = (0..names.len()).map(|at| vec![at]).collect();
    let mut cells = Cells::new(of.table, names);
    for group in groups(&answer, 3) {
        let at = [group.text(0), group.text(1), group.text(2)];
        add_group(&mut cells, &group, at, &take, of.table)?;
    }
    Ok(cells.measures(of.boundary, of.side))
}
