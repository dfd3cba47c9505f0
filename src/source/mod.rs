//! Legacy databases, only ever read: what they hold, at which point in time, and their rows as Arrow with an exact type each.
//!
//! Always: read-only; one consistent point for everything that one [`Source`] answers; a value comes out exactly or, where it does
//! not fit its declared type, as an error that names table, column and key: never bent, never dropped.
//! Must not know: the national schema, mappings, or where rows go.

mod catalogue;
mod chunk;
mod decode;
mod definition;
mod error;
mod password;
mod postgres;
mod sample;
mod settings;
mod sqlite;
mod sqlserver;
mod summed;
mod votes;

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use async_trait::async_trait;

pub use catalogue::{Column, LegacyType, Table, differs_in_case};
pub use chunk::{Bounds, ChunkStream, KeyValue};
pub use error::SourceError;
pub use postgres::{Postgres, postgres_pool};
pub use sample::sampled_encodings;
pub use settings::{
    ChangeMethod, ColumnSettings, Consistency, Drift, Limits, Login, Server, SourceKind, SourceSettings,
    TableSettings, Tls, Window,
};
pub use sqlite::Sqlite;
pub use sqlserver::SqlServer;
pub use votes::{Votes, is_single_byte};

/// The fact about a source that names the transaction which was open for the longest time when its point was taken.
pub const OPEN_TRANSACTION: &str = "open transaction";

/// The point in time that all answers of one [`Source`] share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// How it is held: `read transaction`, `exported snapshot`, `fuzzy`, …
    pub consistency: String,
    /// Equal text means equal content; what cannot prove that has a text of its own each time.
    pub text: String,
}

/// What a check of `doctor` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    Ok,
    /// Worth knowing.
    Info,
    /// It works, but somebody should look.
    Warning,
    /// It would fail, or hurt.
    Error,
}

/// One thing that was looked at on a source.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Examined {
    /// `rights`, `tls`, `isolation`, …
    pub what: String,
    pub grade: Grade,
    pub found: String,
    /// What to do; empty where nothing is.
    pub advice: String,
}

impl Examined {
    pub(crate) fn new(what: &str, grade: Grade, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.to_owned(), grade, found: found.into(), advice: advice.into() }
    }
}

/// How grave it is that something is `Wrong` with a table: with one that nothing reads it is worth knowing, and no more.
pub(crate) fn wrong_with(table: &str, read: Option<&BTreeSet<String>>) -> Grade {
    match read {
        Some(read) if !read.contains(table) => Grade::Info,
        Some(_) | None => Grade::Error,
    }
}

/// Sums to ask of the source itself, in its own spelling (FORMS 7).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableMeasures {
    pub table: String,
    /// Legacy columns to group by.
    pub by: Vec<String>,
    /// Legacy columns to sum.
    pub amounts: Vec<String>,
}

/// One answer: `measure` is `rows`; of an exact column the sum in units of its last declared digit (`int:`, `fen:`, `e4:<column>`, see
/// [`crate::measures::last_digit`]); of a float column `e4:`, Σ trunc(x·10⁴); of money written as text `values:` and `bytes:` (values that
/// are not NULL, and their bytes).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// The group, as spelled in the source ([`Frequency::value`]), one part per `by` column.
    pub by: Vec<String>,
    pub measure: String,
    pub value: i128,
}

/// One distinct value of a column. Spelling, here and in [`Measured`]: text that decodes strictly as it is, other bytes as
/// `x'hex'`, NULL as `∅`, numbers in decimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequency {
    pub value: String,
    pub rows: u64,
}

/// A legacy database at one point in time.
#[async_trait]
pub trait Source: Send + Sync {
    /// The source id of the settings.
    fn id(&self) -> &str;

    /// What besides the point decides the bytes of raw: encodings, time zone and form, as text.
    fn reading(&self) -> String;

    /// The point that all answers share; asked again later, another text means that the source did change.
    async fn point(&self) -> Result<Point, SourceError>;

    /// Every table and view, by name.
    async fn catalogue(&self) -> Result<Vec<Table>, SourceError>;

    /// Refuses a table or view that shows this login less than it holds, or that cannot be read as it is: before a row of it is read.
    async fn whole(&self, table: &Table) -> Result<(), SourceError>;

    /// Rows of a table.
    async fn count(&self, table: &Table) -> Result<u64, SourceError>;

    /// Ranges of keys that together hold every row once, in key order (row order where there is no key); at least one.
    async fn chunks(&self, table: &Table) -> Result<Vec<Bounds>, SourceError>;

    /// Streams the rows of one range in key order, in the columns of [`Table::schema`].
    async fn read_chunk(&self, table: &Table, bounds: &Bounds) -> Result<ChunkStream, SourceError>;

    /// The key of a row that [`Source::read_chunk`] gave, as a bound: a range may be cut after it. `None`: ranges of this table
    /// are never cut, because it has no key or because they were counted out before.
    fn key_at(&self, table: &Table, batch: &RecordBatch, row: usize) -> Option<Vec<KeyValue>>;

    /// Ranges that may be worked on at a time. A source lets no more sessions read than its limits say: others wait.
    fn readers(&self) -> usize;

    /// Facts about connection and server that belong into the record of an extract: version, TLS, fall-backs.
    fn facts(&self) -> Vec<(String, String)>;

    /// Another session at the same database, for answers that are left in the middle; `None`: leaving one does no harm here.
    async fn aside(&self) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// Why reading should pause: the server is slow, or somebody waits for a lock of ours.
    async fn under_load(&self) -> Result<Option<String>, SourceError>;

    /// Connections, rights, encodings, TLS, isolation, change tracking: what `doctor` shows. `read`: the tables that a mapping reads
    /// (without one, all); nothing about another one is `Wrong`.
    async fn examine(&self, read: Option<&BTreeSet<String>>) -> Result<Vec<Examined>, SourceError>;

    /// How far the changes of a table have come at this source's point, in the server's own typed value as text; `None` where the
    /// method needs none.
    async fn watermark(&self, table: &Table, how: &TableSettings) -> Result<Option<String>, SourceError>;

    /// Whether the changes since a watermark can be trusted: that the server's history went on from there. Where it cannot tell, the
    /// table is read in full.
    async fn goes_on(&self, _since: &str) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// The rows that were inserted or updated after `since` (some of them perhaps before: never fewer), as they are at this point.
    ///
    /// # Errors
    /// `SRC-023` when the server no longer knows what changed since then.
    async fn changed(
        &self,
        table: &Table,
        how: &TableSettings,
        since: &str,
    ) -> Result<ChunkStream, SourceError>;

    /// The keys of rows that were deleted after `since`, in the key's columns; `None` where the method does not see deletes.
    async fn deleted(
        &self,
        table: &Table,
        how: &TableSettings,
        since: &str,
    ) -> Result<Option<ChunkStream>, SourceError>;

    /// Values of a table that do not fit their columns, as far as a query can tell: infinite times, NaN, what is out of range or of
    /// another storage class; and how such a column is read. Counts, no value; reads the table.
    async fn oddities(&self, _table: &Table) -> Result<Vec<Examined>, SourceError> {
        Ok(Vec::new())
    }

    /// Whether [`Source::measure`] can be asked at all: told from the catalogue, before a row is read.
    fn measurable(&self, table: &Table, asked: &TableMeasures) -> Result<(), SourceError>;

    /// Counts and sums, computed by the source.
    async fn measure(&self, table: &Table, asked: &TableMeasures) -> Result<Vec<Measured>, SourceError>;

    /// The distinct values of a column with their rows, most frequent first (ties by value), at most `limit`.
    async fn frequencies(
        &self,
        table: &Table,
        column: &str,
        limit: u64,
    ) -> Result<Vec<Frequency>, SourceError>;
}

/// Opens the database of the settings, and with it the point in time.
///
/// # Errors
/// `SRC-…`: missing, unreadable, not a database, in WAL mode, unknown code page.
pub async fn connect(settings: &SourceSettings) -> Result<Box<dyn Source>, SourceError> {
    match settings.kind {
        SourceKind::Sqlite => Ok(Box::new(Sqlite::open(settings)?)),
        SourceKind::Postgres => Ok(Box::new(Postgres::connect(settings).await?)),
        SourceKind::SqlServer => Ok(Box::new(SqlServer::connect(settings).await?)),
    }
}

/// Executions of a property of unit tests: as `QIANYI_FUZZ` asks, else a few.
#[cfg(test)]
pub(crate) fn fuzz_cases(few: u32) -> u32 {
    std::env::var("QIANYI_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}
