//! Batches of proposals: what waits for approval, who approves it, what is undone (RULES 3 and 6).
//!
//! Always: approvals are of proposals, which a later run finds again; nothing is approved whose raw, the backup before cleaning, does not
//! have its digests; who began the run does not approve it.

use std::collections::BTreeMap;

use super::RunError;
use super::finished::Finished;
use super::listing::{cell, each, masked};
use crate::dataset::left_parts;
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
        each(left_parts(&of.dir.found(item.text()))?, |batch, row| {
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
            of_rule.ids.push(id);
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
    Ok(all.into_values().collect())
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
        samples: Vec::new(),
        ids: Vec::new(),
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
/// `RUN-017`, `RUN-018`; `STA-…`.
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
