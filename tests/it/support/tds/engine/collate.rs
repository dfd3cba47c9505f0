//! Collations: their code pages, text to bytes and back, and the order and equality of strings.
//!
//! Always: two strings are equal under a collation if and only if their sort keys are; keys compare as bytes. The order is a
//! plausible one, not Microsoft's weight tables: GBK order for Chinese_PRC, marks before digits before letters elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use encoding_rs::Encoding;

use super::super::value::Collation;

/// Collation families and the code pages of their non-Unicode types.
const FAMILIES: [(&str, u32); 26] = [
    ("Chinese_PRC_Stroke", 936),
    ("Chinese_Simplified_Pinyin", 936),
    ("Chinese_PRC", 936),
    ("Chinese_Taiwan_Bopomofo", 950),
    ("Chinese_Taiwan_Stroke", 950),
    ("Chinese_Hong_Kong_Stroke", 950),
    ("SQL_Latin1_General_CP1", 1252),
    ("SQL_Latin1_General_Pref_CP1", 1252),
    ("Latin1_General", 1252),
    ("Modern_Spanish", 1252),
    ("French", 1252),
    ("German_PhoneBook", 1252),
    ("Finnish_Swedish", 1252),
    ("Danish_Norwegian", 1252),
    ("Japanese_XJIS", 932),
    ("Japanese", 932),
    ("Korean_Wansung", 949),
    ("Cyrillic_General", 1251),
    ("Polish", 1250),
    ("Czech", 1250),
    ("Hungarian", 1250),
    ("Greek", 1253),
    ("Turkish", 1254),
    ("Hebrew", 1255),
    ("Arabic", 1256),
    ("Thai", 874),
];

const ENDINGS: [&str; 9] = ["CI", "CS", "AI", "AS", "KS", "WS", "SC", "UTF8", "VSS"];

/// The collation of that name, if SQL Server has it.
pub fn named(name: &str) -> Option<Collation> {
    let upper = name.to_ascii_uppercase();
    let (family, page) = FAMILIES
        .iter()
        .filter(|(family, _)| upper.starts_with(&family.to_ascii_uppercase()))
        .max_by_key(|(family, _)| family.len())?;
    let rest: Vec<&str> = upper[family.len()..].strip_prefix('_')?.split('_').collect();
    let rest = match rest.split_first() {
        Some((version, rest)) if matches!(*version, "90" | "100" | "140") => rest,
        _ => &rest,
    };
    let binary = matches!(rest, ["BIN" | "BIN2"] | ["BIN2", "UTF8"]);
    let ordinary = rest.len() >= 2
        && matches!(rest[0], "CI" | "CS")
        && matches!(rest[1], "AI" | "AS")
        && rest.iter().all(|ending| ENDINGS.contains(ending));
    let code_page = if rest.last() == Some(&"UTF8") { 65001 } else { *page };
    // The name as SQL Server writes it, so that collations compare by name.
    let shown = format!("{family}{}", &upper[family.len()..]);
    (binary || ordinary).then_some(Collation { name: shown, code_page })
}

/// The collation of the server's own names, and of anything that has no other.
pub fn default() -> Collation {
    Collation { name: "SQL_Latin1_General_CP1_CI_AS".to_owned(), code_page: 1252 }
}

pub fn is_binary(name: &str) -> bool {
    name.ends_with("_BIN") || name.ends_with("_BIN2") || name.ends_with("_BIN2_UTF8")
}

fn encoding(page: u32) -> &'static Encoding {
    match page {
        874 => encoding_rs::WINDOWS_874,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        65001 => encoding_rs::UTF_8,
        _ => encoding_rs::WINDOWS_1252,
    }
}

/// Whether a byte begins a two-byte character.
pub fn is_lead(byte: u8, page: u32) -> bool {
    match page {
        932 => matches!(byte, 0x81..=0x9F | 0xE0..=0xFC),
        936 | 949 | 950 => matches!(byte, 0x81..=0xFE),
        _ => false,
    }
}

/// Bytes of a code page as UTF-16; what is no character becomes `?` (U+FFFD in UTF-8).
pub fn decode(bytes: &[u8], page: u32) -> Vec<u16> {
    if bytes.is_ascii() {
        return bytes.iter().map(|byte| u16::from(*byte)).collect();
    }
    if page == 65001 {
        return String::from_utf8_lossy(bytes).encode_utf16().collect();
    }
    let encoding = encoding(page);
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let width = if is_lead(bytes[at], page) && at + 1 < bytes.len() { 2 } else { 1 };
        let unit = &bytes[at..at + width];
        match encoding.decode_without_bom_handling_and_without_replacement(unit) {
            _ if unit[0] < 0x80 => text.push(u16::from(unit[0])),
            Some(decoded) => text.extend(decoded.encode_utf16()),
            None => text.push(u16::from(b'?')),
        }
        at += width;
    }
    text
}

/// UTF-16 in a code page; what it does not have becomes `?`.
pub fn encode(text: &[u16], page: u32) -> Vec<u8> {
    if text.iter().all(|unit| *unit < 0x80) {
        return text.iter().map(|unit| unit.to_le_bytes()[0]).collect();
    }
    if page == 65001 {
        return String::from_utf16_lossy(text).into_bytes();
    }
    let encoding = encoding(page);
    if let Ok(whole) = String::from_utf16(text)
        && let (bytes, _, false) = encoding.encode(&whole)
    {
        return bytes.into_owned();
    }
    let mut bytes = Vec::with_capacity(text.len() * 2);
    for unit in char::decode_utf16(text.iter().copied()) {
        let mut buffer = [0; 4];
        match unit {
            Ok(c) => match encoding.encode(c.encode_utf8(&mut buffer)) {
                (encoded, _, false) => bytes.extend_from_slice(&encoded),
                _ => bytes.extend(std::iter::repeat_n(b'?', c.len_utf16())),
            },
            Err(_) => bytes.push(b'?'),
        }
    }
    bytes
}

thread_local! {
    /// The orders that this thread has used: SQLite asks for one with every key, and reading a name takes longer than a key.
    static ORDERS: RefCell<HashMap<String, Rc<(Order, u32)>>> = RefCell::default();
}

/// The order and the code page of a collation.
pub fn order(name: &str) -> Rc<(Order, u32)> {
    ORDERS.with_borrow_mut(|orders| {
        if let Some(known) = orders.get(name) {
            return Rc::clone(known);
        }
        let page = named(name).map_or(1252, |collation| collation.code_page);
        let made = Rc::new((Order::of(name), page));
        orders.insert(name.to_owned(), Rc::clone(&made));
        made
    })
}

/// How a collation orders, read from its name once.
pub struct Order {
    binary: bool,
    gbk: bool,
    accents: bool,
    cases: bool,
    widths: bool,
    kana: bool,
}

impl Order {
    fn of(name: &str) -> Self {
        let has = |ending: &str| name.split('_').any(|part| part == ending);
        Self {
            binary: is_binary(name),
            gbk: name.starts_with("Chinese_PRC") || name.starts_with("Chinese_Simplified"),
            accents: has("AS"),
            cases: has("CS"),
            widths: has("WS"),
            kana: has("KS"),
        }
    }

    /// The key of code-page bytes.
    pub fn key_of_bytes(&self, bytes: &[u8], page: u32) -> Vec<u8> {
        if self.binary {
            let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            return bytes[..end].to_vec();
        }
        self.key(&decode(bytes, page))
    }

    /// The key of UTF-16 text.
    pub fn key(&self, text: &[u16]) -> Vec<u8> {
        if self.binary {
            let end = text.iter().rposition(|unit| *unit != 0x20).map_or(0, |last| last + 1);
            return text[..end].iter().flat_map(|unit| unit.to_be_bytes()).collect();
        }
        let folded: Vec<Folded> = text.iter().map(|unit| self.fold(*unit)).collect();
        let end = folded.iter().rposition(|letter| letter.base != 0x20).map_or(0, |last| last + 1);
        let letters = &folded[..end];
        let mut key = Vec::with_capacity(letters.len() * 2 + 2);
        for letter in letters {
            self.weigh(letter.base, &mut key);
        }
        // Accents, then case, each only as far as anything is unusual.
        let levels = [
            (self.accents, letters.iter().map(|l| l.accent).collect()),
            (self.cases, { letters.iter().map(|l| l.case).collect::<Vec<u8>>() }),
        ];
        for (counts, level) in levels {
            key.push(0);
            if counts {
                let end = level.iter().rposition(|weight| *weight != 1).map_or(0, |last| last + 1);
                key.extend_from_slice(&level[..end]);
            }
        }
        key
    }

    /// The text as LIKE sees it: one unit for each, differences that the collation ignores taken away.
    pub fn folded(&self, text: &[u16]) -> Vec<u32> {
        let one = |unit: &u16| {
            if self.binary {
                return u32::from(*unit);
            }
            let letter = self.fold(*unit);
            let accent = if self.accents { u32::from(letter.accent) } else { 1 };
            let case = if self.cases { u32::from(letter.case) } else { 1 };
            u32::from(letter.base) | (accent - 1) << 24 | (case - 1) << 20
        };
        text.iter().map(one).collect()
    }

    fn fold(&self, unit: u16) -> Folded {
        let mut unit = unit;
        if !self.widths {
            unit = match unit {
                0x3000 => 0x20,
                0xFF01..=0xFF5E => unit - 0xFEE0,
                _ => unit,
            };
        }
        if !self.kana && (0x30A1..=0x30F6).contains(&unit) {
            unit -= 0x60;
        }
        let lower = lower(unit);
        let case = if lower == unit { 1 } else { 2 };
        let (base, accent) = base(lower);
        Folded { base, accent, case }
    }

    /// The primary weight of a letter, as bytes none of whose beginnings is zero.
    fn weigh(&self, base: u16, key: &mut Vec<u8>) {
        match base {
            0 | 1 => key.extend_from_slice(&[1, base.to_le_bytes()[0] + 1]),
            2..0x80 if self.gbk => key.push(base.to_le_bytes()[0]),
            2..0x80 => {
                let byte = base.to_le_bytes()[0];
                let class = match byte {
                    b'0'..=b'9' => 4,
                    b'a'..=b'z' => 5,
                    _ => 3,
                };
                key.extend_from_slice(&[class, byte]);
            }
            _ if self.gbk => {
                let bytes = encode(&[base], 936);
                if bytes == b"?" || bytes.len() != 2 {
                    key.push(0xFF);
                    key.extend_from_slice(&base.to_be_bytes());
                } else {
                    key.extend_from_slice(&bytes);
                }
            }
            _ => {
                key.push(6);
                key.extend_from_slice(&base.to_be_bytes());
            }
        }
    }
}

struct Folded {
    base: u16,
    accent: u8,
    case: u8,
}

/// The lower-case letter, where it is one unit.
pub fn lower(unit: u16) -> u16 {
    one_unit(unit, |c| c.to_lowercase().collect())
}

/// The upper-case letter, where it is one unit.
pub fn upper(unit: u16) -> u16 {
    one_unit(unit, |c| c.to_uppercase().collect())
}

fn one_unit(unit: u16, change: impl Fn(char) -> Vec<char>) -> u16 {
    let Some(c) = char::from_u32(u32::from(unit)) else { return unit };
    match change(c).as_slice() {
        [changed] => u16::try_from(u32::from(*changed)).unwrap_or(unit),
        _ => unit,
    }
}

/// Lower-case Latin-1 letters with marks: the bare letter and a number for the mark.
fn base(unit: u16) -> (u16, u8) {
    let bare = match unit {
        0xE0..=0xE5 => b'a',
        0xE7 => b'c',
        0xE8..=0xEB => b'e',
        0xEC..=0xEF => b'i',
        0xF1 => b'n',
        0xF2..=0xF6 => b'o',
        0xF9..=0xFC => b'u',
        0xFD | 0xFF => b'y',
        _ => return (unit, 1),
    };
    (u16::from(bare), unit.to_le_bytes()[0] - 0xDE)
}

/// Whether text matches a LIKE pattern, both folded.
pub fn like(text: &[u32], pattern: &[u32], escape: Option<u32>) -> bool {
    const ANY: u32 = b'%' as u32;
    const ONE: u32 = b'_' as u32;
    const OPEN: u32 = b'[' as u32;
    match pattern {
        [] => text.iter().all(|unit| *unit == 0x20),
        [first, literal, rest @ ..] if Some(*first) == escape => {
            text.first() == Some(literal) && like(&text[1..], rest, escape)
        }
        [ANY, rest @ ..] => (0..=text.len()).any(|skip| like(&text[skip..], rest, escape)),
        [ONE, rest @ ..] => !text.is_empty() && like(&text[1..], rest, escape),
        [OPEN, rest @ ..] => {
            let Some(close) = rest.iter().skip(1).position(|unit| *unit == u32::from(b']')) else {
                return false;
            };
            let (set, after) = (&rest[..=close], &rest[close + 2..]);
            text.first().is_some_and(|unit| in_set(*unit, set)) && like(&text[1..], after, escape)
        }
        [literal, rest @ ..] => text.first() == Some(literal) && like(&text[1..], rest, escape),
    }
}

fn in_set(unit: u32, set: &[u32]) -> bool {
    let (negated, set) = match set {
        [first, rest @ ..] if *first == u32::from(b'^') => (true, rest),
        _ => (false, set),
    };
    let mut at = 0;
    let mut found = false;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == u32::from(b'-') {
            found |= (set[at]..=set[at + 2]).contains(&unit);
            at += 3;
        } else {
            found |= set[at] == unit;
            at += 1;
        }
    }
    found != negated
}
