//! The demo city from its database to the end of a run: what was planted is found, and everything adds up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use qianyi::fixture::{Defects, FixtureSettings, generate, truth_path};
use qianyi::progress::{Progress, Silent};
use qianyi::run::{RunSettings, run};
use qianyi::trail::Summary;

use crate::support::legacy::settings;
use crate::support::truth;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name)
}

fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2021, 5, 31).unwrap()
}

/// Settings of a run over a generated city.
fn run_settings(database: &Path, workdir: &Path, partitions: usize) -> RunSettings {
    RunSettings {
        workdir: workdir.to_owned(),
        national: folder("national"),
        city: folder("baicheng"),
        sources: vec![settings(database, 20_000)],
        memory: 1 << 30,
        partitions,
        as_of: as_of(),
        config_digest: "test".to_owned(),
        command: "run".to_owned(),
    }
}

fn city(dir: &Path, persons: u64, seed: u64) -> PathBuf {
    let database = dir.join("ylbx.db");
    let of = FixtureSettings { persons, seed, as_of: as_of(), defects: Defects::Planted };
    generate(&of, &database, &mut |_| {}).unwrap();
    database
}

fn ran(of: &RunSettings) -> Summary {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    match run(of, &progress) {
        Ok(summary) => summary,
        Err(e) => panic!("{:?}", miette::Report::new(e)),
    }
}

#[test]
fn every_planted_structural_defect_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 20_000, 1);
    let workdir = dir.path().join("work");
    let summary = ran(&run_settings(&database, &workdir, 4));
    let verdict = truth::compare(&workdir.join("runs").join(&summary.run), &truth_path(&database));
    assert!(verdict.planted.len() >= 20, "{:#?}", verdict.planted);
    assert_eq!((verdict.missed, verdict.invented), (Vec::new(), Vec::new()));
}
