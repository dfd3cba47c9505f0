//! The place of a mistake in a file as it is shown: the lines around it, long ones cut to a window.
//!
//! Always: the mark stays under what it marks. A line of any length, and any characters in it, can be shown; what a terminal would obey
//! is not.

use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

/// Characters shown of a line before and after the mistake.
const BEFORE: usize = 60;
const AFTER: usize = 100;
/// Lines shown of a mistake that goes over many.
const LINES: usize = 12;

/// A mistake with its place cut out of the file; all else is as it was.
#[derive(Debug)]
pub struct Place<'a> {
    of: &'a dyn Diagnostic,
    cut: Option<Cut>,
}

/// The lines that are shown.
#[derive(Debug)]
struct Cut {
    file: String,
    /// Of the first of them, from 0.
    line: usize,
    text: String,
    mark: Range<usize>,
    label: Option<String>,
}

impl<'a> Place<'a> {
    pub fn of(of: &'a dyn Diagnostic) -> Self {
        Self { of, cut: cut(of) }
    }

    /// The file, and the line in it from 1.
    pub fn position(&self) -> Option<(String, usize)> {
        let label = self.of.labels()?.next()?;
        let contents = self.of.source_code()?.read_span(label.inner(), 0, 0).ok()?;
        Some((contents.name().unwrap_or_default().to_owned(), contents.line() + 1))
    }
}

fn cut(of: &dyn Diagnostic) -> Option<Cut> {
    let label = of.labels()?.next()?;
    let contents = of.source_code()?.read_span(label.inner(), 1, 1).ok()?;
    let text = std::str::from_utf8(contents.data()).ok()?;
    let first = contents.span().offset();
    let start = label.offset().checked_sub(first)?;
    let mark = start..(start + label.len()).min(text.len());
    let (text, mark) = windowed(text, mark);
    let file = contents.name().unwrap_or_default().to_owned();
    Some(Cut { file, line: contents.line(), text, mark, label: label.label().map(str::to_owned) })
}

/// The text with long lines cut, and where the mark is in it.
fn windowed(text: &str, mark: Range<usize>) -> (String, Range<usize>) {
    let (mut out, mut at) = (String::new(), 0);
    let (mut from, mut to, mut marked) = (None, 0, 0);
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let here = at..at + line.len();
        at = here.end;
        let begins = mark.start >= here.start && (mark.start < here.end || here.end == text.len());
        let within = begins || (mark.start < here.end && mark.end > here.start);
        marked += usize::from(within);
        if within && marked > LINES {
            continue;
        }
        let wanted = if begins { mark.start - here.start } else { 0 };
        // Characters before the mark; a mark inside of one begins at it.
        let before = body.char_indices().take_while(|(byte, _)| *byte < wanted).count();
        let skipped = before.saturating_sub(BEFORE);
        if skipped > 0 {
            out.push('…');
        }
        for (byte, c) in body.char_indices().skip(skipped).take(BEFORE + AFTER) {
            if begins && from.is_none() && byte >= wanted {
                from = Some(out.len());
            }
            out.push(qianyi::mask::harmless(c));
            if within && here.start + byte < mark.end {
                to = out.len();
            }
        }
        if begins && from.is_none() {
            from = Some(out.len());
        }
        if body.chars().count() > skipped + BEFORE + AFTER {
            out.push('…');
        }
        out.push('\n');
    }
    let from = from.unwrap_or(0);
    (out, from..to.max(from))
}

impl SourceCode for Cut {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let inner = self.text.as_str().read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            inner.data(),
            *inner.span(),
            self.line + inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&qianyi::mask::visible_lines(&self.of.to_string()))
    }
}

impl std::error::Error for Place<'_> {}

impl Diagnostic for Place<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.of.code()
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.of.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.of.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.cut.as_ref().map(|cut| cut as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let cut = self.cut.as_ref()?;
        let label = LabeledSpan::new_with_span(cut.label.clone(), cut.mark.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::windowed;

    #[test]
    fn a_long_line_is_cut_around_its_mark_and_a_short_one_is_kept() {
        assert_eq!(windowed("a = 1\nb = 2\n", 6..7), ("a = 1\nb = 2\n".to_owned(), 6..7));
        let long = format!("{}错误{}", "x".repeat(70_000), "y".repeat(70_000));
        let (text, mark) = windowed(&long, 70_000..70_006);
        assert_eq!(&text[mark], "错误");
        assert_eq!(text.chars().count(), 1 + 60 + 100 + 2);
        // A mark at the end of the text, one over all of it, one inside a character.
        for mark in [long.len()..long.len(), 0..long.len(), 70_001..70_002] {
            let (text, mark) = windowed(&long, mark);
            assert!(text.get(mark).is_some());
        }
        let lines = "z = 1\n".repeat(40);
        let (text, mark) = windowed(&lines, 0..lines.len());
        assert_eq!((text.lines().count(), mark), (12, 0..71));
        assert_eq!(windowed("\u{1b}[31m\n", 0..1).0, "\u{fffd}[31m\n");
    }
}
