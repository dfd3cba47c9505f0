//! Read errors of both layers → findings on the national columns that they feed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;

use super::{Check, CheckedBranch, RowsFrom, ValidateError};
use crate::artifacts::{FindingSink, RowAt, RuleGate, shown_unread};
use crate::dataset::{DatasetError, register, row_count};
use crate::engine::Engine;
use crate::phrase;
use crate::sql_ident::quote;

/// A value that could not be decoded or read; a code that could not be translated.
const UNREADABLE: &str = "STR-01";
const NO_CODE: &str = "FIX-10";
/// The read error code of a value outside its list: of layer 1, and how an expression of layer 2 begins.
const CODE: &str = "code";
const CODE_OF: &str = "code_of(";
/// About what a read error takes in memory.
const NOTE_BYTES: u64 = 300;

/// The read error findings of a branch, as a scratch part; none when there are no read errors.
pub(super) fn found(
    engine: &Engine,
    of: &Check<'_>,
    branch: &CheckedBranch,
) -> Result<Option<PathBuf>, ValidateError> {
    let parts: Vec<PathBuf> = branch.read_errors.iter().flat_map(|n| n.parts.clone()).collect();
    let rows = parts.iter().map(|p| row_count(p)).sum::<Result<u64, DatasetError>>()?;
    if rows == 0 || branch.mapped.is_empty() {
        return Ok(None);
    }
    let session = engine.session(engine.partitions(), engine.joins(rows, NOTE_BYTES));
    register(&session, "n", &parts)?;
    register(&session, "mapped", &branch.mapped)?;
    let rows = in_scope(of, "m");
    let what = || phrase!("work.read_errors_on", table = of.table.name);
    session.register_batch("c", fed(branch)?).map_err(|e| engine.error(what(), e))?;
    let through = match &branch.rows_from {
        RowsFrom::One | RowsFrom::Split => {
            format!("JOIN {rows} ON m._source = n.source AND m._skey = n.skey")
        }
        RowsFrom::Group { lineage } => {
            register(&session, "l", lineage)?;
            format!(
                "JOIN l ON l._source = n.source AND l._skey = n.skey \
                 JOIN {rows} ON m._key = l._key AND m._source = l._source"
            )
        }
    };
    let open = if of.changes.is_empty() {
        String::new()
    } else {
        register(&session, "changes", of.changes)?;
        " AND NOT EXISTS (SELECT 1 FROM changes AS x WHERE x._key = m._key AND x._source = m._source \
         AND coalesce(x._skey, '∅') = coalesce(m._skey, '∅') AND x.\"column\" = c.national)"
            .to_owned()
    };
    let sql = format!(
        "SELECT m._key, m._source, m._skey, c.national, n.code, n.bytes \
         FROM n JOIN c ON c.source = n.source AND c.legacy = n.\"column\" {through} WHERE ({}){open}",
        about(branch)
    );
    let path = of.scratch.join(format!("{}.read_errors.parquet", branch.name));
    let mut sink = FindingSink::create(&path, &of.table.name)?;
    engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            add(of, &batch.map_err(|e| engine.error(what(), e))?, &mut sink)?;
        }
        Ok::<(), ValidateError>(())
    })?;
    sink.finish()?;
    Ok(Some(path))
}

/// Which layer-1 column feeds which national columns.
fn fed(branch: &CheckedBranch) -> Result<RecordBatch, ValidateError> {
    let mut lines: Vec<[&str; 3]> = Vec::new();
    for read_errors in &branch.read_errors {
        for (legacy, national) in &read_errors.columns {
            lines.extend(national.iter().map(|n| [read_errors.source.as_str(), legacy.as_str(), n.as_str()]));
        }
    }
    let schema = ["source", "legacy", "national"].map(|n| Field::new(n, DataType::Utf8, false)).to_vec();
    let columns: Vec<ArrayRef> = (0..3)
        .map(|at| Arc::new(StringArray::from_iter_values(lines.iter().map(|l| l[at]))) as ArrayRef)
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), columns)
        .map_err(|e| ValidateError::Impossible { what: format!("the columns that read_errors feed: {e}") })
}

/// Of a split row, those parts whose column is empty.
fn about(branch: &CheckedBranch) -> String {
    match branch.rows_from {
        RowsFrom::One | RowsFrom::Group { .. } => "true".to_owned(),
        RowsFrom::Split => {
            let national = branch.read_errors.iter().flat_map(|n| n.columns.values().flatten());
            let empty: BTreeSet<String> =
                national.map(|n| format!("WHEN '{n}' THEN m.{} IS NULL", quote(n))).collect();
            let empty: Vec<String> = empty.into_iter().collect();
            if empty.is_empty() {
                return "true".to_owned();
            }
            format!("CASE c.national {} ELSE true END", empty.join(" "))
        }
    }
}

/// The rows of the registered table `mapped` that are not outside the scope, under an alias.
pub(super) fn in_scope(of: &Check<'_>, alias: &str) -> String {
    match &of.table.scope {
        None => format!("mapped AS {alias}"),
        Some(scope) => format!("(SELECT * FROM mapped WHERE ({scope}) IS NOT FALSE) AS {alias}"),
    }
}

fn add(of: &Check<'_>, batch: &RecordBatch, sink: &mut FindingSink) -> Result<(), ValidateError> {
    let text = |at: usize| batch.column(at).as_string::<i32>();
    let (keys, sources, skeys, columns, codes) = (text(0), text(1), text(2), text(3), text(4));
    let bytes = batch.column(5).as_binary::<i32>();
    for row in 0..batch.num_rows() {
        let column = of.table.column(columns.value(row)).ok_or_else(|| ValidateError::Impossible {
            what: format!("a read_error on {}.{}", of.table.name, columns.value(row)),
        })?;
        let code = codes.value(row);
        let no_code = code == CODE || code.to_ascii_lowercase().starts_with(CODE_OF);
        let rule = if no_code { NO_CODE } else { UNREADABLE };
        let at = RowAt {
            key: keys.is_valid(row).then(|| keys.value(row)),
            source: sources.value(row),
            skey: skeys.is_valid(row).then(|| skeys.value(row)),
        };
        let value = match std::str::from_utf8(bytes.value(row)) {
            Ok(text) => shown_unread(column, text.trim_end()),
            Err(_) => format!("x'…' ({} bytes)", bytes.value(row).len()),
        };
        sink.add(&RuleGate::new(of.national, rule, column), at, Some(&value))?;
    }
    Ok(())
}
