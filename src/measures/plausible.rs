//! Amounts of a national table against what is plausible: rows inside the range, 100 times above it, a hundredth of it, neither.
//!
//! Always: row by row, so that one absurd amount says nothing about the others; decimals, no float. Rows without the amounts, with 0, or
//! of a year without a range are not counted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::cells::Cells;
use super::measure::{boundary, side};
use super::query::{add_group, ask, cell, groups, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};

/// How a row compares; empty: inside.
pub mod bucket {
    pub const TIMES_100: &str = "times_100";
    pub const HUNDREDTH: &str = "hundredth";
    pub const NEITHER: &str = "neither";
}

/// What is plausible in some years: `min ≤ x ≤ max`, in 1/10000.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub from: i32,
    pub to: i32,
    pub min: i64,
    pub max: i64,
}

/// One check of one national table.
pub struct PlausibleOf<'a> {
    /// National table.
    pub table: &'a str,
    /// Names the measures: `rows:<name>`, `fen:<name>`.
    pub name: &'a str,
    pub parts: &'a [PathBuf],
    pub amounts: &'a [String],
    /// What they are divided by; empty: yuan.
    pub per: &'a [String],
    /// How often `per` (or one yuan) counts; NULL and 0 are once.
    pub times: Option<&'a str>,
    pub ranges: &'a [Range],
    pub insurance: Option<&'a str>,
    pub period: Option<&'a str>,
}

/// 1/10000 as a decimal literal.
fn decimal(e4: i64) -> String {
    format!("CAST('{}.{:04}' AS DECIMAL(18,4))", e4 / 10_000, e4 % 10_000)
}

/// The columns added up; NULL where all are.
fn total(columns: &[String]) -> String {
    let some: Vec<String> = columns.iter().map(|c| format!("{} IS NOT NULL", quote(c))).collect();
    let each: Vec<String> =
        columns.iter().map(|c| format!("coalesce({}, CAST(0 AS DECIMAL(16,2)))", quote(c))).collect();
    format!("CASE WHEN {} THEN CAST({} AS DECIMAL(18,2)) END", some.join(" OR "), each.join(" + "))
}

fn sql(of: &PlausibleOf<'_>) -> String {
    let year = of.period.map(|p| format!("{} / 100", quote(p)));
    let limit = |pick: fn(&Range) -> i64| match &year {
        None => of.ranges.first().map_or_else(|| "NULL".to_owned(), |r| decimal(pick(r))),
        Some(year) => {
            let when =
                |r: &Range| format!("WHEN {year} BETWEEN {} AND {} THEN {}", r.from, r.to, decimal(pick(r)));
            format!("CASE {} END", of.ranges.iter().map(when).collect::<Vec<_>>().join(" "))
        }
    };
    let per = if of.per.is_empty() { "CAST(1 AS DECIMAL(18,2))".to_owned() } else { total(of.per) };
    let per = match of.times.map(quote) {
        Some(times) => format!(
            "CAST(({per}) * CAST(CASE WHEN {times} BETWEEN 1 AND 999999 THEN {times} ELSE 1 END AS DECIMAL(6,0)) AS DECIMAL(18,2))"
        ),
        None => per,
    };
    // Beside the range of yuan, the same range 100 times higher and 100 times lower; they do not overlap.
    let inside = |amount: &str| format!("{amount} >= p * lo AND {amount} <= p * hi");
    format!(
        "SELECT s, i, y, b, count(*), sum(a) FROM (SELECT s, i, y, a, CASE WHEN {as_it_is} THEN '' WHEN a >= p * lo * {hundred} \
         AND a <= p * hi * {hundred} THEN '{times}' WHEN {low} THEN '{hundredth}' ELSE '{neither}' END AS b FROM (SELECT _source AS s, \
         {i} AS i, {y} AS y, {a} AS a, {per} AS p, {lo} AS lo, {hi} AS hi FROM t) WHERE a > 0 AND p > 0 AND lo IS NOT NULL) \
         GROUP BY s, i, y, b",
        as_it_is = inside("a"),
        low = inside("a * CAST(100 AS DECIMAL(3,0))"),
        hundred = "CAST(100 AS DECIMAL(3,0))",
        times = bucket::TIMES_100,
        hundredth = bucket::HUNDREDTH,
        neither = bucket::NEITHER,
        i = cell(of.insurance.map(quote).as_deref()),
        y = cell(year.as_deref()),
        a = total(of.amounts),
        lo = limit(|r| r.min),
        hi = limit(|r| r.max),
    )
}

/// Rows and fen by legacy table, insurance and year, by how they compare.
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-003`, `MEA-004`.
pub fn plausible(engine: &Engine, of: &PlausibleOf<'_>) -> Result<Vec<Measure>, MeasureError> {
    let session = session(engine, Joins::OneSmall, &[("t", of.parts)])?;
    let answer = ask(engine, &session, of.table, &sql(of))?;
    let names = [format!("rows:{}", of.name), format!("fen:{}", of.name)];
    let mut tables: BTreeMap<String, Cells> = BTreeMap::new();
    for group in groups(&answer, 4) {
        let label = group.text(0);
        if !tables.contains_key(label) {
            tables.insert(label.to_owned(), Cells::new(label, names.to_vec()));
        }
        let Some(cells) = tables.get_mut(label) else { continue };
        let at = [group.text(1), group.text(2), group.text(3)];
        add_group(cells, &group, at, &[vec![0], vec![1]], of.table)?;
    }
    Ok(tables.into_values().flat_map(|c| c.measures(boundary::PLAUSIBLE, side::AMOUNTS)).collect())
}
