//! What can go wrong while checking.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, Follow};

/// What can go wrong while checking.
#[derive(Debug, Error, Diagnostic)]
pub enum QualityError {
    #[error("the predicate of {table}.{column} cannot be used: {sql}")]
    #[diagnostic(
        code("QUA-001"),
        help("mend `scope` or `when` in mappings/national: it is SQL over the columns of its own table")
    )]
    Predicate { table: String, column: String, sql: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path} does not have the columns of {table}")]
    #[diagnostic(
        code("QUA-002"),
        help("delete the run's folder and run again: the part will be computed anew")
    )]
    Columns { path: String, table: String },
    #[error("{what} cannot be")]
    #[diagnostic(code("QUA-900"), help("this is a fault of qianyi: please report it"))]
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

impl Consequence for QualityError {
    fn follow(&self) -> Follow {
        match self {
            Self::Predicate { .. } => Follow::Usage,
            Self::Columns { .. } => Follow::Resume,
            Self::Impossible { .. } => Follow::Bug,
            Self::Dataset(e) => e.follow(),
            Self::Engine(e) => e.follow(),
            Self::Durable(e) => e.follow(),
        }
    }
}
