//! What we hold of the sources: exact Parquet parts, one folder a table and extract, and the current view of them (FORMS 1).
//!
//! Always: `raw/<source>/<table>/<extract>/<nnnnnn>.parquet`, each part in key order. The current view is the newest complete extract;
//! parts of an unfinished one are never seen. An extract that read changes names the parts of its view, older ones among them.
//! Must not know: how a database is read, or what the columns mean.

mod base;
mod merge;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::{DatasetError, PartInfo, PartWriter, schema_of};
use crate::durable::{self, DurableError};
use crate::error::{Consequence, RetryClass};
use crate::state::{Extract, ExtractId, State, StateError};
use crate::{failpoint, folder};
use crate::{hint, said};

pub use base::{content, gather};
pub use merge::{Merged, compact, compare, merge, vanished};

/// What can go wrong with raw parts.
#[derive(Debug, Error, Diagnostic)]
pub enum RawError {
    #[error("{}", said!("RAW-001", source_id))]
    #[diagnostic(code("RAW-001"), help("{}", hint!("RAW-001")))]
    NoExtract { source_id: String },
    #[error("{}", said!("RAW-002", table, rows, found))]
    #[diagnostic(code("RAW-002"), help("{}", hint!("RAW-002")))]
    OtherRows { table: String, rows: u64, found: u64 },
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
}

impl Consequence for RawError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::NoExtract { .. } => RetryClass::Usage,
            Self::OtherRows { .. } => RetryClass::Resume,
            Self::State(e) => e.retry_class(),
            Self::Dataset(e) => e.retry_class(),
        }
    }
}

/// The folder of one table's parts in one extract.
pub fn folder(workdir: &Path, source: &str, table: &str, extract: ExtractId) -> PathBuf {
    workdir.join("raw").join(folder::name(source)).join(folder::name(table)).join(extract.to_string())
}

/// The part of chunk `no`.
pub fn part_path(workdir: &Path, source: &str, table: &str, extract: ExtractId, no: u32) -> PathBuf {
    folder(workdir, source, table, extract).join(format!("{no:06}.parquet"))
}

/// What the source counted and summed itself at the point of an extract.
pub fn measures_path(workdir: &Path, source: &str, extract: ExtractId) -> PathBuf {
    workdir.join("raw").join(folder::name(source)).join(format!("{extract}.measures.parquet"))
}

/// Writes one part durably; `written` hears of rows as they go. The folder must exist.
///
/// # Errors
/// The first error of `batches`, or `DAT-002`, `DAT-003`, `DUR-001`.
pub fn write_part<E: From<DatasetError>>(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
    mut written: impl FnMut(u64),
) -> Result<PartInfo, E> {
    let mut part = PartWriter::create(path, schema)?;
    for batch in batches {
        let batch = batch?;
        part.write(&batch)?;
        written(batch.num_rows() as u64);
    }
    Ok(part.finish()?)
}

/// True when the file of a recorded part is there and is what was recorded, byte for byte.
pub fn intact(part: &PartInfo) -> bool {
    let size = std::fs::metadata(&part.path).is_ok_and(|m| m.len() == part.bytes);
    size && durable::sha256(&part.path).is_ok_and(|found| found == part.sha256)
}

/// Removes everything that an extract left on disk.
///
/// # Errors
/// `DUR-001`.
pub fn remove(workdir: &Path, extract: &Extract) -> Result<(), DurableError> {
    for table in &extract.of.tables {
        durable::remove_dir_all(&folder(workdir, &extract.of.source, table, extract.id))?;
        failpoint::hit("extract.abandoned");
    }
    let measures = measures_path(workdir, &extract.of.source, extract.id);
    durable::remove_unfinished(&measures)?;
    durable::remove_file(&measures)
}

/// One table of the current view.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTable {
    /// In key order; at least one.
    pub parts: Vec<PartInfo>,
    pub rows: u64,
    /// The columns of every part: `c`, and for text `c__b`.
    pub schema: SchemaRef,
}

/// A complete extract of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct RawView {
    pub extract: ExtractId,
    pub consistency: String,
    pub point: String,
    /// When it began (UTC): the moment that stands for the point.
    pub started: String,
    /// By legacy table.
    pub tables: BTreeMap<String, RawTable>,
    /// What the source counted and summed itself: the `source` side of the boundary source-raw.
    pub measures: Option<PartInfo>,
}

/// The parts that hold a table as it is at an extract: its own chunks, or the view that changes came to.
///
/// # Errors
/// `STA-003`, `STA-005`.
pub fn parts(state: &State, extract: ExtractId, table: &str) -> Result<Vec<PartInfo>, RawError> {
    if let Some(view) = state.reading(extract, table)?.and_then(|r| r.view) {
        return Ok(view);
    }
    Ok(state.chunks(extract, table)?.into_iter().filter_map(|c| c.part).collect())
}

/// Every part of an extract, over all its tables.
///
/// # Errors
/// `STA-003`, `STA-005`.
pub fn all_parts(state: &State, extract: ExtractId) -> Result<Vec<PartInfo>, RawError> {
    let mut all = Vec::new();
    for source in state.sources()? {
        for of in state.extracts(&source)?.into_iter().filter(|e| e.id == extract) {
            for table in &of.of.tables {
                all.extend(parts(state, extract, table)?);
            }
        }
    }
    Ok(all)
}

/// The current view of a source.
///
/// # Errors
/// `RAW-001` when nothing was extracted completely yet; `STA-003`, `DAT-001`, `DAT-005`.
pub fn current(state: &State, source: &str) -> Result<RawView, RawError> {
    let extract =
        state.latest_extract(source)?.ok_or_else(|| RawError::NoExtract { source_id: source.to_owned() })?;
    view_of(state, extract)
}

/// The view of a complete extract.
///
/// # Errors
/// `STA-003`, `STA-005`, `DAT-001`, `DAT-005`.
pub fn view_of(state: &State, extract: Extract) -> Result<RawView, RawError> {
    let source = &extract.of.source;
    let mut tables = BTreeMap::new();
    for name in extract.of.tables {
        let parts = parts(state, extract.id, &name)?;
        let first = parts.first().ok_or_else(|| DatasetError::Empty { dir: format!("{source}.{name}") })?;
        let schema = schema_of(&first.path)?;
        let rows = parts.iter().map(|p| p.rows).sum();
        tables.insert(name, RawTable { parts, rows, schema });
    }
    let (consistency, point) = (extract.of.consistency, extract.of.point);
    let (started, measures) = (extract.started, extract.measures);
    Ok(RawView { extract: extract.id, consistency, point, started, tables, measures })
}
