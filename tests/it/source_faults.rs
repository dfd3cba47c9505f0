//! What goes wrong around a source, and what is set for it: locks, cancelled statements, lost sessions, rights, caps, windows, consistency.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qianyi::artifacts::Blocker;
use qianyi::error::{Consequence, RetryClass};
use qianyi::pipeline::extract::{ExtractError, Extracted};
use qianyi::retry::Transient;
use qianyi::source::{
    Bounds, ChangeMethod, Consistency, Examined, Grade, Limits, SourceError, SourceKind, SourceSettings,
    Window, connect,
};
use qianyi::state::State;

use crate::support::demo::{city, folder, ran, run_settings};
use crate::support::extracts::{Attempt, When, extracted, follow, rows, runtime, truth};
use crate::support::legacy::Legacy;
use crate::support::pg::Cluster;

/// A table of 60,000 rows that are wide enough that no buffer holds them all.
fn wide() -> (Arc<Cluster>, tokio::runtime::Runtime, SourceSettings) {
    let cluster = Arc::new(Cluster::start());
    let threads = runtime();
    threads.block_on(cluster.database("wide", "UTF8"));
    threads.block_on(cluster.run(
        "wide",
        "CREATE TABLE t (id int PRIMARY KEY, x text, at timestamp);
         INSERT INTO t SELECT n, repeat('x', 400), '2001-01-01' FROM generate_series(1, 60000) n; ANALYZE t",
    ));
    let settings = cluster.settings("wide", 5000);
    (cluster, threads, settings)
}

/// Extracts `t`, and does something in the middle.
fn with_trouble(
    workdir: &Path,
    settings: &SourceSettings,
    cluster: &Arc<Cluster>,
    sql: &'static str,
) -> Result<Extracted, ExtractError> {
    let cluster = cluster.clone();
    let act = move || runtime().block_on(cluster.run("wide", sql));
    Attempt { progress: When::rows(10_000, act), ..Attempt::of(workdir, settings, &["t"]) }.make()
}

const OURS: &str = "FROM pg_stat_activity WHERE application_name = 'qianyi' AND pid <> pg_backend_pid()";

#[test]
fn statements_that_are_cancelled_in_the_middle_are_read_on_over_new_connections() {
    let (cluster, threads, mut settings) = wide();
    // One range, longer than what lies between the server and the writer: it is read when the cancel comes.
    settings.chunk_rows = 100_000;
    let readers =
        "WITH old AS (SELECT pid FROM pg_stat_activity WHERE application_name = 'qianyi' AND state = 'active'
          AND query LIKE 'COPY%FROM \"public\".\"t\"%' AND pid <> pg_backend_pid())
        INSERT INTO cancelled SELECT pid, pg_cancel_backend(pid) FROM old";
    threads.block_on(cluster.run("wide", "CREATE TABLE cancelled (pid int, done boolean)"));
    let work = tempfile::tempdir().unwrap();
    let done = with_trouble(work.path(), &settings, &cluster, readers).unwrap();
    assert!(done.rows_read >= 60_000);
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
    threads.block_on(async {
        let client = cluster.client("wide").await;
        let row = client.query_one("SELECT count(*) FROM cancelled WHERE done", &[]).await.unwrap();
        assert!(row.get::<_, i64>(0) > 0, "nothing was cancelled");
    });
}

#[test]
fn sessions_that_are_terminated_are_read_on_at_the_same_point_or_not_at_all() {
    let (cluster, threads, settings) = wide();
    let settings = follow(&settings, "t", ChangeMethod::Rowversion, None);
    let all: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qianyi' AND pid <> pg_backend_pid()";
    let work = tempfile::tempdir().unwrap();
    with_trouble(work.path(), &settings, &cluster, all).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
    // Somebody works on: the point cannot be taken again, and the next start brings all to a new one.
    let work = tempfile::tempdir().unwrap();
    let and_change = "UPDATE t SET x = 'changed' WHERE id % 1000 = 0; DELETE FROM t WHERE id BETWEEN 9000 AND 9100;
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qianyi' AND pid <> pg_backend_pid()";
    let moved = with_trouble(work.path(), &settings, &cluster, and_change).unwrap_err();
    assert!(matches!(moved, ExtractError::Source(SourceError::Moved { .. })), "{moved}");
    assert_eq!(moved.retry_class(), RetryClass::Resume);
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
    threads.block_on(async {
        let client = cluster.client("wide").await;
        let row =
            client.query_one(&format!("SELECT count(*) {OURS} AND state <> 'idle'"), &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "sessions are left");
    });
}

#[test]
fn a_server_that_restarts_in_the_middle_of_an_extract_does_not_end_it() {
    let (cluster, _, settings) = wide();
    let work = tempfile::tempdir().unwrap();
    let again = cluster.clone();
    let act = move || {
        again.down();
        again.up();
    };
    let attempt = Attempt::of(work.path(), &settings, &["t"]);
    Attempt { progress: When::rows(10_000, act), ..attempt }.make().unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
}

#[test]
fn a_statement_that_runs_into_its_time_out_goes_on_after_its_last_part() {
    let (cluster, threads, mut settings) = wide();
    // One range that takes about three seconds under its cap, of which a statement may take one.
    threads.block_on(cluster.run("wide", "UPDATE pg_class SET reltuples = -1 WHERE relname = 't'"));
    settings.limits.statement_seconds = 1;
    settings.limits.rows_per_second = Some(20_000);
    settings.chunk_rows = 3000;
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &settings, &["t"]).unwrap();
    assert!(done.tables[0].parts.len() >= 5 && done.rows_read == 60_000, "{}", done.rows_read);
    assert!(cluster.log().contains("canceling statement due to statement timeout"), "none timed out");
    settings.limits = Limits::default();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
}

#[test]
fn a_locked_table_is_waited_for_shortly_and_named_and_the_next_start_goes_on() {
    let (cluster, threads, mut settings) = wide();
    settings.limits.lock_milliseconds = 20;
    settings.limits.retries = 1;
    let work = tempfile::tempdir().unwrap();
    let locker = threads.block_on(cluster.client("wide"));
    threads.block_on(locker.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")).unwrap();
    let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
    assert!(
        matches!(&refused, ExtractError::Source(e @ SourceError::Transient { .. }) if e.is_transient()),
        "{refused:?}"
    );
    assert_eq!(refused.to_string(), "source ylbx: transient error: reading t");
    assert_eq!(refused.retry_class(), RetryClass::Resume);
    threads.block_on(locker.batch_execute("ROLLBACK")).unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"));
}

#[test]
fn whoever_waits_for_a_lock_of_ours_is_seen_while_all_readers_are_busy() {
    let (cluster, threads, mut settings) = wide();
    settings.limits.connections = 1;
    settings.limits.slow_milliseconds = 600_000;
    let guard = Duration::from_secs(60);
    threads.block_on(async {
        let source = connect(&settings).await.unwrap();
        let tables = source.catalogue().await.unwrap();
        // All of it: more rows than any queue holds, so that the reader stays busy.
        let stream = source.read_chunk(&tables[0], &Bounds::default()).await.unwrap();
        // The one reader is busy, and nobody takes its rows: the question is answered all the same.
        let asked = tokio::time::timeout(guard, source.under_load()).await.expect("an answer");
        assert_eq!(asked.unwrap(), None);
        let clerk = cluster.client("wide").await;
        let waiting = tokio::spawn(async move {
            clerk.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; ROLLBACK").await
        });
        let found = tokio::time::timeout(guard, async {
            loop {
                if let Some(why) = source.under_load().await.unwrap() {
                    return why;
                }
            }
        });
        assert_eq!(found.await.expect("somebody who waits"), "1 sessions wait for a lock of ours");
        // Letting go of the stream lets the clerk go on.
        drop(stream);
        assert!(tokio::time::timeout(guard, waiting).await.expect("an end of waiting").unwrap().is_ok());
    });
}

#[test]
fn reading_is_never_faster_than_its_caps() {
    let (_cluster, _, mut settings) = wide();
    settings.limits.rows_per_second = Some(60_000);
    let work = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    extracted(work.path(), &settings, &["t"]).unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "60,000 rows at 60,000 a second: {:?}",
        begun.elapsed()
    );
}

#[test]
fn outside_its_window_nothing_is_read_and_in_the_next_one_it_goes_on() {
    let (cluster, threads, mut settings) = wide();
    threads.block_on(cluster.run("wide", "CREATE TABLE n AS SELECT id, x FROM t"));
    let now = qianyi::clock::time_of_day(settings.time_zone);
    let hours = |n: i64| now.overflowing_add_signed(chrono::TimeDelta::hours(n)).0;
    settings.limits.windows = vec![Window { from: hours(2), to: hours(4) }];
    let work = tempfile::tempdir().unwrap();
    let closed = extracted(work.path(), &settings, &["t", "n"]).unwrap_err();
    assert!(matches!(closed, ExtractError::Closed { .. }), "{closed}");
    assert!(crate::support::parquet_under(&work.path().join("raw")).is_empty());
    settings.limits.windows = vec![Window { from: hours(-2), to: hours(2) }];
    // Stopped in the middle of a table without a key, of which there is no part: it is read again.
    let attempt = Attempt::of(work.path(), &settings, &["n", "t"]);
    let stop = attempt.stop.clone();
    let stopped = Attempt { progress: When::rows(10_000, move || stop.ask()), ..attempt }.make().unwrap_err();
    assert!(matches!(stopped, ExtractError::Stopped), "{stopped}");
    let done = extracted(work.path(), &settings, &["t", "n"]).unwrap();
    assert_eq!(done.rows_read, 120_000);
    assert_eq!(rows(work.path(), "n"), truth(&settings, "n"));
}

#[test]
fn consistency_is_what_was_chosen_and_recorded_or_it_is_refused() {
    let (cluster, _, settings) = wide();
    let chosen = |consistency| SourceSettings { consistency, ..settings.clone() };
    for (consistency, recorded) in [
        (Consistency::Default, "exported snapshot"),
        (Consistency::ExportedSnapshot, "exported snapshot"),
        (Consistency::SnapshotSession, "snapshot session"),
        (Consistency::RestoredCopy, "restored copy"),
        (Consistency::Fuzzy, "fuzzy"),
    ] {
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &chosen(consistency), &["t"]).unwrap();
        let state = State::open_readonly(work.path()).unwrap();
        assert_eq!(state.extracts("ylbx").unwrap()[0].of.consistency, recorded);
        assert_eq!(rows(work.path(), "t"), truth(&settings, "t"), "{recorded}");
    }
    let refused =
        extracted(tempfile::tempdir().unwrap().path(), &chosen(Consistency::DatabaseSnapshot), &["t"]);
    assert!(matches!(refused, Err(ExtractError::Source(SourceError::Consistency { .. }))));
    // Whoever writes to a restored copy is found out.
    let work = tempfile::tempdir().unwrap();
    let write = "UPDATE t SET x = 'written' WHERE id = 60000";
    let moved = with_trouble(work.path(), &chosen(Consistency::RestoredCopy), &cluster, write).unwrap_err();
    assert!(matches!(moved, ExtractError::Moved { .. }), "{moved}");
    // The same deed does not reach a snapshot.
    for consistency in [Consistency::ExportedSnapshot, Consistency::SnapshotSession] {
        let (before, work) = (truth(&settings, "t"), tempfile::tempdir().unwrap());
        let write = "UPDATE t SET x = x || '!'; INSERT INTO t SELECT max(id) + 1, 'new' FROM t";
        with_trouble(work.path(), &chosen(consistency), &cluster, write).unwrap();
        assert_eq!(rows(work.path(), "t"), before, "{consistency:?}");
    }
}

#[test]
fn a_sqlite_source_refuses_a_consistency_that_it_would_not_have() {
    let legacy = Legacy::new("CREATE TABLE t (a int NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1)");
    let chosen = |consistency| SourceSettings { consistency, ..legacy.settings(10) };
    for consistency in [
        Consistency::DatabaseSnapshot,
        Consistency::SnapshotSession,
        Consistency::ExportedSnapshot,
        Consistency::Fuzzy,
    ] {
        let refused =
            extracted(tempfile::tempdir().unwrap().path(), &chosen(consistency), &["t"]).unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Consistency { .. })), "{refused}");
        assert_eq!(refused.retry_class(), RetryClass::Usage);
    }
    for (consistency, recorded) in
        [(Consistency::Default, "read transaction"), (Consistency::RestoredCopy, "restored copy")]
    {
        let done = extracted(tempfile::tempdir().unwrap().path(), &chosen(consistency), &["t"]).unwrap();
        assert_eq!(done.point.consistency, recorded);
    }
}

#[test]
fn a_fuzzy_extract_follows_changes_while_people_work_and_catches_up() {
    let (cluster, threads, settings) = wide();
    let settings = SourceSettings { consistency: Consistency::Fuzzy, ..settings };
    for (method, column) in [
        (ChangeMethod::Rowversion, None),
        (ChangeMethod::Timestamp, Some("at")),
        (ChangeMethod::Compare, None),
        (ChangeMethod::Full, None),
    ] {
        let follow = follow(&settings, "t", method, column);
        let work = tempfile::tempdir().unwrap();
        extracted(work.path(), &follow, &["t"]).unwrap();
        threads.block_on(
            cluster.run("wide", "UPDATE t SET x = x || '!', at = clock_timestamp() WHERE id <= 30000"),
        );
        let people = "INSERT INTO t SELECT max(id) + 1, 'meanwhile', clock_timestamp() FROM t;
            DELETE FROM t WHERE id IN (SELECT min(id) FROM t); UPDATE t SET x = 'meanwhile', at = clock_timestamp() WHERE id IN (17, 59000)";
        with_trouble(work.path(), &follow, &cluster, people).unwrap();
        // In the quiet after it all is caught up.
        extracted(work.path(), &follow, &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&settings, "t"), "{method:?}");
    }
}

#[test]
fn a_run_over_a_fuzzy_extract_is_never_fit_for_cutover() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 3);
    let cluster = Cluster::start();
    runtime().block_on(cluster.database("city", "SQL_ASCII"));
    qianyi::fixture::copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    let mut of = run_settings(&database, &dir.path().join("work"), 1);
    of.sources = vec![SourceSettings { consistency: Consistency::Fuzzy, ..cluster.settings("city", 5000) }];
    let found = ran(&of);
    assert_eq!(found.extracts[0].consistency, "fuzzy");
    assert!(
        found.blocked_by.contains(&Blocker::Fuzzy { source: "ylbx".to_owned() }),
        "{:?}",
        found.blocked_by
    );
}

/// Seconds until the kernel tries a silent line to a port of this machine, as it counts them down; `None`: it never does.
fn tried_after(port: u16) -> Option<u64> {
    let all = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let to = format!("0100007F:{port:04X}");
    let line = all.lines().find(|l| l.split_whitespace().nth(2) == Some(to.as_str()))?;
    // 02: the timer runs for keepalive; in hundredths of a second.
    let (timer, when) = line.split_whitespace().nth(5)?.split_once(':')?;
    (timer == "02").then(|| u64::from_str_radix(when, 16).unwrap() / 100)
}

#[test]
fn a_silent_line_is_tried_after_a_minute_by_both_drivers() {
    for kind in [SourceKind::Postgres, SourceKind::SqlServer] {
        // It takes the line, and says nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut settings = Cluster::settings_at(Path::new("127.0.0.1"), "nothing", 10);
        settings.kind = kind;
        let server = settings.server.as_mut().unwrap();
        (server.port, server.connect_seconds) = (Some(port), 5);
        let threads = runtime();
        let connecting = threads.spawn(async move { connect(&settings).await.map(drop) });
        let (line, _) = listener.accept().unwrap();
        let begun = Instant::now();
        let mut tried = None;
        while tried.is_none() && begun.elapsed() < Duration::from_secs(4) {
            std::thread::sleep(Duration::from_millis(20));
            tried = tried_after(port);
        }
        let seconds = tried.unwrap_or_else(|| panic!("{kind:?}: nobody tries the line"));
        assert!((50..=60).contains(&seconds), "{kind:?}: after {seconds} s");
        drop(line);
        assert!(threads.block_on(connecting).unwrap().is_err());
    }
}

/// The script that a DBA runs, with the names filled in.
fn login_script(database: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sql/source/postgres/01-readonly-login.sql");
    std::fs::read_to_string(path).unwrap().replace("legacy_database", database)
}

fn examined(settings: &SourceSettings) -> Vec<Examined> {
    runtime().block_on(async { connect(settings).await.unwrap().examine(None).await.unwrap() })
}

fn worst(checks: &[Examined], what: &str) -> Vec<String> {
    let bad = checks.iter().filter(|c| c.what == what && matches!(c.grade, Grade::Warning | Grade::Error));
    bad.map(|c| format!("{:?}: {}", c.grade, c.found)).collect()
}

/// Settings of the read-only login in the database `wide`.
fn as_reader(settings: &SourceSettings) -> SourceSettings {
    let mut settings = settings.clone();
    settings.server.as_mut().unwrap().user = "qianyi".to_owned();
    settings
}

#[test]
fn doctor_proves_that_the_login_of_the_script_can_read_and_not_write() {
    let (cluster, threads, settings) = wide();
    threads.block_on(cluster.run("wide", &login_script("wide")));
    let founder = examined(&settings);
    let rights = worst(&founder, "rights");
    assert!(rights.iter().any(|r| r.contains("administers the server")), "{rights:?}");
    assert!(rights.iter().any(|r| r.contains("could write to 1 tables")), "{rights:?}");
    assert!(rights.iter().any(|r| r.contains("could make tables in public")), "{rights:?}");
    let reader = as_reader(&settings);
    let checks = examined(&reader);
    for what in ["rights", "read-only", "watching", "encoding", "consistency", "clock"] {
        assert_eq!(worst(&checks, what), [""; 0], "{what}");
        assert!(checks.iter().any(|c| c.what == what), "{what} was not looked at");
    }
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &follow(&reader, "t", ChangeMethod::Rowversion, None), &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&settings, "t"), "and that login can do the work");
    // A little more than it should have, and a little less.
    threads.block_on(cluster.run(
        "wide",
        "GRANT UPDATE ON t TO qianyi; REVOKE pg_read_all_stats FROM qianyi; CREATE TABLE secret (id int PRIMARY KEY);
         REVOKE ALL ON secret FROM qianyi",
    ));
    let checks = examined(&reader);
    assert_eq!(
        worst(&checks, "rights"),
        [
            "Warning: qianyi could write to 1 tables; transactions are set to read only",
            "Error: cannot read secret"
        ]
    );
    assert_eq!(worst(&checks, "watching").len(), 1);
}

#[test]
fn a_table_without_the_right_to_read_it_stops_the_extract_by_name_and_keeps_the_others() {
    let (cluster, threads, settings) = wide();
    threads.block_on(cluster.run("wide", &login_script("wide")));
    threads.block_on(cluster.run("wide", "CREATE TABLE z (id int PRIMARY KEY); REVOKE ALL ON z FROM qianyi"));
    let reader = as_reader(&settings);
    let work = tempfile::tempdir().unwrap();
    let refused = extracted(work.path(), &reader, &["t", "z"]).unwrap_err();
    assert_eq!(refused.to_string(), "source ylbx: the server refuses reading z");
    let help = miette::Diagnostic::help(&refused).unwrap().to_string();
    assert!(help.contains("doctor") && help.contains("sql/source/"), "{help}");
    threads.block_on(cluster.run("wide", "GRANT SELECT ON z TO qianyi"));
    let done = extracted(work.path(), &reader, &["t", "z"]).unwrap();
    assert_eq!(rows(work.path(), "t").len(), 60_000);
    assert!(done.id.to_string() == "e0001" || done.id.to_string() == "e0002");
}

fn qianyi(config: &Path, workdir: &Path, arguments: &[&str]) -> (Option<i32>, serde_json::Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.arg("--workdir").arg(workdir).arg("--config").arg(config).args(arguments);
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_commands_show_rights_proposals_watermarks_and_their_lag() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 40, 3);
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("city", "SQL_ASCII"));
    qianyi::fixture::copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    threads.block_on(cluster.run("city", &login_script("city")));
    let config = dir.path().join("city.toml");
    let source = |id: &str, host: &str| {
        format!(
            "[[sources]]\nid = \"{id}\"\nkind = \"postgres\"\n[sources.server]\nhost = \"{host}\"\ndatabase = \"city\"\nuser = \"qianyi\"\ntls = \"off\"\nconnect_seconds = 1\n[sources.limits]\nretries = 0\n"
        )
    };
    let write = |more: &str| {
        let text = format!(
            "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n{}{more}",
            folder("baicheng").parent().unwrap().display(),
            source("ylbx", &cluster.socket().display().to_string())
        );
        std::fs::write(&config, text).unwrap();
    };
    write("[sources.tables.DWJBXX]\nchanges = \"rowversion\"\n");
    let work = dir.path().join("work");
    let (status, checks, said) = qianyi(&config, &work, &["doctor", "--json"]);
    assert_eq!(status, Some(0), "{checks} {said}");
    let (_, plans, said) = qianyi(&config, &work, &["plan", "--json"]);
    let tables = plans["sources"][0]["tables"].as_array().unwrap_or_else(|| panic!("{plans} {said}")).clone();
    let changes = |name: &str| tables.iter().find(|t| t["table"] == name).unwrap()["changes"].clone();
    assert_eq!(changes("DWJBXX"), serde_json::json!(["rowversion", "compare", "full"]));
    assert!(tables.iter().any(|t| t["changes"] == serde_json::json!(["full"])), "tables without a key");
    let (status, _, said) = qianyi(&config, &work, &["extract", "--json", "--quiet"]);
    assert_eq!(status, Some(0), "{said}");
    threads.block_on(
        cluster.run("city", "DELETE FROM \"DWJBXX\" WHERE ctid = (SELECT min(ctid) FROM \"DWJBXX\")"),
    );
    let (status, done, said) = qianyi(&config, &work, &["extract", "--json", "--quiet"]);
    assert_eq!((status, &done["extracts"][0]["extract"]), (Some(0), &serde_json::json!("e0002")), "{said}");
    let (_, shown, _) = qianyi(&config, &work, &["status", "--json"]);
    let marks = shown["watermarks"].as_array().unwrap();
    assert_eq!(marks.len(), 1, "{shown}");
    assert_eq!(
        (&marks[0]["table"], &marks[0]["extract"]),
        (&serde_json::json!("DWJBXX"), &serde_json::json!("e0002"))
    );
    assert_eq!(
        (&marks[0]["method"], &marks[0]["lag_hours"]),
        (&serde_json::json!("rowversion"), &serde_json::json!(0))
    );
    let state = State::open_readonly(&work).unwrap();
    let id = state.latest_extract("ylbx").unwrap().unwrap().id;
    let changed = state.reading(id, "DWJBXX").unwrap().unwrap().changed.unwrap();
    assert_eq!(
        (changed.inserted, changed.updated, changed.deleted),
        (0, 0, 1),
        "the setting of the file was heard"
    );
    // A source that does not answer does not hide the others.
    write(&source("sybx", "/nowhere"));
    let (status, checks, said) = qianyi(&config, &work, &["doctor", "--json"]);
    // The third is the machine itself.
    assert_eq!((status, checks["sources"].as_array().map(Vec::len)), (Some(3), Some(3)), "{checks} {said}");
    assert_eq!(
        (&checks["sources"][1]["checks"][0]["what"], &checks["sources"][1]["checks"][0]["grade"]),
        (&serde_json::json!("connection"), &serde_json::json!("error"))
    );
}
