//! What the lists of `sql/lists/` read of a finished run: its datasets, and small tables of what people decided and what it stood on.
//!
//! Always: only reads; a table or dataset that the run does not have is empty. Values are masked unless they were asked for in clear.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono_tz::Tz;

use super::RunError;
use super::findings::titles;
use super::finished::{Finished, read};
use super::manifest::Manifest;
use super::paths::RunDir;
use super::rule_input::RuleInput;
use super::settings::RuleSettings;
use super::verify::entries;
use crate::audit::{self, Kind, NewEvent};
use crate::clock;
use crate::dataset::{PartInfo, left_parts, row_count};
use crate::engine::Engine;
use crate::mapping::City;
use crate::national::National;
use crate::report::Words;
use crate::rules::{
    self, Facts, Holds, Item, List, RuleBook, RuleError, RuleFiles, each_list_row, list_rows,
};
use crate::state::{State, batch_name};

/// Every list that the rules of a city come with.
///
/// # Errors
/// `RUL-000` with every mistake.
pub fn lists(
    settings: Option<&RuleSettings>,
    national: &National,
    city: &City,
    book: &RuleBook,
) -> Result<Vec<List>, RunError> {
    let Some(settings) = settings else { return Ok(Vec::new()) };
    let files =
        RuleFiles { sql: &settings.folder, national: &settings.national, params: &settings.parameters };
    let functions = city.functions(chrono::NaiveDate::default());
    Ok(rules::lists(&files, national, &functions, book).map_err(RuleError::from)?)
}

/// A list of a run.
pub struct ListOf<'a> {
    pub run: &'a Finished,
    pub engine: &'a Engine,
    pub national: &'a National,
    /// With the outside data of today.
    pub rules: &'a RuleInput,
    pub state: &'a State,
    pub words: &'a Words,
    pub list: &'a List,
    /// Its parameters, as SQL literals.
    pub params: &'a BTreeMap<String, String>,
    /// In clear, not masked.
    pub clear: bool,
    /// In which times are told.
    pub zone: Tz,
}

/// Every row of a list as people see it.
///
/// # Errors
/// `RUL-106`, `ENG-…`, `DAT-…`, `STA-…`, `RUN-005`; what `take` says.
pub fn each_listed<E: From<RunError>>(
    of: &ListOf<'_>,
    mut take: impl FnMut(&[Option<String>]) -> Result<(), E>,
) -> Result<(), E> {
    let facts = facts(of)?;
    let list = of.list;
    each_list_row(of.engine, (of.national, &of.rules.book), (list, of.params), &facts, |row| {
        let cell = |at: usize| {
            let value = if of.clear { row[at].clone() } else { list.masked(of.national, row, at) };
            match &list.columns[at].holds {
                Holds::Word(section) => value.map(|v| of.words.say(section, &v)),
                Holds::Plain | Holds::Column(..) | Holds::Value | Holds::Key | Holds::Text => value,
            }
        };
        let shown: Vec<Option<String>> = (0..row.len().min(list.columns.len())).map(cell).collect();
        take(&shown).map_err(Ended::Taking)
    })
    .map_err(|ended| match ended {
        Ended::Taking(e) => e,
        Ended::Reading(e) => RunError::from(e).into(),
    })
}

/// What ended a list: whoever takes its rows, or reading them.
enum Ended<E> {
    Taking(E),
    Reading(RuleError),
}

impl<E> From<RuleError> for Ended<E> {
    fn from(e: RuleError) -> Self {
        Self::Reading(e)
    }
}

/// Records that somebody wrote a list in clear.
///
/// # Errors
/// `AUD-…`, `STA-…`.
pub fn record_reveal(state: &State, list: &str, run: &str, account: &str) -> Result<(), RunError> {
    let event = NewEvent::of(Kind::Reveal, list).fact("run", run).fact("account", account);
    Ok(audit::append(state, &[event])?)
}

fn facts(of: &ListOf<'_>) -> Result<Facts, RunError> {
    let mut facts = Facts::default();
    for name in of.list.reads(of.national, &of.rules.book) {
        let paths = paths(&of.run.dir, of, &name)?;
        if !paths.is_empty() {
            facts.parts.insert(name, parts(paths)?);
        } else if let Some(batch) = of.rules.book.references.get(&name).or(of.rules.externals.get(&name)) {
            facts.rows.insert(name, batch.clone());
        } else if let Some(rows) = rows(of, &name)? {
            facts.rows.extend(list_rows(&name, &rows).map(|batch| (name, batch)));
        }
    }
    Ok(facts)
}

fn parts(paths: Vec<PathBuf>) -> Result<Vec<PartInfo>, RunError> {
    let part = |path: PathBuf| {
        let rows = row_count(&path)?;
        Ok(PartInfo { path, rows, bytes: 0, sha256: String::new() })
    };
    paths.into_iter().map(part).collect()
}

/// The parts of a dataset of the run.
fn paths(dir: &RunDir, of: &ListOf<'_>, name: &str) -> Result<Vec<PathBuf>, RunError> {
    let of_items = |folder: &dyn Fn(&str) -> PathBuf| -> Result<Vec<PathBuf>, RunError> {
        let mut all = Vec::new();
        for item in Item::ALL {
            all.extend(left_parts(&folder(item.text()))?);
        }
        Ok(all)
    };
    match name {
        "changes" => return of_items(&|item| dir.changes(item)),
        "found" => return of_items(&|item| dir.found(item)),
        "ledger" => return Ok(left_parts(&dir.round())?),
        "findings" => {
            let mut all = Vec::new();
            for table in &of.national.tables {
                all.extend(left_parts(&dir.findings(&table.name))?);
                all.extend(left_parts(&dir.open_findings(&table.name))?);
            }
            return Ok(all);
        }
        _ => {}
    }
    let Some((kind, table)) = name.split_once('_') else { return Ok(Vec::new()) };
    match kind {
        "mapped" => {
            let mut all = Vec::new();
            for branch in entries(&dir.branches(table))? {
                all.extend(left_parts(&branch)?);
            }
            Ok(all)
        }
        "staged" => Ok(left_parts(&dir.staged(table))?),
        "rejected" => Ok(left_parts(&dir.rejected(table))?),
        "excluded" => Ok(left_parts(&dir.excluded(table))?),
        "merged" => {
            let mut all = of_items(&|item| dir.merged(item))?;
            all.retain(|p| p.file_stem().is_some_and(|s| s.to_string_lossy() == table));
            Ok(all)
        }
        _ => Ok(Vec::new()),
    }
}

type Rows = Vec<Vec<Option<String>>>;

/// The rows of a small table; `None`: it is none.
fn rows(of: &ListOf<'_>, name: &str) -> Result<Option<Rows>, RunError> {
    let some = |text: &str| Some(text.to_owned());
    Ok(Some(match name {
        "batches" => batches(of)?,
        "decisions" => decisions(of.state)?,
        "backups" => backups(of)?,
        "rules" => {
            let known: BTreeMap<&str, &str> =
                of.rules.book.rules.iter().map(|r| (r.id.as_str(), r.item.text())).collect();
            let lang = of.words.lang();
            let row = |(rule, (zh, en, department)): (String, (String, String, Option<String>))| {
                let item = known.get(rule.as_str()).copied().unwrap_or("check");
                vec![some(&rule), some(lang.pick(&zh, &en)), department, some(item)]
            };
            titles(of.run, of.national).into_iter().map(row).collect()
        }
        "national_tables" => of.national.tables.iter().map(|t| vec![some(&t.name), some(&t.title)]).collect(),
        "national_columns" => {
            let all = of.national.tables.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
            all.map(|(t, c)| vec![some(&t.name), some(&c.code), some(&c.title)]).collect()
        }
        _ => return Ok(None),
    }))
}

fn batches(of: &ListOf<'_>) -> Result<Rows, RunError> {
    let told = |at: &str| clock::wall(&clock::stored_zoned(at, of.zone));
    let row = |b: crate::state::Batch| {
        let undone = b.undone.map(|(at, _)| told(&at));
        let texts =
            [batch_name(b.id), b.of.rule, b.of.run, b.of.approver, b.of.account, b.of.reason, told(&b.at)];
        texts.into_iter().map(Some).chain([undone, Some(b.proposals.to_string())]).collect()
    };
    Ok(of.state.batches()?.into_iter().map(row).collect())
}

fn decisions(state: &State) -> Result<Rows, RunError> {
    let row = |(batch, d): (i64, crate::state::Decision)| {
        vec![
            Some(batch_name(batch)),
            Some(format!("i{:016x}", d.item)),
            Some(d.kind.text().to_owned()),
            Some(d.rule),
            Some(d.table),
            Some(d.key),
            Some(d.source),
            d.skey,
            Some(d.column),
            d.before,
            d.after,
            d.evidence,
            d.expires,
            Some(d.handler.name),
            Some(d.handler.day),
            Some(d.reviewer.name),
            Some(d.reviewer.day),
            Some(d.approver.name),
            Some(d.approver.day),
        ]
    };
    Ok(state.decisions()?.into_iter().map(row).collect())
}

/// The raw parts that the run stands on: the backup of what it changes.
fn backups(of: &ListOf<'_>) -> Result<Rows, RunError> {
    let manifest: Manifest = read(&of.run.dir.file("manifest.json"))?;
    let wanted: BTreeSet<&String> = manifest.inputs.iter().map(|i| &i.source).collect();
    let mut told: BTreeMap<(String, String), (Option<String>, String)> = BTreeMap::new();
    for source in wanted {
        for extract in of.state.extracts(source)? {
            let finished = extract.finished.as_deref();
            let finished = finished.map(|at| clock::wall(&clock::stored_zoned(at, of.zone)));
            let point = (finished, extract.of.point.clone());
            told.insert((source.clone(), extract.id.to_string()), point);
        }
    }
    let mut all = Vec::new();
    for input in &manifest.inputs {
        let (taken, point) =
            told.get(&(input.source.clone(), input.extract.clone())).cloned().unwrap_or_default();
        for part in &input.parts {
            all.push(vec![
                Some(input.source.clone()),
                Some(input.extract.clone()),
                taken.clone(),
                Some(point.clone()),
                Some(input.table.clone()),
                Some(part.file.clone()),
                Some(part.sha256.clone()),
                Some(part.rows.to_string()),
                Some(part.bytes.to_string()),
            ]);
        }
    }
    Ok(all)
}
