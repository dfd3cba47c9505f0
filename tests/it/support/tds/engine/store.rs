//! How values lie in SQLite: one form per type, chosen so that SQLite's own comparison sorts it right where it can.
//!
//! Always: decoding what was encoded gives the same value. Decimals are 16 sortable bytes at the type's scale, dates and times
//! integers, guids their bytes in SQL Server's sort order, strings their bytes (UTF-16LE for the n-types).

use rusqlite::types::{Value, ValueRef};

use super::super::value::{Datum, SqlType};
use super::dates::{DAY, TICKS};
use super::types::{self, Family};

/// Which byte of a guid's text order SQL Server compares first, second, and so on.
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];

const SIGN: u128 = 1 << 127;

pub fn decimal_key(value: i128) -> [u8; 16] {
    (value.cast_unsigned() ^ SIGN).to_be_bytes()
}

pub fn decimal_of(bytes: &[u8]) -> Option<i128> {
    Some((u128::from_be_bytes(bytes.try_into().ok()?) ^ SIGN).cast_signed())
}

pub fn utf16_bytes(text: &[u16]) -> Vec<u8> {
    text.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

/// UTF-16LE bytes as units; an odd last byte gets a zero beside it.
pub fn utf16_units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])).collect()
}

fn wide(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The stored form of a value.
pub fn encode(value: &Datum) -> Value {
    match value {
        Datum::Null => Value::Null,
        Datum::Int(n) => Value::Integer(*n),
        Datum::Decimal(n) => Value::Blob(decimal_key(*n).to_vec()),
        Datum::Float(n) => Value::Real(*n),
        Datum::Bytes(bytes) => Value::Blob(bytes.clone()),
        Datum::Utf16(text) => Value::Blob(utf16_bytes(text)),
        Datum::Date(days) => Value::Integer(i64::from(*days)),
        Datum::Time(time) => Value::Integer(wide(*time)),
        Datum::DateTime { days, ticks } => Value::Integer(i64::from(*days) * TICKS + i64::from(*ticks)),
        Datum::SmallDateTime { days, minutes } => {
            Value::Integer(i64::from(*days) * 1440 + i64::from(*minutes))
        }
        Datum::DateTime2 { days, time } => Value::Integer(i64::from(*days) * DAY + wide(*time)),
        Datum::DateTimeOffset { days, time, offset } => {
            // The moment in UTC first: that is all that comparison looks at.
            let mut bytes = (i64::from(*days) * DAY + wide(*time)).to_be_bytes().to_vec();
            bytes.extend_from_slice(&offset.to_be_bytes());
            Value::Blob(bytes)
        }
        Datum::Guid(bytes) => Value::Blob(GUID_ORDER.iter().map(|at| bytes[*at]).collect()),
    }
}

/// The value of a stored form. `None`: the form does not belong to the type.
pub fn decode(form: ValueRef<'_>, kind: &SqlType) -> Option<Datum> {
    Some(match (form, types::family(kind)) {
        (ValueRef::Null, _) => Datum::Null,
        (ValueRef::Integer(n), Family::Integer | Family::Variant) => Datum::Int(n),
        (ValueRef::Integer(n), Family::Date) => date(n, kind)?,
        (ValueRef::Blob(bytes), Family::Decimal) => Datum::Decimal(decimal_of(bytes)?),
        (ValueRef::Real(n), Family::Float | Family::Variant) => Datum::Float(n),
        (ValueRef::Blob(bytes), Family::Char | Family::Binary) => Datum::Bytes(bytes.to_vec()),
        (ValueRef::Blob(bytes), Family::NChar | Family::Variant) => Datum::Utf16(utf16_units(bytes)),
        (ValueRef::Blob(bytes), Family::Guid) if bytes.len() == 16 => {
            let mut guid = [0; 16];
            GUID_ORDER.iter().zip(bytes).for_each(|(at, byte)| guid[*at] = *byte);
            Datum::Guid(guid)
        }
        (ValueRef::Blob(bytes), Family::Date) if bytes.len() == 10 => {
            let (moment, offset) = bytes.split_at(8);
            let moment = i64::from_be_bytes(moment.try_into().ok()?);
            Datum::DateTimeOffset {
                days: u32::try_from(moment.div_euclid(DAY)).ok()?,
                time: u64::try_from(moment.rem_euclid(DAY)).ok()?,
                offset: i16::from_be_bytes(offset.try_into().ok()?),
            }
        }
        _ => return None,
    })
}

fn date(n: i64, kind: &SqlType) -> Option<Datum> {
    Some(match kind {
        SqlType::Date => Datum::Date(u32::try_from(n).ok()?),
        SqlType::Time { .. } => Datum::Time(u64::try_from(n).ok()?),
        SqlType::DateTime => Datum::DateTime {
            days: i32::try_from(n.div_euclid(TICKS)).ok()?,
            ticks: u32::try_from(n.rem_euclid(TICKS)).ok()?,
        },
        SqlType::SmallDateTime => Datum::SmallDateTime {
            days: u16::try_from(n / 1440).ok()?,
            minutes: u16::try_from(n % 1440).ok()?,
        },
        SqlType::DateTime2 { .. } => Datum::DateTime2 {
            days: u32::try_from(n.div_euclid(DAY)).ok()?,
            time: u64::try_from(n.rem_euclid(DAY)).ok()?,
        },
        _ => return None,
    })
}

/// A stored form as a literal in SQLite's SQL.
pub fn literal(form: &Value) -> String {
    match form {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) if *n == i64::MIN => "(-9223372036854775807 - 1)".to_owned(),
        Value::Integer(n) => format!("{n}"),
        // With an exponent SQLite reads a REAL, never an integer.
        Value::Real(n) => format!("{n:e}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => format!("x'{}'", super::lex::hex(bytes)),
    }
}
