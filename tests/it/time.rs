//! Times and zones: no result depends on those of the machine, and what people read stands in the configured zone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::demo::city;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary on a machine whose zone is `zone`, and whose clock stands at `now` when it starts.
fn qianyi(zone: &str, now: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .current_dir(root())
        .env("TZ", zone)
        .env("QIANYI_CLOCK", now)
        .env("LANG", "C.UTF-8");
    command
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
}

/// A generated city and a configuration without a day that stands for today.
fn bare(dir: &Path, more: &str) -> (PathBuf, PathBuf) {
    let database = city(dir, 40, 5);
    let config = dir.join("c.toml");
    let mappings = root().join("mappings").display().to_string();
    let source =
        format!("[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{}\"\n", database.display());
    std::fs::write(&config, format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\n{source}{more}"))
        .unwrap();
    (dir.join("work"), config)
}

/// The digest of every file of a work directory but logs, state and what says when it was made.
fn files(work: &Path) -> BTreeMap<String, String> {
    const TOLD: &[&str] = &[
        "audit.log",
        "lock",
        "state.db",
        "state.db-wal",
        "state.db-shm",
        "summary.json",
        "index.html",
        "bag-info.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
    ];
    let (mut found, mut open) = (BTreeMap::new(), vec![work.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let inside = path.strip_prefix(work).unwrap().display().to_string();
            if path.is_dir() {
                if inside != "logs" {
                    open.push(path);
                }
            } else if !TOLD.contains(&name.as_str()) {
                found.insert(inside, qianyi::durable::sha256(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn no_result_depends_on_the_zone_or_the_clock_of_the_machine() {
    let mut first: Option<(BTreeMap<String, String>, Value)> = None;
    for (zone, now) in [
        ("UTC", "2026-03-01T23:50:00Z"),
        ("America/New_York", "2026-03-01T23:50:00Z"),
        // In the night in which New York's clocks go back an hour.
        ("America/New_York", "2031-11-02T05:30:00Z"),
        ("Asia/Shanghai", "2031-11-02T16:10:00Z"),
        ("Asia/Kathmandu", "2031-11-02T18:20:00Z"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        let arguments = [
            "--workdir",
            work.to_str().unwrap(),
            "demo",
            "--persons",
            "60",
            "--seed",
            "3",
            "--quiet",
            "--json",
        ];
        let done = qianyi(zone, now, &arguments).output().unwrap();
        let mut summary = json(&done)["summary"].clone();
        assert!(summary["tables"].as_array().unwrap().len() > 20, "{summary}");
        let fields = summary.as_object_mut().unwrap();
        for when in ["started", "finished", "stages", "peak_rss_bytes"] {
            assert!(fields.remove(when).is_some());
        }
        fields["extracts"][0].as_object_mut().unwrap().remove("started");
        let files = files(&work);
        assert!(files.len() > 100, "{files:?}");
        match &first {
            None => first = Some((files, summary)),
            Some((before, said)) => {
                assert_eq!(&files, before, "{zone} {now}");
                assert_eq!(&summary, said, "{zone} {now}");
            }
        }
    }
}

#[test]
fn the_day_of_a_run_is_that_of_its_extract_point_and_stays_when_it_is_taken_up_again() {
    let first = "2026-05-31T23:50:00Z";
    for (more, begun, taken_up, expected) in [
        // Nearly midnight in Greenwich, then after it: morning in Shanghai both times.
        ("", "2026-05-31T23:50:00Z", "2026-06-01T00:10:00Z", "2026-06-01"),
        // Midnight in Shanghai lies between.
        ("", "2026-05-31T15:50:00Z", "2026-05-31T16:10:00Z", "2026-05-31"),
        // One o'clock in Shanghai: still the day before in Greenwich.
        ("", "2026-05-31T17:00:00Z", "2026-05-31T17:10:00Z", "2026-06-01"),
        ("time_zone = \"Asia/Kathmandu\"\n", "2026-05-31T18:10:00Z", "2026-05-31T18:20:00Z", "2026-05-31"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (work, config) = bare(dir.path(), "");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{more}{text}")).unwrap();
        let common =
            ["--workdir", work.to_str().unwrap(), "--config", config.to_str().unwrap(), "--quiet", "--json"];
        let run = |now: &str, failpoint: Option<&str>| {
            let mut command = qianyi("America/New_York", now, &[&common[..], &["run"]].concat());
            if let Some(failpoint) = failpoint {
                command.env("QIANYI_FAILPOINT", failpoint);
            }
            command.output().unwrap()
        };
        let killed = run(begun, Some("run.recorded:5"));
        assert!(!killed.status.success() && killed.status.code().is_none(), "{killed:?}");
        let done = json(&run(taken_up, None));
        assert_eq!(
            (done["run"].as_str(), done["as_of"].as_str()),
            (Some("r0001"), Some(expected)),
            "{begun}"
        );
        let status = json(&qianyi("UTC", taken_up, &[&common[..], &["status"]].concat()).output().unwrap());
        let runs = status["runs"].as_array().unwrap();
        assert_eq!((runs.len(), runs[0]["as_of"].as_str()), (1, Some(expected)), "{status}");
        if begun != first {
            continue;
        }
        // A month later the source is the same, and so is its point.
        let again = json(&run("2026-07-01T00:00:00Z", None));
        assert_eq!((again["run"].as_str(), again["as_of"].as_str()), (Some("r0001"), Some(expected)));
        assert_eq!(again["tables"], done["tables"]);
    }
}

#[test]
fn windows_are_those_of_the_sources_zone_and_what_is_shown_stands_in_the_configured_one() {
    let dir = tempfile::tempdir().unwrap();
    let (work, config) = bare(dir.path(), "[sources.limits]\nwindows = [\"01:00-02:00\"]\n");
    let common = ["--workdir", work.to_str().unwrap(), "--config", config.to_str().unwrap(), "--quiet"];
    let extract =
        |zone: &str, now: &str| qianyi(zone, now, &[&common[..], &["extract"]].concat()).output().unwrap();
    // Half past one in Greenwich, and on this machine: half past nine in Shanghai.
    let closed = extract("UTC", "2026-05-31T01:30:00Z");
    let error = String::from_utf8(closed.stderr).unwrap();
    assert!(error.contains("EXT-011") && error.contains("01:00-02:00"), "{error}");
    let open = extract("America/New_York", "2026-05-31T17:30:00Z");
    assert_eq!(open.status.code(), Some(0), "{}", String::from_utf8_lossy(&open.stderr));
    let status =
        qianyi("UTC", "2026-06-01T00:00:00Z", &[&common[..], &["status"]].concat()).output().unwrap();
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(text.contains("2026-06-01 01:3"), "{text}");
    let status = [&common[..], &["status", "--json"]].concat();
    let status = json(&qianyi("UTC", "2026-06-01T00:00:00Z", &status).output().unwrap());
    let started = status["extracts"][0]["started"].clone();
    assert!(
        started.as_str().unwrap().starts_with("2026-06-01T01:3")
            && started.as_str().unwrap().ends_with("+08:00")
    );
    let logs: Vec<String> = std::fs::read_dir(work.join("logs"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(logs.iter().any(|l| l.starts_with("20260601T013")), "{logs:?}");
    let log = std::fs::read_to_string(work.join("logs").join(logs.iter().max().unwrap())).unwrap();
    assert!(log.lines().all(|l| l.contains("\"timestamp\":\"2026-0") && l.contains("+08:00\"")), "{log}");
    // The source's own zone decides about its windows.
    let text = std::fs::read_to_string(&config).unwrap();
    let there = text.replace("kind = \"sqlite\"", "kind = \"sqlite\"\ntime_zone = \"America/New_York\"");
    std::fs::write(&config, there).unwrap();
    let open = extract("Asia/Shanghai", "2026-05-31T05:30:00Z");
    assert_eq!(open.status.code(), Some(0), "{}", String::from_utf8_lossy(&open.stderr));
}
