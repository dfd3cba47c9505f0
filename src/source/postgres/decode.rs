//! Binary fields of PostgreSQL → Arrow columns, one decision a column, made before the first row.
//!
//! Always: exact or refused, naming the column; every legacy type has its one SQL expression and its one binary form here, so that
//! the two cannot drift apart.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use encoding_rs::Encoding;

use super::super::decode::{ColumnBuilder, Misfit, Value};
use super::super::{Column, LegacyType};
use super::{numeric, quote};

/// 2000-01-01, which PostgreSQL counts from, in days and microseconds since 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The type that a declaration stands for; `None` for one that is not known. `code_page` false: the database holds UTF-8.
pub(super) fn kind(declared: &str, code_page: bool) -> Option<LegacyType> {
    let text = if code_page { LegacyType::CodePageText } else { LegacyType::Unicode };
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
        _ if name.starts_with("timestamp") => Some(LegacyType::DateTime),
        _ if name.starts_with("time") => Some(LegacyType::Spelled),
        "uuid" | "interval" | "bit" | "bit varying" | "inet" | "cidr" | "macaddr" => {
            Some(LegacyType::Spelled)
        }
        _ => None,
    }
}

/// The SQL expression whose binary form [`Builder`] reads.
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

/// Builds one column from binary fields.
pub(super) enum Builder {
    BigInt(Int64Builder),
    Int(Int32Builder),
    SmallInt(Int16Builder),
    Bit(BooleanBuilder),
    Decimal {
        precision: u8,
        scale: i8,
        values: Decimal128Builder,
    },
    Float(Float64Builder),
    /// Text in its two columns.
    Text(Box<ColumnBuilder>),
    DateTime(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Spelled(StringBuilder),
    Binary(BinaryBuilder),
}

fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], Misfit> {
    field.try_into().map_err(|_| "a field of another size than its type has")
}

impl Builder {
    pub(super) fn new(kind: LegacyType, code_page: &'static Encoding) -> Self {
        let decimal = |precision, scale| Self::Decimal {
            precision,
            scale,
            values: Decimal128Builder::new().with_data_type(kind.arrow()),
        };
        match kind {
            LegacyType::BigInt => Self::BigInt(Int64Builder::new()),
            LegacyType::Int => Self::Int(Int32Builder::new()),
            // PostgreSQL has no tinyint; it would come as a smallint.
            LegacyType::SmallInt | LegacyType::TinyInt => Self::SmallInt(Int16Builder::new()),
            LegacyType::Bit => Self::Bit(BooleanBuilder::new()),
            LegacyType::Numeric { precision, scale } => decimal(precision, scale),
            LegacyType::Money => decimal(19, 4),
            LegacyType::SmallMoney => decimal(10, 4),
            LegacyType::Float => Self::Float(Float64Builder::new()),
            LegacyType::CodePageText | LegacyType::Unicode => {
                Self::Text(Box::new(ColumnBuilder::new(kind, code_page)))
            }
            LegacyType::DateTime => Self::DateTime(TimestampMicrosecondBuilder::new()),
            LegacyType::Date => Self::Date(Date32Builder::new()),
            LegacyType::Spelled => Self::Spelled(StringBuilder::new()),
            LegacyType::Binary => Self::Binary(BinaryBuilder::new()),
        }
    }

    /// Appends one field; `None` is NULL.
    pub(super) fn append(&mut self, field: Option<&[u8]>) -> Result<(), Misfit> {
        let Some(field) = field else { return self.append_null() };
        match self {
            Self::BigInt(b) => b.append_value(i64::from_be_bytes(fixed(field)?)),
            Self::Int(b) => b.append_value(i32::from_be_bytes(fixed(field)?)),
            Self::SmallInt(b) => b.append_value(i16::from_be_bytes(fixed(field)?)),
            Self::Bit(b) => b.append_value(fixed::<1>(field)? != [0]),
            Self::Decimal { precision, scale, values } => {
                values.append_value(numeric::unscaled(field, *precision, *scale)?);
            }
            Self::Float(b) => b.append_value(f64::from_be_bytes(fixed(field)?)),
            Self::Text(b) => {
                let bytes = matches!(**b, ColumnBuilder::Text { code_page: Some(_), .. });
                b.append(if bytes { Value::Bytes(field) } else { Value::Text(field) })?;
            }
            Self::DateTime(b) => b.append_value(micros(i64::from_be_bytes(fixed(field)?))?),
            Self::Date(b) => b.append_value(days(i32::from_be_bytes(fixed(field)?))?),
            Self::Spelled(b) => {
                b.append_value(std::str::from_utf8(field).map_err(|_| "text that is not ASCII")?);
            }
            Self::Binary(b) => b.append_value(field),
        }
        Ok(())
    }

    fn append_null(&mut self) -> Result<(), Misfit> {
        match self {
            Self::BigInt(b) => b.append_null(),
            Self::Int(b) => b.append_null(),
            Self::SmallInt(b) => b.append_null(),
            Self::Bit(b) => b.append_null(),
            Self::Decimal { values, .. } => values.append_null(),
            Self::Float(b) => b.append_null(),
            Self::Text(b) => b.append(Value::Null)?,
            Self::DateTime(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Spelled(b) => b.append_null(),
            Self::Binary(b) => b.append_null(),
        }
        Ok(())
    }

    /// The finished arrays: one, or for text two. The builder is empty again.
    pub(super) fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        match self {
            Self::BigInt(b) => into.push(Arc::new(b.finish())),
            Self::Int(b) => into.push(Arc::new(b.finish())),
            Self::SmallInt(b) => into.push(Arc::new(b.finish())),
            Self::Bit(b) => into.push(Arc::new(b.finish())),
            Self::Decimal { values, .. } => into.push(Arc::new(values.finish())),
            Self::Float(b) => into.push(Arc::new(b.finish())),
            Self::Text(b) => b.finish(into),
            Self::DateTime(b) => into.push(Arc::new(b.finish())),
            Self::Date(b) => into.push(Arc::new(b.finish())),
            Self::Spelled(b) => into.push(Arc::new(b.finish())),
            Self::Binary(b) => into.push(Arc::new(b.finish())),
        }
    }
}

fn micros(since_2000: i64) -> Result<i64, Misfit> {
    match since_2000 {
        i64::MAX | i64::MIN => Err("an infinite time"),
        t => t.checked_add(EPOCH_MICROS).ok_or("a time out of range"),
    }
}

fn days(since_2000: i32) -> Result<i32, Misfit> {
    match since_2000 {
        i32::MAX | i32::MIN => Err("an infinite date"),
        d => d.checked_add(EPOCH_DAYS).ok_or("a date out of range"),
    }
}
