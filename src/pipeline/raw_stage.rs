//! source → raw for every source of a city: which tables, what the source is asked to sum, one extract each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::extract::{ExtractError, Extracted, Extraction, Purpose, allowed, extract};
use super::freeze::refuse_frozen;
use super::parts::Parts;
use super::preflight::{preflight, refuse};
use super::{RunError, RunSettings};
use crate::artifacts::LeftAlone;
use crate::mapping::{City, MeasureSpec, Reading, SourceView};
use crate::phrase;
use crate::progress::Progress;
use crate::retry::{Tried, retry};
use crate::source::{self, Source, SourceError, SourceSettings, Table, TableMeasures};
use crate::state::{OtherTable, State};

/// What a source holds, sorted by what becomes of it.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Read by a layer-1 view.
    pub read: Vec<Table>,
    /// The others, and why.
    pub left: Vec<(Table, LeftAlone)>,
    /// Those to be read that the source refuses, or shows in part.
    pub refused: BTreeSet<String>,
}

/// The settings of the sources that a city reads, in the city's order.
///
/// # Errors
/// `RUN-001` when the configuration lacks one.
pub fn sources_of<'s>(
    city: &City,
    sources: &'s [SourceSettings],
) -> Result<Vec<&'s SourceSettings>, RunError> {
    let find = |wanted: &String| {
        sources.iter().find(|s| s.id == *wanted).ok_or_else(|| RunError::NoSource {
            city: city.id.clone(),
            wanted: wanted.clone(),
            known: match sources {
                [] => phrase!("source.none"),
                _ => sources.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", "),
            },
        })
    };
    city.source_ids.iter().map(find).collect()
}

/// Whether a view has no use for a legacy column: neither it nor its measures.
fn skipped(view: &SourceView, legacy: &str) -> bool {
    let mut named = view.columns.iter().filter(|c| c.from == legacy).peekable();
    let by = view.measures.as_ref().is_some_and(|m| m.by.iter().any(|b| b == legacy));
    named.peek().is_some() && named.all(|c| matches!(c.reading, Reading::Skip(_))) && !by
}

/// The layer-1 view that reads a table, or why nothing does. A view of the database is read where its file reads no table `beside` it:
/// the rows of both would be the same.
///
/// # Errors
/// Not an error, but the other half: why a table is left alone.
pub(super) fn left_alone<'c>(
    city: &'c City,
    source: &str,
    table: &str,
    is_view: bool,
    beside: impl Fn(&SourceView) -> bool,
) -> Result<&'c SourceView, LeftAlone> {
    let alone = |reason: &str, mapped| LeftAlone {
        source: source.to_owned(),
        table: table.to_owned(),
        reason: reason.to_owned(),
        mapped,
    };
    if let Some(ignore) = city.ignored(table) {
        return Err(alone(&ignore.reason, true));
    }
    match city.view_of(source, table) {
        Some(view) if is_view && beside(view) => Err(alone("a view", true)),
        Some(view) => Ok(view),
        None if is_view => Err(alone("a view", true)),
        None => Err(alone("no file under sources/ reads it", false)),
    }
}

/// Sorts the catalogue of a source; and the tables whose rows would be read twice.
pub(super) fn inventory(city: &City, source: &str, catalogue: Vec<Table>) -> (Inventory, Vec<SourceError>) {
    let parts = Parts::of(&catalogue);
    let tables: BTreeSet<String> = catalogue.iter().filter(|t| !t.view).map(|t| t.name.clone()).collect();
    let beside = |view: &SourceView| tables.iter().any(|t| view.matches(t));
    let mut inventory = Inventory::default();
    for table in catalogue {
        match left_alone(city, source, &table.name, table.view, beside) {
            Ok(view) => inventory.read.push(table.reading_only(|column| !skipped(view, column))),
            Err(alone) => inventory.left.push((table, alone)),
        }
    }
    let problems = parts.once(source, &mut inventory.read);
    parts.explain(&inventory.read, inventory.left.iter_mut().map(|(_, alone)| alone));
    (inventory, problems)
}

/// What a source is asked to sum of a table: legacy columns, in its own spelling.
pub(super) fn asked(view: &SourceView, table: &str) -> Option<TableMeasures> {
    let MeasureSpec { by, amounts, .. } = view.measures.as_ref()?;
    let legacy = |name: &String| {
        let column = view.column(name)?;
        matches!(column.reading, Reading::Viewed(_)).then(|| column.from.clone())
    };
    let mut amounts: Vec<String> = amounts.iter().filter_map(legacy).collect();
    amounts.sort();
    amounts.dedup();
    Some(TableMeasures { table: table.to_owned(), by: by.clone(), amounts })
}

/// Threads that decode what sources send; writing has threads of its own.
const EXTRACT_THREADS: usize = 2;

/// What extraction runs on: connections and decoding.
fn runtime() -> Result<Runtime, RunError> {
    let threads = Builder::new_multi_thread().worker_threads(EXTRACT_THREADS).enable_all().build();
    threads.map_err(|_| RunError::Thread)
}

/// What is to be read again is read at all.
fn wanted_full_refresh(
    city: &City,
    settings: &RunSettings,
    sources: &[&SourceSettings],
) -> Result<(), RunError> {
    let read = |name: &String| sources.iter().any(|of| city.view_of(&of.id, name).is_some());
    let Some(name) = settings.full_refresh.iter().find(|name| !read(name)) else { return Ok(()) };
    let id = sources.iter().map(|of| of.id.as_str()).collect::<Vec<_>>().join(", ");
    let what = phrase!("source.read_again", name);
    Err(ExtractError::from(SourceError::Unknown { id, what }).into())
}

/// Connects, as often as a transient failure allows.
fn connect(
    threads: &Runtime,
    of: &SourceSettings,
    settings: &RunSettings,
    progress: &dyn Progress,
) -> Result<Box<dyn Source>, RunError> {
    let connect = || Ok(Tried::Done(threads.block_on(source::connect(of))?));
    let connected = retry(of.limits.retries, connect, |e: Option<&SourceError>, pause| {
        if let Some(e) = e {
            let what = crate::mask::scrub(&e.to_string());
            tracing::warn!(source = of.id, pause_ms = pause.as_millis(), "connected again after: {what}");
            progress.tries_again(&what, pause);
        }
        if !settings.stop.asked() {
            std::thread::sleep(pause);
        }
    });
    Ok(connected?)
}

/// Says what is wrong with any source before the first is read; those whose window is closed have their turn later.
fn every_source(
    threads: &Runtime,
    state: &State,
    city: &City,
    sources: &[&SourceSettings],
    settings: &RunSettings,
    progress: &dyn Progress,
) -> Result<(), RunError> {
    let mut problems = Vec::new();
    for of in sources {
        if allowed(&of.id, &of.limits, of.time_zone, &settings.stop).is_ok() {
            let source = connect(threads, of, settings, progress)?;
            problems.extend(threads.block_on(preflight(source.as_ref(), city, of, Some(state)))?.1);
        }
    }
    refuse(problems)
}

/// Extracts every source of the city.
///
/// # Errors
/// `RUN-033` once the work directory is frozen; `RUN-006` and every error that [`preflight`] finds; those of extraction.
pub fn extract_all(
    state: &State,
    city: &City,
    settings: &RunSettings,
    purpose: Purpose,
    progress: &Arc<dyn Progress>,
) -> Result<(BTreeMap<String, Extracted>, Vec<LeftAlone>), RunError> {
    refuse_frozen(state)?;
    let (mut extracted, mut left) = (BTreeMap::new(), Vec::new());
    let threads = runtime()?;
    let sources = sources_of(city, &settings.sources)?;
    wanted_full_refresh(city, settings, &sources)?;
    if sources.len() > 1 {
        every_source(&threads, state, city, &sources, settings, progress.as_ref())?;
    }
    for of in sources {
        allowed(&of.id, &of.limits, of.time_zone, &settings.stop)?;
        let source = connect(&threads, of, settings, progress.as_ref())?;
        let (inventory, problems) = threads.block_on(preflight(source.as_ref(), city, of, Some(state)))?;
        refuse(problems)?;
        let measures: Vec<TableMeasures> = inventory
            .read
            .iter()
            .filter_map(|t| city.view_of(source.id(), &t.name).and_then(|v| asked(v, &t.name)))
            .collect();
        let job = Extraction {
            state,
            source: source.as_ref(),
            runtime: threads.handle(),
            tables: &inventory.read,
            settings: &of.tables,
            limits: &of.limits,
            zone: of.time_zone,
            chunk_rows: of.chunk_rows.max(1),
            full_refresh: &settings.full_refresh,
            stop: &settings.stop,
            measures: &measures,
            progress: progress.clone(),
            purpose,
        };
        let done = extract(&job)?;
        let other = |(table, _): &(Table, _)| OtherTable { table: table.name.clone(), view: table.view };
        state.set_others(done.id, &inventory.left.iter().map(other).collect::<Vec<_>>())?;
        extracted.insert(of.id.clone(), done);
        left.extend(inventory.left.into_iter().map(|(_, alone)| alone));
    }
    Ok((extracted, left))
}
