//! Text in a code page, and Unicode text: strictly, or the bytes as they are (FORMS 1).
//!
//! Always: either the text encodes back to exactly the same bytes and holds no private-use code point, or the bytes are kept. The
//! user-defined areas of GBK decode without an error, into private-use code points: hence the test of the code points.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, NullBufferBuilder, StringArray, StringBuilder, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, DecimalType};
use encoding_rs::{GB18030, GBK};

use super::gbk::Table;
use super::{Misfit, Value, time};
use crate::durable::hex;
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
        Value::Text(raw) => match stored(raw, encoding) {
            Ok(text) => text.into_owned(),
            Err(bytes) => hexed(&bytes),
        },
        Value::Bytes(bytes) => match strict(bytes, encoding) {
            Decoded::Text(text) => text.into_owned(),
            Decoded::Bytes => hexed(bytes),
        },
    }
}

fn hexed(bytes: &[u8]) -> String {
    format!("x'{}'", hex(bytes))
}

/// Bytes that a value takes in a column of that encoding, as raw counts them.
pub(in crate::source) fn length(value: Value<'_>, encoding: TextEncoding) -> usize {
    match value {
        Value::Null => 0,
        Value::Bytes(bytes) => bytes.len(),
        Value::Text(raw) => match stored(raw, encoding) {
            Ok(text) => encoding.length(&text),
            Err(bytes) => bytes.len(),
        },
        other => spelling(other, encoding).len(),
    }
}

/// A text that the database stores as such, in UTF-8, in a column whose bytes are in some encoding: the text; or, where it holds
/// private-use code points, the bytes that it has in that encoding. What is no UTF-8 after all is in the encoding of the column.
///
/// An encoding without a place for private-use code points leaves them in the text: rather there than in bytes that say another.
fn stored(raw: &[u8], encoding: TextEncoding) -> Result<Cow<'_, str>, Cow<'_, [u8]>> {
    let Ok(text) = std::str::from_utf8(raw) else {
        return match strict(raw, encoding) {
            Decoded::Text(text) => Ok(text),
            Decoded::Bytes => Err(Cow::Borrowed(raw)),
        };
    };
    if !private_use(text) {
        return Ok(Cow::Borrowed(text));
    }
    let bytes: Cow<'_, [u8]> = match encoding {
        TextEncoding::Utf8 => Cow::Borrowed(raw),
        TextEncoding::Utf16 => Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        // They are decoded alike, but only the greater one has a place for all characters.
        TextEncoding::CodePage(page) if page == GBK => GB18030.encode(text).0,
        TextEncoding::CodePage(page) => page.encode(text).0,
    };
    let whole = encoding.decode(&bytes).is_some_and(|back| back == text);
    if whole { Err(bytes) } else { Ok(Cow::Borrowed(text)) }
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

    /// Appends a value of any storage class: text, bytes in the encoding of the column, or a number in its digits.
    pub(super) fn append_value(&mut self, value: Value<'_>, encoding: TextEncoding) {
        match value {
            Value::Null => self.push(None, None),
            Value::Bytes(raw) => self.append(Some(raw), encoding),
            Value::Text(raw) => match stored(raw, encoding) {
                Ok(text) => self.push(Some(&text), None),
                Err(bytes) => self.push(None, Some(&bytes)),
            },
            Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) | Value::Micros(_) | Value::Day(_) => {
                self.push(Some(&spelling(value, encoding)), None);
            }
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

    use super::{TextBuilder, Value, all_text, length, spelling, stored};
    use crate::encoding::TextEncoding;

    #[test]
    fn text_stored_as_text_is_utf8_whatever_the_encoding_of_the_columns_bytes() {
        let named = |label| TextEncoding::named(label).unwrap();
        for (raw, label, text, bytes) in [
            ("张三".as_bytes(), "gbk", Some("张三"), None),
            ("王\u{20087}".as_bytes(), "gbk", Some("王\u{20087}"), None),
            // A private-use character, in the bytes that the column's encoding has for it.
            ("张\u{E863}".as_bytes(), "gbk", None, Some("张\u{E863}")),
            ("张\u{E000}".as_bytes(), "gb18030", None, Some("张\u{E000}")),
            ("张\u{E863}".as_bytes(), "utf-8", None, Some("张\u{E863}")),
            ("张\u{E863}".as_bytes(), "windows-1252", Some("张\u{E863}"), None),
            // Bytes of GBK that somebody stored as text; and what is neither.
            (b"\xD5\xC5\xC8\xFD", "gbk", Some("张三"), None),
        ] {
            let encoding = named(label);
            let found = stored(raw, encoding);
            assert_eq!(found.as_deref().ok(), text, "{label} {raw:02x?}");
            let back = found.as_ref().err().map(|b| encoding.decode(b).unwrap().into_owned());
            assert_eq!(back.as_deref(), bytes, "{label} {raw:02x?}");
        }
        assert!(stored(b"\xD5\xC5\xC8", named("gbk")).is_err_and(|b| *b == *b"\xD5\xC5\xC8"));
        assert_eq!(spelling(Value::Text("张三".as_bytes()), named("gbk")), "张三");
        assert_eq!(length(Value::Text("张三".as_bytes()), named("gbk")), 4);
        assert_eq!(length(Value::Real(12.5), named("gbk")), 4);
    }

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
        // UTF-8 in a column of GBK, which decodes in both.
        let both = one_by_one(&[Some("张三".as_bytes())], TextEncoding::CodePage(encoding_rs::GBK));
        assert!(both[0].is_null(0) && both[1].is_valid(0));
    }
}
