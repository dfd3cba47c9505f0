//! The text of a configuration file as it is shown beside a mistake: settings that are known and harmless, everything else as stars.
//!
//! Always: every line keeps its length in bytes, so that marks stay in place. A password may stand anywhere (under a wrong key, in a
//! comment, in an inline table, over several lines): what is not surely harmless is not shown.

use chrono_tz::Tz;

use super::file::WORDS;
use crate::encoding::TextEncoding;
use crate::mask;
use crate::phrase;

/// Settings whose plain value may be read over somebody's shoulder.
const HARMLESS: &[&str] = &[
    "accepted_min",
    "account",
    "as_of",
    "bytes_per_second",
    "changes",
    "chunk_rows",
    "city",
    "column",
    "connect_seconds",
    "connections",
    "consistency",
    "cron",
    "days",
    "drift",
    "encoding",
    "form",
    "host",
    "id",
    "jitter_seconds",
    "job",
    "kind",
    "lang",
    "lock_milliseconds",
    "login",
    "mappings",
    "memory",
    "missed",
    "number",
    "on",
    "overlap_seconds",
    "partitions",
    "path",
    "port",
    "portable",
    "retries",
    "roles",
    "rows_per_second",
    "rules",
    "schema",
    "slow_milliseconds",
    "statement_seconds",
    "time_zone",
    "tls",
    "waiver_months",
    "windows",
    "database",
    "user",
];
/// Keys whose names are known, but whose values are not for everybody.
const KNOWN: &[&str] = &[
    "acknowledged",
    "amount",
    "basis",
    "boundary",
    "by",
    "ca",
    "columns",
    "command",
    "extracts",
    "insurance",
    "keep",
    "key",
    "known_difference",
    "limit",
    "limits",
    "logs",
    "mail",
    "measure",
    "metrics",
    "name",
    "notify",
    "packages",
    "parameters",
    "password_credential",
    "password_env",
    "password_file",
    "people",
    "period",
    "reason",
    "references",
    "rule",
    "runs",
    "schedule",
    "sendmail",
    "server",
    "sources",
    "standing",
    "table",
    "tables",
    "until",
    "webhook",
    "what",
];
/// Settings that are a number; any other value of theirs is a mistake, and may be anything.
const NUMBERS: &[&str] = &[
    "accepted_min",
    "bytes_per_second",
    "chunk_rows",
    "connect_seconds",
    "connections",
    "days",
    "jitter_seconds",
    "lock_milliseconds",
    "memory",
    "number",
    "overlap_seconds",
    "partitions",
    "port",
    "portable",
    "retries",
    "rows_per_second",
    "slow_milliseconds",
    "statement_seconds",
    "waiver_months",
];
/// The longest number that is a setting, and no number of a person.
const DIGITS: usize = 12;
/// Words of so many characters are no password.
const SHORT: usize = 6;
/// From this likeness on a word is a known one that somebody mistyped.
const LIKE: f64 = 0.8;

/// A word that is none of those that may stand here, as an error says it: whole only where it is plainly no secret, which may stand
/// anywhere, also as a key.
pub(super) fn told(given: &str, known: &[&str]) -> String {
    if is_harmless_word(given, known) { format!("`{given}`") } else { phrase!("config.not_shown") }
}

fn is_harmless_word(given: &str, known: &[&str]) -> bool {
    let like = |word: &&str| strsim::jaro_winkler(given, word) >= LIKE;
    let plain = given.chars().all(|c| in_key(c) || "+:/".contains(c));
    plain && (given.len() <= SHORT || mask::is_secret_word(given) || known.iter().any(like))
}

/// The text with everything starred that is not surely harmless.
pub(super) fn shown(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let plain = line.trim();
    if plain.starts_with('[') && plain.ends_with(']') {
        return line.split_inclusive(['[', ']', '.', ' ', '"']).map(piece).collect();
    }
    let Some(at) = line.find('=') else { return starred(line) };
    let (key, rest) = line.split_at(at);
    if !is_key(key.trim()) {
        return starred(line);
    }
    // What follows the value is a comment.
    let end = rest.find('#').unwrap_or(rest.len());
    let (value, comment) = rest.split_at(end);
    let harmless = is_harmless(key.trim(), &value[1..]);
    let value = if harmless { value.to_owned() } else { format!("={}", starred(&value[1..])) };
    format!("{key}{value}{}", starred(comment))
}

/// A name in the head of a table, with the mark that ends it.
fn piece(piece: &str) -> String {
    let name = piece.trim_end_matches(['[', ']', '.', ' ', '"', '\n', '\r']);
    if name.is_empty() || is_key(name) { piece.to_owned() } else { starred(name) + &piece[name.len()..] }
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The name of a setting, perhaps mistyped.
fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(in_key)
        && (is_harmless_word(key, HARMLESS) || is_harmless_word(key, KNOWN))
}

/// A known setting of the right form: no address with a login in it, no inline table, no text of several lines.
fn is_harmless(key: &str, value: &str) -> bool {
    let plain = !["@", "://", ";", "=", "{", r#"""""#, "'''"].iter().any(|mark| value.contains(mark));
    let word = value.trim().trim_matches(['"', '\'']);
    let fits = match WORDS.iter().find(|(k, _)| *k == key) {
        Some((_, words)) => is_harmless_word(word, words),
        None if NUMBERS.contains(&key) => {
            word.len() <= SHORT
                || word.len() <= DIGITS && word.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        }
        None if key == "encoding" => word.len() <= SHORT || TextEncoding::named(word).is_some(),
        None if key == "time_zone" => word.len() <= SHORT || word.parse::<Tz>().is_ok(),
        None => true,
    };
    HARMLESS.contains(&key) && plain && fits
}

fn starred(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { c.to_string() } else { "*".repeat(c.len_utf8()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn only_what_is_known_and_harmless_is_shown() {
        for (given, expected) in [
            ("port = 70000 # hunter2\n", "port = 70000 * *******\n"),
            ("[sources.server]\n", "[sources.server]\n"),
            ("password = \"hunter2\"\n", "password = *********\n"),
            ("password: hunter2", "********* *******"),
            (
                "server = { host = \"a\", password = \"hunter2\" }",
                "server = * **** * **** ******** * ********* *",
            ),
            ("server.password = 'hunter2'", "*************** * *********"),
            ("\"password\" = 'hunter2'", "********** * *********"),
            ("host = \"postgres://u:hunter2@h/d\"", "host = **************************"),
            ("host = \"\"\"\nhunter2\n\"\"\"", "host = ***\n*******\n***"),
            ("prot = 1", "prot = *"),
            ("port = \"hunter2\"", "port = *********"),
            ("encoding = \"hunter2\"", "encoding = *********"),
            ("time_zone = \"Asia/Shanghai\"", "time_zone = \"Asia/Shanghai\""),
            ("kind = \"hunter2-geheim\"", "kind = ****************"),
            ("\"hunter2-geheim\" = 1", "**************** * *"),
            ("hunter2-geheim = 1", "************** * *"),
            ("[sources.hunter2-geheim]\n", "[sources.**************]\n"),
            ("[[\"hunter2 geheimnis\"]]", "[[\"******* *********\"]]"),
        ] {
            assert_eq!(shown(given), expected);
            assert_eq!(shown(given).len(), given.len());
        }
    }
}
