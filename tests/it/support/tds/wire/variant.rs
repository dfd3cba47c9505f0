//! The values of sql_variant columns (MS-TDS 2.2.5.5.4).
//!
//! Always: the base type follows from the datum alone, for a variant column declares none: integers are int or bigint, decimals
//! are numeric(38, 0), times have scale 7, bytes are varbinary.

use bytes::{BufMut, BytesMut};
use tds_protocol::types::TypeId;

use super::super::value::Datum;
use super::types::{put_days, put_decimal, put_guid, put_time};

/// What a variant's character data is compared by: no particular collation.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

const LONGEST: u16 = 8000;

/// Base type, its properties, the value.
fn encode(datum: &Datum) -> Result<(TypeId, BytesMut, BytesMut), String> {
    let mut properties = BytesMut::new();
    let mut value = BytesMut::new();
    let id = match datum {
        Datum::Null => return Err("NULL has no base type".to_owned()),
        Datum::Int(v) => match i32::try_from(*v) {
            Ok(v) => {
                value.put_i32_le(v);
                TypeId::Int4
            }
            Err(_) => {
                value.put_i64_le(*v);
                TypeId::Int8
            }
        },
        Datum::Decimal(v) => {
            properties.put_slice(&[38, 0]);
            put_decimal(&mut value, *v, 17)?;
            TypeId::NumericN
        }
        Datum::Float(v) => {
            value.put_f64_le(*v);
            TypeId::Float8
        }
        Datum::Bytes(bytes) => {
            properties.put_u16_le(LONGEST);
            value.put_slice(bytes);
            TypeId::BigVarBinary
        }
        Datum::Utf16(units) => {
            properties.put_slice(&COLLATION);
            properties.put_u16_le(LONGEST);
            units.iter().for_each(|unit| value.put_u16_le(*unit));
            TypeId::NVarChar
        }
        Datum::Guid(guid) => {
            put_guid(&mut value, guid);
            TypeId::Guid
        }
        time => encode_time(time, &mut properties, &mut value),
    };
    Ok((id, properties, value))
}

fn encode_time(datum: &Datum, properties: &mut BytesMut, value: &mut BytesMut) -> TypeId {
    match datum {
        Datum::Date(days) => {
            put_days(value, *days);
            TypeId::Date
        }
        Datum::DateTime { days, ticks } => {
            value.put_i32_le(*days);
            value.put_u32_le(*ticks);
            TypeId::DateTime
        }
        Datum::SmallDateTime { days, minutes } => {
            value.put_u16_le(*days);
            value.put_u16_le(*minutes);
            TypeId::DateTime4
        }
        Datum::DateTime2 { days, time } => {
            properties.put_u8(7);
            put_time(value, *time, 7);
            put_days(value, *days);
            TypeId::DateTime2
        }
        Datum::DateTimeOffset { days, time, offset } => {
            properties.put_u8(7);
            put_time(value, *time, 7);
            put_days(value, *days);
            value.put_i16_le(*offset);
            TypeId::DateTimeOffset
        }
        Datum::Time(time) => {
            properties.put_u8(7);
            put_time(value, *time, 7);
            TypeId::Time
        }
        _ => TypeId::Null,
    }
}

/// Length, base type, properties, value; a length of 0 for NULL.
pub fn put(dst: &mut BytesMut, datum: &Datum) -> Result<(), String> {
    if *datum == Datum::Null {
        dst.put_u32_le(0);
        return Ok(());
    }
    let (id, properties, value) = encode(datum)?;
    if value.len() > usize::from(LONGEST) {
        return Err(format!("{} bytes are too many for a variant", value.len()));
    }
    dst.put_u32_le((2 + properties.len() + value.len()) as u32);
    dst.put_u8(id as u8);
    dst.put_u8(properties.len() as u8);
    dst.put_slice(&properties);
    dst.put_slice(&value);
    Ok(())
}
