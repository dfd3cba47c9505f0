//! What can go wrong at the gate.

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};

/// What can go wrong at the gate.
#[derive(Debug, Error, Diagnostic)]
pub enum GateError {
    #[error("{table} refers to {parent}, which comes later in the load order")]
    #[diagnostic(
        code("GAT-001"),
        help("mend `order` in mappings/national/schema.toml: parents before children")
    )]
    Order { table: String, parent: String },
    #[error(
        "{table} has {rows} rows with a finding or a parent that blocks: more than {limit} do not fit in memory"
    )]
    #[diagnostic(
        code("GAT-002"),
        help("such a mapping is hardly right: look at the findings first; else give more --memory")
    )]
    TooMany { table: String, rows: u64, limit: u64 },
    #[error("the gate of {table} did not decide every row once: {what}")]
    #[diagnostic(code("GAT-900"), help("this is a fault of qianyi: please report it"))]
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
