//! What can go wrong when a checked mapping runs; mistakes in its files are in fault.rs.

use miette::Diagnostic;
use thiserror::Error;

use super::file::LayerOne;
use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::mask::MaskKind;
use crate::{hint, said};

/// A legacy table does not fit its mapping, or a plan could not be run.
#[derive(Debug, Error, Diagnostic)]
pub enum MappingError {
    #[error("{}", said!("MAP-101", table, columns, view))]
    #[diagnostic(code("MAP-101"), help("{}", hint!("MAP-101", nearest)))]
    NoColumn { view: String, table: String, columns: String, nearest: String },
    #[error("{}", said!("MAP-102", table, view, columns))]
    #[diagnostic(code("MAP-102"), help("{}", hint!("MAP-102")))]
    Unlisted { view: String, table: String, columns: String },
    #[error("{}", said!("MAP-103", table, key, places, view))]
    #[diagnostic(code("MAP-103"), help("{}", hint!("MAP-103")))]
    KeyTwice { view: String, table: String, key: String, places: String },
    #[error("{}", said!("MAP-104", table, joined, columns, found))]
    #[diagnostic(code("MAP-104"), help("{}", hint!("MAP-104")))]
    /// `found`: how many rows have one key, the key, where the first of them stand.
    JoinTwice { table: String, joined: String, columns: String, found: String },
    #[error("{}", said!("MAP-105", table, branch, expected, from, found))]
    #[diagnostic(code("MAP-105"), help("{}", hint!("MAP-105")))]
    RowCount { table: String, branch: String, from: String, expected: u64, found: u64 },
    #[error("{}", said!("MAP-108", table, branch, from, column, cause))]
    #[diagnostic(code("MAP-108"), help("{}", hint!("MAP-108")))]
    Expression { table: String, branch: String, from: String, column: String, cause: String },
    #[error("{}", said!("MAP-109", table, view, columns))]
    #[diagnostic(code("MAP-109"), help("{}", hint!("MAP-109")))]
    Unreadable { view: String, table: String, columns: String },
    #[error("{}", said!("MAP-110", table, column))]
    #[diagnostic(code("MAP-110"), help("{}", hint!("MAP-110", table)))]
    NoEncoding { table: String, column: String },
    #[error("{}", said!("MAP-106", view))]
    #[diagnostic(code("MAP-106"), help("{}", hint!("MAP-106")))]
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
