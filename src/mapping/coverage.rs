//! What a mapping covers: every legacy column and every national column with its disposition, and of every code column how much of what
//! stands in it is translated.
//!
//! Always: a column is in exactly one state; what nobody decided about says so (`unmapped`). Codes are counted over raw, as they stand
//! there, and weighed by the money of their rows.
//! Must not know: databases, quality, gate.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, Schema};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::expr_fn::{abs, btrim};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::SessionContext;

use super::raw_columns::{held_columns, reading};
use super::{Branch, City, Content, LegacyTable, MappingError, Reading, SourceView, TableMapping, Viewed};
use crate::artifacts::{
    CodeCoverage, Coverage, LegacyColumnCoverage, LegacyDisposition, LegacyTableCoverage, NationalCoverage,
    NotMapped, Origin, Reach, Share, Unfed,
};
use crate::dataset;
use crate::engine::{Engine, Joins};
use crate::functions::{CodeList, NullTokens, Read};
use crate::national::{Kind, Mandatory, National};
use crate::phrase;

/// Leading zeros that a code may have lost or have too many of.
const MOST_ZEROS: usize = 6;
/// The name under which a session knows the table that is being counted.
const RAW: &str = "raw";

/// A legacy column that is read through a code list.
#[derive(Debug, Clone, Copy)]
pub struct CodeColumn<'a> {
    /// The legacy column.
    pub column: &'a str,
    /// The list's name.
    pub list: &'a str,
    codes: &'a CodeList,
    nulls: &'a NullTokens,
}

impl CodeColumn<'_> {
    /// Whether a value has a line in the list (be it a declared NULL) or is a null token.
    pub fn translates(&self, value: &str) -> bool {
        self.codes.translate(value).is_some() || self.nulls.holds(value)
    }

    /// A number with fewer or more leading zeros for which the list has a line.
    pub fn with_other_zeros(&self, value: &str) -> Option<String> {
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bare = value.trim_start_matches('0');
        let bare = if bare.is_empty() { "0" } else { bare };
        let mut padded = (0..MOST_ZEROS).map(|n| format!("{}{bare}", "0".repeat(n)));
        padded.find(|other| other != value && self.codes.translate(other).is_some())
    }
}

impl SourceView {
    /// The columns that are read through a code list; a legacy column with two readings comes twice.
    pub fn code_columns(&self) -> Vec<CodeColumn<'_>> {
        let code = |column: &'_ super::LayerOne| match &column.reading {
            Reading::Viewed(v) => v.codes.is_some() && matches!(v.read, Read::Code(_)),
            Reading::Skip(_) => false,
        };
        let mut found = Vec::new();
        for column in self.columns.iter().filter(|c| code(c)) {
            if let Reading::Viewed(v) = &column.reading
                && let (Read::Code(codes), Some(list)) = (&v.read, &v.codes)
            {
                found.push(CodeColumn { column: &column.from, list, codes, nulls: &v.nulls });
            }
        }
        found
    }

    /// The legacy columns that the source file names, skipped ones too.
    pub fn legacy_columns(&self) -> BTreeSet<&str> {
        self.columns.iter().map(|c| c.from.as_str()).collect()
    }
}

impl City {
    /// The national columns that each legacy column of a view reaches, as `TABLE.COLUMN`.
    fn reach(&self, view: &SourceView) -> BTreeMap<&str, BTreeSet<String>> {
        let mut reach: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let from = |name: &str| {
            self.sources.iter().find(|v| v.name == view.name)?.column(name).map(|c| c.from.as_str())
        };
        for table in &self.tables {
            for branch in &table.branches {
                let aliases = branch.aliases_of(&view.name);
                for mapped in branch.all_columns() {
                    let ours = mapped.refers.iter().filter(|r| aliases.contains(r.alias.as_str()));
                    for legacy in ours.filter_map(|r| from(&r.column)) {
                        reach.entry(legacy).or_default().insert(format!("{}.{}", table.table, mapped.column));
                    }
                }
            }
        }
        reach
    }

    /// The branches that take the rows of a view on: those that start from it and fill something from it besides ids. Rows with money
    /// must come into a table that is uploaded.
    pub fn carriers<'c>(&'c self, national: &National, view: &str) -> Vec<(&'c TableMapping, &'c Branch)> {
        let spec = self.view(view).and_then(|v| v.measures.as_ref());
        let money = spec.is_some_and(|m| !m.amounts.is_empty());
        let from = |table: &'c TableMapping| {
            let of = national.table(&table.table).filter(|t| t.upload || !money);
            let id = move |m: &super::Mapped| {
                of.is_some_and(|t| t.upload && t.column(&m.column).is_some_and(|c| c.kind == Kind::Id))
            };
            let says = move |b: &Branch| {
                let own = |m: &super::Mapped| {
                    m.refers.iter().any(|r| r.alias == b.from.alias && !r.column.starts_with('_'))
                };
                b.all_columns().any(|m| own(m) && !id(m))
            };
            let takes = table.branches.iter().filter(move |b| of.is_some() && b.from.view == view && says(b));
            takes.map(move |b| (table, b)).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(from).collect()
    }

    /// How far the rows of a view come.
    pub fn reach_of_rows(&self, national: &National, view: &SourceView) -> Reach {
        let branches = || self.tables.iter().flat_map(|t| &t.branches);
        if !self.carriers(national, &view.name).is_empty() {
            Reach::Mapped
        } else if branches().any(|b| b.joins.iter().any(|j| j.legacy.view == view.name)) {
            Reach::JoinedOnly
        } else {
            Reach::Nowhere
        }
    }

    /// The national tables with a branch from a view, in load order.
    pub fn fed_by(&self, view: &str) -> Vec<String> {
        let fed = |t: &&TableMapping| t.branches.iter().any(|b| b.from.view == view);
        self.tables.iter().filter(fed).map(|t| t.table.clone()).collect()
    }

    /// Whether any branch starts from a view of layer 1, or looks something up in it.
    pub fn uses(&self, view: &str) -> bool {
        self.tables.iter().flat_map(|t| &t.branches).any(|b| !b.aliases_of(view).is_empty())
    }
}

impl Branch {
    fn aliases_of(&self, view: &str) -> BTreeSet<&str> {
        let joined = self.joins.iter().map(|j| &j.legacy);
        std::iter::once(&self.from)
            .chain(joined)
            .filter(|l| l.view == view)
            .map(|l| l.alias.as_str())
            .collect()
    }
}

/// What `city` covers of the tables that raw holds; `rows` are those of each (national table, branch) of the run.
///
/// # Errors
/// `ENG-001`, `ENG-002`, `DAT-001`.
pub fn coverage(
    engine: &Engine,
    city: &City,
    national: &National,
    held: &[LegacyTable],
    rows: &BTreeMap<(String, String), u64>,
) -> Result<Coverage, MappingError> {
    let mut covered = Coverage {
        version: 3,
        national: national_columns(city, national, rows),
        unfed: unfed(city, national, rows),
        ..Coverage::default()
    };
    for table in held {
        let first = table.parts.first().ok_or_else(|| MappingError::NotRead { view: table.name.clone() })?;
        let raw = dataset::schema_of(first)?;
        covered.legacy.push(legacy_columns(city, national, table, &raw));
        if let Some(view) = city.view_of(&table.source_id, &table.name) {
            let reasons = view.measures.iter().flat_map(|m| &m.not_mapped);
            covered.not_mapped.extend(reasons.map(|(column, reason)| NotMapped {
                source: table.source_id.clone(),
                table: table.name.clone(),
                column: column.clone(),
                reason: reason.clone(),
            }));
            let counted = engine.block_on(code_shares(engine, city, view, table, &raw))?;
            covered.codes.extend(counted);
        }
    }
    Ok(covered)
}

fn legacy_columns(
    city: &City,
    national: &National,
    table: &LegacyTable,
    raw: &Schema,
) -> LegacyTableCoverage {
    let view = city.view_of(&table.source_id, &table.name);
    let reach = view.map(|v| city.reach(v)).unwrap_or_default();
    let held: Vec<&str> = held_columns(raw).collect();
    let mut columns: Vec<LegacyColumnCoverage> = held
        .iter()
        .map(|column| {
            let feeds: Vec<String> = reach.get(*column).into_iter().flatten().cloned().collect();
            let disposition =
                view.map_or(LegacyDisposition::Unmapped, |v| disposition(v, column, !feeds.is_empty()));
            LegacyColumnCoverage { column: (*column).to_owned(), disposition, feeds }
        })
        .collect();
    // What is skipped is not read from the source; a family's file may name columns that a table of it does not have.
    for skipped in view.iter().flat_map(|v| &v.columns).filter(|c| !held.contains(&c.from.as_str())) {
        if let Reading::Skip(reason) = &skipped.reading {
            let disposition = LegacyDisposition::Skipped { reason: reason.clone() };
            columns.push(LegacyColumnCoverage {
                column: skipped.from.clone(),
                disposition,
                feeds: Vec::new(),
            });
        }
    }
    LegacyTableCoverage {
        source: table.source_id.clone(),
        table: table.name.clone(),
        read_by: view.map(|v| v.name.clone()),
        ignored: city.ignored(&table.name).map(|i| i.reason.clone()),
        reach: view.map_or(Reach::Nowhere, |v| city.reach_of_rows(national, v)),
        columns,
    }
}

fn disposition(view: &SourceView, column: &str, feeds: bool) -> LegacyDisposition {
    let mut readings = view.columns.iter().filter(|c| c.from == column).map(|c| &c.reading).peekable();
    if feeds {
        return LegacyDisposition::Mapped;
    }
    match readings.peek() {
        None => LegacyDisposition::Unmapped,
        Some(Reading::Skip(reason)) => LegacyDisposition::Skipped { reason: reason.clone() },
        Some(Reading::Viewed(_)) => LegacyDisposition::Unused,
    }
}

fn national_columns(
    city: &City,
    national: &National,
    rows: &BTreeMap<(String, String), u64>,
) -> Vec<NationalCoverage> {
    let mut covered = Vec::new();
    for mapping in &city.tables {
        let Some(table) = national.table(&mapping.table) else { continue };
        for branch in &mapping.branches {
            let counted = rows.get(&(mapping.table.clone(), branch.name.clone())).copied().unwrap_or(0);
            for column in &table.columns {
                covered.push(NationalCoverage {
                    table: mapping.table.clone(),
                    branch: branch.name.clone(),
                    column: column.code.clone(),
                    title: column.title.clone(),
                    mandatory: match column.mandatory {
                        Mandatory::Hard => "hard",
                        Mandatory::Soft => "soft",
                        Mandatory::No => "no",
                    }
                    .to_owned(),
                    origin: origin(branch, &column.code),
                    rows: counted,
                });
            }
        }
    }
    covered
}

/// Measures that are filled, and not from a declared amount.
fn unfed(city: &City, national: &National, rows: &BTreeMap<(String, String), u64>) -> Vec<Unfed> {
    let mut found = Vec::new();
    for mapping in &city.tables {
        let Some(table) = national.table(&mapping.table) else { continue };
        for branch in &mapping.branches {
            let Some(view) = city.view(&branch.from.view) else { continue };
            let fed: BTreeSet<String> =
                branch.amount_components(view).into_iter().flat_map(|c| c.measures).collect();
            for mapped in branch.all_columns().filter(|m| m.measure && !fed.contains(&m.column)) {
                let Content::Sql { sql, basis } = &mapped.content else { continue };
                found.push(Unfed {
                    table: mapping.table.clone(),
                    branch: branch.name.clone(),
                    column: mapped.column.clone(),
                    title: table.column(&mapped.column).map(|c| c.title.clone()).unwrap_or_default(),
                    sql: sql.clone(),
                    constant: mapped.refers.is_empty(),
                    basis: basis.clone().unwrap_or_default(),
                    rows: rows.get(&(mapping.table.clone(), branch.name.clone())).copied().unwrap_or(0),
                });
            }
        }
    }
    found
}

fn origin(branch: &Branch, column: &str) -> Origin {
    let mapped = branch.all_columns().find(|m| m.column == column);
    match mapped.map(|m| &m.content) {
        None => Origin::Unmapped,
        Some(Content::Absent(reason)) => Origin::Absent { reason: reason.clone() },
        Some(Content::Sql { basis: Some(basis), .. }) => Origin::Derived { basis: basis.clone() },
        Some(Content::Sql { basis: None, .. }) => Origin::Mapped,
    }
}

/// Shares of every code column of one table.
async fn code_shares(
    engine: &Engine,
    city: &City,
    view: &SourceView,
    table: &LegacyTable,
    raw: &Schema,
) -> Result<Vec<CodeCoverage>, MappingError> {
    let session = engine.session(engine.partitions(), Joins::Large);
    dataset::register(&session, RAW, &table.parts)?;
    let fault = |e| engine.error(phrase!("work.coverage", table = table.name), e);
    let amounts = amounts(city, view, &table.name, raw)?;
    let mut shares = Vec::new();
    let mut counted: BTreeMap<&str, Vec<(String, u64, i128)>> = BTreeMap::new();
    for code in view.code_columns() {
        if !counted.contains_key(code.column) {
            let value = spelled(city, view, &table.name, raw, code.column)?;
            let values = frequencies(&session, code.column, value, &amounts).await.map_err(fault)?;
            counted.insert(code.column, values);
        }
        let mut coverage = CodeCoverage {
            list: code.list.to_owned(),
            source: table.source_id.clone(),
            table: table.name.clone(),
            column: code.column.to_owned(),
            mapped: Share::default(),
            unmapped: Share::default(),
        };
        for (value, rows, fen) in counted.get(code.column).into_iter().flatten() {
            let share = if code.translates(value) { &mut coverage.mapped } else { &mut coverage.unmapped };
            share.distinct += 1;
            share.rows += rows;
            share.fen += fen;
        }
        shares.push(coverage);
    }
    Ok(shares)
}

/// The values of a column as layer 1 spells them before it looks for their code.
fn spelled(
    city: &City,
    view: &SourceView,
    table: &str,
    raw: &Schema,
    column: &str,
) -> Result<Expr, MappingError> {
    let text = raw.field_with_name(column).is_ok_and(|f| *f.data_type() == DataType::Utf8);
    let Some(read) = view.columns.iter().find(|c| c.from == column).filter(|_| !text) else {
        return Ok(btrim(vec![ident(column)]));
    };
    let as_text = Viewed { read: Read::Text { pad: None }, nulls: NullTokens::default(), codes: None };
    Ok(get_field(reading(city, raw, table, read, &as_text)?, "value"))
}

/// The distinct values of one legacy column with their rows and the money of their rows.
async fn frequencies(
    session: &SessionContext,
    column: &str,
    value: Expr,
    amounts: &[Expr],
) -> Result<Vec<(String, u64, i128)>, DataFusionError> {
    let mut asked = vec![count(lit(1)).alias("rows")];
    asked.extend(amounts.iter().enumerate().map(|(i, a)| sum(a.clone()).alias(format!("a{i}"))));
    let answers = session
        .table(RAW)
        .await?
        .filter(ident(column).is_not_null())?
        .aggregate(vec![value.alias("value")], asked)?
        .collect()
        .await?;
    let mut found = Vec::new();
    for batch in &answers {
        let values = batch.column(0).as_string::<i32>();
        for (row, value) in values.iter().enumerate() {
            let rows = batch.column(1).as_primitive::<Int64Type>().value(row);
            let fen = batch.columns()[2..].iter().map(|c| fen(c, row)).sum();
            found.push((value.unwrap_or_default().to_owned(), u64::try_from(rows).unwrap_or(0), fen));
        }
    }
    Ok(found)
}

/// A sum of money (Decimal128 of scale 2) in fen.
fn fen(sums: &ArrayRef, row: usize) -> i128 {
    let sums = sums.as_primitive_opt::<Decimal128Type>();
    sums.filter(|s| s.is_valid(row)).map_or(0, |s| s.value(row))
}

/// The amounts of a view as layer 1 reads them.
fn amounts(city: &City, view: &SourceView, table: &str, raw: &Schema) -> Result<Vec<Expr>, MappingError> {
    let spec = view.measures.iter().flat_map(|m| &m.amounts);
    let columns = spec.filter_map(|name| view.read_columns().find(|(c, _)| c.name == *name));
    columns
        .map(|(column, viewed)| Ok(abs(get_field(reading(city, raw, table, column, viewed)?, "value"))))
        .collect()
}
