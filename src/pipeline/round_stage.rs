//! A run that ends is a round: its findings beside the ledger of the round before (docs/rounds.md).
//!
//! Always: the ledger before is the one that was recorded, byte for byte; ledgers lie beside the runs and outlive them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::RunError;
use super::clean_stage::Cleaned;
use super::runner::{StageRunner, paths};
use super::undone::undone;
use super::worklist::waived;
use crate::artifacts::{Round, RoundRow};
use crate::dataset::PartInfo;
use crate::raw;
use crate::rules::{self, Ended, LookedAt, RoundOf, Undone};
use crate::state::{Run, State};
use crate::validate::{CheckReport, Outcome};

/// Under which stage and name state.db keeps ledgers.
pub(super) const STAGE: &str = "round";
const LEDGER: &str = "ledger";
/// So many rounds are in a summary.
const SUMMED_UP: usize = 6;

/// What a round came to, as state.db keeps it.
#[derive(Serialize, Deserialize)]
struct RoundReport {
    part: PartInfo,
    before: Option<String>,
    rows: Vec<RoundRow>,
    lacking: Vec<Lacking>,
}

/// Outside data that some files of a rule lacked.
#[derive(Serialize, Deserialize)]
struct Lacking {
    rule: String,
    table: String,
    without: BTreeSet<String>,
}

fn report(state: &State, run: &Run) -> Result<Option<RoundReport>, RunError> {
    let Some(output) = state.output(run.id, STAGE, LEDGER)? else { return Ok(None) };
    let form = |source| RunError::Form { path: format!("state.db, {STAGE} {}", run.id), source };
    let mut report: RoundReport = serde_json::from_value(output.counts).map_err(form)?;
    // The work directory may have been moved since.
    report.part = output.parts.into_iter().next().unwrap_or(report.part);
    Ok(Some(report))
}

fn round(run: &Run, report: RoundReport) -> Round {
    let as_of = run.as_of.map(|day| day.to_string()).unwrap_or_default();
    Round { run: run.id.to_string(), before: report.before, as_of, rows: report.rows }
}

/// Every round of a work directory, oldest first; runs of before there were ledgers are none.
///
/// # Errors
/// `STA-…`, `RUN-005`.
pub fn rounds(state: &State) -> Result<Vec<Round>, RunError> {
    let mut all = Vec::new();
    for run in state.runs()?.iter().filter(|r| r.status.has_ended()) {
        all.extend(report(state, run)?.map(|of| round(run, of)));
    }
    Ok(all)
}

/// Closes the round: its ledger, and the last rounds with it.
pub(super) fn close(
    runner: &mut StageRunner<'_>,
    cleaned: &Cleaned,
    checks: &BTreeMap<String, CheckReport>,
) -> Result<Vec<Round>, RunError> {
    let runs = runner.state.runs()?;
    let before = last(runner, &runs)?;
    let mut inputs = runner.of_everything();
    inputs.extend(before.iter().map(|(_, of)| format!(" {}", of.part.sha256)));
    let findings: Vec<_> = checks.values().flat_map(|check| paths(&check.parts)).collect();
    let looked_at = looked_at(runner, cleaned, checks, before.as_ref().map(|(run, of)| (*run, of)));
    let rules = cleaned
        .book
        .iter()
        .flat_map(|b| &b.rules)
        .map(|r| (r.id.clone(), (r.item.text().to_owned(), r.department.text().to_owned())));
    let rules: BTreeMap<String, (String, String)> = rules.collect();
    let waived = waived(&runner.dir, cleaned.book.as_ref(), &cleaned.waivers, &runner.as_of.to_string())?;
    for id in &waived {
        inputs.push_str(id);
    }
    let undone = match (&before, &cleaned.book) {
        (Some((run, _)), Some(book)) => undone(runner, run, book)?,
        (Some(_) | None, _) => Undone::default(),
    };
    let run = runner.run.to_string();
    let ledger = runner.dir.round().join("ledger.parquet");
    let done = runner.once(
        STAGE,
        LEDGER,
        &inputs,
        0,
        |w| {
            let of = RoundOf {
                engine: w.engine,
                run: &run,
                findings: &findings,
                before: before.as_ref().map(|(_, of)| of.part.path.as_path()),
                looked_at: &looked_at,
                rules: &rules,
                waived: &waived,
                undone: &undone,
                ledger: &ledger,
            };
            let (part, rows) = rules::next_ledger(&of)?;
            let before = looked_at.before.clone();
            Ok(RoundReport { part, before, rows, lacking: lacking(&looked_at) })
        },
        |r: &RoundReport| (r.part.rows, vec![r.part.clone()]),
    )?;
    let mut all = rounds(runner.state)?;
    if let Some(own) = runs.iter().find(|r| r.id == runner.run) {
        all.push(round(own, done));
    }
    Ok(all.split_off(all.len().saturating_sub(SUMMED_UP)))
}

/// The round before; its ledger is as it was recorded.
fn last<'r>(runner: &StageRunner<'_>, runs: &'r [Run]) -> Result<Option<(&'r Run, RoundReport)>, RunError> {
    for run in runs.iter().rev().filter(|r| r.status.has_ended() && r.id < runner.run) {
        let Some(of) = report(runner.state, run)? else { continue };
        if !raw::intact(&of.part) {
            let path = of.part.path.display().to_string();
            return Err(RunError::LostRound { run: run.id.to_string(), path });
        }
        return Ok(Some((run, of)));
    }
    Ok(None)
}

/// What this round looked at.
fn looked_at(
    runner: &StageRunner<'_>,
    cleaned: &Cleaned,
    checks: &BTreeMap<String, CheckReport>,
    before: Option<(&Run, &RoundReport)>,
) -> LookedAt {
    let mut of = LookedAt {
        tables: checks.keys().cloned().collect(),
        structural: runner.national.rules.keys().cloned().collect(),
        before: before.map(|(run, _)| run.id.to_string()),
        ..LookedAt::default()
    };
    for (table, check) in checks {
        for checked in &check.checked {
            let could = !matches!(checked.outcome, Outcome::DidNotRun(_));
            of.checked.insert([table.clone(), checked.rule.clone(), checked.column.clone()], could);
        }
    }
    for report in cleaned.items.iter().flat_map(|i| &i.rules) {
        let lacking = match report.ended {
            Ended::DidNotRun(_) => None,
            Ended::Clean | Ended::Found(_) | Ended::NothingToCheck => {
                Some(report.without.iter().cloned().collect())
            }
        };
        of.ran.insert([report.rule.clone(), report.table.clone()], lacking);
    }
    for lacking in before.iter().flat_map(|(_, report)| &report.lacking) {
        let place = [lacking.rule.clone(), lacking.table.clone()];
        of.lacked_before.insert(place, lacking.without.clone());
    }
    of
}

/// What rules that ran lacked: the next round asks for it.
fn lacking(of: &LookedAt) -> Vec<Lacking> {
    let some = |([rule, table], without): (&[String; 2], &Option<BTreeSet<String>>)| {
        let without = without.as_ref().filter(|w| !w.is_empty())?.clone();
        Some(Lacking { rule: rule.clone(), table: table.clone(), without })
    };
    of.ran.iter().filter_map(some).collect()
}
