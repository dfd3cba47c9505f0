//! One configuration file: text → keys that are known and have the right form, paths made independent of the current folder.
//!
//! Always: all mistakes of the file at once, each with its line and the nearest known key. A relative path in a file is relative to
//! that file.
//! Must not know: what the settings mean.

use std::ops::Range;
use std::path::Path;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Mistake};
use super::jobs;

/// Keys of a file.
pub(super) const KEYS: &[&str] =
    &["mappings", "city", "as_of", "memory", "partitions", "sources", "schedule", "notify", "metrics"];
/// Keys of one of `[[sources]]`.
const SOURCE_KEYS: &[&str] = &["id", "kind", "path", "encoding", "chunk_rows"];

/// The known name most like `wanted`.
pub(super) fn nearest(wanted: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let like = |name: &str| strsim::jaro_winkler(wanted, name);
    let best = known.into_iter().max_by(|a, b| like(a.as_ref()).total_cmp(&like(b.as_ref())));
    best.map(|b| b.as_ref().to_owned()).unwrap_or_default()
}

pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn mistake(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        let start = span.start.min(self.text.len());
        let line = self.text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1;
        let text = NamedSource::new(self.file, self.text.to_owned()).with_language("TOML");
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
            let hint =
                format!("the nearest is `{}`; known are {}", nearest(key.get_ref(), known), known.join(", "));
            self.mistake(key.span(), format!("there is no setting `{}`", key.get_ref()), Some(hint));
        }
    }

    fn form(&mut self, key: &str, value: &Spanned<DeValue<'_>>) {
        let expected = match key {
            "mappings" | "city" | "as_of" | "id" | "kind" | "path" | "encoding" => match value.get_ref() {
                DeValue::String(_) => return,
                _ => "a text in quotes",
            },
            "partitions" | "chunk_rows" => match value.get_ref() {
                DeValue::Integer(i) if i.as_str().parse::<u32>().is_ok_and(|n| n > 0) => return,
                _ => "a whole number from 1",
            },
            "memory" => match value.get_ref() {
                DeValue::String(_) | DeValue::Integer(_) => return,
                _ => "a size such as \"1GiB\"",
            },
            _ => return,
        };
        self.mistake(value.span(), format!("`{key}` is not {expected}"), None);
    }

    fn source(&mut self, span: Range<usize>, table: &DeTable<'_>) {
        self.keys(table, SOURCE_KEYS);
        table.iter().for_each(|(k, v)| self.form(k.get_ref(), v));
        for key in ["id", "kind", "path"] {
            if !table.keys().any(|k| k.get_ref() == key) {
                self.mistake(span.clone(), format!("this source has no `{key}`"), None);
            }
        }
        let text = |wanted: &str| {
            let found = table.iter().find(|(k, _)| k.get_ref() == wanted);
            found.and_then(|(_, v)| v.get_ref().as_str().map(|s| (s.to_owned(), v.span())))
        };
        if let Some((kind, at)) = text("kind").filter(|(kind, _)| kind != "sqlite") {
            self.mistake(
                at,
                format!("no kind of source is called `{kind}`"),
                Some("known is sqlite".to_owned()),
            );
        }
        let plain = |id: &str| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if let Some((_, at)) = text("id").filter(|(id, _)| !plain(id)) {
            let hint = "lineage and folders carry it: letters, digits, _ and -".to_owned();
            self.mistake(at, "this `id` cannot name a folder".to_owned(), Some(hint));
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
                            _ => self.mistake(one.span(), "`sources` holds tables".to_owned(), None),
                        }
                    }
                }
                ("sources", _) => {
                    self.mistake(value.span(), "`sources` is written [[sources]]".to_owned(), None);
                }
                (key @ ("schedule" | "notify" | "metrics"), _) => jobs::check(self, key, value),
                (key, _) => self.form(key, value),
            }
        }
    }
}

pub(super) fn beside(folder: &Path, value: &mut toml::Value) {
    if let toml::Value::String(path) = value {
        *path = folder.join(path.as_str()).display().to_string();
    }
}

/// Checks the text of a file and makes its paths relative to `folder` (the file's own).
pub(super) fn read(file: &str, text: &str, folder: &Path) -> Result<toml::Table, ConfigError> {
    let mut reader = Reader { file, text, mistakes: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for e in errors {
        reader.mistake(e.span().unwrap_or(0..0), format!("this is no TOML: {}", e.message()), None);
    }
    reader.check(table.get_ref());
    if !reader.mistakes.is_empty() {
        let mut mistakes = reader.mistakes;
        mistakes.sort_by_key(|m| m.span.offset());
        return Err(ConfigError::Mistakes { mistakes });
    }
    let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let mut reader = Reader { file, text, mistakes: Vec::new() };
        reader.mistake(e.span().unwrap_or(0..0), format!("this is no TOML: {}", e.message()), None);
        ConfigError::Mistakes { mistakes: reader.mistakes }
    })?;
    if let Some(mappings) = table.get_mut("mappings") {
        beside(folder, mappings);
    }
    jobs::settle(folder, &mut table);
    if let Some(toml::Value::Array(sources)) = table.get_mut("sources") {
        for path in sources.iter_mut().filter_map(|s| s.get_mut("path")) {
            beside(folder, path);
        }
    }
    Ok(table)
}
