//! Base and increments made into one new base: the same rows in the same order, killed anywhere and made again, pruned behind it, run over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::Diagnostic;
use qianyi::clock;
use qianyi::failpoint;
use qianyi::pipeline::extract::Origin;
use qianyi::pipeline::{Compacted, Keep, KeepSettings, RunError, RunSettings, compact, prune, verify};
use qianyi::progress::Silent;
use qianyi::raw;
use qianyi::source::{ChangeMethod, SourceSettings, TableSettings};
use qianyi::state::{ExtractStatus, State};

use crate::support::demo::{city, ran, run_settings};
use crate::support::extracts::{extracted, follow, nothing_stray, reading, rows, rows_of, thousand, truth};
use crate::support::pg::Cluster;
use crate::support::{copy_folder, parquet_under};

fn compacted(work: &Path, settings: &SourceSettings) -> Result<Compacted, RunError> {
    Ok(compact(work, std::slice::from_ref(settings), &Silent)?.remove(0))
}

/// The parts of the current view of `t`, and their rows in order.
fn view(work: &Path) -> (Vec<PathBuf>, (u64, u128)) {
    let state = State::open_readonly(work).unwrap();
    let parts = raw::current(&state, "ylbx").unwrap().tables["t"].parts.clone();
    (parts.iter().map(|p| p.path.clone()).collect(), raw::content(&parts).unwrap())
}

fn statuses(work: &Path) -> Vec<ExtractStatus> {
    State::open_readonly(work).unwrap().extracts("ylbx").unwrap().iter().map(|e| e.status).collect()
}

fn sound(work: &Path) {
    let found = verify(work, &Silent).unwrap();
    assert!(found.is_sound(), "{found:?}");
}

/// A thousand rows in parts of a hundred, and two nights in which some changed, vanished and came.
fn two_nights() -> (Cluster, tokio::runtime::Runtime, SourceSettings, tempfile::TempDir) {
    let (cluster, threads, plain) = thousand();
    let settings = follow(&plain, "t", ChangeMethod::Rowversion, None);
    let work = tempfile::tempdir().unwrap();
    extracted(work.path(), &settings, &["t"]).unwrap();
    for night in ["a", "b"] {
        let sql = format!(
            "UPDATE t SET x = '{night}' WHERE id IN (150, 500); DELETE FROM t WHERE id BETWEEN 310 AND 380;
             DELETE FROM t WHERE id = (SELECT min(id) FROM t); INSERT INTO t SELECT max(id) + 1, '{night}' FROM t"
        );
        threads.block_on(cluster.run("grow", &sql));
        extracted(work.path(), &settings, &["t"]).unwrap();
    }
    (cluster, threads, settings, work)
}

#[test]
fn base_and_increments_become_one_base_that_the_next_night_builds_upon_and_prune_clears_behind() {
    let (cluster, threads, settings, work) = two_nights();
    let work = work.path();
    let (scattered, content) = view(work);
    assert!(scattered.iter().any(|p| p.to_string_lossy().contains("/e0001/")), "{scattered:?}");
    let done = compacted(work, &settings).unwrap();
    assert_eq!((done.extract.as_str(), done.base.as_deref()), ("e0003", Some("e0004")));
    assert_eq!((done.rows, done.parts_before), (content.0, scattered.len() as u64));
    assert!(done.parts_after < done.parts_before, "{done:?}");
    let (own, same) = view(work);
    assert!(own.iter().all(|p| p.to_string_lossy().contains("/t/e0004/c")), "{own:?}");
    assert_eq!((same, own.len() as u64), (content, done.parts_after));
    sound(work);
    nothing_stray(work);
    // It shows the point of the extract that it holds again, and began when that did.
    {
        let state = State::open_readonly(work).unwrap();
        let all = state.extracts("ylbx").unwrap();
        let [.., before, base] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((&base.of, &base.started, &base.asked), (&before.of, &before.started, &before.asked));
    }

    // A second time there is nothing to do.
    let again = compacted(work, &settings).unwrap();
    assert_eq!((again.extract.as_str(), again.base, again.parts_after), ("e0004", None, done.parts_after));
    assert_eq!(statuses(work).len(), 4);

    // The older ones go by the policy, and the base stands alone.
    let one = KeepSettings { extracts: Keep { number: Some(1), days: None }, ..KeepSettings::default() };
    let gone = prune(work, &one, true, clock::instant()).unwrap();
    let gone: Vec<&str> = gone.removes.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(gone, ["e0003", "e0002", "e0001"]);
    assert!(parquet_under(&work.join("raw/ylbx/t")).iter().all(|p| p.to_string_lossy().contains("/e0004/")));
    assert_eq!(view(work).1, content);
    sound(work);

    // The next night reads what changed, over it.
    threads.block_on(cluster.run("grow", "UPDATE t SET x = 'c' WHERE id = 700"));
    let next = extracted(work, &settings, &["t"]).unwrap();
    assert_eq!(next.rows_read, 1);
    assert_eq!(reading(work, next.id, "t").base.map(|id| id.to_string()).as_deref(), Some("e0004"));
    assert_eq!(rows(work, "t"), truth(&settings, "t"));

    // A base that lost a part is not built upon.
    let last = compacted(work, &settings).unwrap();
    assert_eq!(last.base.as_deref(), Some("e0006"));
    std::fs::remove_file(&view(work).0[1]).unwrap();
    let again = extracted(work, &settings, &["t"]).unwrap();
    assert_eq!(again.id.to_string(), "e0006");
    assert_eq!(rows(work, "t"), truth(&settings, "t"));
    nothing_stray(work);
}

#[test]
fn what_is_unfinished_or_damaged_is_not_compacted() {
    let (_cluster, _threads, settings, work) = two_nights();
    let work = work.path();
    let code = |work: &Path| compacted(work, &settings).unwrap_err().code().unwrap().to_string();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(code(empty.path()), "STA-002");
    drop(State::open(empty.path(), "test").unwrap());
    assert_eq!(code(empty.path()), "RAW-001");

    // A part that is not what was recorded: nothing is recorded over it.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(work, copy.path());
    let part = &view(copy.path()).0[0];
    let mut bytes = std::fs::read(part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(part, bytes).unwrap();
    assert_eq!(code(copy.path()), "RUN-013");
    assert_eq!(statuses(copy.path())[3], ExtractStatus::Abandoned);

    // A run that is interrupted goes on over the extract that it began with.
    let state = State::open(work, "test").unwrap();
    let newest = state.latest_extract("ylbx").unwrap().unwrap();
    let day = qianyi::clock::day(&newest.started, clock::DEFAULT_ZONE).unwrap();
    state.begin_run("digest", &[newest.id], day, "test").unwrap();
    drop(state);
    assert_eq!(code(work), "RUN-034");
    // So does an extract.
    let state = State::open(work, "test").unwrap();
    let all = state.runs().unwrap();
    state.set_run(all[0].id, qianyi::state::RunStatus::Abandoned).unwrap();
    state.begin_extract(&newest.of).unwrap();
    drop(state);
    assert_eq!(code(work), "RUN-034");
}

/// Not a test of its own: what the next one runs.
#[test]
#[ignore = "run by other tests, in a process that may die"]
fn compact_in_a_child() {
    let Some(work) = std::env::var_os("QIANYI_TEST_WORKDIR") else { return };
    let settings = SourceSettings { chunk_rows: 100, ..SourceSettings::sqlite("ylbx", PathBuf::new()) };
    compacted(Path::new(&work), &settings).unwrap();
}

#[test]
fn killed_anywhere_the_old_view_or_the_new_base_stands_and_the_next_start_comes_to_the_same() {
    let (_cluster, _threads, settings, base) = two_nights();
    let (scattered, content) = view(base.path());
    let mut hit = BTreeSet::new();
    let ours = ["compact.", "durable.", "state.", "extract.abandoned"];
    for name in failpoint::ALL.iter().filter(|n| ours.iter().any(|o| n.starts_with(o))) {
        for nth in 1.. {
            let work = tempfile::tempdir().unwrap();
            let work = work.path();
            copy_folder(base.path(), work);
            let through = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "compact::compact_in_a_child", "--ignored"])
                .env("QIANYI_TEST_WORKDIR", work)
                .env("QIANYI_FAILPOINT", format!("{name}:{nth}"))
                .output()
                .unwrap()
                .status
                .success();
            let (parts, same) = view(work);
            let relative = |all: &[PathBuf], dir: &Path| -> Vec<PathBuf> {
                all.iter().map(|p| p.strip_prefix(dir).unwrap().to_owned()).collect()
            };
            let old = relative(&parts, work) == relative(&scattered, base.path());
            assert!(
                same == content && (old || parts[0].to_string_lossy().contains("/e0004/")),
                "{name}:{nth}"
            );
            sound(work);
            if through {
                break;
            }
            hit.insert(*name);
            // Either of the two that write next clears up: a compaction, or an extract.
            if nth % 2 == 0 {
                let done = extracted(work, &settings, &["t"]).unwrap();
                assert_eq!((done.origin, done.rows_read), (Origin::Reused, 0), "{name}:{nth}");
                nothing_stray(work);
            }
            compacted(work, &settings).unwrap();
            let (own, same) = view(work);
            assert_eq!(same, content, "{name}:{nth}");
            assert!(own.iter().all(|p| p.file_name().unwrap().to_string_lossy().starts_with('c')), "{own:?}");
            assert!(statuses(work).iter().all(|s| *s != ExtractStatus::Abandoned), "{name}:{nth}");
            nothing_stray(work);
            sound(work);
        }
    }
    let all = ["compact.begun", "compact.table", "compact.complete", "durable.renamed", "state.commit"];
    assert!(all.iter().all(|name| hit.contains(name)), "{hit:?}");
}

/// Every staged row of a run, table by table, in order.
fn staged(work: &Path, run: &str) -> BTreeMap<PathBuf, Vec<String>> {
    let dir = work.join("runs").join(run).join("staged");
    let mut all: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut parts = parquet_under(&dir);
    parts.sort();
    for path in parts {
        let table = path.strip_prefix(&dir).unwrap().components().next().unwrap();
        let part = qianyi::dataset::PartInfo {
            rows: 0,
            bytes: std::fs::metadata(&path).unwrap().len(),
            sha256: qianyi::durable::sha256(&path).unwrap(),
            path: path.clone(),
        };
        all.entry(table.as_os_str().into()).or_default().extend(rows_of(&[part]));
    }
    // rows_of sorts within a part; parts are cut otherwise after a compaction.
    all.values_mut().for_each(|rows| rows.sort());
    all
}

#[test]
fn a_run_over_the_new_base_stages_what_one_over_base_and_increments_staged() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 40, 3);
    let mut of: RunSettings = run_settings(&database, &dir.path().join("work"), 2);
    let legacy = rusqlite::Connection::open(&database).unwrap();
    let mut names = legacy.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let how = TableSettings { changes: ChangeMethod::Compare, ..TableSettings::default() };
    of.sources[0].tables = names.into_iter().map(|name| (name, how.clone())).collect();
    of.sources[0].chunk_rows = 100;
    let run = |digest: &str, of: &RunSettings| {
        ran(&RunSettings { config_digest: digest.to_owned(), ..of.clone() });
    };
    run("1", &of);
    for (table, column) in [("GRJBXX", "HJ"), ("DWJBXX", "DWDZ")] {
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = 1");
        if legacy.execute(&sql, [b"1".as_slice()]).is_ok() {
            run(table, &of);
        }
    }
    let newest = qianyi::pipeline::finished(&of.workdir, None).unwrap().summary.run;
    of.sources[0].chunk_rows = 20_000;
    let done = compacted(&of.workdir, &of.sources[0]).unwrap();
    assert!(done.base.is_some() && done.parts_after < done.parts_before, "{done:?}");
    run("after", &of);
    let last = qianyi::pipeline::finished(&of.workdir, None).unwrap().summary;
    assert_eq!(last.unexplained_rows, 0);
    assert_ne!(last.run, newest);
    let (before, after) = (staged(&of.workdir, &newest), staged(&of.workdir, &last.run));
    assert!(before.len() > 5 && before.values().map(Vec::len).sum::<usize>() > 1000);
    assert!(before == after, "staged rows differ");
    sound(&of.workdir);
}
