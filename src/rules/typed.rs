//! Rows of text → typed columns: reference tables, outside data, the rows of a case.
//!
//! Always: a value that its type does not hold exactly is refused with its place; an empty cell is NULL, `''` the empty text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};

use crate::national::Kind;

/// A value that its column does not hold: row (from 0), column, and what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) row: usize,
    pub(super) column: String,
    pub(super) value: String,
}

/// What a cell says.
pub(super) fn cell(text: &str) -> Option<&str> {
    match text.trim() {
        "" => None,
        "''" => Some(""),
        text => Some(text),
    }
}

/// Text as values of a type; the first value that does not fit, by its row.
pub(super) fn typed(values: &[Option<&str>], to: &DataType) -> Result<ArrayRef, usize> {
    let text = StringArray::from(values.to_vec());
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let found = cast_with_options(&text, to, &lenient).map_err(|_| 0_usize)?;
    let same = match to {
        DataType::Utf8 => return Ok(found),
        // A cast rounds what has more digits than its type.
        _ => cast_with_options(&found, &DataType::Utf8, &lenient).map_err(|_| 0_usize)?,
    };
    let same = same.as_any().downcast_ref::<StringArray>().ok_or(0_usize)?;
    for (row, value) in values.iter().enumerate() {
        if let Some(value) = value
            && (found.is_null(row) || (to.is_decimal() && !same_number(value, same.value(row))))
        {
            return Err(row);
        }
    }
    Ok(found)
}

/// A value that somebody wrote, as a column of that type writes it; none where it does not hold it exactly.
pub fn fitting(value: &str, to: &DataType) -> Option<String> {
    let fitted = typed(&[Some(value)], to).ok()?;
    let text = arrow::compute::cast(&fitted, &DataType::Utf8).ok()?;
    let text = text.as_any().downcast_ref::<StringArray>()?;
    text.is_valid(0).then(|| text.value(0).to_owned())
}

/// Whether two decimal numbers are one, however many zeros they end with.
fn same_number(a: &str, b: &str) -> bool {
    let plain = |t: &str| {
        let t = t.trim().trim_start_matches('+');
        let t = if t.contains('.') { t.trim_end_matches('0').trim_end_matches('.') } else { t };
        let (sign, digits) = t.strip_prefix('-').map_or(("", t), |d| ("-", d));
        let digits = digits.trim_start_matches('0');
        let digits = if digits.is_empty() || digits.starts_with('.') {
            format!("0{digits}")
        } else {
            digits.to_owned()
        };
        if digits == "0" { digits } else { format!("{sign}{digits}") }
    };
    plain(a) == plain(b)
}

/// Typed columns out of rows of cells, each as wide as `columns`.
pub(super) fn batch(
    columns: &[(String, DataType)],
    rows: &[Vec<Option<&str>>],
) -> Result<RecordBatch, Unfit> {
    let mut arrays = Vec::with_capacity(columns.len());
    for (at, (name, kind)) in columns.iter().enumerate() {
        let values: Vec<Option<&str>> = rows.iter().map(|row| row.get(at).copied().flatten()).collect();
        let unfit = |row: usize| Unfit {
            row,
            column: name.clone(),
            value: values.get(row).copied().flatten().unwrap_or_default().to_owned(),
        };
        arrays.push(typed(&values, kind).map_err(unfit)?);
    }
    let fields: Vec<Field> = columns.iter().map(|(n, t)| Field::new(n, t.clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let none = |_| Unfit { row: 0, column: String::new(), value: String::new() };
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(none)
}

/// The Arrow type of a declared type; `text` and `int` need no length here.
pub(super) fn declared(kind: &str) -> Option<DataType> {
    match kind.trim() {
        "text" => Some(DataType::Utf8),
        "int" => Some(DataType::Int32),
        "id" => Some(DataType::Int64),
        other => Kind::named(other).map(Kind::arrow),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::{batch, declared, same_number};

    #[test]
    fn a_value_that_does_not_fit_is_named() {
        let columns = vec![("a".to_owned(), DataType::Utf8), ("m".to_owned(), declared("money").unwrap())];
        let rows = |value: &'static str| vec![vec![Some("x"), Some("1.5")], vec![None, Some(value)]];
        assert_eq!(batch(&columns, &rows("12.34")).unwrap().num_rows(), 2);
        for bad in ["12.345", "1e3x", "abc"] {
            let unfit = batch(&columns, &rows(bad)).unwrap_err();
            assert_eq!((unfit.row, unfit.column.as_str(), unfit.value.as_str()), (1, "m", bad));
        }
        assert!(declared("float").is_none());
        for (a, b, same) in [
            ("1.50", "1.5", true),
            ("-0.00", "0", true),
            ("007", "7.00", true),
            ("0.5", ".50", true),
            ("1.51", "1.5", false),
        ] {
            assert_eq!(same_number(a, b), same, "{a} {b}");
        }
    }
}
