//! Differences that are known: what somebody answers for, and what became of it in a reconciliation.
//!
//! Always: one is about exactly one cell of one line, and about exactly one amount.

use serde::{Deserialize, Serialize};

use super::Unit;

/// A difference that is known (`[[known_difference]]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDifference {
    /// `raw-mapped`.
    pub boundary: String,
    /// As reconciliation names it: `ylbx.GRJFMX_2003→AC43`.
    pub table: String,
    /// `rows`, `fen:AAE020+AAE022`.
    pub measure: String,
    /// The cell; both are empty where the measure is not told apart.
    pub insurance: String,
    pub period: String,
    /// left − right − what other reasons explain, counted in the last digit of `unit`.
    pub amount: i128,
    pub unit: Unit,
    /// Why it is so: a document, a decision.
    pub basis: String,
    /// Who answers for it.
    pub approver: String,
    /// That person's account of the operating system.
    pub account: String,
    /// The last day on which it explains anything (yyyy-mm-dd).
    pub until: String,
}

/// What became of a known difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownEnd {
    /// It explains what its cell left unexplained.
    Explains,
    /// Its last day is past: it explains nothing.
    Expired,
    /// The cell leaves another amount: it explains nothing.
    Differs,
    /// The cell leaves nothing unexplained, or is not there.
    Absent,
}

impl KnownEnd {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Explains => "explains",
            Self::Expired => "expired",
            Self::Differs => "differs",
            Self::Absent => "absent",
        }
    }
}

/// A known difference, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRow {
    pub difference: KnownDifference,
    pub ended: KnownEnd,
    /// What the cell left before it was looked at, in the same unit.
    pub found: i128,
}
