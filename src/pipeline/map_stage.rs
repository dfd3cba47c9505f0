//! raw → typed → mapped: layer 1 of every legacy table, then every branch of every national table.

use std::collections::BTreeMap;

use super::RunError;
use super::finish::store;
use super::runner::{StageRunner, paths};
use crate::artifacts::Coverage;
use crate::dataset::PartInfo;
use crate::mapping::{
    self, Branch, BranchReport, Layer1Out, Layer1Report, LegacyTable, MappedOut, TableMapping, TypedTables,
};
use crate::raw::RawView;

/// Layer 1 of a run: what each legacy table came to, by label (`ylbx.GRJBXX`).
pub(super) struct Typed {
    pub(super) tables: TypedTables,
    pub(super) reports: BTreeMap<String, Layer1Report>,
    /// The view that read each.
    pub(super) views: BTreeMap<String, String>,
}

impl Typed {
    /// The typed parts that a branch reads for one legacy table: its own, and those of the views that it joins.
    fn read_by<'t>(&'t self, label: &'t str, branch: &'t Branch) -> impl Iterator<Item = &'t PartInfo> {
        let joined = move |view: &String| branch.joins.iter().any(|j| j.legacy.view == *view);
        let own = self.reports.get(label).into_iter();
        let others = self.reports.iter().filter(move |(of, _)| self.views.get(*of).is_some_and(joined));
        own.chain(others.map(|(_, report)| report)).flat_map(|report| &report.typed)
    }
}

/// What a branch made of every legacy table that it reads.
pub(super) struct Edges<'a> {
    pub(super) table: &'a TableMapping,
    pub(super) branch: &'a Branch,
    /// By label.
    pub(super) reports: BTreeMap<String, BranchReport>,
}

impl Edges<'_> {
    /// Every mapped part.
    pub(super) fn parts(&self) -> Vec<PartInfo> {
        self.reports.values().flat_map(|r| r.parts.clone()).collect()
    }

    /// Every lineage part.
    pub(super) fn lineage(&self) -> Vec<PartInfo> {
        self.reports.values().flat_map(|r| r.lineage.clone()).collect()
    }

    /// Mapped rows.
    pub(super) fn rows(&self) -> u64 {
        self.reports.values().map(|r| r.rows).sum()
    }
}

/// The mapped parts of every national table, over all its branches.
pub(super) fn parts_by_table(edges: &[Edges<'_>]) -> BTreeMap<String, Vec<PartInfo>> {
    let mut all: BTreeMap<String, Vec<PartInfo>> = BTreeMap::new();
    for edge in edges {
        all.entry(edge.table.table.clone()).or_default().extend(edge.parts());
    }
    all
}

/// Layer 1 of every legacy table of every source.
pub(super) fn read_all(
    runner: &mut StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
) -> Result<Typed, RunError> {
    let mut typed =
        Typed { tables: TypedTables::default(), reports: BTreeMap::new(), views: BTreeMap::new() };
    // A column that cannot be read stops a run before its first table, not after an hour.
    for (source, view) in raw {
        for (name, table) in &view.tables {
            if let Some(reading) = runner.city.view_of(source, name) {
                mapping::check_columns(reading, name, &table.schema)?;
            }
        }
    }
    for (source, view) in raw {
        for (name, table) in &view.tables {
            let Some(reading) = runner.city.view_of(source, name) else { continue };
            let legacy =
                LegacyTable { source_id: source.clone(), name: name.clone(), parts: paths(&table.parts) };
            let label = legacy.label();
            let out =
                Layer1Out { typed: runner.dir.typed(&label), read_errors: runner.dir.read_errors(&label) };
            typed.tables.add(&legacy, out.typed.clone());
            let inputs = runner.of_parts(&table.parts);
            let report = runner.once(
                "read",
                &label,
                &inputs,
                table.rows,
                |w| Ok(mapping::read_layer1(w.engine, w.city, reading, &legacy, &out)?),
                |r: &Layer1Report| (r.rows, r.typed.iter().chain(&r.read_errors).cloned().collect()),
            )?;
            typed.reports.insert(label.clone(), report);
            typed.views.insert(label, reading.name.clone());
        }
    }
    Ok(typed)
}

/// What the mapping covers, written as `coverage.json`.
pub(super) fn cover(
    runner: &mut StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
    edges: &[Edges<'_>],
) -> Result<Coverage, RunError> {
    let mut held = Vec::new();
    for (source_id, view) in raw {
        held.extend(view.tables.iter().map(|(name, table)| LegacyTable {
            source_id: source_id.clone(),
            name: name.clone(),
            parts: paths(&table.parts),
        }));
    }
    let rows = edges.iter().map(|e| ((e.table.table.clone(), e.branch.name.clone()), e.rows())).collect();
    let total = raw.values().flat_map(|v| v.tables.values()).map(|t| t.rows).sum();
    let inputs = runner.of_everything();
    let coverage = runner.once(
        "cover",
        "mapping",
        &inputs,
        total,
        |w| Ok(mapping::coverage(w.engine, w.city, w.national, &held, &rows)?),
        |_: &Coverage| (total, Vec::new()),
    )?;
    store(&runner.dir.file("coverage.json"), &coverage)?;
    Ok(coverage)
}

/// Every branch of every national table, in load order.
pub(super) fn map_all<'c>(
    runner: &mut StageRunner<'_>,
    city: &'c mapping::City,
    raw: &BTreeMap<String, RawView>,
    typed: &Typed,
) -> Result<Vec<Edges<'c>>, RunError> {
    let mut all = Vec::new();
    for table in &city.tables {
        for branch in &table.branches {
            let mut reports = BTreeMap::new();
            let Some(view) = city.view(&branch.from.view) else { continue };
            let out = MappedOut {
                mapped: runner.dir.mapped(&table.table, &branch.name),
                lineage: runner.dir.lineage(&table.table, &branch.name),
                read_errors: runner.dir.branch_read_errors(&table.table, &branch.name),
            };
            let held = raw.get(&view.source).into_iter().flat_map(|r| &r.tables);
            for (name, legacy) in held.filter(|(name, _)| view.matches(name)) {
                let label = format!("{}.{name}", view.source);
                let inputs = runner.of_parts(typed.read_by(&label, branch));
                let report = runner.once(
                    "map",
                    &format!("{}/{}/{name}", table.table, branch.name),
                    &inputs,
                    legacy.rows,
                    |w| {
                        let (engine, national) = (w.engine, w.national);
                        let tables = &typed.tables;
                        Ok(mapping::translate(engine, city, national, table, branch, name, tables, &out)?)
                    },
                    |r: &BranchReport| {
                        let parts = r.parts.iter().chain(&r.lineage).chain(&r.read_errors);
                        (r.total, parts.cloned().collect())
                    },
                )?;
                reports.insert(label, report);
            }
            all.push(Edges { table, branch, reports });
        }
    }
    Ok(all)
}
