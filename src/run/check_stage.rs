//! mapped → findings: the structural check of every national table that is uploaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::RunError;
use super::map_stage::{Edges, Typed};
use super::stages::{Walk, paths};
use crate::mapping::{Branch, Content, Shape};
use crate::national::Table;
use crate::quality::{self, Check, CheckReport, CheckedBranch, Notes, RowsFrom};

/// The mapped parts of every national table, over all its branches.
pub(super) fn mapped_parts(edges: &[Edges<'_>]) -> BTreeMap<String, Vec<PathBuf>> {
    let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for edge in edges {
        all.entry(edge.table.table.clone()).or_default().extend(paths(&edge.parts()));
    }
    all
}

/// Checks the national tables in load order; what each check found, by table.
pub(super) fn check_all(
    walk: &mut Walk<'_>,
    typed: &Typed,
    edges: &[Edges<'_>],
) -> Result<BTreeMap<String, CheckReport>, RunError> {
    let mapped = mapped_parts(edges);
    let mut reports = BTreeMap::new();
    let national = walk.national;
    for table in national.tables.iter().filter(|t| t.upload && mapped.contains_key(&t.name)) {
        let of_table: Vec<&Edges<'_>> = edges.iter().filter(|e| e.table.table == table.name).collect();
        let rows = of_table.iter().map(|e| e.rows()).sum();
        let branches: Vec<CheckedBranch> = of_table.iter().map(|e| checked(walk, typed, table, e)).collect();
        let (findings, scratch) = (walk.dir.findings(&table.name), walk.dir.scratch("check"));
        let report = walk.once(
            "check",
            &table.name,
            rows,
            |w| {
                let of = Check {
                    national,
                    table,
                    branches: &branches,
                    mapped: &mapped,
                    findings: &findings,
                    scratch: &scratch,
                };
                Ok(quality::check(w.engine, &of)?)
            },
            |r: &CheckReport| (r.rows, r.parts.clone()),
        )?;
        reports.insert(table.name.clone(), report);
    }
    Ok(reports)
}

fn checked(walk: &Walk<'_>, typed: &Typed, table: &Table, edge: &Edges<'_>) -> CheckedBranch {
    let branch = edge.branch;
    let notes = edge.reports.keys().filter_map(|label| {
        let (report, view) = (typed.reports.get(label)?, walk.city.view(&branch.from.view)?);
        let fed = |column: &str| branch.noted_columns(column).into_iter().map(str::to_owned).collect();
        let columns = view.read_columns().map(|(c, _)| (c.name.clone(), fed(&c.name))).collect();
        Some(Notes { source: label.clone(), parts: paths(&report.notes), columns })
    });
    // What layer 2 noted names its national column, or what stands around the columns that a join feeds.
    let own = branch.own_columns(&table.name);
    let notes =
        notes.chain(edge.reports.iter().filter(|(_, r)| !r.notes.is_empty()).map(|(label, report)| Notes {
            source: label.clone(),
            parts: paths(&report.notes),
            columns: own.clone(),
        }));
    CheckedBranch {
        name: branch.name.clone(),
        mapped: paths(&edge.parts()),
        rows_from: match branch.shape {
            Shape::Row => RowsFrom::One,
            Shape::Split(_) => RowsFrom::Split,
            Shape::Group(_) => RowsFrom::Group { lineage: paths(&edge.lineage()) },
        },
        absent: unfilled(table, branch),
        notes: notes.collect(),
    }
}

/// National columns that a branch does not fill.
fn unfilled(table: &Table, branch: &Branch) -> BTreeSet<String> {
    let filled: BTreeSet<&str> = branch
        .all_columns()
        .filter(|m| matches!(m.content, Content::Sql { .. }))
        .map(|m| m.column.as_str())
        .collect();
    table.columns.iter().filter(|c| !filled.contains(c.code.as_str())).map(|c| c.code.clone()).collect()
}
