//! What the province answers about items that were sent to it: a file of its own form, whose columns and words a TOML file names.
//!
//! Always: only what went out on a list for the province is answered; an answer is a decision that three people have signed, as every other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::WorklistError;
use super::check::{CheckOf, Checked, decide};
use super::form::{self, COLUMNS, at};
use super::reading::{CameBack, Heads, ReadFile, read_by};
use crate::report::Words;
use crate::state::{DecisionKind, Worklist};

/// The department under which lists for the province are recorded.
pub(super) const PROVINCE: &str = "省局";

/// Columns that every answer has.
const NEEDED: [&str; 9] =
    ["item", "decision", "evidence", "handler", "handled", "reviewer", "reviewed", "approver", "approved"];
/// Columns that one may have.
const OPTIONAL: [&str; 2] = ["corrected", "until"];

/// The form of a file: what our columns and decisions are called there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    columns: BTreeMap<String, Names>,
    decisions: BTreeMap<String, String>,
}

/// What a column is called, or may be called.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Any(Vec<String>),
}

impl Names {
    fn all(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Any(names) => names.clone(),
        }
    }
}

/// Reads a file by a form; its decisions are in our words.
///
/// # Errors
/// `WKL-001`, `WKL-003`, `WKL-005`.
pub(super) fn read_answers(
    of: &CameBack<'_>,
    form: &Path,
    words: &[Words; 2],
) -> Result<ReadFile, WorklistError> {
    let bad = |why: String| WorklistError::Form { path: form.display().to_string(), why };
    let text = std::fs::read_to_string(form).map_err(|e| bad(e.to_string()))?;
    let form: Form = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
    if let Some(missing) = NEEDED.iter().find(|n| !form.columns.contains_key(**n)) {
        return Err(bad(format!("[columns] has no `{missing}`")));
    }
    let mut named = Vec::new();
    for (name, head) in &form.columns {
        let known = NEEDED.contains(&name.as_str()) || OPTIONAL.contains(&name.as_str());
        let column = COLUMNS.iter().position(|(key, _)| key == name).filter(|_| known);
        named.push((
            column.ok_or_else(|| bad(format!("[columns] `{name}` is none of its names")))?,
            head.all(),
        ));
    }
    let mut meant = HashMap::new();
    for (word, name) in &form.decisions {
        let kind = DecisionKind::ALL.into_iter().find(|k| k.text() == name && *k != DecisionKind::Province);
        let kind = kind.ok_or_else(|| bad(format!("[decisions] `{name}`: adopt, correct or waive")))?;
        meant.insert(word.as_str(), form::word(&words[0], kind));
    }
    let mut file = read_by(of, &Heads::Named(named))?;
    file.choices = form.decisions.keys().cloned().collect();
    for row in &mut file.rows {
        if let Some(ours) = meant.get(row.cells[at::DECISION].as_str()) {
            row.cells[at::DECISION].clone_from(ours);
        }
    }
    Ok(file)
}

/// The newest list for the province that a file answers, and every item that was sent.
pub(super) fn sent(lists: &[Worklist], file: &ReadFile) -> Option<(Worklist, BTreeSet<u64>)> {
    let out: Vec<&Worklist> = lists.iter().filter(|w| w.department == PROVINCE).collect();
    let items = || file.rows.iter().filter_map(|row| form::item_of(&row.cells[at::ITEM]));
    let has = |w: &&&Worklist| items().any(|id| w.items.binary_search(&id).is_ok());
    let newest = out.iter().rev().find(has)?;
    Some(((*newest).clone(), out.iter().flat_map(|w| w.items.iter().copied()).collect()))
}

/// Checks the answers of a file.
pub(super) fn check_answers(of: &CheckOf<'_>, file: &ReadFile, sent: &BTreeSet<u64>) -> Checked {
    let mut done = Checked { mistakes: file.mistakes.clone(), ..Checked::default() };
    let (mut seen, mut sound) = (HashSet::new(), Vec::new());
    for row in &file.rows {
        let id = form::item_of(&row.cells[at::ITEM]).filter(|id| sent.contains(id));
        match id {
            None => done.mistakes.push(file.mistake(row, at::ITEM, "not_sent", Vec::new())),
            Some(id) if !seen.insert(id) => {
                done.mistakes.push(file.mistake(row, at::ITEM, "twice", Vec::new()));
            }
            Some(id) => sound.push((row, id)),
        }
    }
    decide(of, file, sound, &mut done);
    done
}
