//! The rehearsal against a staging database that refuses, loses answers, never answers or answers late, and killed at any message of the
//! load: a clear error within its limits, nothing left, and the next one right.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use qianyi::artifacts::Rehearsal;
use qianyi::error::{Consequence, RetryClass};
use qianyi::pipeline::StagingSettings;

use crate::rehearsal::{SCHEMA, Stage, code};
use crate::support::demo::folder;
use crate::support::pg_double::{COPY_DONE, Double, Fault};

fn through(double: &Double, stage: &Stage) -> StagingSettings {
    let mut settings = stage.settings("staging");
    settings.server.host = double.socket().display().to_string();
    settings
}

/// One without a fault, and nothing left behind it.
fn right(stage: &Stage, settings: &StagingSettings) -> Rehearsal {
    let found = stage.rehearse(Some(settings), false).unwrap();
    assert_eq!((found.problems.as_slice(), found.kept), (&[][..], false));
    assert_eq!(stage.schemas(), "");
    found
}

/// Statements of a rehearsal, in their order.
const STATEMENTS: [&str; 12] = [
    "SET application_name",
    "pg_advisory_lock",
    "SHOW server_encoding",
    "SHOW server_version",
    "CREATE SCHEMA",
    "FROM STDIN",
    COPY_DONE,
    "PRIMARY KEY",
    "ANALYZE",
    "TO STDOUT",
    "pg_total_relation_size",
    "DROP SCHEMA \"qianyi_staging_load\"",
];

#[test]
fn a_lost_answer_is_a_clear_error_that_leaves_nothing_and_the_next_run_is_right() {
    let stage = Stage::new(40);
    let double = Double::start(&stage.cluster);
    let settings = through(&double, &stage);
    let whole = right(&stage, &settings);
    let before = stage.run().rehearsal;
    for statement in STATEMENTS {
        double.fault(statement, Fault::Cut);
        let lost = stage.rehearse(Some(&settings), false).unwrap_err();
        assert_eq!(
            (code(&lost).as_str(), lost.retry_class()),
            ("STG-002", RetryClass::Resume),
            "{statement}"
        );
        assert!(double.met(), "{statement}");
        assert_eq!(stage.schemas(), "", "{statement}");
        assert_eq!(stage.run().rehearsal, before, "{statement}");
    }
    // The answer to the last step: it was done, and the next one does it again.
    double.fault("RENAME TO", Fault::Cut);
    assert_eq!(code(&stage.rehearse(Some(&settings), true).unwrap_err()), "STG-002");
    assert_eq!(stage.schemas(), SCHEMA);
    assert!(stage.rehearse(Some(&settings), true).unwrap().kept);
    assert_eq!(stage.schemas(), SCHEMA);
    stage.sql(&format!("DROP SCHEMA {SCHEMA} CASCADE"));

    // Late is no fault.
    for statement in ["CREATE SCHEMA", COPY_DONE, "TO STDOUT"] {
        double.fault(statement, Fault::Late);
        assert_eq!(right(&stage, &settings).rows, whole.rows);
        assert!(double.met());
    }

    // A server that is gone keeps what was loaded until the next one.
    double.fault("PRIMARY KEY", Fault::Gone);
    assert_eq!(code(&stage.rehearse(Some(&settings), false).unwrap_err()), "STG-002");
    assert_eq!(stage.schemas(), format!("{SCHEMA}_load"));
    double.mend();
    assert_eq!(right(&stage, &settings).rows, whole.rows);

    // On the command line: exit status 1, what, and what to do.
    let config = written(&stage, &double);
    for (statement, fault, told) in [
        ("", Fault::Refuse, ["STG-001", "cannot be reached"]),
        (COPY_DONE, Fault::Cut, ["STG-002", "run `qianyi dry-run` again"]),
    ] {
        double.fault(statement, fault);
        let done = begun(&stage, &config).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(told.iter().all(|t| said.contains(t)), "{said}");
        double.mend();
        assert_eq!(stage.schemas(), "");
    }
}

#[test]
fn a_server_that_never_answers_ends_the_rehearsal_at_its_limit_and_leaves_nothing() {
    let stage = Stage::new(40);
    let double = Double::start(&stage.cluster);
    let mut settings = through(&double, &stage);
    settings.statement_seconds = 3;
    for statement in ["CREATE SCHEMA", COPY_DONE] {
        double.fault(statement, Fault::Mute);
        let silent = stage.rehearse(Some(&settings), false).unwrap_err();
        assert_eq!(
            (code(&silent).as_str(), silent.retry_class()),
            ("STG-003", RetryClass::Resume),
            "{silent}"
        );
        assert!(double.met(), "{statement}");
        assert_eq!(stage.schemas(), "", "{statement}");
        // The stuck session and its lock are gone, too.
        settings.statement_seconds = 600;
        right(&stage, &settings);
        settings.statement_seconds = 3;
    }
}

/// A configuration that loads through a double.
fn written(stage: &Stage, double: &Double) -> PathBuf {
    let config = stage.workdir.join("double.toml");
    let text = format!(
        "city = \"baicheng\"\nmappings = \"{}\"\n[staging]\n[staging.server]\nhost = \"{}\"\ndatabase = \"staging\"\nuser = \"founder\"\ntls = \"off\"\n",
        folder("").display(),
        double.socket().display()
    );
    std::fs::write(&config, text).unwrap();
    config
}

/// `dry-run` of the first run in a process of its own.
fn begun(stage: &Stage, config: &PathBuf) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.args(["dry-run", "--run", "r0001", "--quiet", "--lang", "en", "--config"]).arg(config);
    command.arg("--workdir").arg(&stage.workdir);
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills the process at messages of its load that a seed chooses; after each the next one is right.
fn killed_at(points: u64, mut seed: u64) {
    let stage = Stage::new(40);
    let double = Double::start(&stage.cluster);
    let config = written(&stage, &double);
    let whole = |what: &str| {
        let done = begun(&stage, &config).wait_with_output().unwrap();
        assert!(done.status.success(), "{what}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(stage.schemas(), "", "{what}");
        let run = stage.run();
        (run.rehearsal.unwrap().rows, run.reconciliation)
    };
    let undisturbed = whole("undisturbed");
    let messages = double.messages();
    assert!(messages > 500, "{messages}");
    let shadow = format!("{SCHEMA}_load");
    let mut left = 0;
    for _ in 0..points {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (seed >> 33) % messages + 1;
        double.messages();
        let mut child = begun(&stage, &config);
        double.kill_at(at, child.id());
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9), "{at}");
        let schemas = stage.schemas();
        assert!(schemas.is_empty() || schemas == shadow, "{at}: {schemas}");
        left += u64::from(!schemas.is_empty());
        assert_eq!(whole(&format!("after a kill at message {at}")), undisturbed, "{at}");
    }
    assert!(left > 0, "no kill came in the middle of a load");
    #[allow(clippy::print_stdout)] // scripts/kill-load shows it.
    let said = || {
        println!(
            "{points} kills over {messages} messages; {left} left a shadow schema that the next one dropped"
        )
    };
    said();
}

#[test]
fn killed_at_random_messages_of_the_load_the_next_run_is_right() {
    killed_at(5, 16);
}

/// `scripts/kill-load`.
#[test]
#[ignore = "minutes: scripts/kill-load"]
fn killed_at_many_messages_of_the_load_the_next_run_is_right() {
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    killed_at(number("KILL_POINTS", 50), number("KILL_SEED", 1));
}
