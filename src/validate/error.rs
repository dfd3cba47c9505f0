//! What can go wrong while checking.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// What can go wrong while checking.
#[derive(Debug, Error, Diagnostic)]
pub enum ValidateError {
    #[error("{}", said!("VAL-001", table, column, sql))]
    #[diagnostic(code("VAL-001"), help("{}", hint!("VAL-001")))]
    Predicate { table: String, column: String, sql: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{}", said!("VAL-002", path, table))]
    #[diagnostic(code("VAL-002"), help("{}", hint!("VAL-002")))]
    Columns { path: String, table: String },
    #[error("{}", said!("VAL-900", what))]
    #[diagnostic(code("VAL-900"), help("{}", hint!("VAL-900")))]
    Impossible { what: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for ValidateError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Predicate { .. } => RetryClass::Usage,
            Self::Columns { .. } => RetryClass::Resume,
            Self::Impossible { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
