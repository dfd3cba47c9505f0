//! What must hold of every run as a whole (reference 5.8): `sql/invariants/<ID>.sql`, each a SELECT of what breaks it.
//!
//! Always: checked with the rules before anything runs; what is found is counted, and a few rows are shown by their keys, masked by their
//! column. Without a row to compare, or a run before to compare with, there is nothing to check, which is not the same as holding.
//! Must not know: how the tables that are compared came about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::apply::change_schema;
use super::check::{Context, Planner, planned};
use super::fault::RuleError;
use super::file::{Bilingual, Reader, Text, both, line_span, memory, stem, values};
use super::header::header;
use super::lines::found_schema;
use super::sql::{self, Parsed};
use crate::artifacts::{InvariantEnd, excluded_schema, merged_schema, shown};
use crate::dataset::{PartInfo, register_bare};
use crate::engine::{Engine, Joins};
use crate::mask::{MaskKind, mask};
use crate::national::{National, Table};
use crate::phrase;

const KEYS: [&str; 6] = ["id", "title", "compares", "about", "each", "broken"];
/// So many rows are shown of what breaks an invariant.
const SAMPLES: usize = 5;
/// Text columns of an invariant that hold words of ours.
const WORDS: [&str; 9] = ["table", "column", "rule", "item", "stage", "file", "side", "_source", "measure"];

/// One file of `sql/invariants/`.
#[derive(Debug, Clone)]
pub struct Invariant {
    pub id: String,
    pub title: Bilingual,
    /// What it compares with what.
    pub compares: Bilingual,
    /// Whether a run in which it is broken is blocked.
    pub blocks: bool,
    /// Names without a row in any of which there is nothing to check.
    about: Vec<String>,
    /// National tables for each of which it is asked, under the names `mapped`, `cleaned`, `staged`, `rejected`; empty: once.
    each: Vec<String>,
    parsed: Parsed,
}

/// What came of one invariant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InvariantReport {
    pub id: String,
    pub ended: InvariantEnd,
    /// Rows of its SELECT.
    pub rows: u64,
    /// The first of them, masked.
    pub samples: Vec<String>,
}

/// What invariants look at: datasets and small tables by name. `mapped_<T>`, `unmerged_<T>` (before the work item merge), `cleaned_<T>`, `staged_<T>`, `rejected_<T>`, `excluded_<T>`, `merged_<T>`
/// of national tables; `changes`, `found`; `cells`, `untouchable`, `made`, `undone`; `changes_before` and `made_before` where there is such a run.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub parts: BTreeMap<String, Vec<PartInfo>>,
    pub rows: BTreeMap<String, RecordBatch>,
}

/// The columns of a dataset or table that invariants may read.
pub(super) fn schema_of(national: &National, name: &str) -> Option<SchemaRef> {
    let text = |names: &[&str]| -> SchemaRef {
        Arc::new(Schema::new(names.iter().map(|n| Field::new(*n, DataType::Utf8, true)).collect::<Vec<_>>()))
    };
    match name {
        "changes" | "changes_before" => return Some(change_schema()),
        "found" => return Some(found_schema()),
        "cells" => {
            let count = Field::new("fields", DataType::Int64, true);
            let mut fields: Vec<_> = text(&["item", "table"]).fields().iter().cloned().collect();
            fields.push(Arc::new(count));
            return Some(Arc::new(Schema::new(fields)));
        }
        "untouchable" => return Some(text(&["table", "column"])),
        "made" | "made_before" => return Some(text(&["stage", "file", "digest"])),
        "undone" => return Some(text(&["batch"])),
        _ => {}
    }
    let (kind, table) = name.split_once('_')?;
    let mapped = national.table(table)?.mapped_schema();
    match kind {
        "mapped" | "unmerged" | "cleaned" | "staged" | "rejected" => Some(mapped),
        "excluded" => Some(excluded_schema()),
        "merged" => Some(merged_schema()),
        _ => None,
    }
}

/// A small table of text columns (and whole numbers) as invariants read it.
pub fn fact_rows(national: &National, name: &str, rows: &[Vec<String>]) -> Option<RecordBatch> {
    let schema = schema_of(national, name)?;
    let column = |at: usize, field: &Field| {
        let text: arrow::array::StringArray = rows.iter().map(|r| r.get(at).cloned()).collect();
        cast(&text, field.data_type())
    };
    let columns: Result<Vec<_>, _> =
        schema.fields().iter().enumerate().map(|(at, field)| column(at, field)).collect();
    RecordBatch::try_new(schema, columns.ok()?).ok()
}

/// Loads the files of a folder, all their mistakes at once.
pub(super) fn invariants(reader: &mut Reader, files: Vec<PathBuf>, of: &Context<'_>) -> Vec<Invariant> {
    if files.is_empty() {
        return Vec::new();
    }
    let (mut all, mut planner) = (Vec::new(), Planner::new(of));
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        all.extend(invariant(reader, &text, of.national, &mut planner));
    }
    all
}

fn invariant(
    reader: &mut Reader,
    text: &Text,
    national: &National,
    planner: &mut Planner,
) -> Option<Invariant> {
    let before = reader.faults.len();
    let head = header(&text.text);
    let (values, spans) = values(reader, text, &head, &KEYS);
    for key in KEYS.iter().filter(|k| **k != "each" && !values.contains_key(**k)) {
        reader.fault(text, 0..0, phrase!("rules.no_header_key", key));
    }
    let get = |key: &str| values.get(key).map_or("", String::as_str);
    let list = |key: &str| -> Vec<String> {
        get(key).split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
    };
    if get("id") != stem(&text.path) {
        reader.fault(text, 0..0, phrase!("rules.id_is_name", name = stem(&text.path)));
    }
    let broken = get("broken");
    if broken != "blocks" && broken != "told" {
        reader.fault(text, 0..0, phrase!("rules.broken", broken));
    }
    let (title, compares) =
        (both(reader, text, &values, &spans, "title"), both(reader, text, &values, &spans, "compares"));
    let each = match list("each") {
        all if all == ["*"] => national.tables.iter().filter(|t| t.upload).map(|t| t.name.clone()).collect(),
        named => named,
    };
    let parsed = sql::parse(&text.text[head.sql.clone()]);
    let parsed = parsed.map_err(|why| reader.fault(text, head.sql.clone(), why)).ok()?;
    let blocks = broken == "blocks";
    let found =
        Invariant { id: get("id").to_owned(), title, compares, blocks, about: list("about"), each, parsed };
    for table in found.tables() {
        let sql = found.over(table);
        for name in found.about.iter().map(|name| full(name, table)).chain(sql.reads.iter().cloned()) {
            match schema_of(national, &name) {
                Some(schema) => planner.know(&name, schema),
                None => reader.fault(text, 0..0, phrase!("rules.nothing_to_compare", name)),
            }
        }
        if reader.faults.len() == before {
            planned(reader, planner, text, &head.sql, &sql, &sql.text());
        }
    }
    (reader.faults.len() == before).then_some(found)
}

/// A name for the table at hand as the whole name of a dataset.
fn full(name: &str, table: Option<&str>) -> String {
    let of_table = matches!(name, "mapped" | "cleaned" | "staged" | "rejected" | "excluded" | "merged");
    table.filter(|_| of_table).map_or_else(|| name.to_owned(), |table| format!("{name}_{table}"))
}

impl Invariant {
    /// The tables that it is asked for; once without any.
    fn tables(&self) -> Vec<Option<&str>> {
        if self.each.is_empty() { vec![None] } else { self.each.iter().map(|t| Some(t.as_str())).collect() }
    }

    /// Its SELECT for one table.
    fn over(&self, table: Option<&str>) -> Parsed {
        self.parsed.over(&|name| full(name, table))
    }

    /// Everything that it reads, under full names.
    pub fn reads(&self) -> BTreeSet<String> {
        self.tables().iter().flat_map(|t| self.over(*t).reads).collect()
    }
}

/// `untouchable.csv`: columns that no rule may propose a value for (INV-06); `*` for every table.
pub(super) fn untouchable(
    reader: &mut Reader,
    path: &Path,
    national: &National,
) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    if !path.exists() {
        return all;
    }
    let Some(text) = reader.text(path) else { return all };
    let mut csv = csv::ReaderBuilder::new().from_reader(text.text.trim_start_matches('\u{feff}').as_bytes());
    for record in csv.records() {
        let Ok(record) = record else {
            reader.fault(&text, 0..0, phrase!("rules.untouchable_columns"));
            continue;
        };
        let at = |i: usize| record.get(i).unwrap_or_default().trim().to_owned();
        let (table, column) = (at(0), at(1));
        let known = |name: &str| national.table(name).is_some_and(|t| t.column(&column).is_some());
        let named = if table == "*" { national.tables.iter().any(|t| known(&t.name)) } else { known(&table) };
        if !named {
            let line = record.position().map_or(1, csv::Position::line);
            reader.fault(&text, line_span(&text.text, line), phrase!("rules.no_column_of", table, column));
        }
        all.insert((table, column));
    }
    all
}

/// Asks one invariant.
///
/// # Errors
/// `ENG-…`, `DAT-…`.
pub fn ask(
    engine: &Engine,
    national: &National,
    invariant: &Invariant,
    facts: &Facts,
) -> Result<InvariantReport, RuleError> {
    let id = invariant.id.clone();
    let mut report =
        InvariantReport { id, ended: InvariantEnd::NothingToCheck, rows: 0, samples: Vec::new() };
    for table in invariant.tables() {
        let asking = Asking { engine, national, facts, table };
        if !invariant.about.iter().any(|name| asking.has_rows(name)) {
            continue;
        }
        report.ended = InvariantEnd::Holds;
        asking.broken(invariant, &mut report)?;
    }
    if report.rows > 0 {
        report.ended = InvariantEnd::Broken;
    }
    Ok(report)
}

/// Makes datasets and small tables known under the names that a query reads; what is not there is empty.
pub(super) fn register_facts(
    engine: &Engine,
    session: &SessionContext,
    (names, facts): (&BTreeSet<String>, &Facts),
    schema: &dyn Fn(&str) -> Option<SchemaRef>,
    what: &dyn Fn() -> String,
) -> Result<(), RuleError> {
    for name in names {
        let failed = |e| engine.error(what(), e);
        if let Some(parts) = facts.parts.get(name).filter(|p| !p.is_empty()) {
            let paths: Vec<PathBuf> = parts.iter().map(|p| p.path.clone()).collect();
            register_bare(session, name, &paths)?;
            continue;
        }
        let reference = TableReference::bare(name.as_str());
        if let Some(rows) = facts.rows.get(name) {
            let table = memory(rows).map_err(failed)?;
            session.register_table(reference, table).map_err(failed)?;
        } else if let Some(schema) = schema(name) {
            session.register_table(reference, Arc::new(EmptyTable::new(schema))).map_err(failed)?;
        }
    }
    Ok(())
}

/// One invariant over one table, or over all.
struct Asking<'a> {
    engine: &'a Engine,
    national: &'a National,
    facts: &'a Facts,
    table: Option<&'a str>,
}

impl Asking<'_> {
    fn has_rows(&self, name: &str) -> bool {
        let name = full(name, self.table);
        let parts = self.facts.parts.get(&name).is_some_and(|p| p.iter().any(|p| p.rows > 0));
        parts || self.facts.rows.get(&name).is_some_and(|rows| rows.num_rows() > 0)
    }

    /// Counts what breaks it, and keeps the first rows.
    fn broken(&self, invariant: &Invariant, report: &mut InvariantReport) -> Result<(), RuleError> {
        let engine = self.engine;
        let what = || phrase!("work.invariant", id = invariant.id);
        let session = engine.session(engine.partitions(), Joins::Large);
        let query = invariant.over(self.table);
        let schema = |name: &str| schema_of(self.national, name);
        register_facts(engine, &session, (&query.reads, self.facts), &schema, &what)?;
        let sql = query.text();
        engine.block_on(async {
            let stream = async {
                let frame = session.sql(&sql).await?;
                let order: Vec<String> = (1..=frame.schema().fields().len()).map(|n| n.to_string()).collect();
                let sorted = format!("SELECT * FROM ({sql}) ORDER BY {}", order.join(", "));
                session.sql(&sorted).await?.execute_stream().await
            };
            let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| engine.error(what(), e))?;
                report.rows += batch.num_rows() as u64;
                let open = SAMPLES.saturating_sub(report.samples.len()).min(batch.num_rows());
                report.samples.extend((0..open).map(|row| self.sample(&batch, row)));
            }
            Ok::<(), RuleError>(())
        })
    }

    /// `AC43 · AAE140 110 · before 1.00 · after 2.00`.
    fn sample(&self, batch: &RecordBatch, row: usize) -> String {
        let mut said: Vec<String> = self.table.map(str::to_owned).into_iter().collect();
        let schema = batch.schema();
        let of_row = batch.column_by_name("table").and_then(|t| text(t, row));
        let table = self.table.map(str::to_owned).or_else(|| of_row.clone());
        let table = table.and_then(|t| self.national.table(&t));
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let name = field.name().as_str();
            let Some(value) = text(column, row).filter(|v| !v.is_empty()) else { continue };
            let value = match name {
                "_key" => key(table, &value),
                _ if WORDS.contains(&name) || column.data_type().is_numeric() && !self.is_national(name) => {
                    value
                }
                _ => self.masked(name, &value),
            };
            said.push(if name == "table" { value } else { format!("{name} {value}") });
        }
        said.join(" · ")
    }

    fn is_national(&self, name: &str) -> bool {
        self.national.tables.iter().any(|t| t.column(name).is_some())
    }

    fn masked(&self, name: &str, value: &str) -> String {
        let column = self.national.tables.iter().find_map(|t| t.column(name));
        column.map_or_else(|| mask(MaskKind::Text, value), |c| shown(c, value))
    }
}

/// A key as people may see it: each part by its column.
pub(super) fn key(table: Option<&Table>, value: &str) -> String {
    let Some(table) = table else { return mask(MaskKind::Number, value) };
    let parts = value.split('|').enumerate().map(|(at, part)| {
        let column = table.key.get(at).and_then(|k| table.column(k));
        column.map_or_else(|| mask(MaskKind::Number, part), |c| shown(c, part))
    });
    parts.collect::<Vec<_>>().join("|")
}

fn text(column: &arrow::array::ArrayRef, row: usize) -> Option<String> {
    let text = cast(&column.slice(row, 1), &DataType::Utf8).ok()?;
    let text = text.as_string_opt::<i32>()?;
    text.is_valid(0).then(|| text.value(0).to_owned())
}
