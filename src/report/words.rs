//! The words of the page and of the terminal in both languages, from labels.toml.
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
pub struct Words {
    lang: Lang,
    words: BTreeMap<String, BTreeMap<String, String>>,
}

impl Words {
    /// The words of a language.
    ///
    /// # Errors
    /// `REP-901` when labels.toml is broken.
    pub fn of(lang: Lang) -> Result<Self, ReportError> {
        let labels: BTreeMap<String, BTreeMap<String, Label>> = toml::from_str(LABELS)?;
        let word = |label: Label| match lang {
            Lang::Zh => label.zh,
            Lang::En => label.en,
        };
        let section =
            |labels: BTreeMap<String, Label>| labels.into_iter().map(|(k, l)| (k, word(l))).collect();
        let words = labels.into_iter().map(|(name, labels)| (name, section(labels))).collect();
        Ok(Self { lang, words })
    }

    /// Their language.
    #[must_use]
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// All of them, for the template.
    pub(super) fn all(&self) -> &BTreeMap<String, BTreeMap<String, String>> {
        &self.words
    }

    /// The word of a code, or the code.
    #[must_use]
    pub fn say(&self, section: &str, code: &str) -> String {
        let word = self.words.get(section).and_then(|s| s.get(code));
        word.map_or(code, String::as_str).to_owned()
    }
}
