//! What the legacy tables hold, as far as raw has them: rows, nulls, lengths, distinct values, bytes that do not decode, and of code
//! columns the values themselves with those that no code list translates.
//!
//! Always: values are shown of columns that a mapping declares as codes, and of no other; every other column gives counts and lengths
//! only, so that a profile can be handed around. One streaming aggregate a table; nothing is collected but the answers.
//! Must not know: national tables, rules.

use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema, UInt64Type};
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::{btrim, character_length, nullif};
use datafusion::functions_aggregate::expr_fn::{approx_distinct, count, max, min};
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::SessionContext;
use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use crate::dataset::{self, DatasetError};
use crate::encoding::bytes_column;
use crate::engine::{Engine, EngineError, Joins};
use crate::error::{Consequence, RetryClass};
use crate::mapping::{City, CodeColumn, held_columns};
use crate::mask;
use crate::phrase;
use crate::raw::{RawTable, RawView};

/// Values listed of one code column, the most frequent first; the rest is only counted.
pub const VALUES_SHOWN: usize = 60;

/// What one source's tables hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    pub source: String,
    /// The extract that was profiled.
    pub extract: String,
    pub tables: Vec<TableProfile>,
}

/// One legacy table. `read_by` names the source file (view) that reads it, `ignored` the reason why none does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableProfile {
    pub table: String,
    pub rows: u64,
    pub read_by: Option<String>,
    pub ignored: Option<String>,
    pub columns: Vec<ColumnProfile>,
}

/// One legacy column. `undecodable` counts text that does not decode, `kept_aside` values that do not fit the type of their column and
/// are kept as they are written; neither are NULL. `empty` counts text that is empty or blank; lengths are in characters, of text that decodes; `distinct` is an
/// estimate (HyperLogLog).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnProfile {
    pub column: String,
    pub kind: String,
    pub nulls: u64,
    pub empty: u64,
    pub undecodable: u64,
    pub kept_aside: u64,
    pub shortest: Option<u64>,
    pub longest: Option<u64>,
    pub distinct: u64,
    /// For code columns only.
    pub codes: Option<CodeProfile>,
}

/// The values of a code column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeProfile {
    /// The lists that translate the column.
    pub lists: Vec<String>,
    pub values: Vec<CodeFrequency>,
    /// Distinct values beyond those listed.
    pub more: u64,
}

/// One value of a code column as it stands in the source (trimmed); one that does not look like a code, and is in no list, is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeFrequency {
    pub value: String,
    pub rows: u64,
    /// False when a list has no line for it: such a value becomes NULL and a finding.
    pub mapped: bool,
}

/// What can go wrong while profiling.
#[derive(Debug, Error, Diagnostic)]
pub enum ProfileError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl Consequence for ProfileError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
        }
    }
}

/// Profiles every table of one source's current raw view; `city` says which columns are codes and who reads a table.
///
/// # Errors
/// `ENG-001`, `ENG-002`; `DAT-001` when a part is missing.
pub fn profile(engine: &Engine, city: &City, source: &str, raw: &RawView) -> Result<Profile, ProfileError> {
    let mut tables = Vec::with_capacity(raw.tables.len());
    for (name, held) in &raw.tables {
        tables.push(table(engine, city, source, name, held)?);
    }
    Ok(Profile { source: source.to_owned(), extract: raw.extract.to_string(), tables })
}

fn table(
    engine: &Engine,
    city: &City,
    source: &str,
    name: &str,
    held: &RawTable,
) -> Result<TableProfile, ProfileError> {
    let session = engine.session(engine.partitions(), Joins::Large);
    let parts: Vec<PathBuf> = held.parts.iter().map(|p| p.path.clone()).collect();
    dataset::register(&session, RAW, &parts)?;
    let view = city.view_of(source, name);
    let codes = view.map(|v| v.code_columns()).unwrap_or_default();
    let columns = engine
        .block_on(columns(&session, city, held, &codes))
        .map_err(|e| engine.error(phrase!("work.profile", name), e))?;
    Ok(TableProfile {
        table: name.to_owned(),
        rows: held.rows,
        read_by: view.map(|v| v.name.clone()),
        ignored: city.ignored(name).map(|i| i.reason.clone()),
        columns,
    })
}

async fn columns(
    session: &SessionContext,
    city: &City,
    held: &RawTable,
    codes: &[CodeColumn<'_>],
) -> Result<Vec<ColumnProfile>, DataFusionError> {
    let measured = measured(&held.schema);
    let asked = measured.iter().flat_map(Measured::expressions).enumerate();
    let asked = asked.map(|(i, e)| e.alias(format!("a{i}"))).collect();
    let answers = session.table(RAW).await?.aggregate(vec![], asked)?.collect().await?;
    let mut answers = Answers::new(&answers);
    let mut columns = Vec::with_capacity(measured.len());
    for column in measured {
        let mut profile = column.profile(held.rows, &mut answers);
        let lists: Vec<CodeColumn<'_>> = codes.iter().filter(|c| c.column == column.name).copied().collect();
        if !lists.is_empty() {
            profile.codes = Some(values(session, city, &column, &lists).await?);
        }
        columns.push(profile);
    }
    Ok(columns)
}

/// The name under which a session knows the table that is being profiled.
const RAW: &str = "raw";

/// A column of raw, without its `c__b` companion.
struct Measured {
    name: String,
    kind: DataType,
    /// It has a companion.
    companion: bool,
}

/// The legacy columns of a raw schema, in order.
fn measured(schema: &Schema) -> Vec<Measured> {
    let column = |name: &str| {
        let kind = schema.field_with_name(name).ok()?.data_type().clone();
        let companion = schema.field_with_name(&bytes_column(name)).is_ok();
        Some(Measured { name: name.to_owned(), kind, companion })
    };
    held_columns(schema).filter_map(column).collect()
}

impl Measured {
    fn is_text(&self) -> bool {
        self.kind == DataType::Utf8
    }

    /// Text of the column as a person would compare it: without padding.
    fn spelled(&self) -> Expr {
        // As layer 1 spells them: a bit is 0 or 1.
        match &self.kind {
            DataType::Utf8 => btrim(vec![ident(&self.name)]),
            DataType::Boolean => cast(cast(ident(&self.name), DataType::Int8), DataType::Utf8),
            _ => cast(ident(&self.name), DataType::Utf8),
        }
    }

    /// The aggregates that [`Measured::profile`] takes out again, in this order.
    fn expressions(&self) -> Vec<Expr> {
        let value = ident(&self.name);
        // Text counts with its padding; bytes are no text.
        let as_it_is = self.is_text() || self.kind == DataType::Binary;
        let distinct = if as_it_is { value.clone() } else { self.spelled() };
        let mut asked = vec![count(value), approx_distinct(distinct)];
        if self.companion {
            asked.push(count(ident(bytes_column(&self.name))));
        }
        if !self.is_text() {
            return asked;
        }
        let length = || cast(character_length(ident(&self.name)), DataType::Int64);
        asked.extend([count(nullif(self.spelled(), lit(""))), min(length()), max(length())]);
        asked
    }

    fn profile(&self, rows: u64, answers: &mut Answers<'_>) -> ColumnProfile {
        let filled = answers.take().unwrap_or(0);
        let distinct = answers.take().unwrap_or(0);
        let beside = if self.companion { answers.take().unwrap_or(0) } else { 0 };
        let (undecodable, kept_aside) = if self.is_text() { (beside, 0) } else { (0, beside) };
        let mut profile = ColumnProfile {
            column: self.name.clone(),
            kind: self.kind.to_string(),
            nulls: rows.saturating_sub(filled + beside),
            empty: 0,
            undecodable,
            kept_aside,
            shortest: None,
            longest: None,
            distinct,
            codes: None,
        };
        if self.is_text() {
            profile.empty = filled.saturating_sub(answers.take().unwrap_or(0));
            profile.shortest = answers.take();
            profile.longest = answers.take();
        }
        profile
    }
}

/// The one row of aggregates, taken from left to right.
struct Answers<'a> {
    batches: &'a [RecordBatch],
    next: usize,
}

impl<'a> Answers<'a> {
    fn new(batches: &'a [RecordBatch]) -> Self {
        Self { batches, next: 0 }
    }

    fn take(&mut self) -> Option<u64> {
        let index = self.next;
        self.next += 1;
        let batch = self.batches.iter().find(|b| b.num_rows() > 0)?;
        number(batch.columns().get(index)?.as_ref(), 0)
    }
}

fn number(array: &dyn Array, row: usize) -> Option<u64> {
    if array.is_null(row) {
        None
    } else if let Some(signed) = array.as_primitive_opt::<Int64Type>() {
        u64::try_from(signed.value(row)).ok()
    } else {
        array.as_primitive_opt::<UInt64Type>().map(|unsigned| unsigned.value(row))
    }
}

/// The values of one code column with their rows, most frequent first.
async fn values(
    session: &SessionContext,
    city: &City,
    measured: &Measured,
    lists: &[CodeColumn<'_>],
) -> Result<CodeProfile, DataFusionError> {
    let frame = session
        .table(RAW)
        .await?
        .filter(ident(&measured.name).is_not_null())?
        .aggregate(vec![measured.spelled().alias("value")], vec![count(lit(1)).alias("rows")])?;
    let distinct = frame.clone().count().await?;
    let listed = frame
        .sort(vec![ident("rows").sort(false, false), ident("value").sort(true, false)])?
        .limit(0, Some(VALUES_SHOWN))?
        .collect()
        .await?;
    let mut values = Vec::new();
    for batch in &listed {
        for (row, value) in batch.column(0).as_string::<i32>().iter().enumerate() {
            let value = value.unwrap_or_default().to_owned();
            let mapped = lists.iter().all(|list| list.translates(&value));
            let rows = number(batch.column(1), row).unwrap_or(0);
            let value = mask::code(&value, mapped || city.knows_code(&value));
            values.push(CodeFrequency { mapped, rows, value });
        }
    }
    let more = distinct.saturating_sub(values.len()) as u64;
    Ok(CodeProfile { lists: lists.iter().map(|l| l.list.to_owned()).collect(), values, more })
}
