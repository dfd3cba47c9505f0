//! What can go wrong while comparing.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};

/// What can go wrong while comparing.
#[derive(Debug, Error, Diagnostic)]
pub enum ReconcileError {
    #[error("a sum of {what} does not fit 128 bits")]
    #[diagnostic(
        code("REC-001"),
        help(
            "amounts of that column are absurdly large: correct them in the source, or leave the column out of `amounts`"
        )
    )]
    Overflow { what: String },
}

impl Consequence for ReconcileError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Overflow { .. } => RetryClass::Usage,
        }
    }
}
