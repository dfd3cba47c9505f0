//! Base and increments of a source → one new base: an extract of the same point whose parts all lie in its own folders, few and full.
//!
//! Always: each table has the rows of before in their order, proved by their digest before anything is recorded; the new extract becomes
//! visible in one transaction, and until then counts as abandoned: what a kill leaves behind the next start removes. Nothing of the older
//! extracts is touched; `prune` removes them by its policy. The source is not connected to.

use std::path::Path;

use serde::Serialize;

use super::RunError;
use super::freeze::refuse_frozen;
use crate::dataset::PartInfo;
use crate::durable;
use crate::failpoint;
use crate::progress::Progress;
use crate::raw::{self, RawError};
use crate::source::SourceSettings;
use crate::state::{Changed, Extract, ExtractId, ExtractStatus, Reading, RunStatus, State, StateError};

/// Among the facts of an extract: which one it holds again.
const COMPACTED: &str = "compacted from";

/// What became of the newest extract of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compacted {
    pub source: String,
    /// The newest extract as it was.
    pub extract: String,
    /// The new base; none where all parts lie in the extract's own folders already.
    pub base: Option<String>,
    pub tables: u64,
    pub rows: u64,
    pub parts_before: u64,
    pub parts_after: u64,
}

/// Makes the newest extract of every source its own base; a source whose newest extract is that already is left as it is.
///
/// # Errors
/// `RAW-001` where nothing was extracted, `RUN-034` while an extract or a run is unfinished, `RUN-033` once the work directory is frozen,
/// `RUN-013` where a part is not what was recorded, `RAW-002`; `STA-…`, `DAT-…`, `DUR-001`.
pub fn compact(
    workdir: &Path,
    sources: &[SourceSettings],
    progress: &dyn Progress,
) -> Result<Vec<Compacted>, RunError> {
    drop(State::open_readonly(workdir)?);
    let state = State::open(workdir, "compact")?;
    refuse_frozen(&state)?;
    let mut newest = Vec::new();
    for of in sources {
        newest.push((of, settled(&state, &of.id)?));
    }
    newest.iter().map(|(of, extract)| one(&state, extract, of.chunk_rows.max(1), progress)).collect()
}

/// The newest extract of a source, which nothing unfinished stands on; what was abandoned is removed.
fn settled(state: &State, source: &str) -> Result<Extract, RunError> {
    let unfinished = |what: String| RunError::Unfinished { source_id: source.to_owned(), what };
    let mut newest = None;
    for extract in state.extracts(source)? {
        match extract.status {
            ExtractStatus::Abandoned => {
                raw::remove(state.workdir(), &extract)?;
                state.set_extract(extract.id, ExtractStatus::Removed)?;
            }
            ExtractStatus::Removed => {}
            ExtractStatus::Running | ExtractStatus::Complete | ExtractStatus::Mixed => newest = Some(extract),
        }
    }
    let newest = newest.ok_or_else(|| RawError::NoExtract { source_id: source.to_owned() })?;
    if newest.status != ExtractStatus::Complete {
        return Err(unfinished(newest.id.to_string()));
    }
    match state.runs()?.into_iter().find(|run| run.status == RunStatus::Running) {
        Some(run) => Err(unfinished(run.id.to_string())),
        None => Ok(newest),
    }
}

fn one(
    state: &State,
    extract: &Extract,
    part_rows: u64,
    progress: &dyn Progress,
) -> Result<Compacted, RunError> {
    let (mut readings, mut scattered) = (Vec::new(), false);
    for table in &extract.of.tables {
        let lost = || StateError::Impossible { what: format!("no reading of {table} in {}", extract.id) };
        let reading = state.reading(extract.id, table)?.ok_or_else(lost)?;
        let view = reading.view.clone().ok_or_else(lost)?;
        let own = raw::folder(state.workdir(), &extract.of.source, table, extract.id);
        scattered |= view.iter().any(|part| !part.path.starts_with(&own));
        readings.push((reading, view));
    }
    let before = readings.iter().map(|(_, view)| view.len() as u64).sum();
    let rows = readings.iter().flat_map(|(_, view)| view).map(|part| part.rows).sum();
    let (base, after) = if scattered {
        let (id, made) = rebase(state, extract, &readings, part_rows, progress)?;
        (Some(id.to_string()), made.iter().flat_map(|r| &r.view).map(|view| view.len() as u64).sum())
    } else {
        (None, before)
    };
    Ok(Compacted {
        source: extract.of.source.clone(),
        extract: extract.id.to_string(),
        base,
        tables: readings.len() as u64,
        rows,
        parts_before: before,
        parts_after: after,
    })
}

/// Writes the new base, proves it, and only then records it.
fn rebase(
    state: &State,
    extract: &Extract,
    readings: &[(Reading, Vec<PartInfo>)],
    part_rows: u64,
    progress: &dyn Progress,
) -> Result<(ExtractId, Vec<Reading>), RunError> {
    let mut facts: Vec<_> = extract.facts.iter().filter(|(name, _)| name != COMPACTED).cloned().collect();
    facts.push((COMPACTED.to_owned(), extract.id.to_string()));
    let id = state.begin_copy(extract, &facts)?;
    failpoint::hit("compact.begun");
    let mut made = Vec::new();
    for (reading, view) in readings {
        progress.start("compact", &reading.table, view.iter().map(|p| p.rows).sum());
        let parts = table(state, extract, id, (&reading.table, view), part_rows)?;
        progress.rows(parts.iter().map(|p| p.rows).sum());
        progress.finish();
        made.push(Reading {
            base: Some(extract.id),
            view: Some(parts),
            deletes: None,
            changed: Some(Changed::default()),
            ..reading.clone()
        });
        failpoint::hit("compact.table");
    }
    let mut measures = extract.measures.clone();
    if let Some(part) = &mut measures {
        intact(extract, part)?;
        let path = raw::measures_path(state.workdir(), &extract.of.source, id);
        durable::copy(&part.path, &path)?;
        part.path = path;
    }
    state.finish_copy(id, &made, measures.as_ref())?;
    failpoint::hit("compact.complete");
    tracing::info!(
        source = extract.of.source,
        extract = extract.id.to_string(),
        base = id.to_string(),
        "compacted"
    );
    Ok((id, made))
}

/// The parts of one table in the new extract, with the rows of before in their order.
fn table(
    state: &State,
    extract: &Extract,
    id: ExtractId,
    (name, view): (&str, &[PartInfo]),
    part_rows: u64,
) -> Result<Vec<PartInfo>, RunError> {
    view.iter().try_for_each(|part| intact(extract, part))?;
    let folder = raw::folder(state.workdir(), &extract.of.source, name, id);
    durable::create_dir_all(&folder)?;
    let parts = raw::gather(view, part_rows, &folder)?;
    let ((rows, digest), (found, anew)) = (raw::content(view)?, raw::content(&parts)?);
    let whole = parts.iter().all(raw::intact) && (rows, digest) == (found, anew);
    if !whole {
        return Err(RawError::OtherRows { table: name.to_owned(), rows, found }.into());
    }
    Ok(parts)
}

fn intact(extract: &Extract, part: &PartInfo) -> Result<(), RunError> {
    if raw::intact(part) {
        return Ok(());
    }
    Err(RunError::Damaged { extract: extract.id.to_string(), path: part.path.display().to_string() })
}
