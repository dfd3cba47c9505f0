//! One work item: every rule over the current version of the tables → what was found, and what of it is applied.
//!
//! Always: rules of an item see the same version; their lines are sorted by key, so that the same rows give the same bytes whatever the
//! partitions. A field is changed once an item: the first rule in order wins, what others propose stays a proposal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use futures::StreamExt;
use xxhash_rust::xxh3::xxh3_128;

use super::add;
use super::apply::{self, Change, Replaced};
use super::correct::{self, Correction};
use super::fault::RuleError;
use super::file::{Rule, RuleBook};
use super::judge::ItemChanges;
use super::kind::{Effect, Item, Outcome};
use super::lines::{Lines, asked, before_name, found_schema};
use super::merge;
use super::merged::{self, Seen};
use super::reasons::Reasons;
use super::resolve::{Group, Groups, Resolved, resolve};
use super::scan::Scan;
use super::sql;
use super::tables::{Models, Tables};
use crate::dataset::{PartInfo, PartWriter};
use crate::durable;
use crate::engine::Engine;
use crate::failpoint;
use crate::measures::write_measures;
use crate::national::National;
use crate::phrase;
use crate::sql_ident::quote;

/// What an item works on, and where its results go.
pub struct CleanItem<'a> {
    pub engine: &'a Engine,
    pub national: &'a National,
    pub book: &'a RuleBook,
    pub item: Item,
    /// The current version of every mapped national and working table.
    pub tables: &'a BTreeMap<String, Vec<PartInfo>>,
    /// Outside data that the city has, by `ext_<name>`.
    pub externals: &'a BTreeMap<String, RecordBatch>,
    /// Approved proposals, by their identity.
    pub approved: &'a BTreeMap<u128, Approval>,
    /// What people corrected, of every item.
    pub corrections: &'a [Correction],
    /// Columns that no branch fills for rows of a legacy table, by national table and legacy table: their emptiness is no finding.
    pub unfilled: &'a BTreeMap<(String, String), BTreeSet<String>>,
    /// The day that stands for today, in change records.
    pub as_of: chrono::NaiveDate,
    /// Where its results go.
    pub to: &'a CleanFolders,
}

/// Where a work item writes; every folder is made again.
#[derive(Debug, Clone)]
pub struct CleanFolders {
    /// What its rules find.
    pub found: PathBuf,
    /// Change records.
    pub changes: PathBuf,
    /// Parts that are written again, or added.
    pub cleaned: PathBuf,
    /// Key maps of what is merged.
    pub merged: PathBuf,
    /// The part of why rows and money differ (measures), where they do.
    pub reasons: PathBuf,
    /// Removed at the end.
    pub scratch: PathBuf,
}

impl CleanFolders {
    /// All of them in one folder.
    #[must_use]
    pub fn under(folder: &Path) -> Self {
        Self {
            found: folder.join("found"),
            changes: folder.join("changes"),
            cleaned: folder.join("cleaned"),
            merged: folder.join("merged"),
            reasons: folder.join("reasons.parquet"),
            scratch: folder.join("scratch"),
        }
    }
}

/// Who approved a proposal, in which batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    pub batch: String,
    pub approver: String,
    /// Who handled and reviewed it, and the number of the evidence: of decisions of a worklist.
    pub handler: Option<String>,
    pub reviewer: Option<String>,
    pub evidence: Option<String>,
}

/// The identity of a proposal (RULES 3): it is the same in every run that proposes the same.
pub fn proposal_id(
    rule: &str,
    table: &str,
    key: &str,
    column: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> u128 {
    let parts = [rule, table, key, column, before.unwrap_or("∅"), after.unwrap_or("∅")];
    let text: String = parts.iter().map(|p| format!("{}:{p}", p.len())).collect();
    xxh3_128(text.as_bytes())
}

/// How a rule ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Clean,
    /// Lines by outcome.
    Found(BTreeMap<Outcome, u64>),
    /// No row that it is about.
    NothingToCheck,
    /// Why.
    DidNotRun(String),
}

/// One rule over one table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RuleReport {
    pub rule: String,
    pub table: String,
    pub ended: Ended,
    /// Outside data that was not there, of files that therefore did not run.
    pub without: Vec<String>,
}

/// What an item came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ItemReport {
    pub item: Item,
    pub rules: Vec<RuleReport>,
    /// One part a rule and table that found something.
    pub found: Vec<PartInfo>,
    pub changes: Vec<PartInfo>,
    /// Parts that were written again.
    pub replaced: Vec<Replaced>,
    /// Rows that were added.
    pub added: Vec<DatasetPart>,
    /// Key maps of what was merged.
    pub merged: Vec<DatasetPart>,
    /// Why rows and money differ from before: measures of the boundary mapped–dispositions.
    pub reasons: Option<PartInfo>,
    /// Rows of the tables that it looked at.
    pub rows: u64,
    /// Fields that people corrected, and corrections whose value before no longer stands: these are not applied.
    pub corrected: u64,
    pub stale: u64,
}

/// A part of a national table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatasetPart {
    pub table: String,
    pub part: PartInfo,
}

/// Runs the rules of an item; `models` are those of the items before, and serve the next.
///
/// # Errors
/// `RUL-1…`, `ENG-…`, `DAT-…`, `DUR-001`.
pub fn clean(of: &CleanItem<'_>, models: &mut Models) -> Result<ItemReport, RuleError> {
    for folder in [&of.to.found, &of.to.changes, &of.to.cleaned, &of.to.merged, &of.to.scratch] {
        durable::remove_dir_all(folder)?;
        durable::create_dir_all(folder)?;
    }
    let mut reasons = Reasons::default();
    let corrected = correct::correct(of, &mut reasons)?;
    // The rules look at what people have corrected.
    let of = &CleanItem { tables: &corrected.tables, ..*of };
    let rules: Vec<&Rule> = of.book.of(of.item).collect();
    let tables = Tables::new(of, models);
    let stands = stands(of, &tables, &rules)?;
    let seen: BTreeSet<&str> = rules.iter().map(|r| r.table.as_str()).collect();
    let rows = seen.iter().map(|table| tables.rows(table)).sum();
    let mut changes = ItemChanges::new(of.engine);
    changes.take_corrected(of, &corrected.records)?;
    let mut resolved = resolved(of, models, (&rules, &stands), &mut changes)?;
    let mut report = ItemReport::of(of.item);
    for ((id, table), mut ended) in ends(&rules, &stands) {
        if let Some(Resolved { part, outcomes }) = resolved.remove(&(id.to_owned(), table.to_owned())) {
            report.found.push(part);
            if !outcomes.is_empty() {
                ended.0 = Ended::Found(outcomes);
            }
        }
        let (ended, without) = ended;
        report.rules.push(RuleReport { rule: id.to_owned(), table: table.to_owned(), ended, without });
    }
    report.rows = rows;
    failpoint::hit("clean.found");
    (report.corrected, report.stale) = (corrected.fields(), corrected.stale);
    report.replaced = corrected.replaced;
    apply_all(of, changes, corrected.records, reasons, &mut report)?;
    durable::remove_dir_all(&of.to.scratch)?;
    Ok(report)
}

/// What becomes of the lines of every rule, by rule and table: phase by phase, since some look at what others have merged.
fn resolved(
    of: &CleanItem<'_>,
    models: &mut Models,
    (rules, stands): (&[&Rule], &[Stands]),
    changes: &mut ItemChanges,
) -> Result<BTreeMap<(String, String), Resolved>, RuleError> {
    let running: Vec<&Rule> =
        rules.iter().zip(stands).filter(|(_, s)| **s == Stands::Runs).map(|(r, _)| *r).collect();
    let (mut all, mut seen) = (BTreeMap::new(), Seen::new(of));
    for phase in merged::phases(&running) {
        let externals = seen.externals.clone();
        let of = &CleanItem { externals: &externals, ..*of };
        let mut tables = Tables::new(of, models);
        tables.compute_models(&phase.iter().flat_map(|r| r.reads.iter().cloned()).collect())?;
        let (lines, found) = find(of, &tables, &phase)?;
        let mut groups = Groups::new();
        for rule in &phase {
            let empty = || Group { files: Vec::new(), alone: false };
            groups.entry((&rule.id, &rule.table)).or_insert_with(empty).files.push(rule);
        }
        for ((id, table), group) in &mut groups {
            let of_rule = || rules.iter().filter(|r| r.id == *id && r.table == *table);
            let rows = of_rule().all(|r| r.is_row_rule) || of_rule().all(|r| r.effect == Effect::Add);
            group.alone = rows && group.files.len() == 1;
        }
        groups.retain(|_, group| group.files.iter().any(|f| found.contains(f.name.as_str())));
        all.extend(resolve(of, &groups, &lines, changes)?);
        seen.settle(of, &mut tables, changes)?;
    }
    Ok(all)
}

impl ItemReport {
    fn of(item: Item) -> Self {
        Self {
            item,
            rules: Vec::new(),
            found: Vec::new(),
            changes: Vec::new(),
            replaced: Vec::new(),
            added: Vec::new(),
            merged: Vec::new(),
            reasons: None,
            rows: 0,
            corrected: 0,
            stale: 0,
        }
    }
}

/// What the item comes to: merges and who follows them, fields that change, rows that are added, and why rows and money differ.
/// `whole` begins with the records of what people corrected.
fn apply_all(
    of: &CleanItem<'_>,
    mut changes: ItemChanges,
    mut whole: BTreeMap<String, Vec<Change>>,
    mut reasons: Reasons,
    report: &mut ItemReport,
) -> Result<(), RuleError> {
    let all_merges = std::mem::take(&mut changes.merges);
    for (table, merges) in &all_merges {
        for (child, follow) in merge::follow(of, table, merges)? {
            changes.hold(of, &follow)?;
            changes.by_table.entry(child).or_default().extend(follow);
        }
        let part = merge::write(of, table, merges)?;
        report.merged.push(DatasetPart { table: table.clone(), part });
        whole.entry(table.clone()).or_default().extend(merges.records().cloned());
    }
    for (table, added) in &mut changes.added {
        let Some(known) = of.national.table(table) else { continue };
        reasons.added(known, added);
        report.added.push(DatasetPart { table: table.clone(), part: add::write(of, known, added)? });
        whole.entry(table.clone()).or_default().extend(added.iter().map(|a| a.record.clone()));
    }
    for table in whole.keys() {
        changes.by_table.entry(table.clone()).or_default();
    }
    for (table, changes) in changes.by_table {
        let done = apply::apply(of, &table, changes, whole.remove(&table).unwrap_or_default(), &mut reasons)?;
        report.changes.push(done.records);
        report.replaced.extend(done.replaced);
    }
    let measures = reasons.measures();
    durable::remove_file(&of.to.reasons)?;
    if !measures.is_empty() {
        if let Some(folder) = of.to.reasons.parent() {
            durable::create_dir_all(folder)?;
        }
        report.reasons = Some(write_measures(&of.to.reasons, &measures)?);
    }
    failpoint::hit("clean.applied");
    Ok(())
}

/// Whether a file of a rule runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    /// That outside data is not there.
    Without(String),
    /// There is no row that it is about.
    Idle,
    Runs,
}

/// Which files run. Each table is looked at once, and no further than needed.
fn stands(of: &CleanItem<'_>, tables: &Tables<'_>, rules: &[&Rule]) -> Result<Vec<Stands>, RuleError> {
    let missing = |rule: &Rule| {
        let needed = rule.needs.iter().find(|n| !of.externals.contains_key(*n)).cloned();
        needed.or_else(|| tables.missing(&rule.reads))
    };
    let missing: Vec<Option<String>> = rules.iter().map(|rule| missing(rule)).collect();
    let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (rule, missing) in rules.iter().zip(&missing) {
        if missing.is_none() && rule.among != "true" && tables.rows(&rule.table) > 0 {
            asked.entry(&rule.table).or_default().insert(&rule.among);
        }
    }
    let mut holding = BTreeSet::new();
    for (table, conditions) in &asked {
        let Some(scan) = Scan::new(of.engine, tables, table)? else { continue };
        holding.extend(scan.hold(conditions)?.into_iter().map(|condition| (*table, condition)));
    }
    let stands = |(rule, missing): (&&Rule, Option<String>)| match missing {
        Some(missing) => Stands::Without(missing),
        None if tables.rows(&rule.table) == 0 => Stands::Idle,
        None if rule.among == "true" || holding.contains(&(rule.table.as_str(), rule.among.as_str())) => {
            Stands::Runs
        }
        None => Stands::Idle,
    };
    Ok(rules.iter().zip(missing).map(stands).collect())
}

/// How each rule ends over each table where nothing is found, and the outside data that files of it lack.
fn ends<'r>(rules: &[&'r Rule], stands: &[Stands]) -> BTreeMap<(&'r str, &'r str), (Ended, Vec<String>)> {
    let mut all: BTreeMap<(&str, &str), (Ended, Vec<String>)> = BTreeMap::new();
    for (rule, stands) in rules.iter().zip(stands) {
        let nothing = || (Ended::DidNotRun(String::new()), Vec::new());
        let (ended, without) = all.entry((&rule.id, &rule.table)).or_insert_with(nothing);
        match stands {
            Stands::Without(missing) => without.push(missing.clone()),
            Stands::Idle if *ended == Ended::Clean => {}
            Stands::Idle => *ended = Ended::NothingToCheck,
            Stands::Runs => *ended = Ended::Clean,
        }
    }
    for (ended, without) in all.values_mut() {
        without.sort();
        without.dedup();
        if let Ended::DidNotRun(why) = ended {
            *why = format!("needs {}", without.join(", "));
        }
    }
    all
}

/// Runs the files: their lines as a scratch part, in any order, and the names of those that have some.
pub(super) fn find<'r>(
    of: &CleanItem<'_>,
    tables: &Tables<'_>,
    rules: &[&'r Rule],
) -> Result<(PartInfo, BTreeSet<&'r str>), RuleError> {
    let mut writer = PartWriter::create(&of.to.scratch.join("lines.parquet"), found_schema())?;
    let mut found = BTreeSet::new();
    let mut by_table: BTreeMap<&str, Vec<(&'r Rule, String)>> = BTreeMap::new();
    let mut alone: Vec<(&'r Rule, String)> = Vec::new();
    for rule in rules {
        match row_query(rule) {
            Some(sql) => by_table.entry(&rule.table).or_default().push((rule, sql)),
            None => alone.push((rule, set_query(rule))),
        }
    }
    for (table, rules) in by_table {
        let Some(scan) = Scan::new(of.engine, tables, table)? else { continue };
        let mut lines: Vec<Option<Lines<'_>>> = rules.iter().map(|(rule, _)| of_rule(of, rule)).collect();
        let left = scan.find(&rules, |at, batch| {
            let Some(lines) = &mut lines[at] else { return Ok(()) };
            found.insert(rules[at].0.name.as_str());
            lines.take(batch)?;
            Ok(writer.write(&lines.batch()?)?)
        })?;
        alone.extend(left.into_iter().map(|at| rules[at].clone()));
    }
    for (rule, sql) in alone {
        let Some(mut lines) = of_rule(of, rule) else { continue };
        let mut names = rule.reads.clone();
        names.insert(rule.table.clone());
        let session = tables.session(&names)?;
        let what = || phrase!("work.rule", name = rule.name);
        of.engine.block_on(async {
            let stream = async { session.sql(&sql).await?.execute_stream().await };
            let mut stream = stream.await.map_err(|e| of.engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| of.engine.error(what(), e))?;
                if batch.num_rows() > 0 {
                    found.insert(rule.name.as_str());
                    lines.take(&batch)?;
                    writer.write(&lines.batch()?)?;
                }
            }
            Ok::<(), RuleError>(())
        })?;
    }
    Ok((writer.finish()?, found))
}

/// Lines of a file, about the table whose columns it proposes.
fn of_rule<'r>(of: &CleanItem<'r>, rule: &'r Rule) -> Option<Lines<'r>> {
    let national: &'r National = of.national;
    Some(Lines::new(rule, national.table(rule.adds.as_deref().unwrap_or(&rule.table))?))
}

/// The query of a row rule with where its rows come from and what stands there now.
fn row_query(rule: &Rule) -> Option<String> {
    let parsed = rule.is_row_rule.then(|| sql::parse(&rule.sql).ok()).flatten()?;
    let alias = quote(&parsed.row_alias(&|_| false)?);
    let mut more = match rule.effect {
        Effect::Add => vec![(format!("'rule:{}'", rule.id), "__s"), ("NULL".to_owned(), "__k")],
        _ => vec![(format!("{alias}._source"), "__s"), (format!("{alias}._skey"), "__k")],
    };
    let before: Vec<String> = asked(rule);
    let names: Vec<String> = (0..before.len()).map(before_name).collect();
    more.extend(before.iter().zip(&names).map(|(c, name)| (format!("{alias}.{}", quote(c)), name.as_str())));
    parsed.with_columns(&more)
}

/// The same of a set rule.
fn set_query(rule: &Rule) -> String {
    if rule.effect == Effect::Add {
        return format!(
            "SELECT f.*, 'rule:{}' AS \"__s\", NULL AS \"__k\" FROM ({}) AS f",
            rule.id, rule.sql
        );
    }
    let more: String = asked(rule)
        .iter()
        .enumerate()
        .map(|(at, c)| format!(", t.{} AS \"{}\"", quote(c), before_name(at)))
        .collect();
    format!(
        "SELECT f.*, t._source AS \"__s\", t._skey AS \"__k\"{more} FROM ({}) AS f JOIN {} AS t ON f._key = t._key",
        rule.sql,
        quote(&rule.table)
    )
}
