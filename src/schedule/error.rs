//! What can go wrong with a schedule, and with telling somebody how a job ended.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::state::StateError;
use crate::{hint, said};

/// What can end a scheduler.
#[derive(Debug, Error, Diagnostic)]
pub enum ScheduleError {
    #[error("{}", said!("SCH-001"))]
    #[diagnostic(code("SCH-001"), help("{}", hint!("SCH-001")))]
    NoJobs,
    #[error("{}", said!("SCH-003", path))]
    #[diagnostic(code("SCH-003"), help("{}", hint!("SCH-003")))]
    Path { path: String },
    #[error("{}", said!("SCH-004", given))]
    #[diagnostic(code("SCH-004"), help("{}", hint!("SCH-004")))]
    User { given: String },
    #[error("{}", said!("SCH-015"))]
    #[diagnostic(code("SCH-015"), help("{}", hint!("SCH-015")))]
    SetBack,
    #[error("{}", said!("SCH-005"))]
    #[diagnostic(code("SCH-005"), help("{}", hint!("SCH-005")))]
    Thread,
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
}

impl Consequence for ScheduleError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::NoJobs | Self::Path { .. } | Self::User { .. } => RetryClass::Usage,
            Self::SetBack => RetryClass::Resume,
            Self::Thread => RetryClass::Bug,
            Self::State(e) => e.retry_class(),
        }
    }
}

/// Why nobody could be told; goes to the log and ends nothing.
#[derive(Debug, Error, Diagnostic)]
pub enum NotifyError {
    #[error("{}", said!("SCH-010", what))]
    #[diagnostic(code("SCH-010"), help("{}", hint!("SCH-010")))]
    Start { what: &'static str, source: std::io::Error },
    #[error("{}", said!("SCH-011", what, status))]
    #[diagnostic(code("SCH-011"), help("{}", hint!("SCH-011")))]
    Command { what: &'static str, status: String },
    #[error("{}", said!("SCH-012", what, seconds))]
    #[diagnostic(code("SCH-012"), help("{}", hint!("SCH-012")))]
    Slow { what: &'static str, seconds: u64 },
    #[error("{}", said!("SCH-013", peer))]
    #[diagnostic(code("SCH-013"), help("{}", hint!("SCH-013")))]
    Unreachable { peer: String, source: std::io::Error },
    #[error("{}", said!("SCH-014", peer, answer))]
    #[diagnostic(code("SCH-014"), help("{}", hint!("SCH-014")))]
    Refused { peer: String, answer: String },
}

impl Consequence for NotifyError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Start { .. }
            | Self::Command { .. }
            | Self::Slow { .. }
            | Self::Unreachable { .. }
            | Self::Refused { .. } => RetryClass::Resume,
        }
    }
}
