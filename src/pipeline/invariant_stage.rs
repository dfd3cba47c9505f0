//! The invariants of a run (reference 5.8), asked behind the gate over everything that it made, and over an earlier run where there is one.
//!
//! Always: each is asked once over what was mapped and what cleaning left; one that is broken is asked again over the version after each work
//! item, to name the first that broke it. What stands against an earlier run is not checked where there is none over the same inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::clean_stage::Cleaned;
use super::documents;
use super::finished;
use super::gate_stage::Gated;
use super::map_stage::{Edges, parts_by_table};
use super::paths::RunDir;
use super::prune::is_pruned;
use super::runner::StageRunner;
use super::{RunError, RunSettings};
use crate::artifacts::{InvariantEnd, InvariantRow, Summary};
use crate::dataset::PartInfo;
use crate::rules::{self, Facts, Invariant, InvariantReport, Item};
use crate::state::{Output, Run, batch_name};

/// Asks every invariant of the rules.
pub(super) fn ask_all(
    runner: &mut StageRunner<'_>,
    settings: &RunSettings,
    edges: &[Edges<'_>],
    cleaned: &Cleaned,
    gated: &BTreeMap<String, Gated>,
) -> Result<Vec<InvariantRow>, RunError> {
    let Some(book) = cleaned.book.as_ref().filter(|book| !book.invariants.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut facts = Facts { parts: of_run(edges, cleaned, gated), rows: BTreeMap::new() };
    let mut tables = of_cleaning(cleaned);
    let earlier = earlier(runner, settings, cleaned, &mut facts, &mut tables)?;
    for (name, rows) in &tables {
        if let Some(batch) = rules::fact_rows(runner.national, name, rows) {
            facts.rows.insert((*name).to_owned(), batch);
        }
    }
    let inputs = format!("{} {} {earlier}", runner.of_everything(), book.digest);
    let mut all = Vec::new();
    for invariant in &book.invariants {
        let said = runner.once(
            "invariant",
            &invariant.id,
            &inputs,
            0,
            |w| asked(w, invariant, &facts, cleaned),
            |_: &Said| (0, Vec::new()),
        )?;
        all.push(row(invariant, said));
    }
    Ok(all)
}

/// What came of an invariant, and the first work item that broke it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Said {
    report: InvariantReport,
    item: Option<String>,
}

fn asked(
    runner: &StageRunner<'_>,
    invariant: &Invariant,
    facts: &Facts,
    cleaned: &Cleaned,
) -> Result<Said, RunError> {
    let report = rules::ask(runner.engine, runner.national, invariant, facts)?;
    // Only what looks at versions of tables can be asked again over an earlier one.
    let versions = ["mapped_", "cleaned_", "merged_", "excluded_"];
    let again = invariant.reads().iter().all(|name| versions.iter().any(|v| name.starts_with(v)));
    let mut item = None;
    if report.ended == InvariantEnd::Broken && again {
        for (after, tables) in &cleaned.versions {
            let mut then = facts.clone();
            then.parts.extend(tables.iter().map(|(t, parts)| (format!("cleaned_{t}"), parts.clone())));
            if rules::ask(runner.engine, runner.national, invariant, &then)?.ended == InvariantEnd::Broken {
                item = Some(after.text().to_owned());
                break;
            }
        }
    }
    Ok(Said { report, item })
}

fn row(invariant: &Invariant, said: Said) -> InvariantRow {
    InvariantRow {
        id: invariant.id.clone(),
        title_zh: invariant.title.zh.clone(),
        title_en: invariant.title.en.clone(),
        compares_zh: invariant.compares.zh.clone(),
        compares_en: invariant.compares.en.clone(),
        ended: said.report.ended,
        blocks: invariant.blocks,
        rows: said.report.rows,
        samples: said.report.samples,
        item: said.item,
    }
}

/// The datasets of this run.
pub(super) fn of_run(
    edges: &[Edges<'_>],
    cleaned: &Cleaned,
    gated: &BTreeMap<String, Gated>,
) -> BTreeMap<String, Vec<PartInfo>> {
    let mapped = parts_by_table(edges);
    let mut all = BTreeMap::new();
    for (table, parts) in cleaned.versions_of(&mapped) {
        all.insert(format!("merged_{table}"), cleaned.merged(&table));
        all.insert(format!("cleaned_{table}"), parts);
    }
    let before = cleaned.versions.iter().rfind(|(item, _)| *item < Item::Merge).map(|(_, tables)| tables);
    let unmerged = before.unwrap_or(&mapped).iter();
    all.extend(unmerged.map(|(table, parts)| (format!("unmerged_{table}"), parts.clone())));
    all.extend(mapped.into_iter().map(|(table, parts)| (format!("mapped_{table}"), parts)));
    for (table, of) in gated {
        all.insert(format!("staged_{table}"), of.gate.staged.clone());
        all.insert(format!("rejected_{table}"), of.gate.rejected.clone());
    }
    let excluded = cleaned.excluded_parts();
    all.extend(excluded.iter().map(|(table, parts)| (format!("excluded_{table}"), parts.clone())));
    let items = || cleaned.items.iter();
    all.insert("changes".to_owned(), items().flat_map(|i| i.changes.clone()).collect());
    all.insert("found".to_owned(), items().flat_map(|i| i.found.clone()).collect());
    all
}

type Tables = BTreeMap<&'static str, Vec<Vec<String>>>;

/// Small tables about cleaning: fields that differ by item and table (an added or merged row counts once), columns that no rule may change.
fn of_cleaning(cleaned: &Cleaned) -> Tables {
    let mut tables = Tables::new();
    for item in &cleaned.items {
        let line = |table: &str, fields: u64| {
            vec![item.item.text().to_owned(), table.to_owned(), fields.to_string()]
        };
        let rows = item.added.iter().chain(&item.merged).map(|p| line(&p.table, p.part.rows));
        let fields = item.replaced.iter().map(|r| line(&r.table, r.fields));
        tables.entry("cells").or_default().extend(fields.chain(rows));
    }
    let untouchable = cleaned.book.iter().flat_map(|book| &book.untouchable);
    let lines = untouchable.map(|(table, column)| vec![table.clone(), column.clone()]).collect();
    tables.insert("untouchable", lines);
    tables
}

/// Adds what earlier runs stand for: one over the very same inputs, whose files must be these; one over the same data and rules, whose repairs
/// must last. Returns what it took, for the digest.
fn earlier(
    runner: &StageRunner<'_>,
    settings: &RunSettings,
    cleaned: &Cleaned,
    facts: &mut Facts,
    tables: &mut Tables,
) -> Result<String, RunError> {
    let (state, own) = (runner.state, runner.run);
    let runs = state.runs()?;
    let Some(this) = runs.iter().find(|r| r.id == own) else { return Ok(String::new()) };
    let mut whole = BTreeSet::new();
    for run in &runs {
        // What was pruned has nothing to compare with.
        if run.id != own && run.status.has_ended() && !is_pruned(state, run)? {
            whole.insert(run.id);
        }
    }
    let ended = |r: &&Run| whole.contains(&r.id);
    let mut took = String::new();
    if let Some(same) = runs.iter().filter(ended).rfind(|r| r.digest == this.digest) {
        let before = RunDir::of(&runner.workdir, same.id);
        tables.insert("made_before", made(before.path(), &state.outputs(same.id)?));
        tables.insert("made", made(runner.dir.path(), &state.outputs(own)?));
        took = format!("{took} {}", same.id);
    }
    let alike = |r: &&Run| {
        let summary: Option<Summary> =
            finished::read(&RunDir::of(&runner.workdir, r.id).file("summary.json")).ok();
        let of = summary.filter(|_| r.extracts == this.extracts && r.as_of == this.as_of);
        of.is_some_and(|s| {
            s.national_digest == runner.national.digest
                && s.mapping_digest == runner.city.digest
                && s.config_digest == settings.config_digest
                && s.rules_digest == cleaned.rules_digest
        })
    };
    if let Some(round) = runs.iter().filter(ended).rfind(alike) {
        let outputs = state.outputs(round.id)?;
        let records = RunDir::of(&runner.workdir, round.id).path().join("changes");
        let parts = outputs.into_iter().filter(|o| o.stage == "clean").flat_map(|o| o.parts);
        let parts = parts.filter(|p| p.path.starts_with(&records) && p.path.exists());
        facts.parts.insert("changes_before".to_owned(), parts.collect());
        let undone: Vec<String> =
            state.batches()?.into_iter().filter(|b| b.undone.is_some()).map(|b| batch_name(b.id)).collect();
        took = format!("{took} {} {}", round.id, undone.join(" "));
        tables.insert("undone", undone.into_iter().map(|batch| vec![batch]).collect());
    }
    Ok(took)
}

/// Every file of a run that stays: stage, name in the run's folder, digest.
fn made(dir: &Path, outputs: &[Output]) -> Vec<Vec<String>> {
    let typed = dir.join("typed");
    let mut all = Vec::new();
    for output in outputs.iter().filter(|o| !documents::is_documents(o)) {
        for part in output.parts.iter().filter(|p| !p.path.starts_with(&typed)) {
            let Ok(name) = part.path.strip_prefix(dir) else { continue };
            all.push(vec![output.stage.clone(), name.display().to_string(), part.sha256.clone()]);
        }
    }
    all
}
