//! SQL Server's types: names, ids, sizes as the catalogue shows them, and which of two wins in an expression.
//!
//! Always: a type's descriptor (its text form inside SQLite) reads back as the same type.

use super::super::value::{Collation, SqlError, SqlType};
use super::collate;
use super::error::fail;

/// (name, system_type_id, user_type_id) of every type that sys.types lists.
pub const NAMES: [(&str, u8, i32); 35] = [
    ("image", 34, 34),
    ("text", 35, 35),
    ("uniqueidentifier", 36, 36),
    ("date", 40, 40),
    ("time", 41, 41),
    ("datetime2", 42, 42),
    ("datetimeoffset", 43, 43),
    ("tinyint", 48, 48),
    ("smallint", 52, 52),
    ("int", 56, 56),
    ("smalldatetime", 58, 58),
    ("real", 59, 59),
    ("money", 60, 60),
    ("datetime", 61, 61),
    ("float", 62, 62),
    ("sql_variant", 98, 98),
    ("ntext", 99, 99),
    ("bit", 104, 104),
    ("decimal", 106, 106),
    ("numeric", 108, 108),
    ("smallmoney", 122, 122),
    ("bigint", 127, 127),
    ("hierarchyid", 240, 128),
    ("geometry", 240, 129),
    ("geography", 240, 130),
    ("varbinary", 165, 165),
    ("varchar", 167, 167),
    ("binary", 173, 173),
    ("char", 175, 175),
    ("timestamp", 189, 189),
    ("nvarchar", 231, 231),
    ("nchar", 239, 239),
    ("xml", 241, 241),
    ("sysname", 231, 256),
    ("rowversion", 189, 189),
];

/// A type as written: its name, what stands in brackets (`max` as `None` inside), and a collation.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub name: String,
    pub sizes: Vec<Option<u32>>,
}

/// The type that a written one means. `cast` chooses the length that a bare `varchar` has: 30 there, 1 in a column.
pub fn resolve(written: &Written, collation: &Collation, cast: bool) -> Result<SqlType, SqlError> {
    let name = written.name.to_ascii_lowercase();
    let first = written.sizes.first().copied();
    let length = |most: u16| -> Result<u16, SqlError> {
        match first {
            None => Ok(if cast { 30 } else { 1 }),
            Some(Some(n)) if n >= 1 && n <= u32::from(most) => Ok(u16::try_from(n).unwrap_or(most)),
            Some(_) => {
                Err(fail(131, format!("The size given to the type '{name}' exceeds the maximum allowed.")))
            }
        }
    };
    let open_length = |most: u16| if first == Some(None) { Ok(None) } else { length(most).map(Some) };
    let scale = || match first {
        None => Ok(7),
        Some(Some(n @ 0..=7)) => Ok(u8::try_from(n).unwrap_or(7)),
        _ => Err(fail(1002, format!("Line 1: Specified scale {first:?} is invalid."))),
    };
    let collation = collation.clone();
    if written.sizes.len() > 1 && !matches!(name.as_str(), "decimal" | "numeric" | "dec") {
        return Err(fail(2716, format!("Cannot specify a column width on data type {name}.")));
    }
    Ok(match name.as_str() {
        "char" | "character" => SqlType::Char { bytes: length(8000)?, collation },
        "varchar" => SqlType::VarChar { bytes: open_length(8000)?, collation },
        "nchar" => SqlType::NChar { chars: length(4000)?, collation },
        "nvarchar" => SqlType::NVarChar { chars: open_length(4000)?, collation },
        "binary" => SqlType::Binary { bytes: length(8000)? },
        "varbinary" => SqlType::VarBinary { bytes: open_length(8000)? },
        "decimal" | "numeric" | "dec" => decimal(&written.sizes)?,
        "time" => SqlType::Time { scale: scale()? },
        "datetime2" => SqlType::DateTime2 { scale: scale()? },
        "datetimeoffset" => SqlType::DateTimeOffset { scale: scale()? },
        "float" => match first {
            None | Some(Some(25..=53)) => SqlType::Float,
            Some(Some(1..=24)) => SqlType::Real,
            _ => {
                return Err(fail(
                    2750,
                    "Column or parameter: Specified column precision is greater than the maximum \
                        precision of 53.",
                ));
            }
        },
        _ if first.is_some() => {
            return Err(fail(
                2716,
                format!("Column, parameter, or variable: Cannot specify a column width on data type {name}."),
            ));
        }
        _ => plain(&name, collation)?,
    })
}

fn plain(name: &str, collation: Collation) -> Result<SqlType, SqlError> {
    Ok(match name {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "real" => SqlType::Real,
        "text" => SqlType::Text { collation },
        "ntext" => SqlType::NText { collation },
        "sysname" => SqlType::NVarChar { chars: Some(128), collation },
        "xml" => SqlType::Xml,
        "image" => SqlType::Image,
        "rowversion" | "timestamp" => SqlType::RowVersion,
        "date" => SqlType::Date,
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "sql_variant" => SqlType::Variant,
        // Of these only what a cast gives is known here.
        "hierarchyid" => SqlType::NVarChar { chars: Some(4000), collation },
        "geography" | "geometry" => SqlType::VarBinary { bytes: None },
        _ => return Err(fail(243, format!("Type {name} is not a defined system type."))),
    })
}

fn decimal(sizes: &[Option<u32>]) -> Result<SqlType, SqlError> {
    let (precision, scale) = match sizes {
        [] => (18, 0),
        [Some(p)] => (*p, 0),
        [Some(p), Some(s)] => (*p, *s),
        _ => (0, 0),
    };
    if !(1..=38).contains(&precision) || scale > precision {
        return Err(fail(1007, "The precision or scale of the decimal type is out of range."));
    }
    let small = |n: u32| u8::try_from(n).unwrap_or(38);
    Ok(SqlType::Decimal { precision: small(precision), scale: small(scale) })
}

/// The type's name without sizes.
pub fn name(kind: &SqlType) -> &'static str {
    match kind {
        SqlType::Bit => "bit",
        SqlType::TinyInt => "tinyint",
        SqlType::SmallInt => "smallint",
        SqlType::Int => "int",
        SqlType::BigInt => "bigint",
        SqlType::Decimal { .. } => "decimal",
        SqlType::Money => "money",
        SqlType::SmallMoney => "smallmoney",
        SqlType::Real => "real",
        SqlType::Float => "float",
        SqlType::Char { .. } => "char",
        SqlType::VarChar { .. } => "varchar",
        SqlType::Text { .. } => "text",
        SqlType::NChar { .. } => "nchar",
        SqlType::NVarChar { .. } => "nvarchar",
        SqlType::NText { .. } => "ntext",
        SqlType::Xml => "xml",
        SqlType::Binary { .. } => "binary",
        SqlType::VarBinary { .. } => "varbinary",
        SqlType::Image => "image",
        SqlType::RowVersion => "timestamp",
        SqlType::Date => "date",
        SqlType::Time { .. } => "time",
        SqlType::DateTime => "datetime",
        SqlType::SmallDateTime => "smalldatetime",
        SqlType::DateTime2 { .. } => "datetime2",
        SqlType::DateTimeOffset { .. } => "datetimeoffset",
        SqlType::UniqueIdentifier => "uniqueidentifier",
        SqlType::Variant => "sql_variant",
    }
}

/// The sizes of a type in the order in which it is written; -1 for max.
fn sizes(kind: &SqlType) -> Vec<i32> {
    match kind {
        SqlType::Decimal { precision, scale } => vec![i32::from(*precision), i32::from(*scale)],
        SqlType::Char { bytes: n, .. } | SqlType::NChar { chars: n, .. } | SqlType::Binary { bytes: n } => {
            vec![i32::from(*n)]
        }
        SqlType::VarChar { bytes: n, .. }
        | SqlType::NVarChar { chars: n, .. }
        | SqlType::VarBinary { bytes: n } => {
            vec![n.map_or(-1, i32::from)]
        }
        SqlType::Time { scale } | SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale } => {
            vec![i32::from(*scale)]
        }
        _ => Vec::new(),
    }
}

pub fn collation(kind: &SqlType) -> Option<&Collation> {
    match kind {
        SqlType::Char { collation, .. }
        | SqlType::VarChar { collation, .. }
        | SqlType::Text { collation }
        | SqlType::NChar { collation, .. }
        | SqlType::NVarChar { collation, .. }
        | SqlType::NText { collation } => Some(collation),
        _ => None,
    }
}

/// The same type under another collation.
pub fn collated(kind: &SqlType, new: &Collation) -> SqlType {
    let mut changed = kind.clone();
    match &mut changed {
        SqlType::Char { collation, .. }
        | SqlType::VarChar { collation, .. }
        | SqlType::Text { collation }
        | SqlType::NChar { collation, .. }
        | SqlType::NVarChar { collation, .. }
        | SqlType::NText { collation } => *collation = new.clone(),
        _ => {}
    }
    changed
}

/// The type as text, for SQLite's side.
pub fn describe(kind: &SqlType) -> String {
    let sizes: Vec<String> = sizes(kind).iter().map(ToString::to_string).collect();
    let collation = collation(kind).map_or("", |collation| collation.name.as_str());
    format!("{}:{}:{collation}", name(kind), sizes.join(","))
}

/// The type that [`describe`] wrote.
pub fn described(text: &str) -> Result<SqlType, SqlError> {
    let mut parts = text.splitn(3, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (name, sizes, collation) = (next(), next(), next());
    let sizes =
        sizes.split(',').filter(|size| !size.is_empty()).map(|size| size.parse::<u32>().ok()).collect();
    let collation = collate::named(collation).unwrap_or_else(collate::default);
    resolve(&Written { name: name.to_owned(), sizes }, &collation, true)
}

/// max_length, precision, scale as sys.columns shows them.
pub fn catalogue_sizes(kind: &SqlType) -> (i16, u8, u8) {
    let wide = |n: &u16| i16::try_from(*n).unwrap_or(-1);
    let fraction = |scale: &u8| if *scale == 0 { 0 } else { scale + 1 };
    let time_bytes = |scale: &u8| match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    match kind {
        SqlType::Bit => (1, 1, 0),
        SqlType::TinyInt => (1, 3, 0),
        SqlType::SmallInt => (2, 5, 0),
        SqlType::Int => (4, 10, 0),
        SqlType::BigInt => (8, 19, 0),
        SqlType::Decimal { precision, scale } => (
            match precision {
                0..=9 => 5,
                10..=19 => 9,
                20..=28 => 13,
                _ => 17,
            },
            *precision,
            *scale,
        ),
        SqlType::Money => (8, 19, 4),
        SqlType::SmallMoney => (4, 10, 4),
        SqlType::Real => (4, 24, 0),
        SqlType::Float => (8, 53, 0),
        SqlType::Char { bytes, .. } | SqlType::Binary { bytes } => (wide(bytes), 0, 0),
        SqlType::VarChar { bytes, .. } | SqlType::VarBinary { bytes } => {
            (bytes.as_ref().map_or(-1, wide), 0, 0)
        }
        SqlType::NChar { chars, .. } => (wide(&(chars * 2)), 0, 0),
        SqlType::NVarChar { chars, .. } => (chars.as_ref().map_or(-1, |n| wide(&(n * 2))), 0, 0),
        SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image => (16, 0, 0),
        SqlType::Xml => (-1, 0, 0),
        SqlType::RowVersion => (8, 0, 0),
        SqlType::Date => (3, 10, 0),
        SqlType::Time { scale } => (time_bytes(scale), 8 + fraction(scale), *scale),
        SqlType::DateTime => (8, 23, 3),
        SqlType::SmallDateTime => (4, 16, 0),
        SqlType::DateTime2 { scale } => (time_bytes(scale) + 3, 19 + fraction(scale), *scale),
        SqlType::DateTimeOffset { scale } => (time_bytes(scale) + 5, 26 + fraction(scale), *scale),
        SqlType::UniqueIdentifier => (16, 0, 0),
        SqlType::Variant => (8016, 0, 0),
    }
}

/// What kinds of value a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Integer,
    Decimal,
    Float,
    Char,
    NChar,
    Binary,
    Date,
    Guid,
    Variant,
}

pub fn family(kind: &SqlType) -> Family {
    match kind {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            Family::Integer
        }
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => Family::Decimal,
        SqlType::Real | SqlType::Float => Family::Float,
        SqlType::Char { .. } | SqlType::VarChar { .. } | SqlType::Text { .. } => Family::Char,
        SqlType::NChar { .. } | SqlType::NVarChar { .. } | SqlType::NText { .. } | SqlType::Xml => {
            Family::NChar
        }
        SqlType::Binary { .. } | SqlType::VarBinary { .. } | SqlType::Image | SqlType::RowVersion => {
            Family::Binary
        }
        SqlType::UniqueIdentifier => Family::Guid,
        SqlType::Variant => Family::Variant,
        _ => Family::Date,
    }
}

/// Whether text, ntext or image: types that neither compare nor order.
pub fn is_old_lob(kind: &SqlType) -> bool {
    matches!(kind, SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image | SqlType::Xml)
}

/// The place in SQL Server's type precedence; the greater wins.
pub fn rank(kind: &SqlType) -> u8 {
    match kind {
        SqlType::Variant => 30,
        SqlType::Xml => 29,
        SqlType::DateTimeOffset { .. } => 28,
        SqlType::DateTime2 { .. } => 27,
        SqlType::DateTime => 26,
        SqlType::SmallDateTime => 25,
        SqlType::Date => 24,
        SqlType::Time { .. } => 23,
        SqlType::Float => 22,
        SqlType::Real => 21,
        SqlType::Decimal { .. } => 20,
        SqlType::Money => 19,
        SqlType::SmallMoney => 18,
        SqlType::BigInt => 17,
        SqlType::Int => 16,
        SqlType::SmallInt => 15,
        SqlType::TinyInt => 14,
        SqlType::Bit => 13,
        SqlType::NText { .. } => 12,
        SqlType::Text { .. } => 11,
        SqlType::Image => 10,
        SqlType::RowVersion => 9,
        SqlType::UniqueIdentifier => 8,
        SqlType::NVarChar { .. } => 7,
        SqlType::NChar { .. } => 6,
        SqlType::VarChar { .. } => 5,
        SqlType::Char { .. } => 4,
        SqlType::VarBinary { .. } => 3,
        SqlType::Binary { .. } => 2,
    }
}

/// Precision and scale of an exact numeric type, as arithmetic takes it.
pub fn exact(kind: &SqlType) -> Option<(u8, u8)> {
    match kind {
        SqlType::Bit => Some((1, 0)),
        SqlType::TinyInt => Some((3, 0)),
        SqlType::SmallInt => Some((5, 0)),
        SqlType::Int => Some((10, 0)),
        SqlType::BigInt => Some((19, 0)),
        SqlType::Money => Some((19, 4)),
        SqlType::SmallMoney => Some((10, 4)),
        SqlType::Decimal { precision, scale } => Some((*precision, *scale)),
        _ => None,
    }
}

/// The type in which two meet (comparison, CASE, COALESCE, rows of VALUES).
pub fn common(a: &SqlType, b: &SqlType) -> SqlType {
    let (winner, other) = if rank(a) >= rank(b) { (a, b) } else { (b, a) };
    let most = |a: Option<u16>, b: Option<u16>| Some(a?.max(b?));
    match winner {
        SqlType::Decimal { precision, scale } => match exact(other) {
            Some((p, s)) => {
                let whole = (precision - scale).max(p - s);
                let scale = (*scale).max(s).min(38 - whole.min(38));
                SqlType::Decimal { precision: (whole + scale).min(38), scale }
            }
            None => winner.clone(),
        },
        SqlType::VarChar { bytes, collation } => {
            SqlType::VarChar { bytes: most(*bytes, length(other)), collation: collation.clone() }
        }
        SqlType::NVarChar { chars, collation } => SqlType::NVarChar {
            chars: most(*chars, length(other)).map(|n| n.min(4000)),
            collation: collation.clone(),
        },
        SqlType::Char { bytes, collation } => match other {
            SqlType::Char { bytes: n, .. } => {
                SqlType::Char { bytes: *bytes.max(n), collation: collation.clone() }
            }
            _ => SqlType::VarChar { bytes: most(Some(*bytes), length(other)), collation: collation.clone() },
        },
        SqlType::NChar { chars, collation } => match other {
            SqlType::NChar { chars: n, .. } => {
                SqlType::NChar { chars: *chars.max(n), collation: collation.clone() }
            }
            _ => SqlType::NVarChar {
                chars: most(Some(*chars), length(other)).map(|n| n.min(4000)),
                collation: collation.clone(),
            },
        },
        SqlType::VarBinary { bytes } => SqlType::VarBinary { bytes: most(*bytes, length(other)) },
        SqlType::Binary { bytes } => SqlType::VarBinary { bytes: most(Some(*bytes), length(other)) },
        SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale } | SqlType::Time { scale } => {
            let scale = (*scale).max(match other {
                SqlType::DateTime2 { scale }
                | SqlType::DateTimeOffset { scale }
                | SqlType::Time { scale } => *scale,
                SqlType::DateTime => 7,
                _ => 0,
            });
            match winner {
                SqlType::DateTime2 { .. } => SqlType::DateTime2 { scale },
                SqlType::Time { .. } => SqlType::Time { scale },
                _ => SqlType::DateTimeOffset { scale },
            }
        }
        _ => winner.clone(),
    }
}

/// The length of a string or binary type; `None` is max; other types count as text of 48.
pub fn length(kind: &SqlType) -> Option<u16> {
    match kind {
        SqlType::Char { bytes, .. } | SqlType::Binary { bytes } | SqlType::NChar { chars: bytes, .. } => {
            Some(*bytes)
        }
        SqlType::VarChar { bytes, .. }
        | SqlType::VarBinary { bytes }
        | SqlType::NVarChar { chars: bytes, .. } => *bytes,
        SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image | SqlType::Xml => None,
        SqlType::RowVersion => Some(8),
        _ => Some(48),
    }
}
