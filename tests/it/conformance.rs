//! One suite for all three databases: what goes in comes out exactly, or is refused by name; ranges hold every row once; what the
//! source sums itself is what raw holds; and the same city gives the same staged content.
//!
//! `QIANYI_TEST_SQLSERVER` (an ADO.NET connection string) runs it against a real SQL Server.

use arrow::array::RecordBatch;
use qianyi::artifacts::Summary;
use qianyi::fixture::{copy_to_postgres, copy_to_sqlserver};
use qianyi::measures::Measure;
use qianyi::source::{SourceError, SourceSettings, TableMeasures, connect};

use crate::support::demo::{city, ran, run_settings};
use crate::support::extracts::{Attempt, extracted, rows, runtime, summed};
use crate::support::legacy::{as_text, batches};
use crate::support::mssql::Mssql;
use crate::support::pg::Cluster;
use crate::support::places::{Holds, Maker, Place, literal};

/// A value as each database writes it (`None`: it cannot hold it), and what comes out.
struct Value {
    written: [Option<String>; 3],
    expected: String,
}

/// A type as each database declares it (empty: it has none), with values at its edges. NULL is tried for every type.
struct Family {
    types: [&'static str; 3],
    holds: Holds,
    values: Vec<Value>,
}

/// The same literal everywhere.
fn same(written: &str, expected: &str) -> Value {
    Value { written: [0; 3].map(|_| Some(written.to_owned())), expected: expected.to_owned() }
}

/// A literal for each; `-` where the database cannot hold it.
fn each(written: [&str; 3], expected: &str) -> Value {
    let written = written.map(|w| (w != "-").then(|| w.to_owned()));
    Value { written, expected: expected.to_owned() }
}

/// Code-page text by its bytes.
fn bytes(of: &[u8], expected: &str) -> Value {
    let mut written = Maker::ALL.map(|maker| Some(literal(maker, of)));
    if of.contains(&0) {
        // PostgreSQL's text holds no NUL.
        written[1] = None;
    }
    Value { written, expected: expected.to_owned() }
}

fn family(types: [&'static str; 3], values: Vec<Value>) -> Family {
    Family { types, holds: Holds::Unicode, values }
}

fn numbers() -> Vec<Family> {
    let nines = "9".repeat(38);
    let fine = format!("0.{}1", "0".repeat(37));
    vec![
        family(
            ["bigint", "bigint", "bigint"],
            ["-9223372036854775808", "9223372036854775807", "0", "-1"].map(|v| same(v, v)).into(),
        ),
        family(["int", "integer", "int"], ["-2147483648", "2147483647", "0"].map(|v| same(v, v)).into()),
        family(["smallint", "smallint", "smallint"], ["-32768", "32767"].map(|v| same(v, v)).into()),
        family(["tinyint", "", "tinyint"], ["0", "255"].map(|v| same(v, v)).into()),
        family(
            ["bit", "boolean", "bit"],
            vec![each(["0", "'f'", "0"], "false"), each(["1", "'t'", "1"], "true")],
        ),
        family(
            ["numeric(10,2)", "numeric(10,2)", "numeric(10,2)"],
            ["99999999.99", "-99999999.99", "-0.01", "0.00"].map(|v| same(v, v)).into(),
        ),
        family(
            ["decimal(6,4)", "decimal(6,4)", "decimal(6,4)"],
            ["0.0225", "99.9999"].map(|v| same(v, v)).into(),
        ),
        family(
            ["", "numeric(38,0)", "numeric(38,0)"],
            vec![same(&nines, &nines), same(&format!("-{nines}"), &format!("-{nines}")), same("0", "0")],
        ),
        family(
            ["", "numeric(38,38)", "numeric(38,38)"],
            vec![same(&fine, &fine), same(&format!("-{fine}"), &format!("-{fine}"))],
        ),
        family(
            ["", "numeric(38,2)", "numeric(38,2)"],
            vec![same(&format!("{}.99", "9".repeat(36)), &format!("{}.99", "9".repeat(36)))],
        ),
        family(
            ["money", "", "money"],
            vec![
                same("1234.5678", "1234.5678"),
                same("-0.0001", "-0.0001"),
                each(["-", "-", "922337203685477.5807"], "922337203685477.5807"),
                each(["-", "-", "-922337203685477.5808"], "-922337203685477.5808"),
            ],
        ),
        family(["smallmoney", "", "smallmoney"], ["214748.3647", "-214748.3648"].map(|v| same(v, v)).into()),
        family(
            ["float", "double precision", "float"],
            vec![
                same("338.39999", "338.39999"),
                same("1.7976931348623157e308", "1.7976931348623157e308"),
                same("2.2250738585072014e-308", "2.2250738585072014e-308"),
                same("-5e0", "-5.0"),
            ],
        ),
        family(["real", "real", "real"], vec![same("0.5", "0.5"), same("-1.25", "-1.25")]),
    ]
}

fn times() -> Vec<Family> {
    let both = |date: &str, time: &str, expected: &str| {
        each(
            [&format!("'{date} {time}'"), &format!("'{date} {time}'"), &format!("'{date}T{time}'")],
            expected,
        )
    };
    vec![
        family(
            ["datetime", "timestamp(3)", "datetime"],
            vec![
                both("1753-01-01", "00:00:00.000", "1753-01-01T00:00:00"),
                both("9999-12-31", "23:59:59.997", "9999-12-31T23:59:59.997"),
                both("2009-03-15", "08:30:00.003", "2009-03-15T08:30:00.003"),
                both("2009-03-15", "08:30:00.007", "2009-03-15T08:30:00.007"),
            ],
        ),
        family(
            ["smalldatetime", "", "smalldatetime"],
            vec![
                both("1900-01-01", "00:00:00", "1900-01-01T00:00:00"),
                both("2079-06-06", "23:59:00", "2079-06-06T23:59:00"),
            ],
        ),
        family(
            ["datetime2(6)", "timestamp", "datetime2(6)"],
            vec![
                both("0001-01-01", "00:00:00.000001", "0001-01-01T00:00:00.000001"),
                both("9999-12-31", "23:59:59.999999", "9999-12-31T23:59:59.999999"),
            ],
        ),
        family(
            ["datetime2(7)", "", "datetime2(7)"],
            ["0001-01-01 00:00:00.0000001", "1999-12-31 23:59:59.9999999", "9999-12-31 23:59:59.9999999"]
                .map(|v| same(&format!("'{v}'"), v))
                .into(),
        ),
        family(
            ["date", "date", "date"],
            ["0001-01-01", "9999-12-31", "2000-02-29"].map(|v| same(&format!("'{v}'"), v)).into(),
        ),
        family(
            ["time(6)", "time", "time(6)"],
            ["23:59:59.999999", "00:00:00.000001"].map(|v| same(&format!("'{v}'"), v)).into(),
        ),
        family(
            ["time(7)", "", "time(7)"],
            ["23:59:59.9999999", "00:00:00.0000001"].map(|v| same(&format!("'{v}'"), v)).into(),
        ),
        family(
            ["datetimeoffset(7)", "", "datetimeoffset(7)"],
            ["2000-01-01 08:00:00.0000001 +08:00", "2000-01-01 00:30:00.9999999 -03:30"]
                .map(|v| same(&format!("'{v}'"), v))
                .into(),
        ),
        family(["", "timestamptz", ""], vec![same("'2000-01-01 08:00:00+08'", "2000-01-01T08:00:00+08:00")]),
    ]
}

fn texts() -> Vec<Family> {
    let gbk = |types, values| Family { types, holds: Holds::Gbk, values };
    let long = "\u{767d}\u{57ce}".repeat(20_000);
    let long_bytes = encoding_rs::GBK.encode(&long).0.into_owned();
    let mut lob = bytes(&long_bytes, &format!("{long} / NULL"));
    lob.written[2] = lob.written[2].as_ref().map(|w| format!("CAST({w} AS varchar(max))"));
    let mut short_lob = bytes(b"x\xB0", "NULL / 78b0");
    short_lob.written[2] = short_lob.written[2].as_ref().map(|w| format!("CAST({w} AS varchar(max))"));
    vec![
        gbk(
            ["varchar(20)", "varchar(20)", "varchar(20)"],
            vec![
                bytes(&[0xB0, 0xD7, 0xB3, 0xC7], "白城 / NULL"),
                bytes(b"AB12  ", "AB12   / NULL"),
                bytes(b"", " / NULL"),
                bytes(b"A\0B", "A\0B / NULL"),
                // Rare, but of the code page.
                bytes(&[0xFE, 0x9F], "䶮 / NULL"),
                // User-defined: decodes without an error, to a private-use code point.
                bytes(&[0xAA, 0xA1], "NULL / aaa1"),
                bytes(&[0xF8, 0xA1, 0x41], "NULL / f8a141"),
                // Cut in the middle of a character, no GBK at all, four bytes of GB18030.
                bytes(&[0xB0, 0xD7, 0xB3], "NULL / b0d7b3"),
                bytes(&[0xFF, 0x41], "NULL / ff41"),
                bytes(&[0x81, 0x30, 0x81, 0x30], "NULL / 81308130"),
                bytes(&[0x80], "€ / NULL"),
                bytes(b"it''s".as_slice(), "it''s / NULL"),
                bytes(b"back\\slash\ttab\nline", "back\\slash\ttab\nline / NULL"),
            ],
        ),
        gbk(
            ["char(6)", "char(6)", "char(6)"],
            vec![each(["x'616220202020'", "'ab'", "'ab'"], "ab     / NULL")],
        ),
        gbk(["text", "text", "text"], vec![lob, short_lob]),
        family(
            ["nvarchar(20)", "varchar(20)", "nvarchar(20)"],
            [("王芳", "王芳 / NULL"), ("", " / NULL"), ("𬱖𠮷", "𬱖𠮷 / NULL"), ("O''B", "O'B / NULL")]
                .map(|(v, expected)| {
                    each([&format!("'{v}'"), &format!("'{v}'"), &format!("N'{v}'")], expected)
                })
                .into_iter()
                .chain([
                    // A lone surrogate: kept as it is.
                    each(["-", "-", "CAST(0x00D8 AS nvarchar(5))"], "NULL / 00d8"),
                    each(["-", "-", "CAST(0x2D4E00DC4100 AS nvarchar(5))"], "NULL / 2d4e00dc4100"),
                    // A private-use character, in the encoding that each database keeps text in.
                    each(["'\u{E863}'", "'\u{E863}'", "-"], "NULL / eea1a3"),
                    each(["-", "-", "N'\u{E863}'"], "NULL / 63e8"),
                ])
                .collect(),
        ),
        family(["nchar(4)", "", "nchar(4)"], vec![each(["'王芳  '", "-", "N'王芳'"], "王芳   / NULL")]),
        family(
            ["ntext", "text", "ntext"],
            vec![each(
                [&format!("'{long}'"), &format!("'{long}'"), &format!("N'{long}'")],
                &format!("{long} / NULL"),
            )],
        ),
        family(["", "", "xml"], vec![each(["-", "-", "N'<a>白城</a>'"], "<a>白城</a> / NULL")]),
        family(
            ["", "", "varchar(max)"],
            vec![
                each(["-", "-", "CAST(0xB0D7 AS varchar(max))"], "白 / NULL"),
                each(["-", "-", "''"], " / NULL"),
            ],
        ),
        // A column of another code page than its database's.
        family(
            ["", "", "varchar(20) COLLATE Latin1_General_CI_AS"],
            vec![each(["-", "-", "N'Zürich'"], "Zürich / NULL"), each(["-", "-", "''"], " / NULL")],
        ),
        family(
            ["uniqueidentifier", "", "uniqueidentifier"],
            vec![same("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")],
        ),
        family(
            ["", "uuid", ""],
            vec![same("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")],
        ),
        family(
            ["varbinary(8)", "bytea", "varbinary(8)"],
            vec![each(["x'00ff'", "'\\x00ff'", "0x00ff"], "00ff"), each(["x''", "''", "0x"], "")],
        ),
        family(
            ["image", "bytea", "image"],
            vec![each(["x'00ff0100'", "'\\x00ff0100'", "0x00ff0100"], "00ff0100")],
        ),
        family(["", "", "binary(4)"], vec![each(["-", "-", "0x01"], "01000000")]),
    ]
}

/// What a family's values come out as, in a database.
fn read(place: &Place, n: usize, family: &Family) -> Result<(Vec<String>, Vec<String>), SourceError> {
    let at = place.maker as usize;
    let name = format!("T{n}");
    let (mut values, mut expected) = (Vec::new(), Vec::new());
    for value in &family.values {
        if let Some(written) = &value.written[at] {
            values.push(format!("{}, {written}", values.len() + 1));
            expected.push(value.expected.clone());
        }
    }
    place.fill(&name, &format!("K int NOT NULL PRIMARY KEY, C {}", family.types[at]), &[]);
    // One statement each: a list of values meets in one type first.
    for row in &values {
        place.run(&[&format!("INSERT INTO {name} VALUES ({row})")]);
    }
    place.run(&[&format!("INSERT INTO {name} VALUES ({}, NULL)", values.len() + 1)]);
    let (threads, settings) = (runtime(), place.settings(1000));
    threads.block_on(async {
        let source = connect(&settings).await?;
        let catalogue = source.catalogue().await?;
        let found = catalogue.iter().find(|t| t.name.eq_ignore_ascii_case(&name)).unwrap().clone();
        // Without the key, and what may lie beside it.
        let of_value = |batch: &RecordBatch| {
            let fields = batch.schema();
            let places: Vec<usize> = (0..fields.fields().len())
                .filter(|i| !fields.field(*i).name().to_uppercase().starts_with('K'))
                .collect();
            batch.project(&places).unwrap()
        };
        let read = batches(&*source, &found).await?.concat();
        let text = as_text(&read.iter().map(of_value).collect::<Vec<_>>());
        let wide = text[0].len() > 1;
        expected.push(if wide { "NULL / NULL" } else { "NULL" }.to_owned());
        // Beside a column that may hold what does not fit its type.
        let beside = |e: String| if wide && !e.contains(" / ") { format!("{e} / NULL") } else { e };
        let expected: Vec<String> = expected.into_iter().map(beside).collect();
        Ok((text.into_iter().map(|r| r.join(" / ")).collect(), expected))
    })
}

fn check(maker: Maker) {
    let places = [Place::new(maker, Holds::Gbk), Place::new(maker, Holds::Unicode)];
    let families: Vec<Family> = numbers().into_iter().chain(times()).chain(texts()).collect();
    let (mut tried, mut wrong) = (0, Vec::new());
    for (n, family) in families.iter().enumerate() {
        if family.types[maker as usize].is_empty() {
            continue;
        }
        let place = &places[usize::from(family.holds == Holds::Unicode)];
        tried += 1;
        match read(place, n, family) {
            Ok((found, expected)) if found == expected => {}
            Ok((found, expected)) => {
                wrong.push(format!("{}: {found:?}, not {expected:?}", family.types[maker as usize]))
            }
            Err(e) => wrong.push(format!("{}: {e:?}", family.types[maker as usize])),
        }
    }
    assert!(wrong.is_empty(), "{maker:?}, {tried} types:\n{}", wrong.join("\n"));
    assert!(tried >= 18, "{tried}");
}

#[test]
fn every_type_comes_out_of_sqlite_exactly_at_its_edges() {
    check(Maker::Sqlite);
}

#[test]
fn every_type_comes_out_of_postgres_exactly_at_its_edges() {
    check(Maker::Postgres);
}

#[test]
fn every_type_comes_out_of_sql_server_exactly_at_its_edges() {
    check(Maker::SqlServer);
}

#[test]
fn a_type_that_is_not_known_is_refused_by_the_name_of_its_column() {
    // SQLite has no types that could be unknown, only affinities.
    let unknown = ["", "regclass", "sql_variant"];
    for (place, declared) in Place::all(Holds::Unicode).iter().zip(unknown).filter(|(_, d)| !d.is_empty()) {
        place.fill(
            "U",
            &format!("K int NOT NULL PRIMARY KEY, POSITION_ {declared}"),
            &["1, NULL".to_owned()],
        );
        let (threads, settings) = (runtime(), place.settings(1000));
        let refused = threads.block_on(async {
            let source = connect(&settings).await.unwrap();
            let all = source.catalogue().await.unwrap();
            let found = all.into_iter().find(|t| t.name.eq_ignore_ascii_case("U")).unwrap();
            batches(&*source, &found).await.unwrap_err()
        });
        assert!(matches!(refused, SourceError::UnknownType { .. }), "{:?}: {refused:?}", place.maker);
        assert!(refused.to_string().to_uppercase().contains("U.POSITION_"), "{refused}");
    }
}

/// Keys that look alike, sort otherwise under a collation than by bytes, and are partly no ASCII.
fn names(place: &Place) -> Vec<String> {
    let mut all = Vec::new();
    for n in 0..2_000_u32 {
        let mut name = match n % 4 {
            0 => format!("Ab{n}").into_bytes(),
            1 => format!("aB-{n}").into_bytes(),
            2 => format!("_{n}x").into_bytes(),
            _ => [encoding_rs::GBK.encode("白城").0.as_ref(), n.to_string().as_bytes()].concat(),
        };
        if n % 40 == 3 {
            // A user-defined character.
            name.splice(0..0, [0xAA, 0xA1]);
        }
        all.push(format!("{}, {n}", place.bytes(&name)));
    }
    all
}

#[test]
fn keys_of_any_kind_are_cut_into_ranges_that_hold_every_row_once() {
    for place in Place::all(Holds::Gbk) {
        let q = |text: &str| place.bytes(text.as_bytes());
        let ids: Vec<String> = (1..=2_000_u32).map(|n| format!("{}, {}", n * n, q("x"))).collect();
        place.fill("i", "k int NOT NULL PRIMARY KEY, x varchar(9)", &ids);
        place.fill("s", "k varchar(20) NOT NULL PRIMARY KEY, x int", &names(&place));
        let pairs: Vec<String> = (0..2_000_u32)
            .map(|n| format!("{}, {}, {n}", q(&format!("{:04}", n % 40)), q(&format!("p{n}"))))
            .collect();
        place.fill("c", "a char(4) NOT NULL, b varchar(7) NOT NULL, x int, PRIMARY KEY (a, b)", &pairs);
        let skewed: Vec<String> = (0..2_000_u32)
            .map(|n| format!("{}, {n}", if n < 1_990 { n } else { 1_000_000_000 + n }))
            .collect();
        place.fill("d", "k bigint NOT NULL PRIMARY KEY, x int", &skewed);
        let twice: Vec<String> = (0..2_000_u32).map(|n| format!("{}, 7", n / 2)).collect();
        place.fill("n", "a int, b int", &twice);
        place.fill("e", "k int NOT NULL PRIMARY KEY", &[]);
        if place.maker == Maker::SqlServer {
            // A key of another code page than its database's.
            let latin: Vec<String> = (0..2_000_u32).map(|n| format!("N'Zü-{n}', {n}")).collect();
            place.fill("l", "k varchar(20) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY, x int", &latin);
        }
        let mut ways = vec![place.settings(100)];
        if let Some(server) = place.sqlserver() {
            // Several readers, over a database that nobody writes to.
            ways.push(server.settings_of(&server.snapshot(), 100));
        }
        for settings in ways {
            every_row_once(&place, &settings);
        }
    }
}

fn every_row_once(place: &Place, settings: &SourceSettings) {
    let work = tempfile::tempdir().unwrap();
    let mut tables = vec!["i", "s", "c", "d", "n", "e"];
    if place.maker == Maker::SqlServer {
        tables.push("l");
    }
    let done = extracted(work.path(), settings, &tables).unwrap();
    assert_eq!(done.tables.len(), tables.len(), "{:?}", place.maker);
    for table in &done.tables {
        let expected = if table.table == "e" { 0 } else { 2_000 };
        assert_eq!(table.rows, expected, "{:?} {}", place.maker, table.table);
        let mut found = rows(work.path(), &table.table);
        if table.table != "n" {
            found.dedup();
        }
        assert_eq!(found.len() as u64, expected, "{:?} {}", place.maker, table.table);
        // SQLite numbers the rows of a table without a key.
        let ranged = ["i", "s", "c", "d", "l"].contains(&table.table.as_str())
            || (table.table == "n" && place.maker == Maker::Sqlite);
        assert_eq!(
            table.parts.len() > 5,
            ranged,
            "{:?} {}: {} parts",
            place.maker,
            table.table,
            table.parts.len()
        );
    }
}

#[test]
fn what_a_source_sums_itself_is_what_raw_holds() {
    for place in Place::all(Holds::Gbk) {
        let t = |bytes: &[u8]| place.bytes(bytes);
        let float = if place.maker == Maker::Postgres { "double precision" } else { "float" };
        let rows = [
            format!("{}, 0.10, 338.39999e0, 5, {}", t(b"YL"), t(b"1,23")),
            format!("{}, 0.20, -0.00019e0, 6, {}", t(b"YL"), t(&[0xB0, 0xD7])),
            format!("{}, 0.30, 1e10, NULL, NULL", t(b"SY")),
            format!("{}, -7, 1e0, 1, {}", t(&[0xAA, 0xA1]), t(&[0xB0])),
            format!("NULL, NULL, NULL, -3, {}", t(b"")),
        ];
        let columns = format!("XZ char(2), A numeric(10,2), F {float}, I int, S varchar(9)");
        place.fill("M", &columns, &rows.map(|r| r));
        for by in [&[][..], &["XZ"], &["I", "S"], &["XZ", "I"]] {
            sums_alike(&place, by);
        }
    }
}

fn sums_alike(place: &Place, by: &[&str]) {
    let name = |text: &&str| place.name(text);
    let (by, amounts) = (by.iter().map(name).collect(), ["A", "F", "I", "S"].iter().map(name).collect());
    summed(&place.settings(100), &TableMeasures { table: place.name("M"), by, amounts });
}

#[test]
fn sums_beyond_64_bits_are_exact_and_one_wild_value_ends_nothing() {
    for place in Place::all(Holds::Gbk) {
        // Beyond 15 digits SQLite's numbers are floats.
        let (a, b) = match place.maker {
            Maker::Sqlite => ("999999999.5", "400000000"),
            Maker::Postgres | Maker::SqlServer => ("999999999.0123456789", "400000000.0000000001"),
        };
        place.fill(
            "W",
            "M numeric(6,0), L numeric(38,10), I bigint",
            &[
                format!("200101, {a}, 9223372036854775807"),
                format!("200101, {b}, 9223372036854775807"),
                "200102, 100000000000000000000, 1".to_owned(),
                "200102, -7, -2".to_owned(),
                "NULL, NULL, NULL".to_owned(),
            ],
        );
        let wanted = |by: &[&str]| TableMeasures {
            table: place.name("W"),
            by: by.iter().map(|t| place.name(t)).collect(),
            amounts: ["L", "I"].map(|t| place.name(t)).into(),
        };
        let of = |all: &[Measure], period: &str, name: &str| {
            let name = place.name(name);
            all.iter()
                .find(|m| m.period == period && m.measure.to_lowercase() == name.to_lowercase())
                .unwrap()
                .value
        };
        let first = if place.maker == Maker::Sqlite {
            13_999_999_995_000_000_000
        } else {
            13_999_999_990_123_456_790
        };
        let whole = summed(&place.settings(100), &wanted(&[]));
        assert_eq!(of(&whole, "", "e10:L"), first + 10_i128.pow(30) - 70_000_000_000, "{:?}", place.maker);
        assert_eq!(of(&whole, "", "int:I"), 2 * i128::from(i64::MAX) - 1);
        let parts = summed(&place.settings(100), &wanted(&["M"]));
        assert_eq!(of(&parts, "200101", "e10:L"), first, "{:?}", place.maker);
        assert_eq!(of(&parts, "200102", "e10:L"), 10_i128.pow(30) - 70_000_000_000);
    }
}

#[test]
fn a_sum_of_more_than_38_digits_is_refused_by_table_and_column() {
    for place in Place::all(Holds::Gbk) {
        // Hardly less than numeric(38,10) holds.
        let most = format!("9{}", "0".repeat(27));
        let rows: Vec<String> = (0..20).map(|_| format!("1, {most}")).collect();
        place.fill("W", "N int, L numeric(38,10)", &rows);
        let amounts = vec![place.name("L")];
        let wanted = [TableMeasures { table: place.name("W"), by: Vec::new(), amounts }];
        let (work, settings, tables) =
            (tempfile::tempdir().unwrap(), place.settings(100), [wanted[0].table.as_str()]);
        let made = Attempt { measures: &wanted, ..Attempt::of(work.path(), &settings, &tables) }.make();
        let said = made.unwrap_err().to_string();
        let column = format!("{}.{}", wanted[0].table, place.name("L"));
        assert!(
            said.contains(&format!("the sum of {column} has more than 38 digits")),
            "{:?}: {said}",
            place.maker
        );
    }
}

/// What must be equal whatever the source.
fn contents(summary: &Summary) -> Vec<(String, u64, u64, String)> {
    let row =
        |t: &qianyi::artifacts::TableRow| (t.table.clone(), t.mapped, t.accepted, t.content_digest.clone());
    summary.tables.iter().map(row).collect()
}

#[test]
fn the_same_city_gives_the_same_staged_content_from_all_three() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 400, 1);
    let expected = ran(&run_settings(&database, &dir.path().join("sqlite"), 2));
    let cluster = Cluster::start();
    runtime().block_on(cluster.database("city", "SQL_ASCII"));
    copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    let server = Mssql::start();
    copy_to_sqlserver(&database, &server.ado(), &mut |_| {}).unwrap();
    let still = server.snapshot();
    let sources = [
        ("postgres", cluster.settings("city", 5_000), "exported snapshot"),
        ("session", server.settings(5_000), "snapshot session"),
        ("snapshot", server.settings_of(&still, 5_000), "read-only database"),
    ];
    for (name, source, consistency) in sources {
        let mut settings = run_settings(&database, &dir.path().join(name), 2);
        settings.sources = vec![source];
        let found = ran(&settings);
        assert_eq!(contents(&found), contents(&expected), "{name}");
        assert_eq!(found.findings, expected.findings, "{name}");
        assert_eq!(found.read_errors, expected.read_errors, "{name}");
        assert_eq!((found.unexplained_rows, found.unexplained_fen), (0, 0), "{name}");
        assert_eq!(found.extracts[0].consistency, consistency, "{name}");
    }
}
