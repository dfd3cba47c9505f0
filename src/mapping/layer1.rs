//! Layer 1: the raw parts of one legacy table → typed parts and read errors.
//!
//! Always: one row in, one row out. With a unique key, raw part n becomes typed part n in the order of raw, parts side by side. Without
//! one, the table is ordered by key and content digest of the raw row, and each row gets its occurrence; what is equal in both is equal
//! altogether, so the order among such rows cannot matter. Nothing is collected: batches stream, the sort spills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::error::{MappingError, mask_of};
use super::failure::Failure;
use super::file::{City, SourceView};
use super::parts::{Naming, Parts, fresh};
use super::raw_columns::{check_columns, reading, zone};
use super::unique;
use crate::artifacts::read_error_schema;
use crate::dataset::{self, PartInfo};
use crate::encoding::bytes_column;
use crate::engine::{Engine, Joins};
use crate::functions::spelled_key;
use crate::mask::{self, MaskKind};

/// Rows of the key and of its order inside plans.
const KEY: &str = "__skey";
const DIGEST: &str = "__digest";
const OCCURRENCE: &str = "__occurrence";

/// A legacy table as raw holds it.
#[derive(Debug, Clone)]
pub struct LegacyTable {
    /// Id of the legacy database.
    pub source_id: String,
    pub name: String,
    /// Raw parts in key order; at least one.
    pub parts: Vec<PathBuf>,
}

impl LegacyTable {
    /// `_source`: `ylbx.GRJBXX`.
    pub fn label(&self) -> String {
        format!("{}.{}", self.source_id, self.name)
    }
}

/// Where layer 1 of one legacy table goes; both folders are emptied first.
#[derive(Debug, Clone)]
pub struct Layer1Out {
    pub typed: PathBuf,
    pub read_errors: PathBuf,
}

/// What rounding to fen changed in one column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rounding {
    /// Rows that were changed.
    pub rows: u64,
    /// Σ (fen × 100 − trunc(amount × 10⁴)): 10⁻⁴ yuan.
    pub shift: i64,
}

/// What layer 1 of one legacy table came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layer1Report {
    pub rows: u64,
    pub typed: Vec<PartInfo>,
    pub read_errors: Vec<PartInfo>,
    /// Read errors by layer-1 column and code.
    pub read_error_counts: BTreeMap<String, BTreeMap<String, u64>>,
    /// Money columns that rounding changed.
    pub rounding: BTreeMap<String, Rounding>,
}

impl Layer1Report {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.typed.extend(other.typed);
        self.read_errors.extend(other.read_errors);
        for (column, codes) in other.read_error_counts {
            let counts = self.read_error_counts.entry(column).or_default();
            for (code, n) in codes {
                *counts.entry(code).or_default() += n;
            }
        }
        for (column, rounding) in other.rounding {
            let sum = self.rounding.entry(column).or_default();
            sum.rows += rounding.rows;
            sum.shift += rounding.shift;
        }
    }
}

/// The plan of a legacy table: what is selected of raw, and what becomes of it.
struct Plan {
    label: String,
    legacy_key: Expr,
    /// How the parts of the key are shown.
    masks: Vec<Option<MaskKind>>,
    /// The readers in the order of the typed columns after `_source` and `_skey`.
    readers: Vec<(String, Expr)>,
    typed: SchemaRef,
    view: String,
}

/// Reads one legacy table. Columns out: `_source`, `_skey`, then the view's; read errors as `artifacts::read_error_schema`.
///
/// # Errors
/// `MAP-101`, `MAP-102`, `MAP-109`, `MAP-110` when raw and the view's file do not fit; `MAP-103` when a key said to be unique is not; `ENG-001`, `ENG-002`;
/// errors of the dataset.
pub fn read_layer1(
    engine: &Engine,
    city: &City,
    view: &SourceView,
    legacy: &LegacyTable,
    out: &Layer1Out,
) -> Result<Layer1Report, MappingError> {
    let first = legacy.parts.first().ok_or_else(|| MappingError::NotRead { view: view.name.clone() })?;
    let raw = dataset::schema_of(first)?;
    check_columns(view, &legacy.name, &raw)?;
    fresh(&out.typed)?;
    fresh(&out.read_errors)?;
    let plan = Arc::new(plan(city, view, &raw, legacy)?);
    if view.unique { row_wise(engine, &plan, legacy, out) } else { ordered(engine, &plan, &raw, legacy, out) }
}

fn plan(city: &City, view: &SourceView, raw: &Schema, legacy: &LegacyTable) -> Result<Plan, MappingError> {
    let (mut key, mut zones, mut masks) = (Vec::new(), Vec::new(), Vec::new());
    for column in view.key.iter().filter_map(|k| view.column(k)) {
        let bytes = bytes_column(&column.from);
        let held = raw.column_with_name(&bytes).is_some();
        key.push(ident(&column.from));
        key.push(if held { ident(bytes) } else { lit(ScalarValue::Binary(None)) });
        zones.push(zone(raw, &column.from));
        masks.push(mask_of(column));
    }
    let mut readers = Vec::new();
    for (column, viewed) in view.read_columns() {
        readers.push((column.name.clone(), reading(city, raw, &legacy.name, column, viewed)?));
    }
    Ok(Plan {
        label: legacy.label(),
        legacy_key: spelled_key(zones).call(key),
        masks,
        readers,
        typed: view.typed_schema(),
        view: view.name.clone(),
    })
}

impl Plan {
    fn select(&self, from: DataFrame, key: Expr) -> Result<DataFrame, DataFusionError> {
        let mut columns = vec![key.alias(KEY)];
        columns.extend(self.readers.iter().map(|(name, e)| e.clone().alias(name)));
        from.select(columns)
    }
}

/// A unique key: part by part, side by side.
fn row_wise(
    engine: &Engine,
    plan: &Arc<Plan>,
    legacy: &LegacyTable,
    out: &Layer1Out,
) -> Result<Layer1Report, MappingError> {
    let session = engine.session(1, Joins::Large);
    let run = async {
        let jobs = (1_usize..).zip(legacy.parts.iter().cloned()).map(|(no, part)| {
            let (session, plan, out) = (session.clone(), plan.clone(), out.clone());
            tokio::spawn(async move { one_part(&session, &plan, &part, no, &out).await })
        });
        let mut running = futures::stream::iter(jobs).buffered(engine.partitions());
        let mut report = Layer1Report::default();
        while let Some(done) = running.next().await {
            report.add(done??);
        }
        Ok::<_, Failure>(report)
    };
    let report = engine.block_on(run).map_err(|e| e.into_mapping(engine, &what(legacy)))?;
    match unique::twins(&report.typed)? {
        Some(twins) => Err(plan.key_twice(&twins)),
        None => Ok(report),
    }
}

fn what(legacy: &LegacyTable) -> String {
    format!("layer 1 of {}", legacy.label())
}

async fn one_part(
    session: &SessionContext,
    plan: &Plan,
    part: &Path,
    no: usize,
    out: &Layer1Out,
) -> Result<Layer1Report, Failure> {
    let name = format!("raw {}", part.display());
    dataset::register(session, &name, &[part.to_owned()])?;
    let raw = session.table(datafusion::common::TableReference::bare(name.as_str())).await?;
    let mut stream = plan.select(raw, plan.legacy_key.clone())?.execute_stream().await?;
    // By its place: parts of several extracts, which an increment leaves side by side, have the same names.
    let mut sink = Sink::new(plan, out, &Naming::One(format!("{no:06}.parquet")));
    while let Some(batch) = stream.next().await {
        sink.take(plan, &batch?)?;
    }
    session.deregister_table(datafusion::common::TableReference::bare(name.as_str()))?;
    sink.finish()
}

/// No unique key: the whole table by key and content.
fn ordered(
    engine: &Engine,
    plan: &Plan,
    raw: &Schema,
    legacy: &LegacyTable,
    out: &Layer1Out,
) -> Result<Layer1Report, MappingError> {
    let session = engine.session(engine.partitions(), Joins::Large);
    dataset::register(&session, "raw", &legacy.parts)?;
    let run = async {
        let raw_columns: Vec<Expr> = raw.fields().iter().map(|f| ident(f.name())).collect();
        let digest = row_digest(engine)?.call(raw_columns.clone());
        let mut keyed = raw_columns;
        keyed.push(plan.legacy_key.clone().alias(KEY));
        keyed.push(digest.alias(DIGEST));
        let keyed = session.table("raw").await?.select(keyed)?;
        // The order must be the query's last word: a projection above the sort would let the planner forget it. So the readers look
        // at each batch as it comes out.
        let sorted = keyed.sort(vec![ident(KEY).sort(true, false), ident(DIGEST).sort(true, false)])?;
        let counted = Occurrences::schema(sorted.schema().as_arrow());
        let readable = DFSchema::try_from(counted.clone())?;
        let key = with_occurrence(engine)?.call(vec![ident(KEY), ident(OCCURRENCE)]);
        let readers: Vec<Arc<dyn PhysicalExpr>> = std::iter::once(&key)
            .chain(plan.readers.iter().map(|(_, reader)| reader))
            .map(|e| session.create_physical_expr(e.clone(), &readable))
            .collect::<Result<_, _>>()?;
        let mut stream = sorted.execute_stream().await?;
        let mut sink = Sink::new(plan, out, &Naming::Numbered { prefix: String::new() });
        let mut occurrences = Occurrences { schema: Arc::new(counted), last: None };
        while let Some(batch) = stream.next().await {
            sink.take(plan, &read_batch(&readers, &occurrences.count(&batch?)?)?)?;
        }
        sink.finish()
    };
    engine.block_on(run).map_err(|e| e.into_mapping(engine, &what(legacy)))
}

/// Numbers the rows of equal key in a stream that is ordered by key.
struct Occurrences {
    schema: SchemaRef,
    /// The key of the row before, and its number.
    last: Option<(String, u64)>,
}

impl Occurrences {
    fn schema(rows: &Schema) -> Schema {
        let number = Arc::new(Field::new(OCCURRENCE, DataType::UInt64, false));
        Schema::new(rows.fields().iter().cloned().chain([number]).collect::<Vec<_>>())
    }

    /// The batch with the number of each row, from 1, in a last column.
    fn count(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let at = batch.schema().index_of(KEY)?;
        let keys = batch.column(at).as_string::<i32>();
        let mut numbers: Vec<u64> = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let key = keys.value(row);
            let before = if row == 0 {
                self.last.as_ref().filter(|(last, _)| last == key).map_or(0, |(_, n)| *n)
            } else if keys.value(row - 1) == key {
                numbers[row - 1]
            } else {
                0
            };
            numbers.push(before + 1);
        }
        if let Some(number) = numbers.last() {
            self.last = Some((keys.value(keys.len() - 1).to_owned(), *number));
        }
        let numbers: ArrayRef = Arc::new(UInt64Array::from(numbers));
        let columns = batch.columns().iter().cloned().chain([numbers]).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// What the readers make of a batch, in their order.
fn read_batch(readers: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let rows = batch.num_rows();
    let mut columns: Vec<(String, ArrayRef)> = Vec::with_capacity(readers.len());
    for (at, reader) in readers.iter().enumerate() {
        columns.push((at.to_string(), reader.evaluate(batch)?.into_array(rows)?));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

type Function = Arc<datafusion::logical_expr::ScalarUDF>;

fn function(engine: &Engine, name: &str) -> Result<Function, DataFusionError> {
    let known = engine.functions().get(name).cloned();
    known.ok_or_else(|| DataFusionError::Plan(format!("the registry has no {name}")))
}

fn row_digest(engine: &Engine) -> Result<Function, DataFusionError> {
    function(engine, "row_digest")
}

fn with_occurrence(engine: &Engine) -> Result<Function, DataFusionError> {
    function(engine, "with_occurrence")
}

/// Splits what the readers give into typed rows and read errors, and counts.
struct Sink {
    typed: Parts,
    read_errors: Parts,
    report: Layer1Report,
}

impl Plan {
    fn key_twice(&self, twins: &unique::Twins) -> MappingError {
        let (view, table, key) = (self.view.clone(), self.label.clone(), mask::key(&self.masks, &twins.key));
        MappingError::KeyTwice { view, table, key, places: twins.places.join(", ") }
    }
}

impl Sink {
    fn new(plan: &Plan, out: &Layer1Out, naming: &Naming) -> Self {
        Self {
            typed: Parts::new(&out.typed, plan.typed.clone(), naming.clone()),
            read_errors: Parts::new(&out.read_errors, read_error_schema(), naming.clone()),
            report: Layer1Report::default(),
        }
    }

    fn take(&mut self, plan: &Plan, batch: &RecordBatch) -> Result<(), Failure> {
        let keys = batch.column(0).as_string::<i32>();
        let readings: Vec<&StructArray> = batch.columns()[1..].iter().map(|c| c.as_struct()).collect();
        let source: ArrayRef =
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&plan.label, batch.num_rows())));
        let mut columns = vec![source, batch.column(0).clone()];
        columns.extend(readings.iter().map(|r| r.column(0).clone()));
        self.typed.write(&RecordBatch::try_new(plan.typed.clone(), columns)?)?;
        self.report.rows += batch.num_rows() as u64;
        let names = plan.readers.iter().map(|(name, _)| name.as_str());
        let read: Vec<(&str, &StructArray)> = names.zip(readings).collect();
        self.count_rounding(&read);
        self.take_notes(plan, keys, &read)
    }

    fn count_rounding(&mut self, read: &[(&str, &StructArray)]) {
        for (name, reading) in read {
            let Some(shift) = reading.column_by_name("shift") else { continue };
            let shift = shift.as_primitive::<Int64Type>();
            if shift.null_count() < shift.len() {
                let sum = self.report.rounding.entry((*name).to_owned()).or_default();
                sum.rows += (shift.len() - shift.null_count()) as u64;
                sum.shift += shift.iter().flatten().sum::<i64>();
            }
        }
    }

    fn take_notes(
        &mut self,
        plan: &Plan,
        keys: &StringArray,
        read: &[(&str, &StructArray)],
    ) -> Result<(), Failure> {
        let read_errors: Vec<_> = read.iter().filter(|(_, r)| r.column(1).null_count() < r.len()).collect();
        if read_errors.is_empty() {
            return Ok(());
        }
        let text = || StringBuilder::new();
        let (mut source, mut skey, mut column, mut code) = (text(), text(), text(), text());
        let mut bytes = BinaryBuilder::new();
        for row in 0..keys.len() {
            for (name, reading) in &read_errors {
                let values = reading.column(1).as_binary::<i32>();
                if values.is_null(row) {
                    continue;
                }
                let what = reading.column(2).as_string::<i32>().value(row);
                source.append_value(&plan.label);
                skey.append_value(keys.value(row));
                column.append_value(name);
                code.append_value(what);
                bytes.append_value(values.value(row));
                let counts = self.report.read_error_counts.entry((*name).to_owned()).or_default();
                *counts.entry(what.to_owned()).or_default() += 1;
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(source.finish()),
            Arc::new(skey.finish()),
            Arc::new(column.finish()),
            Arc::new(code.finish()),
            Arc::new(bytes.finish()),
        ];
        let batch = RecordBatch::try_new(read_error_schema(), columns)?;
        Ok(self.read_errors.write(&batch)?)
    }

    fn finish(self) -> Result<Layer1Report, Failure> {
        let Self { typed, read_errors, mut report } = self;
        report.typed = typed.finish()?;
        report.read_errors = read_errors.finish()?;
        Ok(report)
    }
}
