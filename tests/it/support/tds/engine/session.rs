//! A logged-in session: its transaction, and the way of a batch through parser, generator and SQLite.
//!
//! Always: a statement that fails leaves no trace of its own; under READ COMMITTED every statement reads what is committed
//! when it begins, under SNAPSHOT all of a transaction's statements read one state.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::super::value::{self, Answer, ResultColumn, SqlError};
use super::ast::{Isolation, Query, Statement};
use super::catalog::{self, Table};
use super::error::{fail, unwrap};
use super::generate::Generator;
use super::server::{Database, Open, Server, SessionInfo, held, no_database, now_stored};
use super::{parse_stmt, store};

pub struct Session {
    pub server: Arc<Server>,
    pub id: i32,
    pub login: String,
    pub application: String,
    pub database: Arc<Database>,
    pub connection: Connection,
    /// @@TRANCOUNT.
    pub depth: u32,
    pub affected: u64,
    pub lock_timeout: i64,
    isolation: Isolation,
    /// Whether SQLite has a transaction open for T-SQL's.
    open: bool,
    /// Whether the open transaction has changed a tracked table.
    pub noted: bool,
    /// The database's schema version when the open snapshot began.
    snapshot: Option<u64>,
}

type Emit<'a> = &'a mut dyn FnMut(Result<Answer, SqlError>);

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

impl Session {
    pub fn open(
        server: &Arc<Server>,
        user: &str,
        password: &str,
        database: &str,
        application: &str,
    ) -> Result<Self, SqlError> {
        let login = held(&server.logins)
            .get(&user.to_lowercase())
            .filter(|login| login.password == password)
            .cloned();
        let Some(login) = login else {
            return Err(SqlError { class: 14, ..fail(18456, format!("Login failed for user '{user}'.")) });
        };
        let name = if database.is_empty() { "master" } else { database };
        let refused = || SqlError {
            class: 11,
            ..fail(4060, format!("Cannot open database \"{name}\" requested by the login. The login failed."))
        };
        let database = server.database(name).ok_or_else(refused)?;
        let id =
            server.new_session(SessionInfo { program: application.to_owned(), login: login.name.clone() });
        let session = Self {
            server: Arc::clone(server),
            id,
            login: login.name,
            application: application.to_owned(),
            connection: database.connect(id)?,
            database,
            depth: 0,
            affected: 0,
            lock_timeout: -1,
            isolation: Isolation::ReadCommitted,
            open: false,
            noted: false,
            snapshot: None,
        };
        if session.may_enter(&session.database) { Ok(session) } else { Err(refused()) }
    }

    /// Whether the login may use a database at all.
    pub fn may_enter(&self, database: &Database) -> bool {
        database.id <= 2 || self.is_sysadmin() || self.principal(database).is_some()
    }

    /// The table or view of a name with one to three parts.
    pub fn table(&self, path: &[String]) -> Result<Option<Table>, SqlError> {
        let (schema, name) = match path {
            [name] => ("dbo", name),
            [schema, name] => (schema.as_str(), name),
            [database, schema, name] if database.to_lowercase() == self.database.name.to_lowercase() => {
                (schema.as_str(), name)
            }
            [_, _, _] => {
                return Err(fail(50000, "The test engine reads tables of the current database only."));
            }
            _ => return Ok(None),
        };
        let schema = if schema.is_empty() { "dbo" } else { schema };
        catalog::table(&self.connection, &format!("{schema}.{name}").to_lowercase())
    }

    /// 3952: a snapshot transaction in a database that allows none.
    pub fn need_snapshots(&self) -> Result<(), SqlError> {
        let allowed = self.database.state().allow_snapshot || self.database.source.is_some();
        if self.isolation != Isolation::Snapshot || allowed {
            return Ok(());
        }
        let name = &self.database.name;
        let message = format!(
            "Snapshot isolation transaction failed accessing database '{name}' because snapshot \
                isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation."
        );
        Err(fail(3952, message))
    }

    /// A table changes otherwise than in its rows.
    pub fn reshaped(&self, table: i32) {
        let mut state = self.database.state();
        state.schema_version += 1;
        let version = state.schema_version;
        state.reshaped.insert(table, version);
    }

    /// 3961: a table that was altered or truncated since the open snapshot began.
    pub fn need_unchanged(&self, table: &Table) -> Result<(), SqlError> {
        let state = self.database.state();
        let later = |began: u64| state.reshaped.get(&table.id).is_some_and(|version| *version > began);
        if self.isolation != Isolation::Snapshot || !self.snapshot.is_some_and(later) {
            return Ok(());
        }
        let message = format!(
            "Snapshot isolation transaction failed in database '{}' because the object accessed by the \
                statement has been modified by a DDL statement in another concurrent transaction since the \
                start of this transaction. It is disallowed because the metadata is not versioned. A \
                concurrent update to metadata can lead to inconsistency if mixed with snapshot isolation.",
            self.database.name
        );
        Err(fail(3961, message))
    }

    fn batch(&mut self, batch: &str, emit: Emit<'_>) -> Result<(), SqlError> {
        let statements = parse_stmt::batch(batch, self.server.quirks().no_option_clause)?;
        let done = statements.iter().try_for_each(|statement| self.statement(statement, emit));
        if done.as_ref().is_err_and(|error| error.number == 3961) {
            // It ends the transaction.
            self.depth = 0;
            self.end(false)?;
        }
        done
    }

    fn statement(&mut self, statement: &Statement, emit: Emit<'_>) -> Result<(), SqlError> {
        match statement {
            Statement::Ignored => {}
            Statement::Isolation(isolation) => self.isolation = *isolation,
            Statement::LockTimeout(milliseconds) => {
                self.lock_timeout = *milliseconds;
                let wait =
                    u64::try_from(*milliseconds).map_or(Duration::from_secs(30), Duration::from_millis);
                self.connection.busy_timeout(wait).map_err(failed)?;
            }
            Statement::Begin => {
                if self.depth == 0 {
                    let open = Open { begun: now_stored(), wrote: false };
                    self.database.state().open.insert(self.id, open);
                }
                self.depth += 1;
            }
            Statement::Commit => self.commit()?,
            Statement::Rollback => self.rollback()?,
            Statement::Use(name) => self.change_database(name)?,
            Statement::Wait(milliseconds) => std::thread::sleep(Duration::from_millis(*milliseconds)),
            Statement::Block(inner) => {
                return inner.iter().try_for_each(|statement| self.statement(statement, emit));
            }
            Statement::If(condition, then, other) => {
                let chosen = self.reading(|session| {
                    let mut generator = Generator::new(session);
                    let sql = generator.condition(condition).map(|sql| format!("SELECT {sql}"));
                    let value = sql.and_then(|sql| {
                        session
                            .connection
                            .query_row(&sql, [], |row| row.get::<_, Option<bool>>(0))
                            .map_err(failed)
                    });
                    session.forget(&generator.temporary);
                    value
                })?;
                return match (chosen, other) {
                    (Some(true), _) => self.statement(then, emit),
                    (_, Some(other)) => self.statement(other, emit),
                    _ => Ok(()),
                };
            }
            Statement::Select(query) => {
                let answer = self.reading(|session| session.select(query))?;
                if let Answer::Rows { rows, .. } = &answer {
                    self.affected = u64::try_from(rows.len()).unwrap_or(0);
                }
                emit(Ok(answer));
                return Ok(());
            }
            changing => {
                let affected = self.change(changing)?;
                self.affected = affected;
                emit(Ok(Answer::Done(affected)));
                return Ok(());
            }
        }
        emit(Ok(Answer::Done(0)));
        Ok(())
    }

    /// Runs something that only reads: in the open transaction, in the one that a snapshot begins here, or by itself.
    fn reading<T>(&mut self, read: impl Fn(&Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let lasting = self.depth > 0 && matches!(self.isolation, Isolation::Snapshot | Isolation::Repeatable);
        if self.open {
            return read(self);
        }
        let version = self.database.state().schema_version;
        self.connection.execute_batch("BEGIN").map_err(failed)?;
        let result = read(self);
        if lasting && result.is_ok() {
            self.open = true;
            self.snapshot = Some(version);
        } else {
            self.connection.execute_batch("COMMIT").map_err(failed)?;
        }
        result
    }

    fn select(&self, query: &Query) -> Result<Answer, SqlError> {
        let mut generator = Generator::new(self);
        let made = generator.query(query).and_then(|made| self.fetch(&made));
        self.forget(&generator.temporary);
        made
    }

    fn fetch(&self, made: &super::query::Made) -> Result<Answer, SqlError> {
        let mut statement = self.connection.prepare(&made.sql).map_err(failed)?;
        let mut found = statement.query([]).map_err(failed)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let mut values = Vec::with_capacity(made.columns.len());
            for (at, column) in made.columns.iter().enumerate() {
                let form = row.get_ref(at).map_err(failed)?;
                values.push(store::decode(form, &column.kind).ok_or_else(|| {
                    fail(50000, format!("The test engine computed no {}.", super::types::name(&column.kind)))
                })?);
            }
            rows.push(values);
        }
        let columns = made.columns.iter().map(|column| ResultColumn {
            name: column.name.clone().unwrap_or_default(),
            kind: column.kind.clone(),
            nullable: column.nullable,
        });
        Ok(Answer::Rows { columns: columns.collect(), rows })
    }

    /// Drops the temporary tables of a statement.
    pub fn forget(&self, temporary: &[String]) {
        for name in temporary {
            // A table that cannot be dropped is in nobody's way: its name is taken once more only by this session.
            let _ = self.connection.execute_batch(&format!("DROP TABLE IF EXISTS temp.{name}"));
        }
    }

    /// Runs a change inside of SQLite's transaction; undoes it alone if it fails.
    pub fn writing<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.database.state().read_only {
            let message = format!(
                "Failed to update database \"{}\" because the database is read-only.",
                self.database.name
            );
            return Err(fail(3906, message));
        }
        if let Some(open) = self.database.state().open.get_mut(&self.id) {
            open.wrote = true;
        }
        let began = !self.open;
        if began {
            self.connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
            self.open = true;
        }
        self.connection.execute_batch("SAVEPOINT statement").map_err(failed)?;
        let result = write(self);
        let end =
            if result.is_ok() { "RELEASE statement" } else { "ROLLBACK TO statement; RELEASE statement" };
        self.connection.execute_batch(end).map_err(failed)?;
        if self.depth == 0 {
            self.end(result.is_ok())?;
        }
        result
    }

    /// Ends SQLite's transaction.
    fn end(&mut self, commit: bool) -> Result<(), SqlError> {
        if self.open {
            if commit && self.noted {
                self.connection
                    .execute_batch("UPDATE m_state SET ct_version = ct_version + 1")
                    .map_err(failed)?;
            }
            self.connection.execute_batch(if commit { "COMMIT" } else { "ROLLBACK" }).map_err(failed)?;
        }
        self.open = false;
        self.noted = false;
        self.snapshot = None;
        let mut state = self.database.state();
        state.active.remove(&self.id);
        state.open.remove(&self.id);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        match self.depth {
            0 => Err(fail(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")),
            1 => {
                self.depth = 0;
                self.end(true)
            }
            _ => {
                self.depth -= 1;
                Ok(())
            }
        }
    }

    fn rollback(&mut self) -> Result<(), SqlError> {
        if self.depth == 0 {
            return Err(fail(
                3903,
                "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            ));
        }
        self.depth = 0;
        self.end(false)
    }

    fn change_database(&mut self, name: &str) -> Result<(), SqlError> {
        let database = self.server.database(name).ok_or_else(|| no_database(name))?;
        if !self.may_enter(&database) {
            let login = &self.login;
            return Err(fail(
                916,
                format!(
                    "The server principal \"{login}\" is not able to access the database \"{name}\" \
                        under the current security context."
                ),
            ));
        }
        if self.depth > 0 {
            return Err(fail(50000, "The test engine does not change databases within a transaction."));
        }
        self.connection = database.connect(self.id)?;
        self.database = database;
        let wait = u64::try_from(self.lock_timeout).map_or(Duration::from_secs(30), Duration::from_millis);
        self.connection.busy_timeout(wait).map_err(failed)
    }
}

impl value::Session for Session {
    fn run(&mut self, batch: &str, answer: &mut dyn FnMut(Result<Answer, SqlError>)) {
        if let Err(error) = self.batch(batch, answer) {
            answer(Err(error));
        }
    }

    fn database(&self) -> String {
        self.database.name.clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A transaction left open is rolled back with the connection; its rowversions are nobody's any more.
        let mut state = self.database.state();
        state.active.remove(&self.id);
        state.open.remove(&self.id);
        drop(state);
        held(&self.server.sessions).remove(&self.id);
    }
}
