//! `qianyi status`: extracts and runs of a work directory, and jobs when a configuration is named; takes no lock.

use chrono_tz::Tz;
use qianyi::clock;
use qianyi::report::Words;
use qianyi::schedule::{self, JobSettings};
use qianyi::source::OPEN_TRANSACTION;
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
    jobs: Vec<JobShown>,
    watermarks: Vec<WatermarkShown>,
    /// What held the watermarks of the newest extract of a source back.
    held_back: Vec<HeldBack>,
}

/// A transaction that was open when the newest extract of a source began.
#[derive(Serialize)]
struct HeldBack {
    source: String,
    extract: String,
    /// Since when, and whose.
    by: String,
}

/// How far the changes of a table have come.
#[derive(Serialize)]
struct WatermarkShown {
    source: String,
    table: String,
    method: String,
    /// Typed by the server.
    watermark: String,
    extract: String,
    /// Hours since that extract began.
    lag_hours: i64,
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
    /// The day that stands for today in it.
    as_of: Option<String>,
    started: String,
    finished: Option<String>,
    extracts: Vec<String>,
}

#[derive(Serialize)]
struct JobShown {
    job: String,
    does: String,
    cron: String,
    /// `None`: it never ran.
    last: Option<LastShown>,
    /// When it begins next; a moment that is past is overdue.
    next: Option<String>,
}

#[derive(Serialize)]
struct LastShown {
    due: String,
    started: String,
    finished: Option<String>,
    outcome: String,
    message: Option<String>,
}

/// Shows what happened in the work directory.
pub fn status(context: &Context) -> Result<Ended, Failure> {
    let state = State::open_readonly(&context.workdir)?;
    let zone = context.zone()?;
    let shown = |at: String| clock::stored_zoned(&at, zone);
    let (mut extracts, mut held_back) = (Vec::new(), Vec::new());
    for source in state.sources()? {
        held_back.extend(state.latest_extract(&source)?.and_then(|e| {
            let by = e.facts.into_iter().find(|(name, _)| name == OPEN_TRANSACTION)?.1;
            Some(HeldBack { source: source.clone(), extract: e.id.to_string(), by })
        }));
        extracts.extend(state.extracts(&source)?.into_iter().map(|e| ExtractShown {
            extract: e.id.to_string(),
            source: source.clone(),
            status: e.status.text().to_owned(),
            started: shown(e.started),
            finished: e.finished.map(shown),
        }));
    }
    let runs = state.runs()?.into_iter().map(|r| RunShown {
        run: r.id.to_string(),
        status: r.status.text().to_owned(),
        as_of: r.as_of.map(|day| day.to_string()),
        started: shown(r.started),
        finished: r.finished.map(shown),
        extracts: r.extracts.iter().map(ToString::to_string).collect(),
    });
    let jobs = if context.has_files() { context.settings()?.schedule } else { Vec::new() };
    let jobs = jobs.iter().map(|j| job(&state, j, zone)).collect::<Result<_, _>>()?;
    let now = clock::instant();
    let watermarks = state.watermarks()?.into_iter().filter_map(|w| {
        let began = clock::moment(&w.started)?;
        Some(WatermarkShown {
            source: w.source,
            table: w.table,
            method: w.method,
            watermark: w.value?,
            extract: w.extract.to_string(),
            lag_hours: (now - began).num_hours(),
        })
    });
    let shown = Shown { extracts, runs: runs.collect(), jobs, watermarks: watermarks.collect(), held_back };
    if context.json {
        out::json(&shown);
    } else {
        out::text(&text(context, &shown)?);
    }
    Ok(Ended::Done)
}

fn job(state: &State, settings: &JobSettings, zone: Tz) -> Result<JobShown, Failure> {
    let last = state.last_job(&settings.name)?;
    let next = schedule::begins(settings, last.as_ref(), clock::instant(), zone);
    let shown = |at: String| clock::stored_zoned(&at, zone);
    Ok(JobShown {
        job: settings.name.clone(),
        does: settings.job.text().to_owned(),
        cron: settings.cron.text.clone(),
        last: last.map(|l| LastShown {
            due: shown(l.due),
            started: shown(l.started),
            finished: l.finished.map(shown),
            outcome: l.outcome.map_or("running", |o| o.text()).to_owned(),
            message: l.message,
        }),
        next: next.map(|at| clock::zoned(at, zone)),
    })
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
    let wall = |at: &String| clock::wall(at);
    let ended = |at: &Option<String>| at.as_ref().map(wall).unwrap_or_default();
    let extracts: Vec<Vec<String>> = shown
        .extracts
        .iter()
        .map(|e| {
            vec![e.extract.clone(), e.source.clone(), say(&e.status), wall(&e.started), ended(&e.finished)]
        })
        .collect();
    let runs: Vec<Vec<String>> = shown
        .runs
        .iter()
        .map(|r| {
            vec![r.run.clone(), r.extracts.join(" "), say(&r.status), wall(&r.started), ended(&r.finished)]
        })
        .collect();
    let mut text = format!(
        "{}\n\n{}\n",
        out::table(&head("extract", "source"), &extracts),
        out::table(&head("run", "extracts"), &runs)
    );
    if !shown.jobs.is_empty() {
        text.push_str(&format!("\n{}\n", jobs(&words, &shown.jobs)));
    }
    if !shown.watermarks.is_empty() {
        text.push_str(&format!("\n{}\n", watermarks(&words, &shown.watermarks)));
    }
    for HeldBack { source, extract, by } in &shown.held_back {
        text.push_str(&format!("\n{source} {extract}: {} {by}\n", words.say("status", "held_back")));
    }
    Ok(text)
}

fn watermarks(words: &Words, all: &[WatermarkShown]) -> String {
    let mut head: Vec<(String, Align)> = ["source", "table", "method", "watermark", "extract"]
        .iter()
        .map(|key| (words.say("status", key), Align::Left))
        .collect();
    head.push((words.say("status", "lag_hours"), Align::Right));
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|w| {
            let (source, table, method) = (w.source.clone(), w.table.clone(), w.method.clone());
            vec![source, table, method, w.watermark.clone(), w.extract.clone(), w.lag_hours.to_string()]
        })
        .collect();
    out::table(&head, &rows)
}

fn jobs(words: &Words, jobs: &[JobShown]) -> String {
    let head: Vec<(String, Align)> = ["job", "due", "state", "started", "finished", "next"]
        .iter()
        .map(|key| (words.say("status", key), Align::Left))
        .collect();
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|j| {
            let next = j.next.as_ref().map(|at| clock::wall(at)).unwrap_or_default();
            let Some(last) = &j.last else {
                let never = words.say("status", "never");
                return vec![j.job.clone(), String::new(), never, String::new(), String::new(), next];
            };
            let state = words.say("state", &last.outcome);
            let finished = last.finished.as_ref().map(|at| clock::wall(at)).unwrap_or_default();
            vec![j.job.clone(), clock::wall(&last.due), state, clock::wall(&last.started), finished, next]
        })
        .collect();
    out::table(&head, &rows)
}
