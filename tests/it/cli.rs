//! The command line as people meet it: the real binary, its texts, its exit statuses.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::legacy::Legacy;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `qianyi` with these arguments, started in the repository's root, in English.
fn qianyi(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.args(arguments).current_dir(root()).env_remove("LC_ALL").env("LANG", "C.UTF-8");
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command
}

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn said(output: &Output) -> Said {
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Said {
    said(&qianyi(arguments).output().unwrap())
}

/// A text without what differs from day to day and machine to machine.
fn stable(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "DIR").replace(env!("CARGO_MANIFEST_DIR"), "ROOT");
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[test]
fn every_command_explains_itself() {
    insta::assert_snapshot!("help", run(&["--help"]).out);
    let mut all = String::new();
    for command in [
        "demo",
        "fixture",
        "profile",
        "plan",
        "extract",
        "run",
        "reconcile",
        "report",
        "package",
        "audit",
        "verify",
        "compact",
        "prune",
        "logs",
        "init",
        "cutover",
        "schedule",
        "status",
        "completions",
    ] {
        let help = run(&[command, "--help"]);
        assert_eq!(help.status, 0, "{command}");
        let first = help.out.lines().next().unwrap_or_default();
        all.push_str(&format!("{command}: {first}\n"));
    }
    insta::assert_snapshot!("help_of_commands", all);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.status, 0);
        assert!(script.out.contains("qianyi") && script.out.contains("reconcile"), "{shell}");
    }
}

#[test]
fn wrong_usage_and_configuration_end_with_status_2_and_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work").display().to_string();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mappings = root().join("mappings").display().to_string();
    let source = "\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\n";
    let unknown = write(
        "unknown.toml",
        &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\nmemroy = \"1GiB\"\n"),
    );
    let city = write("city.toml", &format!("mappings = \"{mappings}\"\ncity = \"baichen\"\n"));
    let memory = write(
        "memory.toml",
        &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\nmemory = \"a lot\"\n"),
    );
    let missing = write(
        "missing.toml",
        &format!(
            "mappings = \"{mappings}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"{source}path = \"nowhere.db\"\n"
        ),
    );
    std::fs::write(
        dir.path().join("not.db"),
        "this is no database, and long enough to be read as its first page",
    )
    .unwrap();
    let not_sqlite = write(
        "not.toml",
        &format!(
            "mappings = \"{mappings}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"{source}path = \"not.db\"\n"
        ),
    );
    let none = write(
        "none.toml",
        &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n"),
    );
    let mut all = String::new();
    for (what, arguments) in [
        ("unknown key", vec!["run", "--config", &unknown]),
        ("unknown city", vec!["run", "--config", &city]),
        ("bad memory", vec!["run", "--config", &memory]),
        ("no city named", vec!["run"]),
        ("no such config", vec!["run", "--config", "nowhere.toml"]),
        ("no source configured", vec!["run", "--config", &none]),
        ("no database there", vec!["run", "--config", &missing]),
        ("not a database", vec!["run", "--config", &not_sqlite]),
        ("nothing ran yet", vec!["report"]),
        ("no package", vec!["package", "verify"]),
        ("a folder that is no package", vec!["package", "verify", "src"]),
        ("no such place for a city", vec!["fixture", "--into", "postgres:x"]),
    ] {
        let mut with = vec!["--workdir", work.as_str()];
        with.extend(arguments);
        let answer = run(&with);
        assert_eq!(answer.status, 2, "{what}: {}", answer.err);
        assert_eq!(answer.out, "", "{what}");
        all.push_str(&format!("== {what}\n{}\n", stable(&answer.err, dir.path())));
    }
    insta::assert_snapshot!("wrong_usage", all);
}

#[cfg(unix)]
#[test]
fn a_work_directory_that_cannot_be_written_is_a_clear_failure() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("work"), "a file stands where the folder should be").unwrap();
    let work = dir.path().join("work").display().to_string();
    let answer = run(&["--workdir", &work, "demo", "--persons", "10"]);
    assert_eq!(answer.status, 1, "{}", answer.err);
    assert!(answer.err.contains("DUR-001") && answer.err.contains("hint:"), "{}", answer.err);
}

#[test]
fn two_processes_do_not_write_in_one_work_directory() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let held = qianyi::state::State::open(&work, "run").unwrap();
    let answer = run(&["--workdir", &work.display().to_string(), "demo", "--persons", "10"]);
    drop(held);
    assert_eq!(answer.status, 1);
    let expected = format!("is in use by process {} (run)", std::process::id());
    assert!(answer.err.contains("STA-001") && answer.err.contains(&expected), "{}", answer.err);
}

#[test]
fn a_mapping_that_names_what_does_not_exist_is_refused_with_its_line_and_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let mappings = dir.path().join("mappings");
    crate::support::copy_folder(&root().join("mappings"), &mappings);
    let file = mappings.join("baicheng/AC01.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("d.XM\""));
    std::fs::write(&file, text.replace("d.XM\"", "d.XMM\"")).unwrap();
    let config = dir.path().join("c.toml");
    let database = Legacy::new("CREATE TABLE T (A int)");
    std::fs::write(
        &config,
        format!(
            "mappings = \"mappings\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\npath = \"{}\"\n",
            database.path.display()
        ),
    )
    .unwrap();
    let work = dir.path().join("work").display().to_string();
    let answer = run(&["--workdir", &work, "run", "--config", &config.display().to_string()]);
    assert_eq!(answer.status, 2, "{}", answer.err);
    assert!(answer.err.contains("AC01.toml:") && answer.err.contains("did you mean"), "{}", answer.err);
    insta::assert_snapshot!("unknown_column", stable(&answer.err, dir.path()));
}

#[test]
fn the_demo_says_where_everything_lies_and_every_command_works_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work").display().to_string();
    let demo = run(&["--workdir", &work, "demo", "--persons", "200", "--seed", "4"]);
    assert_eq!(demo.status, 0, "{}", demo.err);
    let last: Vec<&str> = demo.out.lines().rev().take(3).collect();
    assert!(
        last[0].starts_with("package") && last[1].starts_with("staged") && last[2].starts_with("report"),
        "{last:?}"
    );
    for line in last {
        let path = line.split_whitespace().last().unwrap();
        assert!(Path::new(path).exists(), "{path}");
    }
    let config = format!("{work}/demo.toml");
    for command in [
        vec!["status"],
        vec!["reconcile"],
        vec!["report"],
        vec!["package", "verify"],
        vec!["package", "build"],
        vec!["plan"],
        vec!["profile"],
        vec!["extract"],
        vec!["compact"],
        vec!["verify"],
        vec!["audit", "verify"],
        vec!["audit", "show"],
        vec!["audit", "head"],
        vec!["logs", "r0001"],
    ] {
        for json in [false, true] {
            let mut with = vec!["--workdir", &work, "--config", &config, "--quiet"];
            if json {
                with.push("--json");
            }
            with.extend(&command);
            let answer = run(&with);
            assert_eq!(answer.status, 0, "{command:?} {}", answer.err);
            if json {
                let document = serde_json::from_str::<serde_json::Value>(&answer.out).unwrap();
                assert!(document["version"].as_u64().is_some_and(|v| v > 0), "{command:?} {document}");
            }
        }
    }
    a_row_is_followed(&work, &config);
    let zh = run(&["--workdir", &work, "--lang", "zh", "reconcile"]);
    assert!(zh.out.contains("对账") && zh.out.contains("未解释"), "{}", zh.out);
    let page = std::fs::read_to_string(Path::new(&work).join("runs/r0001/report/index.html")).unwrap();
    assert!(page.contains("Staged → package"));
    no_personal_data(Path::new(&work), &demo);
}

/// A row that a rule changed, by its national key and by its legacy one; a row that is not there; two runs beside each other.
fn a_row_is_followed(work: &str, config: &str) {
    let with = |rest: &[&str]| {
        let mut all = vec!["--workdir", work, "--config", config, "--quiet"];
        all.extend(rest);
        run(&all)
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let changes = json(&with(&["--json", "changes", "AC01"]).out);
    let changes = changes["changes"].as_array().unwrap();
    let alone = |c: &&serde_json::Value| {
        changes.iter().filter(|o| o["key"] == c["key"] && o["column"] == c["column"]).count() == 1
    };
    let change = changes.iter().find(alone).unwrap();
    let key = change["key"].as_str().unwrap();
    let followed = with(&["--json", "trace", "AC01", key]);
    assert_eq!(followed.status, 0, "{}", followed.err);
    let followed = json(&followed.out);
    let row = &followed["rows"][0];
    assert!(row["changes"].as_array().unwrap().contains(change), "{row}");
    assert_eq!(row["origins"][0]["source"], "ylbx.GRJBXX");
    assert!(row["origins"][0]["raw"].as_str().unwrap().starts_with("raw/ylbx/GRJBXX/"), "{row}");
    assert!(row["origins"][0]["row"].as_u64().unwrap() > 0);
    for place in ["mapped", "ended"] {
        assert!(Path::new(work).join(row[place].as_str().unwrap()).is_file(), "{row}");
    }
    let changed = row["values"].as_array().unwrap().iter().find(|v| v["column"] == change["column"]).unwrap();
    assert_eq!((&changed["mapped"], &changed["ended"]), (&change["before"], &change["after"]));

    // The legacy number of that person, as it is staged in the clear.
    let skey = crate::support::parquet_under(&Path::new(work).join("runs/r0001/mapped/AC01"))
        .iter()
        .flat_map(|part| crate::support::text_rows(part, &["_key", "_skey"]))
        .find(|row| row[0].as_deref() == Some(key))
        .and_then(|row| row[1].clone())
        .unwrap();
    let said = with(&["trace", "ylbx.GRJBXX", &skey]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(
        said.out.contains(change["rule"].as_str().unwrap())
            && said.out.contains("AC01")
            && said.out.contains("AC02"),
        "{}",
        said.out
    );
    assert!(!said.out.contains(&skey), "{}", said.out);
    assert_eq!(with(&["trace", "AC01", "no such key"]).status, 3);

    let same = with(&["reconcile", "--against", "r0001"]);
    assert!(same.status == 0 && same.out.contains("Rows and money are the same"), "{}", same.out);
}

/// Neither the logs nor the terminal nor the page show a name or an ID of anybody in the city.
fn no_personal_data(work: &Path, demo: &Said) {
    let mut texts = vec![demo.out.clone(), demo.err.clone()];
    texts.push(std::fs::read_to_string(work.join("runs/r0001/report/index.html")).unwrap());
    let logs: Vec<_> = std::fs::read_dir(work.join("logs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(logs.len() >= 2, "{logs:?}");
    for log in logs {
        let text = std::fs::read_to_string(log).unwrap();
        assert!(text.lines().count() >= 1);
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        texts.push(text);
    }
    let people = crate::support::parquet_under(&work.join("runs/r0001/staged/AC01"));
    let mut seen = 0;
    for part in people {
        for row in crate::support::text_rows(&part, &["AAC003", "AAC002"]) {
            for value in row.into_iter().flatten().filter(|v| v.chars().count() > 2) {
                seen += 1;
                assert!(texts.iter().all(|t| !t.contains(&value)), "a name or an ID is shown");
            }
        }
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn a_fixture_is_made_where_it_was_asked_for_and_never_over_somebody_elses_file() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("new/folder/city.db");
    let into = format!("sqlite:{}", database.display());
    let made = run(&["fixture", "--persons", "5", "--into", &into, "--json", "--quiet"]);
    assert_eq!(made.status, 0, "{}", made.err);
    let said: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    assert!(database.is_file() && Path::new(said["truth"].as_str().unwrap()).is_file());
    std::fs::write(dir.path().join("mine.txt"), "mine").unwrap();
    let into = format!("sqlite:{}", dir.path().join("mine.txt").display());
    let refused = run(&["fixture", "--persons", "5", "--into", &into]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("FIX-001"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(dir.path().join("mine.txt")).unwrap(), "mine");
}

#[test]
fn a_server_that_is_down_shows_each_retry_and_the_log_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (config, work) = (dir.path().join("c.toml"), dir.path().join("work"));
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\n[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\n[sources.limits]\nretries = 2\n\
         [sources.server]\nhost = \"/nowhere\"\ndatabase = \"d\"\nuser = \"u\"\ntls = \"off\"\n",
        root().join("mappings").display()
    );
    std::fs::write(&config, text).unwrap();
    let (config, workdir) = (config.display().to_string(), work.display().to_string());
    for (lang, line) in [("en", "tried again in 0."), ("zh", " 秒后重试：")] {
        let down = run(&["--workdir", &workdir, "--config", &config, "--lang", lang, "extract"]);
        assert_eq!((down.status, down.err.matches(line).count()), (1, 2), "{}", down.err);
        assert!(down.err.contains("SRC-014"), "{}", down.err);
    }
    let quiet = run(&["--workdir", &workdir, "--config", &config, "--lang", "en", "--quiet", "extract"]);
    assert!(!quiet.err.contains("tried again"), "{}", quiet.err);
    let logs = run(&["--workdir", &workdir, "--config", &config, "--lang", "en", "logs"]);
    assert_eq!(logs.out.matches("connected again after").count(), 2, "{}", logs.out);
}

#[test]
fn a_closed_pipe_ends_the_printing_and_nothing_else() {
    let mut child = qianyi(&["completions", "bash"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_blocked_run_ends_with_status_3_and_is_not_sealed_unless_asked() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::support::demo::city(dir.path(), 60, 2);
    let mappings = dir.path().join("mappings");
    crate::support::copy_folder(&root().join("mappings"), &mappings);
    let city = mappings.join("baicheng/city.toml");
    let text = std::fs::read_to_string(&city).unwrap();
    std::fs::write(&city, text.replace("table = \"TEST_*\"", "table = \"NOTHING_*\"")).unwrap();
    let odd = "CREATE TABLE \"ODD\n\u{1b}[2J\" (K int PRIMARY KEY)";
    rusqlite::Connection::open(&database).unwrap().execute_batch(odd).unwrap();
    // A measure that takes another amount: the money of two does not add up.
    let details = mappings.join("baicheng/AC43.toml");
    let text = std::fs::read_to_string(&details).unwrap();
    assert!(text.contains("AAE020 = \"d.DWJE\""));
    std::fs::write(&details, text.replace("AAE020 = \"d.DWJE\"", "AAE020 = \"d.GRJE\"")).unwrap();
    let config = dir.path().join("c.toml");
    std::fs::write(
        &config,
        format!(
            "mappings = \"mappings\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\npath = \"{}\"\n",
            database.display()
        ),
    )
    .unwrap();
    let (work, config) = (dir.path().join("work").display().to_string(), config.display().to_string());
    let ask = |arguments: &[&str]| {
        let mut with = vec!["--workdir", work.as_str(), "--config", config.as_str(), "--quiet"];
        with.extend(arguments);
        run(&with)
    };
    let blocked = ask(&["run"]);
    assert_eq!(blocked.status, 3, "{}", blocked.err);
    assert!(
        blocked.out.contains("Run r0001 Blocked") && blocked.out.contains("ylbx.TEST_GRJBXX: undecided"),
        "{}",
        blocked.out
    );
    // The first lines that do not add up, and how to see all; names as a terminal may show them.
    for said in ["    raw-mapped ylbx.SYJFMX", "qianyi reconcile r0001", "ODD\\u{a}\\u{1b}[2J: undecided"] {
        assert!(blocked.out.contains(said), "{said}: {}", blocked.out);
    }
    let page = std::fs::read_to_string(dir.path().join("work/runs/r0001/report/index.html")).unwrap();
    let head = page.split("id=\"blocked\"").nth(1).and_then(|p| p.split("</ol>").next()).unwrap();
    assert!(head.contains("ylbx.SYJFMX"), "{head}");
    let again = ask(&["reconcile"]);
    assert_eq!(again.status, 3);
    for said in ["raw-mapped ylbx.SYJFMX", "What blocks:\n", "ylbx.TEST_GRJBXX: undecided"] {
        assert!(again.out.contains(said), "{said}: {}", again.out);
    }
    let refused = ask(&["package", "build"]);
    assert_eq!(refused.status, 3);
    assert!(refused.err.contains("PKG-001"), "{}", refused.err);
    assert_eq!(ask(&["package", "build", "--allow-blocked"]).status, 0);
    let verified = ask(&["package", "verify"]);
    assert_eq!(verified.status, 0);
    assert!(verified.out.contains("not for upload"), "{}", verified.out);
    std::fs::write(dir.path().join("work/packages/p0001-r0001/data/more.txt"), "x").unwrap();
    let damaged = ask(&["package", "verify"]);
    assert_eq!(damaged.status, 3);
    assert!(
        damaged.out.contains("NOT sound") && damaged.out.contains("data/more.txt: is in no manifest"),
        "{}",
        damaged.out
    );
}
