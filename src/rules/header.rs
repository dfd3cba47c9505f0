//! The header of a rule or model file: `-- key: value` lines before the SELECT (docs/rules.md).
//!
//! Must not know: what the keys mean.

use std::ops::Range;

/// So many spaces after the dashes, and a line goes on with the value before it.
const CONTINUES: &str = "    ";

/// One key of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) span: Range<usize>,
}

/// A file taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) entries: Vec<Entry>,
    /// Lines that are neither a key nor a continuation.
    pub(super) strays: Vec<Range<usize>>,
    /// The SELECT, and where it begins.
    pub(super) sql: Range<usize>,
}

/// Takes a file apart; nothing is judged.
pub(super) fn header(text: &str) -> Header {
    let (mut entries, mut strays): (Vec<Entry>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let span = at..at + line.trim_end().len();
        let Some(rest) = line.trim_end().strip_prefix("--") else {
            if line.trim().is_empty() {
                at += line.len();
                continue;
            }
            break;
        };
        at += line.len();
        if rest.starts_with(CONTINUES)
            && let Some(last) = entries.last_mut()
        {
            last.value.push(' ');
            last.value.push_str(rest.trim());
            continue;
        }
        match rest.split_once(':') {
            Some((key, value)) if is_key(key.trim()) => {
                entries.push(Entry { key: key.trim().to_owned(), value: value.trim().to_owned(), span });
            }
            _ => strays.push(span),
        }
    }
    let end = text.trim_end().trim_end_matches(';').trim_end().len();
    Header { entries, strays, sql: at..end.max(at) }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn a_header_ends_where_the_select_begins() {
        let text = "-- id: X-1\n-- title: 一 / one\n--    and more\n-- no key here\n\nSELECT 1 -- x: y\n;\n";
        let found = header(text);
        let pairs: Vec<_> = found.entries.iter().map(|e| (e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(pairs, [("id", "X-1"), ("title", "一 / one and more")]);
        assert_eq!(found.strays.len(), 1);
        assert_eq!(&text[found.sql], "SELECT 1 -- x: y");
    }
}
