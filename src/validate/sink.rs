//! The findings of a table, sorted and counted, without the emptiness that a read error explains.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use futures::StreamExt;

use super::{Check, ValidateError};
use crate::artifacts::{FoundRows, finding_schema};
use crate::dataset::{DatasetError, PART_ROWS, PartInfo, PartWriter, register, row_count};
use crate::engine::Engine;
use crate::phrase;

/// About what a finding takes in memory.
const FINDING_BYTES: u64 = 300;

/// All findings of the table, sorted, without the emptiness that a read error explains; and their numbers.
pub(super) fn sorted(
    engine: &Engine,
    of: &Check<'_>,
    streamed: &[PathBuf],
    read_errors: &[PathBuf],
    keyed: &[PathBuf],
) -> Result<(Vec<PartInfo>, Vec<FoundRows>), ValidateError> {
    let rows = |parts: &[PathBuf]| parts.iter().map(|p| row_count(p)).sum::<Result<u64, DatasetError>>();
    let read_error_rows = rows(read_errors)?;
    let session = engine.session(engine.partitions(), engine.joins(read_error_rows, FINDING_BYTES));
    let mut sides = Vec::new();
    let columns = "rule, \"table\", _key, \"column\", degree, gate, level, value, _source, _skey";
    if read_error_rows > 0 {
        register(&session, "read_errors", read_errors)?;
        sides.push(
            "SELECT rule, \"table\", _key, \"column\", degree, gate, level, min(value) AS value, _source, _skey FROM read_errors \
             GROUP BY rule, \"table\", _key, \"column\", degree, gate, level, _source, _skey"
                .to_owned(),
        );
    }
    if rows(streamed)? > 0 {
        register(&session, "streamed", streamed)?;
        let explained = "RIGHT ANTI JOIN streamed AS s ON n._key = s._key AND n.\"column\" = s.\"column\" \
                         AND n._source = s._source AND coalesce(n._skey, '∅') = coalesce(s._skey, '∅')";
        sides.push(if read_error_rows > 0 {
            format!("SELECT {columns} FROM read_errors AS n {explained}")
        } else {
            format!("SELECT {columns} FROM streamed")
        });
    }
    if rows(keyed)? > 0 {
        register(&session, "keyed", keyed)?;
        sides.push(format!("SELECT {columns} FROM keyed"));
    }
    let sql = (!sides.is_empty()).then(|| {
        format!(
            "SELECT {columns} FROM ({}) ORDER BY rule, \"column\", _key, _skey, _source",
            sides.join(" UNION ALL ")
        )
    });
    write(engine, &session, of, sql)
}

fn write(
    engine: &Engine,
    session: &datafusion::prelude::SessionContext,
    of: &Check<'_>,
    sql: Option<String>,
) -> Result<(Vec<PartInfo>, Vec<FoundRows>), ValidateError> {
    let what = || phrase!("work.findings", table = of.table.name);
    let mut parts = Vec::new();
    let path = |no: usize| of.findings.join(format!("{no:06}.parquet"));
    let mut writer = PartWriter::create(&path(1), finding_schema())?;
    let mut found: BTreeMap<[String; 4], u64> = BTreeMap::new();
    if let Some(sql) = sql {
        engine.block_on(async {
            let stream = async { session.sql(&sql).await?.execute_stream().await };
            let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| engine.error(what(), e))?;
                if writer.rows() >= PART_ROWS as u64 {
                    let next = PartWriter::create(&path(parts.len() + 2), finding_schema())?;
                    parts.push(std::mem::replace(&mut writer, next).finish()?);
                }
                tally(&batch, &mut found);
                writer.write(&batch)?;
            }
            Ok::<(), ValidateError>(())
        })?;
    }
    parts.push(writer.finish()?);
    let found = found
        .into_iter()
        .map(|([rule, column, gate, level], rows)| FoundRows { rule, column, gate, level, rows })
        .collect();
    Ok((parts, found))
}

fn tally(batch: &RecordBatch, found: &mut BTreeMap<[String; 4], u64>) {
    let text = |at: usize, row: usize| batch.column(at).as_string::<i32>().value(row);
    let at = |row: usize| [0, 3, 5, 6].map(|column| text(column, row));
    let mut from = 0;
    for row in 0..batch.num_rows() {
        // Findings are sorted: count them run by run.
        if row + 1 == batch.num_rows() || at(row + 1) != at(row) {
            *found.entry(at(row).map(str::to_owned)).or_default() += (row + 1 - from) as u64;
            from = row + 1;
        }
    }
}
