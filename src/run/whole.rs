//! One run from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::finish::Came;
use super::paths::RunDir;
use super::stages::Walk;
use super::{RunError, RunSettings, check_stage, extract_all, finish, gate_stage, map_stage, measure_stage};
use crate::clock;
use crate::durable::{self, hex};
use crate::engine::{Engine, EngineSettings};
use crate::mapping::{self, City};
use crate::national::{self, National};
use crate::progress::Progress;
use crate::raw::{self, RawView};
use crate::state::{ExtractId, RunId, RunStatus, State};
use crate::trail::{ExtractRow, Summary};

/// Extracts what the city reads, and computes everything from raw to staged, reconciled.
///
/// # Errors
/// Those of every stage; whatever failed, the same call goes on where it stopped.
pub fn run(settings: &RunSettings, progress: &Arc<dyn Progress>) -> Result<Summary, RunError> {
    let started = clock::now();
    // Recorded paths must mean the same from any folder.
    let workdir = std::path::absolute(&settings.workdir).unwrap_or_else(|_| settings.workdir.clone());
    let settings = &RunSettings { workdir, ..settings.clone() };
    let national = national::load(&settings.national)?;
    let city = mapping::load(&settings.city, &national)?;
    let state = State::open(&settings.workdir, &settings.command)?;
    let (extracted, left) = extract_all(&state, &city, settings, progress)?;
    let mut raw = BTreeMap::new();
    for source in extracted.keys() {
        raw.insert(source.clone(), raw::current(&state, source)?);
    }
    let run = settle(&state, settings, &national, &city, &raw)?;
    let dir = RunDir::of(&settings.workdir, run);
    durable::create_dir_all(dir.path())?;
    let engine = Engine::start(
        EngineSettings {
            memory: settings.memory,
            spill: settings.workdir.join("spill"),
            partitions: settings.partitions,
        },
        city.functions(settings.as_of),
    )?;
    let mut walk = Walk {
        state: &state,
        engine: &engine,
        national: &national,
        city: &city,
        run,
        dir,
        progress: progress.clone(),
        stop: settings.stop.clone(),
        stages: Vec::new(),
    };
    for done in extracted.values() {
        walk.time("extract", done.rows_read, done.seconds);
    }
    let typed = map_stage::read_all(&mut walk, &raw)?;
    let edges = map_stage::map_all(&mut walk, &city, &raw, &typed)?;
    let coverage = map_stage::cover(&mut walk, &raw, &edges)?;
    let checks = check_stage::check_all(&mut walk, &typed, &edges)?;
    let gated = gate_stage::decide_all(&mut walk, &edges, &checks)?;
    let measures = measure_stage::count_all(&mut walk, &raw, &typed, &edges, &gated)?;
    let came = Came {
        raw: &raw,
        left,
        typed: &typed,
        edges: &edges,
        coverage: &coverage,
        checks: &checks,
        gated: &gated,
        measures: &measures,
        started,
    };
    finish::finish(walk, settings, came)
}

/// Extracts what the city reads, and nothing more; the current extract of each source.
///
/// # Errors
/// Those of extraction; whatever failed, the same call goes on where it stopped.
pub fn extract_only(
    settings: &RunSettings,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<ExtractRow>, RunError> {
    let national = national::load(&settings.national)?;
    let city = mapping::load(&settings.city, &national)?;
    let state = State::open(&settings.workdir, &settings.command)?;
    let (extracted, _) = extract_all(&state, &city, settings, progress)?;
    let mut rows = Vec::new();
    for source in extracted.keys() {
        rows.push(finish::extract_row(source, &raw::current(&state, source)?));
    }
    Ok(rows)
}

/// The run that goes on, or a new one; a run begun under another digest never goes on.
fn settle(
    state: &State,
    settings: &RunSettings,
    national: &National,
    city: &City,
    raw: &BTreeMap<String, RawView>,
) -> Result<RunId, RunError> {
    let mut sha = Sha256::new();
    let mut add = |text: &str| {
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text.as_bytes());
    };
    add(env!("CARGO_PKG_VERSION"));
    add(&settings.config_digest);
    add(&national.digest);
    add(&city.digest);
    add(&settings.as_of.to_string());
    for (source, view) in raw {
        add(source);
        add(&view.extract.to_string());
        add(&view.point);
    }
    let digest = hex(&sha.finalize());
    let known = state.unfinished_run(&digest)?;
    for old in state.runs()? {
        if old.status == RunStatus::Running && known != Some(old.id) {
            durable::remove_dir_all(RunDir::of(&settings.workdir, old.id).path())?;
            state.set_run(old.id, RunStatus::Abandoned)?;
        }
    }
    if let Some(run) = known {
        return Ok(run);
    }
    let extracts: Vec<ExtractId> = raw.values().map(|v| v.extract).collect();
    Ok(state.begin_run(&digest, &extracts)?)
}
