//! Columns and values as SQL Server encodes them: COLMETADATA, ROW, NBCROW.
//!
//! Always: a column that cannot be NULL has the fixed-length type where there is one, any other the nullable type; a datum that
//! does not belong to its column's type is an error of the backend, never a wrong byte on the wire.

use bytes::{BufMut, BytesMut};
use tds_protocol::codec::write_b_varchar;
use tds_protocol::token::TokenType;
use tds_protocol::types::TypeId;

use super::super::value::{Collation, Datum, ResultColumn, SqlType};
use super::collation;

/// With more columns than this, a row that has a NULL is sent as NBCROW.
const NBCROW_ABOVE: usize = 8;

/// Column flags: nullable; and "updateable: unknown", as for any expression.
const NULLABLE: u16 = 0x01;
const UPDATEABLE_UNKNOWN: u16 = 0x08;

/// The user type of rowversion; all others are 0.
const USER_TYPE_ROWVERSION: u32 = 80;

/// A max type's chunk; small enough that a LOB has many.
const PLP_CHUNK: usize = 32 * 1024;

const MAX: u16 = 0xFFFF;

/// The types that are fixed-length when not nullable: that type, the nullable one, the length.
fn fixed(kind: &SqlType) -> Option<(TypeId, TypeId, u8)> {
    Some(match kind {
        SqlType::Bit => (TypeId::Bit, TypeId::BitN, 1),
        SqlType::TinyInt => (TypeId::Int1, TypeId::IntN, 1),
        SqlType::SmallInt => (TypeId::Int2, TypeId::IntN, 2),
        SqlType::Int => (TypeId::Int4, TypeId::IntN, 4),
        SqlType::BigInt => (TypeId::Int8, TypeId::IntN, 8),
        SqlType::Real => (TypeId::Float4, TypeId::FloatN, 4),
        SqlType::Float => (TypeId::Float8, TypeId::FloatN, 8),
        SqlType::Money => (TypeId::Money, TypeId::MoneyN, 8),
        SqlType::SmallMoney => (TypeId::Money4, TypeId::MoneyN, 4),
        SqlType::DateTime => (TypeId::DateTime, TypeId::DateTimeN, 8),
        SqlType::SmallDateTime => (TypeId::DateTime4, TypeId::DateTimeN, 4),
        _ => return None,
    })
}

/// The length of a decimal's value, sign included.
fn decimal_length(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

fn time_length(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// COLMETADATA for a result set.
pub fn put_columns(dst: &mut BytesMut, columns: &[ResultColumn]) {
    dst.put_u8(TokenType::ColMetaData as u8);
    dst.put_u16_le(columns.len() as u16);
    for column in columns {
        dst.put_u32_le(if column.kind == SqlType::RowVersion { USER_TYPE_ROWVERSION } else { 0 });
        dst.put_u16_le(UPDATEABLE_UNKNOWN | if column.nullable { NULLABLE } else { 0 });
        put_type(dst, column);
        write_b_varchar(dst, &column.name);
    }
}

/// Where the first column's type byte stands in what `put_columns` writes.
pub const FIRST_TYPE: usize = 9;

/// A type that neither TDS nor any client knows.
pub const UNKNOWN_TYPE: u8 = 0x77;

fn put_type(dst: &mut BytesMut, column: &ResultColumn) {
    if let Some((not_null, nullable, length)) = fixed(&column.kind) {
        if column.nullable {
            dst.put_u8(nullable as u8);
            dst.put_u8(length);
        } else {
            dst.put_u8(not_null as u8);
        }
        return;
    }
    let mut sized = |id: TypeId, length: u16| {
        dst.put_u8(id as u8);
        dst.put_u16_le(length);
    };
    match &column.kind {
        SqlType::Char { bytes, .. } => sized(TypeId::BigChar, *bytes),
        SqlType::VarChar { bytes, .. } => sized(TypeId::BigVarChar, bytes.unwrap_or(MAX)),
        SqlType::NChar { chars, .. } => sized(TypeId::NChar, chars * 2),
        SqlType::NVarChar { chars, .. } => sized(TypeId::NVarChar, chars.map_or(MAX, |chars| chars * 2)),
        SqlType::Binary { bytes } => sized(TypeId::BigBinary, *bytes),
        SqlType::RowVersion => sized(TypeId::BigBinary, 8),
        SqlType::VarBinary { bytes } => sized(TypeId::BigVarBinary, bytes.unwrap_or(MAX)),
        other => put_other_type(dst, other),
    }
    if let Some(collation) = collation_of(&column.kind) {
        dst.put_slice(&collation::bytes(collation));
    }
    if matches!(column.kind, SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image) {
        // The table that the text pointer points into: none.
        dst.put_u8(0);
    }
}

fn put_other_type(dst: &mut BytesMut, kind: &SqlType) {
    match kind {
        SqlType::Decimal { precision, scale } => {
            dst.put_slice(&[TypeId::DecimalN as u8, decimal_length(*precision), *precision, *scale]);
        }
        SqlType::Date => dst.put_u8(TypeId::Date as u8),
        SqlType::Time { scale } => dst.put_slice(&[TypeId::Time as u8, *scale]),
        SqlType::DateTime2 { scale } => dst.put_slice(&[TypeId::DateTime2 as u8, *scale]),
        SqlType::DateTimeOffset { scale } => dst.put_slice(&[TypeId::DateTimeOffset as u8, *scale]),
        SqlType::UniqueIdentifier => dst.put_slice(&[TypeId::Guid as u8, 16]),
        // No schema collection.
        SqlType::Xml => dst.put_slice(&[TypeId::Xml as u8, 0]),
        SqlType::Text { .. } => {
            dst.put_u8(TypeId::Text as u8);
            dst.put_u32_le(0x7FFF_FFFF);
        }
        SqlType::NText { .. } => {
            dst.put_u8(TypeId::NText as u8);
            dst.put_u32_le(0x7FFF_FFFE);
        }
        SqlType::Image => {
            dst.put_u8(TypeId::Image as u8);
            dst.put_u32_le(0x7FFF_FFFF);
        }
        _ => {
            dst.put_u8(TypeId::Variant as u8);
            dst.put_u32_le(8009);
        }
    }
}

fn collation_of(kind: &SqlType) -> Option<&Collation> {
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

/// A row, as ROW or NBCROW.
pub fn put_row(dst: &mut BytesMut, columns: &[ResultColumn], row: &[Datum]) -> Result<(), String> {
    if columns.len() != row.len() {
        return Err(format!("a row of {} values for {} columns", row.len(), columns.len()));
    }
    let compressed = columns.len() > NBCROW_ABOVE && row.contains(&Datum::Null);
    if compressed {
        dst.put_u8(TokenType::NbcRow as u8);
        for eight in row.chunks(8) {
            let bits = eight.iter().rev().fold(0, |bits, datum| bits << 1 | u8::from(*datum == Datum::Null));
            dst.put_u8(bits);
        }
    } else {
        dst.put_u8(TokenType::Row as u8);
    }
    for (column, datum) in columns.iter().zip(row) {
        if *datum == Datum::Null && !column.nullable {
            return Err(format!("NULL in column {}, which is not nullable", column.name));
        }
        if !(compressed && *datum == Datum::Null) {
            put_value(dst, column, datum)
                .map_err(|why| format!("column {} ({:?}): {why}", column.name, column.kind))?;
        }
    }
    Ok(())
}

fn put_value(dst: &mut BytesMut, column: &ResultColumn, datum: &Datum) -> Result<(), String> {
    let kind = &column.kind;
    match kind {
        SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image => put_text(dst, kind, datum),
        SqlType::Variant => super::variant::put(dst, datum),
        SqlType::Xml
        | SqlType::VarChar { bytes: None, .. }
        | SqlType::NVarChar { chars: None, .. }
        | SqlType::VarBinary { bytes: None } => put_plp(dst, kind, datum),
        SqlType::VarChar { bytes: Some(limit), .. } | SqlType::VarBinary { bytes: Some(limit) } => {
            put_sized(dst, kind, datum, *limit)
        }
        SqlType::Char { bytes, .. } | SqlType::Binary { bytes } => put_sized(dst, kind, datum, *bytes),
        SqlType::NChar { chars, .. } | SqlType::NVarChar { chars: Some(chars), .. } => {
            put_sized(dst, kind, datum, chars * 2)
        }
        SqlType::RowVersion => put_sized(dst, kind, datum, 8),
        _ if *datum == Datum::Null => {
            dst.put_u8(0);
            Ok(())
        }
        _ => {
            let bytes = scalar(kind, datum)?;
            if column.nullable || fixed(kind).is_none() {
                dst.put_u8(bytes.len() as u8);
            }
            dst.put_slice(&bytes);
            Ok(())
        }
    }
}

fn mismatch(datum: &Datum) -> String {
    format!("cannot carry {datum:?}")
}

/// A string's bytes; `None` for NULL.
fn string(kind: &SqlType, datum: &Datum) -> Result<Option<BytesMut>, String> {
    let wide = matches!(
        kind,
        SqlType::NChar { .. } | SqlType::NVarChar { .. } | SqlType::NText { .. } | SqlType::Xml
    );
    match datum {
        Datum::Null => Ok(None),
        Datum::Bytes(bytes) if !wide => Ok(Some(BytesMut::from(&bytes[..]))),
        Datum::Utf16(units) if wide => Ok(Some(units.iter().flat_map(|unit| unit.to_le_bytes()).collect())),
        other => Err(mismatch(other)),
    }
}

fn put_sized(dst: &mut BytesMut, kind: &SqlType, datum: &Datum, limit: u16) -> Result<(), String> {
    match string(kind, datum)? {
        None => dst.put_u16_le(MAX),
        Some(bytes) if bytes.len() > usize::from(limit) => {
            return Err(format!("{} bytes are more than {limit}", bytes.len()));
        }
        Some(bytes) => {
            dst.put_u16_le(bytes.len() as u16);
            dst.put_slice(&bytes);
        }
    }
    Ok(())
}

fn put_plp(dst: &mut BytesMut, kind: &SqlType, datum: &Datum) -> Result<(), String> {
    let Some(bytes) = string(kind, datum)? else {
        dst.put_u64_le(u64::MAX);
        return Ok(());
    };
    dst.put_u64_le(bytes.len() as u64);
    for chunk in bytes.chunks(PLP_CHUNK) {
        dst.put_u32_le(chunk.len() as u32);
        dst.put_slice(chunk);
    }
    dst.put_u32_le(0);
    Ok(())
}

/// The old LOB types: a text pointer and a timestamp that nobody reads stand before the value.
fn put_text(dst: &mut BytesMut, kind: &SqlType, datum: &Datum) -> Result<(), String> {
    let Some(bytes) = string(kind, datum)? else {
        dst.put_u8(0);
        return Ok(());
    };
    dst.put_u8(16);
    dst.put_bytes(0x11, 16);
    dst.put_bytes(0, 8);
    dst.put_u32_le(bytes.len() as u32);
    dst.put_slice(&bytes);
    Ok(())
}

/// The bytes of a value that has a one-byte length or none.
fn scalar(kind: &SqlType, datum: &Datum) -> Result<BytesMut, String> {
    let mut dst = BytesMut::new();
    match (kind, datum) {
        (SqlType::Bit | SqlType::TinyInt, Datum::Int(v)) => dst.put_u8(narrow(*v)?),
        (SqlType::SmallInt, Datum::Int(v)) => dst.put_i16_le(narrow(*v)?),
        (SqlType::Int, Datum::Int(v)) => dst.put_i32_le(narrow(*v)?),
        (SqlType::BigInt, Datum::Int(v)) => dst.put_i64_le(*v),
        (SqlType::Real, Datum::Float(v)) => dst.put_f32_le(*v as f32),
        (SqlType::Float, Datum::Float(v)) => dst.put_f64_le(*v),
        (SqlType::Decimal { precision, .. }, Datum::Decimal(v)) => {
            put_decimal(&mut dst, *v, usize::from(decimal_length(*precision)))?;
        }
        (SqlType::Money, Datum::Decimal(v)) => {
            let v: i64 = narrow(*v)?;
            // High word first, unlike every other number.
            dst.put_i32_le((v >> 32) as i32);
            dst.put_u32_le(v as u32);
        }
        (SqlType::SmallMoney, Datum::Decimal(v)) => dst.put_i32_le(narrow(*v)?),
        (SqlType::DateTime, Datum::DateTime { days, ticks }) => {
            dst.put_i32_le(*days);
            dst.put_u32_le(*ticks);
        }
        (SqlType::SmallDateTime, Datum::SmallDateTime { days, minutes }) => {
            dst.put_u16_le(*days);
            dst.put_u16_le(*minutes);
        }
        (SqlType::UniqueIdentifier, Datum::Guid(guid)) => put_guid(&mut dst, guid),
        (SqlType::Date, Datum::Date(days)) => put_days(&mut dst, *days),
        (SqlType::Time { scale }, Datum::Time(time)) => put_time(&mut dst, *time, *scale),
        (SqlType::DateTime2 { scale }, Datum::DateTime2 { days, time }) => {
            put_time(&mut dst, *time, *scale);
            put_days(&mut dst, *days);
        }
        (SqlType::DateTimeOffset { scale }, Datum::DateTimeOffset { days, time, offset }) => {
            put_time(&mut dst, *time, *scale);
            put_days(&mut dst, *days);
            dst.put_i16_le(*offset);
        }
        (_, other) => return Err(mismatch(other)),
    }
    Ok(dst)
}

fn narrow<A: Copy + std::fmt::Display, B: TryFrom<A>>(value: A) -> Result<B, String> {
    B::try_from(value).map_err(|_| format!("{value} is out of range"))
}

/// Sign and magnitude, in `length` bytes.
pub fn put_decimal(dst: &mut BytesMut, value: i128, length: usize) -> Result<(), String> {
    let magnitude = value.unsigned_abs().to_le_bytes();
    let (kept, rest) = magnitude.split_at(length - 1);
    if rest.iter().any(|byte| *byte != 0) {
        return Err(format!("{value} does not fit the precision"));
    }
    dst.put_u8(u8::from(value >= 0));
    dst.put_slice(kept);
    Ok(())
}

/// The first three groups of the text form are little-endian on the wire.
pub fn put_guid(dst: &mut BytesMut, guid: &[u8; 16]) {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    for at in ORDER {
        dst.put_u8(guid[at]);
    }
}

pub fn put_days(dst: &mut BytesMut, days: u32) {
    dst.put_slice(&days.to_le_bytes()[..3]);
}

/// 100 ns units as the units of a scale.
pub fn put_time(dst: &mut BytesMut, time: u64, scale: u8) {
    let units = time / 10_u64.pow(u32::from(7_u8.saturating_sub(scale)));
    dst.put_slice(&units.to_le_bytes()[..usize::from(time_length(scale))]);
}
