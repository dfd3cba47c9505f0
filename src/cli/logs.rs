//! `qianyi logs`: the events of one run, or of the last command, as the logs of the work directory have them; takes no lock.
//!
//! Always: times in the configured zone. A log holds what one process did, a schedule's many jobs; what belongs together begins with
//! `started` or `job started`, and is a run's where one of its events names that run.

use std::path::PathBuf;

use qianyi::durable::DurableError;
use qianyi::{clock, folder, mask};
use serde_json::{Map, Value};

use super::args::LogsArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out;

/// With these events something new begins.
const BEGINS: [&str; 2] = ["started", "job started"];

/// Shows one run's events.
pub fn logs(context: &Context, args: &LogsArgs) -> Result<Ended, Failure> {
    let folder = context.workdir.join("logs");
    let unread = |path: &PathBuf| {
        let path = path.display().to_string();
        move |source| DurableError { path, what: "read", source }
    };
    let listed = folder::with_ending(&folder, "json").map_err(unread(&folder))?;
    let mut found: Vec<Map<String, Value>> = Vec::new();
    // Names begin with the time: the newest is the last.
    for path in listed.iter().rev() {
        let text = std::fs::read(path).map_err(unread(path))?;
        let mut pieces = pieces(&String::from_utf8_lossy(&text));
        match &args.run {
            None => found = pieces.pop().unwrap_or_default(),
            Some(run) => {
                pieces.retain(|piece| piece.iter().any(|event| names(event, run)));
                found = pieces.into_iter().flatten().chain(found).collect();
            }
        }
        if args.run.is_none() && !found.is_empty() {
            break;
        }
    }
    if let Some(given) = args.run.clone().filter(|_| found.is_empty()) {
        return Err(Usage::NoLog { given, workdir: context.workdir.display().to_string() }.into());
    }
    if context.json {
        out::list("events", &found);
    } else {
        out::text(&found.iter().map(line).collect::<String>());
    }
    Ok(Ended::Done)
}

/// The events of a log, cut where something new begins. A last line that a kill left half written is no event.
fn pieces(text: &str) -> Vec<Vec<Map<String, Value>>> {
    let mut all: Vec<Vec<Map<String, Value>>> = Vec::new();
    for event in text.lines().filter_map(|l| serde_json::from_str::<Map<String, Value>>(l).ok()) {
        let begins = BEGINS.contains(&field(&event, "message").as_str());
        match all.last_mut() {
            Some(piece) if !begins => piece.push(event),
            Some(_) | None => all.push(vec![event]),
        }
    }
    all
}

fn field(event: &Map<String, Value>, name: &str) -> String {
    let found = event.get("fields").and_then(|f| f.get(name));
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn names(event: &Map<String, Value>, run: &str) -> bool {
    field(event, "run") == run
}

/// `2026-06-01 01:00:03  INFO  finished · stage=map table=AC43 rows=1200 seconds=0.4`.
fn line(event: &Map<String, Value>) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut more = String::new();
    for (name, value) in event.get("fields").and_then(Value::as_object).into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if name != "message" && !value.is_empty() {
            more.push_str(&format!(" {name}={value}"));
        }
    }
    let at = clock::wall(text("timestamp"));
    let line = format!("{at}  {:<5} {}{more}", text("level"), field(event, "message"));
    format!("{}\n", mask::visible(&line))
}
