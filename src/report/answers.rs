//! What the page says of what somebody answers for, of what was compared with nothing, and of what is plausible.
//!
//! Always: what nothing answers to comes first; what is not plausible before what is.
//! Must not know: HTML.

use std::cmp::Reverse;

use serde::Serialize;

use super::number::{self, count};
use super::reconciliation::amount;
use super::words::Words;
use crate::artifacts::{
    Acknowledged, Judged, KnownEnd, KnownRow, NotChecked, Plausible, Suspicion, Unchecked,
};

/// A line of `[[acknowledged]]`.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    what: String,
    name: &'a str,
    much: String,
    by: &'a str,
    reason: &'a str,
    used: bool,
}

/// A line of `[[known_difference]]`.
#[derive(Serialize)]
pub(super) struct Known<'a> {
    boundary: String,
    table: &'a str,
    measure: &'a str,
    /// Insurance and period of its cell.
    cell: String,
    amount: String,
    /// What the cell left; empty where it is the amount.
    found: String,
    ended: String,
    used: bool,
    basis: &'a str,
    by: &'a str,
    until: &'a str,
}

/// Names of one kind that were not checked.
#[derive(Serialize)]
pub(super) struct Open<'a> {
    what: String,
    names: Vec<&'a str>,
}

/// One check of one legacy table, insurance and year.
#[derive(Serialize)]
pub(super) struct PlausibleView<'a> {
    check: &'a str,
    table: &'a str,
    insurance: String,
    year: String,
    rows: String,
    inside: String,
    times_100: String,
    hundredth: String,
    yuan: String,
    verdict: String,
    bad: bool,
}

/// `1,234 / 5,678 rows`.
pub(super) fn much(part: u64, whole: u64, words: &Words) -> String {
    format!("{} / {} {}", count(part), count(whole), words.say("page", "rows"))
}

/// `an empty branch (empty_branch)`: the word in brackets is what the configuration writes.
pub(super) fn suspicion(what: Suspicion, words: &Words) -> String {
    format!("{} ({})", words.say("suspect", what.name()), what.name())
}

pub(super) fn acknowledged<'a>(of: &'a [Acknowledged], words: &Words) -> Vec<Answer<'a>> {
    let mut sorted: Vec<&Acknowledged> = of.iter().collect();
    sorted.sort_by_key(|a| (a.used, a.what, &a.name));
    let view = |a: &'a Acknowledged| Answer {
        what: suspicion(a.what, words),
        name: &a.name,
        much: much(a.part, a.whole, words),
        by: &a.by,
        reason: &a.reason,
        used: a.used,
    };
    sorted.into_iter().map(view).collect()
}

/// Known differences, those that explain nothing first.
pub(super) fn known<'a>(of: &'a [KnownRow], words: &Words) -> Vec<Known<'a>> {
    let mut sorted: Vec<&KnownRow> = of.iter().collect();
    sorted.sort_by_key(|k| k.ended == KnownEnd::Explains);
    let view = |k: &'a KnownRow| {
        let of = &k.difference;
        let used = k.ended == KnownEnd::Explains;
        Known {
            boundary: words.say("boundary", &of.boundary),
            table: &of.table,
            measure: &of.measure,
            cell: format!("{} {}", of.insurance, of.period).trim().to_owned(),
            amount: amount(of.unit, of.amount),
            found: if k.ended == KnownEnd::Differs { amount(of.unit, k.found) } else { String::new() },
            ended: words.say("known", k.ended.name()),
            used,
            basis: &of.basis,
            by: &of.approver,
            until: &of.until,
        }
    };
    sorted.into_iter().map(view).collect()
}

pub(super) fn not_checked<'a>(of: &'a [NotChecked], words: &Words) -> Vec<Open<'a>> {
    let kinds = [Unchecked::NotDeclared, Unchecked::UnitOfMoney, Unchecked::TextSum, Unchecked::FloatDigits];
    let open = |what: Unchecked| {
        let mut names: Vec<&str> = of.iter().filter(|n| n.what == what).map(|n| n.name.as_str()).collect();
        names.sort_unstable();
        Open { what: words.say("unchecked", what.name()), names }
    };
    kinds.into_iter().map(open).filter(|o| !o.names.is_empty()).collect()
}

pub(super) fn plausible<'a>(of: &'a [Plausible], words: &Words) -> Vec<PlausibleView<'a>> {
    let bad = |p: &Plausible| matches!(p.verdict, Judged::Times100 | Judged::Hundredth | Judged::Implausible);
    let mut sorted: Vec<&Plausible> = of.iter().collect();
    sorted.sort_by_key(|p| (Reverse(bad(p)), &p.check, &p.table, &p.year, &p.insurance));
    let view = |p: &'a Plausible| PlausibleView {
        check: &p.check,
        table: &p.table,
        insurance: super::reconciliation::bucket(&p.insurance, words),
        year: super::reconciliation::bucket(&p.year, words),
        rows: count(p.rows),
        inside: count(p.inside),
        times_100: count(p.times_100),
        hundredth: count(p.hundredth),
        yuan: number::yuan(p.fen),
        verdict: words.say("fault", p.verdict.name()),
        bad: bad(p),
    };
    sorted.into_iter().map(view).collect()
}
