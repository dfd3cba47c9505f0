//! What the page says of the mapping's coverage: codes, legacy columns, national columns that the city does not have.
//!
//! Always: what nobody decided about comes first. Legacy tables that are not read stand under the tables left alone, not here.
//! Must not know: HTML.

use std::cmp::Reverse;

use serde::Serialize;

use super::number::{count, share, yuan};
use super::words::Words;
use crate::artifacts::{
    CodeCoverage, Coverage, LegacyDisposition, LegacyTableCoverage, NationalCoverage, NotMapped, Origin,
    Reach, Share, Unfed,
};

/// The part of the page that is about coverage.
#[derive(Serialize)]
pub(super) struct Covered<'a> {
    /// Code columns with codes that are not mapped.
    codes_open: Vec<Code<'a>>,
    codes: Vec<Code<'a>>,
    undecided: Vec<Undecided<'a>>,
    tables: Vec<Legacy<'a>>,
    national: Vec<National<'a>>,
    unfed: Vec<UnfedView<'a>>,
    not_mapped: Vec<Reasoned<'a>>,
    /// Legacy tables that are only joined.
    joined_only: Vec<String>,
}

/// A national measure that no declared amount feeds.
#[derive(Serialize)]
struct UnfedView<'a> {
    table: &'a str,
    branch: &'a str,
    column: &'a str,
    title: &'a str,
    sql: &'a str,
    constant: bool,
    basis: &'a str,
    rows: String,
}

/// A legacy column and the reason that the mapping gives.
#[derive(Serialize)]
struct Reasoned<'a> {
    table: String,
    column: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Code<'a> {
    list: &'a str,
    table: String,
    column: &'a str,
    mapped: Much,
    unmapped: Much,
    /// Rows of codes that are mapped.
    share: String,
}

#[derive(Serialize)]
struct Much {
    distinct: String,
    rows: String,
    yuan: String,
}

#[derive(Serialize)]
struct Undecided<'a> {
    table: String,
    column: &'a str,
}

#[derive(Serialize)]
struct Legacy<'a> {
    table: String,
    read_by: &'a str,
    mapped: String,
    unused: String,
    skipped: String,
    unmapped: String,
    bad: bool,
}

/// A national column that no legacy column fills as it is.
#[derive(Serialize)]
struct National<'a> {
    table: &'a str,
    branch: &'a str,
    column: &'a str,
    title: &'a str,
    mandatory: String,
    origin: String,
    ground: &'a str,
    rows: String,
}

/// Puts coverage into words.
pub(super) fn covered<'a>(of: &'a Coverage, words: &Words) -> Covered<'a> {
    let read = || of.legacy.iter().filter_map(|t| t.read_by.as_deref().map(|file| (t, file)));
    let mut tables: Vec<(&LegacyTableCoverage, &str)> = read().collect();
    tables.sort_by_key(|(t, _)| (Reverse(columns(t, &LegacyDisposition::Unmapped)), &t.source, &t.table));
    let undecided = tables.iter().flat_map(|(t, _)| {
        let nobody = t.columns.iter().filter(|c| c.disposition == LegacyDisposition::Unmapped);
        nobody.map(|c| Undecided { table: label(&t.source, &t.table), column: &c.column })
    });
    let undecided = undecided.collect();
    Covered {
        codes_open: codes(of, |c| c.unmapped.distinct > 0),
        codes: codes(of, |c| c.unmapped.distinct == 0),
        undecided,
        tables: tables.into_iter().map(|(t, file)| legacy(t, file)).collect(),
        national: national(&of.national, words),
        unfed: unfed(&of.unfed),
        not_mapped: of.not_mapped.iter().map(reasoned).collect(),
        joined_only: of
            .legacy
            .iter()
            .filter(|t| t.reach == Reach::JoinedOnly)
            .map(|t| label(&t.source, &t.table))
            .collect(),
    }
}

fn reasoned(of: &NotMapped) -> Reasoned<'_> {
    Reasoned { table: label(&of.source, &of.table), column: &of.column, reason: &of.reason }
}

fn unfed(of: &[Unfed]) -> Vec<UnfedView<'_>> {
    let mut all: Vec<&Unfed> = of.iter().collect();
    all.sort_by_key(|u| (&u.table, &u.column, &u.branch));
    all.into_iter().map(unfed_view).collect()
}

fn unfed_view(of: &Unfed) -> UnfedView<'_> {
    let Unfed { table, branch, column, title, sql, constant, basis, rows } = of;
    let (constant, rows) = (*constant, count(*rows));
    UnfedView { table, branch, column, title, sql, constant, basis, rows }
}

fn label(source: &str, table: &str) -> String {
    format!("{source}.{table}")
}

/// How many columns of a table have that kind of disposition.
fn columns(of: &LegacyTableCoverage, disposition: &LegacyDisposition) -> usize {
    let kind = std::mem::discriminant(disposition);
    of.columns.iter().filter(|c| std::mem::discriminant(&c.disposition) == kind).count()
}

fn legacy<'a>(of: &LegacyTableCoverage, read_by: &'a str) -> Legacy<'a> {
    let unmapped = columns(of, &LegacyDisposition::Unmapped);
    let shown = |n: usize| count(n as u64);
    Legacy {
        table: label(&of.source, &of.table),
        read_by,
        mapped: shown(columns(of, &LegacyDisposition::Mapped)),
        unused: shown(columns(of, &LegacyDisposition::Unused)),
        skipped: shown(columns(of, &LegacyDisposition::Skipped { reason: String::new() })),
        unmapped: shown(unmapped),
        bad: unmapped > 0,
    }
}

fn codes(of: &Coverage, which: fn(&CodeCoverage) -> bool) -> Vec<Code<'_>> {
    let mut all: Vec<&CodeCoverage> = of.codes.iter().filter(|c| which(c)).collect();
    all.sort_by_key(|c| (Reverse(c.unmapped.rows), &c.list, &c.source, &c.table, &c.column));
    all.into_iter()
        .map(|c| Code {
            list: &c.list,
            table: label(&c.source, &c.table),
            column: &c.column,
            mapped: much(&c.mapped),
            unmapped: much(&c.unmapped),
            share: share(c.mapped.rows, c.mapped.rows.saturating_add(c.unmapped.rows)),
        })
        .collect()
}

fn much(of: &Share) -> Much {
    Much { distinct: count(of.distinct), rows: count(of.rows), yuan: yuan(of.fen) }
}

fn national<'a>(of: &'a [NationalCoverage], words: &Words) -> Vec<National<'a>> {
    let told = |n: &'a NationalCoverage| match &n.origin {
        Origin::Absent { reason } => Some((0, "absent", reason.as_str(), n)),
        Origin::Derived { basis } => Some((1, "derived", basis.as_str(), n)),
        Origin::Mapped | Origin::Unmapped => None,
    };
    let mut all: Vec<_> = of.iter().filter_map(told).collect();
    all.sort_by_key(|(rank, _, _, n)| (*rank, &n.table, &n.column, &n.branch));
    all.into_iter()
        .map(|(_, origin, ground, n)| National {
            table: &n.table,
            branch: &n.branch,
            column: &n.column,
            title: &n.title,
            mandatory: words.say("mandatory", &n.mandatory),
            origin: words.say("origin", origin),
            ground,
            rows: count(n.rows),
        })
        .collect()
}
