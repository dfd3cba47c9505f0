//! Counts and sums that the server itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers; the measures' names and spellings are those of every other source. Text is grouped by its bytes, whatever its
//! collation, and by their number: SQL Server takes trailing zero bytes for nothing.

use tiberius::Row;

use super::super::decode::spelling;
use super::super::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use super::decode::{expression, value};
use super::literal::quote;
use super::{Inner, answer};
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

/// What a column is grouped by: text or a whole number.
fn groups<'t>(source: &Inner, table: &'t Table, name: &str) -> Result<&'t Column, SourceError> {
    let (column, kind) = column(source, table, name)?;
    match kind {
        LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit => Ok(column),
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

/// The sums of one column: measure name and T-SQL.
fn sums(source: &Inner, table: &Table, name: &str) -> Result<Vec<(String, String)>, SourceError> {
    let (_, kind) = column(source, table, name)?;
    let of = format!("t.{}", quote(name));
    let exact = |scale: u32| format!("SUM(CAST({of} AS decimal(38,{scale})))");
    let one = |unit: &str, text: String| vec![(format!("{unit}:{name}"), text)];
    let whole = |text: String| format!("SUM(CAST({text} AS decimal(38,0)))");
    Ok(match kind {
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit => one("int", exact(0)),
        LegacyType::Numeric { scale, .. } => {
            let digits = u32::from(scale.unsigned_abs());
            one(last_digit(digits), exact(digits))
        }
        LegacyType::Money | LegacyType::SmallMoney => one("e4", exact(4)),
        // A cast to bigint cuts the fraction off.
        LegacyType::Float => one("e4", whole(format!("CAST(CAST({of} AS float(53)) * 10000e0 AS bigint)"))),
        LegacyType::CodePageText => vec![
            (format!("values:{name}"), format!("COUNT_BIG({of})")),
            (format!("bytes:{name}"), whole(format!("DATALENGTH({of})"))),
        ],
        LegacyType::Unicode => {
            return Err(unsummed(source, table, name, "text in UTF-16 has other bytes than raw"));
        }
        LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Date
        | LegacyType::Spelled
        | LegacyType::Offset(_)
        | LegacyType::Binary => {
            return Err(unsummed(source, table, name, "it is no amount"));
        }
    })
}

fn unsummed(source: &Inner, table: &Table, name: &str, why: &str) -> SourceError {
    SourceError::Unknown { id: source.id.clone(), what: format!("way to sum {}.{name}: {why}", table.name) }
}

/// The spelling of a cell that [`expression`] asked for.
fn said(source: &Inner, table: &Table, column: &Column, row: &Row, at: usize) -> Result<String, SourceError> {
    let kind = column.kind.unwrap_or(LegacyType::Binary);
    let encoding = column.encoding.unwrap_or(TextEncoding::Utf8);
    let mut scratch = Vec::new();
    let cell = row.cells().nth(at).map(|(_, cell)| cell);
    let found = cell.map_or(Err("a row with fewer fields than asked for"), |c| value(kind, c, &mut scratch));
    found.map(|v| spelling(v, encoding)).map_err(|found| SourceError::Misfit {
        id: source.id.clone(),
        field: format!("{}.{}", table.name, column.name),
        declared: column.declared.clone(),
        key: "a group".to_owned(),
        found,
    })
}

/// Rows, and the sums of every amount, by group; a NULL amount counts as nothing.
pub(super) async fn measure(
    source: &Inner,
    table: &Table,
    asked: &TableMeasures,
) -> Result<Vec<Measured>, SourceError> {
    let by = asked.by.iter().map(|n| groups(source, table, n)).collect::<Result<Vec<_>, _>>()?;
    let mut measures = vec![("rows".to_owned(), "COUNT_BIG(*)".to_owned())];
    for name in &asked.amounts {
        measures.extend(sums(source, table, name)?);
    }
    let mut columns: Vec<String> = by.iter().map(|c| expression(c, source.unicode)).collect();
    let mut grouped = Vec::new();
    for (column, expression) in by.iter().zip(&columns) {
        grouped.push(expression.clone());
        if column.kind.is_some_and(LegacyType::is_text) {
            grouped.push(format!("DATALENGTH(t.{})", quote(&column.name)));
        }
    }
    columns.extend(measures.iter().map(|(_, sql)| sql.clone()));
    let mut sql = format!("SELECT {} FROM {} AS t", columns.join(", "), source.named(&table.name));
    if !grouped.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", grouped.join(", ")));
    }
    sql.push_str(source.hint);
    let rows = source.reader().await?.ask(&source.id, format!("summing {}", table.name), &sql).await?;
    let mut answers = Vec::new();
    for row in &rows {
        let spelled: Vec<String> = by
            .iter()
            .enumerate()
            .map(|(at, column)| said(source, table, column, row, at))
            .collect::<Result<_, _>>()?;
        for (at, (measure, _)) in measures.iter().enumerate() {
            let value = total(source, table, row, by.len() + at)?;
            answers.push(Measured { by: spelled.clone(), measure: measure.clone(), value });
        }
    }
    answers.sort_unstable();
    Ok(answers)
}

/// A sum in units of its last digit; NULL, the sum of nothing, is 0.
fn total(source: &Inner, table: &Table, row: &Row, at: usize) -> Result<i64, SourceError> {
    let whole = answer::int(row, at).map(i128::from);
    let sum = whole.or_else(|| answer::decimal(row, at)).unwrap_or(0);
    i64::try_from(sum).map_err(|_| SourceError::Unknown {
        id: source.id.clone(),
        what: format!("way to sum {}: a sum has more than 18 digits", table.name),
    })
}

/// Distinct values with their rows, most frequent first.
pub(super) async fn frequencies(
    source: &Inner,
    table: &Table,
    name: &str,
    limit: u64,
) -> Result<Vec<Frequency>, SourceError> {
    let (of, _) = column(source, table, name)?;
    let shown = expression(of, source.unicode);
    let sql = format!(
        "SELECT TOP ({limit}) {shown}, COUNT_BIG(*) FROM {} AS t GROUP BY {shown}, DATALENGTH(t.{})
         ORDER BY COUNT_BIG(*) DESC, {shown}{}",
        source.named(&table.name),
        quote(name),
        source.hint
    );
    let rows =
        source.reader().await?.ask(&source.id, format!("listing values of {}", table.name), &sql).await?;
    rows.iter()
        .map(|row| {
            let rows = answer::int(row, 1).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            Ok(Frequency { value: said(source, table, of, row, 0)?, rows })
        })
        .collect()
}
