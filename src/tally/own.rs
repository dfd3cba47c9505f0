//! The raw side of the border source-raw: one legacy table, counted in the source's own spelling (FORMS 7).
//!
//! Always: the same numbers that the source gives about itself when raw is an exact copy: text as it is, other bytes `x'hex'`, NULL
//! `∅`; exact columns in units of their last declared digit, floats as Σ trunc(x·10⁴), money written as text by its rows and bytes.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, SchemaRef};

use super::cells::{Cells, add};
use super::measure::{border, last_digit, side};
use super::{Measure, TallyError};
use crate::dataset::read_part;
use crate::encoding::{TextEncoding, encoding_of};

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

/// Whether the columns of a table's raw schema can be counted: what [`raw_side`] would say, before there is a row.
///
/// # Errors
/// `TAL-001`.
pub fn countable(table: &str, raw: &SchemaRef, by: &[String], amounts: &[String]) -> Result<(), TallyError> {
    let (of, empty) = (RawSide { table, parts: &[], by, amounts }, RecordBatch::new_empty(raw.clone()));
    by.iter().try_for_each(|c| Spelled::new(&of, &empty, c).map(drop))?;
    amounts.iter().try_for_each(|c| Amount::new(&of, &empty, c).map(drop))
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
    Text { text: &'a ArrayRef, bytes: &'a ArrayRef },
    Bytes(&'a ArrayRef),
    Number(ArrayRef),
}

impl<'a> Spelled<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<Self, TallyError> {
        let array = column(of, batch, name)?;
        match array.data_type() {
            DataType::Utf8 => {
                Ok(Self::Text { text: array, bytes: column(of, batch, &format!("{name}__b"))? })
            }
            DataType::Binary => Ok(Self::Bytes(array)),
            DataType::Boolean => {
                let number = cast(array, &DataType::Int32).and_then(|a| cast(&a, &DataType::Utf8));
                Ok(Self::Number(number.map_err(|e| TallyError::impossible("spelling a bit", e))?))
            }
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 => {
                let number = cast(array, &DataType::Utf8);
                Ok(Self::Number(number.map_err(|e| TallyError::impossible("spelling a number", e))?))
            }
            other => Err(uncountable(of, name, &other.to_string())),
        }
    }

    fn spell(&self, row: usize, out: &mut String) {
        match self {
            Self::Text { text, .. } if text.is_valid(row) => {
                out.push_str(text.as_string::<i32>().value(row));
            }
            Self::Text { bytes, .. } | Self::Bytes(bytes) if bytes.is_valid(row) => {
                out.push_str("x'");
                out.push_str(&crate::durable::hex(bytes.as_binary::<i32>().value(row)));
                out.push('\'');
            }
            Self::Number(number) if number.is_valid(row) => {
                out.push_str(number.as_string::<i32>().value(row));
            }
            Self::Text { .. } | Self::Bytes(_) | Self::Number(_) => out.push('∅'),
        }
    }
}

/// A column that is summed.
enum Amount<'a> {
    Exact(&'a ArrayRef),
    Int(ArrayRef),
    Float(&'a ArrayRef),
    Text { text: &'a ArrayRef, bytes: &'a ArrayRef, encoding: TextEncoding },
}

impl<'a> Amount<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<Self, TallyError> {
        let array = column(of, batch, name)?;
        match array.data_type() {
            DataType::Decimal128(_, _) => Ok(Self::Exact(array)),
            DataType::Float64 => Ok(Self::Float(array)),
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 | DataType::Boolean => {
                let wide = cast(array, &DataType::Int64);
                Ok(Self::Int(wide.map_err(|e| TallyError::impossible("widening a number", e))?))
            }
            DataType::Utf8 => {
                let bytes = format!("{name}__b");
                let encoding = encoding_of(&batch.schema(), &bytes);
                let encoding = encoding.ok_or_else(|| uncountable(of, &bytes, "without its encoding"))?;
                Ok(Self::Text { text: array, bytes: column(of, batch, &bytes)?, encoding })
            }
            other => Err(uncountable(of, name, &other.to_string())),
        }
    }

    fn names(&self, column: &str) -> Vec<String> {
        match self {
            Self::Exact(array) => {
                let digits = match array.data_type() {
                    DataType::Decimal128(_, scale) => u32::from(scale.unsigned_abs()),
                    _ => 0,
                };
                vec![format!("{}:{column}", last_digit(digits))]
            }
            Self::Int(_) => vec![format!("int:{column}")],
            Self::Float(_) => vec![format!("e4:{column}")],
            Self::Text { .. } => vec![format!("values:{column}"), format!("bytes:{column}")],
        }
    }

    /// Adds the row's value to the first of `sums` (text: the first two) and says to how many.
    fn add(&self, row: usize, sums: &mut [i64], of: &RawSide<'_>) -> Result<usize, TallyError> {
        let value: i128 = match self {
            Self::Exact(a) if a.is_valid(row) => a.as_primitive::<Decimal128Type>().value(row),
            Self::Int(a) if a.is_valid(row) => a.as_primitive::<Int64Type>().value(row).into(),
            Self::Float(a) if a.is_valid(row) => e4(a.as_primitive::<Float64Type>().value(row)),
            Self::Exact(_) | Self::Int(_) | Self::Float(_) => 0,
            Self::Text { text, bytes, encoding } => {
                let length = if text.is_valid(row) {
                    encoding.length(text.as_string::<i32>().value(row))
                } else if bytes.is_valid(row) {
                    bytes.as_binary::<i32>().value(row).len()
                } else {
                    return Ok(2);
                };
                add(&mut sums[0], 1, of.table)?;
                add(&mut sums[1], length as i128, of.table)?;
                return Ok(2);
            }
        };
        add(&mut sums[0], value, of.table)?;
        Ok(1)
    }
}

/// trunc(x·10⁴), as the source computes it.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn e4(x: f64) -> i128 {
    i128::from((x * 10_000.0) as i64)
}
