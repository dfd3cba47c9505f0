//! mapped → findings: the structural check of every national table that is uploaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::RunError;
use super::clean_stage::Cleaned;
use super::map_stage::{Edges, Typed, parts_by_table};
use super::runner::{StageRunner, paths};
use crate::mapping::{Branch, Content, Shape};
use crate::national::Table;
use crate::validate::{self, Check, CheckReport, CheckedBranch, ReadErrors, RowsFrom};

/// The branch of rows that rules added.
pub(super) const ADDED: &str = "added";

/// Where the mapped parts of every national table lie, over all its branches.
pub(super) fn mapped_parts(edges: &[Edges<'_>]) -> BTreeMap<String, Vec<PathBuf>> {
    parts_by_table(edges).into_iter().map(|(table, parts)| (table, paths(&parts))).collect()
}

/// Checks the national tables in load order; what each check found, by table.
pub(super) fn check_all(
    runner: &mut StageRunner<'_>,
    typed: &Typed,
    edges: &[Edges<'_>],
    cleaned: &Cleaned,
) -> Result<BTreeMap<String, CheckReport>, RunError> {
    let mapped = cleaned.tables(edges);
    let mut reports = BTreeMap::new();
    // A check also looks at parents: every mapped part is an input.
    let inputs = runner.of_everything();
    let national = runner.national;
    for table in national.tables.iter().filter(|t| t.upload && mapped.contains_key(&t.name)) {
        let of_table: Vec<&Edges<'_>> = edges.iter().filter(|e| e.table.table == table.name).collect();
        let rows = of_table.iter().map(|e| e.rows()).sum::<u64>() + cleaned.added_rows(&table.name);
        let mut branches: Vec<CheckedBranch> =
            of_table.iter().map(|e| checked(runner, typed, table, e, cleaned)).collect();
        branches.extend(added(table, cleaned));
        let changes = cleaned.changes(&table.name);
        let (findings, scratch) = (runner.dir.findings(&table.name), runner.dir.scratch("check"));
        let report = runner.once(
            "check",
            &table.name,
            &inputs,
            rows,
            |w| {
                let of = Check {
                    national,
                    table,
                    branches: &branches,
                    mapped: &mapped,
                    changes: &changes,
                    findings: &findings,
                    scratch: &scratch,
                };
                Ok(validate::check(w.engine, &of)?)
            },
            |r: &CheckReport| (r.rows, r.parts.clone()),
        )?;
        reports.insert(table.name.clone(), report);
    }
    Ok(reports)
}

fn checked(
    runner: &StageRunner<'_>,
    typed: &Typed,
    table: &Table,
    edge: &Edges<'_>,
    cleaned: &Cleaned,
) -> CheckedBranch {
    let branch = edge.branch;
    let read_errors = edge.reports.keys().filter_map(|label| {
        let (report, view) = (typed.reports.get(label)?, runner.city.view(&branch.from.view)?);
        let fed = |column: &str| branch.read_error_columns(column).into_iter().map(str::to_owned).collect();
        let columns = view.read_columns().map(|(c, _)| (c.name.clone(), fed(&c.name))).collect();
        Some(ReadErrors { source: label.clone(), parts: paths(&report.read_errors), columns })
    });
    // What layer 2 noted names its national column, or what stands around the columns that a join feeds.
    let own = branch.own_columns(&table.name);
    let read_errors = read_errors.chain(edge.reports.iter().filter(|(_, r)| !r.read_errors.is_empty()).map(
        |(label, report)| ReadErrors {
            source: label.clone(),
            parts: paths(&report.read_errors),
            columns: own.clone(),
        },
    ));
    CheckedBranch {
        name: branch.name.clone(),
        mapped: cleaned.paths(&edge.parts()),
        rows_from: match branch.shape {
            Shape::Row => RowsFrom::One,
            Shape::Split(_) => RowsFrom::Split,
            Shape::Group(_) => RowsFrom::Group { lineage: paths(&edge.lineage()) },
        },
        absent: unfilled(table, branch),
        read_errors: read_errors.collect(),
    }
}

/// What rules added to a table, as a branch of its own.
fn added(table: &Table, cleaned: &Cleaned) -> Option<CheckedBranch> {
    let parts = cleaned.added(&table.name);
    let rows = CheckedBranch {
        name: ADDED.to_owned(),
        mapped: paths(&parts),
        rows_from: RowsFrom::One,
        absent: cleaned.absent(&table.name),
        read_errors: Vec::new(),
    };
    (!parts.is_empty()).then_some(rows)
}

/// National columns that a branch does not fill.
pub(super) fn unfilled(table: &Table, branch: &Branch) -> BTreeSet<String> {
    let filled: BTreeSet<&str> = branch
        .all_columns()
        .filter(|m| matches!(m.content, Content::Sql { .. }))
        .map(|m| m.column.as_str())
        .collect();
    table.columns.iter().filter(|c| !filled.contains(c.code.as_str())).map(|c| c.code.clone()).collect()
}
