//! How much a work directory keeps: `[keep]` of one configuration file.
//!
//! Always: as the rest of the file: every mistake with its line. A policy that keeps nothing is a mistake, not a wish.
//! Must not know: what is removed.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::Reader;

const KEYS: &[&str] = &["extracts", "runs", "packages", "logs"];
const KEEP_KEYS: &[&str] = &["number", "days"];

/// Checks the table.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Table(table) = value.get_ref() else {
        return reader.mistake(value.span(), "`keep` is written [keep]".to_owned(), None);
    };
    reader.keys(table, KEYS);
    for (key, of) in table.iter().filter(|(k, _)| KEYS.contains(&k.get_ref().as_ref())) {
        match of.get_ref() {
            DeValue::Table(keep) => one(reader, key.get_ref(), of, keep),
            _ => reader.mistake(
                of.span(),
                format!("`{}` is not a table", key.get_ref()),
                Some("for example { number = 10, days = 90 }: the newest ten, and what is younger than 90 days".to_owned()),
            ),
        }
    }
}

fn one(reader: &mut Reader<'_>, name: &str, whole: &Spanned<DeValue<'_>>, keep: &DeTable<'_>) {
    reader.keys(keep, KEEP_KEYS);
    if !keep.keys().any(|k| KEEP_KEYS.contains(&k.get_ref().as_ref())) {
        let hint = "leave it out to keep everything".to_owned();
        reader.mistake(whole.span(), format!("`{name}` says neither `number` nor `days`"), Some(hint));
    }
    for (key, value) in keep.iter().filter(|(k, _)| KEEP_KEYS.contains(&k.get_ref().as_ref())) {
        let number = match value.get_ref() {
            DeValue::Integer(i) => i.as_str().parse::<u32>().ok(),
            _ => None,
        };
        if number.is_none_or(|n| n == 0) {
            let message = format!("`{}` is not a whole number from 1", key.get_ref());
            reader.mistake(value.span(), message, None);
        }
    }
}
