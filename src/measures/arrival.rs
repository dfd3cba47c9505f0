//! What of a legacy table goes nowhere: rows that no branch takes, and the money of amounts that feed no national measure.
//!
//! Always: counted over what layer 1 read, absolute amounts, so that a refund hides nothing. A row has arrived where a mapped row or a
//! lineage names its key; what a branch leaves out for another reason than "another branch maps it" is that branch's business (edge.rs).

use std::path::PathBuf;

use super::edge::edge_name;
use super::measure::{ALL, NONE, boundary, side};
use super::query::{ask, groups, literal, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};

/// What is asked of one legacy table.
pub struct Unarrived<'a> {
    /// `ylbx.GRJFMX`.
    pub table: &'a str,
    /// Its typed parts.
    pub typed: &'a [PathBuf],
    pub asked: &'a [Asked],
}

/// Rows, or the money of one layer-1 column.
pub struct Asked {
    /// None: rows.
    pub amount: Option<String>,
    /// What names the keys of the rows that have arrived: mapped parts or lineage of the branches that take them; none: no branch does.
    pub carried: Vec<PathBuf>,
    /// Why it is right that they do not arrive; empty where nothing says so.
    pub bucket: String,
}

/// The left side of the edge to nowhere, `ylbx.GRJFMX→(none)`: `rows`, and `fen:<layer-1 column>`.
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-001`, `MEA-004`.
pub fn unarrived(engine: &Engine, of: &Unarrived<'_>) -> Result<Vec<Measure>, MeasureError> {
    let what = edge_name(of.table, NONE);
    let mut out = Vec::new();
    for one in of.asked {
        let sum = match &one.amount {
            None => "count(*)".to_owned(),
            Some(column) => format!("sum(abs(t.{}))", quote(column)),
        };
        let mut tables: Vec<(&str, &[PathBuf])> = vec![("t", of.typed)];
        let mut sql = format!("SELECT {sum} FROM t");
        if !one.carried.is_empty() {
            tables.push(("m", &one.carried));
            let known = format!("(SELECT _skey FROM m WHERE _source = {}) AS u", literal(of.table));
            sql.push_str(&format!(" LEFT ANTI JOIN {known} ON t._skey = u._skey"));
        }
        let session = session(engine, Joins::Large, &tables)?;
        let answer = ask(engine, &session, &what, &sql)?;
        let found = groups(&answer, 0).next();
        let value = found.map_or(Ok(0), |g| g.number(0, &what))?;
        let measure = one.amount.as_ref().map_or_else(|| "rows".to_owned(), |a| format!("fen:{a}"));
        out.push(Measure {
            boundary: boundary::RAW_MAPPED.to_owned(),
            side: side::RAW.to_owned(),
            table: what.clone(),
            measure,
            insurance: ALL.to_owned(),
            period: ALL.to_owned(),
            bucket: one.bucket.clone(),
            value,
        });
    }
    Ok(out)
}
