//! The raw side of the boundary source-raw: one legacy table, counted in the source's own spelling (FORMS 7).
//!
//! Always: the same numbers that the source gives about itself when raw is an exact copy: text as it is, other bytes `x'hex'`, NULL
//! `∅`; exact columns in units of their last declared digit, floats as Σ trunc(x·10⁴), numbers that the database wrote as text as
//! Σ trunc(x·10⁶), money written as text by its rows and bytes. Values that are in no sum (NaN, infinity, out of range) are counted.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, SchemaRef};

use super::cells::{Cells, add};
use super::measure::{LARGEST_SUM, boundary, last_digit, side};
use super::{Measure, MeasureError};
use crate::dataset::read_part;
use crate::encoding::{TextEncoding, bytes_column, encoding_of};

/// Digits after the point to which a number that the database itself wrote as text (`numeric` without a precision) is summed.
pub const SPELLED_DIGITS: u32 = 6;
/// `left_out:<column>`: values that are in no sum.
pub const LEFT_OUT: &str = "left_out";

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
/// `DAT-001`, `MEA-001`, `MEA-003`, `MEA-004`.
pub fn raw_side(of: &RawSide<'_>) -> Result<Vec<Measure>, MeasureError> {
    let mut cells: Option<Cells> = None;
    let mut key = Key::default();
    for part in of.parts {
        for batch in read_part(part)? {
            let batch = batch?;
            let by = of.by.iter().map(|c| Spelled::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
            let amounts =
                of.amounts.iter().map(|c| Amount::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
            let cells = cells.get_or_insert_with(|| Cells::new(of.table, names(&amounts)));
            for row in 0..batch.num_rows() {
                key.set(&by, row);
                let sums = cells.cell(&key.insurance, &key.period, "")?;
                add(&mut sums[0], 1, of.table, "rows")?;
                let mut at = 1;
                for amount in &amounts {
                    at += amount.add(row, &mut sums[at..], of.table)?;
                }
            }
        }
    }
    let cells = match cells {
        Some(cells) => cells,
        None => Cells::new(of.table, names_of_empty(of)?),
    };
    let mut measures = cells.measures(boundary::SOURCE_RAW, side::RAW);
    // That nothing was left out needs no line.
    let nothing = |m: &Measure| m.value == 0 && m.measure.split(':').next() == Some(LEFT_OUT);
    measures.retain(|m| !nothing(m));
    Ok(measures)
}

/// Whether the columns of a table's raw schema can be counted: what [`raw_side`] would say, before there is a row.
///
/// # Errors
/// `MEA-001`.
pub fn countable(
    table: &str,
    raw: &SchemaRef,
    by: &[String],
    amounts: &[String],
) -> Result<(), MeasureError> {
    let (of, empty) = (RawSide { table, parts: &[], by, amounts }, RecordBatch::new_empty(raw.clone()));
    by.iter().try_for_each(|c| Spelled::new(&of, &empty, c).map(drop))?;
    amounts.iter().try_for_each(|c| Amount::new(&of, &empty, c).map(drop))
}

fn names(amounts: &[Amount<'_>]) -> Vec<String> {
    let mut names = vec!["rows".to_owned()];
    names.extend(amounts.iter().flat_map(Amount::names));
    names
}

/// A table without a row still has the sums of its columns: all 0.
fn names_of_empty(of: &RawSide<'_>) -> Result<Vec<String>, MeasureError> {
    let Some(part) = of.parts.first() else { return Ok(vec!["rows".to_owned()]) };
    let batch = RecordBatch::new_empty(crate::dataset::schema_of(part)?);
    let amounts = of.amounts.iter().map(|c| Amount::new(of, &batch, c)).collect::<Result<Vec<_>, _>>()?;
    Ok(names(&amounts))
}

fn column<'a>(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, MeasureError> {
    batch.column_by_name(name).ok_or_else(|| uncountable(of, name, "missing"))
}

fn uncountable(of: &RawSide<'_>, column: &str, found: &str) -> MeasureError {
    MeasureError::Uncountable {
        what: of.table.to_owned(),
        column: column.to_owned(),
        found: found.to_owned(),
    }
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
        bytes: &'a ArrayRef,
    },
    Bytes(&'a ArrayRef),
    /// `misfits`: what does not fit the column's type, as the database writes it.
    Number {
        number: ArrayRef,
        misfits: Option<&'a ArrayRef>,
    },
}

impl<'a> Spelled<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &str) -> Result<Self, MeasureError> {
        let array = column(of, batch, name)?;
        let misfits = batch.column_by_name(&bytes_column(name));
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Text { text: array, bytes: column(of, batch, &bytes_column(name))? }),
            DataType::Binary => Ok(Self::Bytes(array)),
            DataType::Boolean => {
                let number = cast(array, &DataType::Int32).and_then(|a| cast(&a, &DataType::Utf8));
                let number = number.map_err(|e| MeasureError::impossible("spelling a bit", e))?;
                Ok(Self::Number { number, misfits })
            }
            DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::Decimal128(_, _) => {
                let number = cast(array, &DataType::Utf8);
                let number = number.map_err(|e| MeasureError::impossible("spelling a number", e))?;
                Ok(Self::Number { number, misfits })
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
            Self::Number { number, .. } if number.is_valid(row) => {
                out.push_str(number.as_string::<i32>().value(row));
            }
            Self::Number { misfits: Some(misfits), .. } if misfits.is_valid(row) => {
                out.push_str(&String::from_utf8_lossy(misfits.as_binary::<i32>().value(row)));
            }
            Self::Text { .. } | Self::Bytes(_) | Self::Number { .. } => out.push('∅'),
        }
    }
}

/// A column that is summed.
struct Amount<'a> {
    name: &'a str,
    values: Values<'a>,
    /// Values that do not fit the column's type, as the database writes them.
    misfits: Option<&'a ArrayRef>,
}

enum Values<'a> {
    Exact(&'a ArrayRef),
    Int(ArrayRef),
    Float(&'a ArrayRef),
    /// A number that the database wrote as text.
    Spelled(&'a ArrayRef),
    Text {
        text: &'a ArrayRef,
        bytes: &'a ArrayRef,
        encoding: TextEncoding,
    },
}

impl<'a> Amount<'a> {
    fn new(of: &RawSide<'_>, batch: &'a RecordBatch, name: &'a str) -> Result<Self, MeasureError> {
        let array = column(of, batch, name)?;
        let bytes = bytes_column(name);
        let companion = batch.column_by_name(&bytes);
        let (values, misfits) = match (array.data_type(), companion) {
            (DataType::Decimal128(_, _), _) => (Values::Exact(array), companion),
            (DataType::Float64, _) => (Values::Float(array), companion),
            (
                DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 | DataType::Boolean,
                _,
            ) => {
                let wide = cast(array, &DataType::Int64);
                let wide = wide.map_err(|e| MeasureError::impossible("widening a number", e))?;
                (Values::Int(wide), companion)
            }
            (DataType::Utf8, None) => (Values::Spelled(array), None),
            (DataType::Utf8, Some(companion)) => {
                let encoding = encoding_of(&batch.schema(), &bytes);
                let encoding = encoding.ok_or_else(|| uncountable(of, &bytes, "without its encoding"))?;
                (Values::Text { text: array, bytes: companion, encoding }, None)
            }
            (other, _) => return Err(uncountable(of, name, &other.to_string())),
        };
        Ok(Self { name, values, misfits })
    }

    fn names(&self) -> Vec<String> {
        let column = self.name;
        let unit = match &self.values {
            Values::Exact(array) => match array.data_type() {
                DataType::Decimal128(_, scale) => last_digit(u32::try_from(*scale).unwrap_or(0)),
                _ => last_digit(0),
            },
            Values::Int(_) => last_digit(0),
            Values::Float(_) => last_digit(4),
            Values::Spelled(_) => last_digit(SPELLED_DIGITS),
            Values::Text { .. } => return vec![format!("values:{column}"), format!("bytes:{column}")],
        };
        vec![format!("{unit}:{column}"), format!("{LEFT_OUT}:{column}")]
    }

    /// Adds the row's value to the first of `sums`, or counts it in the second as left out (text: rows and bytes); how many of
    /// them are this column's.
    fn add(&self, row: usize, sums: &mut [i128], table: &str) -> Result<usize, MeasureError> {
        let value: Option<i128> = match &self.values {
            Values::Exact(a) => a.is_valid(row).then(|| whole(a, row)).flatten(),
            Values::Int(a) => a.is_valid(row).then(|| a.as_primitive::<Int64Type>().value(row).into()),
            Values::Float(a) => {
                a.is_valid(row).then(|| e4(a.as_primitive::<Float64Type>().value(row))).flatten()
            }
            Values::Spelled(a) => a.is_valid(row).then(|| spelled(a.as_string::<i32>().value(row))).flatten(),
            Values::Text { text, bytes, encoding } => {
                let length = if text.is_valid(row) {
                    encoding.length(text.as_string::<i32>().value(row))
                } else if bytes.is_valid(row) {
                    bytes.as_binary::<i32>().value(row).len()
                } else {
                    return Ok(2);
                };
                add(&mut sums[0], 1, table, self.name)?;
                add(&mut sums[1], length as i128, table, self.name)?;
                return Ok(2);
            }
        };
        let there = self.values.is_valid(row) || self.misfits.is_some_and(|m| m.is_valid(row));
        match value {
            Some(value) => add(&mut sums[0], value, table, self.name)?,
            None if there => add(&mut sums[1], 1, table, self.name)?,
            None => {}
        }
        Ok(2)
    }
}

impl Values<'_> {
    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Exact(a) | Self::Float(a) | Self::Spelled(a) => a.is_valid(row),
            Self::Int(a) => a.is_valid(row),
            Self::Text { text, .. } => text.is_valid(row),
        }
    }
}

/// A decimal in units of its last digit; with a negative scale in whole numbers.
fn whole(decimals: &ArrayRef, row: usize) -> Option<i128> {
    let value = decimals.as_primitive::<Decimal128Type>().value(row);
    match decimals.data_type() {
        DataType::Decimal128(_, scale) if *scale < 0 => {
            10_i128.checked_pow(u32::from(scale.unsigned_abs())).and_then(|by| value.checked_mul(by))
        }
        _ => Some(value),
    }
}

/// trunc(x·10⁶) of a number in digits (`-12.5`); none for what is no number (`NaN`), and for one with more than 38 digits.
fn spelled(text: &str) -> Option<i128> {
    const DIGITS: usize = SPELLED_DIGITS as usize;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if integer.is_empty() || !plain(integer) || !plain(fraction) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(DIGITS)];
    let value: i128 = format!("{integer}{fraction:0<DIGITS$}").parse().ok()?;
    (value <= LARGEST_SUM).then_some(sign * value)
}

/// trunc(x·10⁴), as the source computes it; none for what has none: NaN, infinity, and what is beyond 64 bits.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
pub(super) fn e4(x: f64) -> Option<i128> {
    let cut = (x * 10_000.0).trunc();
    (cut.abs() < i64::MAX as f64).then_some(cut as i128)
}

#[cfg(test)]
mod tests {
    use super::{e4, spelled};

    #[test]
    fn a_number_written_as_text_is_cut_after_six_digits_and_what_is_no_number_has_no_sum() {
        assert_eq!(spelled("1234.5"), Some(1_234_500_000));
        assert_eq!(spelled("-0.0000019"), Some(-1));
        assert_eq!(spelled("100"), Some(100_000_000));
        for wrong in ["NaN", "Infinity", "-Infinity", "", "-", ".5", "1e5"] {
            assert_eq!(spelled(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_float_is_cut_after_four_digits_and_what_is_no_number_has_no_sum() {
        assert_eq!(e4(338.39999), Some(3_383_999));
        assert_eq!(e4(-0.00019), Some(-1));
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(e4(wrong), None, "{wrong}");
        }
    }
}
