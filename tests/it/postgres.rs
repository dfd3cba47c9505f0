//! PostgreSQL as a source: the same city gives the same staged rows as from SQLite.

use qianyi::fixture::copy_to_postgres;
use qianyi::trail::Summary;

use crate::support::demo::{city, ran, run_settings};
use crate::support::pg::Cluster;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What must be equal whatever the source.
fn contents(summary: &Summary) -> Vec<(String, u64, u64, String)> {
    let row = |t: &qianyi::trail::TableRow| (t.table.clone(), t.mapped, t.accepted, t.content_digest.clone());
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
    let mut settings = run_settings(&database, &dir.path().join("postgres"), 2);
    settings.sources = vec![cluster.settings("city", 5_000)];
    let found = ran(&settings);
    assert_eq!(contents(&found), contents(&expected));
    assert_eq!(found.findings, expected.findings);
    assert_eq!(found.notes, expected.notes);
    assert_eq!((found.unexplained_rows, found.unexplained_fen), (0, 0));
    assert_eq!(found.extracts[0].consistency, "exported snapshot");
}
