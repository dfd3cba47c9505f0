//! `qianyi audit`: whether the audit log and what it stands for are as they were recorded, what it says, and its head.

use chrono_tz::Tz;
use qianyi::audit::{self, Event, Head};
use qianyi::pipeline::verify_audit;
use qianyi::report::Words;
use qianyi::{clock, mask};
use serde::Serialize;
use serde_json::Value;

use super::args::{AuditShowArgs, AuditVerifyArgs};
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};
use super::verify;

#[derive(Serialize)]
struct HeadShown {
    version: u32,
    n: u64,
    sm3: String,
    head: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    version: u32,
    events: Vec<&'a Event>,
}

/// Checks the log; exit status 3 when a line or a file does not fit.
pub fn verify(context: &Context, args: &AuditVerifyArgs) -> Result<Ended, Failure> {
    let found = verify_audit(&context.workdir, args.head.as_ref(), context.progress().as_ref())?;
    if context.json {
        out::json(&found);
    } else {
        out::text(&verify::text(&context.words()?, "audit", &found));
    }
    Ok(if found.is_sound() { Ended::Done } else { Ended::Blocked })
}

/// Prints what to keep elsewhere.
pub fn head(context: &Context) -> Result<Ended, Failure> {
    let head: Head = audit::read(&context.workdir)?.head();
    if context.json {
        out::json(&HeadShown { version: 1, n: head.n, head: head.to_string(), sm3: head.sm3 });
    } else {
        out::line(&head.to_string());
    }
    Ok(Ended::Done)
}

/// Lists events, the newest last; exit status 3 when a line does not fit.
pub fn show(context: &Context, args: &AuditShowArgs) -> Result<Ended, Failure> {
    let log = audit::read(&context.workdir)?;
    let of_kind = |e: &&Event| args.kind.as_ref().is_none_or(|k| *k == e.kind);
    let mut events: Vec<&Event> = log.events.iter().filter(of_kind).collect();
    if let Some(last) = args.last {
        events.drain(..events.len().saturating_sub(last));
    }
    let words = context.words()?;
    if context.json {
        out::json(&Shown { version: 1, events });
    } else if events.is_empty() {
        out::line(&words.say("audit", "none"));
    } else {
        out::line(&table(&words, &events, context.zone()?));
    }
    match log.bad {
        Some(bad) => {
            out::error(&format!("{}\n", verify::bad_line(&words, bad)));
            Ok(Ended::Blocked)
        }
        None => Ok(Ended::Done),
    }
}

fn table(words: &Words, events: &[&Event], zone: Tz) -> String {
    let head: Vec<(String, Align)> = ["n", "at", "kind", "about", "account", "facts"]
        .iter()
        .map(|key| (words.say("audit", key), if *key == "n" { Align::Right } else { Align::Left }))
        .collect();
    let row = |e: &&Event| {
        vec![
            e.n.to_string(),
            clock::wall(&clock::stored_zoned(&e.at, zone)),
            words.say("audit", &e.kind),
            e.about.clone(),
            e.account.clone(),
            facts(e),
        ]
    };
    out::table(&head, &events.iter().map(row).collect::<Vec<_>>())
}

/// What an event says on one line; digests are in `--json`.
fn facts(of: &Event) -> String {
    let plain = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) if name.ends_with("digest") || name == "sm3" => {
                text.get(..8).unwrap_or_default().to_owned()
            }
            Value::String(text) => text.clone(),
            Value::Array(all) if all.is_empty() => return None,
            Value::Array(all) => {
                let texts = all.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
                texts.collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        Some(format!("{name}={}", mask::visible(&text)))
    };
    of.facts.iter().filter_map(plain).collect::<Vec<_>>().join(" · ")
}
