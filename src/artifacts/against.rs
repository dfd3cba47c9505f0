//! What changed from one finished run to a later one.

use serde::{Deserialize, Serialize};

/// What changed from one run to a later one; only what differs is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    pub before: String,
    pub after: String,
    /// Rows and fen of dispositions that differ.
    pub sums: Vec<SumChange>,
    /// Findings of the structural check and open findings of rules that differ.
    pub findings: Vec<FindingChange>,
}

/// Rows or fen of one cell in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumChange {
    pub table: String,
    /// `rows` or `fen:<column>`.
    pub measure: String,
    /// Empty where the table does not tell it.
    pub insurance: String,
    /// accepted, or why rows were not.
    pub disposition: String,
    pub before: i128,
    pub after: i128,
}

/// Findings of one rule and column in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingChange {
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub table: String,
    pub column: String,
    pub before: u64,
    pub after: u64,
}
