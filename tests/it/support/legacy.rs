//! Small legacy databases for tests, and their rows as text after they went through the source.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use qianyi::source::{Source, SourceError, SourceSettings, Table, connect};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;

/// A database file in a folder of its own.
pub struct Legacy {
    pub dir: TempDir,
    pub path: PathBuf,
}

impl Legacy {
    /// A database in rollback mode, made by `sql`.
    pub fn new(sql: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("city.db");
        let legacy = Self { dir, path };
        legacy.change(sql);
        legacy
    }

    /// Runs `sql` in the database.
    pub fn change(&self, sql: &str) {
        Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
    }

    /// Inserts rows.
    pub fn insert(&self, table: &str, rows: &[Vec<Value>]) {
        let mut db = Connection::open(&self.path).unwrap();
        let all = db.transaction().unwrap();
        for row in rows {
            let marks = vec!["?"; row.len()].join(", ");
            all.execute(&format!("INSERT INTO \"{table}\" VALUES ({marks})"), params_from_iter(row)).unwrap();
        }
        all.commit().unwrap();
    }

    /// Settings with chunks of `chunk_rows`.
    pub fn settings(&self, chunk_rows: u64) -> SourceSettings {
        settings(&self.path, chunk_rows)
    }

    pub async fn connect(&self, chunk_rows: u64) -> Box<dyn Source> {
        connect(&self.settings(chunk_rows)).await.unwrap()
    }
}

/// Settings of the source `ylbx` at `path`.
pub fn settings(path: &Path, chunk_rows: u64) -> SourceSettings {
    SourceSettings { chunk_rows, ..SourceSettings::sqlite("ylbx", path.to_owned()) }
}

/// The catalogue's entry of a table.
pub async fn table(source: &dyn Source, name: &str) -> Table {
    source.catalogue().await.unwrap().into_iter().find(|t| t.name == name).unwrap()
}

/// Every batch of a table, chunk by chunk.
pub async fn batches(source: &dyn Source, table: &Table) -> Result<Vec<Vec<RecordBatch>>, SourceError> {
    let mut all = Vec::new();
    for bounds in source.chunks(table).await? {
        let rows = source.read_chunk(table, &bounds).await?;
        let chunk: Result<Vec<RecordBatch>, SourceError> =
            tokio::task::spawn_blocking(move || rows.collect()).await.unwrap();
        all.push(chunk?);
    }
    Ok(all)
}

/// Every row as text, NULL as `NULL`.
pub fn as_text(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|c| c.value(row).to_string()).collect());
        }
    }
    rows
}
