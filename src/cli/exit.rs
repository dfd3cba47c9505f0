//! The exit status, in one place: 0 done · 1 failed · 2 wrong usage or configuration · 3 finished, but blocked.

use std::process::ExitCode;

use qianyi::artifacts::Status;
use qianyi::error::RetryClass;

use super::failure::Failure;

/// A second signal ended it, without waiting for a boundary.
pub const SIGNALLED: i32 = 1;

/// How a command ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// It finished its work, but something does not add up.
    Blocked,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::Done,
            Status::Blocked => Self::Blocked,
        }
    }
}

/// The exit status of a command.
pub fn of(ended: &Result<Ended, Failure>) -> ExitCode {
    ExitCode::from(match ended {
        Ok(ended) => of_ended(*ended),
        Err(failure) => of_failure(failure),
    })
}

/// The exit status of a command that did its work.
pub fn of_ended(ended: Ended) -> u8 {
    match ended {
        Ended::Done => 0,
        Ended::Blocked => 3,
    }
}

/// The exit status of a command that failed.
pub fn of_failure(failure: &Failure) -> u8 {
    match failure.retry_class {
        RetryClass::Resume | RetryClass::Bug => 1,
        RetryClass::Usage => 2,
        RetryClass::Blocked => 3,
    }
}

/// The exit status after a panic.
pub const PANIC: u8 = 1;

/// The exit status when the parser answered: help and version were asked for, everything else is wrong usage.
pub fn of_clap(asked: &clap::Error) -> ExitCode {
    ExitCode::from(if asked.use_stderr() { 2 } else { 0 })
}
