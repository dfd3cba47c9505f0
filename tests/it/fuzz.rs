//! Bytes that nobody wrote: files, packages, state.db and parts changed at random end in a right answer or a typed error, never in a
//! panic.
//!
//! `QIANYI_FUZZ` is the number of executions of each target, for a long run (scripts/fuzz); a few by default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use qianyi::config::{Layers, load};
use qianyi::dataset::{read_part, row_count, schema_of};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::pipeline::{finished, reconcile_again};
use qianyi::progress::Silent;
use qianyi::rules::{self, RuleFiles};
use qianyi::state::State;

use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::{copy_folder, parquet_under};

/// One change of some bytes.
type Change = (u8, Index, Index, u8);

/// What texts break at.
const TOKENS: [&str; 12] =
    ["\"", "'''", "[[", "]", "=", "\n", "\0", "\u{feff}", "张", "-9223372036854775808", "1e999", "--"];

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (kind, at, to, byte) in changes {
        let (at, to) = (at.index(out.len() + 1), to.index(out.len() + 1));
        let range = at.min(to)..at.max(to);
        match kind % 7 {
            0 | 1 if at < out.len() => out[at] ^= 1 << (byte % 8),
            2 if at < out.len() => out[at] = *byte,
            3 => drop(out.drain(at..(at + usize::from(*byte)).min(out.len()))),
            4 => drop(out.splice(at..at, TOKENS[usize::from(*byte) % TOKENS.len()].bytes())),
            5 => {
                let copy = out[range.start..range.end.min(range.start + 4096)].to_vec();
                drop(out.splice(at..at, copy));
            }
            6 => out.truncate(at),
            _ => {}
        }
    }
    out
}

/// Runs a target over changed bytes of one of its files.
fn target(name: &str, few: u32, files: &[PathBuf], look: impl Fn(&Path)) {
    let asked = std::env::var("QIANYI_FUZZ").ok().map(|n| n.parse().unwrap());
    let cases = asked.unwrap_or(few);
    let sound: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let changes = proptest::collection::vec(any::<Change>(), 1..6);
    let of = (any::<Index>(), changes);
    let ran = TestRunner::new(config).run(&of, |(file, changes)| {
        let at = file.index(files.len());
        std::fs::write(&files[at], changed(&sound[at], &changes)).unwrap();
        look(&files[at]);
        std::fs::write(&files[at], &sound[at]).unwrap();
        Ok(())
    });
    ran.unwrap_or_else(|e| panic!("{name}: {e}"));
    #[allow(clippy::print_stdout)] // scripts/fuzz reads the count.
    {
        println!("fuzz {name} {cases}");
    }
}

fn copied(what: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("copy");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(what), &to);
    (dir, to)
}

#[test]
fn a_configuration_of_any_bytes_is_read_or_refused() {
    let (_dir, copy) = copied("config");
    let file = copy.join("city.example.toml");
    target("config", 60, &[file, copy.join("demo.toml")], |file| {
        let _ = load(&Layers { files: vec![file.to_owned()], ..Layers::default() });
    });
}

#[test]
fn mappings_and_a_schema_of_any_bytes_are_read_or_refused() {
    let (_dir, copy) = copied("mappings");
    let (national, city) = (copy.join("national"), copy.join("baicheng"));
    let sound = qianyi::national::load(&national).unwrap();
    let files = ["city.toml", "sources/GRJBXX.toml", "AC01.toml", "codes/sex.csv"].map(|f| city.join(f));
    target("mapping", 4, &files, |_| {
        let _ = qianyi::mapping::load(&city, &sound);
    });
    let files = ["schema.toml", "codes/AAC004.csv", "AC01.toml", "gate.csv"];
    let files: Vec<PathBuf> = files.iter().map(|f| national.join(f)).filter(|f| f.is_file()).collect();
    assert!(!files.is_empty());
    target("schema", 10, &files, |_| {
        let _ = qianyi::national::load(&national);
    });
}

#[test]
fn rules_and_outside_data_of_any_bytes_are_read_or_refused() {
    let (dir, sql) = copied("sql");
    let national = qianyi::national::load(&folder("national")).unwrap();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let settings = EngineSettings { memory: 256 << 20, spill: dir.path().join("spill"), partitions: 1 };
    let engine = Engine::start(settings, city.functions(as_of())).unwrap();
    let params = BTreeMap::new();
    let files = RuleFiles { sql: &sql, national: &folder("national"), params: &params };
    let book = rules::load(&files, &national, engine.functions()).unwrap();
    let rule = sql.join("rules");
    let mut one: Vec<PathBuf> =
        walk(&rule).into_iter().filter(|f| f.extension().is_some_and(|e| e == "sql")).collect();
    one.sort();
    one.truncate(4);
    target("rules", 2, &one, |_| {
        let _ = rules::load(&files, &national, engine.functions());
    });
    let (name, external) = book.externals.first_key_value().unwrap();
    let head: Vec<&str> = external.columns.iter().map(|c| c.code.as_str()).collect();
    let row = |cell: &str| vec![cell; head.len()].join(",");
    let csv = dir.path().join("outside.csv");
    std::fs::write(&csv, format!("{}\n{}\n{}\n", head.join(","), row("1"), row("2021-05-31"))).unwrap();
    let given = BTreeMap::from([(name.trim_start_matches("ext_").to_owned(), csv.clone())]);
    target("csv", 200, &[csv], |_| {
        let _ = rules::read_externals(&book, &given);
    });
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { all.extend(walk(&entry.path())) } else { all.push(entry.path()) }
    }
    all
}

#[test]
fn packages_state_and_parts_of_any_bytes_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 20, 8);
    let work = dir.path().join("work");
    let of = run_settings(&database, &work, 1);
    ran(&of);
    let national = qianyi::national::load(&folder("national")).unwrap();
    let mapped = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let settings = EngineSettings { memory: 256 << 20, spill: work.join("spill"), partitions: 1 };
    let engine = Engine::start(settings, mapped.functions(as_of())).unwrap();
    let run = finished(&work, None).unwrap();
    let (built, _) = qianyi::pipeline::build_package(&work, &engine, &national, &run, true, &Silent).unwrap();
    let names = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
    let mut files: Vec<PathBuf> = names.iter().map(|n| built.path.join(n)).collect();
    let data = built.path.join("data");
    files.extend(["tables.json", "manifest.json", "reconciliation.json"].map(|n| data.join(n)));
    target("package", 2, &files, |_| {
        let _ = qianyi::package::verify(&built.path, &Silent);
    });
    // A digest written anew lets a damaged part through to the reader.
    let parts = [parquet_under(&data.join("tables")), parquet_under(&work.join("raw"))].concat();
    let parts: Vec<PathBuf> = parts.into_iter().step_by(17).collect();
    target("parquet", 60, &parts, |part| {
        let _ = (schema_of(part), row_count(part));
        if let Ok(batches) = read_part(part) {
            // Damage can still ask for very many rows; whoever reads a part has proved it before.
            batches.take(50).for_each(drop);
        }
    });
    let documents = ["summary.json", "reconciliation.json", "manifest.json"];
    let files: Vec<PathBuf> = documents.iter().map(|n| run.dir.file(n)).collect();
    target("documents", 4, &files, |_| {
        if let Ok(found) = finished(&work, None) {
            let _ = reconcile_again(&found);
        }
    });
    target("state", 12, &[work.join("state.db")], |_| {
        let Ok(state) = State::open_readonly(&work) else { return };
        for run in state.runs().unwrap_or_default() {
            let _ = state.outputs(run.id);
        }
        let _ = (qianyi::raw::current(&state, "ylbx"), finished(&work, None), state.last_job("a"));
    });
}
