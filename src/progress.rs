//! How far a stage is: rows done of rows expected, told to whoever watches.
//!
//! Always: counts and table names; never a value of a row.

use std::time::Duration;

/// Watches one piece of work after another. One implementation draws on the terminal, one is silent.
pub trait Progress: Send + Sync {
    /// A stage begins a table of about `total` rows (0: not known).
    fn start(&self, stage: &str, table: &str, total: u64);
    /// `n` more rows of it are done.
    fn rows(&self, n: u64);
    /// It is done.
    fn finish(&self);
    /// A source was asked something, or for more rows, and has the word.
    fn asked(&self) {}
    /// It answered.
    fn answered(&self) {}
    /// Something failed that may pass: it is tried again after the pause.
    fn tries_again(&self, _after: &str, _pause: Duration) {}
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _stage: &str, _table: &str, _total: u64) {}
    fn rows(&self, _n: u64) {}
    fn finish(&self) {}
}
