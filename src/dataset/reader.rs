//! The one Parquet reader outside DataFusion: a part as a stream of batches, its schema, its row count.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{BATCH_ROWS, DatasetError};

/// The batches of one part, in order.
pub struct PartReader {
    path: String,
    inner: ParquetRecordBatchReader,
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next().map(|batch| {
            batch.map_err(|e| DatasetError::Unreadable { path: self.path.clone(), source: Box::new(e) })
        })
    }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DatasetError> {
    let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
        path: path.display().to_string(),
        source: e,
    };
    let file = File::open(path).map_err(|e| unreadable(Box::new(e)))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| unreadable(Box::new(e)))
}

/// Streams the batches of one part.
///
/// # Errors
/// `DAT-001` when the file is missing or no complete Parquet file.
pub fn read_part(path: &Path) -> Result<PartReader, DatasetError> {
    let inner = open(path)?
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| DatasetError::Unreadable { path: path.display().to_string(), source: Box::new(e) })?;
    Ok(PartReader { path: path.display().to_string(), inner })
}

/// Streams the batches of one part, of some columns only (in the part's order).
///
/// # Errors
/// `DAT-001`.
pub fn read_columns(path: &Path, columns: &[String]) -> Result<PartReader, DatasetError> {
    let of = open(path)?.with_batch_size(BATCH_ROWS);
    let mask = ProjectionMask::columns(of.parquet_schema(), columns.iter().map(String::as_str));
    let inner = of
        .with_projection(mask)
        .build()
        .map_err(|e| DatasetError::Unreadable { path: path.display().to_string(), source: Box::new(e) })?;
    Ok(PartReader { path: path.display().to_string(), inner })
}

/// The schema of a part.
///
/// # Errors
/// `DAT-001`.
pub fn schema_of(path: &Path) -> Result<SchemaRef, DatasetError> {
    Ok(open(path)?.schema().clone())
}

/// The number of rows that the footer of a part names.
///
/// # Errors
/// `DAT-001`.
pub fn row_count(path: &Path) -> Result<u64, DatasetError> {
    Ok(u64::try_from(open(path)?.metadata().file_metadata().num_rows()).unwrap_or(0))
}
