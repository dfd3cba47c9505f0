//! What a run would do, asked of the source without reading a table: who reads which table in how many chunks, and what no mapping
//! knows: tables, columns, code values.
//!
//! Always: nothing is written, neither to the source nor to the work directory; values are listed of columns that a mapping declares
//! as codes, and of no other.
//! Must not know: how rows are extracted or mapped.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use crate::error::{Consequence, Follow};
use crate::mapping::{City, SourceView, Unreadable, unreadable};
use crate::source::{Source, SourceError, Table};

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
    /// Codes of lists that look as if Excel had taken their leading zeros, as `list: code`.
    pub worn_codes: Vec<String>,
    pub rows: u64,
    pub chunks: u64,
}

/// One table of the source and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTable {
    pub table: String,
    pub is_view: bool,
    pub fate: Planned,
    /// The source's own estimate.
    pub rows: u64,
    /// About how many bytes of large values lie beside them; 0 where the source does not say.
    pub lob_bytes: u64,
    /// Chunks that it would be read in; 0 for a table that is not extracted.
    pub chunks: u64,
    /// Ways to follow its changes, best first.
    pub changes: Vec<&'static str>,
    /// National tables that are fed from it.
    pub feeds: Vec<String>,
    /// Columns of the source that the mapping neither reads nor skips.
    pub unmapped_columns: Vec<String>,
    /// Columns that the mapping reads and the source does not have.
    pub missing_columns: Vec<String>,
    /// Columns that hold another kind of value than the mapping reads, and what is wrong.
    pub unreadable_columns: Vec<UnreadableColumn>,
    pub unmapped_codes: Vec<UnmappedCode>,
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

/// A column that cannot be read as the mapping says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableColumn {
    pub column: String,
    pub why: String,
}

/// A value of a code column that no line of its list translates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmappedCode {
    pub column: String,
    pub list: String,
    pub value: String,
    pub rows: u64,
    /// The list's code that differs from it by leading zeros alone.
    pub but_for_zeros: Option<String>,
}

impl Plan {
    /// Whether every table, column and code of the source is decided about.
    pub fn is_complete(&self) -> bool {
        self.missing_tables.is_empty()
            && self.worn_codes.is_empty()
            && self.tables.iter().all(|t| {
                t.fate != Planned::Unmapped
                    && t.unmapped_columns.is_empty()
                    && t.missing_columns.is_empty()
                    && t.unreadable_columns.is_empty()
                    && t.unmapped_codes.is_empty()
            })
    }
}

/// What can go wrong while planning.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
}

impl Consequence for PlanError {
    fn follow(&self) -> Follow {
        match self {
            Self::Source(e) => e.follow(),
        }
    }
}

/// Plans a run of `city` over `source`.
///
/// # Errors
/// `SRC-…` when the source refuses to answer.
pub async fn plan(source: &dyn Source, city: &City) -> Result<Plan, PlanError> {
    let mut tables = Vec::new();
    let mut seen = BTreeSet::new();
    for table in source.catalogue().await? {
        let planned = plan_table(source, city, &table).await?;
        if let Some(view) = city.view_of(source.id(), &table.name) {
            seen.insert(view.name.clone());
        }
        tables.push(planned);
    }
    let missing_tables = city
        .sources
        .iter()
        .filter(|v| v.source == source.id() && !seen.contains(&v.name))
        .map(|v| v.name.clone())
        .collect();
    let rows = tables.iter().filter(|t| t.chunks > 0).map(|t| t.rows).sum();
    let chunks = tables.iter().map(|t| t.chunks).sum();
    let worn_codes = worn_codes(source, city);
    Ok(Plan { source: source.id().to_owned(), tables, missing_tables, worn_codes, rows, chunks })
}

fn worn_codes(source: &dyn Source, city: &City) -> Vec<String> {
    let views = city.sources.iter().filter(|v| v.source == source.id());
    let lists: BTreeSet<String> =
        views.flat_map(SourceView::code_columns).map(|c| c.list.to_owned()).collect();
    let worn = |name: &String| {
        let codes = city.codes.lists.get(name).map(|list| list.zeros_taken()).unwrap_or_default();
        codes.into_iter().map(|code| format!("{name}: {code}")).collect::<Vec<_>>()
    };
    lists.iter().flat_map(worn).collect()
}

async fn plan_table(source: &dyn Source, city: &City, table: &Table) -> Result<PlannedTable, PlanError> {
    let view = city.view_of(source.id(), &table.name);
    let fate = match (view, city.ignored(&table.name)) {
        (Some(view), _) => Planned::Read { by: view.name.clone() },
        (None, Some(reason)) => Planned::Ignored { reason: reason.to_owned() },
        (None, None) => Planned::Unmapped,
    };
    let mut planned = PlannedTable {
        table: table.name.clone(),
        is_view: table.view,
        fate,
        rows: table.estimated_rows,
        lob_bytes: table.lob_bytes,
        chunks: 0,
        changes: table.changes.iter().map(|c| c.text()).collect(),
        feeds: Vec::new(),
        unmapped_columns: Vec::new(),
        missing_columns: Vec::new(),
        unreadable_columns: Vec::new(),
        unmapped_codes: Vec::new(),
    };
    if let Some(view) = view {
        planned.chunks = source.chunks(table).await?.len() as u64;
        planned.feeds = city.fed_by(&view.name);
        let known = view.legacy_columns();
        planned.unmapped_columns =
            table.columns.iter().map(|c| &c.name).filter(|c| !known.contains(c.as_str())).cloned().collect();
        planned.missing_columns =
            known.iter().filter(|c| table.column(c).is_none()).map(|c| (*c).to_owned()).collect();
        let kinds: Vec<(&str, DataType)> =
            table.columns.iter().filter_map(|c| Some((c.name.as_str(), c.kind?.arrow()))).collect();
        let kind = |name: &str| kinds.iter().find(|(n, _)| *n == name).map(|(_, kind)| kind);
        let refused = |u: Unreadable| UnreadableColumn { column: u.column, why: u.why };
        planned.unreadable_columns = unreadable(view, kind).into_iter().map(refused).collect();
        planned.unmapped_codes = unmapped_codes(source, view, table).await?;
    }
    Ok(planned)
}

async fn unmapped_codes(
    source: &dyn Source,
    view: &SourceView,
    table: &Table,
) -> Result<Vec<UnmappedCode>, PlanError> {
    let mut unmapped = Vec::new();
    for code in view.code_columns() {
        if table.column(code.column).is_none() {
            continue;
        }
        for found in source.frequencies(table, code.column, CODE_VALUES).await? {
            if found.value != NULL && !code.translates(&found.value) {
                unmapped.push(UnmappedCode {
                    column: code.column.to_owned(),
                    list: code.list.to_owned(),
                    but_for_zeros: code.but_for_zeros(&found.value).map(str::to_owned),
                    value: found.value,
                    rows: found.rows,
                });
            }
        }
    }
    Ok(unmapped)
}
