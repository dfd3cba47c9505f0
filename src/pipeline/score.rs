//! How a run's rules did on a generated city: what they found beside the truth that the fixture wrote (docs/rules.md).
//!
//! Always: a finding and a line of the truth meet in rule, legacy table and legacy key. A row made of several legacy rows has no key of
//! its own: it stands for all of them (lineage). Found is what is open and what was repaired, without the filling of columns that the
//! legacy table never had. Whole numbers only; nothing is rounded.
//! Must not know: how the fixture plants a defect.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch};
use serde::Serialize;

use super::RunError;
use super::finished::Finished;
use super::listing::{cell, each};
use crate::dataset::{DatasetError, left_parts, read_columns};
use crate::folder;
use crate::rules::{Item, Outcome};

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

/// Legacy rows that the truth names for a rule, each with its choices: of the rows of one choice any may be found; under no name the row
/// itself must be.
type Planted = BTreeMap<LegacyRow, BTreeSet<String>>;
/// By rule: found rows with their legacy rows.
type Found = BTreeMap<String, BTreeMap<Row, BTreeSet<LegacyRow>>>;

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
    let mends = mended(of)?;
    let mut planted: BTreeMap<String, Planted> = BTreeMap::new();
    each(vec![truth.to_owned()], |batch, row| {
        let text = |name: &str| cell(batch, name, row).unwrap_or_default();
        let legacy = LegacyRow { table: text("source_table"), key: text("source_key") };
        let mended = (text("national_table"), text("column"), legacy.clone());
        // What follows the work of people is nothing that was planted.
        if text("kind") == "follows" || text("kind") == "structural" && mends.contains(&mended) {
            return;
        }
        planted.entry(text("rule")).or_default().entry(legacy).or_default().insert(text("choice"));
    })?;
    let mut found = found(of)?;
    for rule in planted.keys().chain(found.keys()) {
        all.entry(rule.clone()).or_default();
    }
    let none = Planted::new();
    for (rule, score) in &mut all {
        rule.clone_into(&mut score.rule);
        let planted = planted.get(rule).unwrap_or(&none);
        compare(score, planted, found.remove(rule).unwrap_or_default());
    }
    Ok(all.into_values().collect())
}

fn compare(score: &mut RuleScore, planted: &Planted, found: BTreeMap<Row, BTreeSet<LegacyRow>>) {
    let choices: BTreeSet<&String> = planted.values().flatten().filter(|c| !c.is_empty()).collect();
    let single = planted.values().filter(|c| c.contains("")).count();
    score.planted = (single + choices.len()) as u64;
    score.found = found.len() as u64;
    let mut met: BTreeSet<&LegacyRow> = BTreeSet::new();
    for ((table, key), legacy) in &found {
        let hits: Vec<&LegacyRow> = legacy.iter().filter(|l| planted.contains_key(l)).collect();
        if hits.is_empty() {
            let from = legacy.first().cloned();
            score.beside.push(FoundRow { table: table.clone(), key: key.clone(), from });
        } else {
            score.right += 1;
        }
        met.extend(hits);
    }
    let chosen: BTreeSet<&String> =
        met.iter().filter_map(|l| planted.get(l)).flatten().filter(|c| !c.is_empty()).collect();
    let mut open: BTreeSet<&String> = choices.difference(&chosen).copied().collect();
    for (row, names) in planted {
        let alone = names.contains("") && !met.contains(row);
        // Of a choice that was not met the first row stands for all.
        let first = names.iter().filter(|name| open.remove(name)).count() > 0;
        if alone || first {
            score.missed.push(row.clone());
        }
    }
}

/// Empty fields that a rule has filled: what the structural check would have said of them is gone.
fn mended(of: &Finished) -> Result<HashSet<(String, String, LegacyRow)>, RunError> {
    let mut all = HashSet::new();
    for item in Item::ALL {
        each(left_parts(&of.dir.found(item.text()))?, |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            if text("outcome") == Outcome::Repaired.text() && cell(batch, "before", row).is_none() {
                let legacy = LegacyRow { table: text("_source"), key: text("_skey") };
                all.insert((text("table"), text("column"), legacy));
            }
        })?;
    }
    Ok(all)
}

/// A column of the rows of a national table that come from one legacy table.
type Place = (String, String, String);

/// Every row that is open, or was repaired, with its legacy rows.
fn found(of: &Finished) -> Result<Found, RunError> {
    let (mut repaired, mut open) = (Vec::new(), Vec::new());
    for item in Item::ALL {
        repaired.extend(left_parts(&of.dir.found(item.text()))?);
    }
    for table in &of.summary.tables {
        open.extend(left_parts(&of.dir.findings(&table.table))?);
        open.extend(left_parts(&of.dir.open_findings(&table.table))?);
    }
    let filled = |batch: &RecordBatch, row: usize| {
        let text = |name: &str| cell(batch, name, row);
        let repaired = text("outcome").as_deref() == Some(Outcome::Repaired.text());
        let place = (text("table")?, text("_source")?, text("column")?);
        (repaired && text("before").is_none()).then_some(place)
    };
    let mut places: BTreeSet<Place> = BTreeSet::new();
    each(repaired.clone(), |batch, row| places.extend(filled(batch, row)))?;
    let never = never_kept(of, places)?;
    let mut all = Found::new();
    let mut without: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    each(open.into_iter().chain(repaired).collect(), |batch, row| {
        let text = |name: &str| cell(batch, name, row).unwrap_or_default();
        let outcome = cell(batch, "outcome", row);
        let is_open = outcome.is_none();
        let is_repaired = outcome.as_deref() == Some(Outcome::Repaired.text());
        if !is_open && (!is_repaired || filled(batch, row).is_some_and(|place| never.contains(&place))) {
            return;
        }
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

/// Of some columns those that no mapped row of their legacy table has a value for.
fn never_kept(of: &Finished, places: BTreeSet<Place>) -> Result<BTreeSet<Place>, RunError> {
    let mut never = places;
    let tables: BTreeSet<String> = never.iter().map(|(table, _, _)| table.clone()).collect();
    for table in tables {
        each(mapped(of, "mapped", &table)?, |batch, row| {
            let Some(source) = cell(batch, "_source", row) else { return };
            never.retain(|(t, s, column)| {
                *t != table || *s != source || batch.column_by_name(column).is_none_or(|c| c.is_null(row))
            });
        })?;
    }
    Ok(never)
}

/// The parts of every branch of a national table.
fn mapped(of: &Finished, stage: &str, table: &str) -> Result<Vec<PathBuf>, RunError> {
    let dir = of.dir.path().join(stage).join(table);
    let listing = |source| DatasetError::Listing { dir: dir.display().to_string(), source };
    let mut parts = Vec::new();
    for branch in folder::entries(&dir).map_err(listing)? {
        parts.extend(left_parts(&branch)?);
    }
    Ok(parts)
}

/// The legacy rows of some rows of a national table: their own, or those of the lineage.
fn origins(
    of: &Finished,
    table: &str,
    wanted: &HashSet<String>,
) -> Result<HashMap<String, Vec<LegacyRow>>, RunError> {
    let mut parts = mapped(of, "mapped", table)?;
    parts.extend(mapped(of, "lineage", table)?);
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
