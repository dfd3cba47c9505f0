//! Corrections that would break a rule: seen before they are taken (RULES 5).
//!
//! Always: a row is asked with every correction that the file has for it. What a rule finds there already is no reason to refuse.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::RecordBatch;

use super::super::RunError;
use super::super::findings::each_batch;
use super::super::rule_input::correction;
use super::form::{at, item_of};
use super::import::ImportOf;
use super::reading::{Mistake, ReadFile, ReadRow};
use crate::dataset::{PartInfo, PartWriter, left_parts, register_bare};
use crate::durable;
use crate::engine::Joins;
use crate::messages;
use crate::national::Table;
use crate::phrase;
use crate::rules::{Broken, BrokenOf, Correction, Item, Rule, broken};
use crate::sql_ident::{literal, quote};
use crate::state::{Decision, DecisionKind};

/// The mistakes of decisions after which a rule would find something in their row.
pub(super) fn mistakes(
    of: &ImportOf<'_>,
    file: &ReadFile,
    decisions: &[Decision],
) -> Result<Vec<Mistake>, RunError> {
    let mut by_table: BTreeMap<(Item, &str), Vec<&Decision>> = BTreeMap::new();
    let corrects = |d: &&Decision| corrects(d) && !of.book.is_of_rows(&d.rule, &d.table);
    for decision in decisions.iter().filter(corrects) {
        let answers = |r: &&Rule| r.id == decision.rule && r.table == decision.table;
        if let Some(rule) = of.book.rules.iter().find(answers) {
            by_table.entry((rule.item, &decision.table)).or_default().push(decision);
        }
    }
    let mut found: HashMap<Row, Broken> = HashMap::new();
    for ((item, table), decisions) in by_table {
        let Some(table) = of.national.table(table) else { continue };
        for one in broken_by(of, item, table, &decisions)? {
            found.entry(row(&table.name, &one.key, &one.source, one.skey.as_deref())).or_insert(one);
        }
    }
    let mut items: HashMap<u64, Vec<String>> = HashMap::new();
    for d in decisions.iter().filter(corrects) {
        if let Some(broken) = found.get(&row(&d.table, &d.key, &d.source, d.skey.as_deref())) {
            items.insert(d.item, told(of, &d.table, broken));
        }
    }
    let here = |row: &ReadRow| {
        let with = items.get(&item_of(&row.cells[at::ITEM])?)?;
        Some(file.mistake(row, at::DECISION, "breaks", with.clone()))
    };
    Ok(file.rows.iter().filter_map(here).collect())
}

/// Table, key, source, legacy key.
type Row = [String; 4];

fn row(table: &str, key: &str, source: &str, skey: Option<&str>) -> Row {
    [table, key, source, skey.unwrap_or_default()].map(str::to_owned)
}

/// Whether it gives a field another value.
fn corrects(of: &Decision) -> bool {
    let kind = matches!(of.kind, DecisionKind::Adopt | DecisionKind::Correct);
    kind && of.column != "*" && of.after.is_some()
}

/// The rule, its title, and the column that it would name.
fn told(of: &ImportOf<'_>, table: &str, broken: &Broken) -> Vec<String> {
    let rule = of.book.rules.iter().find(|r| r.id == broken.rule);
    let title = rule.map(|r| match messages::lang() {
        messages::Lang::Zh => r.title.zh.clone(),
        messages::Lang::En => r.title.en.clone(),
    });
    let column = of.national.table(table).and_then(|t| t.column(&broken.column));
    let column = column.map_or_else(|| broken.column.clone(), |c| c.title.clone());
    vec![broken.rule.clone(), title.unwrap_or_default(), column]
}

/// What rules would find in the corrected rows of one table.
fn broken_by(
    of: &ImportOf<'_>,
    item: Item,
    table: &Table,
    decisions: &[&Decision],
) -> Result<Vec<Broken>, RunError> {
    let scratch = of.run.dir.scratch("import");
    durable::remove_dir_all(&scratch)?;
    durable::create_dir_all(&scratch)?;
    let corrections: Vec<Correction> = decisions.iter().filter_map(|d| correction(0, d)).collect();
    let asked = BrokenOf {
        engine: of.engine,
        national: of.national,
        book: of.book,
        item,
        table: &table.name,
        rows: rows_of(of, table, decisions, &scratch)?,
        corrections: &corrections,
        as_of: of.run.as_of()?,
        scratch: &scratch,
    };
    Ok(broken(&asked)?.into_iter().collect())
}

/// The rows of some decisions as the newest run left them, as a part.
fn rows_of(
    of: &ImportOf<'_>,
    table: &Table,
    decisions: &[&Decision],
    scratch: &Path,
) -> Result<PartInfo, RunError> {
    let schema = table.mapped_schema();
    let mut rows = PartWriter::create(&scratch.join("rows.parquet"), schema.clone())?;
    let session = of.engine.session(1, Joins::Large);
    let columns: Vec<String> = schema.fields().iter().map(|f| quote(f.name())).collect();
    let keys: Vec<String> = decisions.iter().map(|d| literal(&d.key)).collect();
    let what = || phrase!("work.corrected", table = table.name);
    let dir = &of.run.dir;
    for (name, folder) in [("staged", dir.staged(&table.name)), ("rejected", dir.rejected(&table.name))] {
        let parts = left_parts(&folder)?;
        if parts.is_empty() {
            continue;
        }
        register_bare(&session, name, &parts)?;
        let sql = format!("SELECT {} FROM {name} WHERE _key IN ({})", columns.join(", "), keys.join(", "));
        each_batch(of.engine, &session, &sql, &what, |batch| {
            let whole = RecordBatch::try_new(schema.clone(), batch.columns().to_vec());
            rows.write(&whole.map_err(|e| of.engine.error(what(), e.into()))?)?;
            Ok::<(), RunError>(())
        })?;
    }
    Ok(rows.finish()?)
}
