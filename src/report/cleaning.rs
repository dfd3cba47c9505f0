//! What the page says about cleaning: work items in their order, every rule and how it ended, invariants, what rules added and changed.
//!
//! Must not know: HTML.

use serde::Serialize;

use super::Lang;
use super::number::{count, decimal};
use super::words::Words;
use crate::artifacts::{CleanRow, InvariantEnd, InvariantRow, ReasonRow, StandingEnd, StandingRow, Summary};

/// The section; none where no rule ran.
#[derive(Serialize)]
pub(super) struct Cleaning<'a> {
    items: Vec<Item>,
    rules: Vec<RuleLine<'a>>,
    invariants: Vec<InvariantLine<'a>>,
    reasons: Vec<ReasonLine<'a>>,
}

#[derive(Serialize)]
struct InvariantLine<'a> {
    id: &'a str,
    title: &'a str,
    compares: &'a str,
    ended: String,
    class: &'a str,
    rows: String,
    /// Keys of the first rows, masked.
    samples: String,
    /// The work item that broke it.
    item: String,
}

#[derive(Serialize)]
struct ReasonLine<'a> {
    rule: &'a str,
    table: &'a str,
    effect: String,
    rows: String,
    fen: String,
}

#[derive(Serialize)]
struct Item {
    name: String,
    /// Rules by how they ended.
    found: String,
    clean: String,
    nothing_to_check: String,
    did_not_run: String,
    /// What its rules found, and what of it is left after its repairs.
    before: String,
    after: String,
    /// Fields and rows by what becomes of them.
    repaired: String,
    proposed: String,
    to_verify: String,
    to_province: String,
    noted: String,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    item: String,
    rule: &'a str,
    title: &'a str,
    table: &'a str,
    department: String,
    severity: &'a str,
    ended: String,
    class: &'a str,
    /// Why it did not run, or what it lacked.
    note: String,
    repaired: String,
    proposed: String,
    to_verify: String,
    to_province: String,
    noted: String,
}

/// What a rule found and did not repair.
fn left(of: &CleanRow) -> u64 {
    of.proposed + of.to_verify + of.to_province + of.noted
}

/// What an invariant came to.
fn invariant<'a>(of: &'a InvariantRow, lang: Lang, words: &Words) -> InvariantLine<'a> {
    InvariantLine {
        id: &of.id,
        title: lang.pick(&of.title_zh, &of.title_en),
        compares: lang.pick(&of.compares_zh, &of.compares_en),
        ended: words.say("invariant", of.ended.name()),
        class: match of.ended {
            InvariantEnd::Holds => "accepted",
            InvariantEnd::Broken => "rejected",
            InvariantEnd::NothingToCheck => "excluded",
        },
        rows: count(of.rows),
        samples: of.samples.join("; "),
        item: of.item.as_ref().map(|item| words.say("item", item)).unwrap_or_default(),
    }
}

/// `AAB150 1,234.00; AAB152 …`: what a rule added to the sums of a table, in yuan.
pub fn sums(of: &ReasonRow) -> String {
    let sum = |(column, fen): (&String, &i128)| format!("{column} {}", decimal(*fen, 2));
    of.fen.iter().filter(|(_, fen)| **fen != 0).map(sum).collect::<Vec<_>>().join("; ")
}

fn reason<'a>(of: &'a ReasonRow, words: &Words) -> ReasonLine<'a> {
    ReasonLine {
        rule: &of.rule,
        table: &of.table,
        effect: words.say("reason", &of.effect),
        rows: count(i128::from(of.rows)),
        fen: sums(of),
    }
}

/// The section of what rules did; none where no rule ran.
pub(super) fn cleaning<'a>(of: &'a Summary, lang: Lang, words: &Words) -> Option<Cleaning<'a>> {
    let rows: &[CleanRow] = &of.cleaning;
    if rows.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.item.as_str()) {
            names.push(&row.item);
        }
    }
    let items = names.iter().map(|name| {
        let of: Vec<&CleanRow> = rows.iter().filter(|r| r.item == **name).collect();
        let ended = |how: &str| count(of.iter().filter(|r| r.ended == how).count() as u64);
        let sum = |get: fn(&CleanRow) -> u64| count(of.iter().map(|r| get(r)).sum::<u64>());
        Item {
            name: words.say("item", name),
            found: ended("found"),
            clean: ended("clean"),
            nothing_to_check: ended("nothing_to_check"),
            did_not_run: ended("did_not_run"),
            before: sum(|r| r.repaired + left(r)),
            after: sum(left),
            repaired: sum(|r| r.repaired),
            proposed: sum(|r| r.proposed),
            to_verify: sum(|r| r.to_verify),
            to_province: sum(|r| r.to_province),
            noted: sum(|r| r.noted),
        }
    });
    let line = |row: &'a CleanRow| RuleLine {
        item: words.say("item", &row.item),
        rule: &row.rule,
        title: lang.pick(&row.title_zh, &row.title_en),
        table: &row.table,
        department: words.say("department", &row.department),
        severity: &row.severity,
        ended: words.say("ended", &row.ended),
        class: match row.ended.as_str() {
            "clean" => "accepted",
            "found" => "held",
            _ => "excluded",
        },
        note: row.without.iter().map(|name| words.say("outside", name)).collect::<Vec<_>>().join(", "),
        repaired: count(row.repaired),
        proposed: count(row.proposed),
        to_verify: count(row.to_verify),
        to_province: count(row.to_province),
        noted: count(row.noted),
    };
    Some(Cleaning {
        items: items.collect(),
        rules: rows.iter().map(line).collect(),
        invariants: of.invariants.iter().map(|i| invariant(i, lang, words)).collect(),
        reasons: of.reasons.iter().map(|r| reason(r, words)).collect(),
    })
}

/// A standing approval, and what became of it.
#[derive(Serialize)]
pub(super) struct StandingLine<'a> {
    rule: &'a str,
    by: &'a str,
    until: &'a str,
    limit: String,
    proposals: String,
    /// What people should look at.
    warn: bool,
    end: String,
    batches: String,
}

pub(super) fn standing<'a>(of: &'a [StandingRow], words: &Words) -> Vec<StandingLine<'a>> {
    let line = |row: &'a StandingRow| StandingLine {
        rule: &row.rule,
        by: &row.by,
        until: &row.until,
        limit: count(row.limit),
        proposals: count(row.proposals),
        warn: !matches!(row.end, StandingEnd::Approved | StandingEnd::Nothing),
        end: words.say("standing", row.end.name()),
        batches: row.batches.join(" "),
    };
    of.iter().map(line).collect()
}
