//! Fields of merged rows (reference 5.7): what a survivor lacks comes from its donors; where two values differ, `merge_fields.csv` says what
//! becomes of it.
//!
//! Always: of two IDs or names none is chosen, and no untouchable column (INV-06) is filled; what is not chosen is a row of `conflict_<T>`,
//! for the rules that run after the merge. Donors are asked in their order of trust (model `trust_<T>`), then by key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;

use super::apply::Change;
use super::fault::RuleError;
use super::file::{ModelDraft, Reader, Text, line_span, memory};
use super::judge::ItemChanges;
use super::kind::FieldMerge;
use super::merge::Merges;
use super::run::CleanItem;
use super::tables::Tables;
use super::typed;
use crate::dataset::register;
use crate::engine::Joins;
use crate::national::{Mask, National, Table};
use crate::phrase;
use crate::sql_ident::quote;

/// By table: the columns that are merged, in the order of the file.
pub(super) type MergeFields = BTreeMap<String, Vec<(String, FieldMerge)>>;

/// Reads `merge_fields.csv`: table, column, how, source, standing.
pub(super) fn merge_fields(
    reader: &mut Reader,
    dir: &Path,
    national: &National,
    untouchable: &BTreeSet<(String, String)>,
) -> MergeFields {
    let (mut all, path) = (MergeFields::new(), dir.join("merge_fields.csv"));
    if !path.exists() {
        return all;
    }
    let Some(text) = reader.text(&path) else { return all };
    let mut csv = csv::ReaderBuilder::new().from_reader(text.text.trim_start_matches('\u{feff}').as_bytes());
    for record in csv.records() {
        let Ok(record) = record else {
            reader.fault(&text, 0..0, phrase!("rules.fields_columns"));
            continue;
        };
        let at = |i: usize| record.get(i).unwrap_or_default().trim().to_owned();
        let (table, column, how) = (at(0), at(1), FieldMerge::named(&at(2)));
        let forbidden = |table: &str| untouchable.contains(&(table.to_owned(), column.clone()));
        let untouchable = forbidden(&table) || forbidden("*");
        let wrong = match (national.table(&table), how) {
            (None, _) => Some(phrase!("rules.no_table", table)),
            (_, None) => {
                let words: Vec<&str> = FieldMerge::ALL.iter().map(|w| w.text()).collect();
                Some(phrase!("rules.how", known = words.join(", "), found = at(2)))
            }
            (Some(known), Some(how)) => fault(known, &column, how, untouchable),
        };
        let known = all.entry(table).or_default();
        let twice = known.iter().any(|(c, _)| *c == column).then(|| phrase!("rules.column_twice", column));
        match (wrong.or(twice), how) {
            (None, Some(how)) => known.push((column, how)),
            (wrong, _) => {
                let line = record.position().map_or(1, csv::Position::line);
                reader.fault(&text, line_span(&text.text, line), wrong.unwrap_or_default());
            }
        }
    }
    all
}

/// Every criterion of `survivor.csv` is known to a model that reads it: an unknown one would be passed over.
pub(super) fn criteria(reader: &mut Reader, survivor: Option<&RecordBatch>, models: &[ModelDraft]) {
    let column = survivor.and_then(|s| s.column_by_name("criterion")?.as_string_opt::<i32>());
    let readers = || models.iter().filter(|m| m.model.reads.contains("ref_survivor"));
    for criterion in column.into_iter().flat_map(|c| c.iter().flatten()) {
        if !readers().any(|m| m.model.sql.contains(&format!("'{{{criterion}}}'")))
            && readers().next().is_some()
        {
            let text = Text { path: "survivor.csv".into(), text: String::new() };
            reader.fault(&text, 0..0, phrase!("rules.criterion", criterion));
        }
    }
}

/// Why a column cannot be merged so.
fn fault(table: &Table, column: &str, how: FieldMerge, untouchable: bool) -> Option<String> {
    let name = format!("{}.{column}", table.name);
    let Some(known) = table.column(column) else { return Some(phrase!("rules.no_column", name)) };
    let place = [&table.insurance, &table.period].into_iter().flatten().any(|c| c == column);
    let refers = table.parents.iter().any(|p| p.columns.iter().any(|c| c == column));
    let names_somebody = matches!(known.mask, Mask::Id | Mask::Name);
    if table.key.len() != 1 || table.key.iter().any(|k| k == column) || place || refers || known.measure {
        return Some(phrase!("rules.not_merged", name));
    }
    match how {
        FieldMerge::List | FieldMerge::Keep | FieldMerge::Best if untouchable => {
            Some(phrase!("rules.merge_never", name))
        }
        FieldMerge::Keep | FieldMerge::Best if names_somebody => Some(phrase!("rules.merge_list", name)),
        _ => None,
    }
}

/// The columns of `conflict_<T>`: those of the table, with a donor's value where it differs; the donor; untouchable columns that differ.
pub(super) fn conflict_columns(table: &Table) -> Vec<(String, DataType)> {
    let mapped = table.mapped_schema();
    let own = mapped.fields().iter().map(|f| (f.name().clone(), f.data_type().clone()));
    own.chain(["donor", "fixed"].map(|name| (name.to_owned(), DataType::Utf8))).collect()
}

/// A row of one person or unit: survivor or donor.
struct Row {
    key: String,
    source: String,
    skey: Option<String>,
    values: Vec<Option<String>>,
}

/// What is merged.
struct Filling<'a> {
    table: &'a Table,
    fields: &'a [(String, FieldMerge)],
    merges: &'a Merges,
    changes: &'a ItemChanges,
    filled: Vec<Change>,
    /// Rows of `conflict_<T>`.
    conflicts: Vec<BTreeMap<String, String>>,
}

/// Fills the survivors' fields of a table, as changes; what is not chosen.
pub(super) fn fill(
    of: &CleanItem<'_>,
    tables: &mut Tables<'_>,
    table: &Table,
    merges: &Merges,
    changes: &mut ItemChanges,
) -> Result<RecordBatch, RuleError> {
    let fields = of.book.merge_fields.get(&table.name).map(Vec::as_slice).unwrap_or_default();
    let mut filling =
        Filling { table, fields, merges, changes: &*changes, filled: Vec::new(), conflicts: Vec::new() };
    if !fields.is_empty() {
        read(of, tables, &mut filling)?;
    }
    let Filling { filled, conflicts, .. } = filling;
    for change in filled {
        changes.take(of, &table.name, change)?;
    }
    let columns = conflict_columns(table);
    let cell = |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned();
    let cells: Vec<Vec<Option<String>>> =
        conflicts.iter().map(|row| columns.iter().map(|(name, _)| cell(row, name)).collect()).collect();
    let cells: Vec<Vec<Option<&str>>> =
        cells.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
    typed::batch(&columns, &cells).map_err(|unfit| {
        let what = format!("the fields that differ: {}", unfit.column);
        RuleError::Unrecorded { item: of.item, table: table.name.clone(), what }
    })
}

/// Reads the rows of everybody who is merged, those of one survivor after those of another.
fn read(of: &CleanItem<'_>, tables: &mut Tables<'_>, filling: &mut Filling<'_>) -> Result<(), RuleError> {
    let name = &filling.table.name;
    let parts: Vec<_> = of.tables.get(name).into_iter().flatten().map(|p| p.path.clone()).collect();
    if parts.is_empty() {
        return Ok(());
    }
    let session = of.engine.session(of.engine.partitions(), Joins::Large);
    let what = || phrase!("work.merged_fields", name);
    let failed = |e| of.engine.error(what(), e);
    register(&session, "line", &parts)?;
    session.register_table("member", memory(&members(of, filling)?).map_err(failed)?).map_err(failed)?;
    let trust = format!("trust_{name}");
    let mut trusted = None;
    if of.book.models.iter().any(|m| m.name == trust) {
        tables.compute_models(&BTreeSet::from([trust.clone()]))?;
        trusted = tables.table(&trust)?;
    }
    let (order, join) = match trusted {
        Some(known) => {
            session.register_table("trust", known).map_err(failed)?;
            ("CAST(t.trust AS BIGINT)", " LEFT JOIN trust AS t ON t._key = l._key")
        }
        None => ("CAST(NULL AS BIGINT)", ""),
    };
    let columns: String =
        filling.fields.iter().map(|(c, _)| format!(", CAST(l.{} AS VARCHAR)", quote(c))).collect();
    let sql = format!(
        "SELECT m.survivor, l._key, l._source, l._skey, {order} AS trust{columns} FROM line AS l \
         JOIN member AS m ON m.member = l._key{join} ORDER BY 1, 5 ASC NULLS LAST, 2, 3, 4"
    );
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(failed)?;
        let (mut at, mut rows): (Option<String>, Vec<Row>) = (None, Vec::new());
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            let survivors = batch.column(0).as_string::<i32>();
            for row in 0..batch.num_rows() {
                let survivor = survivors.value(row);
                if at.as_deref() != Some(survivor) {
                    filling.merge(at.as_deref(), &rows);
                    rows.clear();
                    at = Some(survivor.to_owned());
                }
                rows.push(line(&batch, row));
            }
        }
        filling.merge(at.as_deref(), &rows);
        Ok::<(), RuleError>(())
    })
}

fn line(batch: &RecordBatch, row: usize) -> Row {
    let text = |at: usize| {
        let column = batch.column(at).as_string::<i32>();
        // An empty text is no value.
        column.is_valid(row).then(|| column.value(row).to_owned()).filter(|text| !text.is_empty())
    };
    Row {
        key: text(1).unwrap_or_default(),
        source: text(2).unwrap_or_default(),
        skey: text(3),
        values: (5..batch.num_columns()).map(text).collect(),
    }
}

/// Every donor and every survivor with the key at the end of its way.
fn members(of: &CleanItem<'_>, filling: &Filling<'_>) -> Result<RecordBatch, RuleError> {
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    for (donor, merge) in &filling.merges.0 {
        all.insert(donor, &merge.survivor);
        all.insert(&merge.survivor, &merge.survivor);
    }
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![text("member"), text("survivor")]));
    let members: StringArray = all.keys().map(|k| Some(*k)).collect();
    let survivors: StringArray = all.values().map(|k| Some(*k)).collect();
    RecordBatch::try_new(schema, vec![Arc::new(members), Arc::new(survivors)]).map_err(|e| {
        RuleError::Unrecorded { item: of.item, table: filling.table.name.clone(), what: e.to_string() }
    })
}

impl Filling<'_> {
    /// Merges the fields of one survivor; its rows come in their order of trust. Two rows under the survivor's key (STR-05) are left as they are.
    fn merge(&mut self, survivor: Option<&str>, rows: &[Row]) {
        let is_survivor = |row: &&Row| Some(row.key.as_str()) == survivor;
        let mut own = rows.iter().filter(is_survivor);
        let (Some(own), None) = (own.next(), own.next()) else { return };
        let donors: Vec<&Row> = rows.iter().filter(|row| !is_survivor(row)).collect();
        let mut listed: BTreeMap<String, String> = BTreeMap::new();
        let mut fixed: Vec<&str> = Vec::new();
        let mut by: Option<&Row> = None;
        let skey = own.skey.as_deref().unwrap_or_default();
        for (at, (column, how)) in self.fields.iter().enumerate() {
            // What people have answered is not asked again.
            if self.changes.has(&self.table.name, [&own.key, &own.source, skey, column]) {
                continue;
            }
            let has = |row: &Row| row.values[at].is_some();
            let now = own.values[at].as_deref();
            let Some(other) = donors.iter().find(|d| has(d) && d.values[at].as_deref() != now).copied()
            else {
                continue;
            };
            let value = other.values[at].clone().unwrap_or_default();
            match (how, now) {
                (FieldMerge::Never, _) => {
                    fixed.push(column);
                    by = by.or(Some(other));
                }
                (FieldMerge::List | FieldMerge::Keep | FieldMerge::Best, None) => {
                    self.filled.extend(self.change(own, other, column, value));
                }
                (FieldMerge::List, Some(_)) => {
                    listed.insert(column.clone(), value);
                    by = by.or(Some(other));
                }
                (FieldMerge::Best, Some(_)) => {
                    let best = rows.iter().find(|row| has(row)).filter(|row| !is_survivor(row));
                    let value = best.and_then(|best| Some((best, best.values[at].clone()?)));
                    if let Some((best, value)) = value.filter(|(_, value)| Some(value.as_str()) != now) {
                        self.filled.extend(self.change(own, best, column, value));
                    }
                }
                (FieldMerge::Keep, Some(_)) => {}
            }
        }
        let Some(by) = by else { return };
        for (name, value) in [("_key", &own.key), ("_source", &own.source), ("donor", &by.key)] {
            listed.insert(name.to_owned(), value.clone());
        }
        listed.extend(own.skey.clone().map(|skey| ("_skey".to_owned(), skey)));
        if !fixed.is_empty() {
            listed.insert("fixed".to_owned(), fixed.join("、"));
        }
        self.conflicts.push(listed);
    }

    /// A field of the survivor as a change of the merge that brings the donor.
    fn change(&self, own: &Row, donor: &Row, column: &str, value: String) -> Option<Change> {
        let at = self.fields.iter().position(|(c, _)| c == column)?;
        let by = self.merges.0.get(&donor.key)?.rows.first()?;
        let from = format!("并出编号{}", donor.key);
        let evidence = by.evidence.iter().cloned().chain([from]).collect::<Vec<_>>().join("；");
        Some(Change {
            key: own.key.clone(),
            source: own.source.clone(),
            skey: own.skey.clone(),
            column: column.to_owned(),
            before: own.values[at].clone(),
            after: value,
            evidence: Some(evidence),
            ..by.clone()
        })
    }
}
