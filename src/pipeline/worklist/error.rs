//! What can go wrong with worklists; mistakes in a file that came back are data (reading.rs).

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::pipeline::RunError;
use crate::report::ReportError;
use crate::state::StateError;
use crate::{hint, said};

/// What can go wrong with worklists.
#[derive(Debug, Error, Diagnostic)]
pub enum WorklistError {
    #[error("{}", said!("WKL-001", path, why))]
    #[diagnostic(code("WKL-001"), help("{}", hint!("WKL-001")))]
    Unreadable { path: String, why: String },
    #[error("{}", said!("WKL-002", path))]
    #[diagnostic(code("WKL-002"), help("{}", hint!("WKL-002")))]
    NoWorklist { path: String },
    #[error("{}", said!("WKL-003", path, bytes, most))]
    #[diagnostic(code("WKL-003"), help("{}", hint!("WKL-003")))]
    TooBig { path: String, bytes: u64, most: u64 },
    #[error("{}", said!("WKL-005", path, why))]
    #[diagnostic(code("WKL-005"), help("{}", hint!("WKL-005")))]
    Form { path: String, why: String },
    #[error("{}", said!("WKL-004", path, cell, what))]
    #[diagnostic(code("WKL-004"), help("{}", hint!("WKL-004")))]
    Refused { path: String, cell: String, what: &'static str },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
}

impl Consequence for WorklistError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Refused { .. } => RetryClass::Bug,
            Self::Unreadable { .. } | Self::NoWorklist { .. } | Self::TooBig { .. } | Self::Form { .. } => {
                RetryClass::Usage
            }
            Self::Run(e) => e.retry_class(),
            Self::Report(e) => e.retry_class(),
            Self::State(e) => e.retry_class(),
        }
    }
}
