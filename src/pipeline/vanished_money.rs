//! Money that no sum of the source vouches for, and that comes to nothing: its legacy column has some, and every national measure that it
//! feeds is empty or 0 in every row that its table makes (`0 * d.JE`, a CASE that is never true).
//!
//! Always: by legacy table and column; money under `amounts` is compared cell by cell anyway.

use std::collections::{BTreeMap, BTreeSet};

use super::RunError;
use super::map_stage::{Edges, Typed};
use super::runner::{StageRunner, paths};
use crate::artifacts::{Coverage, LegacyTableCoverage};
use crate::functions::Read;
use crate::measures::{self, Counted, Measure, boundary, side};

/// A legacy column whose money comes to nothing.
pub(super) struct Vanished {
    /// `ylbx.GRJFMX.JE`
    pub(super) name: String,
    /// Rows of its table.
    pub(super) rows: u64,
}

/// The columns of every legacy table whose money comes to nothing.
pub(super) fn vanished_money(
    runner: &StageRunner<'_>,
    typed: &Typed,
    edges: &[Edges<'_>],
    coverage: &Coverage,
    counted: &[Measure],
) -> Result<Vec<Vanished>, RunError> {
    let mut found = Vec::new();
    for table in &coverage.legacy {
        let label = format!("{}.{}", table.source, table.table);
        let Some(rows) = typed.reports.get(&label).map(|read| read.rows).filter(|rows| *rows > 0) else {
            continue;
        };
        let candidates = candidates(runner, table, &label, counted);
        if candidates.is_empty() {
            continue;
        }
        let fed: BTreeSet<(&str, &str)> = candidates.values().flatten().copied().collect();
        let arrived = arrived(runner, edges, &label, &fed)?;
        for (column, fed) in candidates {
            if fed.is_disjoint(&arrived) {
                found.push(Vanished { name: format!("{label}.{column}"), rows });
            }
        }
    }
    Ok(found)
}

/// The legacy columns with money that no `amounts` names, and the national measures that each feeds: table and column.
fn candidates<'c>(
    runner: &StageRunner<'_>,
    table: &'c LegacyTableCoverage,
    label: &str,
    counted: &[Measure],
) -> BTreeMap<&'c str, BTreeSet<(&'c str, &'c str)>> {
    let mut found = BTreeMap::new();
    let Some(view) = runner.city.view_of(&table.source, &table.table) else { return found };
    let declared = view.measures.as_ref().map_or(&[][..], |m| m.amounts.as_slice());
    // Layer 1 counts every amount of a table as a whole, in fen or finer.
    let has_money = |legacy: &str| {
        let of_column = |m: &&Measure| matches!(m.measure.split_once(':'), Some(("fen" | "e4", column)) if column == legacy);
        let whole = counted.iter().filter(|m| m.boundary == boundary::RAW_MAPPED && m.side == side::RAW);
        whole.filter(|m| m.table == label).filter(of_column).any(|m| m.value != 0)
    };
    for (column, viewed) in view.read_columns() {
        let is_money = matches!(viewed.read, Read::Money(_)) && !declared.contains(&column.name);
        let Some(covered) = table.columns.iter().find(|c| is_money && c.column == column.from) else {
            continue;
        };
        let measure = |fed: &'c String| {
            let (table, code) = fed.split_once('.')?;
            runner.national.table(table)?.column(code).is_some_and(|c| c.measure).then_some((table, code))
        };
        let fed: BTreeSet<_> = covered.feeds.iter().filter_map(measure).collect();
        if !fed.is_empty() && has_money(&column.from) {
            found.insert(covered.column.as_str(), fed);
        }
    }
    found
}

/// Which of these national measures are not 0 throughout the rows that a legacy table makes.
fn arrived<'f>(
    runner: &StageRunner<'_>,
    edges: &[Edges<'_>],
    label: &str,
    fed: &BTreeSet<(&'f str, &'f str)>,
) -> Result<BTreeSet<(&'f str, &'f str)>, RunError> {
    let mut found = BTreeSet::new();
    for edge in edges {
        let Some(report) = edge.reports.get(label).filter(|report| report.rows > 0) else { continue };
        let own: Vec<(&str, &str)> =
            fed.iter().filter(|(table, _)| *table == edge.table.table).copied().collect();
        if own.is_empty() {
            continue;
        }
        let amounts: Vec<String> = own.iter().map(|(_, code)| (*code).to_owned()).collect();
        let of = Counted {
            boundary: boundary::RAW_MAPPED,
            side: side::MAPPED,
            table: &edge.table.table,
            parts: &paths(&report.parts),
            bucket: None,
            insurance: None,
            period: None,
            amounts: &amounts,
        };
        for m in measures::count(runner.engine, &of)?.iter().filter(|m| m.value != 0) {
            let column = m.measure.split_once(':').map_or("", |(_, column)| column);
            found.extend(own.iter().filter(|(_, code)| *code == column));
        }
    }
    Ok(found)
}
