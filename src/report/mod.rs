//! The page of a run: one self-contained HTML file from its summary, reconciliation and coverage (docs/report.md).
//!
//! Always: nothing outside the file is asked for (no script, font, image or address); every text is escaped; one language a page;
//! numbers are written from integers.
//! Must not know: rows, files, the mapping, the rules.

mod answers;
mod cleaning;
mod coverage;
mod error;
mod list_file;
pub mod number;
mod page;
mod reconciliation;
mod rehearsal;
mod rounds;
mod sheet;
mod words;

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, escape_formatter};

pub use cleaning::sums;
pub use error::ReportError;
pub use list_file::{CsvEncoding, CsvFile, ListFile, bare};
pub use sheet::{SheetColumn, SheetForm, SheetWriter};
pub use words::Words;

use crate::artifacts::{Coverage, Reconciliation, Rehearsal, Summary};
use crate::mask;
pub use crate::messages::Lang;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

/// One HTML page that says what a run did and whether it adds up.
///
/// # Errors
/// When summary and reconciliation are of different runs.
pub fn render(
    summary: &Summary,
    reconciliation: &Reconciliation,
    coverage: &Coverage,
    rehearsal: Option<&Rehearsal>,
    lang: Lang,
) -> Result<String, ReportError> {
    if summary.run != reconciliation.run {
        let (summary, reconciliation) = (summary.run.clone(), reconciliation.run.clone());
        return Err(ReportError::TwoRuns { summary, reconciliation });
    }
    let words = Words::of(lang)?;
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_formatter(|out, state, value| match value.as_str().map(mask::visible_lines) {
        Some(Cow::Owned(shown)) => escape_formatter(out, state, &Value::from(shown)),
        Some(Cow::Borrowed(_)) | None => escape_formatter(out, state, value),
    });
    templates.set_syntax(
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?,
    );
    let template = templates.template_from_str(PAGE)?;
    let html = template.render(context! {
        lang => lang.tag(),
        style => Value::from_safe_string(STYLE.to_owned()),
        w => Serde(words.all()),
        p => Serde(page::page(summary, reconciliation, coverage, rehearsal, lang, &words)),
    })?;
    Ok(html)
}
