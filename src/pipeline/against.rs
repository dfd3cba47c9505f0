//! What changed between two finished runs: rows and money by national table, insurance and disposition, and findings by rule.
//!
//! Always: from what each run counted, not from what its documents say; only what differs is told.

use std::collections::BTreeMap;

use super::RunError;
use super::finished::{Finished, measures};
use crate::measures::{boundary, side};

/// What changed from one run to a later one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Against {
    pub before: String,
    pub after: String,
    /// Rows and fen of dispositions that differ.
    pub sums: Vec<SumChange>,
    /// Findings of the structural check that differ.
    pub findings: Vec<FindingChange>,
}

/// Rows or fen of one cell in both runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FindingChange {
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub table: String,
    pub column: String,
    pub before: u64,
    pub after: u64,
}

/// Compares a run with an earlier one.
///
/// # Errors
/// `DAT-…`, `MEA-…`.
pub fn against(before: &Finished, after: &Finished) -> Result<Against, RunError> {
    let mut sums: BTreeMap<[String; 4], [i128; 2]> = BTreeMap::new();
    for (at, run) in [before, after].into_iter().enumerate() {
        for m in measures(&run.dir)? {
            if m.boundary == boundary::MAPPED_DISPOSITIONS && m.side == side::DISPOSITIONS {
                // `added:` and `changed:` say why sums differ from the mapped ones; they are no dispositions.
                let disposition = match m.bucket.as_str() {
                    "" => "accepted".to_owned(),
                    reason if reason.contains(':') => continue,
                    other => other.to_owned(),
                };
                sums.entry([m.table, m.measure, m.insurance, disposition]).or_default()[at] += m.value;
            }
        }
    }
    let differs = sums.into_iter().filter(|(_, [before, after])| before != after);
    let sums = differs.map(|([table, measure, insurance, disposition], [before, after])| SumChange {
        table,
        measure,
        insurance,
        disposition,
        before,
        after,
    });
    Ok(Against {
        before: before.id.to_string(),
        after: after.id.to_string(),
        sums: sums.collect(),
        findings: findings(before, after),
    })
}

fn findings(before: &Finished, after: &Finished) -> Vec<FindingChange> {
    let mut all: BTreeMap<[String; 3], FindingChange> = BTreeMap::new();
    for (is_after, run) in [(false, before), (true, after)] {
        let of_check =
            run.summary.findings.iter().map(|f| {
                ([f.table.clone(), f.rule.clone(), f.column.clone()], &f.title_zh, &f.title_en, f.rows)
            });
        let of_rules = run.summary.cleaning.iter().map(|c| {
            let open = c.proposed + c.to_verify + c.to_province;
            ([c.table.clone(), c.rule.clone(), String::new()], &c.title_zh, &c.title_en, open)
        });
        for (key, zh, en, rows) in of_check.chain(of_rules) {
            let [table, rule, column] = key.clone();
            let one = all.entry(key).or_insert_with(|| FindingChange {
                rule,
                title_zh: zh.clone(),
                title_en: en.clone(),
                table,
                column,
                before: 0,
                after: 0,
            });
            let side = if is_after { &mut one.after } else { &mut one.before };
            *side += rows;
        }
    }
    all.into_values().filter(|f| f.before != f.after).collect()
}
