//! Values of every type at their edges: what goes in comes out, compares and sorts as on SQL Server.

use super::*;

/// A table with every type of number: its greatest values (1), its least (2), and nulls (3).
fn numbers(db: &mut Client) -> (&'static str, &'static str) {
    db.exec(
        "CREATE TABLE N (k int, i bigint, s smallint, t tinyint, b bit, d decimal(38,0), e numeric(38,38), f float, r real,
         m money, n smallmoney, x decimal(10,2))",
    );
    let (most, least) =
        ("99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001");
    db.exec(&format!(
        "INSERT INTO N VALUES (1, 9223372036854775807, 32767, 255, 1, {most}, {least}, 1.7976931348623157e308, 3.4e38,
         922337203685477.5807, 214748.3647, 12.505), (2, -9223372036854775808, -32768, 0, 0, -{most}, -{least}, 5e-324, -1e0,
         -922337203685477.5808, -214748.3648, -12.505), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    ));
    (most, least)
}

#[test]
fn numbers_are_exact_at_their_edges() {
    let (_engine, mut db) = lab();
    numbers(&mut db);
    let all = 10_i128.pow(38) - 1;
    assert_eq!(
        db.rows("SELECT i, s, t, b, d, e, f, r, m, n, x FROM N ORDER BY k"),
        vec![
            vec![
                Datum::Int(i64::MAX),
                Datum::Int(32767),
                Datum::Int(255),
                Datum::Int(1),
                Datum::Decimal(all),
                Datum::Decimal(1),
                Datum::Float(f64::MAX),
                Datum::Float(f64::from(3.4e38_f32)),
                Datum::Decimal(i128::from(i64::MAX)),
                Datum::Decimal(i128::from(i32::MAX)),
                Datum::Decimal(1251),
            ],
            vec![
                Datum::Int(i64::MIN),
                Datum::Int(-32768),
                Datum::Int(0),
                Datum::Int(0),
                Datum::Decimal(-all),
                Datum::Decimal(-1),
                Datum::Float(5e-324),
                Datum::Float(-1.0),
                Datum::Decimal(i128::from(i64::MIN)),
                Datum::Decimal(i128::from(i32::MIN)),
                Datum::Decimal(-1251),
            ],
            vec![Datum::Null; 11],
        ]
    );
}

#[test]
fn numbers_compare_and_overflow() {
    let (_engine, mut db) = lab();
    let (most, _) = numbers(&mut db);
    assert_eq!(db.ints(&format!("SELECT k FROM N WHERE d = {most}")), vec![1]);
    assert_eq!(db.ints(&format!("SELECT k FROM N WHERE d < {most}")), vec![2]);
    assert_eq!(db.ints("SELECT k FROM N WHERE x = 12.51"), vec![1]);
    assert_eq!(db.ints("SELECT k FROM N WHERE x > 12.509 ORDER BY x"), vec![1]);
    assert_eq!(db.ints("SELECT k FROM N WHERE i = 9223372036854775807"), vec![1]);
    assert_eq!(db.ints("SELECT k FROM N WHERE m < -922337203685477.58"), vec![2]);
    assert_eq!(db.ints("SELECT k FROM N ORDER BY d DESC"), vec![1, 2, 3]);
    assert_eq!(db.one("SELECT SUM(x) FROM N"), Datum::Decimal(0));
    assert_eq!(
        db.error(&format!(
            "SELECT SUM(d) FROM N, (SELECT 1 AS y UNION ALL SELECT 2) AS z WHERE d > 0 AND {most} > 0"
        )),
        8115
    );
    for (number, sql) in [
        (8115, "INSERT INTO N (x) VALUES (123456789)"),
        (8115, "INSERT INTO N (i) VALUES (9223372036854775808)"),
        (220, "INSERT INTO N (s) VALUES (32768)"),
        (8115, "INSERT INTO N (n) VALUES (214748.3648)"),
        (8115, "INSERT INTO N (r) VALUES (1e39)"),
        (1007, "SELECT 999999999999999999999999999999999999999"),
    ] {
        assert_eq!(db.error(sql), number, "{sql}");
    }
}

#[test]
fn arithmetic_has_sql_servers_types() {
    let (_engine, mut db) = lab();
    for (sql, text) in [
        ("2.0 / 3", "0.666666"),
        ("1.25 * 1.25", "1.5625"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("10.5 % 3", "1.5"),
        ("1 + 2 * 3 - 4", "3"),
        (
            "CAST(99999999999999999999999999999999999999 AS decimal(38,0)) * 0.1",
            "9999999999999999999999999999999999999.9",
        ),
        ("CAST(CAST(-1.9 AS float) AS bigint)", "-1"),
        ("CAST(1.9 AS int)", "1"),
        ("CAST(CAST(1.9 AS money) AS int)", "2"),
        ("CAST(0xFF AS int)", "255"),
        ("CAST(CAST(300 AS binary(4)) AS int)", "300"),
        ("ABS(-5)", "5"),
        ("3 & 6", "2"),
    ] {
        assert_eq!(db.text(&format!("SELECT CAST({sql} AS varchar(60))")), text, "{sql}");
    }
    let (columns, _) = db.table("SELECT 2.0 / 3, 1 + 1, 3000000000, COUNT(*), COUNT_BIG(*), 1e0 + 1");
    assert_eq!(columns[0].kind, SqlType::Decimal { precision: 7, scale: 6 });
    assert_eq!(columns[1].kind, SqlType::Int);
    assert_eq!(columns[2].kind, SqlType::Decimal { precision: 10, scale: 0 });
    assert_eq!(columns[3].kind, SqlType::Int);
    assert_eq!(columns[4].kind, SqlType::BigInt);
    assert_eq!(columns[5].kind, SqlType::Float);
}

#[test]
fn strings_keep_their_bytes_and_units() {
    let (_engine, mut db) = lab();
    db.exec(
        "CREATE TABLE S (k int PRIMARY KEY, c char(4), v varchar(20), w varchar(max), l varchar(10) COLLATE SQL_Latin1_General_CP1_CI_AS,
         nc nchar(3), n nvarchar(10), b binary(4), vb varbinary(10), t text, nt ntext, im image, x xml)",
    );
    db.exec("INSERT INTO S VALUES (1, 'ab', '白城', 'x', 'é', N'白', N'𠀀', 0x01, 0x0100, '长', N'长', 0xFF, N'<a/>')");
    // Bytes as they are: half a character, a byte of no code page, a NUL; a lone surrogate.
    db.exec("INSERT INTO S (k, c, v, n) VALUES (2, 0xB0D7, 0xB0, CAST(0x00D84100 AS nvarchar(10)))");
    db.exec("INSERT INTO S (k, v, n) VALUES (3, 0x410042FF, CAST(0x0000 AS nvarchar(10)))");
    db.exec("INSERT INTO S (k, c, v, n) VALUES (4, '', '', N'')");
    let rows = db.rows("SELECT c, v, w, l, nc, n, b, vb, t, nt, im, x FROM S ORDER BY k");
    let bytes = |bytes: &[u8]| Datum::Bytes(bytes.to_vec());
    // A literal without N passes through the database's code page, GBK, which has 'é'.
    assert_eq!(rows[0][..4], [bytes(b"ab  "), bytes(&[0xB0, 0xD7, 0xB3, 0xC7]), bytes(b"x"), bytes(&[0xE9])]);
    assert_eq!(rows[0][4..6], [units("白  "), units("𠀀")]);
    assert_eq!(rows[0][6..8], [bytes(&[1, 0, 0, 0]), bytes(&[1, 0])]);
    assert_eq!(rows[0][8..], [bytes(&[0xB3, 0xA4]), units("长"), bytes(&[0xFF]), units("<a/>")]);
    assert_eq!(rows[1][..2], [bytes(&[0xB0, 0xD7, 0x20, 0x20]), bytes(&[0xB0])]);
    assert_eq!(rows[1][5], Datum::Utf16(vec![0xD800, 0x41]));
    assert_eq!(rows[2][1], bytes(&[0x41, 0, 0x42, 0xFF]));
    assert_eq!(rows[2][5], Datum::Utf16(vec![0]));
    assert_eq!(rows[3][..2], [bytes(b"    "), bytes(b"")]);
    assert_eq!(rows[3][5], units(""));
    let casts = db.rows(
        "SELECT CAST([v] AS varbinary(20)), CAST(CAST([t] AS varchar(max)) AS varbinary(max)), CAST(CAST(nt AS nvarchar(max)) AS varbinary(max)),
         CAST(n AS varbinary(20)), CAST(im AS varbinary(max)), CAST(c AS varbinary(20)), DATALENGTH(v), LEN(c), DATALENGTH(n), DATALENGTH(t)
         FROM S WHERE k = 1",
    );
    assert_eq!(
        casts[0],
        vec![
            bytes(&[0xB0, 0xD7, 0xB3, 0xC7]),
            bytes(&[0xB3, 0xA4]),
            bytes(&[0x7F, 0x95]),
            bytes(&[0x40, 0xD8, 0x00, 0xDC]),
            bytes(&[0xFF]),
            bytes(b"ab  "),
            Datum::Int(4),
            Datum::Int(2),
            Datum::Int(4),
            Datum::Int(2),
        ]
    );
    for sql in ["SELECT CAST(t AS varbinary(max)) FROM S", "SELECT CAST(nt AS varbinary(max)) FROM S"] {
        assert_eq!(db.error(sql), 529);
    }
    for (condition, keys) in [
        ("c = 'AB'", vec![1]),
        ("v = N'白城'", vec![1]),
        ("v = CAST(0xB0D7B3C7 AS varchar(20)) COLLATE Chinese_PRC_CI_AS", vec![1]),
        ("n = N'' COLLATE Chinese_PRC_CI_AS", vec![4]),
        ("v LIKE N'白%'", vec![1]),
        ("vb = 0x01", vec![1]),
        ("c = ''", vec![4]),
    ] {
        assert_eq!(db.ints(&format!("SELECT k FROM S WHERE {condition} ORDER BY k")), keys, "{condition}");
    }
    assert_eq!(db.error("SELECT k FROM S WHERE v = l"), 468);
    assert_eq!(db.error("SELECT k FROM S ORDER BY t"), 306);
    assert_eq!(db.text("SELECT 'a' + N'白' + CAST(1 AS varchar(5))"), "a白1");
    assert_eq!(db.text("SELECT UPPER(SUBSTRING(N'xabc', 2, 2)) + QUOTENAME('a]b')"), "AB[a]]b]");
    assert_eq!(db.text("SELECT v + 'x' FROM S WHERE k = 4"), "x");
}

#[test]
fn strings_sort_by_their_collation() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE C (g varchar(10), n nvarchar(10), b varchar(10) COLLATE Chinese_PRC_BIN2, u uniqueidentifier)");
    // Pinyin: 阿 (a) before 白 (bai) before 城 (cheng).
    db.exec(
        "INSERT INTO C VALUES ('城', N'城', 'b', '00000000-0000-0000-0000-010000000000'), ('阿', N'阿', 'B', 'FFFFFFFF-0000-0000-0000-000000000000'),
         ('白', N'白', 'a', '00000000-0000-0000-0000-000000000001'), ('B', N'Ｂ', 'A', NULL), ('a', N'a', NULL, NULL)",
    );
    let order = |db: &mut Client, sql: &str| {
        let text = |row: Vec<Datum>| match &row[0] {
            Datum::Utf16(units) => String::from_utf16_lossy(units),
            other => format!("{other:?}"),
        };
        db.rows(sql).into_iter().map(text).collect::<Vec<_>>().concat()
    };
    assert_eq!(order(&mut db, "SELECT CAST(g AS nvarchar(9)) FROM C AS t ORDER BY t.g"), "aB阿白城");
    assert_eq!(order(&mut db, "SELECT n FROM C ORDER BY n"), "aＢ阿白城");
    assert_eq!(order(&mut db, "SELECT CAST(b AS nvarchar(9)) FROM C WHERE b IS NOT NULL ORDER BY b"), "ABab");
    assert_eq!(order(&mut db, "SELECT n FROM C WHERE u IS NOT NULL ORDER BY u"), "阿白城");
    assert_eq!(db.int("SELECT COUNT(*) FROM C WHERE g = n"), 5);
    assert_eq!(order(&mut db, "SELECT DISTINCT n FROM C WHERE n IN (N'A', N'b')  ORDER BY n"), "aＢ");
    assert_eq!(order(&mut db, "SELECT MAX(n) FROM C"), "城");
    db.exec("CREATE TABLE K (v nvarchar(9) NOT NULL PRIMARY KEY, u uniqueidentifier)");
    db.exec("INSERT INTO K VALUES (N'a', '6F9619FF-8B86-D011-B42D-00C04FC964FF')");
    assert_eq!(db.error("INSERT INTO K VALUES (N'Ａ  ', NULL)"), 2627);
    assert_eq!(db.int("SELECT COUNT(*) FROM K WHERE u = CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)"), 1);
    assert_eq!(db.text("SELECT CAST(u AS varchar(36)) FROM K"), "6F9619FF-8B86-D011-B42D-00C04FC964FF");
}

/// A table with every type of date and time.
fn dates(db: &mut Client) {
    db.exec(
        "CREATE TABLE D (k int, d date, t time(7), dt datetime, sd smalldatetime, d2 datetime2(7), d3 datetime2(3), o datetimeoffset(7))",
    );
    db.exec(
        "INSERT INTO D VALUES
         (1, '0001-01-01', '00:00:00', '1753-01-01', '1900-01-01', '0001-01-01', '0001-01-01T00:00:00.0004', '0001-01-01T00:00:00Z'),
         (2, '9999-12-31', '23:59:59.9999999', '9999-12-31T23:59:59.997', '2079-06-06T23:59:00', '9999-12-31T23:59:59.9999999', '20200101 12:00:00.0005', '9999-12-31T23:59:59.9999999+00:00'),
         (3, '20240229', '12:34:56.789', '2020-01-01T00:00:00.998', '2020-01-01T00:00:29.998', '2020-01-01T00:00:00.1234567', '2020-01-01', '2020-01-01T08:00:00+08:00'),
         (4, NULL, NULL, '2020-01-01T00:00:00.999', '2020-01-01T00:00:29.999', '2020-01-01T00:00:00.1234568', NULL, '2020-01-01T00:00:00+00:00')",
    );
}

#[test]
fn dates_round_into_their_columns() {
    let (_engine, mut db) = lab();
    dates(&mut db);
    let rows = db.rows("SELECT d, t, dt, sd, d2, d3, o FROM D ORDER BY k");
    let day = 864_000_000_000_u64;
    assert_eq!(
        rows[0],
        vec![
            Datum::Date(0),
            Datum::Time(0),
            Datum::DateTime { days: -53690, ticks: 0 },
            Datum::SmallDateTime { days: 0, minutes: 0 },
            Datum::DateTime2 { days: 0, time: 0 },
            Datum::DateTime2 { days: 0, time: 0 },
            Datum::DateTimeOffset { days: 0, time: 0, offset: 0 },
        ]
    );
    assert_eq!(
        rows[1],
        vec![
            Datum::Date(3_652_058),
            Datum::Time(day - 1),
            Datum::DateTime { days: 2_958_463, ticks: 25_919_999 },
            Datum::SmallDateTime { days: 65535, minutes: 1439 },
            Datum::DateTime2 { days: 3_652_058, time: day - 1 },
            Datum::DateTime2 { days: 737_424, time: day / 2 + 10_000 },
            Datum::DateTimeOffset { days: 3_652_058, time: day - 1, offset: 0 },
        ]
    );
    assert_eq!(rows[2][2], Datum::DateTime { days: 43829, ticks: 299 });
    assert_eq!(rows[3][2], Datum::DateTime { days: 43829, ticks: 300 });
    assert_eq!(rows[2][3], Datum::SmallDateTime { days: 43829, minutes: 0 });
    assert_eq!(rows[3][3], Datum::SmallDateTime { days: 43829, minutes: 1 });
    assert_eq!(rows[2][6], Datum::DateTimeOffset { days: 737_424, time: 0, offset: 480 });
}

#[test]
fn dates_compare_and_show() {
    let (_engine, mut db) = lab();
    dates(&mut db);
    for (condition, keys) in [
        ("d2 > CAST('2020-01-01T00:00:00.1234567' AS datetime2(7)) AND k < 5", vec![2, 4]),
        ("dt = CAST('2020-01-01T00:00:00.997' AS datetime)", vec![3]),
        ("dt = '2020-01-01T00:00:01'", vec![4]),
        ("o = CAST('2020-01-01T03:00:00+03:00' AS datetimeoffset(7))", vec![3, 4]),
        ("d = '2024-02-29'", vec![3]),
        ("t >= '23:59:59.9999999'", vec![2]),
    ] {
        assert_eq!(db.ints(&format!("SELECT k FROM D WHERE {condition} ORDER BY k")), keys, "{condition}");
    }
    for (sql, text) in [
        ("CONVERT(varchar(33), MAX(dt), 126)", "9999-12-31T23:59:59.997"),
        ("CONVERT(varchar(33), MIN(dt), 126)", "1753-01-01T00:00:00"),
        ("CONVERT(varchar(27), MAX(d2), 121)", "9999-12-31 23:59:59.9999999"),
        ("CONVERT(varchar(33), MAX(d3), 126)", "2020-01-01T12:00:00.001"),
        ("CAST(MAX(d) AS varchar(10))", "9999-12-31"),
        ("CAST(MAX(t) AS nvarchar(20))", "23:59:59.9999999"),
        ("CONVERT(varchar(40), MAX(o), 121)", "9999-12-31 23:59:59.9999999 +00:00"),
        ("CAST(MAX(sd) AS varchar(30))", "Jun  6 2079 11:59PM"),
        ("CONVERT(varchar(8), MAX(d), 112)", "99991231"),
        (
            "CONVERT(varchar(33), DATEADD(second, -600, CAST('2020-01-01T00:05:00' AS datetime2(7))), 126)",
            "2019-12-31T23:55:00",
        ),
        (
            "CONVERT(varchar(33), CAST(CAST('2020-01-01T00:00:00.997' AS datetime) AS datetime2(7)), 121)",
            "2020-01-01 00:00:00.9970000",
        ),
    ] {
        let sql = format!("SELECT {sql} FROM D");
        if text.ends_with("9970000") {
            // 1/300 s, not the milliseconds that are shown.
            assert_eq!(db.text(&sql), "2020-01-01 00:00:00.9966667");
        } else {
            assert_eq!(db.text(&sql), text, "{sql}");
        }
    }
    for (number, sql) in [
        (242, "INSERT INTO D (dt) VALUES ('9999-12-31T23:59:59.999')"),
        (241, "INSERT INTO D (dt) VALUES ('2020-01-01T00:00:00.1234')"),
        (242, "INSERT INTO D (sd) VALUES ('2079-06-07')"),
        (241, "INSERT INTO D (d) VALUES ('2023-02-29')"),
        (242, "INSERT INTO D (dt) VALUES ('2023-02-29')"),
        (241, "INSERT INTO D (d2) VALUES ('2023-01-01T25:00:00')"),
    ] {
        assert_eq!(db.error(sql), number, "{sql}");
    }
}

#[test]
fn long_values_and_odd_types() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE L (k int, n nvarchar(max), b varbinary(max), v sql_variant, u varchar(10) COLLATE Latin1_General_100_CI_AS_SC_UTF8, f float)");
    let long = "长x".repeat(20_000);
    db.exec(&format!("INSERT INTO L VALUES (1, N'{long}', 0x{}, 5, N'é€', 0.1)", "00FF".repeat(20_000)));
    db.exec("INSERT INTO L VALUES (2, N'', 0x, N'词', '', -0.0)");
    let rows = db.rows("SELECT n, b, v, u, f FROM L ORDER BY k");
    assert_eq!(rows[0][0], units(&long));
    assert_eq!(rows[0][1], Datum::Bytes([0, 255].repeat(20_000)));
    assert_eq!(rows[0][2..], [Datum::Int(5), Datum::Bytes("é€".as_bytes().to_vec()), Datum::Float(0.1)]);
    assert_eq!(rows[1][..3], [units(""), Datum::Bytes(vec![]), units("词")]);
    assert_eq!(db.int("SELECT DATALENGTH(n) FROM L WHERE k = 1"), 80_000);
    assert_eq!(db.int("SELECT LEN(n) FROM L WHERE k = 1"), 40_000);
    for (sql, shown) in [
        ("CAST(1e15 AS varchar(30))", "1e+015"),
        ("CAST(123456.789e0 AS varchar(30))", "123457"),
        ("CAST(0.1e0 AS varchar(30))", "0.1"),
        ("CONVERT(varchar(30), 0.1e0, 3)", "1.0000000000000001e-001"),
        ("CAST(CAST(-1234.5678 AS money) AS varchar(30))", "-1234.57"),
        ("CONVERT(varchar(30), CAST(1234567.5 AS money), 1)", "1,234,567.50"),
        ("CONVERT(varchar(30), CAST(1.5 AS money), 2)", "1.5000"),
        ("CAST(CAST(1 AS bit) AS varchar(5))", "1"),
        ("CAST(123456 AS varchar(3))", "*"),
        ("CAST(N'abcdef' AS varchar(3))", "abc"),
        ("CAST(0.00 AS varchar(9))", "0.00"),
        ("CAST(-0.05 AS varchar(9))", "-0.05"),
        ("CAST(NULLIF('a', 'A') AS varchar(9)) + 'x'", ""),
    ] {
        if shown.is_empty() {
            assert_eq!(db.one(&format!("SELECT {sql}")), Datum::Null);
        } else {
            assert_eq!(db.text(&format!("SELECT {sql}")), shown, "{sql}");
        }
    }
    assert_eq!(db.error("SELECT CAST(123456 AS nvarchar(3))"), 8115);
    assert_eq!(db.error("SELECT CAST('abc' AS decimal(5,2))"), 8114);
    assert_eq!(db.error("SELECT CAST(1e30 AS bigint)"), 8115);
    assert_eq!(
        db.one("SELECT CAST(CAST('9007199254740993.7' AS decimal(38,1)) AS bigint)"),
        Datum::Int(9_007_199_254_740_993)
    );
    assert_eq!(db.one("SELECT CAST(0x1234 AS binary(4))"), Datum::Bytes(vec![0x12, 0x34, 0, 0]));
    assert_eq!(db.one("SELECT CAST(258 AS varbinary(8))"), Datum::Bytes(vec![0, 0, 1, 2]));
}
