//! What `doctor` says of a SQLite file: that it cannot be written, what is broken in it, and how its columns will be read where their
//! declarations do not say it all (SQLite lets any column hold any value).
//!
//! Always: counts and storage classes, never a value; at most [`ROWS`] rows of a table are looked at.

use std::collections::BTreeSet;

use rusqlite::Row;

use super::{Inner, catalogue, quote};
use crate::phrase;
use crate::source::{Column, Examined, Grade, LegacyType, SourceError, Table, wrong_with};

/// Rows of a table that are looked at.
const ROWS: u64 = 1_000_000;
/// Columns that one question is about: SQLite answers at most 2000 numbers at a time.
const COLUMNS: usize = 300;
/// What SQLite calls its storage classes.
const CLASSES: [&str; 4] = ["integer", "real", "text", "blob"];

/// Everything that is worth knowing before the first night.
pub(super) fn examine(source: &Inner, read: Option<&BTreeSet<String>>) -> Result<Vec<Examined>, SourceError> {
    let tables = catalogue::tables(source)?;
    let wrote = source.db().execute_batch("CREATE TABLE qianyi_must_not_write (x)").is_ok();
    let (grade, found) = if wrote {
        (Grade::Error, phrase!("doctor.sqlite_wrote"))
    } else {
        (Grade::Ok, phrase!("doctor.sqlite_refuses"))
    };
    let mut checks = vec![
        Examined::new("read-only", grade, found, ""),
        Examined::new("connection", Grade::Ok, phrase!("doctor.sqlite_opened", tables = tables.len()), ""),
        Examined::new("encoding", Grade::Info, source.settings.spellings(), ""),
    ];
    for table in tables.iter().filter(|t| t.columns.is_empty()) {
        let why = catalogue::broken(source, &table.name).unwrap_or_else(|| phrase!("doctor.no_columns"));
        let found = phrase!("doctor.table_unreadable", table = table.name, why);
        let advice = phrase!("doctor.table_advice");
        checks.push(Examined::new("tables", wrong_with(&table.name, read), found, advice));
    }
    Ok(checks)
}

/// How the columns of a table are read, and what does not fit them.
pub(super) fn oddities(source: &Inner, table: &Table) -> Result<Vec<Examined>, SourceError> {
    columns(source, table).map_err(source.failed(phrase!("source.values", table = table.name)))
}

/// How a column is read, in words.
fn read_as(column: &Column, kind: LegacyType) -> String {
    match kind {
        LegacyType::BigInt | LegacyType::Int | LegacyType::SmallInt | LegacyType::TinyInt => {
            phrase!("doctor.as_whole")
        }
        LegacyType::Bit => phrase!("doctor.as_bit"),
        LegacyType::Numeric { precision, scale } => {
            phrase!("doctor.as_decimal", precision, scale)
        }
        LegacyType::Money | LegacyType::SmallMoney => phrase!("doctor.as_money"),
        LegacyType::Float => phrase!("doctor.as_float"),
        LegacyType::CodePageText | LegacyType::Unicode => {
            let bytes = column.encoding.map_or_else(String::new, |e| phrase!("doctor.as_bytes_in", e));
            phrase!("doctor.as_text", bytes)
        }
        LegacyType::DateTime | LegacyType::Instant(_) => phrase!("doctor.as_time"),
        LegacyType::Date => phrase!("doctor.as_date"),
        LegacyType::Binary => phrase!("doctor.as_bytes"),
        LegacyType::Spelled | LegacyType::Offset(_) => phrase!("doctor.as_written"),
    }
}

/// SQL: true for a value that fits the type of its column.
fn fits(x: &str, kind: LegacyType) -> String {
    let day = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]";
    match kind {
        LegacyType::BigInt | LegacyType::Int | LegacyType::SmallInt | LegacyType::TinyInt => {
            format!("typeof({x}) = 'integer'")
        }
        LegacyType::Bit => format!("typeof({x}) = 'integer' AND {x} IN (0, 1)"),
        LegacyType::Numeric { precision, scale } => {
            super::measure::decimals(x, u32::from(precision), u32::from(scale.unsigned_abs())).0
        }
        LegacyType::Money => super::measure::decimals(x, 19, 4).0,
        LegacyType::SmallMoney => super::measure::decimals(x, 10, 4).0,
        LegacyType::Float => {
            format!("typeof({x}) IN ('real', 'integer') AND abs({x}) <= 1.7976931348623157e308")
        }
        LegacyType::CodePageText | LegacyType::Unicode => "1".to_owned(),
        LegacyType::DateTime | LegacyType::Instant(_) => {
            format!("typeof({x}) = 'text' AND {x} GLOB '{day}*'")
        }
        LegacyType::Date => format!("typeof({x}) = 'text' AND {x} GLOB '{day}*'"),
        LegacyType::Binary => format!("typeof({x}) = 'blob'"),
        LegacyType::Spelled | LegacyType::Offset(_) => format!("typeof({x}) = 'text'"),
    }
}

/// What the values of a column are.
struct Held {
    /// By storage class, in the order of [`CLASSES`].
    classes: [u64; 4],
    misfits: u64,
}

fn held(row: &Row<'_>, first: usize) -> rusqlite::Result<Held> {
    let number =
        |at: usize| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(first + at)?).unwrap_or(0));
    Ok(Held { classes: [number(0)?, number(1)?, number(2)?, number(3)?], misfits: number(4)? })
}

fn columns(source: &Inner, table: &Table) -> rusqlite::Result<Vec<Examined>> {
    let known: Vec<(&Column, LegacyType)> =
        table.columns.iter().filter_map(|c| c.kind.map(|kind| (c, kind))).collect();
    let mut found = Vec::new();
    for some in known.chunks(COLUMNS) {
        found.extend(storage(source, table, some)?);
    }
    Ok(found)
}

/// What the values of some columns are, where that is worth a word.
fn storage(
    source: &Inner,
    table: &Table,
    known: &[(&Column, LegacyType)],
) -> rusqlite::Result<Vec<Examined>> {
    let asked = |(column, kind): &(&Column, LegacyType)| {
        let x = quote(&column.name);
        let class = |c: &str| format!("TOTAL(typeof({x}) = '{c}')");
        let misfit = format!("TOTAL({x} IS NOT NULL AND NOT ({}))", fits(&x, *kind));
        let all: Vec<String> = CLASSES.iter().map(|c| class(c)).chain([misfit]).collect();
        all.iter().map(|sum| format!("CAST({sum} AS INTEGER)")).collect::<Vec<_>>().join(", ")
    };
    let (names, sums): (Vec<String>, Vec<String>) =
        known.iter().map(|k| (quote(&k.0.name), asked(k))).unzip();
    let text = format!(
        "SELECT COUNT(*), {} FROM (SELECT {} FROM {} LIMIT {ROWS})",
        sums.join(", "),
        names.join(", "),
        quote(&table.name)
    );
    let db = source.db();
    db.query_row(&text, [], |row| {
        let rows: i64 = row.get(0)?;
        let mut found = Vec::new();
        for (no, (column, kind)) in known.iter().enumerate() {
            let held = held(row, 1 + no * (CLASSES.len() + 1))?;
            found.extend(judged(table, column, *kind, &held, rows));
        }
        Ok(found)
    })
}

fn judged(table: &Table, column: &Column, kind: LegacyType, held: &Held, rows: i64) -> Option<Examined> {
    let declared = match column.declared.as_str() {
        "" => phrase!("doctor.no_type"),
        declared => declared.to_owned(),
    };
    let name = format!("{}.{} ({declared})", table.name, column.name);
    let classes: Vec<String> = CLASSES
        .iter()
        .zip(held.classes)
        .filter(|(_, n)| *n > 0)
        .map(|(class, n)| format!("{n} {class}"))
        .collect();
    let classes = classes.join(", ");
    let as_what = read_as(column, kind);
    if held.misfits > 0 {
        let found = phrase!("doctor.values_misfit", name, as_what, misfits = held.misfits, rows, classes);
        let advice = phrase!("doctor.values_advice");
        return Some(Examined::new("values", Grade::Warning, found, advice));
    }
    let mixed = held.classes.iter().filter(|n| **n > 0).count() > 1 && kind.is_text();
    let by_affinity = LegacyType::parse(&column.declared, chrono_tz::Tz::UTC).is_none();
    (mixed || by_affinity)
        .then(|| Examined::new("columns", Grade::Info, phrase!("doctor.columns", name, as_what, classes), ""))
}
