//! PostgreSQL as a source: the same city gives the same staged rows as from SQLite.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use qianyi::artifacts::Summary;
use qianyi::fixture::copy_to_postgres;
use qianyi::progress::{Progress, Silent};
use qianyi::raw;
use qianyi::source::{SourceError, connect};
use qianyi::state::State;

use crate::support::demo::{city, folder, ran, run_settings};
use crate::support::extracts::{extracted, rows, runtime};
use crate::support::pg::Cluster;

/// What must be equal whatever the source.
fn contents(summary: &Summary) -> Vec<(String, u64, u64, String)> {
    let row =
        |t: &qianyi::artifacts::TableRow| (t.table.clone(), t.mapped, t.accepted, t.content_digest.clone());
    summary.tables.iter().map(row).collect()
}

#[test]
fn the_same_city_gives_the_same_staged_content_from_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 400, 1);
    let expected = ran(&run_settings(&database, &dir.path().join("sqlite"), 2));
    let cluster = Cluster::start();
    runtime().block_on(cluster.database("city", "SQL_ASCII"));
    copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    // A year that others inherit from: the mapping reads each by its name, so every row is read once.
    let inherit =
        r#"ALTER TABLE "GRJFMX_1999" INHERIT "GRJFMX_1998"; ALTER TABLE "GRJFMX_2000" INHERIT "GRJFMX_1998""#;
    runtime().block_on(cluster.run("city", inherit));
    let mut settings = run_settings(&database, &dir.path().join("postgres"), 2);
    settings.sources = vec![cluster.settings("city", 5_000)];
    let found = ran(&settings);
    assert_eq!(contents(&found), contents(&expected));
    assert_eq!(found.findings, expected.findings);
    assert_eq!(found.read_errors, expected.read_errors);
    assert_eq!((found.unexplained_rows, found.unexplained_fen), (0, 0));
    assert_eq!(found.extracts[0].consistency, "exported snapshot");
    // A parent of which it reads a part and not the rest: both are named, and nothing is read.
    let other = r#"CREATE TABLE "JF_OTHER" () INHERITS ("GRJFMX_1998")"#;
    runtime().block_on(cluster.run("city", other));
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let refused = qianyi::pipeline::run(&settings, &progress).unwrap_err().to_string();
    assert!(refused.contains("GRJFMX_1998") && refused.contains("GRJFMX_1999"), "{refused}");
}

#[test]
fn one_reader_of_one_long_range_goes_on_while_the_server_is_asked_how_it_is() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("long", "UTF8"));
    threads.block_on(cluster.run(
        "long",
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT n FROM generate_series(1, 120000) n; ANALYZE",
    ));
    let mut settings = cluster.settings("long", 1_000_000);
    // It takes more than the five seconds after which the server is asked, with most of the range still to come.
    (settings.limits.connections, settings.limits.rows_per_second) = (1, Some(16_000));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let work = tempfile::tempdir().unwrap();
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        tell.send(done.tables[0].rows).unwrap();
    });
    assert_eq!(told.recv_timeout(std::time::Duration::from_secs(60)), Ok(120_000));
}

#[test]
fn keys_of_any_kind_are_cut_into_ranges_that_hold_every_row_once() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("keys", "SQL_ASCII"));
    threads.block_on(cluster.run(
        "keys",
        "CREATE TABLE i (id int PRIMARY KEY, x text); INSERT INTO i SELECT n * n, 'v' || n FROM generate_series(1, 20000) n;
         CREATE TABLE s (k char(10) PRIMARY KEY, x int); INSERT INTO s SELECT lpad((n * 7919 % 100003)::text, 10, '0'), n FROM generate_series(1, 20000) n;
         CREATE TABLE c (a char(4), b varchar(7), x int, PRIMARY KEY (a, b)); INSERT INTO c SELECT (n % 40)::text, 'p' || n, n FROM generate_series(1, 20000) n;
         CREATE TABLE n (a int, b int); INSERT INTO n SELECT n, n FROM generate_series(1, 20000) n;
         CREATE TABLE e (id int PRIMARY KEY); ANALYZE",
    ));
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &cluster.settings("keys", 500), &["i", "s", "c", "n", "e"]).unwrap();
    for table in &done.tables {
        let expected = if table.table == "e" { 0 } else { 20_000 };
        assert_eq!(table.rows, expected, "{}", table.table);
        let mut found = rows(work.path(), &table.table);
        found.dedup();
        assert_eq!(found.len() as u64, expected, "{}", table.table);
        let ranged = ["i", "s", "c"].contains(&table.table.as_str());
        assert_eq!(table.parts.len() > 10, ranged, "{}: {} parts", table.table, table.parts.len());
    }
    // Whoever cannot sample reads one range, and cuts it while it streams.
    threads.block_on(cluster.run("keys", "UPDATE pg_class SET reltuples = -1 WHERE relname = 'i'"));
    let work = tempfile::tempdir().unwrap();
    let done = extracted(work.path(), &cluster.settings("keys", 500), &["i"]).unwrap();
    assert!(done.tables[0].rows == 20_000 && done.tables[0].parts.len() >= 2);
}

#[test]
fn a_server_that_restarts_in_the_middle_is_read_on() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("city", "UTF8"));
    threads.block_on(cluster.run(
        "city",
        "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 200000) n; ANALYZE",
    ));
    let settings = cluster.settings("city", 2_000);
    let source = threads.block_on(connect(&settings)).unwrap();
    let point = threads.block_on(source.point()).unwrap();
    let tables = threads.block_on(source.catalogue()).unwrap();
    let ranges = threads.block_on(source.chunks(&tables[0])).unwrap();
    let mut found = 0;
    for (n, range) in ranges.iter().enumerate() {
        if n == ranges.len() / 2 {
            cluster.down();
            let lost = threads.block_on(source.read_chunk(&tables[0], range)).err().unwrap();
            assert!(qianyi::retry::Transient::is_transient(&lost), "{lost:?}");
            cluster.up();
        }
        let stream = threads.block_on(source.read_chunk(&tables[0], range)).unwrap();
        found += stream.map(|b| b.unwrap().num_rows()).sum::<usize>();
    }
    assert_eq!((found, threads.block_on(source.point()).unwrap()), (200_000, point));
    // If people went on working meanwhile, the old point is gone, and nobody pretends otherwise.
    threads.block_on(cluster.run("city", "INSERT INTO t VALUES (-1, '')"));
    cluster.down();
    cluster.up();
    let moved = loop {
        match threads.block_on(source.count(&tables[0])) {
            Ok(n) => panic!("counted {n} at another point"),
            Err(e) if qianyi::retry::Transient::is_transient(&e) => {}
            Err(e) => break e,
        }
    };
    assert!(matches!(moved, SourceError::Moved { .. }), "{moved:?}");
}

#[test]
fn killed_at_a_hundred_points_a_parallel_extract_ends_with_the_same_content() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 3);
    let cluster = Cluster::start();
    runtime().block_on(cluster.database("city", "SQL_ASCII"));
    copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    let config = dir.path().join("city.toml");
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\nchunk_rows = 100\n[sources.server]\nhost = \"{}\"\ndatabase = \"city\"\nuser = \"founder\"\ntls = \"off\"\n[sources.limits]\nconnections = 3\n",
        folder("baicheng").parent().unwrap().display(),
        cluster.socket().display()
    );
    std::fs::write(&config, text).unwrap();
    let start = |workdir: &Path, failpoint: Option<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        command.args(["extract", "--quiet", "--config"]).arg(&config).arg("--workdir").arg(workdir);
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        if let Some(failpoint) = failpoint {
            command.env("QIANYI_FAILPOINT", failpoint);
        }
        command.output().unwrap()
    };
    let whole = dir.path().join("whole");
    let first = start(&whole, None);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let state = State::open_readonly(&whole).unwrap();
    let tables: Vec<String> = raw::current(&state, "ylbx").unwrap().tables.into_keys().collect();
    let torn = dir.path().join("torn");
    let mut killed = 0;
    // Each start gets a little further than the one before, or is killed at once; the last one comes through.
    for n in 0..100_u64 {
        let output = start(&torn, Some(format!("*:{}", 1 + n * n % 37)));
        if output.status.success() {
            // It came through before the point was reached: once more from the beginning.
            std::fs::remove_dir_all(&torn).unwrap();
        } else {
            assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
            killed += 1;
        }
    }
    assert!(killed >= 90, "{killed}");
    let last = start(&torn, None);
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    for table in &tables {
        assert_eq!(rows(&torn, table), rows(&whole, table), "{table}");
    }
}
