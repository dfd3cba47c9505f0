//! Parts made by hand: every row names the columns that it fills, as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;

use super::write_part;

/// Column and value.
pub type Row<'a> = &'a [(&'a str, &'a str)];

/// Writes a part; columns that a row does not name are NULL.
pub fn part(path: &Path, schema: &SchemaRef, rows: &[Row<'_>]) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (name, _) in rows.iter().flat_map(|r| r.iter()) {
        assert!(schema.field_with_name(name).is_ok(), "no column {name}");
    }
    let column = |name: &str| -> StringArray {
        rows.iter().map(|r| r.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)).collect()
    };
    let arrays: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|f| {
            let text: ArrayRef = Arc::new(column(f.name()));
            let array = cast(&text, f.data_type()).unwrap();
            assert_eq!(array.null_count(), text.null_count(), "{}: a value does not fit", f.name());
            array
        })
        .collect();
    write_part(path, &RecordBatch::try_new(schema.clone(), arrays).unwrap());
    path.to_owned()
}
