//! source → raw for every source of a city: which tables, what the source is asked to sum, one extract each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RunError;
use super::extract::{Extracted, Extraction, extract};
use crate::mapping::{City, MeasureSpec, Reading, SourceView};
use crate::progress::Progress;
use crate::source::{self, Source, SourceSettings, Table, TableMeasures};
use crate::state::State;
use crate::stop::Stop;
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
        } else if city.view_of(source.id(), &table.name).is_some() {
            read.push(table);
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

/// Extracts every source of the city.
///
/// # Errors
/// Those of extraction.
pub async fn extract_all(
    state: &State,
    city: &City,
    sources: &[SourceSettings],
    progress: &Arc<dyn Progress>,
    stop: &Stop,
) -> Result<(BTreeMap<String, Extracted>, Vec<LeftAlone>), RunError> {
    let (mut extracted, mut left) = (BTreeMap::new(), Vec::new());
    for settings in sources_of(city, sources)? {
        let source = source::connect(settings).await?;
        let inventory = inventory(city, source.as_ref()).await?;
        let measures: Vec<TableMeasures> = inventory
            .read
            .iter()
            .filter_map(|t| city.view_of(source.id(), &t.name).and_then(|v| asked(v, &t.name)))
            .collect();
        let job = Extraction {
            state,
            source: source.as_ref(),
            tables: &inventory.read,
            measures: &measures,
            progress: progress.clone(),
            stop: stop.clone(),
        };
        extracted.insert(settings.id.clone(), extract(&job).await?);
        left.extend(inventory.left);
    }
    Ok((extracted, left))
}
