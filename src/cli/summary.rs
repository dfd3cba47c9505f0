//! The closing summary of a run on the terminal.

use std::collections::BTreeMap;

use qianyi::artifacts::{Acknowledged, Blocker, ReasonRow, Reconciliation, StandingRow, Status, Summary};
use qianyi::clock;
use qianyi::mask;
use qianyi::report::number::{count, yuan};
use qianyi::report::{Words, sums};
use qianyi::schedule::{blocked, suspect};

use super::out::{self, Align};
use super::reconcile::{known_lines, unexplained_lines};
use super::rounds;

/// So many lines that do not add up are shown; `qianyi reconcile` shows all.
const LINES_SHOWN: usize = 5;

/// Tables, findings, stages, and the last word: what blocks, with the first lines that do not add up.
pub fn text(words: &Words, of: &Summary, adds_up: &Reconciliation) -> String {
    let mut text = format!("\n{}\n", tables(words, of));
    if !of.cleaning.is_empty() {
        text.push_str(&format!("\n{}\n", cleaning(words, of)));
    }
    if !of.reasons.is_empty() {
        text.push_str(&format!("\n{}\n", reasons(words, of)));
    }
    if !of.invariants.is_empty() {
        text.push_str(&format!("\n{}\n", invariants(words, of)));
    }
    if !of.findings.is_empty() {
        text.push_str(&format!("\n{}\n", findings(words, of)));
    }
    if let Some(round) = of.rounds.last() {
        text.push_str(&format!("\n{}\n", rounds::counts(words, round)));
    }
    for standing in &of.standing {
        text.push_str(&format!("{}\n", mask::visible(&standing_line(words, standing))));
    }
    text.push_str(&format!("\n{}\n", stages(words, of)));
    let peak = of.peak_rss_bytes >> 20;
    text.push_str(&format!("{} {peak} MiB\n\n", words.say("page", "peak")));
    let state = match of.status {
        Status::Done => "done",
        Status::Blocked => "blocked",
    };
    text.push_str(&format!(
        "{} {} {} · {}: {} {}, {} {} · {}: {}\n",
        words.say("summary", "run"),
        of.run,
        words.say("page", state),
        words.say("page", "unexplained"),
        out::grouped(of.unexplained_rows),
        words.say("page", "rows"),
        yuan(of.unexplained_fen),
        words.say("page", "yuan"),
        words.say("page", "not_checked"),
        out::grouped(of.not_checked.len() as u64),
    ));
    for extract in of.extracts.iter().filter(|e| e.held) {
        text.push_str(&format!(
            "  {}: {} {} ({})\n",
            words.say("summary", "over_held"),
            extract.source,
            extract.extract,
            clock::wall(&extract.started)
        ));
    }
    for blocker in &of.blocked_by {
        text.push_str(&format!("  {}\n", mask::visible(&blocked(words, blocker))));
        if let Blocker::Unexplained { .. } = blocker {
            text.push_str(&first_lines(words, of, adds_up));
        }
    }
    // Those that nothing answers to stand on the page.
    let answered = of.acknowledged.iter().filter(|a| a.used).map(|a| answered_for(words, a));
    for line in answered.chain(known_lines(words, adds_up)) {
        text.push_str(&format!("  {}\n", mask::visible(&line)));
    }
    text
}

/// `Standing approvals FIX-02 (王科长, 2021-12-31): 12 / 500 · approved, applied by the next run b0001`.
fn standing_line(words: &Words, of: &StandingRow) -> String {
    let word = |key: &str| words.say("standing", key);
    let (n, limit) = (out::grouped(of.proposals), out::grouped(of.limit));
    let line = format!(
        "{} {} ({}, {}): {n} / {limit} · {} {}",
        word("title"),
        of.rule,
        of.by,
        of.until,
        word(of.end.name()),
        of.batches.join(" ")
    );
    line.trim_end().to_owned()
}

/// The first lines that do not add up, and the command that shows all.
fn first_lines(words: &Words, of: &Summary, adds_up: &Reconciliation) -> String {
    let lines = unexplained_lines(words, adds_up);
    let mut text: String = lines.iter().take(LINES_SHOWN).map(|line| format!("    {line}\n")).collect();
    let all = format!("{} {}", words.say("summary", "lines_in_all"), out::grouped(lines.len() as u64));
    text.push_str(&format!("    {all}: qianyi reconcile {}\n", of.run));
    text
}

fn answered_for(words: &Words, of: &Acknowledged) -> String {
    let about = suspect(words, of.what, &of.name, of.part, of.whole);
    format!("{about} · {} {}: {}", words.say("summary", "acknowledged_by"), of.by, of.reason)
}

fn tables(words: &Words, of: &Summary) -> String {
    let disposition = |key: &str| (words.say("disposition", key), Align::Right);
    // Rows that rules added or merged are told where there are any.
    let (added, merged) = (of.tables.iter().any(|t| t.added > 0), of.tables.iter().any(|t| t.merged > 0));
    let mut head: Vec<(String, Align)> = vec![
        (words.say("page", "table"), Align::Left),
        (words.say("page", "table_title"), Align::Left),
        (words.say("way", "mapped"), Align::Right),
    ];
    head.extend(added.then(|| (words.say("way", "added"), Align::Right)));
    head.extend(["accepted", "rejected", "held", "excluded"].map(disposition));
    head.extend(merged.then(|| disposition("merged")));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut total = vec![0_u64; head.len() - 2];
    for t in &of.tables {
        let mut numbers = vec![t.mapped];
        numbers.extend(added.then_some(t.added));
        numbers.extend([t.accepted, t.rejected, t.held, t.excluded]);
        numbers.extend(merged.then_some(t.merged));
        total.iter_mut().zip(&numbers).for_each(|(sum, n)| *sum += n);
        let texts = [t.table.clone(), t.title.clone()];
        rows.push(texts.into_iter().chain(numbers.into_iter().map(out::grouped)).collect());
    }
    let label = [words.say("page", "total"), String::new()];
    rows.push(label.into_iter().chain(total.into_iter().map(out::grouped)).collect());
    out::table(&head, &rows)
}

/// What rules added and changed in rows and money.
fn reasons(words: &Words, of: &Summary) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "rule"), Align::Left),
        (words.say("page", "table"), Align::Left),
        (words.say("page", "effect"), Align::Left),
        (words.say("page", "rows_n"), Align::Right),
        (words.say("page", "sums"), Align::Left),
    ];
    let row = |r: &ReasonRow| {
        vec![r.rule.clone(), r.table.clone(), words.say("reason", &r.effect), count(r.rows), sums(r)]
    };
    out::table(&head, &of.reasons.iter().map(row).collect::<Vec<_>>())
}

/// Every invariant; of a broken one the first rows.
fn invariants(words: &Words, of: &Summary) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "rule"), Align::Left),
        (words.say("page", "invariants"), Align::Left),
        (words.say("rules", "ended"), Align::Left),
        (words.say("page", "rows_n"), Align::Right),
    ];
    let mut rows = Vec::new();
    for i in &of.invariants {
        let title = words.lang().pick(&i.title_zh, &i.title_en).to_owned();
        rows.push(vec![i.id.clone(), title, words.say("invariant", i.ended.name()), out::grouped(i.rows)]);
        let item =
            i.item.iter().map(|i| format!("{} {}", words.say("page", "since_item"), words.say("item", i)));
        for line in item.chain(i.samples.iter().cloned()) {
            rows.push(vec![String::new(), mask::visible(&line).into_owned(), String::new(), String::new()]);
        }
    }
    out::table(&head, &rows)
}

/// What cleaning came to, by work item.
fn cleaning(words: &Words, of: &Summary) -> String {
    let word = |key: &str| words.say("rules", key);
    let right = |key: &str| (word(key), Align::Right);
    let head = vec![
        (word("item"), Align::Left),
        right("found_rules"),
        right("clean_rules"),
        right("nothing_rules"),
        right("unrun_rules"),
        right("repaired"),
        right("proposed"),
        right("to_verify"),
        right("to_province"),
        right("noted"),
    ];
    let mut items: Vec<&str> = Vec::new();
    for row in &of.cleaning {
        if !items.contains(&row.item.as_str()) {
            items.push(&row.item);
        }
    }
    let row = |item: Option<&str>| {
        let rows: Vec<_> = of.cleaning.iter().filter(|r| item.is_none_or(|i| r.item == i)).collect();
        let ended = |how: &str| rows.iter().filter(|r| r.ended == how).count() as u64;
        let sum = |get: fn(&qianyi::artifacts::CleanRow) -> u64| rows.iter().map(|r| get(r)).sum::<u64>();
        let numbers = [
            ended("found"),
            ended("clean"),
            ended("nothing_to_check"),
            ended("did_not_run"),
            sum(|r| r.repaired),
            sum(|r| r.proposed),
            sum(|r| r.to_verify),
            sum(|r| r.to_province),
            sum(|r| r.noted),
        ];
        let name = item.map_or_else(|| words.say("page", "total"), |i| words.say("item", i));
        std::iter::once(name).chain(numbers.map(out::grouped)).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = items.iter().map(|i| row(Some(i))).chain([row(None)]).collect();
    out::table(&head, &rows)
}

fn findings(words: &Words, of: &Summary) -> String {
    let mut rules: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for f in &of.findings {
        let title = words.lang().pick(&f.title_zh, &f.title_en);
        *rules.entry((&f.rule, title, &f.gate)).or_default() += f.rows;
    }
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "rule"), Align::Left),
        (words.say("summary", "means"), Align::Left),
        (words.say("page", "gate"), Align::Left),
        (words.say("summary", "findings"), Align::Right),
    ];
    let rows: Vec<Vec<String>> = rules
        .into_iter()
        .map(|((rule, title, gate), n)| {
            vec![rule.to_owned(), title.to_owned(), words.say("gate", gate), out::grouped(n)]
        })
        .collect();
    out::table(&head, &rows)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn stages(words: &Words, of: &Summary) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "stage"), Align::Left),
        (words.say("page", "rows_n"), Align::Right),
        (words.say("page", "seconds"), Align::Right),
        (words.say("page", "per_second"), Align::Right),
    ];
    let rows: Vec<Vec<String>> = of
        .stages
        .iter()
        .map(|s| {
            let name = words.say("stage", &s.stage);
            // All of it was there.
            if s.rows == 0 && s.seconds == 0.0 {
                return vec![name, "—".to_owned(), "—".to_owned(), "—".to_owned()];
            }
            let speed = out::grouped(s.rows_per_second as u64);
            vec![name, out::grouped(s.rows), format!("{:.1}", s.seconds), speed]
        })
        .collect();
    out::table(&head, &rows)
}
