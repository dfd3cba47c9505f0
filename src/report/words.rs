//! The words of the page in both languages, from labels.toml.
//!
//! Always: every word of the page is in that one file; a code that has no word stands for itself, a missing word of the page is an
//! error.
//! Must not know: what is counted.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Lang, ReportError};

const LABELS: &str = include_str!("labels.toml");

#[derive(Deserialize)]
struct Label {
    zh: String,
    en: String,
}

/// The words of one language: section, key, text.
pub(super) struct Words(BTreeMap<String, BTreeMap<String, String>>);

impl Words {
    pub(super) fn of(lang: Lang) -> Result<Self, ReportError> {
        let labels: BTreeMap<String, BTreeMap<String, Label>> = toml::from_str(LABELS)?;
        let word = |label: Label| match lang {
            Lang::Zh => label.zh,
            Lang::En => label.en,
        };
        let section =
            |labels: BTreeMap<String, Label>| labels.into_iter().map(|(k, l)| (k, word(l))).collect();
        Ok(Self(labels.into_iter().map(|(name, labels)| (name, section(labels))).collect()))
    }

    /// All of them, for the template.
    pub(super) fn all(&self) -> &BTreeMap<String, BTreeMap<String, String>> {
        &self.0
    }

    /// The word of a code, or the code.
    pub(super) fn say(&self, section: &str, code: &str) -> String {
        let word = self.0.get(section).and_then(|s| s.get(code));
        word.map_or(code, String::as_str).to_owned()
    }
}
