//! Rows of a PostgreSQL table: counting, cutting into ranges of keys, streaming them as Arrow.
//!
//! Always: ranges compare on the server, under the column's own collation. A stream ends with its end mark or with an error.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use tokio::sync::mpsc;
use tokio_postgres::types::{FromSql, Type};

use super::super::chunk::{Bounds, KeyValue, Piece, QUEUE, key_value};
use super::super::{ChunkStream, Column, LegacyType, SourceError, Table};
use super::decode::{expression, padded};
use super::rows::Rows;
use super::session::{self, Reader};
use super::{CopyForm, Inner, quote};
use crate::durable::hex;
use crate::encoding::TextEncoding;
use crate::phrase;

/// Sampled keys for each range that is wanted. They come by whole pages of neighbours, so it takes many for ranges of like length.
const SAMPLES: u64 = 4000;
/// More ranges than this are not planned; longer ones are cut while they are read.
const MOST_RANGES: u64 = 1000;

/// Exact rows of a table.
pub(super) async fn count(source: &Inner, table: &Table) -> Result<u64, SourceError> {
    let reader = source.reader_of(table).await?;
    let found =
        session::rows(reader.client()?, &format!("SELECT count(*) FROM {}", source.from(table)), &[]).await;
    let found = match found {
        Ok(found) => found,
        Err(e) => {
            drop(reader);
            return Err(source.cannot_read(table, e).await);
        }
    };
    reader.release().await;
    Ok(found.first().map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}

/// A key's column, if ranges can be made of it.
fn orders(column: &Column) -> bool {
    column.kind.is_some_and(|kind| match kind {
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Numeric { .. }
        | LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::Date => true,
        LegacyType::Spelled => column.declared == "uuid",
        LegacyType::Bit
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::Float
        | LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Offset(_)
        | LegacyType::Binary => false,
    })
}

/// The key's columns, if ranges can be made of them.
fn key(table: &Table) -> Option<Vec<&Column>> {
    let columns: Vec<&Column> = table.key.iter().filter_map(|n| table.column(n)).collect();
    let whole = !columns.is_empty() && columns.len() == table.key.len();
    (whole && columns.iter().all(|c| orders(c))).then_some(columns)
}

/// A value of a key in SQL, in the column's own type. A plain constant: a function's result (`convert_from`) would bring a collation of its
/// own into the comparison.
fn literal(column: &Column, value: &KeyValue) -> String {
    let typed = |text: &str| format!("'{text}'::{}", column.declared);
    match value {
        KeyValue::Int(v) => typed(&v.to_string()),
        KeyValue::Real(v) => typed(&v.to_string()),
        KeyValue::Text(v) => format!("E{}", typed(&v.bytes().map(escaped).collect::<String>())),
        KeyValue::Bytes(v) | KeyValue::Untext(v) => {
            let pairs = v.as_bytes().chunks(2).map(String::from_utf8_lossy);
            format!("E{}", typed(&pairs.map(|pair| format!("\\x{pair}")).collect::<String>()))
        }
    }
}

/// A byte in a constant with escapes, which mean the same whatever the server's settings are.
fn escaped(byte: u8) -> String {
    if (byte.is_ascii_graphic() || byte == b' ') && !matches!(byte, b'\'' | b'\\') {
        char::from(byte).to_string()
    } else {
        format!("\\x{byte:02x}")
    }
}

fn row(parts: impl Iterator<Item = String>) -> String {
    format!("({})", parts.collect::<Vec<_>>().join(", "))
}

/// What follows the table's name: `WHERE … ORDER BY …`.
pub(super) fn condition(table: &Table, bounds: &Bounds) -> Result<String, SourceError> {
    let Some(columns) = key(table) else { return Ok(String::new()) };
    let names = row(columns.iter().map(|c| quote(&c.name)));
    let values = |of: &[KeyValue]| row(columns.iter().zip(of).map(|(c, v)| literal(c, v)));
    let mut parts = Vec::new();
    if let Some(after) = &bounds.after {
        parts.push(format!("{names} > {}", values(after)));
    }
    if let Some(upto) = &bounds.upto {
        parts.push(format!("{names} <= {}", values(upto)));
    }
    let order: Vec<String> = columns.iter().map(|c| quote(&c.name)).collect();
    let within = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    Ok(format!("{within} ORDER BY {}", order.join(", ")))
}

/// The key of a row of a batch, as a bound.
pub(super) fn key_at(table: &Table, batch: &RecordBatch, at: usize) -> Option<Vec<KeyValue>> {
    // The server compares what it stores; what was decoded strictly encodes to the same bytes again.
    let stored = |(value, encoding)| match (value, encoding) {
        (KeyValue::Text(text), Some(TextEncoding::CodePage(page))) if !text.is_ascii() => {
            KeyValue::Bytes(hex(&page.encode(&text).0))
        }
        (value, _) => value,
    };
    let value = |c: &Column| Some((key_value(batch, &c.name, at)?, c.encoding));
    key(table)?.into_iter().map(|c| value(c).map(stored)).collect()
}

/// Ranges of about `chunk_rows` rows each, at keys that the server sampled; one where there is no key, or nothing to gain.
pub(super) async fn ranges(source: &Inner, table: &Table) -> Result<Vec<Bounds>, SourceError> {
    let whole = vec![Bounds::default()];
    let rows = source.settings.chunk_rows.max(1);
    let wanted = (table.estimated_rows / rows).min(MOST_RANGES);
    let Some(columns) = key(table).filter(|_| wanted > 1) else { return Ok(whole) };
    #[allow(clippy::cast_precision_loss)]
    let percent = ((wanted * SAMPLES) as f64 * 100.0 / table.estimated_rows as f64).clamp(0.01, 100.0);
    let names: Vec<String> = columns.iter().map(|c| quote(&c.name)).collect();
    let list = names.join(", ");
    let texts: Vec<String> = columns.iter().map(|c| sample_text(c)).collect();
    let sql = format!(
        "SELECT {} FROM (SELECT {list}, row_number() OVER (ORDER BY {list}) AS n, count(*) OVER () AS of
           FROM {} TABLESAMPLE SYSTEM ({percent:.4}) REPEATABLE (1)) s
         WHERE (n * {wanted} / of) <> ((n - 1) * {wanted} / of) AND n < of ORDER BY {list}",
        texts.join(", "),
        source.from(table)
    );
    let reader = source.reader_of(table).await?;
    let sampled = session::rows(reader.client()?, &sql, &[]).await;
    reader.release().await;
    let sampled = match sampled {
        Ok(rows) => rows,
        // A server without TABLESAMPLE, or a view: one range, which is cut while it is read.
        Err(e) if e.code().is_some_and(|state| !super::is_transient(state)) => return Ok(whole),
        Err(e) => return Err(source.failed(phrase!("source.cutting", table = table.name))(e)),
    };
    let mut all = Vec::new();
    let mut after: Option<Vec<KeyValue>> = None;
    for row in sampled {
        let key: Vec<KeyValue> =
            columns.iter().enumerate().map(|(at, c)| sampled_value(c, &row.get::<_, Vec<u8>>(at))).collect();
        if after.as_ref() == Some(&key) {
            continue;
        }
        all.push(Bounds { after, upto: Some(key.clone()) });
        after = Some(key);
    }
    all.push(Bounds { after, upto: None });
    Ok(all)
}

/// A sampled key's part as bytes, however it is stored.
fn sample_text(column: &Column) -> String {
    let name = quote(&column.name);
    if padded(&column.declared) { format!("bpcharsend({name})") } else { format!("textsend({name}::text)") }
}

fn sampled_value(column: &Column, bytes: &[u8]) -> KeyValue {
    match (column.kind, std::str::from_utf8(bytes)) {
        (Some(LegacyType::BigInt | LegacyType::Int | LegacyType::SmallInt), Ok(text)) => {
            text.parse().map_or_else(|_| KeyValue::Text(text.to_owned()), KeyValue::Int)
        }
        (_, Ok(text)) if text.is_ascii() => KeyValue::Text(text.to_owned()),
        (_, Ok(_) | Err(_)) => KeyValue::Bytes(hex(bytes)),
    }
}

/// Streams the rows that `condition` (what follows the table's name) leaves.
pub(super) async fn stream(
    source: &Arc<Inner>,
    table: &Table,
    condition: &str,
) -> Result<ChunkStream, SourceError> {
    let schema = table.schema(&source.id)?;
    let list: Vec<String> = table.columns.iter().map(expression).collect();
    let select = format!("SELECT {} FROM {}{condition}", list.join(", "), source.from(table));
    let permit = source
        .reading
        .clone()
        .acquire_owned()
        .await
        .map_err(|_| SourceError::Interrupted { id: source.id.clone(), table: table.name.clone() })?;
    let reader = source.reader_of(table).await?;
    let (to_caller, pieces) = mpsc::channel(QUEUE);
    let rows = Rows::new(source, table, schema);
    let form = source.copy;
    tokio::spawn(async move {
        let read = match form {
            CopyForm::Binary => copied(rows, &reader, &select, &to_caller).await,
            CopyForm::Rows => queried(rows, &reader, &select, &to_caller).await,
        };
        match read {
            // Nobody listens any more: the reader is dropped, and its connection with it.
            Ok(Told::Nobody) => {}
            Ok(Told::All) => {
                reader.release().await;
                drop(permit);
                let _ = to_caller.send(Ok(Piece::End)).await;
            }
            Err(e) => {
                drop(reader);
                let _ = to_caller.send(Err(e)).await;
            }
        }
    });
    Ok(ChunkStream::new(&source.id, &table.name, pieces))
}

enum Told {
    All,
    Nobody,
}

type To = mpsc::Sender<Result<Piece, SourceError>>;

async fn copied(mut rows: Rows, reader: &Reader, select: &str, to: &To) -> Result<Told, SourceError> {
    let (id, table) = (rows.id().to_owned(), rows.table().to_owned());
    // Worded where something fails, not with every message.
    let failed = |e| super::failed(&id, phrase!("source.reading", table))(e);
    let copy = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
    let stream = reader.client()?.copy_out(&copy).await.map_err(failed)?;
    let mut stream = std::pin::pin!(stream);
    while let Some(bytes) = stream.try_next().await.map_err(failed)? {
        rows.take(&bytes);
        while rows.row()? {
            if rows.full() && to.send(Ok(Piece::Rows(rows.batch()?))).await.is_err() {
                return Ok(Told::Nobody);
            }
        }
    }
    if !rows.ended() {
        return Err(SourceError::Interrupted { id, table });
    }
    rest(rows, to).await
}

async fn rest(mut rows: Rows, to: &To) -> Result<Told, SourceError> {
    if !rows.is_empty() && to.send(Ok(Piece::Rows(rows.batch()?))).await.is_err() {
        return Ok(Told::Nobody);
    }
    Ok(Told::All)
}

/// A binary field as it came, whatever its type.
struct Field<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

async fn queried(mut rows: Rows, reader: &Reader, select: &str, to: &To) -> Result<Told, SourceError> {
    let (id, table) = (rows.id().to_owned(), rows.table().to_owned());
    // Worded where something fails, not with every message.
    let failed = |e| super::failed(&id, phrase!("source.reading", table))(e);
    let none: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 0] = [];
    let stream = reader.client()?.query_typed_raw(select, none).await.map_err(failed)?;
    let mut stream = std::pin::pin!(stream);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        for at in 0..row.len() {
            let field: Option<Field<'_>> = row.try_get(at).map_err(failed)?;
            rows.field(field.map(|f| f.0))?;
        }
        rows.end_row()?;
        if rows.full() && to.send(Ok(Piece::Rows(rows.batch()?))).await.is_err() {
            return Ok(Told::Nobody);
        }
    }
    rest(rows, to).await
}
