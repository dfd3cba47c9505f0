//! What layer 1 makes of a legacy table's amounts: the raw column as it stands against the typed column (FORMS 4: rounding to fen).
//!
//! Always: one streaming pass a side, integers. A column with at most two digits after the point compares in fen (`fen:<column>`) and
//! must be equal; a finer one (float, money, numeric(38,10)) compares in 1/10000 yuan (`e4:<column>`), and its rounding is bounded by
//! half a fen for each value. `values:<column>` counts the values that went into it; raw values too large for any amount of ours are read
//! errors: in no sum, and counted. `placed:<column>` counts each amount by the place of its row, where layer 1 keeps the order of raw and
//! rounds nothing: two sides have the same only where every row has its own amount. What the source kept beside its column, since it does not fit there (`1,234.50` as text), counts
//! where it is an amount to the fen, as it is read.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use xxhash_rust::xxh3::xxh3_64;

use super::measure::{ALL, PLACED, boundary, side};
use super::raw::e4;
use super::{Measure, MeasureError};
use crate::dataset::{read_part, schema_of};
use crate::encoding::bytes_column;
use crate::functions::{Unit, kept_fen};

/// A money column of layer 1 and the legacy column that it reads. Money written as text has no sum of its own: leave it out.
#[derive(Debug, Clone)]
pub struct ReadAmount {
    pub legacy: String,
    pub typed: String,
    pub unit: Unit,
}

/// The order in which layer 1 leaves the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// That of raw: the table has a unique key.
    Kept,
    /// By key and content.
    Sorted,
}

/// The bucket of raw values that are read errors, since no amount of ours is so large (Decimal128(16, 2)).
const READ_ERROR: &str = "read_error";
/// The largest amount, in fen.
const LARGEST: u128 = 10_u128.pow(16) - 1;

/// How the raw number becomes the measure.
#[derive(Clone, Copy)]
enum Scale {
    /// So many digits of a yuan: in fen up to two, in 1/10000 beyond (what is finer still is added up apart, and cut off the sum).
    Digits(i32),
    /// A float, times this in yuan: in 1/10000.
    Float(f64),
}

impl Scale {
    fn unit(self) -> &'static str {
        if self.places() == 2 { "fen" } else { "e4" }
    }

    /// Digits of a yuan that the measure has.
    fn places(self) -> i32 {
        match self {
            Self::Digits(digits) if digits <= 2 => 2,
            Self::Digits(_) | Self::Float(_) => 4,
        }
    }
}

/// × 10^places as an integer, and what is cut off of it, in units of the value; none when it does not fit 128 bits.
fn shifted(value: i128, places: i32) -> Option<(i128, i128)> {
    let power = 10_i128.checked_pow(places.unsigned_abs())?;
    if places < 0 { Some((value / power, value % power)) } else { Some((value.checked_mul(power)?, 0)) }
}

fn scale(table: &str, part: &Path, column: &ReadAmount) -> Result<Scale, MeasureError> {
    let schema = schema_of(part)?;
    let uncountable = |found: &str| MeasureError::Uncountable {
        what: table.to_owned(),
        column: column.legacy.clone(),
        found: found.to_owned(),
    };
    let field = schema.field_with_name(&column.legacy).map_err(|_| uncountable("missing"))?;
    let fen = match column.unit {
        Unit::Yuan => 0,
        Unit::Fen => 2,
    };
    match field.data_type() {
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 => Ok(Scale::Digits(fen)),
        DataType::Decimal128(_, scale) => Ok(Scale::Digits(i32::from(*scale) + fen)),
        DataType::Float64 => Ok(Scale::Float(if fen == 0 { 1.0 } else { 0.01 })),
        other => Err(uncountable(&other.to_string())),
    }
}

/// The sums of one column on one side.
struct Sum {
    name: String,
    unit: Unit,
    scale: Scale,
    value: i128,
    /// What is finer than the measure, in the column's own digits; less than one of the measure.
    rest: i128,
    values: i128,
    /// The sum of each value times the weight of its row.
    placed: i128,
    /// Values that are read errors: in no sum.
    unread: i128,
}

/// Both sides for each column: `rows`, then `fen:` or `e4:`, `values:` and `placed:` of each, for the legacy table as a whole.
///
/// # Errors
/// `DAT-001`, `MEA-001`, `MEA-004`.
pub fn layer1_measures(
    table: &str,
    raw: &[PathBuf],
    typed: &[PathBuf],
    columns: &[ReadAmount],
    order: RowOrder,
) -> Result<Vec<Measure>, MeasureError> {
    let Some(first) = raw.first() else { return Ok(Vec::new()) };
    let scales = columns.iter().map(|c| scale(table, first, c)).collect::<Result<Vec<_>, _>>()?;
    let mut out = Vec::new();
    for (side, parts) in [(side::RAW, raw), (side::MAPPED, typed)] {
        let mut rows = 0_i128;
        let mut sums: Vec<Sum> = columns.iter().zip(&scales).map(|(c, scale)| Sum::new(c, *scale)).collect();
        for part in parts {
            for batch in read_part(part)? {
                let batch = batch?;
                let weights: Vec<i128> = (rows..).take(batch.num_rows()).map(weight).collect();
                rows += batch.num_rows() as i128;
                for (sum, column) in sums.iter_mut().zip(columns) {
                    let name = if side == side::RAW { &column.legacy } else { &column.typed };
                    sum.add(table, &batch, (name, side), &weights)?;
                }
            }
        }
        let measure = |measure: String, bucket: &str, value: i128| Measure {
            boundary: boundary::RAW_MAPPED.to_owned(),
            side: side.to_owned(),
            table: table.to_owned(),
            measure,
            insurance: ALL.to_owned(),
            period: ALL.to_owned(),
            bucket: bucket.to_owned(),
            value,
        };
        out.push(measure("rows".to_owned(), "", rows));
        for sum in sums {
            let (money, values) =
                (format!("{}:{}", sum.scale.unit(), sum.name), format!("values:{}", sum.name));
            if sum.unread > 0 {
                out.push(measure(values.clone(), READ_ERROR, sum.unread));
            }
            if order == RowOrder::Kept && sum.scale.places() == 2 {
                out.push(measure(format!("{PLACED}:{}", sum.name), "", sum.placed));
            }
            out.push(measure(money, "", sum.whole()));
            out.push(measure(values, "", sum.values));
        }
    }
    Ok(out)
}

impl Sum {
    fn new(of: &ReadAmount, scale: Scale) -> Self {
        Self {
            name: of.legacy.clone(),
            unit: of.unit,
            scale,
            value: 0,
            rest: 0,
            values: 0,
            placed: 0,
            unread: 0,
        }
    }

    /// The sum, cut off to the measure: value and rest may have different signs.
    fn whole(&self) -> i128 {
        match (self.value.signum(), self.rest.signum()) {
            (1, -1) => self.value - 1,
            (-1, 1) => self.value + 1,
            _ => self.value,
        }
    }

    fn add(
        &mut self,
        table: &str,
        batch: &RecordBatch,
        (name, side): (&str, &str),
        weights: &[i128],
    ) -> Result<(), MeasureError> {
        let uncountable = |found: &str| MeasureError::Uncountable {
            what: table.to_owned(),
            column: name.to_owned(),
            found: found.to_owned(),
        };
        let overflow = || MeasureError::Overflow { what: format!("{table} {name}") };
        let array = batch.column_by_name(name).ok_or_else(|| uncountable("missing"))?;
        match (array.data_type(), self.scale) {
            // What layer 1 read: fen.
            (DataType::Decimal128(_, 2), scale) if side == side::MAPPED => {
                for (fen, weight) in weighed(decimals(array), weights) {
                    self.count(shifted(fen, scale.places() - 2), 0, (fen, weight)).ok_or_else(overflow)?;
                }
            }
            (DataType::Decimal128(_, _), Scale::Digits(digits)) => {
                for (raw, weight) in weighed(decimals(array), weights) {
                    self.exact(raw, digits, weight).ok_or_else(overflow)?;
                }
            }
            (other, Scale::Digits(digits)) if other.is_integer() => {
                let wide = cast(array, &DataType::Int64);
                let wide = wide.map_err(|e| MeasureError::impossible("widening a number", e))?;
                for (raw, weight) in weighed(wide.as_primitive::<Int64Type>().iter(), weights) {
                    self.exact(raw.into(), digits, weight).ok_or_else(overflow)?;
                }
            }
            (DataType::Float64, Scale::Float(unit)) => {
                for (x, weight) in weighed(array.as_primitive::<Float64Type>().iter(), weights) {
                    let value = e4(x * unit);
                    let fen = value.map_or(i128::MAX, |e4| e4 / 100);
                    self.count(value.map(|v| (v, 0)), 0, (fen, weight)).ok_or_else(overflow)?;
                }
            }
            (other, Scale::Digits(_) | Scale::Float(_)) => return Err(uncountable(&other.to_string())),
        }
        if side == side::RAW
            && let Some(kept) = batch.column_by_name(&bytes_column(name))
        {
            let unit = self.unit;
            let kept = kept.as_binary::<i32>().iter().map(|b| kept_fen(b?, unit));
            for (fen, weight) in weighed(kept, weights) {
                let value = shifted(fen, self.scale.places() - 2);
                self.count(value, 0, (fen, weight)).ok_or_else(overflow)?;
            }
        }
        Ok(())
    }

    /// A raw number of so many digits of a yuan.
    fn exact(&mut self, raw: i128, digits: i32, weight: i128) -> Option<()> {
        let finer = digits - self.scale.places();
        let fen = shifted(raw, 2 - digits).map_or(i128::MAX, |(fen, _)| fen);
        self.count(shifted(raw, -finer), finer, (fen, weight))
    }

    /// Adds a value and its rest (in units 10^`finer` times smaller), or counts it as a read error; `fen` is about how much it is.
    fn count(&mut self, value: Option<(i128, i128)>, finer: i32, (fen, weight): (i128, i128)) -> Option<()> {
        if fen.unsigned_abs() > LARGEST {
            self.unread += 1;
            return Some(());
        }
        let (value, rest) = value?;
        let (carried, rest) = if rest == 0 { (0, self.rest) } else { shifted(self.rest + rest, -finer)? };
        self.value = self.value.checked_add(value)?.checked_add(carried)?;
        self.rest = rest;
        self.values += 1;
        self.placed = self.placed.checked_add(fen.checked_mul(weight)?)?;
        Some(())
    }
}

fn decimals(array: &dyn Array) -> impl Iterator<Item = Option<i128>> {
    array.as_primitive::<Decimal128Type>().iter()
}

/// The values that are there, with the weights of their rows.
fn weighed<V>(values: impl Iterator<Item = Option<V>>, weights: &[i128]) -> impl Iterator<Item = (V, i128)> {
    values.zip(weights).filter_map(|(value, weight)| Some((value?, *weight)))
}

/// The weight of the row at a place in its table: 30 bits.
fn weight(place: i128) -> i128 {
    i128::from(xxh3_64(&place.to_le_bytes()) >> 34)
}
