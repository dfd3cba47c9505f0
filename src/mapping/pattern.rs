//! Names of legacy tables: one table, a family of like ones (`GRJFMX_{1998..2005}`), or a wildcard (`TMP_*`).
//!
//! Always: case matters, as in the source; a number in braces is matched by its own digits only (`{1998..2005}` does not match `01999`).

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Range(u32, u32),
    Any,
}

/// A pattern of table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads a pattern; `None` when a brace is not `{first..last}` with numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '*']) {
            if at > 0 {
                pieces.push(Piece::Literal(rest[..at].to_owned()));
            }
            if rest[at..].starts_with('*') {
                pieces.push(Piece::Any);
                rest = &rest[at + 1..];
                continue;
            }
            let (range, after) = rest[at + 1..].split_once('}')?;
            let (first, last) = range.split_once("..")?;
            pieces.push(Piece::Range(first.parse().ok()?, last.parse().ok()?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Some(Self { text: text.to_owned(), pieces })
    }

    /// Whether a table of that name is meant.
    pub fn matches(&self, name: &str) -> bool {
        fits(&self.pieces, name)
    }
}

fn fits(pieces: &[Piece], name: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
    match first {
        Piece::Literal(text) => name.strip_prefix(text.as_str()).is_some_and(|n| fits(rest, n)),
        Piece::Range(low, high) => (*low..=*high)
            .any(|n| name.strip_prefix(n.to_string().as_str()).is_some_and(|left| fits(rest, left))),
        Piece::Any => name.char_indices().map(|(i, _)| i).chain([name.len()]).any(|i| fits(rest, &name[i..])),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(name)
    }

    #[test]
    fn a_family_matches_its_years_only() {
        assert!(matches("GRJFMX_{1998..2005}", "GRJFMX_1998"));
        assert!(matches("GRJFMX_{1998..2005}", "GRJFMX_2005"));
        assert!(!matches("GRJFMX_{1998..2005}", "GRJFMX_2006"));
        assert!(!matches("GRJFMX_{1998..2005}", "GRJFMX"));
        assert!(!matches("GRJFMX", "GRJFMX_1998"));
    }

    #[test]
    fn a_star_matches_any_text() {
        assert!(matches("*_BAK*", "GRJBXX_BAK20090315"));
        assert!(!matches("*_BAK*", "GRJBXX"));
        assert!(matches("TMP_*", "TMP_JFHD"));
        assert_eq!(Pattern::parse("X_{1998}"), None);
    }
}
