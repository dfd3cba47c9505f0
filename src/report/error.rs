//! What can go wrong while the page is written.

use miette::Diagnostic;
use thiserror::Error;

use crate::durable::DurableError;
use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// What can go wrong while the page is written.
#[derive(Debug, Error, Diagnostic)]
pub enum ReportError {
    #[error("{}", said!("REP-001", summary, reconciliation))]
    #[diagnostic(code("REP-001"), help("{}", hint!("REP-001")))]
    TwoRuns { summary: String, reconciliation: String },
    #[error("{}", said!("REP-002", path))]
    #[diagnostic(code("REP-002"), help("{}", hint!("REP-002")))]
    Sheet { path: String, source: rust_xlsxwriter::XlsxError },
    #[error("{}", said!("REP-003", path, why))]
    #[diagnostic(code("REP-003"), help("{}", hint!("REP-003")))]
    List { path: String, why: String },
    #[error("{}", said!("REP-902", what))]
    #[diagnostic(code("REP-902"), help("{}", hint!("REP-902")))]
    Chart { what: String },
    #[error("{}", said!("REP-004", path, what))]
    #[diagnostic(code("REP-004"), help("{}", hint!("REP-004")))]
    RunBook { path: String, what: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
    #[error("{}", said!("REP-900"))]
    #[diagnostic(code("REP-900"), help("{}", hint!("REP-900")))]
    Template(#[from] minijinja::Error),
    #[error("{}", said!("REP-901"))]
    #[diagnostic(code("REP-901"), help("{}", hint!("REP-901")))]
    Words(#[from] toml::de::Error),
}

impl Consequence for ReportError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::TwoRuns { .. } | Self::RunBook { .. } => RetryClass::Usage,
            Self::Sheet { .. } | Self::List { .. } => RetryClass::Resume,
            Self::Durable(e) => e.retry_class(),
            Self::Chart { .. } | Self::Template(_) | Self::Words(_) => RetryClass::Bug,
        }
    }
}
