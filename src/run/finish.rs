//! The end of a run: its summary, its page, its status.

use std::collections::BTreeMap;

use super::map_stage::{Edges, Typed};
use super::stages::Walk;
use super::{RunError, RunSettings};
use crate::clock;
use crate::raw::RawView;
use crate::trail::{ExtractRow, LeftAlone, Status, Summary, TableRow};

/// TODO first slice.
pub(super) fn finish(
    walk: Walk<'_>,
    settings: &RunSettings,
    raw: &BTreeMap<String, RawView>,
    _left: &[LeftAlone],
    _typed: &Typed,
    edges: &[Edges<'_>],
    started: String,
) -> Result<Summary, RunError> {
    let tables = edges
        .iter()
        .map(|e| TableRow {
            table: format!("{}/{}", e.table.table, e.branch.name),
            title: String::new(),
            mapped: e.rows(),
            accepted: 0,
            rejected: 0,
            held: 0,
            excluded: 0,
            merged: 0,
            file_digest: String::new(),
            content_digest: String::new(),
        })
        .collect();
    Ok(Summary {
        version: 1,
        run: walk.run.to_string(),
        status: Status::Done,
        blocked_by: Vec::new(),
        qianyi: env!("CARGO_PKG_VERSION").to_owned(),
        city: walk.city.id.clone(),
        city_name: walk.city.name.clone(),
        as_of: settings.as_of.to_string(),
        started,
        finished: clock::now(),
        config_digest: settings.config_digest.clone(),
        national_digest: walk.national.digest.clone(),
        mapping_digest: walk.city.digest.clone(),
        extracts: raw
            .iter()
            .map(|(source, v)| ExtractRow {
                source: source.clone(),
                extract: v.extract.to_string(),
                consistency: v.consistency.clone(),
                point: v.point.clone(),
                tables: v.tables.len() as u64,
                rows: v.tables.values().map(|t| t.rows).sum(),
            })
            .collect(),
        stages: walk.stages,
        tables,
        fates: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
        left_alone: Vec::new(),
        unexplained_rows: 0,
        unexplained_fen: 0,
        peak_rss_bytes: 0,
    })
}
