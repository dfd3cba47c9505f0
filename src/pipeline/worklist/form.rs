//! The form of a worklist: its columns, what a row holds, and the digests by which a file is known again.
//!
//! Always: one list of columns for what goes out and what comes back; a row's digest is over every protected cell, a file's over its rows in any
//! order, so that people may sort.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::RunError;
use crate::report::{Lang, Words};
use crate::state::DecisionKind;

/// The version of the form, in the hidden sheet.
pub(super) const VERSION: &str = "1";
/// The hidden sheet.
pub(super) const HIDDEN: &str = "_qianyi";

/// The columns: key of the head's words under `worklist`, width in characters.
pub(super) const COLUMNS: [(&str, u16); 22] = [
    ("item", 11),
    ("table", 9),
    ("column", 10),
    ("person", 10),
    ("name", 7),
    ("unit", 9),
    ("unit_name", 11),
    ("row", 24),
    ("current", 11),
    ("proposed", 12),
    ("found", 16),
    ("decision", 9),
    ("corrected", 11),
    ("evidence", 9),
    ("until", 9),
    ("handler", 7),
    ("handled", 9),
    ("reviewer", 7),
    ("reviewed", 9),
    ("approver", 7),
    ("approved", 9),
    ("check", 24),
];

/// Columns by name.
pub(super) mod at {
    pub(in super::super) const ITEM: usize = 0;
    pub(in super::super) const DECISION: usize = 11;
    pub(in super::super) const CORRECTED: usize = 12;
    pub(in super::super) const EVIDENCE: usize = 13;
    pub(in super::super) const UNTIL: usize = 14;
    pub(in super::super) const HANDLER: usize = 15;
    pub(in super::super) const REVIEWER: usize = 17;
    pub(in super::super) const APPROVER: usize = 19;
    pub(in super::super) const CHECK: usize = 21;
}

/// What people fill in; every other cell is protected.
pub(super) const FILLED: std::ops::Range<usize> = at::DECISION..at::CHECK;

/// The heads in a language.
pub(super) fn heads(words: &Words) -> Vec<String> {
    COLUMNS.iter().map(|(key, _)| words.say("worklist", key)).collect()
}

/// The words of both languages: a file may come back under another one than that in which it went out.
pub(super) fn both() -> Result<[Words; 2], RunError> {
    Ok([Words::of(Lang::Zh)?, Words::of(Lang::En)?])
}

/// A decision as it stands in the drop-down.
pub(super) fn word(words: &Words, kind: DecisionKind) -> String {
    words.say("decision", kind.text())
}

/// What may be decided, as it stands in the drop-down.
pub(super) fn choices(words: &Words) -> Vec<String> {
    DecisionKind::ALL.into_iter().map(|kind| word(words, kind)).collect()
}

/// So much of a text is shown; a cell holds 32,767 characters.
const SHOWN: usize = 2_000;

/// A text on one line, as it comes back whatever a spreadsheet does with line breaks and blanks.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// The number of an item as it stands in its cell: no spreadsheet takes it for a number.
pub(super) fn item_text(id: u64) -> String {
    format!("i{id:016x}")
}

/// An item from its cell.
pub(super) fn item_of(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('i').filter(|d| d.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// Digests the protected cells of a row, and adds it up to that of its file.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RowsDigest {
    sum: u128,
    rows: u64,
}

impl RowsDigest {
    /// The check code of a row: its worklist, and a digest of its protected cells.
    pub(super) fn add(&mut self, worklist: &str, cells: &[&str]) -> String {
        let text: String = cells.iter().map(|c| format!("{}:{c}", c.len())).collect();
        self.sum = self.sum.wrapping_add(xxh3_128(text.as_bytes()));
        self.rows += 1;
        format!("{worklist}-{:016x}", xxh3_64(text.as_bytes()))
    }

    /// Of all rows so far.
    pub(super) fn text(self) -> String {
        format!("{:032x}-{}", self.sum, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, RowsDigest, at, item_of, item_text};

    #[test]
    fn columns_stand_where_their_names_say() {
        for (column, key) in [
            (at::ITEM, "item"),
            (at::DECISION, "decision"),
            (at::CORRECTED, "corrected"),
            (at::EVIDENCE, "evidence"),
            (at::UNTIL, "until"),
            (at::HANDLER, "handler"),
            (at::REVIEWER, "reviewer"),
            (at::APPROVER, "approver"),
            (at::CHECK, "check"),
        ] {
            assert_eq!(COLUMNS[column].0, key);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_every_cell_does() {
        let of = |rows: &[[&str; 2]]| {
            let mut digest = RowsDigest::default();
            for row in rows {
                assert!(digest.add("w0001", row).starts_with("w0001-"));
            }
            digest.text()
        };
        assert_eq!(of(&[["a", "b"], ["c", "d"]]), of(&[["c", "d"], ["a", "b"]]));
        assert_ne!(of(&[["a", "b"]]), of(&[["ab", ""]]));
        assert_ne!(of(&[["a", "b"]]), of(&[["a", "b"], ["a", "b"]]));
        assert_eq!(item_of(&item_text(7)), Some(7));
        assert_eq!((item_of("i7"), item_of("0000000000000007")), (None, None));
    }
}
