//! findings → dispositions: every mapped row of every uploaded national table is staged or kept beside, and what is staged gets its digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RunError;
use super::check_stage::ADDED;
use super::clean_stage::Cleaned;
use super::map_stage::Edges;
use super::runner::{StageRunner, paths};
use crate::dataset::PartInfo;
use crate::durable::hex;
use crate::gate::{self, Decide, GateReport, GatedBranch};
use crate::measures;
use crate::validate::CheckReport;

/// One national table behind the gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Gated {
    pub(super) gate: GateReport,
    /// Content digest of the staged rows.
    pub(super) content: String,
    /// SHA-256 over the names and file digests of the staged parts.
    pub(super) files: String,
}

/// Decides table by table, in load order: parents before children.
pub(super) fn decide_all(
    runner: &mut StageRunner<'_>,
    edges: &[Edges<'_>],
    checks: &BTreeMap<String, CheckReport>,
    cleaned: &Cleaned,
) -> Result<BTreeMap<String, Gated>, RunError> {
    let mut gated: BTreeMap<String, Gated> = BTreeMap::new();
    let mut dispositions = BTreeMap::new();
    let national = runner.national;
    let inputs = runner.of_everything();
    for table in &national.tables {
        let Some(check) = checks.get(&table.name) else { continue };
        let mut branches: Vec<GatedBranch> = edges
            .iter()
            .filter(|e| e.table.table == table.name)
            .map(|e| GatedBranch { name: e.branch.name.clone(), mapped: cleaned.paths(&e.parts()) })
            .collect();
        let added = paths(&cleaned.added(&table.name));
        if !added.is_empty() {
            branches.push(GatedBranch { name: ADDED.to_owned(), mapped: added });
        }
        let (findings, excluded) = (paths(&check.parts), cleaned.excluded(&table.name));
        let merged = paths(&cleaned.merged(&table.name));
        let dir = &runner.dir;
        let (staged, rejected) = (dir.staged(&table.name), dir.rejected(&table.name));
        let kept = dir.dispositions(&table.name);
        let filled = national.filled(table);
        let report = runner.once(
            "gate",
            &table.name,
            &inputs,
            check.rows,
            |w| {
                let of = Decide {
                    national,
                    table,
                    branches: &branches,
                    findings: &findings,
                    excluded: &excluded,
                    merged: &merged,
                    parents: &dispositions,
                    filled: &filled,
                    staged: &staged,
                    rejected: &rejected,
                    dispositions: &kept,
                };
                let gate = gate::decide(w.engine, &of)?;
                let content = measures::content_digest(&paths(&gate.staged))?.hex();
                let files = files_digest(&gate.staged);
                Ok(Gated { gate, content, files })
            },
            |g: &Gated| {
                let parts = g.gate.staged.iter().chain(&g.gate.rejected).chain(&g.gate.dispositions);
                (g.gate.rows, parts.cloned().collect())
            },
        )?;
        dispositions.insert(table.name.clone(), report.gate.parent_dispositions());
        gated.insert(table.name.clone(), report);
    }
    Ok(gated)
}

fn files_digest(parts: &[PartInfo]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        let name = part.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        sha.update(format!("{}  {name}\n", part.sha256));
    }
    hex(&sha.finalize())
}
