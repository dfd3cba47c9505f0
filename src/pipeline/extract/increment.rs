//! One table by its changes since an earlier extract: what is read, what was deleted, and the table as it is now.
//!
//! Always: what an increment comes to has as many rows as the source counts at the same point, or it is refused. A method that does
//! not see deletes is followed by a reading of all keys.

use std::path::{Path, PathBuf};

use super::full::{read_missing, read_whole};
use super::throttle::Throttle;
use super::{ExtractError, Extraction, drift};
use crate::dataset::{self, PartInfo};
use crate::durable;
use crate::failpoint;
use crate::raw;
use crate::source::{Bounds, ChangeMethod, SourceError, Table, TableSettings};
use crate::state::{Changed, Chunk, ExtractId, ExtractStatus, Reading, State};

/// A view of more parts than this, beyond those that its rows need, is rewritten into few.
const LOOSE_PARTS: usize = 64;

/// The finished readings of a table under these settings in all extracts `but` one, newest first, with their extracts.
pub(super) fn earlier(
    state: &State,
    source: &str,
    but: Option<ExtractId>,
    settings: &str,
    table: &str,
) -> Result<Vec<(ExtractId, Reading)>, ExtractError> {
    let mut found = Vec::new();
    for extract in state.extracts(source)?.into_iter().rev() {
        let usable = matches!(extract.status, ExtractStatus::Complete | ExtractStatus::Mixed);
        if !usable || Some(extract.id) == but || extract.of.settings != settings {
            continue;
        }
        let reading = state.reading(extract.id, table)?;
        found.extend(reading.filter(|r| r.view.is_some()).map(|r| (extract.id, r)));
    }
    Ok(found)
}

/// The newest reading that changes can go over: of the same table with the same columns and key, every part as it was recorded.
fn base(
    earlier: Vec<(ExtractId, Reading)>,
    table: &Table,
    how: &TableSettings,
) -> Option<(ExtractId, Reading)> {
    let columns = drift::columns(table);
    let like = |r: &Reading| r.columns == columns && r.key == table.key && r.identity == table.identity;
    let whole = |r: &Reading| r.view.iter().flatten().all(raw::intact);
    let newest = earlier.into_iter().find(|(_, r)| like(r) && whole(r))?;
    let follows = newest.1.watermark.is_some() && newest.1.method == how.method();
    (how.changes == ChangeMethod::Compare || follows).then_some(newest)
}

/// Whether the changes since an earlier reading can be trusted; `compare` reads everything, and trusts nothing.
pub(super) fn trusted(
    job: &Extraction<'_>,
    how: &TableSettings,
    before: &Reading,
) -> Result<bool, ExtractError> {
    let Some(since) = before.watermark.as_deref().filter(|_| how.changes != ChangeMethod::Compare) else {
        return Ok(true);
    };
    let goes_on = job.ask(&before.table, || job.source.goes_on(since))?;
    if !goes_on {
        tracing::warn!(
            table = before.table,
            "the server was started again since its last extract: nobody can prove that it is not an older copy, so it is read in full"
        );
    }
    Ok(goes_on)
}

/// Decides how a table is read, and records it with its chunks.
pub(super) fn plan(
    job: &Extraction<'_>,
    id: ExtractId,
    settings: &str,
    table: &mut Table,
) -> Result<Reading, ExtractError> {
    let how = job.how(&table.name);
    let earlier = earlier(job.state, job.source.id(), Some(id), settings, &table.name)?;
    if let Some((_, before)) = earlier.first() {
        drift::reconcile_columns(table, before, how.drift)?;
    }
    if table.key.is_empty() && how.changes != ChangeMethod::Full {
        tracing::warn!(
            table = table.name,
            "no unique key: its changes cannot be followed, it is read in full"
        );
    }
    let watermark = job.ask(&table.name, || job.source.watermark(table, &how))?;
    let full_refresh =
        job.full_refresh.contains(&table.name) || how.changes == ChangeMethod::Full || table.key.is_empty();
    let base = if full_refresh { None } else { base(earlier, table, &how) };
    let base = match base {
        Some((extract, before)) if trusted(job, &how, &before)? => Some((extract, before)),
        Some(_) | None => None,
    };
    let bounds = match (&base, how.changes) {
        (Some(_), ChangeMethod::ChangeTracking | ChangeMethod::Rowversion | ChangeMethod::Timestamp) => {
            vec![Bounds::default()]
        }
        (Some(_), ChangeMethod::Full | ChangeMethod::Compare) | (None, _) => {
            job.ask(&table.name, || job.source.chunks(table))?
        }
    };
    if table.key.is_empty() && table.estimated_rows > job.chunk_rows {
        tracing::warn!(
            table = table.name,
            "no unique key: read as one stream, and again after an interruption"
        );
    }
    let reading = Reading {
        table: table.name.clone(),
        method: how.method(),
        base: base.map(|(extract, _)| extract),
        columns: drift::columns(table),
        unread: drift::unread(table),
        identity: table.identity.clone(),
        key: table.key.clone(),
        watermark,
        view: None,
        deletes: None,
        changed: None,
    };
    let texts: Vec<String> = bounds.iter().map(|b| serde_json::json!(b).to_string()).collect();
    job.state.begin_reading(id, &reading, &texts)?;
    failpoint::hit("extract.planned");
    Ok(reading)
}

/// Reads the changes of a table over `base`, and what it has become; rows that were read.
pub(super) fn read(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    reading: &mut Reading,
    base: ExtractId,
    counted: u64,
) -> Result<u64, ExtractError> {
    let how = job.how(&table.name);
    let folder = raw::folder(job.state.workdir(), job.source.id(), &table.name, id);
    durable::create_dir_all(&folder)?;
    let before = raw::parts(job.state, base, &table.name)?;
    let read = if how.changes == ChangeMethod::Compare {
        compare(job, throttle, id, table, reading, &before)?
    } else {
        follow(job, throttle, &Following { id, table, how: &how, base, before: &before, folder }, reading)?
    };
    let rows: u64 = reading.view.iter().flatten().map(|p| p.rows).sum();
    if rows != counted && !job.fuzzy() {
        return Err(ExtractError::Increment { table: table.name.clone(), rows, counted });
    }
    job.state.finish_reading(id, reading)?;
    failpoint::hit("extract.merged");
    tidy(job, id, table, reading.view.as_deref().unwrap_or_default(), reading.deletes.as_ref())?;
    Ok(read)
}

/// Removes what a finished increment needed on its way: its folder holds the parts of its view and its tombstones, nothing else.
pub(super) fn tidy(
    job: &Extraction<'_>,
    id: ExtractId,
    table: &Table,
    view: &[PartInfo],
    deletes: Option<&PartInfo>,
) -> Result<(), ExtractError> {
    let needed = |path: &Path| view.iter().chain(deletes).any(|part| part.path == path);
    for chunk in job.state.chunks(id, &table.name)? {
        if chunk.part.is_some_and(|part| !needed(&part.path)) {
            job.state.forget_chunk(id, &table.name, chunk.no)?;
        }
    }
    let folder = raw::folder(job.state.workdir(), job.source.id(), &table.name, id);
    for path in dataset::left_parts(&folder)? {
        if !needed(&path) {
            durable::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Reads the whole table and compares; the older parts stay where nothing changed.
fn compare(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    id: ExtractId,
    table: &Table,
    reading: &mut Reading,
    before: &[PartInfo],
) -> Result<u64, ExtractError> {
    let missing: Vec<Chunk> =
        job.state.chunks(id, &table.name)?.into_iter().filter(|c| c.part.is_none()).collect();
    let read = read_missing(job, throttle, id, table, missing)?;
    let now: Vec<PartInfo> = job.state.chunks(id, &table.name)?.into_iter().filter_map(|c| c.part).collect();
    let changed = raw::compare(before, &now, &table.key)?;
    reading.changed = Some(changed);
    if changed == Changed::default() {
        reading.view = Some(before.to_vec());
        return Ok(read);
    }
    let folder = raw::folder(job.state.workdir(), job.source.id(), &table.name, id);
    reading.deletes = Some(raw::vanished(before, &now, &table.key, &folder.join("deletes.parquet"))?);
    reading.view = Some(now);
    Ok(read)
}

/// What following the changes of a table needs.
struct Following<'a> {
    id: ExtractId,
    table: &'a Table,
    how: &'a TableSettings,
    base: ExtractId,
    before: &'a [PartInfo],
    folder: PathBuf,
}

fn follow(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    of: &Following<'_>,
    reading: &mut Reading,
) -> Result<u64, ExtractError> {
    let Following { id, table, how, before, folder, .. } = of;
    let earlier = job.state.reading(of.base, &table.name)?.and_then(|r| r.watermark);
    let since = earlier.ok_or_else(|| SourceError::NoMethod {
        id: job.source.id().to_owned(),
        table: table.name.clone(),
        method: how.changes.text(),
    })?;
    let mut read = 0;
    let chunks = job.state.chunks(*id, &table.name)?;
    let upserts = match chunks.first().and_then(|c| c.part.clone()) {
        Some(part) if raw::intact(&part) => part,
        Some(_) | None => {
            let path = raw::part_path(job.state.workdir(), job.source.id(), &table.name, *id, 1);
            let open = || job.wait_for(job.source.changed(table, how, &since));
            let part = read_whole(job, throttle, &path, table, open)?;
            failpoint::hit("extract.written");
            job.state.record_chunk(*id, &table.name, 1, &part)?;
            read += part.rows;
            part
        }
    };
    let deletes = deletes(job, throttle, of, &since, &upserts)?;
    let merged = raw::merge(before, &[upserts], Some(&deletes), &table.key, folder)?;
    let rows: u64 = merged.parts.iter().map(|p| p.rows).sum();
    let needed = usize::try_from(rows / job.chunk_rows.max(1)).unwrap_or(usize::MAX);
    reading.view = Some(if merged.parts.len() > needed.saturating_mul(2).saturating_add(LOOSE_PARTS) {
        raw::compact(&merged.parts, job.chunk_rows, folder)?
    } else {
        merged.parts
    });
    reading.changed = Some(merged.changed);
    reading.deletes = Some(deletes);
    Ok(read)
}

/// The keys of deleted rows: told by the source, else those of the base that it no longer has.
fn deletes(
    job: &Extraction<'_>,
    throttle: &Throttle<'_>,
    of: &Following<'_>,
    since: &str,
    upserts: &PartInfo,
) -> Result<PartInfo, ExtractError> {
    let Following { table, how, before, folder, .. } = of;
    let keys = table.keys_only();
    let path = folder.join("deletes.parquet");
    if how.changes == ChangeMethod::ChangeTracking {
        let open = || {
            let told = job.wait_for(job.source.deleted(table, how, since))?;
            told.ok_or_else(|| SourceError::NoMethod {
                id: job.source.id().to_owned(),
                table: table.name.clone(),
                method: how.changes.text(),
            })
        };
        return read_whole(job, throttle, &path, &keys, open);
    }
    let scanned = folder.join("keys.parquet");
    let open = || job.wait_for(job.source.read_chunk(&keys, &Bounds::default()));
    let now = read_whole(job, throttle, &scanned, &keys, open)?;
    // A key that changed is a new row and a vanished one.
    let deletes = raw::vanished(before, &[now, upserts.clone()], &table.key, &path)?;
    durable::remove_file(&scanned)?;
    Ok(deletes)
}
