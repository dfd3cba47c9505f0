//! `qianyi approve`: what waits for approval, its approval by somebody who may, and its undoing.

use std::collections::{BTreeMap, BTreeSet};

use qianyi::clock;
use qianyi::config::{Person, Role};
use qianyi::pipeline::{
    Approver, ProposedBatch, ProposedSum, approve as approved, finished, proposals, rule_input,
    undo as undo_batch,
};
use qianyi::report::Words;
use qianyi::report::number::yuan;
use qianyi::state::{State, batch_name};
use serde::Serialize;

use super::args::ApproveArgs;
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out::{self, Align};

/// Shows, approves, or undoes.
pub fn approve(context: &Context, args: &ApproveArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    if let Some(batch) = &args.undo {
        return undo(context, &settings.people, batch);
    }
    if args.batches {
        return batches(context);
    }
    let (national, city) = mappings(&settings)?;
    let run = finished(&context.workdir, args.run.as_deref())?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
    let state = match args.yes {
        true => State::open(&context.workdir, "approve")?,
        false => State::open_readonly(&context.workdir)?,
    };
    let all = proposals(&state, &run, &national, &rules.book)?;
    let mut chosen: Vec<&ProposedBatch> =
        all.iter().filter(|b| args.rule.as_ref().is_none_or(|r| *r == b.rule)).collect();
    let words = context.words()?;
    if !args.yes {
        if context.json {
            out::list("proposals", &chosen);
        } else {
            out::text(&shown(&words, &chosen, args.rule.is_some()));
        }
        return Ok(Ended::Done);
    }
    if chosen.is_empty() {
        let given = args.rule.clone().unwrap_or_default();
        let nearest = qianyi::nearest::nearest(&given, all.iter().map(|b| &b.rule));
        return Err(Usage::NoProposals { given, nearest }.into());
    }
    if chosen.iter().all(|b| b.ids.is_empty()) {
        return Err(nothing_left(&chosen).into());
    }
    chosen.retain(|b| !b.ids.is_empty());
    let person = may(&settings.people)?;
    let by = Approver {
        name: person.name.clone(),
        account: person.account.clone(),
        reason: args.reason.clone().unwrap_or_default(),
    };
    let numbers = approved(&state, &run, &chosen, &by)?;
    if context.json {
        let batches = numbers.iter().zip(&chosen).map(|(number, batch)| Batch::of(*number, batch));
        out::list("batches", &batches.collect::<Vec<_>>());
        return Ok(Ended::Done);
    }
    for (number, batch) in numbers.iter().zip(&chosen) {
        out::line(&format!(
            "{}  {} {} · {} {} · {}",
            batch_name(*number),
            batch.rule,
            batch.table,
            out::grouped(batch.open()),
            words.say("approve", "proposals"),
            words.say("approve", "next_run")
        ));
    }
    out::text(&left_out(&words, &chosen));
    Ok(Ended::Done)
}

/// Why nothing of what a rule proposes can be approved: people have decided otherwise, or somebody has approved it.
fn nothing_left(all: &[&ProposedBatch]) -> Usage {
    let names = |of: fn(&ProposedBatch) -> &BTreeMap<String, u64>| -> String {
        let by: BTreeSet<&str> = all.iter().flat_map(|b| of(b).keys().map(String::as_str)).collect();
        by.into_iter().collect::<Vec<_>>().join(", ")
    };
    let rule = all.first().map(|b| b.rule.clone()).unwrap_or_default();
    let proposals = all.iter().map(|b| b.rows).sum();
    match names(|b| &b.contested) {
        none if none.is_empty() => Usage::Approved { rule, proposals, batches: names(|b| &b.approved) },
        batches => Usage::Contested { rule, proposals, batches },
    }
}

/// Proposals that nobody can approve any more, a line a rule and batch.
fn left_out(words: &Words, all: &[&ProposedBatch]) -> String {
    let line = |b: &&ProposedBatch| {
        let said = [("contested", &b.contested), ("approved", &b.approved)];
        let all = said.into_iter().flat_map(|(word, by)| by.iter().map(move |(by, n)| (word, by, n)));
        let one = |(word, by, n): (&str, &String, &u64)| {
            let text = words.say("approve", word).replace("{batch}", by);
            format!("{} {}: {}\n", b.rule, b.table, text.replace("{n}", &out::grouped(*n)))
        };
        all.map(one).collect::<String>()
    };
    all.iter().map(line).collect()
}

/// Lists every batch.
fn batches(context: &Context) -> Result<Ended, Failure> {
    let all = State::open_readonly(&context.workdir)?.batches()?;
    let words = context.words()?;
    if context.json {
        out::list("batches", &all.iter().map(RecordedBatch::of).collect::<Vec<_>>());
        return Ok(Ended::Done);
    }
    if all.is_empty() {
        out::line(&words.say("approve", "no_batches"));
        return Ok(Ended::Done);
    }
    let head = [
        ("batch", Align::Left),
        ("rule", Align::Left),
        ("run", Align::Left),
        ("items", Align::Right),
        ("approver", Align::Left),
        ("at", Align::Left),
        ("undone_at", Align::Left),
        ("reason", Align::Left),
    ]
    .map(|(key, align)| (words.say("approve", key), align));
    let zone = context.settings()?.time_zone;
    let row = |b: &RecordedBatch| {
        let undone = b.undone_at.as_ref().zip(b.undone_by.as_ref());
        let undone = undone
            .map(|(at, by)| format!("{} {by}", clock::wall(&clock::stored_zoned(at, zone))))
            .unwrap_or_default();
        let text = [b.batch.clone(), b.rule.clone(), b.run.clone(), out::grouped(b.items)];
        let more =
            [b.approver.clone(), clock::wall(&clock::stored_zoned(&b.at, zone)), undone, b.reason.clone()];
        text.into_iter().chain(more).collect()
    };
    let rows: Vec<Vec<String>> = all.iter().map(RecordedBatch::of).map(|b| row(&b)).collect();
    out::line(&out::table(&head, &rows));
    Ok(Ended::Done)
}

/// A batch as it is listed.
#[derive(Serialize)]
struct RecordedBatch {
    batch: String,
    rule: String,
    run: String,
    /// Proposals, or decisions of a worklist.
    items: u64,
    approver: String,
    account: String,
    at: String,
    reason: String,
    undone_at: Option<String>,
    undone_by: Option<String>,
}

impl RecordedBatch {
    fn of(of: &qianyi::state::Batch) -> Self {
        let (undone_at, undone_by) = of.undone.clone().unzip();
        Self {
            batch: batch_name(of.id),
            rule: of.of.rule.clone(),
            run: of.of.run.clone(),
            items: of.proposals,
            approver: of.of.approver.clone(),
            account: of.of.account.clone(),
            at: of.at.clone(),
            reason: of.of.reason.clone(),
            undone_at,
            undone_by,
        }
    }
}

/// A batch that was approved.
#[derive(Serialize)]
struct Batch<'a> {
    batch: String,
    rule: &'a str,
    table: &'a str,
    proposals: u64,
}

impl<'a> Batch<'a> {
    fn of(number: i64, of: &'a ProposedBatch) -> Self {
        Self { batch: batch_name(number), rule: &of.rule, table: &of.table, proposals: of.open() }
    }
}

/// A batch that was undone.
#[derive(Serialize)]
struct Undone {
    undone: String,
}

fn undo(context: &Context, people: &[Person], batch: &str) -> Result<Ended, Failure> {
    let person = may(people)?;
    let state = State::open(&context.workdir, "approve")?;
    let number: i64 =
        batch.trim_start_matches('b').parse().map_err(|_| Usage::NoBatch { given: batch.to_owned() })?;
    if !state.batches()?.iter().any(|b| b.id == number && b.undone.is_none()) {
        return Err(Usage::NoBatch { given: batch.to_owned() }.into());
    }
    undo_batch(&state, number, &person.name)?;
    if context.json {
        out::object(&Undone { undone: batch_name(number) });
    } else {
        out::line(&format!("{batch} {}", context.words()?.say("approve", "undone")));
    }
    Ok(Ended::Done)
}

/// Whoever runs this, if the configuration lets them approve.
pub(super) fn may(people: &[Person]) -> Result<&Person, Failure> {
    let account = whoami::username().unwrap_or_default();
    let person = people.iter().find(|p| p.account == account);
    match person {
        Some(person) if person.roles.contains(&Role::Approver) => Ok(person),
        Some(_) | None => Err(Usage::NoApprover { account }.into()),
    }
}

fn shown(words: &Words, batches: &[&ProposedBatch], samples: bool) -> String {
    if batches.is_empty() {
        return format!("{}\n", words.say("approve", "nothing"));
    }
    let word = |key: &str, align| (words.say("approve", key), align);
    let head = vec![
        word("rule", Align::Left),
        word("table", Align::Left),
        word("title", Align::Left),
        word("columns", Align::Left),
        word("rows", Align::Right),
    ];
    let row = |b: &&ProposedBatch| {
        let columns: Vec<String> =
            b.columns.iter().map(|(c, n)| format!("{c} {}", out::grouped(*n))).collect();
        let title = words.lang().pick(&b.title_zh, &b.title_en).to_owned();
        let rows = out::grouped(b.open());
        vec![b.rule.clone(), b.table.clone(), title, columns.join(", "), rows]
    };
    let mut text = format!("{}\n", out::table(&head, &batches.iter().map(row).collect::<Vec<_>>()));
    text.push_str(&sums(words, batches));
    text.push_str(&left_out(words, batches));
    if samples {
        let head = vec![
            word("key", Align::Left),
            word("column", Align::Left),
            word("before", Align::Left),
            word("after", Align::Left),
            word("evidence", Align::Left),
        ];
        let cell = |v: &Option<String>| v.clone().unwrap_or_default();
        let of = batches.iter().flat_map(|b| &b.samples);
        let rows: Vec<Vec<String>> = of
            .map(|s| {
                vec![s.key.clone(), s.column.clone(), cell(&s.before), cell(&s.after), cell(&s.evidence)]
            })
            .collect();
        text.push_str(&format!("\n{}\n{}\n", out::table(&head, &rows), words.say("approve", "how")));
    }
    text
}

/// Money before and after, by rule and column; nothing where none is proposed.
fn sums(words: &Words, batches: &[&ProposedBatch]) -> String {
    let word = |key: &str, align| (words.say("approve", key), align);
    let head = vec![
        word("rule", Align::Left),
        word("table", Align::Left),
        word("column", Align::Left),
        word("sum_before", Align::Right),
        word("sum_after", Align::Right),
        word("difference", Align::Right),
    ];
    let of_batch = |b: &&ProposedBatch| {
        let row = |(column, sum): (&String, &ProposedSum)| {
            let money = [sum.before_fen, sum.after_fen, sum.after_fen - sum.before_fen].map(yuan);
            [b.rule.clone(), b.table.clone(), column.clone()].into_iter().chain(money).collect()
        };
        b.sums.iter().map(row).collect::<Vec<Vec<String>>>()
    };
    let rows: Vec<Vec<String>> = batches.iter().flat_map(of_batch).collect();
    if rows.is_empty() { String::new() } else { format!("\n{}\n", out::table(&head, &rows)) }
}
