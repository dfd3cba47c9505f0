//! Runs: over which extracts, under which digest, and how they ended.

use chrono::NaiveDate;
use rusqlite::params;

use super::{ExtractId, RunId, State, StateError, from_json, one, sql, to_json};
use crate::clock;

/// How far a run is, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Begun and not finished; goes on under the same digest.
    Running,
    /// Everything adds up.
    Done,
    /// Finished, but something is unexplained.
    Blocked,
    /// Begun under a digest that no longer holds; never goes on.
    Abandoned,
}

impl RunStatus {
    /// As written in state.db and shown by `status`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Blocked => "blocked",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether it came to its end, whatever it found.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Done | Self::Blocked => true,
            Self::Running | Self::Abandoned => false,
        }
    }

    fn parse(text: &str) -> Result<Self, StateError> {
        [Self::Running, Self::Done, Self::Blocked, Self::Abandoned]
            .into_iter()
            .find(|s| s.text() == text)
            .ok_or_else(|| StateError::Impossible { what: format!("run status {text}") })
    }
}

/// One run as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    /// Of config, mappings, rules, version and extracts; of `as_of` only where it is configured.
    pub digest: String,
    pub extracts: Vec<ExtractId>,
    /// The day that stands for today, fixed when it began; `None`: begun by an older version.
    pub as_of: Option<NaiveDate>,
    /// Account that began it.
    pub operator: Option<String>,
    pub status: RunStatus,
    pub started: String,
    pub finished: Option<String>,
}

type Fields = (i64, String, String, Option<String>, Option<String>, String, String, Option<String>);

fn run_of(
    (id, digest, extracts, as_of, operator, status, started, finished): Fields,
) -> Result<Run, StateError> {
    let day = |text: String| {
        text.parse::<NaiveDate>().map_err(|_| StateError::Impossible { what: format!("as_of {text}") })
    };
    let (extracts, status) = (from_json(&extracts)?, RunStatus::parse(&status)?);
    let as_of = as_of.map(day).transpose()?;
    Ok(Run { id: RunId(id), digest, extracts, as_of, operator, status, started, finished })
}

impl State {
    /// Records a new run as running.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn begin_run(
        &self,
        digest: &str,
        extracts: &[ExtractId],
        as_of: NaiveDate,
        operator: &str,
    ) -> Result<RunId, StateError> {
        let extracts = to_json(&extracts)?;
        self.change("begin a run", |t| {
            t.execute(
                "INSERT INTO run (digest, extracts, as_of, operator, status, started) VALUES (?1, ?2, ?3, ?4, 'running', ?5)",
                params![digest, extracts, as_of.to_string(), operator, clock::now()],
            )?;
            Ok(RunId(t.last_insert_rowid()))
        })
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn runs(&self) -> Result<Vec<Run>, StateError> {
        let found: Vec<Fields> = {
            let db = self.db();
            let mut query = db
                .prepare_cached(
                    "SELECT id, digest, extracts, as_of, operator, status, started, finished FROM run ORDER BY id",
                )
                .map_err(sql("list runs"))?;
            query
                .query_map([], |r| {
                    Ok((
                        r.get(0)?,
                        r.get(1)?,
                        r.get(2)?,
                        r.get(3)?,
                        r.get(4)?,
                        r.get(5)?,
                        r.get(6)?,
                        r.get(7)?,
                    ))
                })
                .and_then(Iterator::collect)
                .map_err(sql("list runs"))?
        };
        found.into_iter().map(run_of).collect()
    }

    /// The unfinished run under this digest, which goes on.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn unfinished_run(&self, digest: &str) -> Result<Option<Run>, StateError> {
        Ok(self.runs()?.into_iter().rfind(|r| r.status == RunStatus::Running && r.digest == digest))
    }

    /// Records how a run ended (or that it goes on: `Running`).
    ///
    /// # Errors
    /// `STA-003`.
    pub fn set_run(&self, id: RunId, status: RunStatus) -> Result<(), StateError> {
        let finished = match status {
            RunStatus::Running => None,
            RunStatus::Done | RunStatus::Blocked | RunStatus::Abandoned => Some(clock::now()),
        };
        self.change("record a run's status", |t| {
            one(t.execute(
                "UPDATE run SET status = ?2, finished = ?3 WHERE id = ?1",
                params![id.0, status.text(), finished],
            )?)
        })
    }
}
