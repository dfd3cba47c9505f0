//! How a value about a person looks where people look: names, citizen IDs, phones, accounts, addresses, other text; and how a text
//! that somebody else wrote (the name of a table) looks there, whatever is in it.
//!
//! Always: pure; what was masked is never the value itself, whatever the value; a value of two or more characters never comes out
//! whole, also not inside a longer text. What is shown holds no character that a terminal or browser obeys instead of showing it.
//! Must not know: where values come from, or who is allowed to see them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::OnceLock;

use pinyin::ToPinyin;

use crate::messages;

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
    SECRETS
        .iter()
        .any(|s| word == *s || word.strip_suffix(s).is_some_and(|rest| matches!(rest, "db_" | "user_")))
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

/// A value that stands in a column of codes: whole when it is of a list that is `known`, or looks like a code; masked else, since in
/// such columns names and numbers stand by mistake.
pub fn code(value: &str, known: bool) -> String {
    if known || looks_like_code(value) {
        return value.to_owned();
    }
    let digits = value.chars().filter(|c| digit(*c).is_some()).count();
    let number = digits > 0
        && value.chars().all(|c| digit(c).is_some() || is_joint(c) || c.eq_ignore_ascii_case(&'x'));
    match digits {
        15.. if number => mask(MaskKind::Id, value),
        11 if number => mask(MaskKind::Phone, value),
        _ if number => mask(MaskKind::Number, value),
        _ => mask(MaskKind::Name, value),
    }
}

/// At most so many digits, or letters and digits, or letters alone: a longer one may be a phone, a date of birth, a name.
const CODE_DIGITS: usize = 6;
const CODE_MIXED: usize = 4;
const CODE_LETTERS: usize = 2;

fn looks_like_code(value: &str) -> bool {
    let value = value.trim();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let most = match digits {
        0 => CODE_LETTERS,
        n if n == value.len() => CODE_DIGITS,
        _ => CODE_MIXED,
    };
    value.len() <= most && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
}

/// A digit, also a full-width one.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xff10 + 0x30),
        _ => None,
    }
}

/// What people put between the groups of a number.
fn is_joint(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{3000}' | '\u{ff0d}')
}

/// So many digits in a row are a value; of a number in groups, so many in all.
const VALUE_DIGITS: usize = 4;
const GROUPED_DIGITS: usize = 7;

/// A text of somebody else (a driver's message) without what could be a value: passwords, Chinese characters, Latin spellings of names,
/// and digits in runs of four or more (also full-width ones, and in groups) go; words, short numbers and identifiers stay.
pub fn scrub(text: &str) -> String {
    let text = latin_names(&secrets(text));
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if digit(c).is_some() {
            let (length, value) = number(rest);
            let (number, after) = rest.split_at(length);
            out.push_str(if value { "***" } else { number });
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{2e80}'..='\u{9fff}' | '\u{e000}'..='\u{faff}' | '\u{20000}'.. if out.ends_with('*') => {}
            '\u{2e80}'..='\u{9fff}' | '\u{e000}'..='\u{faff}' | '\u{20000}'.. => out.push('*'),
            _ => out.push(c),
        }
    }
    out
}

/// An error's text with its causes: the program's own words for its code stay, what was filled in and what follows goes through [`scrub`].
pub fn message(code: &str, text: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for own in messages::own_words(code, text) {
        out.push_str(&scrub(&text[from..own.start]));
        out.push_str(&text[own.clone()]);
        from = own.end;
    }
    out + &scrub(&text[from..])
}

/// The length of the number that a text begins with, in groups or not, and whether it may be a value.
fn number(text: &str) -> (usize, bool) {
    let (mut all, mut run, mut longest, mut end, mut first) = (0, 0, 0, 0, 0);
    let mut joint = false;
    for (at, c) in text.char_indices() {
        if digit(c).is_some() {
            (all, run, joint, end) = (all + 1, run + 1, false, at + c.len_utf8());
            longest = longest.max(run);
            continue;
        }
        if run > 0 && first == 0 {
            first = end;
        }
        if !is_joint(c) || joint {
            break;
        }
        (run, joint) = (0, true);
    }
    match (all >= GROUPED_DIGITS, longest >= VALUE_DIGITS) {
        (true, _) => (end, true),
        // The groups are numbers of their own.
        (false, _) => {
            let first = if first == 0 { end } else { first };
            let digits = text[..first].chars().count();
            (first, digits >= VALUE_DIGITS)
        }
    }
}

/// The syllables of Chinese names as Latin letters spell them.
fn syllables() -> &'static BTreeSet<&'static str> {
    static ALL: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| {
        let han = ('\u{4e00}'..='\u{9fff}').filter_map(|c| c.to_pinyin());
        han.map(pinyin::Pinyin::plain).filter(|s| s.is_ascii()).collect()
    })
}

/// Whether a word is one or more syllables of Chinese names.
fn is_spelled(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let longest = 6;
    let mut reached = vec![false; word.len() + 1];
    reached[0] = true;
    for from in 0..word.len() {
        for to in (from + 1)..=(from + longest).min(word.len()) {
            reached[to] |= reached[from] && syllables().contains(&word[from..to]);
        }
    }
    !word.is_empty() && reached[word.len()]
}

/// Stars Latin spellings of names: two to four words with capitals that are syllables of names (`Zhang San`, `LI XIAOMING`).
fn latin_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut held: Vec<&str> = Vec::new();
    let flush = |held: &mut Vec<&str>, out: &mut String| {
        let words = held.iter().filter(|w| !w.trim().is_empty()).count();
        if (2..=4).contains(&words) {
            out.push_str("***")
        } else {
            out.push_str(&held.concat())
        }
        held.clear();
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if end > 1 && c.is_ascii_uppercase() && is_spelled(word) {
            held.push(word);
            rest = after;
        } else if end == 0 && c == ' ' && !held.is_empty() && !held.ends_with(&[" "]) {
            held.push(" ");
            rest = &rest[1..];
        } else {
            // The space after a name is none of its own.
            let space = held.ends_with(&[" "]);
            if space {
                held.pop();
            }
            flush(&mut held, &mut out);
            if space {
                out.push(' ');
            }
            let length = if end == 0 { c.len_utf8() } else { end };
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    flush(&mut held, &mut out);
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
    use super::{MaskKind, code, key, mask, message, scrub, secrets, visible, visible_lines};

    #[test]
    fn our_own_words_stay_whatever_is_filled_in() {
        let sample = crate::messages::all()["SCH-013"].zh.replace("{{ peer }}", "张三丰 229901198001010010");
        let expected = crate::messages::all()["SCH-013"].zh.replace("{{ peer }}", "* ***");
        assert_eq!(message("SCH-013", &sample), expected);
        assert_eq!(message("SCH-013", &format!("{sample}: 李四")), format!("{expected}: *"));
        assert_eq!(message("SCH-013", "张三丰"), "*");
        assert_eq!(message("X-1", "张三丰 a"), "* a");
    }

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
            ("身份证 ２２９９０１１９８００１０１００１０", "* ***"),
            ("card 6222 0212 3456 7890 of line 3", "card *** of line 3"),
            ("phone 138-4360-0001, 0436-3236000", "phone ***, ***"),
            ("12 of 345 rows in 6 s", "12 of 345 rows in 6 s"),
            ("no value for Zhang San in GRJBXX", "no value for *** in GRJBXX"),
            ("'LI XIAOMING' and Ouyang Nana", "'***' and ***"),
            ("Cannot cast string to value of Int64 type", "Cannot cast string to value of Int64 type"),
            ("Can not. Long Date", "Can not. ***"),
        ] {
            assert_eq!(scrub(given), expected);
        }
    }

    #[test]
    fn in_a_column_of_codes_only_what_looks_like_a_code_is_shown() {
        for (given, known, expected) in [
            ("1", false, "1"),
            ("220802", false, "220802"),
            ("A-01", false, "A-01"),
            ("XX", false, "XX"),
            ("女", true, "女"),
            ("女", false, "*"),
            ("张三", false, "张*"),
            ("欧阳娜娜", false, "欧***"),
            ("Li Ming", false, "L******"),
            ("WANG", false, "W***"),
            ("19800101", false, "19*****1"),
            ("229901198001010010", false, "2299**********0010"),
            ("22990119800101001X", false, "2299**********001X"),
            ("13843600001", false, "138****0001"),
            ("138-4360-0001", false, "138******0001"),
            ("１３８４３６００００１", false, "１３８****０００１"),
            ("6222 0212 3456 7890", false, "6222***********7890"),
            ("吉林省白城市洮北区海明西路1号", false, "吉**************"),
        ] {
            assert_eq!(code(given, known), expected, "{given}");
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
