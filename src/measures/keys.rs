//! Different keys of a national table by insurance: those that were mapped, and what became of each.
//!
//! Always: every mapped key is in exactly one bucket, so that mapped = staged + all others: staged, where any of its legacy rows is, under
//! whatever key; else the disposition of its rows that weighs most. Staged rows of no legacy row were added by a rule, and are no part of
//! the mapped ones.

use std::path::PathBuf;

use super::cells::Cells;
use super::measure::{ALL, boundary, side};
use super::query::{add_group, ask, cell, groups, literal, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};
use crate::national::FigureInsurance;

/// Buckets beside the dispositions; empty: staged.
pub mod bucket {
    /// Staged, of no mapped row: a rule added it.
    pub const ADDED: &str = "added";
    /// Its rows are neither staged nor rejected under this insurance: a rule gave them another one.
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
    // Which legacy row it is: a rule may give it another key, and it is uploaded all the same.
    let id = "concat(_source, ' ', coalesce(_skey, _key, ''))";
    let rows = |table: &str, more: &str, parts: &[PathBuf]| match parts.is_empty() {
        true => "SELECT '' AS i, '' AS k, '' AS id, 0 AS d WHERE false".to_owned(),
        false => format!("SELECT {i} AS i, {k} AS k, {id} AS id, {more} AS d FROM {table}"),
    };
    let ranks: Vec<String> =
        DISPOSITIONS.iter().zip(1..).map(|(d, n)| format!("WHEN '{d}' THEN {n}")).collect();
    let names: Vec<String> =
        DISPOSITIONS.iter().zip(1..).map(|(d, n)| format!("WHEN {n} THEN '{d}'")).collect();
    let rank = format!("CASE _disposition {} ELSE 9 END", ranks.join(" "));
    format!(
        "WITH m AS ({m}), s AS (SELECT i, id, min(k) AS k FROM ({s}) GROUP BY i, id), \
         r AS (SELECT i, id, min(d) AS d FROM ({r}) GROUP BY i, id), \
         each AS (SELECT m.i AS i, m.k AS k, min(CASE WHEN s.id IS NOT NULL THEN 0 ELSE coalesce(r.d, 9) END) AS d \
         FROM m LEFT JOIN s ON m.i = s.i AND m.id = s.id LEFT JOIN r ON m.i = r.i AND m.id = r.id GROUP BY m.i, m.k) \
         SELECT i, CASE d WHEN 0 THEN '' {names} ELSE '{rekeyed}' END AS b, count(*) AS n FROM each GROUP BY 1, 2 \
         UNION ALL SELECT s.i AS i, '{added}' AS b, count(DISTINCT s.k) AS n FROM s LEFT JOIN \
         (SELECT DISTINCT i, id FROM m) AS o ON s.i = o.i AND s.id = o.id WHERE o.id IS NULL GROUP BY 1",
        m = rows("mapped", "0", of.mapped),
        s = rows("staged", "0", of.staged),
        r = rows("rejected", &rank, of.rejected),
        names = names.join(" "),
        rekeyed = bucket::REKEYED,
        added = bucket::ADDED,
    )
}

/// Different keys (`keys:<column>`) by insurance and what became of them: bucket empty (staged), a disposition, or one of [`bucket`].
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-004`.
pub fn keys(engine: &Engine, of: &KeysOf<'_>) -> Result<Vec<Measure>, MeasureError> {
    let tables: Vec<(&str, &[PathBuf])> =
        [("mapped", of.mapped), ("staged", of.staged), ("rejected", of.rejected)]
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
