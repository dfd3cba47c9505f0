//! Rows that rules exclude (garbage that was approved) → a dataset of a table for the gate.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::fault::RuleError;
use super::file::RuleBook;
use super::kind::{Effect, Outcome};
use crate::artifacts::excluded_schema;
use crate::dataset::{PartInfo, PartWriter, register};
use crate::durable;
use crate::engine::{Engine, Joins};
use crate::phrase;
use crate::sql_ident::literal;

/// Whose excluded rows are wanted, and where they go.
pub struct ExcludedOf<'a> {
    pub engine: &'a Engine,
    pub book: &'a RuleBook,
    pub table: &'a str,
    /// What rules found in it.
    pub found: &'a [PathBuf],
    /// The folder of the part.
    pub folder: &'a Path,
}

/// Writes the excluded rows of a table, sorted, perhaps none; no part where no rule excludes.
///
/// # Errors
/// `ENG-…`, `DAT-…`, `DUR-001`.
pub fn excluded(of: &ExcludedOf<'_>) -> Result<Option<PartInfo>, RuleError> {
    let rules = of.book.rules.iter().filter(|r| r.effect == Effect::Exclude && r.table == of.table);
    let ids: Vec<String> = rules.map(|r| literal(&r.id)).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    durable::create_dir_all(of.folder)?;
    let mut writer = PartWriter::create(&of.folder.join("excluded.parquet"), excluded_schema())?;
    if of.found.is_empty() {
        return Ok(Some(writer.finish()?));
    }
    let session = of.engine.session(of.engine.partitions(), Joins::Large);
    register(&session, "found", of.found)?;
    let sql = format!(
        "SELECT _key, _source, _skey, min(rule) AS reason FROM found WHERE \"table\" = {} AND rule IN ({}) AND outcome = {} \
         GROUP BY _key, _source, _skey ORDER BY _key, _source, _skey",
        literal(of.table),
        ids.join(", "),
        literal(Outcome::Repaired.text())
    );
    let what = || phrase!("work.excluded", table = of.table);
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| of.engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            let batch: RecordBatch = batch.map_err(|e| of.engine.error(what(), e))?;
            writer.write(&batch)?;
        }
        Ok::<(), RuleError>(())
    })?;
    Ok(Some(writer.finish()?))
}
