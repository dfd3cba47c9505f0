//! Everything that a work directory holds, against the digests that were recorded of it: raw, runs, packages, audit log.
//!
//! Always: only reads, takes no lock; everything that is wrong at once, by file. What was pruned is not missed. A file that several runs
//! share is hashed once. Unfinished work is left alone: whoever goes on with it proves it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::RunError;
use super::documents;
use super::events::{SEAL, relative};
use super::finished::read;
use super::manifest::Manifest;
use super::paths::RunDir;
use super::prune::{Pruned, is_pruned};
use crate::audit::{self, BadLine, Head, Log};
use crate::dataset::PartInfo;
use crate::durable::{self, DurableError};
use crate::folder;
use crate::package;
use crate::progress::Progress;
use crate::state::{Extract, ExtractStatus, Run, RunStatus, State};

/// Documents beside the parts of a run that have no digest of their own: the page is rendered anew at will, and these two measures are
/// proved by the reconciliation that they make.
const UNRECORDED: [&str; 3] = ["report/", "measures/package.parquet", "measures/staging.parquet"];

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFault {
    /// It is not what was recorded.
    Differs,
    Missing,
    /// Nothing has recorded it.
    Extra,
    Unreadable,
}

impl FileFault {
    /// Every fault.
    pub const ALL: [Self; 4] = [Self::Differs, Self::Missing, Self::Extra, Self::Unreadable];

    /// As labels and JSON name it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A file that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BadFile {
    /// Relative to the work directory; a folder ends with `/`.
    pub file: String,
    pub fault: FileFault,
    /// What it is of: a run, an extract, a package, the audit log.
    pub of: String,
    /// What a package says about it, where it says more.
    pub more: Option<String>,
}

/// What a verification came to; sound when there is no bad file and no bad line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    pub version: u32,
    /// Files that were compared with a digest, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Events of the audit log.
    pub events: u64,
    /// The first line of the audit log that does not fit.
    pub line: Option<BadLine>,
    /// Lines of the audit log that a kill left half written, and that were closed.
    pub interrupted: Vec<u64>,
    pub problems: Vec<BadFile>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.line.is_none() && self.problems.is_empty()
    }
}

/// Hashes files, each of them once.
struct Check<'a> {
    workdir: &'a Path,
    progress: &'a dyn Progress,
    /// By device and inode.
    seen: HashMap<(u64, u64), String>,
    found: Verification,
}

impl<'a> Check<'a> {
    fn new(workdir: &'a Path, progress: &'a dyn Progress, log: &Log) -> Self {
        let found = Verification {
            version: 1,
            events: log.events.len() as u64,
            interrupted: log.interrupted.clone(),
            ..Verification::default()
        };
        Self { workdir, progress, seen: HashMap::new(), found }
    }

    fn bad(&mut self, path: &Path, fault: FileFault, of: &str) {
        let file = relative(self.workdir, path);
        self.found.problems.push(BadFile { file, fault, of: of.to_owned(), more: None });
    }

    /// Compares a file; whether it is what was recorded.
    fn file(&mut self, path: &Path, sha256: &str, of: &str) -> bool {
        let meta = match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => {
                self.bad(path, FileFault::Differs, of);
                return false;
            }
            Err(e) => {
                let missing = e.kind() == std::io::ErrorKind::NotFound;
                self.bad(path, if missing { FileFault::Missing } else { FileFault::Unreadable }, of);
                return false;
            }
        };
        let inode = (meta.dev(), meta.ino());
        let found = match self.seen.get(&inode) {
            Some(known) => known.clone(),
            None => match durable::sha256(path) {
                Ok(found) => {
                    self.found.files += 1;
                    self.found.bytes += meta.len();
                    self.seen.insert(inode, found.clone());
                    found
                }
                Err(_) => {
                    self.bad(path, FileFault::Unreadable, of);
                    return false;
                }
            },
        };
        if found != sha256 {
            self.bad(path, FileFault::Differs, of);
        }
        found == sha256
    }

    fn parts<'p>(&mut self, parts: impl IntoIterator<Item = &'p PartInfo>, of: &str) {
        for part in parts {
            self.file(&part.path, &part.sha256, of);
        }
    }

    fn package(&mut self, path: &Path) -> Result<(), RunError> {
        let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if !path.join("bagit.txt").is_file() {
            self.bad(&path.join("bagit.txt"), FileFault::Missing, &id);
            return Ok(());
        }
        let found = package::verify(path, self.progress)?;
        self.found.files += found.files;
        self.found.bytes += found.bytes;
        for problem in found.problems {
            let file = relative(self.workdir, &path.join(&problem.file));
            let there = path.join(&problem.file).exists();
            let fault = if there { FileFault::Differs } else { FileFault::Missing };
            self.found.problems.push(BadFile { file, fault, of: id.clone(), more: Some(problem.what) });
        }
        Ok(())
    }

    fn done(mut self) -> Verification {
        self.found.problems.sort();
        self.found.problems.dedup();
        self.found
    }
}

/// Checks raw, every run and every package of a work directory, names what is there and should not be, and the audit log's lines.
///
/// # Errors
/// `STA-…`, `AUD-001`, `PKG-005`; what is wrong with a file is no error.
pub fn verify(workdir: &Path, progress: &dyn Progress) -> Result<Verification, RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let state = State::open_readonly(workdir)?;
    let log = audit::read(workdir)?;
    let mut check = Check::new(workdir, progress, &log);
    check.found.line = log.bad;
    of_raw(&state, &mut check)?;
    of_runs(&state, &mut check)?;
    of_packages(&state, &log, &mut check)?;
    Ok(check.done())
}

/// Checks the audit log: its lines, also against a head that was kept elsewhere, and every file that its events stand for, with the parts
/// that manifests name and what packages hold.
///
/// # Errors
/// `AUD-001`, `PKG-005`; what does not fit is no error.
pub fn verify_audit(
    workdir: &Path,
    kept: Option<&Head>,
    progress: &dyn Progress,
) -> Result<Verification, RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let log = audit::read(workdir)?;
    let mut check = Check::new(workdir, progress, &log);
    check.found.line = log.verified(kept);
    let pruned = Pruned::of(&log);
    for (file, sha256) in log.files() {
        let path = workdir.join(file);
        if pruned.covers(file) && !path.exists() {
            continue;
        }
        if !check.file(&path, sha256, "audit.log") {
            continue;
        }
        if file.ends_with("/manifest.json") {
            let manifest: Manifest = match read(&path) {
                Ok(manifest) => manifest,
                Err(_) => continue,
            };
            of_manifest(&manifest, &pruned, &mut check);
        } else if file.ends_with(SEAL)
            && let Some(package) = path.parent()
        {
            check.package(package)?;
        }
    }
    Ok(check.done())
}

/// The parts that a manifest names, but those that were pruned.
fn of_manifest(manifest: &Manifest, pruned: &Pruned, check: &mut Check<'_>) {
    if pruned.runs.contains(&manifest.run) {
        return;
    }
    let inputs = manifest.inputs.iter().filter(|i| !pruned.extracts.contains(&i.extract));
    let outputs = manifest.outputs.iter().map(|o| &o.parts);
    for part in inputs.map(|i| &i.parts).chain(outputs).flatten() {
        check.file(&check.workdir.join(&part.file), &part.sha256, &manifest.run);
    }
}

/// Every extract's parts, and what lies in raw besides.
fn of_raw(state: &State, check: &mut Check<'_>) -> Result<(), RunError> {
    let mut known = BTreeSet::new();
    let mut unfinished = BTreeSet::new();
    for source in state.sources()? {
        for extract in state.extracts(&source)? {
            match extract.status {
                ExtractStatus::Complete | ExtractStatus::Mixed => {
                    let parts = recorded(state, &extract)?;
                    check.parts(&parts, &extract.id.to_string());
                    known.extend(parts.into_iter().map(|p| p.path));
                }
                ExtractStatus::Running | ExtractStatus::Abandoned => {
                    unfinished.insert(extract.id.to_string());
                }
                ExtractStatus::Removed => {}
            }
        }
    }
    let mut there = Vec::new();
    walk(&check.workdir.join("raw"), &mut there)?;
    let is_unfinished = |path: &Path| {
        let mut names = path.components().map(|c| c.as_os_str().to_string_lossy());
        names.any(|name| unfinished.contains(name.split('.').next().unwrap_or_default()))
    };
    for path in there.iter().filter(|p| !known.contains(*p) && !is_unfinished(p)) {
        check.bad(path, FileFault::Extra, "raw");
    }
    Ok(())
}

/// Every part that state.db records of an extract: of its view, its own chunks, deletions, and what the source summed.
pub(super) fn recorded(state: &State, extract: &Extract) -> Result<Vec<PartInfo>, RunError> {
    let mut all: Vec<PartInfo> = extract.measures.iter().cloned().collect();
    for table in &extract.of.tables {
        all.extend(state.chunks(extract.id, table)?.into_iter().filter_map(|c| c.part));
        if let Some(reading) = state.reading(extract.id, table)? {
            all.extend(reading.view.into_iter().flatten());
            all.extend(reading.deletes);
        }
    }
    Ok(all)
}

/// Every run that ended and was not pruned: its parts, its documents, and what lies in its folder besides.
fn of_runs(state: &State, check: &mut Check<'_>) -> Result<(), RunError> {
    let runs = state.runs()?;
    let newest = runs.iter().rfind(|r| r.status.has_ended()).map(|r| r.id);
    let by_name: BTreeMap<String, &Run> = runs.iter().map(|r| (r.id.to_string(), r)).collect();
    for run in runs.iter().filter(|r| r.status.has_ended()) {
        let (dir, id) = (RunDir::of(check.workdir, run.id), run.id.to_string());
        // A run that somebody removed is named once, not file by file.
        if !dir.path().is_dir() {
            let file = format!("runs/{id}/");
            check.found.problems.push(BadFile { file, fault: FileFault::Missing, of: id, more: None });
            continue;
        }
        let typed = dir.path().join("typed");
        let outputs = state.outputs(run.id)?;
        let lasting = |p: &&PartInfo| !p.path.starts_with(&typed) || Some(run.id) == newest;
        let parts: Vec<&PartInfo> = outputs.iter().flat_map(|o| &o.parts).filter(lasting).collect();
        check.parts(parts.iter().copied(), &id);
        let known: BTreeSet<&Path> = parts.iter().map(|p| p.path.as_path()).collect();
        let mut there = Vec::new();
        walk(dir.path(), &mut there)?;
        for path in there {
            let inside = relative(dir.path(), &path);
            let plain = known.contains(path.as_path()) || UNRECORDED.iter().any(|u| inside.starts_with(u));
            if !plain {
                check.bad(&path, FileFault::Extra, &id);
            }
        }
    }
    for path in entries(&check.workdir.join("runs"))? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let known = by_name.get(&name).is_some_and(|r| r.status != RunStatus::Abandoned);
        if !known {
            let file = format!("runs/{name}/");
            let of = "runs".to_owned();
            check.found.problems.push(BadFile { file, fault: FileFault::Extra, of, more: None });
        }
    }
    Ok(())
}

/// Every package that is there, and those that runs tell of.
fn of_packages(state: &State, log: &Log, check: &mut Check<'_>) -> Result<(), RunError> {
    let pruned = Pruned::of(log);
    let folder = check.workdir.join("packages");
    for path in entries(&folder)? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        check.package(&path)?;
        let seal = format!("packages/{name}/{SEAL}");
        if let Some(sha256) = log.files().get(seal.as_str()) {
            check.file(&path.join(SEAL), sha256, &name);
        }
    }
    for run in state.runs()?.iter().filter(|r| r.status.has_ended()) {
        for package in documents::packages(state, run.id)? {
            if !pruned.packages.contains(&package) && !folder.join(&package).is_dir() {
                let file = format!("packages/{package}/");
                let problem = BadFile { file, fault: FileFault::Missing, of: package, more: None };
                check.found.problems.push(problem);
            }
        }
    }
    Ok(())
}

/// Runs of the work directory whose folder somebody removed.
///
/// # Errors
/// `STA-…`.
pub fn removed_by_hand(state: &State) -> Result<Vec<String>, RunError> {
    let mut gone = Vec::new();
    for run in state.runs()?.iter().filter(|r| r.status.has_ended()) {
        let dir = RunDir::of(state.workdir(), run.id);
        let parts: Vec<PartInfo> = match is_pruned(state, run)? {
            true => documents::recorded(state, run.id)?.map(|o| o.parts).unwrap_or_default(),
            false => state.outputs(run.id)?.into_iter().flat_map(|o| o.parts).collect(),
        };
        let typed = dir.path().join("typed");
        if parts.iter().any(|p| !p.path.starts_with(&typed) && !p.path.exists()) {
            gone.push(run.id.to_string());
        }
    }
    Ok(gone)
}

/// Every file below a folder but those under temporary names.
pub(super) fn walk(dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), RunError> {
    for path in entries(dir)? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        if is_folder {
            walk(&path, into)?;
        } else if !(name.starts_with('.') && name.ends_with(".tmp")) {
            into.push(path);
        }
    }
    Ok(())
}

/// What is in a folder.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, RunError> {
    let unread = |source| DurableError { path: dir.display().to_string(), what: "listed", source };
    Ok(folder::entries(dir).map_err(unread)?)
}

/// Extracts of which somebody removed a part.
///
/// # Errors
/// `STA-…`.
pub fn extracts_removed_by_hand(state: &State) -> Result<Vec<String>, RunError> {
    let mut gone = Vec::new();
    for source in state.sources()? {
        for extract in state.extracts(&source)? {
            let whole = matches!(extract.status, ExtractStatus::Complete | ExtractStatus::Mixed);
            if whole && recorded(state, &extract)?.iter().any(|p| !p.path.exists()) {
                gone.push(extract.id.to_string());
            }
        }
    }
    Ok(gone)
}
