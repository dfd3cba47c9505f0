//! What can go wrong while the page is written.

use miette::Diagnostic;
use thiserror::Error;

use crate::durable::DurableError;
use crate::error::{Consequence, RetryClass};

/// What can go wrong while the page is written.
#[derive(Debug, Error, Diagnostic)]
pub enum ReportError {
    #[error("summary.json is of run {summary}, reconciliation.json of run {reconciliation}")]
    #[diagnostic(code("REP-001"), help("one of them was copied from elsewhere: run again"))]
    TwoRuns { summary: String, reconciliation: String },
    #[error("the workbook {path} cannot be written")]
    #[diagnostic(
        code("REP-002"),
        help("check the folder, its rights and free space; then run the same command again")
    )]
    Sheet { path: String, source: rust_xlsxwriter::XlsxError },
    #[error("a chart of the page cannot be drawn: {what}")]
    #[diagnostic(code("REP-902"), help("this is a fault of qianyi: please report it"))]
    Chart { what: String },
    #[error("the run book {path} cannot be read: {what}")]
    #[diagnostic(
        code("REP-003"),
        help("config/cutover-runbook.example.toml shows the form; times are written \"2022-04-18 12:00\"")
    )]
    RunBook { path: String, what: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
    #[error("the page's template cannot be filled in")]
    #[diagnostic(code("REP-900"), help("this is a fault of qianyi: please report it"))]
    Template(#[from] minijinja::Error),
    #[error("the page's words cannot be read")]
    #[diagnostic(code("REP-901"), help("this is a fault of qianyi: please report it"))]
    Words(#[from] toml::de::Error),
}

impl Consequence for ReportError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::TwoRuns { .. } | Self::RunBook { .. } => RetryClass::Usage,
            Self::Sheet { .. } => RetryClass::Resume,
            Self::Durable(e) => e.retry_class(),
            Self::Chart { .. } | Self::Template(_) | Self::Words(_) => RetryClass::Bug,
        }
    }
}
