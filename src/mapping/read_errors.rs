//! The read errors of a branch: what its SQL refused, and what did not fit its national column → a dataset of read errors.
//!
//! Always: they are written as they come, into a scratch part, and sorted and made unique at the end: the same rows give the same bytes,
//! however often and in whatever order an expression was evaluated.
//! Must not know: what becomes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use futures::StreamExt;

use super::error::MappingError;
use super::failure::Failure;
use super::guard::Site;
use super::parts::{Naming, Parts, fresh, without};
use crate::artifacts::read_error_schema;
use crate::dataset::{self, BATCH_ROWS, DatasetError, PartInfo, PartWriter};
use crate::durable;
use crate::engine::{Engine, Joins};
use crate::functions::{Notice, Refused};
use crate::phrase;

/// The code of a value that does not fit its national type.
const FIT: &str = "fit";

/// Of which row a read error is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row<'a> {
    Legacy(&'a str),
    /// A group row, by its `_key`.
    Group(&'a str),
}

/// Collects the read errors of one branch over one legacy table.
pub(super) struct ReadErrorSink {
    label: String,
    sites: Vec<Site>,
    /// `read errors/mapped/<NATIONAL>/<branch>`
    dir: PathBuf,
    prefix: String,
    scratch: PathBuf,
    open: Mutex<Open>,
}

/// skey, key, column, code and bytes of read errors on their way out.
#[derive(Default)]
struct Open {
    columns: [StringBuilder; 4],
    bytes: BinaryBuilder,
    pending: usize,
    writer: Option<PartWriter>,
}

/// How many of a column by code.
pub(super) type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn scratch_schema() -> SchemaRef {
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    Arc::new(Schema::new(vec![
        text("skey", true),
        text("key", true),
        text("column", false),
        text("code", false),
        Field::new("bytes", DataType::Binary, false),
    ]))
}

impl Open {
    fn write(&mut self, scratch: &Path) -> Result<(), DatasetError> {
        let [skey, key, column, code] = &mut self.columns;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(skey.finish()),
            Arc::new(key.finish()),
            Arc::new(column.finish()),
            Arc::new(code.finish()),
            Arc::new(self.bytes.finish()),
        ];
        let batch = RecordBatch::try_new(scratch_schema(), columns).map_err(|e| {
            DatasetError::Unwritable { path: scratch.display().to_string(), source: Box::new(e) }
        })?;
        if self.writer.is_none() {
            fresh(scratch)?;
            self.writer = Some(PartWriter::create(&scratch.join("read_errors.parquet"), scratch_schema())?);
        }
        if let Some(writer) = &mut self.writer {
            writer.write(&batch)?;
        }
        self.pending = 0;
        Ok(())
    }
}

impl ReadErrorSink {
    /// Removes what an unfinished run left.
    pub(super) fn begin(
        dir: &Path,
        prefix: &str,
        label: &str,
        sites: Vec<Site>,
    ) -> Result<Arc<Self>, MappingError> {
        let scratch = dir.join(format!("{prefix}open"));
        durable::remove_dir_all(&scratch)?;
        if dir.exists() {
            without(dir, prefix)?;
        }
        Ok(Arc::new(Self {
            label: label.to_owned(),
            sites,
            dir: dir.to_owned(),
            prefix: prefix.to_owned(),
            scratch,
            open: Mutex::default(),
        }))
    }

    /// What the functions of guard.rs report to.
    pub(super) fn notice(self: &Arc<Self>) -> Notice {
        let read_errors = self.clone();
        Notice(Arc::new(move |refused: Refused<'_>| {
            let Some(site) = read_errors.sites.get(refused.site) else { return Ok(()) };
            let row = Row::Legacy(refused.skey);
            read_errors
                .add(row, &site.column, &site.expression, refused.value)
                .map_err(|e| DataFusionError::External(Box::new(e)))
        }))
    }

    /// A value that does not fit its national column.
    pub(super) fn misfit(&self, row: Row<'_>, column: &str, value: &str) -> Result<(), DatasetError> {
        self.add(row, column, FIT, value)
    }

    fn add(&self, row: Row<'_>, column: &str, code: &str, value: &str) -> Result<(), DatasetError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let [skeys, keys, columns, codes] = &mut open.columns;
        match row {
            Row::Legacy(skey) => {
                skeys.append_value(skey);
                keys.append_null();
            }
            Row::Group(key) => {
                skeys.append_null();
                keys.append_value(key);
            }
        }
        columns.append_value(column);
        codes.append_value(code);
        open.bytes.append_value(value.as_bytes());
        open.pending += 1;
        if open.pending == BATCH_ROWS { open.write(&self.scratch) } else { Ok(()) }
    }

    /// The read errors, each once, in order; a group's under the first of its rows by `lineage`. No read errors, no parts.
    pub(super) fn finish(
        &self,
        engine: &Engine,
        lineage: &[PartInfo],
    ) -> Result<(Vec<PartInfo>, Counts), MappingError> {
        let writer = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.pending > 0 {
                open.write(&self.scratch)?;
            }
            open.writer.take()
        };
        let Some(writer) = writer else { return Ok((Vec::new(), Counts::new())) };
        let scratch = writer.finish()?;
        let what = phrase!("work.read_errors", table = self.label);
        let done = engine.block_on(self.sorted(engine, &scratch.path, lineage));
        let done = done.map_err(|e| e.into_mapping(engine, &what))?;
        durable::remove_dir_all(&self.scratch)?;
        Ok(done)
    }

    async fn sorted(
        &self,
        engine: &Engine,
        scratch: &Path,
        lineage: &[PartInfo],
    ) -> Result<(Vec<PartInfo>, Counts), Failure> {
        let session = engine.session(engine.partitions(), Joins::Large);
        dataset::register(&session, "n", &[scratch.to_owned()])?;
        let through = if lineage.is_empty() {
            "n.skey AS skey".to_owned()
        } else {
            let parts: Vec<PathBuf> = lineage.iter().map(|p| p.path.clone()).collect();
            dataset::register(&session, "l", &parts)?;
            "coalesce(n.skey, g.skey, '') AS skey".to_owned()
        };
        let groups = if lineage.is_empty() {
            ""
        } else {
            " LEFT JOIN (SELECT _key, min(_skey) AS skey FROM l GROUP BY _key) AS g ON g._key = n.\"key\""
        };
        let sql = format!(
            "SELECT DISTINCT {through}, n.\"column\" AS \"column\", n.code AS code, n.bytes AS bytes FROM n{groups} \
             ORDER BY skey, \"column\", code, bytes"
        );
        let mut counts = Counts::new();
        let mut parts =
            Parts::new(&self.dir, read_error_schema(), Naming::Numbered { prefix: self.prefix.clone() });
        let mut stream = session.sql(&sql).await?.execute_stream().await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let source: ArrayRef =
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&self.label, batch.num_rows())));
            let mut columns = vec![source];
            columns.extend(batch.columns().iter().cloned());
            let (column, code) = (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
            for row in 0..batch.num_rows() {
                let of_column = counts.entry(column.value(row).to_owned()).or_default();
                *of_column.entry(code.value(row).to_owned()).or_default() += 1;
            }
            parts.write(&RecordBatch::try_new(read_error_schema(), columns)?)?;
        }
        Ok((parts.finish()?, counts))
    }
}

/// The text of a value for a read error.
pub(super) fn value_text(array: &dyn Array, row: usize) -> String {
    arrow::util::display::array_value_to_string(array, row).unwrap_or_default()
}
