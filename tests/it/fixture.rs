//! The demo city: deterministic, perfect where nothing is planted, and its truth says exactly what is planted.

use std::path::Path;

use chrono::NaiveDate;
use qianyi::fixture::{Defects, FixtureReport, FixtureSettings, generate};

fn settings(persons: u64, seed: u64, defects: Defects) -> FixtureSettings {
    FixtureSettings { persons, seed, as_of: NaiveDate::from_ymd_opt(2021, 5, 31).unwrap(), defects }
}

fn city(path: &Path, persons: u64, seed: u64, defects: Defects) -> FixtureReport {
    generate(&settings(persons, seed, defects), path, &mut |_| {}).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.db"), dir.path().join("b.db"));
    city(&a, 200, 1, Defects::Planted);
    city(&b, 200, 1, Defects::Planted);
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
}
