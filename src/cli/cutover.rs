//! `qianyi cutover`: is everything fit for it, who approves, the last extract, the run book.

use std::path::PathBuf;

use chrono_tz::Tz;
use qianyi::clock;
use qianyi::cutover::{CheckInput, Readiness, approve as approved, check as checked};
use qianyi::durable;
use qianyi::mask;
use qianyi::pipeline::{freeze as frozen, rule_input};
use qianyi::report::{Words, runbook};
use serde::Serialize;

use super::approve::may;
use super::args::{CutoverApproveArgs, RunBookArgs};
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Judges every criterion; exit status 3 until all are fulfilled.
pub fn check(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let digests = digests(context)?;
    let of = CheckInput { workdir: &context.workdir, settings: &settings.cutover, digests };
    show(context, &checked(&of)?)
}

/// Approves the evidence of today.
pub fn approve(context: &Context, args: &CutoverApproveArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let person = may(&settings.people)?;
    let digests = digests(context)?;
    let of = CheckInput { workdir: &context.workdir, settings: &settings.cutover, digests };
    let (readiness, done) = approved(&of, [&person.name, &person.account, &args.reason])?;
    if !done && !context.json {
        out::line(&context.words()?.say("cutover", "not_approved"));
    }
    let ended = show(context, &readiness)?;
    Ok(if done { ended } else { Ended::Blocked })
}

/// Digests of configuration, national schema, mapping and rules as they are today.
fn digests(context: &Context) -> Result<[String; 4], Failure> {
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.map(|r| r.digest).unwrap_or_default();
    Ok([settings.digest, national.digest, city.digest, rules])
}

fn show(context: &Context, of: &Readiness) -> Result<Ended, Failure> {
    match context.json {
        true => out::json(of),
        false => out::text(&text(&context.words()?, of, context.zone()?)),
    }
    Ok(if of.ready { Ended::Done } else { Ended::Blocked })
}

fn text(words: &Words, of: &Readiness, zone: Tz) -> String {
    let word = |key: &str| (words.say("first", key), Align::Left);
    let head = vec![
        (words.say("page", "result"), Align::Left),
        word("criterion"),
        word("found"),
        word("wanted"),
        (words.say("cutover", "evidence"), Align::Left),
    ];
    let rows: Vec<Vec<String>> = of
        .criteria
        .iter()
        .map(|c| {
            let said = |t: &str| words.say("rehearsal_light", t);
            let evidence = c.evidence.chars().take(12).collect();
            vec![
                words.say("light", c.light.name()),
                words.say("criterion", &c.id),
                said(&c.found),
                said(&c.wanted),
                evidence,
            ]
        })
        .collect();
    let verdict = if of.ready { "ready" } else { "not_ready" };
    let mut text = format!(
        "{} {} · {}\n{}\n",
        words.say("cutover", "title"),
        of.run,
        words.say("cutover", verdict),
        out::table(&head, &rows)
    );
    if !of.stale.is_empty() {
        let names: Vec<String> = of.stale.iter().map(|id| words.say("criterion", id)).collect();
        text.push_str(&format!("{} {}\n", words.say("cutover", "stale"), names.join("; ")));
    }
    for approval in &of.approvals {
        let holds = words.say("cutover", if approval.holds { "holds" } else { "void" });
        let a = &approval.of;
        text.push_str(&format!(
            "{holds}: {} ({}) {} {}\n",
            a.name,
            a.account,
            clock::wall(&clock::stored_zoned(&a.at, zone)),
            a.reason
        ));
    }
    if let Some(frozen) = &of.frozen {
        text.push_str(&format!(
            "{} {} ({}): {}\n",
            words.say("cutover", "frozen"),
            clock::wall(&clock::stored_zoned(&frozen.at, zone)),
            frozen.by,
            frozen.extracts.join(", ")
        ));
    }
    text.push_str(&format!("{} {}\n", words.say("cutover", "digest"), of.evidence));
    text.split_inclusive('\n').map(|line| mask::visible_lines(line).into_owned()).collect()
}

/// Takes the last increment; nothing is read after it.
pub fn freeze(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("cutover-freeze")?;
    let of = context.run_settings(&settings, "cutover freeze");
    context.listen(&of)?;
    let done = frozen(&of, &context.progress())?;
    match context.json {
        true => out::object(&done),
        false => {
            let said = context.words()?.say("cutover", "frozen");
            out::line(&format!(
                "{said} {} ({}): {}",
                clock::wall(&clock::stored_zoned(&done.at, context.zone()?)),
                done.by,
                done.extracts.join(", ")
            ));
        }
    }
    Ok(Ended::Done)
}

#[derive(Serialize)]
struct Written {
    html: Option<PathBuf>,
    xlsx: Option<PathBuf>,
}

/// Writes the run book as a page, a workbook or both.
pub fn run_book(context: &Context, args: &RunBookArgs) -> Result<Ended, Failure> {
    let book = runbook::read(&args.file)?;
    if let Some(path) = &args.html {
        durable::write(path, runbook::page(&book, context.lang)?.as_bytes())?;
    }
    if let Some(path) = &args.xlsx {
        let day = book.steps.first().map(|s| s.begins.date()).unwrap_or_default();
        runbook::workbook(&book, path, day, context.lang)?;
    }
    let written = Written { html: args.html.clone(), xlsx: args.xlsx.clone() };
    match context.json {
        true => out::object(&written),
        false => written.html.iter().chain(&written.xlsx).for_each(|p| out::line(&p.display().to_string())),
    }
    Ok(Ended::Done)
}
