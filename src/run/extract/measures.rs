//! What the source counts and sums itself, as the `source` side of the border source-raw (FORMS 7).
//!
//! Always: asked at the point of the extract, and asked again only when other measures are wanted.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{ExtractError, Extraction};
use crate::dataset::DatasetError;
use crate::failpoint;
use crate::raw;
use crate::source::{Measured, TableMeasures};
use crate::state::{ExtractId, StateError};

/// Whether the source had to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Now,
    Before,
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("border"),
        text("side"),
        text("table"),
        text("measure"),
        text("insurance"),
        text("period"),
        text("bucket"),
        Field::new("value", DataType::Int64, false),
    ]))
}

/// Asks the source for the rows of every table, and for the sums that were wanted.
pub(super) async fn ask(job: &Extraction<'_>, id: ExtractId) -> Result<Asked, ExtractError> {
    let wanted: Vec<TableMeasures> = job
        .tables
        .iter()
        .map(|t| {
            let plain = || TableMeasures { table: t.name.clone(), by: Vec::new(), amounts: Vec::new() };
            job.measures.iter().find(|m| m.table == t.name).cloned().unwrap_or_else(plain)
        })
        .collect();
    let text = serde_json::json!(wanted).to_string();
    let recorded = job.state.extracts(job.source.id())?.into_iter().find(|e| e.id == id);
    if let Some(recorded) = recorded
        && recorded.asked.as_deref() == Some(text.as_str())
        && recorded.measures.as_ref().is_some_and(raw::intact)
    {
        return Ok(Asked::Before);
    }
    let mut answers = Vec::new();
    for (table, wanted) in job.tables.iter().zip(&wanted) {
        let name = format!("{}.{}", job.source.id(), table.name);
        for answer in job.source.measure(table, wanted).await? {
            answers.push((name.clone(), answer));
        }
    }
    let path = raw::measures_path(job.state.workdir(), job.source.id(), id);
    let batch = batch(&answers)?;
    let part = raw::write_part(&path, schema(), std::iter::once(Ok::<_, DatasetError>(batch)), |_| ())?;
    failpoint::hit("extract.measured");
    job.state.record_measures(id, &text, &part)?;
    Ok(Asked::Now)
}

/// One `by` column is the period; of two the first is the insurance.
fn insurance_and_period(by: &[String]) -> (String, String) {
    match by {
        [] => (String::new(), String::new()),
        [period] => (String::new(), period.clone()),
        [insurance, periods @ ..] => (insurance.clone(), periods.join("|")),
    }
}

fn batch(answers: &[(String, Measured)]) -> Result<RecordBatch, ExtractError> {
    let column = |of: &dyn Fn(&(String, Measured)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(answers.iter().map(of)))
    };
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(answers.iter().map(|(_, a)| a.value)));
    RecordBatch::try_new(
        schema(),
        vec![
            column(&|_| "source-raw".to_owned()),
            column(&|_| "source".to_owned()),
            column(&|(table, _)| table.clone()),
            column(&|(_, a)| a.measure.clone()),
            column(&|(_, a)| insurance_and_period(&a.by).0),
            column(&|(_, a)| insurance_and_period(&a.by).1),
            column(&|_| String::new()),
            values,
        ],
    )
    .map_err(|e| StateError::Impossible { what: format!("measures of the source: {e}") }.into())
}
