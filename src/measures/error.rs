//! What can go wrong while counting.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// What can go wrong while counting.
#[derive(Debug, Error, Diagnostic)]
pub enum MeasureError {
    #[error("{}", said!("MEA-001", what, column, found))]
    #[diagnostic(code("MEA-001"), help("{}", hint!("MEA-001")))]
    Uncountable { what: String, column: String, found: String },
    #[error("{}", said!("MEA-002", path))]
    #[diagnostic(code("MEA-002"), help("{}", hint!("MEA-002")))]
    NotMeasures { path: String },
    #[error("{}", said!("MEA-003", what, limit))]
    #[diagnostic(code("MEA-003"), help("{}", hint!("MEA-003")))]
    TooManyCells { what: String, limit: usize },
    #[error("{}", said!("MEA-004", what))]
    #[diagnostic(code("MEA-004"), help("{}", hint!("MEA-004")))]
    Overflow { what: String },
    #[error("{}", said!("MEA-900", what))]
    #[diagnostic(code("MEA-900"), help("{}", hint!("MEA-900")))]
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
