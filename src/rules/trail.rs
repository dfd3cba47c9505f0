//! National tables of change records (reference 1, T24): `sql/trail/<TABLE>.sql`, each a SELECT over the change records of a run → a part of that table.
//!
//! Always: rows are sorted by key; each has `_source` `rule:T24`. How many rows the records must give is asked by a query of its own, which is
//! the other side of reconciliation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::add::BY_RULE;
use super::apply::change_schema;
use super::check::{Context, Planner, planned};
use super::fault::RuleError;
use super::file::{Reader, Text, memory, stem, values};
use super::header::header;
use super::sql;
use crate::dataset::{PartInfo, PartWriter, register};
use crate::engine::{Engine, Joins};
use crate::national::{National, Table};
use crate::phrase;
use crate::sql_ident::quote;

const KEYS: [&str; 4] = ["table", "title", "basis", "rows"];

/// One file of `sql/trail/`.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The national table that it fills.
    pub table: String,
    /// How many rows the change records must give.
    rows: String,
    sql: String,
    gives: Vec<String>,
}

/// What a trail came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TrailReport {
    pub part: PartInfo,
    /// Rows that the change records must give.
    pub expected: u64,
}

/// The columns of every national table, for titles.
fn columns_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![text("table"), text("column"), text("title")]))
}

/// Loads the files of a folder, all their mistakes at once.
pub(super) fn trails(reader: &mut Reader, files: Vec<PathBuf>, of: &Context<'_>) -> Vec<Trail> {
    if files.is_empty() {
        return Vec::new();
    }
    let mut planner = Planner::new(of);
    planner.know("changes", change_schema());
    planner.know("national_columns", columns_schema());
    let mut all = Vec::new();
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        all.extend(trail(reader, &text, of.national, &planner));
    }
    all
}

fn trail(reader: &mut Reader, text: &Text, national: &National, planner: &Planner) -> Option<Trail> {
    let before = reader.faults.len();
    let head = header(&text.text);
    let (values, _) = values(reader, text, &head, &KEYS);
    for key in KEYS.iter().filter(|k| !values.contains_key(**k)) {
        reader.fault(text, 0..0, phrase!("rules.no_header_key", key));
    }
    let name = values.get("table").cloned().unwrap_or_default();
    if name != stem(&text.path) {
        reader.fault(text, 0..0, phrase!("rules.file_is_table", name = stem(&text.path)));
    }
    let Some(table) = national.table(&name) else {
        reader.fault(text, 0..0, phrase!("rules.no_table", table = name));
        return None;
    };
    let rows = values.get("rows").cloned().unwrap_or_default();
    let mut whole = |query: &str| {
        let parsed = sql::parse(query).map_err(|why| reader.fault(text, head.sql.clone(), why)).ok()?;
        planned(reader, planner, text, &head.sql, &parsed, &parsed.text())
    };
    whole(&rows)?;
    let plan = whole(&text.text[head.sql.clone()])?;
    let gives: Vec<String> = plan.schema().fields().iter().map(|f| f.name().clone()).collect();
    for column in gives.iter().filter(|c| table.column(c).is_none()) {
        reader.fault(text, head.sql.clone(), phrase!("rules.no_column_in", name, column));
    }
    for column in table.key.iter().filter(|k| !gives.contains(k)) {
        reader.fault(text, head.sql.clone(), phrase!("rules.no_trail_key", column, name));
    }
    let sql = text.text[head.sql.clone()].to_owned();
    (reader.faults.len() == before).then_some(Trail { table: name, rows, sql, gives })
}

/// Fills a table from the change records of a run.
///
/// # Errors
/// `ENG-…`, `DAT-…`, `DUR-001`.
pub fn write_trail(
    engine: &Engine,
    national: &National,
    trail: &Trail,
    changes: &[PathBuf],
    folder: &Path,
) -> Result<Option<TrailReport>, RuleError> {
    let Some(table) = national.table(&trail.table) else { return Ok(None) };
    crate::durable::remove_dir_all(folder)?;
    crate::durable::create_dir_all(folder)?;
    let what = || phrase!("work.trail", table = trail.table);
    let failed = |e| engine.error(what(), e);
    let session = session(engine, national, changes).map_err(|e| e.or_else(&failed))?;
    let keys: Vec<String> = table.key.iter().map(|k| format!("x.{}", quote(k))).collect();
    let sql = format!(
        "SELECT x.*, key_text({}) AS \"_key\" FROM ({}) AS x ORDER BY \"_key\"",
        keys.join(", "),
        trail.sql
    );
    let mut writer = PartWriter::create(&folder.join("trail.parquet"), table.mapped_schema())?;
    let expected = engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            writer.write(&mapped(table, trail, &batch.map_err(failed)?).map_err(|e| failed(e.into()))?)?;
        }
        let counted = async { session.sql(&trail.rows).await?.collect().await }.await.map_err(failed)?;
        let first = counted.first().and_then(|b| b.column(0).as_primitive_opt::<Int64Type>());
        Ok::<u64, RuleError>(first.map_or(0, |n| n.value(0).unsigned_abs()))
    })?;
    Ok(Some(TrailReport { part: writer.finish()?, expected }))
}

/// What a session could not be given.
enum Unknown {
    Engine(datafusion::error::DataFusionError),
    Rule(RuleError),
}

impl Unknown {
    fn or_else(
        self,
        failed: &impl Fn(datafusion::error::DataFusionError) -> crate::engine::EngineError,
    ) -> RuleError {
        match self {
            Self::Engine(e) => failed(e).into(),
            Self::Rule(e) => e,
        }
    }
}

impl From<datafusion::error::DataFusionError> for Unknown {
    fn from(e: datafusion::error::DataFusionError) -> Self {
        Self::Engine(e)
    }
}

/// A session that knows the change records and the national columns.
fn session(engine: &Engine, national: &National, changes: &[PathBuf]) -> Result<SessionContext, Unknown> {
    let session = engine.session(engine.partitions(), Joins::OneSmall);
    if changes.is_empty() {
        let none = Arc::new(EmptyTable::new(change_schema()));
        session.register_table(TableReference::bare("changes"), none)?;
    } else {
        register(&session, "changes", changes).map_err(|e| Unknown::Rule(e.into()))?;
    }
    let columns = national.tables.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
    let (mut tables, mut codes, mut titles) = (Vec::new(), Vec::new(), Vec::new());
    for (table, column) in columns {
        tables.push(table.name.as_str());
        codes.push(column.code.as_str());
        titles.push(column.title.as_str());
    }
    let text = |of: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(of)) };
    let batch = RecordBatch::try_new(columns_schema(), vec![text(tables), text(codes), text(titles)])
        .map_err(|e| Unknown::Engine(e.into()))?;
    session.register_table(TableReference::bare("national_columns"), memory(&batch)?)?;
    Ok(session)
}

/// Rows of the SELECT as rows of the table.
fn mapped(
    table: &Table,
    trail: &Trail,
    batch: &RecordBatch,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len() + 3);
    for column in &table.columns {
        let kind = column.kind.arrow();
        let at = trail.gives.iter().position(|g| *g == column.code);
        columns.push(match at {
            Some(at) => cast(batch.column(at), &kind)?,
            None => new_null_array(&kind, batch.num_rows()),
        });
    }
    let key = cast(batch.column(batch.num_columns() - 1), &DataType::Utf8)?;
    let by = format!("{BY_RULE}T24");
    columns.push(key.clone());
    columns.push(Arc::new(StringArray::from(vec![by.as_str(); batch.num_rows()])));
    columns.push(key);
    RecordBatch::try_new(table.mapped_schema(), columns)
}
