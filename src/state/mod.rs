//! state.db: what is finished, so that the next start goes on from there (FORMS 8); and the lock of the work directory.
//!
//! Always: one writer, who holds the lock; every change is one transaction; a row is written only after the files it names are
//! durable. Paths are stored relative to the work directory, which may be moved. Readers take no lock.
//! Must not know: what a stage computes.

mod approval;
mod chunk;
mod decision;
mod extract;
mod id;
mod job;
mod lock;
mod output;
mod reading;
mod run;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use miette::Diagnostic;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use thiserror::Error;

pub use approval::{Approved, Batch, NewBatch, batch_name};
pub use chunk::Chunk;
pub use decision::{Decision, DecisionKind, Signature, Worklist, worklist_name};
pub use extract::{Extract, ExtractStatus, NewExtract, OtherTable};
pub use id::{ExtractId, RunId};
pub use job::{JobEnd, JobOutcome, JobRun, Jobs};
pub use output::Output;
pub use reading::{Changed, ReadColumn, Reading, Watermark};
pub use run::{Run, RunStatus};

use crate::dataset::PartInfo;
use crate::durable::{self, DurableError};
use crate::error::{Consequence, RetryClass};
use crate::failpoint;
use crate::{hint, said};
use lock::Lock;

/// Every form that state.db ever had, oldest first; `user_version` counts them.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
];
/// How long a statement waits for a reader.
const BUSY: Duration = Duration::from_secs(10);

/// What can go wrong with the work directory's state.
#[derive(Debug, Error, Diagnostic)]
pub enum StateError {
    #[error("{}", said!("STA-001", workdir, pid, command, since))]
    #[diagnostic(code("STA-001"), help("{}", hint!("STA-001")))]
    Locked { workdir: String, pid: String, command: String, since: String },
    #[error("{}", said!("STA-007", pid, workdir, since))]
    #[diagnostic(code("STA-007"), help("{}", hint!("STA-007")))]
    Scheduled { workdir: String, pid: String, since: String },
    #[error("{}", said!("STA-002", workdir))]
    #[diagnostic(code("STA-002"), help("{}", hint!("STA-002")))]
    Missing { workdir: String },
    #[error("{}", said!("STA-003", what))]
    #[diagnostic(code("STA-003"), help("{}", hint!("STA-003")))]
    Sql { what: &'static str, source: rusqlite::Error },
    #[error("{}", said!("STA-006"))]
    #[diagnostic(code("STA-006"), help("{}", hint!("STA-006")))]
    Damaged { source: rusqlite::Error },
    #[error("{}", said!("STA-004", found, known))]
    #[diagnostic(code("STA-004"), help("{}", hint!("STA-004")))]
    TooNew { found: usize, known: usize },
    #[error("{}", said!("STA-008", found, newest))]
    #[diagnostic(code("STA-008"), help("{}", hint!("STA-008")))]
    TooOld { found: usize, newest: usize },
    #[error("{}", said!("STA-005", what))]
    #[diagnostic(code("STA-005"), help("{}", hint!("STA-005")))]
    Impossible { what: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for StateError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Locked { .. } | Self::Scheduled { .. } | Self::Sql { .. } => RetryClass::Resume,
            Self::Missing { .. } | Self::TooNew { .. } | Self::TooOld { .. } | Self::Damaged { .. } => {
                RetryClass::Usage
            }
            Self::Impossible { .. } => RetryClass::Bug,
            Self::Durable(e) => e.retry_class(),
        }
    }
}

fn sql(what: &'static str) -> impl FnOnce(rusqlite::Error) -> StateError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    move |source| match (source.sqlite_error_code(), source) {
        (Some(DatabaseCorrupt | NotADatabase), source) => StateError::Damaged { source },
        (_, rusqlite::Error::StatementChangedRows(rows)) => StateError::Impossible {
            what: format!("to {what}, one row is to change, but it would be {rows}"),
        },
        (Some(_) | None, source) => StateError::Sql { what, source },
    }
}

/// A statement that is about one recorded thing has changed that one: what is not there was lost, and nothing is recorded of it.
fn one(changed: usize) -> rusqlite::Result<()> {
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

/// The state of one work directory.
pub struct State {
    workdir: PathBuf,
    db: Mutex<Connection>,
    lock: Option<Lock>,
}

impl State {
    /// Opens the work directory for writing: creates it when absent, takes its lock, brings state.db to the newest form.
    /// `command` is what another process will be told is running here.
    ///
    /// # Errors
    /// `STA-001` when another process writes here; `STA-003`, `STA-004`, `DUR-001`.
    pub fn open(workdir: &Path, command: &str) -> Result<Self, StateError> {
        durable::create_dir_all(workdir)?;
        let lock = Lock::take(workdir, command)?;
        let db = connect(&workdir.join("state.db"))?;
        db.busy_timeout(BUSY).map_err(sql("be opened"))?;
        db.pragma_update(None, "journal_mode", "WAL").map_err(sql("be opened"))?;
        db.pragma_update(None, "synchronous", "FULL").map_err(sql("be opened"))?;
        db.pragma_update(None, "foreign_keys", true).map_err(sql("be opened"))?;
        let state = Self { workdir: workdir.to_owned(), db: Mutex::new(db), lock: Some(lock) };
        state.migrate()?;
        Ok(state)
    }

    /// Opens the state for reading only; takes no lock.
    ///
    /// # Errors
    /// `STA-002` when there is none; `STA-003`, `STA-004`, `STA-008`.
    pub fn open_readonly(workdir: &Path) -> Result<Self, StateError> {
        let path = workdir.join("state.db");
        match std::fs::metadata(&path) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(StateError::Missing { workdir: workdir.display().to_string() });
            }
            Err(source) => {
                let path = path.display().to_string();
                return Err(DurableError { path, what: "looked at", source }.into());
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(sql("be opened"))?;
        db.busy_timeout(BUSY).map_err(sql("be opened"))?;
        match version(&db)? {
            0 => Err(StateError::Missing { workdir: workdir.display().to_string() }),
            found if found < MIGRATIONS.len() => Err(StateError::TooOld { found, newest: MIGRATIONS.len() }),
            _ => Ok(Self { workdir: workdir.to_owned(), db: Mutex::new(db), lock: None }),
        }
    }

    /// Whether it was opened for writing, and so holds the lock.
    pub fn is_writer(&self) -> bool {
        self.lock.is_some()
    }

    /// The work directory.
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` in one transaction; `what` completes "state.db could not …".
    fn change<T>(
        &self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StateError> {
        let mut db = self.db();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql(what))?;
        let made = change(&transaction).map_err(sql(what))?;
        durable::announce(&self.workdir.join("state.db"), "committed")?;
        failpoint::hit("state.commit");
        transaction.commit().map_err(sql(what))?;
        failpoint::hit("state.committed");
        Ok(made)
    }

    fn migrate(&self) -> Result<(), StateError> {
        let at = version(&self.db())?;
        for (number, text) in (1_u32..).zip(MIGRATIONS).skip(at) {
            self.change("be brought to its newest form", |t| {
                t.execute_batch(text)?;
                t.pragma_update(None, "user_version", number)
            })?;
        }
        Ok(())
    }

    /// A part as it is stored: its path relative to the work directory.
    fn stored(&self, part: &PartInfo) -> PartInfo {
        let path = part.path.strip_prefix(&self.workdir).unwrap_or(&part.path).to_owned();
        PartInfo { path, ..part.clone() }
    }

    /// A part as it is handed out: its path under the work directory.
    fn handed(&self, part: PartInfo) -> PartInfo {
        PartInfo { path: self.workdir.join(&part.path), ..part }
    }
}

/// Opens state.db for writing, creating it when absent. Its path is a path, never a URI.
fn connect(path: &Path) -> Result<Connection, StateError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite's own files beside it get the rights of this one.
    durable::touch(path)?;
    Connection::open_with_flags(path, flags).map_err(sql("be opened"))
}

fn version(db: &Connection) -> Result<usize, StateError> {
    let found = db
        .pragma_query_value(None, "user_version", |r| r.get::<_, u32>(0))
        .map_err(sql("be opened"))? as usize;
    if found > MIGRATIONS.len() {
        return Err(StateError::TooNew { found, known: MIGRATIONS.len() });
    }
    Ok(found)
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StateError> {
    serde_json::to_string(value).map_err(|e| StateError::Impossible { what: e.to_string() })
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StateError> {
    serde_json::from_str(text).map_err(|e| StateError::Impossible { what: e.to_string() })
}
