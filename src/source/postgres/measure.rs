//! Counts and sums that the server itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers; the measures' names and spellings are those of every other source. Text is grouped by its bytes, whatever its
//! collation.

use tokio_postgres::error::SqlState;

use super::super::decode::{Value, spelling};
use super::super::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use super::decode::{expression, padded};
use super::{Inner, quote, session};
use crate::encoding::TextEncoding;
use crate::tally::{LEFT_OUT, SPELLED_DIGITS, last_digit};

fn column<'t>(source: &Inner, table: &'t Table, name: &str) -> Result<(&'t Column, LegacyType), SourceError> {
    let column = table.column(name).ok_or_else(|| SourceError::Unknown {
        id: source.id.clone(),
        what: format!("column {}.{name}", table.name),
    })?;
    let kind = column.kind.ok_or_else(|| SourceError::UnknownType {
        id: source.id.clone(),
        table: table.name.clone(),
        column: name.to_owned(),
        declared: column.declared.clone(),
    })?;
    Ok((column, kind))
}

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
    let (column, kind) = column(source, table, name)?;
    match kind {
        LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit
        | LegacyType::Numeric { scale: 0, .. } => Ok(spelled(column, kind)),
        LegacyType::Numeric { .. }
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::Float
        | LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Date
        | LegacyType::Spelled
        | LegacyType::Offset(_)
        | LegacyType::Binary => Err(SourceError::Unknown {
            id: source.id.clone(),
            what: format!("way to group {} by {name}: it is neither text nor a whole number", table.name),
        }),
    }
}

/// The sums of one column: measure name and SQL. What is no number, or too large for a sum, is in none and is counted.
fn sums(source: &Inner, table: &Table, name: &str) -> Result<Vec<(String, String)>, SourceError> {
    let (column, kind) = column(source, table, name)?;
    let of = expression(column);
    let counted = |unit: &str, fits: String, value: String| {
        let sum = format!("sum(CASE WHEN {fits} THEN {value} END)");
        let left_out = format!("count(CASE WHEN NOT ({fits}) THEN 1 END)");
        vec![(format!("{unit}:{name}"), sum), (format!("{LEFT_OUT}:{name}"), left_out)]
    };
    Ok(match kind {
        LegacyType::BigInt | LegacyType::Int | LegacyType::SmallInt | LegacyType::TinyInt => {
            vec![(format!("int:{name}"), format!("sum({of})"))]
        }
        LegacyType::Bit => vec![(format!("int:{name}"), format!("sum({of}::int)"))],
        LegacyType::Numeric { scale, .. } => {
            let digits = u32::from(scale.unsigned_abs());
            counted(last_digit(digits), format!("{of} <> 'NaN'"), format!("{of} * {}", 10_i128.pow(digits)))
        }
        LegacyType::Float => {
            let cut = format!("trunc({of} * 10000)");
            // A product that is too large would be an error.
            let fits = format!(
                "CASE WHEN {of} IS NULL THEN NULL WHEN abs({of}) < 1e300 THEN abs({cut}) < 9223372036854775807::double precision ELSE false END"
            );
            counted("e4", fits, format!("{cut}::bigint"))
        }
        // Digits as text: those of a numeric without a precision.
        LegacyType::Spelled if column.declared.starts_with("numeric") => {
            let of = quote(name);
            let cut = format!("trunc({of} * {})", 10_i128.pow(SPELLED_DIGITS));
            counted(
                last_digit(SPELLED_DIGITS),
                format!("{of}::text NOT IN ('NaN', 'Infinity', '-Infinity')"),
                cut,
            )
        }
        LegacyType::CodePageText | LegacyType::Unicode => vec![
            (format!("values:{name}"), format!("count({})", quote(name))),
            (format!("bytes:{name}"), format!("sum(octet_length({}))", spelled(column, kind))),
        ],
        LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Date
        | LegacyType::Spelled
        | LegacyType::Offset(_)
        | LegacyType::Binary => {
            return Err(SourceError::Unknown {
                id: source.id.clone(),
                what: format!("way to sum {}.{name}: it is no amount", table.name),
            });
        }
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
    let mut measures = vec![("rows".to_owned(), "count(*)".to_owned())];
    for name in &asked.amounts {
        measures.extend(sums(source, table, name)?);
    }
    let mut columns = by.clone();
    columns.extend(measures.iter().map(|(_, sql)| format!("({sql})::bigint")));
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), source.from(table));
    if !by.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", by.join(", ")));
    }
    let reader = source.reader_of(table).await?;
    let rows = session::rows(reader.client()?, &sql, &[]).await;
    reader.release().await;
    let rows = rows.map_err(|e| match e.code() {
        Some(c) if *c == SqlState::NUMERIC_VALUE_OUT_OF_RANGE => SourceError::Unknown {
            id: source.id.clone(),
            what: format!("way to hold the sums of {}: one has more than 18 digits", table.name),
        },
        _ => source.failed(format!("summing {}", table.name))(e),
    })?;
    let mut answers = Vec::new();
    for row in rows {
        let mut spelled_by = Vec::with_capacity(by.len());
        for (at, name) in asked.by.iter().enumerate() {
            spelled_by.push(said(encoding(table, name), row.get::<_, Option<&[u8]>>(at)));
        }
        for (at, (measure, _)) in measures.iter().enumerate() {
            let value = row.get::<_, Option<i64>>(by.len() + at).unwrap_or(0);
            // That nothing was left out needs no line.
            if value == 0 && measure.starts_with(LEFT_OUT) {
                continue;
            }
            answers.push(Measured { by: spelled_by.clone(), measure: measure.clone(), value });
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
    let (of, kind) = column(source, table, name)?;
    let sql = format!(
        "SELECT {} AS v, count(*) AS n FROM {} GROUP BY 1 ORDER BY n DESC, v NULLS FIRST LIMIT {limit}",
        spelled(of, kind),
        source.from(table)
    );
    let reader = source.reader_of(table).await?;
    let rows = session::rows(reader.client()?, &sql, &[]).await;
    let rows = rows.map_err(source.failed(format!("listing values of {}", table.name)))?;
    reader.release().await;
    let found = rows.iter().map(|row| Frequency {
        value: said(encoding(table, name), row.get::<_, Option<&[u8]>>(0)),
        rows: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
    });
    Ok(found.collect())
}
