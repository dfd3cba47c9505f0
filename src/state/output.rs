//! What a stage of a run finished for one table (or one part of it): where, with which digest, and what it counted.

use std::path::Path;

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::{RunId, State, StateError, from_json, one, sql, to_json};
use crate::dataset::PartInfo;

/// One finished output. `counts` is the stage's own (rows used, dispositions, ...); `digest` is of everything that it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub stage: String,
    pub table: String,
    pub parts: Vec<PartInfo>,
    pub digest: String,
    pub counts: Value,
}

/// How a path in the work directory begins where it is stored; no other text of a stage's counts does.
const INSIDE: &str = "workdir:///";

fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|v| each_text(v, change)),
        Value::Object(values) => values.values_mut().for_each(|v| each_text(v, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

type Fields = (String, String, String, String, String);

impl State {
    /// Records an output, in place of an earlier one of the same stage and table.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn record_output(&self, run: RunId, output: &Output) -> Result<(), StateError> {
        let parts = to_json(&output.parts.iter().map(|p| self.stored(p)).collect::<Vec<_>>())?;
        let mut counts = output.counts.clone();
        self.store_paths(&mut counts);
        let counts = to_json(&counts)?;
        self.change("record an output", |t| {
            t.execute(
                "INSERT OR REPLACE INTO output (run, stage, tbl, parts, digest, counts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![run.0, output.stage, output.table, parts, output.digest, counts],
            )
        })?;
        Ok(())
    }

    /// The output of a stage for a table, if it was finished.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn output(&self, run: RunId, stage: &str, table: &str) -> Result<Option<Output>, StateError> {
        let found: Option<Fields> = {
            let db = self.db();
            db.query_row(
                "SELECT stage, tbl, parts, digest, counts FROM output WHERE run = ?1 AND stage = ?2 AND tbl = ?3",
                params![run.0, stage, table],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)),
            )
            .optional()
            .map_err(sql("look up an output"))?
        };
        found.map(|f| self.output_of(f)).transpose()
    }

    /// The newest output of another run that a stage made for a table from the same inputs, and that run.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn earlier_output(
        &self,
        run: RunId,
        stage: &str,
        table: &str,
        digest: &str,
    ) -> Result<Option<(RunId, Output)>, StateError> {
        let found: Option<(i64, Fields)> = {
            let db = self.db();
            db.query_row(
                "SELECT run, stage, tbl, parts, digest, counts FROM output \
                 WHERE run <> ?1 AND stage = ?2 AND tbl = ?3 AND digest = ?4 ORDER BY run DESC LIMIT 1",
                params![run.0, stage, table, digest],
                |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))),
            )
            .optional()
            .map_err(sql("look up an output of another run"))?
        };
        found.map(|(run, fields)| Ok((RunId(run), self.output_of(fields)?))).transpose()
    }

    /// Every finished output of a run, by stage and table.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn outputs(&self, run: RunId) -> Result<Vec<Output>, StateError> {
        let found: Vec<Fields> = {
            let db = self.db();
            let mut query = db
                .prepare_cached(
                    "SELECT stage, tbl, parts, digest, counts FROM output WHERE run = ?1 ORDER BY stage, tbl",
                )
                .map_err(sql("list outputs"))?;
            query
                .query_map([run.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))
                .and_then(Iterator::collect)
                .map_err(sql("list outputs"))?
        };
        found.into_iter().map(|f| self.output_of(f)).collect()
    }

    /// Forgets an output: it is computed again.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn delete_output(&self, run: RunId, stage: &str, table: &str) -> Result<(), StateError> {
        self.change("forget an output", |t| {
            one(t.execute(
                "DELETE FROM output WHERE run = ?1 AND stage = ?2 AND tbl = ?3",
                params![run.0, stage, table],
            )?)
        })
    }

    /// Forgets every output of a run but those of two stages: their files go.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn forget_outputs(&self, run: RunId, but: [&str; 2]) -> Result<(), StateError> {
        self.change("forget the outputs of a run", |t| {
            t.execute(
                "DELETE FROM output WHERE run = ?1 AND stage NOT IN (?2, ?3)",
                params![run.0, but[0], but[1]],
            )?;
            Ok(())
        })
    }

    fn output_of(&self, (stage, table, parts, digest, counts): Fields) -> Result<Output, StateError> {
        let parts: Vec<PartInfo> = from_json(&parts)?;
        let parts = parts.into_iter().map(|p| self.handed(p)).collect();
        let mut counts = from_json(&counts)?;
        self.hand_paths(&mut counts);
        Ok(Output { stage, table, parts, digest, counts })
    }

    /// Paths in the work directory as they are stored: the directory may be moved.
    fn store_paths(&self, value: &mut Value) {
        each_text(value, &|text| {
            let inside = Path::new(text.as_str()).strip_prefix(self.workdir());
            if let Ok(inside) = inside {
                *text = format!("{INSIDE}{}", inside.display());
            }
        });
    }

    /// The same as they are handed out.
    fn hand_paths(&self, value: &mut Value) {
        each_text(value, &|text| {
            if let Some(inside) = text.strip_prefix(INSIDE) {
                *text = self.workdir().join(inside).display().to_string();
            }
        });
    }
}
