//! The cases beside a rule: rows in, findings out (docs/rules.md). `qianyi rules test` and the test suite run them.
//!
//! Always: a case runs by the same code as a run, over parts on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use chrono::NaiveDate;
use serde::Deserialize;

use super::fault::RuleError;
use super::file::{Rule, RuleBook};
use super::merged;
use super::run::{CleanFolders, CleanItem, Ended, clean};
use super::tables::Models;
use super::typed;
use crate::dataset::{PartInfo, PartWriter, read_part};
use crate::engine::Engine;
use crate::national::National;

/// The day of a case that names none.
const AS_OF: &str = "2026-01-01";

/// The cases of one rule file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// Rows in, findings out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    as_of: Option<String>,
    /// Parameter → SQL literal.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    rows: BTreeMap<String, String>,
    found: String,
    outcome: Option<String>,
}

impl Case {
    /// Whether it expects a finding.
    pub fn finds(&self) -> bool {
        self.found.lines().filter(|l| !l.trim().is_empty()).count() > 1
    }

    /// The day that stands for today.
    pub fn as_of(&self) -> Option<NaiveDate> {
        self.as_of.as_deref().unwrap_or(AS_OF).parse().ok()
    }
}

/// The cases of a rule file.
///
/// # Errors
/// What is wrong with the file.
pub fn cases(rule: &Rule) -> Result<Vec<Case>, String> {
    let path = rule.path.with_extension("case");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let file: File = toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))?;
    if let Some(case) = file.case.iter().find(|c| c.as_of().is_none()) {
        return Err(format!("{}: {}: as_of is no date", path.display(), case.name));
    }
    Ok(file.case)
}

/// What a case is run with.
pub struct CaseContext<'a> {
    pub engine: &'a Engine,
    pub national: &'a National,
    /// With the parameters of the case set.
    pub book: &'a RuleBook,
    pub scratch: &'a Path,
}

/// A pipe table: its columns and rows.
struct Pipes<'t> {
    columns: Vec<&'t str>,
    rows: Vec<Vec<Option<&'t str>>>,
}

/// Cells stand between bars with a blank or the end of the line beside them; `1|110` is one cell, a key of two columns.
fn cells(line: &str) -> Vec<&str> {
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let (mut all, mut from) = (Vec::new(), 0);
    for (at, _) in line.match_indices('|') {
        if blank(line[..at].chars().next_back()) || blank(line[at + 1..].chars().next()) {
            all.push(&line[from..at]);
            from = at + 1;
        }
    }
    all.push(&line[from..]);
    all
}

fn pipes(text: &str) -> Result<Pipes<'_>, String> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let columns: Vec<&str> = cells(lines.next().unwrap_or_default()).into_iter().map(str::trim).collect();
    let mut rows = Vec::new();
    for line in lines {
        let cells: Vec<Option<&str>> = cells(line).into_iter().map(typed::cell).collect();
        if cells.len() > columns.len() {
            return Err(format!(
                "the row `{line}` has {} cells, the table {} columns",
                cells.len(),
                columns.len()
            ));
        }
        rows.push(cells);
    }
    Ok(Pipes { columns, rows })
}

/// What a case gives.
struct Given {
    parts: BTreeMap<String, Vec<PartInfo>>,
    externals: BTreeMap<String, RecordBatch>,
    book: RuleBook,
}

impl Given {
    /// Puts a table where rules find it.
    fn table(&mut self, context: &CaseContext<'_>, name: &str, batch: RecordBatch) -> Result<(), RuleError> {
        if context.national.table(name).is_some() {
            let path = context.scratch.join(format!("in-{name}.parquet"));
            let mut writer = PartWriter::create(&path, batch.schema())?;
            writer.write(&batch)?;
            self.parts.insert(name.to_owned(), vec![writer.finish()?]);
        } else if name.starts_with("ref_") {
            self.book.references.insert(name.to_owned(), batch);
        } else {
            self.externals.insert(name.to_owned(), batch);
        }
        Ok(())
    }
}

/// Runs one case of a rule file; what differs from what it says, nothing when all is well.
///
/// # Errors
/// `RUL-1…`, `ENG-…`, `DAT-…`.
pub fn try_case(context: &CaseContext<'_>, rule: &Rule, case: &Case) -> Result<Option<String>, RuleError> {
    let mut given = Given {
        parts: BTreeMap::new(),
        externals: BTreeMap::new(),
        book: RuleBook { rules: vec![rule.clone()], ..context.book.clone() },
    };
    crate::durable::remove_dir_all(context.scratch)?;
    crate::durable::create_dir_all(context.scratch)?;
    for (name, text) in &case.rows {
        match rows(context, name, text) {
            Ok(batch) => given.table(context, name, batch)?,
            Err(why) => return Ok(Some(format!("{name}: {why}"))),
        }
    }
    let to = CleanFolders::under(context.scratch);
    let mut models = Models::new(&context.scratch.join("models"))?;
    let item = CleanItem {
        engine: context.engine,
        national: context.national,
        book: &given.book,
        item: rule.item,
        tables: &given.parts,
        externals: &given.externals,
        approved: &BTreeMap::new(),
        corrections: &[],
        unfilled: &BTreeMap::new(),
        as_of: case.as_of().unwrap_or_default(),
        to: &to,
    };
    let report = clean(&item, &mut models)?;
    let Some(ended) = report.rules.first().map(|r| &r.ended) else {
        return Ok(Some("the rule is not there".to_owned()));
    };
    let outcome = match ended {
        Ended::Clean => "clean",
        Ended::Found(_) => "found",
        Ended::NothingToCheck => "nothing to check",
        Ended::DidNotRun(_) => "did not run",
    };
    let wanted = match pipes(&case.found) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Some(why)),
    };
    let expected = case.outcome.as_deref().unwrap_or(if wanted.rows.is_empty() { "clean" } else { "found" });
    if outcome != expected {
        return Ok(Some(format!("it ended as {outcome}, not {expected}")));
    }
    if wanted.rows.is_empty() {
        return Ok(None);
    }
    let got = lines(rule, &report.found)?;
    Ok(compare(rule, &wanted, &got))
}

/// The rows of a table of a case: columns that are not given are NULL, `_key` is made of the key.
fn rows(context: &CaseContext<'_>, name: &str, text: &str) -> Result<RecordBatch, String> {
    let given = pipes(text)?;
    let (schema, key): (Vec<(String, DataType)>, Vec<String>) = match context.national.table(name) {
        Some(table) => (fields(&table.mapped_schema()), table.key.clone()),
        None => {
            let external = context.book.externals.get(name).map(|e| e.schema());
            let reference = || context.book.references.get(name).map(|r| r.schema());
            let merged = || merged::schema(context.national, name);
            match external.or_else(reference).or_else(merged) {
                Some(schema) => (fields(&schema), Vec::new()),
                None => return Err("there is no such table".to_owned()),
            }
        }
    };
    if let Some(unknown) = given.columns.iter().find(|c| !schema.iter().any(|(n, _)| n == *c)) {
        return Err(format!("there is no column {unknown}"));
    }
    let mut keys = Vec::new();
    for (no, row) in given.rows.iter().enumerate() {
        let value = |column: &str| {
            given.columns.iter().position(|c| *c == column).and_then(|at| row.get(at).copied().flatten())
        };
        let mut text = String::new();
        crate::functions::key_text(&mut text, key.iter().map(|k| value(k)));
        keys.push((text, format!("{no}")));
    }
    let whole: Vec<Vec<Option<&str>>> = given
        .rows
        .iter()
        .zip(&keys)
        .map(|(row, (key, no))| {
            let cell = |name: &str| {
                let at = given.columns.iter().position(|c| *c == name);
                let own = at.and_then(|at| row.get(at).copied().flatten());
                match name {
                    "_key" if own.is_none() => Some(key.as_str()),
                    "_source" if own.is_none() => Some("case"),
                    "_skey" if own.is_none() => Some(no.as_str()),
                    _ => own,
                }
            };
            schema.iter().map(|(name, _)| cell(name)).collect()
        })
        .collect();
    let batch = typed::batch(&schema, &whole)
        .map_err(|unfit| format!("row {}: {} does not hold {}", unfit.row + 1, unfit.column, unfit.value))?;
    match context.national.table(name) {
        Some(table) => {
            RecordBatch::try_new(table.mapped_schema(), batch.columns().to_vec()).map_err(|e| e.to_string())
        }
        None => Ok(batch),
    }
}

fn fields(schema: &Schema) -> Vec<(String, DataType)> {
    schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
}

type Got = BTreeMap<String, String>;

/// What was found, a row a key: the proposed values and the rule's own columns by name.
fn lines(rule: &Rule, found: &[PartInfo]) -> Result<Vec<Got>, RuleError> {
    let mut all: Vec<((String, u64), Got)> = Vec::new();
    let mut no = 0;
    for part in found {
        for batch in read_part(&part.path)? {
            let batch = batch?;
            let text = |name: &str, row: usize| {
                let values = batch.column_by_name(name)?.as_string_opt::<i32>()?.clone();
                values.is_valid(row).then(|| values.value(row).to_owned())
            };
            for row in 0..batch.num_rows() {
                let key = text("_key", row).unwrap_or_default();
                let column = text("column", row).unwrap_or_default();
                // Rows that are added are told apart by their number.
                let place = (key.clone(), if rule.adds.is_some() { no } else { 0 });
                no += 1;
                let at = match all.iter().position(|(p, _)| *p == place) {
                    Some(at) => at,
                    None => {
                        all.push((place, Got::new()));
                        all.len() - 1
                    }
                };
                let got = &mut all[at].1;
                got.insert("_key".to_owned(), key);
                let own = [
                    ("_repair", "repair"),
                    ("_severity", "severity"),
                    ("_evidence", "evidence"),
                    ("_group", "group"),
                    ("_after_key", "after_key"),
                ];
                for (name, from) in own {
                    if let Some(value) = text(from, row) {
                        got.insert(name.to_owned(), value);
                    }
                }
                if let Some(score) = batch
                    .column_by_name("score")
                    .and_then(|s| s.as_primitive_opt::<arrow::datatypes::Int64Type>())
                    && score.is_valid(row)
                {
                    got.insert("_score".to_owned(), score.value(row).to_string());
                }
                match text("after", row) {
                    Some(json) if rule.adds.is_some() => {
                        let new: serde_json::Map<String, serde_json::Value> =
                            serde_json::from_str(&json).unwrap_or_default();
                        got.extend(new.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))));
                    }
                    Some(after) => {
                        got.insert(column, after);
                    }
                    None => {}
                }
            }
        }
    }
    Ok(all.into_iter().map(|(_, got)| got).collect())
}

/// Rows of what was found against those that were expected, by the columns that are named.
fn compare(rule: &Rule, wanted: &Pipes<'_>, got: &[Got]) -> Option<String> {
    let own: BTreeSet<&str> =
        ["_key", "_repair", "_severity", "_evidence", "_group", "_after_key", "_score"].into_iter().collect();
    let show = |cells: Vec<String>| cells.join(" | ");
    let expected = wanted.rows.iter().map(|row| {
        show(
            wanted
                .columns
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    let cell = row.get(at).copied().flatten().unwrap_or_default();
                    // The header's level stands where a row has none of its own.
                    match (*name, cell) {
                        ("_repair", "") => rule.repair.text().to_owned(),
                        ("_severity", "") => rule.severity.text().to_owned(),
                        _ => plain(cell),
                    }
                })
                .collect(),
        )
    });
    let found = got.iter().map(|row| {
        show(wanted.columns.iter().map(|name| plain(row.get(*name).map_or("", String::as_str))).collect())
    });
    let (mut expected, mut found): (Vec<String>, Vec<String>) = (expected.collect(), found.collect());
    expected.sort();
    found.sort();
    let strange = wanted.columns.iter().find(|c| !own.contains(*c) && !rule.touches.iter().any(|t| t == *c));
    if let Some(strange) = strange {
        return Some(format!("`found` names {strange}, which the rule does not give"));
    }
    (expected != found).then(|| {
        format!(
            "columns {}\n  expected:\n    {}\n  found:\n    {}",
            wanted.columns.join(" | "),
            expected.join("\n    "),
            found.join("\n    ")
        )
    })
}

/// Numbers without the zeros at their end; text as it is.
fn plain(cell: &str) -> String {
    let number = cell.contains('.') && cell.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if number { cell.trim_end_matches('0').trim_end_matches('.').to_owned() } else { cell.to_owned() }
}
