//! The one Parquet reader outside DataFusion: a part as a stream of batches, its schema, its row count.
//!
//! Always: whatever bytes a file holds, reading it ends in rows or an error, never in a panic.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::{BATCH_ROWS, DatasetError};
use crate::panics;

/// The batches of one part, in order.
pub struct PartReader {
    path: String,
    inner: ParquetRecordBatchReader,
    /// Rows that the footer names and that have not come yet.
    left: u64,
    /// The reader panicked, or gave more rows than the footer names: it is not asked again.
    broken: bool,
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
            path: self.path.clone(),
            source: e,
        };
        if self.broken {
            return None;
        }
        match panics::caught(|| self.inner.next()) {
            Ok(Some(Ok(batch))) => {
                let left = self.left.checked_sub(batch.num_rows() as u64);
                self.broken = left.is_none();
                self.left = left.unwrap_or_default();
                Some(
                    left.map(|_| batch)
                        .ok_or_else(|| unreadable("it has more rows than its footer names".into())),
                )
            }
            Ok(batch) => batch.map(|batch| batch.map_err(|e| unreadable(Box::new(e)))),
            Err(e) => {
                self.broken = true;
                Some(Err(unreadable(Box::new(e))))
            }
        }
    }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DatasetError> {
    let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
        path: path.display().to_string(),
        source: e,
    };
    let file = File::open(path).map_err(|e| unreadable(Box::new(e)))?;
    let opened = panics::caught(|| ParquetRecordBatchReaderBuilder::try_new(file));
    let opened = opened.map_err(|e| unreadable(Box::new(e)))?.map_err(|e| unreadable(Box::new(e)))?;
    if !consistent(opened.metadata()) {
        return Err(unreadable("its footer names other numbers of rows for the file and its columns".into()));
    }
    Ok(opened)
}

/// Whether every flat column of every row group has as many values as the group has rows, and all groups as many as the file. A
/// reader believes the groups, and would give rows without end.
fn consistent(of: &ParquetMetaData) -> bool {
    let groups = of.row_groups();
    let rows = groups.iter().try_fold(0_i64, |sum, group| sum.checked_add(group.num_rows()));
    let full = |group: &RowGroupMetaData| {
        let columns = group.columns();
        let flat = |c: &&ColumnChunkMetaData| c.column_descr().max_rep_level() == 0;
        !columns.is_empty() && columns.iter().filter(flat).all(|c| c.num_values() == group.num_rows())
    };
    rows == Some(of.file_metadata().num_rows()) && groups.iter().all(full)
}

/// The batches of what was opened.
fn build(path: &Path, of: ParquetRecordBatchReaderBuilder<File>) -> Result<PartReader, DatasetError> {
    let name = path.display().to_string();
    let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
        path: name.clone(),
        source: e,
    };
    let left = u64::try_from(of.metadata().file_metadata().num_rows()).unwrap_or(0);
    let built = panics::caught(|| of.with_batch_size(BATCH_ROWS).build());
    let inner = built.map_err(|e| unreadable(Box::new(e)))?.map_err(|e| unreadable(Box::new(e)))?;
    Ok(PartReader { path: name, inner, left, broken: false })
}

/// Streams the batches of one part.
///
/// # Errors
/// `DAT-001` when the file is missing or no complete Parquet file.
pub fn read_part(path: &Path) -> Result<PartReader, DatasetError> {
    build(path, open(path)?)
}

/// Streams the batches of one part, of some columns only (in the part's order).
///
/// # Errors
/// `DAT-001`.
pub fn read_columns(path: &Path, columns: &[String]) -> Result<PartReader, DatasetError> {
    let of = open(path)?;
    let mask = ProjectionMask::columns(of.parquet_schema(), columns.iter().map(String::as_str));
    build(path, of.with_projection(mask))
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
