//! The keys of the schedule in one configuration file: `[[schedule]]`, `[notify]`, `metrics`.
//!
//! Always: as the rest of the file: every mistake with its line, and with the reason where a text is parsed.
//! Must not know: when a job is due, or who is told.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, resolve_relative_to};
use crate::phrase;
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
                    _ => reader.mistake(one.span(), phrase!("config.holds_tables", key = "schedule"), None),
                }
            }
        }
        ("notify", DeValue::Table(table)) => notify(reader, value, table),
        ("metrics", DeValue::String(path)) if !path.is_empty() => {}
        (key, _) => {
            let message = match key {
                "schedule" => phrase!("config.written", key, form = "[[schedule]]"),
                "notify" => phrase!("config.written", key, form = "[notify]"),
                _ => phrase!("config.not_path", key),
            };
            reader.mistake(value.span(), message, None);
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
            reader.mistake(whole.span(), phrase!("config.job_lacks", key), None);
        }
    }
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let text = value.get_ref().as_str();
        match (key, text) {
            ("name", Some(name)) if !plain(name) => {
                let hint = phrase!("config.job_name_hint");
                reader.mistake(value.span(), phrase!("config.job_name"), Some(hint));
            }
            ("name", Some(name)) if !names.insert(name.to_owned()) => {
                reader.mistake(value.span(), phrase!("config.job_twice", name), None);
            }
            ("cron", Some(cron)) => {
                if let Err(why) = Times::parse(cron) {
                    let hint = phrase!("config.cron_hint");
                    let given = if cron.contains(' ') { cron } else { "this" };
                    let message = phrase!("config.cron", given, why);
                    reader.mistake(value.span(), message, Some(hint));
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
                    let message = phrase!("config.jitter", most = MOST_JITTER);
                    reader.mistake(value.span(), message, None);
                }
            }
            ("name" | "job" | "cron" | "missed", None) => {
                reader.mistake(value.span(), phrase!("config.not_text", key), None);
            }
            _ => {}
        }
    }
}

fn notify(reader: &mut Reader<'_>, whole: &Spanned<DeValue<'_>>, table: &DeTable<'_>) {
    reader.keys(table, NOTIFY_KEYS);
    if !table.keys().any(|k| ["command", "webhook", "mail"].contains(&k.get_ref().as_ref())) {
        let message = phrase!("config.notify_nobody");
        reader.mistake(whole.span(), message, None);
    }
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("command", DeValue::Array(words))
                if words.iter().all(|w| w.get_ref().is_str())
                    && words.first().and_then(|w| w.get_ref().as_str()).is_some_and(|w| !w.is_empty()) => {}
            ("command", _) => {
                let hint = phrase!("config.command_hint");
                let message = phrase!("config.command");
                reader.mistake(value.span(), message, Some(hint));
            }
            ("webhook", DeValue::String(address)) => {
                if let Err(why) = WebAddress::parse(address) {
                    reader.mistake(value.span(), phrase!("config.webhook"), Some(why));
                }
            }
            ("webhook", _) => reader.mistake(value.span(), phrase!("config.not_text", key = "webhook"), None),
            ("form", DeValue::String(form)) => {
                one_of(reader, value, "form", form, &["json", "wecom", "dingtalk"]);
            }
            ("sendmail", DeValue::String(program)) if !program.is_empty() => {}
            (key @ ("form" | "sendmail"), _) => {
                reader.mistake(value.span(), phrase!("config.not_text", key), None);
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
                let hint = phrase!("config.mail_hint");
                reader.mistake(one.span(), phrase!("config.mail"), Some(hint));
            }
        }
        ("on", _) => {
            let message = phrase!("config.on");
            reader.mistake(value.span(), message, None);
        }
        (key, _) => reader.mistake(value.span(), phrase!("config.addresses", key), None),
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
