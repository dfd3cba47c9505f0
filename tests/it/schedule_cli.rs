//! The schedule from outside: its configuration, its systemd units, the real process, and work that stops as asked.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use qianyi::config::{ConfigError, Layers, load};
use qianyi::error::{Consequence, RetryClass};
use qianyi::progress::Progress;
use qianyi::schedule::units::{self, Units};
use qianyi::schedule::{JobKind, JobSettings, Missed, ScheduleError, Times, Told};
use qianyi::state::{Jobs, State};
use qianyi::stop::Stop;

fn job(name: &str, cron: &str, missed: Missed) -> JobSettings {
    let (name, cron) = (name.to_owned(), Times::parse(cron).unwrap());
    JobSettings { name, cron, job: JobKind::Run, missed, jitter_seconds: 0 }
}

#[test]
fn systemd_units_name_everything_absolutely() {
    let of = Units {
        program: "/usr/local/bin/qianyi".into(),
        workdir: "/srv/qian yi".into(),
        folder: "/opt/qianyi".into(),
        options: vec!["--config".into(), "/etc/qianyi/50%$.toml".into(), "--lang".into(), "zh".into()],
        written: vec!["/var/lib/node_exporter/qianyi.prom".into(), "/srv/qian yi/m.prom".into()],
        user: Some("qianyi".to_owned()),
        zone: qianyi::clock::DEFAULT_ZONE,
        dir: "/etc/systemd/system".into(),
    };
    let extract = JobSettings {
        job: JobKind::Extract,
        jitter_seconds: 600,
        ..job("changes", "*/30 8-18 * * 1-5", Missed::Once)
    };
    let jobs = [extract, job("month", "0 1 L * *", Missed::Skip)];
    insta::assert_snapshot!("units", units::text(&of, &jobs).unwrap());
    let bad = Units { user: Some("a b".to_owned()), ..of.clone() };
    assert!(matches!(units::text(&bad, &jobs), Err(ScheduleError::User { .. })));
    let bad = Units { workdir: "/a\nExecStart=/bin/sh".into(), ..of };
    assert!(matches!(units::text(&bad, &jobs), Err(ScheduleError::Path { .. })));
}

fn mappings() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").display().to_string()
}

fn config(dir: &Path, more: &str) -> PathBuf {
    let path = dir.join("c.toml");
    let head = format!("mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n", mappings());
    std::fs::write(&path, format!("{head}{more}")).unwrap();
    path
}

#[test]
fn the_configuration_is_read_with_paths_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(
        dir.path(),
        "metrics = \"q.prom\"\n[[schedule]]\nname = \"a\"\ncron = \" 0  1 * * *\"\njob = \"extract\"\n\
         [[schedule]]\nname = \"b\"\ncron = \"@weekly\"\njob = \"run\"\nmissed = \"once\"\njitter_seconds = 60\n\
         [notify]\ncommand = [\"bin/tell\", \"a/b\"]\nwebhook = \"http://10.1.2.3:8080/x\"\non = [\"blocked\"]\n",
    );
    let found = load(&Layers { files: vec![file], ..Layers::default() }).unwrap();
    assert_eq!(found.metrics, Some(dir.path().join("q.prom")));
    let [a, b] = found.schedule.as_slice() else { panic!("{:?}", found.schedule) };
    assert_eq!(
        (a.cron.text.as_str(), a.job, a.missed, a.jitter_seconds),
        ("0 1 * * *", JobKind::Extract, Missed::Skip, 0)
    );
    assert_eq!((b.job, b.missed, b.jitter_seconds), (JobKind::Run, Missed::Once, 60));
    let notify = found.notify.unwrap();
    assert_eq!(notify.command, [dir.path().join("bin/tell").display().to_string(), "a/b".to_owned()]);
    assert_eq!((notify.on, notify.webhook.unwrap().peer), (vec![Told::Blocked], "10.1.2.3:8080".to_owned()));
    let plain = config(dir.path(), "[notify]\ncommand = [\"mail\"]\n");
    let notify = load(&Layers { files: vec![plain], ..Layers::default() }).unwrap().notify.unwrap();
    assert_eq!((notify.command, notify.on), (vec!["mail".to_owned()], vec![Told::Failed, Told::Blocked]));
}

#[test]
fn mistakes_in_the_schedule_name_their_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(
        dir.path(),
        "metrics = 7\n[notify]\nwebhook = \"https://x/y\"\ncommand = \"mail\"\non = [\"faild\"]\nto = \"me\"\n\
         [[schedule]]\nname = \"a\"\ncron = \"61 1 * * *\"\njob = \"extrakt\"\nmissed = \"twice\"\n\
         [[schedule]]\nname = \"a\"\ncron = 5\njob = \"run\"\njitter_seconds = 100000\ncorn = \"\"\n\
         [[schedule]]\nname = \"a b\"\ncron = \"0 0 30 2 *\"\n",
    );
    let error = load(&Layers { files: vec![file], ..Layers::default() }).unwrap_err();
    let ConfigError::Mistakes { mistakes } = &error else { panic!("{error}") };
    let line = |m: &qianyi::config::Mistake| {
        let hint = m.hint.as_ref().map(|h| format!("\n    {h}")).unwrap_or_default();
        format!("{}: {}{hint}", m.line, m.message)
    };
    insta::assert_snapshot!("mistakes", mistakes.iter().map(line).collect::<Vec<_>>().join("\n"));
    let nobody = config(dir.path(), "schedule = 1\n[notify]\n");
    let error = load(&Layers { files: vec![nobody], ..Layers::default() }).unwrap_err();
    let ConfigError::Mistakes { mistakes } = &error else { panic!("{error}") };
    assert_eq!(mistakes.len(), 2);
}

/// `qianyi` with these arguments in a work directory, under a configuration.
fn qianyi(work: &Path, config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.arg("--workdir").arg(work).arg("--config").arg(config).args(arguments);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("LC_ALL")
        .env("LANG", "C.UTF-8")
        .env("TZ", "America/New_York");
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command
}

#[cfg(unix)]
#[test]
fn a_process_that_is_asked_to_stop_ends_well_and_frees_its_lock() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let file = config(dir.path(), "[[schedule]]\nname = \"leap\"\ncron = \"0 0 29 2 *\"\njob = \"run\"\n");
    for signal in ["-TERM", "-INT"] {
        let mut child = qianyi(&work, &file, &["schedule"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first line says that it waits: signals are heard since before that.
        let mut line = String::new();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert!(line.contains("next job leap: ") && line.trim_end().ends_with("-02-29 00:00:00"), "{line}");
        let second = qianyi(&work, &file, &["schedule"]).output().unwrap();
        assert_eq!(second.status.code(), Some(1));
        let error = String::from_utf8(second.stderr).unwrap();
        assert!(
            error.contains("STA-007") && error.contains(&format!("process {} runs", child.id())),
            "{error}"
        );
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{signal}");
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "stopped; jobs run: 0\n");
        drop(Jobs::open(&work).unwrap());
        drop(State::open(&work, "test").unwrap());
    }
}

/// A process catches up on its one overdue job and is then asked to stop; the line that tells how the job ended.
#[cfg(unix)]
fn caught_up(work: &Path, file: &Path) -> String {
    let jobs = Jobs::open(work).unwrap();
    jobs.begin("leap", "2020-02-28T16:00:00Z", "2020-02-28T16:00:00Z").unwrap();
    drop(jobs);
    let mut child = qianyi(work, file, &["--quiet", "schedule"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|l| l.contains("job ended")).unwrap();
    // Waiting again: everybody has been told.
    assert!(lines.any(|l| l.contains("next job leap")));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    line
}

#[cfg(unix)]
#[test]
fn a_process_runs_an_overdue_job_and_tells_of_one_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let database = crate::support::demo::city(dir.path(), 60, 3);
    let acknowledged = crate::support::demo::acknowledged();
    let of = |source: &str| {
        format!(
            "metrics = \"q.prom\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\npath = \"{source}\"\n\
             [notify]\ncommand = [\"/bin/sh\", \"-c\", 'cat >\"$0\"', \"{}\"]\n\
             [[schedule]]\nname = \"leap\"\ncron = \"0 0 29 2 *\"\njob = \"run\"\nmissed = \"once\"\n{acknowledged}",
            dir.path().join("told").display()
        )
    };
    let line = caught_up(&work, &config(dir.path(), &of(&database.display().to_string())));
    assert!(line.ends_with("job ended leap done"), "{line}");
    assert!(!dir.path().join("told").exists());
    let metrics = std::fs::read_to_string(dir.path().join("q.prom")).unwrap();
    assert!(metrics.contains("qianyi_unexplained_rows{job=\"leap\"} 0\n"), "{metrics}");
    assert!(work.join("runs/r0001/summary.json").is_file());
    let logs = qianyi(&work, &dir.path().join("c.toml"), &["logs", "r0001"]).output().unwrap();
    let logs = String::from_utf8(logs.stdout).unwrap();
    for event in ["job started", "the run ended run=r0001", "job ended"] {
        assert!(logs.contains(event), "{event}: {logs}");
    }
    let none = qianyi(&work, &dir.path().join("c.toml"), &["logs", "r0009"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    let line = caught_up(&work, &config(dir.path(), &of("nowhere.db")));
    assert!(line.contains("job ended leap failed SRC-001: "), "{line}");
    let told: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("told")).unwrap()).unwrap();
    assert_eq!((&told["exit_status"], &told["error_code"]), (&2.into(), &"SRC-001".into()));
    assert_eq!((&told["version"], &told["city"]), (&2.into(), &"白城市".into()));
    assert!(told["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{told}");
    let status = qianyi(&work, &dir.path().join("c.toml"), &["status"]).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    for line in ["Job leap: failed", "  why: SRC-001", "  what to do: ", "next 20", "Source ylbx: e0001"] {
        assert!(status.to_lowercase().contains(&line.to_lowercase()), "{line}: {status}");
    }
}

#[test]
fn status_and_install_know_the_jobs_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let jobs = Jobs::open(&work).unwrap();
    jobs.begin("leap", "2020-02-28T16:00:00Z", "2020-02-28T16:00:00Z").unwrap();
    drop(jobs);
    let file = config(
        dir.path(),
        "[[schedule]]\nname = \"leap\"\ncron = \"0 0 29 2 *\"\njob = \"run\"\n[[schedule]]\nname = \"new\"\ncron = \"0 1 * * *\"\njob = \"extract\"\n",
    );
    let said = |arguments: &[&str]| {
        let answer = qianyi(&work, &file, arguments).output().unwrap();
        assert_eq!(answer.status.code(), Some(0), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap()
    };
    let text = said(&["status"]);
    assert!(
        text.contains("leap") && text.contains("interrupted (resumable)") && text.contains("never ran"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&said(&["--json", "status"])).unwrap();
    assert_eq!(json["jobs"][0]["last"]["outcome"], "running");
    assert_eq!(
        (&json["jobs"][1]["last"], &json["jobs"][1]["does"]),
        (&serde_json::Value::Null, &"extract".into())
    );
    assert!(json["jobs"][1]["next"].as_str().unwrap().ends_with("T01:00:00+08:00"), "one at night in China");
    let units = said(&["schedule", "install", "--user", "qianyi"]);
    assert!(units.contains(&format!("--config {}", file.display())), "{units}");
    assert!(
        units.contains("User=qianyi\n") && units.contains("OnCalendar=*-*-* 01:00:00 Asia/Shanghai\n"),
        "{units}"
    );
    let none = config(dir.path(), "");
    for arguments in [&["schedule"][..], &["schedule", "install"]] {
        let answer = qianyi(&work, &none, arguments).output().unwrap();
        assert_eq!(answer.status.code(), Some(2));
        assert!(String::from_utf8(answer.stderr).unwrap().contains("SCH-001"));
    }
}

/// Asks to stop as soon as a piece of this stage begins.
struct StopsAt(&'static str, Stop);

impl Progress for StopsAt {
    fn start(&self, stage: &str, _table: &str, _total: u64) {
        if stage == self.0 {
            self.1.ask();
        }
    }
    fn rows(&self, _n: u64) {}
    fn finish(&self) {}
}

#[test]
fn a_walk_that_is_stopped_anywhere_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::support::demo::city(dir.path(), 40, 3);
    let work = dir.path().join("work");
    let mut of = crate::support::demo::run_settings(&database, &work, 1);
    for stage in ["extract", "read", "map"] {
        of.stop = Stop::new();
        let progress: Arc<dyn Progress> = Arc::new(StopsAt(stage, of.stop.clone()));
        let error = qianyi::pipeline::run(&of, &progress).unwrap_err();
        let code = miette::Diagnostic::code(&error).map(|c| c.to_string());
        assert_eq!(code.as_deref(), Some("EXT-010"), "{stage}: {error}");
        assert_eq!(error.retry_class(), RetryClass::Resume);
    }
    of.stop = Stop::new();
    let summary = crate::support::demo::ran(&of);
    assert_eq!((summary.run.as_str(), summary.unexplained_rows), ("r0001", 0));
    let unread = summary.stages.iter().find(|s| s.stage == "extract").unwrap();
    assert_eq!(unread.rows, 0, "the extract was complete before");
}
