//! Mistakes in the files of `mappings/national/`: with file, line and marker, all of them at once.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::error::{Consequence, RetryClass};
use crate::{hint, said};

/// One mistake.
#[derive(Debug)]
pub struct NationalFault {
    /// Path of the file as given.
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
    text: NamedSource<String>,
    span: Range<usize>,
}

impl NationalFault {
    pub(super) fn new(file: &Path, text: &str, span: Range<usize>, message: String) -> Self {
        let file = file.display().to_string();
        let span = span.start.min(text.len())..span.end.min(text.len());
        let line = text.as_bytes()[..span.start].iter().filter(|b| **b == b'\n').count() + 1;
        let source = NamedSource::new(&file, text.to_owned());
        Self { file, line, message, text: source, span }
    }
}

impl fmt::Display for NationalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for NationalFault {}

impl Diagnostic for NationalFault {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, self.span.clone()))))
    }
}

/// Every mistake in the national schema.
#[derive(Debug)]
pub struct NationalError {
    pub faults: Vec<NationalFault>,
}

impl fmt::Display for NationalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", said!("NAT-001", count = self.faults.len()))?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for NationalError {}

impl Diagnostic for NationalError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("NAT-001"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(hint!("NAT-001")))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.faults.iter().map(|f| f as &dyn Diagnostic)))
    }
}

impl Consequence for NationalError {
    fn retry_class(&self) -> RetryClass {
        RetryClass::Usage
    }
}
