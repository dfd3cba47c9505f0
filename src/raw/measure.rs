//! Counts and sums of raw parts, in the source's own spelling: the other side of the border source-raw (FORMS 7).
//!
//! Always: computed from the parts as they lie on disk, never from what was read; integers, by the same definitions as the source's
//! own answers: exact columns in units of their last digit, floats Σ trunc(x·10⁴), text by rows and bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt8Type};
use encoding_rs::Encoding;

use super::RawError;
use crate::dataset::{PartInfo, read_columns};
use crate::durable::hex;

/// A legacy column of raw; `code_page` is that of its text, `None` for Unicode and for what is no text.
#[derive(Debug, Clone)]
pub struct Measurable {
    pub name: String,
    pub code_page: Option<&'static Encoding>,
}

/// One count or sum of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The group, one part per `by` column: text as it is, other bytes `x'hex'`, NULL `∅`, numbers in decimal.
    pub by: Vec<String>,
    pub measure: String,
    pub value: i64,
}

/// Rows, and sums of `amounts`, by group; sorted by group and measure. A NULL amount counts as nothing.
///
/// # Errors
/// `DAT-001`; `RAW-002` for a sum beyond 64 bits, `RAW-003` for a column that cannot be summed or grouped by.
pub fn measure(parts: &[PartInfo], by: &[Measurable], amounts: &[Measurable]) -> Result<Vec<Sum>, RawError> {
    let names = measure_names(parts, amounts)?;
    let mut sums = Sums::new();
    if by.is_empty() {
        sums.insert(String::new(), (Vec::new(), vec![0; names.len()]));
    }
    let mut wanted: Vec<String> = Vec::new();
    for column in by.iter().chain(amounts) {
        wanted.extend([column.name.clone(), bytes_column(&column.name)]);
    }
    for part in parts {
        if wanted.is_empty() {
            if let Some((_, values)) = sums.get_mut("") {
                values[0] += i128::from(crate::dataset::row_count(&part.path)?);
            }
            continue;
        }
        for batch in read_columns(&part.path, &wanted)? {
            add(&batch?, by, amounts, names.len(), &mut sums)?;
        }
    }
    let mut all = Vec::with_capacity(sums.len() * names.len());
    let mut groups: Vec<_> = sums.into_values().collect();
    groups.sort_unstable();
    for (group, values) in groups {
        let mut named: Vec<(&String, i128)> = names.iter().zip(values).collect();
        named.sort_unstable();
        for (measure, value) in named {
            let value = i64::try_from(value).map_err(|_| RawError::Overflow { measure: measure.clone() })?;
            all.push(Sum { by: group.clone(), measure: measure.clone(), value });
        }
    }
    Ok(all)
}

/// By a text that is one to one with the group: the group, and the value of each measure.
type Sums = HashMap<String, (Vec<String>, Vec<i128>)>;

fn bytes_column(name: &str) -> String {
    format!("{name}__b")
}

/// `rows`, then one or two names per amount, in the order of [`amount`].
fn measure_names(parts: &[PartInfo], amounts: &[Measurable]) -> Result<Vec<String>, RawError> {
    let mut names = vec!["rows".to_owned()];
    let Some(first) = parts.first() else { return Ok(names) };
    let schema = crate::dataset::schema_of(&first.path)?;
    for column in amounts {
        let unfit = || RawError::Unfit { column: column.name.clone() };
        let field = schema.field_with_name(&column.name).map_err(|_| unfit())?;
        match field.data_type() {
            DataType::Utf8 | DataType::Binary => {
                names.extend([format!("{}.rows", column.name), format!("{}.bytes", column.name)]);
            }
            DataType::Timestamp(_, _) => names.push(format!("{}.rows", column.name)),
            _ => names.push(column.name.clone()),
        }
    }
    Ok(names)
}

fn add(
    batch: &RecordBatch,
    by: &[Measurable],
    amounts: &[Measurable],
    width: usize,
    sums: &mut Sums,
) -> Result<(), RawError> {
    let groups = by.iter().map(|c| spelled(batch, c)).collect::<Result<Vec<_>, _>>()?;
    let mut values = vec![vec![1; batch.num_rows()]];
    for column in amounts {
        values.extend(amount(batch, column)?);
    }
    let mut key = String::new();
    for row in 0..batch.num_rows() {
        key.clear();
        for column in &groups {
            let _ = write!(key, "{}:{}", column[row].len(), column[row]);
        }
        if !sums.contains_key(&key) {
            let group = groups.iter().map(|c| c[row].clone().into_owned()).collect();
            sums.insert(key.clone(), (group, vec![0; width]));
        }
        if let Some((_, sum)) = sums.get_mut(&key) {
            for (sum, value) in sum.iter_mut().zip(&values) {
                *sum += value[row];
            }
        }
    }
    Ok(())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, RawError> {
    batch.column_by_name(name).ok_or_else(|| RawError::Unfit { column: name.to_owned() })
}

/// Applies `f` where a value is, `none` elsewhere.
fn each<T>(array: &dyn Array, none: &T, f: impl Fn(usize) -> T) -> Vec<T>
where
    T: Clone,
{
    (0..array.len()).map(|row| if array.is_valid(row) { f(row) } else { none.clone() }).collect()
}

#[allow(clippy::cast_precision_loss)]
fn spelled<'a>(batch: &'a RecordBatch, of: &Measurable) -> Result<Vec<Cow<'a, str>>, RawError> {
    let array = column(batch, &of.name)?;
    let none = Cow::Borrowed("∅");
    let each = |f: &dyn Fn(usize) -> String| each(array, &none, |r| Cow::Owned(f(r)));
    Ok(match array.data_type() {
        DataType::Int64 => each(&|r| array.as_primitive::<Int64Type>().value(r).to_string()),
        DataType::Int32 => each(&|r| array.as_primitive::<Int32Type>().value(r).to_string()),
        DataType::Int16 => each(&|r| array.as_primitive::<Int16Type>().value(r).to_string()),
        DataType::UInt8 => each(&|r| array.as_primitive::<UInt8Type>().value(r).to_string()),
        DataType::Boolean => each(&|r| u8::from(array.as_boolean().value(r)).to_string()),
        DataType::Float64 => each(&|r| array.as_primitive::<Float64Type>().value(r).to_string()),
        DataType::Decimal128(_, scale) => each(&|r| {
            let unscaled = array.as_primitive::<Decimal128Type>().value(r);
            (unscaled as f64 / 10_f64.powi(i32::from(*scale))).to_string()
        }),
        DataType::Utf8 => {
            let (text, bytes) = (array.as_string::<i32>(), column(batch, &bytes_column(&of.name))?);
            let bytes = bytes.as_binary::<i32>();
            (0..text.len())
                .map(|r| match (text.is_valid(r), bytes.is_valid(r)) {
                    (true, _) => Cow::Borrowed(text.value(r)),
                    (false, true) => Cow::Owned(format!("x'{}'", hex(bytes.value(r)))),
                    (false, false) => none.clone(),
                })
                .collect()
        }
        _ => return Err(RawError::Unfit { column: of.name.clone() }),
    })
}

/// The addends of one column: one list, for text and bytes two, as [`measure_names`] names them.
#[allow(clippy::cast_possible_truncation)]
fn amount(batch: &RecordBatch, of: &Measurable) -> Result<Vec<Vec<i128>>, RawError> {
    let array = column(batch, &of.name)?;
    let one = |f: &dyn Fn(usize) -> i128| vec![each(array, &0, f)];
    let length = |n: usize| n as i128;
    Ok(match array.data_type() {
        DataType::Int64 => one(&|r| array.as_primitive::<Int64Type>().value(r).into()),
        DataType::Int32 => one(&|r| array.as_primitive::<Int32Type>().value(r).into()),
        DataType::Int16 => one(&|r| array.as_primitive::<Int16Type>().value(r).into()),
        DataType::UInt8 => one(&|r| array.as_primitive::<UInt8Type>().value(r).into()),
        DataType::Boolean => one(&|r| array.as_boolean().value(r).into()),
        DataType::Float64 => {
            one(&|r| i128::from((array.as_primitive::<Float64Type>().value(r) * 10_000.0) as i64))
        }
        DataType::Decimal128(_, _) => one(&|r| array.as_primitive::<Decimal128Type>().value(r)),
        DataType::Timestamp(_, _) => one(&|_| 1),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            vec![each(array, &0, |_| 1), each(array, &0, |r| length(bytes.value(r).len()))]
        }
        DataType::Utf8 => {
            let (text, bytes) = (array.as_string::<i32>(), column(batch, &bytes_column(&of.name))?);
            let bytes = bytes.as_binary::<i32>();
            let long = |r: usize| match (text.is_valid(r), bytes.is_valid(r)) {
                (true, _) => Some(encoded_length(text.value(r), of.code_page)),
                (false, true) => Some(bytes.value(r).len()),
                (false, false) => None,
            };
            let lengths: Vec<Option<usize>> = (0..text.len()).map(long).collect();
            vec![
                lengths.iter().map(|l| i128::from(l.is_some())).collect(),
                lengths.iter().map(|l| length(l.unwrap_or(0))).collect(),
            ]
        }
        _ => return Err(RawError::Unfit { column: of.name.clone() }),
    })
}

fn encoded_length(text: &str, code_page: Option<&'static Encoding>) -> usize {
    match code_page {
        Some(code_page) if !text.is_ascii() => code_page.encode(text).0.len(),
        Some(_) | None => text.len(),
    }
}
