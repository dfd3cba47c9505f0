//! What a run is expected to hold: `[limits]` and `[[acknowledged]]` of one configuration file.
//!
//! Always: as the rest of the file: every mistake with its line. Who and why are never empty.
//! Must not know: which names a run will come to; one that nothing answers to is shown with the run.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::Reader;
use crate::artifacts::Suspicion;

const LIMIT_KEYS: &[&str] = &["accepted_min", "waiver_months"];
/// The longest waiver, in months.
const MOST_MONTHS: u32 = 120;
const ACKNOWLEDGED_KEYS: &[&str] = &["what", "name", "by", "reason"];

/// Checks one of the two keys.
pub(super) fn check(reader: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
    match (key, value.get_ref()) {
        ("limits", DeValue::Table(table)) => limits(reader, table),
        ("acknowledged", DeValue::Array(all)) => {
            let mut seen = Vec::new();
            for one in all {
                match one.get_ref() {
                    DeValue::Table(table) => acknowledged(reader, one, table, &mut seen),
                    _ => reader.mistake(one.span(), "`acknowledged` holds tables".to_owned(), None),
                }
            }
        }
        (key, _) => {
            let form = if key == "limits" { "[limits]" } else { "[[acknowledged]]" };
            reader.mistake(value.span(), format!("`{key}` is written {form}"), None);
        }
    }
}

fn limits(reader: &mut Reader<'_>, table: &DeTable<'_>) {
    reader.keys(table, LIMIT_KEYS);
    for (key, value) in table {
        let number = match value.get_ref() {
            DeValue::Integer(i) => i.as_str().parse::<u32>().ok(),
            _ => None,
        };
        let message = match key.get_ref().as_ref() {
            "accepted_min" if number.is_none_or(|p| p > 100) => {
                "`accepted_min` is not a whole number of percent from 0 to 100".to_owned()
            }
            "waiver_months" if number.is_none_or(|n| n == 0 || n > MOST_MONTHS) => {
                format!("`waiver_months` is not a whole number of months from 1 to {MOST_MONTHS}")
            }
            _ => continue,
        };
        reader.mistake(value.span(), message, None);
    }
}

fn acknowledged(
    reader: &mut Reader<'_>,
    whole: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    seen: &mut Vec<(String, String)>,
) {
    reader.keys(table, ACKNOWLEDGED_KEYS);
    for key in ACKNOWLEDGED_KEYS {
        let found = table.iter().find(|(k, _)| k.get_ref() == *key).map(|(_, v)| v);
        match found.map(|v| (v.get_ref().as_str().map(str::trim), v.span())) {
            None => reader.mistake(whole.span(), format!("this acknowledgement has no `{key}`"), None),
            Some((None, span)) => reader.mistake(span, format!("`{key}` is not a text in quotes"), None),
            Some((Some(""), span)) => {
                let hint = match *key {
                    "what" | "name" => "write it as the run names it",
                    "by" => "write the name of the person who answers for it",
                    _ => "write why it is so",
                };
                reader.mistake(span, format!("`{key}` is empty"), Some(hint.to_owned()));
            }
            Some((Some(text), span)) if *key == "what" => {
                let known = Suspicion::ALL.map(Suspicion::name);
                if !known.contains(&text) {
                    reader.word("what", text, &known, span);
                }
            }
            Some(_) => {}
        }
    }
    let text = |key: &str| {
        let found = table.iter().find(|(k, _)| k.get_ref() == key);
        found.and_then(|(_, v)| v.get_ref().as_str()).unwrap_or_default().to_owned()
    };
    let one = (text("what"), text("name"));
    if seen.contains(&one) {
        reader.mistake(whole.span(), format!("{} {} is acknowledged twice", one.0, one.1), None);
    }
    seen.push(one);
}
