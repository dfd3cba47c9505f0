//! `coverage.json`: what a mapping covers, column by column and code by code (docs/run.md).
//!
//! Always: a column is in exactly one state; what nobody decided about says so (`unmapped`). Codes are those of declared code columns.

use serde::{Deserialize, Serialize};

/// What a mapping covers of what is held; `version` is that of this form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub version: u32,
    pub legacy: Vec<LegacyTableCoverage>,
    pub national: Vec<NationalCoverage>,
    pub codes: Vec<CodeCoverage>,
    /// National measures that no declared amount feeds.
    pub unfed: Vec<Unfed>,
    /// Declared amounts that feed no national measure, with the reason that the mapping gives.
    pub not_mapped: Vec<NotMapped>,
}

/// A national measure of one branch whose SQL refers to no declared amount: a constant, or something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfed {
    pub table: String,
    pub branch: String,
    pub column: String,
    pub title: String,
    pub sql: String,
    /// The SQL refers to no column at all.
    pub constant: bool,
    pub basis: String,
    /// Rows of the branch.
    pub rows: u64,
}

/// A declared amount that feeds no national measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMapped {
    pub source: String,
    pub table: String,
    pub column: String,
    pub reason: String,
}

/// How far the rows of a legacy table come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// A branch starts from it.
    Mapped,
    /// No branch starts from it, but one looks things up in it by `join`.
    JoinedOnly,
    /// Nothing takes it.
    Nowhere,
}

/// One legacy table. `read_by` names its source file, `ignored` the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyTableCoverage {
    pub source: String,
    pub table: String,
    pub read_by: Option<String>,
    pub ignored: Option<String>,
    pub reach: Reach,
    pub columns: Vec<LegacyColumnCoverage>,
}

/// One legacy column. `feeds`: the national columns (`AC01.AAC003`) that it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyColumnCoverage {
    pub column: String,
    pub disposition: LegacyDisposition,
    pub feeds: Vec<String>,
}

/// What happens to a legacy column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LegacyDisposition {
    /// It reaches at least one national column.
    Mapped,
    /// Read, but no national column takes it.
    Unused,
    /// Left out on purpose.
    Skipped { reason: String },
    /// Nobody decided about it.
    Unmapped,
}

/// One national column of one branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NationalCoverage {
    pub table: String,
    pub branch: String,
    pub column: String,
    pub title: String,
    /// hard, soft or no.
    pub mandatory: String,
    pub origin: Origin,
    /// Rows of the branch.
    pub rows: u64,
}

/// Where a national column comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// From legacy columns, as they are.
    Mapped,
    /// Computed, on this ground.
    Derived { basis: String },
    /// The city does not have it, and why.
    Absent { reason: String },
    /// Not mandatory, and the branch does not fill it.
    Unmapped,
}

/// One code column of one legacy table, read through one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCoverage {
    pub list: String,
    pub source: String,
    pub table: String,
    pub column: String,
    pub mapped: Share,
    pub unmapped: Share,
}

/// How much: distinct legacy codes, rows, and the money of those rows in fen (absolute amounts; 0 where the table has none).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub distinct: u64,
    pub rows: u64,
    pub fen: i128,
}
