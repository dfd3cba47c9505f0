//! Rows to which batches that were undone since the round before had done something: what is found there again has not come back by itself.
//!
//! Must not know: what a round makes of it.

use std::collections::{BTreeSet, HashSet};

use super::RunError;
use super::listing::{cell, each};
use super::paths::RunDir;
use super::runner::StageRunner;
use super::worklist::each_line;
use crate::dataset::left_parts;
use crate::rules::{BY_RULE, Item, Outcome, RuleBook, Undone, row_digest};
use crate::state::{Run, batch_name};

/// What was undone since the round before.
pub(super) fn undone(runner: &StageRunner<'_>, before: &Run, book: &RuleBook) -> Result<Undone, RunError> {
    let since = |at: &(String, String)| at.0 >= before.started;
    let batches = runner.state.batches()?;
    let batches: BTreeSet<i64> =
        batches.into_iter().filter(|b| b.undone.as_ref().is_some_and(since)).map(|b| b.id).collect();
    let (mut rows, mut added) = (HashSet::new(), BTreeSet::new());
    if batches.is_empty() {
        return Ok(Undone::default());
    }
    let names: BTreeSet<String> = batches.iter().map(|id| batch_name(*id)).collect();
    let dir = RunDir::of(&runner.workdir, before.id);
    for item in Item::ALL {
        each(left_parts(&dir.changes(item.text()))?, |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            if names.contains(&text("batch")) {
                let table = text("table");
                rows.insert(row_digest(&table, &text("_key")));
                if text("_source").starts_with(BY_RULE) {
                    added.insert(table.clone());
                }
                if text("column") == "*" {
                    // A donor went into the survivor; an added row stands on another.
                    rows.insert(row_digest(&table, &text("after")));
                    rows.extend(text("_skey").split_once('/').map(|(table, key)| row_digest(table, key)));
                }
            }
        })?;
    }
    for (batch, d) in runner.state.undone_decisions()? {
        if batches.contains(&batch) {
            rows.insert(row_digest(&d.table, &d.key));
        }
    }
    // Rows that were excluded have no record of a change.
    let undone = runner.state.undone_proposals()?.into_iter();
    let undone: HashSet<u128> =
        undone.filter(|(batch, _)| batches.contains(batch)).map(|(_, id)| id).collect();
    let outcomes = [Outcome::Proposed];
    each_line(
        &runner.dir,
        book,
        &outcomes,
        |_| !undone.is_empty(),
        |line| {
            if undone.contains(&line.proposal()) {
                rows.insert(row_digest(&line.table, &line.key));
            }
        },
    )?;
    // Whose parent had been added has none again.
    let orphans = runner.national.tables.iter().flat_map(|table| {
        let lost = table.parents.iter().filter(|parent| added.contains(&parent.table));
        lost.filter_map(|p| Some([p.rule.clone(), table.name.clone(), p.columns.first()?.clone()]))
    });
    Ok(Undone { rows, orphans: orphans.collect() })
}
