//! Parquet datasets: the one writer, the one reader, and registration with DataFusion.
//!
//! Always: a dataset is a folder of `*.parquet` parts, read in name order; it has at least one part (of no rows, if need be), so its
//! schema is always known. The same batches of rows give the same bytes whatever the sizes of the batches they came in: the writer
//! re-slices to [`BATCH_ROWS`] and fixes every writer property (FORMS 5). A part becomes visible only when complete and synced.
//! Must not know: what the columns mean.

mod reader;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::SessionContext;
use miette::Diagnostic;
use thiserror::Error;

use url::Url;

pub use reader::{FoundRow, PartReader, find_rows, read_columns, read_part, row_count, schema_of};
pub use writer::{PartInfo, PartWriter};

use crate::durable::DurableError;
use crate::error::{Consequence, RetryClass};
use crate::folder;
use crate::{hint, said};

/// Rows of every batch that the writer hands to Parquet, whatever came in.
pub const BATCH_ROWS: usize = 8192;
/// Rows of a row group.
pub const ROW_GROUP_ROWS: usize = 131_072;
/// Rows of a part where a stage decides the size itself.
pub const PART_ROWS: usize = 524_288;

/// What can go wrong with a Parquet part.
#[derive(Debug, Error, Diagnostic)]
pub enum DatasetError {
    #[error("{}", said!("DAT-001", path))]
    #[diagnostic(code("DAT-001"), help("{}", hint!("DAT-001")))]
    Unreadable { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{}", said!("DAT-002", path))]
    #[diagnostic(code("DAT-002"), help("{}", hint!("DAT-002")))]
    Unwritable { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{}", said!("DAT-003", path, found, expected))]
    #[diagnostic(code("DAT-003"), help("{}", hint!("DAT-003")))]
    RowCount { path: String, expected: u64, found: u64 },
    #[error("{}", said!("DAT-004", path))]
    #[diagnostic(code("DAT-004"), help("{}", hint!("DAT-004")))]
    Digest { path: String },
    #[error("{}", said!("DAT-005", dir))]
    #[diagnostic(code("DAT-005"), help("{}", hint!("DAT-005")))]
    Empty { dir: String },
    #[error("{}", said!("DAT-006", dir))]
    #[diagnostic(code("DAT-006"), help("{}", hint!("DAT-006")))]
    Listing { dir: String, source: std::io::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for DatasetError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Unreadable { .. } | Self::RowCount { .. } | Self::Digest { .. } | Self::Empty { .. } => {
                RetryClass::Resume
            }
            Self::Unwritable { .. } | Self::Listing { .. } => RetryClass::Resume,
            Self::Durable(e) => e.retry_class(),
        }
    }
}

/// The parts of a dataset folder, in name order.
///
/// # Errors
/// `DAT-005` when there is none, `DAT-006` when the folder cannot be listed.
pub fn parts(dir: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let found = left_parts(dir)?;
    if found.is_empty() {
        return Err(DatasetError::Empty { dir: dir.display().to_string() });
    }
    Ok(found)
}

/// The parts that a folder holds, in name order; perhaps none.
///
/// # Errors
/// `DAT-006` when the folder cannot be listed.
pub fn left_parts(dir: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    folder::with_ending(dir, "parquet")
        .map_err(|source| DatasetError::Listing { dir: dir.display().to_string(), source })
}

/// The address of a part. It is a path to one file, whatever characters are in it: never a pattern, never partly encoded already. A
/// part that is missing is an error here: to the listing of DataFusion it would be a part of no rows.
fn url(part: &Path) -> Result<ListingTableUrl, DatasetError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| DatasetError::Unreadable {
        path: part.display().to_string(),
        source,
    };
    let whole = std::fs::canonicalize(part).map_err(|e| unreadable(Box::new(e)))?;
    let url = Url::from_file_path(&whole).map_err(|()| unreadable("no path to a file".into()))?;
    ListingTableUrl::try_new(url, None).map_err(|e| unreadable(Box::new(e)))
}

/// `parts` as a table; the schema is that of the first part.
///
/// # Errors
/// `DAT-001` when a part is missing or cannot be opened.
pub fn table(name: &str, parts: &[PathBuf]) -> Result<Arc<dyn TableProvider>, DatasetError> {
    let first = parts.first().ok_or_else(|| DatasetError::Empty { dir: name.to_owned() })?;
    table_as(first, parts, schema_of(first)?)
}

fn table_as(
    first: &Path,
    parts: &[PathBuf],
    schema: SchemaRef,
) -> Result<Arc<dyn TableProvider>, DatasetError> {
    let urls = parts.iter().map(|p| url(p)).collect::<Result<Vec<_>, _>>()?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config).map_err(|e| unreadable(first, e))?))
}

fn unreadable(path: &Path, e: datafusion::error::DataFusionError) -> DatasetError {
    DatasetError::Unreadable { path: path.display().to_string(), source: Box::new(e) }
}

/// Registers `parts` as table `name`; the schema is that of the first part.
///
/// # Errors
/// `DAT-001` when a part is missing or cannot be opened.
pub fn register(ctx: &SessionContext, name: &str, parts: &[PathBuf]) -> Result<(), DatasetError> {
    let known = table(name, parts)?;
    let first = parts.first().ok_or_else(|| DatasetError::Empty { dir: name.to_owned() })?;
    ctx.register_table(TableReference::bare(name), known).map_err(|e| unreadable(first, e))?;
    Ok(())
}

/// As [`register`], but without what fields say beside their types: DataFusion refuses plans that unite parts with and without it.
///
/// # Errors
/// As [`register`].
pub fn register_bare(ctx: &SessionContext, name: &str, parts: &[PathBuf]) -> Result<(), DatasetError> {
    let first = parts.first().ok_or_else(|| DatasetError::Empty { dir: name.to_owned() })?;
    let bare = |field: &FieldRef| field.as_ref().clone().with_metadata(HashMap::new());
    let fields: Vec<Field> = schema_of(first)?.fields().iter().map(bare).collect();
    let known = table_as(first, parts, Arc::new(Schema::new(fields)))?;
    ctx.register_table(TableReference::bare(name), known).map_err(|e| unreadable(first, e))?;
    Ok(())
}
