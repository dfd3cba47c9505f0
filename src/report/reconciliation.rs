//! What the page says of reconciliation: boundaries, lines, the cells that differ, the unit of money.
//!
//! Always: what is unexplained comes first; an amount is written in its own unit, without a float.
//! Must not know: HTML; which side is a database.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Lang;
use super::number::{self, count};
use super::words::Words;
use crate::artifacts::{
    Boundary, Cell, Line, REST, Reconciliation, TotalColumn, TotalLine, TotalTable, Unit, UnitOfMoney,
};

/// Cells shown under one line, the worst first; reconciliation.json has up to 100.
const CELLS_SHOWN: usize = 20;
/// Lines shown at the head of the page, where they block.
const LINES_SHOWN: usize = 3;
/// A cell that is not told apart, and one whose value did not parse (tally).
const ALL: &str = "";
const NONE: &str = "(none)";

/// The part of the page that is about reconciliation.
#[derive(Serialize)]
pub(super) struct Balance<'a> {
    bad: bool,
    rows: String,
    yuan: String,
    boundaries: Vec<BorderView<'a>>,
    units: Units<'a>,
}

#[derive(Serialize)]
struct BorderView<'a> {
    boundary: &'a str,
    name: String,
    left: String,
    right: String,
    lines: Vec<LineView<'a>>,
    lines_n: String,
    bad_n: String,
    bad: bool,
    rows: String,
    yuan: String,
}

#[derive(Serialize)]
struct LineView<'a> {
    table: &'a str,
    measure: &'a str,
    words: String,
    unit: String,
    left: String,
    right: String,
    explained: Vec<Explained<'a>>,
    unexplained: String,
    bad: bool,
    cells: Vec<CellView<'a>>,
    cells_more: usize,
}

#[derive(Serialize)]
struct Explained<'a> {
    reason: &'a str,
    words: String,
    amount: String,
}

#[derive(Serialize)]
struct CellView<'a> {
    insurance: String,
    period: String,
    left: String,
    right: String,
    explained: Vec<Explained<'a>>,
    unexplained: String,
}

/// A business total, old beside new.
#[derive(Serialize)]
pub(super) struct TotalView<'a> {
    id: &'a str,
    title: &'a str,
    about: &'a str,
    by: &'a str,
    columns: Vec<&'a str>,
    lines: Vec<TotalLineView<'a>>,
    lines_n: String,
}

#[derive(Serialize)]
struct TotalLineView<'a> {
    insurance: &'a str,
    by: String,
    by_title: &'a str,
    numbers: Vec<TotalCell>,
}

#[derive(Serialize)]
struct TotalCell {
    old: String,
    ready: String,
    /// Old and new differ.
    differs: bool,
    /// It should be 0 and is not.
    bad: bool,
}

#[derive(Serialize)]
struct Units<'a> {
    faults: Vec<UnitView<'a>>,
    all: Vec<UnitView<'a>>,
}

#[derive(Serialize)]
struct UnitView<'a> {
    table: &'a str,
    insurance: String,
    year: &'a str,
    details: String,
    ledgers: String,
    times: String,
    fault: String,
}

/// Σ of the lines that count rows at one boundary; none where the boundary was not compared.
pub(super) fn rows(of: &Reconciliation, boundary: &str, side: fn(&Line) -> i128) -> Option<i128> {
    let boundary = of.boundaries.iter().find(|b| b.boundary == boundary)?;
    Some(boundary.lines.iter().filter(|l| l.measure == "rows").map(side).sum())
}

/// The first lines that leave something unexplained, in words: table, measure, amount.
pub(super) fn first_lines(of: &Reconciliation, words: &Words) -> String {
    let lines = of.boundaries.iter().flat_map(|b| &b.lines).filter(|l| l.unexplained > 0);
    let mut said: Vec<String> = lines
        .map(|l| {
            let left = amount(l.unit, i128::try_from(l.unexplained).unwrap_or(i128::MAX));
            format!("{} {}: {left} {}", l.table, measure(&l.measure, words), unit(l.unit, words))
        })
        .collect();
    let faults = of.unit_of_money.iter().filter_map(|u| Some((u, u.fault.as_deref()?)));
    said.extend(faults.map(|(u, fault)| format!("{} {}: {}", u.table, u.year, words.say("fault", fault))));
    let more = said.len() > LINES_SHOWN;
    said.truncate(LINES_SHOWN);
    let dots = if more { "; …" } else { "" };
    said.iter().map(|s| s.trim_end()).collect::<Vec<_>>().join("; ") + dots
}

/// Puts reconciliation into words.
pub(super) fn balance<'a>(of: &'a Reconciliation, words: &Words) -> Balance<'a> {
    Balance {
        bad: of.totals.unexplained_rows > 0 || of.totals.unexplained_fen > 0,
        rows: count(of.totals.unexplained_rows),
        yuan: number::yuan(of.totals.unexplained_fen),
        boundaries: of.boundaries.iter().map(|b| boundary(b, words)).collect(),
        units: units(&of.unit_of_money, words),
    }
}

fn boundary<'a>(of: &'a Boundary, words: &Words) -> BorderView<'a> {
    let mut lines: Vec<&Line> = of.lines.iter().collect();
    lines.sort_by_key(|l| (Reverse(l.unexplained > 0), &l.table, l.measure != "rows", &l.measure));
    let bad = lines.iter().filter(|l| l.unexplained > 0).count();
    BorderView {
        boundary: &of.boundary,
        name: words.say("boundary", &of.boundary),
        left: words.say("side", &of.left_side),
        right: words.say("side", &of.right_side),
        lines_n: count(lines.len() as u64),
        bad_n: count(bad as u64),
        bad: bad > 0 || of.totals.unexplained_rows > 0 || of.totals.unexplained_fen > 0,
        rows: count(of.totals.unexplained_rows),
        yuan: number::yuan(of.totals.unexplained_fen),
        lines: lines.into_iter().map(|l| line(l, words)).collect(),
    }
}

fn line<'a>(of: &'a Line, words: &Words) -> LineView<'a> {
    let mut cells: Vec<&Cell> = of.cells.iter().collect();
    cells.sort_by_key(|c| (Reverse(c.unexplained.unsigned_abs()), &c.insurance, &c.period));
    LineView {
        table: &of.table,
        measure: &of.measure,
        words: measure(&of.measure, words),
        unit: unit(of.unit, words),
        left: amount(of.unit, of.left),
        right: amount(of.unit, of.right),
        explained: explained(of.unit, &of.explained, words),
        unexplained: amount(of.unit, i128::try_from(of.unexplained).unwrap_or(i128::MAX)),
        bad: of.unexplained > 0,
        cells_more: cells.len().saturating_sub(CELLS_SHOWN),
        cells: cells.into_iter().take(CELLS_SHOWN).map(|c| cell(of.unit, c, words)).collect(),
    }
}

fn cell<'a>(unit: Unit, of: &'a Cell, words: &Words) -> CellView<'a> {
    CellView {
        insurance: bucket(&of.insurance, words),
        period: bucket(&of.period, words),
        left: amount(unit, of.left),
        right: amount(unit, of.right),
        explained: explained(unit, &of.explained, words),
        unexplained: amount(unit, of.unexplained),
    }
}

fn explained<'a>(unit: Unit, of: &'a BTreeMap<String, i128>, words: &Words) -> Vec<Explained<'a>> {
    let mut reasons: Vec<(&String, &i128)> = of.iter().collect();
    reasons.sort_by_key(|(reason, n)| (Reverse(n.unsigned_abs()), *reason));
    let one = |(reason, n): (&'a String, &i128)| Explained {
        reason,
        words: reason_words(reason, words),
        amount: amount(unit, *n),
    };
    reasons.into_iter().map(one).collect()
}

/// A reason in words; what a rule did is named with the rule (`added:MIS-04`).
pub fn reason_words(of: &str, words: &Words) -> String {
    match of.split_once(':') {
        Some((effect, rule)) => format!("{} {rule}", words.say("reason", effect)),
        None => words.say("reason", of),
    }
}

pub(super) fn bucket(of: &str, words: &Words) -> String {
    match of {
        ALL => words.say("cell", "all"),
        NONE => words.say("cell", "none"),
        told => told.to_owned(),
    }
}

/// `rows`, `fen:AAE020`, `JFJE.bytes`: the kind in words, the column as it is.
fn measure(of: &str, words: &Words) -> String {
    if let Some((kind, column)) = of.split_once(':') {
        let said = words.say("measure", kind);
        let said = if said == kind { words.say("measure", "exact") } else { said };
        return format!("{said} {}", column.replace('+', " + "));
    }
    match of.rsplit_once('.') {
        Some((column, kind)) => format!("{} {column}", words.say("measure", kind)),
        None => words.say("measure", of),
    }
}

/// What an amount of money is in; a count needs no unit.
fn unit(of: Unit, words: &Words) -> String {
    match of {
        Unit::Rows | Unit::Bytes => String::new(),
        Unit::Money { .. } => words.say("page", "yuan"),
    }
}

/// An amount in its own unit.
pub fn amount(unit: Unit, n: i128) -> String {
    match unit {
        Unit::Rows | Unit::Bytes => count(n),
        Unit::Money { digits } => number::decimal(n, digits),
    }
}

/// Business totals: each number of each line, old and new.
pub(super) fn totals<'a>(of: &'a [TotalTable], lang: Lang, words: &Words) -> Vec<TotalView<'a>> {
    let view = |t: &'a TotalTable| TotalView {
        id: &t.id,
        title: lang.pick(&t.title_zh, &t.title_en),
        about: lang.pick(&t.about_zh, &t.about_en),
        by: lang.pick(&t.by_zh, &t.by_en),
        columns: t.columns.iter().map(|c| lang.pick(&c.title_zh, &c.title_en)).collect(),
        lines: t.lines.iter().map(|l| total_line(t, l, words)).collect(),
        lines_n: count(t.lines.len() as u64),
    };
    of.iter().map(view).collect()
}

fn total_line<'a>(of: &'a TotalTable, line: &'a TotalLine, words: &Words) -> TotalLineView<'a> {
    let at = |numbers: &[i128], no: usize| numbers.get(no).copied().unwrap_or(0);
    let cell = |(no, column): (usize, &TotalColumn)| {
        let shown = |n: i128| if column.money { number::yuan(n) } else { count(n) };
        let (old, ready) = (at(&line.old, no), at(&line.ready, no));
        TotalCell {
            old: shown(old),
            ready: shown(ready),
            differs: old != ready,
            bad: column.zero && (old != 0 || ready != 0),
        }
    };
    TotalLineView {
        insurance: &line.insurance,
        by: total_by(line, words),
        by_title: &line.by_title,
        numbers: of.columns.iter().enumerate().map(cell).collect(),
    }
}

/// What tells a line of a total apart, in words where it is none or all others.
pub(super) fn total_by(line: &TotalLine, words: &Words) -> String {
    match line.by.as_str() {
        "" => words.say("cell", "none"),
        REST => words.say("cell", "rest"),
        by => by.to_owned(),
    }
}

fn units<'a>(of: &'a [UnitOfMoney], words: &Words) -> Units<'a> {
    let mut sorted: Vec<&UnitOfMoney> = of.iter().collect();
    sorted.sort_by_key(|u| (&u.table, &u.year, &u.insurance));
    let view = |u: &&'a UnitOfMoney| unit_view(u, words);
    Units {
        faults: sorted.iter().filter(|u| u.fault.is_some()).map(view).collect(),
        all: sorted.iter().map(view).collect(),
    }
}

fn unit_view<'a>(of: &'a UnitOfMoney, words: &Words) -> UnitView<'a> {
    UnitView {
        table: &of.table,
        insurance: bucket(&of.insurance, words),
        year: &of.year,
        details: number::yuan(of.details_fen),
        ledgers: number::yuan(of.ledgers_fen),
        times: number::times(of.details_fen, of.ledgers_fen),
        fault: of.fault.as_deref().map(|f| words.say("fault", f)).unwrap_or_default(),
    }
}
