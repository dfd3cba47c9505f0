//! Values that PostgreSQL's types hold and no date or sum does: infinite times, years before 1 or after 9999, NaN.
//!
//! Always: one question a table, counts alone, at the point of the source; no value is shown.

use super::super::{Examined, Grade, LegacyType, SourceError, Table};
use super::session::rows;
use super::{Inner, quote};
use crate::phrase;

/// What is asked of a column: in words, and as a condition.
fn asked(declared: &str, kind: LegacyType, name: &str) -> Vec<(String, String)> {
    let of = quote(name);
    match kind {
        LegacyType::Date | LegacyType::DateTime | LegacyType::Instant(_) => vec![
            (phrase!("doctor.odd_infinite"), format!("NOT isfinite({of})")),
            (
                phrase!("doctor.odd_year"),
                format!("isfinite({of}) AND ({of} < '0001-01-01' OR {of} >= '10000-01-01')"),
            ),
        ],
        LegacyType::Float | LegacyType::Numeric { .. } => {
            vec![(phrase!("doctor.odd_number"), no_number(&of))]
        }
        LegacyType::Spelled if declared.starts_with("numeric") => {
            vec![(phrase!("doctor.odd_number"), no_number(&of))]
        }
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::Spelled
        | LegacyType::Offset(_)
        | LegacyType::Binary => Vec::new(),
    }
}

/// As text: servers before 14 know no infinite numeric.
fn no_number(of: &str) -> String {
    format!("{of}::text IN ('NaN', 'Infinity', '-Infinity')")
}

/// What will be read errors of a table.
pub(super) async fn oddities(source: &Inner, table: &Table) -> Result<Vec<Examined>, SourceError> {
    let columns = table.columns.iter().filter_map(|c| Some((c, c.kind?)));
    let all: Vec<(String, String, String)> = columns
        .flat_map(|(c, kind)| {
            asked(&c.declared, kind, &c.name).into_iter().map(move |(what, sql)| (c, what, sql))
        })
        .map(|(c, what, sql)| (format!("{}.{}", table.name, c.name), what, sql))
        .collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let counts: Vec<String> =
        all.iter().map(|(_, _, sql)| format!("count(*) FILTER (WHERE {sql})")).collect();
    let from = format!("{}.{}", quote(&source.schema), quote(&table.name));
    let sql = format!("SELECT {} FROM {from}", counts.join(", "));
    let reader = source.reader().await?;
    let answer = rows(reader.client()?, &sql, &[]).await;
    let answer = answer.map_err(source.failed(phrase!("source.odd", table = table.name)))?;
    reader.release().await;
    let Some(row) = answer.first() else { return Ok(Vec::new()) };
    let advice = phrase!("doctor.odd_advice");
    let found = all.iter().enumerate().filter_map(|(at, (column, what, _))| {
        let rows: i64 = row.get(at);
        (rows > 0).then(|| {
            Examined::new("values", Grade::Warning, phrase!("doctor.odd", column, rows, what), &advice)
        })
    });
    Ok(found.collect())
}
