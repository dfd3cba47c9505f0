//! What a run refuses before it reads a row: one check of a source's catalogue that `plan`, `doctor`, `extract` and `run` share.
//!
//! Always: everything at once, each with what to do; nothing is read but the catalogue, nothing is written.
//! Must not know: who asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use super::RunError;
use super::extract::{ExtractError, drifted, vanished};
use super::raw_stage::{Inventory, asked, inventory};
use crate::error::{Consequence, RetryClass};
use crate::mapping::{City, SourceView, check_columns};
use crate::measures;
use crate::phrase;
use crate::retry::Transient;
use crate::source::{
    ChangeMethod, Source, SourceError, SourceSettings, Table, TableMeasures, differs_in_case,
};
use crate::state::State;

/// What follows from a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// `run` and `extract` refuse before they read anything.
    Refused,
    /// A run would end as blocked.
    Blocked,
    /// A run would go on, with values unread that the mapping means to translate.
    Unread,
}

/// One thing that stands in the way of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[error("{problem}")]
pub struct Problem {
    pub code: String,
    pub ends: Ends,
    pub problem: String,
    pub advice: String,
}

impl Problem {
    /// An error without its causes: those are somebody else's text.
    pub fn of(error: &impl Diagnostic, ends: Ends) -> Self {
        let text =
            |of: Option<Box<dyn std::fmt::Display + '_>>| of.map(|t| t.to_string()).unwrap_or_default();
        Self { code: text(error.code()), ends, problem: error.to_string(), advice: text(error.help()) }
    }
}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.advice))
    }
}

/// Refuses where there is something to refuse: one problem as the error that it is, several as a list.
///
/// # Errors
/// That of the only problem; `RUN-006`.
pub(super) fn refuse(mut problems: Vec<RunError>) -> Result<(), RunError> {
    if problems.len() > 1 {
        let problems = problems.iter().map(|e| Problem::of(e, Ends::Refused)).collect();
        return Err(RunError::Refused { problems });
    }
    problems.pop().map_or(Ok(()), Err)
}

/// What a source holds, sorted, and everything of it that a run over `city` would refuse. `state` is that of the work directory, where
/// there is one: what was extracted before.
///
/// # Errors
/// Those of the catalogue and of state.db.
pub async fn preflight(
    source: &dyn Source,
    city: &City,
    of: &SourceSettings,
    state: Option<&State>,
) -> Result<(Inventory, Vec<RunError>), RunError> {
    let catalogue = match source.catalogue().await {
        Ok(catalogue) => catalogue,
        // A key that is no unique index, for example.
        Err(e) if e.retry_class() == RetryClass::Usage => return Ok((Inventory::default(), vec![e.into()])),
        Err(e) => return Err(e.into()),
    };
    if catalogue.is_empty() {
        let nothing = RunError::NothingThere { source_id: source.id().to_owned() };
        return Ok((Inventory::default(), vec![nothing]));
    }
    let (mut inventory, not_once) = inventory(city, source.id(), catalogue);
    let mut problems = without_table(city, source.id(), &inventory);
    problems.extend(not_once.into_iter().map(RunError::from));
    for problem in settings(of, &inventory, state)? {
        problems.push(ExtractError::from(problem).into());
    }
    let mut refused = BTreeSet::new();
    for table in &inventory.read {
        let Some(view) = city.view_of(source.id(), &table.name) else { continue };
        match source.whole(table).await {
            Err(e) if !e.is_transient() => {
                refused.insert(table.name.clone());
                problems.push(e.into());
            }
            // What passes is asked again when the table is read.
            Ok(()) | Err(_) => problems.extend(columns(source, view, table)),
        }
        if let Some(state) = state
            && let Err(e) = drifted(state, source, table, of.table(&table.name).drift)
        {
            problems.push(e.into());
        }
    }
    inventory.refused = refused;
    if let Some(state) = state {
        let gone = vanished(state, source, &names(&inventory), &of.tables)?;
        problems.extend(gone.into_iter().map(RunError::from));
    }
    Ok((inventory, problems))
}

/// Every table and view of a source.
fn names(inventory: &Inventory) -> BTreeSet<&str> {
    let read = inventory.read.iter().map(|t| t.name.as_str());
    read.chain(inventory.left.iter().map(|(t, _)| t.name.as_str())).collect()
}

/// Files of layer 1 that find no table.
fn without_table(city: &City, source: &str, inventory: &Inventory) -> Vec<RunError> {
    let names = names(inventory);
    let unread = |view: &&SourceView| !inventory.read.iter().any(|t| view.matches(&t.name));
    let missing = city.sources.iter().filter(|v| v.source == source).filter(unread).map(|view| {
        if let Some(ignored) = ignored(city, source, view, names.iter().copied()) {
            return ignored;
        }
        let wanted = view.tables.to_string();
        let otherwise = names.iter().find(|n| n.to_lowercase() == wanted.to_lowercase());
        RunError::NoTable {
            source_id: source.to_owned(),
            hint: otherwise.map(|n| phrase!("source.written_as", n)).unwrap_or_default(),
            table: wanted,
            view: view.name.clone(),
        }
    });
    missing.collect()
}

/// A file of layer 1 whose tables are there, each of them under `[[ignore]]`.
pub(super) fn ignored<'n>(
    city: &City,
    source: &str,
    view: &SourceView,
    mut names: impl Iterator<Item = &'n str>,
) -> Option<RunError> {
    let table = names.find(|name| view.matches(name))?;
    let ignore = city.ignored(table)?;
    Some(RunError::Ignored {
        source_id: source.to_owned(),
        table: table.to_owned(),
        view: view.name.clone(),
        by: phrase!("source.pattern", pattern = ignore.table, place = ignore.place),
    })
}

/// What is set for tables and columns that are not there, or by methods that they do not have.
fn settings(
    of: &SourceSettings,
    inventory: &Inventory,
    state: Option<&State>,
) -> Result<Vec<SourceError>, RunError> {
    let extracts = state.map_or(Ok(Vec::new()), |s| s.extracts(&of.id))?;
    let (has, mut found) = (names(inventory), Vec::new());
    let unknown = |what: String| SourceError::Unknown { id: of.id.clone(), what };
    for (name, how) in &of.tables {
        let Some(table) = inventory.read.iter().find(|t| t.name == *name) else {
            // A table that vanished is another matter, and may be accepted under its settings.
            if !has.contains(name.as_str()) && !extracts.iter().any(|e| e.of.tables.contains(name)) {
                let hint = differs_in_case(name, has.iter().copied());
                found.push(unknown(phrase!("source.table_set", name, hint)));
            }
            continue;
        };
        let absent = |column: &&String| table.any_column(column).is_none();
        let named = how.columns.keys().chain(&how.column).filter(absent);
        found.extend(named.map(|c| {
            let hint = table.differing_in_case(std::slice::from_ref(c));
            unknown(phrase!("source.column_set", name, c, hint))
        }));
        let stamped = how.changes == ChangeMethod::Timestamp && how.column.is_some();
        // Without a key a table is read in full whatever is set.
        if !stamped && !table.key.is_empty() && !table.changes.contains(&how.changes) {
            let (id, table, method) = (of.id.clone(), name.clone(), how.changes.text());
            found.push(SourceError::NoMethod { id, table, method });
        }
    }
    Ok(found)
}

/// A table that is read: its types, the columns that its file names, what is to be summed of it.
fn columns(source: &dyn Source, view: &SourceView, table: &Table) -> Vec<RunError> {
    let unknown: Vec<RunError> = table
        .columns
        .iter()
        .filter(|c| c.kind.is_none())
        .map(|c| {
            RunError::from(SourceError::UnknownType {
                id: source.id().to_owned(),
                table: table.name.clone(),
                column: c.name.clone(),
                declared: c.declared.clone(),
            })
        })
        .collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let raw = match table.schema(source.id()) {
        Ok(raw) => raw,
        Err(e) => return vec![e.into()],
    };
    let mut found = mapped(view, &table.name, &raw);
    if let Some(wanted) = asked(view, &table.name).filter(|_| found.is_empty()) {
        found.extend(measured(source, table, &wanted, &raw));
    }
    found
}

/// What a view's file and the columns of a legacy table, held or planned, have against each other.
pub(super) fn mapped(view: &SourceView, table: &str, raw: &Arc<Schema>) -> Vec<RunError> {
    check_columns(view, table, raw).err().map(RunError::from).into_iter().collect()
}

/// What cannot be summed, by the source or of raw.
fn measured(source: &dyn Source, table: &Table, wanted: &TableMeasures, raw: &Arc<Schema>) -> Vec<RunError> {
    if let Err(e) = source.measurable(table, wanted) {
        return vec![e.into()];
    }
    let label = format!("{}.{}", source.id(), table.name);
    let counted = measures::countable(&label, raw, &wanted.by, &wanted.amounts);
    counted.err().map(RunError::from).into_iter().collect()
}
