//! Amounts beyond 64 bits, one wild value, and numbers written as text in a column of decimals: a run over each database goes through,
//! every sum is compared, and what cannot be read is a finding of its row.

use std::path::Path;

use qianyi::artifacts::{Reconciliation, Summary};
use qianyi::fixture::{copy_to_postgres, copy_to_sqlserver};
use qianyi::pipeline::{RunSettings, finished};
use qianyi::source::SourceSettings;
use rusqlite::Connection;

use crate::support::demo::{city, ran, run_settings};
use crate::support::extracts::runtime;
use crate::support::legacy::settings;
use crate::support::mssql::Mssql;
use crate::support::pg::Cluster;

/// A city whose balances have ten digits after the point: normal ones, some that add up beyond 64 bits, one that is wild.
fn wild_city(dir: &Path) -> std::path::PathBuf {
    let database = city(dir, 60, 5);
    let db = Connection::open(&database).unwrap();
    let declared = "UPDATE sqlite_master SET sql = replace(sql, 'YE numeric(12,2)', 'YE numeric(38,10)') WHERE name = 'GRZH'";
    db.execute_batch(&format!("PRAGMA writable_schema = ON; {declared}; PRAGMA writable_schema = RESET"))
        .unwrap();
    let large =
        "UPDATE GRZH SET YE = 400000000 WHERE rowid IN (SELECT rowid FROM GRZH ORDER BY rowid LIMIT 5)";
    let wild = "UPDATE GRZH SET YE = 1e20 WHERE rowid = (SELECT MAX(rowid) FROM GRZH)";
    db.execute_batch(&format!("{large}; {wild}")).unwrap();
    database
}

fn run_over(source: SourceSettings, database: &Path, workdir: &Path) -> (Summary, Reconciliation) {
    let of = RunSettings { sources: vec![source], ..run_settings(database, workdir, 2) };
    let summary = ran(&of);
    assert_eq!((summary.unexplained_rows, summary.unexplained_fen), (0, 0));
    (summary, finished(workdir, None).unwrap().reconciliation)
}

fn left(of: &Reconciliation, table: &str, measure: &str) -> i128 {
    let mut lines = of.boundaries.iter().flat_map(|b| &b.lines);
    lines
        .find(|l| l.table == table && l.measure == measure)
        .unwrap_or_else(|| panic!("{table} {measure}"))
        .left
}

#[test]
fn amounts_beyond_64_bits_and_one_wild_value_end_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let database = wild_city(&dir.path().join("city"));
    let cluster = Cluster::start();
    runtime().block_on(cluster.database("city", "SQL_ASCII"));
    copy_to_postgres(&database, &cluster.url("city"), &mut |_| {}).unwrap();
    let server = Mssql::start();
    copy_to_sqlserver(&database, &server.ado(), &mut |_| {}).unwrap();
    let sources = [
        ("sqlite", settings(&database, 20_000)),
        ("postgres", cluster.settings("city", 5_000)),
        ("sqlserver", server.settings(5_000)),
    ];
    for (name, source) in sources {
        let (summary, reconciled) = run_over(source, &database, &dir.path().join(name));
        let sum = left(&reconciled, "ylbx.GRZH", "e10:YE");
        assert!(sum > 10_i128.pow(30) + 2_000_000_000 * 10_i128.pow(10), "{name}: {sum}");
        let read = |n: &&qianyi::artifacts::ReadErrorRow| n.table == "ylbx.GRZH" && n.column == "YE";
        let read_errors: Vec<_> =
            summary.read_errors.iter().filter(read).map(|n| (n.code.as_str(), n.rows)).collect();
        assert_eq!(read_errors, [("money", 1)], "{name}");
        let found = |f: &&qianyi::artifacts::FindingRow| f.table == "AC50" && f.rule == "STR-01";
        assert_eq!(
            summary.findings.iter().filter(found).map(|f| f.rows).sum::<u64>(),
            1,
            "{name}: {:?}",
            summary.findings
        );
    }
}

#[test]
fn a_number_written_as_text_in_a_column_of_decimals_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(&dir.path().join("city"), 60, 5);
    let run = |name: &str| run_over(settings(&database, 20_000), &database, &dir.path().join(name));
    let (_, before) = run("before");
    let db = Connection::open(&database).unwrap();
    let old: f64 = db.query_row("SELECT YE FROM GRZH ORDER BY rowid LIMIT 1", [], |r| r.get(0)).unwrap();
    let first = "WHERE rowid = (SELECT MIN(rowid) FROM GRZH)";
    db.execute_batch(&format!("UPDATE GRZH SET YE = '1,234,567.50' {first}")).unwrap();
    drop(db);
    let (summary, after) = run("after");
    assert!(
        !summary.read_errors.iter().any(|n| n.table == "ylbx.GRZH" && n.column == "YE"),
        "{:?}",
        summary.read_errors
    );
    // The source's own sum leaves it out; what arrives holds it.
    let fen = |yuan: f64| format!("{:.0}", yuan * 100.0).parse::<i128>().unwrap();
    assert_eq!(left(&after, "ylbx.GRZH", "left_out:YE"), 1);
    assert_eq!(left(&before, "ylbx.GRZH", "fen:YE") - left(&after, "ylbx.GRZH", "fen:YE"), fen(old));
    let arrived = |of: &Reconciliation| {
        let boundary = of.boundaries.iter().find(|b| b.boundary == "raw-mapped").unwrap();
        boundary.lines.iter().find(|l| l.table == "ylbx.GRZH" && l.measure == "fen:YE").unwrap().right
    };
    assert_eq!(arrived(&after) - arrived(&before), 123_456_750 - fen(old));
}
