//! What a finished run changed, row by row, for people: change records as they lie in its folder.
//!
//! Always: rows come part by part, none are collected here; values are masked here.

use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};

use super::RunError;
use super::finished::Finished;
use crate::artifacts::shown;
use crate::dataset::{left_parts, read_part};
use crate::national::{Column, National};
use crate::rules::Item;

/// One change record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ListedChange {
    pub table: String,
    pub key: String,
    pub source: String,
    pub column: String,
    /// Masked.
    pub before: Option<String>,
    /// Masked.
    pub after: Option<String>,
    pub rule: String,
    pub item: String,
    pub level: String,
    pub evidence: Option<String>,
}

/// A value of a column as people may see it; what no column is known for, wholly masked.
pub(super) fn masked(column: Option<&Column>, value: Option<String>) -> Option<String> {
    value.map(|value| column.map_or_else(|| "***".to_owned(), |c| shown(c, &value)))
}

/// A cell of a dataset of ours, by name.
pub(super) fn cell(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// Every row of some parts.
pub(super) fn each(parts: Vec<PathBuf>, mut take: impl FnMut(&RecordBatch, usize)) -> Result<(), RunError> {
    for part in parts {
        for batch in read_part(&part)? {
            let batch = batch?;
            (0..batch.num_rows()).for_each(|row| take(&batch, row));
        }
    }
    Ok(())
}

/// Every change record of a run, item by item; values masked by their column.
///
/// # Errors
/// `DAT-…`.
pub fn each_change(
    of: &Finished,
    national: &National,
    mut take: impl FnMut(ListedChange),
) -> Result<(), RunError> {
    for item in Item::ALL {
        let parts = left_parts(&of.dir.changes(item.text()))?;
        each(parts, |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            let (table, column) = (text("table"), text("column"));
            let known = national.table(&table).and_then(|t| t.column(&column));
            take(ListedChange {
                key: text("_key"),
                source: text("_source"),
                before: masked(known, cell(batch, "before", row)),
                after: masked(known, cell(batch, "after", row)),
                rule: text("rule"),
                item: text("item"),
                level: text("level"),
                evidence: cell(batch, "evidence", row),
                table,
                column,
            });
        })?;
    }
    Ok(())
}
