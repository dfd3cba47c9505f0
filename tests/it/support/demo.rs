//! A generated demo city and a run over it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use qianyi::artifacts::Summary;
use qianyi::config::{DemoLayer, Layers, load};
use qianyi::fixture::{Defects, FixtureSettings, generate};
use qianyi::pipeline::{Expected, RunSettings, run};
use qianyi::progress::{Progress, Silent};
use qianyi::report::Lang;
use qianyi::stop::Stop;

use super::legacy::settings;

/// A folder of mappings.
pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name)
}

/// The day that stands for today.
pub fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2021, 5, 31).unwrap()
}

/// What the demo acknowledges: small cities lack a table or two.
fn expected() -> Expected {
    let demo = Some(DemoLayer { database: PathBuf::new() });
    load(&Layers { demo, ..Layers::default() }).unwrap().expected
}

/// The same as text of a configuration, for cities of so few units that half of them may be bad.
pub fn acknowledged() -> String {
    let demo = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo.toml")).unwrap();
    let (_, text) = demo.split_once("[limits]\naccepted_min = 75\n").unwrap();
    format!("[limits]\naccepted_min = 50\n{text}")
}

/// Settings of a run over a generated city.
pub fn run_settings(database: &Path, workdir: &Path, partitions: usize) -> RunSettings {
    RunSettings {
        rules: None,
        workdir: workdir.to_owned(),
        national: folder("national"),
        city: folder("baicheng"),
        sources: vec![settings(database, 20_000)],
        memory: 1 << 30,
        partitions,
        as_of: Some(as_of()),
        time_zone: qianyi::clock::DEFAULT_ZONE,
        config_digest: "test".to_owned(),
        lang: Lang::Zh,
        full_refresh: BTreeSet::new(),
        held: Vec::new(),
        command: "run".to_owned(),
        expected: expected(),
        standing: Vec::new(),
        stop: Stop::new(),
    }
}

/// Generates a city with planted defects; its database.
pub fn city(dir: &Path, persons: u64, seed: u64) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    let database = dir.join("ylbx.db");
    let of = FixtureSettings { persons, seed, as_of: as_of(), defects: Defects::Planted };
    generate(&of, &database, &mut |_| {}).unwrap();
    database
}

/// Runs; what came of it.
pub fn ran(of: &RunSettings) -> Summary {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    match run(of, &progress) {
        Ok(summary) => summary,
        Err(e) => panic!("{:?}", miette::Report::new(e)),
    }
}
