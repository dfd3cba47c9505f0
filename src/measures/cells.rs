//! Sums by cell of insurance, period and bucket.
//!
//! Always: as many cells as fit under [`MAX_CELLS`], then an error; sums are checked.

use std::collections::HashMap;

use super::measure::LARGEST_SUM;
use super::{Measure, MeasureError};

/// At most so many cells of one table: about 300 MB of sums, far above insurances × months × dispositions.
pub const MAX_CELLS: usize = 500_000;

/// Insurance, period, bucket.
pub(super) type Cell = [String; 3];

/// The sums of one table: one row of numbers a cell.
pub(super) struct Cells {
    what: String,
    measures: Vec<String>,
    index: HashMap<String, usize>,
    cells: Vec<(Cell, Vec<i128>)>,
    key: String,
}

impl Cells {
    pub(super) fn new(what: &str, measures: Vec<String>) -> Self {
        Self { what: what.to_owned(), measures, index: HashMap::new(), cells: Vec::new(), key: String::new() }
    }

    /// The numbers of a cell, in the order of the measures.
    pub(super) fn cell(
        &mut self,
        insurance: &str,
        period: &str,
        bucket: &str,
    ) -> Result<&mut Vec<i128>, MeasureError> {
        self.key.clear();
        for part in [insurance, period, bucket] {
            self.key.push_str(part);
            self.key.push('\u{1f}');
        }
        let at = match self.index.get(self.key.as_str()) {
            Some(at) => *at,
            None => {
                if self.cells.len() == MAX_CELLS {
                    return Err(MeasureError::TooManyCells { what: self.what.clone(), limit: MAX_CELLS });
                }
                let cell = [insurance.to_owned(), period.to_owned(), bucket.to_owned()];
                self.cells.push((cell, vec![0; self.measures.len()]));
                self.index.insert(self.key.clone(), self.cells.len() - 1);
                self.cells.len() - 1
            }
        };
        Ok(&mut self.cells[at].1)
    }

    /// As measures of one side; a table without rows has one cell of zeros.
    pub(super) fn measures(self, boundary: &str, side: &str) -> Vec<Measure> {
        let Self { what, measures, mut cells, .. } = self;
        if cells.is_empty() {
            cells.push((Cell::default(), vec![0; measures.len()]));
        }
        cells
            .into_iter()
            .flat_map(|([insurance, period, bucket], values)| {
                let at = Measure {
                    boundary: boundary.to_owned(),
                    side: side.to_owned(),
                    table: what.clone(),
                    measure: String::new(),
                    insurance,
                    period,
                    bucket,
                    value: 0,
                };
                measures
                    .iter()
                    .zip(values)
                    .map(|(m, value)| Measure { measure: m.clone(), value, ..at.clone() })
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Adds, or says of which table and column the sum does not fit.
pub(super) fn add(sum: &mut i128, value: i128, table: &str, column: &str) -> Result<(), MeasureError> {
    let fits = |t: &i128| t.unsigned_abs() <= LARGEST_SUM.unsigned_abs();
    let total = sum.checked_add(value).filter(fits);
    *sum = total.ok_or_else(|| MeasureError::Overflow { what: format!("{table} {column}") })?;
    Ok(())
}
