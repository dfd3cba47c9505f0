//! What keys ask of rows together: a key stands once (STR-05), a parent exists (MIS-01, MIS-02, STR-06; reference 9.9).
//!
//! Always: a NULL in a key is emptiness, neither a repetition nor a missing parent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::read_errors::in_scope;
use super::{Check, ValidateError};
use crate::artifacts::{FindingSink, RowAt, RuleGate, shown};
use crate::dataset::{DatasetError, PartWriter, register, row_count};
use crate::engine::{Engine, Joins};
use crate::national::{Column, Parent};
use crate::phrase;
use crate::sql_ident::quote;

/// The rule of a key that is not unique.
const REPEATED: &str = "STR-05";
/// About what a key takes in a hash table.
const KEY_BYTES: u64 = 64;

type Asked = BTreeMap<(String, String), Option<String>>;

fn all_parts(of: &Check<'_>) -> Vec<PathBuf> {
    of.branches.iter().flat_map(|b| b.mapped.clone()).collect()
}

fn rows(parts: &[PathBuf]) -> Result<u64, DatasetError> {
    parts.iter().map(|p| row_count(p)).sum()
}

fn column<'a>(of: &'a Check<'_>, code: &str) -> Result<&'a Column, ValidateError> {
    of.table
        .column(code)
        .ok_or_else(|| ValidateError::Impossible { what: format!("a key column {}.{code}", of.table.name) })
}

fn filled(columns: &[String]) -> String {
    columns.iter().map(|c| format!("{} IS NOT NULL", quote(c))).collect::<Vec<_>>().join(" AND ")
}

/// Every row of every key that stands more than once.
pub(super) fn repeated(
    engine: &Engine,
    of: &Check<'_>,
    asked: &mut Asked,
) -> Result<Option<PathBuf>, ValidateError> {
    let key = &of.table.key;
    let Some(first) = key.first() else { return Ok(None) };
    asked.insert((REPEATED.to_owned(), first.clone()), None);
    let parts = all_parts(of);
    let list = key.iter().map(|k| quote(k)).collect::<Vec<_>>().join(", ");
    let session = engine.session(engine.partitions(), Joins::Large);
    register(&session, "mapped", &parts)?;
    let sql = format!(
        "SELECT {list} FROM {} WHERE {} GROUP BY {list} HAVING count(*) > 1",
        in_scope(of, "m"),
        filled(key)
    );
    let twice = of.scratch.join("repeated-keys.parquet");
    let keys = store(engine, of, &session, &sql, &twice)?;
    if keys == 0 {
        return Ok(None);
    }
    let session = engine.session(engine.partitions(), engine.joins(keys, KEY_BYTES));
    register(&session, "mapped", &parts)?;
    register(&session, "twice", &[twice])?;
    let on: Vec<String> = key.iter().map(|k| format!("t.{0} = m.{0}", quote(k))).collect();
    let sql = format!(
        "SELECT m._key, m._source, m._skey, CAST(m.{} AS VARCHAR) FROM twice AS t JOIN {} ON {}",
        quote(first),
        in_scope(of, "m"),
        on.join(" AND ")
    );
    found(engine, of, &session, &sql, (REPEATED, column(of, first)?), &of.scratch.join("repeated.parquet"))
}

/// Every row whose parent is not among the parent's mapped rows.
pub(super) fn orphans(
    engine: &Engine,
    of: &Check<'_>,
    asked: &mut Asked,
) -> Result<Vec<PathBuf>, ValidateError> {
    let mut out = Vec::new();
    for (no, parent) in of.table.parents.iter().enumerate() {
        let Some(first) = parent.columns.first() else { continue };
        let at = (parent.rule.clone(), first.clone());
        match of.mapped.get(&parent.table).filter(|parts| !parts.is_empty()) {
            None => {
                asked.insert(at, Some(format!("{} is not mapped", parent.table)));
            }
            Some(parts) => {
                asked.entry(at).or_insert(None);
                out.extend(orphans_of(engine, of, parent, parts, no)?);
            }
        }
    }
    Ok(out)
}

fn orphans_of(
    engine: &Engine,
    of: &Check<'_>,
    parent: &Parent,
    parts: &[PathBuf],
    no: usize,
) -> Result<Option<PathBuf>, ValidateError> {
    let known = of.national.table(&parent.table);
    let key = known.map(|t| t.key.clone()).filter(|k| k.len() == parent.columns.len());
    let key = key.ok_or_else(|| ValidateError::Impossible {
        what: format!("a foreign key from {} to {}", of.table.name, parent.table),
    })?;
    let own = all_parts(of);
    let smaller = rows(parts)?.min(rows(&own)?);
    let session = engine.session(engine.partitions(), engine.joins(smaller, KEY_BYTES));
    register(&session, "mapped", &own)?;
    register(&session, "parent", parts)?;
    let first = &parent.columns[0];
    let on: Vec<String> = key
        .iter()
        .zip(&parent.columns)
        .map(|(theirs, ours)| format!("p.{} = c.{}", quote(theirs), quote(ours)))
        .collect();
    let mut asked = filled(&parent.columns);
    if let Some(when) = &parent.when {
        asked.push_str(&format!(" AND ({when})"));
    }
    let sql = format!(
        "SELECT c._key, c._source, c._skey, CAST(c.{} AS VARCHAR) FROM parent AS p \
         RIGHT ANTI JOIN (SELECT * FROM {} WHERE {asked}) AS c ON {}",
        quote(first),
        in_scope(of, "m"),
        on.join(" AND ")
    );
    let path = of.scratch.join(format!("orphans-{no}.parquet"));
    found(engine, of, &session, &sql, (&parent.rule, column(of, first)?), &path)
}

/// Stores a query's rows as one scratch part and says how many.
fn store(
    engine: &Engine,
    of: &Check<'_>,
    session: &SessionContext,
    sql: &str,
    path: &Path,
) -> Result<u64, ValidateError> {
    let what = || phrase!("work.keys", table = of.table.name);
    engine.block_on(async {
        let stream = async { session.sql(sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
        let mut writer = PartWriter::create(path, stream.schema())?;
        while let Some(batch) = stream.next().await {
            writer.write(&batch.map_err(|e| engine.error(what(), e))?)?;
        }
        Ok(writer.finish()?.rows)
    })
}

/// Makes findings of rows (`_key`, `_source`, `_skey`, value); none where there are no rows.
fn found(
    engine: &Engine,
    of: &Check<'_>,
    session: &SessionContext,
    sql: &str,
    (rule, column): (&str, &Column),
    path: &Path,
) -> Result<Option<PathBuf>, ValidateError> {
    let what = || phrase!("work.rule_of", rule, table = of.table.name);
    let verdict = RuleGate::new(of.national, rule, column);
    let mut sink = FindingSink::create(path, &of.table.name)?;
    engine.block_on(async {
        let stream = async { session.sql(sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| engine.error(what(), e))?;
            let text = |at: usize| batch.column(at).as_string::<i32>();
            let (keys, sources, skeys, values) = (text(0), text(1), text(2), text(3));
            for row in 0..batch.num_rows() {
                let at = RowAt {
                    key: keys.is_valid(row).then(|| keys.value(row)),
                    source: sources.value(row),
                    skey: skeys.is_valid(row).then(|| skeys.value(row)),
                };
                let value = values.is_valid(row).then(|| shown(column, values.value(row)));
                sink.add(&verdict, at, value.as_deref())?;
            }
        }
        Ok::<(), ValidateError>(())
    })?;
    let part = sink.finish()?;
    Ok((part.rows > 0).then_some(part.path))
}
