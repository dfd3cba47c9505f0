//! One run from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::extract::Purpose;
use super::finish::RunResults;
use super::paths::RunDir;
use super::rule_input::rule_input;
use super::runner::{StageRunner, add_parts};
use super::{
    RunError, RunSettings, check_stage, clean_stage, documents, events, extract_all, finish, finished,
    gate_stage, held, invariant_stage, map_stage, measure_stage, prune, round_stage, total_stage,
};
use crate::artifacts::{ExtractRow, LeftAlone, Summary};
use crate::clock;
use crate::durable::{self, hex};
use crate::engine::{Engine, EngineSettings};
use crate::mapping::{self, City};
use crate::national::{self, National};
use crate::progress::Progress;
use crate::raw::{self, RawView};
use crate::state::{ExtractId, RunId, RunStatus, State, StateError};

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
    // A mistake in a rule stops a run before it reads anything.
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?;
    let state = opened(settings)?;
    let Stands { raw, left, read } = stands(&state, &city, settings, progress)?;
    let rules = rules.map(|r| r.with_approvals(&state)).transpose()?;
    let ruled = rules.as_ref().map(|r| r.digest.clone());
    let digest = run_digest(settings, &national, &city, (&raw, ruled.as_deref()));
    if let Some(same) = same_run(&state, settings, &digest)? {
        return Ok(same);
    }
    let (run, as_of) = find_or_begin_run(&state, settings, &raw, &digest)?;
    let dir = RunDir::of(&settings.workdir, run);
    durable::create_dir_all(dir.path())?;
    let engine = engine(settings, &city, as_of)?;
    let mut runner = StageRunner {
        state: &state,
        engine: &engine,
        national: &national,
        city: &city,
        run,
        as_of,
        dir,
        workdir: settings.workdir.clone(),
        basis: basis(&national, &city, as_of),
        upstream: of_raw(&raw),
        progress: progress.clone(),
        stop: settings.stop.clone(),
        stages: Vec::new(),
    };
    read.into_iter().for_each(|(rows, seconds)| runner.time("extract", rows, seconds));
    let typed = map_stage::read_all(&mut runner, &raw)?;
    let edges = map_stage::map_all(&mut runner, &city, &raw, &typed)?;
    let coverage = map_stage::cover(&mut runner, &raw, &edges)?;
    let cleaned = clean_stage::clean_all(&mut runner, rules, &edges)?;
    let mut checks = check_stage::check_all(&mut runner, &typed, &edges, &cleaned)?;
    clean_stage::add_open(&mut runner, &cleaned, &mut checks)?;
    let gated = gate_stage::decide_all(&mut runner, &edges, &checks, &cleaned)?;
    let measures = measure_stage::count_all(&mut runner, &raw, &typed, &edges, &gated, &cleaned)?;
    let invariants = invariant_stage::ask_all(&mut runner, settings, &edges, &cleaned, &gated)?;
    let rounds = round_stage::close(&mut runner, &cleaned, &checks)?;
    let results = RunResults {
        raw: &raw,
        left,
        typed: &typed,
        edges: &edges,
        cleaned: &cleaned,
        coverage: &coverage,
        checks: &checks,
        gated: &gated,
        measures: &measures,
        rounds,
        invariants: &invariants,
        totals: total_stage::ask_all(&mut runner, &edges, &cleaned, &gated)?,
        started,
    };
    finish::finish(runner, settings, results)
}

/// The work directory, with what a kill left open of its log and of a pruning.
fn opened(settings: &RunSettings) -> Result<State, RunError> {
    let state = State::open(&settings.workdir, &settings.command)?;
    events::record_or_warn(&state)?;
    prune::go_on(&state)?;
    Ok(state)
}

fn engine(settings: &RunSettings, city: &City, as_of: NaiveDate) -> Result<Engine, RunError> {
    let spill = settings.workdir.join("spill");
    let of = EngineSettings { memory: settings.memory, spill, partitions: settings.partitions };
    Ok(Engine::start(of, city.functions(as_of))?)
}

/// What a run stands on.
struct Stands {
    /// By source.
    raw: BTreeMap<String, RawView>,
    left: Vec<LeftAlone>,
    /// Rows that were read of each source, and the seconds that it took.
    read: Vec<(u64, f64)>,
}

/// Extracts every source, or takes the extracts that were named.
fn stands(
    state: &State,
    city: &City,
    settings: &RunSettings,
    progress: &Arc<dyn Progress>,
) -> Result<Stands, RunError> {
    if !settings.held.is_empty() {
        let (raw, left) = held::views(state, city, &settings.sources, &settings.held)?;
        return Ok(Stands { raw, left, read: Vec::new() });
    }
    let (extracted, left) = extract_all(state, city, settings, Purpose::Run, progress)?;
    let mut raw = BTreeMap::new();
    for source in extracted.keys() {
        raw.insert(source.clone(), raw::current(state, source)?);
    }
    let read = extracted.values().map(|done| (done.rows_read, done.seconds)).collect();
    Ok(Stands { raw, left, read })
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
    let (extracted, _) = extract_all(&state, &city, settings, Purpose::Extract, progress)?;
    let mut rows = Vec::new();
    for source in extracted.keys() {
        rows.push(finish::extract_row(source, &raw::current(&state, source)?, settings));
    }
    Ok(rows)
}

/// The day that stands for today over these extracts: the configured one, else the day on which the newest of them began, in the
/// configured zone.
///
/// # Errors
/// `STA-005` when state.db holds no time there.
pub fn as_of(settings: &RunSettings, raw: &BTreeMap<String, RawView>) -> Result<NaiveDate, RunError> {
    if let Some(day) = settings.as_of {
        return Ok(day);
    }
    let now = clock::now();
    // Their texts are of one form: the greatest is the newest.
    let newest = raw.values().map(|view| &view.started).max().unwrap_or(&now);
    let impossible = || StateError::Impossible { what: format!("extract begun at {newest}") };
    Ok(clock::day(newest, settings.time_zone).ok_or_else(impossible)?)
}

/// The account of whoever runs this.
fn operator() -> String {
    whoami::username().unwrap_or_else(|_| "unknown".to_owned())
}

/// What every output of a run is made from, whatever its stage. Folders, memory and partitions change no output; what a source's settings
/// change is told by the bytes of its parts.
fn basis(national: &National, city: &City, as_of: NaiveDate) -> String {
    format!("{}\n{}\n{}\n{as_of}", program(), national.digest, city.digest)
}

/// What tells this build of the program: another one under the same version may compute otherwise.
fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata).map(|m| (m.len(), m.modified().ok()));
    format!("{} {:?}", env!("CARGO_PKG_VERSION"), file.ok())
}

/// A digest that begins with what the run stands on.
fn of_raw(raw: &BTreeMap<String, RawView>) -> Sha256 {
    let mut sha = Sha256::new();
    for (source, view) in raw {
        for (name, table) in &view.tables {
            add_parts(&mut sha, &format!("{source}.{name}"), &table.parts);
        }
        add_parts(&mut sha, source, &view.measures);
    }
    sha
}

/// The digest of everything that a run stands on: under the same one it goes on, or is the same run.
fn run_digest(
    settings: &RunSettings,
    national: &National,
    city: &City,
    (raw, rules): (&BTreeMap<String, RawView>, Option<&str>),
) -> String {
    let mut sha = Sha256::new();
    let mut add = |text: &str| {
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text.as_bytes());
    };
    add(&program());
    add(&settings.config_digest);
    add(&national.digest);
    add(&city.digest);
    // Without rules the digest is that of older versions.
    rules.into_iter().for_each(&mut add);
    // What approves by itself changes no output, but it is at a run's end that it approves.
    for one in &settings.standing {
        add(&format!("{one:?}"));
    }
    // The day of an extract point is fixed when the run begins: whoever goes on with it takes that day.
    add(&settings.as_of.map_or_else(|| settings.time_zone.to_string(), |day| day.to_string()));
    for (source, view) in raw {
        add(source);
        add(&view.extract.to_string());
        add(&view.point);
    }
    hex(&sha.finalize())
}

/// What the newest run said, when it stood on the same and everything that it made is as it made it: it is this run. A start after a kill
/// that came when all was done makes no second one.
fn same_run(state: &State, settings: &RunSettings, digest: &str) -> Result<Option<Summary>, RunError> {
    let newest = state.runs()?.into_iter().rfind(|run| run.status != RunStatus::Abandoned);
    let Some(run) = newest.filter(|run| run.status.has_ended() && run.digest == digest) else {
        return Ok(None);
    };
    let dir = RunDir::of(&settings.workdir, run.id);
    if documents::changed_part(state, run.id, &dir)?.is_some() {
        return Ok(None);
    }
    match finished(&settings.workdir, Some(&run.id.to_string())) {
        Ok(same) => {
            tracing::info!(run = same.summary.run, "nothing changed: it is the same run");
            Ok(Some(same.summary))
        }
        // What somebody changed is made again, as another run.
        Err(RunError::Altered { .. } | RunError::Form { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The run that goes on, or a new one, and the day that stands for today in it; a run begun under another digest never goes on.
fn find_or_begin_run(
    state: &State,
    settings: &RunSettings,
    raw: &BTreeMap<String, RawView>,
    digest: &str,
) -> Result<(RunId, NaiveDate), RunError> {
    let known = state.unfinished_run(digest)?;
    for old in state.runs()? {
        if old.status == RunStatus::Running && known.as_ref().is_none_or(|k| k.id != old.id) {
            durable::remove_dir_all(RunDir::of(&settings.workdir, old.id).path())?;
            durable::remove_dir_all(&RunDir::of(&settings.workdir, old.id).round())?;
            state.set_run(old.id, RunStatus::Abandoned)?;
        }
    }
    let today = as_of(settings, raw)?;
    if let Some(run) = known {
        tracing::info!(run = run.id.to_string(), "the run goes on");
        return Ok((run.id, run.as_of.unwrap_or(today)));
    }
    let extracts: Vec<ExtractId> = raw.values().map(|v| v.extract).collect();
    let run = state.begin_run(digest, &extracts, today, &operator())?;
    tracing::info!(run = run.to_string(), "the run begins");
    Ok((run, today))
}
