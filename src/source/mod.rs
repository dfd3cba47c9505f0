//! Legacy databases, only ever read: what they hold, at which point in time, and their rows as Arrow with an exact type each.
//!
//! Always: read-only; one consistent point for everything that one [`Source`] answers; a value comes out exactly or, where it does
//! not fit its declared type, as an error that names table, column and key: never bent, never dropped.
//! Must not know: the national schema, mappings, or where rows go.

mod catalogue;
mod chunk;
mod decode;
mod error;
mod sqlite;

use std::path::PathBuf;

use async_trait::async_trait;
use encoding_rs::Encoding;
use serde::Deserialize;

pub use catalogue::{Column, LegacyType, Table};
pub use chunk::{Bounds, ChunkStream, KeyValue};
pub use error::SourceError;
pub use sqlite::Sqlite;

/// Which database, and how to read it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The short name that lineage and folders carry: `ylbx`.
    pub id: String,
    pub kind: SourceKind,
    /// The database file.
    pub path: PathBuf,
    /// Code page of char, varchar and text, as a WHATWG label: `gbk`, `gb18030`, `utf-8`.
    #[serde(default = "default_encoding")]
    pub encoding: String,
    /// Rows of one chunk, the unit of resume: one Parquet part each.
    #[serde(default = "default_chunk_rows")]
    pub chunk_rows: u64,
}

fn default_encoding() -> String {
    "gbk".to_owned()
}

fn default_chunk_rows() -> u64 {
    262_144
}

/// The kinds of database that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Sqlite,
}

/// The point in time that all answers of one [`Source`] share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// How it is held: `read transaction`.
    pub consistency: String,
    /// Equal text means equal content.
    pub text: String,
}

/// Sums to ask of the source itself, in its own spelling (FORMS 7).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableMeasures {
    pub table: String,
    /// Legacy columns to group by.
    pub by: Vec<String>,
    /// Legacy columns to sum.
    pub amounts: Vec<String>,
}

/// One answer: `measure` is `rows`; of an exact column the sum in units of its last declared digit (`int:`, `fen:`, `e4:<column>`, see
/// [`crate::tally::last_digit`]); of a float column `e4:`, Σ trunc(x·10⁴); of money written as text `values:` and `bytes:` (values that
/// are not NULL, and their bytes).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// The group, as spelled in the source ([`Frequency::value`]), one part per `by` column.
    pub by: Vec<String>,
    pub measure: String,
    pub value: i64,
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

    /// What besides the point decides the bytes of raw: code page and form, as text.
    fn reading(&self) -> String;

    /// The code page of the source's char, varchar and text.
    fn code_page(&self) -> &'static Encoding;

    /// The point that all answers share; asked again later, another text means that the source did change.
    async fn point(&self) -> Result<Point, SourceError>;

    /// Every table and view, by name.
    async fn catalogue(&self) -> Result<Vec<Table>, SourceError>;

    /// Rows of a table.
    async fn count(&self, table: &Table) -> Result<u64, SourceError>;

    /// Ranges of keys that together hold every row once, in key order (row order where there is no key); at least one.
    async fn chunks(&self, table: &Table) -> Result<Vec<Bounds>, SourceError>;

    /// Streams the rows of one range in key order, in the columns of [`Table::schema`].
    async fn read_chunk(&self, table: &Table, bounds: &Bounds) -> Result<ChunkStream, SourceError>;

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
    }
}
