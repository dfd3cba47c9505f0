//! What can be wrong with the configuration; every error names the file (or variable, or option) and the key.

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

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
    #[error("{}", said!("CFG-001", path))]
    #[diagnostic(code("CFG-001"), help("{}", hint!("CFG-001")))]
    Unreadable { path: String, source: std::io::Error },
    #[error("{}", said!("CFG-002"))]
    #[diagnostic(code("CFG-002"), help("{}", hint!("CFG-002")))]
    Mistakes {
        #[related]
        mistakes: Vec<Mistake>,
    },
    #[error("{}", said!("CFG-003", variable))]
    #[diagnostic(code("CFG-003"), help("{}", hint!("CFG-003", nearest)))]
    Variable { variable: String, nearest: String },
    #[error("{}", said!("CFG-004", origin, key, value, expected))]
    #[diagnostic(code("CFG-004"), help("{}", hint!("CFG-004", example)))]
    Value { origin: String, key: &'static str, value: String, expected: String, example: &'static str },
    #[error("{}", said!("CFG-005", key))]
    #[diagnostic(code("CFG-005"), help("{}", hint!("CFG-005")))]
    Absent { key: &'static str },
    #[error("{}", said!("CFG-006", origin, path))]
    #[diagnostic(code("CFG-006"), help("{}", hint!("CFG-006", nearest, cities)))]
    /// `nearest`, `cities`: empty where the folder of all cities is missing.
    NoMappings { origin: String, path: String, nearest: String, cities: String },
    #[error("{}", said!("CFG-008", path))]
    #[diagnostic(code("CFG-008"), help("{}", hint!("CFG-008")))]
    Unlisted { path: String, source: std::io::Error },
    #[error("{}", said!("CFG-007", origin, id))]
    #[diagnostic(code("CFG-007"), help("{}", hint!("CFG-007")))]
    SourceTwice { origin: String, id: String },
    #[error("{}", said!("CFG-009", origin, account, rule))]
    #[diagnostic(code("CFG-009"), help("{}", hint!("CFG-009")))]
    NoApprover { origin: String, rule: String, account: String },
    #[error("{}", said!("CFG-900"))]
    #[diagnostic(code("CFG-900"), help("{}", hint!("CFG-900")))]
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
