//! What becomes of each line that rules found: repaired, proposed, for a department, for the province, or counted.
//!
//! Always: only A0, and proposals that are approved, change anything; a field is changed once an item, a key added once, a row merged once. What
//! cannot be applied stays proposed.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use datafusion::execution::memory_pool::MemoryReservation;
use xxhash_rust::xxh3::xxh3_128;

use super::add::{self, Added};
use super::apply::Change;
use super::external::provenance;
use super::fault::RuleError;
use super::file::Rule;
use super::kind::{Effect, Outcome, Repair};
use super::lines::found_schema;
use super::merge::Merges;
use super::run::{Approval, CleanItem, proposal_id};
use crate::engine::Engine;
use crate::phrase;

/// The changes of an item so far: fields that are taken, and what they become, by table. What they take is reserved in the pool.
pub(super) struct ItemChanges {
    held: MemoryReservation,
    cells: HashSet<u128>,
    pub(super) by_table: BTreeMap<String, Vec<Change>>,
    /// Keys of rows that are added.
    keys: HashSet<u128>,
    /// By the table that they are added to.
    pub(super) added: BTreeMap<String, Vec<Added>>,
    /// By the table whose rows are merged.
    pub(super) merges: BTreeMap<String, Merges>,
}

/// What a key of a set takes, about.
const KEY_BYTES: usize = 40;

impl ItemChanges {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            held: engine.reservation("changes"),
            cells: HashSet::new(),
            by_table: BTreeMap::new(),
            keys: HashSet::new(),
            added: BTreeMap::new(),
            merges: BTreeMap::new(),
        }
    }

    /// Fields that people corrected are theirs: what rules have for them stays proposed.
    pub(super) fn take_corrected(
        &mut self,
        of: &CleanItem<'_>,
        records: &BTreeMap<String, Vec<Change>>,
    ) -> Result<(), RuleError> {
        for (table, changes) in records {
            self.hold(of, changes)?;
            self.cells.extend(changes.iter().map(|c| {
                let skey = c.skey.clone().unwrap_or_default();
                cell(table, &[c.key.clone(), c.source.clone(), skey, c.column.clone()])
            }));
        }
        Ok(())
    }

    /// Whether a field (key, source, legacy key, column) is taken: corrected by people, or changed before.
    pub(super) fn has(&self, table: &str, field: [&str; 4]) -> bool {
        self.cells.contains(&cell(table, &field.map(str::to_owned)))
    }

    /// Takes a change of a field, unless the field is taken.
    pub(super) fn take(
        &mut self,
        of: &CleanItem<'_>,
        table: &str,
        change: Change,
    ) -> Result<bool, RuleError> {
        let skey = change.skey.clone().unwrap_or_default();
        let here = [change.key.clone(), change.source.clone(), skey, change.column.clone()];
        let free = self.cells.insert(cell(table, &here));
        if free {
            self.hold(of, [&change])?;
            self.by_table.entry(table.to_owned()).or_default().push(change);
        }
        Ok(free)
    }

    /// Makes room for some changes.
    pub(super) fn hold<'c>(
        &mut self,
        of: &CleanItem<'_>,
        changes: impl IntoIterator<Item = &'c Change>,
    ) -> Result<(), RuleError> {
        let bytes = changes.into_iter().map(|c| c.bytes() + KEY_BYTES).sum();
        let what = || phrase!("work.changes", item = of.item.text());
        self.held.try_grow(bytes).map_err(|e| of.engine.error(what(), e).into())
    }
}

/// Judges lines in order, those of one rule over one table after those of another.
pub(super) struct Judge<'j> {
    pub(super) of: &'j CleanItem<'j>,
    /// Of the rule and table at hand.
    pub(super) files: &'j [&'j Rule],
    pub(super) changes: &'j mut ItemChanges,
    /// Keys (digests) that stand in the tables that rows are added to, or merged in.
    pub(super) known: HashSet<u128>,
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
    after_key: StringArray,
    evidence: StringArray,
}

fn value(of: &StringArray, row: usize) -> Option<&str> {
    of.is_valid(row).then(|| of.value(row))
}

impl<'j> Judge<'j> {
    /// Goes on to another rule and table.
    pub(super) fn begin(&mut self, files: &'j [&'j Rule]) {
        self.files = files;
        self.last = None;
        self.outcomes.clear();
    }

    /// The record of a change; what stands on outside data names its file.
    fn change(
        &self,
        rule: &Rule,
        level: Repair,
        approval: Option<&Approval>,
        lines: &Columns,
        row: usize,
    ) -> Change {
        let owned = |of: &StringArray| value(of, row).map(str::to_owned);
        let said = approval.and_then(|a| a.evidence.clone()).or_else(|| owned(&lines.evidence));
        let from = provenance(self.of.externals, &rule.needs);
        let evidence: Vec<String> = said.into_iter().chain(from).collect();
        Change {
            rule: rule.id.clone(),
            key: lines.key.value(row).to_owned(),
            source: lines.source.value(row).to_owned(),
            skey: owned(&lines.skey),
            column: lines.column.value(row).to_owned(),
            before: owned(&lines.before),
            after: lines.proposed(rule, row).after.unwrap_or_default().to_owned(),
            level,
            basis: rule.basis.clone(),
            evidence: (!evidence.is_empty()).then(|| evidence.join("；")),
            batch: approval.map(|a| a.batch.clone()),
            handler: approval.and_then(|a| a.handler.clone()),
            reviewer: approval.and_then(|a| a.reviewer.clone()),
            approver: approval.map(|a| a.approver.clone()),
        }
    }

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
            after_key: text("after_key")?,
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
        let of = self.of;
        let approval = approval(of, rule, repair, &lines.proposed(rule, row));
        let applied = repair == Repair::Automatic || approval.is_some();
        let done = match rule.effect {
            Effect::Change => {
                applied && lines.after.is_valid(row) && {
                    let change = self.change(rule, repair, approval, lines, row);
                    self.changes.take(of, &rule.table, change)?
                }
            }
            Effect::Exclude => applied,
            Effect::Add => applied && self.adds(rule, self.change(rule, repair, approval, lines, row))?,
            Effect::Merge => applied && self.merges(rule, self.change(rule, repair, approval, lines, row))?,
            Effect::None => false,
        };
        self.last = Some(here);
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

    /// Takes a row that is added; false where its key is there already, or has an empty part.
    fn adds(&mut self, rule: &Rule, by: Change) -> Result<bool, RuleError> {
        let Some(table) = rule.adds.as_deref().and_then(|t| self.of.national.table(t)) else {
            return Ok(false);
        };
        let values = add::values(&by.after);
        let Some(key) = add::key(table, &values) else { return Ok(false) };
        let digest = add::digest(&table.name, &key);
        if self.known.contains(&digest) || !self.changes.keys.insert(digest) {
            return Ok(false);
        }
        // Its values are there twice: as they were proposed, and by column.
        self.changes.hold(self.of, [&by, &by, &by])?;
        let record = Change {
            skey: Some(format!("{}/{}", rule.table, by.key)),
            source: format!("{}{}", add::BY_RULE, rule.id),
            key,
            column: "*".to_owned(),
            before: None,
            ..by
        };
        self.changes.added.entry(table.name.clone()).or_default().push(Added { record, values });
        Ok(true)
    }

    /// Takes a merge; false where the survivor is not there, or the donor goes elsewhere already. `by` has its key as `after`.
    fn merges(&mut self, rule: &Rule, by: Change) -> Result<bool, RuleError> {
        let survivor = by.after.clone();
        if !self.known.contains(&add::digest(&rule.table, &survivor)) {
            return Ok(false);
        }
        self.changes.hold(self.of, [&by, &by])?;
        let record = Change { column: "*".to_owned(), before: Some(by.key.clone()), ..by };
        Ok(self.changes.merges.entry(rule.table.clone()).or_default().take(&survivor, record))
    }

    fn impossible(&self, what: &str) -> RuleError {
        RuleError::Unrecorded {
            item: self.of.item,
            table: self.files[0].table.clone(),
            what: what.to_owned(),
        }
    }
}

/// What a line proposes: key, column, before, after; of a merge `after` is the survivor's key.
struct Proposed<'l> {
    key: &'l str,
    column: &'l str,
    before: Option<&'l str>,
    after: Option<&'l str>,
}

impl Columns {
    fn proposed(&self, rule: &Rule, row: usize) -> Proposed<'_> {
        let after = if rule.effect == Effect::Merge { &self.after_key } else { &self.after };
        Proposed {
            key: self.key.value(row),
            column: self.column.value(row),
            before: value(&self.before, row),
            after: value(after, row),
        }
    }
}

/// Who approved what a line proposes.
fn approval<'a>(
    of: &'a CleanItem<'_>,
    rule: &Rule,
    repair: Repair,
    line: &Proposed<'_>,
) -> Option<&'a Approval> {
    // What a department decides about a field is a correction, made before the rules look (correct.rs).
    let by_people = matches!(repair, Repair::Verified | Repair::Province);
    let decided = by_people && rule.effect != Effect::Change;
    if !(repair == Repair::Proposed || decided) || of.approved.is_empty() {
        return None;
    }
    of.approved.get(&proposal_id(&rule.id, &rule.table, line.key, line.column, line.before, line.after))
}

/// Of the keys that lines would add, or merge rows into, those that stand in their table.
pub(super) fn known_keys(
    of: &CleanItem<'_>,
    files: &[&Rule],
    lines: &Path,
) -> Result<HashSet<u128>, RuleError> {
    let whole = |rule: &&&Rule| matches!(rule.effect, Effect::Add | Effect::Merge);
    let files: BTreeMap<&str, &Rule> = files.iter().filter(whole).map(|r| (r.name.as_str(), *r)).collect();
    let mut wanted: BTreeMap<&str, HashSet<u128>> = BTreeMap::new();
    if files.is_empty() {
        return Ok(HashSet::new());
    }
    for batch in crate::dataset::read_columns(lines, &["file", "after", "after_key"].map(str::to_owned))? {
        let batch = batch?;
        let of_line = |name: &str, row: usize| {
            let text = batch.column_by_name(name)?.as_string_opt::<i32>()?;
            text.is_valid(row).then(|| text.value(row))
        };
        for row in 0..batch.num_rows() {
            let Some(rule) = of_line("file", row).and_then(|file| files.get(file)) else { continue };
            let (table, key) = match &rule.adds {
                None => (rule.table.as_str(), of_line("after_key", row).map(str::to_owned)),
                Some(to) => {
                    let Some(to) = of.national.table(to) else { continue };
                    let values = of_line("after", row).map(add::values).unwrap_or_default();
                    (to.name.as_str(), add::key(to, &values))
                }
            };
            wanted.entry(table).or_default().extend(key.map(|key| add::digest(table, &key)));
        }
    }
    let mut found = HashSet::new();
    for (table, keys) in &wanted {
        found.extend(add::present(of, table, keys)?);
    }
    Ok(found)
}

/// The digest of a field of a row: table, key, source, legacy key, column.
fn cell(table: &str, here: &[String; 4]) -> u128 {
    xxh3_128([table, &here[0], &here[1], &here[2], &here[3]].join("\u{1f}").as_bytes())
}
