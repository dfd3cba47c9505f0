//! Legacy values → Arrow columns, one file a type family.
//!
//! Always: exact or refused. A value arrives in the storage class that the database holds it in, so that a class that does not fit
//! the declared type is seen.

mod decimal;
mod number;
mod text;
mod time;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt8Builder, new_null_array,
};
use arrow::datatypes::DataType;

use super::{Column, LegacyType};
use crate::encoding::TextEncoding;
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

/// Builds the arrays of one legacy column: `c`, and `c__b` where [`Column::bytes_encoding`] names one.
pub(super) struct ColumnBuilder {
    values: Values,
    /// Of a loose column that is no text.
    misfits: Option<Misfits>,
}

/// Values that do not fit, as they are written.
#[derive(Default)]
struct Misfits {
    rows: usize,
    /// From the first one on; the rows before it are NULL here.
    bytes: Option<BinaryBuilder>,
}

impl Misfits {
    fn push(&mut self, written: Option<&[u8]>) {
        if written.is_some() && self.bytes.is_none() {
            let mut before = BinaryBuilder::new();
            before.append_nulls(self.rows);
            self.bytes = Some(before);
        }
        if let Some(bytes) = &mut self.bytes {
            bytes.append_option(written);
        }
        self.rows += 1;
    }

    fn finish(&mut self) -> ArrayRef {
        let Self { rows, bytes } = std::mem::take(self);
        match bytes {
            Some(mut bytes) => Arc::new(bytes.finish()),
            None => new_null_array(&DataType::Binary, rows),
        }
    }
}

enum Values {
    BigInt(Int64Builder),
    Int(Int32Builder),
    SmallInt(Int16Builder),
    TinyInt(UInt8Builder),
    Bit(BooleanBuilder),
    Decimal {
        precision: u8,
        scale: i8,
        values: Decimal128Builder,
    },
    Float(Float64Builder),
    /// char, varchar, text: bytes.
    CodePageText {
        encoding: TextEncoding,
        values: TextBuilder,
    },
    /// nchar, nvarchar, ntext: text.
    Unicode {
        values: TextBuilder,
    },
    DateTime(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Spelled(StringBuilder),
    Binary(BinaryBuilder),
}

impl Values {
    fn new(kind: LegacyType, encoding: TextEncoding) -> Self {
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
            LegacyType::CodePageText => Self::CodePageText { encoding, values: TextBuilder::default() },
            LegacyType::Unicode => Self::Unicode { values: TextBuilder::default() },
            LegacyType::DateTime => Self::DateTime(TimestampMicrosecondBuilder::new()),
            LegacyType::Instant(_) => {
                Self::DateTime(TimestampMicrosecondBuilder::new().with_data_type(kind.arrow()))
            }
            LegacyType::Date => Self::Date(Date32Builder::new()),
            LegacyType::Spelled | LegacyType::Offset(_) => Self::Spelled(StringBuilder::new()),
            LegacyType::Binary => Self::Binary(BinaryBuilder::new()),
        }
    }

    fn append(&mut self, value: Value<'_>) -> Result<(), Misfit> {
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
            Self::CodePageText { encoding, values } => values.append(text::bytes(value)?, *encoding),
            Self::Unicode { values } => values.append(text::unicode(value)?, TextEncoding::Utf8),
            Self::DateTime(b) => b.append_option(time::datetime(value)?),
            Self::Date(b) => b.append_option(time::date(value)?),
            Self::Spelled(b) => b.append_option(text::spelled(value)?),
            Self::Binary(b) => b.append_option(number::binary(value)?),
        }
        Ok(())
    }

    fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        match self {
            Self::BigInt(b) => into.push(Arc::new(b.finish())),
            Self::Int(b) => into.push(Arc::new(b.finish())),
            Self::SmallInt(b) => into.push(Arc::new(b.finish())),
            Self::TinyInt(b) => into.push(Arc::new(b.finish())),
            Self::Bit(b) => into.push(Arc::new(b.finish())),
            Self::Decimal { values, .. } => into.push(Arc::new(values.finish())),
            Self::Float(b) => into.push(Arc::new(b.finish())),
            Self::CodePageText { values, .. } | Self::Unicode { values } => values.finish(into),
            Self::DateTime(b) => into.push(Arc::new(b.finish())),
            Self::Date(b) => into.push(Arc::new(b.finish())),
            Self::Spelled(b) => into.push(Arc::new(b.finish())),
            Self::Binary(b) => into.push(Arc::new(b.finish())),
        }
    }
}

impl ColumnBuilder {
    /// A builder for a column of a known type.
    pub(super) fn new(column: &Column, kind: LegacyType) -> Self {
        let encoding = column.encoding.unwrap_or(TextEncoding::Utf8);
        let misfits = (column.loose && !kind.is_text()).then(Misfits::default);
        Self { values: Values::new(kind, encoding), misfits }
    }

    /// Appends one value; in a loose column one that does not fit is kept as it is written.
    pub(super) fn append(&mut self, value: Value<'_>) -> Result<(), Misfit> {
        let appended = self.values.append(value);
        let Some(misfits) = &mut self.misfits else { return appended };
        match appended {
            Ok(()) => misfits.push(None),
            Err(_) => {
                self.values.append(Value::Null)?;
                misfits.push(Some(&written(value)));
            }
        }
        Ok(())
    }

    /// The finished arrays: `c`, and `c__b` where there is one. The builder is empty again.
    pub(super) fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        self.values.finish(into);
        if let Some(misfits) = &mut self.misfits {
            into.push(misfits.finish());
        }
    }
}

/// A value as people write it; bytes as they are.
fn written(value: Value<'_>) -> Cow<'_, [u8]> {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) => Cow::Borrowed(bytes),
        other => Cow::Owned(spelling(other, TextEncoding::Utf8).into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Date32Type;

    use super::{ColumnBuilder, Value};
    use crate::source::{Column, LegacyType};

    #[test]
    fn a_loose_column_keeps_what_does_not_fit_as_it_is_written() {
        let column = |loose| Column { kind: Some(LegacyType::Date), loose, ..Column::default() };
        let mut builder = ColumnBuilder::new(&column(true), LegacyType::Date);
        for value in [Value::Day(1), Value::Text(b"infinity"), Value::Null, Value::Real(1.5)] {
            builder.append(value).unwrap();
        }
        let mut arrays = Vec::new();
        builder.finish(&mut arrays);
        let [days, bytes] = &arrays[..] else { panic!("{} arrays", arrays.len()) };
        assert_eq!(days.as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(1), None, None, None]);
        let bytes = bytes.as_binary::<i32>();
        assert!(bytes.is_null(0) && bytes.is_null(2));
        assert_eq!((bytes.value(1), bytes.value(3)), (&b"infinity"[..], &b"1.5"[..]));
        let mut strict = ColumnBuilder::new(&column(false), LegacyType::Date);
        assert!(strict.append(Value::Text(b"infinity")).is_err());
    }
}
