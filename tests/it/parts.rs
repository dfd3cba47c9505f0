//! Parquet parts as other people's readers see them.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int16Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array,
};
use arrow::datatypes::Int64Type;
use parquet::basic::Encoding;
use parquet::file::reader::{FileReader, SerializedFileReader};
use qianyi::dataset::{self, ROW_GROUP_ROWS};

use crate::support::write_part;

const ROWS: i64 = 40_000;

/// A part with every type of raw, with NULLs, with more distinct texts than a dictionary holds.
fn written(path: &Path) {
    let rows = || (0..ROWS).map(|n| (n % 7 != 3).then_some(n));
    let decimal = |precision: u8, scale: i8, by: i128| -> ArrayRef {
        let values: Decimal128Array = rows().map(|n| n.map(|n| (i128::from(n) - 20_000) * by)).collect();
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    };
    let narrow = |n: i64| i32::try_from(n).unwrap();
    let instants: TimestampMicrosecondArray = rows().map(|n| n.map(|n| n * 86_400_000_000)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("d38", decimal(38, 10, 10_i128.pow(30) + 7)),
        ("d19", decimal(19, 4, 10_i128.pow(13) + 7)),
        ("d16", decimal(16, 2, 10_i128.pow(9) + 7)),
        ("d5", decimal(5, 2, 1)),
        ("i64", Arc::new(rows().collect::<Int64Array>())),
        ("i32", Arc::new(rows().map(|n| n.map(narrow)).collect::<Int32Array>())),
        ("i16", Arc::new(rows().map(|n| n.and_then(|n| i16::try_from(n % 9).ok())).collect::<Int16Array>())),
        ("u8", Arc::new(rows().map(|n| n.and_then(|n| u8::try_from(n % 250).ok())).collect::<UInt8Array>())),
        ("bit", Arc::new(rows().map(|n| n.map(|n| n % 3 == 0)).collect::<BooleanArray>())),
        ("day", Arc::new(rows().map(|n| n.map(narrow)).collect::<Date32Array>())),
        ("time", Arc::new(instants.clone())),
        ("instant", Arc::new(instants.with_timezone("Asia/Shanghai"))),
        ("float", Arc::new(rows().map(|n| n.map(|n| f64::from(narrow(n)) / 3.0)).collect::<Float64Array>())),
        ("text", Arc::new(rows().map(|n| n.map(|n| format!("姓名{n:08}"))).collect::<StringArray>())),
        ("few", Arc::new(rows().map(|n| n.map(|n| format!("{}", n % 5))).collect::<StringArray>())),
        ("bytes", Arc::new(rows().map(|n| n.map(|n| n.to_be_bytes())).collect::<BinaryArray>())),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    write_part(path, &batch);
}

/// DuckDB and polars lack what the first had for long decimals, fastparquet every delta encoding (or reads other numbers than were written).
#[test]
fn no_column_has_an_encoding_that_readers_lack() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.parquet");
    written(&path);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let mut columns = 0;
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            // Of its data pages.
            let mask = column.page_encoding_stats_mask().unwrap();
            let found: Vec<Encoding> = mask.encodings().collect();
            let lacking = found.iter().any(|e| !matches!(e, Encoding::PLAIN | Encoding::RLE_DICTIONARY));
            assert!(!found.is_empty() && !lacking, "{}: {found:?}", column.column_path());
            columns += 1;
        }
    }
    assert!(columns >= 16);
}

/// `scripts/test` installs DuckDB.
#[test]
fn duckdb_reads_every_column_exactly() {
    let python = std::env::var("QIANYI_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import duckdb"]).output();
    assert!(
        there.is_ok_and(|o| o.status.success()),
        "{python} has no module duckdb: run scripts/test, which installs it, or set QIANYI_TEST_PYTHON"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.parquet");
    written(&path);
    let check = "import duckdb, sys
print(duckdb.execute('''SELECT count(*), count(d38), sum(d19), sum(d16), sum(d5), sum(i64), sum(u8), count_if(bit), max(day), max(text),
  count(DISTINCT bytes) FROM read_parquet(?)''', [sys.argv[1]]).fetchall())
print(duckdb.execute('SELECT d38, d19, d16, d5, i64, bit, day, text FROM read_parquet(?) WHERE i64 IN (0, 39999) ORDER BY i64', [sys.argv[1]]).fetchall())";
    let output = Command::new(&python).args(["-c", check]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!("duckdb", String::from_utf8_lossy(&output.stdout));
}

/// Ids spread over all numbers, of which some stand twice: what is found is what a look at every row finds, in every row group.
#[test]
fn rows_are_found_by_their_keys_wherever_they_lie() {
    const LOOKED_AT: usize = 2 * ROW_GROUP_ROWS + 10;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.parquet");
    let key = |row: usize| (row % (LOOKED_AT - 5) * 9_000_000_007).to_string();
    let source = |row: usize| ["a.T", "b.T"][row % 2];
    let keys: StringArray = (0..LOOKED_AT).map(|row| (row != 7).then(|| key(row))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("_key", Arc::new(keys)),
        ("_source", Arc::new(StringArray::from_iter_values((0..LOOKED_AT).map(source)))),
        ("row", Arc::new(Int64Array::from_iter_values(0..i64::try_from(LOOKED_AT).unwrap()))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    write_part(&path, &RecordBatch::try_from_iter_with_nullable(columns).unwrap());
    let found = |wanted: &[(&str, &str)]| -> Vec<(u64, i64)> {
        let rows = dataset::find_rows(&path, wanted).unwrap();
        rows.iter().map(|f| (f.place, f.values.column(2).as_primitive::<Int64Type>().value(0))).collect()
    };
    for row in [0, 1, 4, 5, ROW_GROUP_ROWS - 1, ROW_GROUP_ROWS, LOOKED_AT - 6, LOOKED_AT - 1] {
        let all: Vec<usize> = (0..LOOKED_AT).filter(|other| key(*other) == key(row)).collect();
        let at = |row: &usize| (*row as u64, i64::try_from(*row).unwrap());
        assert_eq!(found(&[("_key", &key(row))]), all.iter().map(at).collect::<Vec<_>>(), "{row}");
        let here: Vec<_> = all.iter().filter(|other| source(**other) == source(row)).map(at).collect();
        assert_eq!(found(&[("_source", source(row)), ("_key", &key(row))]), here, "{row}");
    }
    assert!(found(&[("_key", &key(7))]).is_empty());
    assert!(found(&[("_key", "no such key")]).is_empty());
    assert!(found(&[("_skey", &key(1))]).is_empty());
    // Every row group has the filter, so that a look for one row leaves the others unread.
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.len(), 3);
    assert!(groups.iter().all(|g| g.column(0).bloom_filter_offset().is_some()));
    assert!(groups.iter().all(|g| g.column(1).bloom_filter_offset().is_none()));
}
