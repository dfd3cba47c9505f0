//! What all sessions share: databases, logins, the list of sessions, and the switches of the tests.
//!
//! Always: a lock here is held for a moment only, never while SQLite works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::value::{Collation, Datum, SqlError, SqlType};
use super::ast::{Expr, Query};
use super::dates::{self, DAY, Moment};
use super::error::{fail, unwrap};
use super::rights::{Login, Principal};
use super::types::Written;
use super::{Quirks, catalog, collate, functions, store};

pub struct Database {
    pub id: i32,
    pub name: String,
    pub path: PathBuf,
    pub collation: Collation,
    /// The stored form of a datetime.
    pub created: i64,
    /// The database of which this one is a snapshot.
    pub source: Option<i32>,
    state: Mutex<DatabaseState>,
}

#[derive(Clone, Default)]
pub struct DatabaseState {
    pub allow_snapshot: bool,
    pub committed_snapshot: bool,
    pub read_only: bool,
    pub tracking: bool,
    /// The last rowversion given out.
    pub rowversion: u64,
    /// The first rowversion that each open transaction took, by session.
    pub active: BTreeMap<i32, u64>,
    /// By lower-case name.
    pub principals: BTreeMap<String, Principal>,
    /// Open transactions, by session.
    pub open: BTreeMap<i32, Open>,
    /// What views ask, by object id.
    pub views: BTreeMap<i32, Query>,
    /// Counts changes of tables that are no changes of rows; by object id the last one.
    pub schema_version: u64,
    pub reshaped: BTreeMap<i32, u64>,
    /// Tables of which a partition was switched, by object id.
    pub switched: BTreeSet<i32>,
    pub filters: Vec<Filter>,
    /// Masked columns: object id and column id.
    pub masks: BTreeSet<(i32, i32)>,
    /// Alias types: name and what they stand for.
    pub aliases: Vec<(String, Written)>,
    /// How often the database was set back to an older state.
    pub fork: u64,
}

/// A transaction that is open.
#[derive(Clone, Copy)]
pub struct Open {
    /// The stored form of a datetime.
    pub begun: i64,
    pub wrote: bool,
}

/// A security policy with one filter predicate.
#[derive(Clone)]
pub struct Filter {
    pub policy: String,
    pub table: i32,
    pub predicate: Expr,
    /// Logins, in lower case, for which the predicate is true of every row.
    pub sees_all: Vec<String>,
}

/// One session as sys.dm_exec_sessions shows it.
#[derive(Clone)]
pub struct SessionInfo {
    pub program: String,
    pub login: String,
}

pub struct Server {
    folder: TempDir,
    quirks: Mutex<Quirks>,
    databases: Mutex<Vec<Arc<Database>>>,
    pub logins: Mutex<BTreeMap<String, Login>>,
    pub sessions: Mutex<BTreeMap<i32, SessionInfo>>,
    blocked: AtomicBool,
    next_session: AtomicI32,
    next_database: AtomicI32,
}

/// The lock's content, whatever happened to an earlier holder.
pub fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Database {
    pub fn state(&self) -> MutexGuard<'_, DatabaseState> {
        held(&self.state)
    }

    /// A rowversion that no row has had, noted as used by the session's open transaction.
    pub fn next_rowversion(&self, session: i32) -> u64 {
        let mut state = self.state();
        state.rowversion += 1;
        let value = state.rowversion;
        state.active.entry(session).or_insert(value);
        value
    }

    /// A connection with all functions of the engine.
    pub fn connect(self: &Arc<Self>, session: i32) -> Result<Connection, SqlError> {
        let connection = Connection::open(&self.path).map_err(|error| unwrap(&error))?;
        let database = Arc::clone(self);
        let set_up = || -> rusqlite::Result<()> {
            connection.busy_timeout(Duration::from_secs(30))?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; \
                    PRAGMA trusted_schema = ON",
            )?;
            connection.set_prepared_statement_cache_capacity(64);
            functions::register(&connection)?;
            let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
            connection.create_scalar_function("rv", 0, flags, move |_| {
                Ok(database.next_rowversion(session).to_be_bytes().to_vec())
            })
        };
        set_up().map_err(|error| unwrap(&error))?;
        Ok(connection)
    }
}

/// The time now in UTC, to 100 ns.
pub fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let all = i64::try_from(since.as_nanos() / 100).unwrap_or(0);
    let first = dates::days(1970, 1, 1).unwrap_or(0);
    Moment { days: first + all.div_euclid(DAY), time: all.rem_euclid(DAY), offset: 0 }
}

/// The time now as the stored form of a datetime.
pub fn now_stored() -> i64 {
    match store::encode(&now().stored(&SqlType::DateTime).unwrap_or(Datum::Int(0))) {
        rusqlite::types::Value::Integer(n) => n,
        _ => 0,
    }
}

impl Server {
    pub fn start(sa_password: &str) -> Result<Self, SqlError> {
        let folder = tempfile::Builder::new().prefix("tds-engine").tempdir();
        let folder = folder.map_err(|error| fail(5123, format!("No folder for the databases: {error}")))?;
        let sa = Login { name: "sa".to_owned(), password: sa_password.to_owned(), ..Login::default() };
        let server = Self {
            folder,
            quirks: Mutex::default(),
            databases: Mutex::default(),
            logins: Mutex::new(BTreeMap::from([("sa".to_owned(), Login { sysadmin: true, ..sa })])),
            sessions: Mutex::default(),
            blocked: AtomicBool::new(false),
            next_session: AtomicI32::new(51),
            next_database: AtomicI32::new(1),
        };
        for name in ["master", "tempdb", "model", "msdb"] {
            server.create(name, collate::default())?;
        }
        Ok(server)
    }

    pub fn quirks(&self) -> Quirks {
        *held(&self.quirks)
    }

    pub fn set_quirks(&self, quirks: Quirks) {
        *held(&self.quirks) = quirks;
    }

    pub fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::SeqCst);
    }

    pub fn blocked(&self) -> bool {
        self.blocked.load(Ordering::SeqCst)
    }

    pub fn new_session(&self, info: SessionInfo) -> i32 {
        let id = self.next_session.fetch_add(1, Ordering::SeqCst);
        held(&self.sessions).insert(id, info);
        id
    }

    pub fn databases(&self) -> Vec<Arc<Database>> {
        held(&self.databases).clone()
    }

    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        let sought = name.to_lowercase();
        held(&self.databases).iter().find(|database| database.name.to_lowercase() == sought).cloned()
    }

    fn refuse_twin(&self, name: &str) -> Result<(), SqlError> {
        if self.database(name).is_none() {
            return Ok(());
        }
        let message = format!("Database '{name}' already exists. Choose a different database name.");
        Err(SqlError { state: 3, ..fail(1801, message) })
    }

    fn add(
        &self,
        name: &str,
        collation: Collation,
        source: Option<i32>,
        state: DatabaseState,
    ) -> Arc<Database> {
        let id = self.next_database.fetch_add(1, Ordering::SeqCst);
        let database = Arc::new(Database {
            id,
            name: name.to_owned(),
            path: self.folder.path().join(format!("{id}.sqlite")),
            collation,
            created: now_stored(),
            source,
            state: Mutex::new(state),
        });
        held(&self.databases).push(Arc::clone(&database));
        database
    }

    pub fn create(&self, name: &str, collation: Collation) -> Result<(), SqlError> {
        self.refuse_twin(name)?;
        // SQL Server's first rowversion in a new database.
        let database =
            self.add(name, collation, None, DatabaseState { rowversion: 2000, ..DatabaseState::default() });
        let connection = database.connect(0)?;
        catalog::found(&connection).map_err(|error| unwrap(&error))
    }

    /// A read-only copy of a database as it is now.
    pub fn snapshot(&self, name: &str, of: &str) -> Result<(), SqlError> {
        self.refuse_twin(name)?;
        let Some(source) = self.database(of) else { return Err(no_database(of)) };
        let open = BTreeMap::new();
        let state =
            DatabaseState { read_only: true, active: BTreeMap::new(), open, ..source.state().clone() };
        let copy = self.add(name, source.collation.clone(), Some(source.id), state);
        let connection = source.connect(0)?;
        let copied = connection.execute("VACUUM INTO ?1", [copy.path.to_string_lossy()]);
        copied.map(|_| ()).map_err(|error| unwrap(&error))
    }

    /// RESTORE … FROM DATABASE_SNAPSHOT: the database as its snapshot shows it, on another fork of its history.
    pub fn revert(&self, name: &str, snapshot: &str) -> Result<(), SqlError> {
        let now = self.database(name).ok_or_else(|| no_database(name))?;
        let then = self.database(snapshot).ok_or_else(|| no_database(snapshot))?;
        if then.source != Some(now.id) {
            let message = format!("The database snapshot '{snapshot}' is not one of '{name}'.");
            return Err(fail(3137, message));
        }
        let read_only = now.state().read_only;
        let fork = now.state().fork + 1;
        let state = DatabaseState { read_only, fork, ..then.state().clone() };
        let path = self.folder.path().join(format!("{}-{fork}.sqlite", now.id));
        let copied = then.connect(0)?.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        copied.map_err(|error| unwrap(&error))?;
        let reverted = Arc::new(Database {
            id: now.id,
            name: now.name.clone(),
            path,
            collation: now.collation.clone(),
            created: now.created,
            source: now.source,
            state: Mutex::new(state),
        });
        for database in held(&self.databases).iter_mut().filter(|database| database.id == now.id) {
            *database = Arc::clone(&reverted);
        }
        Ok(())
    }

    pub fn remove(&self, name: &str) -> Result<(), SqlError> {
        let Some(database) = self.database(name) else {
            let message = format!(
                "Cannot drop the database '{name}', because it does not exist or you do not have permission."
            );
            return Err(SqlError { class: 11, ..fail(3701, message) });
        };
        if self.databases().iter().any(|other| other.source == Some(database.id)) {
            return Err(fail(3709, "Cannot drop the database while the database snapshot refers to it."));
        }
        held(&self.databases).retain(|other| other.id != database.id);
        Ok(())
    }
}

/// 911: no such database.
pub fn no_database(name: &str) -> SqlError {
    let message = format!("Database '{name}' does not exist. Make sure that the name is entered correctly.");
    fail(911, message)
}
