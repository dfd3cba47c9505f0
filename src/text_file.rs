//! Text files that people wrote with Excel or an editor: which encoding they are in, told for certain or not at all.
//!
//! Always: a byte order mark decides (UTF-8, UTF-16); without one valid UTF-8 is UTF-8, and what is no UTF-8 but plainly Chinese in
//! GB 18030 is that. A file that can be read in two ways, or in none, is refused with the encodings that came into question.
//! Must not know: what the file is for.

use std::path::Path;

use crate::phrase;
use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};

/// Why a file gives no text; completes "the file …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// The text of a file, without a byte order mark.
///
/// # Errors
/// What hinders: it cannot be opened, or its encoding cannot be told for certain.
pub fn read(path: &Path) -> Result<String, Unreadable> {
    let bytes = std::fs::read(path).map_err(|e| Unreadable(phrase!("file.unread", e)))?;
    decode(&bytes)
}

/// The text of the bytes of a file, without a byte order mark.
///
/// # Errors
/// The encodings that came into question, when none is certain.
pub fn decode(bytes: &[u8]) -> Result<String, Unreadable> {
    let marked = |encoding: &'static encoding_rs::Encoding, rest: &[u8]| {
        let text = encoding.decode_without_bom_handling_and_without_replacement(rest);
        text.map(std::borrow::Cow::into_owned)
            .ok_or_else(|| Unreadable(phrase!("file.mark", encoding = encoding.name())))
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return marked(encoding_rs::UTF_8, rest),
        [0xFF, 0xFE, rest @ ..] => return marked(UTF_16LE, rest),
        [0xFE, 0xFF, rest @ ..] => return marked(UTF_16BE, rest),
        _ if bytes.contains(&0) => {
            return unsure(phrase!("file.utf16"));
        }
        _ => {}
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() || text.chars().any(|c| u32::from(c) >= 0x800) => Ok(text.to_owned()),
        // Two bytes a character, and as GB 18030 everyday Chinese: 一 in GBK is also a Cyrillic letter in UTF-8.
        Ok(_) if everyday(bytes).is_some_and(|share| share == 100) => unsure(phrase!("file.both")),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => match GB18030.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) if everyday(bytes).is_some_and(|share| share >= EVERYDAY) => Ok(text.into_owned()),
            Some(_) => unsure(phrase!("file.rare")),
            None => unsure(phrase!("file.neither")),
        },
    }
}

fn unsure<T>(what: String) -> Result<T, Unreadable> {
    Err(Unreadable(phrase!("file.save", what)))
}

/// In Chinese text at least so many percent of the characters are in GB 2312.
const EVERYDAY: usize = 75;

/// Of the two-byte characters of a GB 18030 text, how many percent are in GB 2312 (symbols, full width, 6,763 characters); `None`
/// when there is none.
fn everyday(bytes: &[u8]) -> Option<usize> {
    let (mut all, mut common, mut at) = (0, 0, 0);
    while let Some(lead) = bytes.get(at) {
        if lead.is_ascii() {
            at += 1;
            continue;
        }
        let trail = bytes.get(at + 1).copied().unwrap_or(0);
        all += 1;
        common += usize::from(matches!(lead, 0xA1..=0xA3 | 0xB0..=0xF7) && trail >= 0xA1);
        at += if trail.is_ascii_digit() { 4 } else { 2 };
    }
    (all > 0).then(|| common * 100 / all)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_file_is_read_in_the_encoding_that_is_certain() {
        const TEXT: &str = "legacy,code,name\n1,1,男\n2,2,女\n";
        let utf16 = |big: bool| {
            let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
            std::iter::once(0xFEFF).chain(TEXT.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
        };
        let gbk = encoding_rs::GBK.encode(TEXT).0.into_owned();
        for bytes in
            [TEXT.as_bytes().to_vec(), format!("\u{feff}{TEXT}").into_bytes(), utf16(false), utf16(true), gbk]
        {
            assert_eq!(decode(&bytes).unwrap(), TEXT);
        }
        assert_eq!(decode(b"legacy,code\n1,1\n").unwrap(), "legacy,code\n1,1\n");
        // A rare name outside GB 2312 among others.
        let rare = encoding_rs::GBK.encode("张三,李喆,王五,赵六").0.into_owned();
        assert_eq!(decode(&rare).unwrap(), "张三,李喆,王五,赵六");
    }

    #[test]
    fn a_file_that_is_not_certain_is_refused_with_its_encodings() {
        for (bytes, said) in [
            (&b"1,\xd2\xbb\n"[..], "as UTF-8 and as GB 18030"),
            (&b"l\0e\0g\0"[..], "UTF-16 without"),
            (&b"caf\xe9\n"[..], "neither UTF-8 nor GB 18030"),
            // Big5: 姓名, 性別, 電話號碼.
            (&b"\xa9m\xa6W,\xa9\xca\xa7O,\xb9q\xb8\xdc\xb8\xb9\xbdX"[..], "no everyday Chinese"),
            (&b"\xef\xbb\xbf\xff"[..], "the mark of UTF-8"),
        ] {
            let refused = decode(bytes).unwrap_err().0;
            assert!(refused.contains(said), "{refused}");
        }
    }
}
