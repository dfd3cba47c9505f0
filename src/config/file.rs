//! One configuration file: text → keys that are known and have the right form, paths made independent of the current folder.
//!
//! Always: all mistakes of the file at once, each with its line and the nearest known key. A relative path in a file is relative to
//! that file.
//! Must not know: what the settings mean.

use std::ops::Range;
use std::path::Path;

use chrono_tz::{TZ_VARIANTS, Tz};
use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Mistake};
use super::shown::{shown, told};
use super::{cutover, expected, jobs, keep, known, people, rules, staging, standing};
use crate::encoding::TextEncoding;
use crate::nearest::nearest;
use crate::phrase;
use crate::source::{SourceKind, Window};

/// Keys of a file.
pub(super) const KEYS: &[&str] = &[
    "mappings",
    "rules",
    "references",
    "parameters",
    "people",
    "standing",
    "city",
    "as_of",
    "time_zone",
    "lang",
    "memory",
    "partitions",
    "sources",
    "staging",
    "keep",
    "cutover",
    "schedule",
    "notify",
    "metrics",
    "limits",
    "acknowledged",
    "known_difference",
];
/// Keys of one of `[[sources]]`.
const SOURCE_KEYS: &[&str] = &[
    "id",
    "kind",
    "path",
    "encoding",
    "time_zone",
    "chunk_rows",
    "server",
    "consistency",
    "limits",
    "tables",
];
/// Keys of `[sources.server]`.
const SERVER_KEYS: &[&str] = &[
    "host",
    "port",
    "database",
    "schema",
    "user",
    "password_env",
    "password_file",
    "password_credential",
    "login",
    "tls",
    "ca",
    "portable",
    "connect_seconds",
];
/// Keys of `[sources.limits]`.
const LIMIT_KEYS: &[&str] = &[
    "connections",
    "rows_per_second",
    "bytes_per_second",
    "windows",
    "statement_seconds",
    "lock_milliseconds",
    "slow_milliseconds",
    "retries",
];
/// Keys of `[sources.tables.<TABLE>]`.
const TABLE_KEYS: &[&str] = &["key", "changes", "column", "overlap_seconds", "drift", "encoding", "columns"];
/// Keys of a column under `[sources.tables.<TABLE>.columns]`.
const COLUMN_KEYS: &[&str] = &["encoding"];
/// Keys whose value is one of a few words.
pub(super) const WORDS: &[(&str, &[&str])] = &[
    ("kind", SourceKind::ALL),
    ("lang", &["zh", "en"]),
    ("login", &["sql", "windows"]),
    ("tls", &["verify", "trust", "login-only", "off"]),
    (
        "consistency",
        &["default", "database-snapshot", "restored-copy", "snapshot-session", "exported-snapshot", "fuzzy"],
    ),
    ("changes", &["full", "change-tracking", "rowversion", "timestamp", "compare"]),
    ("drift", &["stop", "freeze", "accept"]),
];

pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn mistake(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        let start = span.start.min(self.text.len());
        let line = self.text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1;
        let text = NamedSource::new(self.file, shown(self.text)).with_language("TOML");
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line,
            message,
            hint,
            text,
            span: span.into(),
        });
    }

    pub(super) fn keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys().filter(|k| !known.contains(&k.get_ref().as_ref())) {
            let message = phrase!("config.unknown_key", key = told(key.get_ref(), known));
            self.mistake(key.span(), message, Some(meant(key.get_ref(), known)));
        }
    }

    pub(super) fn form(&mut self, key: &str, value: &Spanned<DeValue<'_>>) {
        if let Some((_, words)) = WORDS.iter().find(|(k, _)| *k == key) {
            match value.get_ref().as_str() {
                Some(word) if words.contains(&word) => {}
                Some(word) => {
                    self.word(key, word, words, value.span());
                }
                None => self.mistake(value.span(), phrase!("config.not_text", key), None),
            }
            return;
        }
        if key == "time_zone" {
            self.zone(value);
            return;
        }
        let Some((fine, expected)) = expected_form(key, value.get_ref()) else { return };
        if !fine {
            self.mistake(value.span(), phrase!("config.not_expected", key, expected), None);
        }
    }

    /// A word that is none of those that a key may have.
    pub(super) fn word(&mut self, key: &str, given: &str, known: &[&str], at: Range<usize>) {
        let message = phrase!("config.not_word", key, given = told(given, known));
        self.mistake(at, message, Some(meant(given, known)));
    }

    fn zone(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref().as_str() {
            Some(name) if name.parse::<Tz>().is_ok() => {}
            Some(name) => {
                let nearest = nearest(name, TZ_VARIANTS.iter().map(|z| z.name()));
                let message = phrase!("config.no_zone", zone = told(name, &[&nearest]));
                let hint = phrase!("config.no_zone_hint", nearest);
                self.mistake(value.span(), message, Some(hint));
            }
            None => self.mistake(value.span(), phrase!("config.not_text", key = "time_zone"), None),
        }
    }

    /// The table of a server: what no source can be reached without.
    pub(super) fn server(&mut self, value: &Spanned<DeValue<'_>>) {
        self.below("server", value, SERVER_KEYS);
        let DeValue::Table(table) = value.get_ref() else { return };
        for key in ["host", "database"].iter().filter(|key| !table.keys().any(|k| k.get_ref() == **key)) {
            self.mistake(value.span(), phrase!("config.server_lacks", key), None);
        }
    }

    /// One of the tables below a source.
    fn below(&mut self, key: &str, value: &Spanned<DeValue<'_>>, known: &[&str]) {
        match value.get_ref() {
            DeValue::Table(table) => {
                self.keys(table, known);
                for (k, v) in table {
                    match (k.get_ref().as_ref(), v.get_ref()) {
                        ("columns", DeValue::Table(columns)) => {
                            columns.iter().for_each(|(name, of)| {
                                self.below(&format!("{key}.columns.{}", name.get_ref()), of, COLUMN_KEYS);
                            });
                        }
                        ("columns", _) => self.mistake(v.span(), phrase!("config.columns_form", key), None),
                        (name, _) => self.form(name, v),
                    }
                }
            }
            _ => self.mistake(value.span(), phrase!("config.below_form", key), None),
        }
    }

    fn source(&mut self, span: Range<usize>, table: &DeTable<'_>) {
        self.keys(table, SOURCE_KEYS);
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("server", _) => self.server(value),
                ("limits", _) => self.below("limits", value, LIMIT_KEYS),
                ("tables", DeValue::Table(all)) => {
                    all.iter().for_each(|(name, of)| {
                        self.below(&format!("tables.{}", name.get_ref()), of, TABLE_KEYS)
                    });
                }
                ("tables", _) => {
                    self.mistake(value.span(), phrase!("config.tables_form"), None);
                }
                (key, _) => self.form(key, value),
            }
        }
        let has = |wanted: &str| table.keys().any(|k| k.get_ref() == wanted);
        let embedded = !has("server");
        for key in ["id", "kind", if embedded { "path" } else { "server" }] {
            if !has(key) {
                self.mistake(span.clone(), phrase!("config.source_lacks", key), None);
            }
        }
        let text = |wanted: &str| {
            let found = table.iter().find(|(k, _)| k.get_ref() == wanted);
            found.and_then(|(_, v)| v.get_ref().as_str().map(|s| (s.to_owned(), v.span())))
        };
        if let Some((kind, at)) = text("kind").filter(|(kind, _)| embedded != (kind == "sqlite")) {
            let message = match embedded {
                true => phrase!("config.source_server", kind),
                false => phrase!("config.source_sqlite"),
            };
            if SourceKind::ALL.contains(&kind.as_str()) {
                self.mistake(at, message, None);
            }
        }
        let plain = |id: &str| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if let Some((_, at)) = text("id").filter(|(id, _)| !plain(id)) {
            let hint = phrase!("config.source_id_hint");
            self.mistake(at, phrase!("config.source_id"), Some(hint));
        }
    }

    fn check(&mut self, table: &DeTable<'_>) {
        self.keys(table, KEYS);
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("sources", DeValue::Array(all)) => {
                    for one in all {
                        match one.get_ref() {
                            DeValue::Table(source) => self.source(one.span(), source),
                            _ => self.mistake(
                                one.span(),
                                phrase!("config.holds_tables", key = "sources"),
                                None,
                            ),
                        }
                    }
                }
                ("sources", _) => {
                    self.mistake(
                        value.span(),
                        phrase!("config.written", key = "sources", form = "[[sources]]"),
                        None,
                    );
                }
                (key @ ("schedule" | "notify" | "metrics"), _) => jobs::check(self, key, value),
                (key @ ("limits" | "acknowledged"), _) => expected::check(self, key, value),
                (key @ ("references" | "parameters"), _) => rules::check(self, key, value),
                ("people", _) => people::check(self, value),
                ("standing", _) => standing::check(self, value),
                ("known_difference", _) => known::check(self, value),
                ("staging", _) => staging::check(self, value),
                ("keep", _) => keep::check(self, value),
                ("cutover", _) => cutover::check(self, value),
                (key, _) => self.form(key, value),
            }
        }
    }
}

/// What somebody may have meant.
fn meant(given: &str, known: &[&str]) -> String {
    phrase!("config.meant", nearest = nearest(given, known), known = known.join(", "))
}

/// Whether a value has the form of its key, and what that is; none for keys of another form.
fn expected_form(key: &str, value: &DeValue<'_>) -> Option<(bool, String)> {
    let whole = |least: u32| match value {
        DeValue::Integer(i) => i.as_str().parse::<u32>().is_ok_and(|n| n >= least),
        _ => false,
    };
    let list = |each: fn(&str) -> bool| match value {
        DeValue::Array(all) => all.iter().all(|v| v.get_ref().as_str().is_some_and(each)),
        _ => false,
    };
    Some(match key {
        "mappings" | "rules" | "city" | "as_of" | "id" | "path" | "schema" | "user" | "password_file"
        | "ca" | "column" => (value.as_str().is_some(), phrase!("config.form_text")),
        "host" => (value.as_str().is_some_and(is_name), phrase!("config.form_host")),
        "database" => (value.as_str().is_some_and(is_name), phrase!("config.form_database")),
        "password_env" => (value.as_str().is_some_and(is_variable), phrase!("config.form_env")),
        "password_credential" => {
            (value.as_str().is_some_and(is_credential), phrase!("config.form_credential"))
        }
        "port" => (
            matches!(value, DeValue::Integer(i) if i.as_str().parse::<u16>().is_ok_and(|n| n > 0)),
            phrase!("config.form_port"),
        ),
        "partitions" | "chunk_rows" | "connections" | "rows_per_second" | "bytes_per_second"
        | "connect_seconds" | "lock_milliseconds" | "slow_milliseconds" => {
            (whole(1), phrase!("config.form_from_1"))
        }
        "statement_seconds" | "retries" | "overlap_seconds" => (whole(0), phrase!("config.form_from_0")),
        "encoding" => (
            value.as_str().and_then(TextEncoding::named).is_some_and(|e| e != TextEncoding::Utf16),
            phrase!("config.form_encoding"),
        ),
        "memory" => (matches!(value, DeValue::String(_) | DeValue::Integer(_)), phrase!("config.form_size")),
        "portable" => (matches!(value, DeValue::Boolean(_)), phrase!("config.form_bool")),
        "windows" => (list(|w| w.parse::<Window>().is_ok()), phrase!("config.form_windows")),
        "key" => (list(|_| true), phrase!("config.form_columns")),
        _ => return None,
    })
}

/// A name, and not an address or a connection string, which may hold a password.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['@', ';', '=']) && !text.contains("://")
}

fn is_variable(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    first && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn is_credential(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    plain && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

pub(super) fn resolve_relative_to(folder: &Path, value: &mut toml::Value) {
    if let toml::Value::String(path) = value {
        *path = folder.join(path.as_str()).display().to_string();
    }
}

/// Checks the text of a file and makes its paths relative to `folder` (the file's own).
pub(super) fn read(file: &str, text: &str, folder: &Path) -> Result<toml::Table, ConfigError> {
    let mut reader = Reader { file, text, mistakes: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for e in errors {
        reader.mistake(e.span().unwrap_or(0..0), phrase!("config.toml", why = e.message()), None);
    }
    reader.check(table.get_ref());
    if !reader.mistakes.is_empty() {
        let mut mistakes = reader.mistakes;
        mistakes.sort_by_key(|m| m.span.offset());
        return Err(ConfigError::Mistakes { mistakes });
    }
    let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let mut reader = Reader { file, text, mistakes: Vec::new() };
        reader.mistake(e.span().unwrap_or(0..0), phrase!("config.toml", why = e.message()), None);
        ConfigError::Mistakes { mistakes: reader.mistakes }
    })?;
    if let Some(mappings) = table.get_mut("mappings") {
        resolve_relative_to(folder, mappings);
    }
    rules::resolve(folder, text, &mut table);
    jobs::resolve_paths(folder, &mut table);
    staging::resolve_paths(folder, &mut table);
    if let Some(toml::Value::Array(sources)) = table.get_mut("sources") {
        for source in sources {
            if let Some(path) = source.get_mut("path") {
                resolve_relative_to(folder, path);
            }
            for key in ["password_file", "ca"] {
                if let Some(path) = source.get_mut("server").and_then(|s| s.get_mut(key)) {
                    resolve_relative_to(folder, path);
                }
            }
        }
    }
    Ok(table)
}
