//! The text of a configuration file as it is shown beside a mistake: settings that are known and harmless, everything else as stars.
//!
//! Always: every line keeps its length in bytes, so that marks stay in place. A password may stand anywhere (under a wrong key, in a
//! comment, in an inline table, over several lines): what is not surely harmless is not shown.

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
    "drift",
    "encoding",
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
    "windows",
    "database",
    "user",
];
/// A key of more characters is no key that somebody mistyped.
const LONGEST_KEY: usize = 24;

/// The text with everything starred that is not surely harmless.
pub(super) fn shown(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let plain = line.trim();
    if plain.starts_with('[')
        && plain.ends_with(']')
        && plain.chars().all(|c| in_key(c) || "[]. \"".contains(c))
    {
        return line.to_owned();
    }
    let Some(at) = line.find('=') else { return starred(line) };
    let (key, rest) = line.split_at(at);
    if !is_key(key.trim()) {
        return starred(line);
    }
    // What follows the value is a comment.
    let end = rest.find('#').unwrap_or(rest.len());
    let (value, comment) = rest.split_at(end);
    let harmless = HARMLESS.contains(&key.trim()) && is_harmless(&value[1..]);
    let value = if harmless { value.to_owned() } else { format!("={}", starred(&value[1..])) };
    format!("{key}{value}{}", starred(comment))
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST_KEY && key.chars().all(in_key)
}

/// No address with a login in it, no inline table, no text of several lines.
fn is_harmless(value: &str) -> bool {
    !["@", "://", ";", "=", "{", r#"""""#, "'''"].iter().any(|mark| value.contains(mark))
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
        ] {
            assert_eq!(shown(given), expected);
            assert_eq!(shown(given).len(), given.len());
        }
    }
}
