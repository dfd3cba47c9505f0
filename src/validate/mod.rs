//! The structural check: what the national schema itself asks of every mapped row (reference 9.1) → findings.
//!
//! Always: findings only, no row is changed; a row outside the table's scope gets none; one fault, one finding: where a read error says why a
//! value is missing, its emptiness is not found again. Findings are sorted by rule, column, key and lineage, so the same rows give the
//! same bytes whatever the parts or partitions. Values are masked by their column.
//! Must not know: sources, cities, and what becomes of a row with findings.

mod column;
mod error;
mod key;
mod read_errors;
mod sink;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use error::ValidateError;

use crate::artifacts::FoundRows;
use crate::dataset::{PartInfo, row_count};
use crate::durable;
use crate::engine::Engine;
use crate::national::{National, Table};

/// A branch's mapped rows, and what is known about how they came to be.
#[derive(Debug, Clone)]
pub struct CheckedBranch {
    /// Unique in its table.
    pub name: String,
    pub mapped: Vec<PathBuf>,
    pub rows_from: RowsFrom,
    /// National columns that the branch does not fill: declared absent, or left out. Their emptiness is no finding.
    pub absent: BTreeSet<String>,
    /// The read errors of every legacy table that the branch reads through its first alias.
    pub read_errors: Vec<ReadErrors>,
}

/// How many legacy rows a mapped row stands for.
#[derive(Debug, Clone)]
pub enum RowsFrom {
    One,
    /// One legacy row, several mapped rows: a read error is about those whose column is empty.
    Split,
    /// Several legacy rows, by the lineage dataset.
    Group {
        lineage: Vec<PathBuf>,
    },
}

/// Read errors of one legacy table.
#[derive(Debug, Clone)]
pub struct ReadErrors {
    /// `ylbx.GRJBXX`.
    pub source: String,
    pub parts: Vec<PathBuf>,
    /// Layer-1 column → the national columns that it feeds in this branch.
    pub columns: BTreeMap<String, Vec<String>>,
}

/// What is checked, and where findings go.
pub struct Check<'a> {
    pub national: &'a National,
    pub table: &'a Table,
    pub branches: &'a [CheckedBranch],
    /// Mapped parts of every national table that is mapped, over all its branches.
    pub mapped: &'a BTreeMap<String, Vec<PathBuf>>,
    /// Change records of this table (`change_schema` of the rules): a read error whose field was filled is none any more.
    pub changes: &'a [PathBuf],
    /// Folder of the findings; made again.
    pub findings: &'a Path,
    /// Folder for what is in between; removed at the end.
    pub scratch: &'a Path,
}

/// How a rule ended on a column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Clean,
    Found(u64),
    /// No row that it is about.
    NothingToCheck,
    /// Why; this blocks.
    DidNotRun(String),
}

/// One rule on one column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checked {
    pub rule: String,
    pub column: String,
    pub outcome: Outcome,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckReport {
    /// Mapped rows that were looked at.
    pub rows: u64,
    /// Parts of the findings dataset.
    pub parts: Vec<PartInfo>,
    /// By rule and column.
    pub found: Vec<FoundRows>,
    /// Every check and how it ended, by rule and column.
    pub checked: Vec<Checked>,
}

impl CheckReport {
    /// All findings.
    pub fn findings(&self) -> u64 {
        self.found.iter().map(|f| f.rows).sum()
    }
}

/// Checks one national table; writes its findings (at least one part).
///
/// # Errors
/// `VAL-…`, `DAT-…`, `ENG-…`, `DUR-001`.
pub fn check(engine: &Engine, of: &Check<'_>) -> Result<CheckReport, ValidateError> {
    durable::remove_dir_all(of.scratch)?;
    durable::create_dir_all(of.scratch)?;
    durable::remove_dir_all(of.findings)?;
    durable::create_dir_all(of.findings)?;
    let mut rows = 0;
    for part in of.branches.iter().flat_map(|b| &b.mapped) {
        rows += row_count(part)?;
    }
    let mut asked: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    let mut streamed = Vec::new();
    for branch in of.branches {
        let checks = column::checks(of, branch);
        asked.extend(checks.iter().flat_map(column::ColumnCheck::asked).map(|a| (a, None)));
        streamed.extend(column::stream(engine, of, branch, &checks)?);
    }
    let mut read_errors = Vec::new();
    for branch in of.branches {
        read_errors.extend(read_errors::found(engine, of, branch)?);
    }
    let mut keyed = Vec::new();
    if rows > 0 {
        keyed.extend(key::repeated(engine, of, &mut asked)?);
        keyed.extend(key::orphans(engine, of, &mut asked)?);
    }
    let (parts, found) = sink::sorted(engine, of, &streamed, &read_errors, &keyed)?;
    durable::remove_dir_all(of.scratch)?;
    let checked = outcomes(rows, asked, &found);
    Ok(CheckReport { rows, parts, found, checked })
}

fn outcomes(
    rows: u64,
    asked: BTreeMap<(String, String), Option<String>>,
    found: &[FoundRows],
) -> Vec<Checked> {
    let mut all = asked;
    for f in found {
        all.entry((f.rule.clone(), f.column.clone())).or_default();
    }
    let outcome = |rule: &str, column: &str, hindered: Option<String>| {
        let hits: u64 = found.iter().filter(|f| f.rule == rule && f.column == column).map(|f| f.rows).sum();
        match hindered {
            Some(why) => Outcome::DidNotRun(why),
            None if hits > 0 => Outcome::Found(hits),
            None if rows == 0 => Outcome::NothingToCheck,
            None => Outcome::Clean,
        }
    };
    all.into_iter()
        .map(|((rule, column), hindered)| {
            let outcome = outcome(&rule, &column, hindered);
            Checked { rule, column, outcome }
        })
        .collect()
}
