//! The figures of the first screen: different keys are counted here, money is taken from what reconciliation counts anyway.
//!
//! Always: which tables and columns count as what is data (`mappings/national/tables/figures.csv`). A table that the city does not map
//! has no figure.

use std::collections::BTreeMap;

use super::RunError;
use super::check_stage::mapped_parts;
use super::gate_stage::Gated;
use super::map_stage::Edges;
use super::measure_stage::piece;
use super::runner::{StageRunner, paths};
use crate::artifacts::{FigureRow, YearRow};
use crate::measures::{self, KeysOf, Measure, NONE, boundary, key_bucket, side};
use crate::national::{Figure, FigureInsurance, National};

/// The list of insurances.
const INSURANCES: &str = "AAE140";

/// Counts the different keys of every figure that is no money.
pub(super) fn keys(
    runner: &mut StageRunner<'_>,
    edges: &[Edges<'_>],
    gated: &BTreeMap<String, Gated>,
) -> Result<Vec<Measure>, RunError> {
    let mut all = Vec::new();
    let (mapped, national) = (mapped_parts(edges), runner.national);
    for figure in national.figures.iter().filter(|f| !f.money) {
        let Some(of) = gated.get(&figure.table) else { continue };
        let Some(column) = figure.columns.first() else { continue };
        let (staged, rejected) = (paths(&of.gate.staged), paths(&of.gate.rejected));
        let of = KeysOf {
            column,
            table: &figure.table,
            insurance: &figure.insurance,
            mapped: mapped.get(&figure.table).map_or(&[][..], Vec::as_slice),
            staged: &staged,
            rejected: &rejected,
        };
        let name = format!("figure.{}", figure.id);
        all.extend(piece(runner, &name, 0, |engine| Ok(measures::keys(engine, &of)?))?);
    }
    Ok(all)
}

/// The rows of the first screen, in the order of the file and of the insurances.
pub(super) fn rows(national: &National, measures: &[Measure]) -> Vec<FigureRow> {
    let mut all = Vec::new();
    for figure in &national.figures {
        let mut found: BTreeMap<String, FigureRow> = BTreeMap::new();
        for m in measures.iter().filter(|m| m.table == figure.table && counts(figure, m)) {
            let insurance = insurance(figure, m);
            let row = found.entry(insurance.clone()).or_insert_with(|| empty(national, figure, insurance));
            match figure.money {
                true => add_money(row, m),
                false => add_keys(row, m),
            }
        }
        let some = |row: &FigureRow| row.old != 0 || row.ready != 0 || row.held_back() != 0;
        all.extend(found.into_values().filter(some));
    }
    all
}

fn counts(figure: &Figure, m: &Measure) -> bool {
    let named = |prefix: &str| {
        m.measure.strip_prefix(prefix).is_some_and(|column| figure.columns.iter().any(|c| c == column))
    };
    match figure.money {
        true => m.boundary == boundary::MAPPED_DISPOSITIONS && named("fen:"),
        false => m.boundary == boundary::FIGURES && named("keys:"),
    }
}

fn insurance(figure: &Figure, m: &Measure) -> String {
    match &figure.insurance {
        FigureInsurance::Code(code) => code.clone(),
        FigureInsurance::Column(_) => m.insurance.clone(),
    }
}

fn empty(national: &National, figure: &Figure, insurance: String) -> FigureRow {
    let list = national.codes.get(INSURANCES);
    let code = list.and_then(|list| list.codes.get(&insurance));
    FigureRow {
        figure: figure.id.clone(),
        title_zh: figure.title_zh.clone(),
        title_en: figure.title_en.clone(),
        money: figure.money,
        insurance_title: code.map(|c| c.name.clone()).unwrap_or_default(),
        insurance,
        old: 0,
        ready: 0,
        not_ready: BTreeMap::new(),
        by_rules: 0,
    }
}

fn add_keys(row: &mut FigureRow, m: &Measure) {
    match m.bucket.as_str() {
        key_bucket::ADDED => row.by_rules += m.value,
        "" => {
            row.old += m.value;
            row.ready += m.value;
        }
        why => {
            row.old += m.value;
            *row.not_ready.entry(why.to_owned()).or_default() += m.value;
        }
    }
}

/// `added:` and `changed:` say what the mapped side has more; all that rules made more is less of it.
fn add_money(row: &mut FigureRow, m: &Measure) {
    match (m.side.as_str(), m.bucket.as_str()) {
        (side::MAPPED, _) => row.old += m.value,
        (_, "") => row.ready += m.value,
        (_, rule) if rule.contains(':') => row.by_rules -= m.value,
        (_, why) => *row.not_ready.entry(why.to_owned()).or_default() += m.value,
    }
}

/// Money by year, of tables that tell a period.
pub(super) fn years(national: &National, measures: &[Measure]) -> Vec<YearRow> {
    let mut all = Vec::new();
    let timed = |f: &&Figure| f.money && national.table(&f.table).is_some_and(|t| t.period.is_some());
    for figure in national.figures.iter().filter(timed) {
        let mut found: BTreeMap<(String, String), [i128; 2]> = BTreeMap::new();
        for m in measures.iter().filter(|m| m.table == figure.table && counts(figure, m)) {
            let year = m.period.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit())).unwrap_or(NONE);
            let at = match (m.side.as_str(), m.bucket.as_str()) {
                (side::MAPPED, _) => 0,
                (_, "") => 1,
                (_, _) => continue,
            };
            found.entry((insurance(figure, m), year.to_owned())).or_default()[at] += m.value;
        }
        let rows = found.into_iter().filter(|(_, [old, ready])| *old != 0 || *ready != 0);
        all.extend(rows.map(|((insurance, year), [old, ready])| YearRow {
            figure: figure.id.clone(),
            title_zh: figure.title_zh.clone(),
            title_en: figure.title_en.clone(),
            insurance,
            year,
            old,
            ready,
        }));
    }
    all
}
