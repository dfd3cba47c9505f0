//! Both sides of the border source-raw: what the source counts and sums itself, and the same from the parts on disk (FORMS 7).
//!
//! Always: asked at the point of the extract, in the source's own spelling; asked again only when other measures are wanted.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tokio::task::spawn_blocking;

use super::{ExtractError, ExtractedTable, Extraction};
use crate::dataset::{DatasetError, PartInfo};
use crate::failpoint;
use crate::raw::{self, Measurable, Side};
use crate::source::{LegacyType, Table, TableMeasures};
use crate::state::{ExtractId, StateError};

/// Whether the source had to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Now,
    Before,
}

/// One line of a side.
struct Line {
    table: String,
    measure: String,
    by: Vec<String>,
    value: i64,
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

/// Asks the source and the parts for the rows of every table, and for the sums that were wanted.
pub(super) async fn ask(
    job: &Extraction<'_>,
    id: ExtractId,
    done: &[ExtractedTable],
) -> Result<Asked, ExtractError> {
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
        && recorded.measures.is_some_and(|(source, raw)| raw::intact(&source) && raw::intact(&raw))
    {
        return Ok(Asked::Before);
    }
    let (mut source, mut raw) = (Vec::new(), Vec::new());
    for ((table, wanted), done) in job.tables.iter().zip(&wanted).zip(done) {
        let name = format!("{}.{}", job.source.id(), table.name);
        source.extend(job.source.measure(table, wanted).await?.into_iter().map(|m| Line {
            table: name.clone(),
            measure: m.measure,
            by: m.by,
            value: m.value,
        }));
        raw.extend(of_raw(job, table, wanted, done.parts.clone()).await?.into_iter().map(|s| Line {
            table: name.clone(),
            measure: s.measure,
            by: s.by,
            value: s.value,
        }));
    }
    let source = write(job, id, Side::Source, &source)?;
    let raw = write(job, id, Side::Raw, &raw)?;
    failpoint::hit("extract.measured");
    job.state.record_measures(id, &text, (&source, &raw))?;
    Ok(Asked::Now)
}

async fn of_raw(
    job: &Extraction<'_>,
    table: &Table,
    wanted: &TableMeasures,
    parts: Vec<PartInfo>,
) -> Result<Vec<raw::Sum>, ExtractError> {
    let measurable = |names: &[String]| -> Vec<Measurable> {
        names
            .iter()
            .map(|name| {
                let unicode = table.column(name).and_then(|c| c.kind) == Some(LegacyType::Unicode);
                Measurable { name: name.clone(), code_page: (!unicode).then(|| job.source.code_page()) }
            })
            .collect()
    };
    let (by, amounts) = (measurable(&wanted.by), measurable(&wanted.amounts));
    Ok(spawn_blocking(move || raw::measure(&parts, &by, &amounts))
        .await
        .map_err(|source| ExtractError::Thread { source })??)
}

fn write(job: &Extraction<'_>, id: ExtractId, side: Side, lines: &[Line]) -> Result<PartInfo, ExtractError> {
    let path = raw::measures_path(job.state.workdir(), job.source.id(), id, side);
    let rows = std::iter::once(Ok::<_, DatasetError>(batch(side, lines)?));
    Ok(raw::write_part(&path, schema(), rows, |_| ())?)
}

/// One `by` column is the period; of two the first is the insurance.
fn insurance_and_period(by: &[String]) -> (String, String) {
    match by {
        [] => (String::new(), String::new()),
        [period] => (String::new(), period.clone()),
        [insurance, periods @ ..] => (insurance.clone(), periods.join("|")),
    }
}

fn batch(side: Side, lines: &[Line]) -> Result<RecordBatch, ExtractError> {
    let column = |of: &dyn Fn(&Line) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(of)))
    };
    let side = match side {
        Side::Source => "source",
        Side::Raw => "raw",
    };
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(lines.iter().map(|l| l.value)));
    RecordBatch::try_new(
        schema(),
        vec![
            column(&|_| "source-raw".to_owned()),
            column(&|_| side.to_owned()),
            column(&|l| l.table.clone()),
            column(&|l| l.measure.clone()),
            column(&|l| insurance_and_period(&l.by).0),
            column(&|l| insurance_and_period(&l.by).1),
            column(&|_| String::new()),
            values,
        ],
    )
    .map_err(|e| StateError::Impossible { what: format!("measures of {side}: {e}") }.into())
}
