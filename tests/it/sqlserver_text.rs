//! Text of a SQL Server from its bytes to raw: collations, encodings that are set, UTF-16, what doctor says of them.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use qianyi::encoding::{TextEncoding, encoding_of};
use qianyi::measures::{RawSide, raw_side};
use qianyi::source::{
    ColumnSettings, Grade, SourceError, SourceSettings, TableMeasures, connect, sampled_encodings,
};

use crate::support::extracts::{extracted, rows, runtime};
use crate::support::legacy::{batches, table};
use crate::support::mssql::Mssql;

/// 张三, 李四, 王五, 赵六, 白城, 欧阳 in GBK.
const NAMES: [&str; 6] = ["D5C5C8FD", "C0EECBC4", "CDF5CEE5", "D5D4C1F9", "B0D7B3C7", "C5B7D1F4"];

/// Persons whose names are bytes of GBK in a column of a Latin1 collation; keys are such names, too.
fn latin(server: &Mssql) {
    server.master(&format!("CREATE DATABASE [{}_l] COLLATE Latin1_General_CI_AS", server.database));
    server.master(&format!("ALTER DATABASE [{}_l] SET ALLOW_SNAPSHOT_ISOLATION ON", server.database));
    let rows: Vec<String> =
        NAMES.iter().enumerate().map(|(n, name)| format!("({n}, 0x{name}, N'{n}号')")).collect();
    server.in_database(
        &format!("{}_l", server.database),
        &[
            "CREATE TABLE ry (grbh int NOT NULL PRIMARY KEY, xm varchar(20), bz nvarchar(20))",
            &format!("INSERT INTO ry VALUES {}", rows.join(", ")),
            "CREATE TABLE dw (dwmc varchar(20) NOT NULL PRIMARY KEY)",
            &format!("INSERT INTO dw VALUES {}", NAMES.map(|n| format!("(0x{n})")).join(", ")),
        ],
    );
}

fn looked_at(settings: &SourceSettings) -> Vec<(Grade, String, String)> {
    let threads = runtime();
    let said = threads.block_on(async {
        let source = connect(settings).await.unwrap();
        let catalogue = source.catalogue().await.unwrap();
        let said = sampled_encodings(&*source, &catalogue).await;
        // The session that holds the point is still there.
        assert_eq!(source.count(&catalogue[0]).await.unwrap(), 6);
        said
    });
    said.into_iter().map(|e| (e.grade, e.found, e.advice)).collect()
}

#[test]
fn gbk_bytes_in_a_latin1_column_are_seen_by_doctor_and_read_by_a_setting() {
    let server = Mssql::start();
    latin(&server);
    let plain = server.settings_of(&format!("{}_l", server.database), 2);
    let said = looked_at(&plain);
    let wrong: Vec<_> = said.iter().filter(|(grade, ..)| *grade == Grade::Error).collect();
    assert_eq!(wrong.len(), 2, "{said:?}");
    assert!(wrong.iter().all(|(_, found, advice)| {
        found.contains("read as windows-1252: 6 values speak for GBK")
            && advice.contains("encoding = \"gbk\"")
    }));
    let gbk = TextEncoding::named("gbk");
    let by_source = SourceSettings { encoding: gbk, ..plain.clone() };
    let mut by_table = plain.clone();
    by_table.tables.entry("ry".to_owned()).or_default().encoding = gbk;
    let mut by_column = plain.clone();
    by_column.tables.entry("ry".to_owned()).or_default().columns =
        BTreeMap::from([("xm".to_owned(), ColumnSettings { encoding: gbk })]);
    for settings in [by_source.clone(), by_table, by_column] {
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &settings, &["ry"]).unwrap();
        assert_eq!(rows(work.path(), "ry")[0], "0|张三|∅|0号|∅");
    }
    assert!(looked_at(&by_source).iter().all(|(grade, ..)| *grade != Grade::Error));
    // Ranges are cut at keys of such text, and hold every row once.
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &by_source, &["dw"]).unwrap();
    assert_eq!((done.tables[0].rows, done.tables[0].parts.len() > 1), (6, true));
}

#[test]
fn an_encoding_is_set_only_where_there_are_bytes_of_a_code_page() {
    let server = Mssql::start();
    server.run(&["CREATE TABLE ry (grbh int NOT NULL PRIMARY KEY, xm nvarchar(20))"]);
    let threads = runtime();
    for (name, said) in [("xm", "it is nvarchar(20)"), ("XM", "there is `xm`"), ("grbh", "it is int")] {
        let mut settings = server.settings(10);
        settings.tables.entry("ry".to_owned()).or_default().columns =
            BTreeMap::from([(name.to_owned(), ColumnSettings { encoding: TextEncoding::named("gbk") })]);
        let refused =
            threads.block_on(async { connect(&settings).await.unwrap().catalogue().await }).unwrap_err();
        assert!(
            matches!(refused, SourceError::Unknown { .. }) && refused.to_string().contains(said),
            "{refused}"
        );
    }
}

#[test]
fn columns_of_several_encodings_in_one_table_are_each_right_and_named_in_raw() {
    let server = Mssql::start();
    server.run(&[
        "CREATE TABLE ry (grbh int NOT NULL PRIMARY KEY, a varchar(20), b varchar(20) COLLATE Latin1_General_CI_AS, c nvarchar(20),
            d char(4), e text, f varchar(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8)",
        "INSERT INTO ry VALUES (1, 0xD5C5AAA1, N'Zürich', N'张\u{E863}', 0xD5C5C8FD, CAST(0xD5C5C8 AS varchar(max)), N'王䶮')",
        // A lone surrogate; a character beyond the basic plane.
        "INSERT INTO ry (grbh, c) VALUES (2, CAST(0x20D8 AS nvarchar(5))), (3, N'𠮷')",
    ]);
    let threads = runtime();
    let batch = threads.block_on(async {
        let source = connect(&server.settings(10)).await.unwrap();
        let of = table(&*source, "ry").await;
        batches(&*source, &of).await.unwrap().concat().remove(0)
    });
    let label = |name: &str| encoding_of(&batch.schema(), name).unwrap().label();
    let labels = ["a__b", "b__b", "c__b", "d__b", "e__b", "f__b"].map(label);
    assert_eq!(labels, ["gbk", "windows-1252", "utf-16le", "gbk", "gbk", "utf-8"]);
    let text = |name: &str, row: usize| {
        let array = batch.column_by_name(name).unwrap().as_string::<i32>();
        array.is_valid(row).then(|| array.value(row).to_owned())
    };
    let bytes = |name: &str, row: usize| {
        let array = batch.column_by_name(name).unwrap().as_binary::<i32>();
        array.is_valid(row).then(|| array.value(row).to_owned())
    };
    // A private-use character of each, and half a character: their bytes, in the column's own encoding.
    assert_eq!((text("a", 0), bytes("a__b", 0)), (None, Some(b"\xD5\xC5\xAA\xA1".to_vec())));
    assert_eq!(text("b", 0).as_deref(), Some("Zürich"));
    assert_eq!((text("c", 0), bytes("c__b", 0)), (None, Some(vec![0x20, 0x5F, 0x63, 0xE8])));
    assert_eq!(text("d", 0).as_deref(), Some("张三"));
    assert_eq!((text("e", 0), bytes("e__b", 0)), (None, Some(b"\xD5\xC5\xC8".to_vec())));
    assert_eq!(text("f", 0).as_deref(), Some("王䶮"));
    assert_eq!((text("c", 1), bytes("c__b", 1)), (None, Some(vec![0x20, 0xD8])));
    assert_eq!(text("c", 2).as_deref(), Some("𠮷"));
}

#[test]
fn money_written_as_unicode_text_is_counted_on_both_sides_alike() {
    let server = Mssql::start();
    server.run(&[
        "CREATE TABLE m (k int NOT NULL PRIMARY KEY, je nvarchar(20))",
        "INSERT INTO m VALUES (1, N'１２.50'), (2, NULL), (3, N'7元'), (4, N'张\u{E863}')",
    ]);
    let settings = server.settings(10);
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &settings, &["m"]).unwrap();
    let asked = TableMeasures { table: "m".to_owned(), by: Vec::new(), amounts: vec!["je".to_owned()] };
    let threads = runtime();
    let said = threads.block_on(async {
        let source = connect(&settings).await.unwrap();
        let of = table(&*source, "m").await;
        source.measure(&of, &asked).await.unwrap()
    });
    let parts: Vec<_> = done.tables[0].parts.iter().map(|p| p.path.clone()).collect();
    let raw =
        raw_side(&RawSide { table: "ylbx.m", parts: &parts, by: &[], amounts: &asked.amounts }).unwrap();
    let mut found: Vec<(String, i128)> = raw.into_iter().map(|m| (m.measure, m.value)).collect();
    found.sort();
    let said: Vec<(String, i128)> = said.into_iter().map(|m| (m.measure, m.value)).collect();
    assert_eq!(said, found);
    assert_eq!(said, [("bytes:je".to_owned(), 18), ("rows".to_owned(), 4), ("values:je".to_owned(), 3)]);
}
