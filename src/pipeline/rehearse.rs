//! A finished run → its rehearsal in the staging database, and the boundary between staged rows and that database.
//!
//! Always: stands on the staged parts that the run recorded, each proved by its digest. What the rehearsal found is `rehearsal.json`
//! of the run; its counts become part of the run's reconciliation.

use std::path::{Path, PathBuf};

use tokio::runtime::Builder;

use super::RunError;
use super::documents;
use super::events::record_events;
use super::finish::store;
use super::finished::{Finished, reconcile_again};
use super::paths::RunDir;
use super::settings::StagingSettings;
use crate::artifacts::{Forecast, Rehearsal, RehearsedTable};
use crate::dataset;
use crate::engine::{Engine, EngineError};
use crate::measures::{self, Counted, Measure, boundary, side};
use crate::national::National;
use crate::progress::Progress;
use crate::source::{Limits, SourceKind, SourceSettings, postgres_pool};
use crate::staging::{self, Check, StagedTable, Staging};
use crate::state::State;

/// What the staging database is called where sources have their id.
const ID: &str = "staging";

/// Rehearses the load of a run; without a staging database the checks run in the engine, which is said.
///
/// # Errors
/// `STA-001` when another process writes here; `STG-…`, `SRC-013`, `MEA-…`, `DUR-001`.
pub fn rehearse(
    workdir: &Path,
    engine: &Engine,
    national: &National,
    of: &Finished,
    settings: Option<&StagingSettings>,
    keep: bool,
    progress: &dyn Progress,
) -> Result<Rehearsal, RunError> {
    let workdir = &std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let state = State::open(workdir, "dry-run")?;
    record_events(&state)?;
    documents::prove_parts(&state, of.id, &of.dir)?;
    let tables = staged(national, &of.dir)?;
    let (mut found, given) = match settings {
        Some(settings) => {
            let staging = reached(settings, keep)?;
            let threads = Builder::new_multi_thread()
                .worker_threads(engine.partitions())
                .enable_all()
                .build()
                .map_err(|e| EngineError::Start { source: Box::new(e) })?;
            threads.block_on(staging::rehearse(&staging, national, &tables, progress))?
        }
        None => (in_engine(engine, national, &tables)?, Vec::new()),
    };
    found.run = of.id.to_string();
    found.forecast = Forecast::of(&found, |table| to_come(of, table));
    // Of several rehearsals the last one is compared; one that loaded nothing leaves nothing to compare.
    let mut all = if given.is_empty() { Vec::new() } else { counted(engine, national, &tables)? };
    all.extend(given);
    measures::write_measures(&of.dir.measures("staging"), &all)?;
    store(&of.dir.file("reconciliation.json"), &reconcile_again(of)?)?;
    let packages = documents::packages(&state, of.id)?;
    documents::record_with(&state, of.id, &of.dir, packages.clone(), false)?;
    store(&of.dir.rehearsal(), &found)?;
    documents::record_with(&state, of.id, &of.dir, packages, true)?;
    record_events(&state)?;
    Ok(found)
}

/// Rows of a table that are uploaded once nothing is rejected or held any more.
fn to_come(of: &Finished, table: &str) -> u64 {
    let rows = of.summary.tables.iter().filter(|t| t.table == table);
    rows.map(|t| t.accepted + t.rejected + t.held).sum()
}

/// The staged tables that are loaded, with what is told of their columns.
fn staged(national: &National, dir: &RunDir) -> Result<Vec<StagedTable>, RunError> {
    let mut all = Vec::new();
    for table in staging::loaded(national).filter(|t| dir.staged(&t.name).is_dir()) {
        let parts = dataset::parts(&dir.staged(&table.name))?;
        let rows = parts.iter().map(|p| dataset::row_count(p)).sum::<Result<u64, _>>()?;
        let profile = staging::profile(table, &parts)?;
        all.push(StagedTable { table: table.name.clone(), parts, rows, profile });
    }
    Ok(all)
}

fn reached(settings: &StagingSettings, keep: bool) -> Result<Staging, RunError> {
    let limits = Limits { connections: settings.connections, ..Limits::default() };
    let source = SourceSettings {
        kind: SourceKind::Postgres,
        server: Some(settings.server.clone()),
        limits,
        ..SourceSettings::sqlite(ID, PathBuf::new())
    };
    let (pool, shown) = postgres_pool(&source, &settings.server)?;
    Ok(Staging {
        pool,
        shown,
        schema: settings.schema.clone(),
        sessions: settings.connections as usize,
        statement_seconds: settings.statement_seconds,
        keep,
    })
}

/// Rows and money of staged tables, as reconciliation compares them.
fn counted(engine: &Engine, national: &National, tables: &[StagedTable]) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    for staged in tables {
        let Some(table) = national.table(&staged.table) else { continue };
        let amounts: Vec<String> =
            table.columns.iter().filter(|c| c.measure).map(|c| c.code.clone()).collect();
        let counted = Counted {
            boundary: boundary::STAGED_DATABASE,
            side: side::STAGED,
            table: &table.name,
            parts: &staged.parts,
            bucket: None,
            insurance: table.insurance.as_deref(),
            period: table.period.as_deref(),
            amounts: &amounts,
        };
        all.extend(measures::count(engine, &counted)?);
    }
    Ok(all)
}

/// The same checks where there is no server: nothing is loaded, and so nothing compared.
fn in_engine(engine: &Engine, national: &National, tables: &[StagedTable]) -> Result<Rehearsal, RunError> {
    let mut found = Rehearsal::begun(None);
    let parts = |name: &str| -> Vec<PathBuf> {
        tables.iter().find(|t| t.table == name).map(|t| t.parts.clone()).unwrap_or_default()
    };
    for staged in tables {
        let Some(table) = national.table(&staged.table) else { continue };
        let checks: Vec<Check> = staging::checks(national, table);
        // A parent that the city does not map has no rows, which the structural check says.
        let (checks, _): (Vec<_>, Vec<_>) =
            checks.into_iter().partition(|c| c.tables().iter().all(|t| !parts(t).is_empty()));
        found.problems.extend(staging::asked_of_engine(engine, national, &checks, &parts)?);
        found.tables.push(RehearsedTable {
            table: staged.table.clone(),
            staged: staged.rows,
            loaded: 0,
            bytes: 0,
            checks: checks.len() as u64,
            columns: 0,
        });
    }
    found.blocked = !found.problems.is_empty();
    Ok(found)
}
