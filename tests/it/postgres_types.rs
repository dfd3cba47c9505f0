//! Types of PostgreSQL: each value comes out exactly, as text that the server fixes, or beside its column as it is written there.

use qianyi::encoding::TextEncoding;
use qianyi::pipeline::extract::ExtractError;
use qianyi::source::{LegacyType, SourceError, SourceSettings, TableMeasures, connect};

use crate::support::extracts::{extracted, rows, runtime, summed};
use crate::support::legacy::{as_text, batches, table};
use crate::support::pg::Cluster;

/// One row of one table, column by column; the first column is a key.
fn read(
    cluster: &Cluster,
    database: &str,
    settings: &SourceSettings,
    columns: &[(&str, &str)],
) -> Vec<Vec<String>> {
    let (mut create, mut values) = (Vec::new(), Vec::new());
    for (n, (declared, value)) in columns.iter().enumerate() {
        create.push(format!("c{n} {declared}"));
        values.push((*value).to_owned());
    }
    let sql = format!(
        "DROP TABLE IF EXISTS v; CREATE TABLE v (id int PRIMARY KEY, {}); INSERT INTO v VALUES (1, {})",
        create.join(", "),
        values.join(", ")
    );
    let threads = runtime();
    threads.block_on(cluster.run(database, &sql));
    threads.block_on(async {
        let source = connect(settings).await.unwrap();
        let found = table(&*source, "v").await;
        let batch = batches(&*source, &found).await.unwrap().concat().remove(0);
        let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        let text = as_text(&[batch]).remove(0);
        let of = |n: usize| {
            let own = |name: &String| *name == format!("c{n}") || *name == format!("c{n}__b");
            names.iter().zip(&text).filter(|(name, _)| own(name)).map(|(_, v)| v.clone()).collect()
        };
        (0..columns.len()).map(of).collect()
    })
}

#[test]
fn every_type_comes_out_exactly_at_its_edges() {
    let cluster = Cluster::start();
    let nines = "9".repeat(38);
    let fine = format!("-0.{}1", "0".repeat(37));
    let types = [
        ("smallint", "-32768", "-32768"),
        ("bigint", "-9223372036854775808", "-9223372036854775808"),
        ("numeric(38,0)", &nines, &nines),
        ("numeric(38,38)", &fine, &fine),
        ("numeric(5,-2)", "123456", "123500"),
        ("numeric(3,5)", "0.00123", "0.00123"),
        ("numeric(18,6)", "-0.000001", "-0.000001"),
        (
            "numeric",
            "1234567890123456789012345678901234567890.5",
            "1234567890123456789012345678901234567890.5",
        ),
        ("money", "92233720368547758.07", "92233720368547758.07"),
        ("boolean", "t", "true"),
        ("double precision", "0.1", "0.1"),
        ("real", "0.5", "0.5"),
        ("date", "9999-12-31", "9999-12-31"),
        ("date", "0001-01-01", "0001-01-01"),
        ("timestamp", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999"),
        ("timestamptz", "2000-01-01 08:00:00+08", "2000-01-01T08:00:00+08:00"),
        // In the summer times of 1986 to 1991, and at the end of a month.
        ("timestamptz", "1988-07-14 15:00:00+00", "1988-07-15T00:00:00+09:00"),
        ("timestamptz", "2020-01-31 18:00:00+00", "2020-02-01T02:00:00+08:00"),
        ("time", "24:00:00", "24:00:00"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("bytea", "\\x00ff", "00ff"),
        ("char(5)", "ab", "ab   "),
        ("bpchar", "ab  ", "ab  "),
        ("text", "\u{4e2d}\u{3431}", "\u{4e2d}\u{3431}"),
        ("text", "\u{e000}", "NULL"),
    ];
    runtime().block_on(cluster.database("types", "UTF8"));
    let written: Vec<(&str, String)> = types.iter().map(|(t, v, _)| (*t, format!("'{v}'"))).collect();
    let columns: Vec<(&str, &str)> = written.iter().map(|(t, v)| (*t, v.as_str())).collect();
    for portable in [false, true] {
        let mut settings = cluster.settings("types", 1000);
        settings.server.as_mut().unwrap().portable = portable;
        for ((declared, value, expected), found) in
            types.iter().zip(read(&cluster, "types", &settings, &columns))
        {
            assert_eq!(found[0], *expected, "{declared} '{value}' {portable}");
            let beside = if *expected == "NULL" { "ee8080" } else { "NULL" };
            assert!(found.get(1).is_none_or(|b| b == beside), "{declared}: {found:?}");
        }
    }
}

#[test]
fn a_domain_is_its_base_type_and_what_casts_to_text_exactly_is_text() {
    let cluster = Cluster::start();
    let threads = runtime();
    for (database, encoding) in [("wide", "UTF8"), ("bytes", "SQL_ASCII")] {
        threads.block_on(cluster.database(database, encoding));
        threads.block_on(cluster.run(
            database,
            "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TYPE zt AS ENUM ('\u{6b63}\u{5e38}', '2'); CREATE TYPE pair AS (a int, b text);
             CREATE DOMAIN bh AS varchar(10) CHECK (length(value) > 0); CREATE DOMAIN je AS numeric(10,2); CREATE DOMAIN je2 AS je; CREATE DOMAIN zt2 AS zt;
             CREATE DOMAIN rq AS date; CREATE DOMAIN dc AS char(4);
             ALTER DATABASE CURRENT_NAME SET datestyle = 'SQL, DMY'"
                .replace("CURRENT_NAME", database)
                .as_str(),
        ));
        // A role's own taste does not show.
        threads.block_on(cluster.run(
            database,
            "ALTER ROLE founder SET intervalstyle = 'iso_8601'; ALTER ROLE founder SET extra_float_digits = 0; ALTER ROLE founder SET bytea_output = 'escape';
             ALTER ROLE founder SET timezone = 'America/New_York'",
        ));
        let cases = [
            ("bh", "'2201'", "2201"),
            ("je", "12.5", "12.50"),
            ("je2", "-0.01", "-0.01"),
            ("rq", "'1985-03-01'", "1985-03-01"),
            ("dc", "'ab'", "ab  "),
            ("zt", "'\u{6b63}\u{5e38}'", "\u{6b63}\u{5e38}"),
            ("zt2", "'2'", "2"),
            ("citext", "'AbC'", "AbC"),
            ("text[]", "ARRAY['a','\u{6b63}']", "{a,\u{6b63}}"),
            ("varchar(20)[]", "ARRAY['a','b']", "{a,b}"),
            ("numeric(10,2)[]", "ARRAY[1.50, NULL]", "{1.50,NULL}"),
            ("float8[]", "ARRAY[0.1::float8 + 0.2::float8]", "{0.30000000000000004}"),
            ("timestamptz[]", "ARRAY['2020-01-31 18:00:00+00'::timestamptz]", "{\"2020-02-01 02:00:00+08\"}"),
            ("bytea[]", "ARRAY['\\x00ff'::bytea]", "{\"\\\\x00ff\"}"),
            ("hstore", "'a=>1'", "\"a\"=>\"1\""),
            ("point", "'(0.1,2)'", "(0.1,2)"),
            ("int4range", "'[1,5)'", "[1,5)"),
            ("daterange", "'[2000-01-01,2000-02-01)'", "[2000-01-01,2000-02-01)"),
            ("tsvector", "'\u{6b63} b'", "'b' '\u{6b63}'"),
            ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
            ("json", "'{\"a\":  1}'", "{\"a\":  1}"),
            ("jsonb", "'{\"a\":  1}'", "{\"a\": 1}"),
            ("interval", "'1 year 2 days'", "1 year 2 days"),
            ("bit(3)", "B'101'", "101"),
            ("bit varying(5)", "B'1'", "1"),
            ("oid", "4294967295", "4294967295"),
            ("name", "'abc'", "abc"),
            ("\"char\"", "'x'", "x"),
            ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
            ("pair", "ROW(1, 'x')", "(1,x)"),
            ("pg_lsn", "'0/16B3748'", "0/16B3748"),
        ];
        let columns: Vec<(&str, &str)> = cases.iter().map(|(t, v, _)| (*t, *v)).collect();
        for portable in [false, true] {
            let mut settings = cluster.settings(database, 1000);
            settings.encoding = TextEncoding::named("utf-8");
            settings.server.as_mut().unwrap().portable = portable;
            for ((declared, _, expected), found) in
                cases.iter().zip(read(&cluster, database, &settings, &columns))
            {
                assert_eq!(found[0], *expected, "{database} {declared} {portable}");
                assert!(found.get(1).is_none_or(|b| b == "NULL"), "{declared}: {found:?}");
            }
        }
    }
}

#[test]
fn what_the_session_spells_otherwise_is_refused_by_name_unless_it_is_skipped() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("odd", "UTF8"));
    threads.block_on(cluster.run(
        "odd",
        "CREATE TABLE t (id int PRIMARY KEY, a money[], b regclass, x text); INSERT INTO t VALUES (1, ARRAY['1'::money], 'pg_class', 'x')",
    ));
    let settings = cluster.settings("odd", 1000);
    for (column, skipped) in [("t.a", &["b"][..]), ("t.b", &["a"]), ("", &["a", "b"])] {
        let found = threads.block_on(async {
            let source = connect(&settings).await.unwrap();
            let whole = table(&*source, "t").await;
            batches(&*source, &whole.reading_only(|c| !skipped.contains(&c))).await
        });
        match found {
            Ok(found) => assert_eq!((as_text(&found.concat())[0].len(), column), (3, "")),
            Err(e) => {
                assert!(
                    matches!(e, SourceError::UnknownType { .. }) && e.to_string().contains(column),
                    "{e}"
                );
            }
        }
    }
}

/// One row that fits, then each that does not: type, what is written, what is kept.
const LOOSE: [(&str, &str, &[&str]); 6] = [
    ("date", "'1985-03-01'", &["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"]),
    ("timestamp", "'1985-03-01 08:00:00.5'", &["infinity", "-infinity", "0044-03-15 08:30:00.25 BC"]),
    ("timestamptz", "'1985-03-01 08:00:00+08'", &["infinity", "-infinity", "0044-03-15 00:30:00+00 BC"]),
    ("numeric(10,2)", "12.34", &["NaN"]),
    ("double precision", "0.5", &["NaN", "Infinity", "-Infinity"]),
    ("real", "0.5", &["NaN", "Infinity", "-Infinity"]),
];

#[test]
fn a_value_that_no_type_holds_is_kept_as_it_is_written_and_ends_nothing() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("loose", "UTF8"));
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    for (declared, fits, odd) in LOOSE {
        let values: Vec<String> = (2..)
            .zip(odd)
            .map(|(n, v)| format!("({n}, '{v}')"))
            .chain([format!("(1, {fits})"), "(0, NULL)".to_owned()])
            .collect();
        threads.block_on(cluster.run(
            "loose",
            &format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, x {declared}); INSERT INTO t VALUES {}", values.join(", ")),
        ));
        for portable in [false, true] {
            let mut settings = cluster.settings("loose", 1000);
            settings.server.as_mut().unwrap().portable = portable;
            let work = tempfile::tempdir().unwrap();
            extracted(work.path(), &settings, &["t"]).unwrap();
            let found = rows(work.path(), "t");
            assert_eq!(found.len(), odd.len() + 2, "{declared}");
            assert_eq!(found[0], "0|∅|∅", "{declared}");
            assert!(found[1].ends_with("|∅") && found[1] != "1|∅|∅", "{declared}: {}", found[1]);
            for (n, (row, written)) in found[2..].iter().zip(odd).enumerate() {
                assert_eq!(*row, format!("{}|∅|{}", n + 2, hex(written)), "{declared}");
            }
        }
    }
}

/// What the server and raw sum alike of a table: period, measure and value.
fn sums(settings: &SourceSettings, by: &[&str], amounts: &[&str]) -> Vec<(String, String, i128)> {
    let text = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let wanted = TableMeasures { table: "t".to_owned(), by: text(by), amounts: text(amounts) };
    summed(settings, &wanted).into_iter().map(|m| (m.period, m.measure, m.value)).collect()
}

#[test]
fn sums_of_any_precision_are_exact_and_say_what_they_left_out() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("sums", "UTF8"));
    threads.block_on(cluster.run(
        "sums",
        "CREATE TABLE t (id int PRIMARY KEY, y numeric(6), d date, p numeric, a numeric(38,10), b numeric(18,6), c numeric(7,-2), e numeric(10,2), f float8, m money);
         INSERT INTO t VALUES
           (1, 200501, '2005-01-01', 12.5, 567890.1234567891, 0.000001, 12300, 0.10, 338.39999, 0.07),
           (2, 200501, '2005-01-01', 0.05, -0.0000000001, -1.999999, -45600, 'NaN', 'Infinity', NULL),
           (3, 'NaN', 'infinity', 'NaN', 'NaN', 'NaN', NULL, -7, 1e300, 1),
           (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL);
         INSERT INTO t (id, p) VALUES (5, 1e32), (6, -1e60)",
    ));
    let settings = cluster.settings("sums", 1000);
    let found = sums(&settings, &[], &["p", "a", "b", "c", "e", "f", "m"]);
    let of = |name: &str| {
        found.iter().find(|(_, m, _)| m == name).unwrap_or_else(|| panic!("{name}: {found:?}")).2
    };
    // Digits as text.
    assert_eq!((of("e6:p"), of("left_out:p")), (12_550_000, 3), "two have more than 38 digits");
    assert_eq!((of("e10:a"), of("left_out:a")), (5_678_901_234_567_890, 1));
    assert_eq!((of("e6:b"), of("left_out:b")), (1 - 1_999_999, 1));
    assert_eq!(of("int:c"), -33_300);
    assert_eq!((of("fen:e"), of("left_out:e")), (-690, 1));
    assert_eq!((of("e4:f"), of("left_out:f")), (3_383_999, 3));
    assert_eq!(of("fen:m"), 107);
    assert!(!found.iter().any(|(_, m, _)| m == "left_out:c" || m == "left_out:m"), "nothing was");
    // Months in a numeric group.
    let found = sums(&settings, &["y"], &["e"]);
    let periods: std::collections::BTreeSet<&str> = found.iter().map(|(p, _, _)| p.as_str()).collect();
    assert_eq!(Vec::from_iter(periods), ["200501", "NaN", "∅"]);
    // What cannot be summed is told before anything is read.
    threads.block_on(cluster.run("sums", "ALTER TABLE t ADD u uuid"));
    for (by, amount) in [("y", "u"), ("y", "d"), ("d", "e"), ("a", "e")] {
        let refused = threads.block_on(async {
            let source = connect(&settings).await.unwrap();
            let found = table(&*source, "t").await;
            let (by, amounts) = (vec![by.to_owned()], vec![amount.to_owned()]);
            let asked = TableMeasures { table: "t".to_owned(), by, amounts };
            source.measurable(&found, &asked).unwrap_err().to_string()
        });
        assert!(
            refused.contains(&format!("t.{amount}")) || refused.contains(&format!("by {by}")),
            "{refused}"
        );
    }
}

#[test]
fn text_is_read_in_the_encoding_that_is_set_for_it() {
    let cluster = Cluster::start();
    let threads = runtime();
    // 张三 in GBK, in UTF-8, and with a private-use character of each.
    let rows_of = "INSERT INTO t VALUES (1, E'\\xd5\\xc5\\xc8\\xfd', E'\\xe5\\xbc\\xa0\\xe4\\xb8\\x89', E'\\xd5\\xc5'), (2, E'\\xaa\\xa1', E'\\xee\\xa1\\xa3', E'\\xb0')";
    let create = "CREATE TABLE t (id int PRIMARY KEY, g varchar(20), u varchar(20), p char(6));";
    for (database, encoding) in [("bytes", "SQL_ASCII"), ("latin", "LATIN1")] {
        threads.block_on(cluster.database(database, encoding));
        threads.block_on(
            cluster.run(database, &format!("SET client_encoding = '{encoding}'; {create} {rows_of}")),
        );
        let mut settings = cluster.settings(database, 1000);
        settings.encoding = TextEncoding::named("gbk");
        let columns = toml::from_str("columns.u.encoding = \"utf-8\"").unwrap();
        settings.tables.insert("t".to_owned(), columns);
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!(
            rows(work.path(), "t"),
            ["1|张三|∅|张三|∅|张    |∅", "2|∅|aaa1|∅|eea1a3|∅|b02020202020"],
            "{database}"
        );
        let labels = threads.block_on(async {
            let source = connect(&settings).await.unwrap();
            let found = table(&*source, "t").await;
            assert_eq!(found.columns[1].kind, Some(LegacyType::CodePageText));
            let schema = found.schema("ylbx").unwrap();
            let label = |n: &str| schema.field_with_name(n).unwrap().metadata()["encoding"].clone();
            (label("g__b"), label("u__b"))
        });
        assert_eq!(labels, ("gbk".to_owned(), "utf-8".to_owned()));
    }
    // A database in UTF-8 holds nothing else, whatever is set.
    threads.block_on(cluster.database("wide", "UTF8"));
    threads.block_on(
        cluster.run("wide", &format!("{create} INSERT INTO t VALUES (1, '张三', '\u{E863}', '王\u{20087}')")),
    );
    let mut settings = cluster.settings("wide", 1000);
    settings.encoding = TextEncoding::named("gbk");
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), ["1|张三|∅|∅|eea1a3|王\u{20087}    |∅"]);
}

#[test]
fn views_are_read_in_full_or_compared_and_have_no_key_but_a_declared_one() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("views", "UTF8"));
    threads.block_on(cluster.run(
        "views",
        "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 500) n;
         CREATE VIEW v AS SELECT id, x FROM t WHERE id > 100; CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE UNIQUE INDEX ON m (id); ANALYZE",
    ));
    let mut settings = cluster.settings("views", 100);
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &settings, &["v", "m"]).unwrap();
    let counted: Vec<(&str, u64)> = done.tables.iter().map(|t| (t.table.as_str(), t.rows)).collect();
    assert_eq!(counted, [("m", 500), ("v", 400)]);
    let compare = toml::from_str("key = [\"id\"]\nchanges = \"compare\"").unwrap();
    settings.tables.insert("v".to_owned(), compare);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["v"]).unwrap();
    threads.block_on(cluster.run("views", "UPDATE t SET x = 'w' WHERE id = 7 OR id = 107"));
    let done = extracted(work.path(), &settings, &["v"]).unwrap();
    let reading = crate::support::extracts::reading(work.path(), done.id, "v");
    assert_eq!(reading.changed.unwrap().updated, 1);
    // Their rows do not say which transaction wrote them.
    settings
        .tables
        .insert("v".to_owned(), toml::from_str("key = [\"id\"]\nchanges = \"rowversion\"").unwrap());
    let work = tempfile::tempdir().unwrap();
    let refused = extracted(work.path(), &settings, &["v"]).unwrap_err();
    assert!(matches!(refused, ExtractError::Source(SourceError::NoMethod { .. })), "{refused}");
}
