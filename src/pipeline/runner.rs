//! What every stage of a recomputation shares: skip what state.db says is finished, time the rest, record it.

use std::sync::Arc;
use std::time::Instant;

use chrono::NaiveDate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RunError;
use super::extract::ExtractError;
use super::paths::RunDir;
use crate::artifacts::StageRow;
use crate::dataset::PartInfo;
use crate::engine::Engine;
use crate::failpoint;
use crate::mapping::City;
use crate::national::National;
use crate::progress::Progress;
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
    pub(super) progress: Arc<dyn Progress>,
    /// Looked at before every piece that is computed.
    pub(super) stop: Stop,
    /// In the order of their first use.
    pub(super) stages: Vec<StageRow>,
}

impl StageRunner<'_> {
    /// The report of `stage` for `table`: the recorded one, or that of `work`, which is recorded with its parts. `rows` says how
    /// many rows went through.
    pub(super) fn once<R: Serialize + DeserializeOwned>(
        &mut self,
        stage: &str,
        table: &str,
        expected: u64,
        work: impl FnOnce(&Self) -> Result<R, RunError>,
        made: impl Fn(&R) -> (u64, Vec<PartInfo>),
    ) -> Result<R, RunError> {
        if let Some(done) = self.state.output(self.run, stage, table)? {
            let report = serde_json::from_value(done.counts)
                .map_err(|source| RunError::Form { path: format!("state.db, {stage} {table}"), source })?;
            if made(&report).1.iter().all(there) {
                self.time(stage, 0, 0.0);
                return Ok(report);
            }
            self.state.delete_output(self.run, stage, table)?;
        }
        if self.stop.asked() {
            return Err(ExtractError::Stopped.into());
        }
        let begun = Instant::now();
        self.progress.start(stage, table, expected);
        let report = work(self)?;
        failpoint::hit("run.computed");
        let (rows, parts) = made(&report);
        let counts = serde_json::to_value(&report)
            .map_err(|source| RunError::Form { path: format!("{stage} {table}"), source })?;
        let output =
            Output { stage: stage.to_owned(), table: table.to_owned(), parts, digest: String::new(), counts };
        self.state.record_output(self.run, &output)?;
        failpoint::hit("run.recorded");
        self.progress.rows(rows);
        self.progress.finish();
        self.time(stage, rows, begun.elapsed().as_secs_f64());
        Ok(report)
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

/// True when a recorded part is still there, as long as it was.
fn there(part: &PartInfo) -> bool {
    std::fs::metadata(&part.path).is_ok_and(|m| m.len() == part.bytes)
}

/// Paths of parts.
pub(super) fn paths(parts: &[PartInfo]) -> Vec<std::path::PathBuf> {
    parts.iter().map(|p| p.path.clone()).collect()
}
