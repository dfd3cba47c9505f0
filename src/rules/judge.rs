//! What becomes of each line that rules found: repaired, proposed, for a department, for the province, or counted.
//!
//! Always: only A0, and proposals that are approved, change anything; a field is changed once an item.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use xxhash_rust::xxh3::xxh3_128;

use super::apply::Change;
use super::fault::RuleError;
use super::file::Rule;
use super::kind::{Effect, Outcome, Repair};
use super::lines::found_schema;
use super::run::{Approval, CleanItem, proposal_id};

/// The changes of an item so far: fields that are taken, and what they become, by table.
#[derive(Default)]
pub(super) struct ItemChanges {
    cells: HashSet<u128>,
    pub(super) by_table: BTreeMap<String, Vec<Change>>,
}

/// Judges the lines of one rule over one table, in order.
pub(super) struct Judge<'j> {
    pub(super) of: &'j CleanItem<'j>,
    pub(super) files: &'j [&'j Rule],
    pub(super) changes: &'j mut ItemChanges,
    /// The place of the line before.
    pub(super) last: Option<[String; 4]>,
    pub(super) outcomes: BTreeMap<Outcome, u64>,
}

/// The columns of a batch of lines that decide.
struct Columns {
    file: StringArray,
    key: StringArray,
    source: StringArray,
    skey: StringArray,
    column: StringArray,
    repair: StringArray,
    before: StringArray,
    after: StringArray,
    evidence: StringArray,
}

fn value(of: &StringArray, row: usize) -> Option<&str> {
    of.is_valid(row).then(|| of.value(row))
}

impl Judge<'_> {
    /// The lines with their outcome; those about what the city does not have at all are left out, unless a rule has a value for it.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, RuleError> {
        let lines = self.columns(batch)?;
        let (mut said, mut kept) =
            (Vec::with_capacity(batch.num_rows()), Vec::with_capacity(batch.num_rows()));
        for row in 0..batch.num_rows() {
            let outcome = self.line(&lines, row)?;
            // A value that a rule has, or proposes, is worth a line whatever the city lacks.
            let filled =
                outcome == Outcome::Repaired || (outcome == Outcome::Proposed && lines.after.is_valid(row));
            let told = filled || lines.before.is_valid(row) || !self.is_unfilled(&lines, row);
            if told {
                *self.outcomes.entry(outcome).or_default() += 1;
            }
            kept.push(told);
            said.push(outcome.text());
        }
        let mut arrays: Vec<ArrayRef> = batch.columns().to_vec();
        arrays.pop();
        arrays.push(Arc::new(StringArray::from(said)));
        let whole = RecordBatch::try_new(found_schema(), arrays);
        let told = whole.and_then(|whole| filter_record_batch(&whole, &BooleanArray::from(kept)));
        told.map_err(|e| self.impossible(&e.to_string()))
    }

    fn columns(&self, batch: &RecordBatch) -> Result<Columns, RuleError> {
        let text = |name: &str| -> Result<StringArray, RuleError> {
            let found = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
            Ok(found.ok_or_else(|| self.impossible(&format!("no column {name}")))?.clone())
        };
        Ok(Columns {
            file: text("file")?,
            key: text("_key")?,
            source: text("_source")?,
            skey: text("_skey")?,
            column: text("column")?,
            repair: text("repair")?,
            before: text("before")?,
            after: text("after")?,
            evidence: text("evidence")?,
        })
    }

    fn is_unfilled(&self, lines: &Columns, row: usize) -> bool {
        let table = self.files[0].table.clone();
        let unfilled = self.of.unfilled.get(&(table, lines.source.value(row).to_owned()));
        unfilled.is_some_and(|u| u.contains(lines.column.value(row)))
    }

    fn line(&mut self, lines: &Columns, row: usize) -> Result<Outcome, RuleError> {
        let rule =
            self.files.iter().find(|r| r.name == lines.file.value(row)).copied().unwrap_or(self.files[0]);
        let here = [
            lines.key.value(row),
            lines.source.value(row),
            value(&lines.skey, row).unwrap_or_default(),
            lines.column.value(row),
        ]
        .map(str::to_owned);
        if rule.effect != Effect::Add && self.last.as_ref() == Some(&here) {
            let key = here[0].clone();
            return Err(RuleError::Twice { rule: rule.name.clone(), table: rule.table.clone(), key });
        }
        let repair = Repair::named(lines.repair.value(row)).ok_or_else(|| {
            self.impossible(&format!("{} gives the repair level {}", rule.name, lines.repair.value(row)))
        })?;
        let approval = approval(self.of, rule, repair, lines, row);
        let applied = repair == Repair::Automatic || approval.is_some();
        let done = match rule.effect {
            Effect::Change => {
                applied && lines.after.is_valid(row) && self.changes.cells.insert(cell(&rule.table, &here))
            }
            Effect::Exclude => applied,
            Effect::None | Effect::Add | Effect::Merge => false,
        };
        self.last = Some(here);
        if done && rule.effect == Effect::Change {
            let change = change(rule, repair, approval, lines, row);
            self.changes.by_table.entry(rule.table.clone()).or_default().push(change);
        }
        Ok(match repair {
            _ if done => Outcome::Repaired,
            // An assertion (effect none) that is broken is looked at by people.
            Repair::Automatic if rule.effect == Effect::None => Outcome::ToVerify,
            Repair::Automatic | Repair::Proposed => Outcome::Proposed,
            Repair::Verified => Outcome::ToVerify,
            Repair::Province => Outcome::ToProvince,
            Repair::Never => Outcome::Noted,
        })
    }

    fn impossible(&self, what: &str) -> RuleError {
        RuleError::Unrecorded {
            item: self.of.item,
            table: self.files[0].table.clone(),
            what: what.to_owned(),
        }
    }
}

/// Who approved what a line proposes.
fn approval<'a>(
    of: &'a CleanItem<'_>,
    rule: &Rule,
    repair: Repair,
    lines: &Columns,
    row: usize,
) -> Option<&'a Approval> {
    if repair != Repair::Proposed || of.approved.is_empty() {
        return None;
    }
    let (before, after) = (value(&lines.before, row), value(&lines.after, row));
    let (key, column) = (lines.key.value(row), lines.column.value(row));
    of.approved.get(&proposal_id(&rule.id, &rule.table, key, column, before, after))
}

fn change(rule: &Rule, level: Repair, approval: Option<&Approval>, lines: &Columns, row: usize) -> Change {
    let owned = |of: &StringArray| value(of, row).map(str::to_owned);
    Change {
        rule: rule.id.clone(),
        key: lines.key.value(row).to_owned(),
        source: lines.source.value(row).to_owned(),
        skey: owned(&lines.skey),
        column: lines.column.value(row).to_owned(),
        before: owned(&lines.before),
        after: owned(&lines.after).unwrap_or_default(),
        level,
        basis: rule.basis.clone(),
        evidence: owned(&lines.evidence),
        batch: approval.map(|a| a.batch.clone()),
        approver: approval.map(|a| a.approver.clone()),
    }
}

/// The digest of a field of a row: table, key, source, legacy key, column.
fn cell(table: &str, here: &[String; 4]) -> u128 {
    xxh3_128([table, &here[0], &here[1], &here[2], &here[3]].join("\u{1f}").as_bytes())
}
