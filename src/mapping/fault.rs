//! Mistakes in the files of a mapping: shown with file, line and marker, all of them at once.
//!
//! Always: a mistake names what is written, what is wrong with it, and the nearest thing that exists.

use std::fmt;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::error::{Consequence, RetryClass};
use crate::{hint, phrase, said};

/// What kind of mistake; its code is described in docs/mapping.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// The file cannot be read, or is invalid TOML or CSV.
    File,
    /// A key is unknown, missing, or has a value of the wrong form.
    Form,
    View,
    LegacyColumn,
    National,
    Function,
    CodeList,
    Reason,
    /// A hard column without a source, a soft one neither mapped nor absent.
    Mandatory,
    Type,
    Float,
    /// A function that only rules may call, one that is not the same every time, or a sub-query.
    Forbidden,
    /// One code, two meanings (reference 0.3).
    Trap,
    Sql,
    Domain,
    /// Two things of one name, two views of one table, two codes for one legacy code.
    Twice,
    /// The key of a group is not computed from what it groups by.
    GroupKey,
}

impl Mistake {
    /// The error code.
    pub fn code(self) -> &'static str {
        match self {
            Self::File => "MAP-001",
            Self::Form => "MAP-002",
            Self::View => "MAP-003",
            Self::LegacyColumn => "MAP-004",
            Self::National => "MAP-005",
            Self::Function => "MAP-006",
            Self::CodeList => "MAP-007",
            Self::Reason => "MAP-008",
            Self::Mandatory => "MAP-009",
            Self::Type => "MAP-010",
            Self::Float => "MAP-011",
            Self::Forbidden => "MAP-012",
            Self::Trap => "MAP-013",
            Self::Sql => "MAP-014",
            Self::Domain => "MAP-015",
            Self::Twice => "MAP-016",
            Self::GroupKey => "MAP-017",
        }
    }
}

/// One mistake.
#[derive(Debug)]
pub struct MappingFault {
    pub mistake: Mistake,
    /// Path of the file as given.
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
    pub hint: Option<String>,
    /// Further branches, which its message names.
    also: Vec<String>,
    text: NamedSource<String>,
    span: std::ops::Range<usize>,
}

impl MappingFault {
    /// A mistake at `span` (bytes) of `text`.
    pub(super) fn new(
        mistake: Mistake,
        file: &Path,
        text: &str,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let file = file.display().to_string();
        let start = span.start.min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1;
        let source = NamedSource::new(&file, text.to_owned());
        Self {
            mistake,
            file,
            line,
            message: message.into(),
            hint: None,
            also: Vec::new(),
            text: source,
            span,
        }
    }

    /// Whether it says the same about the same place.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.mistake, &self.span, &self.message) == (other.mistake, &other.span, &other.message)
    }

    /// Whether both are about the same place.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.span == other.span
    }

    /// Whether it is about exactly that place.
    pub(super) fn stands_at(&self, span: &std::ops::Range<usize>) -> bool {
        self.span == *span
    }

    /// The same mistake, told of another branch.
    pub(super) fn also_in(&mut self, branch: &str) {
        if self.also.iter().any(|b| b == branch) {
            return;
        }
        if self.also.is_empty() {
            self.message.push_str(&phrase!("mapping.also_in", branch));
        } else {
            self.message.push_str(", ");
            self.message.push_str(branch);
        }
        self.also.push(branch.to_owned());
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for MappingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for MappingFault {}

impl Diagnostic for MappingFault {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.mistake.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, self.span.clone()))))
    }
}

/// Every mistake in the files of a mapping.
#[derive(Debug)]
pub struct MappingErrors {
    pub faults: Vec<MappingFault>,
}

impl fmt::Display for MappingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", said!("MAP-000", count = self.faults.len()))?;
        match self.faults.as_slice() {
            [one] => write!(f, ": {one}"),
            many => many.iter().try_for_each(|fault| write!(f, "\n  {fault}")),
        }
    }
}

impl std::error::Error for MappingErrors {}

impl Diagnostic for MappingErrors {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("MAP-000"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(hint!("MAP-000")))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.faults.iter().map(|f| f as &dyn Diagnostic)))
    }
}

impl Consequence for MappingErrors {
    fn retry_class(&self) -> RetryClass {
        RetryClass::Usage
    }
}
