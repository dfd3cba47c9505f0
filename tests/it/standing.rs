//! Standing approvals: what a run approves by itself, and what it leaves to people.

use std::path::Path;

use chrono::NaiveDate;
use qianyi::artifacts::{StandingEnd, StandingRow, Summary};
use qianyi::config::{DemoLayer, Layers, load};
use qianyi::pipeline::{RuleSettings, RunSettings, Standing, finished, proposals, rule_input};
use qianyi::state::State;

use crate::support::demo::{as_of, city, folder, ran, run_settings};

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

fn begun(dir: &Path) -> RunSettings {
    let sql = dir.join("sql");
    std::fs::create_dir_all(sql.join("rules/correct")).unwrap();
    std::fs::write(sql.join("rules/correct/X-01.sql"), RULE).unwrap();
    std::fs::write(sql.join("rules/correct/X-01.case"), "").unwrap();
    let rules = RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() };
    let database = city(dir, 200, 3);
    RunSettings { rules: Some(rules), ..run_settings(&database, &dir.join("work"), 2) }
}

fn standing(limit: u64, until: NaiveDate, account: &str) -> Standing {
    let [rule, approver, account] = ["X-01", "王科长", account].map(str::to_owned);
    Standing { rule, limit, until, approver, account }
}

/// A run under one standing approval; what became of it.
fn under(of: &RunSettings, one: Standing) -> (StandingRow, Summary) {
    let summary = ran(&RunSettings { standing: vec![one], ..of.clone() });
    assert_eq!(summary.standing.len(), 1);
    (summary.standing[0].clone(), summary)
}

fn repaired(summary: &Summary) -> (u64, u64) {
    let row = summary.cleaning.iter().find(|r| r.rule == "X-01").unwrap();
    (row.repaired, row.proposed)
}

#[test]
fn a_run_approves_up_to_the_limit_and_the_day_and_the_next_one_applies_it() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    let batches = || State::open_readonly(&of.workdir).unwrap().batches().unwrap();
    let n = repaired(&ran(&of)).1;
    assert!(n > 3, "{n}");
    // Beyond the limit nothing is approved, and it is said.
    let (beyond, _) = under(&of, standing(n - 1, as_of(), "wang"));
    assert_eq!((beyond.end, beyond.proposals), (StandingEnd::Beyond, n));
    // Its last day is past.
    let (expired, _) = under(&of, standing(n, as_of().pred_opt().unwrap(), "wang"));
    assert_eq!(expired.end, StandingEnd::Expired);
    // Who began the run does not approve what it proposes.
    let operator = State::open_readonly(&of.workdir).unwrap().runs().unwrap()[0].operator.clone().unwrap();
    let (own, _) = under(&of, standing(n, as_of(), &operator));
    assert_eq!(own.end, StandingEnd::OwnRun);
    assert_eq!(batches(), []);
    // At the limit, on its last day: one batch, recorded with who answers for it.
    let (approved, summary) = under(&of, standing(n, as_of(), "wang"));
    assert_eq!((approved.end, approved.proposals), (StandingEnd::Approved, n));
    assert_eq!(approved.batches, ["b0001"]);
    assert_eq!(repaired(&summary), (0, n), "the run itself applies nothing");
    let batch = batches().remove(0);
    assert_eq!((batch.of.approver.as_str(), batch.of.account.as_str()), ("王科长", "wang"));
    assert!(batch.of.reason.starts_with("standing approval: at most"), "{}", batch.of.reason);
    assert_eq!((batch.of.run, batch.proposals), (summary.run, n));
    let page = std::fs::read_to_string(of.workdir.join("runs/r0005/report/index.html")).unwrap();
    assert!(page.contains("常设批准") && page.contains("b0001"));
    let (nothing, next) = under(&of, standing(n, as_of(), "wang"));
    assert_eq!((nothing.end, repaired(&next)), (StandingEnd::Nothing, (n, 0)));
    // What people undo stays theirs.
    State::open(&of.workdir, "approve").unwrap().undo_batch(1, "李主任").unwrap();
    let (undone, after) = under(&of, standing(n, as_of(), "wang"));
    assert_eq!((undone.end, repaired(&after)), (StandingEnd::Nothing, (0, n)));
    assert_eq!(batches().len(), 1);
}

#[test]
fn who_answers_for_a_standing_approval_is_an_approver() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("city.toml");
    let people = "[[people]]\nname = \"王科长\"\naccount = \"wang\"\nroles = [\"approver\"]\n\
                  [[people]]\nname = \"李\"\naccount = \"li\"\nroles = [\"operator\"]\n";
    let loaded = |standing: &str| {
        std::fs::write(&file, format!("{people}{standing}")).unwrap();
        let demo = Some(DemoLayer { database: "x.db".into() });
        load(&Layers { demo, files: vec![file.clone()], ..Layers::default() })
    };
    let written = |account: &str| {
        format!(
            "[[standing]]\nrule = \"FIX-02\"\nlimit = 500\nuntil = \"2021-12-31\"\naccount = \"{account}\"\n"
        )
    };
    let of = loaded(&written("wang")).unwrap().standing;
    assert_eq!(
        of,
        [Standing {
            rule: "FIX-02".to_owned(),
            limit: 500,
            until: NaiveDate::from_ymd_opt(2021, 12, 31).unwrap(),
            approver: "王科长".to_owned(),
            account: "wang".to_owned(),
        }]
    );
    for account in ["li", "nobody"] {
        let refused = loaded(&written(account)).unwrap_err().to_string();
        assert!(refused.contains("is no approver") && refused.contains("FIX-02"), "{refused}");
    }
    let wrong = loaded("[[standing]]\nrule = \"FIX-02\"\nlimit = 0\nuntil = \"soon\"\n").unwrap_err();
    let told = format!("{:?}", miette::Report::new(wrong));
    for said in ["has no `account`", "whole number from 1", "is not a day"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn what_waits_for_approval_shows_its_money_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let of = begun(dir.path());
    let head = RULE.split_once("SELECT").unwrap().0.replace("X-01", "X-02");
    let head = head.replace("AC01", "AC43").replace("AAC147", "AAE180");
    let sql = "SELECT k._key, CAST(k.AAE180 + 1.05 AS DECIMAL(16,2)) AS AAE180 FROM AC43 AS k WHERE k.AAE180 > 0.00\n";
    let rules = dir.path().join("sql/rules/correct");
    std::fs::write(rules.join("X-02.sql"), format!("{head}{sql}")).unwrap();
    std::fs::write(rules.join("X-02.case"), "").unwrap();
    let away = head.replace("X-02", "X-03").replace("-- touches: AAE180\n", "").replace("change", "exclude");
    let sql = "SELECT k._key FROM AC43 AS k WHERE k.AAE180 > 0.00\n";
    std::fs::write(rules.join("X-03.sql"), format!("{away}{sql}")).unwrap();
    std::fs::write(rules.join("X-03.case"), "").unwrap();
    ran(&of);
    let national = qianyi::national::load(&of.national).unwrap();
    let city = qianyi::mapping::load(&of.city, &national).unwrap();
    let book = rule_input(of.rules.as_ref(), &national, &city).unwrap().unwrap().book;
    let run = finished(&of.workdir, None).unwrap();
    let all = proposals(&State::open_readonly(&of.workdir).unwrap(), &run, &national, &book).unwrap();
    let batch = all.iter().find(|b| b.rule == "X-02").unwrap();
    assert!(batch.rows > 100, "{}", batch.rows);
    let sum = batch.sums["AAE180"];
    assert!(sum.before_fen > 0);
    assert_eq!(sum.after_fen - sum.before_fen, i128::from(batch.rows) * 105);
    // What would leave is shown as it is; nothing of it stays.
    let leaves = all.iter().find(|b| b.rule == "X-03").unwrap();
    assert_eq!((leaves.sums["AAE180"].before_fen, leaves.sums["AAE180"].after_fen), (sum.before_fen, 0));
    // Numbers of people are no money.
    assert!(all.iter().find(|b| b.rule == "X-01").unwrap().sums.is_empty());
}
