//! Different keys of a national table by insurance: those that were mapped, and what became of each.
//!
//! Always: every mapped key is in exactly one bucket, so that mapped = staged + all others; a key that only the staged side has was
//! added by a rule, and is no part of the mapped ones. Of several dispositions of one key the one that weighs most counts.

use std::path::PathBuf;

use super::cells::Cells;
use super::measure::{ALL, boundary, side};
use super::query::{add_group, ask, cell, groups, literal, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};
use crate::national::FigureInsurance;

/// Buckets beside the dispositions; empty: staged.
pub mod bucket {
    /// Staged, and not mapped: a rule added it.
    pub const ADDED: &str = "added";
    /// Neither staged nor rejected under this key: a rule gave the row another one.
    pub const REKEYED: &str = "rekeyed";
}

/// What weighs most comes first.
const DISPOSITIONS: [&str; 4] = ["rejected", "held", "merged", "excluded"];

/// One key of one national table.
pub struct KeysOf<'a> {
    /// Names the measure: `keys:<column>`.
    pub column: &'a str,
    pub table: &'a str,
    pub insurance: &'a FigureInsurance,
    pub mapped: &'a [PathBuf],
    pub staged: &'a [PathBuf],
    pub rejected: &'a [PathBuf],
}

fn sql(of: &KeysOf<'_>) -> String {
    let i = cell(Some(&match of.insurance {
        FigureInsurance::Column(column) => quote(column),
        FigureInsurance::Code(code) => literal(code),
    }));
    let k = cell(Some(&quote(of.column)));
    let keys = |table: &str, parts: &[PathBuf]| match parts.is_empty() {
        true => "SELECT '' AS i, '' AS k WHERE false".to_owned(),
        false => format!("SELECT {i} AS i, {k} AS k FROM {table} GROUP BY 1, 2"),
    };
    let ranks: Vec<String> =
        DISPOSITIONS.iter().zip(1..).map(|(d, n)| format!("WHEN '{d}' THEN {n}")).collect();
    let names: Vec<String> =
        DISPOSITIONS.iter().zip(1..).map(|(d, n)| format!("WHEN {n} THEN '{d}'")).collect();
    let rejected = match of.rejected.is_empty() {
        true => "SELECT '' AS i, '' AS k, 0 AS d WHERE false".to_owned(),
        false => format!(
            "SELECT {i} AS i, {k} AS k, min(CASE _disposition {} ELSE 9 END) AS d FROM r GROUP BY 1, 2",
            ranks.join(" ")
        ),
    };
    format!(
        "SELECT coalesce(m.i, s.i) AS i, CASE WHEN m.k IS NULL THEN '{added}' WHEN s.k IS NOT NULL THEN '' \
         ELSE coalesce(CASE d.d {names} END, '{rekeyed}') END AS b, count(*) FROM ({m}) AS m FULL JOIN ({s}) AS s \
         ON m.i = s.i AND m.k = s.k LEFT JOIN ({rejected}) AS d ON m.i = d.i AND m.k = d.k GROUP BY 1, 2",
        added = bucket::ADDED,
        rekeyed = bucket::REKEYED,
        names = names.join(" "),
        m = keys("m", of.mapped),
        s = keys("s", of.staged),
    )
}

/// Different keys (`keys:<column>`) by insurance and what became of them: bucket empty (staged), a disposition, or one of [`bucket`].
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-004`.
pub fn keys(engine: &Engine, of: &KeysOf<'_>) -> Result<Vec<Measure>, MeasureError> {
    let tables: Vec<(&str, &[PathBuf])> = [("m", of.mapped), ("s", of.staged), ("r", of.rejected)]
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    let session = session(engine, Joins::Large, &tables)?;
    let answer = ask(engine, &session, of.table, &sql(of))?;
    let mut cells = Cells::new(of.table, vec![format!("keys:{}", of.column)]);
    for group in groups(&answer, 2) {
        add_group(&mut cells, &group, [group.text(0), ALL, group.text(1)], &[vec![0]], of.table)?;
    }
    Ok(cells.measures(boundary::FIGURES, side::DISPOSITIONS))
}
