//! What can go wrong at the gate.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// What can go wrong at the gate.
#[derive(Debug, Error, Diagnostic)]
pub enum GateError {
    #[error("{}", said!("GAT-001", table, parent))]
    #[diagnostic(code("GAT-001"), help("{}", hint!("GAT-001")))]
    Order { table: String, parent: String },
    #[error("{}", said!("GAT-002", table, rows, limit))]
    #[diagnostic(code("GAT-002"), help("{}", hint!("GAT-002")))]
    TooMany { table: String, rows: u64, limit: u64 },
    #[error("{}", said!("GAT-900", table, what))]
    #[diagnostic(code("GAT-900"), help("{}", hint!("GAT-900")))]
    Uneven { table: String, what: String },
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

impl Consequence for GateError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Order { .. } | Self::TooMany { .. } => RetryClass::Usage,
            Self::Uneven { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
