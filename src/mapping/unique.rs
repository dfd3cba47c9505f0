//! A key that a source file says is unique, proved over the whole table: the twin of a row may lie in any part.
//!
//! Always: memory is bounded: 16 bytes a key of one pass, many keys are looked at in several passes over the column `_skey`. Keys are
//! compared by their XXH3-128; the rows that are named are looked up again by their text.

use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use xxhash_rust::xxh3::xxh3_128;

use crate::dataset::{DatasetError, PartInfo, read_columns};

/// Keys of one pass. Few in unit tests, so that they see several passes.
const PASS_KEYS: u64 = if cfg!(test) { 5 } else { 4 << 20 };

/// Two rows of one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twins {
    pub(super) key: String,
    /// `part-000001 row 17`, rows counted from 1.
    pub(super) places: [String; 2],
}

fn place(part: &Path, number: u64) -> String {
    let file = part.file_stem().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{file} row {number}")
}

/// Where the rows of those legacy tables and keys (`_source`, `_skey`) stand among typed parts: table, part and row.
pub(super) fn places(parts: &[PathBuf], rows: &[(String, String)]) -> Result<Vec<String>, DatasetError> {
    let mut found = Vec::new();
    for part in parts {
        let mut number = 0;
        for batch in read_columns(part, &["_source".to_owned(), "_skey".to_owned()])? {
            let batch = batch?;
            let text = |at: usize| batch.column(at).as_string::<i32>();
            for (source, skey) in text(0).iter().flatten().zip(text(1).iter().flatten()) {
                number += 1;
                if rows.iter().any(|(s, k)| s == source && k == skey) {
                    found.push(format!("{source} {}", place(part, number)));
                }
            }
        }
    }
    Ok(found)
}

/// Calls `row` with part, number (from 1) and key of every row, until it answers.
fn each<T>(
    parts: &[PartInfo],
    mut row: impl FnMut(&PartInfo, u64, &str) -> Option<T>,
) -> Result<Option<T>, DatasetError> {
    for part in parts {
        let mut number = 0;
        for batch in read_columns(&part.path, &["_skey".to_owned()])? {
            for key in batch?.column(0).as_string::<i32>().iter().flatten() {
                number += 1;
                if let Some(found) = row(part, number, key) {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// Two rows of one key among the typed parts of a table, wherever they lie.
pub(super) fn twins(parts: &[PartInfo]) -> Result<Option<Twins>, DatasetError> {
    let rows: u64 = parts.iter().map(|p| p.rows).sum();
    let passes = u128::from(rows.div_ceil(PASS_KEYS).max(1));
    for pass in 0..passes {
        let mut digests = Vec::new();
        each(parts, |_, _, key| {
            let digest = xxh3_128(key.as_bytes());
            if digest % passes == pass {
                digests.push(digest);
            }
            None::<()>
        })?;
        digests.sort_unstable();
        if let Some(twin) = digests.windows(2).find(|pair| pair[0] == pair[1]) {
            return named(parts, twin[0]);
        }
    }
    Ok(None)
}

/// The first two rows of that digest.
fn named(parts: &[PartInfo], digest: u128) -> Result<Option<Twins>, DatasetError> {
    let mut first: Option<(String, String)> = None;
    each(parts, |part, number, key| {
        if xxh3_128(key.as_bytes()) != digest {
            return None;
        }
        let place = place(&part.path, number);
        match first.take() {
            Some((known, before)) if known == key => Some(Twins { key: known, places: [before, place] }),
            Some(other) => {
                first = Some(other);
                None
            }
            None => {
                first = Some((key.to_owned(), place));
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::{Twins, twins};
    use crate::dataset::{PartInfo, PartWriter};

    fn part(path: &Path, keys: &[String]) -> PartInfo {
        let schema = Arc::new(Schema::new(vec![Field::new("_skey", DataType::Utf8, false)]));
        let mut writer = PartWriter::create(path, schema.clone()).unwrap();
        let column = Arc::new(StringArray::from_iter_values(keys));
        writer.write(&RecordBatch::try_new(schema, vec![column]).unwrap()).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn twins_are_found_in_whatever_parts_they_lie_and_however_many_passes_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let key = |n: usize| format!("k{n}");
        for (first, second) in [(0, 1), (0, 39), (13, 26), (38, 39), (7, 8)] {
            let mut keys: Vec<String> = (0..40).map(key).collect();
            keys[second] = keys[first].clone();
            let parts: Vec<PartInfo> = keys
                .chunks(13)
                .enumerate()
                .map(|(n, keys)| part(&dir.path().join(format!("p{n}.parquet")), keys))
                .collect();
            let place = |at: usize| format!("p{} row {}", at / 13, at % 13 + 1);
            let expected = Twins { key: key(first), places: [place(first), place(second)] };
            assert_eq!(twins(&parts).unwrap(), Some(expected));
        }
        let all: Vec<String> = (0..40).map(key).collect();
        assert_eq!(twins(&[part(&dir.path().join("all.parquet"), &all)]).unwrap(), None);
        assert_eq!(twins(&[part(&dir.path().join("none.parquet"), &[])]).unwrap(), None);
    }
}
