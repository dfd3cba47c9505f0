//! Where the items of a run stand: open, handed out, decided, waived, with the province, or stale.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::super::RunError;
use super::super::finished::Finished;
use super::items::{ItemFilter, each_line};
use crate::rules::{Outcome, RuleBook, finding_id};
use crate::state::{Decision, DecisionKind, State};

/// Items of one rule, for one department.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorklistRow {
    pub department: String,
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    /// On no list yet.
    pub open: u64,
    /// On a list that has not come back.
    pub handed_out: u64,
    /// Decided by three people, and to be decided alike by three others.
    pub first: u64,
    /// Decided; the next run applies it.
    pub decided: u64,
    /// It is so, and stays until a day.
    pub waived: u64,
    /// The province decides: by its rule, or because somebody sent it there.
    pub province: u64,
    /// Decided once, about another value than the one that stands now: to be decided again.
    pub stale: u64,
}

/// A decision with the number of its batch.
pub(in crate::pipeline) type InBatch = (i64, Decision);

/// Decisions, and how far they are.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Decided {
    /// As many have signed as its rule asks for.
    pub(in crate::pipeline) in_force: Vec<InBatch>,
    /// By item: of rules that are decided twice, what waits for three others.
    pub(in crate::pipeline) first: BTreeMap<u64, InBatch>,
}

/// Tells decisions that are in force from those that others have to make again.
pub(in crate::pipeline) fn in_force(all: Vec<InBatch>, book: &RuleBook) -> Decided {
    let mut done = Decided::default();
    for (batch, d) in all {
        let twice = book.decided_twice(&d.rule) && d.kind != DecisionKind::Province;
        match done.first.remove(&d.item) {
            None if twice => drop(done.first.insert(d.item, (batch, d))),
            Some((_, first)) if twice && !agree(&first, &d) => drop(done.first.insert(d.item, (batch, d))),
            _ => done.in_force.push((batch, d)),
        }
    }
    done
}

/// Whether two decisions are alike, and nobody signed both.
fn agree(a: &Decision, b: &Decision) -> bool {
    let people = |d: &Decision| [&d.handler, &d.reviewer, &d.approver].map(|s| s.name.clone());
    let (of_a, of_b) = (people(a), people(b));
    a.kind == b.kind && a.after == b.after && of_a.iter().all(|name| !of_b.contains(name))
}

/// Decisions that stand on a day: a waiver whose last day is past is none.
pub(super) fn decided(state: &State, book: &RuleBook, day: NaiveDate) -> Result<Decided, RunError> {
    let day = day.to_string();
    let holds = |d: &Decision| d.kind != DecisionKind::Waive || d.expires.as_deref() >= Some(day.as_str());
    let all = state.decisions()?.into_iter().filter(|(_, d)| holds(d)).collect();
    Ok(in_force(all, book))
}

/// Decisions in force, by item.
pub(super) fn by_item(of: Vec<InBatch>) -> BTreeMap<u64, InBatch> {
    of.into_iter().map(|(batch, d)| (d.item, (batch, d))).collect()
}

/// How many items of a run stand where, by department and rule.
///
/// # Errors
/// `DAT-…`, `STA-…`.
pub fn worklist_rows(
    of: &Finished,
    book: &RuleBook,
    state: &State,
    filter: &ItemFilter,
) -> Result<Vec<WorklistRow>, RunError> {
    let Decided { in_force, first } = decided(state, book, of.as_of()?)?;
    let decided = by_item(in_force);
    let findings: BTreeSet<String> = decided
        .values()
        .filter(|(_, d)| d.kind != DecisionKind::Waive)
        .map(|(_, d)| finding_id(&d.rule, &d.table, &d.key, &d.column))
        .collect();
    let handed: BTreeSet<u64> = state.worklists()?.into_iter().flat_map(|w| w.items).collect();
    let mut rows: BTreeMap<(&'static str, String), WorklistRow> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    each_line(
        &of.dir,
        book,
        &[Outcome::ToVerify, Outcome::ToProvince],
        |rule| filter.takes(rule),
        |line| {
            let id = line.id();
            if !seen.insert(id) {
                return;
            }
            let row = rows.entry((line.department, line.rule.clone())).or_default();
            let count = match decided.get(&id).map(|(_, d)| d.kind) {
                Some(DecisionKind::Adopt | DecisionKind::Correct) => &mut row.decided,
                Some(DecisionKind::Waive) => &mut row.waived,
                Some(DecisionKind::Province) => &mut row.province,
                None if first.contains_key(&id) => &mut row.first,
                None if line.outcome == Outcome::ToProvince => &mut row.province,
                None if findings.contains(&line.finding()) => &mut row.stale,
                None if handed.contains(&id) => &mut row.handed_out,
                None => &mut row.open,
            };
            *count += 1;
        },
    )?;
    Ok(rows
        .into_iter()
        .map(|((department, rule), row)| {
            let title = book.rules.iter().find(|r| r.id == rule).map(|r| r.title.clone());
            let (title_zh, title_en) = title.map(|t| (t.zh, t.en)).unwrap_or_default();
            WorklistRow { department: department.to_owned(), rule, title_zh, title_en, ..row }
        })
        .collect())
}
