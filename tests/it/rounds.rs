//! Rounds: what becomes of findings from one run to the next, in ledgers that hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use qianyi::artifacts::{Round, Summary};
use qianyi::pipeline::{
    Approver, RuleSettings, RunSettings, approve, finished, proposals, rounds, rule_input,
};
use qianyi::progress::{Progress, Silent};
use qianyi::rules::ledger_schema;
use qianyi::state::State;

use crate::support::demo::{city, folder, ran, run_settings};
use crate::support::text_rows;

const RULE: &str = "\
-- id: X-01
-- title: 证件号码为15位 / the citizen ID has 15 digits
-- advice: 升为18位 / bring it to 18 digits
-- severity: E
-- repair: A1
-- department: 养老
-- basis: test
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
SELECT p._key, id18(p.AAC147) AS AAC147 FROM AC01 AS p WHERE length(p.AAC147) = 15 AND id_check(p.AAC147) = 'ok15'
";

fn rule(dir: &Path) -> RuleSettings {
    let sql = dir.join("sql");
    std::fs::create_dir_all(sql.join("rules/correct")).unwrap();
    std::fs::write(sql.join("rules/correct/X-01.sql"), RULE).unwrap();
    std::fs::write(sql.join("rules/correct/X-01.case"), "").unwrap();
    RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() }
}

fn begun(dir: &Path) -> RunSettings {
    let database = city(dir, 200, 3);
    RunSettings { rules: Some(rule(dir)), ..run_settings(&database, &dir.join("work"), 2) }
}

/// Lines of the ledger of a round: key → rule, state, first, last, since.
fn ledger(of: &RunSettings, run: &str, rule: &str) -> BTreeMap<String, [String; 4]> {
    let part = of.workdir.join("rounds").join(run).join("ledger.parquet");
    let columns = ["rule", "_key", "state", "first", "last", "since", "column", "id"];
    let mut found = BTreeMap::new();
    for row in text_rows(&part, &columns) {
        let row: Vec<String> = row.into_iter().map(Option::unwrap).collect();
        assert_eq!(row[7].len(), 32);
        if row[0] == rule {
            let here = format!("{}/{}", row[1], row[6]);
            let state = [2, 3, 4, 5].map(|i| row[i].clone());
            assert!(found.insert(here, state).is_none(), "a finding has two lines: {row:?}");
        }
    }
    found
}

/// The one state, first, last and since of all findings of a rule.
fn all(of: &RunSettings, run: &str) -> [String; 4] {
    let found = ledger(of, run, "X-01");
    let first = found.values().next().unwrap().clone();
    assert!(found.values().all(|line| *line == first), "{found:?}");
    first
}

/// New, open, fixed, reopened of the rule in the newest round.
fn counted(summary: &Summary) -> [u64; 4] {
    let row = summary.rounds.last().unwrap().rows.iter().find(|r| r.rule == "X-01");
    row.map_or([0; 4], |r| [r.new, r.open, r.fixed, r.reopened])
}

fn approved(of: &RunSettings, run: &str) {
    let national = qianyi::national::load(&of.national).unwrap();
    let city = qianyi::mapping::load(&of.city, &national).unwrap();
    let rules = rule_input(of.rules.as_ref(), &national, &city).unwrap().unwrap();
    let run = finished(&of.workdir, Some(run)).unwrap();
    let state = State::open(&of.workdir, "approve").unwrap();
    let batches = proposals(&state, &run, &national, &rules.book).unwrap();
    let by =
        Approver { name: "王科长".to_owned(), account: "wang".to_owned(), reason: "清单".to_owned() };
    approve(&state, &run, &batches.iter().collect::<Vec<_>>(), &by).unwrap();
}

#[test]
fn a_finding_is_new_then_open_then_fixed_and_reopened_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    let first = ran(&of);
    let n = ledger(&of, "r0001", "X-01").len() as u64;
    assert!(n > 3, "{n}");
    assert_eq!(counted(&first), [n, 0, 0, 0]);
    assert_eq!(all(&of, "r0001"), ["new", "r0001", "r0001", "r0001"]);
    let round = first.rounds.last().unwrap();
    assert_eq!((round.run.as_str(), &round.before), ("r0001", &None));
    let row = round.rows.iter().find(|r| r.rule == "X-01").unwrap();
    assert_eq!((row.item.as_str(), row.department.as_str()), ("correct", "养老"));
    // What every table's check found stands in the ledger, too, once a key.
    assert!(round.rows.iter().any(|r| r.item == "check" && r.new > 0), "{round:?}");
    // Unchanged inputs are the same run.
    assert_eq!(ran(&of), first);
    // The same inputs under other settings: what was new is open.
    let second = ran(&RunSettings { config_digest: "another".to_owned(), ..of.clone() });
    assert_eq!(counted(&second), [0, n, 0, 0]);
    assert_eq!(all(&of, "r0002"), ["open", "r0001", "r0002", "r0002"]);
    assert_eq!(second.rounds.last().unwrap().total().new, 0);
    assert_eq!(second.rounds.last().unwrap().total().fixed, 0);
    approved(&of, "r0002");
    let third = ran(&of);
    assert_eq!(counted(&third), [0, 0, n, 0]);
    assert_eq!(all(&of, "r0003"), ["fixed", "r0001", "r0002", "r0003"]);
    // A rule that does not run fixes nothing, and opens nothing.
    let without = ran(&RunSettings { rules: None, ..of.clone() });
    assert_eq!(counted(&without), [0; 4]);
    assert_eq!(all(&of, "r0004"), ["fixed", "r0001", "r0002", "r0003"]);
    State::open(&of.workdir, "approve").unwrap().undo_batch(1, "王科长").unwrap();
    // What people undo is open: it has not come back by itself.
    let fifth = ran(&of);
    assert_eq!(counted(&fifth), [0, n, 0, 0]);
    assert_eq!(all(&of, "r0005"), ["open", "r0001", "r0005", "r0005"]);
    approved(&of, "r0005");
    assert_eq!(counted(&ran(&of)), [0, 0, n, 0]);
    // What is found again although it was fixed, with another proposal that nobody has approved, has.
    let other = RULE.replace("id18(p.AAC147) AS", "substr(id18(p.AAC147), 1, 17) AS");
    std::fs::write(dir.path().join("sql/rules/correct/X-01.sql"), other).unwrap();
    assert_eq!(counted(&ran(&of)), [0, 0, 0, n]);
    assert_eq!(all(&of, "r0007"), ["reopened", "r0001", "r0007", "r0007"]);
    // It stays so until it is fixed again, also while its rule does not run.
    ran(&RunSettings { rules: None, ..of.clone() });
    assert_eq!(all(&of, "r0008"), ["reopened", "r0001", "r0007", "r0007"]);
    let ninth = ran(&of);
    assert_eq!(counted(&ninth), [0, 0, 0, n]);
    let page = std::fs::read_to_string(of.workdir.join("runs/r0009/report/index.html")).unwrap();
    assert!(page.contains(&format!("✖ {n}</b> 前清后错")), "the page says so");
    // Status tells every round; the summary the last ones.
    let told: Vec<Round> = rounds(&State::open_readonly(&of.workdir).unwrap()).unwrap();
    assert_eq!(told.len(), 9);
    assert_eq!(told[3..], ninth.rounds[..]);
    let befores: Vec<Option<&str>> = told.iter().map(|r| r.before.as_deref()).collect();
    assert_eq!(befores[..3], [None, Some("r0001"), Some("r0002")]);
}

#[test]
fn a_ledger_that_is_not_what_was_recorded_is_refused_and_a_restored_one_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    ran(&of);
    let ledger = of.workdir.join("rounds/r0001/ledger.parquet");
    let fields = qianyi::dataset::schema_of(&ledger).unwrap();
    assert_eq!(fields.fields(), ledger_schema().fields());
    let sound = std::fs::read(&ledger).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let mut spoiled = sound.clone();
    spoiled[100] ^= 1;
    std::fs::write(&ledger, &spoiled).unwrap();
    let refused = qianyi::pipeline::run(&of, &progress).unwrap_err().to_string();
    assert!(refused.contains("ledger of round r0001"), "{refused}");
    std::fs::remove_file(&ledger).unwrap();
    assert!(qianyi::pipeline::run(&of, &progress).is_err());
    std::fs::write(&ledger, &sound).unwrap();
    // Also where the work directory lies elsewhere by now.
    let moved = dir.path().join("moved");
    std::fs::rename(&of.workdir, &moved).unwrap();
    let second = ran(&RunSettings { workdir: moved, ..of });
    assert_eq!(second.run, "r0002", "the run that was refused goes on");
    assert!(second.rounds.last().unwrap().total().open > 0);
}

#[test]
fn every_column_says_how_much_of_it_is_empty_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    // A rule of level A0 fills what is empty.
    let fill = RULE
        .replace("X-01", "X-02")
        .replace("-- repair: A1", "-- repair: A0")
        .replace("AAC147", "AAC004")
        .split_once("SELECT")
        .unwrap()
        .0
        .to_owned()
        + "SELECT p._key, '1' AS AAC004 FROM AC01 AS p WHERE p.AAC004 IS NULL\n";
    let rules = dir.path().join("sql/rules/fill");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join("X-02.sql"), fill).unwrap();
    std::fs::write(rules.join("X-02.case"), "").unwrap();
    let summary = ran(&of);
    let filled = summary.cleaning.iter().find(|r| r.rule == "X-02").unwrap().repaired;
    assert!(filled > 0);
    let row = |column: &str| summary.empty.iter().find(|e| e.table == "AC01" && e.column == column).unwrap();
    let rows = summary.tables.iter().find(|t| t.table == "AC01").unwrap().mapped;
    let sex = row("AAC004");
    assert_eq!((sex.rows, sex.before, sex.after), (rows, filled, 0));
    let key = row("AAC001");
    assert_eq!((key.before, key.after), (0, 0));
    let mapped = of.workdir.join("runs").join(&summary.run).join("mapped/AC01");
    let ids: u64 = crate::support::parquet_under(&mapped)
        .iter()
        .flat_map(|part| text_rows(part, &["AAC147"]))
        .filter(|row| row[0].as_deref().is_none_or(str::is_empty))
        .count() as u64;
    assert_eq!(row("AAC147").before, ids);
}

#[test]
fn status_tells_the_rounds_in_both_languages() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    ran(&of);
    ran(&RunSettings { config_digest: "another".to_owned(), ..of.clone() });
    let status = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        let said =
            command.arg("status").arg("--rounds").arg("--workdir").arg(&of.workdir).args(more).output();
        let said = said.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    };
    insta::assert_snapshot!("status_en", status(&["--lang", "en"]));
    let zh = status(&["--lang", "zh"]);
    for word in ["轮次 r0002 (2021-05-31), 对比轮次 r0001", "修正基础信息", "养老", "结构校验", "未整改"]
    {
        assert!(zh.contains(word), "{word}: {zh}");
    }
    let document = serde_json::from_str(&status(&["--json"])).unwrap();
    let json: Vec<Round> = serde_json::from_value(crate::support::listed(&document)).unwrap();
    assert_eq!(json.len(), 2);
    assert_eq!(json[1].total().open, json[0].total().new);
}
