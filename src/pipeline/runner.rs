//! What every stage of a recomputation shares: skip what state.db says is finished, take over what an earlier run made from the same
//! inputs, time the rest, record it.
//!
//! Always: an output has the digest of everything that it was made from: program, national schema, mapping, day, and the parts that its
//! stage reads. What is taken up again or taken over is hashed before: a part that was changed, or is gone, is computed again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono::NaiveDate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::RunError;
use super::extract::ExtractError;
use super::paths::RunDir;
use crate::artifacts::StageRow;
use crate::dataset::PartInfo;
use crate::durable::{self, hex};
use crate::engine::Engine;
use crate::failpoint;
use crate::mapping::City;
use crate::national::National;
use crate::progress::Progress;
use crate::raw;
use crate::state::{Output, RunId, State};
use crate::stop::Stop;

/// One run being computed.
pub(super) struct StageRunner<'a> {
    pub(super) state: &'a State,
    pub(super) engine: &'a Engine,
    pub(super) national: &'a National,
    pub(super) city: &'a City,
    pub(super) run: RunId,
    /// The day that stands for today, fixed when the run began.
    pub(super) as_of: NaiveDate,
    pub(super) dir: RunDir,
    /// The work directory; absolute.
    pub(super) workdir: PathBuf,
    /// Of what every output is made from, whatever its stage.
    pub(super) basis: String,
    /// Over the parts of all stages so far, those of raw first.
    pub(super) upstream: Sha256,
    pub(super) progress: Arc<dyn Progress>,
    /// Looked at before every piece that is computed.
    pub(super) stop: Stop,
    /// In the order of their first use.
    pub(super) stages: Vec<StageRow>,
}

impl StageRunner<'_> {
    /// The digest of some parts, in this order.
    pub(super) fn of_parts<'p>(&self, parts: impl IntoIterator<Item = &'p PartInfo>) -> String {
        let mut sha = Sha256::new();
        parts.into_iter().for_each(|part| sha.update(format!("{}\n", part.sha256)));
        hex(&sha.finalize())
    }

    /// The digest of the parts of all stages so far: for work that reads of several stages.
    pub(super) fn of_everything(&self) -> String {
        hex(&self.upstream.clone().finalize())
    }

    /// The report of `stage` for `table`: the recorded one, that of an earlier run over the same inputs, or that of `work`, which is
    /// recorded with its parts. `inputs` is the digest of what the stage reads; `made` says how many rows went through, and which parts
    /// there are.
    pub(super) fn once<R: Serialize + DeserializeOwned>(
        &mut self,
        stage: &str,
        table: &str,
        inputs: &str,
        expected: u64,
        work: impl FnOnce(&Self) -> Result<R, RunError>,
        made: impl Fn(&R) -> (u64, Vec<PartInfo>),
    ) -> Result<R, RunError> {
        if let Some(done) = self.state.output(self.run, stage, table)? {
            let report = serde_json::from_value(done.counts)
                .map_err(|source| RunError::Form { path: format!("state.db, {stage} {table}"), source })?;
            let parts = made(&report).1;
            if parts.iter().all(raw::intact) {
                self.time(stage, 0, 0.0);
                self.passed(stage, table, &parts);
                return Ok(report);
            }
            self.state.delete_output(self.run, stage, table)?;
        }
        if self.stop.asked() {
            return Err(ExtractError::Stopped.into());
        }
        let digest = {
            let mut sha = Sha256::new();
            [self.basis.as_str(), stage, table, inputs].iter().for_each(|t| sha.update(format!("{t}\n")));
            hex(&sha.finalize())
        };
        if let Some((report, parts)) = self.taken_over(stage, table, &digest, &made)? {
            self.time(stage, 0, 0.0);
            self.passed(stage, table, &parts);
            return Ok(report);
        }
        let begun = Instant::now();
        self.progress.start(stage, table, expected);
        let report = work(self)?;
        failpoint::hit("run.computed");
        let (rows, parts) = made(&report);
        let counts = serde_json::to_value(&report)
            .map_err(|source| RunError::Form { path: format!("{stage} {table}"), source })?;
        self.passed(stage, table, &parts);
        let output = Output { stage: stage.to_owned(), table: table.to_owned(), parts, digest, counts };
        self.state.record_output(self.run, &output)?;
        failpoint::hit("run.recorded");
        self.progress.rows(rows);
        self.progress.finish();
        self.time(stage, rows, begun.elapsed().as_secs_f64());
        Ok(report)
    }

    fn passed(&mut self, stage: &str, table: &str, parts: &[PartInfo]) {
        add_parts(&mut self.upstream, &format!("{stage} {table}"), parts);
    }

    /// What an earlier run made from the same inputs: its parts get a second name in this run's folder. None where there is no such run,
    /// or a part of it is not what it was.
    fn taken_over<R: DeserializeOwned>(
        &self,
        stage: &str,
        table: &str,
        digest: &str,
        made: &impl Fn(&R) -> (u64, Vec<PartInfo>),
    ) -> Result<Option<(R, Vec<PartInfo>)>, RunError> {
        let Some((run, mut output)) = self.state.earlier_output(self.run, stage, table, digest)? else {
            return Ok(None);
        };
        let form = |source| RunError::Form { path: format!("state.db, {stage} {table}"), source };
        if !output.parts.iter().all(raw::intact) {
            return Ok(None);
        }
        let theirs = RunDir::of(&self.workdir, run);
        moved(&mut output.counts, &theirs, &self.dir);
        let report: R = serde_json::from_value(output.counts.clone()).map_err(form)?;
        let (_, parts) = made(&report);
        if parts.len() != output.parts.len() {
            return Ok(None);
        }
        for (from, to) in output.parts.iter().zip(&parts) {
            if !to.path.starts_with(self.dir.path()) {
                return Ok(None);
            }
            if let Some(folder) = to.path.parent() {
                durable::create_dir_all(folder)?;
            }
            if let Err(e) = durable::link(&from.path, &to.path) {
                tracing::warn!(stage, table, "computed again: {e}");
                return Ok(None);
            }
        }
        output.parts.clone_from(&parts);
        self.state.record_output(self.run, &output)?;
        failpoint::hit("run.recorded");
        Ok(Some((report, parts)))
    }

    /// Adds to the account of a stage.
    pub(super) fn time(&mut self, stage: &str, rows: u64, seconds: f64) {
        let found = self.stages.iter_mut().position(|s| s.stage == stage);
        let at = found.unwrap_or_else(|| {
            let stage = stage.to_owned();
            self.stages.push(StageRow { stage, rows: 0, seconds: 0.0, rows_per_second: 0.0 });
            self.stages.len() - 1
        });
        let row = &mut self.stages[at];
        row.rows += rows;
        row.seconds += seconds;
        row.rows_per_second = if row.seconds > 0.0 { row.rows as f64 / row.seconds } else { 0.0 };
    }
}

/// Adds the parts that something named has to a digest.
pub(super) fn add_parts<'p>(sha: &mut Sha256, name: &str, parts: impl IntoIterator<Item = &'p PartInfo>) {
    sha.update(format!("{name}\n"));
    parts.into_iter().for_each(|part| sha.update(format!("{}\n", part.sha256)));
    sha.update("\n");
}

/// Puts the paths in a report from one run's folder into another's.
fn moved(report: &mut Value, from: &RunDir, to: &RunDir) {
    match report {
        Value::String(text) => {
            if let Ok(inside) = std::path::Path::new(text.as_str()).strip_prefix(from.path()) {
                *text = to.path().join(inside).display().to_string();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|v| moved(v, from, to)),
        Value::Object(values) => values.values_mut().for_each(|v| moved(v, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Paths of parts.
pub(super) fn paths(parts: &[PartInfo]) -> Vec<std::path::PathBuf> {
    parts.iter().map(|p| p.path.clone()).collect()
}
