//! Files of SQLite as people have them: any value in any column, text stored as text, views, broken views, a file put in place of another.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use qianyi::encoding::{TextEncoding, encoding_of};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::error::{Consequence, RetryClass};
use qianyi::profile::profile;
use qianyi::raw;
use qianyi::source::{Bounds, Grade, Source, SourceError, Table, TableMeasures, connect};
use qianyi::state::State;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::support::extracts::Attempt;
use crate::support::legacy::{Legacy, batches, table};
use crate::support::mapped::loaded;

/// A file that somebody made for himself: no legacy types, nothing stored as bytes but bytes.
const ORDINARY: &str = "CREATE TABLE ry (grbh TEXT PRIMARY KEY NOT NULL, xm TEXT, d DOUBLE, b BOOLEAN, p BLOB, u, n NUMERIC, i INTEGER,
                                  r DATE, je numeric(10,2));
     INSERT INTO ry VALUES ('0001', '张三', 1.5, TRUE, x'00ff', '任意', 12.34, 5000000000, '1985-03-01', 12.5),
                           ('0002', '王' || char(0x20087), 2, 0, NULL, 7, 5, -1, 19850301, 338.39999),
                           ('0003', x'CDF5CEE5', 'abc', 'yes', 'text', x'B0D7B3C7', '1e3x', 1.5, 'infinity', x'31'),
                           ('0004', '张' || char(0xE863), 9e999, NULL, NULL, 0.1, NULL, NULL, NULL, NULL)";

/// The cells of a column, each with what was kept beside it.
fn cells(batch: &[RecordBatch], column: &str) -> Vec<String> {
    let shown = |name: &str| -> Vec<Option<String>> {
        let mut all = Vec::new();
        for batch in batch {
            let Some(array) = batch.column_by_name(name) else { continue };
            let one = |row: usize| match array.as_binary_opt::<i32>() {
                Some(bytes) => {
                    let bytes = bytes.value(row);
                    let plain = std::str::from_utf8(bytes).ok().filter(|t| !t.contains(char::is_control));
                    plain.map_or_else(|| format!("{bytes:02x?}"), str::to_owned)
                }
                None => arrow::util::display::array_value_to_string(array, row).unwrap(),
            };
            all.extend((0..batch.num_rows()).map(|row| array.is_valid(row).then(|| one(row))));
        }
        all
    };
    let (values, beside) = (shown(column), shown(&format!("{column}__b")));
    let beside = beside.into_iter().chain(std::iter::repeat(None));
    values
        .into_iter()
        .zip(beside)
        .map(|cell| match cell {
            (Some(value), None) => value,
            (None, Some(kept)) => format!("kept {kept}"),
            (None, None) => "NULL".to_owned(),
            both @ (Some(_), Some(_)) => panic!("{both:?}"),
        })
        .collect()
}

async fn read(source: &dyn Source, name: &str) -> Result<Vec<RecordBatch>, SourceError> {
    Ok(batches(source, &table(source, name).await).await?.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_file_is_read_by_the_rules_of_sqlite_itself() {
    let legacy = Legacy::new(ORDINARY);
    let source = legacy.connect(10).await;
    let rows = read(&*source, "ry").await.unwrap();
    for (column, expected) in [
        ("grbh", ["0001", "0002", "0003", "0004"]),
        ("xm", ["张三", "王\u{20087}", "王五", "kept [d5, c5, fe, 64]"]),
        ("d", ["1.5", "2.0", "kept abc", "inf"]),
        ("b", ["true", "false", "kept yes", "NULL"]),
        ("p", ["[00, ff]", "NULL", "kept text", "NULL"]),
        ("u", ["任意", "7", "白城", "0.1"]),
        ("n", ["12.34", "5", "1e3x", "NULL"]),
        ("i", ["5000000000", "-1", "kept 1.5", "NULL"]),
        ("r", ["1985-03-01", "kept 19850301", "kept infinity", "NULL"]),
        ("je", ["12.50", "kept 338.39999", "kept 1", "NULL"]),
    ] {
        let found = cells(&rows, column);
        if column == "xm" {
            // The bytes are those that the column's encoding has for the private-use character.
            let encoding = encoding_of(&rows[0].schema(), "xm__b").unwrap();
            let kept = rows[0].column_by_name("xm__b").unwrap().as_binary::<i32>().value(3).to_vec();
            assert_eq!(encoding.decode(&kept).unwrap(), "张\u{E863}");
            assert_eq!(found[..3], expected[..3]);
            continue;
        }
        assert_eq!(found, expected, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_value_never_ends_the_extract() {
    let legacy = Legacy::new(ORDINARY);
    let work = tempfile::tempdir().unwrap();
    let (dir, settings) = (work.path().to_owned(), legacy.settings(2));
    let done = tokio::task::spawn_blocking(move || Attempt::of(&dir, &settings, &["ry"]).make());
    assert_eq!(done.await.unwrap().unwrap().tables[0].rows, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_in_the_encoding_that_is_set_for_source_table_or_column_and_text_is_utf8() {
    let legacy = Legacy::new(
        "CREATE TABLE a (k INTEGER PRIMARY KEY, x TEXT, y TEXT); CREATE TABLE b (k INTEGER PRIMARY KEY, x varchar(9));
         INSERT INTO a VALUES (1, x'B0D7', x'E799BD'), (2, '白', '白');
         INSERT INTO b VALUES (1, x'A5D5'), (2, '白')",
    );
    let mut settings = legacy.settings(10);
    settings.encoding = TextEncoding::named("gbk");
    settings.tables.entry("a".to_owned()).or_default().columns.entry("y".to_owned()).or_default().encoding =
        TextEncoding::named("utf-8");
    settings.tables.entry("b".to_owned()).or_default().encoding = TextEncoding::named("big5");
    let source = connect(&settings).await.unwrap();
    let a = read(&*source, "a").await.unwrap();
    assert_eq!(
        (cells(&a, "x"), cells(&a, "y")),
        (vec!["白".into(), "白".into()], vec!["白".to_owned(), "白".into()])
    );
    let b = read(&*source, "b").await.unwrap();
    assert_eq!(cells(&b, "x"), ["白", "白"]);
    let named = |batch: &RecordBatch, c: &str| encoding_of(&batch.schema(), c).unwrap().label();
    assert_eq!(
        [named(&a[0], "x__b"), named(&a[0], "y__b"), named(&b[0], "x__b")],
        ["gbk", "utf-8", "big5"].map(str::to_owned)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_several_storage_classes_gives_every_row_exactly_once() {
    let legacy = Legacy::new(
        "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, n INT);
         CREATE TABLE r (k REAL NOT NULL PRIMARY KEY, n INT); CREATE TABLE u (k NOT NULL, l NOT NULL, n INT, PRIMARY KEY (k, l))",
    );
    let n = |i: usize| Value::Integer(i64::try_from(i).unwrap());
    let bytes = |b: &[u8]| Value::Blob(b.to_vec());
    let text = |t: &str| Value::Text(t.to_owned());
    let keys = |values: Vec<Value>| values.into_iter().enumerate();
    let texts = vec![
        text("1"),
        bytes(b"1"),
        text("2"),
        bytes(b"2"),
        text(""),
        bytes(b""),
        text("张"),
        bytes(b"\xD5\xC5"),
    ];
    legacy.insert("t", &keys(texts).map(|(i, k)| vec![k, n(i)]).collect::<Vec<_>>());
    // Bytes of GBK that somebody stored as text.
    legacy.change("INSERT INTO t VALUES (CAST(x'D5C5' AS TEXT), 8), (CAST(x'D5C6' AS TEXT), 9), (CAST(x'FF' AS TEXT), 10)");
    let reals = [0.1, 0.1 + 0.2, 0.3, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1.797_693_134_862_315_7e308];
    let mut reals: Vec<Value> = reals.into_iter().map(Value::Real).collect();
    reals.extend([text("x"), bytes(b"x"), Value::Integer(7)]);
    legacy.insert("r", &keys(reals).map(|(i, k)| vec![k, n(i)]).collect::<Vec<_>>());
    let any = [Value::Integer(1), Value::Real(1.5), text("1"), bytes(b"1")];
    let pairs: Vec<Vec<Value>> = any
        .iter()
        .flat_map(|k| any.iter().map(move |l| vec![k.clone(), l.clone()]))
        .enumerate()
        .map(|(i, mut key)| {
            key.push(Value::Integer(i64::try_from(i).unwrap()));
            key
        })
        .collect();
    legacy.insert("u", &pairs);
    for (name, count) in [("t", 11), ("r", 10), ("u", 16)] {
        for chunk_rows in 1..=count {
            let source = legacy.connect(chunk_rows).await;
            let table = table(&*source, name).await;
            let mut seen = Vec::new();
            for bounds in source.chunks(&table).await.unwrap() {
                // As state.db keeps it.
                let bounds: Bounds = serde_json::from_str(&serde_json::to_string(&bounds).unwrap()).unwrap();
                let rows = source.read_chunk(&table, &bounds).await.unwrap();
                let rows = tokio::task::spawn_blocking(move || rows.collect::<Result<Vec<_>, _>>());
                let rows = rows.await.unwrap().unwrap();
                let found = cells(&rows, "n");
                assert!(found.len() as u64 <= chunk_rows, "{name} by {chunk_rows}");
                seen.extend(found.iter().map(|n| n.parse::<u64>().unwrap()));
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>(), "{name} by {chunk_rows}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_exact_and_say_how_many_values_they_leave_out() {
    let legacy = Legacy::new(
        "CREATE TABLE T (NY int, A numeric(10,2), L numeric(38,10), S numeric(18,6), B bigint, F float, X TEXT);
         INSERT INTO T VALUES (1, 0.1, 100000000.45, 0.000001, 9223372036854775807, 1.5, '１2'),
                              (1, 0.2, 0.0000000001, 12345678.123456, 9223372036854775807, 9e999, x'3132'),
                              (1, 338.39999, NULL, 'n/a', -9223372036854775807, 'n/a', '12'),
                              (1, 'n/a', 1, 1, -9223372036854775807, 2, 12.5),
                              ('x', 1, 1, 1, 1.5, 1, NULL), (x'78', 2, 2, 2, 2, 2, NULL)",
    );
    let source = legacy.connect(10).await;
    let table = table(&*source, "T").await;
    let amounts = ["A", "L", "S", "B", "F", "X"].map(str::to_owned).to_vec();
    let asked = TableMeasures { table: "T".to_owned(), by: vec!["NY".to_owned()], amounts };
    let shown: Vec<String> = source
        .measure(&table, &asked)
        .await
        .unwrap()
        .into_iter()
        .map(|a| format!("{} {} {}", a.by.join(" "), a.measure, a.value))
        .collect();
    let expected = [
        "1 bytes:X 11",
        "1 e10:L 1000000014500000001",
        "1 e4:F 35000",
        "1 e6:S 12345679123457",
        "1 fen:A 30",
        "1 int:B 0",
        "1 left_out:A 2",
        "1 left_out:F 2",
        "1 left_out:S 1",
        "1 rows 4",
        "1 values:X 4",
        "x bytes:X 0",
        "x e10:L 30000000000",
        "x e4:F 30000",
        "x e6:S 3000000",
        "x fen:A 300",
        "x int:B 2",
        "x left_out:B 1",
        "x rows 2",
        "x values:X 0",
    ];
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_read_as_one_range_and_a_broken_one_is_named_without_stopping_the_others() {
    let legacy = Legacy::new(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, '一'), (2, '二'), (3, '三');
         CREATE TABLE gone (a); CREATE VIEW fine AS SELECT k, x, k * 10 AS tens FROM t WHERE k > 1;
         CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone",
    );
    let mut settings = legacy.settings(1);
    settings.tables.entry("fine".to_owned()).or_default().key = vec!["k".to_owned()];
    let source = connect(&settings).await.unwrap();
    let fine = table(&*source, "fine").await;
    assert!(fine.view && fine.key == ["k"]);
    assert_eq!(source.count(&fine).await.unwrap(), 2);
    let read = batches(&*source, &fine).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(cells(&read.concat(), "tens"), ["20", "30"]);
    let methods: Vec<_> = fine.changes.iter().map(|c| c.text()).collect();
    assert_eq!(methods, ["compare", "full"]);
    let broken = table(&*source, "broken").await;
    let error = source.chunks(&broken).await.unwrap_err();
    assert_eq!(error.to_string(), "source ylbx: broken cannot be read as it is defined");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("no such table: main.gone"));
    assert_eq!(error.retry_class(), RetryClass::Usage);
    let said = source.examine(None).await.unwrap();
    let broken: Vec<_> = said.iter().filter(|e| e.found.contains("broken")).collect();
    assert!(broken.len() == 1 && broken[0].found.contains("main.gone"), "{broken:?}");
    settings.tables.entry("fine".to_owned()).or_default().key = vec!["nix".to_owned()];
    let error = connect(&settings).await.unwrap().catalogue().await.unwrap_err();
    assert_eq!(error.to_string(), "source ylbx: there is no column fine.nix");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_how_columns_are_read_and_what_does_not_fit_them() {
    let legacy = Legacy::new(ORDINARY);
    let source = legacy.connect(10).await;
    let said = source.oddities(&table(&*source, "ry").await).await.unwrap();
    let has = |grade: Grade, what: &str| said.iter().any(|e| e.grade == grade && e.found.contains(what));
    assert!(
        has(Grade::Info, "ry.xm (TEXT) is read as text, bytes in gbk; it holds 3 text, 1 blob"),
        "{said:?}"
    );
    assert!(has(Grade::Info, "ry.u (no type) is read as text"), "{said:?}");
    for what in [
        "ry.d (DOUBLE) is read as a float, which 2 values of 4 rows are not",
        "ry.b (BOOLEAN) is read as 0 or 1, which 1 values",
        "ry.i (INTEGER) is read as a whole number, which 1 values",
        "ry.r (DATE) is read as a date, which 2 values",
        "ry.je (numeric(10,2)) is read as a decimal of 10 digits, 2 after the point, which 2 values",
    ] {
        assert!(has(Grade::Warning, what), "{what}: {said:?}");
    }
    assert!(!said.iter().any(|e| e.found.contains("张") || e.found.contains("338")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_with_the_name_of_one_of_ours_is_refused_by_name_unless_it_is_skipped() {
    let legacy = Legacy::new(
        "CREATE TABLE a (k INT, XM TEXT, XM__b TEXT); CREATE TABLE b (k INT, __skey TEXT); CREATE TABLE c (k INT, _source TEXT)",
    );
    let source = legacy.connect(10).await;
    for (name, column, taken_for) in [
        ("a", "XM__b", "the bytes of XM"),
        ("b", "__skey", "columns of its own"),
        ("c", "_source", "columns of its own"),
    ] {
        let whole = table(&*source, name).await;
        let error = whole.schema("ylbx").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("source ylbx: column {name}.{column} has a name that qianyi uses for {taken_for}")
        );
        assert_eq!(error.retry_class(), RetryClass::Usage);
        assert!(batches(&*source, &whole).await.is_err());
        let cut: Table = whole.reading_only(|c| c != column);
        assert!(batches(&*source, &cut).await.is_ok(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_put_in_place_of_the_one_that_is_read_changes_the_point() {
    let make = |path: &Path, value: i64| {
        Connection::open(path)
            .unwrap()
            .execute_batch(&format!("CREATE TABLE T (K int); INSERT INTO T VALUES ({value})"))
            .unwrap();
    };
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("city.db"), dir.path().join("other.db"));
    make(&path, 1);
    make(&other, 2);
    let source = connect(&crate::support::legacy::settings(&path, 10)).await.unwrap();
    let before = source.point().await.unwrap();
    std::fs::rename(&other, &path).unwrap();
    let after = source.point().await.unwrap();
    assert_ne!(before, after);
    assert!(after.text.contains("another file"), "{}", after.text);
    // What is read is still the one file.
    assert_eq!(cells(&read(&*source, "T").await.unwrap(), "K"), ["1"]);
    let again = connect(&crate::support::legacy::settings(&path, 10)).await.unwrap();
    assert_eq!(cells(&read(&*again, "T").await.unwrap(), "K"), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_counts_what_is_kept_aside_as_values() {
    let legacy = Legacy::new(ORDINARY);
    let work = tempfile::tempdir().unwrap();
    let (dir, settings) = (work.path().to_owned(), legacy.settings(10));
    let of = tokio::task::spawn_blocking(move || {
        Attempt::of(&dir, &settings, &["ry"]).make().unwrap();
        let (_, city) = loaded();
        let (spill, as_of) = (dir.join("spill"), crate::support::demo::as_of());
        let engine = EngineSettings { memory: 1 << 28, spill, partitions: 2 };
        let engine = Engine::start(engine, city.functions(as_of)).unwrap();
        let held = raw::current(&State::open_readonly(&dir).unwrap(), "ylbx").unwrap();
        let found = profile(&engine, &city, "ylbx", &held).unwrap();
        let of = |name: &str| {
            let column = found.tables[0].columns.iter().find(|c| c.column == name).unwrap();
            (column.nulls, column.undecodable, column.kept_aside)
        };
        ["xm", "b", "i", "r", "je"].map(of)
    });
    assert_eq!(of.await.unwrap(), [(0, 1, 0), (1, 0, 1), (1, 0, 1), (1, 0, 2), (1, 0, 2)]);
}
