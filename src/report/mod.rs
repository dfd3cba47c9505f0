//! The page of a run: one self-contained HTML file from its summary, reconciliation and coverage (docs/report.md).
//!
//! Always: nothing outside the file is asked for (its one script and its charts are in it); every text is escaped; one language a page;
//! numbers are written from integers.
//! Must not know: rows, files, the mapping, the rules.

mod answers;
mod chart;
mod charts;
mod cleaning;
mod coverage;
mod error;
mod first;
mod fit;
mod list_file;
pub mod number;
mod page;
mod reconciliation;
mod rehearsal;
mod rounds;
pub mod runbook;
mod sheet;
mod words;
mod workbook;

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, escape_formatter};

pub use cleaning::sums;
pub use error::ReportError;
pub use list_file::{CsvEncoding, CsvFile, ListFile, ListHead, bare};
pub use reconciliation::amount;
pub use sheet::{SheetCell, SheetColumn, SheetForm, SheetPrint, SheetWriter};
pub use words::Words;
pub use workbook::{Documents, workbook};

use crate::artifacts::{Coverage, Reconciliation, Rehearsal, Summary};
use crate::mask;
pub use crate::messages::Lang;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

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
    let names = names(summary, coverage);
    templates.add_filter("named", move |code: &str| names.get(code).cloned().unwrap_or_default());
    let template = templates.template_from_str(PAGE)?;
    let html = template.render(context! {
        lang => lang.tag(),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        w => Serde(words.all()),
        charts => Serde(charts::charts(summary, coverage, lang, &words)?),
        p => Serde(page::page(summary, reconciliation, coverage, rehearsal, lang, &words)),
    })?;
    Ok(html)
}

/// The Chinese names of codes: tables, columns as `AC01.AAC003`, insurances.
fn names(summary: &Summary, coverage: &Coverage) -> BTreeMap<String, String> {
    let columns = coverage.national.iter().map(|c| (format!("{}.{}", c.table, c.column), &c.title));
    let empty = summary.empty.iter().map(|c| (format!("{}.{}", c.table, c.column), &c.title));
    let insurances = summary.figures.iter().map(|f| (f.insurance.clone(), &f.insurance_title));
    let tables = summary.tables.iter().map(|t| (t.table.clone(), &t.title));
    columns.chain(empty).chain(insurances).chain(tables).map(|(code, name)| (code, name.clone())).collect()
}
