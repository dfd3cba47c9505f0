//! Every side of every boundary, counted: what reconciliation compares (FORMS 7).
//!
//! Always: one part of measures a piece of work, all in one folder; the folder is the run's measures dataset.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunError;
use super::arrival::unarrived;
use super::check_stage::mapped_parts;
use super::clean_stage::Cleaned;
use super::content_stage;
use super::figures;
use super::gate_stage::Gated;
use super::map_stage::{Edges, Typed};
use super::raw_stage::asked;
use super::runner::{StageRunner, paths};
use crate::dataset::{PartInfo, schema_of};
use crate::durable;
use crate::engine::Engine;
use crate::functions::Read;
use crate::mapping::{Content, MeasureSpec, Shape, SourceView, TypedTables, tried};
use crate::measures::{
    self, BranchEdges, CellOf, Component, Counted, DETAILS, EdgeShape, LEDGERS, Measure, PlausibleOf, Range,
    RawSide, ReadAmount, RowOrder, boundary, side,
};
use crate::national::Table;
use crate::raw::RawView;

/// One piece of the measures.
#[derive(Serialize, Deserialize)]
struct Piece {
    rows: u64,
    part: PartInfo,
}

/// Counts `name` and stores it.
pub(super) fn piece(
    runner: &mut StageRunner<'_>,
    name: &str,
    rows: u64,
    count: impl FnOnce(&Engine) -> Result<Vec<Measure>, RunError>,
) -> Result<Vec<Measure>, RunError> {
    let path = runner.dir.measures(name);
    let inputs = runner.of_everything();
    let done = runner.once(
        "count",
        name,
        &inputs,
        rows,
        |w| {
            let measures = count(w.engine)?;
            Ok(Piece { rows, part: measures::write_measures(&path, &measures)? })
        },
        |p: &Piece| (p.rows, vec![p.part.clone()]),
    )?;
    Ok(measures::read_measures(&done.part.path)?)
}

/// Every measure of a run.
pub(super) fn count_all(
    runner: &mut StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
    typed: &Typed,
    edges: &[Edges<'_>],
    gated: &BTreeMap<String, Gated>,
    cleaned: &Cleaned,
) -> Result<Vec<Measure>, RunError> {
    durable::create_dir_all(&runner.dir.path().join("measures"))?;
    let mut all = source_and_raw(runner, raw)?;
    all.extend(layer_one(runner, raw, typed)?);
    all.extend(all_edges(runner, typed, edges)?);
    all.extend(unarrived(runner, typed, edges)?);
    all.extend(dispositions(runner, edges, gated)?);
    all.extend(content_stage::compare_all(runner, edges, cleaned, gated)?);
    all.extend(cleaning(runner, cleaned)?);
    all.extend(unit_of_money(runner, edges)?);
    all.extend(plausible(runner, edges)?);
    all.extend(figures::keys(runner, edges, gated)?);
    Ok(all)
}

/// Source and raw: what each source said, and the same counted from the raw parts.
fn source_and_raw(
    runner: &mut StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let city = runner.city;
    for (source, view) in raw {
        if let Some(answers) = &view.measures {
            // An older extract may hold tables that the mapping no longer reads.
            let read = |m: &Measure| view.tables.keys().any(|t| m.table == format!("{source}.{t}"));
            let said = || Ok(measures::read_measures(&answers.path)?.into_iter().filter(read).collect());
            all.extend(piece(runner, &format!("source.{source}"), 0, |_| said())?);
        }
        for (name, table) in &view.tables {
            let wanted = city.view_of(source, name).and_then(|v| asked(v, name));
            let (by, amounts) = wanted.map(|w| (w.by, w.amounts)).unwrap_or_default();
            let label = format!("{source}.{name}");
            let parts = paths(&table.parts);
            let of = RawSide { table: &label, parts: &parts, by: &by, amounts: &amounts };
            all.extend(piece(runner, &format!("raw.{label}"), table.rows, |_| Ok(measures::raw_side(&of)?))?);
        }
    }
    Ok(all)
}

/// Raw and layer 1: rows and money of every legacy table as a whole.
fn layer_one(
    runner: &mut StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
    typed: &Typed,
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let city = runner.city;
    for (source, view) in raw {
        for (name, table) in &view.tables {
            let label = format!("{source}.{name}");
            let (Some(read), Some(reading)) = (typed.reports.get(&label), city.view_of(source, name)) else {
                continue;
            };
            let (parts, read_parts) = (paths(&table.parts), paths(&read.typed));
            let columns = amounts_of(reading, &parts)?;
            let order = if reading.unique { RowOrder::Kept } else { RowOrder::Sorted };
            all.extend(piece(runner, &format!("read.{label}"), table.rows, |_| {
                Ok(measures::layer1_measures(&label, &parts, &read_parts, &columns, order)?)
            })?);
        }
    }
    Ok(all)
}

/// The money columns of a view that a sum can be asked of: not those that are written as text.
fn amounts_of(view: &SourceView, raw: &[PathBuf]) -> Result<Vec<ReadAmount>, RunError> {
    let Some(first) = raw.first() else { return Ok(Vec::new()) };
    let schema = schema_of(first)?;
    let number = |column: &str| schema.field_with_name(column).is_ok_and(|f| f.data_type().is_numeric());
    let amount = view.read_columns().filter_map(|(column, viewed)| {
        let Read::Money(unit) = viewed.read else { return None };
        let amount = ReadAmount { legacy: column.from.clone(), typed: column.name.clone(), unit };
        number(&column.from).then_some(amount)
    });
    Ok(amount.collect())
}

/// Raw and mapped: both sides of every edge, in national terms.
fn all_edges(
    runner: &mut StageRunner<'_>,
    typed: &Typed,
    edges: &[Edges<'_>],
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let (city, national) = (runner.city, runner.national);
    for edge in edges {
        let (branch, name) = (edge.branch, &edge.table.table);
        let (Some(table), Some(view)) = (national.table(name), city.view(&branch.from.view)) else {
            continue;
        };
        let legacy = of_tables(&typed.tables, edge)?;
        let mut joined = Vec::new();
        for join in &branch.joins {
            joined.push((join.legacy.view.clone(), typed.tables.of_view(city, &join.legacy.view)?));
        }
        let joins: Vec<String> = branch
            .joins
            .iter()
            // What a condition refuses is noted by the branch; here such a row is one for which it is not true.
            .map(|j| format!("{} AS {} ON {}", j.legacy.view, j.legacy.alias, tried(&j.on)))
            .collect();
        let (mapped, lineage) = (paths(&edge.parts()), paths(&edge.lineage()));
        let whens: Vec<String> = match &branch.shape {
            Shape::Split(parts) => parts.iter().map(|p| tried(&p.when)).collect(),
            Shape::Row | Shape::Group(_) => Vec::new(),
        };
        let filter = branch.filter.as_ref().map(|f| (tried(&f.sql), f.reason.name()));
        let components = components(edge, view, table);
        let (insurance, period) = cells(table, view.measures.as_ref());
        let of = BranchEdges {
            table: name,
            shape: shape(&branch.shape, &whens, &lineage),
            view: &branch.from.view,
            alias: &branch.from.alias,
            joins: &joins,
            joined: &joined,
            filter: filter.as_ref().map(|(sql, reason)| (sql.as_str(), *reason)),
            legacy: &legacy,
            mapped: &mapped,
            insurance,
            period,
            components: &components,
        };
        let rows = edge.reports.values().map(|r| r.total).sum();
        let what = format!("edge.{name}.{}", branch.name);
        all.extend(piece(runner, &what, rows, |engine| Ok(measures::edge_measures(engine, &of)?))?);
    }
    Ok(all)
}

fn of_tables(typed: &TypedTables, edge: &Edges<'_>) -> Result<Vec<(String, Vec<PathBuf>)>, RunError> {
    let mut legacy = Vec::new();
    for label in edge.reports.keys() {
        legacy.push((label.clone(), typed.of_table(label, &edge.branch.from.view)?));
    }
    Ok(legacy)
}

fn shape<'a>(of: &Shape, whens: &'a [String], lineage: &'a [PathBuf]) -> EdgeShape<'a> {
    match of {
        Shape::Row => EdgeShape::Row,
        Shape::Split(_) => EdgeShape::Split { whens, no_part: crate::mapping::Reason::NO_PART.name() },
        Shape::Group(_) => EdgeShape::Group { lineage },
    }
}

/// What feeds what; a measure that is mapped but fed by no declared amount stands alone, and shows.
fn components(edge: &Edges<'_>, view: &SourceView, table: &Table) -> Vec<Component> {
    let found = edge.branch.amount_components(view);
    let fed = |m: &str| found.iter().any(|c| c.measures.iter().any(|f| f == m));
    let mapped = |m: &str| {
        let mut of = edge.branch.all_columns().filter(|c| c.column == m);
        of.any(|c| matches!(c.content, Content::Sql { .. }))
    };
    let unfed: Vec<Component> = table
        .columns
        .iter()
        .filter(|c| c.measure && mapped(&c.code) && !fed(&c.code))
        .map(|c| Component { amounts: Vec::new(), measures: vec![c.code.clone()] })
        .collect();
    let fed = found.into_iter().map(|c| Component { amounts: c.amounts, measures: c.measures });
    fed.chain(unfed).collect()
}

/// How cells are told on both sides, where both can tell.
fn cells<'a>(table: &'a Table, spec: Option<&'a MeasureSpec>) -> (Option<CellOf<'a>>, Option<CellOf<'a>>) {
    let both = |raw: Option<&'a String>, mapped: Option<&'a String>| {
        Some(CellOf { raw: raw?.as_str(), mapped: mapped?.as_str() })
    };
    let insurance = both(spec.and_then(|s| s.insurance.as_ref()), table.insurance.as_ref());
    let period = both(spec.and_then(|s| s.period.as_ref()), table.period.as_ref());
    (insurance, period)
}

/// Mapped and dispositions, of every uploaded national table.
fn dispositions(
    runner: &mut StageRunner<'_>,
    edges: &[Edges<'_>],
    gated: &BTreeMap<String, Gated>,
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let (mapped, national) = (mapped_parts(edges), runner.national);
    for table in &national.tables {
        let Some(of) = gated.get(&table.name) else { continue };
        let mapped = mapped.get(&table.name).map_or(&[][..], Vec::as_slice);
        let (staged, rejected) = (paths(&of.gate.staged), paths(&of.gate.rejected));
        let amounts: Vec<String> =
            table.columns.iter().filter(|c| c.measure).map(|c| c.code.clone()).collect();
        let sides: [(&str, &[PathBuf], Option<&str>); 3] = [
            (side::MAPPED, mapped, None),
            (side::DISPOSITIONS, &staged, None),
            (side::DISPOSITIONS, &rejected, Some("_disposition")),
        ];
        let count = |engine: &Engine| {
            let mut measures = Vec::new();
            // A table that only cleaning fills has no mapped part.
            for (side, parts, bucket) in sides.into_iter().filter(|(_, parts, _)| !parts.is_empty()) {
                let counted = Counted {
                    boundary: boundary::MAPPED_DISPOSITIONS,
                    side,
                    table: &table.name,
                    parts,
                    bucket,
                    insurance: table.insurance.as_deref(),
                    period: table.period.as_deref(),
                    amounts: &amounts,
                };
                measures.extend(measures::count(engine, &counted)?);
            }
            Ok(measures)
        };
        all.extend(piece(runner, &format!("national.{}", table.name), of.gate.rows, count)?);
    }
    Ok(all)
}

/// What cleaning added and changed, by rule: why the dispositions have other rows and money than what was mapped. Change records count as
/// the mapped side of the tables that they fill.
fn cleaning(runner: &mut StageRunner<'_>, cleaned: &Cleaned) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    for item in &cleaned.items {
        let Some(reasons) = &item.reasons else { continue };
        let read = || Ok(measures::read_measures(&reasons.path)?);
        all.extend(piece(runner, &format!("reasons.{}", item.item.text()), 0, |_| read())?);
    }
    for (table, rows) in &cleaned.trails {
        let records = Measure {
            boundary: boundary::MAPPED_DISPOSITIONS.to_owned(),
            side: side::MAPPED.to_owned(),
            table: table.clone(),
            measure: "rows".to_owned(),
            insurance: measures::ALL.to_owned(),
            period: measures::ALL.to_owned(),
            bucket: String::new(),
            value: i128::from(*rows),
        };
        all.extend(piece(runner, &format!("trail.{table}"), 0, |_| Ok(vec![records]))?);
    }
    Ok(all)
}

/// Payment details and unit ledgers, which show a wrongly declared unit of money.
fn unit_of_money(runner: &mut StageRunner<'_>, edges: &[Edges<'_>]) -> Result<Vec<Measure>, RunError> {
    let mapped = mapped_parts(edges);
    let (Some(details), Some(ledgers)) = (mapped.get(DETAILS), mapped.get(LEDGERS)) else {
        return Ok(Vec::new());
    };
    piece(runner, "ledgers", 0, |engine| Ok(measures::ledger_measures(engine, details, ledgers)?))
}

/// Amounts against what is plausible, which shows a wrongly declared unit of money where there is no ledger.
fn plausible(runner: &mut StageRunner<'_>, edges: &[Edges<'_>]) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let (mapped, national) = (mapped_parts(edges), runner.national);
    for check in &national.units {
        let (Some(parts), Some(table)) = (mapped.get(&check.table), national.table(&check.table)) else {
            continue;
        };
        let range = |r: &crate::national::UnitRange| Range { from: r.from, to: r.to, min: r.min, max: r.max };
        let (name, ranges) = (check.name(), check.ranges.iter().map(range).collect::<Vec<_>>());
        let of = PlausibleOf {
            table: &check.table,
            name: &name,
            parts,
            amounts: &check.amounts,
            per: &check.per,
            times: check.times.as_deref(),
            ranges: &ranges,
            insurance: table.insurance.as_deref(),
            period: table.period.as_deref(),
        };
        let what = format!("plausible.{}", name.replace('/', "~"));
        all.extend(piece(runner, &what, 0, |engine| Ok(measures::plausible(engine, &of)?))?);
    }
    Ok(all)
}
