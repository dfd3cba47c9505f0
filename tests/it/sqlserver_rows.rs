//! Which rows a SQL Server shows: views, security policies, masks, tables that are altered or set back while they are read, transactions
//! that commit late.

use qianyi::error::{Consequence, RetryClass};
use qianyi::pipeline::extract::{ExtractError, Origin};
use qianyi::source::{Bounds, ChangeMethod, Grade, SourceError, SourceSettings, connect};

use crate::sqlserver::grown;
use crate::support::extracts::{Attempt, When, extracted, follow, reading, rows, runtime, truth};
use crate::support::legacy::table;
use crate::support::mssql::{Mssql, Own};
use crate::support::tds::wire::Options;

fn examined(settings: &SourceSettings, what: &str) -> Vec<(Grade, String)> {
    let threads = runtime();
    let all = threads.block_on(async { connect(settings).await.unwrap().examine(None).await }).unwrap();
    all.into_iter().filter(|e| e.what == what).map(|e| (e.grade, e.found)).collect()
}

#[test]
fn a_view_is_read_in_full_or_compared_by_a_key_that_is_proved() {
    let server = Mssql::start();
    grown(&server, 30);
    server.run(&[
        "CREATE VIEW seen AS SELECT a, b, x FROM t WHERE a < 2",
        "CREATE VIEW twice AS SELECT a, x FROM t",
    ]);
    let plain = server.settings(10);
    let work = tempfile::tempdir().unwrap();
    let compared = |view: &str, key: &[&str]| {
        let mut settings = follow(&plain, view, ChangeMethod::Compare, None);
        settings.tables.get_mut(view).unwrap().key = key.iter().map(|k| (*k).to_owned()).collect();
        settings
    };
    assert_eq!(extracted(work.path(), &plain, &["seen"]).unwrap().tables[0].rows, 13);
    let threads = runtime();
    let of = threads.block_on(async { table(&*connect(&plain).await.unwrap(), "seen").await });
    assert_eq!((of.view, of.changes), (true, vec![ChangeMethod::Full]));
    let seen = compared("seen", &["a", "b"]);
    extracted(work.path(), &seen, &["seen"]).unwrap();
    server.run(&["UPDATE t SET x = N'new' WHERE a = 1", "DELETE FROM t WHERE a = 0"]);
    extracted(work.path(), &seen, &["seen"]).unwrap();
    assert_eq!(rows(work.path(), "seen"), truth(&plain, "seen"));
    let refused = extracted(work.path(), &compared("twice", &["a"]), &["twice"]).unwrap_err();
    assert!(refused.to_string().contains("unique key over the view twice (a)"), "{refused}");
}

#[test]
fn a_view_over_a_table_that_is_gone_does_not_stop_the_others() {
    let server = Mssql::start();
    grown(&server, 30);
    server.run(&["CREATE TABLE gone (k int)", "CREATE VIEW broken AS SELECT k FROM gone", "DROP TABLE gone"]);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &server.settings(10), &["t"]).unwrap();
    let refused = extracted(work.path(), &server.settings(10), &["broken"]).unwrap_err();
    assert!(matches!(refused, ExtractError::Source(SourceError::Broken { .. })), "{refused:?}");
    assert!(refused.to_string().contains("broken"), "{refused}");
}

#[test]
fn a_view_that_asks_who_reads_it_is_refused_however_deep_it_asks() {
    let server = Mssql::start();
    grown(&server, 30);
    server.run(&[
        "CREATE VIEW plain AS SELECT a, b FROM t WHERE x <> N'suser'",
        "CREATE VIEW mine AS SELECT a FROM t WHERE x <> SUSER_SNAME()",
        "CREATE VIEW above AS SELECT p.a FROM plain AS p JOIN dbo.[mine] AS m ON m.a = p.a",
    ]);
    let settings = server.settings(10);
    let work = tempfile::tempdir().unwrap();
    for view in ["mine", "above"] {
        let refused = extracted(work.path(), &settings, &[view]).unwrap_err();
        let ExtractError::Source(SourceError::Personal { by, word, .. }) = refused else {
            panic!("{view}: {refused:?}")
        };
        assert_eq!((by.as_str(), word.as_str()), ("mine", "suser_sname"), "{view}");
    }
    extracted(work.path(), &settings, &["plain"]).unwrap();
    assert!(examined(&settings, "views").is_empty());
    // Nobody without VIEW DEFINITION sees what a view asks.
    let reader = format!("reader_{}", server.database);
    server.run(&[
        &format!("CREATE LOGIN [{reader}] WITH PASSWORD = N'Only-reads-1'"),
        &format!("CREATE USER [{reader}] FOR LOGIN [{reader}]"),
        &format!("GRANT SELECT ON SCHEMA::dbo TO [{reader}]"),
    ]);
    let blind = server.settings_as(&server.database, &reader, "Only-reads-1", 10);
    let said = examined(&blind, "views");
    assert!(said.iter().any(|(g, f)| *g == Grade::Warning && f.starts_with("mine: ")), "{said:?}");
    server.master(&format!("DROP LOGIN [{reader}]"));
}

#[test]
fn a_partition_that_is_switched_while_a_table_is_read_ends_the_point() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 3000);
    let Some(Own { engine, .. }) = server.own() else { return };
    let threads = runtime();
    let source = threads.block_on(connect(&server.settings(100))).unwrap();
    let of = threads.block_on(table(&*source, "t"));
    assert_eq!(threads.block_on(source.count(&of)).unwrap(), 2000);
    engine.switch(&server.database, "t").unwrap();
    let refused = threads.block_on(source.count(&of)).unwrap_err();
    assert!(matches!(refused, SourceError::Altered { .. }), "{refused:?}");
}

#[test]
fn rows_that_a_security_policy_hides_are_never_taken_for_all() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 30);
    server.run(&["CREATE VIEW over_t AS SELECT a FROM t"]);
    let Some(Own { engine, .. }) = server.own() else { return };
    let settings = server.settings(10);
    engine.filter(&server.database, "t", "a < 1", &["auditor"]).unwrap();
    let work = tempfile::tempdir().unwrap();
    for (name, said) in
        [("t", "the security policy t_policy shows it 6 of 20 rows"), ("over_t", "filters dbo.t")]
    {
        let refused = extracted(work.path(), &settings, &[name]).unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Filtered { .. })), "{refused:?}");
        assert!(refused.to_string().contains(said), "{refused}");
        assert_eq!(refused.retry_class(), RetryClass::Usage);
    }
    // `plan` asks for the ranges, too.
    let threads = runtime();
    let source = threads.block_on(connect(&settings)).unwrap();
    let of = threads.block_on(table(&*source, "t"));
    assert!(matches!(threads.block_on(source.chunks(&of)), Err(SourceError::Filtered { .. })));
    assert!(examined(&settings, "rows").iter().any(|(g, f)| *g == Grade::Error && f.contains("6 of 20")));
    // A login that the predicate lets through sees all, which counting proves.
    server.run(&[
        "CREATE LOGIN auditor WITH PASSWORD = N'Sees-all-1'",
        "CREATE USER auditor FOR LOGIN auditor",
        "GRANT SELECT ON SCHEMA::dbo TO auditor",
        "GRANT VIEW DEFINITION TO auditor",
    ]);
    let auditor = server.settings_as(&server.database, "auditor", "Sees-all-1", 10);
    assert_eq!(extracted(work.path(), &auditor, &["t"]).unwrap().tables[0].rows, 20);
    assert!(examined(&auditor, "rows").iter().all(|(g, _)| *g == Grade::Ok));
}

#[test]
fn a_masked_column_is_refused_and_never_read_as_its_mask() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 30);
    let Some(Own { engine, .. }) = server.own() else { return };
    engine.mask(&server.database, "t", "x").unwrap();
    server.run(&[
        "CREATE LOGIN clerk WITH PASSWORD = N'Sees-some-1'",
        "CREATE USER clerk FOR LOGIN clerk",
        "GRANT SELECT ON SCHEMA::dbo TO clerk",
        "GRANT VIEW DEFINITION TO clerk",
    ]);
    let clerk = server.settings_as(&server.database, "clerk", "Sees-some-1", 10);
    let work = tempfile::tempdir().unwrap();
    let refused = extracted(work.path(), &clerk, &["t"]).unwrap_err();
    assert!(refused.to_string().contains("masks x of t"), "{refused}");
    assert!(examined(&clerk, "rows").iter().any(|(g, f)| *g == Grade::Error && f.contains("t.x")));
    server.run(&["GRANT UNMASK TO clerk"]);
    extracted(work.path(), &clerk, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
}

#[test]
fn a_table_that_is_altered_or_truncated_while_it_is_read_is_refused() {
    for ddl in [
        "TRUNCATE TABLE t",
        "ALTER TABLE t ALTER COLUMN x nvarchar(80)",
        "ALTER TABLE t ADD read_error varchar(9)",
        "CREATE INDEX later ON t (x)",
        "DROP TABLE t",
    ] {
        let server = Mssql::start();
        grown(&server, 3000);
        // TRUNCATE and a second DDL are not for a tracked table.
        server.run(&["ALTER TABLE t DISABLE CHANGE_TRACKING"]);
        let settings = server.settings(100);
        let threads = runtime();
        let source = threads.block_on(connect(&settings)).unwrap();
        let of = threads.block_on(table(&*source, "t"));
        let ranges = threads.block_on(source.chunks(&of)).unwrap();
        let read = |bounds: &Bounds| {
            let stream = threads.block_on(source.read_chunk(&of, bounds))?;
            stream.collect::<Result<Vec<_>, _>>().map(|all| all.iter().map(|b| b.num_rows()).sum::<usize>())
        };
        assert!(ranges.len() > 5 && read(&ranges[0]).unwrap() > 0);
        server.run(&[ddl]);
        let refused = read(&ranges[1]).unwrap_err();
        let ended = matches!(refused, SourceError::Altered { .. } | SourceError::PointEnded { .. });
        assert!(ended, "{ddl}: {refused:?}");
        assert_eq!(refused.retry_class(), RetryClass::Resume);
        // The control count is no witness: it would count what is no longer there.
        assert!(threads.block_on(source.count(&of)).is_err(), "{ddl}");
    }
}

#[test]
fn a_table_truncated_in_the_middle_of_an_extract_ends_it_and_the_next_start_is_right() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 3000);
    let settings = server.settings(100);
    let work = tempfile::tempdir().unwrap();
    let (other, database) = (server.ado(), server.database.clone());
    let truncate = move || {
        runtime().block_on(async {
            let mut config = tiberius::Config::from_ado_string(&other).unwrap();
            config.database(&database);
            let tcp = tokio::net::TcpStream::connect(config.get_addr()).await.unwrap();
            let tcp = tokio_util::compat::TokioAsyncWriteCompatExt::compat_write(tcp);
            let mut clerk = tiberius::Client::connect(config, tcp).await.unwrap();
            for sql in ["TRUNCATE TABLE t", "INSERT INTO t (a, b) VALUES (1, 'p1')"] {
                clerk.simple_query(sql).await.unwrap().into_results().await.unwrap();
            }
        });
    };
    let mut attempt = Attempt::of(work.path(), &settings, &["t"]);
    attempt.progress = When::rows(1, truncate);
    let refused = attempt.make().unwrap_err();
    let ExtractError::Source(ended) = refused else { panic!("{refused:?}") };
    assert!(matches!(ended, SourceError::Altered { .. } | SourceError::PointEnded { .. }), "{ended:?}");
    assert_eq!(extracted(work.path(), &settings, &["t"]).unwrap().tables[0].rows, 1);
}

#[test]
fn a_stamp_that_is_committed_after_a_later_one_was_seen_is_not_lost() {
    let server = Mssql::start();
    grown(&server, 30);
    let settings = follow(&server.settings(10), "t", ChangeMethod::Timestamp, Some("at"));
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    let clerk = server.open();
    clerk.run("BEGIN TRANSACTION");
    server.run(&["UPDATE t SET x = N'quick', at = SYSDATETIME() WHERE a = 2 AND b = 'p0'"]);
    clerk.run("UPDATE t SET x = N'slow', at = DATEADD(second, -2, SYSDATETIME()) WHERE a = 1 AND b = 'p0'");
    let seen = extracted(work.path(), &settings, &["t"]).unwrap();
    let mark = reading(work.path(), seen.id, "t").watermark.unwrap();
    assert!(mark.starts_with("2001-01-01"), "{mark}");
    let found = examined(&settings, "open transaction");
    assert!(
        matches!(found.as_slice(), [(Grade::Warning, said)] if said.contains("stay behind it")),
        "{found:?}"
    );
    clerk.run("COMMIT TRANSACTION");
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
    assert!(rows(work.path(), "t").iter().any(|r| r.contains("slow")));
    assert!(examined(&settings, "open transaction").is_empty());
}

#[test]
fn a_transaction_that_only_reads_holds_no_watermark_back() {
    let server = Mssql::start();
    grown(&server, 30);
    let settings = follow(&server.settings(10), "t", ChangeMethod::Timestamp, Some("at"));
    let work = tempfile::tempdir().unwrap();
    let reader = server.open();
    reader.run("BEGIN TRANSACTION");
    reader.run("SELECT COUNT(*) AS n FROM t");
    server.run(&["UPDATE t SET at = SYSDATETIME() WHERE a = 2"]);
    let done = extracted(work.path(), &settings, &["t"]).unwrap();
    let mark = reading(work.path(), done.id, "t").watermark.unwrap();
    assert!(!mark.starts_with("2001"), "{mark}");
    reader.run("ROLLBACK TRANSACTION");
}

#[test]
fn a_login_that_cannot_see_open_transactions_is_told_so() {
    let server = Mssql::start();
    grown(&server, 30);
    let reader = format!("reader_{}", server.database);
    server.run(&[
        &format!("CREATE LOGIN [{reader}] WITH PASSWORD = N'Only-reads-1'"),
        &format!("CREATE USER [{reader}] FOR LOGIN [{reader}]"),
        &format!("GRANT SELECT ON SCHEMA::dbo TO [{reader}]"),
    ]);
    let weak = server.settings_as(&server.database, &reader, "Only-reads-1", 10);
    let found = examined(&weak, "without open transactions");
    assert!(
        matches!(found.as_slice(), [(Grade::Warning, said)] if said.contains("VIEW SERVER STATE")),
        "{found:?}"
    );
    server.master(&format!("DROP LOGIN [{reader}]"));
}

#[test]
fn a_database_that_was_set_back_to_an_older_state_is_refused_by_every_watermark() {
    for (method, column) in [
        (ChangeMethod::ChangeTracking, None),
        (ChangeMethod::Rowversion, None),
        (ChangeMethod::Timestamp, Some("at")),
    ] {
        let server = Mssql::start();
        grown(&server, 30);
        let before = server.snapshot();
        server.run(&["UPDATE t SET x = N'later', at = SYSDATETIME() WHERE a = 1"]);
        let settings = follow(&server.settings(10), "t", method, column);
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &settings, &["t"]).unwrap();
        server.master(&format!("RESTORE DATABASE [{}] FROM DATABASE_SNAPSHOT = '{before}'", server.database));
        // As much has happened since as before.
        server.run(&["UPDATE t SET x = N'other', at = SYSDATETIME() WHERE a = 2"]);
        let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
        assert!(
            matches!(refused, ExtractError::Source(SourceError::Expired { .. })),
            "{method:?}: {refused:?}"
        );
        Attempt { full_refresh: &["t"], ..Attempt::of(work.path(), &settings, &["t"]) }.make().unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"));
    }
}

#[test]
fn alias_types_are_their_base_types_and_a_hierarchy_is_the_text_that_the_server_writes() {
    let server = Mssql::start();
    server.run(&[
        "CREATE TYPE name_type FROM varchar(20)",
        "CREATE TYPE dbo.money_type FROM decimal(10,2)",
        "CREATE TABLE a (k int NOT NULL PRIMARY KEY, xm name_type, je money_type NULL, place hierarchyid)",
        "INSERT INTO a VALUES (1, 0xD5C5C8FD, 1.25, '/1/2/')",
    ]);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &server.settings(10), &["a"]).unwrap();
    assert_eq!(rows(work.path(), "a"), ["1|张三|∅|1.25|/1/2/|∅"]);
}

#[test]
fn a_run_that_was_killed_after_its_extract_goes_on_over_it_and_not_over_one_that_was_made_for_itself() {
    use qianyi::pipeline::extract::Purpose;
    let server = Mssql::start();
    grown(&server, 30);
    let settings = server.settings(10);
    let work = tempfile::tempdir().unwrap();
    let made = |purpose| Attempt { purpose, ..Attempt::of(work.path(), &settings, &["t"]) }.make().unwrap();
    let first = made(Purpose::Run);
    // People go on working, and the session that held the point is gone.
    server.run(&["DELETE FROM t WHERE a = 1"]);
    let again = made(Purpose::Run);
    assert_eq!((again.id, again.origin, again.rows_read), (first.id, Origin::Reused, 0));
    assert_eq!(again.point, first.point);
    let own = made(Purpose::Extract);
    assert!(own.id > first.id);
    assert!(made(Purpose::Run).id > own.id, "what `extract` brought is not a run's");
}

#[test]
fn another_table_that_took_the_name_is_read_anew_whatever_the_method() {
    for (method, column) in [
        (ChangeMethod::ChangeTracking, None),
        (ChangeMethod::Rowversion, None),
        (ChangeMethod::Timestamp, Some("at")),
    ] {
        let server = Mssql::start();
        grown(&server, 30);
        // Corrected rows, made before the first extract: neither their stamps nor their versions are later than what it saw.
        server.run(&[
            "CREATE TABLE t_new (a int NOT NULL, b varchar(9) NOT NULL, x nvarchar(40), at datetime2(7), v rowversion, PRIMARY KEY (a, b))",
            "ALTER TABLE t_new ENABLE CHANGE_TRACKING",
            "INSERT INTO t_new (a, b, x, at) SELECT a, b, N'corrected', at FROM t",
        ]);
        let settings = follow(&server.settings(10), "t", method, column);
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &settings, &["t"]).unwrap();
        server.run(&["EXEC sp_rename 't', 't_old'", "EXEC sp_rename 't_new', 't'"]);
        extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&server.settings(10), "t"), "{method:?}");
        assert!(rows(work.path(), "t").iter().all(|r| r.contains("corrected")), "{method:?}");
    }
}
