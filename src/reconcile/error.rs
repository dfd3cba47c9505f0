//! What can go wrong while comparing.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, Follow};

/// What can go wrong while comparing.
#[derive(Debug, Error, Diagnostic)]
pub enum ReconcileError {
    #[error("a sum of {what} does not fit 64 bits")]
    #[diagnostic(
        code("REC-001"),
        help("an amount is absurdly large: `qianyi profile` shows what each column holds")
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
