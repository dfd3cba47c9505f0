//! source → raw: every table of a source at one point in time, resumable after any end.
//!
//! Always: a chunk is recorded before it is read; its part is durable before it is recorded as finished. Rows of all chunks add up to
//! the source's own count at the same point. An extract goes on only while the source stands at the same point; otherwise tables
//! whose changes can be followed become a base for them, and the rest is abandoned and its parts go. What the source sums itself is
//! asked at that point, too.
//! Must not know: what columns mean.

mod drift;
mod full;
mod increment;
mod interrupted;
mod measures;
mod throttle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;
use miette::Diagnostic;
use thiserror::Error;

use tokio::runtime::Handle;

use crate::dataset::{DatasetError, PartInfo};
use crate::durable::{self, DurableError};
use crate::error::{Consequence, RetryClass};
use crate::failpoint;
use crate::measures::MeasureError;
use crate::progress::Progress;
use crate::raw::{self, RawError};
use crate::retry::Transient;
use crate::source::{Drift, Limits, Point, Source, SourceError, Table, TableMeasures, TableSettings};
use crate::state::{Chunk, Extract, ExtractId, ExtractStatus, NewExtract, Reading, State, StateError};
use crate::stop::Stop;
use crate::{hint, said};
pub use drift::{drifted, vanished};
use throttle::Throttle;

/// How a source without a common point says so.
pub const FUZZY: &str = "fuzzy";

/// What can go wrong between a source and raw.
#[derive(Debug, Error, Diagnostic)]
pub enum ExtractError {
    #[error("{}", said!("EXT-001", table, read, counted))]
    #[diagnostic(code("EXT-001"), help("{}", hint!("EXT-001")))]
    Count { table: String, read: u64, counted: u64 },
    #[error("{}", said!("EXT-002", before, after))]
    #[diagnostic(code("EXT-002"), help("{}", hint!("EXT-002")))]
    Moved { before: String, after: String },
    #[error("{}", said!("EXT-004", table, rows, counted))]
    #[diagnostic(code("EXT-004"), help("{}", hint!("EXT-004", table)))]
    Increment { table: String, rows: u64, counted: u64 },
    #[error("{}", said!("EXT-005", table, difference))]
    #[diagnostic(code("EXT-005"), help("{}", hint!("EXT-005", table, choices)))]
    Drift { table: String, difference: String, choices: &'static str },
    #[error("{}", said!("EXT-010"))]
    #[diagnostic(code("EXT-010"), help("{}", hint!("EXT-010")))]
    Stopped,
    #[error("{}", said!("EXT-011", windows))]
    #[diagnostic(code("EXT-011"), help("{}", hint!("EXT-011")))]
    Closed { windows: String },
    #[error("{}", said!("EXT-012", id))]
    #[diagnostic(code("EXT-012"), help("{}", hint!("EXT-012")))]
    Pressed { id: String },
    #[error("{}", said!("EXT-013", table))]
    #[diagnostic(code("EXT-013"), help("{}", hint!("EXT-013")))]
    Yielded { table: String },
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
    Tally(#[from] MeasureError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for ExtractError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Count { .. }
            | Self::Moved { .. }
            | Self::Stopped
            | Self::Closed { .. }
            | Self::Pressed { .. }
            | Self::Yielded { .. } => RetryClass::Resume,
            Self::Increment { .. } | Self::Drift { .. } => RetryClass::Usage,
            Self::Source(e) => e.retry_class(),
            Self::Dataset(e) => e.retry_class(),
            Self::Raw(e) => e.retry_class(),
            Self::Tally(e) => e.retry_class(),
            Self::State(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}

impl Transient for ExtractError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Yielded { .. }) || matches!(self, Self::Source(e) if e.is_transient())
    }
}

/// Why a source is extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For itself: it is brought to the point of now.
    Extract,
    /// For a run: one that was interrupted after its extract was complete goes on over that.
    Run,
}

/// Among the facts of an extract: it was begun by a run.
const FOR_A_RUN: (&str, &str) = ("begun by", "run");

/// What to extract, and into which work directory.
pub struct Extraction<'a> {
    pub state: &'a State,
    pub source: &'a dyn Source,
    /// Where the source's questions run; not called from one of its threads.
    pub runtime: &'a Handle,
    /// The tables to read, from the source's catalogue.
    pub tables: &'a [Table],
    /// What is set for single tables.
    pub settings: &'a BTreeMap<String, TableSettings>,
    pub limits: &'a Limits,
    /// The zone of the windows in `limits`.
    pub zone: Tz,
    /// Rows of a part.
    pub chunk_rows: u64,
    /// Tables that are read again, whatever their method.
    pub full_refresh: &'a BTreeSet<String>,
    /// What to ask of the source besides the rows of every table.
    pub measures: &'a [TableMeasures],
    pub stop: &'a Stop,
    pub progress: Arc<dyn Progress>,
    pub purpose: Purpose,
}

impl Extraction<'_> {
    /// No common point: counts may differ from what was read.
    fn fuzzy(&self) -> bool {
        self.wait_for(self.source.point()).is_ok_and(|p| p.consistency == FUZZY)
    }

    /// What is set for a table.
    fn how(&self, table: &str) -> TableSettings {
        self.settings.get(table).cloned().unwrap_or_default()
    }
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
    /// What the source counted and summed itself: the `source` side of the boundary source-raw.
    pub measures: PartInfo,
    /// Rows that this call read itself, and how long it took.
    pub rows_read: u64,
    pub seconds: f64,
}

/// Whether a source may be read now.
///
/// # Errors
/// `EXT-010` when somebody asked to stop, `EXT-011` outside its windows.
pub fn allowed(id: &str, limits: &Limits, zone: Tz, stop: &Stop) -> Result<(), ExtractError> {
    Throttle::new(id, limits, stop, &throttle::Machine { zone }).allowed()
}

/// Extracts the tables, or goes on with, or reuses, an extract of the same tables at the same point.
///
/// # Errors
/// `EXT-…`, and those of source, dataset, state and disk. Whatever fails, the same call goes on later.
pub fn extract(job: &Extraction<'_>) -> Result<Extracted, ExtractError> {
    let begun = Instant::now();
    let time = throttle::Machine { zone: job.zone };
    let throttle = Throttle::new(job.source.id(), job.limits, job.stop, &time);
    throttle.allowed()?;
    let point = job.ask("", || job.source.point())?;
    let mut names: Vec<String> = job.tables.iter().map(|t| t.name.clone()).collect();
    names.sort();
    let of = NewExtract {
        source: job.source.id().to_owned(),
        consistency: point.consistency.clone(),
        point: point.text.clone(),
        settings: job.source.reading(),
        tables: names,
    };
    if let Some(done) = interrupted::recorded(job, &of)? {
        return Ok(done);
    }
    let (id, mut origin) = find_or_begin_extract(job, &throttle, &of)?;
    let mut facts = job.source.facts();
    if job.purpose == Purpose::Run {
        facts.push((FOR_A_RUN.0.to_owned(), FOR_A_RUN.1.to_owned()));
    }
    job.state.set_facts(id, &facts)?;
    let (mut tables, mut rows_read, mut counts) = (Vec::new(), 0, BTreeMap::new());
    for table in job.tables {
        let done = extract_table(job, &throttle, id, &of, table)?;
        rows_read += done.read;
        counts.insert(table.name.clone(), done.counted);
        tables.push(done.table);
    }
    let answers = measures::ask(job, id, &counts)?;
    let after = job.ask("", || job.source.point())?;
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

/// Chooses the extract to work on; what an unfinished one of another point is good for is kept, the rest is removed.
fn find_or_begin_extract(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    of: &NewExtract,
) -> Result<(ExtractId, Origin), ExtractError> {
    let all = job.state.extracts(&of.source)?;
    // Without a common point any time is as good as any other, as long as it is not finished.
    let goes_on = |e: &NewExtract| {
        let fuzzy = of.consistency == FUZZY && e.consistency == FUZZY;
        (e.point == of.point || fuzzy)
            && (&e.consistency, &e.settings, &e.tables) == (&of.consistency, &of.settings, &of.tables)
    };
    let complete = all
        .iter()
        .rfind(|e| e.status == ExtractStatus::Complete && e.of == *of && job.full_refresh.is_empty());
    let running = all.iter().rfind(|e| e.status == ExtractStatus::Running && goes_on(&e.of));
    let chosen = match (complete, running) {
        (Some(e), _) => Some((e.id, Origin::Reused)),
        (None, Some(e)) => Some((e.id, Origin::Resumed)),
        (None, None) => None,
    };
    for old in &all {
        if old.status == ExtractStatus::Running && chosen.is_none_or(|(id, _)| id != old.id) {
            if !mixed(job, throttle, old, of)? {
                job.state.set_extract(old.id, ExtractStatus::Abandoned)?;
                remove(job, old)?;
            }
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

/// An unfinished extract whose point is gone: tables whose changes can be followed since before it began are read to their end, and
/// become a base (FORMS 8). False where there is none.
fn mixed(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    old: &Extract,
    of: &NewExtract,
) -> Result<bool, ExtractError> {
    if old.of.settings != of.settings {
        return Ok(false);
    }
    let mut kept = 0;
    for table in job.tables {
        let Some(mut reading) = job.state.reading(old.id, &table.name)? else { continue };
        let chunks = job.state.chunks(old.id, &table.name)?;
        let worth = reading.base.is_none()
            && reading.watermark.is_some()
            && reading.columns == drift::columns(table)
            && reading.identity == table.identity
            && chunks.iter().any(|c| c.part.is_some())
            && increment::trusted(job, &job.how(&table.name), &reading)?;
        if !worth {
            durable::remove_dir_all(&raw::folder(job.state.workdir(), &of.source, &table.name, old.id))?;
            job.state.forget_reading(old.id, &table.name)?;
            continue;
        }
        if reading.view.is_none() {
            let missing = chunks.into_iter().filter(|c| c.part.is_none()).collect();
            full::read_missing(job, throttle, old.id, table, missing)?;
            let parts = job.state.chunks(old.id, &table.name)?.into_iter().filter_map(|c| c.part);
            reading.view = Some(parts.collect());
            job.state.finish_reading(old.id, &reading)?;
        }
        kept += 1;
    }
    if kept > 0 {
        for name in old.of.tables.iter().filter(|n| !job.tables.iter().any(|t| t.name == **n)) {
            durable::remove_dir_all(&raw::folder(job.state.workdir(), &of.source, name, old.id))?;
            job.state.forget_reading(old.id, name)?;
        }
        tracing::info!(
            extract = old.id.to_string(),
            kept,
            "its point is gone: tables become a base for changes"
        );
        job.state.set_extract(old.id, ExtractStatus::Mixed)?;
    }
    Ok(kept > 0)
}

fn remove(job: &Extraction<'_>, old: &Extract) -> Result<(), ExtractError> {
    raw::remove(job.state.workdir(), old)?;
    Ok(job.state.set_extract(old.id, ExtractStatus::Removed)?)
}

/// How one table came out.
struct Done {
    table: ExtractedTable,
    counted: u64,
    /// Rows that this call read.
    read: u64,
}

/// One table: its rows, its parts, and how many rows this call read.
fn extract_table(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    of: &NewExtract,
    table: &Table,
) -> Result<Done, ExtractError> {
    throttle.allowed()?;
    let counted = job.ask(&table.name, || job.source.count(table))?;
    job.progress.start("extract", &table.name, counted);
    let mut table = table.clone();
    let mut reading = match kept(job, id, &mut table)? {
        Some(reading) => reading,
        None => {
            // What an earlier attempt left, which is no longer known.
            durable::remove_dir_all(&raw::folder(job.state.workdir(), job.source.id(), &table.name, id))?;
            increment::plan(job, id, &of.settings, &mut table)?
        }
    };
    durable::create_dir_all(&raw::folder(job.state.workdir(), job.source.id(), &table.name, id))?;
    let read = match (reading.base, &reading.view) {
        (Some(_), Some(view)) => {
            increment::tidy(job, id, &table, view, reading.deletes.as_ref())?;
            0
        }
        (Some(base), None) => increment::read(job, throttle, id, &table, &mut reading, base, counted)?,
        (None, _) => in_full(job, throttle, id, &table, &mut reading, counted)?,
    };
    let parts = raw::parts(job.state, id, &table.name)?;
    let rows = parts.iter().map(|p| p.rows).sum();
    if rows != counted && of.consistency != FUZZY {
        return Err(ExtractError::Count { table: table.name.clone(), read: rows, counted });
    }
    job.progress.finish();
    Ok(Done { table: ExtractedTable { table: table.name, rows, parts }, counted, read })
}

/// Reads the chunks of a table that are missing.
fn in_full(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    reading: &mut Reading,
    counted: u64,
) -> Result<u64, ExtractError> {
    let missing: Vec<Chunk> =
        job.state.chunks(id, &table.name)?.into_iter().filter(|c| c.part.is_none()).collect();
    if missing.is_empty() && reading.view.is_some() {
        return Ok(0);
    }
    let read = full::read_missing(job, throttle, id, table, missing)?;
    let parts: Vec<PartInfo> =
        job.state.chunks(id, &table.name)?.into_iter().filter_map(|c| c.part).collect();
    let rows: u64 = parts.iter().map(|p| p.rows).sum();
    if rows != counted && !job.fuzzy() {
        return Err(ExtractError::Count { table: table.name.clone(), read: rows, counted });
    }
    reading.view = Some(parts);
    job.state.finish_reading(id, reading)?;
    Ok(read)
}

/// What is already known of a table in this extract, and the table as it is read there (what was frozen stays frozen). What cannot be
/// gone on with is forgotten: chunks whose file is no longer what was recorded; and the whole table, to be planned again, when it is
/// wanted again, when its method or its columns are others now (or others are accepted), or when its view lost a part.
fn kept(job: &Extraction<'_>, id: ExtractId, table: &mut Table) -> Result<Option<Reading>, ExtractError> {
    let Some(mut reading) = job.state.reading(id, &table.name)? else { return Ok(None) };
    let mut as_read = table.clone();
    drift::cut(&mut as_read, &reading.columns);
    let increment = reading.base.is_some();
    let open = reading.view.is_none();
    let how = job.how(&table.name);
    let other = open && reading.method != how.method();
    let thawed = how.drift == Drift::Accept && drift::columns(table) != reading.columns;
    let lost = reading.view.iter().flatten().any(|part| !raw::intact(part));
    let again = increment && (job.full_refresh.contains(&table.name) || other || lost);
    let another = reading.identity != table.identity || drift::chosen_full_refresh(table, &reading);
    if again || another || thawed || drift::columns(&as_read) != reading.columns {
        reopen(job, id)?;
        job.state.forget_reading(id, &table.name)?;
        return Ok(None);
    }
    *table = as_read;
    if increment && !open {
        return Ok(Some(reading));
    }
    for chunk in job.state.chunks(id, &table.name)? {
        match &chunk.part {
            Some(part) if raw::intact(part) => job.progress.rows(part.rows),
            Some(_) => {
                reopen(job, id)?;
                job.state.forget_chunk(id, &table.name, chunk.no)?;
                reading.view = None;
            }
            None => {}
        }
    }
    if reading.view.is_none() && !open {
        job.state.finish_reading(id, &reading)?;
    }
    Ok(Some(reading))
}

/// A complete extract of which something is read again is not complete until that is done.
fn reopen(job: &Extraction<'_>, id: ExtractId) -> Result<(), ExtractError> {
    if state_of(job, id)? == ExtractStatus::Complete {
        job.state.set_extract(id, ExtractStatus::Running)?;
    }
    Ok(())
}
