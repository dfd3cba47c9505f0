//! Reconciliation: the two sides of every boundary, compared (FORMS 7; docs/reconciliation.md).
//!
//! Always: cell by cell, in integers; a difference has a reason from the data, is known and somebody answers for it, or is unexplained. A table or measure that only one side
//! has is unexplained in full. Nothing cancels out: a line's unexplained is the sum of its cells' absolute ones.
//! Must not know: how a side was counted, cities.

mod error;
mod known;
mod money;
mod plausible;

use std::collections::BTreeMap;

pub use error::ReconcileError;

use crate::artifacts::{Boundary, Cell, KnownDifference, KnownRow, Line, Reconciliation, Totals, Unit};
use crate::measures::{LEFT_OUT, Measure, PLACED, boundary, side, unit_digits};

/// Cells listed of one line.
const CELLS: usize = 100;
/// At most so much of a value may have been rounded away: half a fen, in 1/10000 yuan.
const HALF_A_FEN: u128 = 50;
/// The reason of a difference that rounding to fen makes.
const ROUNDING: &str = "rounding";

/// The measures of every side of every boundary of a run.
pub struct Sides<'a> {
    pub run: &'a str,
    pub measures: &'a [Measure],
    /// What somebody answers for.
    pub known: &'a [KnownDifference],
    /// The day that stands for today (yyyy-mm-dd).
    pub as_of: &'a str,
}

/// A boundary and its sides, left and right.
struct Meeting {
    boundary: &'static str,
    left: &'static str,
    right: &'static str,
}

const MEETINGS: [Meeting; 5] = [
    Meeting { boundary: boundary::SOURCE_RAW, left: side::SOURCE, right: side::RAW },
    Meeting { boundary: boundary::RAW_MAPPED, left: side::RAW, right: side::MAPPED },
    Meeting { boundary: boundary::MAPPED_DISPOSITIONS, left: side::MAPPED, right: side::DISPOSITIONS },
    Meeting { boundary: boundary::STAGED_PACKAGE, left: side::STAGED, right: side::PACKAGE },
    Meeting { boundary: boundary::STAGED_DATABASE, left: side::STAGED, right: side::DATABASE },
];

/// One cell of one line while it is summed.
#[derive(Debug, Clone, Default)]
struct Sum {
    left: i128,
    right: i128,
    explained: BTreeMap<String, i128>,
}

/// Insurance and period.
type CellKey<'a> = (&'a str, &'a str);
/// Table and measure → cells.
type Lines<'a> = BTreeMap<(&'a str, &'a str), BTreeMap<CellKey<'a>, Sum>>;

/// Compares all sides. A boundary without any measure is left out.
///
/// # Errors
/// `REC-001` when a sum does not fit 128 bits.
pub fn reconcile(of: &Sides<'_>) -> Result<Reconciliation, ReconcileError> {
    let mut boundaries = Vec::new();
    let mut totals = Totals::default();
    let mut known = known::rows(of.known);
    for meeting in &MEETINGS {
        let lines = gather(meeting, of.measures)?;
        if lines.is_empty() {
            continue;
        }
        let boundary = compare(meeting, lines, &mut known, of.as_of)?;
        add(&mut totals, boundary.totals);
        boundaries.push(boundary);
    }
    let (unit_of_money, unexplained_fen) = money::compare(of.measures)?;
    add(&mut totals, Totals { unexplained_rows: 0, unexplained_fen });
    let faults = unit_of_money.iter().filter(|u| u.fault.is_some());
    let told = faults.map(|u| (u.insurance.clone(), u.year.clone())).collect();
    let (plausible, unexplained_fen) = plausible::compare(of.measures, &told)?;
    add(&mut totals, Totals { unexplained_rows: 0, unexplained_fen });
    let run = of.run.to_owned();
    Ok(Reconciliation { version: 4, run, boundaries, unit_of_money, plausible, known, totals })
}

fn add(sum: &mut Totals, more: Totals) {
    sum.unexplained_rows = sum.unexplained_rows.saturating_add(more.unexplained_rows);
    sum.unexplained_fen = sum.unexplained_fen.saturating_add(more.unexplained_fen);
}

/// Adds to a sum of `what`.
fn grow(sum: &mut i128, value: i128, what: impl FnOnce() -> String) -> Result<(), ReconcileError> {
    *sum = sum.checked_add(value).ok_or_else(|| ReconcileError::Overflow { what: what() })?;
    Ok(())
}

impl Sum {
    /// left − right − explained.
    fn rest(&self) -> Option<i128> {
        let difference = self.left.checked_sub(self.right)?;
        self.explained.values().try_fold(difference, |rest, value| rest.checked_sub(*value))
    }
}

/// Sorts the measures of a boundary into cells. A bucket on either side is a reason why rows do not go on: on the left it is part of the
/// left sum; on the right it is what the right sum lacks.
fn gather<'a>(meeting: &Meeting, measures: &'a [Measure]) -> Result<Lines<'a>, ReconcileError> {
    let mut lines: Lines<'a> = BTreeMap::new();
    for m in measures.iter().filter(|m| m.boundary == meeting.boundary) {
        let cells = lines.entry((&m.table, &m.measure)).or_default();
        let sum = cells.entry((&m.insurance, &m.period)).or_default();
        let what = || format!("{} {}", m.table, m.measure);
        let (left, right) = (m.side == meeting.left, m.side == meeting.right);
        if left {
            grow(&mut sum.left, m.value, what)?;
        }
        if right && m.bucket.is_empty() {
            grow(&mut sum.right, m.value, what)?;
        }
        if (left || right) && !m.bucket.is_empty() {
            grow(sum.explained.entry(m.bucket.clone()).or_default(), m.value, what)?;
        }
    }
    Ok(lines)
}

fn compare(
    meeting: &Meeting,
    lines: Lines<'_>,
    known: &mut [KnownRow],
    day: &str,
) -> Result<Boundary, ReconcileError> {
    let values: BTreeMap<(&str, &str), i128> = lines
        .iter()
        .filter_map(|((table, measure), cells)| {
            let column = measure.strip_prefix("values:")?;
            Some(((*table, column), cells.values().map(|c| c.left.min(c.right)).sum()))
        })
        .collect();
    let mut done = Vec::new();
    let mut totals = Totals::default();
    let lines = place(lines);
    for ((table, measure), mut cells) in lines {
        if meeting.boundary == boundary::RAW_MAPPED
            && let Some(column) = measure.strip_prefix("e4:")
        {
            let of = values.get(&(table, column)).copied().unwrap_or(0);
            cells.values_mut().for_each(|cell| round(cell, of));
        }
        let what = || ReconcileError::Overflow { what: format!("{table} {measure}") };
        known::explain(known, [meeting.boundary, table, measure], &mut cells, day).ok_or_else(what)?;
        let line = line(table, measure, &cells).ok_or_else(what)?;
        add(&mut totals, counted(&line));
        // That neither side left a value out needs no line.
        if line.left != 0 || line.right != 0 || !measure.starts_with(LEFT_OUT) {
            done.push(line);
        }
    }
    Ok(Boundary {
        boundary: meeting.boundary.to_owned(),
        left_side: meeting.left.to_owned(),
        right_side: meeting.right.to_owned(),
        lines: done,
        totals,
    })
}

/// Of money that is counted by its rows only this is told: in how many cells it can be compared, and in how many it stands at the same rows. A
/// cell whose sum differs already says so itself.
fn place(lines: Lines<'_>) -> Lines<'_> {
    let (placed, mut all): (Lines<'_>, Lines<'_>) =
        lines.into_iter().partition(|((_, measure), _)| measure.split(':').next() == Some(PLACED));
    let sums: BTreeMap<(&str, &str), &BTreeMap<CellKey<'_>, Sum>> = all
        .iter()
        .filter_map(|((table, measure), cells)| Some(((*table, measure.strip_prefix("fen:")?), cells)))
        .collect();
    let mut judged = Lines::new();
    for ((table, measure), cells) in placed {
        let (_, columns) = measure.split_once(':').unwrap_or_default();
        let adds_up = |at: &CellKey<'_>| {
            sums.get(&(table, columns)).and_then(|cells| cells.get(at)).and_then(Sum::rest) == Some(0)
        };
        let told = |(at, sum): (_, Sum)| {
            let right = i128::from(sum.rest() == Some(0));
            (at, Sum { left: 1, right, explained: BTreeMap::new() })
        };
        let cells = cells.into_iter().filter(|(at, _)| adds_up(at)).map(told).collect();
        judged.insert((table, measure), cells);
    }
    all.extend(judged);
    all
}

/// What a line adds to the totals; fractions of a fen are rounded up, and what is more than 64 bits hold is as much as they hold: the
/// line has the number.
fn counted(of: &Line) -> Totals {
    let fits = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    let power = |places: u32| 10_u128.saturating_pow(places);
    match of.unit {
        Unit::Rows | Unit::Bytes => Totals { unexplained_rows: fits(of.unexplained), unexplained_fen: 0 },
        Unit::Money { digits } => {
            let fen = if digits < 2 {
                of.unexplained.saturating_mul(power(2 - digits))
            } else {
                of.unexplained.div_ceil(power(digits - 2))
            };
            Totals { unexplained_rows: 0, unexplained_fen: fits(fen) }
        }
    }
}

/// Explains a difference that rounding of so many values to fen can make, and no larger one.
fn round(cell: &mut Sum, values: i128) {
    if let Some(difference) = cell.rest()
        && difference != 0
        && difference.unsigned_abs() <= HALF_A_FEN * values.unsigned_abs()
    {
        cell.explained.insert(ROUNDING.to_owned(), difference);
    }
}

/// What a measure counts (`rows`, `fen:AAE020`).
pub fn unit(measure: &str) -> Unit {
    match measure.split_once(':') {
        Some(("bytes", _)) => Unit::Bytes,
        // What a whole number means is not known.
        Some(("int", _)) => Unit::Rows,
        // Without digits: values, values left out.
        Some((unit, _)) => unit_digits(unit).map_or(Unit::Rows, |digits| Unit::Money { digits }),
        // Rows, parts, groups.
        None => Unit::Rows,
    }
}

/// The cells of a line together; none where a sum does not fit.
fn line(table: &str, measure: &str, cells: &BTreeMap<CellKey<'_>, Sum>) -> Option<Line> {
    let mut whole = Sum::default();
    let (mut unexplained, mut listed) = (0_u128, Vec::new());
    for ((insurance, period), cell) in cells {
        whole.left = whole.left.checked_add(cell.left)?;
        whole.right = whole.right.checked_add(cell.right)?;
        for (reason, value) in &cell.explained {
            let sum = whole.explained.entry(reason.clone()).or_default();
            *sum = sum.checked_add(*value)?;
        }
        let rest = cell.rest()?;
        unexplained = unexplained.checked_add(rest.unsigned_abs())?;
        if rest != 0 && listed.len() < CELLS {
            listed.push(Cell {
                insurance: (*insurance).to_owned(),
                period: (*period).to_owned(),
                left: cell.left,
                right: cell.right,
                explained: cell.explained.clone(),
                unexplained: rest,
            });
        }
    }
    whole.explained.retain(|_, value| *value != 0);
    Some(Line {
        table: table.to_owned(),
        measure: measure.to_owned(),
        unit: unit(measure),
        left: whole.left,
        right: whole.right,
        explained: whole.explained,
        unexplained,
        cells: listed,
    })
}
