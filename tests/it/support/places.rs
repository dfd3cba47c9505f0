//! The three databases that a legacy city may live in, behind one face: what the conformance suite runs on.
//!
//! Always: each test gets databases of its own; SQL goes as its maker understands it; a real SQL Server takes the place of the tests' own
//! where one is named ([`super::mssql::REAL`]).

use std::cell::RefCell;
use std::collections::BTreeMap;

use qianyi::source::SourceSettings;

use super::extracts::runtime;
use super::legacy::Legacy;
use super::mssql::Mssql;
use super::pg::Cluster;

/// Which of the three a value is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    Sqlite,
    Postgres,
    SqlServer,
}

impl Maker {
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::SqlServer];
}

/// What text columns of a database hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Bytes in code page 936.
    Gbk,
    /// Unicode.
    Unicode,
}

enum Where {
    Sqlite(Box<Legacy>),
    Postgres { cluster: Box<Cluster>, database: &'static str, runtime: tokio::runtime::Runtime },
    SqlServer(Box<Mssql>),
}

/// One database.
pub struct Place {
    pub maker: Maker,
    at: Where,
    tables: RefCell<BTreeMap<String, ()>>,
}

impl Place {
    pub fn new(maker: Maker, holds: Holds) -> Self {
        let at = match maker {
            Maker::Sqlite => Where::Sqlite(Box::new(Legacy::new(""))),
            Maker::Postgres => {
                let (cluster, runtime) = (Box::new(Cluster::start()), runtime());
                let (database, encoding) = match holds {
                    Holds::Gbk => ("gbk", "SQL_ASCII"),
                    Holds::Unicode => ("wide", "UTF8"),
                };
                runtime.block_on(cluster.database(database, encoding));
                Where::Postgres { cluster, database, runtime }
            }
            Maker::SqlServer => Where::SqlServer(Box::new(Mssql::start())),
        };
        Self { maker, at, tables: RefCell::default() }
    }

    /// All three.
    pub fn all(holds: Holds) -> Vec<Self> {
        Maker::ALL.into_iter().map(|maker| Self::new(maker, holds)).collect()
    }

    /// Runs statements in turn.
    pub fn run(&self, statements: &[&str]) {
        match &self.at {
            Where::Sqlite(legacy) => statements.iter().for_each(|sql| legacy.change(sql)),
            Where::Postgres { cluster, database, runtime } => {
                runtime.block_on(cluster.run(database, &statements.join(";\n")));
            }
            Where::SqlServer(server) => server.run(statements),
        }
    }

    /// The server, where it is a SQL Server.
    pub fn sqlserver(&self) -> Option<&Mssql> {
        if let Where::SqlServer(server) = &self.at { Some(server) } else { None }
    }

    pub fn settings(&self, chunk_rows: u64) -> SourceSettings {
        match &self.at {
            Where::Sqlite(legacy) => legacy.settings(chunk_rows),
            Where::Postgres { cluster, database, .. } => {
                self.run(&["ANALYZE"]);
                cluster.settings(database, chunk_rows)
            }
            Where::SqlServer(server) => server.settings(chunk_rows),
        }
    }

    /// A name as the database keeps it where it is not quoted.
    pub fn name(&self, text: &str) -> String {
        if self.maker == Maker::Postgres { text.to_lowercase() } else { text.to_owned() }
    }

    /// Bytes as a literal of code-page text.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        literal(self.maker, bytes)
    }

    /// Makes a table and fills it, many rows a statement.
    pub fn fill(&self, table: &str, columns: &str, rows: &[String]) {
        assert!(self.tables.borrow_mut().insert(table.to_owned(), ()).is_none(), "{table} is made twice");
        self.run(&[&format!("CREATE TABLE {table} ({columns})")]);
        for some in rows.chunks(500) {
            self.run(&[&format!("INSERT INTO {table} VALUES ({})", some.join("), ("))]);
        }
    }
}

/// Bytes as a literal of code-page text.
pub fn literal(maker: Maker, bytes: &[u8]) -> String {
    let hex = |before: &str| bytes.iter().map(|b| format!("{before}{b:02x}")).collect::<String>();
    match maker {
        Maker::Sqlite => format!("x'{}'", hex("")),
        Maker::Postgres => format!("E'{}'", hex("\\x")),
        Maker::SqlServer => format!("0x{}", hex("")),
    }
}
