//! In which encoding the bytes of legacy text are: what a database says, a setting names, and the metadata of raw carries (FORMS 1).
//!
//! Always: strict; bytes that are no text in the encoding stay bytes.
//! Must not know: where the bytes come from.

use std::borrow::Cow;
use std::fmt;

use arrow::datatypes::Schema;
use encoding_rs::Encoding;
use serde::de::{Deserialize, Deserializer, Error as _};

/// The key of a raw field's metadata that names the encoding of its bytes.
pub const ENCODING_KEY: &str = "encoding";
/// The key of a raw field's metadata that names the time zone whose wall clock its times are shown in.
pub const TIME_ZONE_KEY: &str = "time_zone";

/// What raw adds to the name of a column, for bytes that are no value of its type (FORMS 1).
pub const BYTES_SUFFIX: &str = "__b";

/// The name of the Binary column beside a column of raw: bytes that are no value of its type.
pub fn bytes_column(column: &str) -> String {
    format!("{column}{BYTES_SUFFIX}")
}

/// The encoding that the metadata of a raw field names; `None` where there is no such field, or it names none.
pub fn encoding_of(raw: &Schema, bytes: &str) -> Option<TextEncoding> {
    TextEncoding::named(raw.field_with_name(bytes).ok()?.metadata().get(ENCODING_KEY)?)
}

/// The encoding of the bytes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    Utf8,
    /// UTF-16, little-endian, without a byte order mark.
    Utf16,
    /// A code page that holds ASCII as it is.
    CodePage(&'static Encoding),
}

impl TextEncoding {
    /// By its WHATWG label: `gbk`, `gb18030`, `utf-8`, `windows-1252`; `None` for one that is not known or cannot hold legacy text.
    pub fn named(label: &str) -> Option<Self> {
        if label.eq_ignore_ascii_case("utf-16le") {
            return Some(Self::Utf16);
        }
        let encoding = Encoding::for_label(label.as_bytes()).filter(|e| e.is_ascii_compatible())?;
        Some(Self::code_page(encoding))
    }

    /// A code page as an encoding.
    pub fn code_page(encoding: &'static Encoding) -> Self {
        if encoding == encoding_rs::UTF_8 { Self::Utf8 } else { Self::CodePage(encoding) }
    }

    /// As settings and metadata spell it: `utf-8`, `utf-16le`, `gbk`.
    pub fn label(self) -> String {
        match self {
            Self::Utf8 => "utf-8".to_owned(),
            Self::Utf16 => "utf-16le".to_owned(),
            Self::CodePage(encoding) => encoding.name().to_ascii_lowercase(),
        }
    }

    /// The text, if the bytes are one to their last; a byte order mark is a character like others.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Utf16 => encoding_rs::UTF_16LE.decode_without_bom_handling_and_without_replacement(bytes),
            Self::CodePage(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// Whether bytes of a code page are also, from the first to the last, UTF-8 with a Chinese character in it: then nobody can say
    /// which of the two was meant. Text that is meant in GBK hardly ever is (rare characters in a row, of a certain form).
    pub fn ambiguous(self, bytes: &[u8]) -> bool {
        let chinese = |c: char| matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{E000}'..='\u{F8FF}' | '\u{20000}'..='\u{3FFFF}');
        matches!(self, Self::CodePage(_))
            && !bytes.is_ascii()
            && std::str::from_utf8(bytes).is_ok_and(|t| t.chars().any(chinese))
    }

    /// Bytes that the text takes in this encoding, with replacements where it has no place for a character.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.encode_utf16().count() * 2,
            Self::CodePage(_) if text.is_ascii() => text.len(),
            Self::CodePage(encoding) => encoding.encode(text).0.len(),
        }
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl<'de> Deserialize<'de> for TextEncoding {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let label = String::deserialize(from)?;
        let code_page = Self::named(&label).filter(|e| *e != Self::Utf16);
        code_page.ok_or_else(|| D::Error::custom(format!("there is no code page `{label}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::TextEncoding;

    #[test]
    fn an_encoding_is_found_again_by_its_label_and_decodes_strictly() {
        for (label, bytes, text) in [
            ("utf-8", "张\u{E863}".as_bytes(), Some("张\u{E863}")),
            ("gbk", b"\xD5\xC5\xB2", None),
            ("gbk", b"\xD5\xC5", Some("张")),
            ("utf-16le", &[0x20, 0x5F, 0x40, 0xD8], None),
            ("utf-16le", &[0x20, 0x5F], Some("张")),
            ("utf-16le", &[0x20], None),
        ] {
            let encoding = TextEncoding::named(label).unwrap();
            assert_eq!(encoding.label(), label);
            assert_eq!(encoding.decode(bytes).as_deref(), text, "{label}");
            assert!(text.is_none_or(|t| encoding.length(t) == bytes.len()), "{label}");
        }
        let gbk = TextEncoding::CodePage(encoding_rs::GBK);
        for text in ["张三", "张三 (1)", "李·明", "白城市“东风”路", "王\u{20087}一", "李\u{E863}", "李明°"]
        {
            assert!(gbk.ambiguous(text.as_bytes()), "{text}");
        }
        assert!(!gbk.ambiguous("·".as_bytes()), "two bytes, and a common character of GBK");
        assert!(!gbk.ambiguous(b"\xD5\xC5\xC8\xFD") && !gbk.ambiguous(b"110") && !gbk.ambiguous(b"\xC4\xAA"));
        assert!(!TextEncoding::Utf8.ambiguous("张三".as_bytes()));
        assert_eq!(TextEncoding::named("utf-16be"), None);
        assert_eq!(TextEncoding::named("klingon"), None);
    }
}
