//! Rows as cleaning left them against rows behind the gate, which only sorts them: each must be there, unchanged (mapped–dispositions, `content`).
//!
//! Always: read from the parts, whatever the gate says of itself; the rows that differ are a dataset of the run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunError;
use super::clean_stage::Cleaned;
use super::finished::Finished;
use super::gate_stage::Gated;
use super::map_stage::Edges;
use super::runner::{StageRunner, paths};
use crate::dataset::{PartInfo, left_parts};
use crate::durable;
use crate::measures::{self, ALL, Compared, Differing, Measure, boundary, side};

/// What one table came to.
#[derive(Serialize, Deserialize)]
struct Piece {
    rows: u64,
    part: PartInfo,
    /// Rows that differ; none where all are the same.
    differing: Option<PartInfo>,
}

/// Both sides of every table behind the gate.
pub(super) fn compare_all(
    runner: &mut StageRunner<'_>,
    edges: &[Edges<'_>],
    cleaned: &Cleaned,
    gated: &BTreeMap<String, Gated>,
) -> Result<Vec<Measure>, RunError> {
    let before = cleaned.tables(edges);
    let mut all = Vec::new();
    for (table, of) in gated {
        let before = before.get(table).map_or(&[][..], Vec::as_slice);
        let behind: Vec<PathBuf> = [paths(&of.gate.staged), paths(&of.gate.rejected)].concat();
        let (name, inputs) = (format!("content.{table}"), runner.of_everything());
        let (to, differing) = (runner.dir.measures(&name), runner.dir.differing(table));
        let done = runner.once(
            "count",
            &name,
            &inputs,
            of.gate.rows,
            |w| {
                let found = measures::compare_rows(w.engine.partitions(), before, &behind)?;
                let part = measures::write_measures(&to, &counted(table, &found))?;
                let named = (!found.differing.is_empty()).then(|| {
                    differing.parent().map_or(Ok(()), durable::create_dir_all)?;
                    Ok::<_, RunError>(measures::write_differing(&differing, &found.differing)?)
                });
                Ok(Piece { rows: found.rows, part, differing: named.transpose()? })
            },
            |p: &Piece| (p.rows, std::iter::once(&p.part).chain(&p.differing).cloned().collect()),
        )?;
        all.extend(measures::read_measures(&done.part.path)?);
    }
    Ok(all)
}

fn counted(table: &str, of: &Compared) -> Vec<Measure> {
    let measure = |side: &str, value: u64| Measure {
        boundary: boundary::MAPPED_DISPOSITIONS.to_owned(),
        side: side.to_owned(),
        table: table.to_owned(),
        measure: measures::CONTENT.to_owned(),
        insurance: ALL.to_owned(),
        period: ALL.to_owned(),
        bucket: String::new(),
        value: value.into(),
    };
    vec![measure(side::MAPPED, of.rows), measure(side::DISPOSITIONS, of.same)]
}

/// Rows of a run that are not behind the gate as they were before it, by table; at most [`measures::NAMED`] of each.
///
/// # Errors
/// `DAT-…`, `MEA-002`.
pub fn differing_rows(of: &Finished) -> Result<Vec<(String, Vec<Differing>)>, RunError> {
    let mut all = Vec::new();
    for part in left_parts(&of.dir.path().join("differing"))? {
        let table = part.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        all.push((table, measures::read_differing(&part)?));
    }
    Ok(all)
}
