//! Names and values in T-SQL text; the only way either gets into one.
//!
//! Always: a value of a key compares on the server, in its column's own type and collation. Text goes as its bytes in the column's code
//! page where the database's own collation has the same one, else as Unicode, which the server turns into the column's.

use std::fmt::Write;

use encoding_rs::Encoding;

use super::super::{Column, KeyValue, LegacyType};
use super::Inner;
use crate::encoding::TextEncoding;
pub(super) use crate::sql_ident::bracket as quote;

/// Unicode text.
pub(super) fn unicode(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// The type of a declaration without its collation, and the collation where it is not the database's.
pub(super) fn collated(declared: &str) -> (&str, Option<&str>) {
    match declared.split_once(" COLLATE ") {
        Some((kind, collation)) => (kind, Some(collation)),
        None => (declared, None),
    }
}

/// A key's column, if ranges can be made of it.
pub(super) fn orders(column: &Column) -> bool {
    column.kind.is_some_and(|kind| match kind {
        LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Numeric { .. }
        | LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::Date
        | LegacyType::DateTime
        | LegacyType::Binary => {
            !matches!(collated(&column.declared).0, "text" | "ntext" | "image" | "xml" | "hierarchyid")
        }
        LegacyType::Spelled => {
            column.declared == "uniqueidentifier" || column.declared.starts_with("datetime2")
        }
        LegacyType::Bit
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::Float
        | LegacyType::Instant(_)
        | LegacyType::Offset(_) => false,
    })
}

/// The code page that the bytes of a column are in: the collation's, or what somebody set.
fn meant(source: &Inner, column: &Column) -> &'static Encoding {
    match column.encoding {
        Some(TextEncoding::CodePage(page)) => page,
        Some(TextEncoding::Utf8) => encoding_rs::UTF_8,
        Some(TextEncoding::Utf16) | None => source.code_page,
    }
}

/// A value of a key, as it compares with its column; `None` where it cannot be written exactly.
pub(super) fn key(source: &Inner, column: &Column, value: &KeyValue) -> Option<String> {
    let (kind, other) = collated(&column.declared);
    let text = column.kind.is_some_and(LegacyType::is_text);
    let under = |sql: String| {
        let collation = other.unwrap_or(&source.collation);
        if collation.is_empty() { sql } else { format!("{sql} COLLATE {collation}") }
    };
    match value {
        KeyValue::Int(v) => Some(v.to_string()),
        KeyValue::Real(_) | KeyValue::Untext(_) => None,
        KeyValue::Text(v) if column.kind == Some(LegacyType::Unicode) => Some(under(unicode(v))),
        // Its bytes, in whatever code page they are meant.
        KeyValue::Text(v) if text && other.is_none() => {
            let (bytes, _, lost) = meant(source, column).encode(v);
            (!lost).then(|| under(format!("CAST({} AS {kind})", hexed(&bytes))))
        }
        // Bytes that are meant in another code page than the collation's have no literal under it.
        KeyValue::Text(_)
            if text && other.is_some_and(|c| source.page_of(c) != Some(meant(source, column))) =>
        {
            None
        }
        // Kept in its own type: Unicode sorts otherwise under some collations.
        KeyValue::Text(v) if text => Some(format!("CAST({} AS {kind})", under(unicode(v)))),
        KeyValue::Text(v) => Some(format!("CAST('{}' AS {kind})", v.replace('\'', "''"))),
        KeyValue::Bytes(v) if column.kind == Some(LegacyType::Binary) => Some(format!("0x{v}")),
        KeyValue::Bytes(v) if column.kind == Some(LegacyType::CodePageText) && other.is_none() => {
            Some(under(format!("CAST(0x{v} AS {kind})")))
        }
        // Unicode text that holds private-use characters is UTF-16 here; a lone surrogate has no place in a statement.
        KeyValue::Bytes(v) if column.kind == Some(LegacyType::Unicode) => {
            TextEncoding::Utf16.decode(&unhexed(v)?).map(|text| under(unicode(&text)))
        }
        KeyValue::Bytes(_) => None,
    }
}

pub(super) fn hexed(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn unhexed(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
