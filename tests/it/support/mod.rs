//! What the tests share: reading datasets as text, and comparing findings with the truth that the fixture planted.

pub mod cases;
pub mod damage;
pub mod demo;
pub mod extracts;
pub mod legacy;
pub mod mapped;
pub mod mssql;
pub mod office;
pub mod page;
pub mod pg;
pub mod pg_double;
pub mod places;
pub mod rows;
pub mod tds;
pub mod truth;

use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch, StringArray};
use qianyi::dataset::{self, PartInfo, PartWriter};

/// Writes a batch as a part.
pub fn write_part(path: &Path, batch: &RecordBatch) -> PartInfo {
    let mut writer = PartWriter::create(path, batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap()
}

/// The Parquet parts under a folder at any depth, in name order.
pub fn parquet_under(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "parquet") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The named text columns of every row of a part; NULL is `None`.
pub fn text_rows(part: &Path, columns: &[&str]) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for batch in dataset::read_part(part).unwrap() {
        let batch = batch.unwrap();
        let arrays: Vec<&StringArray> = columns
            .iter()
            .map(|c| {
                let array =
                    batch.column_by_name(c).unwrap_or_else(|| panic!("{} has no {c}", part.display()));
                array.as_any().downcast_ref::<StringArray>().unwrap()
            })
            .collect();
        for row in 0..batch.num_rows() {
            rows.push(arrays.iter().map(|a| a.is_valid(row).then(|| a.value(row).to_owned())).collect());
        }
    }
    rows
}

/// The list of a JSON document that is one list under a name, after its version.
pub fn listed(document: &serde_json::Value) -> serde_json::Value {
    let fields = document.as_object().unwrap_or_else(|| panic!("{document}"));
    let lists: Vec<_> = fields.values().filter(|v| v.is_array()).collect();
    assert!(fields.len() == 2 && document["version"] == 1 && lists.len() == 1, "{document}");
    lists[0].clone()
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
