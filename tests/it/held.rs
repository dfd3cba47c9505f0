//! `run --extract`: a mapping is worked on over extracts that are there, and no source is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qianyi::artifacts::{Blocker, Status, Summary, TableRow};
use qianyi::encoding::TextEncoding;
use qianyi::pipeline::{Held, RunError, RunSettings, run};
use qianyi::progress::{Progress, Silent};
use qianyi::source::{ColumnSettings, TableSettings};
use qianyi::state::{NewExtract, State};

use crate::support::copy_folder;
use crate::support::demo::{city, folder, ran, run_settings};

/// A city that was run over once, and whose database is gone; its mapping is a copy that may be edited.
struct Bench {
    dir: tempfile::TempDir,
    of: RunSettings,
    first: Summary,
}

impl Bench {
    fn new(prepare: impl Fn(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), 60, 8);
        let mapped = dir.path().join("baicheng");
        copy_folder(&folder("baicheng"), &mapped);
        prepare(&mapped);
        let of = RunSettings { city: mapped, ..run_settings(&database, &dir.path().join("work"), 2) };
        let first = ran(&of);
        std::fs::remove_file(&database).unwrap();
        let of = RunSettings { held: vec![Held::Latest], ..of };
        Self { dir, of, first }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        edit(&self.of.city.join(file), from, to);
    }

    fn refused(&self, held: &[&str]) -> RunError {
        let held = held.iter().map(|h| h.parse().unwrap()).collect();
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        run(&RunSettings { held, ..self.of.clone() }, &progress).unwrap_err()
    }

    fn parts(&self, table: &str) -> Vec<PathBuf> {
        crate::support::parquet_under(&self.dir.path().join("work/raw/ylbx").join(table))
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no {from}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn digests(of: &Summary) -> Vec<(&str, &str, u64)> {
    of.tables.iter().map(|t| (t.table.as_str(), t.content_digest.as_str(), t.accepted)).collect()
}

#[test]
fn the_same_mapping_gives_the_same_without_the_source_and_another_one_what_it_says() {
    let bench = Bench::new(|_| {});
    assert_eq!((bench.first.status, bench.first.extracts[0].held), (Status::Done, false));
    for held in [Held::Latest, "e0001".parse().unwrap()] {
        // Under the same settings it would be the first run itself.
        let config_digest = format!("held {held:?}");
        let again = ran(&RunSettings { held: vec![held], config_digest, ..bench.of.clone() });
        assert_eq!(digests(&again), digests(&bench.first));
        assert_eq!((again.status, &again.left_alone), (Status::Done, &bench.first.left_alone));
        assert_eq!((again.extracts[0].extract.as_str(), again.extracts[0].held), ("e0001", true));
        let page = bench.dir.path().join("work/runs").join(&again.run).join("report/index.html");
        assert!(std::fs::read_to_string(page).unwrap().contains("未连接源库"));
    }
    // A line of a code list less: rows of that sex have none now.
    bench.edit("codes/sex.csv", "女,2,女,文字\n", "");
    let sex = |of: &Summary| of.read_errors.iter().filter(|n| n.column == "XB").map(|n| n.rows).sum::<u64>();
    let other = ran(&bench.of);
    assert!(sex(&other) > sex(&bench.first), "{} {}", sex(&other), sex(&bench.first));
    let persons = |of: &Summary| of.tables.iter().find(|t| t.table == "AC01").cloned();
    let changed =
        |a: Option<TableRow>, b: Option<TableRow>| a.unwrap().content_digest != b.unwrap().content_digest;
    assert!(changed(persons(&other), persons(&bench.first)));
}

#[test]
fn tables_that_nobody_decided_about_block_a_run_without_the_source_as_well() {
    let bench = Bench::new(|mapped| {
        edit(&mapped.join("city.toml"), "table = \"TEST_*\"", "table = \"NOTHING_*\"");
    });
    let undecided = |of: &Summary| {
        let tables: Vec<Blocker> = of.blocked_by.clone();
        assert!(
            tables
                .iter()
                .any(|b| matches!(b, Blocker::Undecided { table } if table.starts_with("ylbx.TEST_")))
        );
        tables
    };
    assert_eq!(bench.first.status, Status::Blocked);
    let again = ran(&RunSettings { config_digest: "another".to_owned(), ..bench.of.clone() });
    assert_eq!((again.status, undecided(&again)), (Status::Blocked, undecided(&bench.first)));
    // Decided now.
    bench.edit("city.toml", "table = \"NOTHING_*\"", "table = \"TEST_*\"");
    assert_eq!(ran(&bench.of).status, Status::Done);
}

#[test]
fn a_plan_over_an_extract_says_what_it_did_not_look_at() {
    let bench = Bench::new(|_| {});
    let national = qianyi::national::load(&bench.of.national).unwrap();
    let city = qianyi::mapping::load(&bench.of.city, &national).unwrap();
    let state = State::open_readonly(&bench.of.workdir).unwrap();
    let held = qianyi::pipeline::held(&state, &city, &bench.of.sources, &bench.of.held).unwrap();
    let plan = qianyi::pipeline::plan::plan_held("ylbx", &city, &held["ylbx"]);
    let of = |name: &str| plan.tables.iter().find(|t| t.table == name).unwrap();
    let persons = of("GRJBXX");
    assert!(persons.rows > Some(0) && persons.chunks.is_none() && persons.unmapped_codes.is_none());
    let ignored = plan.tables.iter().find(|t| t.table.starts_with("TEST_")).unwrap();
    assert_eq!((ignored.rows, plan.chunks), (None, None));
}

#[test]
fn another_encoding_than_the_extract_was_read_in_is_refused_by_column() {
    let mut bench = Bench::new(|_| {});
    // Said of the whole source it is what was read: numbers, times and Unicode columns have no code page.
    bench.of.sources[0].encoding = TextEncoding::named("gbk");
    assert_eq!(ran(&bench.of).status, Status::Done);
    let columns = [("XM", "gb18030"), ("SFZH", "gbk")]
        .map(|(name, label)| (name.to_owned(), ColumnSettings { encoding: TextEncoding::named(label) }));
    let table = TableSettings { columns: columns.into_iter().collect(), ..TableSettings::default() };
    bench.of.sources[0].tables.insert("GRJBXX".to_owned(), table);
    let RunError::OtherEncoding { column, was, now, .. } = bench.refused(&["latest"]) else {
        panic!("not refused for the encoding")
    };
    assert_eq!([column, was, now], ["GRJBXX.XM", "gbk", "gb18030"]);
}

#[test]
fn a_pattern_that_ignores_every_table_of_a_file_is_refused_over_an_extract_as_well() {
    let bench = Bench::new(|_| {});
    bench.edit("city.toml", "table = \"TEST_*\"", "table = \"QF*\"");
    let RunError::Ignored { table, view, by, .. } = bench.refused(&["latest"]) else {
        panic!("not refused for the pattern")
    };
    assert_eq!((table.as_str(), view.as_str()), ("QFXX", "QFXX"));
    assert!(by.contains("`QF*` at ") && by.contains("city.toml:"), "{by}");
}

#[test]
fn what_an_extract_does_not_hold_is_refused_by_name() {
    let bench = Bench::new(|mapped| {
        let persons = mapped.join("sources/GRJBXX.toml");
        edit(&persons, "YB       = { parse = \"text\" }", "YB       = { skip = \"no use for it\" }");
        for file in std::fs::read_dir(mapped).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
            let text = std::fs::read_to_string(&file).unwrap();
            if text.contains(".YB\"") {
                let absent = |line: &str| match line.split_once('=') {
                    Some((column, sql)) if sql.contains(".YB\"") => {
                        format!("{column}= {{ absent = \"not read\" }}")
                    }
                    _ => line.to_owned(),
                };
                std::fs::write(&file, text.lines().map(|l| absent(l) + "\n").collect::<String>()).unwrap();
            }
        }
    });
    bench.edit(
        "sources/GRJBXX.toml",
        "YB       = { skip = \"no use for it\" }",
        "YB       = { parse = \"text\" }",
    );
    let refused = bench.refused(&["latest"]).to_string();
    assert_eq!(refused, "extract e0001 does not hold column GRJBXX.YB, which sources/GRJBXX.toml reads");
    // A table of another name, and other sums: everything at once.
    bench.edit("sources/DWJBXX.toml", "source = \"ylbx\"", "source = \"ylbx\"\nmatch = \"DWJBXX9\"");
    bench.edit("sources/QFXX.toml", "amounts = [\"DWQF\", \"GRQF\"]", "amounts = [\"DWQF\"]");
    let several = bench.refused(&["e0001"]);
    let RunError::Refused { problems } = &several else { panic!("{several}") };
    let codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["RUN-011", "RUN-011", "RUN-012"], "{problems:?}");
    let shown = format!("{problems:?}");
    assert!(
        shown.contains("table DWJBXX9") && shown.contains("GRJBXX.YB") && shown.contains("sums of QFXX"),
        "{shown}"
    );
}

#[test]
fn an_extract_that_is_not_there_not_complete_or_not_whole_is_refused() {
    let bench = Bench::new(|_| {});
    let work = bench.dir.path().join("work");
    assert!("e7x".parse::<Held>().is_err() && "newest".parse::<Held>().is_err());
    assert!(matches!(bench.refused(&["e0007"]), RunError::NoExtract { .. }));
    assert!(
        matches!(bench.refused(&["latest", "e0007"]), RunError::NoExtract { extract, .. } if extract == "e0007")
    );
    let state = State::open(&work, "test").unwrap();
    let running = NewExtract {
        source: "ylbx".to_owned(),
        consistency: "read transaction".to_owned(),
        point: "p".to_owned(),
        settings: "s".to_owned(),
        tables: vec!["GRJBXX".to_owned()],
    };
    state.begin_extract(&running).unwrap();
    drop(state);
    assert!(matches!(bench.refused(&["e0002"]), RunError::NotComplete { status: "running", .. }));
    assert!(matches!(bench.refused(&["e0001", "e0002"]), RunError::OneExtract { .. }));
    // A part that is as long as before and is another.
    let part = bench.parts("GRJBXX").pop().unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let damaged = bench.refused(&["latest"]);
    assert!(matches!(&damaged, RunError::Damaged { path, .. } if path.contains("GRJBXX")), "{damaged}");
}
