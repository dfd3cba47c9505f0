//! What a run would do, asked of the source without reading a table: who reads which table in how many chunks, what no mapping knows
//! (tables, columns, code values), and everything that the run would refuse, be blocked by or leave unread.
//!
//! Always: nothing is written, neither to the source nor to the work directory; values are listed of columns that a mapping declares
//! as codes, and of no other.
//! Must not know: how rows are extracted or mapped.

use std::collections::BTreeSet;

use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use super::RunError;
use super::held::HeldExtract;
use super::preflight::{Ends, Problem, preflight};
use crate::error::{Consequence, RetryClass};
use crate::mapping::{City, SourceView, held_columns};
use crate::mask;
use crate::source::{Source, SourceError, SourceSettings, Table};
use crate::state::State;
use crate::{hint, said};

/// Distinct values asked of one code column: a column with more is hardly a code.
pub const CODE_VALUES: u64 = 500;
/// How a source spells NULL among distinct values.
const NULL: &str = "∅";

/// What a run over one source would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub source: String,
    /// Tables and views of the source, by name.
    pub tables: Vec<PlannedTable>,
    /// Sources of the mapping that match no table of this database.
    pub missing_tables: Vec<String>,
    /// What a run would refuse, be blocked by, or leave unread.
    pub problems: Vec<Problem>,
    pub rows: u64,
    /// None where an extract is there and nothing is read of the source.
    pub chunks: Option<u64>,
    /// The tables that are read, with the columns that are read of them.
    #[serde(skip)]
    pub read: Vec<Table>,
}

/// One table of the source and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTable {
    pub table: String,
    pub is_view: bool,
    pub disposition: Planned,
    /// The source's own estimate; of an extract the rows that it holds, none of a table that it does not.
    pub rows: Option<u64>,
    /// About how many bytes of large values lie beside them; 0 where the source does not say.
    pub lob_bytes: u64,
    /// Chunks that it would be read in; 0 for a table that is not extracted, none where nothing is read of the source.
    pub chunks: Option<u64>,
    /// Ways to follow its changes, best first.
    pub changes: Vec<&'static str>,
    /// National tables that are fed from it.
    pub feeds: Vec<String>,
    /// Columns of the source that the mapping neither reads nor skips.
    pub unmapped_columns: Vec<String>,
    /// Columns that the mapping reads and the source does not have.
    pub missing_columns: Vec<String>,
    /// None where the source was not asked for values.
    pub unmapped_codes: Option<Vec<UnmappedCode>>,
}

/// Who reads a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Planned {
    /// Read by this source file.
    Read { by: String },
    /// Named under `[[ignore]]`.
    Ignored { reason: String },
    /// Named nowhere: rows nobody decided about.
    Unmapped,
}

/// A value of a code column that no line of its list translates; one that does not look like a code is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmappedCode {
    pub column: String,
    pub list: String,
    pub value: String,
    pub rows: u64,
}

impl Plan {
    /// Whether every table, column and code of the source is decided about.
    pub fn is_complete(&self) -> bool {
        self.missing_tables.is_empty()
            && self.tables.iter().all(|t| {
                t.disposition != Planned::Unmapped
                    && t.unmapped_columns.is_empty()
                    && t.missing_columns.is_empty()
                    && t.unmapped_codes.as_ref().is_none_or(Vec::is_empty)
            })
    }
}

/// What stands in the way of a run without being refused.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanFinding {
    #[error("{}", said!("PLN-001", source_id, table))]
    #[diagnostic(code("PLN-001"), help("{}", hint!("PLN-001")))]
    Undecided { source_id: String, table: String },
    #[error("{}", said!("PLN-003", source_id, table))]
    #[diagnostic(code("PLN-003"), help("{}", hint!("PLN-003", table)))]
    Nowhere { source_id: String, table: String },
    #[error("{}", said!("PLN-002", table, column, values, list))]
    #[diagnostic(code("PLN-002"), help("{}", hint!("PLN-002", list)))]
    Zeros { table: String, column: String, list: String, values: String },
}

/// Plans a run of `city` over `source`. `state` is that of the work directory, where there is one.
///
/// # Errors
/// `SRC-…` when the source refuses to answer; `STA-…`.
pub async fn plan(
    source: &dyn Source,
    city: &City,
    of: &SourceSettings,
    state: Option<&State>,
) -> Result<Plan, RunError> {
    let (inventory, refused) = preflight(source, city, of, state).await?;
    let mut problems: Vec<Problem> = refused.iter().map(|e| Problem::of(e, Ends::Refused)).collect();
    let mut tables = Vec::new();
    for table in &inventory.read {
        let Some(view) = city.view_of(source.id(), &table.name) else { continue };
        let refused = inventory.refused.contains(&table.name);
        let planned = read(source, city, (view, table, refused), &mut problems).await?;
        problems.extend(nowhere(source.id(), city, view, &planned));
        tables.push(planned);
    }
    for (table, alone) in &inventory.left {
        let disposition = match city.ignored(&table.name) {
            Some(ignore) => Planned::Ignored { reason: ignore.reason.clone() },
            None => Planned::Unmapped,
        };
        if !alone.mapped {
            problems.push(undecided(source.id(), &table.name));
        }
        tables.push(PlannedTable { is_view: table.view, ..planned(table, disposition) });
    }
    let missing = inventory_gaps(city, source.id(), &tables);
    Ok(Plan { read: inventory.read, ..summed(source.id(), tables, missing, problems) })
}

/// Plans a run over an extract that is there: from what is recorded of it, without a look at its values.
pub fn plan_held(source: &str, city: &City, held: &HeldExtract) -> Plan {
    let mut problems: Vec<Problem> = held.problems.iter().map(|e| Problem::of(e, Ends::Refused)).collect();
    let mut tables = Vec::new();
    for (name, raw) in &held.view.tables {
        let Some(view) = city.view_of(source, name) else { continue };
        let known = view.legacy_columns();
        let columns = held_columns(&raw.schema).filter(|c| !known.contains(c));
        let read: BTreeSet<&str> = view.read_columns().map(|(c, _)| c.from.as_str()).collect();
        let missing = read.into_iter().filter(|c| raw.schema.column_with_name(c).is_none());
        let planned = PlannedTable {
            unmapped_columns: columns.map(str::to_owned).collect(),
            missing_columns: missing.map(str::to_owned).collect(),
            feeds: city.fed_by(&view.name),
            rows: Some(raw.rows),
            ..planned_held(name, Planned::Read { by: view.name.clone() })
        };
        problems.extend(nowhere(source, city, view, &planned));
        tables.push(planned);
    }
    for alone in &held.left {
        let disposition = match city.ignored(&alone.table) {
            Some(ignore) => Planned::Ignored { reason: ignore.reason.clone() },
            None => Planned::Unmapped,
        };
        if !alone.mapped {
            problems.push(undecided(source, &alone.table));
        }
        tables.push(planned_held(&alone.table, disposition));
    }
    let missing = inventory_gaps(city, source, &tables);
    summed(source, tables, missing, problems)
}

/// A table that is read and that no branch uses: its rows would be unexplained.
fn nowhere(source: &str, city: &City, view: &SourceView, of: &PlannedTable) -> Option<Problem> {
    let finding = PlanFinding::Nowhere { source_id: source.to_owned(), table: of.table.clone() };
    (!city.uses(&view.name)).then(|| Problem::of(&finding, Ends::Blocked))
}

fn undecided(source: &str, table: &str) -> Problem {
    let of = PlanFinding::Undecided { source_id: source.to_owned(), table: table.to_owned() };
    Problem::of(&of, Ends::Blocked)
}

/// Files of layer 1 that no table matches.
fn inventory_gaps(city: &City, source: &str, tables: &[PlannedTable]) -> Vec<String> {
    let read = |view: &SourceView| {
        let by = |t: &PlannedTable| matches!(&t.disposition, Planned::Read { by } if *by == view.name);
        tables.iter().any(by)
    };
    let missing = city.sources.iter().filter(|v| v.source == source && !read(v));
    missing.map(|v| v.name.clone()).collect()
}

fn summed(
    source: &str,
    mut tables: Vec<PlannedTable>,
    missing_tables: Vec<String>,
    problems: Vec<Problem>,
) -> Plan {
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    let read = tables.iter().filter(|t| matches!(t.disposition, Planned::Read { .. }));
    let rows = read.filter_map(|t| t.rows).sum();
    let chunks = tables.iter().map(|t| t.chunks).sum();
    Plan { source: source.to_owned(), tables, missing_tables, problems, rows, chunks, read: Vec::new() }
}

fn planned(table: &Table, disposition: Planned) -> PlannedTable {
    PlannedTable {
        table: table.name.clone(),
        is_view: table.view,
        disposition,
        rows: Some(table.estimated_rows),
        lob_bytes: table.lob_bytes,
        chunks: Some(0),
        changes: table.changes.iter().map(|c| c.text()).collect(),
        feeds: Vec::new(),
        unmapped_columns: Vec::new(),
        missing_columns: Vec::new(),
        unmapped_codes: Some(Vec::new()),
    }
}

/// A table of an extract: neither the source nor a value is looked at.
fn planned_held(name: &str, disposition: Planned) -> PlannedTable {
    let table = Table { name: name.to_owned(), ..Table::default() };
    PlannedTable { rows: None, chunks: None, unmapped_codes: None, ..planned(&table, disposition) }
}

/// A table that a layer-1 view reads, and whether it is refused. Where it cannot be asked, that is a problem like the others.
async fn read(
    source: &dyn Source,
    city: &City,
    (view, table, refused): (&SourceView, &Table, bool),
    problems: &mut Vec<Problem>,
) -> Result<PlannedTable, RunError> {
    let mut planned = planned(table, Planned::Read { by: view.name.clone() });
    planned.feeds = city.fed_by(&view.name);
    let known = view.legacy_columns();
    let all = table.columns.iter().chain(&table.unread).map(|c| &c.name);
    planned.unmapped_columns = all.filter(|c| !known.contains(c.as_str())).cloned().collect();
    planned.missing_columns =
        known.iter().filter(|c| table.any_column(c).is_none()).map(|c| (*c).to_owned()).collect();
    if refused || table.schema(source.id()).is_err() {
        // It is among the problems already, and nothing can be asked of such a table.
        return Ok(planned);
    }
    let asked = async {
        planned.chunks = Some(source.chunks(table).await?.len() as u64);
        unmapped_codes(source, city, view, table).await
    };
    match asked.await {
        Ok((unmapped, zeros)) => {
            planned.unmapped_codes = Some(unmapped);
            problems.extend(zeros.iter().map(|z| Problem::of(z, Ends::Unread)));
        }
        Err(e) if e.retry_class() == RetryClass::Usage => problems.push(Problem::of(&e, Ends::Refused)),
        Err(e) => return Err(e.into()),
    }
    Ok(planned)
}

/// Values of code columns that no line translates; and those of which the list has, with other leading zeros, what the source does
/// not: what a spreadsheet makes of 01.
async fn unmapped_codes(
    source: &dyn Source,
    city: &City,
    view: &SourceView,
    table: &Table,
) -> Result<(Vec<UnmappedCode>, Vec<PlanFinding>), SourceError> {
    let (mut unmapped, mut zeros) = (Vec::new(), Vec::new());
    for code in view.code_columns() {
        if table.column(code.column).is_none() {
            continue;
        }
        let found = source.frequencies(table, code.column, CODE_VALUES).await?;
        let held: BTreeSet<&str> = found.iter().map(|f| f.value.as_str()).collect();
        let mut values = Vec::new();
        for f in found.iter().filter(|f| f.value != NULL && !code.translates(&f.value)) {
            if code.with_other_zeros(&f.value).is_some_and(|listed| !held.contains(listed.as_str())) {
                values.push(f.value.as_str());
            }
            unmapped.push(UnmappedCode {
                column: code.column.to_owned(),
                list: code.list.to_owned(),
                value: mask::code(&f.value, city.knows_code(&f.value)),
                rows: f.rows,
            });
        }
        if !values.is_empty() {
            zeros.push(PlanFinding::Zeros {
                table: table.name.clone(),
                column: code.column.to_owned(),
                list: code.list.to_owned(),
                values: values.join(", "),
            });
        }
    }
    Ok((unmapped, zeros))
}
