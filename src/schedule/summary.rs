//! How a job ended: what its body answers, what is recorded, what others are told.
//!
//! Always: no value of a row; texts of errors are masked here, whoever wrote them.
//! Must not know: who is told.

use miette::Diagnostic;
use serde::Serialize;

use crate::artifacts::Blocker;
use crate::mask;
use crate::state::{JobEnd, JobOutcome};

/// What the body of a job answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub outcome: JobOutcome,
    /// That of the command which does the same.
    pub exit_status: u8,
    pub error_code: Option<String>,
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The run that it came to, and where its page is.
    pub run: Option<String>,
    pub report: Option<String>,
    /// Rows that it handled.
    pub rows: Option<u64>,
    /// Rows of national tables that may be uploaded, those that may not, and the findings of the check.
    pub accepted: Option<u64>,
    pub not_accepted: Option<u64>,
    pub findings: Option<u64>,
    pub unexplained_rows: Option<u64>,
    pub unexplained_fen: Option<u64>,
    pub blocked_by: Vec<Blocker>,
}

impl Ended {
    /// It did its work.
    #[must_use]
    pub fn done(rows: Option<u64>) -> Self {
        Self {
            outcome: JobOutcome::Done,
            exit_status: 0,
            error_code: None,
            error: None,
            hint: None,
            run: None,
            report: None,
            rows,
            accepted: None,
            not_accepted: None,
            findings: None,
            unexplained_rows: None,
            unexplained_fen: None,
            blocked_by: Vec::new(),
        }
    }

    /// It failed, or stopped as asked.
    #[must_use]
    pub fn failed(outcome: JobOutcome, exit_status: u8, error: &dyn Diagnostic) -> Self {
        let error_code = error.code().map(|c| c.to_string());
        // Where mistakes follow one by one, the first line says what they are.
        let mut text = error.to_string().lines().next().unwrap_or_default().to_owned();
        let mut cause = error.source();
        while let Some(one) = cause {
            text = format!("{text}: {one}");
            cause = one.source();
        }
        let (error, hint) = (Some(text), error.help().map(|h| h.to_string()));
        Self { outcome, exit_status, error_code, error, hint, ..Self::done(None) }
    }

    /// Masked, as it may be recorded and sent.
    #[must_use]
    pub(super) fn masked(mut self) -> Self {
        let code = self.error_code.clone().unwrap_or_default();
        self.error = self.error.map(|e| mask::message(&code, &e));
        // Hints are our own words and names of settings.
        self.hint = self.hint.map(|h| mask::secrets(&h));
        for blocker in &mut self.blocked_by {
            if let Blocker::NotChecked { why, .. } = blocker {
                *why = mask::scrub(why);
            }
        }
        self
    }

    pub(super) fn record(&self) -> JobEnd {
        let message = match (&self.error_code, &self.error) {
            (Some(code), Some(error)) => Some(format!("{code}: {error}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        // What to do follows on a line of its own.
        let message = message.map(|m| match &self.hint {
            Some(hint) => format!("{}\n{}", m.replace('\n', " "), hint.replace('\n', " ")),
            None => m,
        });
        JobEnd {
            outcome: self.outcome,
            message,
            rows: self.rows,
            unexplained_rows: self.unexplained_rows,
            unexplained_fen: self.unexplained_fen,
        }
    }
}

/// What others are told of a job that ended; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobSummary {
    pub version: u32,
    /// The city's name.
    pub city: String,
    pub job: String,
    pub outcome: &'static str,
    pub due: String,
    pub started: String,
    pub finished: String,
    pub exit_status: u8,
    pub error_code: Option<String>,
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The run that it came to, and where its page is.
    pub run: Option<String>,
    pub report: Option<String>,
    pub rows: Option<u64>,
    pub accepted: Option<u64>,
    pub not_accepted: Option<u64>,
    pub findings: Option<u64>,
    pub unexplained_rows: Option<u64>,
    pub unexplained_fen: Option<u64>,
    pub blocked_by: Vec<Blocker>,
}
