//! Rows that rules add: proposals that are approved → parts of their own, one a table and item.
//!
//! Always: a row whose key is there already, or lacks a part, is not added. An added row says which rule made it (`_source` is `rule:<id>`) and
//! from which row (`_skey` is its table and key); rows are sorted by key.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use xxhash_rust::xxh3::xxh3_128;

use super::apply::Change;
use super::fault::RuleError;
use super::run::CleanItem;
use super::typed;
use crate::dataset::{BATCH_ROWS, PartInfo, PartWriter, read_columns};
use crate::functions::key_text;
use crate::national::Table;

/// What the source of an added row begins with.
pub const BY_RULE: &str = "rule:";

/// A row that is added: its record (with its own key, source and legacy key), and its values as text by column.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub(super) record: Change,
    pub(super) values: BTreeMap<String, String>,
}

/// The values of a proposed row (`after` of its line), by column.
pub(super) fn values(after: &str) -> BTreeMap<String, String> {
    serde_json::from_str(after).unwrap_or_default()
}

/// The key of a row with these values; none where a part is empty.
pub(super) fn key(table: &Table, values: &BTreeMap<String, String>) -> Option<String> {
    let parts: Vec<&str> =
        table.key.iter().map(|k| values.get(k).map(String::as_str)).collect::<Option<_>>()?;
    let mut text = String::new();
    key_text(&mut text, parts.into_iter().map(Some));
    Some(text)
}

/// The digest of a key of a table.
pub(super) fn digest(table: &str, key: &str) -> u128 {
    xxh3_128([table, key].join("\u{1f}").as_bytes())
}

/// Which of some keys (digests) stand in the current version of a table.
pub(super) fn present(
    of: &CleanItem<'_>,
    table: &str,
    wanted: &HashSet<u128>,
) -> Result<HashSet<u128>, RuleError> {
    let mut found = HashSet::new();
    for part in of.tables.get(table).into_iter().flatten().filter(|_| !wanted.is_empty()) {
        for batch in read_columns(&part.path, &["_key".to_owned()])? {
            let batch = batch?;
            let Some(keys) = batch.column(0).as_string_opt::<i32>() else { continue };
            let here = keys.iter().flatten().map(|key| digest(table, key));
            found.extend(here.filter(|digest| wanted.contains(digest)));
        }
    }
    Ok(found)
}

/// Writes the added rows of a table.
pub(super) fn write(of: &CleanItem<'_>, table: &Table, added: &mut [Added]) -> Result<PartInfo, RuleError> {
    added.sort_by(|a, b| a.record.key.cmp(&b.record.key));
    let folder: PathBuf = of.to.cleaned.join(&table.name).join("added");
    crate::durable::create_dir_all(&folder)?;
    // Named by its item: behind the gate the parts of all items lie in one folder.
    let mut writer =
        PartWriter::create(&folder.join(format!("{}.parquet", of.item.text())), table.mapped_schema())?;
    for rows in added.chunks(BATCH_ROWS) {
        writer.write(&batch(of, table, rows)?)?;
    }
    Ok(writer.finish()?)
}

fn batch(of: &CleanItem<'_>, table: &Table, rows: &[Added]) -> Result<RecordBatch, RuleError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len() + 3);
    for column in &table.columns {
        let texts: Vec<Option<&str>> =
            rows.iter().map(|r| r.values.get(&column.code).map(String::as_str)).collect();
        let unfit = |row: usize| RuleError::DoesNotFit {
            rule: rows[row].record.rule.clone(),
            table: table.name.clone(),
            column: column.code.clone(),
            key: rows[row].record.key.clone(),
        };
        columns.push(typed::typed(&texts, &column.kind.arrow()).map_err(unfit)?);
    }
    let text = |get: &dyn Fn(&Change) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|r| get(&r.record)).collect::<StringArray>())
    };
    columns.push(text(&|r| Some(r.key.clone())));
    columns.push(text(&|r| Some(r.source.clone())));
    columns.push(text(&|r| r.skey.clone()));
    RecordBatch::try_new(table.mapped_schema(), columns).map_err(|e| RuleError::Unrecorded {
        item: of.item,
        table: table.name.clone(),
        what: e.to_string(),
    })
}
