//! Legacy values → Arrow columns, one file a type family.
//!
//! Always: exact or refused. A value arrives in the storage class that the database holds it in, so that a class that does not fit
//! the declared type is seen.

mod decimal;
mod gbk;
mod number;
mod text;
mod time;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt8Builder,
};
use encoding_rs::Encoding;

use super::LegacyType;
pub(super) use text::{TextBuilder, all_text, spelling};

/// A value as the database holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// An exact number: the unscaled integer, and its digits after the point.
    Decimal(i128, u8),
    /// Microseconds since 1970-01-01.
    Micros(i64),
    /// Days since 1970-01-01.
    Day(i32),
}

/// Text, images and documents longer than this are refused: no column of a city's data is, and Arrow counts in 31 bits.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// The key of a row for a message: whole numbers as they are, everything else hidden; `at` is the row.
pub(super) fn key_text(key: &[(String, Option<ArrayRef>)], at: usize) -> String {
    let part = |(name, array): &(String, Option<ArrayRef>)| {
        let shown = array.as_ref().filter(|a| a.data_type().is_integer() && at < a.len());
        let value = shown.and_then(|a| arrow::util::display::array_value_to_string(a, at).ok());
        format!("{name} = {}", value.unwrap_or_else(|| "***".to_owned()))
    };
    match key {
        [] => format!("number {} of its batch", at + 1),
        _ => key.iter().map(part).collect::<Vec<_>>().join(", "),
    }
}

/// What was found where the declared type does not allow it; completes "the row … holds …".
pub(super) type Misfit = &'static str;

/// Builds the column (for text: both columns) of one legacy column.
pub(super) enum ColumnBuilder {
    BigInt(Int64Builder),
    Int(Int32Builder),
    SmallInt(Int16Builder),
    TinyInt(UInt8Builder),
    Bit(BooleanBuilder),
    Decimal { precision: u8, scale: i8, values: Decimal128Builder },
    Float(Float64Builder),
    Text { code_page: Option<&'static Encoding>, values: TextBuilder },
    DateTime(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Spelled(StringBuilder),
    Binary(BinaryBuilder),
}

impl ColumnBuilder {
    /// `code_page` is that of char, varchar and text.
    pub(super) fn new(kind: LegacyType, code_page: &'static Encoding) -> Self {
        let decimal = |precision, scale| Self::Decimal {
            precision,
            scale,
            values: Decimal128Builder::new().with_data_type(kind.arrow()),
        };
        match kind {
            LegacyType::BigInt => Self::BigInt(Int64Builder::new()),
            LegacyType::Int => Self::Int(Int32Builder::new()),
            LegacyType::SmallInt => Self::SmallInt(Int16Builder::new()),
            LegacyType::TinyInt => Self::TinyInt(UInt8Builder::new()),
            LegacyType::Bit => Self::Bit(BooleanBuilder::new()),
            LegacyType::Numeric { precision, scale } => decimal(precision, scale),
            LegacyType::Money => decimal(19, 4),
            LegacyType::SmallMoney => decimal(10, 4),
            LegacyType::Float => Self::Float(Float64Builder::new()),
            LegacyType::CodePageText => {
                Self::Text { code_page: Some(code_page), values: TextBuilder::default() }
            }
            LegacyType::Unicode => Self::Text { code_page: None, values: TextBuilder::default() },
            LegacyType::DateTime => Self::DateTime(TimestampMicrosecondBuilder::new()),
            LegacyType::Date => Self::Date(Date32Builder::new()),
            LegacyType::Spelled => Self::Spelled(StringBuilder::new()),
            LegacyType::Binary => Self::Binary(BinaryBuilder::new()),
        }
    }

    /// Appends one value.
    pub(super) fn append(&mut self, value: Value<'_>) -> Result<(), Misfit> {
        if let Value::Text(bytes) | Value::Bytes(bytes) = value
            && bytes.len() > MOST_BYTES
        {
            return Err("more than 512 MiB");
        }
        match self {
            Self::BigInt(b) => b.append_option(number::integer(value)?),
            Self::Int(b) => b.append_option(number::integer(value)?),
            Self::SmallInt(b) => b.append_option(number::integer(value)?),
            Self::TinyInt(b) => b.append_option(number::integer(value)?),
            Self::Bit(b) => b.append_option(number::bit(value)?),
            Self::Decimal { precision, scale, values } => {
                values.append_option(decimal::exact(value, *precision, *scale)?);
            }
            Self::Float(b) => b.append_option(number::float(value)?),
            Self::Text { code_page, values } => values.append(value, *code_page)?,
            Self::DateTime(b) => b.append_option(time::datetime(value)?),
            Self::Date(b) => b.append_option(time::date(value)?),
            Self::Spelled(b) => b.append_option(text::spelled(value)?),
            Self::Binary(b) => b.append_option(number::binary(value)?),
        }
        Ok(())
    }

    /// The finished arrays: one, or for text `c` and `c__b`. The builder is empty again.
    pub(super) fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        match self {
            Self::BigInt(b) => into.push(Arc::new(b.finish())),
            Self::Int(b) => into.push(Arc::new(b.finish())),
            Self::SmallInt(b) => into.push(Arc::new(b.finish())),
            Self::TinyInt(b) => into.push(Arc::new(b.finish())),
            Self::Bit(b) => into.push(Arc::new(b.finish())),
            Self::Decimal { values, .. } => into.push(Arc::new(values.finish())),
            Self::Float(b) => into.push(Arc::new(b.finish())),
            Self::Text { values, .. } => values.finish(into),
            Self::DateTime(b) => into.push(Arc::new(b.finish())),
            Self::Date(b) => into.push(Arc::new(b.finish())),
            Self::Spelled(b) => into.push(Arc::new(b.finish())),
            Self::Binary(b) => into.push(Arc::new(b.finish())),
        }
    }
}
