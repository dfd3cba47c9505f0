//! The invariants of `sql/invariants/`: each broken on purpose and named, each holding over the same rows unbroken, and a run that breaks one.

use std::collections::BTreeMap;
use std::path::Path;

use qianyi::artifacts::{Blocker, InvariantEnd, Status};
use qianyi::dataset::PartInfo;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::National;
use qianyi::pipeline::{RuleSettings, RunSettings, finished};
use qianyi::report::{Lang, render};
use qianyi::rules::{self, Facts, InvariantReport, RuleBook, RuleFiles};

use crate::support::copy_folder;
use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::rows::{Row, part};

/// The repository's invariants over rows made by hand.
struct Bench {
    dir: tempfile::TempDir,
    national: National,
    engine: Engine,
    book: RuleBook,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let national = qianyi::national::load(&folder("national")).unwrap();
        let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
        let settings = EngineSettings { memory: 1 << 28, spill: dir.path().join("spill"), partitions: 2 };
        let engine = Engine::start(settings, city.functions(as_of())).unwrap();
        let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let (of, params) = (folder("national"), BTreeMap::new());
        let files = RuleFiles { sql: &sql, national: &of, params: &params };
        let book = rules::load(&files, &national, engine.functions()).unwrap_or_else(|e| panic!("{e}"));
        Self { dir, national, engine, book }
    }

    /// Asks over datasets (`mapped_AC43`, `changes`) and small tables (`cells`).
    fn ask(
        &self,
        id: &str,
        datasets: &[(&str, &[Row<'_>])],
        tables: &[(&str, &[&[&str]])],
    ) -> InvariantReport {
        let mut facts = Facts::default();
        for (no, (name, rows)) in datasets.iter().enumerate() {
            let schema = match name.split_once('_') {
                _ if name.starts_with("changes") => rules::change_schema(),
                _ if *name == "found" => rules::found_schema(),
                Some(("merged", _)) => qianyi::artifacts::merged_schema(),
                Some(("excluded", _)) => qianyi::artifacts::excluded_schema(),
                Some((_, table)) => self.national.table(table).unwrap().mapped_schema(),
                None => panic!("{name}"),
            };
            let path = part(&self.dir.path().join(id).join(format!("{no}-{name}.parquet")), &schema, rows);
            let info = PartInfo { path, rows: rows.len() as u64, bytes: 0, sha256: String::new() };
            facts.parts.insert((*name).to_owned(), vec![info]);
        }
        for (name, rows) in tables {
            let rows: Vec<Vec<String>> =
                rows.iter().map(|r| r.iter().map(|c| (*c).to_owned()).collect()).collect();
            let batch = rules::fact_rows(&self.national, name, &rows).unwrap();
            facts.rows.insert((*name).to_owned(), batch);
        }
        let invariant = self.book.invariants.iter().find(|i| i.id == id).unwrap();
        rules::ask(&self.engine, &self.national, invariant, &facts).unwrap_or_else(|e| panic!("{e}"))
    }

    fn holds(&self, id: &str, datasets: &[(&str, &[Row<'_>])], tables: &[(&str, &[&[&str]])]) {
        let report = self.ask(id, datasets, tables);
        assert_eq!((report.ended, report.rows), (InvariantEnd::Holds, 0), "{report:?}");
    }

    /// Broken by so many rows; what is shown of them.
    fn broken(
        &self,
        id: &str,
        datasets: &[(&str, &[Row<'_>])],
        tables: &[(&str, &[&[&str]])],
        rows: u64,
    ) -> String {
        let report = self.ask(id, datasets, tables);
        assert_eq!((report.ended, report.rows), (InvariantEnd::Broken, rows), "{report:?}");
        report.samples.join("\n")
    }
}

/// A mapped row: key, where it comes from, and its columns.
fn row<'a>(key: &'a str, columns: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("_key", key), ("_source", "ylbx.T"), ("_skey", key)]
        .into_iter()
        .chain(columns.iter().copied())
        .collect()
}

#[test]
fn all_twelve_are_there_and_without_rows_there_is_nothing_to_check() {
    let bench = Bench::new();
    let ids: Vec<&str> = bench.book.invariants.iter().map(|i| i.id.as_str()).collect();
    let wanted: Vec<String> = (1..=12).map(|n| format!("INV-{n:02}")).collect();
    assert_eq!(ids, wanted);
    for invariant in &bench.book.invariants {
        assert!(invariant.blocks, "{}", invariant.id);
        assert_eq!(
            bench.ask(&invariant.id, &[], &[]).ended,
            InvariantEnd::NothingToCheck,
            "{}",
            invariant.id
        );
    }
}

#[test]
fn a_row_without_a_disposition_or_with_two_is_named_by_its_table() {
    let bench = Bench::new();
    let (a, b) = (row("1", &[]), row("2", &[]));
    let mapped: &[Row<'_>] = &[&a, &b];
    let mut added = row("9", &[]);
    added[1].1 = "rule:MIS-01";
    let staged: &[Row<'_>] = &[&a, &added];
    bench.holds("INV-01", &[("mapped_AC01", mapped), ("staged_AC01", staged), ("rejected_AC01", &[&b])], &[]);
    let lost = bench.broken("INV-01", &[("mapped_AC01", mapped), ("staged_AC01", staged)], &[], 1);
    assert_eq!(lost, "AC01 · _source ylbx.T · before 2 · after 1");
    // As many rows, but not the same.
    let other: &[Row<'_>] = &[&b, &b];
    bench.broken("INV-01", &[("mapped_AC01", mapped), ("staged_AC01", other)], &[], 1);
}

#[test]
fn a_fen_that_arrived_and_is_another_after_cleaning_is_named_by_insurance_and_year() {
    let bench = Bench::new();
    let paid = |unit: &'static str| {
        row(
            "1",
            &[
                ("AAE140", "110"),
                ("AAE003", "202003"),
                ("AAE078", "1"),
                ("AAE020", unit),
                ("AAE022", "80.00"),
            ],
        )
    };
    let (before, after) = (paid("160.00"), paid("160.01"));
    bench.holds("INV-02", &[("mapped_AC43", &[&before]), ("cleaned_AC43", &[&before])], &[]);
    let said = bench.broken("INV-02", &[("mapped_AC43", &[&before]), ("cleaned_AC43", &[&after])], &[], 1);
    assert_eq!(said, "AAE140 110 · year 2020 · before 240.00 · after 240.01");
    // What is only moved from unit to person is found, too.
    let moved = row(
        "1",
        &[
            ("AAE140", "110"),
            ("AAE003", "202003"),
            ("AAE078", "1"),
            ("AAE020", "80.00"),
            ("AAE022", "160.00"),
        ],
    );
    bench.broken("INV-02", &[("mapped_AC43", &[&before]), ("cleaned_AC43", &[&moved])], &[], 1);
}

#[test]
fn a_balance_that_is_another_is_named_by_table_and_year() {
    let bench = Bench::new();
    let year =
        |balance: &'static str| row("1|2020", &[("AAZ116", "1"), ("AAE001", "2020"), ("AAE382", balance)]);
    let (before, after) = (year("10.00"), year("9.00"));
    bench.holds("INV-03", &[("mapped_AC51", &[&before]), ("cleaned_AC51", &[&before])], &[]);
    let said = bench.broken("INV-03", &[("mapped_AC51", &[&before]), ("cleaned_AC51", &[&after])], &[], 1);
    assert_eq!(said, "AC51 · year 2020 · before 10.00 · after 9.00");
}

#[test]
fn a_month_less_is_named_by_person_unless_a_merge_or_the_list_of_garbage_says_why() {
    let bench = Bench::new();
    let paid = |key: &'static str, person: &'static str, month: &'static str| {
        row(
            key,
            &[
                ("AAC001", person),
                ("AAE140", "110"),
                ("AAE003", month),
                ("AAE078", "1"),
                ("AAA115", "10"),
                ("AAE201", "1"),
            ],
        )
    };
    let (a, b) = (paid("1", "7", "202001"), paid("2", "7", "202002"));
    let mut owed = b.clone();
    owed[6].1 = "0";
    let mapped: (&str, &[Row<'_>]) = ("mapped_AC43", &[&a, &b]);
    bench.holds("INV-04", &[mapped, ("cleaned_AC43", &[&a, &b])], &[]);
    let said = bench.broken("INV-04", &[mapped, ("cleaned_AC43", &[&a, &owed])], &[], 1);
    assert_eq!(said, "AAC001 7 · AAE140 110 · before 2 · after 1");
    // The person's months are the survivor's after a merge.
    let (c, d) = (paid("1", "8", "202001"), paid("2", "8", "202002"));
    let merge = [
        ("_key", "7"),
        ("_source", "ylbx.T"),
        ("_skey", "7"),
        ("survivor", "8"),
        ("rule", "MRG-01"),
        ("item", "merge"),
        ("level", "A1"),
    ];
    bench.holds("INV-04", &[mapped, ("cleaned_AC43", &[&c, &d]), ("merged_AC01", &[&merge])], &[]);
    bench.broken("INV-04", &[mapped, ("cleaned_AC43", &[&c, &d])], &[], 1);
    // What garbage rules exclude is listed; what another rule excludes is a month less.
    let gone =
        |reason: &'static str| [("_key", "2"), ("_source", "ylbx.T"), ("_skey", "2"), ("reason", reason)];
    let (garbage, other) = (gone("GAR-08"), gone("LED-11"));
    bench.holds("INV-04", &[mapped, ("cleaned_AC43", &[&a, &b]), ("excluded_AC43", &[&garbage])], &[]);
    bench.broken("INV-04", &[mapped, ("cleaned_AC43", &[&a, &b]), ("excluded_AC43", &[&other])], &[], 1);
}

#[test]
fn a_retiree_or_a_benefit_of_a_month_that_is_another_is_named() {
    let bench = Bench::new();
    let due = |amount: &'static str| row("1", &[("AAE140", "110"), ("AAE002", "202001"), ("AAE019", amount)]);
    let (before, after) = (due("1500.00"), due("1500.10"));
    let retired = row("5", &[]);
    let mapped: [(&str, &[Row<'_>]); 2] = [("mapped_AC82", &[&before]), ("mapped_IC10", &[&retired])];
    bench.holds(
        "INV-05",
        &[mapped[0], mapped[1], ("cleaned_AC82", &[&before]), ("cleaned_IC10", &[&retired])],
        &[],
    );
    let said = bench.broken(
        "INV-05",
        &[mapped[0], mapped[1], ("cleaned_AC82", &[&after]), ("cleaned_IC10", &[&retired])],
        &[],
        1,
    );
    assert_eq!(said, "AC82 · AAE140 110 · month 202001 · before 1500.00 · after 1500.10");
    let said = bench.broken("INV-05", &[mapped[0], mapped[1], ("cleaned_AC82", &[&before])], &[], 1);
    assert_eq!(said, "IC10 · month 0 · before 1.00 · after 0.00");
}

/// A change record.
fn record<'a>(table: &'a str, key: &'a str, column: &'a str, rule: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("table", table),
        ("_key", key),
        ("_source", "ylbx.T"),
        ("_skey", key),
        ("column", column),
        ("before", "1"),
        ("after", "2"),
        ("rule", rule),
        ("item", "correct"),
        ("level", "A0"),
        ("basis", "test"),
        ("day", "2021-05-31"),
    ]
}

#[test]
fn a_changed_benefit_and_a_change_without_a_record_are_named() {
    let bench = Bench::new();
    let untouchable: (&str, &[&[&str]]) = ("untouchable", &[&["AC01", "YAC516"], &["AC82", "AAE019"]]);
    let (fine, benefit) = (record("AC01", "1", "AAC004", "FIX-04"), record("AC82", "3", "AAE019", "FIX-99"));
    bench.holds("INV-06", &[("changes", &[&fine])], &[untouchable]);
    let said = bench.broken("INV-06", &[("changes", &[&fine, &benefit])], &[untouchable], 1);
    assert_eq!(said, "AC82 · column AAE019 · rule FIX-99 · _key 3");
    let two: (&str, &[&[&str]]) = ("cells", &[&["correct", "AC01", "1"], &["correct", "AC82", "1"]]);
    bench.holds("INV-07", &[("changes", &[&fine, &benefit])], &[two]);
    let said = bench.broken("INV-07", &[("changes", &[&fine])], &[two], 1);
    assert_eq!(said, "item correct · AC82 · before 0 · after 1");
}

#[test]
fn another_file_from_the_same_inputs_and_a_fault_that_comes_back_are_named() {
    let bench = Bench::new();
    let before: (&str, &[&[&str]]) = ("made_before", &[&["gate", "staged/AC01/a.parquet", "ab"]]);
    bench.holds("INV-08", &[], &[before, ("made", &[&["gate", "staged/AC01/a.parquet", "ab"]])]);
    let said =
        bench.broken("INV-08", &[], &[before, ("made", &[&["gate", "staged/AC01/a.parquet", "cd"]])], 1);
    assert_eq!(said, "stage gate · file staged/AC01/a.parquet");
    bench.broken("INV-08", &[], &[before, ("made", &[])], 1);
    let repaired = record("AC01", "1", "AAC004", "FIX-04");
    let line = |outcome: &'static str| {
        [
            ("rule", "FIX-04"),
            ("file", "FIX-04"),
            ("table", "AC01"),
            ("_key", "1"),
            ("column", "AAC004"),
            ("repair", "A0"),
            ("severity", "E"),
            ("_source", "ylbx.T"),
            ("_skey", "1"),
            ("outcome", outcome),
        ]
    };
    let (again, open) = (line("repaired"), line("proposed"));
    bench.holds("INV-09", &[("changes_before", &[&repaired]), ("found", &[&again])], &[]);
    let said = bench.broken("INV-09", &[("changes_before", &[&repaired]), ("found", &[&open])], &[], 1);
    assert_eq!(said, "rule FIX-04 · AC01 · column AAC004 · _key 1");
    // A batch that was undone is meant to come back.
    let mut batch = repaired.clone();
    batch.push(("batch", "b0001"));
    let undone: (&str, &[&[&str]]) = ("undone", &[&["b0001"]]);
    bench.holds("INV-09", &[("changes_before", &[&batch]), ("found", &[&open])], &[undone]);
}

#[test]
fn a_row_of_an_insurance_out_of_scope_that_is_touched_is_named() {
    let bench = Bench::new();
    let relation = |state: &'static str| row("4", &[("AAZ159", "4"), ("AAE140", "310"), ("AAC008", state)]);
    let (before, after) = (relation("1"), relation("2"));
    bench.holds("INV-10", &[("mapped_AC02", &[&before]), ("cleaned_AC02", &[&before])], &[]);
    let said = bench.broken("INV-10", &[("mapped_AC02", &[&before]), ("cleaned_AC02", &[&after])], &[], 2);
    assert_eq!(said, "AC02 · side after · AAE140 310 · _key 4\nAC02 · side before · AAE140 310 · _key 4");
    let pension = row("4", &[("AAZ159", "4"), ("AAE140", "110"), ("AAC008", "1")]);
    let other = row("4", &[("AAZ159", "4"), ("AAE140", "110"), ("AAC008", "2")]);
    bench.holds("INV-10", &[("mapped_AC02", &[&pension]), ("cleaned_AC02", &[&other])], &[]);
}

/// The payment of a month by a number.
fn of_number<'a>(key: &'a str, person: &'a str, month: &'a str, amount: &'a str) -> Vec<(&'a str, &'a str)> {
    let columns = [
        ("AAC001", person),
        ("AAB001", "7"),
        ("AAE140", "110"),
        ("AAE003", month),
        ("AAE078", "1"),
        ("AAA115", "10"),
        ("AAE201", "1"),
        ("AAE020", amount),
    ];
    row(key, &columns)
}

#[test]
fn a_month_or_a_fen_that_a_merge_loses_or_counts_twice_is_named_by_its_survivor() {
    let bench = Bench::new();
    let merge = [
        ("_key", "7"),
        ("_source", "ylbx.T"),
        ("_skey", "7"),
        ("survivor", "8"),
        ("rule", "MRG-01"),
        ("item", "merge"),
        ("level", "V"),
    ];
    let unit = row("7", &[("AAB001", "7")]);
    let (a, b) = (of_number("1", "7", "202001", "100.00"), of_number("2", "8", "202002", "100.00"));
    let before: [(&str, &[Row<'_>]); 3] =
        [("merged_AC01", &[&merge]), ("unmerged_AC43", &[&a, &b]), ("cleaned_AB01", &[&unit])];
    let after = |id: &str, rows: &[Row<'_>]| {
        let facts = [before[0], before[1], before[2], ("cleaned_AC43", rows)];
        bench.ask(id, &facts, &[])
    };
    let moved = of_number("1", "8", "202001", "100.00");
    for id in ["INV-11", "INV-12"] {
        assert_eq!(after(id, &[&moved, &b]).ended, InvariantEnd::Holds, "{id}");
    }
    // A row that was left with its donor, one that is there twice, and a fen.
    let fen = of_number("1", "8", "202001", "100.01");
    for (rows, said) in [
        (
            [&a, &b].as_slice(),
            "months_before 2 · months_after 1 · amount_before 200.00 · amount_after 100.00",
        ),
        (
            &[&moved, &moved, &b],
            "months_before 2 · months_after 3 · amount_before 200.00 · amount_after 300.00",
        ),
        (&[&fen, &b], "months_before 2 · months_after 2 · amount_before 200.00 · amount_after 200.01"),
    ] {
        let rows: Vec<Row<'_>> = rows.iter().map(|r| r.as_slice()).collect();
        let report = after("INV-11", &rows);
        assert!(report.samples.iter().any(|s| s.starts_with("AC43 · ") && s.ends_with(said)), "{report:?}");
    }
    // A month that both numbers paid is one of MRG-05, or it counts twice and nobody sees it.
    let same = of_number("2", "8", "202001", "100.00");
    let twice: [(&str, &[Row<'_>]); 4] =
        [before[0], ("unmerged_AC43", &[&a, &same]), before[2], ("cleaned_AC43", &[&moved, &same])];
    bench.holds("INV-11", &twice, &[]);
    let said = bench.broken("INV-12", &twice, &[], 1);
    assert!(said.contains("AAE140 110") && said.contains("month 202001"), "{said}");
    let line = |key: &'static str| {
        [
            ("rule", "MRG-05"),
            ("file", "MRG-05"),
            ("table", "AC43"),
            ("_key", key),
            ("column", "AAE003"),
            ("repair", "V"),
            ("severity", "E"),
            ("_source", "ylbx.T"),
            ("_skey", key),
            ("outcome", "to_verify"),
        ]
    };
    let (first, second) = (line("1"), line("2"));
    bench.holds("INV-12", &[twice[0], twice[1], twice[2], twice[3], ("found", &[&first, &second])], &[]);
}

/// A rule that takes arrived money for money that is owed: nobody notices but the invariants.
const WRONG: &str = "-- id: X-01\n-- title: 一 / one\n-- advice: 二 / two\n-- severity: E\n-- repair: A0\n-- department: 经办\n-- basis: test\n\
-- table: AC43\n-- column: AAE078\n-- touches: AAE078\n-- effect: change\n\
SELECT d._key, '0' AS AAE078 FROM AC43 AS d WHERE d.AAE078 = '1' AND d.AAE003 = (SELECT min(x.AAE003) FROM AC43 AS x WHERE x.AAE078 = '1')\n";

#[test]
fn a_run_that_breaks_an_invariant_is_blocked_and_says_which_since_when_and_by_what() {
    let dir = tempfile::tempdir().unwrap();
    let sql = dir.path().join("sql");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/invariants"), &sql.join("invariants"));
    std::fs::create_dir_all(sql.join("rules/ledger")).unwrap();
    std::fs::write(sql.join("rules/ledger/X-01.sql"), WRONG).unwrap();
    std::fs::write(sql.join("rules/ledger/X-01.case"), "").unwrap();
    let settings = RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() };
    let database = city(dir.path(), 150, 3);
    let of = RunSettings { rules: Some(settings), ..run_settings(&database, &dir.path().join("work"), 2) };
    let summary = ran(&of);
    assert_eq!(summary.status, Status::Blocked);
    let named = |id: &str| {
        summary
            .blocked_by
            .iter()
            .any(|b| matches!(b, Blocker::Invariant { id: found, rows: 1.. } if found == id))
    };
    assert!(named("INV-02") && named("INV-04"), "{:?}", summary.blocked_by);
    let money = summary.invariants.iter().find(|i| i.id == "INV-02").unwrap();
    assert_eq!((money.ended, money.item.as_deref()), (InvariantEnd::Broken, Some("ledger")));
    assert!(!money.samples.is_empty());
    for (id, ended) in [
        ("INV-01", InvariantEnd::Holds),
        ("INV-03", InvariantEnd::Holds),
        ("INV-05", InvariantEnd::Holds),
        ("INV-07", InvariantEnd::Holds),
        ("INV-08", InvariantEnd::NothingToCheck),
        ("INV-09", InvariantEnd::NothingToCheck),
    ] {
        let found = summary.invariants.iter().find(|i| i.id == id).unwrap();
        assert_eq!(found.ended, ended, "{found:?}");
    }
    let run = finished(&of.workdir, None).unwrap();
    for (lang, word) in [(Lang::Zh, "不变量不成立"), (Lang::En, "A broken invariant")] {
        let page = render(&run.summary, &run.reconciliation, &run.coverage, None, lang).unwrap();
        assert!(page.contains(word) && page.contains("INV-02"), "{word}");
    }
    // Over the same inputs again: the same bytes, and what was repaired is repaired again.
    ran(&RunSettings { config_digest: "another".to_owned(), ..of.clone() });
    let again = ran(&of);
    for id in ["INV-08", "INV-09"] {
        let found = again.invariants.iter().find(|i| i.id == id).unwrap();
        assert_eq!(found.ended, InvariantEnd::Holds, "{found:?}");
    }
}
