//! The raw side of the border source-raw: one legacy table, counted in the source's own spelling (FORMS 7).
//!
//! Always: the same numbers that the source gives about itself when raw is an exact copy: text as it is, other bytes `x'hex'`, NULL
//! `∅`; exact columns in units of their last declared digit, floats as Σ trunc(x·10⁴), money written as text by its rows and bytes.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::cells::{Cells, add};
use super::measure::{MOST, MOST_DIGITS, border, last_digit, side};
use super::{Measure, TallyError};
use crate::dataset::read_part;
use crate::encoding::{TextEncoding, encoding_of};
use crate::source::bytes_column;

/// One legacy table as it lies in raw.
pub struct RawSide<'a> {
    /// `ylbx.GRJBXX`.
    pub table: &'a str,
    pub parts: &'a [PathBuf],
    /// Legacy columns of `[measures]`; none for a table that is only counted.
    pub by: &'a [String],
    pub amounts: &'a [String],
}

/// Counts and sums of the table.
///
/// # Errors
/// `DAT-001`, `TAL-001`, `TAL-003`, `TAL-004`.
pub fn raw_side(of: &RawSide<'_>) -> Result<Vec<Measure>, TallyError> {
    let mut cells: Option<Cells> = None;
    let mut key = Key::default();
    for part in of.parts {
        for batch in read_part(part)? {
            let batch = batch?;
            let by = of.by.iter().map(|c| Spelled::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
            let amounts =
                of.amounts.iter().map(|c| Amount::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
            let cells = cells.get_or_insert_with(|| Cells::new(of.table, names(of, &amounts)));
            for row in 0..batch.num_rows() {
                key.set(&by, row);
                let sums = cells.cell(&key.insurance, &key.period, "")?;
                sums[0] += 1;
                let mut at = 1;
                for amount in &amounts {
                    at += amount.add(row, &mut sums[at..], of)?;
                }
            }
        }
    }
    let cells = match cells {
        Some(cells) => cells,
        None => Cells::new(of.table, names_of_empty(of)?),
    };
    Ok(cells.measures(border::SOURCE_RAW, side::RAW))
}

fn names(of: &RawSide<'_>, amounts: &[Amount<'_>]) -> Vec<String> {
    let mut names = vec!["rows".to_owned()];
    for (column, amount) in of.amounts.iter().zip(amounts) {
        names.extend(amount.names(column));
    }
    names
}

/// A table without a row still has the sums of its columns: all 0.
fn names_of_empty(of: &RawSide<'_>) -> Result<Vec<String>, TallyError> {
    let Some(part) = of.parts.first() else { return Ok(vec!["rows".to_owned()]) };
    let batch = RecordBatch::new_empty(crate::dataset::schema_of(part)?);
    let amounts = of.amounts.iter().map(|c| Amount::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
    Ok(names(of, &amounts))
}

fn column<'a>(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, TallyError> {
    batch.column_by_name(name).ok_or_else(|| uncountable(of, name, "missing"))
}

fn uncountable(of: &RawSide<'_>, column: &str, found: &str) -> TallyError {
    TallyError::Uncountable { what: of.table.to_owned(), column: column.to_owned(), found: found.to_owned() }
}

/// One `by` column is the period; of two the first is the insurance.
#[derive(Default)]
struct Key {
    insurance: String,
    period: String,
}

impl Key {
    fn set(&mut self, by: &[Spelled<'_>], row: usize) {
        self.insurance.clear();
        self.period.clear();
        let periods = match by {
            [] => return,
            [_] => by,
            [insurance, periods @ ..] => {
                insurance.spell(row, &mut self.insurance);
                periods
            }
        };
        for (i, period) in periods.iter().enumerate() {
            if i > 0 {
                self.period.push('|');
            }
            period.spell(row, &mut self.period);
        }
    }
}

/// A column that groups, in the source's spelling.
enum Spelled<'a> {
    Text {
        text: &'a ArrayRef,
        bytes: Option<&'a ArrayRef>,
    },
    Bytes(&'a ArrayRef),
    /// A number or a day; beside it what does not fit, as the source writes it.
    Number {
        number: ArrayRef,
        misfits: Option<&'a ArrayRef>,
    },
}

impl<'a> Spelled<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<Self, TallyError> {
        let array = column(of, batch, name)?;
        let beside = batch.column_by_name(&bytes_column(name));
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Text { text: array, bytes: beside }),
            DataType::Binary => Ok(Self::Bytes(array)),
            DataType::Boolean => {
                let number = cast(array, &DataType::Int32).and_then(|a| cast(&a, &DataType::Utf8));
                let number = number.map_err(|e| TallyError::impossible("spelling a bit", e))?;
                Ok(Self::Number { number, misfits: beside })
            }
            DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::Date32
            | DataType::Decimal128(_, 0) => {
                let number = cast(array, &DataType::Utf8);
                let number = number.map_err(|e| TallyError::impossible("spelling a number", e))?;
                Ok(Self::Number { number, misfits: beside })
            }
            other => Err(uncountable(of, name, &other.to_string())),
        }
    }

    fn spell(&self, row: usize, out: &mut String) {
        match self {
            Self::Text { text, .. } if text.is_valid(row) => {
                out.push_str(text.as_string::<i32>().value(row));
            }
            Self::Text { bytes: Some(bytes), .. } | Self::Bytes(bytes) if bytes.is_valid(row) => {
                out.push_str("x'");
                out.push_str(&crate::durable::hex(bytes.as_binary::<i32>().value(row)));
                out.push('\'');
            }
            Self::Number { number, .. } if number.is_valid(row) => {
                out.push_str(number.as_string::<i32>().value(row));
            }
            Self::Number { misfits: Some(written), .. } if written.is_valid(row) => {
                out.push_str(&String::from_utf8_lossy(written.as_binary::<i32>().value(row)));
            }
            Self::Text { .. } | Self::Bytes(_) | Self::Number { .. } => out.push('∅'),
        }
    }
}

/// A column that is summed.
struct Amount<'a> {
    values: Values<'a>,
    /// Of a column that may hold what does not fit its type: those values, which no sum holds.
    misfits: Option<&'a ArrayRef>,
}

enum Values<'a> {
    Exact { array: &'a ArrayRef, digits: u32 },
    Int(ArrayRef),
    Float(&'a ArrayRef),
    Text { text: &'a ArrayRef, bytes: Option<&'a ArrayRef>, encoding: TextEncoding },
}

impl<'a> Amount<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<Self, TallyError> {
        let array = column(of, batch, name)?;
        let bytes = bytes_column(name);
        let beside = batch.column_by_name(&bytes);
        let values = match array.data_type() {
            DataType::Decimal128(_, scale) if u32::from(scale.unsigned_abs()) <= MOST_DIGITS => {
                Values::Exact { array, digits: u32::from(scale.unsigned_abs()) }
            }
            DataType::Float64 => Values::Float(array),
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 | DataType::Boolean => {
                let wide = cast(array, &DataType::Int64);
                Values::Int(wide.map_err(|e| TallyError::impossible("widening a number", e))?)
            }
            DataType::Utf8 if beside.is_none() => {
                Values::Text { text: array, bytes: None, encoding: TextEncoding::Utf8 }
            }
            DataType::Utf8 => {
                let encoding = encoding_of(&batch.schema(), &bytes);
                let encoding = encoding.ok_or_else(|| uncountable(of, &bytes, "without its encoding"))?;
                return Ok(Self {
                    values: Values::Text { text: array, bytes: beside, encoding },
                    misfits: None,
                });
            }
            other => return Err(uncountable(of, name, &other.to_string())),
        };
        Ok(Self { values, misfits: beside })
    }

    fn names(&self, column: &str) -> Vec<String> {
        let mut units = match &self.values {
            Values::Exact { digits, .. } if *digits > 4 => vec![last_digit(*digits), "rest"],
            Values::Exact { digits, .. } => vec![last_digit(*digits)],
            Values::Int(_) => vec!["int"],
            Values::Float(_) => vec!["e4"],
            Values::Text { .. } => vec!["values", "bytes"],
        };
        if self.misfits.is_some() {
            units.push("left_out");
        }
        units.into_iter().map(|unit| format!("{unit}:{column}")).collect()
    }

    /// Adds the row's value to the first of `sums`, and says to how many.
    fn add(&self, row: usize, sums: &mut [i64], of: &RawSide<'_>) -> Result<usize, TallyError> {
        let (first, rest, taken) = self.value(row);
        let Some(misfits) = self.misfits else {
            add(&mut sums[0], first, of.table)?;
            if let Some(rest) = rest {
                add(&mut sums[1], rest, of.table)?;
            }
            return Ok(taken);
        };
        let huge = first.unsigned_abs() > u128::from(MOST.unsigned_abs());
        if huge || misfits.is_valid(row) {
            add(&mut sums[taken], 1, of.table)?;
        } else {
            add(&mut sums[0], first, of.table)?;
            if let Some(rest) = rest {
                add(&mut sums[1], rest, of.table)?;
            }
        }
        Ok(taken + 1)
    }

    /// What the row adds to the first sum, to the second where there is one, and how many there are.
    fn value(&self, row: usize) -> (i128, Option<i128>, usize) {
        match &self.values {
            Values::Exact { array, digits } => {
                let value =
                    if array.is_valid(row) { array.as_primitive::<Decimal128Type>().value(row) } else { 0 };
                if *digits > 4 {
                    let cut = 10_i128.pow(digits - 4);
                    (value / cut, Some(value % cut), 2)
                } else {
                    (value, None, 1)
                }
            }
            Values::Int(a) => {
                (if a.is_valid(row) { a.as_primitive::<Int64Type>().value(row).into() } else { 0 }, None, 1)
            }
            Values::Float(a) => {
                (if a.is_valid(row) { e4(a.as_primitive::<Float64Type>().value(row)) } else { 0 }, None, 1)
            }
            Values::Text { text, bytes, encoding } => {
                let length = if text.is_valid(row) {
                    Some(encoding.length(text.as_string::<i32>().value(row)))
                } else {
                    bytes.filter(|b| b.is_valid(row)).map(|b| b.as_binary::<i32>().value(row).len())
                };
                (length.is_some().into(), Some(length.unwrap_or(0) as i128), 2)
            }
        }
    }
}

/// trunc(x·10⁴), as the source computes it.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn e4(x: f64) -> i128 {
    i128::from((x * 10_000.0) as i64)
}
