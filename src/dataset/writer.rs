//! The one Parquet writer.
//!
//! Always: temporary name → rows → footer → sync → rename → sync folder (durable.rs); no creation time, a fixed `created_by`, zstd
//! level 1, fixed batch and row-group sizes. The SHA-256 is that of the bytes as they went out.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::{BATCH_ROWS, DatasetError, ROW_GROUP_ROWS};
use crate::durable::DurableFile;

/// A part that was written: where, how many rows and bytes, and the SHA-256 of the file in hex.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartInfo {
    pub path: PathBuf,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// Writes one part; nothing is visible under its name before [`PartWriter::finish`].
pub struct PartWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<DurableFile>,
    coalescer: BatchCoalescer,
    rows: u64,
}

fn properties() -> Result<WriterProperties, parquet::errors::ParquetError> {
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(BATCH_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("qianyi part 1".to_owned())
        .build())
}

impl PartWriter {
    /// Opens a part under a temporary name in the folder of `path`, which must exist.
    ///
    /// # Errors
    /// `DAT-002` with the cause.
    pub fn create(path: &Path, schema: SchemaRef) -> Result<Self, DatasetError> {
        let file = DurableFile::create(path)?;
        let writer = properties()
            .and_then(|p| ArrowWriter::try_new(file, schema.clone(), Some(p)))
            .map_err(|e| unwritable(path, e))?;
        let coalescer = BatchCoalescer::new(schema.clone(), BATCH_ROWS);
        Ok(Self { path: path.to_owned(), schema, writer, coalescer, rows: 0 })
    }

    /// Appends rows; the batch must have the part's columns and types (nullability and metadata of its schema do not matter).
    ///
    /// # Errors
    /// `DAT-002` when the columns differ or the disk refuses.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
            .map_err(|e| unwritable(&self.path, e))?;
        self.rows += batch.num_rows() as u64;
        self.coalescer.push_batch(batch).map_err(|e| unwritable(&self.path, e))?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), DatasetError> {
        while let Some(full) = self.coalescer.next_completed_batch() {
            self.writer.write(&full).map_err(|e| unwritable(&self.path, e))?;
        }
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the footer, syncs, renames, syncs the folder; then opens the footer again and compares the row count.
    ///
    /// # Errors
    /// `DAT-002`, or `DAT-003` when the file does not hold what was written.
    pub fn finish(mut self) -> Result<PartInfo, DatasetError> {
        self.coalescer.finish_buffered_batch().map_err(|e| unwritable(&self.path, e))?;
        self.drain()?;
        let Self { path, writer, rows, .. } = self;
        let file = writer.into_inner().map_err(|e| unwritable(&path, e))?;
        let (bytes, sha256) = file.commit()?;
        let found = super::row_count(&path)?;
        if found != rows {
            return Err(DatasetError::RowCount { path: path.display().to_string(), expected: rows, found });
        }
        Ok(PartInfo { path, rows, bytes, sha256 })
    }
}

fn unwritable(path: &Path, e: impl std::error::Error + Send + Sync + 'static) -> DatasetError {
    DatasetError::Unwritable { path: path.display().to_string(), source: Box::new(e) }
}
