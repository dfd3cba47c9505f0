//! source → raw: every table of a source at one point in time, resumable after any end.
//!
//! Always: a chunk is recorded before it is read; its part is durable before it is recorded as finished. Rows of all chunks add up to
//! the source's own count at the same point. An extract goes on only while the source stands at the same point; otherwise it is
//! abandoned and its parts go. What the source sums itself is asked at that point, too.
//! Must not know: what columns mean.

mod measures;

use std::sync::Arc;
use std::time::Instant;

use miette::Diagnostic;
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::dataset::{DatasetError, PartInfo};
use crate::durable::{self, DurableError};
use crate::error::{Consequence, Follow};
use crate::failpoint;
use crate::progress::Progress;
use crate::raw::{self, RawError};
use crate::source::{Bounds, Point, Source, SourceError, Table, TableMeasures};
use crate::state::{Chunk, Extract, ExtractId, ExtractStatus, NewExtract, State, StateError};
use crate::stop::Stop;
use crate::tally::TallyError;

/// What can go wrong between a source and raw.
#[derive(Debug, Error, Diagnostic)]
pub enum ExtractError {
    #[error("{table}: {read} rows were read, but the source counts {counted} at the same point")]
    #[diagnostic(
        code("EXT-001"),
        help(
            "the database may be damaged (for SQLite: PRAGMA integrity_check); nothing was passed on. If it is sound, report this"
        )
    )]
    Count { table: String, read: u64, counted: u64 },
    #[error("the source changed while it was read: {before} became {after}")]
    #[diagnostic(
        code("EXT-002"),
        help("somebody replaced the database file; run the same command again: it starts a new extract")
    )]
    Moved { before: String, after: String },
    #[error("a writing thread ended without a result")]
    #[diagnostic(code("EXT-003"), help("report this with the log"))]
    Thread { source: tokio::task::JoinError },
    #[error("stopped as asked, at a boundary between two pieces of work")]
    #[diagnostic(code("EXT-010"), help("run the same command again: it goes on from here"))]
    Stopped,
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Raw(#[from] RawError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tally(#[from] TallyError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for ExtractError {
    fn follow(&self) -> Follow {
        match self {
            Self::Count { .. } | Self::Moved { .. } | Self::Stopped => Follow::Resume,
            Self::Thread { .. } => Follow::Bug,
            Self::Source(e) => e.follow(),
            Self::Dataset(e) => e.follow(),
            Self::Raw(e) => e.follow(),
            Self::Tally(e) => e.follow(),
            Self::State(e) => e.follow(),
            Self::Durable(e) => e.follow(),
        }
    }
}

/// What to extract, and into which work directory.
pub struct Extraction<'a> {
    pub state: &'a State,
    pub source: &'a dyn Source,
    /// The tables to read, from the source's catalogue.
    pub tables: &'a [Table],
    /// What to ask of the source besides the rows of every table.
    pub measures: &'a [TableMeasures],
    pub progress: Arc<dyn Progress>,
    /// Looked at before every chunk.
    pub stop: Stop,
}

/// How an extract came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Begun by this call.
    New,
    /// Begun by an earlier process; its finished chunks were kept.
    Resumed,
    /// Complete already, and the source has not changed since.
    Reused,
}

/// One table of an extract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractedTable {
    pub table: String,
    pub rows: u64,
    pub parts: Vec<PartInfo>,
}

/// A complete extract.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    pub id: ExtractId,
    pub origin: Origin,
    pub point: Point,
    pub tables: Vec<ExtractedTable>,
    /// What the source counted and summed itself: the `source` side of the border source-raw.
    pub measures: PartInfo,
    /// Rows that this call read itself, and how long it took.
    pub rows_read: u64,
    pub seconds: f64,
}

/// Extracts the tables, or goes on with, or reuses, an extract of the same tables at the same point.
///
/// # Errors
/// `EXT-…`, and those of source, dataset, state and disk. Whatever fails, the same call goes on later.
pub async fn extract(job: &Extraction<'_>) -> Result<Extracted, ExtractError> {
    let begun = Instant::now();
    let point = job.source.point().await?;
    let mut names: Vec<String> = job.tables.iter().map(|t| t.name.clone()).collect();
    names.sort();
    let of = NewExtract {
        source: job.source.id().to_owned(),
        consistency: point.consistency.clone(),
        point: point.text.clone(),
        settings: job.source.reading(),
        tables: names,
    };
    let (id, known) = settle(job, &of)?;
    let mut origin = known;
    let (mut tables, mut rows_read) = (Vec::new(), 0);
    for table in job.tables {
        let (done, read) = extract_table(job, id, table).await?;
        rows_read += read;
        tables.push(done);
    }
    let answers = measures::ask(job, id).await?;
    let after = job.source.point().await?;
    if after != point {
        return Err(ExtractError::Moved { before: point.text, after: after.text });
    }
    if origin == Origin::Reused && (rows_read > 0 || answers.asked_now) {
        origin = Origin::Resumed;
    }
    if state_of(job, id)? != ExtractStatus::Complete {
        job.state.set_extract(id, ExtractStatus::Complete)?;
        failpoint::hit("extract.complete");
    }
    Ok(Extracted {
        id,
        origin,
        point,
        tables,
        measures: answers.part,
        rows_read,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

fn state_of(job: &Extraction<'_>, id: ExtractId) -> Result<ExtractStatus, ExtractError> {
    let all = job.state.extracts(job.source.id())?;
    Ok(all.into_iter().find(|e| e.id == id).map_or(ExtractStatus::Running, |e| e.status))
}

/// Chooses the extract to work on; abandons unfinished ones of other points and removes what is left of them.
fn settle(job: &Extraction<'_>, of: &NewExtract) -> Result<(ExtractId, Origin), ExtractError> {
    let all = job.state.extracts(&of.source)?;
    let same = |status| all.iter().rfind(|e| e.status == status && e.of == *of).map(|e| e.id);
    let chosen = match (same(ExtractStatus::Complete), same(ExtractStatus::Running)) {
        (Some(id), _) => Some((id, Origin::Reused)),
        (None, Some(id)) => Some((id, Origin::Resumed)),
        (None, None) => None,
    };
    for old in &all {
        if old.status == ExtractStatus::Running && chosen.is_none_or(|(id, _)| id != old.id) {
            job.state.set_extract(old.id, ExtractStatus::Abandoned)?;
            remove(job, old)?;
        } else if old.status == ExtractStatus::Abandoned {
            remove(job, old)?;
        }
    }
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let id = job.state.begin_extract(of)?;
    failpoint::hit("extract.begun");
    Ok((id, Origin::New))
}

fn remove(job: &Extraction<'_>, old: &Extract) -> Result<(), ExtractError> {
    raw::remove(job.state.workdir(), old)?;
    Ok(job.state.set_extract(old.id, ExtractStatus::Removed)?)
}

/// One table: its rows, its parts, and how many rows this call read.
async fn extract_table(
    job: &Extraction<'_>,
    id: ExtractId,
    table: &Table,
) -> Result<(ExtractedTable, u64), ExtractError> {
    let counted = job.source.count(table).await?;
    job.progress.start("extract", &table.name, counted);
    let kept = planned(job, id, table).await?;
    durable::create_dir_all(&raw::folder(job.state.workdir(), job.source.id(), &table.name, id))?;
    let missing: Vec<&Chunk> = kept.iter().filter(|c| c.part.is_none()).collect();
    if !missing.is_empty() && state_of(job, id)? == ExtractStatus::Complete {
        job.state.set_extract(id, ExtractStatus::Running)?;
    }
    let mut read = 0;
    for chunk in missing {
        if job.stop.asked() {
            return Err(ExtractError::Stopped);
        }
        let part = read_chunk(job, id, table, chunk).await?;
        failpoint::hit("extract.written");
        job.state.record_chunk(id, &table.name, chunk.no, &part)?;
        failpoint::hit("extract.recorded");
        read += part.rows;
    }
    let parts: Vec<PartInfo> =
        job.state.chunks(id, &table.name)?.into_iter().filter_map(|c| c.part).collect();
    let rows = parts.iter().map(|p| p.rows).sum();
    if rows != counted {
        return Err(ExtractError::Count { table: table.name.clone(), read: rows, counted });
    }
    job.progress.finish();
    Ok((ExtractedTable { table: table.name.clone(), rows, parts }, read))
}

/// The chunks of a table: planned now, or earlier; finished ones whose file is no longer what was recorded are forgotten.
async fn planned(job: &Extraction<'_>, id: ExtractId, table: &Table) -> Result<Vec<Chunk>, ExtractError> {
    let mut chunks = job.state.chunks(id, &table.name)?;
    if chunks.is_empty() {
        let bounds = job.source.chunks(table).await?;
        let texts: Vec<String> = bounds.iter().map(|b| serde_json::json!(b).to_string()).collect();
        job.state.plan_chunks(id, &table.name, &texts)?;
        failpoint::hit("extract.planned");
        return Ok(job.state.chunks(id, &table.name)?);
    }
    for chunk in &mut chunks {
        let Some(part) = chunk.part.take() else { continue };
        let (part, intact) = spawn_blocking(move || {
            let intact = raw::intact(&part);
            (part, intact)
        })
        .await
        .map_err(|source| ExtractError::Thread { source })?;
        if intact {
            job.progress.rows(part.rows);
            chunk.part = Some(part);
        } else {
            job.state.forget_chunk(id, &table.name, chunk.no)?;
        }
    }
    Ok(chunks)
}

/// One thread steps through the database, one decodes, one writes; several chunks at a time were measured to be no faster.
async fn read_chunk(
    job: &Extraction<'_>,
    id: ExtractId,
    table: &Table,
    chunk: &Chunk,
) -> Result<PartInfo, ExtractError> {
    failpoint::hit("extract.read");
    let bounds: Bounds = serde_json::from_str(&chunk.bounds)
        .map_err(|e| StateError::Impossible { what: format!("bounds of chunk {}: {e}", chunk.no) })?;
    let schema = table.schema(job.source.id())?;
    let path = raw::part_path(job.state.workdir(), job.source.id(), &table.name, id, chunk.no);
    let rows = job.source.read_chunk(table, &bounds).await?;
    let progress = job.progress.clone();
    spawn_blocking(move || {
        raw::write_part(&path, schema, rows.map(|r| r.map_err(ExtractError::from)), |n| progress.rows(n))
    })
    .await
    .map_err(|source| ExtractError::Thread { source })?
}
