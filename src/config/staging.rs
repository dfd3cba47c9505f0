//! The staging database of the dry run: `[staging]` and `[staging.server]` of one configuration file.
//!
//! Always: as the rest of the file: every mistake with its line. The schema is a plain name, since statements and people write it.
//! Must not know: what a rehearsal does.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::file::{Reader, resolve_relative_to};
use crate::phrase;

const KEYS: &[&str] = &["schema", "connections", "statement_seconds", "server"];
/// Of a name's 63 bytes in PostgreSQL, less those of the schema beside it.
const LONGEST_SCHEMA: usize = 58;

/// Checks the table.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Table(table) = value.get_ref() else {
        reader.mistake(value.span(), phrase!("config.written", key = "staging", form = "[staging]"), None);
        return;
    };
    reader.keys(table, KEYS);
    for (key, of) in table {
        match key.get_ref().as_ref() {
            "server" => reader.server(of),
            "schema" if !of.get_ref().as_str().is_some_and(is_schema) => {
                let hint = phrase!("config.schema_hint");
                reader.mistake(of.span(), phrase!("config.schema"), Some(hint));
            }
            key => reader.form(key, of),
        }
    }
    if !table.keys().any(|k| k.get_ref() == "server") {
        reader.mistake(value.span(), phrase!("config.staging_lacks"), None);
    }
}

fn is_schema(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    first && plain && text.len() <= LONGEST_SCHEMA && !text.starts_with("pg_") && text != "public"
}

/// Makes its paths relative to the file's own folder.
pub(super) fn resolve_paths(folder: &Path, table: &mut toml::Table) {
    for key in ["password_file", "ca"] {
        let server = table.get_mut("staging").and_then(|s| s.get_mut("server"));
        if let Some(path) = server.and_then(|s| s.get_mut(key)) {
            resolve_relative_to(folder, path);
        }
    }
}
