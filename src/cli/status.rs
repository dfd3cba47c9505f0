//! `qianyi status`: extracts and runs of a work directory, and jobs when a configuration is named; takes no lock.

use chrono_tz::Tz;
use qianyi::clock;
use qianyi::pipeline::{Sizes, extracts_removed_by_hand, is_pruned, removed_by_hand, sizes};
use qianyi::report::Words;
use qianyi::schedule::{self, JobSettings};
use qianyi::source::OPEN_TRANSACTION;
use qianyi::state::State;
use serde::Serialize;

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};
use super::status_words;

/// All of it; `version` is that of this form.
#[derive(Serialize)]
pub struct Shown {
    version: u32,
    extracts: Vec<ExtractShown>,
    pub runs: Vec<RunShown>,
    pub jobs: Vec<JobShown>,
    watermarks: Vec<WatermarkShown>,
    /// What held the watermarks of the newest extract of a source back.
    held_back: Vec<HeldBack>,
    /// Bytes on disk.
    sizes: Sizes,
    /// Runs and extracts of which somebody removed files.
    pub removed_by_hand: Vec<String>,
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
    /// Bytes of its own files.
    bytes: u64,
    extract: String,
    source: String,
    status: String,
    started: String,
    finished: Option<String>,
}

#[derive(Serialize)]
pub struct RunShown {
    pub run: String,
    pub status: String,
    /// Nothing is left of it but its documents.
    pruned: bool,
    bytes: u64,
    /// The day that stands for today in it.
    as_of: Option<String>,
    started: String,
    finished: Option<String>,
    extracts: Vec<String>,
}

#[derive(Serialize)]
pub struct JobShown {
    pub job: String,
    does: String,
    cron: String,
    /// `None`: it never ran.
    pub last: Option<LastShown>,
    /// When it begins next; a moment that is past is overdue.
    pub next: Option<String>,
}

#[derive(Serialize)]
pub struct LastShown {
    due: String,
    pub started: String,
    pub finished: Option<String>,
    pub outcome: String,
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Shows what happened in the work directory.
pub fn status(context: &Context) -> Result<Ended, Failure> {
    let state = State::open_readonly(&context.workdir)?;
    let zone = context.zone()?;
    let shown = |at: String| clock::stored_zoned(&at, zone);
    let sizes = sizes(&state)?;
    let bytes = |id: &str| sizes.each.get(id).copied().unwrap_or(0);
    let (mut extracts, mut held_back) = (Vec::new(), Vec::new());
    for source in state.sources()? {
        held_back.extend(state.latest_extract(&source)?.and_then(|e| {
            let by = e.facts.into_iter().find(|(name, _)| name == OPEN_TRANSACTION)?.1;
            Some(HeldBack { source: source.clone(), extract: e.id.to_string(), by })
        }));
        extracts.extend(state.extracts(&source)?.into_iter().map(|e| ExtractShown {
            bytes: bytes(&e.id.to_string()),
            extract: e.id.to_string(),
            source: source.clone(),
            status: e.status.text().to_owned(),
            started: shown(e.started),
            finished: e.finished.map(shown),
        }));
    }
    let mut runs = Vec::new();
    for r in state.runs()? {
        runs.push(RunShown {
            pruned: is_pruned(&state, &r)?,
            bytes: bytes(&r.id.to_string()),
            run: r.id.to_string(),
            status: r.status.text().to_owned(),
            as_of: r.as_of.map(|day| day.to_string()),
            started: shown(r.started),
            finished: r.finished.map(shown),
            extracts: r.extracts.iter().map(ToString::to_string).collect(),
        });
    }
    let jobs = if context.files().next().is_some() { context.settings()?.schedule } else { Vec::new() };
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
    let watermarks = watermarks.collect();
    let removed_by_hand = [removed_by_hand(&state)?, extracts_removed_by_hand(&state)?].concat();
    let shown = Shown { version: 1, extracts, runs, jobs, watermarks, held_back, sizes, removed_by_hand };
    if context.json {
        out::json(&shown);
    } else {
        out::text(&text(context, &state, &shown)?);
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
        last: last.map(|l| {
            // What to do stands on the second line.
            let mut lines = l.message.as_deref().unwrap_or_default().splitn(2, '\n').map(str::to_owned);
            LastShown {
                due: shown(l.due),
                started: shown(l.started),
                finished: l.finished.map(shown),
                outcome: l.outcome.map_or("running", |o| o.text()).to_owned(),
                message: lines.next().filter(|text| !text.is_empty()),
                hint: lines.next(),
            }
        }),
        next: next.map(|at| clock::zoned(at, zone)),
    })
}

fn text(context: &Context, state: &State, shown: &Shown) -> Result<String, Failure> {
    let words = context.words()?;
    let head = |first: &str, second: &str| -> Vec<(String, Align)> {
        let mut head: Vec<(String, Align)> = [first, second, "state", "started", "finished"]
            .iter()
            .map(|key| (words.say("status", key), Align::Left))
            .collect();
        head.push(("MiB".to_owned(), Align::Right));
        head
    };
    let say = |status: &str| words.say("state", status);
    let wall = |at: &String| clock::wall(at);
    let ended = |at: &Option<String>| at.as_ref().map(wall).unwrap_or_default();
    let extracts: Vec<Vec<String>> = shown
        .extracts
        .iter()
        .map(|e| {
            let (started, finished) = (wall(&e.started), ended(&e.finished));
            vec![e.extract.clone(), e.source.clone(), say(&e.status), started, finished, mib(e.bytes)]
        })
        .collect();
    let runs: Vec<Vec<String>> = shown
        .runs
        .iter()
        .map(|r| {
            let pruned =
                if r.pruned { format!(" · {}", words.say("status", "pruned")) } else { String::new() };
            let (state, started) = (format!("{}{pruned}", say(&r.status)), wall(&r.started));
            vec![r.run.clone(), r.extracts.join(" "), state, started, ended(&r.finished), mib(r.bytes)]
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
    text.push_str(&format!("\n{}\n", disk(&words, &shown.sizes)));
    let told = status_words::text(context, state, &words, shown)?;
    text.push_str(&format!("\n{told}"));
    Ok(text)
}

fn mib(bytes: u64) -> String {
    out::grouped(bytes.div_ceil(1 << 20))
}

/// One line: how much of the disk is taken, by what, and how much is free.
fn disk(words: &Words, of: &Sizes) -> String {
    let say = |key: &str| words.say("status", key);
    let part = |key: &str, bytes: u64| format!("{} {}", say(key), mib(bytes));
    let parts = [
        part("raw", of.raw),
        part("runs", of.runs),
        part("packages", of.packages),
        part("rounds", of.rounds),
        part("logs", of.logs),
    ];
    let free = of.free.map(|free| format!(" · {}", part("free", free))).unwrap_or_default();
    format!("{} {} MiB ({}){free}", say("disk"), mib(of.total), parts.join(" · "))
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
