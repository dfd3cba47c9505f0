//! How a run's rules did on a generated city: what they found beside the truth that the fixture wrote (docs/rules.md).
//!
//! Always: a finding and a line of the truth meet in rule, legacy table and legacy key. A row made of several legacy rows has no key of
//! its own: it stands for all of them (lineage). Whole numbers only; nothing is rounded.
//! Must not know: how the fixture plants a defect.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::RunError;
use super::finished::Finished;
use super::listing::{cell, each};
use crate::dataset::{DatasetError, left_parts, read_columns};
use crate::folder;
use crate::rules::Item;

/// A row of the source: legacy table (`ylbx.GRJBXX`) and key as `_skey` writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LegacyRow {
    pub table: String,
    pub key: String,
}

/// A row that a rule found: national table and key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FoundRow {
    pub table: String,
    pub key: String,
    /// The first of its legacy rows.
    pub from: Option<LegacyRow>,
}

/// One rule beside the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleScore {
    pub rule: String,
    /// It lacked outside data, wholly or in one of its files.
    pub did_not_run: bool,
    /// Legacy rows that the truth names.
    pub planted: u64,
    /// National rows that were found.
    pub found: u64,
    /// Of those found: one of their legacy rows is planted.
    pub right: u64,
    /// Planted and not found.
    pub missed: Vec<LegacyRow>,
    /// Found and not planted.
    pub beside: Vec<FoundRow>,
}

impl RuleScore {
    /// Nothing missed, nothing beside the truth.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missed.is_empty() && self.beside.is_empty()
    }
}

/// A found row: national table and key; where the row has no key, its legacy row stands for it.
type Row = (String, String);

/// Compares what a run found with the truth of its fixture; every rule that ran, found something or was planted, by name.
///
/// # Errors
/// `DAT-…`: a part or the truth cannot be read.
pub fn score(of: &Finished, truth: &Path) -> Result<Vec<RuleScore>, RunError> {
    let mut all: BTreeMap<String, RuleScore> = BTreeMap::new();
    for row in &of.summary.cleaning {
        let entry = all.entry(row.rule.clone()).or_default();
        entry.did_not_run |= row.ended == "did_not_run" || !row.without.is_empty();
    }
    let mut planted: BTreeMap<String, BTreeSet<LegacyRow>> = BTreeMap::new();
    each(vec![truth.to_owned()], |batch, row| {
        let text = |name: &str| cell(batch, name, row).unwrap_or_default();
        let legacy = LegacyRow { table: text("source_table"), key: text("source_key") };
        planted.entry(text("rule")).or_default().insert(legacy);
    })?;
    let mut found = found(of)?;
    for rule in planted.keys().chain(found.keys()) {
        all.entry(rule.clone()).or_default();
    }
    let none = BTreeSet::new();
    for (rule, score) in &mut all {
        rule.clone_into(&mut score.rule);
        let planted = planted.get(rule).unwrap_or(&none);
        compare(score, planted, found.remove(rule).unwrap_or_default());
    }
    Ok(all.into_values().collect())
}

fn compare(
    score: &mut RuleScore,
    planted: &BTreeSet<LegacyRow>,
    found: BTreeMap<Row, BTreeSet<LegacyRow>>,
) {
    score.planted = planted.len() as u64;
    score.found = found.len() as u64;
    let mut met: BTreeSet<&LegacyRow> = BTreeSet::new();
    for ((table, key), legacy) in &found {
        let hits: Vec<&LegacyRow> = legacy.iter().filter_map(|l| planted.get(l)).collect();
        if hits.is_empty() {
            let from = legacy.first().cloned();
            score.beside.push(FoundRow { table: table.clone(), key: key.clone(), from });
        } else {
            score.right += 1;
        }
        met.extend(hits);
    }
    score.missed = planted.iter().filter(|p| !met.contains(p)).cloned().collect();
}

/// By rule: every row that it found, repaired or not, with its legacy rows.
fn found(of: &Finished) -> Result<BTreeMap<String, BTreeMap<Row, BTreeSet<LegacyRow>>>, RunError> {
    let mut parts = Vec::new();
    for item in Item::ALL {
        parts.extend(left_parts(&of.dir.found(item.text()))?);
    }
    for table in &of.summary.tables {
        parts.extend(left_parts(&of.dir.findings(&table.table))?);
        parts.extend(left_parts(&of.dir.open_findings(&table.table))?);
    }
    let mut all: BTreeMap<String, BTreeMap<Row, BTreeSet<LegacyRow>>> = BTreeMap::new();
    let mut without: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    each(parts, |batch, row| {
        let text = |name: &str| cell(batch, name, row).unwrap_or_default();
        let (table, source) = (text("table"), text("_source"));
        // A row that a rule would add comes from no legacy row; its key is that of the row that shows the lack.
        let own = cell(batch, "_skey", row).filter(|_| !source.starts_with("rule:"));
        let key = cell(batch, "_key", row).or_else(|| own.clone()).unwrap_or_default();
        let legacy = all.entry(text("rule")).or_default().entry((table.clone(), key.clone())).or_default();
        match own {
            Some(skey) => {
                legacy.insert(LegacyRow { table: source, key: skey });
            }
            None => {
                without.entry(table).or_default().insert(key);
            }
        }
    })?;
    for (table, keys) in without {
        let origin = origins(of, &table, &keys)?;
        for rows in all.values_mut() {
            for ((_, key), legacy) in rows.iter_mut().filter(|((t, _), _)| *t == table) {
                legacy.extend(origin.get(key).into_iter().flatten().cloned());
            }
        }
    }
    Ok(all)
}

/// The legacy rows of some rows of a national table: their own, or those of the lineage.
fn origins(
    of: &Finished,
    table: &str,
    wanted: &HashSet<String>,
) -> Result<HashMap<String, Vec<LegacyRow>>, RunError> {
    let mut parts: Vec<PathBuf> = Vec::new();
    for stage in ["mapped", "lineage"] {
        let dir = of.dir.path().join(stage).join(table);
        let listing = |source| DatasetError::Listing { dir: dir.display().to_string(), source };
        for branch in folder::entries(&dir).map_err(listing)? {
            parts.extend(left_parts(&branch)?);
        }
    }
    let columns = ["_key", "_source", "_skey"].map(str::to_owned);
    let mut all: HashMap<String, Vec<LegacyRow>> = HashMap::new();
    for part in parts {
        for batch in read_columns(&part, &columns)? {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let text = |name: &str| cell(&batch, name, row);
                let (Some(key), Some(source), Some(skey)) = (text("_key"), text("_source"), text("_skey"))
                else {
                    continue;
                };
                if wanted.contains(&key) {
                    all.entry(key).or_default().push(LegacyRow { table: source, key: skey });
                }
            }
        }
    }
    Ok(all)
}
