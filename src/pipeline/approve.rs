//! Batches of proposals: what waits for approval, who approves it, what is undone (RULES 3 and 6).
//!
//! Always: approvals are of proposals, which a later run finds again; nothing is approved whose raw, the backup before cleaning, does not
//! have its digests; who began the run does not approve it.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};

use super::RunError;
use super::finished::Finished;
use crate::artifacts::shown;
use crate::dataset::{left_parts, read_part};
use crate::national::National;
use crate::raw;
use crate::rules::{Effect, Item, Outcome, Rule, RuleBook, proposal_id};
use crate::state::{NewBatch, State};

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
    /// Whether this version applies it when it is approved.
    pub applies: bool,
    /// The first of them, masked.
    pub samples: Vec<ProposedSample>,
    #[serde(skip)]
    pub ids: Vec<u128>,
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
/// `DAT-…`.
pub fn proposals(
    of: &Finished,
    national: &National,
    book: &RuleBook,
) -> Result<Vec<ProposedBatch>, RunError> {
    let mut all: BTreeMap<(String, String), ProposedBatch> = BTreeMap::new();
    for item in Item::ALL {
        for part in left_parts(&of.dir.found(item.text()))? {
            for batch in read_part(&part)? {
                let batch = batch?;
                let cell = |name: &str, row: usize| {
                    let values = batch.column_by_name(name)?.as_string_opt::<i32>()?;
                    values.is_valid(row).then(|| values.value(row).to_owned())
                };
                for row in 0..batch.num_rows() {
                    if cell("outcome", row).as_deref() != Some(Outcome::Proposed.text()) {
                        continue;
                    }
                    let text = |name: &str| cell(name, row).unwrap_or_default();
                    let (rule, table, column) = (text("rule"), text("table"), text("column"));
                    let Some(known) = book.rules.iter().find(|r| r.name == text("file")) else { continue };
                    if known.effect == Effect::None
                        || (known.effect == Effect::Change && cell("after", row).is_none())
                    {
                        continue;
                    }
                    let entry = all.entry((rule.clone(), table.clone())).or_insert_with(|| ProposedBatch {
                        rule: rule.clone(),
                        title_zh: known.title.zh.clone(),
                        title_en: known.title.en.clone(),
                        item: item.text().to_owned(),
                        table: table.clone(),
                        columns: BTreeMap::new(),
                        rows: 0,
                        applies: applies(national, known),
                        samples: Vec::new(),
                        ids: Vec::new(),
                    });
                    entry.rows += 1;
                    *entry.columns.entry(column.clone()).or_default() += 1;
                    let (before, after) = (cell("before", row), cell("after", row));
                    let key = text("_key");
                    entry.ids.push(proposal_id(
                        &rule,
                        &table,
                        &key,
                        &column,
                        before.as_deref(),
                        after.as_deref(),
                    ));
                    if entry.samples.len() < SAMPLES {
                        let of = national.table(&table).and_then(|t| t.column(&column));
                        let masked = |value: Option<String>| {
                            value.map(|v| of.map_or_else(|| "***".to_owned(), |c| shown(c, &v)))
                        };
                        let (before, after) = (masked(before), masked(after));
                        let evidence = cell("evidence", row);
                        entry.samples.push(ProposedSample { key, column, before, after, evidence });
                    }
                }
            }
        }
    }
    Ok(all.into_values().collect())
}

/// Whether this version applies what a rule proposes: rows that are added or merged, and money that is reconciled, it only proposes, since
/// reconciliation has no reason for them yet.
fn applies(national: &National, rule: &Rule) -> bool {
    let table = national.table(&rule.table);
    let money = |column: &String| table.and_then(|t| t.column(column)).is_some_and(|c| c.measure);
    match rule.effect {
        Effect::Exclude => true,
        Effect::Change => !rule.touches.iter().any(money),
        Effect::None | Effect::Add | Effect::Merge => false,
    }
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
/// `RUN-017` to `RUN-020`; `STA-…`.
pub fn approve(
    state: &State,
    of: &Finished,
    batches: &[&ProposedBatch],
    by: &Approver,
) -> Result<Vec<i64>, RunError> {
    let run = of.id.to_string();
    let recorded = state.runs()?.into_iter().find(|r| r.id == of.id);
    if recorded.as_ref().is_some_and(|r| r.operator.as_deref() == Some(by.account.as_str())) {
        return Err(RunError::OwnBatch { account: by.account.clone(), run });
    }
    for extract in recorded.iter().flat_map(|r| &r.extracts) {
        for part in raw::all_parts(state, *extract)? {
            if !raw::intact(&part) {
                return Err(RunError::NoBackup { path: part.path.display().to_string() });
            }
        }
    }
    let mut made = Vec::new();
    for batch in batches {
        if !batch.applies {
            return Err(RunError::NotApplied { rule: batch.rule.clone() });
        }
        let new = NewBatch {
            rule: batch.rule.clone(),
            run: run.clone(),
            approver: by.name.clone(),
            account: by.account.clone(),
            reason: by.reason.clone(),
        };
        made.push(state.approve(&new, &batch.ids)?);
    }
    Ok(made)
}
