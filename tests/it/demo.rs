//! The demo city from its database to the end of a run: what was planted is found, and everything adds up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use qianyi::artifacts::{Blocker, Status, Summary};
use qianyi::error::Consequence;
use qianyi::fixture::truth_path;
use qianyi::pipeline::{RunError, finished, reconcile_again, run};
use qianyi::progress::{Progress, Silent};

use crate::support::demo::{city, folder, ran, run_settings};
use crate::support::{copy_folder, parquet_under, truth};

/// SHA-256 of every part under these folders of a run, by path in the run, and of the ledger of its round.
fn digests(workdir: &Path, run: &str) -> BTreeMap<String, String> {
    let dir = workdir.join("runs").join(run);
    let mut found = BTreeMap::new();
    for folder in ["staged", "rejected", "dispositions", "findings"] {
        for part in parquet_under(&dir.join(folder)) {
            let name = part.strip_prefix(&dir).unwrap().display().to_string();
            found.insert(name, qianyi::durable::sha256(&part).unwrap());
        }
    }
    let ledger = workdir.join("rounds").join(run).join("ledger.parquet");
    found.insert("ledger".to_owned(), qianyi::durable::sha256(&ledger).unwrap());
    found
}

/// The run's own copy of the demo city's mapping, to spoil.
fn spoiled(dir: &Path, file: &str, from: &str, to: &str) -> PathBuf {
    let city = dir.join("baicheng");
    copy_folder(&folder("baicheng"), &city);
    let path = city.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    city
}

#[test]
fn of_20_000_persons_every_planted_structural_defect_is_found_nothing_else_and_all_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 20_000, 1);
    let workdir = dir.path().join("work");
    let summary = ran(&run_settings(&database, &workdir, 4));
    let verdict = truth::compare(&workdir.join("runs").join(&summary.run), &truth_path(&database));
    assert!(verdict.planted.len() >= 20, "{:#?}", verdict.planted);
    assert_eq!((verdict.missed, verdict.invented), (Vec::new(), Vec::new()));
    assert_eq!((summary.unexplained_rows, summary.unexplained_fen), (0, 0));
    assert_eq!((summary.status, summary.blocked_by.as_slice()), (Status::Done, &[][..]));
    // Over a million payment rows, in bounded memory.
    let ended = finished(&workdir, None).unwrap();
    let payments: i128 = ended.reconciliation.boundaries[0]
        .lines
        .iter()
        .filter(|l| l.measure == "rows" && (l.table.contains("GRJFMX") || l.table.contains("SYJFMX")))
        .map(|l| l.left)
        .sum();
    assert!(payments > 1_000_000, "{payments}");
    println!("{payments} payment rows, at most {} MiB", summary.peak_rss_bytes >> 20);
    for stage in &summary.stages {
        println!("{:<8} {:>9} rows {:>9.0} rows/s", stage.stage, stage.rows, stage.rows_per_second);
    }
    assert!(summary.peak_rss_bytes > 0 && summary.peak_rss_bytes < 1 << 30, "{}", summary.peak_rss_bytes);
    for table in &summary.tables {
        let dispositions = table.accepted + table.rejected + table.held + table.excluded + table.merged;
        assert_eq!(table.mapped, dispositions, "{}", table.table);
    }
    assert_eq!(ended.summary, summary);
    assert_eq!(reconcile_again(&ended).unwrap(), ended.reconciliation);
    // What coverage counts as untranslated are exactly the read errors about codes.
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    for code in ended.coverage.codes.iter().filter(|c| c.unmapped.rows > 0) {
        *codes.entry(format!("{}.{}", code.source, code.table)).or_default() += code.unmapped.rows;
    }
    let mut read_errors: BTreeMap<String, u64> = BTreeMap::new();
    for read_error in summary.read_errors.iter().filter(|n| n.code == "code") {
        *read_errors.entry(read_error.table.clone()).or_default() += read_error.rows;
    }
    assert_eq!(codes, read_errors);
}

#[test]
fn the_same_seed_gives_the_same_files_whatever_the_partitions_and_also_when_killed_and_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let first = city(&dir.path().join("a"), 150, 5);
    let whole = ran(&run_settings(&first, &dir.path().join("whole"), 4));
    let expected = digests(&dir.path().join("whole"), &whole.run);
    assert!(expected.len() > 60, "{}", expected.len());
    let second = city(&dir.path().join("b"), 150, 5);
    let other = ran(&run_settings(&second, &dir.path().join("other"), 1));
    assert_eq!(digests(&dir.path().join("other"), &other.run), expected);
    let killed = dir.path().join("killed");
    let mut seed = 20_261_123_u64;
    let mut kills = 0;
    for _ in 0..12 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let nth = format!("*:{}", (seed >> 33) % 90 + 1);
        kills += usize::from(!child(&first, &killed, &[("QIANYI_FAILPOINT", &nth)]).status.success());
    }
    assert!(kills > 5, "{kills}");
    let resumed = ran(&run_settings(&first, &killed, 4));
    assert_eq!(resumed.run, "r0001");
    assert_eq!(digests(&killed, &resumed.run), expected);
    let content = |s: &Summary| s.tables.iter().map(|t| t.content_digest.clone()).collect::<Vec<_>>();
    assert_eq!(content(&resumed), content(&whole));
}

#[test]
fn tables_of_many_batches_give_the_same_files_whatever_the_partitions_and_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 2_500, 5);
    let files = |name: &str, partitions: usize, memory: u64| {
        let workdir = dir.path().join(name);
        let mut of = run_settings(&database, &workdir, partitions);
        of.memory = memory;
        let summary = ran(&of);
        digests(&workdir, &summary.run)
    };
    let one = files("one", 1, 1 << 30);
    assert_eq!(files("four", 4, 1 << 30), one);
    assert_eq!(files("little", 2, 300 << 20), one);
}

#[test]
fn a_full_disk_anywhere_in_a_run_is_a_clear_error_and_the_next_start_gives_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 9);
    let whole = dir.path().join("whole");
    let sound = child(&database, &whole, &[]);
    let said = String::from_utf8_lossy(&sound.stdout).into_owned();
    let operations = said.lines().find_map(|l| l.split("operations=").nth(1));
    let operations: u64 = operations.unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap();
    let expected = digests(&whole, "r0001");
    for nth in (1..=operations).step_by(usize::try_from(operations / 5).unwrap()) {
        let work = dir.path().join(format!("full{nth}"));
        let failed = child(&database, &work, &[("QIANYI_DISK_FAULT", &format!("{nth}+"))]);
        let said = String::from_utf8_lossy(&failed.stdout).into_owned();
        assert!(said.contains("follow=Resume"), "fault {nth}: {said}");
        let resumed = ran(&run_settings(&database, &work, 2));
        assert_eq!(digests(&work, &resumed.run), expected, "fault {nth}");
    }
}

#[test]
fn a_work_directory_that_was_moved_goes_on_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 40, 9);
    let whole = dir.path().join("whole");
    ran(&run_settings(&database, &whole, 2));
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let failed = child(&database, &a, &[("QIANYI_FAILPOINT", "run.recorded:90")]);
    assert!(!failed.status.success());
    let state = std::fs::read(a.join("state.db")).unwrap();
    let named = a.display().to_string();
    assert!(!state.windows(named.len()).any(|w| w == named.as_bytes()));
    copy_folder(&a, &b);
    // What is gone cannot be opened.
    std::fs::rename(&a, dir.path().join("gone")).unwrap();
    let resumed = ran(&run_settings(&database, &b, 2));
    assert_eq!(resumed.run, "r0001");
    assert_eq!(digests(&b, "r0001"), digests(&whole, "r0001"));
    assert!(!a.exists());
    let computed = |s: &Summary| s.stages.iter().map(|s| s.rows).sum::<u64>();
    assert!(resumed.stages.iter().any(|s| s.rows == 0) && computed(&resumed) > 0, "{:?}", resumed.stages);
}

/// Flips a bit in the middle of the first part below a folder.
fn flip_below(folder: &Path) {
    let part = parquet_under(folder).into_iter().next().unwrap_or_else(|| panic!("{}", folder.display()));
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
}

#[test]
fn what_changed_while_a_run_was_interrupted_is_made_again_and_a_changed_document_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 9);
    let whole = dir.path().join("whole");
    ran(&run_settings(&database, &whole, 2));
    let expected = digests(&whole, "r0001");
    let work = dir.path().join("work");
    let failed = child(&database, &work, &[("QIANYI_FAILPOINT", "run.written:1")]);
    assert!(!failed.status.success());
    let run = work.join("runs/r0001");
    for stage in ["mapped", "findings", "staged", "dispositions", "measures"] {
        flip_below(&run.join(stage));
    }
    let resumed = ran(&run_settings(&database, &work, 2));
    assert_eq!(resumed.run, "r0001");
    assert_eq!(digests(&work, "r0001"), expected);
    for name in ["summary.json", "coverage.json", "manifest.json", "reconciliation.json"] {
        let path = run.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"rows\": ", "\"rows\": 1", 1)).unwrap();
        let refused = finished(&work, None).unwrap_err();
        assert!(
            matches!(&refused, RunError::Altered { path, .. } if path.ends_with(name)),
            "{name}: {refused}"
        );
        std::fs::write(&path, text).unwrap();
    }
    finished(&work, None).unwrap();
}

/// Runs [`run_in_a_child`] in a process of its own.
fn child(database: &Path, workdir: &Path, environment: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "demo::run_in_a_child", "--ignored", "--nocapture"])
        .env("QIANYI_TEST_SOURCE", database)
        .env("QIANYI_TEST_WORKDIR", workdir)
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// Not a test of its own: what [`child`] runs.
#[test]
#[ignore = "run by other tests, in a process that may die"]
fn run_in_a_child() {
    let (Ok(source), Ok(work)) = (std::env::var("QIANYI_TEST_SOURCE"), std::env::var("QIANYI_TEST_WORKDIR"))
    else {
        return;
    };
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    match run(&run_settings(Path::new(&source), Path::new(&work), 2), &progress) {
        Ok(_) => println!("operations={}", qianyi::durable::operations()),
        Err(e) => println!("follow={:?} {e}", e.retry_class()),
    }
}

#[test]
fn a_wrongly_declared_unit_of_money_is_named_and_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 300, 2);
    let mut of = run_settings(&database, &dir.path().join("work"), 2);
    of.city = spoiled(dir.path(), "sources/GRJFMX_FEN.toml", "money = \"fen\"", "money = \"yuan\"");
    let summary = ran(&of);
    assert_eq!(summary.status, Status::Blocked);
    assert!(
        matches!(summary.blocked_by[..], [Blocker::Unexplained { rows: 0, fen: 1.. }]),
        "{:?}",
        summary.blocked_by
    );
    let ended = finished(&of.workdir, None).unwrap();
    let faults: Vec<_> = ended.reconciliation.unit_of_money.iter().filter(|u| u.fault.is_some()).collect();
    assert!(
        !faults.is_empty() && faults.iter().all(|u| u.fault.as_deref() == Some("times_100")),
        "{faults:?}"
    );
}

#[test]
fn a_legacy_table_that_nobody_decided_about_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 2);
    let mut of = run_settings(&database, &dir.path().join("work"), 2);
    of.city = spoiled(dir.path(), "city.toml", "table = \"TEST_*\"", "table = \"NOTHING_*\"");
    let summary = ran(&of);
    assert_eq!(summary.status, Status::Blocked);
    assert!(matches!(&summary.blocked_by[..], [Blocker::Undecided { .. }, ..]), "{:?}", summary.blocked_by);
}
