//! What can go wrong when a checked mapping runs; mistakes in its files are in fault.rs.

use miette::Diagnostic;
use thiserror::Error;

use super::file::LayerOne;
use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::mask::MaskKind;

/// A legacy table does not fit its mapping, or a plan could not be run.
#[derive(Debug, Error, Diagnostic)]
pub enum MappingError {
    #[error("the legacy table {table} has no column {columns}, which sources/{view}.toml reads")]
    #[diagnostic(
        code("MAP-101"),
        help("the nearest there: {nearest}; correct `from` or the column's name, then `qianyi plan`")
    )]
    NoColumn { view: String, table: String, columns: String, nearest: String },
    #[error("the legacy table {table} has columns that sources/{view}.toml does not name: {columns}")]
    #[diagnostic(
        code("MAP-102"),
        help("read each of them, or write {{ skip = \"reason\" }}; then `qianyi plan`")
    )]
    Unlisted { view: String, table: String, columns: String },
    #[error("two rows of {table} have one key ({key}: {places}), which sources/{view}.toml says is unique")]
    #[diagnostic(code("MAP-103"), help("write `unique = false`: each row then gets an occurrence number"))]
    KeyTwice { view: String, table: String, key: String, places: String },
    #[error("{table} joins {joined} by {columns}, but {found}")]
    #[diagnostic(
        code("MAP-104"),
        help("a join is n:1: join by more columns, or by a view whose rows are unique")
    )]
    /// `found`: how many rows have one key, the key, where the first of them stand.
    JoinTwice { table: String, joined: String, columns: String, found: String },
    #[error("{table} branch {branch}: {expected} rows were expected from {from}, {found} came out")]
    #[diagnostic(code("MAP-105"), help("this must not happen: please report it with the mapping file"))]
    RowCount { table: String, branch: String, from: String, expected: u64, found: u64 },
    #[error("{table} branch {branch} from {from}: {column} cannot be computed for some row: {cause}")]
    #[diagnostic(
        code("MAP-108"),
        help(
            "guard it: CASE WHEN …, TRY_CAST(… AS …) gives NULL, CAST to a longer DECIMAL; what CAST itself refuses is a read error of its row"
        )
    )]
    Expression { table: String, branch: String, from: String, column: String, cause: String },
    #[error("the legacy table {table} cannot be read as sources/{view}.toml says: {columns}")]
    #[diagnostic(
        code("MAP-109"),
        help("docs/mapping.md has the table of what is read as what; else write {{ skip = \"reason\" }}")
    )]
    Unreadable { view: String, table: String, columns: String },
    #[error("the raw parts of {table} do not say in which encoding the bytes of {column} are")]
    #[diagnostic(
        code("MAP-110"),
        help("an earlier version wrote them: read the table again with `qianyi extract --full {table}`")
    )]
    NoEncoding { table: String, column: String },
    #[error("a typed dataset of the view {view} is missing")]
    #[diagnostic(code("MAP-106"), help("layer 1 of every table of that view runs before layer 2"))]
    NotRead { view: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for MappingError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::NoColumn { .. }
            | Self::Unlisted { .. }
            | Self::KeyTwice { .. }
            | Self::JoinTwice { .. }
            | Self::Expression { .. }
            | Self::Unreadable { .. }
            | Self::NoEncoding { .. } => RetryClass::Usage,
            Self::RowCount { .. } | Self::NotRead { .. } => RetryClass::Bug,
            Self::Engine(e) => e.retry_class(),
            Self::Dataset(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}

/// How a column's values are shown in an error: as its `mask` says, else as a number that people gave; `none`: whole.
pub(super) fn mask_of(column: &LayerOne) -> Option<MaskKind> {
    match column.mask.as_deref() {
        None => Some(MaskKind::Number),
        Some("none") => None,
        Some(name) => Some(MaskKind::named(name).unwrap_or(MaskKind::Text)),
    }
}
