//! What the source counts and sums itself: the `source` side of the boundary source-raw (FORMS 7).
//!
//! Always: asked at the point of the extract, in the source's own spelling; asked again only when other measures are wanted.

use std::collections::BTreeMap;

use super::{ExtractError, Extraction};
use crate::dataset::PartInfo;
use crate::failpoint;
use crate::measures::{ALL, Measure, boundary, side, write_measures};
use crate::raw;
use crate::source::{Measured, TableMeasures};
use crate::state::ExtractId;

/// The part with the answers, and whether the source had to be asked.
pub(super) struct Answers {
    pub part: PartInfo,
    pub asked_now: bool,
}

/// What is asked of every table.
pub(super) fn wanted(job: &Extraction<'_>) -> Vec<TableMeasures> {
    let of = |t: &crate::source::Table| {
        let plain = || TableMeasures { table: t.name.clone(), by: Vec::new(), amounts: Vec::new() };
        job.measures.iter().find(|m| m.table == t.name).cloned().unwrap_or_else(plain)
    };
    job.tables.iter().map(of).collect()
}

/// As it is recorded.
pub(super) fn as_text(wanted: &[TableMeasures]) -> String {
    serde_json::json!(wanted).to_string()
}

/// Asks the source for the rows of every table, and for the sums that were wanted.
pub(super) fn ask(
    job: &Extraction<'_>,
    id: ExtractId,
    counts: &BTreeMap<String, u64>,
) -> Result<Answers, ExtractError> {
    let wanted = wanted(job);
    let text = as_text(&wanted);
    let recorded = job.state.extracts(job.source.id())?.into_iter().find(|e| e.id == id);
    if let Some(recorded) = recorded
        && recorded.asked.as_deref() == Some(text.as_str())
        && let Some(part) = recorded.measures
        && raw::intact(&part)
    {
        return Ok(Answers { part, asked_now: false });
    }
    let mut answers = Vec::new();
    for (table, wanted) in job.tables.iter().zip(&wanted) {
        let counted = counts.get(&table.name).filter(|_| wanted.by.is_empty() && wanted.amounts.is_empty());
        let answered = match counted {
            // It was asked already.
            Some(rows) => {
                vec![Measured { by: Vec::new(), measure: "rows".to_owned(), value: i128::from(*rows) }]
            }
            None => job.ask(&table.name, || job.source.measure(table, wanted))?,
        };
        for answer in answered {
            let (insurance, period) = insurance_and_period(&answer.by);
            answers.push(Measure {
                boundary: boundary::SOURCE_RAW.to_owned(),
                side: side::SOURCE.to_owned(),
                table: format!("{}.{}", job.source.id(), table.name),
                measure: answer.measure,
                insurance,
                period,
                bucket: ALL.to_owned(),
                value: answer.value,
            });
        }
    }
    let path = raw::measures_path(job.state.workdir(), job.source.id(), id);
    let part = write_measures(&path, &answers)?;
    failpoint::hit("extract.measured");
    job.state.record_measures(id, &text, &part)?;
    Ok(Answers { part, asked_now: true })
}

/// One `by` column is the period; of two the first is the insurance.
fn insurance_and_period(by: &[String]) -> (String, String) {
    match by {
        [] => (ALL.to_owned(), ALL.to_owned()),
        [period] => (ALL.to_owned(), period.clone()),
        [insurance, periods @ ..] => (insurance.clone(), periods.join("|")),
    }
}
