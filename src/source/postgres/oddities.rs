//! Values that PostgreSQL's types hold and no date or sum does: infinite times, years before 1 or after 9999, NaN.
//!
//! Always: one question a table, counts alone, at the point of the source; no value is shown.

use super::super::{Examined, Grade, LegacyType, SourceError, Table};
use super::session::rows;
use super::{Inner, quote};

/// What is asked of a column: in words, and as a condition.
fn asked(declared: &str, kind: LegacyType, name: &str) -> Vec<(&'static str, String)> {
    let of = quote(name);
    match kind {
        LegacyType::Date | LegacyType::DateTime | LegacyType::Instant(_) => vec![
            ("infinite", format!("NOT isfinite({of})")),
            (
                "before the year 1 or after 9999",
                format!("isfinite({of}) AND ({of} < '0001-01-01' OR {of} >= '10000-01-01')"),
            ),
        ],
        LegacyType::Float | LegacyType::Numeric { .. } => vec![(NO_NUMBER, no_number(&of))],
        LegacyType::Spelled if declared.starts_with("numeric") => vec![(NO_NUMBER, no_number(&of))],
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

const NO_NUMBER: &str = "NaN or infinite";

/// As text: servers before 14 know no infinite numeric.
fn no_number(of: &str) -> String {
    format!("{of}::text IN ('NaN', 'Infinity', '-Infinity')")
}

/// What will be read errors of a table.
pub(super) async fn oddities(source: &Inner, table: &Table) -> Result<Vec<Examined>, SourceError> {
    let columns = table.columns.iter().filter_map(|c| Some((c, c.kind?)));
    let all: Vec<(String, &str, String)> = columns
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
    let answer = answer.map_err(source.failed(format!("asking for odd values of {}", table.name)))?;
    reader.release().await;
    let Some(row) = answer.first() else { return Ok(Vec::new()) };
    let advice = "each becomes a read error of its row, and sums leave it out: correct it in the source, or expect the findings";
    let found = all.iter().enumerate().filter_map(|(at, (column, what, _))| {
        let rows: i64 = row.get(at);
        (rows > 0).then(|| {
            Examined::new("values", Grade::Warning, format!("{column}: {rows} values are {what}"), advice)
        })
    });
    Ok(found.collect())
}
