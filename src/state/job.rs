//! Jobs of the schedule: when each was due, begun, finished, and how it ended.
//!
//! Always: written by the one process that holds `schedule.lock`, through a connection of its own, since the work directory's lock
//! belongs to the job while it runs; no other table is written here. A row without an outcome is running, or was killed.
//! Must not know: when a job is due next.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lock::Lock;
use super::{BUSY, MIGRATIONS, State, StateError, connect, one, sql, version};
use crate::durable;

/// The form of state.db that brought the table.
const SINCE: usize = 2;
const COLUMNS: &str =
    "id, name, due, started, finished, outcome, message, rows, unexplained_rows, unexplained_fen";

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    Done,
    /// It finished its work, but something is unexplained.
    Blocked,
    Failed,
    /// Somebody asked it to stop; it goes on next time.
    Stopped,
}

impl JobOutcome {
    /// Every outcome, in the order of the metrics.
    pub const ALL: [Self; 4] = [Self::Done, Self::Blocked, Self::Failed, Self::Stopped];

    /// As written in state.db and shown by `status`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// One time that a job ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    pub id: i64,
    pub name: String,
    pub due: String,
    pub started: String,
    pub finished: Option<String>,
    /// `None`: it runs, or its process was killed.
    pub outcome: Option<JobOutcome>,
    pub message: Option<String>,
    pub rows: Option<u64>,
    pub unexplained_rows: Option<u64>,
    pub unexplained_fen: Option<u64>,
}

/// How a job ended, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    pub outcome: JobOutcome,
    pub message: Option<String>,
    pub rows: Option<u64>,
    pub unexplained_rows: Option<u64>,
    pub unexplained_fen: Option<u64>,
}

/// The jobs of a work directory, for the one scheduler of it.
pub struct Jobs {
    path: PathBuf,
    db: Connection,
    _lock: Lock,
}

impl Jobs {
    /// Takes the scheduler's lock; creates the work directory and brings state.db to the newest form where that is needed.
    ///
    /// # Errors
    /// `STA-007` when another scheduler runs here; `STA-001` when state.db needs a new form while another process writes;
    /// `STA-003`, `STA-004`, `STA-006`, `DUR-001`.
    pub fn open(workdir: &Path) -> Result<Self, StateError> {
        durable::create_dir_all(workdir)?;
        let lock = Lock::take_schedule(workdir)?;
        let path = workdir.join("state.db");
        let open = || connect(&path);
        if !path.is_file() || version(&open()?)? < MIGRATIONS.len() {
            drop(State::open(workdir, "schedule")?);
        }
        let db = open()?;
        db.busy_timeout(BUSY).map_err(sql("be opened"))?;
        db.pragma_update(None, "synchronous", "FULL").map_err(sql("be opened"))?;
        Ok(Self { path, db, _lock: lock })
    }

    /// Records that a job begins; its number.
    ///
    /// # Errors
    /// `STA-003`, `DUR-001`.
    pub fn begin(&self, name: &str, due: &str, started: &str) -> Result<i64, StateError> {
        durable::announce(&self.path, "committed")?;
        self.db
            .execute("INSERT INTO job (name, due, started) VALUES (?1, ?2, ?3)", params![name, due, started])
            .map_err(sql("begin a job"))?;
        Ok(self.db.last_insert_rowid())
    }

    /// Records how it ended.
    ///
    /// # Errors
    /// `STA-003`, `DUR-001`.
    pub fn end(&self, id: i64, finished: &str, end: &JobEnd) -> Result<(), StateError> {
        durable::announce(&self.path, "committed")?;
        self.db
            .execute(
                "UPDATE job SET finished = ?2, outcome = ?3, message = ?4, rows = ?5, unexplained_rows = ?6,
                 unexplained_fen = ?7 WHERE id = ?1",
                params![
                    id,
                    finished,
                    end.outcome.text(),
                    end.message,
                    count(end.rows),
                    count(end.unexplained_rows),
                    count(end.unexplained_fen)
                ],
            )
            .and_then(one)
            .map_err(sql("record how a job ended"))?;
        Ok(())
    }

    /// The last time that a job was begun.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn last(&self, name: &str) -> Result<Option<JobRun>, StateError> {
        newest(&self.db, name, "true")
    }

    /// The last time that it was done.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn last_done(&self, name: &str) -> Result<Option<JobRun>, StateError> {
        newest(&self.db, name, "outcome = 'done'")
    }

    /// The last time that it said how much is unexplained.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn last_reconciled(&self, name: &str) -> Result<Option<JobRun>, StateError> {
        newest(&self.db, name, "unexplained_rows IS NOT NULL")
    }
}

impl State {
    /// The last time that a job of the schedule was begun.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn last_job(&self, name: &str) -> Result<Option<JobRun>, StateError> {
        let db = self.db();
        if version(&db)? < SINCE { Ok(None) } else { newest(&db, name, "true") }
    }
}

/// The newest row of a job for which `holds` (a part of this file) is true.
fn newest(db: &Connection, name: &str, holds: &str) -> Result<Option<JobRun>, StateError> {
    let text = format!("SELECT {COLUMNS} FROM job WHERE name = ?1 AND {holds} ORDER BY id DESC LIMIT 1");
    let found = db.query_row(&text, [name], read).optional().map_err(sql("list jobs"))?;
    let Some((run, outcome)) = found else { return Ok(None) };
    let parse = |text: String| {
        let known = JobOutcome::ALL.into_iter().find(|o| o.text() == text);
        known.ok_or_else(|| StateError::Impossible { what: format!("job outcome {text}") })
    };
    Ok(Some(JobRun { outcome: outcome.map(parse).transpose()?, ..run }))
}

fn read(row: &Row<'_>) -> Result<(JobRun, Option<String>), rusqlite::Error> {
    let run = JobRun {
        id: row.get(0)?,
        name: row.get(1)?,
        due: row.get(2)?,
        started: row.get(3)?,
        finished: row.get(4)?,
        outcome: None,
        message: row.get(6)?,
        rows: uncount(row.get(7)?),
        unexplained_rows: uncount(row.get(8)?),
        unexplained_fen: uncount(row.get(9)?),
    };
    Ok((run, row.get(5)?))
}

/// A count as SQLite holds it.
fn count(count: Option<u64>) -> Option<i64> {
    count.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

fn uncount(held: Option<i64>) -> Option<u64> {
    held.and_then(|n| u64::try_from(n).ok())
}
