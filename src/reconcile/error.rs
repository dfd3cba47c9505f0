//! What can go wrong while comparing.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// What can go wrong while comparing.
#[derive(Debug, Error, Diagnostic)]
pub enum ReconcileError {
    #[error("{}", said!("REC-001", what))]
    #[diagnostic(code("REC-001"), help("{}", hint!("REC-001")))]
    Overflow { what: String },
}

impl Consequence for ReconcileError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Overflow { .. } => RetryClass::Usage,
        }
    }
}
