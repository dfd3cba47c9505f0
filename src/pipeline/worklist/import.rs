//! A file that came back → its decisions in state.db, as one batch; or its mistakes, and nothing.
//!
//! Always: all or nothing a file; as every approval, over raw with its recorded digests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono_tz::Tz;
use serde::Serialize;

use super::super::RunError;
use super::super::approve::damaged_backup;
use super::super::finished::Finished;
use super::answers::{check_answers, read_answers, sent};
use super::check::{CheckOf, Checked, check};
use super::form::{at, both};
use super::items::{Line, each_line};
use super::list::decided;
use super::reading::{Mistake, ReadFile, read};
use super::{WorklistError, WorklistEvent, record};
use crate::clock;
use crate::national::National;
use crate::report::Words;
use crate::rules::{Outcome, Rule, RuleBook};
use crate::state::{DecisionKind, NewBatch, State, Worklist, batch_name, worklist_name};

/// Somebody who may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatory {
    pub name: String,
    /// Account of the operating system.
    pub account: String,
    /// 经办, 复核, 审批.
    pub handles: bool,
    pub reviews: bool,
    pub approves: bool,
}

/// What is imported.
pub struct ImportOf<'a> {
    pub path: &'a Path,
    /// The newest run.
    pub run: &'a Finished,
    pub national: &'a National,
    pub book: &'a RuleBook,
    pub state: &'a State,
    pub people: &'a [Signatory],
    /// Account of the operating system that imports.
    pub account: &'a str,
    /// In which today is told.
    pub zone: Tz,
    /// The form of a file in which the province answers; none: it is a worklist of ours.
    pub form: Option<&'a Path>,
}

/// How many items were decided in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DecidedRow {
    pub kind: DecisionKind,
    pub items: u64,
}

/// What a file came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub worklist: String,
    pub rule: String,
    /// None: nothing was decided, or there are mistakes.
    pub batch: Option<String>,
    pub decided: Vec<DecidedRow>,
    pub undecided: u64,
    /// Decided alike by an earlier import.
    pub known: u64,
    /// Where there is one, nothing was taken.
    pub mistakes: Vec<Mistake>,
}

/// Reads a file, and records what it decides where it has no mistake.
///
/// # Errors
/// `WKL-…`, `RUN-018`, `DAT-…`, `STA-…`.
pub fn import_worklist(of: &ImportOf<'_>) -> Result<Imported, WorklistError> {
    let words = both()?;
    let Received { file, worklist, sent } = received(of, &words)?;
    let mut decided = decided(of.state, of.run.as_of()?)?;
    if sent.is_some() {
        // That it was sent there is what is answered.
        decided.retain(|_, (_, d)| d.kind != DecisionKind::Province);
    }
    let lines = lines(of, &worklist, sent.is_some())?;
    let operator = of.state.runs()?.into_iter().find(|r| r.id == of.run.id).and_then(|r| r.operator);
    let against = CheckOf {
        national: of.national,
        untouchable: &of.book.untouchable,
        people: of.people,
        words: &words,
        worklist: &worklist,
        lines: &lines,
        decided: &decided,
        today: clock::instant().with_timezone(&of.zone).date_naive(),
        operator: operator.as_deref(),
    };
    let checked = match &sent {
        None => check(&against, &file),
        Some(sent) => check_answers(&against, &file, sent),
    };
    let batch = if checked.mistakes.is_empty() && !checked.decisions.is_empty() {
        Some(take(of, &worklist, &checked)?)
    } else {
        None
    };
    let mut counts: BTreeMap<DecisionKind, u64> = BTreeMap::new();
    for decision in checked.decisions.iter().filter(|_| batch.is_some()) {
        *counts.entry(decision.kind).or_default() += 1;
    }
    Ok(Imported {
        worklist: worklist_name(worklist.id),
        rule: worklist.rule,
        batch,
        decided: counts.into_iter().map(|(kind, items)| DecidedRow { kind, items }).collect(),
        undecided: checked.undecided,
        known: checked.known,
        mistakes: checked.mistakes,
    })
}

/// A file, and the list that it is of.
struct Received {
    file: ReadFile,
    worklist: Worklist,
    /// Every item that the province was asked about, where it answers.
    sent: Option<BTreeSet<u64>>,
}

fn received(of: &ImportOf<'_>, words: &[Words; 2]) -> Result<Received, WorklistError> {
    let no_worklist = || WorklistError::NoWorklist { path: of.path.display().to_string() };
    let lists = of.state.worklists()?;
    let Some(form) = of.form else {
        let file = read(of.path, words)?;
        let worklist = worklist(&lists, &file).ok_or_else(no_worklist)?;
        return Ok(Received { file, worklist, sent: None });
    };
    let file = read_answers(of.path, form, words)?;
    let (worklist, items) = sent(&lists, &file).ok_or_else(no_worklist)?;
    Ok(Received { file, worklist, sent: Some(items) })
}

/// What the newest run has for those who decide, by item.
fn lines(of: &ImportOf<'_>, worklist: &Worklist, answers: bool) -> Result<HashMap<u64, Line>, RunError> {
    let mut lines = HashMap::new();
    let outcomes = [Outcome::ToVerify, Outcome::ToProvince];
    let (outcomes, wanted): (_, &dyn Fn(&Rule) -> bool) =
        if answers { (&outcomes[..], &|_| true) } else { (&outcomes[..1], &|rule| rule.id == worklist.rule) };
    each_line(&of.run.dir, of.book, outcomes, wanted, |line| drop(lines.insert(line.id(), line)))?;
    Ok(lines)
}

/// The list that a file says it is.
fn worklist(known: &[Worklist], file: &ReadFile) -> Option<Worklist> {
    let codes = file.rows.iter().filter_map(|row| row.cells[at::CHECK].split('-').next());
    let told = file.hidden.get("worklist").map(String::as_str).into_iter().chain(codes);
    let named = |name: &str| known.iter().find(|w| worklist_name(w.id) == name);
    told.take(MOST_LOOKED_AT).find_map(named).cloned()
}

/// So many rows are asked for the list that they are of.
const MOST_LOOKED_AT: usize = 100;

/// Records the decisions of a file; the name of their batch.
fn take(of: &ImportOf<'_>, worklist: &Worklist, checked: &Checked) -> Result<String, WorklistError> {
    if let Some(path) = damaged_backup(of.state, of.run.id)? {
        return Err(RunError::NoBackup { path }.into());
    }
    let approvers: BTreeSet<&str> = checked.decisions.iter().map(|d| d.approver.name.as_str()).collect();
    let name = of.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let list = worklist_name(worklist.id);
    let new = NewBatch {
        rule: worklist.rule.clone(),
        run: of.run.id.to_string(),
        approver: approvers.into_iter().collect::<Vec<_>>().join("、"),
        account: of.account.to_owned(),
        reason: format!("worklist {list}: {name}"),
    };
    let batch = batch_name(of.state.decide(&new, &checked.decisions)?);
    let event = WorklistEvent::Imported {
        worklist: &list,
        path: of.path,
        batch: &batch,
        decisions: checked.decisions.len() as u64,
        account: of.account,
    };
    record(of.state, &event)?;
    Ok(batch)
}
