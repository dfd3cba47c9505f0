//! Rows of a SQL Server table: counting, cutting into ranges of keys, streaming them as Arrow.
//!
//! Always: ranges compare on the server, in the column's own type and collation. A stream ends with its end mark or with an error: the
//! driver ends quietly where a server breaks off without a last word, so the server says at the end of each how many rows it sent.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use tiberius::{QueryItem, Row};
use tokio::sync::mpsc;

use super::super::chunk::{Bounds, KeyValue, Piece, QUEUE, key_value};
use super::super::decode::{ColumnBuilder, Misfit, key_text};
use super::super::{ChunkStream, Column, SourceError, Table};
use super::connect::{SAID, Session};
use super::decode::{append, expression};
use super::literal::{key as key_literal, orders, quote};
use super::session::Reader;
use super::{Inner, answer, errors, shown, steady};
use crate::dataset::BATCH_ROWS;
use crate::phrase;

/// Bytes of text and images after which a batch is handed on, however few its rows.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Sampled keys for each range that is wanted: enough that no range is much longer than another.
const SAMPLES: u64 = 200;
/// Large values of one range, as far as the catalogue knows; and rows that a range has at least.
const LOB_BYTES: u64 = 256 * 1024 * 1024;
const LEAST_ROWS: u64 = 100;
/// More ranges than this are not planned; longer ones are cut while they are read.
const MOST_RANGES: u64 = 1000;

/// Exact rows of a table.
pub(super) async fn count(source: &Inner, table: &Table) -> Result<u64, SourceError> {
    shown::whole(source, table).await?;
    let sql = format!("SELECT COUNT_BIG(*) FROM {}{}", source.named(&table.name), source.hint);
    let what = phrase!("source.counting", table = table.name);
    let rows = source.reader().await?.ask(&source.id, what, &sql).await?;
    steady::check(source, table).await?;
    let counted = rows.first().and_then(|r| answer::int(r, 0)).and_then(|n| u64::try_from(n).ok());
    counted.ok_or_else(|| source.broken("a count that is no number"))
}

/// The key's columns, if ranges can be made of them.
fn key(table: &Table) -> Option<Vec<&Column>> {
    let columns: Vec<&Column> = table.key.iter().filter_map(|n| table.column(n)).collect();
    let whole = !columns.is_empty() && columns.len() == table.key.len();
    (whole && columns.iter().all(|c| orders(c))).then_some(columns)
}

/// Keys beyond `values` (`>`), or not beyond them (`<=`): SQL Server does not compare rows, so column by column.
fn beyond(columns: &[&Column], values: &[String], upto: bool) -> String {
    let Some(((column, value), rest)) =
        columns.split_first().zip(values.split_first()).map(|(c, v)| ((c.0, v.0), (c.1, v.1)))
    else {
        return String::new();
    };
    let name = format!("t.{}", quote(&column.name));
    let strict = if upto { "<" } else { ">" };
    if rest.0.is_empty() {
        return format!("{name} {strict}{} {value}", if upto { "=" } else { "" });
    }
    format!("({name} {strict} {value} OR ({name} = {value} AND {}))", beyond(rest.0, rest.1, upto))
}

/// What follows the table's name: `WHERE … ORDER BY …`.
pub(super) fn condition(source: &Inner, table: &Table, bounds: &Bounds) -> Result<String, SourceError> {
    let Some(columns) = key(table) else { return Ok(String::new()) };
    let literals = |of: &[KeyValue]| {
        let all: Option<Vec<String>> =
            columns.iter().zip(of).map(|(c, v)| key_literal(source, c, v)).collect();
        all.filter(|all| all.len() == columns.len())
            .ok_or_else(|| source.broken("a bound that its column cannot hold"))
    };
    let mut parts = Vec::new();
    for (values, upto) in [(&bounds.after, false), (&bounds.upto, true)] {
        let Some(values) = values else { continue };
        let values = literals(values)?;
        // The first column alone bounds the reading of the index.
        if let ([first, _, ..], Some(value)) = (columns.as_slice(), values.first()) {
            parts.push(format!("t.{} {} {value}", quote(&first.name), if upto { "<=" } else { ">=" }));
        }
        parts.push(beyond(&columns, &values, upto));
    }
    let within = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    Ok(format!("{within}{}", order(&columns)))
}

fn order(columns: &[&Column]) -> String {
    let names: Vec<String> = columns.iter().map(|c| format!("t.{}", quote(&c.name))).collect();
    format!(" ORDER BY {}", names.join(", "))
}

/// ` ORDER BY …` by the key; nothing where there is none that orders.
pub(super) fn by_key(table: &Table) -> String {
    key(table).map(|columns| order(&columns)).unwrap_or_default()
}

/// The key of a row of a batch, as a bound that a statement can say.
pub(super) fn key_at(source: &Inner, table: &Table, batch: &RecordBatch, at: usize) -> Option<Vec<KeyValue>> {
    let columns = key(table)?;
    let values: Vec<KeyValue> =
        columns.iter().map(|c| key_value(batch, &c.name, at)).collect::<Option<_>>()?;
    let sayable = columns.iter().zip(&values).all(|(c, v)| key_literal(source, c, v).is_some());
    sayable.then_some(values)
}

/// The key that somebody names for a view is one: no index says so.
async fn proved(source: &Inner, table: &Table) -> Result<(), SourceError> {
    let names: Vec<String> = table.key.iter().map(|name| format!("t.{}", quote(name))).collect();
    let missing: Vec<String> = names.iter().map(|name| format!("{name} IS NULL")).collect();
    let from = format!("SELECT TOP (1) 1 AS x FROM {} AS t", source.named(&table.name));
    for sql in [
        format!("{from} WHERE {}{}", missing.join(" OR "), source.hint),
        format!("{from} GROUP BY {} HAVING COUNT_BIG(*) > 1{}", names.join(", "), source.hint),
    ] {
        let what = phrase!("source.twins", table = table.name);
        if !source.reader().await?.ask(&source.id, what, &sql).await?.is_empty() {
            let (id, key) = (source.id.clone(), table.key.join(", "));
            let what = format!("unique key over the view {} ({key}) without NULLs", table.name);
            return Err(SourceError::Unknown { id, what });
        }
    }
    Ok(())
}

/// Ranges of about `chunk_rows` rows each, at keys that the server sampled; one where there is no key, or nothing to gain.
pub(super) async fn ranges(source: &Arc<Inner>, table: &Table) -> Result<Vec<Bounds>, SourceError> {
    shown::whole(source, table).await?;
    if table.view && !table.key.is_empty() {
        proved(source, table).await?;
    }
    let whole = vec![Bounds::default()];
    let by_rows = table.estimated_rows / source.settings.chunk_rows.max(1);
    let by_bytes = (table.lob_bytes / LOB_BYTES).min(table.estimated_rows / LEAST_ROWS);
    let wanted = by_rows.max(by_bytes).min(MOST_RANGES);
    let Some(columns) = key(table).filter(|_| wanted > 1) else { return Ok(whole) };
    let keys = table.keys_only();
    let sql = sample(source, &keys, &columns, wanted);
    let sampled = match select(source, &keys, sql).await {
        Ok(stream) => tokio::task::spawn_blocking(move || stream.collect::<Result<Vec<_>, _>>()).await,
        Err(e) => return Err(e),
    };
    let sampled = match sampled.map_err(|_| source.broken("sampling ended early"))? {
        Ok(batches) => batches,
        // A server without TABLESAMPLE: one range, which is cut while it is read.
        Err(SourceError::Server { .. }) => return Ok(whole),
        Err(e) => return Err(e),
    };
    let mut all = Vec::new();
    let mut after: Option<Vec<KeyValue>> = None;
    for batch in &sampled {
        for at in 0..batch.num_rows() {
            let Some(key) = key_at(source, &keys, batch, at).filter(|k| after.as_ref() != Some(k)) else {
                continue;
            };
            all.push(Bounds { after, upto: Some(key.clone()) });
            after = Some(key);
        }
    }
    all.push(Bounds { after, upto: None });
    Ok(all)
}

fn sample(source: &Inner, keys: &Table, columns: &[&Column], wanted: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let percent = ((wanted * SAMPLES) as f64 * 100.0 / keys.estimated_rows as f64).clamp(0.01, 100.0);
    let list: Vec<String> = keys
        .columns
        .iter()
        .map(|c| format!("{} AS {}", expression(c, source.unicode), quote(&c.name)))
        .collect();
    let names: Vec<String> = keys.columns.iter().map(|c| format!("s.{}", quote(&c.name))).collect();
    format!(
        "SELECT {} FROM (SELECT {}, ROW_NUMBER() OVER ({}) AS qianyi_n, COUNT_BIG(*) OVER () AS qianyi_of
           FROM {} AS t TABLESAMPLE SYSTEM ({percent:.4} PERCENT) REPEATABLE (1)) AS s
         WHERE (s.qianyi_n * {wanted}) / s.qianyi_of <> ((s.qianyi_n - 1) * {wanted}) / s.qianyi_of
           AND s.qianyi_n < s.qianyi_of ORDER BY s.qianyi_n{}",
        names.join(", "),
        list.join(", "),
        order(columns).trim_start(),
        source.named(&keys.name),
        source.hint
    )
}

/// Streams the rows that `condition` (what follows the table's name) leaves.
pub(super) async fn stream(
    source: &Arc<Inner>,
    table: &Table,
    condition: &str,
) -> Result<ChunkStream, SourceError> {
    let list: Vec<String> = table.columns.iter().map(|c| expression(c, source.unicode)).collect();
    let from = source.named(&table.name);
    let sql = format!("SELECT {} FROM {from} AS t{condition}{}", list.join(", "), source.hint);
    select(source, table, sql).await
}

/// Streams the answer of a statement whose columns are those of `table`.
pub(super) async fn select(
    source: &Arc<Inner>,
    table: &Table,
    sql: String,
) -> Result<ChunkStream, SourceError> {
    let schema = table.schema(&source.id)?;
    steady::check(source, table).await?;
    let rows = Rows::new(source, table, schema)?;
    let reader = source.reader().await?;
    let (to_caller, pieces) = mpsc::channel(QUEUE);
    let source_of_task = source.clone();
    tokio::spawn(async move {
        match read(&source_of_task, rows, reader, &sql, &to_caller).await {
            // Nobody listens any more: the reader was dropped, and its connection with it.
            Ok(Told::Nobody) => {}
            Ok(Told::All) => drop(to_caller.send(Ok(Piece::End)).await),
            Err(e) => drop(to_caller.send(Err(e)).await),
        }
    });
    Ok(ChunkStream::new(&source.id, &table.name, pieces))
}

enum Told {
    All,
    Nobody,
}

async fn read(
    source: &Inner,
    mut rows: Rows,
    mut reader: Reader,
    sql: &str,
    to: &mpsc::Sender<Result<Piece, SourceError>>,
) -> Result<Told, SourceError> {
    let what = phrase!("source.reading", table = rows.table.name);
    let told = rows_of(reader.session()?, sql, &mut rows, to).await;
    match told {
        Ok(Told::All) => {}
        Ok(Told::Nobody) => return Ok(Told::Nobody),
        Err(Broken::Driver(e)) => {
            reader.end(&e);
            return Err(errors::failed(&source.id, what)(e));
        }
        Err(Broken::Ours(e)) => return Err(e),
    }
    reader.release();
    steady::check(source, &rows.table).await?;
    if rows.rows > 0 && to.send(Ok(Piece::Rows(rows.batch()?))).await.is_err() {
        return Ok(Told::Nobody);
    }
    Ok(Told::All)
}

enum Broken {
    Driver(tiberius::error::Error),
    Ours(SourceError),
}

impl From<tiberius::error::Error> for Broken {
    fn from(e: tiberius::error::Error) -> Self {
        Self::Driver(e)
    }
}

impl From<SourceError> for Broken {
    fn from(e: SourceError) -> Self {
        Self::Ours(e)
    }
}

/// Full batches go to the caller; the last one stays in `rows`.
async fn rows_of(
    session: &mut Session,
    sql: &str,
    rows: &mut Rows,
    to: &mpsc::Sender<Result<Piece, SourceError>>,
) -> Result<Told, Broken> {
    let mut stream = session.simple_query(format!("{sql}; {SAID}")).await?;
    let (mut read, mut said) = (0, None);
    while let Some(item) = stream.try_next().await? {
        let QueryItem::Row(row) = item else { continue };
        if row.result_index() > 0 {
            said = answer::int(&row, 0);
            continue;
        }
        rows.push(&row)?;
        read += 1;
        if rows.full() && to.send(Ok(Piece::Rows(rows.batch()?))).await.is_err() {
            return Ok(Told::Nobody);
        }
    }
    // The server counts in 32 bits.
    if said == Some(read) || (said.is_some() && read > i64::from(i32::MAX)) {
        return Ok(Told::All);
    }
    Err(SourceError::Interrupted { id: rows.id.clone(), table: rows.table.name.clone() }.into())
}

/// Rows on their way into a batch.
struct Rows {
    id: String,
    table: Table,
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
}

impl Rows {
    fn new(source: &Inner, table: &Table, schema: SchemaRef) -> Result<Self, SourceError> {
        let mut builders = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let Some(kind) = column.kind else { continue };
            builders.push(ColumnBuilder::new(column, kind));
        }
        Ok(Self { id: source.id.clone(), table: table.clone(), schema, builders, rows: 0, bytes: 0 })
    }

    fn push(&mut self, row: &Row) -> Result<(), SourceError> {
        if row.len() != self.builders.len() {
            return Err(SourceError::Protocol {
                id: self.id.clone(),
                what: "a row with another number of fields than columns".to_owned(),
            });
        }
        for (at, (_, cell)) in row.cells().enumerate() {
            if let tiberius::ColumnData::Binary(Some(bytes)) = cell {
                self.bytes += bytes.len();
            }
            let kind = self.table.columns.get(at).and_then(|c| c.kind);
            let appended = match (self.builders.get_mut(at), kind) {
                (Some(builder), Some(kind)) => append(builder, kind, cell),
                _ => Err("a field too many"),
            };
            appended.map_err(|found| self.misfit(at, found))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn full(&self) -> bool {
        self.rows == BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn batch(&mut self) -> Result<RecordBatch, SourceError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        self.builders.iter_mut().for_each(|b| b.finish(&mut arrays));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| SourceError::Server {
            id: self.id.clone(),
            what: format!("building a batch of {}", self.table.name),
            source: Box::new(e),
        })
    }

    /// Names the row by what was decoded of it so far.
    fn misfit(&mut self, at: usize, found: Misfit) -> SourceError {
        let column = self.table.columns.get(at);
        let name = column.map(|c| c.name.clone()).unwrap_or_default();
        let declared = column.map(|c| c.declared.clone()).unwrap_or_default();
        let mut key = Vec::new();
        for (builder, c) in self.builders.iter_mut().zip(&self.table.columns).take(at) {
            if self.table.key.contains(&c.name) {
                let mut arrays = Vec::new();
                builder.finish(&mut arrays);
                key.push((c.name.clone(), arrays.into_iter().next()));
            }
        }
        let (id, field) = (self.id.clone(), format!("{}.{name}", self.table.name));
        SourceError::Misfit { id, field, declared, key: key_text(&key, self.rows), found }
    }
}
