//! Text in a code page, and Unicode text: strictly, or the bytes as they are (FORMS 1).
//!
//! Always: either the text encodes back to exactly the same bytes and holds no private-use code point, or the bytes are kept. The
//! user-defined areas of GBK decode without an error, into private-use code points: hence the test of the code points.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, StringBuilder};
use arrow::datatypes::{Decimal128Type, DecimalType};
use encoding_rs::Encoding;

use super::{Misfit, Value, time};

/// What bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Decoded<'a> {
    Text(Cow<'a, str>),
    /// They do not decode strictly, do not encode back to themselves, or hold private-use code points.
    Bytes,
}

fn private_use(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}'))
}

/// Decodes strictly; `code_page` `None` means UTF-8.
fn strict<'a>(bytes: &'a [u8], code_page: Option<&'static Encoding>) -> Decoded<'a> {
    let Some(code_page) = code_page else {
        return match std::str::from_utf8(bytes) {
            Ok(text) if !private_use(text) => Decoded::Text(Cow::Borrowed(text)),
            Ok(_) | Err(_) => Decoded::Bytes,
        };
    };
    if bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Decoded::Text(Cow::Borrowed(text));
    }
    let Some(text) = code_page.decode_without_bom_handling_and_without_replacement(bytes) else {
        return Decoded::Bytes;
    };
    let (back, _, lost) = code_page.encode(&text);
    if lost || *back != *bytes || private_use(&text) { Decoded::Bytes } else { Decoded::Text(text) }
}

/// How a value is spelled where the source speaks for itself: text as it is, other bytes `x'hex'`, NULL `∅`, numbers in decimal.
pub(in crate::source) fn spelling(value: Value<'_>, code_page: Option<&'static Encoding>) -> String {
    match value {
        Value::Null => "∅".to_owned(),
        Value::Int(v) => v.to_string(),
        Value::Real(v) => v.to_string(),
        Value::Decimal(v, digits) => Decimal128Type::format_decimal(v, 38, digits.cast_signed()),
        Value::Micros(v) => time::shown(v),
        Value::Day(v) => time::shown_day(v),
        Value::Text(bytes) | Value::Bytes(bytes) => match strict(bytes, code_page) {
            Decoded::Text(text) => text.into_owned(),
            Decoded::Bytes => {
                let mut hex = String::with_capacity(bytes.len() * 2 + 3);
                hex.push_str("x'");
                for byte in bytes {
                    let _ = write!(hex, "{byte:02x}");
                }
                hex.push('\'');
                hex
            }
        },
    }
}

/// Text that the database itself wrote, in ASCII.
pub(super) fn spelled(value: Value<'_>) -> Result<Option<&str>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => std::str::from_utf8(text).map(Some).map_err(|_| "text that is not ASCII"),
        Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) => Err("a number"),
        Value::Bytes(_) => Err("bytes"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}

/// Builds `c` and `c__b`.
#[derive(Default)]
pub(in crate::source) struct TextBuilder {
    text: StringBuilder,
    bytes: BinaryBuilder,
}

impl TextBuilder {
    /// Code-page text arrives as bytes, Unicode text as text.
    pub(super) fn append(
        &mut self,
        value: Value<'_>,
        code_page: Option<&'static Encoding>,
    ) -> Result<(), Misfit> {
        let raw = match (value, code_page) {
            (Value::Null, _) => {
                self.text.append_null();
                self.bytes.append_null();
                return Ok(());
            }
            (Value::Bytes(raw), Some(_)) | (Value::Text(raw), None) => raw,
            (Value::Text(_), Some(_)) => return Err("text where bytes in a code page belong"),
            (Value::Bytes(_), None) => return Err("bytes where text belongs"),
            (Value::Int(_) | Value::Real(_) | Value::Decimal(_, _), _) => return Err("a number"),
            (Value::Micros(_) | Value::Day(_), _) => return Err("a time"),
        };
        match strict(raw, code_page) {
            Decoded::Text(text) => {
                self.text.append_value(text);
                self.bytes.append_null();
            }
            Decoded::Bytes => {
                self.text.append_null();
                self.bytes.append_value(raw);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        into.push(Arc::new(self.text.finish()));
        into.push(Arc::new(self.bytes.finish()));
    }
}
