//! The first screen: what the legacy database holds and how much of it is ready, whose department has what open, what is not fit for
//! cutover, what changed since the round before.
//!
//! Always: what is held back is said in rows and in yuan before anything is called done.
//! Must not know: HTML.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Lang;
use super::number::{count, share, yuan};
use super::words::Words;
use crate::artifacts::{
    Against, Coverage, Criterion, DocumentLimits, FigureRow, KnownEnd, Light, Reconciliation, Rehearsal,
    Summary, of_documents,
};

/// Changes that are shown; `reconcile --against` has all.
const CHANGES: usize = 12;

/// The first screen below the verdict.
#[derive(Serialize)]
pub(super) struct First<'a> {
    /// What is not ready: rows, yuan; empty where everything is.
    held_rows: String,
    held_yuan: String,
    /// The verdict where something is held back.
    held_means: String,
    /// How many differences somebody answers for; empty: none.
    known_means: String,
    insurances: Vec<Insurance<'a>>,
    departments: Vec<Department>,
    lights: Vec<LightLine>,
    changed: Changed,
}

#[derive(Serialize)]
struct Insurance<'a> {
    code: &'a str,
    title: String,
    rows: Vec<FigureLine<'a>>,
}

#[derive(Serialize)]
struct FigureLine<'a> {
    title: &'a str,
    old: String,
    ready: String,
    not_ready: String,
    share: String,
    /// 不合格 1,234 · 暂缓 …
    why: String,
    by_rules: String,
    held: bool,
}

#[derive(Serialize)]
struct Department {
    name: String,
    standing: String,
    new: String,
    reopened: String,
    to_approve: String,
    to_verify: String,
    to_province: String,
}

#[derive(Serialize)]
struct LightLine {
    light: &'static str,
    sign: &'static str,
    name: String,
    found: String,
    wanted: String,
}

#[derive(Serialize)]
struct Changed {
    /// The round before; empty: there is none.
    before: String,
    /// It was there and could not be read.
    lost: bool,
    /// Nothing differs.
    same: bool,
    lines: Vec<ChangeLine>,
    more: String,
}

#[derive(Serialize)]
struct ChangeLine {
    what: String,
    at: String,
    before: String,
    after: String,
    difference: String,
    worse: bool,
}

/// Puts the first screen into words.
pub(super) fn first<'a>(
    summary: &'a Summary,
    reconciliation: &Reconciliation,
    coverage: &Coverage,
    rehearsal: Option<&Rehearsal>,
    lang: Lang,
    words: &Words,
) -> First<'a> {
    let rows: u64 = summary.tables.iter().map(|t| t.rejected + t.held).sum();
    let fen: i128 = summary.figures.iter().filter(|f| f.money).map(|f| of_held(f).abs()).sum();
    let held = rows > 0 || fen > 0;
    let (held_rows, held_yuan) = (count(rows), yuan(fen));
    let means = words.say("first", "held_means");
    let limits = DocumentLimits::default();
    let known = reconciliation.known.iter().filter(|k| k.ended == KnownEnd::Explains).count();
    First {
        known_means: match known {
            0 => String::new(),
            n => words.say("known", "means").replace("{n}", &n.to_string()),
        },
        held_means: match held {
            true => means.replace("{rows}", &held_rows).replace("{yuan}", &held_yuan),
            false => String::new(),
        },
        held_rows: if held { held_rows } else { String::new() },
        held_yuan: if held { held_yuan } else { String::new() },
        insurances: insurances(&summary.figures, lang, words),
        departments: departments(summary, words),
        lights: of_documents(summary, reconciliation, coverage, rehearsal, &limits)
            .iter()
            .map(|c| light(c, words))
            .collect(),
        changed: changed(summary, lang, words),
    }
}

/// What of it waits for people: rejected and held.
fn of_held(of: &FigureRow) -> i128 {
    of.not_ready.iter().filter(|(why, _)| matches!(why.as_str(), "rejected" | "held")).map(|(_, n)| n).sum()
}

fn insurances<'a>(of: &'a [FigureRow], lang: Lang, words: &Words) -> Vec<Insurance<'a>> {
    let mut codes: Vec<&str> = of.iter().map(|f| f.insurance.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let one = |code: &&'a str| {
        let rows: Vec<&FigureRow> = of.iter().filter(|f| f.insurance == **code).collect();
        let named = rows.first().map(|f| f.insurance_title.clone()).filter(|t| !t.is_empty());
        Insurance {
            code,
            title: named.unwrap_or_else(|| words.say("first", "no_insurance")),
            rows: rows.into_iter().map(|f| figure(f, lang, words)).collect(),
        }
    };
    codes.iter().map(one).collect()
}

fn figure<'a>(of: &'a FigureRow, lang: Lang, words: &Words) -> FigureLine<'a> {
    let number = |n: i128| if of.money { yuan(n) } else { count(n) };
    let some = |n: i128| if n == 0 { String::new() } else { number(n) };
    let why = of.not_ready.iter().filter(|(_, n)| **n != 0);
    let why = why.map(|(why, n)| format!("{} {}", words.say("disposition_short", why), number(*n)));
    let positive = |n: i128| u64::try_from(n).unwrap_or(0);
    FigureLine {
        title: lang.pick(&of.title_zh, &of.title_en),
        old: number(of.old),
        ready: number(of.old - of.held_back()),
        not_ready: number(of.held_back()),
        share: share(positive(of.old - of.held_back()), positive(of.old)),
        why: why.collect::<Vec<_>>().join(" · "),
        by_rules: some(of.by_rules),
        held: of_held(of) != 0,
    }
}

/// Open findings of the last round, and what waits, by department.
fn departments(of: &Summary, words: &Words) -> Vec<Department> {
    #[derive(Default)]
    struct Sum {
        standing: u64,
        new: u64,
        reopened: u64,
        waits: [u64; 3],
    }
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for row in of.rounds.last().iter().flat_map(|r| &r.rows) {
        let sum = sums.entry(&row.department).or_default();
        sum.standing += row.standing();
        sum.new += row.new;
        sum.reopened += row.reopened;
    }
    for row in &of.cleaning {
        let sum = sums.entry(&row.department).or_default();
        for (sum, n) in sum.waits.iter_mut().zip([row.proposed, row.to_verify, row.to_province]) {
            *sum += n;
        }
    }
    let mut rows: Vec<(&str, Sum)> =
        sums.into_iter().filter(|(_, s)| s.standing > 0 || s.waits.iter().any(|n| *n > 0)).collect();
    rows.sort_by_key(|(name, s)| (Reverse(s.standing), *name));
    rows.into_iter()
        .map(|(name, s)| Department {
            name: words.say("department", name),
            standing: count(s.standing),
            new: count(s.new),
            reopened: count(s.reopened),
            to_approve: count(s.waits[0]),
            to_verify: count(s.waits[1]),
            to_province: count(s.waits[2]),
        })
        .collect()
}

fn light(of: &Criterion, words: &Words) -> LightLine {
    let said = |text: &str| words.say("rehearsal_light", text);
    LightLine {
        light: of.light.name(),
        sign: match of.light {
            Light::Green => "✔",
            Light::Amber => "!",
            Light::Red => "✖",
        },
        name: words.say("criterion", &of.id),
        found: said(&of.found),
        wanted: said(&of.wanted),
    }
}

fn changed(of: &Summary, lang: Lang, words: &Words) -> Changed {
    let before = of.rounds.last().and_then(|r| r.before.clone()).unwrap_or_default();
    let lost = !before.is_empty() && of.changed.is_none();
    let Some(all) = &of.changed else {
        return Changed { before, lost, same: false, lines: Vec::new(), more: String::new() };
    };
    let mut lines = change_lines(all, lang, words);
    let more = lines.len().saturating_sub(CHANGES);
    lines.truncate(CHANGES);
    let more = if more == 0 { String::new() } else { more.to_string() };
    Changed { before, lost, same: lines.is_empty(), lines, more }
}

/// Rows by disposition over all tables, money by insurance and disposition, then findings, what changed most first.
fn change_lines(of: &Against, lang: Lang, words: &Words) -> Vec<ChangeLine> {
    let mut rows: BTreeMap<&str, [i128; 2]> = BTreeMap::new();
    for sum in of.sums.iter().filter(|s| s.measure == "rows") {
        let both = rows.entry(&sum.disposition).or_default();
        both[0] += sum.before;
        both[1] += sum.after;
    }
    let mut lines: Vec<ChangeLine> = rows
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|(disposition, [before, after])| ChangeLine {
            what: words.say("disposition", disposition),
            at: words.say("page", "rows"),
            before: count(before),
            after: count(after),
            difference: signed(after - before),
            worse: match disposition {
                "accepted" => after < before,
                "rejected" | "held" => after > before,
                _ => false,
            },
        })
        .collect();
    let mut findings: Vec<_> = of.findings.iter().collect();
    findings.sort_by_key(|f| (Reverse(f.before.abs_diff(f.after)), &f.rule, &f.table, &f.column));
    lines.extend(findings.into_iter().map(|f| {
        ChangeLine {
            what: format!("{} {}", f.rule, lang.pick(&f.title_zh, &f.title_en)),
            at: [f.table.as_str(), f.column.as_str()]
                .iter()
                .filter(|t| !t.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("."),
            before: count(f.before),
            after: count(f.after),
            difference: signed(i128::from(f.after) - i128::from(f.before)),
            worse: f.after > f.before,
        }
    }));
    lines
}

fn signed(n: i128) -> String {
    if n > 0 { format!("+{}", count(n)) } else { count(n) }
}
