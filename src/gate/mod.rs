//! The gate: what becomes of every mapped row (DESIGN.md "disposition"; FORMS 6).
//!
//! Always: every row gets exactly one disposition; precedence excluded > merged > rejected > held > accepted. A row outside the table's
//! scope is excluded, and so is a child of an excluded parent, unless it carries money: then it is held. A row that a rule merges into
//! another is merged and names the survivor. A row with a blocking finding is rejected; a child of a rejected, held or merged parent is
//! held. Rows keep their order and their parts, so that the same rows give the same bytes whatever the partitions.
//! Must not know: how a finding came about, sources, cities.

mod decision;
mod error;
mod part;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use decision::{Blocked, Excluded, Known, Merged, Parents};
pub use error::GateError;
use part::{Decided, decide_part};

use crate::artifacts::disposition_schema;
use crate::dataset::{PartInfo, PartWriter, row_count, schema_of};
use crate::durable;
use crate::engine::Engine;
use crate::national::{National, Table};

/// A branch's mapped rows.
#[derive(Debug, Clone)]
pub struct GatedBranch {
    /// Unique in its table: staged parts are named `<branch>-<mapped part>`.
    pub name: String,
    pub mapped: Vec<PathBuf>,
}

/// A parent table behind the gate: its dispositions and staged parts.
#[derive(Debug, Clone, Default)]
pub struct ParentDispositions {
    pub dispositions: Vec<PathBuf>,
    pub staged: Vec<PathBuf>,
}

/// What is decided, and where rows go. The folders are made again.
pub struct Decide<'a> {
    pub national: &'a National,
    pub table: &'a Table,
    pub branches: &'a [GatedBranch],
    pub findings: &'a [PathBuf],
    /// Rows that rules exclude (`excluded_schema`).
    pub excluded: &'a [PathBuf],
    /// Rows that rules merge into others (`merged_schema`).
    pub merged: &'a [PathBuf],
    /// National tables earlier in the load order, by name.
    pub parents: &'a BTreeMap<String, ParentDispositions>,
    /// Columns that no accepted row leaves empty.
    pub filled: &'a [String],
    /// Accepted rows, as mapped.
    pub staged: &'a Path,
    /// The others, with `_disposition` and `_reason`.
    pub rejected: &'a Path,
    /// The others' dispositions.
    pub dispositions: &'a Path,
}

/// Rows that were not accepted, by disposition and reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotAccepted {
    /// excluded, merged, rejected or held.
    pub disposition: String,
    /// `out_of_scope`, the rules that block or exclude, or the parent's table.
    pub reason: String,
    pub rows: u64,
}

/// What became of a table's rows: `rows` = `accepted` + Σ `not_accepted`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GateReport {
    pub rows: u64,
    pub accepted: u64,
    pub not_accepted: Vec<NotAccepted>,
    pub staged: Vec<PartInfo>,
    pub rejected: Vec<PartInfo>,
    pub dispositions: Vec<PartInfo>,
}

impl GateReport {
    /// What its children look at.
    pub fn parent_dispositions(&self) -> ParentDispositions {
        let paths = |parts: &[PartInfo]| parts.iter().map(|p| p.path.clone()).collect();
        ParentDispositions { dispositions: paths(&self.dispositions), staged: paths(&self.staged) }
    }
}

/// Decides about every row of a table.
///
/// # Errors
/// `GAT-…`, `DAT-…`, `ENG-…`, `DUR-001`.
pub fn decide(engine: &Engine, of: &Decide<'_>) -> Result<GateReport, GateError> {
    for folder in [of.staged, of.rejected, of.dispositions] {
        durable::remove_dir_all(folder)?;
        durable::create_dir_all(folder)?;
    }
    let limit = engine.pool_bytes() / decision::VERDICT_BYTES;
    let blocked = Blocked::read(of, limit)?;
    let excluded = Excluded::read(of, limit)?;
    let merged = Merged::read(of, limit)?;
    let parents = Parents::read(of, limit)?;
    let work: Vec<(String, &PathBuf)> = of
        .branches
        .iter()
        .flat_map(|b| b.mapped.iter().map(|part| (format!("{}-{}", b.name, file_name(part)), part)))
        .collect();
    let decided = side_by_side(engine.partitions(), &work, |(name, part)| {
        let known = Known { blocked: &blocked, excluded: &excluded, merged: &merged, parents: &parents };
        decide_part(engine, of, &known, part, name)
    })?;
    let mut report = GateReport {
        rows: 0,
        accepted: 0,
        not_accepted: Vec::new(),
        staged: Vec::new(),
        rejected: Vec::new(),
        dispositions: Vec::new(),
    };
    let mut others: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for (one, (_, part)) in decided.into_iter().zip(&work) {
        report.rows += row_count(part)?;
        report.accepted += one.staged.rows;
        report.staged.push(one.staged);
        report.rejected.extend(one.rejected);
        report.dispositions.extend(one.dispositions);
        for (at, rows) in one.others {
            *others.entry(at).or_default() += rows;
        }
    }
    report.not_accepted = others
        .into_iter()
        .map(|((disposition, reason), rows)| NotAccepted {
            disposition: disposition.to_owned(),
            reason,
            rows,
        })
        .collect();
    at_least_one_part(of, &mut report)?;
    even(of, report)
}

/// A dataset without rows still says which columns it has.
fn at_least_one_part(of: &Decide<'_>, report: &mut GateReport) -> Result<(), GateError> {
    if report.rejected.is_empty() {
        let mapped = match report.staged.first() {
            Some(part) => schema_of(&part.path)?,
            None => of.table.mapped_schema(),
        };
        let schema = part::rejected_schema(&mapped);
        report.rejected.push(PartWriter::create(&of.rejected.join("none.parquet"), schema)?.finish()?);
    }
    if report.dispositions.is_empty() {
        report
            .dispositions
            .push(PartWriter::create(&of.dispositions.join("none.parquet"), disposition_schema())?.finish()?);
    }
    if report.staged.is_empty() {
        let schema = of.table.described(&of.table.mapped_schema(), of.filled);
        report.staged.push(PartWriter::create(&of.staged.join("none.parquet"), schema)?.finish()?);
    }
    Ok(())
}

fn even(of: &Decide<'_>, report: GateReport) -> Result<GateReport, GateError> {
    let sum = |parts: &[PartInfo]| parts.iter().map(|p| p.rows).sum::<u64>();
    let others: u64 = report.not_accepted.iter().map(|n| n.rows).sum();
    let (rejected, dispositions) = (sum(&report.rejected), sum(&report.dispositions));
    if report.accepted + others == report.rows && rejected == others && dispositions == others {
        return Ok(report);
    }
    let what = format!(
        "{} mapped, {} accepted, {others} others, {rejected} kept beside, {dispositions} dispositions",
        report.rows, report.accepted
    );
    Err(GateError::Uneven { table: of.table.name.clone(), what })
}

fn file_name(part: &Path) -> String {
    part.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Does every piece of work on so many threads; the results in the order of the work.
fn side_by_side<W: Sync>(
    threads: usize,
    work: &[W],
    each: impl Fn(&W) -> Result<Decided, GateError> + Sync,
) -> Result<Vec<Decided>, GateError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<Decided, GateError>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(work.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(piece) = work.get(at) else { break };
                    let result = each(piece);
                    let failed = result.is_err();
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
                    if failed {
                        next.store(work.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}
