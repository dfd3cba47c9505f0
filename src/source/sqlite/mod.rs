//! The embedded source: a SQLite file.
//!
//! Always: opened read-only, one connection, one read transaction held as long as the value lives, so nobody changes the file
//! meanwhile. Blocking work runs on blocking threads. The file is also held open for its header; it is closed after the connection,
//! because closing any handle of a file drops this process's locks on it.

mod catalogue;
mod examine;
mod measure;
mod read;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use read::Range;

use super::chunk::QUEUE;
use super::{
    Bounds, ChangeMethod, ChunkStream, Consistency, Examined, Frequency, KeyValue, Measured, Point, Source,
    SourceError, SourceSettings, Table, TableMeasures, TableSettings,
};
use crate::phrase;
use crate::sql_ident::quote;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
/// What the fingerprint of a file looks at.
const SAMPLE_BLOCKS: u64 = 256;
const BLOCK_BYTES: u64 = 4096;
/// How long to wait for a writer.
const BUSY: Duration = Duration::from_secs(10);
/// Page cache of the connection, in KiB.
const CACHE_KIB: i64 = 32 * 1024;
/// Changes when raw parts come out otherwise for the same source.
const FORM_OF_RAW: u32 = 5;

/// A SQLite file at one point in time.
pub struct Sqlite {
    inner: Arc<Inner>,
}

/// What the blocking threads share. Field order matters: the connection closes before the file.
struct Inner {
    id: String,
    settings: SourceSettings,
    /// As it is recorded.
    consistency: &'static str,
    chunk_rows: u64,
    db: Mutex<Connection>,
    file: Mutex<File>,
}

impl Inner {
    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> SourceError {
        let (id, what) = (self.id.clone(), what.into());
        move |e| SourceError::Database { id, what, source: Box::new(e) }
    }

    fn point(&self) -> Result<Point, SourceError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = fingerprint(&mut file).map_err(|e| SourceError::Database {
            id: self.id.clone(),
            what: phrase!("source.header"),
            source: Box::new(e),
        })?;
        if !still_named(&self.settings.path, &file) {
            text.push_str(", and under its name lies another file by now");
        }
        Ok(Point { consistency: self.consistency.to_owned(), text })
    }
}

/// Whether the file that is held open is the one that its path names: somebody may have put another in its place.
#[cfg(unix)]
fn still_named(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(held)) => (named.dev(), named.ino()) == (held.dev(), held.ino()),
        _ => false,
    }
}

/// A file that is open cannot be replaced.
#[cfg(not(unix))]
fn still_named(_path: &Path, _file: &File) -> bool {
    true
}

/// Change counter, schema cookie and size tell every transaction on one file; the digest of blocks spread over the file tells
/// another file that happens to agree in these.
fn fingerprint(file: &mut File) -> std::io::Result<String> {
    let size = file.metadata()?.len();
    let mut header = [0; HEADER_BYTES];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut header)?;
    let mut sample = Vec::new();
    for block in 0..SAMPLE_BLOCKS {
        file.seek(SeekFrom::Start(size / SAMPLE_BLOCKS * block))?;
        file.take(BLOCK_BYTES).read_to_end(&mut sample)?;
    }
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let digest = xxhash_rust::xxh3::xxh3_64(&sample);
    Ok(format!("change {} schema {} size {size} sample {digest:016x}", word(24), word(40)))
}

/// Opens the file and looks at its header before SQLite does: its refusals are clearer than SQLite's.
fn checked(id: &str, path: &Path) -> Result<File, SourceError> {
    let (id, shown) = (id.to_owned(), path.display().to_string());
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing { id: id.clone(), path: shown.clone() },
        _ => SourceError::Unreadable { id: id.clone(), path: shown.clone(), source },
    };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SourceError::NotAFile { id, path: shown });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut header = [0; HEADER_BYTES];
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(MAGIC) => {}
        Ok(()) => return Err(SourceError::NotADatabase { id, path: shown }),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(SourceError::NotADatabase { id, path: shown });
        }
        Err(e) => return Err(unreadable(e)),
    }
    if header[18] == 2 || header[19] == 2 {
        return Err(SourceError::Wal { id, path: shown });
    }
    Ok(file)
}

/// How the point is held: one read transaction, on a copy or not. What else could be wanted is refused, never replaced.
fn consistency(settings: &SourceSettings) -> Result<&'static str, SourceError> {
    let wanted = match settings.consistency {
        Consistency::Default => return Ok("read transaction"),
        Consistency::RestoredCopy => return Ok("restored copy"),
        Consistency::DatabaseSnapshot => "database-snapshot",
        Consistency::SnapshotSession => "snapshot-session",
        Consistency::ExportedSnapshot => "exported-snapshot",
        Consistency::Fuzzy => "fuzzy",
    };
    Err(SourceError::Consistency {
        id: settings.id.clone(),
        wanted,
        why: phrase!("source.sqlite_consistency"),
        way_out: phrase!("source.way_sqlite"),
    })
}

impl Sqlite {
    /// Opens the file read-only and begins the read transaction.
    ///
    /// # Errors
    /// `SRC-001` to `SRC-006`, `SRC-009`, `SRC-019`.
    pub fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        let id = settings.id.clone();
        let consistency = consistency(settings)?;
        let file = checked(&id, &settings.path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&settings.path, flags)
            .and_then(|db| {
                db.busy_timeout(BUSY)?;
                db.pragma_update(None, "query_only", true)?;
                db.pragma_update(None, "cache_size", -CACHE_KIB)?;
                db.execute_batch("BEGIN")?;
                db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
                Ok(db)
            })
            .map_err(|e| SourceError::Database {
                id: id.clone(),
                what: phrase!("source.opening"),
                source: Box::new(e),
            })?;
        if !still_named(&settings.path, &file) {
            let gone = std::io::Error::other("another file was put in its place meanwhile");
            return Err(SourceError::Database {
                id,
                what: phrase!("source.opening"),
                source: Box::new(gone),
            });
        }
        let chunk_rows = settings.chunk_rows.max(1);
        let inner = Inner {
            id,
            settings: settings.clone(),
            consistency,
            chunk_rows,
            db: Mutex::new(db),
            file: Mutex::new(file),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn no_method(&self, table: &Table, how: &TableSettings) -> SourceError {
        let (id, table) = (self.inner.id.clone(), table.name.clone());
        SourceError::NoMethod { id, table, method: how.changes.text() }
    }

    /// Runs `work` on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let inner = self.inner.clone();
        spawn_blocking(move || work(&inner)).await.map_err(|e| SourceError::Database {
            id: self.inner.id.clone(),
            what: "a reading thread".to_owned(),
            source: Box::new(e),
        })?
    }
}

#[async_trait]
impl Source for Sqlite {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn reading(&self) -> String {
        format!("sqlite, {}, form {FORM_OF_RAW}", self.inner.settings.spellings())
    }

    async fn point(&self) -> Result<Point, SourceError> {
        self.blocking(Inner::point).await
    }

    async fn catalogue(&self) -> Result<Vec<Table>, SourceError> {
        self.blocking(catalogue::tables).await
    }

    async fn whole(&self, table: &Table) -> Result<(), SourceError> {
        let table = table.clone();
        self.blocking(move |s| read::described(s, &table)).await
    }

    async fn count(&self, table: &Table) -> Result<u64, SourceError> {
        let table = table.clone();
        self.blocking(move |s| read::count(s, &table)).await
    }

    async fn chunks(&self, table: &Table) -> Result<Vec<Bounds>, SourceError> {
        let table = table.clone();
        self.blocking(move |s| read::chunks(s, &table)).await
    }

    async fn read_chunk(&self, table: &Table, bounds: &Bounds) -> Result<ChunkStream, SourceError> {
        let schema = table.schema(&self.inner.id)?;
        let range = Range { table: Arc::new(table.clone()), schema, bounds: bounds.clone() };
        let (to_decoder, from_reader) = mpsc::channel(QUEUE);
        let (to_caller, pieces) = mpsc::channel(QUEUE);
        let (inner, reading) = (self.inner.clone(), range.clone());
        spawn_blocking(move || read::read(&inner, &reading, &to_decoder));
        let inner = self.inner.clone();
        spawn_blocking(move || read::decode(&inner, &range, from_reader, &to_caller));
        Ok(ChunkStream::new(&self.inner.id, &table.name, pieces))
    }

    fn key_at(&self, _table: &Table, _batch: &RecordBatch, _row: usize) -> Option<Vec<KeyValue>> {
        None
    }

    /// One connection reads; a second reader was measured to be no faster.
    fn readers(&self) -> usize {
        1
    }

    fn facts(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    async fn under_load(&self) -> Result<Option<String>, SourceError> {
        Ok(None)
    }

    async fn examine(&self, read: Option<&BTreeSet<String>>) -> Result<Vec<Examined>, SourceError> {
        let read = read.cloned();
        self.blocking(move |s| examine::examine(s, read.as_ref())).await
    }

    async fn oddities(&self, table: &Table) -> Result<Vec<Examined>, SourceError> {
        let table = table.clone();
        self.blocking(move |s| examine::oddities(s, &table)).await
    }

    async fn watermark(&self, table: &Table, how: &TableSettings) -> Result<Option<String>, SourceError> {
        match how.changes {
            ChangeMethod::Full | ChangeMethod::Compare => Ok(None),
            ChangeMethod::ChangeTracking | ChangeMethod::Rowversion | ChangeMethod::Timestamp => {
                Err(self.no_method(table, how))
            }
        }
    }

    async fn changed(
        &self,
        table: &Table,
        how: &TableSettings,
        _since: &str,
    ) -> Result<ChunkStream, SourceError> {
        Err(self.no_method(table, how))
    }

    async fn deleted(
        &self,
        table: &Table,
        how: &TableSettings,
        _since: &str,
    ) -> Result<Option<ChunkStream>, SourceError> {
        Err(self.no_method(table, how))
    }

    fn measurable(&self, table: &Table, asked: &TableMeasures) -> Result<(), SourceError> {
        measure::measurable(&self.inner, table, asked)
    }

    async fn measure(&self, table: &Table, asked: &TableMeasures) -> Result<Vec<Measured>, SourceError> {
        let (table, asked) = (table.clone(), asked.clone());
        self.blocking(move |s| measure::measure(s, &table, &asked)).await
    }

    async fn frequencies(
        &self,
        table: &Table,
        column: &str,
        limit: u64,
    ) -> Result<Vec<Frequency>, SourceError> {
        let (table, column) = (table.clone(), column.to_owned());
        self.blocking(move |s| measure::frequencies(s, &table, &column, limit)).await
    }
}
