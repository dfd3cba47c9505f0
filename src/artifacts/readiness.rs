//! Whether a run is fit for cutover: criteria, each with what was found, what is wanted, and the digest of its evidence.
//!
//! Always: texts are numbers, codes and names, the same in every language; what a criterion is called stands in report/labels.toml.
//! A criterion that could not be judged is not fulfilled.

use serde::{Deserialize, Serialize};

use super::{Coverage, FindingRow, LegacyDisposition, Reconciliation, Rehearsal, Summary};

/// How a criterion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Fulfilled.
    Green,
    /// Not judged, or fulfilled with what somebody has to look at.
    Amber,
    /// Not fulfilled.
    Red,
}

impl Light {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    fn of(fulfilled: bool) -> Self {
        if fulfilled { Self::Green } else { Self::Red }
    }
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// `unexplained`, `blocking`, …
    pub id: String,
    pub light: Light,
    pub found: String,
    pub wanted: String,
    /// SHA-256 of what it was judged by; empty where it is judged on the page only.
    #[serde(default)]
    pub evidence: String,
}

impl Criterion {
    /// A criterion that is fulfilled, or not.
    pub fn judged(id: &str, fulfilled: bool, found: String, wanted: String) -> Self {
        Self { id: id.to_owned(), light: Light::of(fulfilled), found, wanted, evidence: String::new() }
    }

    /// One that could not be judged.
    pub fn open(id: &str, found: String, wanted: String) -> Self {
        Self { id: id.to_owned(), light: Light::Amber, found, wanted, evidence: String::new() }
    }
}

/// What the documents of a run are measured by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Blocking findings that a rule may have; 0 where it is not named.
    pub blocking: std::collections::BTreeMap<String, u64>,
    /// Legacy columns and tables that nobody decided about.
    pub undecided_max: u64,
    /// Rows with codes that are not mapped.
    pub unmapped_rows_max: u64,
    /// Amounts that nothing stands against.
    pub not_checked_max: u64,
}

/// The criteria that a run's own documents answer.
pub fn of_documents(
    summary: &Summary,
    reconciliation: &Reconciliation,
    coverage: &Coverage,
    rehearsal: Option<&Rehearsal>,
    limits: &DocumentLimits,
) -> Vec<Criterion> {
    let totals = reconciliation.totals;
    let zero = || "0".to_owned();
    let unexplained = totals.unexplained_rows == 0 && totals.unexplained_fen == 0;
    let found = format!("{} / {}", totals.unexplained_rows, totals.unexplained_fen);
    let blocked = summary.blocked_by.len();
    let reopened = summary.rounds.last().map_or(0, |r| r.total().reopened);
    let rehearsed = match rehearsal {
        Some(r) if r.server.is_some() => {
            Criterion::judged("rehearsed", !r.blocked, r.verdict().to_owned(), "passed".to_owned())
        }
        Some(r) if r.blocked => {
            Criterion::judged("rehearsed", false, r.verdict().to_owned(), "passed".to_owned())
        }
        Some(r) => Criterion::open("rehearsed", r.verdict().to_owned(), "passed".to_owned()),
        None => Criterion::judged("rehearsed", false, "none".to_owned(), "passed".to_owned()),
    };
    let not_checked = summary.not_checked.len();
    let wanted = format!("≤ {}", limits.not_checked_max);
    let not_checked = match not_checked as u64 <= limits.not_checked_max {
        true => Criterion::judged("not_checked", true, not_checked.to_string(), wanted),
        false => Criterion::open("not_checked", not_checked.to_string(), wanted),
    };
    vec![
        Criterion::judged("unexplained", unexplained, found, "0 / 0".to_owned()),
        Criterion::judged("blocked", blocked == 0, blocked.to_string(), zero()),
        blocking(&summary.findings, limits),
        covered(coverage, limits),
        not_checked,
        Criterion::judged("reopened", reopened == 0, reopened.to_string(), zero()),
        rehearsed,
    ]
}

/// Findings that keep rows out, rule by rule against what the rule may have.
fn blocking(findings: &[FindingRow], limits: &DocumentLimits) -> Criterion {
    let mut rules: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for finding in findings.iter().filter(|f| f.gate == "block") {
        *rules.entry(&finding.rule).or_default() += finding.rows;
    }
    let allowed = |rule: &str| limits.blocking.get(rule).copied().unwrap_or(0);
    let over: Vec<String> = rules
        .iter()
        .filter(|(rule, rows)| **rows > allowed(rule))
        .map(|(rule, rows)| format!("{rule} {rows} > {}", allowed(rule)))
        .collect();
    let found = if over.is_empty() { rules.values().sum::<u64>().to_string() } else { over.join("; ") };
    let wanted = match limits.blocking.is_empty() {
        true => "0".to_owned(),
        false => limits.blocking.iter().map(|(r, n)| format!("{r} ≤ {n}")).collect::<Vec<_>>().join("; "),
    };
    Criterion::judged("blocking", over.is_empty(), found, wanted)
}

/// Legacy columns that nobody decided about, and rows with codes that are not mapped.
fn covered(coverage: &Coverage, limits: &DocumentLimits) -> Criterion {
    let columns = coverage.legacy.iter().filter(|t| t.read_by.is_some()).flat_map(|t| &t.columns);
    let undecided = columns.filter(|c| c.disposition == LegacyDisposition::Unmapped).count() as u64;
    let tables = coverage.legacy.iter().filter(|t| t.read_by.is_none() && t.ignored.is_none()).count() as u64;
    let undecided = undecided + tables;
    let rows: u64 = coverage.codes.iter().map(|c| c.unmapped.rows).sum();
    let fits = undecided <= limits.undecided_max && rows <= limits.unmapped_rows_max;
    let wanted = format!("≤ {} / ≤ {}", limits.undecided_max, limits.unmapped_rows_max);
    Criterion::judged("coverage", fits, format!("{undecided} / {rows}"), wanted)
}
