//! Rows of a SQLite table: counting, cutting into ranges, reading, decoding.
//!
//! Always: one thread steps the statement and only copies values; another turns them into Arrow. Ranges follow the declared primary
//! key where all its columns are NOT NULL, else the row id; a view, which has neither, is one range in the order that SQLite gives.
//! Bounds keep the storage class and the very bytes of their keys: to SQLite '1', x'31' and 1 are three keys in a fixed order.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Row, ToSql, params_from_iter};
use tokio::sync::mpsc::{Receiver, Sender};

use super::{Inner, catalogue, quote};
use crate::dataset::BATCH_ROWS;
use crate::durable::hex;
use crate::phrase;
use crate::source::chunk::{Bounds, KeyValue, Piece};
use crate::source::decode::{ColumnBuilder, Value};
use crate::source::{Column, SourceError, Table};

/// Bytes of text and images after which a batch is handed on, however few its rows.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Exact rows of a table.
pub(super) fn count(source: &Inner, table: &Table) -> Result<u64, SourceError> {
    described(source, table)?;
    source
        .db()
        .query_row(&format!("SELECT COUNT(*) FROM {}", quote(&table.name)), [], |r| r.get::<_, i64>(0))
        .map(|n| u64::try_from(n).unwrap_or(0))
        .map_err(source.failed(phrase!("source.counting", table = table.name)))
}

/// What orders a table: the key's columns, or the row id; nothing for a view.
fn order(source: &Inner, table: &Table) -> Result<Vec<String>, SourceError> {
    if table.view {
        return Ok(Vec::new());
    }
    let solid = |name: &String| table.column(name).is_some_and(|c| !c.nullable);
    if !table.key.is_empty() && table.key.iter().all(solid) {
        return Ok(table.key.iter().map(|c| quote(c)).collect());
    }
    let id = catalogue::row_id(&source.db(), &table.name, &all_columns(table))
        .map_err(source.failed(phrase!("source.looking", table = table.name)))?;
    match id {
        Some(id) => Ok(vec![id.to_owned()]),
        None if table.key.is_empty() => Err(SourceError::Unknown {
            id: source.id.clone(),
            what: format!("order of the rows of {}", table.name),
        }),
        None => Ok(table.key.iter().map(|c| quote(c)).collect()),
    }
}

/// The columns of a table, read or not: each may hide a name of the row id.
fn all_columns(table: &Table) -> Vec<Column> {
    table.columns.iter().chain(&table.unread).cloned().collect()
}

/// A table that cannot even be described is refused by name, with SQLite's own word for it.
pub(super) fn described(source: &Inner, table: &Table) -> Result<(), SourceError> {
    if !table.columns.is_empty() || !table.unread.is_empty() {
        return Ok(());
    }
    match catalogue::broken(source, &table.name) {
        Some(why) => {
            Err(SourceError::Broken { id: source.id.clone(), table: table.name.clone(), why: why.into() })
        }
        None => Ok(()),
    }
}

fn tuple(parts: &[String]) -> String {
    format!("({})", parts.join(", "))
}

/// The place of a value in a statement.
fn mark(value: &KeyValue, number: usize) -> String {
    match value {
        KeyValue::Untext(_) => format!("CAST(?{number} AS TEXT)"),
        KeyValue::Int(_) | KeyValue::Real(_) | KeyValue::Text(_) | KeyValue::Bytes(_) => format!("?{number}"),
    }
}

fn condition(order: &[String], bounds: &Bounds) -> String {
    let marks = |values: &[KeyValue], from: usize| {
        tuple(&values.iter().zip(from..).map(|(value, n)| mark(value, n)).collect::<Vec<_>>())
    };
    let mut parts = Vec::new();
    if let Some(after) = &bounds.after {
        parts.push(format!("{} > {}", tuple(order), marks(after, 1)));
    }
    if let Some(upto) = &bounds.upto {
        let from = bounds.after.as_ref().map_or(0, Vec::len) + 1;
        parts.push(format!("{} <= {}", tuple(order), marks(upto, from)));
    }
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

fn parameters(bounds: &Bounds) -> impl Iterator<Item = &KeyValue> {
    bounds.after.iter().flatten().chain(bounds.upto.iter().flatten())
}

impl ToSql for KeyValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Int(v) => ToSqlOutput::from(*v),
            Self::Real(v) => ToSqlOutput::from(*v),
            Self::Text(v) => ToSqlOutput::from(v.as_str()),
            // Bound as a value of bytes, and made text by the statement (`mark`).
            Self::Untext(v) | Self::Bytes(v) => ToSqlOutput::Owned(SqlValue::Blob(unhex(v))),
        })
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0);
    text.as_bytes()
        .chunks_exact(2)
        .map(|p| u8::try_from(digit(p[0]) * 16 + digit(p[1])).unwrap_or(0))
        .collect()
}

fn key_values(row: &Row<'_>, width: usize) -> rusqlite::Result<Vec<KeyValue>> {
    (0..width)
        .map(|at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => KeyValue::Text(String::new()),
                ValueRef::Integer(v) => KeyValue::Int(v),
                ValueRef::Real(v) => KeyValue::Real(v),
                ValueRef::Text(v) => match std::str::from_utf8(v) {
                    Ok(text) => KeyValue::Text(text.to_owned()),
                    Err(_) => KeyValue::Untext(hex(v)),
                },
                ValueRef::Blob(v) => KeyValue::Bytes(hex(v)),
            })
        })
        .collect()
}

/// Ranges of `chunk_rows` rows each, the last one open.
pub(super) fn chunks(source: &Inner, table: &Table) -> Result<Vec<Bounds>, SourceError> {
    described(source, table)?;
    let order = order(source, table)?;
    if order.is_empty() {
        return Ok(vec![Bounds::default()]);
    }
    let columns = order.join(", ");
    let mut left = count(source, table)?;
    let (mut all, mut after) = (Vec::new(), None);
    let db = source.db();
    while left > source.chunk_rows {
        let from = Bounds { after: after.clone(), upto: None };
        let text = format!(
            "SELECT {columns} FROM {}{} ORDER BY {columns} LIMIT 1 OFFSET {}",
            quote(&table.name),
            condition(&order, &from),
            source.chunk_rows - 1
        );
        let upto = db
            .query_row(&text, params_from_iter(parameters(&from)), |r| key_values(r, order.len()))
            .map_err(source.failed(phrase!("source.cutting", table = table.name)))?;
        all.push(Bounds { after, upto: Some(upto.clone()) });
        after = Some(upto);
        left -= source.chunk_rows;
    }
    all.push(Bounds { after, upto: None });
    Ok(all)
}

/// What one range's threads share.
#[derive(Clone)]
pub(super) struct Range {
    pub table: Arc<Table>,
    pub schema: SchemaRef,
    pub bounds: Bounds,
}

/// The statement that reads a range; whether its last column is the row id, for messages.
fn statement(source: &Inner, range: &Range) -> Result<(String, bool), SourceError> {
    let table = &range.table;
    let order = order(source, table)?;
    let row_id = catalogue::row_id(&source.db(), &table.name, &all_columns(table))
        .map_err(source.failed(phrase!("source.looking", table = table.name)))?;
    let mut columns: Vec<String> = table.columns.iter().map(|c| quote(&c.name)).collect();
    columns.extend(row_id.map(str::to_owned));
    let sorted = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let text = format!(
        "SELECT {} FROM {}{}{sorted}",
        columns.join(", "),
        quote(&table.name),
        condition(&order, &range.bounds),
    );
    Ok((text, row_id.is_some()))
}

#[derive(Clone, Copy)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(u32, u32),
    Bytes(u32, u32),
}

/// Values of some rows, copied out of the database as they are.
pub(super) struct Copied {
    rows: usize,
    width: usize,
    /// The last column is the row id.
    row_id: bool,
    cells: Vec<Cell>,
    data: Vec<u8>,
}

impl Copied {
    fn new(width: usize, row_id: bool) -> Self {
        Self { rows: 0, width, row_id, cells: Vec::with_capacity(width * BATCH_ROWS), data: Vec::new() }
    }

    fn push(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        for at in 0..self.width {
            let cell = match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(v) => Cell::Int(v),
                ValueRef::Real(v) => Cell::Real(v),
                ValueRef::Text(v) => self.keep(v, Cell::Text),
                ValueRef::Blob(v) => self.keep(v, Cell::Bytes),
            };
            self.cells.push(cell);
        }
        self.rows += 1;
        Ok(())
    }

    /// A batch is handed on at [`BATCH_BYTES`] and a value is at most 2 GB: both fit.
    #[allow(clippy::cast_possible_truncation)]
    fn keep(&mut self, bytes: &[u8], cell: fn(u32, u32) -> Cell) -> Cell {
        let at = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        cell(at, bytes.len() as u32)
    }

    fn full(&self) -> bool {
        self.rows == BATCH_ROWS || self.data.len() >= BATCH_BYTES
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let slice = |at: u32, len: u32| &self.data[at as usize..][..len as usize];
        match self.cells[row * self.width + column] {
            Cell::Null => Value::Null,
            Cell::Int(v) => Value::Int(v),
            Cell::Real(v) => Value::Real(v),
            Cell::Text(at, len) => Value::Text(slice(at, len)),
            Cell::Bytes(at, len) => Value::Bytes(slice(at, len)),
        }
    }
}

/// What the reading thread hands to the decoding one; `None` is the end mark.
type Handed = Result<Option<Copied>, SourceError>;

/// Steps through the range; ends early when nobody listens any more.
pub(super) fn read(source: &Inner, range: &Range, to: &Sender<Handed>) {
    if let Err(e) = stepped(source, range, to) {
        let _ = to.blocking_send(Err(e));
    }
}

fn stepped(source: &Inner, range: &Range, to: &Sender<Handed>) -> Result<(), SourceError> {
    let (text, row_id) = statement(source, range)?;
    // Worded where something fails, not with every row.
    let failed = |e| source.failed(phrase!("source.reading", table = range.table.name))(e);
    let width = range.table.columns.len() + usize::from(row_id);
    let db = source.db();
    let mut query = db.prepare(&text).map_err(failed)?;
    let mut rows = query.query(params_from_iter(parameters(&range.bounds))).map_err(failed)?;
    let mut copied = Copied::new(width, row_id);
    while let Some(row) = rows.next().map_err(failed)? {
        copied.push(row).map_err(failed)?;
        if copied.full() {
            let full = std::mem::replace(&mut copied, Copied::new(width, row_id));
            if to.blocking_send(Ok(Some(full))).is_err() {
                return Ok(());
            }
        }
    }
    if to.blocking_send(Ok(Some(copied))).is_ok() {
        let _ = to.blocking_send(Ok(None));
    }
    Ok(())
}

/// Turns copied values into batches; ends early when nobody listens any more.
pub(super) fn decode(
    source: &Inner,
    range: &Range,
    mut from: Receiver<Handed>,
    to: &Sender<Result<Piece, SourceError>>,
) {
    let mut builders: Vec<ColumnBuilder> =
        range.table.columns.iter().filter_map(|c| c.kind.map(|kind| ColumnBuilder::new(c, kind))).collect();
    while let Some(handed) = from.blocking_recv() {
        let piece = match handed {
            Ok(Some(copied)) => batch(source, range, &mut builders, &copied).map(Piece::Rows),
            Ok(None) => Ok(Piece::End),
            Err(e) => Err(e),
        };
        let failed = piece.is_err();
        if to.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

fn batch(
    source: &Inner,
    range: &Range,
    builders: &mut [ColumnBuilder],
    copied: &Copied,
) -> Result<RecordBatch, SourceError> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(range.schema.fields().len());
    for (at, builder) in builders.iter_mut().enumerate() {
        for row in 0..copied.rows {
            builder
                .append(copied.value(row, at))
                .map_err(|found| misfit(source, range, copied, row, at, found))?;
        }
        builder.finish(&mut arrays);
    }
    RecordBatch::try_new(range.schema.clone(), arrays).map_err(|e| SourceError::Database {
        id: source.id.clone(),
        what: format!("building a batch of {}", range.table.name),
        source: Box::new(e),
    })
}

fn misfit(
    source: &Inner,
    range: &Range,
    copied: &Copied,
    row: usize,
    at: usize,
    found: &'static str,
) -> SourceError {
    let column = &range.table.columns[at];
    SourceError::Misfit {
        id: source.id.clone(),
        field: format!("{}.{}", range.table.name, column.name),
        declared: column.declared.clone(),
        key: key_text(range, copied, row),
        found,
    }
}

/// The row, without what may be personal: number keys and the row id; text keys are only named.
fn key_text(range: &Range, copied: &Copied, row: usize) -> String {
    let place = |name: &String| range.table.columns.iter().position(|c| c.name == *name);
    let mut parts: Vec<String> = range
        .table
        .key
        .iter()
        .filter_map(|name| place(name).map(|at| (name, copied.value(row, at))))
        .map(|(name, value)| match value {
            Value::Int(v) => format!("{name} = {v}"),
            Value::Null
            | Value::Real(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Decimal(_, _)
            | Value::Micros(_)
            | Value::Day(_) => format!("{name} = ***"),
        })
        .collect();
    if copied.row_id
        && let Value::Int(id) = copied.value(row, copied.width - 1)
    {
        parts.push(format!("row id {id}"));
    }
    parts.join(", ")
}
