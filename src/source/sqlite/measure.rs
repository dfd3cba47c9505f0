//! Counts and sums that the database itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers. An exact column is summed in units of its last declared digit, so that a float of the embedded database cannot
//! drift; a float column as Σ trunc(x·10⁴); money written as text by its rows and bytes.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{Inner, quote};
use crate::encoding::TextEncoding;
use crate::source::decode::{Value, spelling};
use crate::source::{Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use crate::tally::last_digit;

fn kind(source: &Inner, table: &Table, name: &str) -> Result<LegacyType, SourceError> {
    let column = table.column(name).ok_or_else(|| SourceError::Unknown {
        id: source.id.clone(),
        what: format!("column {}.{name}", table.name),
    })?;
    column.kind.ok_or_else(|| SourceError::UnknownType {
        id: source.id.clone(),
        table: table.name.clone(),
        column: name.to_owned(),
        declared: column.declared.clone(),
    })
}

/// In which encoding its text is shown.
fn encoding(table: &Table, name: &str) -> TextEncoding {
    table.column(name).and_then(|c| c.encoding).unwrap_or(TextEncoding::Utf8)
}

/// A column to group by: text or a whole number; in which encoding it is shown.
fn groupable(source: &Inner, table: &Table, name: &str) -> Result<TextEncoding, SourceError> {
    let kind = kind(source, table, name)?;
    match kind {
        LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit => Ok(encoding(table, name)),
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
    let kind = kind(source, table, name)?;
    let column = quote(name);
    let exact = |scale: u32| format!("SUM(CAST(ROUND({column} * {}) AS INTEGER))", 10_i128.pow(scale));
    let one = |unit: &str, text: String| vec![(format!("{unit}:{name}"), text)];
    Ok(match kind {
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit => one("int", format!("SUM({column})")),
        LegacyType::Numeric { scale, .. } => {
            let digits = u32::from(scale.unsigned_abs());
            one(last_digit(digits), exact(digits))
        }
        LegacyType::Money | LegacyType::SmallMoney => one("e4", exact(4)),
        LegacyType::Float => one("e4", format!("SUM(CAST({column} * 10000 AS INTEGER))")),
        LegacyType::CodePageText | LegacyType::Unicode => vec![
            (format!("values:{name}"), format!("COUNT({column})")),
            (format!("bytes:{name}"), format!("SUM(LENGTH(CAST({column} AS BLOB)))")),
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

fn spelled(encoding: TextEncoding, row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    let value = match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Real(v),
        ValueRef::Text(v) => Value::Text(v),
        ValueRef::Blob(v) => Value::Bytes(v),
    };
    Ok(spelling(value, encoding))
}

/// Rows, and the sums of every amount, by group; a NULL amount counts as nothing.
pub(super) fn measure(
    source: &Inner,
    table: &Table,
    asked: &TableMeasures,
) -> Result<Vec<Measured>, SourceError> {
    let by = asked.by.iter().map(|n| groupable(source, table, n)).collect::<Result<Vec<_>, _>>()?;
    let mut measures = vec![("rows".to_owned(), "COUNT(*)".to_owned())];
    for name in &asked.amounts {
        measures.extend(sums(source, table, name)?);
    }
    let groups: Vec<String> = asked.by.iter().map(|n| format!("{} COLLATE BINARY", quote(n))).collect();
    let mut columns = groups.clone();
    columns.extend(measures.iter().map(|(_, text)| text.clone()));
    let mut text = format!("SELECT {} FROM {}", columns.join(", "), quote(&table.name));
    if !groups.is_empty() {
        text.push_str(&format!(" GROUP BY {}", groups.join(", ")));
    }
    let mut answers = Vec::new();
    let mut ask = || -> rusqlite::Result<()> {
        let db = source.db();
        let mut query = db.prepare(&text)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let group = by
                .iter()
                .enumerate()
                .map(|(at, encoding)| spelled(*encoding, row, at))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            for (at, (measure, _)) in measures.iter().enumerate() {
                let value = row.get::<_, Option<i64>>(by.len() + at)?.unwrap_or(0);
                answers.push(Measured { by: group.clone(), measure: measure.clone(), value });
            }
        }
        Ok(())
    };
    ask().map_err(source.failed(format!("summing {}", table.name)))?;
    answers.sort_unstable();
    Ok(answers)
}

/// Distinct values with their rows, most frequent first.
pub(super) fn frequencies(
    source: &Inner,
    table: &Table,
    column: &str,
    limit: u64,
) -> Result<Vec<Frequency>, SourceError> {
    kind(source, table, column)?;
    let encoding = encoding(table, column);
    let (column, name) = (quote(column), quote(&table.name));
    let text = format!(
        "SELECT {column} COLLATE BINARY AS v, COUNT(*) AS n FROM {name} GROUP BY 1 ORDER BY n DESC, v LIMIT {limit}"
    );
    let ask = || -> rusqlite::Result<Vec<Frequency>> {
        let db = source.db();
        let mut query = db.prepare(&text)?;
        query
            .query_map([], |r| {
                let rows = u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0);
                Ok(Frequency { value: spelled(encoding, r, 0)?, rows })
            })?
            .collect()
    };
    ask().map_err(source.failed(format!("listing values of {}", table.name)))
}
