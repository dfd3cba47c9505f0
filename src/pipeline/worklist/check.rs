//! Rows that came back → decisions, or every mistake with its cell.
//!
//! Always: nothing is guessed and nothing left out: a row is decided as a whole, by three people who may, about an item that still stands, or it is
//! a mistake; a row without a decision stays on the worklist.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Months, NaiveDate};

use super::approved::{Said, SaidOf, field_of, left};
use super::form::{self, RowsDigest, at};
use super::import::Signatory;
use super::items::Line;
use super::list::InBatch;
use super::reading::{Mistake, ReadFile, ReadRow, is_formula};
use super::value;
use crate::national::National;
use crate::report::Words;
use crate::rules::{Effect, RuleBook};
use crate::state::{Decision, DecisionKind, Signature, Worklist, worklist_name};

/// Characters of a number of evidence.
const EVIDENCE: usize = 100;

/// What rows are checked against.
pub(super) struct CheckOf<'a> {
    pub(super) national: &'a National,
    pub(super) book: &'a RuleBook,
    pub(super) people: &'a [Signatory],
    pub(super) words: &'a [Words; 2],
    pub(super) worklist: &'a Worklist,
    /// What the newest run has for departments to verify, of its rule.
    pub(super) lines: &'a HashMap<u64, Line>,
    /// What is decided and stands.
    pub(super) decided: &'a BTreeMap<u64, InBatch>,
    /// What three people have decided, and three others have to decide alike.
    pub(super) first: &'a BTreeMap<u64, InBatch>,
    /// What approved proposals make of fields.
    pub(super) approved: &'a SaidOf,
    /// Months for which a waiver holds at most.
    pub(super) waiver_months: u32,
    pub(super) today: NaiveDate,
    /// The account that began the newest run: who operates does not approve.
    pub(super) operator: Option<&'a str>,
}

/// What the rows of a file come to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) decisions: Vec<Decision>,
    pub(super) undecided: u64,
    /// Decided alike before.
    pub(super) known: u64,
    pub(super) mistakes: Vec<Mistake>,
}

/// Checks a file.
pub(super) fn check(of: &CheckOf<'_>, file: &ReadFile) -> Checked {
    let mut done = Checked { mistakes: file.mistakes.clone(), ..Checked::default() };
    hidden(of, file, &mut done.mistakes);
    let sound = rows(of, file, &mut done.mistakes);
    decide(of, file, sound, &mut done);
    done
}

/// Takes what sound rows decide.
pub(super) fn decide(of: &CheckOf<'_>, file: &ReadFile, sound: Vec<(&ReadRow, u64)>, done: &mut Checked) {
    let mut fields = SaidOf::new();
    for (batch, d) in of.decided.values().filter(|(_, d)| corrects(d.kind)) {
        let field = field_of(d, of.book);
        let place = crate::state::batch_name(*batch);
        fields.insert(field, Said { about: d.before.clone(), left: d.after.clone(), place });
    }
    for (row, id) in sound {
        let mut said = Vec::new();
        let mut say = |column: usize, what: &'static str, with: Vec<String>| {
            said.push(file.mistake(row, column, what, with));
        };
        match decision(of, (file, row), id, &mut say) {
            Some(Row::Undecided) => done.undecided += 1,
            Some(Row::Known) => done.known += 1,
            Some(Row::Decided(decision, line)) => {
                let (about, after) = (decision.before.clone(), decision.after.clone());
                let place = row.address(at::DECISION);
                let before = corrects(decision.kind)
                    .then_some(Said { about, left: after, place })
                    .and_then(|said| fields.insert(line.field(), said))
                    .filter(|said| said.contradicts(decision.before.as_deref(), decision.after.as_deref()));
                let approved = of.approved.get(&line.field()).filter(|said| {
                    let left = left(&decision, of.book);
                    left.is_some_and(|left| said.contradicts(decision.before.as_deref(), left))
                });
                match before.or_else(|| approved.cloned()) {
                    Some(said) => say(at::DECISION, "contradicts", vec![said.place]),
                    None => done.decisions.push(*decision),
                }
            }
            None => {}
        }
        done.mistakes.append(&mut said);
    }
}

/// Whether it gives a field another value.
fn corrects(kind: DecisionKind) -> bool {
    matches!(kind, DecisionKind::Adopt | DecisionKind::Correct)
}

/// The hidden sheet says what was recorded when the file went out.
fn hidden(of: &CheckOf<'_>, file: &ReadFile, mistakes: &mut Vec<Mistake>) {
    let list = of.worklist;
    let whole =
        |what: &'static str, with: Vec<String>| Mistake { sheet: None, cell: String::new(), what, with };
    if file.is_csv {
        return;
    }
    if file.hidden.is_empty() {
        return mistakes.push(whole("no_hidden", Vec::new()));
    }
    for (name, expected) in [
        ("version", form::VERSION.to_owned()),
        ("worklist", worklist_name(list.id)),
        ("round", list.run.clone()),
        ("rule", list.rule.clone()),
        ("digest", list.digest.clone()),
    ] {
        if file.hidden.get(name) != Some(&expected) {
            mistakes.push(whole("hidden", vec![name.to_owned(), expected]));
        }
    }
}

/// Rows whose protected cells are as they went out, with their item; together they are the rows that went out, each once.
fn rows<'f>(of: &CheckOf<'_>, file: &'f ReadFile, mistakes: &mut Vec<Mistake>) -> Vec<(&'f ReadRow, u64)> {
    let own = worklist_name(of.worklist.id);
    let (mut digest, mut seen, mut sound) = (RowsDigest::default(), HashSet::new(), Vec::new());
    let mut wrong = false;
    for row in &file.rows {
        let code = digest.add(&own, &row.protected());
        let told = &row.cells[at::CHECK];
        let id = form::item_of(&row.cells[at::ITEM]).filter(|id| of.worklist.items.binary_search(id).is_ok());
        let what = match id {
            _ if told.split('-').next() != Some(own.as_str()) => Some((at::CHECK, "other_list", own.clone())),
            None => Some((at::ITEM, "key", String::new())),
            Some(id) if *told != code => {
                // What is filled in is looked at all the same: every mistake is told at once.
                sound.push((row, id));
                seen.insert(id);
                Some((at::ITEM, "changed", row.address(at::DECISION - 1)))
            }
            Some(id) if !seen.insert(id) => Some((at::ITEM, "twice", String::new())),
            Some(id) => {
                sound.push((row, id));
                None
            }
        };
        if let Some((column, what, with)) = what {
            wrong = true;
            mistakes.push(file.mistake(row, column, what, vec![with]));
        }
    }
    let missing = of.worklist.items.iter().filter(|id| !seen.contains(id));
    let missing: Vec<String> = missing.map(|id| form::item_text(*id)).collect();
    let whole =
        |what: &'static str, with: Vec<String>| Mistake { sheet: None, cell: String::new(), what, with };
    if let (false, Some(first)) = (wrong, missing.first()) {
        mistakes.push(whole("missing", vec![missing.len().to_string(), first.clone()]));
    } else if !wrong && digest.text() != of.worklist.digest {
        mistakes.push(whole("row_set", Vec::new()));
    }
    sound
}

/// What a row says.
enum Row<'a> {
    Undecided,
    Known,
    Decided(Box<Decision>, &'a Line),
}

/// The number of the evidence, as it is filled in; what is wrong with it is said.
fn evidence(
    row: &ReadRow,
    kind: DecisionKind,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<String> {
    let evidence = row.filled(at::EVIDENCE).map(str::to_owned);
    match &evidence {
        None if kind != DecisionKind::Province => say(at::EVIDENCE, "no_evidence", Vec::new()),
        Some(text) if is_formula(text) => say(at::EVIDENCE, "formula", Vec::new()),
        Some(text) if text.chars().count() > EVIDENCE => {
            say(at::EVIDENCE, "long_evidence", vec![EVIDENCE.to_string()]);
        }
        Some(_) | None => {}
    }
    evidence
}

/// The decision of a row; none where it has mistakes, which are said.
fn decision<'a>(
    of: &CheckOf<'a>,
    (file, row): (&ReadFile, &ReadRow),
    id: u64,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<Row<'a>> {
    let Some(word) = row.filled(at::DECISION) else {
        let filled = [at::CORRECTED, at::EVIDENCE, at::UNTIL].into_iter().find(|c| row.filled(*c).is_some());
        let Some(column) = filled else { return Some(Row::Undecided) };
        say(at::DECISION, "undecided", vec![row.address(column)]);
        return None;
    };
    let named = |kind: &DecisionKind| of.words.iter().any(|words| form::word(words, *kind) == word);
    let Some(kind) = DecisionKind::ALL.into_iter().find(named) else {
        say(at::DECISION, "decision", vec![file.choices.join(" / ")]);
        return None;
    };
    let Some(line) = of.lines.get(&id) else {
        say(at::ITEM, "stale", vec![of.worklist.run.clone()]);
        return None;
    };
    let after = proposed(of, row, kind, line, say);
    let expires = expiry(of, row, kind, say);
    let evidence = evidence(row, kind, say);
    let signed = signatures(of, row, say);
    let (signed, Some(after), Some(expires)) = (signed?, after, expires) else {
        return None;
    };
    if kind != DecisionKind::Province && evidence.is_none() {
        return None;
    }
    if is_known(of, id, (kind, &after), &signed, say)? {
        return Some(Row::Known);
    }
    let expires = match kind {
        DecisionKind::Waive => Some(until(of, &signed[2].day, expires, say)?),
        DecisionKind::Adopt | DecisionKind::Correct | DecisionKind::Province => None,
    };
    let [handler, reviewer, approver] = signed;
    let line_of = line.clone();
    let decision = Decision {
        worklist: of.worklist.id,
        item: id,
        kind,
        rule: line_of.rule,
        table: line_of.table,
        key: line_of.key,
        source: line_of.source,
        skey: line_of.skey,
        column: line_of.column,
        before: line_of.before,
        after,
        evidence,
        expires,
        handler,
        reviewer,
        approver,
    };
    Some(Row::Decided(Box::new(decision), line))
}

/// The last day of a waiver: as it is written, or some months after its approval. None: nothing may hold so long.
fn until(
    of: &CheckOf<'_>,
    approved: &str,
    written: Option<String>,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<String> {
    let after = |day: NaiveDate| day.checked_add_months(Months::new(of.waiver_months)).map(|d| d.to_string());
    let Some(day) = written else { return after(approved.parse().ok()?) };
    let last = after(of.today)?;
    if day > last {
        say(at::UNTIL, "too_long", vec![last]);
        return None;
    }
    Some(day)
}

/// Whether the same was decided about the item before; none: something else was, or somebody may not sign a second time, which is said.
fn is_known(
    of: &CheckOf<'_>,
    id: u64,
    (kind, after): (DecisionKind, &Option<String>),
    signed: &[Signature; 3],
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<bool> {
    let in_force = of.decided.get(&id);
    let Some((batch, before)) = in_force.or_else(|| of.first.get(&id)) else { return Some(false) };
    if before.kind != kind || before.after != *after {
        say(at::DECISION, "contradicts", vec![crate::state::batch_name(*batch)]);
        return None;
    }
    let people = [&before.handler, &before.reviewer, &before.approver];
    if in_force.is_some() || people.iter().zip(signed).all(|(a, b)| **a == *b) {
        return Some(true);
    }
    let mut sound = Some(false);
    for (column, signature) in [at::HANDLER, at::REVIEWER, at::APPROVER].into_iter().zip(signed) {
        if people.iter().any(|p| p.name == signature.name) {
            say(column, "signed_first", Vec::new());
            sound = None;
        }
    }
    sound
}

/// The value that is right, or that is adopted; none where there are mistakes.
fn proposed(
    of: &CheckOf<'_>,
    row: &ReadRow,
    kind: DecisionKind,
    line: &Line,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<Option<String>> {
    let written = row.filled(at::CORRECTED);
    match (kind, written) {
        (DecisionKind::Adopt, None) if line.after.is_some() || line.effect == Effect::Exclude => {
            Some(line.after.clone())
        }
        (DecisionKind::Adopt, None) => {
            say(at::DECISION, "nothing_proposed", Vec::new());
            None
        }
        (DecisionKind::Correct, None) => {
            say(at::CORRECTED, "no_value", Vec::new());
            None
        }
        (DecisionKind::Correct, Some(text)) => {
            match value::check(of.national, &of.book.untouchable, line, text) {
                Ok(value) => Some(Some(value)),
                Err((what, with)) => {
                    say(at::CORRECTED, what, with);
                    None
                }
            }
        }
        (DecisionKind::Waive | DecisionKind::Province, None) => Some(None),
        (DecisionKind::Adopt | DecisionKind::Waive | DecisionKind::Province, Some(_)) => {
            say(at::CORRECTED, "not_both", Vec::new());
            None
        }
    }
}

/// The last day of a waiver where it is written; none where there are mistakes.
fn expiry(
    of: &CheckOf<'_>,
    row: &ReadRow,
    kind: DecisionKind,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<Option<String>> {
    let Some(text) = row.filled(at::UNTIL) else { return Some(None) };
    let what = match value::day(text) {
        _ if kind != DecisionKind::Waive => "not_waived",
        None => "day",
        Some(day) if day < of.today => "expired",
        Some(day) => return Some(Some(day.to_string())),
    };
    say(at::UNTIL, what, Vec::new());
    None
}

/// Whether somebody may sign in a role.
type Role = (usize, fn(&Signatory) -> bool);

/// Three people, each in a role that is theirs, one after another, none twice; none where there are mistakes.
fn signatures(
    of: &CheckOf<'_>,
    row: &ReadRow,
    say: &mut impl FnMut(usize, &'static str, Vec<String>),
) -> Option<[Signature; 3]> {
    let roles: [Role; 3] =
        [(at::HANDLER, |p| p.handles), (at::REVIEWER, |p| p.reviews), (at::APPROVER, |p| p.approves)];
    let mut sound = true;
    let mut wrong = |column: usize, what: &'static str, with: Vec<String>| {
        sound = false;
        say(column, what, with);
    };
    let mut signed: [Signature; 3] = Default::default();
    for (no, (column, may)) in roles.into_iter().enumerate() {
        let name = row.filled(column).unwrap_or_default();
        let of_name: Vec<&Signatory> = of.people.iter().filter(|p| p.name == name).collect();
        let first = signed[..no].iter().position(|s| s.name == name && !name.is_empty());
        let operates = of_name.iter().any(|p| of.operator == Some(p.account.as_str()));
        if name.is_empty() {
            wrong(column, "no_name", Vec::new());
        } else if of_name.is_empty() {
            wrong(column, "unknown_person", Vec::new());
        } else if !of_name.iter().any(|p| may(p)) {
            wrong(column, "no_role", Vec::new());
        } else if let Some(first) = first {
            wrong(column, "same_person", vec![row.address(roles[first].0)]);
        } else if column == at::APPROVER && operates {
            wrong(column, "operator", Vec::new());
        }
        let day = row.filled(column + 1).map(value::day);
        match day {
            None => wrong(column + 1, "no_day", Vec::new()),
            Some(None) => wrong(column + 1, "day", Vec::new()),
            Some(Some(day)) if day > of.today => wrong(column + 1, "future", Vec::new()),
            Some(Some(day)) => {
                let text = day.to_string();
                if no > 0 && signed[no - 1].day > text {
                    wrong(column + 1, "order", vec![row.address(column - 1)]);
                }
                signed[no].day = text;
            }
        }
        signed[no].name = name.to_owned();
    }
    sound.then_some(signed)
}
