//! Text in a code page, and Unicode text: strictly, or the bytes as they are (FORMS 1).
//!
//! Always: either the text encodes back to exactly the same bytes and holds no private-use code point, or the bytes are kept. The
//! user-defined areas of GBK decode without an error, into private-use code points: hence the test of the code points.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, NullBufferBuilder, StringArray, StringBuilder, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, DecimalType};

use super::gbk::Table;
use super::{Misfit, Value, time};
use crate::encoding::TextEncoding;

/// What bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Decoded<'a> {
    Text(Cow<'a, str>),
    /// They do not decode strictly, do not encode back to themselves, hold private-use code points, or could as well be UTF-8.
    Bytes,
}

pub(super) fn private_use(text: &str) -> bool {
    // What may be one begins with this byte or a greater one; most text has none.
    const FIRST: u8 = 0xEE;
    text.bytes().fold(0, u8::max) >= FIRST
        && text.chars().any(|c| matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}'))
}

/// Decodes strictly.
fn strict(bytes: &[u8], encoding: TextEncoding) -> Decoded<'_> {
    if let TextEncoding::CodePage(_) = encoding
        && bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Decoded::Text(Cow::Borrowed(text));
    }
    if let TextEncoding::CodePage(code_page) = encoding
        && let Some(text) = Table::of(code_page).and_then(|table| table.decode(bytes))
    {
        return if encoding.ambiguous(bytes) { Decoded::Bytes } else { Decoded::Text(Cow::Owned(text)) };
    }
    match encoding.decode(bytes) {
        Some(text) if !private_use(&text) && same(&text, bytes, encoding) && !encoding.ambiguous(bytes) => {
            Decoded::Text(text)
        }
        Some(_) | None => Decoded::Bytes,
    }
}

/// Whether a decoded text encodes back to its bytes: some code pages have several for one character.
fn same(text: &str, bytes: &[u8], encoding: TextEncoding) -> bool {
    match encoding {
        TextEncoding::Utf8 | TextEncoding::Utf16 => true,
        TextEncoding::CodePage(encoding) => {
            let (back, _, lost) = encoding.encode(text);
            !lost && *back == *bytes
        }
    }
}

/// How a value is spelled where the source speaks for itself: text as it is, other bytes `x'hex'`, NULL `∅`, numbers in decimal.
pub(in crate::source) fn spelling(value: Value<'_>, encoding: TextEncoding) -> String {
    match value {
        Value::Null => "∅".to_owned(),
        Value::Int(v) => v.to_string(),
        Value::Real(v) => v.to_string(),
        Value::Decimal(v, digits) => Decimal128Type::format_decimal(v, 38, digits.cast_signed()),
        Value::Micros(v) => time::shown(v),
        Value::Day(v) => time::shown_day(v),
        Value::Text(bytes) | Value::Bytes(bytes) => match strict(bytes, encoding) {
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

/// The bytes of a text in a code page.
pub(super) fn bytes(value: Value<'_>) -> Result<Option<&[u8]>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Bytes(raw) => Ok(Some(raw)),
        Value::Text(_) => Err("text where bytes in a code page belong"),
        Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) => Err("a number"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}

/// The bytes of a Unicode text: UTF-16 comes as bytes.
pub(super) fn unicode(value: Value<'_>, encoding: TextEncoding) -> Result<Option<&[u8]>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Bytes(raw) if encoding == TextEncoding::Utf16 => Ok(Some(raw)),
        Value::Text(raw) if encoding != TextEncoding::Utf16 => Ok(Some(raw)),
        Value::Text(_) => Err("text in another form than its column's"),
        Value::Bytes(_) => Err("bytes where text belongs"),
        Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) => Err("a number"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
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

/// `c` and `c__b` of values that are all text, looked at together; `None` where one may be none.
pub(in crate::source) fn all_text<'f>(
    values: impl ExactSizeIterator<Item = Option<&'f [u8]>>,
    encoding: TextEncoding,
) -> Option<[ArrayRef; 2]> {
    let rows = values.len();
    let (mut bytes, mut valid) = (Vec::new(), NullBufferBuilder::new(rows));
    let mut ends = Vec::with_capacity(rows + 1);
    ends.push(0);
    for value in values {
        bytes.extend_from_slice(value.unwrap_or_default());
        valid.append(value.is_some());
        ends.push(i32::try_from(bytes.len()).ok()?);
    }
    let plain = match encoding {
        TextEncoding::CodePage(_) => bytes.is_ascii(),
        TextEncoding::Utf8 => std::str::from_utf8(&bytes).is_ok_and(|text| !private_use(text)),
        TextEncoding::Utf16 => false,
    };
    // Each value by itself is checked here: none may end within a character.
    let text = StringArray::try_new(OffsetBuffer::new(ends.into()), bytes.into(), valid.finish());
    let text = text.ok().filter(|_| plain)?;
    Some([Arc::new(text), new_null_array(&DataType::Binary, rows)])
}

/// Builds `c` and `c__b`.
#[derive(Debug, Default)]
pub(in crate::source) struct TextBuilder {
    text: StringBuilder,
    /// From the first value on that is no text; the rows before it are NULL here.
    bytes: Option<BinaryBuilder>,
}

impl TextBuilder {
    pub(in crate::source) fn with_capacity(rows: usize) -> Self {
        Self { text: StringBuilder::with_capacity(rows, 0), bytes: None }
    }

    /// Appends the bytes of one text.
    pub(in crate::source) fn append(&mut self, raw: Option<&[u8]>, encoding: TextEncoding) {
        match raw.map(|raw| (strict(raw, encoding), raw)) {
            None => self.push(None, None),
            Some((Decoded::Text(text), _)) => self.push(Some(&text), None),
            Some((Decoded::Bytes, raw)) => self.push(None, Some(raw)),
        }
    }

    fn push(&mut self, text: Option<&str>, bytes: Option<&[u8]>) {
        if bytes.is_some() && self.bytes.is_none() {
            let mut before = BinaryBuilder::new();
            before.append_nulls(self.text.len());
            self.bytes = Some(before);
        }
        self.text.append_option(text);
        if let Some(builder) = &mut self.bytes {
            builder.append_option(bytes);
        }
    }

    pub(in crate::source) fn finish(&mut self, into: &mut Vec<ArrayRef>) {
        let rows = self.text.len();
        into.push(Arc::new(self.text.finish()));
        into.push(match self.bytes.take() {
            Some(mut bytes) => Arc::new(bytes.finish()),
            None => new_null_array(&DataType::Binary, rows),
        });
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ArrayRef};

    use super::{TextBuilder, all_text};
    use crate::encoding::TextEncoding;

    fn one_by_one(values: &[Option<&[u8]>], encoding: TextEncoding) -> Vec<ArrayRef> {
        let mut builder = TextBuilder::default();
        for value in values {
            builder.append(*value, encoding);
        }
        let mut arrays = Vec::new();
        builder.finish(&mut arrays);
        arrays
    }

    #[test]
    fn text_looked_at_together_is_what_each_value_is_by_itself() {
        const NAME: &[u8] = "张（建国）".as_bytes();
        for (values, all) in [
            (&[Some(&b"110"[..]), None, Some(b"")][..], true),
            (&[Some(NAME), None, Some(b"x")], true),
            (&[None, None], true),
            (&[], true),
            // A private-use character; half a character, and its other half; no UTF-8 at all.
            (&[Some("\u{E000}".as_bytes()), Some(NAME)], false),
            (&[Some(&NAME[..1]), Some(&NAME[1..])], false),
            (&[Some(b"\xB0\xA1"), Some(b"a")], false),
        ] {
            let together = all_text(values.iter().copied(), TextEncoding::Utf8);
            assert_eq!(together.is_some(), all, "{values:?}");
            let by_itself = one_by_one(values, TextEncoding::Utf8);
            assert_eq!(by_itself.len(), 2);
            assert!(together.is_none_or(|t| t[..] == by_itself[..]), "{values:?}");
            let gbk = TextEncoding::CodePage(encoding_rs::GBK);
            let together = all_text(values.iter().copied(), gbk);
            assert!(together.is_none_or(|t| t[..] == one_by_one(values, gbk)[..]), "{values:?}");
        }
        let bytes = &one_by_one(&[None, Some(b"a"), Some(b"\xFF"), None], TextEncoding::Utf8)[1];
        assert_eq!((bytes.len(), bytes.null_count(), bytes.is_valid(2)), (4, 3, true));
    }
}
