//! How much a work directory keeps: `[keep]` of one configuration file.
//!
//! Always: as the rest of the file: every mistake with its line. A policy that keeps nothing is a mistake, not a wish.
//! Must not know: what is removed.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::Reader;
use crate::phrase;

const KEYS: &[&str] = &["extracts", "runs", "packages", "logs"];
const KEEP_KEYS: &[&str] = &["number", "days"];

/// Checks the table.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Table(table) = value.get_ref() else {
        return reader.mistake(value.span(), phrase!("config.written", key = "keep", form = "[keep]"), None);
    };
    reader.keys(table, KEYS);
    for (key, of) in table.iter().filter(|(k, _)| KEYS.contains(&k.get_ref().as_ref())) {
        match of.get_ref() {
            DeValue::Table(keep) => one(reader, key.get_ref(), of, keep),
            _ => reader.mistake(
                of.span(),
                phrase!("config.not_table", key = key.get_ref()),
                Some(phrase!("config.keep_hint")),
            ),
        }
    }
}

fn one(reader: &mut Reader<'_>, name: &str, whole: &Spanned<DeValue<'_>>, keep: &DeTable<'_>) {
    reader.keys(keep, KEEP_KEYS);
    if !keep.keys().any(|k| KEEP_KEYS.contains(&k.get_ref().as_ref())) {
        let hint = phrase!("config.keep_all");
        reader.mistake(whole.span(), phrase!("config.keep_neither", name), Some(hint));
    }
    for (key, value) in keep.iter().filter(|(k, _)| KEEP_KEYS.contains(&k.get_ref().as_ref())) {
        let number = match value.get_ref() {
            DeValue::Integer(i) => i.as_str().parse::<u32>().ok(),
            _ => None,
        };
        if number.is_none_or(|n| n == 0) {
            let message = phrase!("config.not_from_1", key = key.get_ref());
            reader.mistake(value.span(), message, None);
        }
    }
}
