//! Lists that an office wants of a run (reference 6.4): `sql/lists/<name>.sql`, each a SELECT over what the run left and what people decided.
//!
//! Always: every mistake of every file at once; each column says its head in both languages, and as what its values are masked.
//! Must not know: where datasets lie, and how a list is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::check::{Context, Planner, planned};
use super::fault::{RuleError, RuleFaults};
use super::file::{Bilingual, Reader, RuleBook, RuleFiles, Spans, Text, Values, both, stem, values};
use super::header::header;
use super::invariant::{self, Facts};
use super::rounds::ledger_schema;
use super::sql::{self, Parsed};
use crate::artifacts::{finding_schema, shown};
use crate::engine::{Engine, Joins};
use crate::functions::FunctionRegistry;
use crate::mask::{MaskKind, mask};
use crate::national::{National, Table};
use crate::phrase;
use crate::sql_ident::quote;

const KEYS: [&str; 3] = ["title", "about", "columns"];

/// One file of `sql/lists/`.
#[derive(Debug, Clone)]
pub struct List {
    /// The file's name without ending.
    pub name: String,
    pub title: Bilingual,
    /// What one row is.
    pub about: Bilingual,
    pub columns: Vec<ListColumn>,
    /// SQL literals by name.
    pub params: BTreeMap<String, String>,
    parsed: Parsed,
}

/// One column of a list.
#[derive(Debug, Clone)]
pub struct ListColumn {
    pub name: String,
    pub title: Bilingual,
    pub holds: Holds,
}

/// What a column of a list holds, which says how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Words and numbers of ours, dates, amounts of many: shown as they are.
    Plain,
    /// A code with a word in a section of the labels.
    Word(String),
    /// A value of this national column.
    Column(String, String),
    /// A value of the column that the row's `table` and `column` name.
    Value,
    /// A key of the row's `table`.
    Key,
    /// What somebody wrote: names and numbers may stand anywhere in it.
    Text,
}

/// The columns of small tables that lists may read: what people decided, what a run stood on, the names of things.
fn own_schema(name: &str) -> Option<SchemaRef> {
    let (texts, counts): (&[&str], &[&str]) = match name {
        "batches" => (&["batch", "rule", "run", "approver", "account", "reason", "at", "undone"], &["items"]),
        "decisions" => (
            &[
                "batch", "item", "kind", "rule", "table", "_key", "_source", "_skey", "column", "before",
                "after", "evidence", "expires", "handler", "handled", "reviewer", "reviewed", "approver",
                "approved",
            ],
            &[],
        ),
        "backups" => {
            (&["source", "extract", "taken", "point", "table", "file", "sha256"], &["rows", "bytes"])
        }
        "rules" => (&["rule", "title", "department", "item"], &[]),
        "national_tables" => (&["table", "title"], &[]),
        "national_columns" => (&["table", "column", "title"], &[]),
        _ => return None,
    };
    let texts = texts.iter().map(|n| Field::new(*n, DataType::Utf8, true));
    let counts = counts.iter().map(|n| Field::new(*n, DataType::Int64, true));
    Some(Arc::new(Schema::new(texts.chain(counts).collect::<Vec<_>>())))
}

fn schema_of(national: &National, book: &RuleBook, name: &str) -> Option<SchemaRef> {
    match name {
        "ledger" => Some(ledger_schema()),
        "findings" => Some(finding_schema()),
        _ => own_schema(name)
            .or_else(|| book.externals.get(name).map(|e| e.schema()))
            .or_else(|| invariant::schema_of(national, name)),
    }
}

/// Rows of a small table that lists read, cells by column; `None`: there is no such table.
pub fn list_rows(name: &str, rows: &[Vec<Option<String>>]) -> Option<RecordBatch> {
    let schema = own_schema(name)?;
    let column = |(at, field): (usize, &Arc<Field>)| {
        let text: StringArray = rows.iter().map(|r| r.get(at).cloned().flatten()).collect();
        cast(&text, field.data_type()).ok()
    };
    let columns: Option<Vec<_>> = schema.fields().iter().enumerate().map(column).collect();
    RecordBatch::try_new(schema, columns?).ok()
}

/// Loads every list.
///
/// # Errors
/// `RUL-000` with every mistake of every file.
pub fn lists(
    files: &RuleFiles<'_>,
    national: &National,
    functions: &FunctionRegistry,
    book: &RuleBook,
) -> Result<Vec<List>, RuleFaults> {
    let mut reader = Reader { faults: Vec::new(), digest: Sha256::new() };
    let context = Context {
        national,
        functions,
        references: &book.references,
        externals: &book.externals,
        untouchable: &book.untouchable,
    };
    let mut planner = Planner::new(&context);
    planner.know_models(&book.models);
    let mut all = Vec::new();
    for path in reader.files(&files.sql.join("lists"), "sql") {
        if let Some(text) = reader.text(&path) {
            all.extend(list(&mut reader, &text, (national, book), &mut planner));
        }
    }
    if reader.faults.is_empty() { Ok(all) } else { Err(RuleFaults { faults: reader.faults }) }
}

fn list(
    reader: &mut Reader,
    text: &Text,
    (national, book): (&National, &RuleBook),
    planner: &mut Planner,
) -> Option<List> {
    let before = reader.faults.len();
    let head = header(&text.text);
    let (values, spans) = values(reader, text, &head, &KEYS);
    for key in KEYS.iter().filter(|k| !values.contains_key(**k)) {
        reader.fault(text, 0..0, phrase!("rules.no_header_key", key));
    }
    let params = sql::params(values.get("params").map_or("", String::as_str));
    let params = params
        .map_err(|why| reader.fault(text, spans.get("params").cloned().unwrap_or(0..0), why))
        .unwrap_or_default();
    let columns = columns(reader, text, national, (&values, &spans));
    let parsed =
        sql::parse(&text.text[head.sql.clone()]).and_then(|p| p.with(&params).map(|given| (p, given)));
    let (parsed, given) = parsed.map_err(|why| reader.fault(text, head.sql.clone(), why)).ok()?;
    for name in &given.reads {
        if let Some(schema) = schema_of(national, book, name) {
            planner.know(name, schema);
        }
    }
    let plan = planned(reader, planner, text, &head.sql, &given, &given.text())?;
    let gives: Vec<&str> = plan.schema().fields().iter().map(|f| f.name().as_str()).collect();
    let named: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    if gives != named && reader.faults.len() == before {
        let message = phrase!("rules.list_columns", gives = gives.join(", "), named = named.join(", "));
        reader.fault(text, spans.get("columns").cloned().unwrap_or(0..0), message);
    }
    let (title, about) =
        (both(reader, text, &values, &spans, "title"), both(reader, text, &values, &spans, "about"));
    let found = List { name: stem(&text.path), title, about, columns, params, parsed };
    (reader.faults.len() == before).then_some(found)
}

/// `rule = 规则 / rule; number [AC01.AAC999] = 个人编号 / person number`.
pub(super) fn columns(
    reader: &mut Reader,
    text: &Text,
    national: &National,
    (values, spans): (&Values, &Spans),
) -> Vec<ListColumn> {
    let span = spans.get("columns").cloned().unwrap_or(0..0);
    let mut all: Vec<ListColumn> = Vec::new();
    for one in values.get("columns").into_iter().flat_map(|v| v.split(';')).filter(|c| !c.trim().is_empty()) {
        let column = (|| {
            let (name, title) = one.split_once(" = ")?;
            let (zh, en) = title.split_once(" / ")?;
            let (name, holds) = match name.trim().strip_suffix(']') {
                None => (name.trim(), Holds::Plain),
                Some(whole) => {
                    let (name, holds) = whole.split_once('[')?;
                    (name.trim(), holds_of(national, holds.trim())?)
                }
            };
            let title = Bilingual { zh: zh.trim().to_owned(), en: en.trim().to_owned() };
            Some(ListColumn { name: name.to_owned(), title, holds })
        })();
        match column {
            Some(column) => all.push(column),
            None => reader.fault(text, span.clone(), phrase!("rules.list_column", column = one.trim())),
        }
    }
    let by_row = |c: &ListColumn| matches!(c.holds, Holds::Value | Holds::Key);
    let has = |name: &str| all.iter().any(|c| c.name == name);
    if all.iter().any(by_row) && !has("table")
        || all.iter().any(|c| c.holds == Holds::Value) && !has("column")
    {
        reader.fault(text, span, phrase!("rules.list_key"));
    }
    all
}

fn holds_of(national: &National, text: &str) -> Option<Holds> {
    match (text, text.split_once('.')) {
        ("value", _) => Some(Holds::Value),
        ("key", _) => Some(Holds::Key),
        ("text", _) => Some(Holds::Text),
        (_, Some((table, column))) => {
            national.table(table)?.column(column)?;
            Some(Holds::Column(table.to_owned(), column.to_owned()))
        }
        (section, None) => Some(Holds::Word(section.to_owned())),
    }
}

impl List {
    /// Every dataset and small table that it stands on: of a national table what was staged and what was rejected.
    pub fn reads(&self, national: &National, book: &RuleBook) -> BTreeSet<String> {
        let models = book.models_for(&self.parsed.reads);
        let all = self.parsed.reads.iter().chain(models.iter().flat_map(|m| &m.reads));
        let of_model = |name: &&String| models.iter().any(|m| m.name == **name);
        let sides = |name: &String| match national.table(name) {
            Some(table) => sides(table).to_vec(),
            None => vec![name.clone()],
        };
        all.filter(|name| !of_model(name)).flat_map(sides).collect()
    }

    /// Its parameters with those that somebody set (`seed = 7`).
    ///
    /// # Errors
    /// `RUL-106`.
    pub fn with(&self, set: &[String]) -> Result<BTreeMap<String, String>, RuleError> {
        let unlisted = |why: String| RuleError::Unlisted { list: self.name.clone(), why };
        let mut all = self.params.clone();
        for (name, value) in sql::params(&set.join(", ")).map_err(unlisted)? {
            match all.get_mut(&name) {
                Some(known) => *known = value,
                None => {
                    let names: Vec<&str> = self.params.keys().map(String::as_str).collect();
                    return Err(unlisted(phrase!("file.no_parameter", name, known = names.join(", "))));
                }
            }
        }
        Ok(all)
    }

    /// A cell as people may see it, words apart.
    pub fn masked(&self, national: &National, row: &[Option<String>], at: usize) -> Option<String> {
        let value = row.get(at)?.clone()?;
        let named = |name: &str| {
            let at = self.columns.iter().position(|c| c.name == name)?;
            row.get(at)?.as_deref()
        };
        let table = || named("table").and_then(|t| national.table(t));
        Some(match &self.columns.get(at)?.holds {
            Holds::Plain | Holds::Word(_) => value,
            Holds::Column(table, column) => {
                let column = national.table(table).and_then(|t| t.column(column));
                column.map_or_else(|| mask(MaskKind::Text, &value), |c| shown(c, &value))
            }
            Holds::Value => {
                let column = named("column").and_then(|c| table()?.column(c));
                column.map_or_else(|| mask(MaskKind::Text, &value), |c| shown(c, &value))
            }
            Holds::Key => invariant::key(table(), &value),
            Holds::Text => mask(MaskKind::Text, &value),
        })
    }
}

fn sides(table: &Table) -> [String; 2] {
    ["staged", "rejected"].map(|side| format!("{side}_{}", table.name))
}

/// Makes national tables and models known under their names, over what is known already.
async fn views(
    session: &SessionContext,
    (national, book): (&National, &RuleBook),
    names: &BTreeSet<String>,
) -> Result<(), DataFusionError> {
    let models = book.models_for(names);
    let all: BTreeSet<&String> = names.iter().chain(models.iter().flat_map(|m| &m.reads)).collect();
    let tables = all.iter().filter_map(|name| national.table(name));
    let both = |table: &Table| {
        let schema = table.mapped_schema();
        let columns: Vec<String> = schema.fields().iter().map(|f| quote(f.name())).collect();
        sides(table).map(|side| format!("SELECT {} FROM {}", columns.join(", "), quote(&side)))
    };
    let tables = tables.map(|table| (&table.name, both(table).join(" UNION ALL ")));
    for (name, sql) in tables.chain(models.iter().map(|m| (&m.name, m.sql.clone()))) {
        let view = session.sql(&sql).await?.into_view();
        session.register_table(TableReference::bare(name.as_str()), view)?;
    }
    Ok(())
}

/// Every row of a list, exact and unmasked, in the order of its SELECT.
///
/// # Errors
/// `ENG-…`, `DAT-…`; what `take` says.
pub fn each_list_row<E: From<RuleError>>(
    engine: &Engine,
    (national, book): (&National, &RuleBook),
    (list, params): (&List, &BTreeMap<String, String>),
    facts: &Facts,
    mut take: impl FnMut(&[Option<String>]) -> Result<(), E>,
) -> Result<(), E> {
    let what = || phrase!("work.list", name = list.name);
    let unset = |why: String| RuleError::Unlisted { list: list.name.clone(), why };
    let query = list.parsed.with(params).map_err(unset)?;
    let session = engine.session(engine.partitions(), Joins::Large);
    let schema = |name: &str| schema_of(national, book, name);
    let names = list.reads(national, book);
    invariant::register_facts(engine, &session, (&names, facts), &schema, &what)?;
    let sql = query.text();
    engine.block_on(async {
        let failed = |e| RuleError::from(engine.error(what(), e));
        let stream = async {
            views(&session, (national, book), &query.reads).await?;
            session.sql(&sql).await?.execute_stream().await
        };
        let mut stream = stream.await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            let texts: Result<Vec<_>, _> = batch.columns().iter().map(|c| cast(c, &DataType::Utf8)).collect();
            let texts = texts.map_err(|e| failed(e.into()))?;
            let texts: Vec<&StringArray> = texts.iter().map(|c| c.as_string::<i32>()).collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<Option<String>> =
                    texts.iter().map(|c| c.is_valid(row).then(|| c.value(row).to_owned())).collect();
                take(&cells)?;
            }
        }
        Ok::<(), E>(())
    })
}
