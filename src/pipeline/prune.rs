//! What a work directory no longer needs, by the policy `[keep]`: extracts, runs, packages, logs beyond a number and an age.
//!
//! Always: nothing that a package, an approval, the audit log, a ledger of rounds, an unfinished or the newest run needs. Of a pruned run
//! its documents and its page stay, which the audit log stands for. First the audit log says what goes, then state.db forgets it, then
//! its files go; what a kill leaves behind goes at the next start. Without being told to, nothing is touched.
//! Must not know: where a policy is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunError;
use super::documents;
use super::events::{SEAL, record_events, relative};
use super::paths::RunDir;
use super::round_stage;
use super::verify::{entries, recorded, walk};
use crate::audit::{self, Kind, Log, NewEvent};
use crate::durable;
use crate::state::{Extract, ExtractStatus, Run, RunId, RunStatus, State, batch_name};
use crate::{clock, failpoint, raw};

/// What stays recorded of a pruned run: its documents, and the ledger of its round, which lies beside the runs.
const LASTING: [&str; 2] = [documents::STAGE, round_stage::STAGE];

/// How much of one thing is kept: what is among the newest `number`, and what is younger than `days`. Neither: all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    pub number: Option<u32>,
    pub days: Option<u32>,
}

/// `[keep]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepSettings {
    pub extracts: Keep,
    pub runs: Keep,
    pub packages: Keep,
    pub logs: Keep,
}

/// What kind of thing is kept or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Run,
    Extract,
    Package,
    Log,
}

impl What {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Run, Self::Extract, Self::Package, Self::Log];

    /// As labels and JSON name it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Extract => "extract",
            Self::Package => "package",
            Self::Log => "log",
        }
    }
}

/// Why something stays that the policy would remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It is the newest.
    Newest,
    /// A package was made of it.
    Package,
    /// Somebody approved what it proposes.
    Approval,
    /// A run that stays stands on it.
    Run,
    /// Work goes on with it.
    Unfinished,
}

impl Need {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Newest, Self::Package, Self::Approval, Self::Run, Self::Unfinished];

    /// As labels name it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Package => "by_package",
            Self::Approval => "approval",
            Self::Run => "by_run",
            Self::Unfinished => "unfinished",
        }
    }
}

/// One thing that goes, or that stays for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub what: What,
    pub id: String,
    /// When it was finished (UTC).
    pub finished: String,
    /// None: it goes.
    pub needed: Option<Need>,
    /// What needs it.
    pub by: String,
}

/// What a pruning comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruning {
    pub version: u32,
    /// Whether it was done, or only shown.
    pub applied: bool,
    pub removes: Vec<Item>,
    /// What the policy would remove, and something needs.
    pub keeps: Vec<Item>,
    /// Bytes that become free: a file that another run shares does not count.
    pub frees_bytes: u64,
}

/// What the audit log says was pruned.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    pub(super) runs: BTreeSet<String>,
    pub(super) extracts: BTreeSet<String>,
    pub(super) packages: BTreeSet<String>,
}

impl Pruned {
    pub(super) fn of(log: &Log) -> Self {
        let mut all = Self::default();
        for event in log.events.iter().filter(|e| e.kind == Kind::Prune.text()) {
            let ids = |name: &str| -> Vec<String> {
                let listed = event.facts.get(name).and_then(Value::as_array);
                listed.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            };
            all.runs.extend(ids("runs"));
            all.extracts.extend(ids("extracts"));
            all.packages.extend(ids("packages"));
        }
        all
    }

    /// Whether a file went with what was pruned.
    pub(super) fn covers(&self, file: &str) -> bool {
        let package = file.strip_prefix("packages/").and_then(|rest| rest.split('/').next());
        package.is_some_and(|id| self.packages.contains(id))
    }
}

/// Whether nothing is left of a run but its documents and the ledger of its round.
///
/// # Errors
/// `STA-…`.
pub fn is_pruned(state: &State, run: &Run) -> Result<bool, RunError> {
    let outputs = state.outputs(run.id)?;
    let lasts = |stage: &str| LASTING.contains(&stage);
    Ok(run.status.has_ended() && !outputs.is_empty() && outputs.iter().all(|o| lasts(&o.stage)))
}

/// Shows what the policy removes, and with `apply` removes it.
///
/// # Errors
/// `STA-001` when another process writes here; `AUD-…`, `STA-…`, `DUR-001`. Whatever fails, the same call goes on where it stopped.
pub fn prune(
    workdir: &Path,
    keep: &KeepSettings,
    apply: bool,
    now: DateTime<Utc>,
) -> Result<Pruning, RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    if !apply {
        return planned(&State::open_readonly(workdir)?, keep, now);
    }
    let state = State::open(workdir, "prune")?;
    record_events(&state)?;
    go_on(&state)?;
    let plan = planned(&state, keep, now)?;
    if !plan.removes.is_empty() {
        let ids = |what: What| -> Vec<String> {
            plan.removes.iter().filter(|i| i.what == what).map(|i| i.id.clone()).collect()
        };
        let event = NewEvent::of(Kind::Prune, "[keep]")
            .fact("runs", ids(What::Run))
            .fact("extracts", ids(What::Extract))
            .fact("packages", ids(What::Package))
            .fact("logs", ids(What::Log))
            .fact("bytes", plan.frees_bytes);
        audit::append(&state, &[event])?;
        failpoint::hit("prune.decided");
    }
    for item in &plan.removes {
        remove(&state, item)?;
        failpoint::hit("prune.removed");
    }
    go_on(&state)?;
    Ok(Pruning { applied: true, ..plan })
}

/// One thing that the policy is asked about.
struct Candidate {
    id: String,
    finished: Option<DateTime<Utc>>,
    needed: Option<(Need, String)>,
}

/// Sorts candidates, newest first, by the policy.
fn judge(what: What, keep: Keep, now: DateTime<Utc>, all: Vec<Candidate>, into: &mut Pruning) {
    if keep == Keep::default() {
        return;
    }
    for (n, one) in all.into_iter().enumerate() {
        let among = keep.number.is_some_and(|number| n < number as usize);
        let least = keep.days.map(|days| now - TimeDelta::days(i64::from(days)));
        let young = least.is_some_and(|least| one.finished.is_none_or(|at| at > least));
        if among || young {
            continue;
        }
        let finished = one.finished.map(clock::text).unwrap_or_default();
        let (needed, by) = one.needed.map_or((None, String::new()), |(need, by)| (Some(need), by));
        let item = Item { what, id: one.id, finished, needed, by };
        if item.needed.is_some() { into.keeps.push(item) } else { into.removes.push(item) }
    }
}

/// What would go, and what stays for a reason.
fn planned(state: &State, keep: &KeepSettings, now: DateTime<Utc>) -> Result<Pruning, RunError> {
    let mut plan =
        Pruning { version: 1, applied: false, removes: Vec::new(), keeps: Vec::new(), frees_bytes: 0 };
    judge(What::Package, keep.packages, now, packages(state)?, &mut plan);
    let gone = |plan: &Pruning, what: What| -> BTreeSet<String> {
        plan.removes.iter().filter(|i| i.what == what).map(|i| i.id.clone()).collect()
    };
    let mut needs = run_needs(state, &gone(&plan, What::Package))?;
    let mut runs = Vec::new();
    for run in state.runs()?.iter().rev().filter(|r| r.status.has_ended()) {
        if !is_pruned(state, run)? {
            let finished = run.finished.as_deref().and_then(clock::moment);
            let id = run.id.to_string();
            runs.push(Candidate { needed: needs.get(&run.id).cloned(), id, finished });
        }
    }
    judge(What::Run, keep.runs, now, runs, &mut plan);
    for run in state.runs()?.iter().filter(|r| r.status == RunStatus::Running) {
        needs.insert(run.id, (Need::Unfinished, run.id.to_string()));
    }
    judge_extracts(state, keep, now, &needs, &mut plan)?;
    judge(What::Log, keep.logs, now, logs(state.workdir())?, &mut plan);
    plan.frees_bytes = frees(state, &plan)?;
    Ok(plan)
}

/// Runs that are needed, and what by.
fn run_needs(
    state: &State,
    packages_gone: &BTreeSet<String>,
) -> Result<BTreeMap<RunId, (Need, String)>, RunError> {
    let mut needs = BTreeMap::new();
    let runs = state.runs()?;
    let by_name: BTreeMap<String, RunId> = runs.iter().map(|r| (r.id.to_string(), r.id)).collect();
    for batch in state.batches()?.iter().filter(|b| b.undone.is_none()) {
        if let Some(run) = by_name.get(&batch.of.run) {
            needs.insert(*run, (Need::Approval, batch_name(batch.id)));
        }
    }
    for path in entries(&state.workdir().join("packages"))? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let run = name.split_once('-').and_then(|(_, run)| by_name.get(run));
        if let Some(run) = run.filter(|_| !name.starts_with('.') && !packages_gone.contains(&name)) {
            needs.insert(*run, (Need::Package, name));
        }
    }
    if let Some(newest) = runs.iter().rfind(|r| r.status.has_ended()) {
        needs.insert(newest.id, (Need::Newest, newest.id.to_string()));
    }
    Ok(needs)
}

/// Each source's extracts: the newest complete one, and those that a run which is needed stands on, stay.
fn judge_extracts(
    state: &State,
    keep: &KeepSettings,
    now: DateTime<Utc>,
    needs: &BTreeMap<RunId, (Need, String)>,
    plan: &mut Pruning,
) -> Result<(), RunError> {
    let runs = state.runs()?;
    for source in state.sources()? {
        let all = state.extracts(&source)?;
        let newest = all.iter().rfind(|e| e.status == ExtractStatus::Complete).map(|e| e.id);
        let candidate = |e: &Extract| {
            let run = runs.iter().rfind(|r| r.extracts.contains(&e.id) && needs.contains_key(&r.id));
            let needed = if Some(e.id) == newest {
                Some((Need::Newest, source.clone()))
            } else if newest.is_none_or(|newest| e.id > newest) {
                // The base of the next increment.
                Some((Need::Unfinished, source.clone()))
            } else {
                run.map(|r| (Need::Run, r.id.to_string()))
            };
            let finished = e.finished.as_deref().and_then(clock::moment);
            Candidate { id: e.id.to_string(), finished, needed }
        };
        let whole = |e: &&Extract| matches!(e.status, ExtractStatus::Complete | ExtractStatus::Mixed);
        let candidates = all.iter().rev().filter(whole).map(candidate).collect();
        judge(What::Extract, keep.extracts, now, candidates, plan);
    }
    Ok(())
}

fn modified(path: &Path) -> Option<DateTime<Utc>> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok().map(DateTime::from)
}

/// Packages, newest first; the newest is always needed: the next one is numbered after it.
fn packages(state: &State) -> Result<Vec<Candidate>, RunError> {
    let mut all = Vec::new();
    for path in entries(&state.workdir().join("packages"))?.into_iter().rev() {
        let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if id.starts_with('p') && path.join(SEAL).is_file() {
            let needed = all.is_empty().then(|| (Need::Newest, id.clone()));
            all.push(Candidate { finished: modified(&path.join(SEAL)), needed, id });
        }
    }
    Ok(all)
}

/// Logs, newest first; the newest is that of whoever asks.
fn logs(workdir: &Path) -> Result<Vec<Candidate>, RunError> {
    let mut all = Vec::new();
    for path in entries(&workdir.join("logs"))?.into_iter().rev() {
        let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if id.ends_with(".json") {
            let needed = all.is_empty().then(|| (Need::Newest, id.clone()));
            all.push(Candidate { finished: modified(&path), needed, id });
        }
    }
    Ok(all)
}

/// Removes one thing: first from state.db, then its files.
fn remove(state: &State, item: &Item) -> Result<(), RunError> {
    match item.what {
        What::Run => {
            for run in state.runs()?.iter().filter(|r| r.id.to_string() == item.id) {
                state.forget_outputs(run.id, LASTING)?;
                failpoint::hit("prune.decided");
                sweep_run(state, run)?;
            }
        }
        What::Extract => {
            for source in state.sources()? {
                for extract in state.extracts(&source)?.iter().filter(|e| e.id.to_string() == item.id) {
                    state.set_extract(extract.id, ExtractStatus::Removed)?;
                    failpoint::hit("prune.decided");
                }
            }
            sweep_extracts(state)?;
        }
        What::Package => {
            let packages = state.workdir().join("packages");
            let leaving = packages.join(format!(".{}.tmp", item.id));
            durable::rename(&packages.join(&item.id), &leaving)?;
            failpoint::hit("prune.decided");
            durable::remove_dir_all(&leaving)?;
        }
        What::Log => durable::remove_file(&state.workdir().join("logs").join(&item.id))?,
    }
    Ok(())
}

/// Removes what a pruning that was killed left behind.
///
/// # Errors
/// `STA-…`, `DUR-001`.
pub(super) fn go_on(state: &State) -> Result<(), RunError> {
    for run in &state.runs()? {
        if RunDir::of(state.workdir(), run.id).path().is_dir() && is_pruned(state, run)? {
            sweep_run(state, run)?;
        }
    }
    sweep_extracts(state)?;
    for path in entries(&state.workdir().join("packages"))? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(".p") && name.ends_with(".tmp") {
            durable::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Everything in the folder of a pruned run but its documents and its page.
fn sweep_run(state: &State, run: &Run) -> Result<(), RunError> {
    let dir = RunDir::of(state.workdir(), run.id);
    let stays: BTreeSet<PathBuf> =
        documents::recorded(state, run.id)?.into_iter().flat_map(|o| o.parts).map(|p| p.path).collect();
    let page = dir.page();
    for path in entries(dir.path())? {
        if stays.contains(&path) || page.starts_with(&path) {
            continue;
        }
        if path.is_dir() {
            durable::remove_dir_all(&path)?;
        } else {
            durable::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What is left of removed extracts and no view of another extract shows.
fn sweep_extracts(state: &State) -> Result<(), RunError> {
    let mut left = Vec::new();
    for source in state.sources()? {
        for extract in state.extracts(&source)?.iter().filter(|e| e.status == ExtractStatus::Removed) {
            left.extend(files_of(state.workdir(), extract)?);
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let shown = shown(state, &BTreeSet::new())?;
    for path in left.iter().filter(|p| !shown.contains(*p)) {
        durable::remove_file(path)?;
        if let Some(folder) = path.parent()
            && entries(folder)?.is_empty()
        {
            durable::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

/// The files of an extract's own folders.
fn files_of(workdir: &Path, extract: &Extract) -> Result<Vec<PathBuf>, RunError> {
    let mut all = Vec::new();
    for table in &extract.of.tables {
        walk(&raw::folder(workdir, &extract.of.source, table, extract.id), &mut all)?;
    }
    let measures = raw::measures_path(workdir, &extract.of.source, extract.id);
    all.extend(measures.is_file().then_some(measures));
    Ok(all)
}

/// Every file that an extract shows which is not removed, nor about to be.
fn shown(state: &State, leaving: &BTreeSet<String>) -> Result<BTreeSet<PathBuf>, RunError> {
    let mut all = BTreeSet::new();
    for source in state.sources()? {
        for extract in state.extracts(&source)? {
            if extract.status != ExtractStatus::Removed && !leaving.contains(&extract.id.to_string()) {
                all.extend(recorded(state, &extract)?.into_iter().map(|p| p.path));
            }
        }
    }
    Ok(all)
}

/// The bytes that become free: those of files all of whose names go.
fn frees(state: &State, plan: &Pruning) -> Result<u64, RunError> {
    let workdir = state.workdir();
    let leaving: BTreeSet<String> =
        plan.removes.iter().filter(|i| i.what == What::Extract).map(|i| i.id.clone()).collect();
    let shown = shown(state, &leaving)?;
    let mut files = Vec::new();
    for item in &plan.removes {
        match item.what {
            What::Run => {
                let dir = workdir.join("runs").join(&item.id);
                let mut all = Vec::new();
                walk(&dir, &mut all)?;
                // Documents lie at the top and stay, as the page does.
                let goes = |p: &PathBuf| {
                    let inside = relative(&dir, p);
                    inside.contains('/') && !inside.starts_with("report/")
                };
                files.extend(all.into_iter().filter(goes));
            }
            What::Extract => {
                for source in state.sources()? {
                    for extract in state.extracts(&source)?.iter().filter(|e| e.id.to_string() == item.id) {
                        let own = files_of(workdir, extract)?;
                        files.extend(own.into_iter().filter(|p| !shown.contains(p)));
                    }
                }
            }
            What::Package => walk(&workdir.join("packages").join(&item.id), &mut files)?,
            What::Log => files.push(workdir.join("logs").join(&item.id)),
        }
    }
    Ok(disk_bytes(&files, true))
}

/// The bytes of some files, each counted once whatever its number of names; or of those alone all of whose names are among them.
pub(super) fn disk_bytes(files: &[PathBuf], only_whole: bool) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // Names seen, names there are, bytes.
    let mut inodes: BTreeMap<(u64, u64), (u64, u64, u64)> = BTreeMap::new();
    for meta in files.iter().filter_map(|f| std::fs::symlink_metadata(f).ok()) {
        let one = inodes.entry((meta.dev(), meta.ino())).or_insert((0, meta.nlink(), meta.len()));
        one.0 += 1;
    }
    let goes = |(seen, names, _): &&(u64, u64, u64)| !only_whole || seen >= names;
    inodes.values().filter(goes).map(|(_, _, bytes)| bytes).sum()
}
