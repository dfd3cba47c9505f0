//! Raw base and changes: whatever happens to a table, what they come to is what a fresh extract reads; what cannot be followed is refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use qianyi::error::{Consequence, RetryClass};
use qianyi::failpoint;
use qianyi::pipeline::extract::{ExtractError, Origin};
use qianyi::source::{ChangeMethod, SourceError, SourceSettings};
use qianyi::state::{Changed, ExtractStatus, State};

use crate::support::copy_folder;
use crate::support::extracts::{
    Attempt, When, extracted, follow, nothing_stray, reading, rows, rows_of, runtime, thousand, truth,
};
use crate::support::legacy::Legacy;
use crate::support::pg::Cluster;

/// What somebody does to a table whose key are two numbers below ten.
#[derive(Debug, Clone)]
pub enum Deed {
    Insert(u8, u8),
    Update(u8, u8),
    Delete(u8, u8),
    DeleteAll(u8),
    /// Another key for the same row.
    Move((u8, u8), (u8, u8)),
    /// Deleted and inserted again.
    Replace(u8, u8),
    /// Its stamp is emptied, or one of the future.
    Stamp(u8, u8, bool),
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = || (0_u8..10, 0_u8..10);
    prop_oneof![
        4 => key().prop_map(|(a, b)| Deed::Insert(a, b)),
        4 => key().prop_map(|(a, b)| Deed::Update(a, b)),
        3 => key().prop_map(|(a, b)| Deed::Delete(a, b)),
        1 => (0_u8..10).prop_map(Deed::DeleteAll),
        3 => (key(), key()).prop_map(|(from, to)| Deed::Move(from, to)),
        2 => key().prop_map(|(a, b)| Deed::Replace(a, b)),
        1 => (key(), any::<bool>()).prop_map(|((a, b), future)| Deed::Stamp(a, b, future)),
    ]
}

/// Rounds of deeds; an extract follows each.
fn rounds() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    prop::collection::vec(prop::collection::vec(deed(), 0..12), 1..5)
}

/// A deed in SQL: the key's columns `a` and `b`, a value `x`, a stamp `at` that `now` sets.
fn sql(deed: &Deed, now: &str, b: impl Fn(u8) -> String) -> String {
    let is = |k: u8, l: u8| format!("a = {k} AND b = {}", b(l));
    let insert =
        |k: u8, l: u8| format!("INSERT INTO t VALUES ({k}, {}, 'new', {now}) ON CONFLICT DO NOTHING;", b(l));
    match deed {
        Deed::Insert(k, l) => insert(*k, *l),
        Deed::Update(k, l) => format!("UPDATE t SET x = x || '!', at = {now} WHERE {};", is(*k, *l)),
        Deed::Delete(k, l) => format!("DELETE FROM t WHERE {};", is(*k, *l)),
        Deed::DeleteAll(k) => format!("DELETE FROM t WHERE a = {k};"),
        Deed::Move((k, l), (m, n)) => format!(
            "UPDATE t SET a = {m}, b = {}, at = {now} WHERE {} AND NOT EXISTS (SELECT 1 FROM t WHERE {});",
            b(*n),
            is(*k, *l),
            is(*m, *n)
        ),
        Deed::Replace(k, l) => format!("DELETE FROM t WHERE {}; {}", is(*k, *l), insert(*k, *l)),
        Deed::Stamp(k, l, future) => {
            let stamp = if *future { "'9999-12-31 00:00:00'" } else { "NULL" };
            format!("UPDATE t SET at = {stamp}, x = x || '?' WHERE {};", is(*k, *l))
        }
    }
}

pub fn run_cases(cases: u32, check: impl Fn(Vec<Vec<Deed>>)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&rounds(), |rounds| {
            check(rounds);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn any_changes_followed_by_any_method_come_to_what_a_fresh_extract_of_postgres_reads() {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("grow", "UTF8"));
    let plain = cluster.settings("grow", 10);
    let methods = [
        follow(&plain, "t", ChangeMethod::Rowversion, None),
        follow(&plain, "t", ChangeMethod::Timestamp, Some("at")),
        follow(&plain, "t", ChangeMethod::Compare, None),
    ];
    run_cases(10, |rounds| {
        threads.block_on(cluster.run(
            "grow",
            "DROP TABLE IF EXISTS t; CREATE TABLE t (a int, b varchar(9), x text, at timestamp, PRIMARY KEY (a, b));
             INSERT INTO t SELECT n / 10, 'p' || n % 10, 'old', '2001-01-01' FROM generate_series(0, 99) n WHERE n % 3 > 0; ANALYZE t",
        ));
        let works: Vec<_> = methods.iter().map(|_| tempfile::tempdir().unwrap()).collect();
        for (method, work) in methods.iter().zip(&works) {
            extracted(work.path(), method, &["t"]).unwrap();
        }
        for round in rounds {
            let text: String =
                round.iter().map(|d| sql(d, "clock_timestamp()", |n| format!("'p{n}'"))).collect();
            threads.block_on(cluster.run("grow", &text));
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
fn any_changes_compared_come_to_what_a_fresh_extract_of_sqlite_reads() {
    // Keys of code-page text, some of which does not decode.
    let key = |n: u8| if n < 5 { format!("x'B0D{n}'") } else { format!("x'AAA{n}'") };
    run_cases(12, |rounds| {
        let legacy = Legacy::new(
            "CREATE TABLE t (a int NOT NULL, b char(4) NOT NULL, x nvarchar(20), at datetime, PRIMARY KEY (a, b))",
        );
        for n in (0..100).filter(|n| n % 3 > 0) {
            legacy.change(&sql(&Deed::Insert(n / 10, n % 10), "'2001-01-01 00:00:00'", key));
        }
        let work = tempfile::tempdir().unwrap();
        let plain = legacy.settings(10);
        let compared = follow(&plain, "t", ChangeMethod::Compare, None);
        extracted(work.path(), &compared, &["t"]).unwrap();
        for round in rounds {
            let text: String = round.iter().map(|d| sql(d, "'2009-03-01 08:30:00'", key)).collect();
            legacy.change(&text);
            extracted(work.path(), &compared, &["t"]).unwrap();
            assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
            nothing_stray(work.path());
        }
    });
}

#[test]
fn an_increment_reads_what_changed_and_keeps_tombstones_and_the_untouched_parts_of_its_base() {
    let (cluster, threads, plain) = thousand();
    for (method, column) in [(ChangeMethod::Rowversion, None), (ChangeMethod::Timestamp, Some("at"))] {
        let work = tempfile::tempdir().unwrap();
        let settings = follow(&plain, "t", method, column);
        let first = extracted(work.path(), &settings, &["t"]).unwrap();
        threads.block_on(cluster.run(
            "grow",
            "UPDATE t SET x = 'w', at = clock_timestamp() WHERE id = 500; DELETE FROM t WHERE id IN (7, 8);
             INSERT INTO t VALUES (7, 'again', clock_timestamp(), NULL)",
        ));
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!(done.rows_read, 2, "{method:?}");
        let reading = reading(work.path(), done.id, "t");
        assert_eq!(reading.base, Some(first.id));
        assert_eq!(reading.changed, Some(Changed { inserted: 0, updated: 2, deleted: 1 }));
        assert_eq!(rows_of(&[reading.deletes.unwrap()]), ["8"]);
        let old = first.tables[0].parts.iter().filter(|p| done.tables[0].parts.contains(p)).count();
        assert!(old + 2 >= first.tables[0].parts.len(), "{old} of {}", first.tables[0].parts.len());
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
        nothing_stray(work.path());
        threads.block_on(cluster.run("grow", "INSERT INTO t VALUES (8, 'v')"));
    }
}

#[test]
fn a_stamp_of_the_future_or_none_hides_no_change() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Timestamp, Some("at"));
    threads.block_on(
        cluster
            .run("grow", "UPDATE t SET at = '9999-12-31' WHERE id = 1; UPDATE t SET at = NULL WHERE id = 2; UPDATE t SET at = clock_timestamp() WHERE id = 6"),
    );
    extracted(work.path(), &settings, &["t"]).unwrap();
    threads.block_on(cluster.run(
        "grow",
        "UPDATE t SET x = 'changed', at = clock_timestamp() WHERE id = 3; UPDATE t SET x = 'changed' WHERE id = 2",
    ));
    let done = extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(
        done.rows_read, 4,
        "the changed one, that of the watermark, and the two that may have changed at any time"
    );
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    // A column of days: whatever else happens on the day of the watermark is read.
    threads.block_on(cluster.run("grow", "ALTER TABLE t ADD day date; UPDATE t SET day = '2001-01-01'"));
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Timestamp, Some("day"));
    threads.block_on(cluster.run("grow", "UPDATE t SET day = current_date WHERE id = 4"));
    extracted(work.path(), &settings, &["t"]).unwrap();
    threads.block_on(cluster.run("grow", "UPDATE t SET x = 'day', day = current_date WHERE id = 5"));
    assert_eq!(extracted(work.path(), &settings, &["t"]).unwrap().rows_read, 2);
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
}

#[test]
fn a_watermark_of_another_column_or_method_is_not_gone_on_with() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &follow(&plain, "t", ChangeMethod::Timestamp, Some("at")), &["t"]).unwrap();
    let ways = [
        (ChangeMethod::Timestamp, Some("other")),
        (ChangeMethod::Rowversion, None),
        (ChangeMethod::Full, None),
        (ChangeMethod::Timestamp, Some("at")),
    ];
    for (n, (method, column)) in ways.into_iter().enumerate() {
        threads.block_on(cluster.run("grow", &format!("UPDATE t SET x = 'unstamped {n}' WHERE id = 3")));
        let done = extracted(work.path(), &follow(&plain, "t", method, column), &["t"]).unwrap();
        assert_eq!(done.rows_read, 1000, "{method:?} {column:?}");
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    }
}

#[test]
fn a_history_that_the_server_does_not_have_is_refused_with_the_way_out() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Rowversion, None);
    let first = extracted(work.path(), &settings, &["t"]).unwrap();
    let mark = reading(work.path(), first.id, "t").watermark.unwrap();
    let (number, cluster_of) = mark.split_once(" of ").unwrap();
    let started = cluster_of.split_once(" running since ").unwrap().1;
    let others = [
        // Restored into another cluster, whose transactions have other numbers.
        format!("{number} of cluster 1/1 database 5 running since {started}"),
        // More of them ago than a row can tell.
        format!("-{} of {cluster_of}", 1_u64 << 31),
        // Set back to before the last extract.
        format!("{} of {cluster_of}", 1_u64 << 40),
    ];
    for (n, other) in others.into_iter().enumerate() {
        let db = rusqlite::Connection::open(work.path().join("state.db")).unwrap();
        db.execute("UPDATE reading SET watermark = ?1", [&other]).unwrap();
        drop(db);
        threads.block_on(cluster.run("grow", &format!("UPDATE t SET x = 'w{n}' WHERE id = 1")));
        let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Expired { .. })), "{refused}");
        assert_eq!(refused.retry_class(), RetryClass::Usage);
        let help = miette::Diagnostic::help(&refused).unwrap().to_string();
        assert!(help.contains("--full t"), "{help}");
        Attempt { full_refresh: &["t"], ..Attempt::of(work.path(), &settings, &["t"]) }.make().unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    }
}

#[test]
fn a_copy_that_was_put_back_and_has_overtaken_the_watermark_is_read_in_full() {
    for (method, column) in [(ChangeMethod::Rowversion, None), (ChangeMethod::Timestamp, Some("at"))] {
        let (cluster, threads, plain) = thousand();
        let settings = follow(&plain, "t", method, column);
        let work = tempfile::tempdir().unwrap();
        cluster.copy_files();
        threads.block_on(cluster.run("grow", "UPDATE t SET x = 'lost', at = clock_timestamp() WHERE id = 1"));
        extracted(work.path(), &settings, &["t"]).unwrap();
        cluster.put_back();
        let more: String = (0..50)
            .map(|n| {
                format!("UPDATE t SET x = '{n}', at = clock_timestamp() WHERE id = {}; COMMIT; BEGIN;", n + 2)
            })
            .collect();
        threads.block_on(cluster.run("grow", &format!("BEGIN; {more} COMMIT")));
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "{method:?}");
        assert_eq!((done.rows_read, reading(work.path(), done.id, "t").base), (1000, None), "{method:?}");
        nothing_stray(work.path());
        // And its changes are followed from there.
        threads.block_on(cluster.run("grow", "UPDATE t SET x = 'w', at = clock_timestamp() WHERE id = 3"));
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert!(reading(work.path(), done.id, "t").base.is_some(), "{method:?}");
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "{method:?}");
    }
}

#[test]
fn numbers_of_transactions_may_wrap_around_between_extracts() {
    let (cluster, threads, plain) = thousand();
    // The server is brought close to where its 32-bit numbers begin again.
    threads.block_on(cluster.run("grow", "VACUUM FREEZE"));
    cluster.set_next_transaction(4_294_967_200);
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Rowversion, None);
    extracted(work.path(), &settings, &["t"]).unwrap();
    for round in 0..3 {
        let many: String = (0..70)
            .map(|n| format!("UPDATE t SET x = '{round}' WHERE id = {};", n + round * 70 + 1))
            .collect();
        let each = many.replace(';', "; COMMIT; BEGIN;");
        threads.block_on(
            cluster.run("grow", &format!("BEGIN; {each} COMMIT; DELETE FROM t WHERE id = 900 + {round}")),
        );
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert!(done.rows_read >= 70 && done.rows_read < 200, "{}", done.rows_read);
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "round {round}");
    }
    threads.block_on(async {
        let row = cluster.client("grow").await.query_one("SELECT txid_current() >> 32", &[]).await.unwrap();
        assert!(row.get::<_, i64>(0) > 0, "they did wrap around");
    });
}

#[test]
fn many_small_parts_of_a_view_are_rewritten_into_few() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let fine =
        follow(&SourceSettings { chunk_rows: 10, ..plain.clone() }, "t", ChangeMethod::Rowversion, None);
    let first = extracted(work.path(), &fine, &["t"]).unwrap();
    assert!(first.tables[0].parts.len() > 70, "{}", first.tables[0].parts.len());
    threads
        .block_on(cluster.run("grow", "UPDATE t SET x = 'w' WHERE id % 400 = 0; DELETE FROM t WHERE id = 3"));
    let coarse =
        follow(&SourceSettings { chunk_rows: 100_000, ..plain.clone() }, "t", ChangeMethod::Rowversion, None);
    let second = extracted(work.path(), &coarse, &["t"]).unwrap();
    assert_eq!((second.rows_read, second.tables[0].parts.len()), (2, 1));
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    nothing_stray(work.path());
    threads.block_on(cluster.run("grow", "UPDATE t SET x = 'z' WHERE id = 4"));
    extracted(work.path(), &coarse, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
}

#[test]
fn parts_of_a_base_that_somebody_deleted_are_never_built_upon() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Rowversion, None);
    let change = |x: &str| {
        let sql = format!(
            "UPDATE t SET x = '{x}' WHERE id = 500; DELETE FROM t WHERE x = 'v' AND id IN (SELECT min(id) FROM t)"
        );
        threads.block_on(cluster.run("grow", &sql));
    };
    let first = extracted(work.path(), &settings, &["t"]).unwrap();
    change("a");
    let second = extracted(work.path(), &settings, &["t"]).unwrap();
    // At the same point: the view lost a part that the base wrote, and is made again.
    let lost = first.tables[0].parts.iter().find(|p| second.tables[0].parts.contains(p)).unwrap();
    std::fs::remove_file(&lost.path).unwrap();
    let again = extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(
        (again.id, again.rows_read),
        (second.id, 999),
        "nothing is left to build upon: all of it is read"
    );
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    // At another point: the newest base lost a part.
    std::fs::remove_file(&again.tables[0].parts[1].path).unwrap();
    change("b");
    let third = extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!((third.id == second.id, third.rows_read), (false, 998));
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    change("c");
    assert_eq!(
        extracted(work.path(), &settings, &["t"]).unwrap().rows_read,
        1,
        "the next ones build on that"
    );
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
}

#[test]
fn an_extract_that_was_stopped_while_people_go_on_working_is_brought_to_one_new_point() {
    let (cluster, threads, plain) = thousand();
    threads.block_on(cluster.run(
        "grow",
        "INSERT INTO t SELECT n, repeat('x', 400), '2001-01-01' FROM generate_series(1001, 60000) n;
         CREATE TABLE u (id int PRIMARY KEY, x int); INSERT INTO u SELECT n, n FROM generate_series(1, 500) n; ANALYZE",
    ));
    let settings = SourceSettings { chunk_rows: 5000, ..follow(&plain, "t", ChangeMethod::Rowversion, None) };
    let work = tempfile::tempdir().unwrap();
    let attempt = Attempt::of(work.path(), &settings, &["t", "u"]);
    let stop = attempt.stop.clone();
    let hook = When::rows(20_000, move || stop.ask());
    let stopped = Attempt { progress: hook, ..attempt }.make().unwrap_err();
    assert!(matches!(stopped, ExtractError::Stopped), "{stopped}");
    // Nobody did anything: it goes on where it was, and what is there is not read again.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(work.path(), copy.path());
    let on = extracted(copy.path(), &settings, &["t", "u"]).unwrap();
    assert!(on.origin == Origin::Resumed && on.rows_read < 45_000, "{:?} {}", on.origin, on.rows_read);
    assert_eq!(rows(copy.path(), "t"), truth(&plain, "t"));
    // Keys move from what was read to what was not, and back.
    threads.block_on(cluster.run(
        "grow",
        "UPDATE t SET id = id + 100000 WHERE id <= 50; UPDATE t SET id = id - 59990 WHERE id > 59990 AND id <= 60000;
         DELETE FROM t WHERE id BETWEEN 100 AND 200 OR id BETWEEN 50000 AND 50010; UPDATE u SET x = 0 WHERE id = 3",
    ));
    let done = extracted(work.path(), &settings, &["t", "u"]).unwrap();
    let state = State::open_readonly(work.path()).unwrap();
    let statuses: Vec<_> = state.extracts("ylbx").unwrap().into_iter().map(|e| e.status).collect();
    assert_eq!(statuses, [ExtractStatus::Mixed, ExtractStatus::Complete]);
    let base = reading(work.path(), done.id, "t").base.map(|id| id.to_string());
    assert_eq!(base.as_deref(), Some("e0001"));
    for table in ["t", "u"] {
        assert_eq!(rows(work.path(), table), truth(&plain, table), "{table}");
    }
    nothing_stray(work.path());
}

/// Runs [`follow_in_a_child`] in a process of its own; true when it came through.
fn child(settings: &SourceSettings, workdir: &Path, failpoint: &str) -> bool {
    let how = &settings.tables["t"];
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "changes::follow_in_a_child", "--ignored"])
        .env("QIANYI_TEST_SOURCE", &settings.server.as_ref().unwrap().host)
        .env("QIANYI_TEST_METHOD", how.changes.text())
        .env("QIANYI_TEST_WORKDIR", workdir)
        .env("QIANYI_FAILPOINT", failpoint)
        .output()
        .unwrap()
        .status
        .success()
}

/// Not a test of its own: what [`child`] runs.
#[test]
#[ignore = "run by other tests, in a process that may die"]
fn follow_in_a_child() {
    let get = |name: &str| std::env::var(name).ok();
    let (Some(socket), Some(method), Some(work)) =
        (get("QIANYI_TEST_SOURCE"), get("QIANYI_TEST_METHOD"), get("QIANYI_TEST_WORKDIR"))
    else {
        return;
    };
    let method = ChangeMethod::ALL.iter().find(|m| m.text() == method).unwrap();
    let settings = Cluster::settings_at(Path::new(&socket), "grow", 100);
    extracted(Path::new(&work), &follow(&settings, "t", *method, None), &["t"]).unwrap();
}

#[test]
fn killed_anywhere_in_an_increment_the_next_start_comes_to_the_same() {
    let (cluster, threads, plain) = thousand();
    let mut hit = BTreeSet::new();
    for method in [ChangeMethod::Rowversion, ChangeMethod::Compare] {
        let settings = follow(&plain, "t", method, None);
        let base = tempfile::tempdir().unwrap();
        extracted(base.path(), &settings, &["t"]).unwrap();
        threads.block_on(cluster.run(
            "grow",
            "UPDATE t SET x = x || 'w' WHERE id IN (500, 800); DELETE FROM t WHERE id = (SELECT min(id) FROM t);
             INSERT INTO t SELECT max(id) + 1, 'n' FROM t",
        ));
        let expected = truth(&plain, "t");
        // Of compare's many chunks the first ones stand for all.
        let most = if method == ChangeMethod::Compare { 3 } else { usize::MAX };
        let elsewhere = ["run.", "rehearse.", "audit.", "prune.", "compact."];
        for name in failpoint::ALL.iter().filter(|n| !elsewhere.iter().any(|e| n.starts_with(e))) {
            for nth in (1..).take(most) {
                let work = tempfile::tempdir().unwrap();
                copy_folder(base.path(), work.path());
                let through = child(&settings, work.path(), &format!("{name}:{nth}"));
                extracted(work.path(), &settings, &["t"]).unwrap();
                assert_eq!(rows(work.path(), "t"), expected, "{method:?} {name}:{nth}");
                nothing_stray(work.path());
                if through {
                    break;
                }
                hit.insert(*name);
            }
        }
    }
    assert!(hit.contains("extract.merged") && hit.contains("extract.planned"), "{hit:?}");
}
