//! The keys of the schedule in one configuration file: `[[schedule]]`, `[notify]`, `metrics`.
//!
//! Always: as the rest of the file: every mistake with its line, and with the reason where a text is parsed.
//! Must not know: when a job is due, or who is told.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, resolve_relative_to};
use crate::schedule::{Times, WebAddress};

const JOB_KEYS: &[&str] = &["name", "cron", "job", "missed", "jitter_seconds"];
const NOTIFY_KEYS: &[&str] = &["command", "webhook", "form", "mail", "sendmail", "on"];
/// A day: a longer jitter would reach into the next run.
const MOST_JITTER: u32 = 86_400;

/// Checks one of the three keys.
pub(super) fn check(reader: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
    match (key, value.get_ref()) {
        ("schedule", DeValue::Array(all)) => {
            let mut names = BTreeSet::new();
            for one in all {
                match one.get_ref() {
                    DeValue::Table(table) => job(reader, one, table, &mut names),
                    _ => reader.mistake(one.span(), "`schedule` holds tables".to_owned(), None),
                }
            }
        }
        ("notify", DeValue::Table(table)) => notify(reader, value, table),
        ("metrics", DeValue::String(path)) if !path.is_empty() => {}
        (key, _) => {
            let expected = match key {
                "schedule" => "written [[schedule]]",
                "notify" => "written [notify]",
                _ => "a path in quotes",
            };
            reader.mistake(value.span(), format!("`{key}` is {expected}"), None);
        }
    }
}

fn job(
    reader: &mut Reader<'_>,
    whole: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    names: &mut BTreeSet<String>,
) {
    reader.keys(table, JOB_KEYS);
    for key in ["name", "cron", "job"] {
        if !table.keys().any(|k| k.get_ref() == key) {
            reader.mistake(whole.span(), format!("this job has no `{key}`"), None);
        }
    }
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let text = value.get_ref().as_str();
        match (key, text) {
            ("name", Some(name)) if !plain(name) => {
                let hint = "units and metrics carry it: letters, digits, _ and -".to_owned();
                reader.mistake(value.span(), "this `name` cannot name a unit".to_owned(), Some(hint));
            }
            ("name", Some(name)) if !names.insert(name.to_owned()) => {
                reader.mistake(value.span(), format!("two jobs have the name {name}"), None);
            }
            ("cron", Some(cron)) => {
                if let Err(why) = Times::parse(cron) {
                    let hint =
                        "minute hour day month weekday, in `time_zone`: \"0 1 * * *\" is every night at one";
                    let given = if cron.contains(' ') { cron } else { "this" };
                    let message = format!("`{given}` is no cron expression: {why}");
                    reader.mistake(value.span(), message, Some(hint.to_owned()));
                }
            }
            ("job", Some(job)) => one_of(reader, value, "job", job, &["extract", "run"]),
            ("missed", Some(missed)) => one_of(reader, value, "missed", missed, &["skip", "once"]),
            ("jitter_seconds", _) => {
                let number = match value.get_ref() {
                    DeValue::Integer(i) => i.as_str().parse::<u32>().ok(),
                    _ => None,
                };
                if number.is_none_or(|n| n > MOST_JITTER) {
                    let message = format!("`jitter_seconds` is not a whole number from 0 to {MOST_JITTER}");
                    reader.mistake(value.span(), message, None);
                }
            }
            ("name" | "job" | "cron" | "missed", None) => {
                reader.mistake(value.span(), format!("`{key}` is not a text in quotes"), None);
            }
            _ => {}
        }
    }
}

fn notify(reader: &mut Reader<'_>, whole: &Spanned<DeValue<'_>>, table: &DeTable<'_>) {
    reader.keys(table, NOTIFY_KEYS);
    if !table.keys().any(|k| ["command", "webhook", "mail"].contains(&k.get_ref().as_ref())) {
        let message = "[notify] tells nobody: it has neither `command` nor `webhook` nor `mail`".to_owned();
        reader.mistake(whole.span(), message, None);
    }
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("command", DeValue::Array(words))
                if words.iter().all(|w| w.get_ref().is_str())
                    && words.first().and_then(|w| w.get_ref().as_str()).is_some_and(|w| !w.is_empty()) => {}
            ("command", _) => {
                let hint = "for example command = [\"notify.sh\", \"--to\", \"duty\"]".to_owned();
                let message = "`command` is not a list of texts: a program and its arguments".to_owned();
                reader.mistake(value.span(), message, Some(hint));
            }
            ("webhook", DeValue::String(address)) => {
                if let Err(why) = WebAddress::parse(address) {
                    reader.mistake(value.span(), "`webhook` cannot be called".to_owned(), Some(why));
                }
            }
            ("webhook", _) => {
                reader.mistake(value.span(), "`webhook` is not a text in quotes".to_owned(), None)
            }
            ("form", DeValue::String(form)) => {
                one_of(reader, value, "form", form, &["json", "wecom", "dingtalk"]);
            }
            ("sendmail", DeValue::String(program)) if !program.is_empty() => {}
            (key @ ("form" | "sendmail"), _) => {
                reader.mistake(value.span(), format!("`{key}` is not a text in quotes"), None);
            }
            (key @ ("mail" | "on"), _) => told(reader, key, value),
            _ => {}
        }
    }
}

/// Who is told by mail, and of which ends.
fn told(reader: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
    match (key, value.get_ref()) {
        ("on", DeValue::Array(all)) => {
            for one in all {
                let text = one.get_ref().as_str().unwrap_or_default();
                one_of(reader, one, "on", text, &["done", "failed", "blocked"]);
            }
        }
        ("mail", DeValue::Array(all)) => {
            for one in all.iter().filter(|one| !one.get_ref().as_str().is_some_and(is_address)) {
                let hint = "for example \"it@bureau.example\", without a name".to_owned();
                reader.mistake(one.span(), "this is no address of a mail".to_owned(), Some(hint));
            }
        }
        ("on", _) => {
            let message = "`on` is not a list such as [\"failed\", \"blocked\"]".to_owned();
            reader.mistake(value.span(), message, None);
        }
        (key, _) => reader.mistake(value.span(), format!("`{key}` is not a list of addresses"), None),
    }
}

/// An address, or the name of a local account; nothing that a header or a program would take for more.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-@".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) && text.matches('@').count() <= 1
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn one_of(reader: &mut Reader<'_>, at: &Spanned<DeValue<'_>>, key: &str, given: &str, known: &[&str]) {
    if !known.contains(&given) {
        reader.word(key, given, known, at.span());
    }
}

/// Makes the paths relative to the file's folder; a program named without a folder is looked for as a shell does.
pub(super) fn resolve_paths(folder: &Path, table: &mut toml::Table) {
    if let Some(metrics) = table.get_mut("metrics") {
        resolve_relative_to(folder, metrics);
    }
    let Some(notify) = table.get_mut("notify") else { return };
    let in_folder = |program: Option<&mut toml::Value>| {
        if let Some(program) = program
            && program.as_str().is_some_and(|p| p.contains('/'))
        {
            resolve_relative_to(folder, program);
        }
    };
    in_folder(notify.get_mut("command").and_then(|c| c.get_mut(0)));
    in_folder(notify.get_mut("sendmail"));
}
