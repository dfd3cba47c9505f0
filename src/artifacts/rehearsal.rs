//! `rehearsal.json`: how the load of a run's staged tables into the staging database went.

use serde::{Deserialize, Serialize};

/// The form that this version writes.
const REHEARSAL_VERSION: u32 = 2;

/// How a rehearsal went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub version: u32,
    pub run: String,
    /// The staging server as `host:port/database`; `None`: there was none, and the same checks ran in the engine.
    pub server: Option<String>,
    /// Facts about the server: its version.
    pub server_version: String,
    pub schema: String,
    /// Whether the server had the tables before (the province's DDL).
    pub existing: bool,
    /// Whether what was loaded is still there.
    pub kept: bool,
    /// True when anything is under `problems`.
    pub blocked: bool,
    pub rows: u64,
    /// Bytes on the server, indexes included.
    pub bytes: u64,
    pub seconds: RehearsalSeconds,
    /// What the load comes to once nothing is rejected or held back; `None`: nothing was loaded to judge by.
    #[serde(default)]
    pub forecast: Option<Forecast>,
    pub tables: Vec<RehearsedTable>,
    pub problems: Vec<RehearsalProblem>,
}

impl Rehearsal {
    /// One in which nothing was done yet, at a server or at none.
    pub fn begun(server: Option<String>) -> Self {
        Self {
            version: REHEARSAL_VERSION,
            run: String::new(),
            server,
            server_version: String::new(),
            schema: String::new(),
            existing: false,
            kept: false,
            blocked: false,
            rows: 0,
            bytes: 0,
            seconds: RehearsalSeconds::default(),
            forecast: None,
            tables: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What it came to, as labels spell it: passed, blocked, or engine (nothing was loaded).
    pub fn verdict(&self) -> &'static str {
        match (&self.server, self.blocked) {
            (_, true) => "blocked",
            (Some(_), false) => "passed",
            (None, false) => "engine",
        }
    }
}

/// Time and space of the load of all rows, by what the rehearsal measured: time by rows, space by each table's bytes a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Rows that are staged, rejected or held: those that the load has once everything is in order.
    pub rows: u64,
    /// Of load, keys and comparison together.
    pub seconds: u64,
    pub bytes: u64,
    /// Rows a second that were measured, over load, keys and comparison.
    pub rows_per_second: u64,
}

impl Forecast {
    /// By a whole rehearsal, and the rows of each table (`rows`); `None` where something was not loaded.
    pub fn of(rehearsed: &Rehearsal, rows: impl Fn(&str) -> u64) -> Option<Self> {
        let tables = &rehearsed.tables;
        if rehearsed.rows == 0 || tables.iter().any(|t| t.loaded != t.staged) {
            return None;
        }
        let scaled = |value: u64, by: u64, over: u64| -> u64 {
            let of = u128::from(value) * u128::from(by);
            u64::try_from(of.div_ceil(u128::from(over.max(1)))).unwrap_or(u64::MAX)
        };
        let whole: u64 = tables.iter().map(|t| rows(&t.table)).sum();
        let bytes = tables.iter().map(|t| match t.loaded {
            // None of it is ready yet: as wide as a row of the others.
            0 => scaled(rehearsed.bytes, rows(&t.table), rehearsed.rows),
            loaded => scaled(t.bytes, rows(&t.table).max(loaded), loaded),
        });
        let spent = rehearsed.seconds.whole().max(1);
        Some(Self {
            rows: whole,
            seconds: scaled(spent, whole, rehearsed.rows),
            bytes: bytes.fold(0, u64::saturating_add),
            rows_per_second: rehearsed.rows / spent,
        })
    }
}

/// Where the time went, in seconds; what was begun counts as a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalSeconds {
    pub load: u64,
    pub keys: u64,
    pub compare: u64,
}

impl RehearsalSeconds {
    /// All of it.
    pub fn whole(&self) -> u64 {
        self.load + self.keys + self.compare
    }
}

/// One table that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsedTable {
    pub table: String,
    /// Staged rows.
    pub staged: u64,
    /// Rows that the server took.
    pub loaded: u64,
    /// Bytes on the server, indexes included.
    pub bytes: u64,
    /// Things that had to hold of it.
    pub checks: u64,
    /// Columns whose counts, sums and bounds were compared.
    pub columns: u64,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalKind {
    /// The server's own table has another form than the national schema.
    Ddl,
    /// The server did not take a row.
    Refused,
    /// A key, code or condition does not hold.
    Broken,
    /// Counts, sums or bounds of a column differ.
    Column,
    /// A staged row is not there.
    Missing,
    /// A row is there that is not staged, or more often than staged.
    Extra,
    /// A row is there with other values.
    Changed,
}

impl RehearsalKind {
    /// As documents and labels spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddl => "ddl",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Column => "column",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Changed => "changed",
        }
    }
}

/// One thing that is wrong with a table, with the first rows that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalProblem {
    pub kind: RehearsalKind,
    pub table: String,
    /// Columns that it is about; may be none.
    pub columns: Vec<String>,
    /// The check, or what differs, for people who know SQL; values masked.
    pub what: String,
    /// Rows that it concerns; 0 where it concerns the table.
    pub rows: u64,
    /// The first of them.
    pub samples: Vec<RehearsalRow>,
}

/// One row, by its national key and its origin, both masked by their column.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RehearsalRow {
    pub key: String,
    /// Columns that differ, of a changed row.
    pub columns: Vec<String>,
    /// Source and legacy table; empty where the row is not staged.
    pub source: String,
    pub skey: String,
}
