//! What the page says, from the summary: every number already written, every code already in words.
//!
//! Always: what blocks and what weighs most comes first; order is decided here and never depends on the order of the input.
//! Must not know: HTML.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Lang;
use super::answers::{self, Answer, Known, Open, PlausibleView};
use super::cleaning::{Cleaning, StandingLine, cleaning, standing};
use super::coverage::{self, Covered};
use super::first::{First, first};
use super::number::{self, NOTHING, count};
use super::reconciliation::{self, Balance, TotalView};
use super::rehearsal::{self, Rehearsed};
use super::rounds::{Empty, Rounds, empty, rounds};
use super::words::Words;
use crate::artifacts::{
    Blocker, Coverage, DispositionRow, ExtractRow, FindingExample, FindingRow, LeftAlone, ReadErrorRow,
    Reconciliation, Rehearsal, StageRow, Status, Summary, Suspicion, TableRow,
};
use crate::clock;

/// Dispositions in the order of the page; `accepted` is none of them.
const DISPOSITIONS: [&str; 4] = ["rejected", "held", "excluded", "merged"];

/// Everything the template writes.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    blocked: bool,
    first: First<'a>,
    /// The first line: what is unexplained, and what was not checked.
    sums: Sums,
    blockers: Vec<Blocking>,
    acknowledged: Vec<Answer<'a>>,
    known: Vec<Known<'a>>,
    not_checked: Vec<Open<'a>>,
    plausible: Vec<PlausibleView<'a>>,
    head: Head<'a>,
    extracts: Vec<Extract<'a>>,
    way: Way,
    tables: Tables<'a>,
    dispositions: Vec<Disposition<'a>>,
    cleaning: Option<Cleaning<'a>>,
    rounds: Option<Rounds<'a>>,
    standing: Vec<StandingLine<'a>>,
    empty: Vec<Empty<'a>>,
    findings: Vec<Finding<'a>>,
    read_errors: Vec<ReadErrorLine<'a>>,
    covered: Covered<'a>,
    balance: Balance<'a>,
    totals: Vec<TotalView<'a>>,
    rehearsed: Rehearsed<'a>,
    left_alone: Vec<Left<'a>>,
    stages: Vec<Stage>,
}

#[derive(Serialize)]
struct Sums {
    rows: String,
    yuan: String,
    not_checked: String,
}

#[derive(Serialize)]
struct Head<'a> {
    city: &'a str,
    city_name: &'a str,
    run: &'a str,
    as_of: &'a str,
    started: String,
    finished: String,
    zone: String,
    took: String,
    version: &'a str,
    config: Digest<'a>,
    national: Digest<'a>,
    mapping: Digest<'a>,
    peak: String,
}

#[derive(Serialize)]
struct Digest<'a> {
    short: String,
    full: &'a str,
}

#[derive(Serialize)]
struct Blocking {
    what: String,
    /// Where, as codes of ours.
    at: String,
    why: String,
    /// The section that tells more.
    section: &'static str,
}

#[derive(Serialize)]
struct Extract<'a> {
    source: &'a str,
    extract: &'a str,
    consistency: &'a str,
    point: &'a str,
    /// Why the source was not asked; empty: it was.
    held: String,
    tables: String,
    rows: String,
}

/// The overview line.
#[derive(Serialize)]
struct Way {
    source: String,
    raw: String,
    mapped: String,
    /// Rows that rules added; empty: none.
    added: String,
    dispositions: Vec<Share>,
    staged: String,
}

#[derive(Serialize)]
struct Share {
    class: &'static str,
    name: String,
    rows: String,
    share: String,
}

#[derive(Serialize)]
struct Tables<'a> {
    /// Whether any row was merged: else its column says nothing.
    merged: bool,
    /// Whether any row was added.
    added: bool,
    rows: Vec<TableLine<'a>>,
    total: TableLine<'a>,
}

#[derive(Serialize)]
struct TableLine<'a> {
    table: &'a str,
    title: &'a str,
    mapped: String,
    added: String,
    accepted: String,
    rejected: String,
    held: String,
    excluded: String,
    merged: String,
    share: String,
    digest: Digest<'a>,
}

#[derive(Serialize)]
struct Disposition<'a> {
    table: &'a str,
    title: &'a str,
    disposition: String,
    class: &'a str,
    reason: &'a str,
    /// The reason in words, where we know any.
    words: String,
    rows: String,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    title: &'a str,
    level: String,
    gate: String,
    class: &'a str,
    table: &'a str,
    column: &'a str,
    rows: String,
    examples: &'a [FindingExample],
    /// What shows all of its rows, and the whole way of the first.
    commands: Vec<String>,
}

#[derive(Serialize)]
struct ReadErrorLine<'a> {
    table: &'a str,
    column: &'a str,
    code: &'a str,
    words: String,
    rows: String,
}

#[derive(Serialize)]
struct Left<'a> {
    source: &'a str,
    table: &'a str,
    reason: &'a str,
    decided: bool,
}

#[derive(Serialize)]
struct Stage {
    stage: String,
    rows: String,
    seconds: String,
    per_second: String,
}

fn digest(full: &str) -> Digest<'_> {
    Digest { short: number::short(full), full }
}

/// Puts the documents into words.
pub(super) fn page<'a>(
    summary: &'a Summary,
    reconciliation: &'a Reconciliation,
    coverage: &'a Coverage,
    rehearsal: Option<&'a Rehearsal>,
    lang: Lang,
    words: &Words,
) -> Page<'a> {
    let mut blockers = blockers(summary, reconciliation, words);
    if rehearsal::blocks(rehearsal) {
        blockers.push(Blocking {
            what: words.say("rehearsal", "title"),
            at: String::new(),
            why: words.say("rehearsal", "blocked"),
            section: "rehearsal",
        });
    }
    Page {
        blocked: summary.status == Status::Blocked || !blockers.is_empty(),
        first: first(summary, reconciliation, coverage, rehearsal, lang, words),
        sums: Sums {
            rows: count(reconciliation.totals.unexplained_rows),
            yuan: number::yuan(reconciliation.totals.unexplained_fen),
            not_checked: count(summary.not_checked.len() as u64),
        },
        blockers,
        acknowledged: answers::acknowledged(&summary.acknowledged, words),
        known: answers::known(&reconciliation.known, words),
        not_checked: answers::not_checked(&summary.not_checked, words),
        plausible: answers::plausible(&reconciliation.plausible, words),
        head: head(summary, words),
        extracts: summary.extracts.iter().map(|e| extract(e, words)).collect(),
        way: way(summary, reconciliation, words),
        tables: tables(&summary.tables),
        dispositions: dispositions(summary, lang, words),
        cleaning: cleaning(summary, lang, words),
        rounds: rounds(summary, lang, words),
        standing: standing(&summary.standing, words),
        empty: empty(&summary.empty),
        findings: findings(summary, lang, words),
        read_errors: read_errors(&summary.read_errors, words),
        covered: coverage::covered(coverage, words),
        balance: reconciliation::balance(reconciliation, words),
        totals: reconciliation::totals(&summary.totals, lang, words),
        rehearsed: rehearsal::rehearsed(rehearsal, words),
        left_alone: left_alone(&summary.left_alone),
        stages: summary.stages.iter().map(|s| stage(s, words)).collect(),
    }
}

fn head<'a>(of: &'a Summary, words: &Words) -> Head<'a> {
    Head {
        city: &of.city,
        city_name: &of.city_name,
        run: &of.run,
        as_of: &of.as_of,
        started: clock::wall(&of.started),
        finished: clock::wall(&of.finished),
        zone: words.say("zone", clock::offset(&of.finished)),
        took: number::took(&of.started, &of.finished),
        version: &of.qianyi,
        config: digest(&of.config_digest),
        national: digest(&of.national_digest),
        mapping: digest(&of.mapping_digest),
        peak: number::mebibytes(of.peak_rss_bytes),
    }
}

/// What blocks. The reconciliation speaks for itself: a package that was built later may have added a boundary to it.
fn blockers(summary: &Summary, reconciliation: &Reconciliation, words: &Words) -> Vec<Blocking> {
    let mut all = Vec::new();
    let totals = reconciliation.totals;
    if totals.unexplained_rows > 0 || totals.unexplained_fen > 0 {
        all.push(unexplained(totals.unexplained_rows, totals.unexplained_fen, reconciliation, words));
    }
    let stated = all.is_empty();
    for blocker in &summary.blocked_by {
        match blocker {
            Blocker::Unexplained { rows, fen } if stated => {
                all.push(unexplained(*rows, *fen, reconciliation, words));
            }
            Blocker::Unexplained { .. } => {}
            Blocker::NotChecked { table, column, rule, why } => all.push(Blocking {
                what: words.say("blocker", "not_checked"),
                at: format!("{rule} · {table}.{column}"),
                why: why.clone(),
                section: "tables",
            }),
            Blocker::Undecided { table } => all.push(Blocking {
                what: words.say("blocker", "undecided"),
                at: table.clone(),
                why: String::new(),
                section: "left-alone",
            }),
            Blocker::Suspect { what, name, part, whole } => all.push(Blocking {
                what: answers::suspicion(*what, words),
                at: name.clone(),
                why: answers::much(*part, *whole, words),
                section: section(*what),
            }),
            Blocker::Invariant { id, rows } => all.push(Blocking {
                what: words.say("blocker", "invariant"),
                at: id.clone(),
                why: format!("{} {}", count(*rows), words.say("page", "rows")),
                section: "cleaning",
            }),
            Blocker::Fuzzy { source } => all.push(Blocking {
                what: words.say("blocker", "fuzzy"),
                at: source.clone(),
                why: String::new(),
                section: "tables",
            }),
        }
    }
    all
}

/// Where the page tells more of it.
fn section(what: Suspicion) -> &'static str {
    match what {
        Suspicion::EmptyBranch
        | Suspicion::CodeList
        | Suspicion::Encoding
        | Suspicion::ConstantMeasure
        | Suspicion::VanishedMoney => "coverage",
        Suspicion::EmptyTable | Suspicion::Acceptance => "tables",
        Suspicion::Implausible => "unit-of-money",
    }
}

fn unexplained(rows: u64, fen: u64, of: &Reconciliation, words: &Words) -> Blocking {
    let (row, yuan) = (words.say("page", "rows"), words.say("page", "yuan"));
    Blocking {
        what: words.say("blocker", "unexplained"),
        at: format!("{} {row} · {} {yuan}", count(rows), number::yuan(fen)),
        why: reconciliation::first_lines(of, words),
        section: "reconciliation",
    }
}

fn extract<'a>(of: &'a ExtractRow, words: &Words) -> Extract<'a> {
    let held = || format!("{} ({})", words.say("summary", "over_held"), clock::wall(&of.started));
    Extract {
        source: &of.source,
        extract: &of.extract,
        consistency: &of.consistency,
        point: &of.point,
        held: if of.held { held() } else { String::new() },
        tables: count(of.tables),
        rows: count(of.rows),
    }
}

fn way(summary: &Summary, reconciliation: &Reconciliation, words: &Words) -> Way {
    let sum = |of: fn(&TableRow) -> u64| summary.tables.iter().map(of).sum::<u64>();
    let (mapped, added) = (sum(|t| t.mapped), sum(|t| t.added));
    let counted = |n: Option<i128>| n.map_or(NOTHING.to_owned(), count);
    let dispositions: [(&'static str, u64); 5] = [
        ("accepted", sum(|t| t.accepted)),
        ("rejected", sum(|t| t.rejected)),
        ("held", sum(|t| t.held)),
        ("excluded", sum(|t| t.excluded)),
        ("merged", sum(|t| t.merged)),
    ];
    let share = |(class, rows): &(&'static str, u64)| Share {
        class,
        name: words.say("disposition", class),
        rows: count(*rows),
        share: number::share(*rows, mapped + added),
    };
    Way {
        source: counted(reconciliation::rows(reconciliation, "source-raw", |l| l.left)),
        raw: count(summary.extracts.iter().map(|e| e.rows).sum::<u64>()),
        mapped: count(mapped),
        added: if added > 0 { count(added) } else { String::new() },
        dispositions: dispositions
            .iter()
            .filter(|(class, rows)| *class != "merged" || *rows > 0)
            .map(share)
            .collect(),
        staged: counted(reconciliation::rows(reconciliation, "mapped-dispositions", |l| l.right)),
    }
}

fn tables(of: &[TableRow]) -> Tables<'_> {
    let sum = |each: fn(&TableRow) -> u64| of.iter().map(each).sum::<u64>();
    let mut rows: Vec<&TableRow> = of.iter().collect();
    rows.sort_by_key(|t| &t.table);
    let total = TableRow {
        table: String::new(),
        title: String::new(),
        mapped: sum(|t| t.mapped),
        added: sum(|t| t.added),
        accepted: sum(|t| t.accepted),
        rejected: sum(|t| t.rejected),
        held: sum(|t| t.held),
        excluded: sum(|t| t.excluded),
        merged: sum(|t| t.merged),
        file_digest: String::new(),
        content_digest: String::new(),
    };
    Tables {
        merged: total.merged > 0,
        added: total.added > 0,
        rows: rows.into_iter().map(|t| table_line(t, &t.table, &t.title, &t.content_digest)).collect(),
        total: table_line(&total, "", "", ""),
    }
}

fn table_line<'a>(of: &TableRow, table: &'a str, title: &'a str, content: &'a str) -> TableLine<'a> {
    TableLine {
        table,
        title,
        mapped: count(of.mapped),
        added: count(of.added),
        accepted: count(of.accepted),
        rejected: count(of.rejected),
        held: count(of.held),
        excluded: count(of.excluded),
        merged: count(of.merged),
        share: number::share(of.accepted, of.mapped + of.added),
        digest: digest(content),
    }
}

fn title(of: &FindingRow, lang: Lang) -> &str {
    lang.pick(&of.title_zh, &of.title_en)
}

fn rank(order: &[&str], code: &str) -> usize {
    order.iter().position(|c| *c == code).unwrap_or(order.len())
}

fn dispositions<'a>(summary: &'a Summary, lang: Lang, words: &Words) -> Vec<Disposition<'a>> {
    let rules: BTreeMap<&str, &str> =
        summary.findings.iter().map(|f| (f.rule.as_str(), title(f, lang))).collect();
    let titles: BTreeMap<&str, &str> =
        summary.tables.iter().map(|t| (t.table.as_str(), t.title.as_str())).collect();
    let in_words = |of: &DispositionRow| {
        if let Some(title) = titles.get(of.reason.as_str()) {
            return format!("{} {title}", words.say("reason", "parent"));
        }
        let said = words.say("reason", &of.reason);
        if said != of.reason {
            return said;
        }
        let rule = |id: &str| rules.get(id).copied();
        let known: Vec<&str> = of.reason.split([',', ' ', '+', ';']).filter_map(rule).collect();
        known.join(" · ")
    };
    let mut rows: Vec<&DispositionRow> = summary.dispositions.iter().collect();
    rows.sort_by_key(|f| (rank(&DISPOSITIONS, &f.disposition), Reverse(f.rows), &f.table, &f.reason));
    rows.into_iter()
        .map(|f| Disposition {
            table: &f.table,
            title: titles.get(f.table.as_str()).copied().unwrap_or_default(),
            disposition: words.say("disposition", &f.disposition),
            class: &f.disposition,
            reason: &f.reason,
            words: in_words(f),
            rows: count(f.rows),
        })
        .collect()
}

fn commands(of: &FindingRow, run: &str) -> Vec<String> {
    let all = format!("qianyi findings --run {run} --rule {} --table {}", of.rule, of.table);
    let key = of.examples.first().and_then(|e| e.key.as_ref());
    let way = key.map(|key| format!("qianyi trace --run {run} {} '{key}'", of.table));
    [Some(all), way].into_iter().flatten().collect()
}

fn findings<'a>(of: &'a Summary, lang: Lang, words: &Words) -> Vec<Finding<'a>> {
    let run = &of.run;
    let mut rows: Vec<&FindingRow> = of.findings.iter().collect();
    rows.sort_by_key(|f| {
        let weight = (rank(&["block", "mark", "count"], &f.gate), rank(&["B", "E", "W", "I"], &f.level));
        (weight, Reverse(f.rows), &f.rule, &f.table, &f.column)
    });
    rows.into_iter()
        .map(|f| Finding {
            rule: &f.rule,
            title: title(f, lang),
            level: words.say("level", &f.level),
            gate: words.say("gate", &f.gate),
            class: &f.gate,
            table: &f.table,
            column: &f.column,
            rows: count(f.rows),
            examples: &f.examples,
            commands: commands(f, run),
        })
        .collect()
}

fn read_errors<'a>(of: &'a [ReadErrorRow], words: &Words) -> Vec<ReadErrorLine<'a>> {
    let mut rows: Vec<&ReadErrorRow> = of.iter().collect();
    rows.sort_by_key(|n| (Reverse(n.rows), &n.table, &n.column, &n.code));
    rows.into_iter()
        .map(|n| ReadErrorLine {
            table: &n.table,
            column: &n.column,
            code: &n.code,
            words: words.say("read_error", &n.code),
            rows: count(n.rows),
        })
        .collect()
}

fn left_alone(of: &[LeftAlone]) -> Vec<Left<'_>> {
    let mut rows: Vec<&LeftAlone> = of.iter().collect();
    rows.sort_by_key(|l| (l.mapped, &l.source, &l.table));
    rows.into_iter()
        .map(|l| Left { source: &l.source, table: &l.table, reason: &l.reason, decided: l.mapped })
        .collect()
}

fn stage(of: &StageRow, words: &Words) -> Stage {
    Stage {
        stage: words.say("stage", &of.stage),
        rows: count(of.rows),
        seconds: number::seconds(of.seconds),
        per_second: number::whole(of.rows_per_second),
    }
}
