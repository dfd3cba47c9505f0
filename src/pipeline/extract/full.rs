//! One table in full: ranges of keys, several readers at a time, each range cut into parts while it streams.
//!
//! Always: a range is recorded before it is read; a part is durable before it is recorded, and recorded together with the rest of
//! its range. What a failure or a pause leaves is the rest of a range, read again from the last durable row on. All rows add up to
//! the source's own count at the same point.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::throttle::{Next, Throttle};
use super::{ExtractError, Extraction};
use crate::dataset::PartInfo;
use crate::failpoint;
use crate::raw;
use crate::retry::{Tried, retry};
use crate::source::{Bounds, ChunkStream, SourceError, Table};
use crate::state::{Chunk, ExtractId, StateError};

/// A part longer than a planned chunk by this factor is cut: ranges are sampled and not exact.
const CUT_FACTOR: u64 = 2;
/// A part of more bytes (in memory) than this is cut.
const CUT_BYTES: u64 = 512 << 20;
/// A part that takes longer than this is cut, so that little is lost when something happens.
const CUT_TIME: Duration = Duration::from_secs(300);

/// Whether a part is long enough to be cut: by its rows, its bytes, or the time that it took.
fn long(rows: u64, bytes: u64, took: Duration, chunk_rows: u64) -> bool {
    rows >= chunk_rows.saturating_mul(CUT_FACTOR) || bytes >= CUT_BYTES || took >= CUT_TIME
}

/// Reads what is missing of a table; rows that this call read.
pub(super) fn read_missing(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    missing: Vec<Chunk>,
) -> Result<u64, ExtractError> {
    let readers = job.source.readers().clamp(1, missing.len().max(1));
    let queue = Mutex::new(VecDeque::from(missing));
    let failure: Mutex<Option<ExtractError>> = Mutex::new(None);
    let rows = Mutex::new(0);
    let work = || {
        loop {
            if failure.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                return;
            }
            let Some(chunk) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                return;
            };
            match read_range(job, throttle, id, table, chunk) {
                Ok(read) => *rows.lock().unwrap_or_else(PoisonError::into_inner) += read,
                Err(e) => {
                    let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(e);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..readers {
            scope.spawn(work);
        }
        work();
    });
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(rows), Err)
}

/// The rest of a range that is being read.
struct Range {
    no: u32,
    bounds: Bounds,
}

/// How a stream of a range ended.
enum Ended {
    /// With its last row.
    Whole,
    /// At a cut, because the server is under load.
    Paused,
}

/// One range to its end, over as many connections as it takes.
fn read_range(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    chunk: Chunk,
) -> Result<u64, ExtractError> {
    let bounds: Bounds = serde_json::from_str(&chunk.bounds)
        .map_err(|e| StateError::Impossible { what: format!("bounds of chunk {}: {e}", chunk.no) })?;
    let mut range = Range { no: chunk.no, bounds };
    let mut rows = 0;
    let work = || {
        throttle.allowed()?;
        let before = rows;
        match read_stream(job, throttle, id, table, &mut range, &mut rows) {
            Ok(Ended::Whole) => Ok(Tried::Done(())),
            Ok(Ended::Paused) => {
                throttle.wait_for_load(&job.asking())?;
                Ok(Tried::GotOn)
            }
            // A stream that failed after it had made parts is worth as many retries again.
            Err(e) if rows > before && crate::retry::Transient::is_transient(&e) => {
                tracing::warn!(
                    table = table.name,
                    "reading goes on after: {}",
                    crate::mask::scrub(&e.to_string())
                );
                Ok(Tried::GotOn)
            }
            Err(e @ ExtractError::Yielded { .. }) => {
                throttle.wait_for_load(&job.asking())?;
                Err(e)
            }
            Err(e) => Err(e),
        }
    };
    retry(job.limits.retries, work, |e, pause| job.wait(&table.name, e, pause))?;
    Ok(rows)
}

fn read_stream(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    range: &mut Range,
    rows: &mut u64,
) -> Result<Ended, ExtractError> {
    failpoint::hit("extract.read");
    let mut stream = job.wait_for(job.source.read_chunk(table, &range.bounds))?;
    loop {
        let read = read_part(job, throttle, id, table, range, &mut stream)?;
        failpoint::hit("extract.written");
        *rows += read.part.rows;
        let Some((key, next)) = read.cut else {
            job.state.record_chunk(id, &table.name, range.no, &read.part)?;
            failpoint::hit("extract.recorded");
            return Ok(Ended::Whole);
        };
        let done = Bounds { after: range.bounds.after.take(), upto: Some(key.clone()) };
        let rest = Bounds { after: Some(key), upto: range.bounds.upto.take() };
        let texts = [serde_json::json!(done).to_string(), serde_json::json!(rest).to_string()];
        let no = job.state.cut_chunk(id, &table.name, range.no, &read.part, [&texts[0], &texts[1]])?;
        failpoint::hit("extract.cut");
        *range = Range { no, bounds: rest };
        match next {
            Next::GoOn => {}
            Next::Pause => return Ok(Ended::Paused),
            Next::Stop => throttle.allowed()?,
        }
    }
}

/// One part: the whole rest of the stream, or up to a cut.
struct ReadPart {
    part: PartInfo,
    /// The key of the last row, and why it was cut there.
    cut: Option<(Vec<crate::source::KeyValue>, Next)>,
}

fn read_part(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    range: &Range,
    stream: &mut ChunkStream,
) -> Result<ReadPart, ExtractError> {
    let schema = table.schema(job.source.id())?;
    let path = raw::part_path(job.state.workdir(), job.source.id(), &table.name, id, range.no);
    let begun = Instant::now();
    let (mut rows, mut bytes, mut cut) = (0, 0, None);
    // Of a whole table there is no boundary but its end.
    let whole = range.bounds == Bounds::default();
    let batches = std::iter::from_fn(|| {
        if cut.is_some() {
            return None;
        }
        job.progress.asked();
        let next = stream.next();
        job.progress.answered();
        let batch = match next? {
            Ok(batch) => batch,
            Err(e) => return Some(Err(ExtractError::from(e))),
        };
        let (n, size) = (batch.num_rows() as u64, batch.get_array_memory_size() as u64);
        rows += n;
        bytes += size;
        let next = match throttle.passed(n, size, &job.asking()) {
            Ok(next) => next,
            Err(e) => return Some(Err(e.into())),
        };
        if n > 0 && (next != Next::GoOn || long(rows, bytes, begun.elapsed(), job.chunk_rows)) {
            let key = job.source.key_at(table, &batch, batch.num_rows() - 1);
            cut = key.map(|key| (key, next));
        }
        if cut.is_none()
            && whole
            && let Err(e) = throttle.whole(&table.name, next, &job.asking())
        {
            return Some(Err(e));
        }
        Some(Ok(batch))
    });
    let part = raw::write_part(&path, schema, batches, |n| job.progress.rows(n))?;
    Ok(ReadPart { part, cut })
}

/// Reads a stream that cannot be cut into one part, trying again as a whole.
pub(super) fn read_whole(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    path: &std::path::Path,
    table: &Table,
    open: impl Fn() -> Result<ChunkStream, SourceError>,
) -> Result<PartInfo, ExtractError> {
    let schema = table.schema(job.source.id())?;
    let work = || {
        throttle.allowed()?;
        let mut stream = open()?;
        let heard = std::iter::from_fn(move || {
            job.progress.asked();
            let next = stream.next();
            job.progress.answered();
            next
        });
        let throttled = heard.map(|batch| {
            let batch = batch?;
            let (n, size) = (batch.num_rows() as u64, batch.get_array_memory_size() as u64);
            let next = throttle.passed(n, size, &job.asking())?;
            throttle.whole(&table.name, next, &job.asking())?;
            Ok(batch)
        });
        let made = raw::write_part(path, schema.clone(), throttled, |n| job.progress.rows(n));
        if let Err(ExtractError::Yielded { .. }) = made {
            throttle.wait_for_load(&job.asking())?;
        }
        made.map(Tried::Done)
    };
    retry(job.limits.retries, work, |e: Option<&ExtractError>, pause| job.wait(&table.name, e, pause))
}

impl<'a> Extraction<'a> {
    /// Runs a question to the source to its end.
    pub(super) fn wait_for<F: Future>(&self, future: F) -> F::Output {
        self.progress.asked();
        let answer = self.runtime.block_on(future);
        self.progress.answered();
        answer
    }

    /// Asks, again where that may help.
    pub(super) fn ask<T, F: Future<Output = Result<T, SourceError>>>(
        &self,
        table: &str,
        question: impl Fn() -> F,
    ) -> Result<T, ExtractError> {
        let work = || Ok(Tried::Done(self.wait_for(question())?));
        retry(self.limits.retries, work, |e: Option<&ExtractError>, pause| self.wait(table, e, pause))
    }

    pub(super) fn asking(&self) -> impl Fn() -> Result<Option<String>, SourceError> + Sync + '_ {
        || self.wait_for(self.source.under_load())
    }

    pub(super) fn wait(&self, table: &str, e: Option<&ExtractError>, pause: Duration) {
        if let Some(e) = e {
            let what = crate::mask::scrub(&e.to_string());
            tracing::warn!(
                source = self.source.id(),
                table,
                pause_ms = pause.as_millis(),
                "tried again after: {what}"
            );
            self.progress.tries_again(&what, pause);
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stop.asked() {
            std::thread::sleep(
                until.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::long;

    #[test]
    fn a_part_is_cut_by_its_rows_its_bytes_or_its_time_whichever_comes_first() {
        for (rows, bytes, seconds, cut) in [
            (199, 1, 1, false),
            (200, 1, 1, true),
            (1, (512 << 20) - 1, 1, false),
            (1, 512 << 20, 1, true),
            (1, 1, 299, false),
            (1, 1, 300, true),
        ] {
            assert_eq!(long(rows, bytes, Duration::from_secs(seconds), 100), cut, "{rows} {bytes} {seconds}");
        }
    }
}
