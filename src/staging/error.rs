//! What can go wrong in a rehearsal. What the server refuses of the rows is no error: see [`crate::artifacts::RehearsalProblem`].

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in a rehearsal.
#[derive(Debug, Error, Diagnostic)]
pub enum StagingError {
    #[error("{}", said!("STG-001"))]
    #[diagnostic(code("STG-001"), help("{}", hint!("STG-001")))]
    Unreachable { source: Cause },
    #[error("{}", said!("STG-002", what))]
    #[diagnostic(code("STG-002"), help("{}", hint!("STG-002")))]
    Failed { what: String, source: Cause },
    #[error("{}", said!("STG-003", what, seconds))]
    #[diagnostic(code("STG-003"), help("{}", hint!("STG-003")))]
    Silent { what: String, seconds: u64 },
    #[error("{}", said!("STG-004", what))]
    #[diagnostic(code("STG-004"), help("{}", hint!("STG-004")))]
    Rights { what: String },
    #[error("{}", said!("STG-005", found))]
    #[diagnostic(code("STG-005"), help("{}", hint!("STG-005")))]
    Encoding { found: String },
    #[error("{}", said!("STG-006", schema))]
    #[diagnostic(code("STG-006"), help("{}", hint!("STG-006")))]
    Busy { schema: String },
    #[error("{}", said!("STG-007", schema))]
    #[diagnostic(code("STG-007"), help("{}", hint!("STG-007")))]
    Foreign { schema: String },
    #[error("{}", said!("STG-008", what))]
    #[diagnostic(code("STG-008"), help("{}", hint!("STG-008")))]
    Answer { what: String },
    #[error("{}", said!("STG-900", column, table))]
    #[diagnostic(code("STG-900"), help("{}", hint!("STG-900")))]
    Type { table: String, column: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl Consequence for StagingError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Unreachable { .. }
            | Self::Failed { .. }
            | Self::Silent { .. }
            | Self::Busy { .. }
            | Self::Answer { .. } => RetryClass::Resume,
            Self::Rights { .. } | Self::Encoding { .. } | Self::Foreign { .. } => RetryClass::Usage,
            Self::Type { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
        }
    }
}
