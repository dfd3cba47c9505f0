//! The one Parquet reader outside DataFusion: a part as a stream of batches, its schema, its row count.
//!
//! Always: whatever bytes a file holds, reading it ends in rows or an error, never in a panic.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection};
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

/// A row that was found in a part: its place there, from 0, and itself.
pub struct FoundRow {
    pub place: u64,
    pub values: RecordBatch,
}

/// The rows of a part in which text columns have these values. Row groups whose Bloom filters lack one of the values are not read; of the others
/// those columns, and of the rows that are found all.
///
/// # Errors
/// `DAT-001`.
pub fn find_rows(path: &Path, wanted: &[(&str, &str)]) -> Result<Vec<FoundRow>, DatasetError> {
    let of = open(path)?;
    let Some(groups) = groups_with(path, &of, wanted)?.filter(|groups| !groups.is_empty()) else {
        return Ok(Vec::new());
    };
    // Where each of these groups begins, in the part and among themselves.
    let (mut begins, mut among, mut part) = (Vec::new(), 0_usize, 0_u64);
    for (at, group) in of.metadata().row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        if groups.contains(&at) {
            begins.push((among, part));
            among += rows;
        }
        part += rows as u64;
    }
    let mask = ProjectionMask::columns(of.parquet_schema(), wanted.iter().map(|(name, _)| *name));
    let (mut at, mut places) = (0, Vec::new());
    for batch in build(path, of.with_row_groups(groups.clone()).with_projection(mask))? {
        let batch = batch?;
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let columns: Vec<_> = wanted.iter().map(|(name, value)| (text(name), *value)).collect();
        let holds = |c: &StringArray, row: usize, value: &str| c.is_valid(row) && c.value(row) == value;
        let is = |row: usize| columns.iter().all(|(c, value)| c.is_some_and(|c| holds(c, row, value)));
        places.extend((0..batch.num_rows()).filter(|row| is(*row)).map(|row| at + row));
        at += batch.num_rows();
    }
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let selection = RowSelection::from_consecutive_ranges(places.iter().map(|row| *row..row + 1), among);
    let mut found = Vec::new();
    for batch in build(path, open(path)?.with_row_groups(groups).with_row_selection(selection))? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let Some(place) = places.get(found.len()) else { break };
            let begun = begins.iter().rfind(|(among, _)| among <= place);
            let place = begun.map_or(0, |(among, part)| part + (place - among) as u64);
            found.push(FoundRow { place, values: batch.slice(row, 1) });
        }
    }
    Ok(found)
}

/// The row groups that may have rows in which columns have these values; none: the part lacks a column.
fn groups_with(
    path: &Path,
    of: &ParquetRecordBatchReaderBuilder<File>,
    wanted: &[(&str, &str)],
) -> Result<Option<Vec<usize>>, DatasetError> {
    let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
        path: path.display().to_string(),
        source: e,
    };
    let place = |name: &str| of.parquet_schema().columns().iter().position(|c| c.name() == name);
    let columns: Option<Vec<(usize, &str)>> =
        wanted.iter().map(|(name, value)| Some((place(name)?, *value))).collect();
    let Some(columns) = columns else { return Ok(None) };
    let mut groups = Vec::new();
    for group in 0..of.metadata().num_row_groups() {
        let mut may = true;
        for (column, value) in &columns {
            let filter = panics::caught(|| of.get_row_group_column_bloom_filter(group, *column));
            let filter = filter.map_err(|e| unreadable(Box::new(e)))?.map_err(|e| unreadable(Box::new(e)))?;
            may &= filter.is_none_or(|filter| filter.check(*value));
        }
        if may {
            groups.push(group);
        }
    }
    Ok(Some(groups))
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
