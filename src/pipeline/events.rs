//! What state.db knows and the audit log does not yet: runs that ended, rehearsals, packages, approvals and their undoing (RULES 6).
//!
//! Always: called when such a thing is recorded, and when a command begins to write: what a kill left out is recorded by the next one, and
//! nothing twice. Events name the documents of a run, and so, through its manifest, every part of it.
//! Must not know: how a line of the log looks.

use std::collections::BTreeSet;
use std::path::Path;

use super::RunError;
use super::documents;
use super::prune::{Pruned, is_pruned};
use crate::artifacts::Summary;
use crate::audit::{self, AuditError, Kind, Log, NewEvent};
use crate::dataset::PartInfo;
use crate::durable;
use crate::state::{Batch, Extract, ExtractStatus, Run, State, batch_name};

/// The seal of a package, which covers all of it.
pub(super) const SEAL: &str = "tagmanifest-sha256.txt";

/// Records what the audit log does not have yet.
///
/// # Errors
/// `AUD-…`, `STA-…`, `DUR-001`.
pub fn record_events(state: &State) -> Result<(), RunError> {
    let log = audit::read(state.workdir())?;
    let mut new = Vec::new();
    for run in state.runs()?.iter().filter(|r| r.status.has_ended()) {
        of_run(state, &log, run, &mut new)?;
    }
    for batch in state.batches()? {
        of_batch(&log, &batch, &mut new);
    }
    new.extend(pruned_before(state, &log)?);
    Ok(audit::append(state, &new)?)
}

/// As [`record_events`], but a log that does not fit ends no run: it is warned of and shown by `status`, and what it lacks is recorded once
/// it fits again.
///
/// # Errors
/// As [`record_events`], but `AUD-002`.
pub(super) fn record_or_warn(state: &State) -> Result<(), RunError> {
    match record_events(state) {
        Err(RunError::Audit(e @ AuditError::Broken { .. })) => {
            tracing::warn!(code = "AUD-002", "{e}");
            Ok(())
        }
        other => other,
    }
}

/// The end of a run, its rehearsal, its packages.
fn of_run(state: &State, log: &Log, run: &Run, new: &mut Vec<NewEvent>) -> Result<(), RunError> {
    let id = run.id.to_string();
    let Some(recorded) = documents::recorded(state, run.id)? else { return Ok(()) };
    let workdir = state.workdir();
    let with_documents = |event: NewEvent| {
        recorded
            .parts
            .iter()
            .fold(event, |event, part| event.file(relative(workdir, &part.path), &part.sha256))
    };
    if !log.has(Kind::Run, &id) {
        let extracts: Vec<String> = run.extracts.iter().map(ToString::to_string).collect();
        let event = NewEvent::of(Kind::Run, &id)
            .fact("status", run.status.text())
            .fact("operator", run.operator.clone())
            .fact("finished", run.finished.clone())
            .fact("extracts", extracts)
            .fact("digest", run.digest.clone());
        new.push(with_documents(with_digests(event, &recorded.parts)));
    }
    if let Some(part) = recorded.parts.iter().find(|p| p.path.ends_with(documents::REHEARSAL)) {
        let file = relative(workdir, &part.path);
        let is_known = log.events.iter().any(|e| {
            e.kind == Kind::Rehearsal.text()
                && e.files.iter().any(|f| f.file == file && f.sha256 == part.sha256)
        });
        if !is_known {
            new.push(with_documents(NewEvent::of(Kind::Rehearsal, &id)));
        }
    }
    for package in documents::packages(state, run.id)? {
        if log.has(Kind::Package, &package) {
            continue;
        }
        let event = with_documents(NewEvent::of(Kind::Package, &package).fact("run", id.clone()));
        let file = format!("packages/{package}/{SEAL}");
        // Of one that is gone there is nothing to stand for.
        new.push(match durable::sha256(&workdir.join(&file)) {
            Ok(seal) => event.file(file, seal),
            Err(_) => event,
        });
    }
    Ok(())
}

/// What was pruned under a log that is no longer here: without it the new one would miss what went.
fn pruned_before(state: &State, log: &Log) -> Result<Option<NewEvent>, RunError> {
    let known = Pruned::of(log);
    let (mut runs, mut stood_on) = (Vec::new(), BTreeSet::new());
    for run in state.runs()?.iter().filter(|r| r.status.has_ended()) {
        stood_on.extend(run.extracts.iter().copied());
        if !known.runs.contains(&run.id.to_string()) && is_pruned(state, run)? {
            runs.push(run.id.to_string());
        }
    }
    let mut extracts = Vec::new();
    for source in state.sources()? {
        let gone = |e: &Extract| {
            let removed = e.status == ExtractStatus::Removed && stood_on.contains(&e.id);
            removed && !known.extracts.contains(&e.id.to_string())
        };
        extracts.extend(state.extracts(&source)?.iter().filter(|e| gone(e)).map(|e| e.id.to_string()));
    }
    let some = !runs.is_empty() || !extracts.is_empty();
    Ok(some.then(|| NewEvent::of(Kind::Prune, "state.db").fact("runs", runs).fact("extracts", extracts)))
}

/// What the run stood on, as its summary says it, where that is still what was recorded.
fn with_digests(event: NewEvent, documents: &[PartInfo]) -> NewEvent {
    let of = documents.iter().find(|p| p.path.ends_with("summary.json") && crate::raw::intact(p));
    let summary = of.and_then(|p| super::finished::read::<Summary>(&p.path).ok());
    match summary {
        Some(s) => event
            .fact("config_digest", s.config_digest)
            .fact("national_digest", s.national_digest)
            .fact("mapping_digest", s.mapping_digest)
            .fact("rules_digest", s.rules_digest),
        None => event,
    }
}

/// An approval, and its undoing.
fn of_batch(log: &Log, batch: &Batch, new: &mut Vec<NewEvent>) {
    let name = batch_name(batch.id);
    if !log.has(Kind::Approval, &name) {
        let event = NewEvent::of(Kind::Approval, &name)
            .fact("rule", batch.of.rule.clone())
            .fact("run", batch.of.run.clone())
            .fact("approver", batch.of.approver.clone())
            .fact("account", batch.of.account.clone())
            .fact("reason", batch.of.reason.clone())
            .fact("proposals", batch.proposals)
            .fact("approved", batch.at.clone());
        new.push(event);
    }
    if let Some((at, by)) = batch.undone.as_ref().filter(|_| !log.has(Kind::Undo, &name)) {
        new.push(NewEvent::of(Kind::Undo, &name).fact("undone", at.clone()).fact("by", by.clone()));
    }
}

/// A path as the log and the manifest name it: relative to the work directory, with `/`.
pub(super) fn relative(workdir: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(workdir).unwrap_or(path);
    let names: Vec<_> = inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    names.join("/")
}
