//! Planning and profiling: what a mapping does not know yet, before anything is run.

use std::path::Path;

use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping::{self, City};
use qianyi::national;
use qianyi::pipeline::plan::{Plan, Planned, plan};
use qianyi::pipeline::{extract_only, sources_of};
use qianyi::profile::profile;
use qianyi::state::State;
use qianyi::{raw, source};

use crate::support::copy_folder;
use crate::support::demo::{as_of, city, folder, run_settings};
use crate::support::legacy::settings;

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no {from}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn load(dir: &Path) -> City {
    let national = national::load(&folder("national")).unwrap();
    mapping::load(dir, &national).unwrap_or_else(|e| panic!("{:?}", miette::Report::new(e)))
}

fn planned(database: &Path, city: &City) -> Plan {
    let of = [settings(database, 5_000)];
    let of = sources_of(city, &of).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let source = source::connect(of[0]).await.unwrap();
        plan(source.as_ref(), city, of[0], None).await.unwrap()
    })
}

#[test]
fn the_demo_citys_plan_is_complete_but_for_the_planted_codes_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 200, 6);
    let before = qianyi::durable::sha256(&database).unwrap();
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    let found = planned(&database, &load(&folder("baicheng")));
    assert!(found.missing_tables.is_empty());
    assert!(found.tables.iter().all(|t| t.unmapped_columns.is_empty() && t.missing_columns.is_empty()));
    assert!(
        found.tables.iter().all(|t| t.disposition != Planned::Unmapped || t.is_view),
        "{:?}",
        found.tables
    );
    assert!(found.rows > 10_000 && found.chunks >= Some(40), "{} {:?}", found.rows, found.chunks);
    assert_eq!(qianyi::durable::sha256(&database).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), files);
}

#[test]
fn columns_tables_and_codes_that_nobody_decided_about_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 200, 6);
    let mapped = dir.path().join("baicheng");
    copy_folder(&folder("baicheng"), &mapped);
    edit(&mapped.join("sources/GRJBXX.toml"), "ZP       = { skip = \"photo: out of scope\" }\n", "");
    edit(&mapped.join("codes/sex.csv"), "女,2,女,文字\n", "");
    edit(&mapped.join("city.toml"), "table = \"TEST_*\"", "table = \"NOTHING_*\"");
    let found = planned(&database, &load(&mapped));
    assert!(!found.is_complete());
    let persons = found.tables.iter().find(|t| t.table == "GRJBXX").unwrap();
    assert_eq!(persons.unmapped_columns, ["ZP"]);
    assert_eq!(persons.disposition, Planned::Read { by: "GRJBXX".to_owned() });
    assert!(persons.feeds.contains(&"AC01".to_owned()));
    let sex: Vec<_> = persons
        .unmapped_codes
        .iter()
        .flatten()
        .filter(|c| c.column == "XB")
        .map(|c| c.value.as_str())
        .collect();
    assert!(sex.contains(&"女"), "{sex:?}");
    let undecided: Vec<_> = found
        .tables
        .iter()
        .filter(|t| t.disposition == Planned::Unmapped && !t.is_view)
        .map(|t| t.table.as_str())
        .collect();
    assert!(!undecided.is_empty() && undecided.iter().all(|t| t.starts_with("TEST_")), "{undecided:?}");
}

#[test]
fn a_profile_counts_every_column_and_shows_values_of_code_columns_only() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 200, 6);
    let workdir = dir.path().join("work");
    let of = run_settings(&database, &workdir, 2);
    let progress: std::sync::Arc<dyn qianyi::progress::Progress> =
        std::sync::Arc::new(qianyi::progress::Silent);
    extract_only(&of, &progress).unwrap();
    let city = load(&folder("baicheng"));
    let spill = workdir.join("spill");
    let engine =
        Engine::start(EngineSettings { memory: 1 << 28, spill, partitions: 2 }, city.functions(as_of()))
            .unwrap();
    let state = State::open_readonly(&workdir).unwrap();
    let found = profile(&engine, &city, "ylbx", &raw::current(&state, "ylbx").unwrap()).unwrap();
    let persons = found.tables.iter().find(|t| t.table == "GRJBXX").unwrap();
    let column = |name: &str| persons.columns.iter().find(|c| c.column == name).unwrap();
    assert!(column("XM").codes.is_none() && column("SFZH").codes.is_none());
    assert!(column("XM").longest.unwrap() >= 2 && column("GRBH").distinct > 100);
    let sex = column("XB").codes.as_ref().unwrap();
    assert_eq!(sex.values.iter().map(|v| v.rows).sum::<u64>() + column("XB").nulls, persons.rows);
    assert!(sex.values.iter().any(|v| v.value == "1" && v.mapped));
}
