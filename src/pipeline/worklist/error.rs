//! What can go wrong with worklists; mistakes in a file that came back are data (reading.rs).

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::pipeline::RunError;
use crate::report::ReportError;
use crate::state::StateError;

/// What can go wrong with worklists.
#[derive(Debug, Error, Diagnostic)]
pub enum WorklistError {
    #[error("{path} cannot be read: {why}")]
    #[diagnostic(
        code("WKL-001"),
        help(
            "give the workbook (.xlsx) or the CSV file that `qianyi worklist export` wrote; an .xls or .ods file is saved as .xlsx first"
        )
    )]
    Unreadable { path: String, why: String },
    #[error("{path} is no worklist of this work directory")]
    #[diagnostic(
        code("WKL-002"),
        help(
            "check --workdir; the file is imported where it was exported, and its column with the check code stays as it was"
        )
    )]
    NoWorklist { path: String },
    #[error("{path} has {bytes} bytes; a worklist has at most {most}")]
    #[diagnostic(code("WKL-003"), help("it is no worklist, or pictures were put into it: export it again"))]
    TooBig { path: String, bytes: u64, most: u64 },
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
            Self::Unreadable { .. } | Self::NoWorklist { .. } | Self::TooBig { .. } => RetryClass::Usage,
            Self::Run(e) => e.retry_class(),
            Self::Report(e) => e.retry_class(),
            Self::State(e) => e.retry_class(),
        }
    }
}
