//! source → raw for every source of a city: which tables, what the source is asked to sum, one extract each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::extract::{ExtractError, Extracted, Extraction, allowed, extract, vanished};
use super::{RunError, RunSettings};
use crate::mapping::{City, MeasureSpec, Reading, SourceView};
use crate::progress::Progress;
use crate::retry::{Tried, retry};
use crate::source::{self, Source, SourceError, SourceSettings, Table, TableMeasures};
use crate::state::State;
use crate::trail::LeftAlone;

/// What a source holds, sorted by what becomes of it.
pub struct Inventory {
    /// Read by a layer-1 view.
    pub read: Vec<Table>,
    pub left: Vec<LeftAlone>,
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
                [] => "none".to_owned(),
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

/// Sorts the catalogue of a source.
///
/// # Errors
/// `RUN-002` when a view of layer 1 finds no table; those of the source.
pub async fn inventory(city: &City, source: &dyn Source) -> Result<Inventory, RunError> {
    let (mut read, mut left) = (Vec::new(), Vec::new());
    for table in source.catalogue().await? {
        let alone = |reason: &str, mapped| LeftAlone {
            source: source.id().to_owned(),
            table: table.name.clone(),
            reason: reason.to_owned(),
            mapped,
        };
        if let Some(reason) = city.ignored(&table.name) {
            left.push(alone(reason, true));
        } else if table.view {
            left.push(alone("a view", true));
        } else if let Some(view) = city.view_of(source.id(), &table.name) {
            read.push(table.reading_only(|column| !skipped(view, column)));
        } else {
            left.push(alone("no file under sources/ reads it", false));
        }
    }
    for view in city.sources.iter().filter(|v| v.source == source.id()) {
        if !read.iter().any(|t| view.matches(&t.name)) {
            return Err(RunError::NoTable {
                source_id: source.id().to_owned(),
                table: view.tables.to_string(),
                view: view.name.clone(),
            });
        }
    }
    Ok(Inventory { read, left })
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

/// What is set for a table, or was read before, is about a table that the source has.
fn known_tables(
    state: &State,
    source: &dyn Source,
    of: &SourceSettings,
    inventory: &Inventory,
) -> Result<(), RunError> {
    let read = inventory.read.iter().map(|t| t.name.as_str());
    let has: BTreeSet<&str> = read.chain(inventory.left.iter().map(|l| l.table.as_str())).collect();
    let extracts = state.extracts(source.id())?;
    let had = |name: &String| extracts.iter().any(|e| e.of.tables.contains(name));
    if let Some(name) = of.tables.keys().find(|n| !has.contains(n.as_str()) && !had(n)) {
        let what = format!("table {name}, which [sources.tables.{name}] is about");
        return Err(ExtractError::from(SourceError::Unknown { id: of.id.clone(), what }).into());
    }
    Ok(vanished(state, source, &has, &of.tables)?)
}

/// What is to be read anew is read at all.
fn wanted_anew(city: &City, settings: &RunSettings, sources: &[&SourceSettings]) -> Result<(), RunError> {
    let read = |name: &String| sources.iter().any(|of| city.view_of(&of.id, name).is_some());
    let Some(name) = settings.anew.iter().find(|name| !read(name)) else { return Ok(()) };
    let id = sources.iter().map(|of| of.id.as_str()).collect::<Vec<_>>().join(", ");
    let what = format!("table {name} to read anew among those that the mapping reads");
    Err(ExtractError::from(SourceError::Unknown { id, what }).into())
}

/// Extracts every source of the city.
///
/// # Errors
/// Those of extraction.
pub fn extract_all(
    state: &State,
    city: &City,
    settings: &RunSettings,
    progress: &Arc<dyn Progress>,
) -> Result<(BTreeMap<String, Extracted>, Vec<LeftAlone>), RunError> {
    let (mut extracted, mut left) = (BTreeMap::new(), Vec::new());
    let threads = runtime()?;
    let sources = sources_of(city, &settings.sources)?;
    wanted_anew(city, settings, &sources)?;
    for of in sources {
        allowed(&of.id, &of.limits, &settings.stop)?;
        let connect = || Ok(Tried::Done(threads.block_on(source::connect(of))?));
        let source = retry(of.limits.retries, connect, |e: Option<&SourceError>, pause| {
            if let Some(e) = e {
                tracing::warn!(source = of.id, "connected again after: {e}");
            }
            if !settings.stop.asked() {
                std::thread::sleep(pause);
            }
        })?;
        let inventory = threads.block_on(inventory(city, source.as_ref()))?;
        known_tables(state, source.as_ref(), of, &inventory)?;
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
            chunk_rows: of.chunk_rows.max(1),
            anew: &settings.anew,
            stop: &settings.stop,
            measures: &measures,
            progress: progress.clone(),
        };
        extracted.insert(of.id.clone(), extract(&job)?);
        left.extend(inventory.left);
    }
    Ok((extracted, left))
}
