//! What a work directory keeps: pruning by a policy, killed anywhere and gone on with; verification of everything; the events of the audit
//! log; what somebody removed by hand. One work directory of several runs, copied for each question.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use miette::Diagnostic;
use qianyi::audit;
use qianyi::clock;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::pipeline::{
    FileFault, Keep, KeepSettings, Need, Pruning, RunSettings, Verification, build_package, finished, prune,
    record_events, removed_by_hand, rounds, verify, verify_audit,
};
use qianyi::progress::Silent;
use qianyi::state::{NewBatch, State};
use qianyi::{mapping, national};

use crate::support::copy_folder;
use crate::support::demo::{acknowledged, as_of, city, folder, ran, run_settings};

/// Five runs over three extracts: a package of the second, an approval of the third.
fn made(dir: &Path) -> RunSettings {
    let database = city(dir, 40, 3);
    let of = run_settings(&database, &dir.join("work"), 2);
    let run = |digest: &str| {
        ran(&RunSettings { config_digest: digest.to_owned(), ..of.clone() });
    };
    let change = |address: &[u8]| {
        let legacy = rusqlite::Connection::open(&database).unwrap();
        legacy.execute("UPDATE GRJBXX SET HJ = ?1 WHERE rowid = 1", [address]).unwrap();
    };
    run("1");
    change(b"1");
    run("2");
    let national = national::load(&folder("national")).unwrap();
    let mapped = mapping::load(&folder("baicheng"), &national).unwrap();
    let settings = EngineSettings { memory: 1 << 30, spill: of.workdir.join("spill"), partitions: 2 };
    let engine = Engine::start(settings, mapped.functions(as_of())).unwrap();
    let second = finished(&of.workdir, None).unwrap();
    build_package(&of.workdir, &engine, &national, &second, true, &Silent).unwrap();
    run("3");
    {
        let state = State::open(&of.workdir, "test").unwrap();
        let batch = NewBatch {
            rule: "FIX-02".to_owned(),
            run: "r0003".to_owned(),
            approver: "王科长".to_owned(),
            account: "wang".to_owned(),
            reason: "清单".to_owned(),
        };
        state.approve(&batch, &[1, 2, 3]).unwrap();
        record_events(&state).unwrap();
    }
    change(b"2");
    run("4");
    run("5");
    of
}

fn keep() -> KeepSettings {
    let one = Keep { number: Some(1), days: None };
    KeepSettings { runs: one, extracts: one, packages: one, logs: Keep::default() }
}

/// Every file and folder but those that say when something was done.
fn listed(workdir: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    let mut open = vec![workdir.to_owned()];
    while let Some(dir) = open.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                open.push(path.clone());
            }
            let inside = path.strip_prefix(workdir).unwrap().to_owned();
            let passing =
                ["state.db", "lock", "logs", "spill"].iter().any(|n| inside.to_string_lossy().starts_with(n));
            if !passing {
                all.insert(inside);
            }
        }
    }
    all
}

fn checked(workdir: &Path) -> Verification {
    verify(workdir, &Silent).unwrap()
}

fn audited(workdir: &Path) -> Verification {
    verify_audit(workdir, None, &Silent).unwrap()
}

/// `qianyi` over a configuration that keeps one of each.
fn qianyi(of: &RunSettings, arguments: &[&str], failpoint: Option<&str>) -> Output {
    let file = of.workdir.with_extension("toml");
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[keep]\nruns = {{ number = 1 }}\n\
         extracts = {{ number = 1 }}\npackages = {{ number = 1 }}\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\n\
         path = \"{}\"\n{}",
        folder("national").parent().unwrap().display(),
        of.sources[0].path.display(),
        acknowledged(),
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(&file).arg("--workdir").arg(&of.workdir).args(["--lang", "en", "--quiet"]);
    if let Some(failpoint) = failpoint {
        command.env("QIANYI_FAILPOINT", failpoint);
    }
    command.args(arguments).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn ids(plan: &Pruning) -> (Vec<&str>, Vec<(&str, Need, &str)>) {
    let removes = plan.removes.iter().map(|i| i.id.as_str()).collect();
    let keeps = plan.keeps.iter().map(|i| (i.id.as_str(), i.needed.unwrap(), i.by.as_str())).collect();
    (removes, keeps)
}

#[test]
fn a_work_directory_keeps_what_is_needed_and_says_what_is_not_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let of = made(dir.path());
    let work = of.workdir.as_path();
    let (whole, log) = (checked(work), audited(work));
    assert!(whole.is_sound() && log.is_sound(), "{whole:?} {log:?}");
    assert!(whole.files > 100 && log.files > 100, "{} {}", whole.files, log.files);
    events(&of);
    damage(dir.path(), &of);
    commands(&of);

    // Only shown: nothing is touched.
    let before = listed(work);
    let plan = prune(work, &keep(), false, clock::instant()).unwrap();
    let (removes, keeps) = ids(&plan);
    assert_eq!(removes, ["r0004", "r0001", "e0001"]);
    let needed = [
        ("r0003", Need::Approval, "b0001"),
        ("r0002", Need::Package, "p0001-r0002"),
        ("e0002", Need::Run, "r0003"),
    ];
    assert_eq!(keeps, needed);
    assert!(plan.frees_bytes > 0 && !plan.applied);
    assert_eq!(listed(work), before);
    let young = Keep { number: None, days: Some(1) };
    let young = KeepSettings { runs: young, extracts: young, packages: young, logs: young };
    assert_eq!(prune(work, &young, false, clock::instant()).unwrap().removes, []);
    let later = clock::instant() + chrono::TimeDelta::days(3);
    assert_eq!(ids(&prune(work, &young, false, later).unwrap()).0, removes);

    killed(dir.path(), &of);
    pruned(&of);
    of_ten_runs(&of);
}

/// Of ten runs those go that nothing needs, and what stays is whole.
fn of_ten_runs(of: &RunSettings) {
    for digest in ["7", "8", "9", "10"] {
        ran(&RunSettings { config_digest: digest.to_owned(), ..of.clone() });
    }
    let done = prune(&of.workdir, &keep(), true, clock::instant()).unwrap();
    let (removes, keeps) = ids(&done);
    assert_eq!(removes, ["r0009", "r0008", "r0007", "r0006", "r0005"]);
    assert_eq!(keeps.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), ["r0003", "r0002", "e0002"]);
    assert!(checked(&of.workdir).is_sound() && audited(&of.workdir).is_sound());
    assert_eq!(
        rounds(&State::open_readonly(&of.workdir).unwrap()).unwrap().len(),
        10,
        "ledgers of rounds stay"
    );
}

/// The audit log has one event of everything that happened, and nothing twice.
fn events(of: &RunSettings) {
    let work = of.workdir.as_path();
    let log = audit::read(work).unwrap();
    let all: Vec<(&str, &str)> = log.events.iter().map(|e| (e.kind.as_str(), e.about.as_str())).collect();
    let expected = [
        ("run", "r0001"),
        ("run", "r0002"),
        ("package", "p0001-r0002"),
        ("run", "r0003"),
        ("approval", "b0001"),
        ("run", "r0004"),
        ("run", "r0005"),
    ];
    assert_eq!(all, expected);
    let run = &log.events[0];
    for digest in ["digest", "config_digest", "national_digest", "mapping_digest"] {
        assert!(run.facts[digest].as_str().is_some_and(|d| !d.is_empty()), "{digest}: {run:?}");
    }
    assert!(run.files.iter().any(|f| f.file == "runs/r0001/manifest.json"), "{run:?}");
    assert_eq!(log.events[4].facts["approver"], "王科长");
    // Beside a log that does not fit nothing is packaged or pruned; runs go on, and what it lacks is recorded later.
    let copy = work.with_extension("broken");
    copy_folder(work, &copy);
    let whole = std::fs::read(audit::path(&copy)).unwrap();
    let mut broken = whole.clone();
    broken[20] ^= 1;
    std::fs::write(audit::path(&copy), &broken).unwrap();
    let refused = prune(&copy, &keep(), true, clock::instant()).unwrap_err();
    assert_eq!(refused.code().unwrap().to_string(), "AUD-002");
    ran(&RunSettings { workdir: copy.clone(), config_digest: "6".to_owned(), ..of.clone() });
    assert_eq!(std::fs::read(audit::path(&copy)).unwrap(), broken);
    std::fs::write(audit::path(&copy), &whole).unwrap();
    record_events(&State::open(&copy, "test").unwrap()).unwrap();
    assert_eq!(audit::read(&copy).unwrap().events.pop().unwrap().about, "r0006");
    std::fs::remove_dir_all(copy).unwrap();
    // A log that was moved away begins anew with what state.db knows.
    let copy = work.with_extension("anew");
    copy_folder(work, &copy);
    std::fs::remove_file(audit::path(&copy)).unwrap();
    record_events(&State::open(&copy, "test").unwrap()).unwrap();
    assert_eq!(audit::read(&copy).unwrap().events.len(), 7);
    let kept = verify_audit(&copy, Some(&log.head()), &Silent).unwrap();
    assert_eq!(kept.line.map(|bad| bad.fault), Some(audit::Fault::OtherHead));
    std::fs::remove_dir_all(copy).unwrap();
}

/// Each damage is named by what finds it.
fn damage(dir: &Path, of: &RunSettings) {
    let copy = dir.join("damaged");
    copy_folder(&of.workdir, &copy);
    let part = |below: &str| {
        let below = copy.join(below);
        let mut parts = crate::support::parquet_under(&below);
        parts.retain(|p| std::fs::metadata(p).unwrap().len() > 0);
        parts.first().unwrap_or_else(|| panic!("nothing in {}", below.display())).clone()
    };
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let name = |path: &Path| path.strip_prefix(&copy).unwrap().display().to_string();
    let (raw, staged) = (part("raw/ylbx/GRJBXX/e0002"), part("runs/r0003/staged/AC01"));
    let (ledger, packed) = (part("rounds/r0004"), part("packages/p0001-r0002/data/tables/AC01"));
    for path in [&raw, &staged, &ledger, &packed, &copy.join("runs/r0005/summary.json")] {
        flip(path);
    }
    let gone = part("runs/r0005/dispositions");
    std::fs::remove_file(&gone).unwrap();
    std::fs::remove_dir_all(copy.join("runs/r0001")).unwrap();
    for extra in
        ["raw/ylbx/GRJBXX/e0002/x.parquet", "runs/r0005/staged/AC01/9.parquet", "packages/p0001-r0002/data/x"]
    {
        std::fs::write(copy.join(extra), "x").unwrap();
    }
    std::fs::create_dir(copy.join("runs/r0099")).unwrap();
    let found = checked(&copy);
    let has = |file: &str, fault: FileFault| {
        let is = found.problems.iter().any(|p| p.file == file && p.fault == fault);
        assert!(is, "{file} {fault:?}: {:#?}", found.problems);
    };
    for path in [&raw, &staged, &ledger, &packed, &copy.join("runs/r0005/summary.json")] {
        has(&name(path), FileFault::Differs);
    }
    has(&name(&gone), FileFault::Missing);
    has("runs/r0001/", FileFault::Missing);
    has("raw/ylbx/GRJBXX/e0002/x.parquet", FileFault::Extra);
    has("runs/r0005/staged/AC01/9.parquet", FileFault::Extra);
    has("runs/r0099/", FileFault::Extra);
    assert_eq!(removed_by_hand(&State::open_readonly(&copy).unwrap()).unwrap(), ["r0001", "r0005"]);
    let said = told(&qianyi(&RunSettings { workdir: copy.clone(), ..of.clone() }, &["status"], None));
    assert!(said.contains("r0001: somebody removed files of it"), "{said}");
    // The audit log stands for the same files.
    let found = audited(&copy);
    let files: BTreeSet<&str> = found.problems.iter().map(|p| p.file.as_str()).collect();
    for file in [name(&raw), name(&staged), name(&ledger), name(&packed), name(&gone)] {
        assert!(files.contains(file.as_str()), "{file}: {files:?}");
    }
    assert!(files.contains("runs/r0001/manifest.json") && files.contains("runs/r0005/summary.json"));
    std::fs::remove_dir_all(copy).unwrap();
}

/// What people see of it.
fn commands(of: &RunSettings) {
    let head = qianyi(of, &["audit", "head"], None);
    let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
    assert!(head.starts_with("7:") && head.len() == 66, "{head}");
    let sound = qianyi(of, &["audit", "verify", "--head", &head], None);
    assert_eq!(sound.status.code(), Some(0), "{}", told(&sound));
    let later = head.replace("7:", "8:");
    let cut = qianyi(of, &["audit", "verify", "--head", &later], None);
    assert_eq!(cut.status.code(), Some(3));
    assert!(told(&cut).contains("audit.log:8: is missing: the log ends before the head"), "{}", told(&cut));
    let shown = told(&qianyi(of, &["audit", "show", "--kind", "approval"], None));
    assert!(shown.contains("b0001") && shown.contains("rule=FIX-02") && !shown.contains("p0001"), "{shown}");
    let whole = qianyi(of, &["--json", "verify"], None);
    let whole: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((&whole["version"], &whole["problems"]), (&1.into(), &serde_json::json!([])));
    let status: serde_json::Value =
        serde_json::from_slice(&qianyi(of, &["--json", "status"], None).stdout).unwrap();
    assert!(status["sizes"]["raw"].as_u64() > Some(0), "{status}");
    assert_eq!((&status["version"], &status["removed_by_hand"]), (&1.into(), &serde_json::json!([])));
    let status = told(&qianyi(of, &["status"], None));
    assert!(status.contains("Source ylbx: e0003") && status.contains("Disk "), "{status}");
    assert!(status.contains("Run r0005: done") || status.contains("Run r0005: blocked"), "{status}");
}

/// Killed between any two removals, state and folders agree after the next start.
fn killed(dir: &Path, of: &RunSettings) {
    let once = RunSettings { workdir: dir.join("once"), ..of.clone() };
    copy_folder(&of.workdir, &once.workdir);
    let done = qianyi(&once, &["prune", "--apply"], None);
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    let expected = listed(&once.workdir);
    let mut kills = 0;
    for name in ["prune.decided", "prune.removed", "audit.recorded"] {
        for nth in 1.. {
            let again = RunSettings { workdir: dir.join("again"), ..of.clone() };
            let _ = std::fs::remove_dir_all(&again.workdir);
            copy_folder(&of.workdir, &again.workdir);
            let at = format!("{name}:{nth}");
            if qianyi(&again, &["prune", "--apply"], Some(&at)).status.success() {
                assert!(nth > 1, "{name} is never hit");
                break;
            }
            kills += 1;
            let after = qianyi(&again, &["prune", "--apply"], None);
            assert_eq!(after.status.code(), Some(0), "{at}: {}", told(&after));
            assert_eq!(listed(&again.workdir), expected, "{at}");
            let (whole, log) = (checked(&again.workdir), audited(&again.workdir));
            assert!(whole.is_sound() && log.is_sound(), "{at}: {whole:?} {log:?}");
        }
    }
    assert!(kills >= 7, "{kills}");
}

/// What is left is whole, says what went, and is gone on with.
fn pruned(of: &RunSettings) {
    let work = of.workdir.as_path();
    let done = prune(work, &keep(), true, clock::instant()).unwrap();
    assert!(done.applied);
    let (whole, log) = (checked(work), audited(work));
    assert!(whole.is_sound() && log.is_sound(), "{whole:?} {log:?}");
    let event = audit::read(work).unwrap().events.pop().unwrap();
    assert_eq!(
        (event.kind.as_str(), &event.facts["runs"]),
        ("prune", &serde_json::json!(["r0004", "r0001"]))
    );
    for kept in ["summary.json", "manifest.json", "report/index.html"] {
        assert!(work.join("runs/r0001").join(kept).is_file(), "{kept}");
    }
    assert!(!work.join("runs/r0001/staged").exists() && !work.join("raw/ylbx/GRJBXX/e0001").exists());
    let state = State::open_readonly(work).unwrap();
    assert_eq!(removed_by_hand(&state).unwrap(), Vec::<String>::new());
    assert_eq!(rounds(&state).unwrap().len(), 5, "ledgers of rounds stay");
    drop(state);
    let refused = finished(work, Some("r0001")).unwrap_err();
    assert_eq!(refused.code().unwrap().to_string(), "RUN-032", "an empty list would be a lie");
    let status = told(&qianyi(of, &["status"], None));
    assert!(status.contains("pruned") && !status.contains("somebody removed"), "{status}");
    // Also a log that begins anew knows what went.
    let log = std::fs::read(audit::path(work)).unwrap();
    std::fs::remove_file(audit::path(work)).unwrap();
    record_events(&State::open(work, "test").unwrap()).unwrap();
    assert!(audited(work).is_sound(), "{:?}", audited(work));
    std::fs::write(audit::path(work), log).unwrap();
    // A second time there is nothing to do, and nothing is recorded.
    assert_eq!(prune(work, &keep(), true, clock::instant()).unwrap().removes, []);
    assert_eq!(audit::read(work).unwrap().events.pop().unwrap(), event);
    // The digest of a pruned run computes anew.
    let again = ran(&RunSettings { config_digest: "4".to_owned(), ..of.clone() });
    assert_eq!((again.run.as_str(), again.unexplained_rows), ("r0006", 0));
    let broken: Vec<_> =
        again.invariants.iter().filter(|i| i.ended == qianyi::artifacts::InvariantEnd::Broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(checked(work).is_sound() && audited(work).is_sound());
    // Without a policy nothing is removed.
    assert_eq!(prune(work, &KeepSettings::default(), true, clock::instant()).unwrap().removes, []);
}

#[test]
fn a_policy_with_mistakes_is_refused_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    let text = "city = \"baicheng\"\n[keep]\nruns = 5\nextracts = {}\nlogs = { days = 0, nubmer = 3 }\npakages = { days = 1 }\n";
    std::fs::write(&file, text).unwrap();
    let layers = qianyi::config::Layers { files: vec![file], ..qianyi::config::Layers::default() };
    let error = qianyi::config::load(&layers).unwrap_err();
    let qianyi::config::ConfigError::Mistakes { mistakes } = &error else { panic!("{error}") };
    let lines: Vec<(usize, &str)> = mistakes.iter().map(|m| (m.line, m.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (3, "`runs` is not a table"),
            (4, "`extracts` says neither `number` nor `days`"),
            (5, "`days` is not a whole number from 1"),
            (5, "there is no setting `nubmer`"),
            (6, "there is no setting `pakages`"),
        ]
    );
}
