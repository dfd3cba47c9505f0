//! Which columns a source can be asked to sum, in which unit, and by which columns: one rule for every database (FORMS 7).
//!
//! Always: a column that is no amount, or no group, is refused by name before anything is read.
//! Must not know: any database's SQL.

use super::{Column, LegacyType, SourceError, Table};

/// How the values of a column add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adds {
    /// Whole numbers, and bits as 0 and 1.
    Whole,
    /// In units of the last digit after the point.
    Exact { precision: u8, scale: u8 },
    /// 10⁻⁴, cut off.
    Float,
    /// How many values, and their bytes.
    Text,
}

impl Adds {
    /// How values of that type add up; none for what is no amount.
    pub(super) fn of(kind: LegacyType) -> Option<Self> {
        match kind {
            LegacyType::BigInt
            | LegacyType::Int
            | LegacyType::SmallInt
            | LegacyType::TinyInt
            | LegacyType::Bit => Some(Self::Whole),
            LegacyType::Numeric { precision, scale } => {
                Some(Self::Exact { precision, scale: scale.unsigned_abs() })
            }
            LegacyType::Money => Some(Self::Exact { precision: 19, scale: 4 }),
            LegacyType::SmallMoney => Some(Self::Exact { precision: 10, scale: 4 }),
            LegacyType::Float => Some(Self::Float),
            LegacyType::CodePageText | LegacyType::Unicode => Some(Self::Text),
            LegacyType::DateTime
            | LegacyType::Instant(_)
            | LegacyType::Date
            | LegacyType::Spelled
            | LegacyType::Offset(_)
            | LegacyType::Binary => None,
        }
    }
}

/// Whether a table can be grouped by a column of that type: text and whole numbers.
fn groups(kind: LegacyType) -> bool {
    match kind {
        LegacyType::CodePageText
        | LegacyType::Unicode
        | LegacyType::BigInt
        | LegacyType::Int
        | LegacyType::SmallInt
        | LegacyType::TinyInt
        | LegacyType::Bit
        | LegacyType::Numeric { scale: 0, .. } => true,
        LegacyType::Numeric { .. }
        | LegacyType::Money
        | LegacyType::SmallMoney
        | LegacyType::Float
        | LegacyType::DateTime
        | LegacyType::Instant(_)
        | LegacyType::Date
        | LegacyType::Spelled
        | LegacyType::Offset(_)
        | LegacyType::Binary => false,
    }
}

/// A column of a known type.
///
/// # Errors
/// `SRC-010`, `SRC-007`.
pub(super) fn column<'t>(
    id: &str,
    table: &'t Table,
    name: &str,
) -> Result<(&'t Column, LegacyType), SourceError> {
    let column = table.any_column(name).ok_or_else(|| SourceError::Unknown {
        id: id.to_owned(),
        what: format!("column {}.{name}", table.name),
    })?;
    let kind = column.kind.ok_or_else(|| SourceError::UnknownType {
        id: id.to_owned(),
        table: table.name.clone(),
        column: name.to_owned(),
        declared: column.declared.clone(),
    })?;
    Ok((column, kind))
}

/// A column to group by.
///
/// # Errors
/// `SRC-010` for one that is neither text nor a whole number; `SRC-007`.
pub(super) fn group<'t>(
    id: &str,
    table: &'t Table,
    name: &str,
) -> Result<(&'t Column, LegacyType), SourceError> {
    let (column, kind) = column(id, table, name)?;
    if groups(kind) {
        return Ok((column, kind));
    }
    Err(SourceError::Unknown {
        id: id.to_owned(),
        what: format!("way to group {} by {name}: it is neither text nor a whole number", table.name),
    })
}

/// The refusal of a column that is no amount.
pub(super) fn no_amount(id: &str, table: &Table, name: &str) -> SourceError {
    SourceError::Unknown {
        id: id.to_owned(),
        what: format!("way to sum {}.{name}: it is no amount", table.name),
    }
}

/// The refusal of a sum of those columns that has more digits than a measure holds.
pub(super) fn too_large(id: &str, table: &Table, columns: &str) -> SourceError {
    SourceError::TooLarge { id: id.to_owned(), what: format!("{}.{columns}", table.name) }
}
