//! A file that came back → its decisions in state.db, as one batch; or its mistakes, and nothing.
//!
//! Always: all or nothing a file; as every approval, over raw with its recorded digests. What all files of a command are checked against is read once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono_tz::Tz;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::RunError;
use super::super::approve::damaged_backup;
use super::super::events::relative;
use super::super::finished::Finished;
use super::answers::{check_answers, read_answers, sent};
use super::approved::{SaidOf, approved_fields};
use super::broken;
use super::check::{CheckOf, check};
use super::form::{at, both};
use super::items::{Line, each_line};
use super::list::{InBatch, by_item, decided};
use super::reading::{CameBack, Mistake, ReadFile, read};
use super::{WorklistError, WorklistEvent, record};
use crate::audit;
use crate::clock;
use crate::durable::{self, hex};
use crate::engine::Engine;
use crate::folder;
use crate::national::National;
use crate::report::Words;
use crate::rules::{Outcome, Rule, RuleBook};
use crate::state::{Decision, DecisionKind, NewBatch, State, Worklist, batch_name, worklist_name};

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

/// Over what files are imported.
pub struct ImportOf<'a> {
    /// The newest run.
    pub run: &'a Finished,
    pub engine: &'a Engine,
    pub national: &'a National,
    pub book: &'a RuleBook,
    pub state: &'a State,
    pub people: &'a [Signatory],
    /// Account of the operating system that imports.
    pub account: &'a str,
    /// In which today is told.
    pub zone: Tz,
    /// Months for which a waiver holds at most, and where nobody wrote until when.
    pub waiver_months: u32,
    /// The form of a file in which the province answers; none: it is a worklist of ours.
    pub form: Option<&'a Path>,
}

/// Takes the files of one command, one after the other.
pub struct Import<'a> {
    of: ImportOf<'a>,
    words: [Words; 2],
    worklists: Vec<Worklist>,
    decided: BTreeMap<u64, InBatch>,
    /// Decided once by three people, of rules that three others decide about, too.
    first: BTreeMap<u64, InBatch>,
    /// Fields to which a batch of approved proposals gives a value.
    approved: SaidOf,
    /// What the newest run has for the rule whose file came last (files of a rule come together); none: for every rule.
    lines: Option<(Option<String>, HashMap<u64, Line>)>,
    /// The account that began the newest run.
    operator: Option<String>,
    /// A part of the run's raw data that is not as it was recorded.
    damaged: Option<String>,
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
    /// Of those that are decided: for the first time, where three others have to decide alike.
    pub first: u64,
    /// Where there is one, nothing was taken.
    pub mistakes: Vec<Mistake>,
}

impl<'a> Import<'a> {
    /// Reads what stands: lists, decisions, and the raw data's digests.
    ///
    /// # Errors
    /// `DAT-…`, `STA-…`, `RAW-…`.
    pub fn begin(of: ImportOf<'a>) -> Result<Self, WorklistError> {
        audit::sound(of.state).map_err(RunError::from)?;
        let run = of.state.runs()?.into_iter().find(|r| r.id == of.run.id);
        let found = decided(of.state, of.book, of.run.as_of()?)?;
        let (mut decided, first) = (by_item(found.in_force), found.first);
        if of.form.is_some() {
            // That it was sent there is what is answered.
            decided.retain(|_, (_, d)| d.kind != DecisionKind::Province);
        }
        Ok(Self {
            words: both()?,
            worklists: of.state.worklists()?,
            decided,
            first,
            approved: approved_fields(&of)?,
            lines: None,
            operator: run.and_then(|r| r.operator),
            damaged: damaged_backup(of.state, of.run.id)?,
            of,
        })
    }

    /// Reads a file, and records what it decides where it has no mistake.
    ///
    /// # Errors
    /// `WKL-…`, `RUN-018`, `DAT-…`, `STA-…`.
    pub fn take(&mut self, path: &Path) -> Result<Imported, WorklistError> {
        let came_back = CameBack::open(path)?;
        let Received { file, worklist, sent } = self.received(&came_back)?;
        self.know_lines(&worklist)?;
        let nothing = HashMap::new();
        let against = CheckOf {
            national: self.of.national,
            book: self.of.book,
            people: self.of.people,
            words: &self.words,
            worklist: &worklist,
            lines: self.lines.as_ref().map_or(&nothing, |(_, lines)| lines),
            decided: &self.decided,
            first: &self.first,
            approved: &self.approved,
            waiver_months: self.of.waiver_months,
            today: clock::instant().with_timezone(&self.of.zone).date_naive(),
            operator: self.operator.as_deref(),
        };
        let mut checked = match &sent {
            None => check(&against, &file),
            Some(sent) => check_answers(&against, &file, sent),
        };
        file.sort(&mut checked.mistakes);
        let mut came = Imported {
            worklist: worklist_name(worklist.id),
            rule: worklist.rule.clone(),
            batch: None,
            decided: Vec::new(),
            undecided: checked.undecided,
            known: checked.known,
            first: 0,
            mistakes: checked.mistakes,
        };
        if came.mistakes.is_empty() {
            came.mistakes = broken::mistakes(&self.of, &file, &checked.decisions)?;
        }
        if came.mistakes.is_empty() && !checked.decisions.is_empty() {
            let mut counts: BTreeMap<DecisionKind, u64> = BTreeMap::new();
            checked.decisions.iter().for_each(|d| *counts.entry(d.kind).or_default() += 1);
            came.decided = counts.into_iter().map(|(kind, items)| DecidedRow { kind, items }).collect();
            let firsts = |d: &&Decision| self.waits(d);
            came.first = checked.decisions.iter().filter(firsts).count() as u64;
            came.batch = Some(self.record(&came_back, &worklist, checked.decisions)?);
        }
        Ok(came)
    }

    /// Whether three others have to decide alike before it is in force.
    fn waits(&self, of: &Decision) -> bool {
        let twice = self.of.book.decided_twice(&of.rule) && of.kind != DecisionKind::Province;
        twice && !self.first.contains_key(&of.item)
    }

    fn received(&self, of: &CameBack<'_>) -> Result<Received, WorklistError> {
        let no_worklist = || WorklistError::NoWorklist { path: of.path.display().to_string() };
        let Some(form) = self.of.form else {
            let file = read(of, &self.words)?;
            let worklist = worklist(&self.worklists, &file).ok_or_else(no_worklist)?;
            return Ok(Received { file, worklist, sent: None });
        };
        let file = read_answers(of, form, &self.words)?;
        let (worklist, items) = sent(&self.worklists, &file).ok_or_else(no_worklist)?;
        Ok(Received { file, worklist, sent: Some(items) })
    }

    /// Reads what the newest run has for those who decide: of the rule of a list, or of every rule where the province answers.
    fn know_lines(&mut self, worklist: &Worklist) -> Result<(), RunError> {
        let answers = self.of.form.is_some();
        let of = if answers { None } else { Some(worklist.rule.clone()) };
        if self.lines.as_ref().is_some_and(|(known, _)| *known == of) {
            return Ok(());
        }
        let outcomes = [Outcome::ToVerify, Outcome::ToProvince];
        let outcomes = if answers { &outcomes[..] } else { &outcomes[..1] };
        let wanted = |rule: &Rule| of.as_ref().is_none_or(|id| *id == rule.id);
        let mut lines = HashMap::new();
        let take = |line: Line| drop(lines.insert(line.id(), line));
        each_line(&self.of.run.dir, self.of.book, outcomes, wanted, take)?;
        self.lines = Some((of, lines));
        Ok(())
    }

    /// Records the decisions of a file; the name of their batch.
    fn record(
        &mut self,
        of: &CameBack<'_>,
        worklist: &Worklist,
        decisions: Vec<Decision>,
    ) -> Result<String, WorklistError> {
        if let Some(path) = &self.damaged {
            return Err(RunError::NoBackup { path: path.clone() }.into());
        }
        let approvers: BTreeSet<&str> = decisions.iter().map(|d| d.approver.name.as_str()).collect();
        let name = of.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let list = worklist_name(worklist.id);
        let new = NewBatch {
            rule: worklist.rule.clone(),
            run: self.of.run.id.to_string(),
            approver: approvers.into_iter().collect::<Vec<_>>().join("、"),
            account: self.of.account.to_owned(),
            reason: format!("worklist {list}: {name}"),
        };
        let kept = keep(self.of.state, of)?;
        let number = self.of.state.decide(&new, &decisions)?;
        let batch = batch_name(number);
        let event = WorklistEvent::Imported {
            worklist: &list,
            path: of.path,
            batch: &batch,
            decisions: decisions.len() as u64,
            account: self.of.account,
            kept: &kept,
        };
        record(self.of.state, &event)?;
        for decision in decisions {
            let waits = self.waits(&decision);
            let known = if waits { &mut self.first } else { &mut self.decided };
            known.insert(decision.item, (number, decision));
        }
        Ok(batch)
    }
}

/// Keeps a signed form in the work directory, where `audit verify` looks after it: its name there, and its SHA-256.
fn keep(state: &State, of: &CameBack<'_>) -> Result<(String, String), WorklistError> {
    let sha256 = hex(&Sha256::digest(&of.bytes));
    let name = of.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let kept = state.workdir().join("worklists").join("signed");
    durable::create_dir_all(&kept).map_err(RunError::from)?;
    let kept = kept.join(folder::name(&format!("{}-{name}", &sha256[..DIGITS])));
    durable::write(&kept, &of.bytes).map_err(RunError::from)?;
    Ok((relative(state.workdir(), &kept), sha256))
}

/// So many digits of its digest stand before the name of a form that is kept.
const DIGITS: usize = 16;

/// A file, and the list that it is of.
struct Received {
    file: ReadFile,
    worklist: Worklist,
    /// Every item that the province was asked about, where it answers.
    sent: Option<BTreeSet<u64>>,
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
