//! What the program says, in both languages: of errors by their code (messages/errors.toml), of all else by section and key (the
//! other files there).
//!
//! Always: every text stands in those files; a code without one stands for itself, and what it would have named is listed behind it, so
//! that an error never hides another one. The language is that of the process, set once by the command line; English until then.
//! Must not know: what the codes mean.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;

const ERRORS: &str = include_str!("../messages/errors.toml");

/// The other texts: `config.unknown_key` is `unknown_key` of the section `config`.
const SECTIONS: [(&str, &str); 11] = [
    ("cli", include_str!("../messages/cli.toml")),
    ("config", include_str!("../messages/config.toml")),
    ("doctor", include_str!("../messages/doctor.toml")),
    ("file", include_str!("../messages/file.toml")),
    ("mapping", include_str!("../messages/mapping.toml")),
    ("national", include_str!("../messages/national.toml")),
    ("package", include_str!("../messages/package.toml")),
    ("progress", include_str!("../messages/progress.toml")),
    ("rules", include_str!("../messages/rules.toml")),
    ("source", include_str!("../messages/source.toml")),
    ("work", include_str!("../messages/work.toml")),
];

/// The language of what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    Zh,
    En,
}

impl Lang {
    /// The text in this language.
    #[must_use]
    pub fn pick<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// As HTML names it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.pick("zh-CN", "en")
    }
}

/// The texts of one code: what is wrong, what to do. Templates: `{{ name }}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub en: String,
    pub zh: String,
    pub en_hint: String,
    pub zh_hint: String,
}

/// A text that is no error of its own: a finding, a part of an error, a line of progress.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrase {
    pub en: String,
    pub zh: String,
}

/// Every other text by section and key.
#[must_use]
pub fn phrases() -> &'static BTreeMap<String, Phrase> {
    static ALL: OnceLock<BTreeMap<String, Phrase>> = OnceLock::new();
    ALL.get_or_init(|| {
        let section = |(name, text): &(&str, &str)| {
            let all: BTreeMap<String, Phrase> = toml::from_str(text).unwrap_or_default();
            all.into_iter().map(|(key, of)| (format!("{name}.{key}"), of)).collect::<Vec<_>>()
        };
        SECTIONS.iter().flat_map(section).collect()
    })
}

/// Every code with its texts.
#[must_use]
pub fn all() -> &'static BTreeMap<String, Message> {
    static ALL: OnceLock<BTreeMap<String, Message>> = OnceLock::new();
    // A test reads it: it is part of the program.
    ALL.get_or_init(|| toml::from_str(ERRORS).unwrap_or_default())
}

static CHINESE: AtomicBool = AtomicBool::new(false);

/// Sets the language of the process.
pub fn speak(lang: Lang) {
    CHINESE.store(lang == Lang::Zh, Ordering::Relaxed);
}

/// The language of the process.
#[must_use]
pub fn lang() -> Lang {
    if CHINESE.load(Ordering::Relaxed) { Lang::Zh } else { Lang::En }
}

/// Names and what stands for them.
pub type Values<'v> = [(&'static str, &'v dyn Display)];

/// What is wrong, in the language of the process.
#[must_use]
pub fn text(code: &str, values: &Values<'_>) -> String {
    filled(code, all().get(code).map(|m| lang().pick(&m.zh, &m.en)), values)
}

/// What to do about it, in the language of the process.
#[must_use]
pub fn hint(code: &str, values: &Values<'_>) -> String {
    filled(code, all().get(code).map(|m| lang().pick(&m.zh_hint, &m.en_hint)), values)
}

/// The text of a key, in the language of the process.
#[must_use]
pub fn phrase(key: &str, values: &Values<'_>) -> String {
    filled(key, phrases().get(key).map(|p| lang().pick(&p.zh, &p.en)), values)
}

fn filled(code: &str, template: Option<&str>, values: &Values<'_>) -> String {
    let named: BTreeMap<&str, String> =
        values.iter().map(|(name, value)| (*name, value.to_string())).collect();
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
    });
    let made = template.map(|template| environment.render_str(template, &named));
    made.and_then(Result::ok).unwrap_or_else(|| {
        let values: Vec<String> = named.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!("{code} {}", values.join(", "))
    })
}

/// Which bytes of a text are the program's own words for a code, in order: what stands between them was filled in. None: it is no text of that code.
#[must_use]
pub fn own_words(code: &str, text: &str) -> Vec<Range<usize>> {
    let Some(message) = all().get(code) else { return Vec::new() };
    [&message.zh, &message.en].into_iter().find_map(|template| literals(template, text)).unwrap_or_default()
}

fn literals(template: &str, text: &str) -> Option<Vec<Range<usize>>> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (no, piece) in template.lines().next().unwrap_or_default().split("{{").enumerate() {
        let literal = if no == 0 { piece } else { piece.split_once("}}")?.1 };
        let at = from + text[from..].find(literal)?;
        if no == 0 && at > 0 {
            return None;
        }
        from = at + literal.len();
        found.push(at..from);
    }
    Some(found)
}

/// The text of a code, with fields of the same name, or named values: `said!("DAT-003", path, rows = parts.len())`.
#[macro_export]
macro_rules! said {
    ($code:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::messages::text($code, &[$((stringify!($name), &$crate::given!($name $(= $value)?))),*])
    };
}

/// The hint of a code, like [`said!`].
#[macro_export]
macro_rules! hint {
    ($code:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::messages::hint($code, &[$((stringify!($name), &$crate::given!($name $(= $value)?))),*])
    };
}

/// The text of a key, like [`said!`]: `phrase!("config.empty", key)`.
#[macro_export]
macro_rules! phrase {
    ($key:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::messages::phrase($key, &[$((stringify!($name), &$crate::given!($name $(= $value)?))),*])
    };
}

/// A value that [`said!`] names.
#[doc(hidden)]
#[macro_export]
macro_rules! given {
    ($name:ident) => {
        $name
    };
    ($name:ident = $value:expr) => {
        $value
    };
}
