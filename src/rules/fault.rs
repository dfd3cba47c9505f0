//! Mistakes in rule files: shown with file, line and marker, all of them at once.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use thiserror::Error;

use super::kind::Item;
use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::measures::MeasureError;
use crate::{hint, said};

/// One mistake in a file of rules, models, reference tables or cases.
#[derive(Debug)]
pub struct RuleFault {
    /// Path of the file as given.
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
    text: NamedSource<String>,
    span: Range<usize>,
}

impl RuleFault {
    /// A mistake at `span` (bytes) of `text`.
    pub(super) fn new(file: &Path, text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let file = file.display().to_string();
        let start = span.start.min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1;
        let text = NamedSource::new(&file, text.to_owned());
        Self { file, line, message: message.into(), text, span }
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for RuleFault {}

impl Diagnostic for RuleFault {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("RUL-001"))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, self.span.clone()))))
    }
}

/// Every mistake in the files of the rules.
#[derive(Debug)]
pub struct RuleFaults {
    pub faults: Vec<RuleFault>,
}

impl fmt::Display for RuleFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", said!("RUL-000", count = self.faults.len()))?;
        match self.faults.as_slice() {
            [one] => write!(f, ": {one}"),
            many => many.iter().try_for_each(|fault| write!(f, "\n  {fault}")),
        }
    }
}

impl std::error::Error for RuleFaults {}

impl Diagnostic for RuleFaults {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("RUL-000"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(hint!("RUL-000")))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.faults.iter().map(|f| f as &dyn Diagnostic)))
    }
}

impl Consequence for RuleFaults {
    fn retry_class(&self) -> RetryClass {
        RetryClass::Usage
    }
}

/// A rule could not be run, or what it gave cannot be applied.
#[derive(Debug, Error, Diagnostic)]
pub enum RuleError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Files(#[from] RuleFaults),
    #[error("{}", said!("RUL-101", rule, key, table))]
    #[diagnostic(code("RUL-101"), help("{}", hint!("RUL-101")))]
    Twice { rule: String, table: String, key: String },
    #[error("{}", said!("RUL-102", rule, table, column, key))]
    #[diagnostic(code("RUL-102"), help("{}", hint!("RUL-102")))]
    DoesNotFit { rule: String, table: String, column: String, key: String },
    #[error("{}", said!("RUL-103", item = format!("{item:?}"), table, what))]
    #[diagnostic(code("RUL-103"), help("{}", hint!("RUL-103")))]
    Unrecorded { item: Item, table: String, what: String },
    #[error("{}", said!("RUL-104", name, path, what))]
    #[diagnostic(code("RUL-104"), help("{}", hint!("RUL-104")))]
    External { name: String, path: String, what: String },
    #[error("{}", said!("RUL-105", run, what))]
    #[diagnostic(code("RUL-105"), help("{}", hint!("RUL-105")))]
    Round { run: String, what: String },
    #[error("{}", said!("RUL-106", list, why))]
    #[diagnostic(code("RUL-106"), help("{}", hint!("RUL-106")))]
    Unlisted { list: String, why: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for RuleError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Files(e) => e.retry_class(),
            Self::Twice { .. } | Self::DoesNotFit { .. } | Self::External { .. } | Self::Unlisted { .. } => {
                RetryClass::Usage
            }
            Self::Unrecorded { .. } | Self::Round { .. } => RetryClass::Bug,
            Self::Measure(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
            Self::Dataset(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
