//! Decisions that clash: with approved proposals, with rules, with each other; and what takes two times three people.

use std::collections::BTreeSet;
use std::path::Path;

use qianyi::pipeline::{Approver, ProposedBatch, RuleSettings, approve, finished, proposals, rule_input};
use qianyi::state::State;
use serde_json::Value;

use crate::support::demo::folder;
use crate::support::office::{DECISION, Office, fill, filled, rows, save};
use crate::support::{parquet_under, text_rows};

const HEAD: &str = "-- title: 核实 / to verify\n-- advice: 核对档案 / look into the file\n-- severity: E\n-- department: 养老\n\
-- evidence: 身份证复印件\n-- basis: test\n-- table: AC01\n";
/// Women to a clerk, unknown sex to an approver: both about every man.
const VERIFIED: &str = "-- repair: V\n-- column: AAC004\n-- touches: AAC004\n-- effect: change\n\
SELECT p._key, '2' AS AAC004 FROM AC01 AS p WHERE p.AAC004 = '1'\n";
const PROPOSED: &str = "-- repair: A1\n-- column: AAC004\n-- touches: AAC004\n-- effect: change\n\
SELECT p._key, '9' AS AAC004 FROM AC01 AS p WHERE p.AAC004 = '1'\n";
const BORN: &str = "-- repair: V\n-- column: AAC006\n-- effect: none\nSELECT p._key FROM AC01 AS p WHERE p.AAC006 IS NOT NULL\n";
const UNBORN: &str = "-- repair: V\n-- column: AAC006\n-- effect: none\nSELECT p._key FROM AC01 AS p WHERE p.AAC006 > as_of()\n";
const TWICE: &str = "-- repair: V\n-- column: *\n-- effect: none\n-- decided: twice\nSELECT p._key FROM AC01 AS p WHERE p.AAC004 = '1'\n";

fn office(rules: &[(&str, &str)]) -> Office {
    let whole: Vec<(&str, String)> =
        rules.iter().map(|(place, text)| (*place, format!("{HEAD}{text}"))).collect();
    let office = Office::new(&whole.iter().map(|(place, text)| (*place, text.as_str())).collect::<Vec<_>>());
    office.run();
    office
}

/// The clean rows of a rule's list.
fn exported(office: &Office, rule: &str) -> Vec<Vec<String>> {
    rows(&std::fs::read(office.export(rule, &["--csv"])).unwrap())
}

fn imported(office: &Office, rows: &[Vec<String>]) -> (BTreeSet<(String, String)>, Value) {
    let path = office.path("back.csv");
    save(&path, rows);
    office.import(&path)
}

fn told<const N: usize>(of: [(&str, &str); N]) -> BTreeSet<(String, String)> {
    of.map(|(cell, what)| (cell.to_owned(), what.to_owned())).into_iter().collect()
}

/// What a rule proposes, and its approval by somebody who did not begin the run.
fn batch(office: &Office, rule: &str, approved: bool) -> ProposedBatch {
    let national = qianyi::national::load(&folder("national")).unwrap();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let sql = office.path("sql");
    let rules = RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() };
    let book = rule_input(Some(&rules), &national, &city).unwrap().unwrap().book;
    let run = finished(&office.path("work"), None).unwrap();
    let state = State::open(&office.path("work"), "approve").unwrap();
    let all = proposals(&state, &run, &national, &book).unwrap();
    let of = all.into_iter().find(|b| b.rule == rule).unwrap();
    if approved {
        let by =
            Approver {
                name: "王审批".to_owned(), account: "wang".to_owned(), reason: "清单".to_owned()
            };
        approve(&state, &run, &[&of], &by).unwrap();
    }
    of
}

/// Before, a batch of proposals and a signed decision could give one field two values: which of them stood depended on the order of the rules.
#[test]
fn a_field_has_one_value_whoever_signs_first() {
    let office = office(&[("correct/X-01", VERIFIED), ("correct/X-05", PROPOSED)]);
    let clean = exported(&office, "X-01");
    let men = clean.len() as u64 - 1;
    let mut signed = clean.clone();
    fill(&mut signed[1], &filled("采纳建议", "", "证-1", ""));
    fill(&mut signed[2], &filled("填写更正值", "9", "证-2", ""));
    assert_eq!(imported(&office, &signed).1["batch"], "b0001");
    // The proposal for a field that was decided otherwise is approved by nobody.
    let proposed = batch(&office, "X-05", true);
    assert_eq!((proposed.rows, proposed.open(), proposed.contested["b0001"]), (men, men - 1, 1));
    let shown = office.said(&["approve", "X-05", "--lang", "en"]).1;
    assert!(shown.contains("X-05 AC01: 1 left out"), "{shown}");
    // Before, the same could be approved again, and undoing one of the batches undid nothing.
    let again = batch(&office, "X-05", false);
    assert_eq!((again.open(), again.ids.len(), again.approved["b0002"]), (0, 0, men - 1));
    assert!(shown.contains(&format!("X-05 AC01: {} approved by b0002 already", men - 1)), "{shown}");
    // What an approved batch gives another value, a decision does not.
    let mut late = clean.clone();
    fill(&mut late[3], &filled("采纳建议", "", "证-3", ""));
    fill(&mut late[4], &filled("情况属实无需更正", "", "证-4", ""));
    fill(&mut late[5], &filled("填写更正值", "9", "证-5", ""));
    assert_eq!(imported(&office, &late).0, told([("L4", "contradicts"), ("L5", "contradicts")]));
    late[3][DECISION..DECISION + 10].fill(String::new());
    late[4][DECISION..DECISION + 10].fill(String::new());
    assert_eq!(imported(&office, &late).1["batch"], "b0003");
    // The signed forms are kept, and the audit log covers them.
    let kept =
        std::fs::read_dir(office.path("work/worklists/signed")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(office.said(&["audit", "verify"]).0, 0);
    let whole = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &whole[1..]).unwrap();
    let (status, told) = office.said(&["audit", "verify"]);
    assert!(status == 3 && told.contains(kept.file_name().unwrap().to_str().unwrap()), "{told}");
    std::fs::write(&kept, whole).unwrap();
    let listed = office.json(&["approve", "--batches"]);
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|b| (b["batch"].clone(), b["items"].clone())).collect();
    // Rows of one key that propose the same are one proposal.
    let distinct = proposed.ids.iter().collect::<BTreeSet<_>>().len() as u64;
    let expected = [("b0001", 2), ("b0002", distinct), ("b0003", 1)];
    assert_eq!(names, expected.map(|(name, n)| (Value::from(name), Value::from(n))));
    office.run();
    let mut after = [0, 0];
    for part in parquet_under(&office.path("work/runs/r0002/changes")) {
        for row in text_rows(&part, &["after"]) {
            after[usize::from(row[0].as_deref() == Some("9"))] += 1;
        }
    }
    assert_eq!(after, [1, men - 1]);
}

/// A row of which a rule of severity B says that a field keeps it out.
const BLOCKED: &str = "-- title: 不得入库 / keeps rows out\n-- advice: 核对档案 / look into the file\n-- severity: B\n-- department: 养老\n\
-- evidence: 身份证复印件\n-- basis: test\n-- table: AC01\n-- repair: V\n-- column: AAC006\n-- effect: none\n\
SELECT p._key FROM AC01 AS p WHERE p.AAC006 <> DATE '1970-01-01'\n";

/// Before, what had put a field on the list was no reason to refuse a value that is as wrong.
#[test]
fn a_correction_that_still_keeps_its_row_out_is_refused() {
    let office = Office::new(&[("correct/X-01", BLOCKED)]);
    office.run();
    let mut rows = exported(&office, "X-01");
    fill(&mut rows[1], &filled("填写更正值", "1971-02-03", "证-1", ""));
    fill(&mut rows[2], &filled("填写更正值", "1970-01-01", "证-2", ""));
    let (mistakes, came) = imported(&office, &rows);
    assert_eq!((mistakes, &came["batch"]), (told([("L2", "breaks")]), &Value::Null));
    assert_eq!(came["mistakes"][0]["with"][0], "X-01");
}

/// Before, a birth in 2150 was taken: it has the type of its column.
#[test]
fn a_correction_that_breaks_a_rule_is_refused_with_the_rule() {
    let office = office(&[("correct/X-01", BORN), ("fill/X-02", UNBORN)]);
    let mut rows = exported(&office, "X-01");
    let clean = rows.clone();
    fill(&mut rows[1], &filled("填写更正值", "2150-01-01", "证-1", ""));
    fill(&mut rows[2], &filled("填写更正值", "1970-01-01", "证-2", ""));
    let (mistakes, came) = imported(&office, &rows);
    assert_eq!((mistakes, &came["batch"]), (told([("L2", "breaks")]), &Value::Null));
    assert_eq!(came["mistakes"][0]["with"][0], "X-02");
    rows[1] = clean[1].clone();
    assert_eq!(imported(&office, &rows).1["batch"], "b0001");
    assert!(!Path::new(&office.path("work/runs/r0001/scratch/import")).exists());
}

#[test]
fn what_is_decided_twice_takes_three_others() {
    let office = office(&[("correct/X-01", TWICE)]);
    let clean = exported(&office, "X-01");
    let with = |people: [&str; 3]| {
        let mut rows = clean.clone();
        let mut cells = filled("情况属实无需更正", "", "证-1", "");
        for (at, name) in [4, 6, 8].into_iter().zip(people) {
            cells[at] = name.to_owned();
        }
        fill(&mut rows[1], &cells);
        rows
    };
    let first = with(["张经办", "李复核", "王审批"]);
    let (mistakes, came) = imported(&office, &first);
    assert_eq!((mistakes, &came["first"]), (BTreeSet::new(), &1.into()));
    assert_eq!(office.list("X-01").get("waived"), None, "one signature of three is not enough");
    assert_eq!(imported(&office, &first).1["known"], 1);
    // It goes out again, for others.
    assert_eq!(exported(&office, "X-01").len(), clean.len());
    let half = with(["孙经办", "李复核", "吴审批"]);
    assert_eq!(imported(&office, &half).0, told([("R2", "signed_first")]));
    let (mistakes, came) = imported(&office, &with(["孙经办", "周复核", "吴审批"]));
    assert_eq!((mistakes, &came["first"]), (BTreeSet::new(), &0.into()));
    assert_eq!(office.list("X-01")["waived"], 1);
    // Without the second one nothing holds.
    office.said(&["approve", "--undo", "b0002"]);
    assert_eq!(office.list("X-01").get("waived"), None);
}

#[test]
fn a_list_of_no_rule_and_no_department_is_refused() {
    let office = office(&[("correct/X-01", VERIFIED)]);
    for command in [
        &["worklist", "export", "--rule", "X-99"][..],
        &["worklist", "list", "--department", "门卫"],
        &["findings", "--department", "门卫"],
        &["findings", "--rule", "FIX-99"],
        &["findings", "--table", "XX99"],
        &["changes", "XX99"],
        &["trace", "XX99", "1"],
    ] {
        assert_eq!(office.said(command).0, 2, "{command:?}");
    }
    for command in [
        &["worklist", "list", "--department", "养老"][..],
        &["findings", "--rule", "STR-01", "--table", "AC01"],
    ] {
        assert_eq!(office.said(command).0, 0, "{command:?}");
    }
}
