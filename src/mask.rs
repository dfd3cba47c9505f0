//! How a value about a person looks where people look: names, citizen IDs, phones, accounts, addresses, other text; and how a text
//! that somebody else wrote (the name of a table) looks there, whatever is in it.
//!
//! Always: pure; what was masked is never the value itself, whatever the value; a value of two or more characters never comes out
//! whole, also not inside a longer text. What is shown holds no character that a terminal or browser obeys instead of showing it.
//! Must not know: where values come from, or who is allowed to see them.

use std::borrow::Cow;
use std::fmt::Write;

/// What a value is, and so how much of it may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaskKind {
    /// The family name's first character.
    Name,
    /// Citizen ID or another document's number: the first and the last four of 15 or more.
    Id,
    /// The first three and the last four of 11.
    Phone,
    /// The last four of ten or more.
    Account,
    /// The first six characters of twelve or more: province and city.
    Address,
    /// A number that somebody gave: the first two and the last of five or more.
    Number,
    /// Nothing.
    Text,
}

impl MaskKind {
    /// The kind of that name, as mappings write it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "name" => Self::Name,
            "id" => Self::Id,
            "phone" => Self::Phone,
            "account" => Self::Account,
            "address" => Self::Address,
            _ => return None,
        })
    }
}

/// Masks a value of that kind.
pub fn mask(kind: MaskKind, value: &str) -> String {
    let value = value.trim();
    let length = value.chars().count();
    let masked = match kind {
        MaskKind::Name => keep(value, length, usize::from(length >= 2), 0),
        MaskKind::Id if length >= 15 => keep(value, length, 4, 4),
        MaskKind::Phone if length >= 11 => keep(value, length, 3, 4),
        MaskKind::Account if length >= 10 => keep(value, length, 0, 4),
        MaskKind::Address if length >= 12 => keep(value, length, 6, 0),
        MaskKind::Number if length >= 5 => keep(value, length, 2, 1),
        MaskKind::Id | MaskKind::Phone | MaskKind::Account | MaskKind::Address | MaskKind::Number => {
            keep(value, length, 0, 0)
        }
        MaskKind::Text => "***".to_owned(),
    };
    // A value may look masked already (`张*`): what comes out still differs from it.
    if masked == value && length > 0 { format!("{masked}*") } else { masked }
}

/// A key as text (`0000012345|201103|#2`), each part masked by its kind; a part without a kind is shown, and so is an occurrence.
pub fn key(kinds: &[Option<MaskKind>], key: &str) -> String {
    let mut parts = vec![String::new()];
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            ('|', _) => parts.push(String::new()),
            // An escaped mark is a character like others.
            ('\\', Some(part)) => part.extend(chars.next()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    let shown = |(at, part): (usize, &String)| match kinds.get(at) {
        Some(Some(_)) if part == "∅" => part.clone(),
        Some(Some(kind)) => mask(*kind, part),
        Some(None) => part.clone(),
        None if part.starts_with('#') => part.clone(),
        None => mask(MaskKind::Number, part),
    };
    parts.iter().enumerate().map(shown).collect::<Vec<_>>().join("|")
}

/// `张三` → `张*`.
pub fn name(value: &str) -> String {
    mask(MaskKind::Name, value)
}

/// `229901198001010010` → `2299**********0010`.
pub fn id(value: &str) -> String {
    mask(MaskKind::Id, value)
}

/// Words after which a password stands, as in `Password=…`, `pwd: …`.
const SECRETS: [&str; 8] = ["password", "passwd", "passwort", "pass", "pwd", "pw", "secret", "token"];

/// Whether a word is one after which a password stands, and no password itself.
pub fn is_secret_word(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    SECRETS.iter().any(|s| word == *s || word.strip_suffix(s).is_some_and(|rest| matches!(rest, "db_" | "user_")))
}

/// A text without passwords: the login of an address (`//user:password@host`) and what follows a word for a password are starred.
pub fn secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(after.len());
        let login = after[..end].rfind('@').unwrap_or(0);
        if login > 0 {
            out.push_str("***");
        }
        rest = &after[login..];
    }
    out.push_str(rest);
    assigned(&out)
}

/// Stars what is assigned to a word for a password.
fn assigned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (key, after) = rest.split_at(at);
        let word = key.trim_end_matches([' ', '"', '\'', '`']).to_ascii_lowercase();
        out.push_str(key);
        out.push_str(&after[..1]);
        rest = &after[1..];
        if !SECRETS.iter().any(|s| word.ends_with(s)) {
            continue;
        }
        let value = rest.trim_start_matches([' ', '"', '\'', '`']);
        out.push_str(&rest[..rest.len() - value.len()]);
        let end = value.find(|c: char| c.is_whitespace() || ";,&\"'`)}".contains(c)).unwrap_or(value.len());
        if end > 0 {
            out.push_str("***");
        }
        rest = &value[end..];
    }
    out.push_str(rest);
    out
}

/// A text of somebody else (a driver's message) without what could be a value: passwords, Chinese characters and digits in runs of
/// four or more go; words, short numbers and identifiers stay.
pub fn scrub(text: &str) -> String {
    let text = secrets(text);
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    let flush = |digits: &mut String, out: &mut String| {
        if digits.len() >= 4 {
            out.push_str("***");
        } else {
            out.push_str(digits);
        }
        digits.clear();
    };
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        flush(&mut digits, &mut out);
        match c {
            '\u{2e80}'..='\u{9fff}' | '\u{e000}'..='\u{faff}' | '\u{20000}'.. if out.ends_with('*') => {}
            '\u{2e80}'..='\u{9fff}' | '\u{e000}'..='\u{faff}' | '\u{20000}'.. => out.push('*'),
            _ => out.push(c),
        }
    }
    flush(&mut digits, &mut out);
    out
}

/// Whether a character is obeyed instead of shown: controls, and the marks that turn the direction of a line.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character as it is shown where each must stay one character.
pub fn harmless(c: char) -> char {
    if is_obeyed(c) && c != '\t' { '\u{fffd}' } else { c }
}

fn escaped(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if obeyed(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A name (of a table, a column, a file) as it is shown: characters that a terminal would obey are written `\u{1b}`.
pub fn visible(name: &str) -> Cow<'_, str> {
    escaped(name, is_obeyed)
}

/// The same of a text of several lines, whose line ends and tabs are our own.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_obeyed(c) && !matches!(c, '\n' | '\t'))
}

/// At most so many stars: the length of a long text is nobody's business either.
const STARS: usize = 24;

fn keep(value: &str, length: usize, first: usize, last: usize) -> String {
    let hidden = length.saturating_sub(first + last);
    let mut out: String = value.chars().take(first).collect();
    out.extend(std::iter::repeat_n('*', hidden.min(STARS)));
    out.extend(value.chars().skip(length - last));
    out
}

#[cfg(test)]
mod tests {
    use super::{MaskKind, key, mask, scrub, secrets, visible, visible_lines};

    #[test]
    fn a_key_is_masked_part_by_part() {
        let kinds = [Some(MaskKind::Number), Some(MaskKind::Id), None];
        for (given, expected) in [
            ("0000000001|229901198001010010|201103|#2", "00*******1|2299**********0010|201103|#2"),
            ("1234|∅|1", "****|∅|1"),
            ("a\\|bcdef", "a|****f"),
        ] {
            assert_eq!(key(&kinds, given), expected);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_escaped() {
        for (given, expected) in [
            ("GRJBXX", "GRJBXX"),
            ("人员\u{1b}[31m", "人员\\u{1b}[31m"),
            ("a\r\nb\t", "a\\u{d}\\u{a}b\\u{9}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
        ] {
            assert_eq!(visible(given), expected);
        }
        assert_eq!(visible_lines("a\tb\n\u{7}"), "a\tb\n\\u{7}");
    }

    #[test]
    fn a_text_keeps_no_password() {
        for (given, expected) in [
            ("postgresql://u:hunter2@h/d", "postgresql://***@h/d"),
            ("at http://a:b@h, and https://h/p", "at http://***@h, and https://h/p"),
            ("Server=h;Password=hunter2;User Id=u", "Server=h;Password=***;User Id=u"),
            ("{ password = \"hunter2\" }", "{ password = \"***\" }"),
            ("db_password: hunter2, more", "db_password: ***, more"),
            ("password_env names no variable: QIANYI_PW", "password_env names no variable: QIANYI_PW"),
            ("postgres://u:p/w@x@h", "postgres://***@h"),
        ] {
            assert_eq!(secrets(given), expected);
        }
    }

    #[test]
    fn a_drivers_text_keeps_no_value() {
        for (given, expected) in [
            ("Cannot cast string '229901198001010010' to Int64", "Cannot cast string '***' to Int64"),
            ("no such person: 张三丰 (line 12)", "no such person: * (line 12)"),
            ("database is locked", "database is locked"),
        ] {
            assert_eq!(scrub(given), expected);
        }
    }

    #[test]
    fn each_kind_shows_what_it_may() {
        for (kind, given, expected) in [
            (MaskKind::Name, "张三", "张*"),
            (MaskKind::Name, "欧阳娜娜", "欧***"),
            (MaskKind::Name, "张", "*"),
            (MaskKind::Name, "", ""),
            (MaskKind::Name, "张*", "张**"),
            (MaskKind::Id, "229901198001010010", "2299**********0010"),
            (MaskKind::Id, "229901800101001", "2299*******1001"),
            (MaskKind::Id, "2299018001", "**********"),
            (MaskKind::Phone, "13843600001", "138****0001"),
            (MaskKind::Phone, "3236000", "*******"),
            (MaskKind::Account, "6222020812345678", "************5678"),
            (MaskKind::Address, "吉林省白城市洮北区海明西路1号", "吉林省白城市*********"),
            (MaskKind::Address, "海明西路1号", "******"),
            (MaskKind::Text, "个体户", "***"),
            (MaskKind::Text, "***", "****"),
        ] {
            assert_eq!(mask(kind, given), expected, "{kind:?} {given}");
        }
    }
}
