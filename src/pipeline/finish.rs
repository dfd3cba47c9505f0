//! The end of a run: reconciliation, manifest, summary, page, status.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::against::changed;
use super::clean_stage::{self, Cleaned};
use super::documents;
use super::encodings::misread;
use super::events::record_or_warn;
use super::examples::examples;
use super::expected::{Found, judge};
use super::extract::FUZZY;
use super::figures;
use super::finished::{finished, measures};
use super::gate_stage::Gated;
use super::idle_money::idle_money;
use super::manifest::manifest;
use super::map_stage::{Edges, Typed};
use super::paths::RunDir;
use super::runner::StageRunner;
use super::standing::approve_standing;
use super::unchecked::unchecked;
use super::vanished_money::vanished_money;
use super::{RunError, RunSettings};
use crate::artifacts::{
    Against, Blocker, Coverage, DispositionRow, ExtractRow, FindingRow, InvariantEnd, InvariantRow,
    LeftAlone, ReadErrorRow, ReasonRow, Reconciliation, Round, StageRow, Status, Summary, TableRow,
    TotalTable,
};
use crate::clock;
use crate::durable;
use crate::failpoint;
use crate::measures::{Measure, boundary};
use crate::raw::RawView;
use crate::reconcile::{self, Sides};
use crate::report;
use crate::state::RunStatus;
use crate::validate::{CheckReport, Outcome};

/// What the stages of a run came to.
pub(super) struct RunResults<'a> {
    pub(super) raw: &'a BTreeMap<String, RawView>,
    pub(super) left: Vec<LeftAlone>,
    pub(super) typed: &'a Typed,
    pub(super) edges: &'a [Edges<'a>],
    pub(super) cleaned: &'a Cleaned,
    pub(super) coverage: &'a Coverage,
    pub(super) checks: &'a BTreeMap<String, CheckReport>,
    pub(super) gated: &'a BTreeMap<String, Gated>,
    pub(super) measures: &'a [Measure],
    pub(super) rounds: Vec<Round>,
    pub(super) invariants: &'a [InvariantRow],
    pub(super) totals: Vec<TotalTable>,
    pub(super) started: String,
}

/// Writes what a finished run says about itself, clears its scratch, and records its status last.
pub(super) fn finish(
    runner: StageRunner<'_>,
    settings: &RunSettings,
    results: RunResults<'_>,
) -> Result<Summary, RunError> {
    let run = runner.run.to_string();
    let as_of = runner.as_of.to_string();
    let known = &settings.expected.known;
    let sides = Sides { run: &run, measures: results.measures, known, as_of: &as_of };
    let reconciliation = reconcile::reconcile(&sides)?;
    store(&runner.dir.file("reconciliation.json"), &reconciliation)?;
    store(&runner.dir.file("manifest.json"), &manifest(&runner, settings, results.raw)?)?;
    let coverage = results.coverage;
    let counted = results.measures;
    let mut summary = summary(&runner, settings, results, &reconciliation)?;
    summary.changed = since(&runner, &summary, counted);
    store(&runner.dir.file("summary.json"), &summary)?;
    durable::create_dir_all(&runner.dir.path().join("report"))?;
    let page = report::render(&summary, &reconciliation, coverage, None, settings.lang)?;
    durable::write(&runner.dir.page(), page.as_bytes())?;
    failpoint::hit("run.written");
    documents::record(runner.state, runner.run, &runner.dir, Vec::new())?;
    documents::prove_parts(runner.state, runner.run, &runner.dir)?;
    // The next run takes over what of layer 1 is made from the same parts.
    for old in runner.state.runs()?.iter().filter(|old| old.id != runner.run) {
        durable::remove_dir_all(&RunDir::of(&runner.workdir, old.id).path().join("typed"))?;
    }
    durable::remove_dir_all(&runner.dir.path().join("scratch"))?;
    let status = match summary.status {
        Status::Done => RunStatus::Done,
        Status::Blocked => RunStatus::Blocked,
    };
    runner.state.set_run(runner.run, status)?;
    tracing::info!(run, status = status.text(), "the run ended");
    record_or_warn(runner.state)?;
    failpoint::hit("run.done");
    Ok(summary)
}

/// Writes a document of ours.
pub(super) fn store(path: &Path, document: &impl Serialize) -> Result<(), RunError> {
    let form = |source| RunError::Form { path: path.display().to_string(), source };
    let mut text = serde_json::to_vec_pretty(document).map_err(form)?;
    text.push(b'\n');
    durable::write(path, &text)?;
    Ok(())
}

fn summary(
    runner: &StageRunner<'_>,
    settings: &RunSettings,
    results: RunResults<'_>,
    adds_up: &Reconciliation,
) -> Result<Summary, RunError> {
    let standing = approve_standing(runner, settings, results.cleaned.book.as_ref())?;
    let mut blocked_by = blockers(&results, adds_up);
    let found = Found {
        typed: results.typed,
        edges: results.edges,
        gated: results.gated,
        misread: &misread(results.raw)?,
        coverage: results.coverage,
        reconciliation: adds_up,
        idle: &idle_money(runner, results.raw, results.typed, results.coverage)?,
        vanished: &vanished_money(runner, results.typed, results.edges, results.coverage, results.measures)?,
    };
    let (suspects, acknowledged) = judge(&found, &settings.expected);
    blocked_by.extend(suspects);
    let not_checked =
        unchecked(runner, results.raw, results.typed, results.coverage, results.measures, adds_up)?;
    Ok(Summary {
        version: 4,
        run: runner.run.to_string(),
        status: if blocked_by.is_empty() { Status::Done } else { Status::Blocked },
        blocked_by,
        acknowledged,
        known: settings.expected.known.clone(),
        not_checked,
        qianyi: env!("CARGO_PKG_VERSION").to_owned(),
        city: runner.city.id.clone(),
        city_name: runner.city.name.clone(),
        as_of: runner.as_of.to_string(),
        started: clock::stored_zoned(&results.started, settings.time_zone),
        finished: clock::zoned(clock::instant(), settings.time_zone),
        config_digest: settings.config_digest.clone(),
        national_digest: runner.national.digest.clone(),
        mapping_digest: runner.city.digest.clone(),
        rules_digest: results.cleaned.rules_digest.clone(),
        extracts: results.raw.iter().map(|(source, view)| extract_row(source, view, settings)).collect(),
        stages: runner.stages.iter().map(rounded).collect(),
        tables: tables(runner, results.gated, results.cleaned),
        dispositions: dispositions(results.gated),
        cleaning: clean_stage::rows(results.cleaned),
        invariants: results.invariants.to_vec(),
        reasons: reasons(results.measures),
        findings: findings(runner, results.cleaned, results.checks)?,
        rounds: results.rounds,
        standing,
        empty: results.cleaned.empty.clone(),
        read_errors: read_errors(results.typed, results.edges),
        left_alone: results.left,
        figures: figures::rows(runner.national, results.measures),
        years: figures::years(runner.national, results.measures),
        totals: results.totals,
        changed: None,
        unexplained_rows: adds_up.totals.unexplained_rows,
        unexplained_fen: adds_up.totals.unexplained_fen,
        peak_rss_bytes: peak_rss(),
    })
}

/// What changed since the round before. One that can no longer be read keeps no run from ending.
fn since(runner: &StageRunner<'_>, summary: &Summary, counted: &[Measure]) -> Option<Against> {
    let before = summary.rounds.last()?.before.as_deref()?;
    let compared = finished(&runner.workdir, Some(before)).and_then(|then| {
        let measures = measures(&then.dir)?;
        Ok(changed((&then.summary, &measures), (summary, counted)))
    });
    match compared {
        Ok(changed) => Some(changed),
        Err(e) => {
            tracing::warn!(before, "not compared with the round before: {e}");
            None
        }
    }
}

/// A stage's account as people read it: milliseconds, whole rows a second.
fn rounded(stage: &StageRow) -> StageRow {
    let seconds = (stage.seconds * 1000.0).round() / 1000.0;
    StageRow { seconds, rows_per_second: stage.rows_per_second.round(), ..stage.clone() }
}

/// Everything that keeps a run from being done.
fn blockers(results: &RunResults<'_>, adds_up: &Reconciliation) -> Vec<Blocker> {
    let mut all = Vec::new();
    let totals = adds_up.totals;
    if totals.unexplained_rows > 0 || totals.unexplained_fen > 0 {
        all.push(Blocker::Unexplained { rows: totals.unexplained_rows, fen: totals.unexplained_fen });
    }
    for (table, check) in results.checks {
        for checked in &check.checked {
            if let Outcome::DidNotRun(why) = &checked.outcome {
                let (rule, column, why) = (checked.rule.clone(), checked.column.clone(), why.clone());
                all.push(Blocker::NotChecked { table: table.clone(), column, rule, why });
            }
        }
    }
    let broken = results.invariants.iter().filter(|i| i.blocks && i.ended == InvariantEnd::Broken);
    all.extend(broken.map(|i| Blocker::Invariant { id: i.id.clone(), rows: i.rows }));
    let undecided = results.left.iter().filter(|l| !l.mapped);
    let fuzzy = results.raw.iter().filter(|(_, view)| view.consistency == FUZZY);
    all.extend(fuzzy.map(|(source, _)| Blocker::Fuzzy { source: source.clone() }));
    all.extend(undecided.map(|l| Blocker::Undecided { table: format!("{}.{}", l.source, l.table) }));
    all
}

/// What a summary says about the current view of a source.
pub(super) fn extract_row(source: &str, view: &RawView, settings: &RunSettings) -> ExtractRow {
    ExtractRow {
        source: source.to_owned(),
        extract: view.extract.to_string(),
        consistency: view.consistency.clone(),
        point: view.point.clone(),
        started: clock::stored_zoned(&view.started, settings.time_zone),
        held: !settings.held.is_empty(),
        tables: view.tables.len() as u64,
        rows: view.tables.values().map(|t| t.rows).sum(),
    }
}

fn tables(runner: &StageRunner<'_>, gated: &BTreeMap<String, Gated>, cleaned: &Cleaned) -> Vec<TableRow> {
    let row = |table: &crate::national::Table| {
        let of = gated.get(&table.name)?;
        let disposition = |disposition: &str| {
            of.gate.not_accepted.iter().filter(|n| n.disposition == disposition).map(|n| n.rows).sum()
        };
        let added = cleaned.added_rows(&table.name).min(of.gate.rows);
        Some(TableRow {
            table: table.name.clone(),
            title: table.title.clone(),
            mapped: of.gate.rows - added,
            added,
            accepted: of.gate.accepted,
            rejected: disposition("rejected"),
            held: disposition("held"),
            excluded: disposition("excluded"),
            merged: disposition("merged"),
            file_digest: of.files.clone(),
            content_digest: of.content.clone(),
        })
    };
    runner.national.tables.iter().filter_map(row).collect()
}

/// What rules added and changed, out of the reasons of the boundary mapped–dispositions.
fn reasons(measures: &[Measure]) -> Vec<ReasonRow> {
    let mut all: BTreeMap<(&str, &str, &str), ReasonRow> = BTreeMap::new();
    for m in measures.iter().filter(|m| m.boundary == boundary::MAPPED_DISPOSITIONS) {
        let Some((effect, rule)) = m.bucket.split_once(':') else { continue };
        let row = all.entry((rule, &m.table, effect)).or_insert_with(|| ReasonRow {
            rule: rule.to_owned(),
            table: m.table.clone(),
            effect: effect.to_owned(),
            rows: 0,
            fen: BTreeMap::new(),
        });
        // A reason says what the mapped side has more.
        match m.measure.strip_prefix("fen:") {
            Some(column) => *row.fen.entry(column.to_owned()).or_default() -= m.value,
            None => row.rows -= i64::try_from(m.value).unwrap_or(0),
        }
    }
    all.into_values().collect()
}

fn dispositions(gated: &BTreeMap<String, Gated>) -> Vec<DispositionRow> {
    let rows = gated.iter().flat_map(|(table, of)| {
        of.gate.not_accepted.iter().map(|n| DispositionRow {
            table: table.clone(),
            disposition: n.disposition.clone(),
            reason: n.reason.clone(),
            rows: n.rows,
        })
    });
    rows.collect()
}

fn findings(
    runner: &StageRunner<'_>,
    cleaned: &Cleaned,
    checks: &BTreeMap<String, CheckReport>,
) -> Result<Vec<FindingRow>, RunError> {
    let mut rows = Vec::new();
    for (table, check) in checks {
        let mut examples = examples(&runner.dir, table)?;
        rows.extend(check.found.iter().map(|f| {
            let known = runner.national.rules.get(&f.rule).map(|r| (r.title_zh.clone(), r.title_en.clone()));
            let (title_zh, title_en) = known.or_else(|| cleaned.title(&f.rule)).unwrap_or_default();
            FindingRow {
                rule: f.rule.clone(),
                title_zh,
                title_en,
                level: f.level.clone(),
                gate: f.gate.clone(),
                table: table.clone(),
                column: f.column.clone(),
                rows: f.rows,
                examples: examples.remove(&(f.rule.clone(), f.column.clone())).unwrap_or_default(),
            }
        }));
    }
    Ok(rows)
}

/// What could not be read: of layer 1 by legacy column, of layer 2 by national column and expression.
fn read_errors(typed: &Typed, edges: &[Edges<'_>]) -> Vec<ReadErrorRow> {
    let mapped =
        edges.iter().flat_map(|e| &e.reports).map(|(table, report)| (table, &report.read_error_counts));
    let mut rows = Vec::new();
    for (table, read_errors) in
        typed.reports.iter().map(|(table, report)| (table, &report.read_error_counts)).chain(mapped)
    {
        for (column, codes) in read_errors {
            rows.extend(codes.iter().map(|(code, n)| ReadErrorRow {
                table: table.clone(),
                column: column.clone(),
                code: code.clone(),
                rows: *n,
            }));
        }
    }
    rows
}

/// The most memory that this process ever held, as the kernel tells it.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().strip_suffix("kB")).and_then(|n| n.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
