//! What follows from an error, decided in one place per module.
//!
//! Always: every module's error enum implements [`Consequence`] without a wildcard arm, carries a code and a hint
//! (`miette::Diagnostic`), and keeps the cause as its source instead of pasting it into its text.
//! Must not know: any module.

/// What a person or a scheduler does next; the binary turns it into an exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// The command line, the configuration, a mapping or a path is wrong: mend it and run again (exit status 2).
    Usage,
    /// The machine or the source failed (disk full, lost connection, lock held): mend that and run again; the work goes on
    /// where it stopped (exit status 1).
    Resume,
    /// A run is blocked, and what was asked for takes one that is not: people decide (exit status 3).
    Blocked,
    /// A state that cannot be: report it (exit status 1).
    Bug,
}

/// Implemented by every error enum.
pub trait Consequence {
    /// What follows from this error.
    fn retry_class(&self) -> RetryClass;
}
