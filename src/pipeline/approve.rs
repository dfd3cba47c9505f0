//! Batches of proposals: what waits for approval, who approves it, what is undone (RULES 3 and 6).
//!
//! Always: approvals are of proposals, which a later run finds again; nothing is approved whose raw, the backup before cleaning, does not
//! have its digests; who began the run does not approve it.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Decimal128Type;
use xxhash_rust::xxh3::xxh3_128;

use super::RunError;
use super::events::record_events;
use super::finished::Finished;
use super::listing::{cell, each, masked};
use super::paths::RunDir;
use super::worklist::{Said, SaidOf, field_of, in_force, left};
use crate::dataset::{left_parts, read_columns};
use crate::national::{Kind, National, Table};
use crate::raw;
use crate::rules::{Effect, Item, Outcome, Rule, RuleBook, proposal_id};
use crate::state::{NewBatch, RunId, State, batch_name};

/// So many proposals of a batch are shown.
const SAMPLES: usize = 10;

/// Everything that one rule proposes in a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProposedBatch {
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub item: String,
    pub table: String,
    /// How many, by column.
    pub columns: BTreeMap<String, u64>,
    pub rows: u64,
    /// Money among them, by column: as it is, and as it would be.
    pub sums: BTreeMap<String, ProposedSum>,
    /// The first of them, masked.
    pub samples: Vec<ProposedSample>,
    /// Proposals for fields about which people have decided otherwise, by the batch of their decision: they are approved by nobody.
    pub contested: BTreeMap<String, u64>,
    /// Proposals that are approved already, by their batch: the next run makes them.
    pub approved: BTreeMap<String, u64>,
    /// What can be approved.
    #[serde(skip)]
    pub ids: Vec<u128>,
}

impl ProposedBatch {
    /// Proposals that can be approved.
    pub fn open(&self) -> u64 {
        self.rows - self.contested.values().chain(self.approved.values()).sum::<u64>()
    }
}

/// Amounts of the rows that a rule would change or add, or take away (excluded, merged into another): what is not there is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProposedSum {
    pub before_fen: i128,
    pub after_fen: i128,
}

/// One proposal as people may see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProposedSample {
    pub key: String,
    pub column: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub evidence: Option<String>,
}

/// What waits for approval in a finished run, by rule and table.
///
/// # Errors
/// `DAT-…`, `STA-…`.
pub fn proposals(
    state: &State,
    of: &Finished,
    national: &National,
    book: &RuleBook,
) -> Result<Vec<ProposedBatch>, RunError> {
    found_batches(state, &of.dir, national, book)
}

/// What people have decided about fields.
fn decided_fields(state: &State, book: &RuleBook) -> Result<SaidOf, RunError> {
    let mut fields = SaidOf::new();
    for (batch, d) in in_force(state.decisions()?, book).in_force {
        if let Some(left) = left(&d, book).map(|left| left.map(str::to_owned)) {
            fields.insert(field_of(&d, book), Said { about: d.before, left, place: batch_name(batch) });
        }
    }
    Ok(fields)
}

/// As [`proposals`], of a run's folder.
pub(super) fn found_batches(
    state: &State,
    of: &RunDir,
    national: &National,
    book: &RuleBook,
) -> Result<Vec<ProposedBatch>, RunError> {
    let mut all: BTreeMap<(String, String), ProposedBatch> = BTreeMap::new();
    let mut leaving: BTreeMap<(String, String), HashSet<u128>> = BTreeMap::new();
    let decided = decided_fields(state, book)?;
    let approved = state.approved()?;
    for item in Item::ALL {
        each(left_parts(&of.found(item.text()))?, |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            if text("outcome") != Outcome::Proposed.text() {
                return;
            }
            let Some(rule) = book.rules.iter().find(|r| r.name == text("file")) else { return };
            // What a merge proposes is the survivor.
            let proposed = if rule.effect == Effect::Merge { "after_key" } else { "after" };
            let (before, after) = (cell(batch, "before", row), cell(batch, proposed, row));
            if rule.effect == Effect::None || (rule.effect == Effect::Change && after.is_none()) {
                return;
            }
            let (key, column) = (text("_key"), text("column"));
            let of_rule =
                all.entry((rule.id.clone(), rule.table.clone())).or_insert_with(|| nothing_proposed(rule));
            of_rule.rows += 1;
            *of_rule.columns.entry(column.clone()).or_default() += 1;
            let id = proposal_id(&rule.id, &rule.table, &key, &column, before.as_deref(), after.as_deref());
            let field = [&rule.table, &key, &text("_source"), &text("_skey"), &column].map(String::clone);
            match decided.get(&field).filter(|said| said.contradicts(before.as_deref(), after.as_deref())) {
                Some(said) if rule.effect == Effect::Change => {
                    *of_rule.contested.entry(said.place.clone()).or_default() += 1;
                }
                _ => match approved.get(&id) {
                    Some(by) => *of_rule.approved.entry(batch_name(by.batch)).or_default() += 1,
                    None => of_rule.ids.push(id),
                },
            }
            if matches!(rule.effect, Effect::Exclude | Effect::Merge) {
                let rows = leaving.entry((rule.id.clone(), rule.table.clone())).or_default();
                rows.insert(row_id(&key, &text("_source"), &text("_skey")));
            }
            add_up(&mut of_rule.sums, national, rule, &column, [before.as_deref(), after.as_deref()]);
            if of_rule.samples.len() < SAMPLES {
                let known = national.table(&rule.table);
                let of = known.and_then(|t| t.column(&column));
                // A survivor is shown as its key is.
                let of_after = match rule.effect {
                    Effect::Merge => known.and_then(|t| t.column(t.key.first()?)),
                    Effect::None | Effect::Change | Effect::Add | Effect::Exclude => of,
                };
                let (before, after) = (masked(of, before), masked(of_after, after));
                let evidence = cell(batch, "evidence", row);
                of_rule.samples.push(ProposedSample { key, column, before, after, evidence });
            }
        })?;
    }
    for (place, rows) in &leaving {
        if let (Some(batch), Some(table)) = (all.get_mut(place), national.table(&place.1)) {
            batch.sums = leaving_sums(of, table, rows)?;
        }
    }
    Ok(all.into_values().collect())
}

fn row_id(key: &str, source: &str, skey: &str) -> u128 {
    xxh3_128([key, source, skey].join("\u{1f}").as_bytes())
}

/// The money of rows that would leave, as the run has decided on them.
fn leaving_sums(
    of: &RunDir,
    table: &Table,
    rows: &HashSet<u128>,
) -> Result<BTreeMap<String, ProposedSum>, RunError> {
    let money: Vec<String> =
        table.columns.iter().filter(|c| c.kind == Kind::Money).map(|c| c.code.clone()).collect();
    let mut sums: BTreeMap<String, ProposedSum> = BTreeMap::new();
    if money.is_empty() {
        return Ok(sums);
    }
    let mut columns = ["_key", "_source", "_skey"].map(str::to_owned).to_vec();
    columns.extend(money.iter().cloned());
    for folder in [of.staged(&table.name), of.rejected(&table.name)] {
        for part in left_parts(&folder)? {
            for batch in read_columns(&part, &columns)? {
                let batch = batch?;
                let text = |name: &str, row: usize| cell(&batch, name, row).unwrap_or_default();
                let leaves = |row: &usize| {
                    rows.contains(&row_id(&text("_key", *row), &text("_source", *row), &text("_skey", *row)))
                };
                let here: Vec<usize> = (0..batch.num_rows()).filter(leaves).collect();
                for column in &money {
                    let values = batch.column_by_name(column);
                    let Some(values) = values.and_then(|v| v.as_primitive_opt::<Decimal128Type>()) else {
                        continue;
                    };
                    let fen = here.iter().filter(|row| values.is_valid(**row)).map(|row| values.value(*row));
                    sums.entry(column.clone()).or_default().before_fen += fen.sum::<i128>();
                }
            }
        }
    }
    Ok(sums)
}

/// The batch of a rule before its first proposal.
fn nothing_proposed(rule: &Rule) -> ProposedBatch {
    ProposedBatch {
        rule: rule.id.clone(),
        title_zh: rule.title.zh.clone(),
        title_en: rule.title.en.clone(),
        item: rule.item.text().to_owned(),
        table: rule.table.clone(),
        columns: BTreeMap::new(),
        rows: 0,
        sums: BTreeMap::new(),
        samples: Vec::new(),
        contested: BTreeMap::new(),
        approved: BTreeMap::new(),
        ids: Vec::new(),
    }
}

/// Adds the money of a proposal: that of its column, or of every column of a row that would be added.
fn add_up(
    sums: &mut BTreeMap<String, ProposedSum>,
    national: &National,
    rule: &Rule,
    column: &str,
    [before, after]: [Option<&str>; 2],
) {
    let table = national.table(rule.adds.as_deref().unwrap_or(&rule.table));
    let is_money = |column: &str| table.and_then(|t| t.column(column)).is_some_and(|c| c.kind == Kind::Money);
    let mut add = |column: &str, before: Option<&str>, after: Option<&str>| {
        if is_money(column) {
            let sum = sums.entry(column.to_owned()).or_default();
            sum.before_fen += before.and_then(fen).unwrap_or(0);
            sum.after_fen += after.and_then(fen).unwrap_or(0);
        }
    };
    if rule.effect != Effect::Add {
        return add(column, before, after);
    }
    let new: BTreeMap<String, String> = after.and_then(|a| serde_json::from_str(a).ok()).unwrap_or_default();
    new.iter().for_each(|(column, value)| add(column, None, Some(value)));
}

/// An amount as its column writes it, `-12.30`, in fen.
fn fen(amount: &str) -> Option<i128> {
    let (yuan, rest) = amount.split_once('.')?;
    if rest.len() == 2 { format!("{yuan}{rest}").parse().ok() } else { None }
}

/// A raw part of what a run stands on that is not what was recorded.
///
/// # Errors
/// `STA-…`, `RAW-…`.
pub fn damaged_backup(state: &State, run: RunId) -> Result<Option<String>, RunError> {
    let recorded = state.runs()?.into_iter().find(|r| r.id == run);
    for extract in recorded.iter().flat_map(|r| &r.extracts) {
        if let Some(part) = raw::all_parts(state, *extract)?.iter().find(|part| !raw::intact(part)) {
            return Ok(Some(part.path.display().to_string()));
        }
    }
    Ok(None)
}

/// Who approves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    pub name: String,
    /// Account of the operating system.
    pub account: String,
    pub reason: String,
}

/// Records the approval of what a rule proposes in a run; the number of the batch of each table.
///
/// # Errors
/// `RUN-017`, `RUN-018`; `STA-…`.
pub fn approve(
    state: &State,
    of: &Finished,
    batches: &[&ProposedBatch],
    by: &Approver,
) -> Result<Vec<i64>, RunError> {
    // Nothing is approved that cannot be answered for.
    record_events(state)?;
    let run = of.id.to_string();
    let recorded = state.runs()?.into_iter().find(|r| r.id == of.id);
    if recorded.as_ref().is_some_and(|r| r.operator.as_deref() == Some(by.account.as_str())) {
        return Err(RunError::OwnBatch { account: by.account.clone(), run });
    }
    if let Some(path) = damaged_backup(state, of.id)? {
        return Err(RunError::NoBackup { path });
    }
    let mut made = Vec::new();
    for batch in batches {
        let new = NewBatch {
            rule: batch.rule.clone(),
            run: run.clone(),
            approver: by.name.clone(),
            account: by.account.clone(),
            reason: by.reason.clone(),
        };
        made.push(state.approve(&new, &batch.ids)?);
    }
    record_events(state)?;
    Ok(made)
}

/// Records that a batch holds no longer, and by whose decision.
///
/// # Errors
/// `STA-005` when there is no such batch, or it is undone already; `AUD-…`.
pub fn undo(state: &State, batch: i64, by: &str) -> Result<(), RunError> {
    record_events(state)?;
    state.undo_batch(batch, by)?;
    record_events(state)
}

#[cfg(test)]
mod tests {
    use super::fen;

    #[test]
    fn amounts_are_read_to_the_fen() {
        for (text, expected) in [("0.05", 5), ("-12.30", -1230), ("99999999999999.99", 9_999_999_999_999_999)]
        {
            assert_eq!(fen(text), Some(expected));
        }
        assert_eq!((fen("12"), fen("1.234"), fen("x.12")), (None, None, None));
    }
}
