//! What can go wrong while counting.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::engine::EngineError;
use crate::error::{Consequence, Follow};

/// What can go wrong while counting.
#[derive(Debug, Error, Diagnostic)]
pub enum TallyError {
    #[error("{what} has no type that can be counted: column {column} is {found}")]
    #[diagnostic(
        code("TAL-001"),
        help(
            "amounts are numbers or text, insurance and period are text or numbers: see `[measures]` of the table"
        )
    )]
    Uncountable { what: String, column: String, found: String },
    #[error("{path} does not hold measures or digests as this version writes them")]
    #[diagnostic(
        code("TAL-002"),
        help("another version of qianyi wrote it: extract and run again in a new work directory")
    )]
    NotMeasures { path: String },
    #[error("{what} falls into more than {limit} cells of insurance and period (tally::MAX_CELLS)")]
    #[diagnostic(
        code("TAL-003"),
        help(
            "the columns under `by` in `[measures]` hold too many different values: leave out the one that is no insurance or period"
        )
    )]
    TooManyCells { what: String, limit: usize },
    #[error("a sum over {what} has more than 38 digits")]
    #[diagnostic(
        code("TAL-004"),
        help(
            "amounts of that column are absurdly large: correct them in the source, or leave the column out of `amounts`"
        )
    )]
    Overflow { what: String },
    #[error("{what} cannot be")]
    #[diagnostic(code("TAL-900"), help("this is a fault of qianyi: please report it"))]
    Impossible { what: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl TallyError {
    pub(super) fn impossible(what: &str, e: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Impossible { what: what.to_owned(), source: Box::new(e) }
    }
}

impl Consequence for TallyError {
    fn follow(&self) -> Follow {
        match self {
            Self::Uncountable { .. } | Self::TooManyCells { .. } | Self::Overflow { .. } => Follow::Usage,
            Self::NotMeasures { .. } => Follow::Resume,
            Self::Impossible { .. } => Follow::Bug,
            Self::Dataset(e) => e.follow(),
            Self::Engine(e) => e.follow(),
        }
    }
}
