//! Empty values of every column of a table, before and after its cleaning (FIL-18).
//!
//! Always: counts only; NULL and the empty text are empty.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::fault::RuleError;
use crate::artifacts::EmptyRow;
use crate::dataset::register;
use crate::engine::{Engine, Joins};
use crate::national::Table;
use crate::phrase;
use crate::sql_ident::quote;

/// A table whose empty values are counted.
pub struct EmptyOf<'a> {
    pub engine: &'a Engine,
    pub table: &'a Table,
    /// Its last version.
    pub parts: &'a [PathBuf],
    /// Its change records.
    pub changes: &'a [PathBuf],
}

/// Rows, and empty values of each column before and after; a field that was filled has a change record of nothing before.
///
/// # Errors
/// `ENG-…`, `DAT-…`.
pub fn empty_values(of: &EmptyOf<'_>) -> Result<Vec<EmptyRow>, RuleError> {
    let columns = of
        .table
        .columns
        .iter()
        .map(|c| format!("count(CASE WHEN CAST({} AS VARCHAR) <> '' THEN 1 END)", quote(&c.code)));
    let sql = format!("SELECT count(*), {} FROM rows", columns.collect::<Vec<_>>().join(", "));
    let counts = ask(of, "rows", of.parts, &sql)?;
    let number = |batch: &RecordBatch, column: usize, row: usize| {
        batch.column(column).as_primitive::<Int64Type>().value(row).unsigned_abs()
    };
    let mut filled: BTreeMap<String, u64> = BTreeMap::new();
    if !of.changes.is_empty() {
        let sql =
            "SELECT \"column\", count(*) FROM changes WHERE coalesce(before, '') = '' GROUP BY \"column\"";
        for batch in ask(of, "changes", of.changes, sql)? {
            let names = batch.column(0).as_string::<i32>();
            filled.extend(
                (0..batch.num_rows()).map(|row| (names.value(row).to_owned(), number(&batch, 1, row))),
            );
        }
    }
    let Some(batch) = counts.first() else { return Ok(Vec::new()) };
    let rows = number(batch, 0, 0);
    let share = |(at, column): (usize, &crate::national::Column)| {
        let after = rows - number(batch, at + 1, 0);
        EmptyRow {
            table: of.table.name.clone(),
            column: column.code.clone(),
            title: column.title.clone(),
            rows,
            before: after + filled.get(&column.code).copied().unwrap_or(0),
            after,
        }
    };
    Ok(of.table.columns.iter().enumerate().map(share).collect())
}

fn ask(of: &EmptyOf<'_>, name: &str, parts: &[PathBuf], sql: &str) -> Result<Vec<RecordBatch>, RuleError> {
    let session = of.engine.session(of.engine.partitions(), Joins::OneSmall);
    register(&session, name, parts)?;
    let what = || phrase!("work.shares", table = of.table.name);
    let found = of.engine.block_on(async { session.sql(sql).await?.collect().await });
    Ok(found.map_err(|e| of.engine.error(what(), e))?)
}
