//! One work item: every rule over the current version of the tables → what was found, and what of it is applied.
//!
//! Always: rules of an item see the same version; their lines are sorted by key, so that the same rows give the same bytes whatever the
//! partitions. Of several files of one rule that find the same field, the one with the stronger level stands. A field is changed once an
//! item: the first rule in order wins, what others propose stays a proposal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use xxhash_rust::xxh3::xxh3_128;

use super::add;
use super::apply::{self, Change, Replaced};
use super::fault::RuleError;
use super::file::{Rule, RuleBook};
use super::judge::{ItemChanges, Judge, known_keys};
use super::kind::{Effect, Item, Outcome};
use super::lines::{Lines, asked, before_name, found_schema};
use super::merge;
use super::reasons::Reasons;
use super::sql;
use super::tables::Tables;
use crate::dataset::{PartInfo, PartWriter, register};
use crate::durable;
use crate::engine::{Engine, Joins};
use crate::failpoint;
use crate::measures::write_measures;
use crate::national::National;
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
    /// Columns that no branch fills for rows of a legacy table, by national table and legacy table: their emptiness is no finding.
    pub unfilled: &'a BTreeMap<(String, String), BTreeSet<String>>,
    /// The day that stands for today, in change records.
    pub as_of: chrono::NaiveDate,
    /// Folder of what the item's rules find; made again.
    pub found: &'a Path,
    /// Folder of its change records; made again.
    pub changes: &'a Path,
    /// Folder of parts that are written again, or added; made again.
    pub cleaned: &'a Path,
    /// Folder of the key maps of what is merged; made again.
    pub merged: &'a Path,
    /// The part of why rows and money differ (measures), where they do.
    pub reasons: &'a Path,
    /// Emptied at the end.
    pub scratch: &'a Path,
}

/// Who approved a proposal, in which batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub batch: String,
    pub approver: String,
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
}

/// A part of a national table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatasetPart {
    pub table: String,
    pub part: PartInfo,
}

/// Runs the rules of an item.
///
/// # Errors
/// `RUL-1…`, `ENG-…`, `DAT-…`, `DUR-001`.
pub fn clean(of: &CleanItem<'_>) -> Result<ItemReport, RuleError> {
    for folder in [of.found, of.changes, of.cleaned, of.merged, of.scratch] {
        durable::remove_dir_all(folder)?;
        durable::create_dir_all(folder)?;
    }
    let mut tables = Tables {
        engine: of.engine,
        national: of.national,
        book: of.book,
        parts: of.tables,
        externals: of.externals,
        models: BTreeMap::new(),
    };
    let needed: BTreeSet<String> = of.book.of(of.item).flat_map(|r| r.reads.iter().cloned()).collect();
    tables.compute_models(&needed, &of.scratch.join("models"))?;
    let mut groups: BTreeMap<(&str, &str), Vec<&Rule>> = BTreeMap::new();
    for rule in of.book.of(of.item) {
        groups.entry((&rule.id, &rule.table)).or_default().push(rule);
    }
    let mut changes = ItemChanges::default();
    let mut report = ItemReport {
        item: of.item,
        rules: Vec::new(),
        found: Vec::new(),
        changes: Vec::new(),
        replaced: Vec::new(),
        added: Vec::new(),
        merged: Vec::new(),
        reasons: None,
        rows: 0,
    };
    let mut seen = BTreeSet::new();
    for ((id, table), files) in groups {
        let (ended, without, part) = rule(of, &tables, &files, &mut changes)?;
        report.rules.push(RuleReport { rule: id.to_owned(), table: table.to_owned(), ended, without });
        report.found.extend(part);
        if seen.insert(table) {
            report.rows += of.tables.get(table).map_or(0, |p| p.iter().map(|p| p.rows).sum());
        }
    }
    failpoint::hit("clean.found");
    apply_all(of, changes, &mut report)?;
    durable::remove_dir_all(of.scratch)?;
    Ok(report)
}

/// What the item comes to: merges and who follows them, fields that change, rows that are added, and why rows and money differ.
fn apply_all(of: &CleanItem<'_>, mut changes: ItemChanges, report: &mut ItemReport) -> Result<(), RuleError> {
    let mut whole: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for (table, merges) in &mut changes.merges {
        merges.settle();
        for (child, follow) in merge::follow(of, table, merges)? {
            changes.by_table.entry(child).or_default().extend(follow);
        }
        let part = merge::write(of, table, merges)?;
        report.merged.push(DatasetPart { table: table.clone(), part });
        whole.entry(table.clone()).or_default().extend(merges.records().cloned());
    }
    let mut reasons = Reasons::default();
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
    durable::remove_file(of.reasons)?;
    if !measures.is_empty() {
        if let Some(folder) = of.reasons.parent() {
            durable::create_dir_all(folder)?;
        }
        report.reasons = Some(write_measures(of.reasons, &measures)?);
    }
    failpoint::hit("clean.applied");
    Ok(())
}

type Done = (Ended, Vec<String>, Option<PartInfo>);

/// One rule over one table: all its files.
fn rule(
    of: &CleanItem<'_>,
    tables: &Tables<'_>,
    files: &[&Rule],
    changes: &mut ItemChanges,
) -> Result<Done, RuleError> {
    let (mut without, mut parts, mut about, mut ran) = (Vec::new(), Vec::new(), false, false);
    for file in files {
        let missing = file.needs.iter().find(|n| !of.externals.contains_key(*n)).cloned();
        if let Some(missing) = missing.or_else(|| tables.missing(&file.reads)) {
            without.push(missing);
            continue;
        }
        ran = true;
        if !is_about_any(tables, file)? {
            continue;
        }
        about = true;
        parts.extend(lines(of, tables, file)?);
    }
    without.sort();
    without.dedup();
    if !ran {
        let why = format!("needs {}", without.join(", "));
        return Ok((Ended::DidNotRun(why), without, None));
    }
    if !about {
        return Ok((Ended::NothingToCheck, without, None));
    }
    if parts.iter().all(|p| p.rows == 0) {
        return Ok((Ended::Clean, without, None));
    }
    let (part, outcomes) = resolve(of, files, &parts, changes)?;
    let ended = if outcomes.is_empty() { Ended::Clean } else { Ended::Found(outcomes) };
    Ok((ended, without, Some(part)))
}

/// Whether there is a row that a rule is about.
fn is_about_any(tables: &Tables<'_>, rule: &Rule) -> Result<bool, RuleError> {
    let sql = format!("SELECT 1 FROM {} WHERE ({}) LIMIT 1", quote(&rule.table), rule.among);
    let mut names = BTreeSet::from([rule.table.clone()]);
    names.extend(sql::parse(&sql).map(|p| p.reads).unwrap_or_default());
    let session = tables.session(&names)?;
    let what = || format!("the rows that {} is about", rule.name);
    let rows = tables.engine.block_on(async { session.sql(&sql).await?.collect().await });
    let rows = rows.map_err(|e| tables.engine.error(what(), e))?;
    Ok(rows.iter().any(|b| b.num_rows() > 0))
}

/// The query of a rule with where its rows come from and what stands there now.
fn query(rule: &Rule) -> String {
    let before = asked(rule);
    if rule.effect == Effect::Add {
        return format!(
            "SELECT f.*, 'rule:{}' AS \"__s\", NULL AS \"__k\" FROM ({}) AS f",
            rule.id, rule.sql
        );
    }
    let alone = rule.is_row_rule.then(|| sql::parse(&rule.sql).ok()).flatten();
    if let Some((parsed, alias)) = alone.and_then(|p| p.row_alias(&|_| false).map(|a| (p, a))) {
        let alias = quote(&alias);
        let mut more = vec![
            (format!("{alias}._source"), "__s".to_owned()),
            (format!("{alias}._skey"), "__k".to_owned()),
        ];
        more.extend(
            before.iter().enumerate().map(|(at, c)| (format!("{alias}.{}", quote(c)), before_name(at))),
        );
        if let Some(sql) = parsed.with_columns(&more) {
            return sql;
        }
    }
    let more: String = before
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

/// Runs one file; its lines as a scratch part, in any order.
fn lines(of: &CleanItem<'_>, tables: &Tables<'_>, rule: &Rule) -> Result<Option<PartInfo>, RuleError> {
    let target = rule.adds.as_deref().unwrap_or(&rule.table);
    let Some(target) = of.national.table(target) else { return Ok(None) };
    let mut names = rule.reads.clone();
    names.insert(rule.table.clone());
    let session = tables.session(&names)?;
    let what = || format!("the rule {}", rule.name);
    let sql = query(rule);
    let path = of.scratch.join(format!("{}.parquet", rule.name));
    let mut writer = PartWriter::create(&path, found_schema())?;
    let mut lines = Lines::new(rule, target);
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| of.engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            lines.take(&batch.map_err(|e| of.engine.error(what(), e))?)?;
            writer.write(&lines.batch()?)?;
        }
        Ok::<(), RuleError>(())
    })?;
    Ok(Some(writer.finish()?))
}

/// Lines in order, each field once, with what becomes of each; changes are collected by table.
fn resolve(
    of: &CleanItem<'_>,
    files: &[&Rule],
    parts: &[PartInfo],
    changes: &mut ItemChanges,
) -> Result<(PartInfo, BTreeMap<Outcome, u64>), RuleError> {
    let first = files[0];
    let session = of.engine.session(of.engine.partitions(), Joins::Large);
    let paths: Vec<PathBuf> = parts.iter().map(|p| p.path.clone()).collect();
    register(&session, "lines", &paths)?;
    let order = "_key, _source, _skey, \"column\", \"after\"";
    // One file over rows, each found once, needs no more than order.
    let alone = parts.len() == 1 && (files.iter().all(|f| f.is_row_rule) || first.effect == Effect::Add);
    let columns: Vec<String> = found_schema().fields().iter().map(|f| quote(f.name())).collect();
    let sql = if alone {
        format!("SELECT {} FROM lines ORDER BY {order}", columns.join(", "))
    } else {
        format!("{} ORDER BY {order}", one_line_a_field(&columns))
    };
    let path = of.found.join(format!("{}.{}.parquet", first.id, first.table));
    let mut writer = PartWriter::create(&path, found_schema())?;
    let known = known_keys(of, files, &paths)?;
    let mut judge = Judge { of, files, changes, known, last: None, outcomes: BTreeMap::new() };
    let what = || format!("what {} found", first.id);
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream: SendableRecordBatchStream = stream.await.map_err(|e| of.engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| of.engine.error(what(), e))?;
            writer.write(&judge.batch(&batch)?)?;
        }
        Ok::<(), RuleError>(())
    })?;
    Ok((writer.finish()?, judge.outcomes))
}

/// Of the lines about one field the strongest; two values of the same strength are decided by people.
fn one_line_a_field(columns: &[String]) -> String {
    // Several rows may be added at one place.
    let field =
        "PARTITION BY _key, _source, _skey, \"column\", CASE WHEN \"column\" = '*' THEN \"after\" END";
    let columns: Vec<String> = columns
        .iter()
        .map(|c| match c.as_str() {
            "\"repair\"" => {
                "CASE WHEN least < most AND repair IN ('A0', 'A1') THEN 'V' ELSE repair END AS repair"
                    .to_owned()
            }
            other => other.to_owned(),
        })
        .collect();
    format!(
        "SELECT {} FROM (SELECT *, min(strong) OVER ({field}) AS least, max(strong) OVER ({field}) AS most, \
           row_number() OVER ({field} ORDER BY repair, file, \"after\") AS n \
         FROM (SELECT *, CASE WHEN repair = best THEN \"after\" END AS strong \
           FROM (SELECT *, min(repair) OVER ({field}) AS best FROM lines))) WHERE n = 1",
        columns.join(", ")
    )
}
