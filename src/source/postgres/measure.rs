//! Counts and sums that the server itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers; the measures' names and spellings are those of every other source. Text is grouped by its bytes, whatever its
//! collation.

use super::super::decode::{Value, spelling};
use super::super::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use super::{Inner, quote};
use crate::encoding::TextEncoding;
use crate::tally::last_digit;

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
            match column.declared.split('(').next().unwrap_or_default() {
                // A cast to text would lose the padding.
                "character" => format!("bpcharsend({name})"),
                _ => format!("textsend({name}::text)"),
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
        | LegacyType::Bit => Ok(spelled(column, kind)),
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

/// The sums of one column: measure name and SQL.
fn sums(source: &Inner, table: &Table, name: &str) -> Result<Vec<(String, String)>, SourceError> {
    let (_, kind) = column(source, table, name)?;
    let of = quote(name);
    let exact = |scale: u32| format!("sum({of}::numeric * {})", 10_i128.pow(scale));
    let one = |unit: &str, text: String| vec![(format!("{unit}:{name}"), text)];
    Ok(match kind {
        LegacyType::BigInt | LegacyType::Int | LegacyType::SmallInt | LegacyType::TinyInt => {
            one("int", format!("sum({of})"))
        }
        LegacyType::Bit => one("int", format!("sum({of}::int)")),
        LegacyType::Numeric { scale, .. } => {
            let digits = u32::from(scale.unsigned_abs());
            one(last_digit(digits), exact(digits))
        }
        LegacyType::Money | LegacyType::SmallMoney => one("e4", exact(4)),
        LegacyType::Float => one("e4", format!("sum(trunc({of}::double precision * 10000)::bigint)")),
        LegacyType::CodePageText | LegacyType::Unicode => vec![
            (format!("values:{name}"), format!("count({of})")),
            (format!("bytes:{name}"), format!("sum(octet_length({of}))")),
        ],
        LegacyType::DateTime
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
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), source.named(&table.name));
    if !by.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", by.join(", ")));
    }
    let reader = source.reader().await?;
    let rows = reader.client()?.query(&sql, &[]).await;
    let rows = rows.map_err(source.failed(format!("summing {}", table.name)))?;
    reader.release().await;
    let mut answers = Vec::new();
    for row in rows {
        let mut spelled_by = Vec::with_capacity(by.len());
        for (at, name) in asked.by.iter().enumerate() {
            spelled_by.push(said(encoding(table, name), row.get::<_, Option<&[u8]>>(at)));
        }
        for (at, (measure, _)) in measures.iter().enumerate() {
            let value = row.get::<_, Option<i64>>(by.len() + at).unwrap_or(0);
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
        source.named(&table.name)
    );
    let reader = source.reader().await?;
    let rows = reader.client()?.query(&sql, &[]).await;
    let rows = rows.map_err(source.failed(format!("listing values of {}", table.name)))?;
    reader.release().await;
    let found = rows.iter().map(|row| Frequency {
        value: said(encoding(table, name), row.get::<_, Option<&[u8]>>(0)),
        rows: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
    });
    Ok(found.collect())
}
