//! What blocks: rows with a blocking finding, and parents that are not accepted.
//!
//! Always: keyed by 128-bit digests of keys, so that ten million verdicts fit where ten million keys would not; limited by memory.

use std::collections::HashMap;
use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use xxhash_rust::xxh3::xxh3_128;

use super::{Decide, GateError};
use crate::dataset::read_part;
use crate::national::Gate;

/// About what one verdict takes.
pub(super) const VERDICT_BYTES: u64 = 40;
const NONE: &str = "∅";

/// The digest of a row's place: key, source, legacy key.
pub(super) fn place(buffer: &mut Vec<u8>, key: Option<&str>, source: &str, skey: Option<&str>) -> u128 {
    buffer.clear();
    for part in [key.unwrap_or(NONE), source, skey.unwrap_or(NONE)] {
        buffer.extend_from_slice(part.as_bytes());
        buffer.push(0x1f);
    }
    xxh3_128(buffer)
}

/// Rows with at least one blocking finding.
pub(super) struct Blocked {
    rows: HashMap<u128, u32>,
    /// Distinct sets of rules, `FIX-10,STR-03`.
    reasons: Vec<String>,
}

impl Blocked {
    pub(super) fn read(of: &Decide<'_>, limit: u64) -> Result<Self, GateError> {
        let mut all = Self { rows: HashMap::new(), reasons: Vec::new() };
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut buffer = Vec::new();
        for part in of.findings {
            for batch in read_part(part)? {
                let batch = batch?;
                let text = |at: usize| batch.column(at).as_string::<i32>();
                let (rules, keys, gates, sources, skeys) = (text(0), text(2), text(5), text(8), text(9));
                for row in 0..batch.num_rows() {
                    if gates.value(row) != Gate::Block.text() {
                        continue;
                    }
                    let key = keys.is_valid(row).then(|| keys.value(row));
                    let skey = skeys.is_valid(row).then(|| skeys.value(row));
                    let at = place(&mut buffer, key, sources.value(row), skey);
                    let reason = match all.rows.get(&at) {
                        None => rules.value(row).to_owned(),
                        Some(before) => with(&all.reasons[*before as usize], rules.value(row)),
                    };
                    let number = *known.entry(reason).or_insert_with_key(|reason| {
                        all.reasons.push(reason.clone());
                        u32::try_from(all.reasons.len() - 1).unwrap_or(u32::MAX)
                    });
                    all.rows.insert(at, number);
                    within(of, all.rows.len(), limit)?;
                }
            }
        }
        Ok(all)
    }

    /// The rules that block a row.
    pub(super) fn reason(&self, place: u128) -> Option<&str> {
        self.rows.get(&place).map(|at| self.reasons[*at as usize].as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Rows that rules exclude, and which rule.
pub(super) struct Excluded(HashMap<u128, String>);

impl Excluded {
    pub(super) fn read(of: &Decide<'_>, limit: u64) -> Result<Self, GateError> {
        let mut all = HashMap::new();
        let mut buffer = Vec::new();
        for part in of.excluded {
            for batch in read_part(part)? {
                let batch = batch?;
                let text = |at: usize| batch.column(at).as_string::<i32>();
                let (keys, sources, skeys, reasons) = (text(0), text(1), text(2), text(3));
                for row in 0..batch.num_rows() {
                    let skey = skeys.is_valid(row).then(|| skeys.value(row));
                    let at = place(&mut buffer, Some(keys.value(row)), sources.value(row), skey);
                    all.insert(at, reasons.value(row).to_owned());
                    within(of, all.len(), limit)?;
                }
            }
        }
        Ok(Self(all))
    }

    /// The rule that excludes a row.
    pub(super) fn reason(&self, place: u128) -> Option<&str> {
        self.0.get(&place).map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Rows that rules merge into others: which rule, and the survivor's key.
pub(super) struct Merged(HashMap<u128, (String, String)>);

impl Merged {
    pub(super) fn read(of: &Decide<'_>, limit: u64) -> Result<Self, GateError> {
        let mut all = HashMap::new();
        let mut buffer = Vec::new();
        for part in of.merged {
            for batch in read_part(part)? {
                let batch = batch?;
                let text = |at: usize| batch.column(at).as_string::<i32>();
                let (keys, sources, skeys, survivors, rules) = (text(0), text(1), text(2), text(3), text(4));
                for row in 0..batch.num_rows() {
                    let skey = skeys.is_valid(row).then(|| skeys.value(row));
                    let at = place(&mut buffer, Some(keys.value(row)), sources.value(row), skey);
                    all.insert(at, (rules.value(row).to_owned(), survivors.value(row).to_owned()));
                    within(of, all.len(), limit)?;
                }
            }
        }
        Ok(Self(all))
    }

    /// The rule that merges a row, and the survivor.
    pub(super) fn into(&self, place: u128) -> Option<(&str, &str)> {
        self.0.get(&place).map(|(rule, survivor)| (rule.as_str(), survivor.as_str()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is known before a part is decided about.
pub(super) struct Known<'k> {
    pub(super) blocked: &'k Blocked,
    pub(super) excluded: &'k Excluded,
    pub(super) merged: &'k Merged,
    pub(super) parents: &'k Parents,
}

/// A set of rules with one more.
fn with(rules: &str, rule: &str) -> String {
    let mut all: Vec<&str> = rules.split(',').chain([rule]).collect();
    all.sort_unstable();
    all.dedup();
    all.join(",")
}

fn within(of: &Decide<'_>, rows: usize, limit: u64) -> Result<(), GateError> {
    let rows = rows as u64;
    if rows <= limit {
        return Ok(());
    }
    Err(GateError::TooMany { table: of.table.name.clone(), rows, limit })
}

/// What a parent that is not accepted does to its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    Excluded,
    /// Rejected, held, or merged: who should follow the survivor names it by now.
    Stopped,
}

/// One foreign key with a parent of which some rows are not accepted.
pub(super) struct ParentKeys {
    /// The parent's table.
    pub(super) table: String,
    /// The child's columns.
    pub(super) columns: Vec<String>,
    pub(super) when: Option<String>,
    lost: HashMap<u128, Lost>,
}

impl ParentKeys {
    /// What the parent of that key does; nothing when it is accepted or unknown (an unknown parent is a finding).
    pub(super) fn lost(&self, key: &str) -> Option<Lost> {
        self.lost.get(&xxh3_128(key.as_bytes())).copied()
    }
}

/// The foreign keys of a table that can matter.
pub(super) struct Parents(pub(super) Vec<ParentKeys>);

impl Parents {
    pub(super) fn read(of: &Decide<'_>, limit: u64) -> Result<Self, GateError> {
        let mut all = Vec::new();
        let place = |name: &str| of.national.tables.iter().position(|t| t.name == name);
        for parent in &of.table.parents {
            if place(&parent.table) >= place(&of.table.name) {
                let (table, parent) = (of.table.name.clone(), parent.table.clone());
                return Err(GateError::Order { table, parent });
            }
            // A parent that the city does not map at all cannot be checked; the structural check says so and the run is blocked.
            let Some(dispositions) = of.parents.get(&parent.table) else { continue };
            let lost = lost(of, &dispositions.dispositions, &dispositions.staged, limit)?;
            if !lost.is_empty() {
                let (table, columns, when) =
                    (parent.table.clone(), parent.columns.clone(), parent.when.clone());
                all.push(ParentKeys { table, columns, when, lost });
            }
        }
        Ok(Self(all))
    }
}

/// Keys of which no row is accepted. Of several rows of one key a rejected or held one weighs more than an excluded one.
fn lost(
    of: &Decide<'_>,
    dispositions: &[PathBuf],
    staged: &[PathBuf],
    limit: u64,
) -> Result<HashMap<u128, Lost>, GateError> {
    let mut lost = HashMap::new();
    for part in dispositions {
        for batch in read_part(part)? {
            let batch = batch?;
            let (keys, named) = (batch.column(0).as_string::<i32>(), batch.column(3).as_string::<i32>());
            for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
                let disposition = if named.value(row) == "excluded" { Lost::Excluded } else { Lost::Stopped };
                let known = lost.entry(xxh3_128(keys.value(row).as_bytes())).or_insert(disposition);
                if disposition == Lost::Stopped {
                    *known = disposition;
                }
            }
            within(of, lost.len(), limit)?;
        }
    }
    for part in staged {
        if lost.is_empty() {
            break;
        }
        for batch in read_part(part)? {
            let batch = batch?;
            let Some(keys) = batch.column_by_name("_key").and_then(|k| k.as_string_opt::<i32>()) else {
                let what = format!("{} has no _key", part.display());
                return Err(GateError::Uneven { table: of.table.name.clone(), what });
            };
            for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
                lost.remove(&xxh3_128(keys.value(row).as_bytes()));
            }
        }
    }
    Ok(lost)
}
