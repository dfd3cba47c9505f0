//! The embedded source: every type at its edges, strict text, keys and ranges, sums, and what it refuses.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use proptest::prelude::*;
use qianyi::error::{Consequence, RetryClass};
use qianyi::source::{Bounds, Frequency, KeyValue, SourceError, TableMeasures, connect};
use rusqlite::types::Value;

use crate::support::legacy::{Legacy, as_text, batches, settings, table};

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(bytes.to_vec())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What the values of a column declared so become: the cells of `C`, and of `C__b` where it is text or holds something; or the error.
async fn read(declared: &str, values: &[Value]) -> Result<Vec<String>, SourceError> {
    let legacy = Legacy::new(&format!("CREATE TABLE T (K int NOT NULL PRIMARY KEY, C {declared})"));
    let rows: Vec<Vec<Value>> = (1..).zip(values).map(|(k, v)| vec![Value::Integer(k), v.clone()]).collect();
    legacy.insert("T", &rows);
    let source = legacy.connect(1000).await;
    let table = table(&*source, "T").await;
    let read = batches(&*source, &table).await?;
    let mut cells = Vec::new();
    for batch in read.concat() {
        let at = |name: &str| batch.schema().index_of(name).unwrap();
        let is_text = batch.column(at("C")).data_type() == &DataType::Utf8;
        for row in as_text(&[batch.project(&[at("C"), at("C__b")]).unwrap()]) {
            let plain = row[1] == "NULL" && !is_text;
            cells.push(if plain { row[0].clone() } else { row.join(" / ") });
        }
    }
    Ok(cells)
}

async fn check(declared: &str, values: &[Value], expected: &[&str]) {
    assert_eq!(read(declared, values).await.unwrap(), expected, "{declared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn integers_come_out_at_their_smallest_and_largest() {
    use Value::{Integer, Null};
    check(
        "bigint",
        &[Integer(i64::MIN), Integer(i64::MAX), Null],
        &["-9223372036854775808", "9223372036854775807", "NULL"],
    )
    .await;
    check(
        "int",
        &[Integer(-2_147_483_648), Integer(2_147_483_647), Null],
        &["-2147483648", "2147483647", "NULL"],
    )
    .await;
    check("smallint", &[Integer(-32768), Integer(32767), Null], &["-32768", "32767", "NULL"]).await;
    check("tinyint", &[Integer(0), Integer(255), Null], &["0", "255", "NULL"]).await;
    check("bit", &[Integer(0), Integer(1), Null], &["false", "true", "NULL"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_with_digits_after_the_point_come_out_exactly() {
    use Value::{Integer, Null, Real};
    let values = [Real(99_999_999.99), Real(-99_999_999.99), Real(0.1), Integer(5), Real(-0.0), Null];
    check("numeric(10,2)", &values, &["99999999.99", "-99999999.99", "0.10", "5.00", "0.00", "NULL"]).await;
    check("numeric(6,4)", &[Real(0.0225), Real(99.9999)], &["0.0225", "99.9999"]).await;
    check("decimal(5)", &[Integer(99999), Null], &["99999", "NULL"]).await;
    let values = [Real(1234.5678), Real(0.0001), Integer(-3), Null];
    check("money", &values, &["1234.5678", "0.0001", "-3.0000", "NULL"]).await;
    let values = [Real(338.399_99), Real(f64::MIN_POSITIVE), Real(f64::MAX), Null];
    let expected = ["338.39999", "2.2250738585072014e-308", "1.7976931348623157e308", "NULL"];
    check("float", &values, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_come_out_to_the_microsecond_and_over_the_whole_range() {
    let values = [
        text("1753-01-01 00:00:00.000"),
        text("9999-12-31 23:59:59.997"),
        text("2009-03-15 08:30:00"),
        Value::Null,
    ];
    let expected = ["1753-01-01T00:00:00", "9999-12-31T23:59:59.997", "2009-03-15T08:30:00", "NULL"];
    check("datetime", &values, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_out_as_they_are() {
    check("image", &[blob(&[0, 255]), blob(&[]), Value::Null], &["00ff", "", "NULL"]).await;
    check("varbinary(8)", &[blob(b"ab")], &["6162"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_page_text_is_decoded_strictly_or_kept_as_bytes() {
    let values = [
        blob(&[0xB0, 0xD7, 0xB3, 0xC7]), // 白城
        blob(b"AB12  "),                 // padded
        blob(b""),                       // empty
        blob(b"A\0B"),                   // a NUL byte
        blob(&[0xFE, 0x9F]),             // 䶮, rare
        blob(&[0xAA, 0xA1]), // user-defined: decodes without an error, to a private-use code point
        blob(&[0xB0, 0xD7, 0xB3]), // cut in the middle of a character
        blob(&[0xFF, 0x41]), // no GBK at all
        blob(&[0x81, 0x30, 0x81, 0x30]), // four bytes: GB18030, not code page 936
        blob(&[0x80]),       // the euro sign of code page 936
        Value::Null,
    ];
    let expected = [
        "白城 / NULL",
        "AB12   / NULL",
        " / NULL",
        "A\0B / NULL",
        "䶮 / NULL",
        "NULL / aaa1",
        "NULL / b0d7b3",
        "NULL / ff41",
        "NULL / 81308130",
        "€ / NULL",
        "NULL / NULL",
    ];
    check("varchar(20)", &values, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unicode_text_keeps_private_use_code_points_as_bytes() {
    let values = [text("王芳"), text(""), text("\u{E863}"), text("𬱖"), Value::Null];
    let expected = ["王芳 / NULL", " / NULL", "NULL / eea1a3", "𬱖 / NULL", "NULL / NULL"];
    check("nvarchar(20)", &values, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_bytes_survives() {
    let legacy = Legacy::new("CREATE TABLE T (K int NOT NULL PRIMARY KEY, C char(2))");
    let pairs: Vec<Vec<u8>> = (0..=u16::MAX).map(|n| n.to_be_bytes().to_vec()).collect();
    survives(&legacy, &pairs).await;
}

/// Writes the byte strings, reads them back, and demands each exactly: as text that encodes back, or as bytes.
async fn survives(legacy: &Legacy, strings: &[Vec<u8>]) {
    let rows: Vec<Vec<Value>> = (1..).zip(strings).map(|(k, b)| vec![Value::Integer(k), blob(b)]).collect();
    legacy.insert("T", &rows);
    let source = legacy.connect(10_000).await;
    let table = table(&*source, "T").await;
    let mut at = strings.iter();
    for batch in batches(&*source, &table).await.unwrap().concat() {
        let text = batch.column_by_name("C").unwrap().as_string::<i32>();
        let bytes = batch.column_by_name("C__b").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let given = at.next().unwrap();
            assert!(text.is_valid(row) != bytes.is_valid(row), "{given:02x?}");
            if text.is_valid(row) {
                let value = text.value(row);
                assert!(!value.chars().any(|c| ('\u{E000}'..='\u{F8FF}').contains(&c)), "{given:02x?}");
                assert_eq!(&*encoding_rs::GBK.encode(value).0, given.as_slice());
            } else {
                assert_eq!(bytes.value(row), given.as_slice());
            }
        }
    }
    assert!(at.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_byte_string_survives(strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 1..60)) {
        let legacy = Legacy::new("CREATE TABLE T (K int NOT NULL PRIMARY KEY, C varchar(24))");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(survives(&legacy, &strings));
    }

    #[test]
    fn any_amount_of_fen_survives(fen in prop::collection::vec(-999_999_999_999_i64..=999_999_999_999, 1..60)) {
        let values: Vec<Value> = fen
            .iter()
            .map(|f| Value::Real(format!("{}{}.{:02}", if *f < 0 { "-" } else { "" }, f.abs() / 100, f.abs() % 100).parse().unwrap()))
            .collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let read = runtime.block_on(read("numeric(12,2)", &values)).unwrap();
        let back: Vec<i64> = read.iter().map(|t| t.replace('.', "").parse().unwrap()).collect();
        prop_assert_eq!(back, fen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_its_declared_type_is_kept_as_it_is_written() {
    use Value::{Integer, Real};
    for (declared, value, kept) in [
        ("bit", Integer(2), "2"),
        ("INT", Real(1.5), "1.5"),
        ("numeric(10,2)", Real(338.399_99), "338.39999"),
        ("numeric(5,2)", Integer(1000), "1000"),
        ("numeric(5,2)", text("abc"), "abc"),
        ("float", text("abc"), "abc"),
        ("datetime", text("20090315"), "20090315"),
        ("datetime", text("2009-02-30 00:00:00"), "2009-02-30 00:00:00"),
        ("image", text("abc"), "abc"),
    ] {
        let kept = format!("NULL / {}", qianyi::durable::hex(kept.as_bytes()));
        check(declared, &[Value::Null, value], &["NULL", &kept]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_column_is_not_selected_and_its_type_need_not_be_known() {
    let legacy = Legacy::new("CREATE TABLE T (K int NOT NULL PRIMARY KEY, G geography, N int)");
    legacy.change("INSERT INTO T VALUES (1, 'anything', 5)");
    let source = legacy.connect(10).await;
    let cut = table(&*source, "T").await.reading_only(|c| c == "N");
    let read = batches(&*source, &cut).await.unwrap();
    let first = &read[0][0];
    let names: Vec<_> = first.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!((names.join(" "), first.num_rows()), ("K K__b N N__b".to_owned(), 1));
    assert_eq!(cut.unread.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["G"]);
    assert!(cut.any_column("G").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_names_keys_in_key_order_and_flags_views() {
    let legacy = Legacy::new(
        "CREATE TABLE T (A char(2) NOT NULL, B int NOT NULL, C nvarchar(5), PRIMARY KEY (B, A));
         CREATE VIEW V AS SELECT A FROM T; INSERT INTO T VALUES (x'41', 1, 'x')",
    );
    let source = legacy.connect(10).await;
    let all = source.catalogue().await.unwrap();
    let shown: Vec<_> =
        all.iter().map(|t| (t.name.as_str(), t.view, t.key.join(","), t.estimated_rows)).collect();
    assert_eq!(shown, [("T", false, "B,A".to_owned(), 1), ("V", true, String::new(), 0)]);
    assert_eq!(all[0].columns.iter().map(|c| c.nullable).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_hold_every_row_once_in_key_order() {
    let legacy = Legacy::new(
        "CREATE TABLE BYTES (K char(4) NOT NULL PRIMARY KEY, N int);
         CREATE TABLE PAIRS (A char(2) NOT NULL, B int NOT NULL, PRIMARY KEY (A, B));
         CREATE TABLE LOOSE (N int); CREATE TABLE EMPTY (N int);
         CREATE TABLE HIDDEN (_rowid_ int, rowid int);
         CREATE TABLE PACKED (K int NOT NULL PRIMARY KEY, N int) WITHOUT ROWID",
    );
    let n = |v: i64| Value::Integer(v);
    let scrambled = |i: i64| (i * 7919) % 100;
    let rows = |f: &dyn Fn(i64) -> Vec<Value>| (0..100).map(scrambled).map(f).collect::<Vec<_>>();
    legacy.insert("BYTES", &rows(&|i| vec![blob(format!("{:04}", i * 97).as_bytes()), n(i)]));
    legacy.insert("PAIRS", &rows(&|i| vec![blob(if i % 3 == 0 { b"YL" } else { b"SY" }), n(i)]));
    legacy.insert("LOOSE", &rows(&|i| vec![n(i)]));
    legacy.insert("HIDDEN", &rows(&|i| vec![n(1), n(i)]));
    legacy.insert("PACKED", &rows(&|i| vec![n(i), n(i)]));
    for chunk_rows in [1, 7, 25, 99, 100, 101] {
        let source = legacy.connect(chunk_rows).await;
        for name in ["BYTES", "PAIRS", "LOOSE", "EMPTY", "HIDDEN", "PACKED"] {
            let table = table(&*source, name).await;
            let read = batches(&*source, &table).await.unwrap();
            let count = source.count(&table).await.unwrap();
            let chunks = count.div_ceil(chunk_rows).max(1);
            assert_eq!(read.len() as u64, chunks, "{name} by {chunk_rows}");
            let rows = as_text(&read.concat());
            assert_eq!(rows.len() as u64, count, "{name} by {chunk_rows}");
            let mut sorted = rows.clone();
            match name {
                "LOOSE" | "HIDDEN" => {
                    let values: Vec<i64> = rows.iter().map(|r| r[r.len() - 2].parse().unwrap()).collect();
                    assert_eq!(values, (0..100).map(scrambled).collect::<Vec<_>>());
                }
                "PACKED" => sorted.sort_by_key(|r| r[0].parse::<i64>().unwrap()),
                "PAIRS" => sorted.sort_by_key(|r| (r[0].clone(), r[2].parse::<i64>().unwrap())),
                _ => sorted.sort(),
            }
            assert_eq!(rows, sorted, "{name} by {chunk_rows}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_keep_their_storage_class_as_text() {
    let bounds = Bounds {
        after: Some(vec![KeyValue::Bytes("b0d7".to_owned()), KeyValue::Int(-1)]),
        upto: Some(vec![
            KeyValue::Text("x'\"".to_owned()),
            KeyValue::Untext("ff".to_owned()),
            KeyValue::Real(0.1 + 0.2),
            KeyValue::Real(f64::NEG_INFINITY),
        ]),
    };
    let text = serde_json::to_string(&bounds).unwrap();
    assert_eq!(serde_json::from_str::<Bounds>(&text).unwrap(), bounds);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_counts_and_sums_in_its_own_spelling() {
    let legacy = Legacy::new(
        "CREATE TABLE T (XZ char(2), NY int, A numeric(10,2), M money, F float, I int, S varchar(9));
         INSERT INTO T VALUES (x'594C', 200001, 0.10, 0.0001, 338.39999, 5, x'312C3233'),
                              (x'594C', 200001, 0.20, 1.5, -0.00019, 6, x'B0D7'),
                              (x'594C', 200001, 0.30, NULL, NULL, NULL, NULL),
                              (x'AAA1', NULL, -7, -1, 1, 1, x'')",
    );
    let source = legacy.connect(10).await;
    let table = table(&*source, "T").await;
    let texts = |t: &[&str]| t.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let asked = TableMeasures {
        table: "T".to_owned(),
        by: texts(&["XZ", "NY"]),
        amounts: texts(&["A", "M", "F", "I", "S"]),
    };
    let answers = source.measure(&table, &asked).await.unwrap();
    let shown: Vec<String> =
        answers.iter().map(|a| format!("{} {} {}", a.by.join(" "), a.measure, a.value)).collect();
    let expected = [
        "YL 200001 bytes:S 6",
        "YL 200001 e4:F 3383998",
        "YL 200001 e4:M 15001",
        "YL 200001 fen:A 60",
        "YL 200001 int:I 11",
        "YL 200001 rows 3",
        "YL 200001 values:S 2",
        "x'aaa1' ∅ bytes:S 0",
        "x'aaa1' ∅ e4:F 10000",
        "x'aaa1' ∅ e4:M -10000",
        "x'aaa1' ∅ fen:A -700",
        "x'aaa1' ∅ int:I 1",
        "x'aaa1' ∅ rows 1",
        "x'aaa1' ∅ values:S 1",
    ];
    assert_eq!(shown, expected);
    let frequencies = source.frequencies(&table, "XZ", 10).await.unwrap();
    let f = |value: &str, rows| Frequency { value: value.to_owned(), rows };
    assert_eq!(frequencies, [f("YL", 3), f("x'aaa1'", 1)]);
    let error = source.frequencies(&table, "NIX", 10).await.unwrap_err();
    assert_eq!(error.to_string(), "source ylbx: there is no column T.NIX");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_readable_database_is_refused_with_what_to_check() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(
        at("read_error.txt"),
        "not a database, but long enough to have a header of a hundred bytes, ".repeat(3),
    )
    .unwrap();
    std::fs::write(at("empty.db"), "").unwrap();
    let wal = rusqlite::Connection::open(at("wal.db")).unwrap();
    wal.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE T (K int)").unwrap();
    for (name, says) in [
        ("missing.db", "there is no database at"),
        ("", "is no file"),
        ("read_error.txt", "is not a SQLite database"),
        ("empty.db", "is not a SQLite database"),
        ("wal.db", "is in WAL mode, which cannot be read without writing beside it"),
    ] {
        let Err(error) = connect(&settings(&at(name), 10)).await else { panic!("{name} was opened") };
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.retry_class(), RetryClass::Usage);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_an_error_not_a_short_table() {
    let legacy = Legacy::new("CREATE TABLE T (K int NOT NULL PRIMARY KEY, C varchar(200))");
    let rows: Vec<Vec<Value>> = (0..2000).map(|k| vec![Value::Integer(k), blob(&[65; 150])]).collect();
    legacy.insert("T", &rows);
    let mut bytes = std::fs::read(&legacy.path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xEE);
    std::fs::write(&legacy.path, bytes).unwrap();
    let source = legacy.connect(10_000).await;
    let error = batches(&*source, &table(&*source, "T").await).await.unwrap_err();
    assert!(error.to_string().starts_with("source ylbx: "), "{error}");
    assert_eq!(error.retry_class(), RetryClass::Resume);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_never_written_and_its_point_tells_a_change() {
    let legacy = Legacy::new("CREATE TABLE T (K int); INSERT INTO T VALUES (1)");
    let before = std::fs::read(&legacy.path).unwrap();
    let source = legacy.connect(10).await;
    batches(&*source, &table(&*source, "T").await).await.unwrap();
    let point = source.point().await.unwrap();
    let held = rusqlite::Connection::open(&legacy.path).unwrap();
    held.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(held.execute_batch("INSERT INTO T VALUES (2)").is_err(), "the point is not held");
    drop(held);
    drop(source);
    assert_eq!(std::fs::read(&legacy.path).unwrap(), before);
    assert_eq!(std::fs::read_dir(legacy.dir.path()).unwrap().count(), 1);
    assert_eq!(legacy.connect(10).await.point().await.unwrap(), point);
    legacy.change("INSERT INTO T VALUES (2)");
    assert_ne!(legacy.connect(10).await.point().await.unwrap(), point);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_of_the_same_size_and_history_is_another_point() {
    let make =
        |value: &str| Legacy::new(&format!("CREATE TABLE T (C char(4)); INSERT INTO T VALUES (x'{value}')"));
    let (one, other, same) = (make("30303031"), make("30303032"), make("30303031"));
    let mut points = Vec::new();
    for legacy in [&one, &other, &same] {
        points.push(connect(&legacy.settings(10)).await.unwrap().point().await.unwrap());
    }
    assert_ne!(points[0], points[1]);
    assert_eq!(points[0], points[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_the_demo_city_is_known() {
    let schema = include_str!("../../fixtures/baicheng/schema.sql");
    let source = Legacy::new(schema).connect(10).await;
    let all = source.catalogue().await.unwrap();
    assert!(all.len() > 30, "{}", all.len());
    for table in all.iter().filter(|t| !t.view) {
        table.schema("ylbx").unwrap();
        assert_eq!(batches(&*source, table).await.unwrap().concat().len(), 1, "{}", table.name);
    }
}
