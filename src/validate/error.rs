//! What can go wrong while checking.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};

/// What can go wrong while checking.
#[derive(Debug, Error, Diagnostic)]
pub enum ValidateError {
    #[error("the predicate of {table}.{column} cannot be used: {sql}")]
    #[diagnostic(
        code("VAL-001"),
        help("mend `scope` or `when` in mappings/national: it is SQL over the columns of its own table")
    )]
    Predicate { table: String, column: String, sql: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path} does not have the columns of {table}")]
    #[diagnostic(
        code("VAL-002"),
        help("delete the run's folder and run again: the part will be computed again")
    )]
    Columns { path: String, table: String },
    #[error("{what} cannot be")]
    #[diagnostic(code("VAL-900"), help("this is a fault of qianyi: please report it"))]
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
