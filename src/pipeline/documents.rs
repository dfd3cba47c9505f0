//! The documents of a run (`summary.json`, `reconciliation.json`, `coverage.json`, `manifest.json`) and its parts, as state.db
//! recorded them.
//!
//! Always: a run is called done only over parts that are what was recorded; a document that was changed since is refused, never
//! believed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::RunError;
use super::paths::RunDir;
use crate::dataset::PartInfo;
use crate::durable::{self, DurableError};
use crate::raw;
use crate::state::{Output, RunId, State};

pub(super) const STAGE: &str = "documents";
const RECONCILIATION: &str = "reconciliation.json";
/// There once the load was rehearsed.
pub(super) const REHEARSAL: &str = "rehearsal.json";
const NAMES: [&str; 4] = ["summary.json", RECONCILIATION, "coverage.json", "manifest.json"];

/// Whether an output is that of [`record`], which no manifest names.
pub(super) fn is_documents(output: &Output) -> bool {
    output.stage == STAGE
}

/// Records the documents as they are on disk, in place of what was recorded of them, and the packages that they tell of; a rehearsal
/// that was recorded stays.
pub(super) fn record(state: &State, run: RunId, dir: &RunDir, packages: Vec<String>) -> Result<(), RunError> {
    let rehearsed = has_rehearsal(state, run)?;
    record_with(state, run, dir, packages, rehearsed)
}

/// Records the documents, with that of the rehearsal or without: it is written while it is not recorded, so that what a kill leaves is
/// no rehearsal instead of an altered one.
pub(super) fn record_with(
    state: &State,
    run: RunId,
    dir: &RunDir,
    packages: Vec<String>,
    rehearsed: bool,
) -> Result<(), RunError> {
    let of = |name: &&str| {
        let path = dir.file(name);
        let unread = |source| DurableError { path: path.display().to_string(), what: "read", source };
        let bytes = std::fs::metadata(&path).map_err(unread)?.len();
        let sha256 = durable::sha256(&path).map_err(unread)?;
        Ok(PartInfo { path: path.clone(), rows: 0, bytes, sha256 })
    };
    let mut names = NAMES.to_vec();
    names.extend(rehearsed.then_some(REHEARSAL));
    let parts = names.iter().map(of).collect::<Result<Vec<_>, RunError>>()?;
    let output = Output {
        stage: STAGE.to_owned(),
        table: String::new(),
        parts,
        digest: String::new(),
        counts: packages.into(),
    };
    Ok(state.record_output(run, &output)?)
}

/// The documents of a run as they were recorded.
pub(super) fn recorded(state: &State, run: RunId) -> Result<Option<Output>, RunError> {
    Ok(state.output(run, STAGE, "")?)
}

/// The SHA-256 of every document of a run, by its name, as state.db recorded it.
///
/// # Errors
/// `STA-…`.
pub fn document_digests(state: &State, run: RunId) -> Result<BTreeMap<String, String>, RunError> {
    let recorded = state.output(run, STAGE, "")?.map(|output| output.parts).unwrap_or_default();
    let name = |part: &PartInfo| part.path.file_name().map(|n| n.to_string_lossy().into_owned());
    Ok(recorded.into_iter().filter_map(|part| Some((name(&part)?, part.sha256))).collect())
}

/// Whether the run has a rehearsal that was recorded.
pub(super) fn has_rehearsal(state: &State, run: RunId) -> Result<bool, RunError> {
    let recorded = state.output(run, STAGE, "")?.map(|output| output.parts).unwrap_or_default();
    Ok(recorded.iter().any(|part| part.path.ends_with(REHEARSAL)))
}

/// The packages of a run that were recorded.
pub(super) fn packages(state: &State, run: RunId) -> Result<Vec<String>, RunError> {
    let recorded = state.output(run, STAGE, "")?.map(|output| output.counts).unwrap_or_default();
    Ok(serde_json::from_value(recorded).unwrap_or_default())
}

/// Refuses documents that are not what the run wrote. One is forgiven: a reconciliation that `again` finds right, since a package build
/// that was killed between writing and recording it leaves it so.
///
/// # Errors
/// `RUN-030`; those of `again`.
pub(super) fn verify(
    state: &State,
    run: RunId,
    again: impl Fn() -> Result<bool, RunError>,
) -> Result<(), RunError> {
    let altered = |path: String| RunError::Altered { path, run: run.to_string() };
    let recorded = state.output(run, STAGE, "")?.map(|output| output.parts).unwrap_or_default();
    if NAMES.iter().any(|name| !recorded.iter().any(|part| part.path.ends_with(name))) {
        return Err(altered(STAGE.to_owned()));
    }
    for part in recorded.iter().filter(|part| !raw::intact(part)) {
        if !part.path.ends_with(RECONCILIATION) || !again()? {
            return Err(altered(part.path.display().to_string()));
        }
    }
    Ok(())
}

/// Proves every part of a run against its recorded digest, but those of layer 1, which the next run proves when it takes them over; what is not what was
/// recorded is forgotten, and so computed again by the next start.
///
/// # Errors
/// `RUN-031`.
pub(super) fn prove_parts(state: &State, run: RunId, dir: &RunDir) -> Result<(), RunError> {
    let Some((output, path)) = changed_part(state, run, dir)? else { return Ok(()) };
    state.delete_output(run, &output.stage, &output.table)?;
    Err(RunError::PartChanged { path: path.display().to_string() })
}

/// The first part, but those of layer 1, that is not what was recorded, and the output that it is of.
pub(super) fn changed_part(
    state: &State,
    run: RunId,
    dir: &RunDir,
) -> Result<Option<(Output, PathBuf)>, RunError> {
    let typed = dir.path().join("typed");
    for output in state.outputs(run)?.into_iter().filter(|o| !is_documents(o)) {
        let lasting = output.parts.iter().filter(|p| !p.path.starts_with(&typed));
        let changed = lasting.into_iter().find(|p| !raw::intact(p)).map(|p| p.path.clone());
        if let Some(path) = changed {
            return Ok(Some((output, path)));
        }
    }
    Ok(None)
}
