//! Counts and sums that the server itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers; the measures' names and spellings are those of every other source. Text is grouped by its bytes, whatever its
//! collation, and by their number: SQL Server takes trailing zero bytes for nothing.

use tiberius::Row;
use tiberius::error::Error;

use super::super::decode::spelling;
use super::super::summed::{self, Adds};
use super::super::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};
use super::decode::{expression, value};
use super::literal::quote;
use super::{Inner, answer};
use crate::encoding::TextEncoding;
use crate::measures::{LEFT_OUT, last_digit};

/// A value, or a sum, that its type does not hold.
const ARITHMETIC_OVERFLOW: u32 = 8115;

/// The sums of one column: measure name and T-SQL.
fn sums(source: &Inner, table: &Table, name: &str) -> Result<Vec<(String, String)>, SourceError> {
    let (column, kind) = summed::column(&source.id, table, name)?;
    let of_type = column.declared.as_str();
    let of = format!("t.{}", quote(name));
    let exact = |scale: u32| format!("SUM(CAST({of} AS decimal(38,{scale})))");
    let one = |unit: &str, text: String| vec![(format!("{unit}:{name}"), text)];
    let whole = |text: String| format!("SUM(CAST({text} AS decimal(38,0)))");
    Ok(match Adds::of(kind) {
        // Their length on the server is not that of the text that is made of them.
        _ if matches!(of_type, "xml" | "hierarchyid") => {
            return Err(summed::no_amount(&source.id, table, name));
        }
        None => return Err(summed::no_amount(&source.id, table, name)),
        Some(Adds::Whole) => one("int", exact(0)),
        Some(Adds::Exact { scale, .. }) => one(last_digit(scale.into()), exact(scale.into())),
        Some(Adds::Float) => {
            // A cast to bigint cuts the fraction off; what it does not hold is counted, and a product of more would be an error.
            let value = format!("CAST({of} AS float(53))");
            let fits = |yes: &str, no: &str| {
                format!(
                    "CASE WHEN ABS({value}) < 1e300 THEN CASE WHEN ABS({value} * 10000e0) < 9223372036854775807e0 THEN {yes} ELSE {no} END ELSE {no} END"
                )
            };
            let sum = whole(format!("CAST({} AS bigint)", fits(&format!("{value} * 10000e0"), "NULL")));
            let left_out = format!("SUM(CASE WHEN {of} IS NULL THEN 0 ELSE {} END)", fits("0", "1"));
            vec![(format!("e4:{name}"), sum), (format!("{LEFT_OUT}:{name}"), left_out)]
        }
        Some(Adds::Text) => vec![
            (format!("values:{name}"), format!("COUNT_BIG({of})")),
            (format!("bytes:{name}"), whole(format!("DATALENGTH({of})"))),
        ],
    })
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

/// Whether these columns can be grouped by and summed.
pub(super) fn measurable(source: &Inner, table: &Table, asked: &TableMeasures) -> Result<(), SourceError> {
    asked.by.iter().try_for_each(|c| summed::group(&source.id, table, c).map(drop))?;
    asked.amounts.iter().try_for_each(|c| sums(source, table, c).map(drop))
}

/// Rows, and the sums of every amount, by group; a NULL amount counts as nothing.
pub(super) async fn measure(
    source: &Inner,
    table: &Table,
    asked: &TableMeasures,
) -> Result<Vec<Measured>, SourceError> {
    let group = |name: &String| summed::group(&source.id, table, name).map(|(column, _)| column);
    let by = asked.by.iter().map(group).collect::<Result<Vec<_>, _>>()?;
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
    let rows = source.reader().await?.ask(&source.id, format!("summing {}", table.name), &sql).await;
    let rows = rows.map_err(|e| match overflows(&e) {
        true => summed::too_large(&source.id, table, &asked.amounts.join(" or ")),
        false => e,
    })?;
    let mut answers = Vec::new();
    for row in &rows {
        let spelled: Vec<String> = by
            .iter()
            .enumerate()
            .map(|(at, column)| said(source, table, column, row, at))
            .collect::<Result<_, _>>()?;
        for (at, (measure, _)) in measures.iter().enumerate() {
            let value = total(row, by.len() + at);
            // That nothing was left out needs no line.
            if value == 0 && measure.starts_with(LEFT_OUT) {
                continue;
            }
            answers.push(Measured { by: spelled.clone(), measure: measure.clone(), value });
        }
    }
    answers.sort_unstable();
    Ok(answers)
}

/// A sum in units of its last digit; NULL, the sum of nothing, is 0.
fn total(row: &Row, at: usize) -> i128 {
    let whole = answer::int(row, at).map(i128::from);
    whole.or_else(|| answer::decimal(row, at)).unwrap_or(0)
}

/// True for an error that says that a sum does not fit its type.
fn overflows(e: &SourceError) -> bool {
    let SourceError::Server { source, .. } = e else { return false };
    matches!(source.downcast_ref(), Some(Error::Server(token)) if token.code() == ARITHMETIC_OVERFLOW)
}

/// Distinct values with their rows, most frequent first.
pub(super) async fn frequencies(
    source: &Inner,
    table: &Table,
    name: &str,
    limit: u64,
) -> Result<Vec<Frequency>, SourceError> {
    let (of, _) = summed::column(&source.id, table, name)?;
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
