//! Worklists: what a department has to decide, as files that go out and come back (RULES 5; docs/worklists.md).
//!
//! Always: an item is a line that a rule found, with its value before and what is proposed: when either is another, it is another item. A file
//! is taken as a whole or not at all. Files are written first, then recorded.
//! Must not know: how anything is printed.

mod answers;
mod approved;
mod broken;
mod check;
mod error;
mod export;
mod form;
mod import;
mod items;
mod list;
mod office;
mod province;
mod reading;
mod value;

use std::path::Path;

use super::RunError;
use crate::audit::{self, Kind, NewEvent};
use crate::state::State;

pub use error::WorklistError;
pub use export::{ClearValues, ExportOf, HandedOut, export_worklists};
pub use import::{DecidedRow, Import, ImportOf, Imported, Signatory};
pub use items::ItemFilter;
pub use list::{WorklistRow, worklist_rows};
pub use office::{LegacyField, OfficeOf, OfficeWork, Settled as SettledField, settled, undecided, work};
pub use province::export_province;
pub use reading::Mistake;

pub(super) use approved::{Said, SaidOf, field_of, left};
pub(super) use items::{each_line, waived};
pub(super) use list::in_force;

/// What the audit log is to keep of worklists: one event a file that went out (`revealed`: with values in clear) or came back.
#[derive(Debug)]
pub(super) enum WorklistEvent<'a> {
    Exported {
        worklist: &'a str,
        path: &'a Path,
        items: u64,
        revealed: bool,
        account: &'a str,
    },
    /// `kept`: where the form lies in the work directory, and its SHA-256.
    Imported {
        worklist: &'a str,
        path: &'a Path,
        batch: &'a str,
        decisions: u64,
        account: &'a str,
        kept: &'a (String, String),
    },
}

/// The one place where events of worklists are recorded.
///
/// # Errors
/// `AUD-…`.
pub(super) fn record(state: &State, event: &WorklistEvent<'_>) -> Result<(), RunError> {
    let new = |kind: Kind, about: &str, path: &Path, account: &str| {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        NewEvent::of(kind, about).fact("file", file).fact("account", account)
    };
    let event = match event {
        WorklistEvent::Exported { worklist, path, items, revealed, account } => {
            let kind = if *revealed { Kind::Reveal } else { Kind::Export };
            new(kind, worklist, path, account).fact("items", *items)
        }
        WorklistEvent::Imported { worklist, path, batch, decisions, account, kept } => {
            new(Kind::Import, worklist, path, account)
                .fact("batch", *batch)
                .fact("decisions", *decisions)
                .file(kept.0.clone(), kept.1.clone())
        }
    };
    Ok(audit::append(state, &[event])?)
}
