//! The lists that an office wants of a run, beside what the run itself says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qianyi::artifacts::Summary;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::pipeline::{
    ListOf, RuleSettings, RunError, RunSettings, each_listed, finished, lists, rule_input,
};
use qianyi::report::{Lang, Words};
use qianyi::state::State;

use crate::support::demo::{as_of, folder};

type Rows = Vec<BTreeMap<String, String>>;

/// Every list of a run by its name: rows of texts by column.
fn all(of: &RunSettings, summary: &Summary, set: &[&str], clear: bool) -> BTreeMap<String, Rows> {
    let national = qianyi::national::load(&folder("national")).unwrap();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let rules = rule_input(of.rules.as_ref(), &national, &city).unwrap().unwrap();
    let spill = of.workdir.join("spill");
    let engine = EngineSettings { memory: 512 << 20, spill, partitions: 2 };
    let engine = Engine::start(engine, city.functions(as_of())).unwrap();
    let run = finished(&of.workdir, Some(&summary.run)).unwrap();
    let state = State::open_readonly(&of.workdir).unwrap();
    let words = Words::of(Lang::Zh).unwrap();
    let mut found = BTreeMap::new();
    for list in lists(of.rules.as_ref(), &national, &city, &rules.book).unwrap() {
        let set: Vec<String> = set
            .iter()
            .filter(|s| list.params.contains_key(s.split('=').next().unwrap()))
            .map(|s| (*s).to_owned())
            .collect();
        let params = list.with(&set).unwrap();
        let of = ListOf {
            run: &run,
            engine: &engine,
            national: &national,
            rules: &rules,
            state: &state,
            words: &words,
            list: &list,
            params: &params,
            clear,
            zone: qianyi::clock::DEFAULT_ZONE,
        };
        let mut rows = Rows::new();
        each_listed(&of, |row| {
            let named = list.columns.iter().zip(row).filter_map(|(c, v)| Some((c.name.clone(), v.clone()?)));
            rows.push(named.collect());
            Ok::<(), RunError>(())
        })
        .unwrap();
        found.insert(list.name.clone(), rows);
    }
    found
}

fn sum(rows: &Rows, column: &str) -> u64 {
    rows.iter().filter_map(|r| r.get(column)).map(|v| v.parse::<u64>().unwrap()).sum()
}

/// A run with approved changes, added and merged rows: each list says what the run says.
pub fn say_what_the_run_says(of: &RunSettings, summary: &Summary, changes: usize, merged: usize) {
    let masked = all(of, summary, &[], false);
    let names: Vec<&str> = masked.keys().map(String::as_str).collect();
    let expected = [
        "added",
        "backups",
        "merges",
        "province-problems",
        "rebuilt",
        "rebuilt-units",
        "rectification",
        "sample",
        "trail",
        "unit-years",
    ];
    assert_eq!(names, expected);
    by_unit_and_year(
        summary,
        &masked["unit-years"],
        &all(of, summary, &["differing=1"], false)["unit-years"],
    );
    assert_eq!((masked["trail"].len(), masked["merges"].len()), (changes, merged));
    let added: u64 = summary.tables.iter().map(|t| t.added).sum();
    let trail_of = |table: &str| ["AE02", "AC30A1", "AC31A1"].contains(&table);
    let of_trail: u64 = summary.tables.iter().filter(|t| trail_of(&t.table)).map(|t| t.added).sum();
    assert_eq!(masked["added"].len() as u64, added - of_trail);
    let standing: u64 =
        finished(&of.workdir, Some(&summary.run)).unwrap().summary.findings.iter().map(|f| f.rows).sum();
    let remaining = sum(&masked["rectification"], "remaining");
    assert!(remaining > 0 && remaining <= standing, "{remaining} {standing}");
    let parts: BTreeSet<_> = masked["backups"].iter().map(|r| (&r["file"], r["sha256"].len())).collect();
    assert!(parts.len() == masked["backups"].len() && parts.iter().all(|(_, digits)| *digits == 64));
    for part in masked["backups"].iter().take(3) {
        let file = of.workdir.join(&part["file"]);
        assert_eq!(qianyi::durable::sha256(&file).unwrap(), part["sha256"]);
    }
    ledgers(&masked);
    personal(of, summary, &masked);
    drawn(of, summary, &masked["sample"]);
}

/// Months and money by unit, year and kind of person add up to the business total.
fn by_unit_and_year(summary: &Summary, rows: &Rows, differing: &Rows) {
    let total = summary.totals.iter().find(|t| t.id == "TOT-10").unwrap();
    let months = |of: fn(&qianyi::artifacts::TotalLine) -> &Vec<i128>| -> i128 {
        total.lines.iter().map(|l| of(l)[1]).sum()
    };
    for (column, expected) in [
        ("old_months", months(|l| &l.old)),
        ("ready_months", months(|l| &l.ready)),
        ("held_months", months(|l| &l.held_back)),
    ] {
        assert_eq!(i128::from(sum(rows, column)), expected, "{column}");
    }
    let fen = |of: fn(&qianyi::artifacts::TotalLine) -> &Vec<i128>| -> i128 {
        total.lines.iter().map(|l| of(l)[2] + of(l)[3]).sum()
    };
    let money = |column: &str| -> i128 {
        rows.iter().map(|r| r[column].replace(['.', ','], "").parse::<i128>().unwrap()).sum()
    };
    assert_eq!((money("old_money"), money("ready_money")), (fen(|l| &l.old), fen(|l| &l.ready)));
    let differs = |r: &&BTreeMap<String, String>| {
        r["old_months"] != r["ready_months"] || r["old_money"] != r["ready_money"]
    };
    assert_eq!(differing.len(), rows.iter().filter(differs).count());
    assert!(!differing.is_empty() && differing.len() < rows.len());
    // Who pays alone has no unit.
    let units: BTreeSet<_> = rows.iter().filter_map(|r| r.get("unit")).collect();
    assert!(units.len() > 5 && rows.iter().any(|r| r.contains_key("unit_name") && r.contains_key("year")));
}

/// Ledgers: by unit it is what it is row by row.
fn ledgers(all: &BTreeMap<String, Rows>) {
    let applied = all["rebuilt"].iter().filter(|r| r["state"] == "已生效").map(|r| r["key"].clone());
    let applied: BTreeSet<String> = applied.collect();
    assert!(!applied.is_empty());
    assert_eq!(sum(&all["rebuilt-units"], "rows"), applied.len() as u64);
    assert!(all["rebuilt"].iter().filter(|r| r["state"] == "已生效").all(|r| r.contains_key("batch")));
    // Whether it is there yet or proposed, a row says whose ledger it is, and of which period.
    for row in &all["rebuilt"] {
        assert!(["unit", "insurance", "period"].iter().all(|c| row.contains_key(*c)), "{row:?}");
    }
}

/// Numbers and names are masked unless they are asked for in clear.
fn personal(of: &RunSettings, summary: &Summary, masked: &BTreeMap<String, Rows>) {
    let clear = all(of, summary, &[], true);
    let names = |lists: &BTreeMap<String, Rows>| -> Vec<String> {
        lists["merges"].iter().filter_map(|r| r.get("name").cloned()).collect()
    };
    let (shown, known) = (names(masked), names(&clear));
    assert!(!known.is_empty() && shown.len() == known.len());
    assert!(shown.iter().all(|n| n.contains('*')) && known.iter().all(|n| !n.contains('*')), "{shown:?}");
}

/// The same seed draws the same rows, another one others.
fn drawn(of: &RunSettings, summary: &Summary, first: &Rows) {
    let sample = |set: &[&str]| all(of, summary, set, false).remove("sample").unwrap();
    // As many as were asked for; of persons without a change there may be fewer.
    let changed = |rows: &Rows| rows.iter().filter(|r| r["drawn"] == "有修改").count();
    assert_eq!(changed(first), 50);
    assert_eq!(&sample(&["seed=1"]), first);
    let other = sample(&["seed=2", "rows=20"]);
    assert_eq!(changed(&other), 20);
    let keys = |rows: &Rows| -> BTreeSet<String> { rows.iter().map(|r| r["key"].clone()).collect() };
    assert!(!keys(&other).is_subset(&keys(first)));
}

#[test]
fn a_list_that_is_wrong_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let national = qianyi::national::load(&folder("national")).unwrap();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let rules = RuleSettings { folder: own, national: folder("national"), ..RuleSettings::default() };
    let book = rule_input(Some(&rules), &national, &city).unwrap().unwrap().book;
    let sql = dir.path().join("sql");
    std::fs::create_dir_all(sql.join("lists")).unwrap();
    let of = RuleSettings { folder: sql.clone(), ..rules };
    let head = "-- title: 单 / list\n-- about: 行 / a row\n";
    let mut said = Vec::new();
    for (name, text) in [
        ("columns", "-- columns: a = 甲 / a; b = 乙 / b\nSELECT c.rule AS a FROM changes AS c"),
        ("holds", "-- columns: a [AC01.NONE] = 甲 / a\nSELECT c.rule AS a FROM changes AS c"),
        ("table", "-- columns: a = 甲 / a\nSELECT c.rule AS a FROM changed AS c"),
        ("value", "-- columns: a [value] = 甲 / a\nSELECT c.after AS a FROM changes AS c"),
    ] {
        let path = sql.join("lists").join(format!("{name}.sql"));
        std::fs::write(&path, format!("{head}{text}\n")).unwrap();
        let wrong =
            lists(Some(&of), &national, &city, &book).err().map(|e| e.to_string()).unwrap_or_default();
        said.push(wrong.replace(&sql.display().to_string(), "sql"));
        std::fs::remove_file(&path).unwrap();
    }
    insta::assert_snapshot!(said.join("\n"));
}
