//! The last extract before cutover: it is taken, and no source is read after it (`qianyi cutover freeze`).
//!
//! Always: recorded in state.db; every later extract into this work directory is refused, and a run stands on the extracts that are there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::whole::extract_only;
use super::{RunError, RunSettings};
use crate::clock;
use crate::progress::Progress;
use crate::state::{Output, State};

/// Under which stage and name state.db keeps it, at the newest run that there was.
const STAGE: &str = "cutover";
const FREEZE: &str = "freeze";

/// When the sources were read for the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// With the offset of the city.
    pub at: String,
    /// Account of the operating system.
    pub by: String,
    /// The newest complete extract of every source.
    pub extracts: Vec<String>,
}

/// Takes the last increment of every source and freezes the work directory; frozen already: what is recorded.
///
/// # Errors
/// `RUN-003` where nothing ever ran; those of extraction.
pub fn freeze(settings: &RunSettings, progress: &Arc<dyn Progress>) -> Result<Frozen, RunError> {
    let nothing =
        || RunError::NoRun { workdir: settings.workdir.display().to_string(), wanted: String::new() };
    let known = State::open_readonly(&settings.workdir)?;
    if let Some(done) = frozen(&known)? {
        return Ok(done);
    }
    if known.runs()?.is_empty() {
        return Err(nothing());
    }
    drop(known);
    extract_only(settings, progress)?;
    let state = State::open(&settings.workdir, &settings.command)?;
    let newest = state.runs()?.pop().ok_or_else(nothing)?;
    let mut extracts = Vec::new();
    for source in state.sources()? {
        extracts.extend(state.latest_extract(&source)?.map(|e| e.id.to_string()));
    }
    let by = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
    let frozen = Frozen { at: clock::zoned(clock::instant(), settings.time_zone), by, extracts };
    let form = |source| RunError::Form { path: format!("state.db, {STAGE}"), source };
    state.record_output(
        newest.id,
        &Output {
            stage: STAGE.to_owned(),
            table: FREEZE.to_owned(),
            parts: Vec::new(),
            digest: String::new(),
            counts: serde_json::to_value(&frozen).map_err(form)?,
        },
    )?;
    Ok(frozen)
}

/// When the work directory was frozen.
///
/// # Errors
/// `STA-…`, `RUN-005`.
pub fn frozen(state: &State) -> Result<Option<Frozen>, RunError> {
    for run in state.runs()? {
        if let Some(output) = state.output(run.id, STAGE, FREEZE)? {
            let form = |source| RunError::Form { path: format!("state.db, {STAGE}"), source };
            return Ok(Some(serde_json::from_value(output.counts).map_err(form)?));
        }
    }
    Ok(None)
}

/// Refuses to read a source once the work directory is frozen.
pub(super) fn refuse_frozen(state: &State) -> Result<(), RunError> {
    match frozen(state)? {
        Some(Frozen { at, by, .. }) => Err(RunError::Frozen { at, by }),
        None => Ok(()),
    }
}
