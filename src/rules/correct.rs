//! What people have corrected, before the rules of its item look (RULES 3): decisions that were reviewed and approved → fields with another value.
//!
//! Always: a correction is made only where the value that it was decided about still stands; any other is left, and counted as stale. A field is
//! corrected once. Parts are compared as after every change (apply.rs).
//! Must not know: how people decide.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::apply::{self, Change, Replaced, place};
use super::fault::RuleError;
use super::file::Rule;
use super::kind::Repair;
use super::reasons::Reasons;
use super::run::{Approval, CleanItem};
use crate::dataset::{PartInfo, read_columns};

/// One field of one row that people say holds another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The rule that it answers.
    pub rule: String,
    pub table: String,
    pub key: String,
    pub source: String,
    pub skey: Option<String>,
    pub column: String,
    /// The value that it was decided about.
    pub before: Option<String>,
    pub after: String,
    pub by: Approval,
}

/// What the corrections of an item came to.
pub(super) struct Corrected {
    /// Every table as the rules see it.
    pub(super) tables: BTreeMap<String, Vec<PartInfo>>,
    pub(super) replaced: Vec<Replaced>,
    /// One a field, by table.
    pub(super) records: BTreeMap<String, Vec<Change>>,
    /// Corrections that are about a value, or a row, that is not there any more.
    pub(super) stale: u64,
}

impl Corrected {
    pub(super) fn fields(&self) -> u64 {
        self.records.values().map(|r| r.len() as u64).sum()
    }
}

/// Makes the corrections of an item.
pub(super) fn correct(of: &CleanItem<'_>, reasons: &mut Reasons) -> Result<Corrected, RuleError> {
    let mut done =
        Corrected { tables: of.tables.clone(), replaced: Vec::new(), records: BTreeMap::new(), stale: 0 };
    let mut by_table: BTreeMap<&str, Vec<(&Correction, &Rule)>> = BTreeMap::new();
    for correction in of.corrections {
        let answers = |r: &&Rule| r.id == correction.rule && r.table == correction.table;
        if let Some(rule) = of.book.of(of.item).find(answers) {
            by_table.entry(&correction.table).or_default().push((correction, rule));
        }
    }
    for (table, corrections) in by_table {
        let (mut changes, stale) = standing(of, table, &corrections)?;
        done.stale += stale;
        if changes.is_empty() {
            continue;
        }
        let folder = of.to.cleaned.join(table).join("corrected");
        let replaced = apply::rewrite(of, table, &mut changes, &folder, reasons)?;
        for part in done.tables.get_mut(table).into_iter().flatten() {
            if let Some(new) = replaced.iter().find(|r| r.from == part.path) {
                *part = new.to.clone();
            }
        }
        done.replaced.extend(replaced);
        done.records.insert(table.to_owned(), changes);
    }
    Ok(done)
}

/// Of some corrections those whose value before stands, as changes; and how many stand no more. What holds the corrected value already is neither.
fn standing(
    of: &CleanItem<'_>,
    table: &str,
    corrections: &[(&Correction, &Rule)],
) -> Result<(Vec<Change>, u64), RuleError> {
    let mut rows: HashMap<u128, Vec<usize>> = HashMap::new();
    let mut columns = ["_key", "_source", "_skey"].map(str::to_owned).to_vec();
    for (at, (c, _)) in corrections.iter().enumerate() {
        rows.entry(place(&c.key, &c.source, c.skey.as_deref())).or_default().push(at);
        let known = of.national.table(table).is_some_and(|t| t.column(&c.column).is_some());
        if known && !columns.contains(&c.column) {
            columns.push(c.column.clone());
        }
    }
    let (mut found, mut seen): (Vec<(usize, Change)>, Vec<u32>) = (Vec::new(), vec![0; corrections.len()]);
    for part in of.tables.get(table).into_iter().flatten() {
        for batch in read_columns(&part.path, &columns)? {
            let batch = batch?;
            let text = |name: &str| -> Option<StringArray> {
                let values = cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?;
                values.as_string_opt::<i32>().cloned()
            };
            let (Some(keys), Some(sources), Some(skeys)) = (text("_key"), text("_source"), text("_skey"))
            else {
                continue;
            };
            let values: BTreeMap<&String, StringArray> =
                columns.iter().skip(3).filter_map(|c| Some((c, text(c)?))).collect();
            for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
                let skey = skeys.is_valid(row).then(|| skeys.value(row));
                let here = rows.get(&place(keys.value(row), sources.value(row), skey));
                for at in here.into_iter().flatten() {
                    let (correction, rule) = corrections[*at];
                    let Some(values) = values.get(&correction.column) else { continue };
                    let now = values.is_valid(row).then(|| values.value(row));
                    if now == Some(correction.after.as_str()) {
                        seen[*at] += 1;
                    } else if now == correction.before.as_deref() {
                        seen[*at] += 1;
                        found.push((*at, change(correction, rule)));
                    }
                }
            }
        }
    }
    // Of rows that nothing tells apart none was meant.
    let mut changes: Vec<Change> =
        found.into_iter().filter(|(at, _)| seen[*at] == 1).map(|(_, c)| c).collect();
    let place = |c: &Change| (c.key.clone(), c.source.clone(), c.skey.clone(), c.column.clone());
    changes.sort_by_cached_key(place);
    changes.dedup_by_key(|c| place(c));
    Ok((changes, seen.iter().filter(|n| **n != 1).count() as u64))
}

fn change(of: &Correction, rule: &Rule) -> Change {
    Change {
        rule: of.rule.clone(),
        key: of.key.clone(),
        source: of.source.clone(),
        skey: of.skey.clone(),
        column: of.column.clone(),
        before: of.before.clone(),
        after: of.after.clone(),
        level: Repair::Verified,
        basis: rule.basis.clone(),
        evidence: of.by.evidence.clone(),
        batch: Some(of.by.batch.clone()),
        handler: of.by.handler.clone(),
        reviewer: of.by.reviewer.clone(),
        approver: Some(of.by.approver.clone()),
    }
}
