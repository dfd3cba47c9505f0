//! Cells of small answers, as what the question asked for.
//!
//! Always: a cell of another type than asked for is `None`; questions cast what they ask, so that does not happen by chance.

use tiberius::{ColumnData, Row};

fn cell(row: &Row, at: usize) -> Option<&ColumnData<'static>> {
    row.cells().nth(at).map(|(_, data)| data)
}

/// Text.
pub(super) fn text(row: &Row, at: usize) -> Option<String> {
    match cell(row, at)? {
        ColumnData::String(text) => text.as_ref().map(ToString::to_string),
        _ => None,
    }
}

/// A whole number of any width, or a bit.
pub(super) fn int(row: &Row, at: usize) -> Option<i64> {
    match cell(row, at)? {
        ColumnData::U8(v) => v.map(i64::from),
        ColumnData::I16(v) => v.map(i64::from),
        ColumnData::I32(v) => v.map(i64::from),
        ColumnData::I64(v) => *v,
        ColumnData::Bit(v) => v.map(i64::from),
        _ => None,
    }
}

/// The unscaled integer of a decimal.
pub(super) fn decimal(row: &Row, at: usize) -> Option<i128> {
    match cell(row, at)? {
        ColumnData::Numeric(v) => v.map(tiberius::numeric::Numeric::value),
        _ => None,
    }
}

/// Bytes.
pub(super) fn bytes(row: &Row, at: usize) -> Option<&[u8]> {
    match cell(row, at)? {
        ColumnData::Binary(v) => v.as_deref(),
        _ => None,
    }
}
