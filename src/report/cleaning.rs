//! What the page says about cleaning: work items in their order, every rule and how it ended.
//!
//! Must not know: HTML.

use serde::Serialize;

use super::Lang;
use super::number::count;
use super::words::Words;
use crate::artifacts::{CleanRow, StandingEnd, StandingRow};

/// The section; none where no rule ran.
#[derive(Serialize)]
pub(super) struct Cleaning<'a> {
    items: Vec<Item>,
    rules: Vec<RuleLine<'a>>,
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

/// The section of some rules.
pub(super) fn cleaning<'a>(rows: &'a [CleanRow], lang: Lang, words: &Words) -> Option<Cleaning<'a>> {
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
    Some(Cleaning { items: items.collect(), rules: rows.iter().map(line).collect() })
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
