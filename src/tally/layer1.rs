//! What layer 1 makes of a legacy table's amounts: the raw column as it stands against the typed column (FORMS 4: rounding to fen).
//!
//! Always: one streaming pass a side, integers. A column with at most two digits after the point compares in fen (`fen:<column>`) and
//! must be equal; a finer one (float, money) compares in 1/10000 yuan (`e4:<column>`), and its rounding is bounded by half a fen for
//! each value. `values:<column>` counts the values that went into it.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::cells::add;
use super::measure::{ALL, border, side};
use super::own::e4;
use super::{Measure, TallyError};
use crate::dataset::{read_part, schema_of};

/// In which unit a legacy column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenIn {
    Yuan,
    Fen,
}

/// A money column of layer 1 and the legacy column that it reads. Money written as text has no sum of its own: leave it out.
#[derive(Debug, Clone)]
pub struct ReadAmount {
    pub legacy: String,
    pub typed: String,
    pub unit: WrittenIn,
}

/// How one unit of the raw integer becomes one unit of the measure.
#[derive(Clone, Copy)]
enum Scale {
    /// Compared in fen: raw × this.
    Fen(i128),
    /// Compared in 1/10000 yuan: raw × this.
    E4(i128),
    /// A float in yuan or fen, in 1/10000 yuan.
    Float(f64),
}

fn scale(table: &str, part: &Path, column: &ReadAmount) -> Result<Scale, TallyError> {
    let schema = schema_of(part)?;
    let uncountable = |found: &str| TallyError::Uncountable {
        what: table.to_owned(),
        column: column.legacy.clone(),
        found: found.to_owned(),
    };
    let field = schema.field_with_name(&column.legacy).map_err(|_| uncountable("missing"))?;
    match (field.data_type(), column.unit) {
        (DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8, WrittenIn::Fen) => {
            Ok(Scale::Fen(1))
        }
        (DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8, WrittenIn::Yuan) => {
            Ok(Scale::Fen(100))
        }
        (DataType::Decimal128(_, 0), WrittenIn::Fen) | (DataType::Decimal128(_, 2), WrittenIn::Yuan) => {
            Ok(Scale::Fen(1))
        }
        (DataType::Decimal128(_, 0), WrittenIn::Yuan) => Ok(Scale::Fen(100)),
        (DataType::Decimal128(_, 1), WrittenIn::Yuan) => Ok(Scale::Fen(10)),
        (DataType::Decimal128(_, 4), WrittenIn::Yuan) | (DataType::Decimal128(_, 2), WrittenIn::Fen) => {
            Ok(Scale::E4(1))
        }
        (DataType::Decimal128(_, 3), WrittenIn::Yuan) | (DataType::Decimal128(_, 1), WrittenIn::Fen) => {
            Ok(Scale::E4(10))
        }
        (DataType::Float64, WrittenIn::Yuan) => Ok(Scale::Float(1.0)),
        (DataType::Float64, WrittenIn::Fen) => Ok(Scale::Float(0.01)),
        (other, WrittenIn::Yuan | WrittenIn::Fen) => Err(uncountable(&other.to_string())),
    }
}

struct Sum {
    name: String,
    scale: Scale,
    value: i64,
    values: i64,
}

/// Both sides for each column: `rows`, then `fen:` or `e4:` and `values:` of each, for the legacy table as a whole.
///
/// # Errors
/// `DAT-001`, `TAL-001`, `TAL-004`.
pub fn layer1_measures(
    table: &str,
    raw: &[PathBuf],
    typed: &[PathBuf],
    columns: &[ReadAmount],
) -> Result<Vec<Measure>, TallyError> {
    let Some(first) = raw.first() else { return Ok(Vec::new()) };
    let scales = columns.iter().map(|c| scale(table, first, c)).collect::<Result<Vec<_>, _>>()?;
    let mut out = Vec::new();
    for (side, parts) in [(side::RAW, raw), (side::MAPPED, typed)] {
        let mut rows = 0_i64;
        let mut sums: Vec<Sum> = columns
            .iter()
            .zip(&scales)
            .map(|(c, scale)| Sum { name: c.legacy.clone(), scale: *scale, value: 0, values: 0 })
            .collect();
        for part in parts {
            for batch in read_part(part)? {
                let batch = batch?;
                add(&mut rows, batch.num_rows() as i128, table)?;
                for (sum, column) in sums.iter_mut().zip(columns) {
                    let name = if side == side::RAW { &column.legacy } else { &column.typed };
                    sum.add(table, &batch, name, side)?;
                }
            }
        }
        let measure = |measure: String, value: i64| Measure {
            border: border::RAW_MAPPED.to_owned(),
            side: side.to_owned(),
            table: table.to_owned(),
            measure,
            insurance: ALL.to_owned(),
            period: ALL.to_owned(),
            bucket: String::new(),
            value,
        };
        out.push(measure("rows".to_owned(), rows));
        for sum in sums {
            let unit = if matches!(sum.scale, Scale::Fen(_)) { "fen" } else { "e4" };
            out.push(measure(format!("{unit}:{}", sum.name), sum.value));
            out.push(measure(format!("values:{}", sum.name), sum.values));
        }
    }
    Ok(out)
}

impl Sum {
    fn add(&mut self, table: &str, batch: &RecordBatch, name: &str, side: &str) -> Result<(), TallyError> {
        let uncountable = |found: &str| TallyError::Uncountable {
            what: table.to_owned(),
            column: name.to_owned(),
            found: found.to_owned(),
        };
        let array = batch.column_by_name(name).ok_or_else(|| uncountable("missing"))?;
        self.values += (array.len() - array.null_count()) as i64;
        let total: i128 = match (array.data_type(), self.scale) {
            // What layer 1 read: fen.
            (DataType::Decimal128(_, 2), Scale::Fen(_)) if side == side::MAPPED => decimals(array),
            (DataType::Decimal128(_, 2), Scale::E4(_) | Scale::Float(_)) if side == side::MAPPED => {
                decimals(array) * 100
            }
            (DataType::Decimal128(_, _), Scale::Fen(by) | Scale::E4(by)) => decimals(array) * by,
            (DataType::Float64, Scale::Float(unit)) => {
                array.as_primitive::<Float64Type>().iter().flatten().map(|x| e4(x * unit)).sum()
            }
            (other, Scale::Fen(by) | Scale::E4(by)) if other.is_integer() => {
                let wide = cast(array, &DataType::Int64);
                let wide = wide.map_err(|e| TallyError::impossible("widening a number", e))?;
                wide.as_primitive::<Int64Type>().iter().flatten().map(i128::from).sum::<i128>() * by
            }
            (other, Scale::Fen(_) | Scale::E4(_) | Scale::Float(_)) => {
                return Err(uncountable(&other.to_string()));
            }
        };
        add(&mut self.value, total, table)
    }
}

fn decimals(array: &dyn Array) -> i128 {
    array.as_primitive::<Decimal128Type>().iter().flatten().sum()
}
