//! What can go wrong while counting.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};

/// What can go wrong while counting.
#[derive(Debug, Error, Diagnostic)]
pub enum MeasureError {
    #[error("{what} has no type that can be counted: column {column} is {found}")]
    #[diagnostic(
        code("MEA-001"),
        help(
            "amounts are numbers or text, insurance and period are text or numbers: see `[measures]` of the table"
        )
    )]
    Uncountable { what: String, column: String, found: String },
    #[error("{path} does not hold measures or digests as this version writes them")]
    #[diagnostic(
        code("MEA-002"),
        help("another version of qianyi wrote it: extract and run again in a new work directory")
    )]
    NotMeasures { path: String },
    #[error("{what} falls into more than {limit} cells of insurance and period (measures::MAX_CELLS)")]
    #[diagnostic(
        code("MEA-003"),
        help(
            "the columns under `by` in `[measures]` hold too many different values: leave out the one that is no insurance or period"
        )
    )]
    TooManyCells { what: String, limit: usize },
    #[error("a sum over {what} has more than 38 digits")]
    #[diagnostic(
        code("MEA-004"),
        help(
            "amounts of that column are absurdly large: correct them in the source, or leave the column out of `amounts`"
        )
    )]
    Overflow { what: String },
    #[error("{what} cannot be")]
    #[diagnostic(code("MEA-900"), help("this is a fault of qianyi: please report it"))]
    Impossible { what: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl MeasureError {
    pub(super) fn impossible(what: &str, e: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Impossible { what: what.to_owned(), source: Box::new(e) }
    }
}

impl Consequence for MeasureError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Uncountable { .. } | Self::TooManyCells { .. } | Self::Overflow { .. } => RetryClass::Usage,
            Self::NotMeasures { .. } => RetryClass::Resume,
            Self::Impossible { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
        }
    }
}
