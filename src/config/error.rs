//! What can be wrong with the configuration; every error names the file (or variable, or option) and the key.

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use crate::error::{Consequence, RetryClass};

/// One mistake in a configuration file, shown with its line.
#[derive(Debug, Error, Diagnostic)]
#[error("{file}:{line}: {message}")]
#[diagnostic(code("CFG-002"))]
pub struct Mistake {
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
    #[help]
    pub hint: Option<String>,
    #[source_code]
    pub(super) text: NamedSource<String>,
    #[label]
    pub(super) span: SourceSpan,
}

/// What can be wrong with the configuration.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    #[error("the configuration file {path} cannot be read")]
    #[diagnostic(code("CFG-001"), help("check --config; config/city.example.toml is a file to start from"))]
    Unreadable { path: String, source: std::io::Error },
    #[error("the configuration has mistakes")]
    #[diagnostic(code("CFG-002"), help("docs/config.md describes every key; nothing was read or written"))]
    Mistakes {
        #[related]
        mistakes: Vec<Mistake>,
    },
    #[error("the environment variable {variable} is not known")]
    #[diagnostic(code("CFG-003"), help("the nearest is {nearest}; unset it if it is not meant for qianyi"))]
    Variable { variable: String, nearest: String },
    #[error("{origin} sets `{key}` to `{value}`, which is not {expected}")]
    #[diagnostic(code("CFG-004"), help("for example {example}"))]
    Value { origin: String, key: &'static str, value: String, expected: &'static str, example: &'static str },
    #[error("nothing says which {key}")]
    #[diagnostic(
        code("CFG-005"),
        help(
            "name a configuration file with --config (config/city.example.toml is one to start from), or run `qianyi demo`"
        )
    )]
    Absent { key: &'static str },
    #[error("{origin}: there is no mapping folder {path}")]
    #[diagnostic(code("CFG-006"), help("{hint}"))]
    NoMappings { origin: String, path: String, hint: String },
    #[error("the mapping folder {path} cannot be listed")]
    #[diagnostic(code("CFG-008"), help("check the folder and the rights of the user who runs qianyi"))]
    Unlisted { path: String, source: std::io::Error },
    #[error("{origin}: two sources have the id {id}")]
    #[diagnostic(code("CFG-007"), help("give each of [[sources]] an id of its own, as city.toml names them"))]
    SourceTwice { origin: String, id: String },
    #[error("{origin}: {account}, who is to answer for the standing approval of {rule}, is no approver")]
    #[diagnostic(
        code("CFG-009"),
        help("[[people]] names accounts and roles; `account` of [[standing]] is one with the role approver")
    )]
    NoApprover { origin: String, rule: String, account: String },
    #[error("the layers of the configuration could not be merged")]
    #[diagnostic(code("CFG-900"), help("this is a fault of qianyi: please report it"))]
    Merge { source: Box<::config::ConfigError> },
}

impl Consequence for ConfigError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Unreadable { .. }
            | Self::Mistakes { .. }
            | Self::Variable { .. }
            | Self::Value { .. }
            | Self::Absent { .. }
            | Self::NoMappings { .. }
            | Self::Unlisted { .. }
            | Self::NoApprover { .. }
            | Self::SourceTwice { .. } => RetryClass::Usage,
            Self::Merge { .. } => RetryClass::Bug,
        }
    }
}
