//! Reconciliation: the two sides of every border, compared (FORMS 7; docs/reconciliation.md).
//!
//! Always: cell by cell, in integers; a difference has a reason from the data or is unexplained. A table or measure that only one side
//! has is unexplained in full. Nothing cancels out: a line's unexplained is the sum of its cells' absolute ones.
//! Must not know: how a side was counted, cities.

mod error;
mod money;

use std::collections::BTreeMap;

pub use error::ReconcileError;

use crate::tally::{Measure, border, side};
use crate::trail::{Border, Cell, Line, Reconciliation, Totals, Unit};

/// Cells listed of one line.
const CELLS: usize = 100;
/// At most so much of a value may have been rounded away: half a fen, in 1/10000 yuan.
const HALF_A_FEN: i128 = 50;
/// The reason of a difference that rounding to fen makes.
const ROUNDING: &str = "rounding";

/// The measures of every side of every border of a run.
pub struct Sides<'a> {
    pub run: &'a str,
    pub measures: &'a [Measure],
}

/// A border and its sides, left and right.
struct Meeting {
    border: &'static str,
    left: &'static str,
    right: &'static str,
}

const MEETINGS: [Meeting; 4] = [
    Meeting { border: border::SOURCE_RAW, left: side::SOURCE, right: side::RAW },
    Meeting { border: border::RAW_MAPPED, left: side::RAW, right: side::MAPPED },
    Meeting { border: border::MAPPED_FATES, left: side::MAPPED, right: side::FATES },
    Meeting { border: border::STAGED_PACKAGE, left: side::STAGED, right: side::PACKAGE },
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

/// Compares all sides. A border without any measure is left out.
///
/// # Errors
/// `REC-001` when a sum does not fit 64 bits.
pub fn reconcile(of: &Sides<'_>) -> Result<Reconciliation, ReconcileError> {
    let mut borders = Vec::new();
    let mut totals = Totals::default();
    for meeting in &MEETINGS {
        let lines = gather(meeting, of.measures);
        if lines.is_empty() {
            continue;
        }
        let border = compare(meeting, lines)?;
        add(&mut totals, border.totals, meeting.border)?;
        borders.push(border);
    }
    let (unit_of_money, unexplained_fen) = money::compare(of.measures)?;
    add(&mut totals, Totals { unexplained_rows: 0, unexplained_fen }, border::DETAILS_LEDGERS)?;
    Ok(Reconciliation { version: 1, run: of.run.to_owned(), borders, unit_of_money, totals })
}

fn add(sum: &mut Totals, more: Totals, what: &str) -> Result<(), ReconcileError> {
    let overflow = || ReconcileError::Overflow { what: what.to_owned() };
    sum.unexplained_rows = sum.unexplained_rows.checked_add(more.unexplained_rows).ok_or_else(overflow)?;
    sum.unexplained_fen = sum.unexplained_fen.checked_add(more.unexplained_fen).ok_or_else(overflow)?;
    Ok(())
}

/// Sorts the measures of a border into cells. A bucket on either side is a reason why rows do not go on: on the left it is part of the
/// left sum; on the right it is what the right sum lacks.
fn gather<'a>(meeting: &Meeting, measures: &'a [Measure]) -> Lines<'a> {
    let mut lines: Lines<'a> = BTreeMap::new();
    for m in measures.iter().filter(|m| m.border == meeting.border) {
        let cells = lines.entry((&m.table, &m.measure)).or_default();
        let sum = cells.entry((&m.insurance, &m.period)).or_default();
        let value = i128::from(m.value);
        let (left, right) = (m.side == meeting.left, m.side == meeting.right);
        if left {
            sum.left += value;
        }
        if right && m.bucket.is_empty() {
            sum.right += value;
        }
        if (left || right) && !m.bucket.is_empty() {
            *sum.explained.entry(m.bucket.clone()).or_default() += value;
        }
    }
    lines
}

fn compare(meeting: &Meeting, lines: Lines<'_>) -> Result<Border, ReconcileError> {
    let values: BTreeMap<(&str, &str), i128> = lines
        .iter()
        .filter_map(|((table, measure), cells)| {
            let column = measure.strip_prefix("values:")?;
            Some(((*table, column), cells.values().map(|c| c.left.min(c.right)).sum()))
        })
        .collect();
    let mut done = Vec::new();
    let mut totals = Totals::default();
    for ((table, measure), mut cells) in lines {
        if meeting.border == border::RAW_MAPPED
            && let Some(column) = measure.strip_prefix("e4:")
        {
            let of = values.get(&(table, column)).copied().unwrap_or(0);
            cells.values_mut().for_each(|cell| round(cell, of));
        }
        let line = line(table, measure, &cells)?;
        let counted = match line.unit {
            Unit::Rows | Unit::Bytes => Totals { unexplained_rows: line.unexplained, unexplained_fen: 0 },
            Unit::Fen => Totals { unexplained_rows: 0, unexplained_fen: line.unexplained },
            Unit::E4 => Totals { unexplained_rows: 0, unexplained_fen: line.unexplained.div_ceil(100) },
        };
        add(&mut totals, counted, table)?;
        done.push(line);
    }
    Ok(Border {
        border: meeting.border.to_owned(),
        left_side: meeting.left.to_owned(),
        right_side: meeting.right.to_owned(),
        lines: done,
        totals,
    })
}

/// Explains a difference that rounding of so many values to fen can make, and no larger one.
fn round(cell: &mut Sum, values: i128) {
    let difference = cell.left - cell.right;
    if difference != 0 && difference.abs() <= HALF_A_FEN * values {
        cell.explained.insert(ROUNDING.to_owned(), difference);
    }
}

fn unit(measure: &str) -> Unit {
    match measure.split_once(':') {
        Some(("fen", _)) => Unit::Fen,
        Some(("e4", _)) => Unit::E4,
        Some(("bytes", _)) => Unit::Bytes,
        // rows, parts, groups, values, whole numbers.
        Some(_) | None => Unit::Rows,
    }
}

fn line(table: &str, measure: &str, cells: &BTreeMap<CellKey<'_>, Sum>) -> Result<Line, ReconcileError> {
    let what = || format!("{table} {measure}");
    let fits = |value: i128| i64::try_from(value).map_err(|_| ReconcileError::Overflow { what: what() });
    let all = |explained: &BTreeMap<String, i128>| {
        explained.iter().map(|(r, v)| Ok((r.clone(), fits(*v)?))).collect::<Result<BTreeMap<_, _>, _>>()
    };
    let mut whole = Sum::default();
    let (mut unexplained, mut listed) = (0_u128, Vec::new());
    for ((insurance, period), cell) in cells {
        whole.left += cell.left;
        whole.right += cell.right;
        for (reason, value) in &cell.explained {
            *whole.explained.entry(reason.clone()).or_default() += value;
        }
        let rest = cell.left - cell.right - cell.explained.values().sum::<i128>();
        unexplained += rest.unsigned_abs();
        if rest != 0 && listed.len() < CELLS {
            listed.push(Cell {
                insurance: (*insurance).to_owned(),
                period: (*period).to_owned(),
                left: fits(cell.left)?,
                right: fits(cell.right)?,
                explained: all(&cell.explained)?,
                unexplained: fits(rest)?,
            });
        }
    }
    whole.explained.retain(|_, value| *value != 0);
    Ok(Line {
        table: table.to_owned(),
        measure: measure.to_owned(),
        unit: unit(measure),
        left: fits(whole.left)?,
        right: fits(whole.right)?,
        explained: all(&whole.explained)?,
        unexplained: u64::try_from(unexplained).map_err(|_| ReconcileError::Overflow { what: what() })?,
        cells: listed,
    })
}
