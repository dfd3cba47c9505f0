//! Both sides of an edge, legacy table → national table, in national terms (FORMS 4, 7).
//!
//! Always: the raw side is counted over what layer 1 read, the mapped side over the mapped rows of the same branch, by `_source`;
//! the two share no number. Amounts are compared by connected components: the amount columns and the measures that they feed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::cells::Cells;
use super::measure::{ALL, PLACED, boundary, side};
use super::query::{Group, add_group, ask, cell, groups, literal, quote, session};
use super::{Measure, MeasureError};
use crate::engine::{Engine, Joins};

/// Rows have so many different weights in a sum of placed amounts, by their keys.
const WEIGHTS: u32 = 999_999_937;

/// What a branch makes of a legacy row.
#[derive(Debug, Clone, Copy)]
pub enum EdgeShape<'a> {
    /// 1 → 1.
    Row,
    /// 1 → n: a part is there where its SQL is true; a row without any is left out for the reason `no_part`.
    Split { whens: &'a [String], no_part: &'a str },
    /// n → 1, with the lineage dataset.
    Group { lineage: &'a [PathBuf] },
}

/// Amount columns and the measures that they feed, together: Σ amounts = Σ measures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Layer-1 columns.
    pub amounts: Vec<String>,
    /// National columns.
    pub measures: Vec<String>,
}

/// The connected components of (amount, measure) pairs, and of measures that no amount feeds.
pub fn components(pairs: &[(String, String)], unfed: &[String]) -> Vec<Component> {
    let mut out: Vec<Component> = Vec::new();
    for (amount, measure) in pairs {
        let (joined, mut rest): (Vec<_>, Vec<_>) =
            out.into_iter().partition(|c| c.amounts.contains(amount) || c.measures.contains(measure));
        let mut one = Component { amounts: vec![amount.clone()], measures: vec![measure.clone()] };
        for c in joined {
            one.amounts.extend(c.amounts);
            one.measures.extend(c.measures);
        }
        rest.push(one);
        out = rest;
    }
    out.extend(unfed.iter().map(|m| Component { amounts: Vec::new(), measures: vec![m.clone()] }));
    for c in &mut out {
        c.amounts.sort_unstable();
        c.amounts.dedup();
        c.measures.sort_unstable();
        c.measures.dedup();
    }
    out.sort_unstable();
    out
}

/// How a cell is told on either side; none on one side means none on both.
#[derive(Debug, Clone, Copy)]
pub struct CellOf<'a> {
    /// SQL over layer-1 columns of the view.
    pub raw: &'a str,
    /// National column.
    pub mapped: &'a str,
}

/// One branch over every legacy table that it reads.
pub struct BranchEdges<'a> {
    /// National table.
    pub table: &'a str,
    pub shape: EdgeShape<'a>,
    /// The view of the first alias, its alias, and the joins as the mapping writes them (`SYDJ AS r ON r.SYZH = d.SYZH`).
    pub view: &'a str,
    pub alias: &'a str,
    pub joins: &'a [String],
    /// The datasets that the joins name.
    pub joined: &'a [(String, Vec<PathBuf>)],
    /// `where`, and the reason of what it leaves out.
    pub filter: Option<(&'a str, &'a str)>,
    /// Typed parts of each legacy table, by `_source` (`ylbx.GRJFMX_1998`).
    pub legacy: &'a [(String, Vec<PathBuf>)],
    pub mapped: &'a [PathBuf],
    pub insurance: Option<CellOf<'a>>,
    pub period: Option<CellOf<'a>>,
    pub components: &'a [Component],
}

/// The name of an edge: `ylbx.GRJFMX→AC43`.
pub fn edge_name(source: &str, table: &str) -> String {
    format!("{source}→{table}")
}

/// Measures of both sides of each edge: `rows` (legacy rows), `parts` (split) or `groups` (group), `fen:<measures>`, and `placed:<measures>`,
/// in which each amount counts by the key of its row: two sides have the same only where every row has its own amounts.
///
/// # Errors
/// `DAT-001`, `ENG-…`, `MEA-001`, `MEA-003`, `MEA-004`.
pub fn edge_measures(engine: &Engine, of: &BranchEdges<'_>) -> Result<Vec<Measure>, MeasureError> {
    let mut out = Vec::new();
    for (source, parts) in of.legacy {
        out.extend(raw_side(engine, of, source, parts)?);
    }
    out.extend(mapped_side(engine, of)?);
    Ok(out)
}

impl BranchEdges<'_> {
    /// Measures that are told by cell.
    fn by_cell(&self) -> Vec<String> {
        let rows = matches!(self.shape, EdgeShape::Row).then(|| "rows".to_owned());
        let fen = self.components.iter().map(|c| format!("fen:{}", c.measures.join("+")));
        let placed = self.placed().map(|c| format!("{PLACED}:{}", c.measures.join("+")));
        rows.into_iter().chain(fen).chain(placed).collect()
    }

    /// Amounts that can be told by their rows: where a national row has the key of its legacy row.
    fn placed(&self) -> impl Iterator<Item = &Component> {
        let keyed = !matches!(self.shape, EdgeShape::Group { .. });
        self.components.iter().filter(move |c| keyed && !c.amounts.is_empty())
    }

    /// The sums of [`BranchEdges::placed`], over columns as a side calls them.
    fn placed_sums(&self, key: &str, columns: impl Fn(&Component) -> Vec<String>) -> String {
        let sum = |c: &Component| {
            let column = |name: String| format!("coalesce({name}, CAST(0 AS DECIMAL(16,2)))");
            let amounts: Vec<String> = columns(c).into_iter().map(column).collect();
            let weight = format!("CAST(row_hash({key}) % {WEIGHTS} AS DECIMAL(9,0))");
            format!(", sum({weight} * ({}))", amounts.join(" + "))
        };
        self.placed().map(sum).collect()
    }

    /// Measures that are told for the edge as a whole: one legacy row may have parts in several cells, or share its row with others.
    fn whole(&self) -> Vec<String> {
        match self.shape {
            EdgeShape::Row => Vec::new(),
            EdgeShape::Split { .. } => vec!["rows".to_owned(), "parts".to_owned()],
            EdgeShape::Group { .. } => vec!["rows".to_owned()],
        }
    }

    /// Why a legacy row does not go on; empty where it does.
    fn bucket(&self) -> String {
        let filter = self
            .filter
            .map(|(sql, reason)| format!("WHEN NOT coalesce({sql}, false) THEN {}", literal(reason)));
        let part = match self.shape {
            EdgeShape::Row | EdgeShape::Group { .. } => None,
            EdgeShape::Split { whens, no_part } => {
                let any: Vec<String> = whens.iter().map(|w| format!("coalesce({w}, false)")).collect();
                (!any.is_empty())
                    .then(|| format!("WHEN NOT ({}) THEN {}", any.join(" OR "), literal(no_part)))
            }
        };
        match (filter, part) {
            (None, None) => "''".to_owned(),
            (filter, part) => {
                format!("CASE {} {} ELSE '' END", filter.unwrap_or_default(), part.unwrap_or_default())
            }
        }
    }

    /// Non-empty parts of a row.
    fn parts(&self) -> String {
        match self.shape {
            EdgeShape::Row | EdgeShape::Group { .. } => "0".to_owned(),
            EdgeShape::Split { whens, .. } => {
                let each: Vec<String> =
                    whens.iter().map(|w| format!("CASE WHEN {w} THEN 1 ELSE 0 END")).collect();
                if each.is_empty() { "0".to_owned() } else { each.join(" + ") }
            }
        }
    }

    /// The joins, only where `where` or a part looks at what they bring.
    fn needed_joins(&self) -> String {
        let looked = format!("{} {}", self.bucket(), self.parts());
        let alias = |join: &str| {
            let head = join.split_once(" ON ").map_or(join, |(head, _)| head);
            head.split_whitespace().last().unwrap_or_default().to_owned()
        };
        let needed = self.joins.iter().any(|j| looked.contains(&format!("{}.", alias(j))));
        if !needed {
            return String::new();
        }
        self.joins.iter().map(|j| format!(" LEFT JOIN {j}")).collect()
    }
}

fn raw_side(
    engine: &Engine,
    of: &BranchEdges<'_>,
    source: &str,
    parts: &[PathBuf],
) -> Result<Vec<Measure>, MeasureError> {
    let joins = of.needed_joins();
    let mut tables: Vec<(&str, &[PathBuf])> = vec![(of.view, parts)];
    if !joins.is_empty() {
        tables
            .extend(of.joined.iter().filter(|(n, _)| n != of.view).map(|(n, p)| (n.as_str(), p.as_slice())));
    }
    let session = session(engine, Joins::Large, &tables)?;
    let amounts: Vec<&String> = of.components.iter().flat_map(|c| &c.amounts).collect();
    let own = |column: &str| format!("{}.{}", quote(of.alias), quote(column));
    let sums: Vec<String> = amounts.iter().map(|a| format!(", sum({})", own(a))).collect();
    let sql = format!(
        "SELECT __i, __p, __b, count(*), sum(__n){sums}{placed} FROM (SELECT {alias}.__ci AS __i, {alias}.__cp AS __p, {bucket} AS __b, \
         {parts} AS __n, {alias}.* FROM (SELECT *, {i} AS __ci, {p} AS __cp FROM {view}) AS {alias}{joins}) AS {alias} \
         GROUP BY __i, __p, __b",
        sums = sums.concat(),
        placed = of.placed_sums(&own("_skey"), |c| c.amounts.iter().map(|a| own(a)).collect()),
        alias = quote(of.alias),
        bucket = of.bucket(),
        parts = of.parts(),
        i = cell(of.insurance.map(|c| c.raw)),
        p = cell(of.period.map(|c| c.raw)),
        view = quote(of.view),
    );
    let what = edge_name(source, of.table);
    let answer = ask(engine, &session, &what, &sql)?;
    let mut take: Vec<Vec<usize>> = Vec::new();
    if matches!(of.shape, EdgeShape::Row) {
        take.push(vec![0]);
    }
    let mut next = 2;
    for component in of.components {
        take.push((next..next + component.amounts.len()).collect());
        next += component.amounts.len();
    }
    take.extend((next..next + of.placed().count()).map(|at| vec![at]));
    let mut cells = Cells::new(&what, of.by_cell());
    let mut whole = Cells::new(&what, of.whole());
    for group in groups(&answer, 3) {
        let (bucket, at) = (group.text(2), [group.text(0), group.text(1), group.text(2)]);
        // "No part has anything to say" explains a row, never money.
        let no_part = matches!(of.shape, EdgeShape::Split { no_part, .. } if no_part == bucket);
        let at = if no_part { [at[0], at[1], ""] } else { at };
        add_group(&mut cells, &group, at, &take, &what)?;
        let taken: &[Vec<usize>] = if bucket.is_empty() { &[vec![0], vec![1]] } else { &[vec![0], vec![]] };
        add_group(&mut whole, &group, [ALL, ALL, bucket], taken, &what)?;
    }
    let mut out = cells.measures(boundary::RAW_MAPPED, side::RAW);
    out.extend(whole.measures(boundary::RAW_MAPPED, side::RAW));
    Ok(out)
}

/// The sums of each `_source` of an answer whose key is `_source`, insurance, period.
fn by_source(
    of: &BranchEdges<'_>,
    answer: &[arrow::array::RecordBatch],
    names: &[String],
    take: &[Vec<usize>],
    side: &str,
) -> Result<Vec<Measure>, MeasureError> {
    let mut sources: BTreeMap<String, Vec<Group<'_>>> =
        of.legacy.iter().map(|(source, _)| (source.clone(), Vec::new())).collect();
    for group in groups(answer, 3) {
        sources.entry(group.text(0).to_owned()).or_default().push(group);
    }
    let mut out = Vec::new();
    for (source, found) in sources {
        let what = edge_name(&source, of.table);
        let mut cells = Cells::new(&what, names.to_vec());
        for group in found {
            add_group(&mut cells, &group, [group.text(1), group.text(2), ""], take, &what)?;
        }
        out.extend(cells.measures(boundary::RAW_MAPPED, side));
    }
    Ok(out)
}

fn mapped_side(engine: &Engine, of: &BranchEdges<'_>) -> Result<Vec<Measure>, MeasureError> {
    let mut tables = vec![("t", of.mapped)];
    if let EdgeShape::Group { lineage } = of.shape {
        tables.push(("l", lineage));
    }
    let session = session(engine, Joins::Large, &tables)?;
    let column = |c: Option<CellOf<'_>>| cell(c.map(|c| quote(c.mapped)).as_deref());
    let measures: Vec<&String> = of.components.iter().flat_map(|c| &c.measures).collect();
    let sums: Vec<String> = measures.iter().map(|m| format!(", sum({})", quote(m))).collect();
    let sql = format!(
        "SELECT _source, {} AS i, {} AS p, count(*){}{} FROM t GROUP BY _source, i, p",
        column(of.insurance),
        column(of.period),
        sums.concat(),
        of.placed_sums("_skey", |c| c.measures.iter().map(|m| quote(m)).collect())
    );
    let answer = ask(engine, &session, of.table, &sql)?;
    let mut take: Vec<Vec<usize>> = Vec::new();
    if matches!(of.shape, EdgeShape::Row) {
        take.push(vec![0]);
    }
    let mut next = 1;
    for component in of.components {
        take.push((next..next + component.measures.len()).collect());
        next += component.measures.len();
    }
    take.extend((next..next + of.placed().count()).map(|at| vec![at]));
    let mut out = by_source(of, &answer, &of.by_cell(), &take, side::MAPPED)?;
    let mut whole = |sql: &str, names: &[&str], side: &str| -> Result<(), MeasureError> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let take: Vec<Vec<usize>> = (0..names.len()).map(|at| vec![at]).collect();
        let answer = ask(engine, &session, of.table, sql)?;
        out.extend(by_source(of, &answer, &names, &take, side)?);
        Ok(())
    };
    match of.shape {
        EdgeShape::Row => {}
        EdgeShape::Split { .. } => {
            let sql = "SELECT _source, '' AS i, '' AS p, count(*), sum(n) FROM \
                       (SELECT _source, _skey, count(*) AS n FROM t GROUP BY _source, _skey) GROUP BY _source";
            whole(sql, &["rows", "parts"], side::MAPPED)?;
        }
        EdgeShape::Group { .. } => {
            let sql = "SELECT _source, '' AS i, '' AS p, sum(n), count(*) FROM \
                       (SELECT _source, _key, count(*) AS n FROM l GROUP BY _source, _key) GROUP BY _source";
            let answer = ask(engine, &session, of.table, sql)?;
            out.extend(by_source(of, &answer, &["rows".to_owned()], &[vec![0]], side::MAPPED)?);
            out.extend(by_source(of, &answer, &["groups".to_owned()], &[vec![1]], side::RAW)?);
            let sql = "SELECT _source, '' AS i, '' AS p, count(*) FROM t GROUP BY _source";
            let answer = ask(engine, &session, of.table, sql)?;
            out.extend(by_source(of, &answer, &["groups".to_owned()], &[vec![0]], side::MAPPED)?);
        }
    }
    Ok(out)
}
