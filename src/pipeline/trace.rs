//! One row's whole way through a finished run: where it lay in raw, what it became, what changed it, what was found, where it ended.
//!
//! Always: only reads; values are masked by their column. Only the columns of keys are read until the row is found.

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::RunError;
use super::findings::{FindingFilter, ListedFinding, each_finding};
use super::finished::{Finished, read};
use super::listing::{cell, each_change, masked};
use super::manifest::Manifest;
use crate::artifacts::shown;
use crate::dataset::{DatasetError, find_rows, left_parts};
use crate::engine::Engine;
use crate::folder;
use crate::mask;
use crate::national::{National, Table};

/// Rows of one key that are told: a key that many rows share is a finding itself.
const TOLD: usize = 20;

/// The way of the rows of one key.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Trace {
    pub run: String,
    /// As asked: a national table, or a legacy one (`ylbx.GRJBXX`).
    pub table: String,
    pub rows: Vec<TracedRow>,
}

/// The way of one national row.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TracedRow {
    pub table: String,
    pub title: String,
    pub key: String,
    /// The legacy rows that it was made of.
    pub origins: Vec<Origin>,
    /// Where it was mapped, relative to the work directory.
    pub mapped: String,
    pub values: Vec<TracedValue>,
    pub changes: Vec<super::ListedChange>,
    pub findings: Vec<super::ListedFinding>,
    pub disposition: String,
    /// Why it was not accepted.
    pub reason: String,
    /// Where it ended, relative to the work directory; empty: nowhere, which is a fault.
    pub ended: String,
    /// Packages of the run that hold it.
    pub packages: Vec<String>,
    /// Where it went when it was merged.
    pub merged_into: Option<TracedMerge>,
    /// What was merged into it.
    pub merged_from: Vec<TracedMerge>,
}

/// A line of a key map: the other row, and by what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TracedMerge {
    /// Masked.
    pub key: String,
    /// The legacy row of a donor, masked; of a survivor none.
    pub origin: Option<String>,
    pub rule: String,
    pub batch: Option<String>,
    pub approver: Option<String>,
    pub evidence: Option<String>,
}

/// A legacy row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    pub source: String,
    /// Masked.
    pub skey: String,
    /// The raw part and the row in it, from 1; empty where layer 1 of the run is no longer there.
    pub raw: String,
    pub row: u64,
}

/// One column of it: as mapped, and as it ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TracedValue {
    pub column: String,
    pub title: String,
    pub mapped: Option<String>,
    pub ended: Option<String>,
}

/// Follows the rows of a national key, or those that were made of a legacy row. Empty: the run has no such row.
///
/// # Errors
/// `RUN-005`, `DAT-…`, `ENG-…`.
pub fn trace(
    workdir: &Path,
    engine: &Engine,
    national: &National,
    of: &Finished,
    table: &str,
    key: &str,
) -> Result<Trace, RunError> {
    let workdir = std::path::absolute(workdir).unwrap_or_else(|_| workdir.to_owned());
    let manifest: Manifest = read(&of.dir.file("manifest.json"))?;
    let way = Way { workdir, engine, national, of, manifest };
    let mut rows = Vec::new();
    match national.table(table) {
        Some(national) => rows = way.of_key(national, key)?,
        None => {
            for (table, key) in way.made_of(table, key)? {
                if rows.len() < TOLD
                    && let Some(national) = way.national.table(&table)
                {
                    rows.extend(way.of_key(national, &key)?);
                }
            }
        }
    }
    rows.truncate(TOLD);
    Ok(Trace { run: of.id.to_string(), table: table.to_owned(), rows })
}

struct Way<'a> {
    workdir: PathBuf,
    engine: &'a Engine,
    national: &'a National,
    of: &'a Finished,
    manifest: Manifest,
}

/// A row that was found: its part, its place there, and itself.
struct Found {
    part: PathBuf,
    row: u64,
    values: RecordBatch,
}

impl Way<'_> {
    /// The recorded parts of a folder of the run.
    fn parts(&self, folder: &Path) -> Vec<PathBuf> {
        let all = self.manifest.outputs.iter().flat_map(|o| &o.parts);
        let mut parts: Vec<PathBuf> =
            all.map(|p| self.workdir.join(&p.file)).filter(|p| p.starts_with(folder)).collect();
        parts.sort();
        parts.dedup();
        parts
    }

    fn relative(&self, part: &Path) -> String {
        part.strip_prefix(&self.workdir).unwrap_or(part).display().to_string()
    }

    /// National tables and keys of the rows that were made of a legacy row.
    fn made_of(&self, label: &str, skey: &str) -> Result<Vec<(String, String)>, RunError> {
        let mut made = Vec::new();
        for folder in ["mapped", "lineage"] {
            let root = self.of.dir.path().join(folder);
            for table in &self.national.tables {
                let parts = self.parts(&root.join(&table.name));
                for found in find(&parts, &[("_source", label), ("_skey", skey)])? {
                    made.extend(cell(&found.values, "_key", 0).map(|key| (table.name.clone(), key)));
                }
            }
        }
        made.sort();
        made.dedup();
        Ok(made)
    }

    fn of_key(&self, table: &Table, key: &str) -> Result<Vec<TracedRow>, RunError> {
        let dir = &self.of.dir;
        let mapped = find(&self.parts(&dir.path().join("mapped").join(&table.name)), &[("_key", key)])?;
        let mut ended = Vec::new();
        for folder in [dir.staged(&table.name), dir.rejected(&table.name)] {
            ended.extend(find(&left_parts(&folder)?, &[("_key", key)])?);
        }
        // An added row was never mapped.
        let begun: Vec<&Found> =
            if mapped.is_empty() { ended.iter().collect() } else { mapped.iter().collect() };
        begun.into_iter().map(|row| self.row(table, key, row, &mapped, &ended)).collect()
    }

    fn row(
        &self,
        table: &Table,
        key: &str,
        row: &Found,
        mapped: &[Found],
        ended: &[Found],
    ) -> Result<TracedRow, RunError> {
        let same = |name: &str, other: &RecordBatch| cell(other, name, 0) == cell(&row.values, name, 0);
        let end = ended.iter().find(|e| same("_source", &e.values) && same("_skey", &e.values));
        let value = |of: Option<&RecordBatch>, code: &str| {
            masked(table.column(code), of.and_then(|b| b.column_by_name(code)).and_then(text))
        };
        let was_mapped = !mapped.is_empty();
        let values = table.columns.iter().map(|c| TracedValue {
            column: c.code.clone(),
            title: c.title.clone(),
            mapped: value(was_mapped.then_some(&row.values), &c.code),
            ended: value(end.map(|e| &e.values), &c.code),
        });
        let values: Vec<_> = values.filter(|v| v.mapped.is_some() || v.ended.is_some()).collect();
        let source = cell(&row.values, "_source", 0).unwrap_or_default();
        let mut changes = Vec::new();
        each_change(self.of, self.national, |c| {
            if c.table == table.name && c.key == key && c.source == source {
                changes.push(c);
            }
        })?;
        let findings = self.findings(table, key, &source)?;
        let (merged_into, merged_from) = self.merges(table, key, row)?;
        let end_cell = |name: &str| end.and_then(|e| cell(&e.values, name, 0)).unwrap_or_default();
        let disposition = match end {
            Some(e) if e.part.starts_with(self.of.dir.staged(&table.name)) => "accepted".to_owned(),
            Some(_) => end_cell("_disposition"),
            None if !table.upload => "not_uploaded".to_owned(),
            None => String::new(),
        };
        Ok(TracedRow {
            table: table.name.clone(),
            title: table.title.clone(),
            key: key_shown(table, &row.values),
            origins: self.origins(table, key, row)?,
            mapped: if was_mapped { self.relative(&row.part) } else { String::new() },
            values,
            changes,
            findings,
            packages: if disposition == "accepted" { self.packages(&table.name)? } else { Vec::new() },
            reason: end_cell("_reason"),
            ended: end.map(|e| self.relative(&e.part)).unwrap_or_default(),
            disposition,
            merged_into,
            merged_from,
        })
    }

    /// What is found in a row. Whose it is takes a look at whole tables: only where there is something.
    fn findings(&self, table: &Table, key: &str, source: &str) -> Result<Vec<ListedFinding>, RunError> {
        let mut parts = left_parts(&self.of.dir.findings(&table.name))?;
        parts.extend(left_parts(&self.of.dir.open_findings(&table.name))?);
        let mut findings = Vec::new();
        if find(&parts, &[("_key", key)])?.is_empty() {
            return Ok(findings);
        }
        let (table, key) = (Some(table.name.clone()), Some(key.to_owned()));
        let filter = FindingFilter { table, key, ..FindingFilter::default() };
        each_finding(self.of, self.engine, self.national, &filter, |f| {
            if f.source == source {
                findings.push(f.clone());
            }
            Ok::<(), RunError>(())
        })?;
        Ok(findings)
    }

    /// Where a row went by the key map, and what came to it.
    fn merges(
        &self,
        table: &Table,
        key: &str,
        row: &Found,
    ) -> Result<(Option<TracedMerge>, Vec<TracedMerge>), RunError> {
        let mut maps = self.parts(&self.of.dir.path().join("merged"));
        maps.retain(|part| part.file_stem().and_then(|s| s.to_str()) == Some(table.name.as_str()));
        let column = table.key.first().and_then(|code| table.column(code));
        let merge = |of: &Found, other: &str| {
            let text = |name: &str| cell(&of.values, name, 0);
            let donor = text("_source").zip(text("_skey")).filter(|_| other == "_key");
            TracedMerge {
                key: masked(column, text(other)).unwrap_or_default(),
                origin: donor.map(|(source, skey)| format!("{source} {}", mask::key(&[], &skey))),
                rule: text("rule").unwrap_or_default(),
                batch: text("batch"),
                approver: text("approver"),
                evidence: text("evidence"),
            }
        };
        let own = |of: &&Found| {
            ["_source", "_skey"].iter().all(|n| cell(&of.values, n, 0) == cell(&row.values, n, 0))
        };
        let into = find(&maps, &[("_key", key)])?.iter().find(own).map(|of| merge(of, "survivor"));
        Ok((into, find(&maps, &[("survivor", key)])?.iter().map(|of| merge(of, "_key")).collect()))
    }

    /// The legacy rows of a national row: its own, or those of its lineage.
    fn origins(&self, table: &Table, key: &str, row: &Found) -> Result<Vec<Origin>, RunError> {
        let source = cell(&row.values, "_source", 0).unwrap_or_default();
        let pairs = match cell(&row.values, "_skey", 0) {
            Some(skey) => vec![(source, skey)],
            None => {
                let lineage = self.parts(&self.of.dir.path().join("lineage").join(&table.name));
                let of = |f: &Found| Some((cell(&f.values, "_source", 0)?, cell(&f.values, "_skey", 0)?));
                find(&lineage, &[("_key", key)])?.iter().filter_map(of).collect()
            }
        };
        let mut all = Vec::new();
        for (source, skey) in pairs {
            let (raw, row) = self.in_raw(&source, &skey)?;
            all.push(Origin { skey: mask::key(&[], &skey), source, raw, row });
        }
        Ok(all)
    }

    /// The raw part of a legacy row and its place there. Layer 1 keeps parts and order of raw.
    fn in_raw(&self, label: &str, skey: &str) -> Result<(String, u64), RunError> {
        let typed = left_parts(&self.of.dir.typed(label))?;
        let raw = self.manifest.inputs.iter().find(|i| format!("{}.{}", i.source, i.table) == label);
        let Some(raw) = raw.filter(|raw| raw.parts.len() == typed.len()) else {
            return Ok((String::new(), 0));
        };
        for found in find(&typed, &[("_skey", skey)])? {
            let at = typed.iter().position(|p| *p == found.part);
            if let Some(part) = at.and_then(|at| raw.parts.get(at)) {
                return Ok((part.file.clone(), found.row + 1));
            }
        }
        Ok((String::new(), 0))
    }

    /// Packages of the run with rows of a table.
    fn packages(&self, table: &str) -> Result<Vec<String>, RunError> {
        let folder = self.workdir.join("packages");
        let listed = folder::entries(&folder)
            .map_err(|source| DatasetError::Listing { dir: folder.display().to_string(), source })?;
        let ending = format!("-{}", self.of.id);
        let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
        let holds = |p: &&PathBuf| p.join("data").join("tables").join(table).is_dir();
        Ok(listed.iter().filter(holds).filter_map(name).filter(|n| n.ends_with(&ending)).collect())
    }
}

/// The rows of some parts in which columns have these values.
fn find(parts: &[PathBuf], wanted: &[(&str, &str)]) -> Result<Vec<Found>, RunError> {
    let mut all = Vec::new();
    for part in parts {
        let found = find_rows(part, wanted)?.into_iter();
        all.extend(found.map(|row| Found { part: part.clone(), row: row.place, values: row.values }));
    }
    Ok(all)
}

/// The one value of a column as text.
fn text(column: &ArrayRef) -> Option<String> {
    let column = cast(column, &DataType::Utf8).ok()?;
    let column = column.as_string::<i32>();
    column.is_valid(0).then(|| column.value(0).to_owned())
}

fn key_shown(table: &Table, row: &RecordBatch) -> String {
    let part = |code: &String| {
        let value = row.column_by_name(code).and_then(text)?;
        table.column(code).map(|c| shown(c, &value))
    };
    table.key.iter().map(|code| part(code).unwrap_or_else(|| "∅".to_owned())).collect::<Vec<_>>().join("|")
}
