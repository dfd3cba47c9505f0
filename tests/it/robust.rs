//! What must not happen whatever comes: a panic that shows data, a line too long to be shown, a second run or package after a kill.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::copy_folder;
use crate::support::demo::{acknowledged, city};

fn qianyi(config: &Path, work: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_") || n == "RUST_BACKTRACE") {
        command.env_remove(name);
    }
    command.args(["--lang", "en", "--quiet", "--config"]).arg(config).arg("--workdir").arg(work);
    command.args(arguments);
    command
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A configuration over mappings and a database.
fn configured(dir: &Path, mappings: &Path, database: &Path) -> std::path::PathBuf {
    let file = dir.join("c.toml");
    let acknowledged = acknowledged();
    let (mappings, database) = (mappings.display(), database.display());
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let text = format!(
        "mappings = \"{mappings}\"\nrules = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n{acknowledged}\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\npath = \"{database}\"\n",
        rules.display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_mistake_in_a_line_of_any_length_is_shown_in_a_window() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mappings, sql) = (dir.path().join("mappings"), dir.path().join("sql"));
    copy_folder(&root.join("mappings"), &mappings);
    copy_folder(&root.join("sql"), &sql);
    let file = configured(dir.path(), &mappings, &dir.path().join("none.db"));
    let text =
        std::fs::read_to_string(&file).unwrap().replace(&root.join("sql").display().to_string(), "sql");
    std::fs::write(&file, text).unwrap();
    let long = "x".repeat(70_000);
    let rule = std::fs::read_dir(sql.join("rules/correct")).unwrap().map(|e| e.unwrap().path());
    let rule = rule.filter(|p| p.extension().is_some_and(|e| e == "sql")).min().unwrap();
    for (path, code, before) in [
        (file.clone(), "CFG-002", format!("{long} = 1\n")),
        (mappings.join("baicheng/AC01.toml"), "MAP-0", format!("{long} = 1\n")),
        (mappings.join("baicheng/codes/sex.csv"), "MAP-0", format!("{long}\n")),
        (mappings.join("national/AC01.toml"), "NAT-001", format!("{long} = [\n")),
        (rule, "RUL-0", format!("-- {long}: 1\n-- id: X {long}\n")),
    ] {
        let sound = std::fs::read(&path).unwrap();
        std::fs::write(&path, [before.as_bytes(), &sound].concat()).unwrap();
        let output = qianyi(&file, &dir.path().join("work"), &["plan"]).output().unwrap();
        let said = told(&output);
        assert_eq!(output.status.code(), Some(2), "{}: {}", path.display(), &said[..said.len().min(3000)]);
        assert!(said.contains(code) && !said.contains("panicked"), "{}", path.display());
        let longest = said.lines().filter(|l| l.contains('│')).map(|l| l.chars().count()).max().unwrap();
        assert!(longest < 400, "{}: {longest}", path.display());
        std::fs::write(&path, sound).unwrap();
    }
}

#[test]
fn a_panic_ends_with_a_sentence_a_log_and_status_1_and_a_kill_at_the_end_makes_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let database = city(dir.path(), 30, 3);
    let (file, work) = (configured(dir.path(), &mappings, &database), dir.path().join("work"));
    let with = |arguments: &[&str], name: &str, value: &str| {
        qianyi(&file, &work, arguments).env(name, value).output().unwrap()
    };
    let failed = with(&["run"], "QIANYI_FAILPOINT", "run.computed:3!");
    let said = told(&failed);
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("CLI-900") && said.contains("/logs/"), "{said}");
    for hidden in ["张三丰", "229901198001010010", "panicked", "stack backtrace", "RUST_BACKTRACE"] {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
    let log = said.lines().find_map(|l| l.split_once("with this log: ")).unwrap().1;
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("panicked: failpoint run.computed") && !log.contains("张三丰"), "{log}");
    // Killed after it was done: the next start is the same run.
    let killed = with(&["run"], "QIANYI_FAILPOINT", "run.done:1");
    assert!(killed.status.code().is_none(), "{}", told(&killed));
    let again = with(&["run", "--json"], "LANG", "C");
    let said: serde_json::Value =
        serde_json::from_slice(&again.stdout).unwrap_or_else(|_| panic!("{}", told(&again)));
    assert_eq!(said["run"], "r0001");
    assert_eq!(std::fs::read_dir(work.join("runs")).unwrap().count(), 1);
    // Killed, or out of disk, after the package had its name: the next build is that package.
    let build = ["package", "build", "--allow-blocked"];
    let killed = with(&build, "QIANYI_FAILPOINT", "package.renamed:1");
    assert!(killed.status.code().is_none(), "{}", told(&killed));
    let full = with(&build, "QIANYI_DISK_FAULT", "4+");
    assert_eq!(full.status.code(), Some(1), "{}", told(&full));
    let built = with(&build, "LANG", "C");
    assert!(told(&built).contains("p0001-r0001"), "{}", told(&built));
    let packages = || std::fs::read_dir(work.join("packages")).unwrap().count();
    assert_eq!(packages(), 1);
    let verified = with(&["package", "verify"], "LANG", "C");
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    // One that is recorded is another one when it is asked for.
    assert!(told(&with(&build, "LANG", "C")).contains("p0002-r0001"));
    assert_eq!(packages(), 2);
    nothing_names(&work, &dir.path().display().to_string());
}

/// state.db and the documents hold no path of this machine.
fn nothing_names(work: &Path, folder: &str) {
    let state = std::fs::read(work.join("state.db")).unwrap();
    assert!(!state.windows(folder.len()).any(|w| w == folder.as_bytes()), "state.db");
    for name in ["summary.json", "manifest.json", "reconciliation.json", "coverage.json", "report/index.html"]
    {
        let text = std::fs::read_to_string(work.join("runs/r0001").join(name)).unwrap();
        assert!(!text.contains(folder), "{name}");
    }
}

#[test]
fn a_killed_fixture_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "lang = \"en\"\n").unwrap();
    let into = format!("sqlite:{}", dir.path().join("city.db").display());
    let make = |failpoint: &str| {
        let mut command = qianyi(&file, dir.path(), &["fixture", "--persons", "5", "--into", &into]);
        command.env("QIANYI_FAILPOINT", failpoint).output().unwrap()
    };
    for failpoint in ["fixture.filled:1", "durable.renamed:1", "durable.written:2"] {
        let killed = make(failpoint);
        assert!(killed.status.code().is_none(), "{failpoint}: {}", told(&killed));
        assert!(!dir.path().join("city.db").exists(), "{failpoint}");
    }
    let made = make("none:1");
    assert!(made.status.success() && dir.path().join("city.db").is_file(), "{}", told(&made));
    assert!(make("fixture.filled:1").status.code().is_none());
    assert!(make("none:1").status.success());
}

/// In columns of codes: a name, IDs, phones, a card, an address, in several spellings.
const MISPLACED: [&str; 8] = [
    "欧阳慕青",
    "229901198001010010",
    "２２９９０１１９８００１０１００１０",
    "13843600001",
    "138-4360-0002",
    "6222 0212 3456 7890",
    "海明西路77号3单元",
    "Zhuge Mingyue",
];

#[test]
fn names_and_numbers_in_columns_of_codes_are_shown_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let database = city(dir.path(), 60, 3);
    let db = rusqlite::Connection::open(&database).unwrap();
    for (n, value) in MISPLACED.iter().enumerate() {
        let bytes = encoding_rs::GBK.encode(value).0.into_owned();
        for column in ["XB", "MZ"] {
            let sql = format!(
                "UPDATE GRJBXX SET {column} = CAST(?1 AS TEXT) WHERE rowid = (SELECT rowid FROM GRJBXX ORDER BY rowid LIMIT 1 OFFSET {n})"
            );
            db.execute(&sql, [&bytes]).unwrap();
        }
    }
    drop(db);
    let (file, work) = (configured(dir.path(), &mappings, &database), dir.path().join("work"));
    for arguments in [
        &["plan"][..],
        &["plan", "--json"],
        &["run"],
        &["run", "--json"],
        &["profile"],
        &["profile", "--json"],
        &["findings"],
        &["changes"],
        &["reconcile"],
        &["report"],
        &["status"],
        &["doctor"],
    ] {
        let said = told(&qianyi(&file, &work, arguments).output().unwrap());
        assert!(!said.contains("panicked") && !said.contains("error "), "{arguments:?} {said}");
        nothing_of_it(&said, &format!("{arguments:?}"));
    }
    nothing_of_it(&std::fs::read_to_string(work.join("runs/r0001/report/index.html")).unwrap(), "page");
    for entry in std::fs::read_dir(work.join("logs")).unwrap().map(Result::unwrap) {
        nothing_of_it(&std::fs::read_to_string(entry.path()).unwrap(), "log");
    }
}

fn nothing_of_it(said: &str, where_from: &str) {
    for value in MISPLACED {
        assert!(!said.contains(value), "{where_from}: {value}");
    }
}
