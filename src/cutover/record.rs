//! What state.db keeps of a check: the evidence of every criterion, and approvals of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pipeline::RunError;
use crate::state::{Output, Run, RunId, State};

const STAGE: &str = "cutover";
const READINESS: &str = "readiness";

/// Somebody who answers for the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub name: String,
    /// Account of the operating system.
    pub account: String,
    /// UTC.
    pub at: String,
    pub reason: String,
    /// Digest of the evidence that was approved.
    pub evidence: String,
}

/// An approval, and whether it still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalState {
    #[serde(flatten)]
    pub of: Approval,
    /// Its evidence is that of today, and the configuration names its account.
    pub holds: bool,
}

/// The record of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// By criterion, of the last time when all of them were fulfilled; empty: never.
    pub(super) evidence: BTreeMap<String, String>,
    pub(super) approvals: Vec<Approval>,
}

/// The newest record of a work directory, and its run.
pub(super) fn newest(state: &State, runs: &[Run]) -> Result<Option<(RunId, Record)>, RunError> {
    for run in runs.iter().rev() {
        if let Some(output) = state.output(run.id, STAGE, READINESS)? {
            let form = |source| RunError::Form { path: format!("state.db, {STAGE}"), source };
            return Ok(Some((run.id, serde_json::from_value(output.counts).map_err(form)?)));
        }
    }
    Ok(None)
}

/// Records it in place of what the run had.
pub(super) fn write(state: &State, run: RunId, record: &Record) -> Result<(), RunError> {
    let form = |source| RunError::Form { path: format!("state.db, {STAGE}"), source };
    let output = Output {
        stage: STAGE.to_owned(),
        table: READINESS.to_owned(),
        parts: Vec::new(),
        digest: String::new(),
        counts: serde_json::to_value(record).map_err(form)?,
    };
    Ok(state.record_output(run, &output)?)
}
