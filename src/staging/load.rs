//! Staged parts → rows of the shadow schema, part by part, many sessions at once.
//!
//! Always: a part is one COPY, so it is there as a whole or not at all; what was sent is digested row by row as it goes out. A row that
//! the server refuses is found by halving, and named by its origin.
//! Must not know: what happens behind the load.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};

use super::digest;
use super::server::{Copied, Server};
use super::{Shared, StagingError, ddl, row};
use crate::artifacts::{RehearsalKind, RehearsalProblem, RehearsalRow};
use crate::dataset::{PartReader, read_part, row_count};
use crate::mask;
use crate::measures::ContentDigest;
use crate::national::Table;

/// So many refused rows of a part are named; the search for one more takes as long as for the first.
const NAMED: usize = 5;

/// One part to load.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Its table's place in [`Shared::tables`].
    pub table: usize,
    pub path: PathBuf,
}

/// What came of one part.
pub(super) struct PartLoaded {
    pub table: usize,
    pub rows: u64,
    pub sent: ContentDigest,
    pub problem: Option<RehearsalProblem>,
}

/// Takes parts from the queue until none is left.
pub(super) async fn work(
    of: Arc<Shared>,
    server: Server,
    queue: Arc<Mutex<VecDeque<Part>>>,
    done: tokio::sync::mpsc::UnboundedSender<PartLoaded>,
) -> Result<(), StagingError> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(part) = next() {
        let loaded = load(&of, &server, &part).await;
        // Nobody needs the rest once something failed.
        let loaded = loaded.inspect_err(|_| queue.lock().unwrap_or_else(PoisonError::into_inner).clear())?;
        if done.send(loaded).is_err() {
            break;
        }
    }
    Ok(())
}

async fn load(of: &Shared, server: &Server, part: &Part) -> Result<PartLoaded, StagingError> {
    let table = &of.tables[part.table];
    let session = server.session().await?;
    let mut sent = ContentDigest::default();
    let mut rows = Rows::open(table, &part.path, 0, u64::MAX)?;
    let what = format!("loading {}", table.name);
    let copied = session
        .copy_in(&what, &copy(of, table), |buffer| {
            rows.next(buffer, |row| digest::count(&mut sent, row, of.key(part.table)))
        })
        .await?;
    match copied {
        Copied::Done => Ok(PartLoaded { table: part.table, rows: sent.rows(), sent, problem: None }),
        Copied::Refused(message) => {
            drop(session);
            let problem = refused(of, server, part, message).await?;
            Ok(PartLoaded {
                table: part.table,
                rows: 0,
                sent: ContentDigest::default(),
                problem: Some(problem),
            })
        }
    }
}

fn copy(of: &Shared, table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|c| ddl::name(&c.code)).collect();
    format!(
        "COPY {} ({}) FROM STDIN (FORMAT binary)",
        ddl::qualified(&of.shadow, &table.name),
        columns.join(", ")
    )
}

/// The rows of a part that the server refuses, by halving: each trial is rolled back.
async fn refused(
    of: &Shared,
    server: &Server,
    part: &Part,
    message: String,
) -> Result<RehearsalProblem, StagingError> {
    let table = &of.tables[part.table];
    let total = row_count(&part.path)?;
    let mut samples = Vec::new();
    let mut from = 0;
    let mut why = message;
    while samples.len() < NAMED && from < total {
        let Some(said) = tried(of, server, part, from, total).await? else { break };
        why = said;
        let (mut low, mut high) = (from, total);
        // A row among low..high is refused; those before low are not.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match tried(of, server, part, low, middle).await? {
                Some(said) => (high, why) = (middle, said),
                None => low = middle,
            }
        }
        samples.push(origin(table, &part.path, low)?);
        from = high;
    }
    Ok(RehearsalProblem {
        kind: RehearsalKind::Refused,
        table: table.name.clone(),
        columns: Vec::new(),
        what: why,
        rows: samples.len() as u64,
        samples,
    })
}

/// What the server says of some rows of a part; `None`: it takes them.
async fn tried(
    of: &Shared,
    server: &Server,
    part: &Part,
    from: u64,
    to: u64,
) -> Result<Option<String>, StagingError> {
    let table = &of.tables[part.table];
    let session = server.session().await?;
    session.run("a trial", "BEGIN").await?;
    let mut rows = Rows::open(table, &part.path, from, to)?;
    let copied = session.copy_in("a trial", &copy(of, table), |buffer| rows.next(buffer, |_| ())).await?;
    session.run("a trial", "ROLLBACK").await?;
    Ok(match copied {
        Copied::Done => None,
        Copied::Refused(said) => Some(said),
    })
}

/// Rows `from..to` of a part, as binary rows.
pub(super) struct Rows<'t> {
    table: &'t Table,
    reader: PartReader,
    at: u64,
    from: u64,
    to: u64,
}

impl<'t> Rows<'t> {
    pub(super) fn open(table: &'t Table, path: &Path, from: u64, to: u64) -> Result<Self, StagingError> {
        Ok(Self { table, reader: read_part(path)?, at: 0, from, to })
    }

    /// Appends the rows of one batch, and shows each.
    pub(super) fn next(
        &mut self,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, StagingError> {
        let table = self.table;
        self.batch(|batch, row| {
            let begun = buffer.len();
            row::append(table, batch, row, buffer)?;
            each(&buffer[begun..]);
            Ok(())
        })
    }

    /// The rows of one batch.
    pub(super) fn batch(
        &mut self,
        mut each: impl FnMut(&RecordBatch, usize) -> Result<(), StagingError>,
    ) -> Result<bool, StagingError> {
        if self.at >= self.to {
            return Ok(false);
        }
        let Some(batch) = self.reader.next().transpose()? else { return Ok(false) };
        let rows = batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let at = self.at + row as u64;
            if self.from <= at && at < self.to {
                each(&batch, row)?;
            }
        }
        self.at += rows;
        Ok(true)
    }
}

/// Where a staged row came from.
pub(super) fn origin_of(
    table: &Table,
    batch: &RecordBatch,
    row: usize,
) -> Result<RehearsalRow, StagingError> {
    let text = |name: &str| {
        let column = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>().cloned());
        column.filter(|c| arrow::array::Array::is_valid(c, row)).map(|c| c.value(row).to_owned())
    };
    let mut bytes = Vec::new();
    row::append(table, batch, row, &mut bytes)?;
    Ok(RehearsalRow {
        key: key(table, &bytes),
        columns: Vec::new(),
        source: text("_source").unwrap_or_default(),
        skey: text("_skey").map(|k| mask::key(&[], &k)).unwrap_or_default(),
    })
}

/// A row's national key, each part masked by its column.
pub(super) fn key(table: &Table, row: &[u8]) -> String {
    let fields = row::fields(row).unwrap_or_default();
    let part = |code: &String| {
        let at = table.columns.iter().position(|c| &c.code == code)?;
        let value = (*fields.get(at)?)?;
        Some(crate::artifacts::shown(&table.columns[at], &row::text(table.columns[at].kind, value)))
    };
    table.key.iter().map(|code| part(code).unwrap_or_else(|| "∅".to_owned())).collect::<Vec<_>>().join("|")
}

fn origin(table: &Table, path: &Path, at: u64) -> Result<RehearsalRow, StagingError> {
    let mut rows = Rows::open(table, path, at, at + 1)?;
    let mut found = RehearsalRow::default();
    while rows.batch(|batch, row| {
        found = origin_of(table, batch, row)?;
        Ok(())
    })? {}
    Ok(found)
}
