//! What can go wrong while comparing.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, Follow};

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
    fn follow(&self) -> Follow {
        match self {
            Self::Overflow { .. } => Follow::Usage,
        }
    }
}
