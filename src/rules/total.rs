//! Business totals (reference 6.4, 8): `sql/totals/<ID>.sql`, each a SELECT over national tables, asked of every version of their rows.
//!
//! Always: checked with the rules before anything runs; the first two columns are texts (the insurance, and what lines are told apart by), the
//! others are sums and counts that add up over rows, so that the versions can be set against each other.
//! Must not know: how the tables came about, and how a total is shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use futures::StreamExt;

use super::check::{Context, Planner, planned};
use super::fault::RuleError;
use super::file::{Bilingual, Reader, Text, both, stem, values};
use super::header::header;
use super::invariant::{Facts, register_facts, schema_of};
use super::list::{Holds, ListColumn, columns};
use super::sql::{self, Parsed};
use crate::engine::{Engine, Joins};
use crate::national::National;
use crate::phrase;

const KEYS: [&str; 6] = ["id", "title", "about", "columns", "zero", "most"];
/// Those that a file may leave out.
const OPTIONAL: [&str; 2] = ["zero", "most"];
/// Columns that tell lines apart.
const TOLD: usize = 2;
/// The names of its first column.
const INSURANCE: &str = "insurance";

/// One file of `sql/totals/`.
#[derive(Debug, Clone)]
pub struct Total {
    pub id: String,
    pub title: Bilingual,
    pub about: Bilingual,
    /// What lines are told apart by besides the insurance.
    pub by: ListColumn,
    pub numbers: Vec<TotalNumber>,
    /// At most so many lines of an insurance are told apart; none: all.
    pub most: Option<usize>,
    parsed: Parsed,
}

/// One number of its lines.
#[derive(Debug, Clone)]
pub struct TotalNumber {
    pub title: Bilingual,
    pub money: bool,
    /// Whether it should be 0.
    pub zero: bool,
}

/// Insurance and what lines are told apart by → their numbers: fen and counts.
pub type TotalSums = BTreeMap<(String, String), Vec<i128>>;

/// Loads the files of a folder, all their mistakes at once.
pub(super) fn totals(reader: &mut Reader, files: Vec<PathBuf>, of: &Context<'_>) -> Vec<Total> {
    if files.is_empty() {
        return Vec::new();
    }
    let (mut all, mut planner) = (Vec::new(), Planner::new(of));
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        all.extend(total(reader, &text, of.national, &mut planner));
    }
    all
}

fn total(reader: &mut Reader, text: &Text, national: &National, planner: &mut Planner) -> Option<Total> {
    let before = reader.faults.len();
    let head = header(&text.text);
    let (values, spans) = values(reader, text, &head, &KEYS);
    for key in KEYS.iter().filter(|k| !OPTIONAL.contains(*k) && !values.contains_key(**k)) {
        reader.fault(text, 0..0, phrase!("rules.no_header_key", key));
    }
    let id = values.get("id").cloned().unwrap_or_default();
    if id != stem(&text.path) {
        reader.fault(text, 0..0, phrase!("rules.id_is_name", name = stem(&text.path)));
    }
    let (title, about) =
        (both(reader, text, &values, &spans, "title"), both(reader, text, &values, &spans, "about"));
    let columns = columns(reader, text, national, (&values, &spans));
    let parsed = sql::parse(&text.text[head.sql.clone()]);
    let parsed = parsed.map_err(|why| reader.fault(text, head.sql.clone(), why)).ok()?;
    let query = version(&parsed, "mapped");
    for own in &parsed.reads {
        let name = named(own, "mapped");
        match schema_of(national, &name) {
            Some(schema) => planner.know(&name, schema),
            None => reader.fault(text, 0..0, phrase!("rules.no_national", own)),
        }
    }
    if reader.faults.len() > before {
        return None;
    }
    let plan = planned(reader, planner, text, &head.sql, &query, &query.text())?;
    let span = spans.get("columns").cloned().unwrap_or(0..0);
    let gives: Vec<(&str, &DataType)> =
        plan.schema().fields().iter().map(|f| (f.name().as_str(), f.data_type())).collect();
    let named: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    if gives.iter().map(|g| g.0).ne(named.iter().copied()) || named.len() <= TOLD || named[0] != INSURANCE {
        let gives = gives.iter().map(|g| g.0).collect::<Vec<_>>().join(", ");
        let named = named.join(", ");
        let message = phrase!("rules.total_columns", gives, named);
        reader.fault(text, span, message);
        return None;
    }
    let zero = values.get("zero").map(String::as_str);
    let mut numbers = Vec::new();
    for (column, (name, kind)) in columns.iter().zip(&gives).skip(TOLD) {
        match money(kind) {
            Some(money) => {
                let zero = zero == Some(*name);
                numbers.push(TotalNumber { title: column.title.clone(), money, zero });
            }
            None => reader.fault(text, span.clone(), phrase!("rules.total_type", name)),
        }
    }
    if let Some(zero) = zero.filter(|z| !named[TOLD..].contains(z)) {
        reader.fault(text, 0..0, phrase!("rules.total_zero", zero));
    }
    let most = most(reader, text, values.get("most"));
    let by = columns.into_iter().nth(1)?;
    let found = Total { id, title, about, by, numbers, most, parsed };
    (reader.faults.len() == before).then_some(found)
}

fn most(reader: &mut Reader, text: &Text, most: Option<&String>) -> Option<usize> {
    let most = most?;
    let lines = most.parse().ok().filter(|lines| *lines > 0);
    if lines.is_none() {
        reader.fault(text, 0..0, phrase!("rules.total_most", most));
    }
    lines
}

fn money(kind: &DataType) -> Option<bool> {
    match kind {
        DataType::Int64 => Some(false),
        DataType::Decimal128(_, 2) => Some(true),
        _ => None,
    }
}

/// The query over one version of every table.
fn version(parsed: &Parsed, version: &str) -> Parsed {
    parsed.over(&|name| named(name, version))
}

/// A table of that version; one that names its version itself is the same in all.
fn named(table: &str, version: &str) -> String {
    let fixed = ["mapped_", "staged_", "rejected_"].iter().any(|own| table.starts_with(own));
    if fixed { table.to_owned() } else { format!("{version}_{table}") }
}

impl Total {
    /// The name of a code that lines are told apart by; empty where it is no code.
    pub fn by_title(&self, national: &National, by: &str) -> String {
        let Holds::Column(table, column) = &self.by.holds else { return String::new() };
        let codes = national.table(table).and_then(|t| t.column(column)).and_then(|c| c.codes.as_ref());
        let code = codes.and_then(|list| national.codes.get(list)).and_then(|list| list.codes.get(by));
        code.map(|c| c.name.clone()).unwrap_or_default()
    }
}

/// What a total comes to over one version of the rows: `mapped`, `staged`, `rejected`.
///
/// # Errors
/// `ENG-…`, `DAT-…`.
pub fn total_sums(
    engine: &Engine,
    national: &National,
    total: &Total,
    (facts, of): (&Facts, &str),
) -> Result<TotalSums, RuleError> {
    let what = || phrase!("work.total", id = total.id);
    let query = version(&total.parsed, of);
    let session = engine.session(engine.partitions(), Joins::Large);
    let schema = |name: &str| schema_of(national, name);
    register_facts(engine, &session, (&query.reads, facts), &schema, &what)?;
    let mut sums = TotalSums::new();
    engine.block_on(async {
        let failed = |e| RuleError::from(engine.error(what(), e));
        let stream = async { session.sql(&query.text()).await?.execute_stream().await };
        let mut stream = stream.await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            add(&mut sums, &batch.map_err(failed)?).map_err(|e| failed(e.into()))?;
        }
        Ok::<(), RuleError>(())
    })?;
    Ok(sums)
}

fn add(sums: &mut TotalSums, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
    let told = [cast(batch.column(0), &DataType::Utf8)?, cast(batch.column(1), &DataType::Utf8)?];
    let text = |column: &arrow::array::ArrayRef, row: usize| {
        let texts = column.as_string::<i32>();
        if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() }
    };
    let numbers: Vec<Vec<i128>> = batch.columns()[TOLD..].iter().map(values_of).collect();
    for row in 0..batch.num_rows() {
        let line = sums.entry((text(&told[0], row), text(&told[1], row))).or_default();
        line.resize(numbers.len(), 0);
        for (sum, column) in line.iter_mut().zip(&numbers) {
            *sum = sum.saturating_add(column[row]);
        }
    }
    Ok(())
}

/// Fen and counts; the types were checked when the file was read.
fn values_of(column: &arrow::array::ArrayRef) -> Vec<i128> {
    if let Some(decimals) = column.as_primitive_opt::<Decimal128Type>() {
        return decimals.iter().map(Option::unwrap_or_default).collect();
    }
    let counts = column.as_primitive_opt::<Int64Type>();
    let values = counts.map(|c| c.iter().map(|n| i128::from(n.unwrap_or_default())).collect());
    values.unwrap_or_else(|| vec![0; column.len()])
}
