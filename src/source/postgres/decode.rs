//! Binary fields of PostgreSQL → Arrow columns, one decision a column, made before the first row.
//!
//! Always: exact or refused, naming the column; every legacy type has its one SQL expression and its one binary form here, so that
//! the two cannot drift apart.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, Decimal128Array, PrimitiveArray,
    PrimitiveBuilder, StringBuilder,
};
use arrow::datatypes::{Date32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono_tz::Tz;

use super::super::decode::{Misfit, TextBuilder, all_text};
use super::super::{Column, LegacyType};
use super::{numeric, quote};
use crate::encoding::TextEncoding;

/// 2000-01-01, which PostgreSQL counts from, in days and microseconds since 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The type that a declaration stands for; `None` for one that is not known. `held`: how the database holds text.
pub(super) fn kind(declared: &str, held: TextEncoding, zone: Tz) -> Option<LegacyType> {
    let text = match held {
        TextEncoding::CodePage(_) => LegacyType::CodePageText,
        TextEncoding::Utf8 | TextEncoding::Utf16 => LegacyType::Unicode,
    };
    let (name, arguments) = declared.split_once('(').unwrap_or((declared, ""));
    let precise = |rest: &str| {
        let (precision, scale) = rest.trim_end_matches(')').split_once(',')?;
        let (precision, scale) = (precision.parse::<u8>().ok()?, scale.parse::<i8>().ok()?);
        let fits = precision <= 38 && scale >= 0 && scale <= precision.cast_signed();
        fits.then_some(LegacyType::Numeric { precision, scale })
    };
    match name.trim() {
        "smallint" => Some(LegacyType::SmallInt),
        "integer" => Some(LegacyType::Int),
        "bigint" | "oid" => Some(LegacyType::BigInt),
        "boolean" => Some(LegacyType::Bit),
        "real" | "double precision" => Some(LegacyType::Float),
        // Without a precision, or with more digits than Arrow holds: as text, exactly.
        "numeric" => Some(precise(arguments).unwrap_or(LegacyType::Spelled)),
        "money" => Some(LegacyType::Money),
        "character" | "character varying" | "text" | "name" | "\"char\"" => Some(text),
        "xml" | "json" | "jsonb" => Some(text),
        "bytea" => Some(LegacyType::Binary),
        "date" => Some(LegacyType::Date),
        _ if name.starts_with("timestamp") && declared.ends_with("with time zone") => {
            Some(LegacyType::Instant(zone))
        }
        _ if name.starts_with("timestamp") => Some(LegacyType::DateTime),
        _ if name.starts_with("time") => Some(LegacyType::Spelled),
        "uuid" | "interval" | "bit" | "bit varying" | "inet" | "cidr" | "macaddr" => {
            Some(LegacyType::Spelled)
        }
        _ => None,
    }
}

/// The SQL expression whose binary form [`column`] reads.
pub(super) fn expression(column: &Column) -> String {
    let name = quote(&column.name);
    let declared = column.declared.as_str();
    if declared.starts_with("timestamp") && declared.ends_with("with time zone") {
        return format!("({name} AT TIME ZONE 'UTC')");
    }
    match declared {
        "oid" => format!("{name}::bigint"),
        "real" => format!("{name}::double precision"),
        "money" => format!("{name}::numeric(19,4)"),
        "name" | "\"char\"" | "xml" | "json" | "jsonb" => format!("{name}::text"),
        _ if column.kind == Some(LegacyType::Spelled) => format!("{name}::text"),
        _ => name,
    }
}

fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], Misfit> {
    field.try_into().map_err(|_| "a field of another size than its type has")
}

/// What does not fit, and in which row.
type At = (usize, Misfit);

fn each<'f>(
    fields: impl Iterator<Item = Option<&'f [u8]>>,
    mut append: impl FnMut(Option<&'f [u8]>) -> Result<(), Misfit>,
) -> Result<(), At> {
    fields.enumerate().try_for_each(|(row, field)| append(field).map_err(|found| (row, found)))
}

fn numbers<'f, T: ArrowPrimitiveType>(
    fields: impl ExactSizeIterator<Item = Option<&'f [u8]>>,
    read: impl Fn(&[u8]) -> Result<T::Native, Misfit>,
) -> Result<PrimitiveArray<T>, At> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(fields.len());
    each(fields, |field| {
        match field {
            Some(field) => values.append_value(read(field)?),
            None => values.append_null(),
        }
        Ok(())
    })?;
    Ok(values.finish())
}

/// Decodes one column of binary fields (`None` is NULL) into its array; text into two.
pub(super) fn column<'f>(
    kind: LegacyType,
    encoding: TextEncoding,
    fields: impl ExactSizeIterator<Item = Option<&'f [u8]>> + Clone,
    into: &mut Vec<ArrayRef>,
) -> Result<(), At> {
    let decimal = |precision, scale| move |f: &[u8]| numeric::unscaled(f, precision, scale);
    let decimals = |values: Decimal128Array| Arc::new(values.with_data_type(kind.arrow()));
    let rows = fields.len();
    into.push(match kind {
        LegacyType::BigInt => Arc::new(numbers::<Int64Type>(fields, |f| fixed(f).map(i64::from_be_bytes))?),
        LegacyType::Int => Arc::new(numbers::<Int32Type>(fields, |f| fixed(f).map(i32::from_be_bytes))?),
        // PostgreSQL has no tinyint; it would come as a smallint.
        LegacyType::SmallInt | LegacyType::TinyInt => {
            Arc::new(numbers::<Int16Type>(fields, |f| fixed(f).map(i16::from_be_bytes))?)
        }
        LegacyType::Float => Arc::new(numbers::<Float64Type>(fields, |f| fixed(f).map(f64::from_be_bytes))?),
        LegacyType::Numeric { precision, scale } => decimals(numbers(fields, decimal(precision, scale))?),
        LegacyType::Money => decimals(numbers(fields, decimal(19, 4))?),
        LegacyType::SmallMoney => decimals(numbers(fields, decimal(10, 4))?),
        LegacyType::DateTime => Arc::new(numbers::<TimestampMicrosecondType>(fields, micros)?),
        LegacyType::Instant(zone) => {
            Arc::new(numbers::<TimestampMicrosecondType>(fields, micros)?.with_timezone(zone.name()))
        }
        LegacyType::Date => Arc::new(numbers::<Date32Type>(fields, days)?),
        LegacyType::Bit => {
            let mut values = BooleanBuilder::with_capacity(rows);
            each(fields, |field| {
                values.append_option(field.map(fixed::<1>).transpose()?.map(|b| b != [0]));
                Ok(())
            })?;
            Arc::new(values.finish())
        }
        LegacyType::Spelled | LegacyType::Offset(_) => {
            let mut values = StringBuilder::with_capacity(rows, 0);
            each(fields, |field| {
                let text = field.map(std::str::from_utf8).transpose();
                values.append_option(text.map_err(|_| "text that is not ASCII")?);
                Ok(())
            })?;
            Arc::new(values.finish())
        }
        LegacyType::Binary => {
            let mut values = BinaryBuilder::with_capacity(rows, 0);
            each(fields, |field| {
                values.append_option(field);
                Ok(())
            })?;
            Arc::new(values.finish())
        }
        LegacyType::CodePageText | LegacyType::Unicode => {
            if let Some(columns) = all_text(fields.clone(), encoding) {
                into.extend(columns);
                return Ok(());
            }
            let mut values = TextBuilder::with_capacity(rows);
            each(fields, |field| {
                values.append(field, encoding);
                Ok(())
            })?;
            values.finish(into);
            return Ok(());
        }
    });
    Ok(())
}

fn micros(field: &[u8]) -> Result<i64, Misfit> {
    match fixed(field).map(i64::from_be_bytes)? {
        i64::MAX | i64::MIN => Err("an infinite time"),
        t => t.checked_add(EPOCH_MICROS).ok_or("a time out of range"),
    }
}

fn days(field: &[u8]) -> Result<i32, Misfit> {
    match fixed(field).map(i32::from_be_bytes)? {
        i32::MAX | i32::MIN => Err("an infinite date"),
        d => d.checked_add(EPOCH_DAYS).ok_or("a date out of range"),
    }
}
