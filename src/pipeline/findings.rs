//! The open findings of a finished run, row by row, for people: with their state over the rounds, and whose row it is.
//!
//! Always: rows come one by one, in the order of table, rule, column and key; nothing is collected here. Every value is masked by its column.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::RunError;
use super::finished::Finished;
use super::listing::masked;
use super::whose::{Query, RowOf};
use crate::dataset::{left_parts, register};
use crate::engine::{Engine, Joins};
use crate::national::{National, Table};
use crate::phrase;
use crate::rules::finding_key;
use crate::sql_ident::literal;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ListedFinding {
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub table: String,
    pub table_title: String,
    pub column: String,
    /// Empty where a finding is about the row.
    pub column_title: String,
    pub level: String,
    pub gate: String,
    /// new, open or reopened; none: the round has no ledger.
    pub state: Option<String>,
    /// The round that had it first.
    pub first: Option<String>,
    pub department: Option<String>,
    /// Masked.
    pub value: Option<String>,
    /// The legacy number of its person (AAC999).
    pub person: Option<String>,
    /// The person's name, masked.
    pub name: Option<String>,
    /// The legacy number of its unit (AAB999), and its name.
    pub unit: Option<String>,
    pub unit_name: Option<String>,
    /// The region of its unit (AAB301).
    pub county: Option<String>,
    pub key: Option<String>,
    pub source: String,
    pub skey: Option<String>,
}

/// Which findings are wanted; what is none of a filter's takes all.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    pub rule: Option<String>,
    pub table: Option<String>,
    pub department: Option<String>,
    pub state: Option<String>,
    /// A legacy number of a unit.
    pub unit: Option<String>,
    /// A region code.
    pub county: Option<String>,
    /// The key of a row, as `_key` writes it.
    pub key: Option<String>,
}

impl FindingFilter {
    fn takes(&self, of: &ListedFinding) -> bool {
        let is = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|w| found.is_some_and(|f| f == w))
        };
        is(&self.department, of.department.as_ref())
            && is(&self.state, of.state.as_ref())
            && is(&self.unit, of.unit.as_ref())
            && is(&self.county, of.county.as_ref())
    }
}

/// Every open finding of a run that a filter takes.
///
/// # Errors
/// `DAT-…`, `ENG-…`; what `take` says.
pub fn each_finding<E: From<RunError>>(
    of: &Finished,
    engine: &Engine,
    national: &National,
    filter: &FindingFilter,
    mut take: impl FnMut(&ListedFinding) -> Result<(), E>,
) -> Result<(), E> {
    let titles = titles(of, national);
    for table in of.summary.tables.iter().filter(|t| filter.table.as_ref().is_none_or(|w| *w == t.table)) {
        let Some(table) = national.table(&table.table) else { continue };
        let mut parts = left_parts(&of.dir.findings(&table.name)).map_err(RunError::from)?;
        parts.extend(left_parts(&of.dir.open_findings(&table.name)).map_err(RunError::from)?);
        if parts.is_empty() {
            continue;
        }
        let session = engine.session(engine.partitions(), Joins::Large);
        let sql = query(of, (national, table), &session, &parts, filter)?;
        let what = || phrase!("work.finding_list", table = table.name);
        each_row(engine, &session, &sql, &what, |batch, row| {
            let found = listed(batch, row, table, national, &titles);
            if filter.takes(&found) { take(&found) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// Titles of rules in Chinese and English, and their departments.
pub(super) type Titles = BTreeMap<String, (String, String, Option<String>)>;

pub(super) fn titles(of: &Finished, national: &National) -> Titles {
    // The ledger keeps rules of the structural check that find nothing any more: their titles stand in the national schema.
    let known =
        national.rules.iter().map(|(id, r)| (id.clone(), (r.title_zh.clone(), r.title_en.clone(), None)));
    let findings = of.summary.findings.iter();
    let found = findings.map(|f| (f.rule.clone(), (f.title_zh.clone(), f.title_en.clone(), None)));
    let mut all: Titles = known.chain(found).collect();
    for row in &of.summary.cleaning {
        let department = Some(row.department.clone());
        all.insert(row.rule.clone(), (row.title_zh.clone(), row.title_en.clone(), department));
    }
    all
}

/// The findings of a table beside the ledger, and the row, person and unit that they are about.
fn query(
    of: &Finished,
    (national, table): (&National, &Table),
    session: &SessionContext,
    parts: &[std::path::PathBuf],
    filter: &FindingFilter,
) -> Result<String, RunError> {
    register(session, "findings", parts)?;
    let columns = "f.rule, f.\"column\", f.level, f.gate, f.value, f._key, f._source, f._skey".to_owned();
    let mut query = Query { of, national, session, columns, joins: String::new() };
    let ledger = left_parts(&of.dir.round())?;
    if ledger.is_empty() {
        query.columns.push_str(", NULL AS state, NULL AS \"first\", NULL AS department");
    } else {
        register(session, "ledger", &ledger)?;
        query.columns.push_str(", l.state, l.\"first\", l.department");
        query.joins.push_str(&format!(
            " LEFT JOIN (SELECT * FROM ledger WHERE \"table\" = {}) AS l ON l.rule = f.rule AND l.\"column\" = f.\"column\" AND l._key = {}",
            literal(&table.name),
            finding_key("f")
        ));
    }
    query.whose(table, RowOf::Line, &[])?;
    let only = [("f.rule", &filter.rule), ("f._key", &filter.key)].map(|(column, wanted)| {
        wanted.as_ref().map_or_else(|| "true".to_owned(), |value| format!("{column} = {}", literal(value)))
    });
    let only = format!(" WHERE {}", only.join(" AND "));
    let Query { columns, joins, .. } = query;
    Ok(format!(
        "SELECT {columns} FROM findings AS f{joins}{only} ORDER BY f.rule, f.\"column\", f._key, f._skey, f._source, f.value"
    ))
}

/// Every row of a query, as texts.
pub(super) fn each_row<E: From<RunError>>(
    engine: &Engine,
    session: &SessionContext,
    sql: &str,
    what: &dyn Fn() -> String,
    mut take: impl FnMut(&Cells, usize) -> Result<(), E>,
) -> Result<(), E> {
    each_batch(engine, session, sql, what, |batch| {
        let batch = Cells::of(batch);
        (0..batch.rows).try_for_each(|row| take(&batch, row))
    })
}

/// Every batch of a query.
pub(super) fn each_batch<E: From<RunError>>(
    engine: &Engine,
    session: &datafusion::prelude::SessionContext,
    sql: &str,
    what: &dyn Fn() -> String,
    mut take: impl FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    engine.block_on(async {
        let failed = |e| RunError::from(engine.error(what(), e));
        let stream = async { session.sql(sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            take(&batch.map_err(failed)?)?;
        }
        Ok::<(), E>(())
    })
}

/// A batch as texts, by column.
pub(super) struct Cells {
    rows: usize,
    columns: BTreeMap<String, StringArray>,
}

impl Cells {
    fn of(batch: &RecordBatch) -> Self {
        let schema = batch.schema();
        let text = |(field, column): (&FieldRef, &ArrayRef)| {
            let column = cast(column, &DataType::Utf8).ok()?;
            Some((field.name().clone(), column.as_string::<i32>().clone()))
        };
        let columns = schema.fields().iter().zip(batch.columns()).filter_map(text).collect();
        Self { rows: batch.num_rows(), columns }
    }

    pub(super) fn get(&self, name: &str, row: usize) -> Option<String> {
        let column = self.columns.get(name)?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }
}

fn listed(batch: &Cells, row: usize, table: &Table, national: &National, titles: &Titles) -> ListedFinding {
    let cell = |name: &str| batch.get(name, row);
    let text = |name: &str| cell(name).unwrap_or_default();
    let of = |whose: &str, column: &str| {
        masked(national.table(whose).and_then(|t| t.column(column)), cell(column))
    };
    let (rule, column) = (text("rule"), text("column"));
    let (title_zh, title_en, of_rule) = titles.get(&rule).cloned().unwrap_or_default();
    let column_title = table.column(&column).map(|c| c.title.clone()).unwrap_or_default();
    ListedFinding {
        rule,
        title_zh,
        title_en,
        table: table.name.clone(),
        table_title: table.title.clone(),
        column,
        column_title,
        level: text("level"),
        gate: text("gate"),
        state: cell("state"),
        first: cell("first"),
        department: cell("department").or(of_rule),
        value: cell("value"),
        person: of("AC01", "AAC999"),
        name: of("AC01", "AAC003"),
        unit: of("AB01", "AAB999"),
        unit_name: of("AB01", "AAB004"),
        county: of("AB01", "AAB301"),
        key: cell("_key"),
        source: text("_source"),
        skey: cell("_skey"),
    }
}
