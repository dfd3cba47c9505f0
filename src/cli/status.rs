//! `qianyi status`: extracts and runs of a work directory; takes no lock.

use qianyi::state::State;
use serde::Serialize;

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

#[derive(Serialize)]
struct Shown {
    extracts: Vec<ExtractShown>,
    runs: Vec<RunShown>,
}

#[derive(Serialize)]
struct ExtractShown {
    extract: String,
    source: String,
    status: String,
    started: String,
    finished: Option<String>,
}

#[derive(Serialize)]
struct RunShown {
    run: String,
    status: String,
    started: String,
    finished: Option<String>,
    extracts: Vec<String>,
}

/// Shows what happened in the work directory.
pub fn status(context: &Context) -> Result<Ended, Failure> {
    let state = State::open_readonly(&context.workdir)?;
    let mut extracts = Vec::new();
    for source in state.sources()? {
        extracts.extend(state.extracts(&source)?.into_iter().map(|e| ExtractShown {
            extract: e.id.to_string(),
            source: source.clone(),
            status: e.status.text().to_owned(),
            started: e.started,
            finished: e.finished,
        }));
    }
    let runs = state.runs()?.into_iter().map(|r| RunShown {
        run: r.id.to_string(),
        status: r.status.text().to_owned(),
        started: r.started,
        finished: r.finished,
        extracts: r.extracts.iter().map(ToString::to_string).collect(),
    });
    let shown = Shown { extracts, runs: runs.collect() };
    if context.json {
        out::json(&shown);
    } else {
        out::text(&text(context, &shown)?);
    }
    Ok(Ended::Done)
}

fn text(context: &Context, shown: &Shown) -> Result<String, Failure> {
    let words = context.words()?;
    let head = |first: &str, second: &str| -> Vec<(String, Align)> {
        [first, second, "state", "started", "finished"]
            .iter()
            .map(|key| (words.say("status", key), Align::Left))
            .collect()
    };
    let say = |status: &str| words.say("state", status);
    let ended = |at: &Option<String>| at.clone().unwrap_or_default();
    let extracts: Vec<Vec<String>> = shown
        .extracts
        .iter()
        .map(|e| {
            vec![e.extract.clone(), e.source.clone(), say(&e.status), e.started.clone(), ended(&e.finished)]
        })
        .collect();
    let runs: Vec<Vec<String>> = shown
        .runs
        .iter()
        .map(|r| {
            vec![r.run.clone(), r.extracts.join(" "), say(&r.status), r.started.clone(), ended(&r.finished)]
        })
        .collect();
    Ok(format!(
        "{}\n\n{}\n",
        out::table(&head("extract", "source"), &extracts),
        out::table(&head("run", "extracts"), &runs)
    ))
}
