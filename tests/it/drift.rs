//! Tables that are others than last time: their columns, their keys, their rows all gone, the table itself; and keys of any kind.

use std::path::Path;
use std::sync::Arc;

use qianyi::error::{Consequence, RetryClass};
use qianyi::pipeline::extract::ExtractError;
use qianyi::pipeline::{RunError, RunSettings, extract_only};
use qianyi::progress::{Progress, Silent};
use qianyi::source::{ChangeMethod, Drift, SourceSettings, TableSettings};
use qianyi::state::{Changed, State};

use crate::support::demo::{city, run_settings};
use crate::support::extracts::{extracted, follow, nothing_stray, reading, rows, thousand, truth};
use crate::support::legacy::Legacy;

fn drifting(settings: &SourceSettings, drift: Drift) -> SourceSettings {
    let mut settings = settings.clone();
    let how = settings.tables.entry("t".to_owned()).or_default();
    *how = TableSettings { drift, ..how.clone() };
    settings
}

fn extract_city(of: &RunSettings) -> Result<(), RunError> {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    extract_only(of, &progress).map(|_| ())
}

#[test]
fn a_table_may_be_empty_lose_its_key_and_get_another() {
    let (cluster, threads, plain) = thousand();
    let deeds = [
        "DELETE FROM t",
        "INSERT INTO t VALUES (1, 'only')",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET x = 'keyless'; INSERT INTO t VALUES (1, 'keyless')",
        "DELETE FROM t WHERE ctid IN (SELECT min(ctid) FROM t)",
        "UPDATE t SET x = 'k' || id, at = clock_timestamp(); ALTER TABLE t ALTER x SET NOT NULL; CREATE UNIQUE INDEX tx ON t (x)",
        "INSERT INTO t VALUES (2, 'k2'); ALTER TABLE t ADD PRIMARY KEY (id)",
        "TRUNCATE t",
    ];
    let methods = [
        follow(&plain, "t", ChangeMethod::Rowversion, None),
        follow(&plain, "t", ChangeMethod::Timestamp, Some("at")),
        follow(&plain, "t", ChangeMethod::Compare, None),
    ];
    let works: Vec<_> = methods.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    for deed in std::iter::once("SELECT 1").chain(deeds) {
        threads.block_on(cluster.run("grow", deed));
        for (method, work) in methods.iter().zip(&works) {
            extracted(work.path(), method, &["t"]).unwrap_or_else(|e| panic!("{deed}: {e}"));
            assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "{deed}");
            nothing_stray(work.path());
        }
    }
}

#[test]
fn columns_that_changed_stop_the_extract_until_somebody_chooses() {
    let (cluster, threads, plain) = thousand();
    for method in [ChangeMethod::Full, ChangeMethod::Rowversion, ChangeMethod::Compare] {
        threads.block_on(cluster.run(
            "grow",
            "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, x varchar(9), gone int);
             INSERT INTO t SELECT n, 'v', n FROM generate_series(1, 300) n",
        ));
        let work = tempfile::tempdir().unwrap();
        let stop = follow(&plain, "t", method, None);
        let (freeze, accept) = (drifting(&stop, Drift::Freeze), drifting(&stop, Drift::Accept));
        extracted(work.path(), &stop, &["t"]).unwrap();
        let frozen_truth = || {
            truth(&plain, "t").iter().map(|r| r.rsplit_once('|').unwrap().0.to_owned()).collect::<Vec<_>>()
        };
        threads.block_on(
            cluster.run("grow", "ALTER TABLE t ADD fresh int DEFAULT 7; UPDATE t SET x = 'w' WHERE id = 1"),
        );
        let refused = extracted(work.path(), &stop, &["t"]).unwrap_err();
        assert!(
            matches!(&refused, ExtractError::Drift { difference, .. } if difference == "+ fresh integer"),
            "{refused}"
        );
        let help = miette::Diagnostic::help(&refused).unwrap().to_string();
        assert!(help.contains("`accept`") && help.contains("`freeze`"), "{help}");
        // Frozen: changes are followed as before, the new column is not there.
        for n in 0..3 {
            let sql = format!(
                "UPDATE t SET x = 'f{n}', fresh = {n} WHERE id = 1; DELETE FROM t WHERE id = 10 + {n}"
            );
            threads.block_on(cluster.run("grow", &sql));
            extracted(work.path(), &freeze, &["t"]).unwrap();
            assert_eq!(rows(work.path(), "t"), frozen_truth(), "{method:?}");
        }
        // Accepted: all of it is read again, with every value of the new column.
        let done = extracted(work.path(), &accept, &["t"]).unwrap();
        assert_eq!(done.rows_read, 297);
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
        for (sql, difference) in [
            ("ALTER TABLE t ALTER x TYPE varchar(20)", "~ x character varying(9) → character varying(20)"),
            ("ALTER TABLE t DROP gone", "- gone integer"),
        ] {
            threads.block_on(cluster.run("grow", sql));
            for choice in [&stop, &freeze] {
                let refused = extracted(work.path(), choice, &["t"]).unwrap_err();
                assert!(refused.to_string().contains(difference), "{refused}");
            }
            extracted(work.path(), &accept, &["t"]).unwrap();
            assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
        }
    }
}

#[test]
fn a_new_column_of_the_key_that_is_frozen_out_leaves_a_table_without_a_key() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let freeze = drifting(&follow(&plain, "t", ChangeMethod::Rowversion, None), Drift::Freeze);
    extracted(work.path(), &freeze, &["t"]).unwrap();
    threads.block_on(cluster.run(
        "grow",
        "ALTER TABLE t ADD n int NOT NULL DEFAULT 0; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id, n);
         INSERT INTO t SELECT id, x, at, other, 1 FROM t WHERE id <= 10",
    ));
    for id in 1..3 {
        let sql = format!(
            "UPDATE t SET x = 'w' WHERE id = {id} AND n = 1; DELETE FROM t WHERE id = {id} AND n = 0"
        );
        threads.block_on(cluster.run("grow", &sql));
        extracted(work.path(), &freeze, &["t"]).unwrap();
        let expected: Vec<String> =
            truth(&plain, "t").iter().map(|r| r.rsplit_once('|').unwrap().0.to_owned()).collect();
        assert_eq!(rows(work.path(), "t"), expected);
    }
}

#[test]
fn a_table_that_vanished_stops_the_extract_until_that_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 40, 3);
    let work = dir.path().join("work");
    let mut of = run_settings(&database, &work, 1);
    extract_city(&of).unwrap();
    rusqlite::Connection::open(&database).unwrap().execute_batch("DROP TABLE GRJFMX_1999").unwrap();
    let refused = extract_city(&of).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("GRJFMX_1999 is no longer the table of the last extract: - the whole table"),
        "{refused}"
    );
    assert_eq!(refused.retry_class(), RetryClass::Usage);
    let accepted = TableSettings { drift: Drift::Accept, ..TableSettings::default() };
    of.sources[0].tables.insert("GRJFMX_1999".to_owned(), accepted.clone());
    extract_city(&of).unwrap();
    of.sources[0].tables.clear();
    extract_city(&of).unwrap();
    of.full_refresh.insert("GRJFMY".to_owned());
    let unknown = extract_city(&of).unwrap_err();
    assert!(unknown.to_string().contains("table GRJFMY to read again"), "{unknown}");
    of.full_refresh.clear();
    // What is set for a table that never was is a slip of the pen.
    of.sources[0].tables.insert("GRJFMX_1899".to_owned(), accepted);
    let unknown = extract_city(&of).unwrap_err();
    assert!(
        unknown.to_string().contains("table GRJFMX_1899, which [sources.tables.GRJFMX_1899] is about"),
        "{unknown}"
    );
}

#[test]
fn two_sources_with_tables_of_the_same_name_do_not_meet() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let make = |dir: &Path, rows: u8| {
        let path = dir.join("city.db");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE t (a int NOT NULL PRIMARY KEY, x int)").unwrap();
        for n in 0..rows {
            db.execute("INSERT INTO t VALUES (?1, ?2)", [n, rows]).unwrap();
        }
        path
    };
    let work = tempfile::tempdir().unwrap();
    let settings = |id: &str, path| {
        follow(
            &SourceSettings { chunk_rows: 10, ..SourceSettings::sqlite(id, path) },
            "t",
            ChangeMethod::Compare,
            None,
        )
    };
    let (a, b) = (settings("ylbx", make(one.path(), 30)), settings("sybx", make(two.path(), 7)));
    for deed in ["SELECT 1", "DELETE FROM t WHERE a = 3", "UPDATE t SET x = 99 WHERE a = 4"] {
        for of in [&a, &b] {
            rusqlite::Connection::open(&of.path).unwrap().execute_batch(deed).unwrap();
            extracted(work.path(), of, &["t"]).unwrap();
        }
    }
    let state = State::open_readonly(work.path()).unwrap();
    let of = |id: &str| qianyi::raw::current(&state, id).unwrap().tables["t"].rows;
    assert_eq!((of("ylbx"), of("sybx")), (29, 6));
    assert_eq!(rows(work.path(), "t"), truth(&a, "t"));
}

#[test]
fn a_chosen_key_is_one_that_is_unique_and_is_read_and_followed_by() {
    let (cluster, threads, plain) = thousand();
    threads.block_on(cluster.run(
        "grow",
        "ALTER TABLE t ADD k varchar(9); UPDATE t SET k = 'k' || 10000 - id; ALTER TABLE t ALTER k SET NOT NULL; CREATE UNIQUE INDEX tk ON t (k)",
    ));
    let make: String = (1..100).map(|n| format!("INSERT INTO t VALUES ({n}, {}, 'v');", 1000 - n)).collect();
    let legacy = Legacy::new(&format!(
        "CREATE TABLE t (id int, k int NOT NULL, x nvarchar(9)); CREATE UNIQUE INDEX tk ON t (k); CREATE UNIQUE INDEX tx ON t (id); {make}"
    ));
    for (plain, change) in [(plain, None), (legacy.settings(10), Some(&legacy))] {
        let with = |key: &str| {
            let mut settings = follow(&plain, "t", ChangeMethod::Compare, None);
            settings.tables.get_mut("t").unwrap().key = vec![key.to_owned()];
            settings
        };
        for wrong in ["x", "id2", if change.is_some() { "id" } else { "at" }] {
            let work = tempfile::tempdir().unwrap();
            let refused = extracted(work.path(), &with(wrong), &["t"]).unwrap_err();
            assert!(
                refused.to_string().contains(&format!("unique index over t ({wrong}) without NULLs")),
                "{refused}"
            );
        }
        let work = tempfile::tempdir().unwrap();
        let done = extracted(work.path(), &with("k"), &["t"]).unwrap();
        assert!(done.tables[0].parts.len() > 5);
        assert_eq!(reading(work.path(), done.id, "t").key, ["k"]);
        let sql = "UPDATE t SET x = 'w' WHERE id = 7; DELETE FROM t WHERE id = 8";
        match change {
            Some(legacy) => legacy.change(sql),
            None => threads.block_on(cluster.run("grow", sql)),
        }
        let done = extracted(work.path(), &with("k"), &["t"]).unwrap();
        let changed = reading(work.path(), done.id, "t").changed;
        assert_eq!(changed, Some(Changed { inserted: 0, updated: 1, deleted: 1 }));
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    }
}

/// Twenty thousand keys of Chinese and other text, large and small letters, quotes and backslashes.
const TEXTS: &str = "(ARRAY['a','B','b','Z','张','王','é','-',chr(39),'\\x','E','李'])[n % 12 + 1] || n";

#[test]
fn keys_of_text_are_cut_and_followed_under_the_collation_of_their_column() {
    let (cluster, threads, _) = thousand();
    threads.block_on(cluster.run(
        "postgres",
        "CREATE DATABASE icu TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'zh'",
    ));
    threads.block_on(cluster.database("bytes", "SQL_ASCII"));
    let bytes = TEXTS
        .replace("'张'", "convert_from('\\xd5c5', 'SQL_ASCII')")
        .replace("'王'", "convert_from('\\xffff', 'SQL_ASCII')");
    let bytes = bytes
        .replace("'李'", "convert_from('\\xc0ee', 'SQL_ASCII')")
        .replace("'é'", "convert_from('\\xaaa1', 'SQL_ASCII')");
    for (database, collation, texts) in [
        ("grow", "COLLATE \"zh-x-icu\"", TEXTS),
        ("grow", "COLLATE \"en-x-icu\"", TEXTS),
        ("grow", "", TEXTS),
        ("icu", "", TEXTS),
        ("icu", "COLLATE \"C\"", TEXTS),
        ("bytes", "", &bytes),
    ] {
        threads.block_on(cluster.run(
            database,
            &format!(
                "DROP TABLE IF EXISTS c; CREATE TABLE c (k varchar(20) {collation}, l char(4) {collation}, x int, PRIMARY KEY (k, l));
                 INSERT INTO c SELECT {texts}, (ARRAY['A','b'])[n % 2 + 1], n FROM generate_series(1, 20000) n; ANALYZE c"
            ),
        ));
        let plain = cluster.settings(database, 500);
        let settings = follow(&plain, "c", ChangeMethod::Rowversion, None);
        // At keys that were sampled, and at keys where a range is cut because nobody knew how long it is.
        for sampled in [true, false] {
            if !sampled {
                threads.block_on(
                    cluster.run(database, "UPDATE pg_class SET reltuples = -1 WHERE relname = 'c'"),
                );
            }
            let work = tempfile::tempdir().unwrap();
            let done = extracted(work.path(), &settings, &["c"])
                .unwrap_or_else(|e| panic!("{database} {collation}: {e:?}"));
            assert_eq!(
                (done.tables[0].rows, done.tables[0].parts.len() > 10),
                (20_000, sampled),
                "{database} {collation}"
            );
            assert!(done.tables[0].parts.len() >= 3, "{} parts", done.tables[0].parts.len());
            let mut found = rows(work.path(), "c");
            found.dedup();
            assert_eq!(found.len(), 20_000, "every row once: {database} {collation}");
            let change = "UPDATE c SET k = 'moved' || k WHERE x % 5000 = 0 AND k NOT LIKE 'moved%'; DELETE FROM c WHERE x IN (SELECT min(x) FROM c)";
            threads.block_on(cluster.run(database, change));
            extracted(work.path(), &settings, &["c"]).unwrap();
            assert_eq!(rows(work.path(), "c"), truth(&plain, "c"));
            threads.block_on(cluster.run(database, "INSERT INTO c SELECT 'again', 'A', min(x) - 1 FROM c"));
        }
    }
}
