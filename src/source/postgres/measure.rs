//! Counts and sums that the server itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers; the measures' names and spellings are those of every other source. Text is grouped by its bytes, whatever its
//! collation.

use super::super::decode::{Value, spelling};
use super::super::summed::{self, Adds};
use super::super::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use super::decode::{expression, padded};
use super::{Inner, quote, session};
use crate::encoding::TextEncoding;
use crate::measures::{LARGEST_SUM, LEFT_OUT, SPELLED_DIGITS, last_digit};
use crate::phrase;

/// Digits of a sum of as many values as a table can have, each of 38.
const DIGITS: u32 = 60;

/// The bytes of a value's spelling; NULL stays NULL.
fn spelled(column: &Column, kind: LegacyType) -> String {
    let name = quote(&column.name);
    match kind {
        LegacyType::CodePageText | LegacyType::Unicode => {
            if padded(&column.declared) {
                format!("bpcharsend({name})")
            } else {
                format!("textsend({name}::text)")
            }
        }
        LegacyType::Bit => format!("textsend({name}::int::text)"),
        LegacyType::Binary => name,
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Numeric { .. }
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::Float
        | LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Date
        | LegacyType::Spelled
        | LegacyType::Offset(_) => format!("textsend({name}::text)"),
    }
}

/// What a column is grouped by: text or a whole number.
fn group(source: &Inner, table: &Table, name: &str) -> Result<String, SourceError> {
    summed::group(&source.id, table, name).map(|(column, kind)| spelled(column, kind))
}

/// A sum of one column.
struct Sum {
    name: String,
    column: String,
    sql: String,
}

/// The sums of one column. What is no number, or too large for a sum, is in none and is counted.
fn sums(source: &Inner, table: &Table, name: &str) -> Result<Vec<Sum>, SourceError> {
    let (column, kind) = summed::column(&source.id, table, name)?;
    let of = expression(column);
    let one = |unit: &str, sql: String| Sum { name: format!("{unit}:{name}"), column: name.to_owned(), sql };
    let counted = |unit: &str, fits: String, value: String| {
        let left_out = format!("count(CASE WHEN NOT ({fits}) THEN 1 END)");
        vec![one(unit, format!("sum(CASE WHEN {fits} THEN {value} END)")), one(LEFT_OUT, left_out)]
    };
    Ok(match Adds::of(kind) {
        Some(Adds::Whole) if kind == LegacyType::Bit => vec![one("int", format!("sum({of}::int)"))],
        Some(Adds::Whole) => vec![one("int", format!("sum({of})"))],
        Some(Adds::Exact { scale, .. }) => {
            let digits = u32::from(scale);
            counted(last_digit(digits), format!("{of} <> 'NaN'"), format!("{of} * {}", 10_i128.pow(digits)))
        }
        Some(Adds::Float) => {
            let cut = format!("trunc({of} * 10000)");
            // A product that is too large would be an error.
            let fits = format!(
                "CASE WHEN {of} IS NULL THEN NULL WHEN abs({of}) < 1e300 THEN abs({cut}) < 9223372036854775807::double precision ELSE false END"
            );
            counted("e4", fits, format!("{cut}::bigint"))
        }
        Some(Adds::Text) => vec![
            one("values", format!("count({})", quote(name))),
            one("bytes", format!("sum(octet_length({}))", spelled(column, kind))),
        ],
        // Digits as text: those of a numeric without a precision. NaN is larger than any number.
        None if kind == LegacyType::Spelled && column.declared.starts_with("numeric") => {
            let of = quote(name);
            let unit = 10_i128.pow(SPELLED_DIGITS);
            let fits = format!("abs({of}) < {}", (LARGEST_SUM + 1) / unit);
            counted(last_digit(SPELLED_DIGITS), fits, format!("trunc({of} * {unit})"))
        }
        None => return Err(summed::no_amount(&source.id, table, name)),
    })
}

/// A spelling that came as bytes.
fn said(encoding: TextEncoding, bytes: Option<&[u8]>) -> String {
    spelling(bytes.map_or(Value::Null, Value::Bytes), encoding)
}

/// In which encoding a column's text is shown.
fn encoding(table: &Table, name: &str) -> TextEncoding {
    table.column(name).and_then(|c| c.encoding).unwrap_or(TextEncoding::Utf8)
}

/// Whether these columns can be grouped by and summed.
pub(super) fn measurable(source: &Inner, table: &Table, asked: &TableMeasures) -> Result<(), SourceError> {
    asked.by.iter().try_for_each(|c| group(source, table, c).map(drop))?;
    asked.amounts.iter().try_for_each(|c| sums(source, table, c).map(drop))
}

/// Rows, and the sums of every amount, by group; a NULL amount counts as nothing.
pub(super) async fn measure(
    source: &Inner,
    table: &Table,
    asked: &TableMeasures,
) -> Result<Vec<Measured>, SourceError> {
    let by = asked.by.iter().map(|n| group(source, table, n)).collect::<Result<Vec<_>, _>>()?;
    let rows = Sum { name: "rows".to_owned(), column: String::new(), sql: "count(*)".to_owned() };
    let mut measures = vec![rows];
    for name in &asked.amounts {
        measures.extend(sums(source, table, name)?);
    }
    let mut columns = by.clone();
    // As text: no integer of the server holds every sum, and its numeric has more digits than ours.
    columns.extend(measures.iter().map(|m| format!("({})::numeric({DIGITS}, 0)::text", m.sql)));
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), source.from(table));
    if !by.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", by.join(", ")));
    }
    let reader = source.reader_of(table).await?;
    let rows = session::rows(reader.client()?, &sql, &[]).await;
    reader.release().await;
    let rows = rows.map_err(source.failed(phrase!("source.summing", table = table.name)))?;
    let mut answers = Vec::new();
    for row in rows {
        let mut spelled_by = Vec::with_capacity(by.len());
        for (at, name) in asked.by.iter().enumerate() {
            spelled_by.push(said(encoding(table, name), row.get::<_, Option<&[u8]>>(at)));
        }
        for (at, Sum { name, column, .. }) in measures.iter().enumerate() {
            let value = row.get::<_, Option<&str>>(by.len() + at).map_or(Ok(0), str::parse::<i128>);
            let value = value.map_err(|_| summed::too_large(&source.id, table, column))?;
            // That nothing was left out needs no line.
            if value == 0 && name.starts_with(LEFT_OUT) {
                continue;
            }
            answers.push(Measured { by: spelled_by.clone(), measure: name.clone(), value });
        }
    }
    answers.sort_unstable();
    Ok(answers)
}

/// Distinct values with their rows, most frequent first.
pub(super) async fn frequencies(
    source: &Inner,
    table: &Table,
    name: &str,
    limit: u64,
) -> Result<Vec<Frequency>, SourceError> {
    let (of, kind) = summed::column(&source.id, table, name)?;
    let sql = format!(
        "SELECT {} AS v, count(*) AS n FROM {} GROUP BY 1 ORDER BY n DESC, v NULLS FIRST LIMIT {limit}",
        spelled(of, kind),
        source.from(table)
    );
    let reader = source.reader_of(table).await?;
    let rows = session::rows(reader.client()?, &sql, &[]).await;
    let rows = rows.map_err(source.failed(phrase!("source.listing", table = table.name)))?;
    reader.release().await;
    let found = rows.iter().map(|row| Frequency {
        value: said(encoding(table, name), row.get::<_, Option<&[u8]>>(0)),
        rows: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
    });
    Ok(found.collect())
}
