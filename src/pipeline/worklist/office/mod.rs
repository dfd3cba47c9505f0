//! A scripted office: what the clerks of a generated city do between two runs, by what the truth beside it says (docs/worklists.md).
//!
//! Always: approvals, forms and imports go the way that those of people go; what the truth does not say is left open and counted.
//! Must not know: how the fixture plants a defect, or how anything is printed.

mod told;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::Serialize;

use super::super::RunError;
use super::super::approve::{Approver, ProposedBatch, approve, proposals};
use super::super::findings::{FindingFilter, each_finding};
use super::super::finished::Finished;
use super::super::listing::{cell, each};
use super::WorklistError;
use super::export::{ClearValues, ExportOf, HandedOut, export_worklists};
use super::form::{self, at, both, heads, item_of};
use super::import::{Import, ImportOf, Signatory};
use super::items::{ItemFilter, Line, each_line};
use super::reading::{CameBack, read};
use crate::dataset::left_parts;
use crate::engine::Engine;
use crate::mapping::City;
use crate::national::{Gate, National};
use crate::report::{CsvEncoding, ListFile, Words};
use crate::rules::{Effect, FindingState, Item, Outcome, Rule, RuleBook, finding_id};
use crate::state::{DecisionKind, State};
pub use told::LegacyField;
use told::Told;

/// A run of a generated city, and who works on it.
pub struct OfficeOf<'a> {
    pub run: &'a Finished,
    pub engine: &'a Engine,
    pub national: &'a National,
    pub city: &'a City,
    pub book: &'a RuleBook,
    pub state: &'a State,
    pub words: &'a Words,
    /// 经办, 复核, 审批.
    pub people: &'a [Signatory; 3],
    /// What the fixture wrote beside the database.
    pub truth: &'a Path,
    /// Where the forms go.
    pub folder: &'a Path,
    pub zone: Tz,
    /// Months for which a waiver holds at most.
    pub waiver_months: u32,
    /// Whether rows are merged: once their base data have been corrected.
    pub merges: bool,
}

/// What an office did between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OfficeWork {
    /// Proposals that were approved, and the batches of them.
    pub approved: u64,
    pub batches: u64,
    /// Proposals to merge rows, whose time has not come.
    pub waiting: u64,
    /// Forms that went out.
    pub worklists: u64,
    /// Items on them: adopted, corrected, so, sent to the province, left open because the truth does not say.
    pub adopted: u64,
    pub corrected: u64,
    pub waived: u64,
    pub province: u64,
    pub undecided: u64,
    /// Fields of the legacy database that break its form: to be mended there.
    #[serde(skip)]
    pub to_mend: Vec<LegacyField>,
}

/// A field whose fault people settled by another value, and that its rule finds no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub rule: String,
    /// Id of its finding.
    pub finding: String,
    /// The value that it was decided about.
    pub wrong: Option<String>,
    pub field: LegacyField,
}

/// Hands out forms, fills them in, imports them, approves what is proposed.
///
/// # Errors
/// As approvals and worklists; `WKL-004` where a form that was filled in is refused.
pub fn work(of: &OfficeOf<'_>) -> Result<OfficeWork, WorklistError> {
    let mut done = OfficeWork::default();
    let handler = &of.people[0];
    let told = Told::read(of.truth, of.city, of.national)?;
    let mut lines = HashMap::new();
    each_line(
        &of.run.dir,
        of.book,
        &[Outcome::ToVerify],
        |_| true,
        |line| {
            lines.insert(line.id(), line);
        },
    )?;
    done.to_mend = told.to_mend();
    let handed = export_worklists(&ExportOf {
        run: of.run,
        engine: of.engine,
        national: of.national,
        book: of.book,
        state: of.state,
        words: of.words,
        filter: ItemFilter::default(),
        folder: of.folder,
        csv: Some(CsvEncoding::Utf8),
        values: ClearValues::Masked,
        account: &handler.account,
        day: of.run.as_of()?,
    })?;
    done.worklists = handed.len() as u64;
    answer(of, &handed, (&told, &lines), &mut done)?;
    // Last, so that a proposal about a field that somebody decided otherwise is left out.
    approve_proposals(of, &mut done)?;
    Ok(done)
}

/// Approves what is proposed; merges where their time has come.
fn approve_proposals(of: &OfficeOf<'_>, done: &mut OfficeWork) -> Result<(), WorklistError> {
    let approver = &of.people[2];
    let mut proposed = proposals(of.state, of.run, of.national, of.book)?;
    proposed.retain(|b| !b.ids.is_empty());
    let taken = |b: &&ProposedBatch| {
        let of_rule = |r: &&Rule| r.id == b.rule && r.table == b.table;
        of.merges || of.book.rules.iter().filter(of_rule).all(|r| r.effect != Effect::Merge)
    };
    let (all, waits): (Vec<_>, Vec<_>) = proposed.iter().partition(taken);
    let by = Approver {
        name: approver.name.clone(),
        account: approver.account.clone(),
        reason: format!("demo {}", of.run.id),
    };
    done.batches = approve(of.state, of.run, &all, &by)?.len() as u64;
    done.approved = all.iter().map(|b| b.open()).sum();
    done.waiting = waits.iter().map(|b| b.rows).sum();
    Ok(())
}

/// What people settled so far by another value of a field, and is fixed in a run: by rule and legacy key.
///
/// # Errors
/// `DAT-…`, `STA-…`.
pub fn settled(of: &OfficeOf<'_>) -> Result<Vec<Settled>, WorklistError> {
    let told = Told::read(of.truth, of.city, of.national)?;
    let (mut all, mut fixed) = (Vec::new(), HashSet::new());
    each(left_parts(&of.run.dir.round()).map_err(RunError::from)?, |batch, row| {
        if cell(batch, "state", row).as_deref() == Some(FindingState::Fixed.text()) {
            fixed.extend(cell(batch, "id", row));
        }
    })?;
    for item in Item::ALL {
        each(left_parts(&of.run.dir.changes(item.text())).map_err(RunError::from)?, |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            let (rule, table, column) = (text("rule"), text("table"), text("column"));
            let finding = finding_id(&rule, &table, &text("_key"), &column);
            let place = told::place(&text("_source"), cell(batch, "_skey", row), table, column);
            // What no batch says is not of people.
            let by_people = cell(batch, "batch", row).is_some() && fixed.contains(&finding);
            if let (true, Some(field)) = (by_people, told.legacy(&place)) {
                let wrong = cell(batch, "before", row);
                all.push(Settled { rule, finding, wrong, field: field.clone() });
            }
        })?;
    }
    all.sort_by(|a, b| (&a.rule, &a.field.key).cmp(&(&b.rule, &b.field.key)));
    Ok(all)
}

/// Findings that keep rows out and that nobody has decided about, by rule. A row of which one finding is so, or is the province's, is decided.
///
/// # Errors
/// `DAT-…`, `ENG-…`, `STA-…`.
pub fn undecided(of: &OfficeOf<'_>) -> Result<BTreeMap<String, u64>, WorklistError> {
    let mut decided = HashSet::new();
    for (_, d) in of.state.decisions()? {
        if matches!(d.kind, DecisionKind::Waive | DecisionKind::Province) {
            decided.insert((d.table, d.key, d.source, d.skey));
        }
    }
    // What leaves is decided, and what is the province's.
    let leaves = |rule: &Rule| matches!(rule.effect, Effect::Exclude | Effect::Merge);
    let mut take = |line: Line| {
        decided.insert((line.table, line.key, line.source, line.skey));
    };
    each_line(&of.run.dir, of.book, &[Outcome::ToProvince], |_| true, &mut take)?;
    each_line(&of.run.dir, of.book, &[Outcome::Repaired], leaves, &mut take)?;
    let mut all = BTreeMap::new();
    each_finding(of.run, of.engine, of.national, &FindingFilter::default(), |f| {
        let row = (f.table.clone(), f.key.clone().unwrap_or_default(), f.source.clone(), f.skey.clone());
        if f.gate == Gate::Block.text() && !decided.contains(&row) {
            *all.entry(f.rule.clone()).or_default() += 1;
        }
        Ok::<(), RunError>(())
    })?;
    Ok(all)
}

/// Fills in every form, and hands it back.
fn answer(
    of: &OfficeOf<'_>,
    handed: &[HandedOut],
    (told, lines): (&Told, &HashMap<u64, Line>),
    done: &mut OfficeWork,
) -> Result<(), WorklistError> {
    let mut fields = BTreeMap::new();
    let mut import = Import::begin(ImportOf {
        run: of.run,
        engine: of.engine,
        national: of.national,
        book: of.book,
        state: of.state,
        people: of.people,
        account: &of.people[0].account,
        zone: of.zone,
        waiver_months: of.waiver_months,
        form: None,
    })?;
    for form in handed {
        let path = fill(of, form, (told, lines), &mut fields, done)?;
        if let Some(first) = import.take(&path)?.mistakes.first() {
            let (path, cell) = (path.display().to_string(), first.cell.clone());
            return Err(WorklistError::Refused { path, cell, what: first.what });
        }
    }
    Ok(())
}

/// Fills in a form, as the truth says; where the filled one lies.
fn fill(
    of: &OfficeOf<'_>,
    form: &HandedOut,
    (told, lines): (&Told, &HashMap<u64, Line>),
    fields: &mut BTreeMap<[String; 5], Option<String>>,
    done: &mut OfficeWork,
) -> Result<PathBuf, WorklistError> {
    let file = read(&CameBack::open(&form.path)?, &both()?)?;
    let path = form.path.with_extension("signed.csv");
    let mut out = ListFile::csv(&path, CsvEncoding::Utf8, &heads(of.words))?;
    let day = of.run.as_of()?.to_string();
    for mut row in file.rows {
        let line = item_of(&row.cells[at::ITEM]).and_then(|id| lines.get(&id));
        let decided = line.and_then(|line| {
            let decided = told.decides(line)?;
            takes(of, line, &decided, fields).then_some(decided)
        });
        let Some((kind, value)) = decided else {
            done.undecided += 1;
            out.row(&row.cells.iter().map(|c| Some(c.as_str())).collect::<Vec<_>>())?;
            continue;
        };
        *match kind {
            DecisionKind::Adopt => &mut done.adopted,
            DecisionKind::Correct => &mut done.corrected,
            DecisionKind::Waive => &mut done.waived,
            DecisionKind::Province => &mut done.province,
        } += 1;
        let evidence = format!("YS-{}", row.cells[at::ITEM]);
        let people = of.people.each_ref().map(|p| p.name.clone());
        for (column, text) in [
            (at::DECISION, form::word(of.words, kind)),
            (at::CORRECTED, value.unwrap_or_default()),
            (at::EVIDENCE, evidence),
        ] {
            row.cells[column] = text;
        }
        for (column, name) in [at::HANDLER, at::REVIEWER, at::APPROVER].into_iter().zip(people) {
            row.cells[column] = name;
            row.cells[column + 1].clone_from(&day);
        }
        out.row(&row.cells.iter().map(|c| Some(c.as_str())).collect::<Vec<_>>())?;
    }
    Ok(out.finish("", &[])?)
}

/// Whether a form takes a decision: fields that only an archive decides are on none, and a field has one value.
fn takes(
    of: &OfficeOf<'_>,
    line: &Line,
    (kind, value): &(DecisionKind, Option<String>),
    fields: &mut BTreeMap<[String; 5], Option<String>>,
) -> bool {
    let after = match kind {
        DecisionKind::Adopt => line.after.clone(),
        DecisionKind::Correct => value.clone(),
        DecisionKind::Waive | DecisionKind::Province => return true,
    };
    let place = (line.table.clone(), line.column.clone());
    if *kind == DecisionKind::Correct && of.book.untouchable.contains(&place) {
        return false;
    }
    *fields.entry(line.field()).or_insert_with(|| after.clone()) == after
}
