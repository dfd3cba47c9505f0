//! The one Parquet writer.
//!
//! Always: temporary name → rows → footer → sync → rename → sync folder (durable.rs); no creation time, a fixed `created_by`, zstd
//! level 1, fixed batch and row-group sizes. Values are encoded plainly or by a dictionary and in no other way: the delta and stream-split
//! encodings are lacking, or decoded wrongly without a word, in readers that people open parts with (DuckDB, polars, fastparquet, each
//! for other types). The SHA-256 is that of the bytes as they went out.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::ColumnPath;

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

/// Bytes of a column's dictionary in a row group; a column of more distinct values goes on without one.
const DICTIONARY_BYTES: usize = 128 * 1024;

/// Whether a column is worth a dictionary: where values are numbers it costs more than it saves.
fn has_dictionary(kind: &DataType) -> bool {
    let number = kind.is_integer()
        || matches!(kind, DataType::Decimal128(_, _) | DataType::Date32 | DataType::Timestamp(_, _));
    !number
}

fn properties(schema: &Schema) -> Result<WriterProperties, parquet::errors::ParquetError> {
    let fixed = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(BATCH_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("qianyi part 4".to_owned());
    let of = |builder: WriterPropertiesBuilder, field: &FieldRef| {
        let column = ColumnPath::from(field.name().as_str());
        // Bounds of text are dear to find, and no plan looks for ranges of it.
        let text = matches!(field.data_type(), DataType::Utf8 | DataType::Binary);
        let statistics = if text { EnabledStatistics::None } else { EnabledStatistics::Chunk };
        // Who looks for one row (`trace`) reads the row groups that may have it.
        let looked_for = matches!(field.name().as_str(), "_key" | "_skey") && text;
        builder
            .set_column_bloom_filter_enabled(column.clone(), looked_for)
            .set_column_dictionary_enabled(column.clone(), has_dictionary(field.data_type()))
            .set_column_encoding(column.clone(), Encoding::PLAIN)
            .set_column_statistics_enabled(column, statistics)
    };
    Ok(schema.fields().iter().fold(fixed, of).build())
}

impl PartWriter {
    /// Opens a part under a temporary name in the folder of `path`, which must exist.
    ///
    /// # Errors
    /// `DAT-002` with the cause.
    pub fn create(path: &Path, schema: SchemaRef) -> Result<Self, DatasetError> {
        let file = DurableFile::create(path)?;
        let writer = properties(&schema)
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
        if batch.num_rows() == BATCH_ROWS && self.coalescer.is_empty() {
            // It is cut as it should be: nothing is copied.
            return self.writer.write(&batch).map_err(|e| unwritable(&self.path, e));
        }
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
