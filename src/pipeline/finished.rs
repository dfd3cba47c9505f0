//! A run that has ended, opened again: for its report, its reconciliation, its package.
//!
//! Always: only reads what the run left; takes no lock.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::de::DeserializeOwned;

use super::RunError;
use super::documents;
use super::paths::RunDir;
use super::prune::is_pruned;
use crate::artifacts::{Coverage, Reconciliation, Rehearsal, Summary};
use crate::dataset;
use crate::durable;
use crate::measures::{self, Measure};
use crate::reconcile::{self, Sides};
use crate::report::{self, Documents, Lang};
use crate::state::{RunId, State};

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    pub id: RunId,
    pub dir: RunDir,
    pub summary: Summary,
    pub reconciliation: Reconciliation,
    pub coverage: Coverage,
    /// None: its load was not rehearsed.
    pub rehearsal: Option<Rehearsal>,
}

impl Finished {
    /// The day that stood for today.
    ///
    /// # Errors
    /// `RUN-005`.
    pub fn as_of(&self) -> Result<NaiveDate, RunError> {
        let form =
            |source| RunError::Form { path: self.dir.file("summary.json").display().to_string(), source };
        serde_json::from_value(self.summary.as_of.clone().into()).map_err(form)
    }
}

/// The run named `id`, or the newest that has ended.
///
/// # Errors
/// `RUN-003` when there is none; `RUN-032` when its datasets were pruned; `RUN-030` when somebody changed what it wrote; `RUN-005` when its files are not what this version writes; `STA-…`.
pub fn finished(workdir: &Path, id: Option<&str>) -> Result<Finished, RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let state = State::open_readonly(workdir)?;
    let run = state
        .runs()?
        .into_iter()
        .rfind(|r| r.status.has_ended() && id.is_none_or(|id| r.id.to_string() == id))
        .ok_or_else(|| RunError::NoRun {
            workdir: workdir.display().to_string(),
            wanted: id.map(|id| format!(" {id}")).unwrap_or_default(),
        })?;
    if is_pruned(&state, &run)? {
        let page = RunDir::of(workdir, run.id).page().display().to_string();
        return Err(RunError::Pruned { run: run.id.to_string(), page });
    }
    let dir = RunDir::of(workdir, run.id);
    let again = || {
        let found: Reconciliation = read(&dir.file("reconciliation.json"))?;
        Ok(found == reconciled(run.id, &dir, &read(&dir.file("summary.json"))?)?)
    };
    documents::verify(&state, run.id, again)?;
    let summary = read(&dir.file("summary.json"))?;
    let reconciliation = read(&dir.file("reconciliation.json"))?;
    let coverage = read(&dir.file("coverage.json"))?;
    let rehearsed = documents::has_rehearsal(&state, run.id)?;
    let rehearsal = rehearsed.then(|| read(&dir.rehearsal())).transpose()?;
    Ok(Finished { id: run.id, dir, summary, reconciliation, coverage, rehearsal })
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let form = |source| RunError::Form { path: path.display().to_string(), source };
    let text = std::fs::read(path).map_err(|e| form(serde_json::Error::io(e)))?;
    serde_json::from_slice(&text).map_err(form)
}

/// Every measure that a run counted.
pub(super) fn measures(dir: &RunDir) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    for part in dataset::parts(&dir.path().join("measures"))? {
        all.extend(measures::read_measures(&part)?);
    }
    Ok(all)
}

/// Compares the sides of a run again, from its measures.
///
/// # Errors
/// `MEA-…`, `DAT-…`, `REC-…`.
pub fn reconcile_again(of: &Finished) -> Result<Reconciliation, RunError> {
    reconciled(of.id, &of.dir, &of.summary)
}

/// The summary says which differences are known: other than reconciliation.json it is never believed once it was changed.
fn reconciled(run: RunId, dir: &RunDir, summary: &Summary) -> Result<Reconciliation, RunError> {
    let (measures, run) = (measures(dir)?, run.to_string());
    let (known, as_of) = (&summary.known, summary.as_of.as_str());
    Ok(reconcile::reconcile(&Sides { run: &run, measures: &measures, known, as_of })?)
}

/// Renders the page of a run again; where it lies.
///
/// # Errors
/// `RPT-…`, `DUR-001`.
pub fn render_report(of: &Finished, lang: Lang) -> Result<PathBuf, RunError> {
    let page = report::render(&of.summary, &of.reconciliation, &of.coverage, of.rehearsal.as_ref(), lang)?;
    let path = of.dir.page();
    durable::write(&path, page.as_bytes())?;
    Ok(path)
}

/// Writes the numbers of a run's page as a workbook.
///
/// # Errors
/// `REP-002`, `RUN-005`, `DUR-001`.
pub fn write_workbook(of: &Finished, path: &Path, lang: Lang) -> Result<(), RunError> {
    let documents = Documents {
        summary: &of.summary,
        reconciliation: &of.reconciliation,
        coverage: &of.coverage,
        rehearsal: of.rehearsal.as_ref(),
    };
    Ok(report::workbook(path, &documents, of.as_of()?, lang)?)
}
