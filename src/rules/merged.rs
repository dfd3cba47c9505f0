//! What rules see of the merges of their own work item: `survivor_<T>`, the key map so far, and `conflict_<T>`, the fields in which merged rows
//! differ (fields.rs).
//!
//! Always: a rule that reads one runs after every rule that merges rows of T, and merges none of them itself; where nothing is merged the table
//! has no row. All rules see the tables themselves as they were before the item.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::fault::RuleError;
use super::fields;
use super::file::Rule;
use super::judge::ItemChanges;
use super::kind::Effect;
use super::merge::Merges;
use super::run::CleanItem;
use super::tables::Tables;
use super::typed;
use crate::national::{National, Table};

const SURVIVOR: &str = "survivor_";
const CONFLICT: &str = "conflict_";

/// The name of the table whose merges a name tells of.
pub(super) fn of_table(name: &str) -> Option<&str> {
    name.strip_prefix(SURVIVOR).or_else(|| name.strip_prefix(CONFLICT))
}

/// Every such name: tables with a key of one column can be merged.
pub(super) fn names(national: &National) -> impl Iterator<Item = String> {
    let tables = national.tables.iter().filter(|t| t.key.len() == 1);
    tables.flat_map(|t| [SURVIVOR, CONFLICT].map(|kind| format!("{kind}{}", t.name)))
}

/// `survivor_<T>`: a donor under the name of the key's column, and `survivor`; of the key's type.
fn map_columns(table: &Table) -> Vec<(String, DataType)> {
    let key = table.key.first().map(String::as_str).unwrap_or_default();
    let kind = table.column(key).map_or(DataType::Utf8, |c| c.kind.arrow());
    vec![(key.to_owned(), kind.clone()), (SURVIVOR.trim_end_matches('_').to_owned(), kind)]
}

/// The columns of such a table.
pub(super) fn schema(national: &National, name: &str) -> Option<SchemaRef> {
    let table = national.table(of_table(name)?).filter(|t| t.key.len() == 1)?;
    let columns =
        if name.starts_with(SURVIVOR) { map_columns(table) } else { fields::conflict_columns(table) };
    Some(Arc::new(Schema::new(
        columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect::<Vec<_>>(),
    )))
}

/// Rules in the order in which they may run: those that read merges after those that merge.
pub(super) fn phases<'r>(rules: &[&'r Rule]) -> Vec<Vec<&'r Rule>> {
    let (mut open, mut all) = (rules.to_vec(), Vec::new());
    while !open.is_empty() {
        let merging: BTreeSet<&str> =
            open.iter().filter(|r| r.effect == Effect::Merge).map(|r| r.table.as_str()).collect();
        let reads = |r: &Rule| r.reads.iter().filter_map(|n| of_table(n)).any(|t| merging.contains(t));
        // Files of one rule are judged together.
        let waiting: BTreeSet<(&str, &str)> =
            open.iter().filter(|r| reads(r)).map(|r| (r.id.as_str(), r.table.as_str())).collect();
        let waits = |r: &&Rule| waiting.contains(&(r.id.as_str(), r.table.as_str()));
        let (late, ready): (Vec<&Rule>, Vec<&Rule>) = open.into_iter().partition(waits);
        let circle = ready.is_empty();
        all.push(if circle { late.clone() } else { ready });
        open = if circle { Vec::new() } else { late };
    }
    all
}

/// What is known of the merges of an item so far, beside the outside data.
pub(super) struct Seen {
    pub(super) externals: BTreeMap<String, RecordBatch>,
    settled: BTreeSet<String>,
}

impl Seen {
    pub(super) fn new(of: &CleanItem<'_>) -> Self {
        let mut externals = of.externals.clone();
        for name in of.book.of(of.item).flat_map(|r| &r.reads) {
            if let Some(schema) = schema(of.national, name) {
                externals.entry(name.clone()).or_insert_with(|| RecordBatch::new_empty(schema));
            }
        }
        Self { externals, settled: BTreeSet::new() }
    }

    /// Settles what a phase has merged, fills the survivors' fields, and hands both on to the next.
    pub(super) fn settle(
        &mut self,
        of: &CleanItem<'_>,
        tables: &mut Tables<'_>,
        changes: &mut ItemChanges,
    ) -> Result<(), RuleError> {
        let mut all = std::mem::take(&mut changes.merges);
        for (name, merges) in &mut all {
            let Some(table) = of.national.table(name).filter(|_| self.settled.insert(name.clone())) else {
                continue;
            };
            merges.settle();
            let conflicts = fields::fill(of, tables, table, merges, changes)?;
            for (kind, rows) in [(SURVIVOR, map(of, table, merges)?), (CONFLICT, conflicts)] {
                self.externals.insert(format!("{kind}{name}"), rows);
            }
        }
        changes.merges = all;
        Ok(())
    }
}

/// The key map as a table.
fn map(of: &CleanItem<'_>, table: &Table, merges: &Merges) -> Result<RecordBatch, RuleError> {
    let rows: Vec<Vec<Option<&str>>> = merges
        .0
        .iter()
        .map(|(donor, merge)| vec![Some(donor.as_str()), Some(merge.survivor.as_str())])
        .collect();
    typed::batch(&map_columns(table), &rows).map_err(|unfit| {
        let what = format!("the key map: {}", unfit.column);
        RuleError::Unrecorded { item: of.item, table: table.name.clone(), what }
    })
}
