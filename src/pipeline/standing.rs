//! Standing approvals: at its end a run approves what a rule proposes, where an approver said so beforehand (docs/rules.md).
//!
//! Always: as every approval: a batch of proposals in state.db, over raw with its recorded digests, by somebody else than who began the run;
//! the next run applies it. Beyond the limit nothing is approved. What people have undone stays theirs to decide. A run that was killed
//! behind the approval does not approve again.

use std::collections::BTreeSet;

use super::approve::{ProposedBatch, damaged_backup, found_batches};
use super::runner::StageRunner;
use super::{RunError, RunSettings, Standing};
use crate::artifacts::{StandingEnd, StandingRow};
use crate::rules::RuleBook;
use crate::state::{Batch, NewBatch, batch_name};

/// Every reason of a batch of ours begins so.
const REASON: &str = "standing approval";

/// Looks at every standing approval; what came of each.
pub(super) fn approve_standing(
    runner: &StageRunner<'_>,
    settings: &RunSettings,
    book: Option<&RuleBook>,
) -> Result<Vec<StandingRow>, RunError> {
    let Some(book) = book.filter(|_| !settings.standing.is_empty()) else { return Ok(Vec::new()) };
    let all = found_batches(runner.state, &runner.dir, runner.national, book)?;
    let mut settled: BTreeSet<u128> = runner.state.approved()?.into_keys().collect();
    settled.extend(runner.state.undone_proposals()?.into_iter().map(|(_, id)| id));
    let recorded = runner.state.batches()?;
    let mut rows = Vec::new();
    for standing in &settings.standing {
        let of_rule: Vec<&ProposedBatch> = all.iter().filter(|b| b.rule == standing.rule).collect();
        rows.push(one(runner, standing, &of_rule, &settled, &recorded)?);
    }
    Ok(rows)
}

fn one(
    runner: &StageRunner<'_>,
    standing: &Standing,
    batches: &[&ProposedBatch],
    settled: &BTreeSet<u128>,
    recorded: &[Batch],
) -> Result<StandingRow, RunError> {
    let run = runner.run.to_string();
    let row = |proposals: u64, end: StandingEnd, batches: Vec<String>| StandingRow {
        rule: standing.rule.clone(),
        limit: standing.limit,
        until: standing.until.to_string(),
        by: standing.approver.clone(),
        proposals,
        end,
        batches,
    };
    // This run may have approved before it was killed.
    let own: Vec<&Batch> = recorded
        .iter()
        .filter(|b| b.of.run == run && b.of.rule == standing.rule && b.of.reason.starts_with(REASON))
        .collect();
    if !own.is_empty() {
        let names = own.iter().map(|b| batch_name(b.id)).collect();
        return Ok(row(own.iter().map(|b| b.proposals).sum(), StandingEnd::Approved, names));
    }
    let open: Vec<(&ProposedBatch, Vec<u128>)> = batches
        .iter()
        .map(|b| {
            let ids: BTreeSet<u128> = b.ids.iter().copied().filter(|id| !settled.contains(id)).collect();
            (*b, ids.into_iter().collect())
        })
        .collect();
    let n = open.iter().map(|(_, ids)| ids.len() as u64).sum();
    let began = runner.state.runs()?.into_iter().find(|r| r.id == runner.run);
    let began = began.and_then(|r| r.operator);
    let refused = if runner.as_of > standing.until {
        Some(StandingEnd::Expired)
    } else if n == 0 {
        Some(StandingEnd::Nothing)
    } else if n > standing.limit {
        Some(StandingEnd::Beyond)
    } else if began.as_deref() == Some(standing.account.as_str()) {
        Some(StandingEnd::OwnRun)
    } else if damaged_backup(runner.state, runner.run)?.is_some() {
        Some(StandingEnd::NoBackup)
    } else {
        None
    };
    if let Some(end) = refused {
        return Ok(row(n, end, Vec::new()));
    }
    let mut names = Vec::new();
    for (_, ids) in open.iter().filter(|(_, ids)| !ids.is_empty()) {
        let of = NewBatch {
            rule: standing.rule.clone(),
            run: run.clone(),
            approver: standing.approver.clone(),
            account: standing.account.clone(),
            reason: format!("{REASON}: at most {} until {}", standing.limit, standing.until),
        };
        names.push(batch_name(runner.state.approve(&of, ids)?));
    }
    Ok(row(n, StandingEnd::Approved, names))
}
