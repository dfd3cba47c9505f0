//! Extracts that are there, in place of new ones: a mapping is worked on without the source.
//!
//! Always: complete extracts alone, every part verified by its digest; no source is connected to. What the mapping now wants and an
//! extract does not hold (tables, columns, sums) is refused by name, all of it at once. What the source had besides is recorded with
//! the extract, so that tables that nobody decided about block as they do in a run that reads.
//! Must not know: how a source is read.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use arrow::datatypes::DataType;

use super::RunError;
use super::preflight::{ignored, mapped, refuse};
use super::raw_stage::{asked, left_alone};
use crate::artifacts::LeftAlone;
use crate::encoding::{TextEncoding, bytes_column, encoding_of};
use crate::mapping::{City, SourceView};
use crate::phrase;
use crate::raw::{self, RawView};
use crate::source::{SourceKind, SourceSettings, TableMeasures};
use crate::state::{Extract, ExtractId, ExtractStatus, State, StateError};

/// Which extract of a source a run stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The newest complete one of every source.
    Latest,
    /// This one; the other sources need one of their own, or `latest`.
    One(ExtractId),
}

impl FromStr for Held {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            id => id.parse().map(Self::One).map_err(|e| format!("{e}, and not `latest`")),
        }
    }
}

/// An extract as a city's mapping sees it.
pub struct HeldExtract {
    /// The tables that the mapping reads.
    pub view: RawView,
    /// What it leaves alone, of the extract and of what else the source had.
    pub left: Vec<LeftAlone>,
    /// What the mapping wants and the extract does not hold.
    pub problems: Vec<RunError>,
}

/// The extracts that are named, by source.
///
/// # Errors
/// `RUN-008` to `RUN-010`, `RUN-013`, `RUN-014`; those of state.db and of the parts.
pub fn held(
    state: &State,
    city: &City,
    sources: &[SourceSettings],
    wanted: &[Held],
) -> Result<BTreeMap<String, HeldExtract>, RunError> {
    let mut known = BTreeSet::new();
    for source in &city.source_ids {
        known.extend(state.extracts(source)?.into_iter().map(|e| e.id));
    }
    for wanted in wanted {
        if let Held::One(id) = wanted
            && !known.contains(id)
        {
            return Err(RunError::NoExtract { extract: id.to_string(), city: city.id.clone() });
        }
    }
    let mut chosen = BTreeMap::new();
    for source in &city.source_ids {
        chosen.insert(source.clone(), choose(state, source, wanted)?);
    }
    chosen.into_iter().map(|(source, extract)| Ok((source, seen(state, city, sources, extract)?))).collect()
}

/// Their views, where the mapping finds everything that it wants.
///
/// # Errors
/// As [`held`]; `RUN-006`, `RUN-011`, `RUN-012`, `RUN-016`, `MAP-102`.
pub(super) fn views(
    state: &State,
    city: &City,
    sources: &[SourceSettings],
    wanted: &[Held],
) -> Result<(BTreeMap<String, RawView>, Vec<LeftAlone>), RunError> {
    let (mut views, mut left, mut problems) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (source, held) in held(state, city, sources, wanted)? {
        views.insert(source, held.view);
        left.extend(held.left);
        problems.extend(held.problems);
    }
    refuse(problems)?;
    Ok((views, left))
}

fn choose(state: &State, source: &str, wanted: &[Held]) -> Result<Extract, RunError> {
    let all = state.extracts(source)?;
    let latest = all.iter().rfind(|e| e.status == ExtractStatus::Complete);
    let mut named: Vec<&Extract> = all.iter().filter(|e| wanted.contains(&Held::One(e.id))).collect();
    if named.is_empty() && wanted.contains(&Held::Latest) {
        named.push(latest.ok_or_else(|| raw::RawError::NoExtract { source_id: source.to_owned() })?);
    }
    match named.as_slice() {
        [one] if one.status == ExtractStatus::Complete => Ok((*one).clone()),
        [one] => Err(RunError::NotComplete {
            extract: one.id.to_string(),
            source_id: source.to_owned(),
            status: one.status.text(),
        }),
        several => {
            let ids: Vec<String> = several.iter().map(|e| e.id.to_string()).collect();
            let named = if ids.is_empty() { phrase!("source.none") } else { ids.join(", ") };
            Err(RunError::OneExtract { source_id: source.to_owned(), named })
        }
    }
}

fn seen(
    state: &State,
    city: &City,
    sources: &[SourceSettings],
    extract: Extract,
) -> Result<HeldExtract, RunError> {
    let (id, source) = (extract.id.to_string(), extract.of.source.clone());
    let others = extract
        .others
        .clone()
        .ok_or_else(|| RunError::NoInventory { extract: id.clone(), source_id: source.clone() })?;
    verify(state, &extract)?;
    let said: Vec<TableMeasures> = match &extract.asked {
        Some(text) => serde_json::from_str(text)
            .map_err(|e| StateError::Impossible { what: format!("measures of {id}: {e}") })?,
        None => Vec::new(),
    };
    let settings = extract.of.settings.clone();
    let mut view = raw::view_of(state, extract)?;
    // Whether a view of the database is one of the tables of the extract makes no difference here: what it holds is read.
    let tables = view.tables.keys().map(|name| (name.clone(), false));
    let tables: Vec<(String, bool)> = tables.chain(others.into_iter().map(|o| (o.table, o.view))).collect();
    let (mut left, mut problems) = (Vec::new(), Vec::new());
    for (name, is_view) in &tables {
        let beside = |of: &SourceView| view.tables.keys().any(|held| of.matches(held));
        match left_alone(city, &source, name, *is_view, beside) {
            Ok(reads) if !view.tables.contains_key(name) => problems.push(RunError::NotHeld {
                extract: id.clone(),
                what: format!("table {name}"),
                view: reads.name.clone(),
            }),
            Ok(_) => {}
            Err(alone) => left.push(alone),
        }
    }
    view.tables.retain(|name, _| !left.iter().any(|l| l.table == *name));
    problems.extend(wanted(city, &source, &id, &view, &said, &tables));
    let set = sources.iter().find(|s| s.id == source);
    if let Some(set) = set.filter(|set| !read_alike(set, &settings)) {
        problems.extend(other_encodings(set, &id, &view));
    }
    Ok(HeldExtract { view, left, problems })
}

/// Every part is there and is what was recorded.
fn verify(state: &State, extract: &Extract) -> Result<(), RunError> {
    let mut parts: Vec<_> = extract.measures.iter().cloned().collect();
    for table in &extract.of.tables {
        parts.extend(raw::parts(state, extract.id, table)?);
    }
    match parts.into_iter().find(|part| !raw::intact(part)) {
        Some(part) => {
            Err(RunError::Damaged { extract: extract.id.to_string(), path: part.path.display().to_string() })
        }
        None => Ok(()),
    }
}

/// Whether an extract was read under these encodings, by what it recorded of its settings.
fn read_alike(set: &SourceSettings, recorded: &str) -> bool {
    let spelled = recorded.rsplit_once(", form ").map_or(recorded, |(before, _)| before);
    spelled.ends_with(&format!(", {}", set.spellings()))
}

/// Columns that the configuration now reads in another encoding than they were read in.
fn other_encodings(settings: &SourceSettings, extract: &str, held: &RawView) -> Vec<RunError> {
    let mut found = Vec::new();
    for (name, table) in &held.tables {
        let texts = table.schema.fields().iter().filter(|f| *f.data_type() == DataType::Utf8);
        for column in texts.map(|f| f.name()) {
            let (Some(now), Some(was)) =
                (settings.encoding_of(name, column), encoding_of(&table.schema, &bytes_column(column)))
            else {
                continue;
            };
            // UTF-16 is a matter of the column's type; so is UTF-8 in SQLite, unless the column itself says otherwise.
            let own = settings.table(name).columns.get(column).is_some_and(|c| c.encoding.is_some());
            let of_type = settings.kind == SourceKind::Sqlite && was == TextEncoding::Utf8 && !own;
            if was != TextEncoding::Utf16 && !of_type && was != now {
                found.push(RunError::OtherEncoding {
                    extract: extract.to_owned(),
                    column: format!("{name}.{column}"),
                    was: was.to_string(),
                    now: now.to_string(),
                });
            }
        }
    }
    found
}

/// What the files of layer 1 want of an extract, and it does not hold.
fn wanted(
    city: &City,
    source: &str,
    extract: &str,
    held: &RawView,
    said: &[TableMeasures],
    tables: &[(String, bool)],
) -> Vec<RunError> {
    let not_held = |what: String, view: &SourceView| RunError::NotHeld {
        extract: extract.to_owned(),
        what,
        view: view.name.clone(),
    };
    let mut found = Vec::new();
    for view in city.sources.iter().filter(|v| v.source == source) {
        let mut own =
            tables.iter().map(|(name, _)| name.as_str()).filter(|name| view.matches(name)).peekable();
        if own.peek().is_none() {
            found.push(not_held(format!("table {}", view.tables), view));
        } else if !own.clone().any(|name| held.tables.contains_key(name)) {
            found.extend(ignored(city, source, view, own));
        }
    }
    for (name, table) in &held.tables {
        let Some(view) = city.view_of(source, name) else { continue };
        let missing = |c: &&str| table.schema.column_with_name(c).is_none();
        let mut columns: Vec<&str> =
            view.read_columns().map(|(c, _)| c.from.as_str()).filter(missing).collect();
        columns.dedup();
        if columns.is_empty() {
            found.extend(mapped(view, name, &table.schema));
        }
        found.extend(columns.iter().map(|c| not_held(format!("column {name}.{c}"), view)));
        let plain = || TableMeasures { table: name.clone(), by: Vec::new(), amounts: Vec::new() };
        let now = asked(view, name).unwrap_or_else(plain);
        if columns.is_empty() && !said.contains(&now) {
            found.push(RunError::OtherSums {
                extract: extract.to_owned(),
                source_id: source.to_owned(),
                table: name.clone(),
                view: view.name.clone(),
            });
        }
    }
    found
}
