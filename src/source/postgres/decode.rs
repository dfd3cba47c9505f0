//! Binary fields of PostgreSQL → Arrow columns, one decision a column, made before the first row.
//!
//! Always: exact or refused, naming the column; every legacy type has its one SQL expression and its one binary form here, so that
//! the two cannot drift apart.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder,
    Decimal128Array, PrimitiveArray, PrimitiveBuilder, StringArray, StringBuilder, new_null_array,
};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::super::decode::{Misfit, TextBuilder, all_text};
use super::super::{Column, LegacyType};
use super::{Inner, numeric, quote, special};
use crate::encoding::TextEncoding;

/// 2000-01-01, which PostgreSQL counts from, in days and microseconds since 1970-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 0001-01-01 to 9999-12-31, since 1970-01-01.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
const TIMES: Range<i64> = -719_162 * 86_400_000_000..2_932_897 * 86_400_000_000;

/// The type that a declaration stands for; `None` for one that cannot be read exactly. `system`: a type of PostgreSQL itself, not an
/// enumeration, an array, or one of an extension: those are text as the server writes it.
pub(super) fn kind(source: &Inner, declared: &str, system: bool) -> Option<LegacyType> {
    let text = if source.text.is_utf8() { LegacyType::Unicode } else { LegacyType::CodePageText };
    if !system {
        // How money is written depends on the session, and so do names of objects.
        return Some(text).filter(|_| !declared.starts_with("money") && !declared.starts_with("reg"));
    }
    let (name, arguments) = declared.split_once('(').unwrap_or((declared, ""));
    match name.trim() {
        "smallint" => Some(LegacyType::SmallInt),
        "integer" => Some(LegacyType::Int),
        "bigint" | "oid" => Some(LegacyType::BigInt),
        "boolean" => Some(LegacyType::Bit),
        "real" | "double precision" => Some(LegacyType::Float),
        // Without a precision, or with more digits than Arrow holds: as text, exactly.
        "numeric" => Some(exact(arguments).unwrap_or(LegacyType::Spelled)),
        "money" => Some(LegacyType::Numeric { precision: 19, scale: source.money_digits.cast_signed() }),
        "bytea" => Some(LegacyType::Binary),
        "date" => Some(LegacyType::Date),
        _ if name.starts_with("timestamp") && declared.ends_with("with time zone") => {
            Some(LegacyType::Instant(source.settings.time_zone))
        }
        _ if name.starts_with("timestamp") => Some(LegacyType::DateTime),
        _ if name.starts_with("time") => Some(LegacyType::Spelled),
        "uuid" | "interval" | "bit" | "bit varying" | "inet" | "cidr" | "macaddr" | "macaddr8" => {
            Some(LegacyType::Spelled)
        }
        _ if name.starts_with("reg") => None,
        _ => Some(text),
    }
}

/// A numeric of so many digits; from version 15 on the last one may stand before the point, or all of them far behind it.
fn exact(arguments: &str) -> Option<LegacyType> {
    let (precision, scale) = arguments.trim_end_matches(')').split_once(',')?;
    let (precision, scale) = (precision.parse::<i32>().ok()?, scale.parse::<i32>().ok()?);
    let digits = if scale < 0 { precision - scale } else { precision.max(scale) };
    let (precision, scale) = (u8::try_from(digits).ok()?, i8::try_from(scale.max(0)).ok()?);
    (precision <= 38).then_some(LegacyType::Numeric { precision, scale })
}

/// Whether PostgreSQL holds values of this type that ours does not: infinity, NaN, years before 1 and after 9999.
pub(super) fn loose(kind: LegacyType) -> bool {
    matches!(
        kind,
        LegacyType::Date
            | LegacyType::DateTime
            | LegacyType::Instant(_)
            | LegacyType::Numeric { .. }
            | LegacyType::Float
    )
}

/// Text that is padded to its length; a cast to text would lose that.
pub(super) fn padded(declared: &str) -> bool {
    declared == "bpchar"
        || declared == "character"
        || (declared.starts_with("character(") && declared.ends_with(')'))
}

/// The SQL expression whose binary form [`column`] reads.
pub(super) fn expression(column: &Column) -> String {
    let name = quote(&column.name);
    let declared = column.declared.as_str();
    let varying =
        declared.strip_prefix("character varying").is_some_and(|n| n.is_empty() || n.ends_with(')'));
    match column.kind {
        Some(LegacyType::Instant(_)) => format!("({name} AT TIME ZONE 'UTC')"),
        Some(LegacyType::Numeric { .. }) if declared == "money" => format!("{name}::numeric"),
        Some(LegacyType::BigInt) if declared == "oid" => format!("{name}::bigint"),
        Some(LegacyType::Float) if declared == "real" => format!("{name}::double precision"),
        Some(LegacyType::CodePageText | LegacyType::Unicode)
            if !(varying || padded(declared) || declared == "text") =>
        {
            format!("{name}::text")
        }
        Some(LegacyType::Spelled) => format!("{name}::text"),
        _ => name,
    }
}

pub(super) fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], Misfit> {
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

/// Numbers; with `kept`, what does not fit is NULL and kept there as the server writes it.
fn numbers<'f, T: ArrowPrimitiveType>(
    fields: impl ExactSizeIterator<Item = Option<&'f [u8]>>,
    read: impl Fn(&[u8]) -> Result<T::Native, Misfit>,
    written: impl Fn(&[u8]) -> Option<String>,
    kept: &mut Kept,
) -> Result<PrimitiveArray<T>, At> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(fields.len());
    for (row, field) in fields.enumerate() {
        let Some(field) = field else {
            values.append_null();
            continue;
        };
        match read(field) {
            Ok(value) => values.append_value(value),
            Err(found) => {
                let text = kept.as_mut().zip(written(field)).ok_or((row, found))?;
                text.0.push((row, text.1));
                values.append_null();
            }
        }
    }
    Ok(values.finish())
}

/// The rows of a loose column whose values do not fit, with what is written there; `None`: every value must fit.
type Kept = Option<Vec<(usize, String)>>;

/// The array beside a loose column.
fn beside(kept: Vec<(usize, String)>, rows: usize) -> ArrayRef {
    if kept.is_empty() {
        return new_null_array(&DataType::Binary, rows);
    }
    let mut values = BinaryBuilder::with_capacity(rows, 0);
    for (row, text) in kept {
        values.append_nulls(row - values.len());
        values.append_value(text);
    }
    values.append_nulls(rows - values.len());
    Arc::new(values.finish())
}

/// Decodes one column of binary fields (`None` is NULL) into its array; text and loose columns into two.
pub(super) fn column<'f>(
    of: &Column,
    fields: impl ExactSizeIterator<Item = Option<&'f [u8]>> + Clone,
    into: &mut Vec<ArrayRef>,
) -> Result<(), At> {
    let kind = of.kind.ok_or((0, "a type that is not known"))?;
    let encoding = of.encoding.unwrap_or(TextEncoding::Utf8);
    let kept = &mut of.loose.then(Vec::new);
    let decimal = |precision, scale| move |f: &[u8]| numeric::unscaled(f, precision, scale);
    let decimals = |values: Decimal128Array| Arc::new(values.with_data_type(kind.arrow()));
    let rows = fields.len();
    into.push(match kind {
        LegacyType::BigInt => {
            Arc::new(numbers::<Int64Type>(fields, |f| fixed(f).map(i64::from_be_bytes), none, kept)?)
        }
        LegacyType::Int => {
            Arc::new(numbers::<Int32Type>(fields, |f| fixed(f).map(i32::from_be_bytes), none, kept)?)
        }
        // PostgreSQL has no tinyint; it would come as a smallint.
        LegacyType::SmallInt | LegacyType::TinyInt => {
            Arc::new(numbers::<Int16Type>(fields, |f| fixed(f).map(i16::from_be_bytes), none, kept)?)
        }
        LegacyType::Float => Arc::new(numbers::<Float64Type>(fields, float, special::float, kept)?),
        LegacyType::Numeric { precision, scale } => {
            decimals(numbers(fields, decimal(precision, scale), special::numeric, kept)?)
        }
        LegacyType::Money => decimals(numbers(fields, decimal(19, 4), none, kept)?),
        LegacyType::SmallMoney => decimals(numbers(fields, decimal(10, 4), none, kept)?),
        LegacyType::DateTime => {
            Arc::new(numbers::<TimestampMicrosecondType>(fields, micros, special::time, kept)?)
        }
        LegacyType::Instant(zone) => {
            let times = numbers::<TimestampMicrosecondType>(fields, micros, special::instant, kept)?;
            Arc::new(times.with_timezone(zone.name()))
        }
        LegacyType::Date => Arc::new(numbers::<Date32Type>(fields, days, special::date, kept)?),
        LegacyType::Bit => Arc::new(bits(fields)?),
        LegacyType::Spelled | LegacyType::Offset(_) => Arc::new(ascii(fields)?),
        LegacyType::Binary => Arc::new(fields.collect::<BinaryArray>()),
        LegacyType::CodePageText | LegacyType::Unicode => {
            text(encoding, fields, into);
            return Ok(());
        }
    });
    into.extend(kept.take().map(|kept| beside(kept, rows)));
    Ok(())
}

fn bits<'f>(fields: impl ExactSizeIterator<Item = Option<&'f [u8]>>) -> Result<BooleanArray, At> {
    let mut values = BooleanBuilder::with_capacity(fields.len());
    each(fields, |field| {
        values.append_option(field.map(fixed::<1>).transpose()?.map(|b| b != [0]));
        Ok(())
    })?;
    Ok(values.finish())
}

/// What the server spells itself.
fn ascii<'f>(fields: impl ExactSizeIterator<Item = Option<&'f [u8]>>) -> Result<StringArray, At> {
    let mut values = StringBuilder::with_capacity(fields.len(), 0);
    each(fields, |field| {
        let text = field.map(std::str::from_utf8).transpose();
        values.append_option(text.map_err(|_| "text that is not ASCII")?);
        Ok(())
    })?;
    Ok(values.finish())
}

fn text<'f>(
    encoding: TextEncoding,
    fields: impl ExactSizeIterator<Item = Option<&'f [u8]>> + Clone,
    into: &mut Vec<ArrayRef>,
) {
    if let Some(columns) = all_text(fields.clone(), encoding) {
        into.extend(columns);
        return;
    }
    let mut values = TextBuilder::with_capacity(fields.len());
    fields.for_each(|field| values.append(field, encoding));
    values.finish(into);
}

/// Of a type whose every value fits.
fn none(_: &[u8]) -> Option<String> {
    None
}

fn float(field: &[u8]) -> Result<f64, Misfit> {
    let value = fixed(field).map(f64::from_be_bytes)?;
    if value.is_finite() { Ok(value) } else { Err("no number (NaN or infinity)") }
}

fn micros(field: &[u8]) -> Result<i64, Misfit> {
    let micros = fixed(field).map(i64::from_be_bytes)?.checked_add(EPOCH_MICROS);
    micros.filter(|t| TIMES.contains(t)).ok_or("a time outside the years 1 to 9999, or none")
}

fn days(field: &[u8]) -> Result<i32, Misfit> {
    let days = fixed(field).map(i32::from_be_bytes)?.checked_add(EPOCH_DAYS);
    days.filter(|d| DAYS.contains(d)).ok_or("a date outside the years 1 to 9999, or none")
}
