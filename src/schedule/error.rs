//! What can go wrong with a schedule, and with telling somebody how a job ended.

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::state::StateError;

/// What can end a scheduler.
#[derive(Debug, Error, Diagnostic)]
pub enum ScheduleError {
    #[error("the configuration has no jobs")]
    #[diagnostic(
        code("SCH-001"),
        help("add [[schedule]] with name, cron and job: docs/schedule.md describes it")
    )]
    NoJobs,
    #[error("{path} holds a character that no unit of systemd can name")]
    #[diagnostic(code("SCH-003"), help("use a path without control characters, in UTF-8"))]
    Path { path: String },
    #[error("{given} is no name of a system user")]
    #[diagnostic(code("SCH-004"), help("lower-case letters, digits, _ and -, for example --user qianyi"))]
    User { given: String },
    #[error("the clock was set back: it shows a time that has been before; jobs run when they are due by it")]
    #[diagnostic(
        code("SCH-015"),
        help(
            "check the clock and its time service; what was done under the later time may be done once more"
        )
    )]
    SetBack,
    #[error("the thread of a job ended without a result")]
    #[diagnostic(code("SCH-005"), help("report this with the log"))]
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
    #[error("{what} of [notify] could not be started")]
    #[diagnostic(
        code("SCH-010"),
        help("check the path in `command` or `sendmail`, and that it may be executed")
    )]
    Start { what: &'static str, source: std::io::Error },
    #[error("{what} of [notify] ended with {status}")]
    #[diagnostic(
        code("SCH-011"),
        help(
            "a command is given one JSON document on standard input, sendmail a mail (with -i -t); try it by hand"
        )
    )]
    Command { what: &'static str, status: String },
    #[error("{what} of [notify] took longer than {seconds} s and was given up")]
    #[diagnostic(code("SCH-012"), help("check whether it waits for something that does not come"))]
    Slow { what: &'static str, seconds: u64 },
    #[error("the webhook {peer} of [notify] could not be reached")]
    #[diagnostic(code("SCH-013"), help("check host, port and the way there from this machine"))]
    Unreachable { peer: String, source: std::io::Error },
    #[error("the webhook {peer} of [notify] answered {answer}")]
    #[diagnostic(
        code("SCH-014"),
        help(
            "it must answer a POST of application/json with a status of 200 to 299, and a robot of 企业微信 or 钉钉 with errcode 0: check the key in its address, and the words or addresses that it is limited to"
        )
    )]
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
