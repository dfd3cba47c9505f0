//! A collation's name as the five bytes that TDS carries (MS-TDS 2.2.5.1.2).
//!
//! Always: the locale decides the code page that a client decodes char data with, except where the sort id or the UTF-8 flag
//! does.

use super::super::value::Collation;

/// Name prefixes whose locale the code page alone does not give.
const LOCALES: [(&str, u32); 8] = [
    ("Chinese_PRC", 0x0804),
    ("Chinese_Simplified", 0x0804),
    ("Chinese_Taiwan", 0x0404),
    ("Chinese_Traditional", 0x0404),
    ("Chinese_Hong_Kong", 0x0C04),
    ("Japanese", 0x0411),
    ("Korean", 0x0412),
    ("Latin1_General", 0x0409),
];

const IGNORE_CASE: u32 = 1 << 20;
const IGNORE_ACCENT: u32 = 1 << 21;
const IGNORE_KANA: u32 = 1 << 22;
const IGNORE_WIDTH: u32 = 1 << 23;
const BINARY: u32 = 1 << 24;
const BINARY2: u32 = 1 << 25;
const UTF8: u32 = 1 << 26;
const VERSION_SHIFT: u32 = 28;

fn locale(collation: &Collation) -> u32 {
    let by_name = LOCALES.iter().find(|(prefix, _)| collation.name.starts_with(prefix));
    by_name.map_or_else(
        || match collation.code_page {
            874 => 0x041E,
            932 => 0x0411,
            936 => 0x0804,
            949 => 0x0412,
            950 => 0x0404,
            1250 => 0x0405,
            1251 => 0x0419,
            1253 => 0x0408,
            1254 => 0x041F,
            1255 => 0x040D,
            1256 => 0x0401,
            1257 => 0x0425,
            1258 => 0x042A,
            _ => 0x0409,
        },
        |(_, locale)| *locale,
    )
}

fn flags(collation: &Collation) -> u32 {
    let parts: Vec<&str> = collation.name.split('_').collect();
    let has = |part: &str| parts.contains(&part);
    let utf8 = if collation.code_page == 65001 { UTF8 } else { 0 };
    let order = if has("BIN2") {
        BINARY2
    } else if has("BIN") {
        BINARY
    } else {
        [("CS", IGNORE_CASE), ("AS", IGNORE_ACCENT), ("KS", IGNORE_KANA), ("WS", IGNORE_WIDTH)]
            .iter()
            .filter(|(sensitive, _)| !has(sensitive))
            .fold(0, |all, (_, flag)| all | flag)
    };
    let version = [("90", 1), ("100", 2), ("140", 3)].iter().find(|(part, _)| has(part));
    utf8 | order | version.map_or(0, |(_, version)| version << VERSION_SHIFT)
}

/// Only the SQL collations have one.
fn sort_id(name: &str) -> u8 {
    match name {
        "SQL_Latin1_General_CP1_CS_AS" => 51,
        "SQL_Latin1_General_CP1_CI_AS" => 52,
        "SQL_Latin1_General_CP1_CI_AI" => 54,
        _ => 0,
    }
}

pub fn bytes(collation: &Collation) -> [u8; 5] {
    let [a, b, c, d] = (locale(collation) | flags(collation)).to_le_bytes();
    [a, b, c, d, sort_id(&collation.name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_collations_have_the_bytes_of_a_real_server() {
        let known: [(&str, u32, [u8; 5]); 6] = [
            ("Chinese_PRC_CI_AS", 936, [0x04, 0x08, 0xD0, 0x00, 0x00]),
            ("Chinese_PRC_BIN", 936, [0x04, 0x08, 0x00, 0x01, 0x00]),
            ("Chinese_Taiwan_Stroke_CI_AS", 950, [0x04, 0x04, 0xD0, 0x00, 0x00]),
            ("SQL_Latin1_General_CP1_CI_AS", 1252, [0x09, 0x04, 0xD0, 0x00, 0x34]),
            ("Latin1_General_100_CI_AS_SC_UTF8", 65001, [0x09, 0x04, 0xD0, 0x24, 0x00]),
            ("Latin1_General_BIN2", 1252, [0x09, 0x04, 0x00, 0x02, 0x00]),
        ];
        for (name, code_page, expected) in known {
            assert_eq!(bytes(&Collation { name: name.into(), code_page }), expected, "{name}");
        }
    }
}
