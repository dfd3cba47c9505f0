//! SQL Server as a source, beyond what all three must do: points in time, change tracking and rowversions, gentleness, rights, lines
//! that break. What only the tests' own server can do is skipped, and said, on a real one.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use qianyi::error::{Consequence, RetryClass};
use qianyi::fixture::copy_to_sqlserver;
use qianyi::pipeline::extract::ExtractError;
use qianyi::retry::Transient;
use qianyi::source::{Bounds, ChangeMethod, Consistency, Drift, Grade, SourceError, SourceSettings, connect};

use crate::changes::{Deed, run_cases};
use crate::support::demo::city;
use crate::support::extracts::{Attempt, extracted, follow, nothing_stray, rows, runtime, truth};
use crate::support::legacy::{as_text, batches, table};
use crate::support::mssql::{Mssql, Own};
use crate::support::tds::engine::Quirks;
use crate::support::tds::wire::Options;

/// A table whose changes every method can follow, of rows 1 to `n`.
pub fn grown(server: &Mssql, n: u32) {
    server.run(&[
        &format!("ALTER DATABASE [{}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)", server.database),
        "CREATE TABLE t (a int NOT NULL, b varchar(9) NOT NULL, x nvarchar(40), at datetime2(7), v rowversion, PRIMARY KEY (a, b))",
        "ALTER TABLE t ENABLE CHANGE_TRACKING",
    ]);
    refill(server, n);
}

fn refill(server: &Mssql, n: u32) {
    server.run(&["DELETE FROM t"]);
    let rows: Vec<String> = (0..n)
        .filter(|n| n % 3 > 0)
        .map(|n| format!("({}, 'p{}', N'old', '2001-01-01')", n / 10, n % 10))
        .collect();
    server.run(&[&format!("INSERT INTO t (a, b, x, at) VALUES {}", rows.join(", "))]);
}

/// A deed in T-SQL.
fn sql(deed: &Deed) -> String {
    let is = |k: &u8, l: &u8| format!("a = {k} AND b = 'p{l}'");
    let insert = |k: &u8, l: &u8| {
        let (is, at) = (is(k, l), "SYSUTCDATETIME()");
        format!(
            "IF NOT EXISTS (SELECT 1 FROM t WHERE {is}) INSERT INTO t (a, b, x, at) VALUES ({k}, 'p{l}', N'new', {at})"
        )
    };
    match deed {
        Deed::Insert(k, l) => insert(k, l),
        Deed::Update(k, l) => format!("UPDATE t SET x = x + N'!', at = SYSUTCDATETIME() WHERE {}", is(k, l)),
        Deed::Delete(k, l) => format!("DELETE FROM t WHERE {}", is(k, l)),
        Deed::DeleteAll(k) => format!("DELETE FROM t WHERE a = {k}"),
        Deed::Move((k, l), (m, n)) => format!(
            "IF NOT EXISTS (SELECT 1 FROM t WHERE {}) UPDATE t SET a = {m}, b = 'p{n}', at = SYSUTCDATETIME() WHERE {}",
            is(m, n),
            is(k, l)
        ),
        Deed::Replace(k, l) => format!("DELETE FROM t WHERE {}; {}", is(k, l), insert(k, l)),
        Deed::Stamp(k, l, future) => {
            let stamp = if *future { "'9999-12-31'" } else { "NULL" };
            format!("UPDATE t SET at = {stamp}, x = x + N'?' WHERE {}", is(k, l))
        }
    }
}

#[test]
fn any_changes_followed_by_any_method_come_to_what_a_fresh_extract_of_sql_server_reads() {
    let server = Mssql::start();
    grown(&server, 10);
    let plain = server.settings(10);
    let methods = [
        follow(&plain, "t", ChangeMethod::ChangeTracking, None),
        follow(&plain, "t", ChangeMethod::Rowversion, None),
        follow(&plain, "t", ChangeMethod::Timestamp, Some("at")),
        follow(&plain, "t", ChangeMethod::Compare, None),
    ];
    run_cases(6, |rounds| {
        refill(&server, 100);
        let works: Vec<_> = methods.iter().map(|_| tempfile::tempdir().unwrap()).collect();
        for (method, work) in methods.iter().zip(&works) {
            extracted(work.path(), method, &["t"]).unwrap();
        }
        for round in rounds {
            let statements: Vec<String> = round.iter().map(sql).collect();
            server.run(&statements.iter().map(String::as_str).collect::<Vec<_>>());
            let expected = truth(&plain, "t");
            for (method, work) in methods.iter().zip(&works) {
                extracted(work.path(), method, &["t"]).unwrap();
                assert_eq!(rows(work.path(), "t"), expected, "{:?}", method.tables["t"].changes);
                nothing_stray(work.path());
            }
        }
    });
}

#[test]
fn a_row_that_was_written_before_the_watermark_and_committed_after_it_is_not_lost() {
    let server = Mssql::start();
    grown(&server, 30);
    let settings = follow(&server.settings(10), "t", ChangeMethod::Rowversion, None);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    let clerk = server.open();
    clerk.run("BEGIN TRANSACTION");
    clerk.run("UPDATE t SET x = N'slow' WHERE a = 1 AND b = 'p0'");
    let seen = extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(seen.rows_read, 0, "nothing is committed yet");
    clerk.run("COMMIT TRANSACTION");
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
    assert!(rows(work.path(), "t").iter().any(|r| r.contains("slow")));
}

#[test]
fn rows_that_a_method_misses_are_refused_and_both_ways_out_work() {
    let server = Mssql::start();
    grown(&server, 30);
    let plain = server.settings(10);
    let settings = follow(&plain, "t", ChangeMethod::Timestamp, Some("at"));
    let ways: [(&[&str], SourceSettings); 2] =
        [(&["t"], settings.clone()), (&[], follow(&plain, "t", ChangeMethod::Compare, None))];
    for (n, (full_refresh, after)) in ways.into_iter().enumerate() {
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &settings, &["t"]).unwrap();
        server.run(&[&format!(
            "INSERT INTO t (a, b, x, at) VALUES ({}, 'p0', N'restored by hand', '1999-01-01')",
            500 + n
        )]);
        for _ in 0..2 {
            let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
            assert!(matches!(refused, ExtractError::Increment { .. }), "{refused}");
            assert_eq!(refused.retry_class(), RetryClass::Usage);
            assert_eq!(rows(work.path(), "t").len(), 20 + n, "the last sound view stays");
        }
        Attempt { full_refresh, ..Attempt::of(work.path(), &after, &["t"]) }.make().unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
        nothing_stray(work.path());
        server.run(&["UPDATE t SET x = N'then', at = SYSUTCDATETIME() WHERE a = 1"]);
        extracted(work.path(), &after, &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "and changes are followed from there");
        nothing_stray(work.path());
    }
}

#[test]
fn a_history_that_was_cleaned_up_is_refused_with_the_way_out() {
    let server = Mssql::start();
    grown(&server, 30);
    let settings = follow(&server.settings(10), "t", ChangeMethod::ChangeTracking, None);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    server.run(&["DELETE FROM t WHERE a = 1"]);
    server.run(&["ALTER TABLE t DISABLE CHANGE_TRACKING", "ALTER TABLE t ENABLE CHANGE_TRACKING"]);
    let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
    let ExtractError::Source(SourceError::Expired { .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(refused.retry_class(), RetryClass::Usage);
    let shown = format!("{:?}", miette::Report::new(refused));
    assert!(shown.contains("--full t"), "{shown}");
    let full_refresh = crate::support::extracts::Attempt {
        full_refresh: &["t"],
        ..crate::support::extracts::Attempt::of(work.path(), &settings, &["t"])
    };
    full_refresh.make().unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
}

#[test]
fn a_watermark_of_another_database_is_not_counted_in_this_one() {
    let (first, second) = (Mssql::start(), Mssql::start());
    for server in [&first, &second] {
        grown(server, 30);
    }
    second.run(&["UPDATE t SET x = N'of another city'"]);
    for method in [ChangeMethod::ChangeTracking, ChangeMethod::Rowversion] {
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &follow(&first.settings(10), "t", method, None), &["t"]).unwrap();
        // It is another table, though of the same name: read again.
        extracted(work.path(), &follow(&second.settings(10), "t", method, None), &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&second.settings(10), "t"), "{method:?}");
    }
}

#[test]
fn consistency_is_what_was_chosen_and_recorded_or_it_is_refused() {
    let server = Mssql::start();
    grown(&server, 30);
    let snapshot = server.snapshot();
    let at = |database: &str, consistency| SourceSettings { consistency, ..server.settings_of(database, 10) };
    let threads = runtime();
    let point = |settings: &SourceSettings| {
        threads.block_on(async {
            let source = connect(settings).await?;
            Ok::<_, SourceError>((source.point().await?.consistency, source.readers()))
        })
    };
    let recorded = |settings: &SourceSettings| point(settings).unwrap();
    let own = &server.database;
    assert_eq!(recorded(&at(own, Consistency::Default)), ("snapshot session".to_owned(), 1));
    assert_eq!(recorded(&at(&snapshot, Consistency::DatabaseSnapshot)), ("database snapshot".to_owned(), 3));
    assert_eq!(recorded(&at(own, Consistency::Fuzzy)), ("fuzzy".to_owned(), 3));
    for (database, consistency) in [
        (own, Consistency::DatabaseSnapshot),
        (own, Consistency::RestoredCopy),
        (own, Consistency::ExportedSnapshot),
    ] {
        let refused = point(&at(database, consistency)).unwrap_err();
        assert!(matches!(refused, SourceError::Consistency { .. }), "{consistency:?}: {refused:?}");
    }
    server.read_only(true);
    assert_eq!(recorded(&at(own, Consistency::RestoredCopy)), ("restored copy".to_owned(), 3));
    // Opened for writing in between, it is no longer the point that it was.
    let copy = at(own, Consistency::RestoredCopy);
    let source = threads.block_on(connect(&copy)).unwrap();
    let before = threads.block_on(source.point()).unwrap();
    assert_eq!(threads.block_on(source.point()).unwrap(), before);
    server.read_only(false);
    assert!(threads.block_on(source.point()).is_err());
    server.run(&["DELETE FROM t WHERE a = 1"]);
    server.read_only(true);
    let after = threads.block_on(async { connect(&copy).await.unwrap().point().await }).unwrap();
    assert_ne!(before, after);
    server.read_only(false);
    server.master(&format!("ALTER DATABASE [{own}] SET ALLOW_SNAPSHOT_ISOLATION OFF"));
    let refused = point(&at(own, Consistency::Default)).unwrap_err();
    let shown = format!("{:?}", miette::Report::new(refused));
    assert!(shown.contains("02-snapshot-isolation.sql"), "{shown}");
}

#[test]
fn one_session_sees_one_point_while_people_go_on_working() {
    let server = Mssql::start();
    grown(&server, 300);
    let threads = runtime();
    let source = threads.block_on(connect(&server.settings(1000))).unwrap();
    let of = threads.block_on(table(&*source, "t"));
    let before = threads.block_on(batches(&*source, &of)).unwrap();
    server.run(&["UPDATE t SET x = N'later'", "DELETE FROM t WHERE a < 5"]);
    let after = threads.block_on(batches(&*source, &of)).unwrap();
    assert_eq!(as_text(&before.concat()), as_text(&after.concat()));
    assert_eq!(threads.block_on(source.count(&of)).unwrap(), 200);
    // Another source stands at another point.
    let later = threads.block_on(connect(&server.settings(1000))).unwrap();
    assert!(threads.block_on(later.count(&of)).unwrap() < 200);
    assert_ne!(threads.block_on(later.point()).unwrap(), threads.block_on(source.point()).unwrap());
}

#[test]
fn an_answer_that_was_left_in_the_middle_is_never_mistaken_for_another() {
    let server = Mssql::start();
    let long = "x".repeat(500);
    server.run(&["CREATE TABLE w (k int NOT NULL PRIMARY KEY, x varchar(600))"]);
    for from in (0..20_000).step_by(500) {
        let rows: Vec<String> = (from..from + 500).map(|n| format!("({n}, '{long}')")).collect();
        server.run(&[&format!("INSERT INTO w VALUES {}", rows.join(", "))]);
    }
    let snapshot = server.snapshot();
    let threads = runtime();
    let source = threads.block_on(connect(&server.settings_of(&snapshot, 1_000_000))).unwrap();
    let of = threads.block_on(table(&*source, "w"));
    for _ in 0..8 {
        let mut stream = threads.block_on(source.read_chunk(&of, &Bounds::default())).unwrap();
        assert!(stream.next().unwrap().unwrap().num_rows() > 0);
        drop(stream);
        assert_eq!(threads.block_on(source.count(&of)).unwrap(), 20_000);
    }
    // In one session the point is gone with the answer, and nobody pretends otherwise.
    let source = threads.block_on(connect(&server.settings(1_000_000))).unwrap();
    let mut stream = threads.block_on(source.read_chunk(&of, &Bounds::default())).unwrap();
    stream.next().unwrap().unwrap();
    drop(stream);
    let lost = loop {
        match threads.block_on(source.count(&of)) {
            Ok(n) => panic!("counted {n} at another point"),
            Err(e) if e.is_transient() => {}
            Err(e) => break e,
        }
    };
    assert!(matches!(lost, SourceError::Moved { .. }), "{lost:?}");
}

#[test]
fn doctor_proves_what_the_login_can_do() {
    let server = Mssql::start();
    server
        .run(&["CREATE TABLE p (k int NOT NULL PRIMARY KEY)", "CREATE TABLE q (k int NOT NULL PRIMARY KEY)"]);
    let threads = runtime();
    let grades = |settings: &SourceSettings, what: &str| -> Vec<(Grade, String)> {
        let examined =
            threads.block_on(async { connect(settings).await.unwrap().examine(None).await }).unwrap();
        let of = examined.into_iter().filter(|e| e.what == what);
        of.map(|e| (e.grade, e.found)).collect()
    };
    let powerful = server.settings(10);
    assert!(grades(&powerful, "rights").iter().any(|(g, f)| *g == Grade::Warning && f.contains("sysadmin")));
    assert!(
        grades(&powerful, "read-only").iter().any(|(g, f)| *g == Grade::Warning && f.contains("2 tables"))
    );
    assert!(grades(&powerful, "encoding").iter().all(|(g, _)| *g == Grade::Ok));
    let reader = format!("reader_{}", server.database);
    server.run(&[
        &format!("CREATE LOGIN [{reader}] WITH PASSWORD = N'Only-reads-1'"),
        &format!("CREATE USER [{reader}] FOR LOGIN [{reader}]"),
        &format!("GRANT SELECT ON OBJECT::dbo.p TO [{reader}]"),
        &format!("GRANT VIEW DEFINITION TO [{reader}]"),
    ]);
    let weak = server.settings_as(&server.database, &reader, "Only-reads-1", 10);
    assert!(grades(&weak, "read-only").iter().all(|(g, _)| *g == Grade::Ok));
    assert_eq!(grades(&weak, "rights"), [(Grade::Error, "cannot read q".to_owned())]);
    // A table that nothing reads decides nothing.
    let only = |name: &str| Some(std::collections::BTreeSet::from([name.to_owned()]));
    for (read, grade) in [(only("p"), Grade::Info), (only("q"), Grade::Error)] {
        let said =
            threads.block_on(async { connect(&weak).await.unwrap().examine(read.as_ref()).await }).unwrap();
        assert!(said.iter().any(|e| e.grade == grade && e.found == "cannot read q"), "{read:?}");
    }
    // Without VIEW DEFINITION nobody knows whether there is more than what it sees.
    server.run(&[&format!("REVOKE VIEW DEFINITION FROM [{reader}]")]);
    let rights = grades(&weak, "rights");
    assert_eq!(rights.len(), 2, "{rights:?}");
    assert!(rights[0].0 == Grade::Warning && rights[0].1.contains("there may be more tables"), "{rights:?}");
    assert!(rights[1].0 == Grade::Info && rights[1].1.contains("that it sees"), "{rights:?}");
    server.run(&[&format!("GRANT VIEW DEFINITION TO [{reader}]")]);
    assert!(grades(&weak, "blocking").iter().all(|(g, _)| *g == Grade::Warning));
    // What it may not read stops the extract, and is named.
    let work = tempfile::tempdir().unwrap();
    let refused = extracted(work.path(), &weak, &["q"]).unwrap_err();
    assert!(matches!(refused, ExtractError::Source(SourceError::Statement { .. })), "{refused:?}");
    server.master(&format!("DROP LOGIN [{reader}]"));
}

#[test]
fn the_catalogue_says_what_a_table_is_and_how_its_changes_could_be_followed() {
    let server = Mssql::start();
    grown(&server, 300);
    let long = "x".repeat(20_000);
    server.run(&[
        "CREATE TABLE lobs (k int NOT NULL PRIMARY KEY, picture image, read_error varchar(max))",
        &format!("INSERT INTO lobs (k, read_error) VALUES (1, CAST('{long}' AS varchar(max))), (2, CAST('{long}' AS varchar(max)))"),
        "CREATE TABLE heap (a int, b varchar(9) COLLATE Latin1_General_BIN)",
        "CREATE TABLE two (a int NOT NULL PRIMARY KEY, b int NOT NULL, c int NULL)",
        "CREATE UNIQUE INDEX two_b ON two (b)",
        "CREATE VIEW seen AS SELECT a FROM two",
    ]);
    let threads = runtime();
    let mut settings = server.settings(10);
    settings.tables.entry("two".to_owned()).or_default().key = vec!["b".to_owned()];
    let catalogue = threads.block_on(async { connect(&settings).await.unwrap().catalogue().await }).unwrap();
    let of = |name: &str| catalogue.iter().find(|t| t.name == name).unwrap();
    let (t, lobs, heap) = (of("t"), of("lobs"), of("heap"));
    assert_eq!(
        (t.estimated_rows, t.key.as_slice(), t.lob_bytes),
        (200, ["a".to_owned(), "b".to_owned()].as_slice(), 0)
    );
    let expected =
        [ChangeMethod::ChangeTracking, ChangeMethod::Rowversion, ChangeMethod::Compare, ChangeMethod::Full];
    assert_eq!(t.changes, expected);
    assert_eq!(t.change_column.as_deref(), Some("v"));
    assert!(lobs.lob_bytes > 0);
    assert_eq!(heap.changes, [ChangeMethod::Full]);
    assert_eq!(heap.column("b").unwrap().declared, "varchar(9) COLLATE Latin1_General_BIN");
    assert_eq!(of("two").key, ["b"]);
    assert!(of("seen").view && !t.view);
    // A key that no unique index has is refused.
    settings.tables.entry("two".to_owned()).or_default().key = vec!["c".to_owned()];
    let refused =
        threads.block_on(async { connect(&settings).await.unwrap().catalogue().await }).unwrap_err();
    assert!(refused.to_string().contains("two (c)"), "{refused}");
}

#[test]
fn columns_that_changed_stop_the_extract_until_somebody_chooses() {
    let server = Mssql::start();
    grown(&server, 30);
    let with = |drift| {
        let mut settings = follow(&server.settings(10), "t", ChangeMethod::ChangeTracking, None);
        settings.tables.get_mut("t").unwrap().drift = drift;
        settings
    };
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &with(Drift::Stop), &["t"]).unwrap();
    server.run(&["ALTER TABLE t ADD read_error varchar(9)", "UPDATE t SET read_error = 'n' WHERE a = 1"]);
    let refused = extracted(work.path(), &with(Drift::Stop), &["t"]).unwrap_err();
    assert!(refused.to_string().contains("+ read_error varchar(9)"), "{refused}");
    extracted(work.path(), &with(Drift::Freeze), &["t"]).unwrap();
    assert!(rows(work.path(), "t").iter().all(|r| !r.ends_with("n|∅")));
    let refused = extracted(work.path(), &with(Drift::Stop), &["t"]).unwrap_err();
    assert!(matches!(refused, ExtractError::Drift { .. }), "{refused:?}");
    extracted(work.path(), &with(Drift::Accept), &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
}

#[test]
fn every_session_is_gentle_and_says_who_it_is() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 30);
    let Some(Own { engine, wire }) = server.own() else { return };
    let heard: Arc<Mutex<BTreeMap<u64, Vec<String>>>> = Arc::default();
    let ear = heard.clone();
    wire.faults().policy(Box::new(move |occasion| {
        if let Some(batch) = occasion.batch {
            ear.lock().unwrap().entry(occasion.connection).or_default().push(batch.to_owned());
        }
        None
    }));
    let settings = server.settings(10);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    let threads = runtime();
    let source = threads.block_on(connect(&settings)).unwrap();
    assert_eq!(threads.block_on(source.under_load()).unwrap(), None);
    engine.block(true);
    assert!(threads.block_on(source.under_load()).unwrap().unwrap().contains("wait for a lock of ours"));
    engine.block(false);
    wire.faults().clear();
    let heard = heard.lock().unwrap();
    assert!(heard.len() >= 2);
    for (connection, said) in heard.iter() {
        for wanted in ["SET LOCK_TIMEOUT 5000", "SET DEADLOCK_PRIORITY LOW"] {
            assert!(said.iter().any(|s| s == wanted), "{connection} never said {wanted}: {said:?}");
        }
        let writes = ["INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "MERGE", "TRUNCATE"];
        for statement in said {
            assert!(!writes.iter().any(|w| statement.trim_start().starts_with(w)), "{statement}");
            let reads = statement.contains("FROM [dbo].[t]");
            assert!(
                !reads || statement.contains("OPTION (MAXDOP 1)") || statement.contains("MAX("),
                "{statement}"
            );
        }
    }
}

#[test]
fn servers_that_lack_something_say_so_and_are_read_all_the_same() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 30);
    let Some(Own { engine, .. }) = server.own() else { return };
    let expected = truth(&server.settings(10), "t");
    let lacks = Quirks {
        no_dm_views: true,
        no_min_active_rowversion: true,
        no_change_tracking: true,
        no_option_clause: true,
        stale_row_counts: true,
        ..Quirks::default()
    };
    engine.set_quirks(lacks);
    let threads = runtime();
    let source = threads.block_on(connect(&server.settings(10))).unwrap();
    let facts = source.facts();
    assert!(facts.iter().any(|(name, _)| name == "without MAXDOP"), "{facts:?}");
    assert_eq!(threads.block_on(source.under_load()).unwrap(), None);
    assert_eq!(truth(&server.settings(10), "t"), expected);
    for method in [ChangeMethod::ChangeTracking, ChangeMethod::Rowversion] {
        let work = tempfile::tempdir().unwrap();
        let refused =
            extracted(work.path(), &follow(&server.settings(10), "t", method, None), &["t"]).unwrap_err();
        assert!(
            matches!(
                refused,
                ExtractError::Source(SourceError::NoMethod { .. } | SourceError::Server { .. })
            ),
            "{refused:?}"
        );
    }
    // One that bends text on the way to bytes is refused, be it only that of char.
    for bent in [
        Quirks { wrong_varbinary_code_page: true, ..Quirks::default() },
        Quirks { wrong_char_code_page: true, ..Quirks::default() },
    ] {
        engine.set_quirks(bent);
        let refused = threads.block_on(connect(&server.settings(10))).err().unwrap();
        assert!(matches!(refused, SourceError::Converted { .. }) && !refused.is_transient(), "{refused:?}");
        assert!(refused.to_string().contains("Chinese_PRC_CI_AS (code page GBK)"), "{refused}");
    }
}

#[test]
fn the_commands_work_on_a_sql_server() {
    let server = Mssql::start();
    let dir = tempfile::tempdir().unwrap();
    copy_to_sqlserver(&city(dir.path(), 60, 3), &server.ado(), &mut |_| {}).unwrap();
    server.run(&[
        &format!("ALTER DATABASE [{}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)", server.database),
        "ALTER TABLE DWJBXX ENABLE CHANGE_TRACKING",
    ]);
    let settings = server.settings(500);
    let to = settings.server.unwrap();
    let config = dir.path().join("city.toml");
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlserver\"\nchunk_rows = 500\n[sources.server]\nhost = \"{}\"\nport = {}\ndatabase = \"{}\"\nuser = \"{}\"\npassword_file = \"{}\"\ntls = \"{}\"\n[sources.tables.DWJBXX]\nchanges = \"change-tracking\"\n{}",
        crate::support::demo::folder("baicheng").parent().unwrap().display(),
        to.host,
        to.port.unwrap(),
        to.database,
        to.user,
        to.password_file.unwrap().display(),
        to.tls.text(),
        crate::support::demo::acknowledged()
    );
    std::fs::write(&config, text).unwrap();
    let workdir = dir.path().join("work");
    let qianyi = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        let output = command
            .args(arguments)
            .args(["--quiet", "--json", "--config"])
            .arg(&config)
            .arg("--workdir")
            .arg(&workdir)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said, errors) = qianyi(&["doctor"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(
        said.contains("snapshot isolation ON") && said.contains("change tracking is on for 1 tables"),
        "{said}"
    );
    let (code, said, errors) = qianyi(&["plan"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("change-tracking"), "{said}");
    let (code, said, errors) = qianyi(&["run"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    server.run(&["UPDATE DWJBXX SET LXR = 'x'"]);
    let (code, said, errors) = qianyi(&["extract"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    let (code, said, errors) = qianyi(&["status"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("\"watermark\": \"1 of server") && said.contains("DWJBXX"), "{said}");
    // What the extract would refuse, doctor says before.
    let more = "[sources.tables.NO_SUCH]\nchanges = \"compare\"\n[sources.tables.DWCBXX]\nchanges = \"rowversion\"\n";
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + more).unwrap();
    let (code, found, errors) = qianyi(&["doctor"]);
    assert_eq!(code, Some(3), "{found}{errors}");
    assert!(found.contains("tables.NO_SUCH") && found.contains("tables.DWCBXX"), "{found}");
    let secret = "Founder-2021";
    assert!(
        !crate::support::extracts::text_under(&workdir.join("logs")).contains(secret)
            && !said.contains(secret)
    );
}
