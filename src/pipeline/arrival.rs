//! What is read and goes nowhere (FORMS 4): legacy tables that no branch takes, declared amounts that no measure takes.
//!
//! Always: every legacy table that was read and every amount that a source file declares is asked about. Money goes nowhere until the
//! mapping says why (`[measures.not_mapped]`); a table that is only joined says so itself.

use super::RunError;
use super::map_stage::{Edges, Typed};
use super::measure_stage::piece;
use super::runner::{StageRunner, paths};
use crate::artifacts::Reach;
use crate::mapping::{Branch, Shape, SourceView};
use crate::measures::{self, Asked, Measure, Unarrived};

/// Buckets: why it is right that something does not arrive.
const JOINED_ONLY: &str = "joined_only";
const NOT_MAPPED: &str = "not_mapped";

/// The left sides of the edges to nowhere.
pub(super) fn unarrived(
    runner: &mut StageRunner<'_>,
    typed: &Typed,
    edges: &[Edges<'_>],
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let city = runner.city;
    for (label, report) in &typed.reports {
        let Some(view) = typed.views.get(label).and_then(|v| city.view(v)) else { continue };
        let asked = asked(runner, view, label, edges);
        if asked.is_empty() {
            continue;
        }
        let parts = paths(&report.typed);
        let of = Unarrived { table: label, typed: &parts, asked: &asked };
        let count = |engine: &crate::engine::Engine| Ok(measures::unarrived(engine, &of)?);
        all.extend(piece(runner, &format!("unarrived.{label}"), report.rows, count)?);
    }
    Ok(all)
}

/// What has to be asked of one legacy table: rows and amounts that do not all arrive by what the mapping says.
fn asked(runner: &StageRunner<'_>, view: &SourceView, label: &str, edges: &[Edges<'_>]) -> Vec<Asked> {
    let taking: Vec<&Branch> =
        runner.city.carriers(runner.national, &view.name).into_iter().map(|(_, branch)| branch).collect();
    let mut asked = Vec::new();
    if taking.is_empty() {
        let joined = runner.city.reach_of_rows(runner.national, view) == Reach::JoinedOnly;
        let bucket = if joined { JOINED_ONLY } else { "" };
        asked.push(Asked { amount: None, carried: Vec::new(), bucket: bucket.to_owned() });
    } else if let Some(carried) = carried(&taking, label, edges) {
        asked.push(Asked { amount: None, carried, bucket: String::new() });
    }
    let Some(spec) = &view.measures else { return asked };
    for amount in &spec.amounts {
        let taking: Vec<&Branch> = taking.iter().copied().filter(|b| b.carries(view, amount)).collect();
        let bucket = if spec.not_mapped.contains_key(amount) { NOT_MAPPED } else { "" };
        let carried = if taking.is_empty() { Some(Vec::new()) } else { carried(&taking, label, edges) };
        if let Some(carried) = carried {
            asked.push(Asked { amount: Some(amount.clone()), carried, bucket: bucket.to_owned() });
        }
    }
    asked
}

/// What names the rows that these branches take; none where one of them answers for all rows itself.
fn carried(taking: &[&Branch], label: &str, edges: &[Edges<'_>]) -> Option<Vec<std::path::PathBuf>> {
    if taking.iter().any(|b| b.decides_all_rows()) {
        return None;
    }
    let mut parts = Vec::new();
    for edge in edges.iter().filter(|e| taking.iter().any(|b| std::ptr::eq(*b, e.branch))) {
        let Some(report) = edge.reports.get(label) else { continue };
        parts.extend(match edge.branch.shape {
            Shape::Row | Shape::Split(_) => paths(&report.parts),
            Shape::Group(_) => paths(&report.lineage),
        });
    }
    Some(parts)
}
