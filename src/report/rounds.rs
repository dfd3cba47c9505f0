//! What the page says about rounds: the last ones in a line each, this one rule by rule; and about empty values before and after.
//!
//! Must not know: HTML.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Lang;
use super::number::{count, share};
use super::words::Words;
use crate::artifacts::{EmptyRow, Round, RoundRow, Summary};

/// The section; none where a run has no round.
#[derive(Serialize)]
pub(super) struct Rounds<'a> {
    /// Findings of this round that were fixed once; empty: none.
    reopened: String,
    /// Oldest first.
    totals: Vec<Total<'a>>,
    /// The rounds before this one.
    earlier: Vec<&'a str>,
    rules: Vec<RuleLine<'a>>,
}

#[derive(Serialize)]
struct Total<'a> {
    run: &'a str,
    as_of: &'a str,
    bad: bool,
    new: String,
    open: String,
    fixed: String,
    reopened: String,
    standing: String,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    item: String,
    rule: &'a str,
    title: &'a str,
    department: String,
    bad: bool,
    /// What stood in each of the rounds before.
    earlier: Vec<String>,
    new: String,
    open: String,
    fixed: String,
    reopened: String,
    standing: String,
}

/// The section of a run.
pub(super) fn rounds<'a>(of: &'a Summary, lang: Lang, words: &Words) -> Option<Rounds<'a>> {
    let (this, before) = of.rounds.split_last()?;
    let cleaning = of.cleaning.iter().map(|r| (r.rule.as_str(), lang.pick(&r.title_zh, &r.title_en)));
    let findings = of.findings.iter().map(|r| (r.rule.as_str(), lang.pick(&r.title_zh, &r.title_en)));
    let titles: BTreeMap<&str, &str> = cleaning.chain(findings).collect();
    let reopened = this.total().reopened;
    Some(Rounds {
        reopened: if reopened == 0 { String::new() } else { count(reopened) },
        totals: of.rounds.iter().map(total).collect(),
        earlier: before.iter().map(|r| r.run.as_str()).collect(),
        rules: this.rows.iter().map(|row| line(row, before, &titles, words)).collect(),
    })
}

fn total(of: &Round) -> Total<'_> {
    let sum = of.total();
    Total {
        run: &of.run,
        as_of: &of.as_of,
        bad: sum.reopened > 0,
        new: count(sum.new),
        open: count(sum.open),
        fixed: count(sum.fixed),
        reopened: count(sum.reopened),
        standing: count(sum.standing()),
    }
}

fn line<'a>(
    row: &'a RoundRow,
    before: &[Round],
    titles: &BTreeMap<&'a str, &'a str>,
    words: &Words,
) -> RuleLine<'a> {
    let then = |round: &Round| {
        let found = round.rows.iter().find(|r| r.rule == row.rule);
        count(found.map_or(0, RoundRow::standing))
    };
    RuleLine {
        item: words.say("item", &row.item),
        rule: &row.rule,
        title: titles.get(row.rule.as_str()).copied().unwrap_or_default(),
        department: words.say("department", &row.department),
        bad: row.reopened > 0,
        earlier: before.iter().map(then).collect(),
        new: count(row.new),
        open: count(row.open),
        fixed: count(row.fixed),
        reopened: count(row.reopened),
        standing: count(row.standing()),
    }
}

/// A table with columns that are not always filled.
#[derive(Serialize)]
pub(super) struct Empty<'a> {
    table: &'a str,
    rows: String,
    columns: Vec<EmptyColumn<'a>>,
}

#[derive(Serialize)]
struct EmptyColumn<'a> {
    column: &'a str,
    title: &'a str,
    before: String,
    before_share: String,
    after: String,
    after_share: String,
}

/// By table; columns that were always filled, and tables of such, are left out.
pub(super) fn empty(of: &[EmptyRow]) -> Vec<Empty<'_>> {
    let mut all: Vec<Empty<'_>> = Vec::new();
    for row in of.iter().filter(|r| r.before > 0) {
        if all.last().is_none_or(|t| t.table != row.table) {
            all.push(Empty { table: &row.table, rows: count(row.rows), columns: Vec::new() });
        }
        let column = EmptyColumn {
            column: &row.column,
            title: &row.title,
            before: count(row.before),
            before_share: share(row.before, row.rows),
            after: count(row.after),
            after_share: share(row.after, row.rows),
        };
        if let Some(table) = all.last_mut() {
            table.columns.push(column);
        }
    }
    all
}
