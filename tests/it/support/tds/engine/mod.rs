//! A SQL Server look-alike for tests: T-SQL batches in, typed results out, over one SQLite file per database.
//!
//! Always: what the engine does not know is an error with SQL Server's number, never a silent wrong answer.

mod alter;
mod ast;
mod call;
mod catalog;
mod changes;
mod collate;
mod convert;
mod dates;
mod ddl;
mod decimal;
mod dml;
mod error;
mod expr;
mod functions;
mod generate;
mod lex;
mod parse_ddl;
mod parse_expr;
mod parse_query;
mod parse_stmt;
mod parser;
mod properties;
mod query;
mod rights;
mod server;
mod session;
mod shown;
mod store;
mod strings;
mod sysviews;
mod text;
mod types;

use std::sync::Arc;

use super::value::{Backend, Session, SqlError};

/// What the engine does differently, to act like another server of the protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Quirks {
    /// No sys.dm_… views: error 208.
    pub no_dm_views: bool,
    /// MIN_ACTIVE_ROWVERSION() is unknown: error 195.
    pub no_min_active_rowversion: bool,
    /// Neither the functions nor the views nor the statements of change tracking.
    pub no_change_tracking: bool,
    /// A cast from char to binary goes through the server's default code page.
    pub wrong_varbinary_code_page: bool,
    /// Only a cast from char(n), not from varchar.
    pub wrong_char_code_page: bool,
    /// OPTION (…) is a syntax error.
    pub no_option_clause: bool,
    /// The catalogue's row counts are those of an empty table.
    pub stale_row_counts: bool,
}

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct Engine {
    server: Arc<server::Server>,
}

impl Engine {
    /// A server with its system databases, in a folder that goes away with it.
    ///
    /// # Errors
    /// The folder or the files in it cannot be written.
    pub fn start(sa_password: &str) -> Result<Self, SqlError> {
        Ok(Self { server: Arc::new(server::Server::start(sa_password)?) })
    }

    /// From now on the engine behaves so.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.server.set_quirks(quirks);
    }

    /// Whether sys.dm_exec_requests shows a session that a session of the program `qianyi` blocks.
    pub fn block(&self, blocked: bool) {
        self.server.block(blocked);
    }

    /// A security policy on a table: sessions see the rows of the predicate (T-SQL over the table's columns), the logins named all.
    ///
    /// # Errors
    /// No such database or table, or a predicate that cannot be read.
    pub fn filter(
        &self,
        database: &str,
        table: &str,
        predicate: &str,
        sees_all: &[&str],
    ) -> Result<(), SqlError> {
        shown::filter(&self.server, database, table, predicate, sees_all)
    }

    /// Masks a column for everybody without UNMASK.
    ///
    /// # Errors
    /// No such database, table or column.
    pub fn mask(&self, database: &str, table: &str, column: &str) -> Result<(), SqlError> {
        shown::mask(&self.server, database, table, column)
    }

    /// Puts another partition in the place of a table's own, as ALTER TABLE … SWITCH does.
    ///
    /// # Errors
    /// No such database or table.
    pub fn switch(&self, database: &str, table: &str) -> Result<(), SqlError> {
        shown::switch(&self.server, database, table)
    }

    /// Forgets the changes that a table's tracking has noted so far, as the cleanup would.
    ///
    /// # Errors
    /// No such database or table.
    pub fn forget_changes(&self, database: &str, table: &str) -> Result<(), SqlError> {
        changes::forget(&self.server, database, table)
    }
}

impl Backend for Engine {
    fn login(
        &self,
        user: &str,
        password: &str,
        database: &str,
        application: &str,
    ) -> Result<Box<dyn Session>, SqlError> {
        let session = session::Session::open(&self.server, user, password, database, application)?;
        Ok(Box::new(session))
    }
}
