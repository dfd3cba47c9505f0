//! A finished run → its package, and the last boundary: staged against the package.

use std::path::Path;

use super::RunError;
use super::documents;
use super::events::record_events;
use super::finish::store;
use super::finished::{Finished, read, reconcile_again};
use super::manifest::Manifest;
use crate::artifacts::{Reconciliation, Status};
use crate::dataset;
use crate::engine::Engine;
use crate::measures::{self, Counted, boundary, side};
use crate::national::National;
use crate::package::{self, Build, Built, StagedPart, StagedTable};
use crate::progress::Progress;
use crate::state::State;

/// Seals the staged tables of a run as the next package of the work directory, counts both sides, and adds the boundary to the run's
/// reconciliation.
///
/// # Errors
/// `STA-001` when another process writes here; `PKG-…`, `MEA-…`, `DUR-001`.
pub fn build_package(
    workdir: &Path,
    engine: &Engine,
    national: &National,
    of: &Finished,
    allow_blocked: bool,
    progress: &dyn Progress,
) -> Result<(Built, Reconciliation), RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let state = State::open(workdir, "package build")?;
    record_events(&state)?;
    let path = of.dir.file("manifest.json");
    let manifest: Manifest = read(&path)?;
    let tables = staged(workdir, of, &manifest);
    let packages = workdir.join("packages");
    let known = documents::packages(&state, of.id)?;
    // The last build may have ended before it was recorded: its package is that of this build.
    let refused = of.summary.status == Status::Blocked && !allow_blocked;
    let sealed = match refused {
        true => None,
        false => package::unrecorded(&packages, &of.summary.run, &known, progress)?,
    };
    let built = match sealed {
        Some(built) => built,
        None => package::build(
            &Build {
                packages: &packages,
                summary: &of.summary,
                reconciliation: &of.reconciliation,
                manifest: &path,
                national,
                tables: &tables,
                key_maps: &key_maps(workdir, of, &manifest),
                allow_blocked,
            },
            progress,
        )?,
    };
    let mut measures = Vec::new();
    for table in national.tables.iter().filter(|t| tables.iter().any(|s| s.table == t.name)) {
        let amounts: Vec<String> =
            table.columns.iter().filter(|c| c.measure).map(|c| c.code.clone()).collect();
        let packed = built.path.join("data").join("tables").join(&table.name);
        for (side, folder) in [(side::STAGED, of.dir.staged(&table.name)), (side::PACKAGE, packed)] {
            let counted = Counted {
                boundary: boundary::STAGED_PACKAGE,
                side,
                table: &table.name,
                parts: &dataset::parts(&folder)?,
                bucket: None,
                insurance: table.insurance.as_deref(),
                period: table.period.as_deref(),
                amounts: &amounts,
            };
            measures.extend(measures::count(engine, &counted)?);
        }
    }
    // Of several packages of one run the newest is compared.
    measures::write_measures(&of.dir.measures("package"), &measures)?;
    let reconciliation = reconcile_again(of)?;
    store(&of.dir.file("reconciliation.json"), &reconciliation)?;
    documents::record(&state, of.id, &of.dir, [known, vec![built.id.clone()]].concat())?;
    record_events(&state)?;
    Ok((built, reconciliation))
}

/// The staged parts that a run recorded.
fn staged(workdir: &Path, of: &Finished, manifest: &Manifest) -> Vec<StagedTable> {
    let outputs = manifest.outputs.iter().filter(|o| o.stage == "gate");
    let parts = |table: &str, parts: &[super::manifest::ManifestPart]| {
        let part = |p: &super::manifest::ManifestPart| StagedPart {
            path: workdir.join(&p.file),
            rows: p.rows,
            sha256: p.sha256.clone(),
        };
        parts.iter().map(part).filter(|p| p.path.starts_with(of.dir.staged(table))).collect()
    };
    outputs.map(|o| StagedTable { table: o.table.clone(), parts: parts(&o.table, &o.parts) }).collect()
}

/// The key maps that a run recorded, and where they lie in a package.
fn key_maps(workdir: &Path, of: &Finished, manifest: &Manifest) -> Vec<(String, StagedPart)> {
    let root = of.dir.path().join("merged");
    let parts = manifest.outputs.iter().filter(|o| o.stage == "clean").flat_map(|o| &o.parts);
    let inside = parts.filter_map(|p| {
        let path = workdir.join(&p.file);
        let name = path.strip_prefix(&root).ok()?.display().to_string();
        let part = StagedPart { rows: p.rows, sha256: p.sha256.clone(), path };
        Some((format!("data/merged/{name}"), part))
    });
    inside.collect()
}
