//! What goes out to people on paper: no text is cut, every row says which it is, and the page says what it is.

use std::path::Path;

use crate::support::office::{Office, rows};
use crate::worklists::{HEAD, converted, office};

/// What is wrong with a row of the unit ledger, at length.
const LEDGER: &str = "-- table: AB07\n-- column: AAB119\n-- effect: none\nSELECT l._key, '{evidence}' AS _evidence FROM AB07 AS l\n";
/// Two persons, of whom one stays.
const PERSONS: &str = "-- table: AC01\n-- column: AAC001\n-- effect: merge\n\
WITH ranked AS (\n    SELECT p._key, row_number() OVER (ORDER BY p.AAC999, p._key) AS nth FROM AC01 AS p WHERE p.AAC003 IS NOT NULL\n)\n\
SELECT a._key, b._key AS _after_key, b._key AS _group FROM ranked AS a JOIN ranked AS b ON b.nth = a.nth - 1 WHERE a.nth = 2\n";
/// Years of accounts, which name no person.
const YEARS: &str = "-- table: AC51\n-- column: AAE252\n-- effect: none\nSELECT y._key FROM AC51 AS y\n";

/// The height in inches of the row in which a text stands, in a flat OpenDocument sheet.
fn height(flat: &str, text: &str) -> f64 {
    let at = flat.find(text).unwrap_or_else(|| panic!("no {text}"));
    let (_, row) = flat[..at].rsplit_once("<table:table-row table:style-name=\"").unwrap();
    let (_, style) = flat.split_once(&format!("style:name=\"{}\"", row.split('"').next().unwrap())).unwrap();
    let (_, height) = style.split_once("style:row-height=\"").unwrap();
    height.split("in").next().unwrap().parse().unwrap()
}

/// What makes a sheet ready for the printer.
fn is_laid_out(flat: &str) {
    for wanted in [
        "print-orientation=\"landscape\"",
        "fo:page-width=\"11.69",
        "scale-to-X=\"1\"",
        "<table:table-header-rows>",
    ] {
        assert!(flat.contains(wanted), "{wanted}");
    }
}

fn flat(office: &Office, path: &Path) -> String {
    std::fs::read_to_string(converted(office.dir.path(), path, "fods")).unwrap()
}

#[test]
fn a_form_is_whole_on_paper_and_says_which_row_it_is_about() {
    let office = office();
    let evidence = "台账与明细不符，".repeat(20);
    office.rule("ledger/X-04", &format!("{HEAD}{}", LEDGER.replace("{evidence}", &evidence)));
    office.rule("merge/X-05", &format!("{HEAD}{PERSONS}"));
    office.rule("ledger/X-06", &format!("{HEAD}{YEARS}"));
    office.run();
    let flat = flat(&office, &office.export("X-04", &[]));
    is_laid_out(&flat);
    assert!(height(&flat, &evidence) > 3.0, "{}", height(&flat, &evidence));
    let csv = |rule: &str, more: &[&str]| {
        rows(&std::fs::read(office.export(rule, &[&["--csv"], more].concat())).unwrap()).remove(1)
    };
    let ledger = csv("X-04", &[]);
    for part in ["险种类型 ", "费款所属期 20", "做账期号 20"] {
        assert!(ledger[7].contains(part), "{part}: {}", ledger[7]);
    }
    // Who stays is told by number and name, masked as everywhere; no surrogate number stands there.
    let [masked, clear] = [&[][..], &["--reveal"]].map(|more| csv("X-05", more));
    for row in [&masked, &clear] {
        assert!(row[9].starts_with("合并至 2200") && row[8].starts_with(&row[3]), "{row:?}");
        assert!(!row[8..10].iter().any(|c| c.split(' ').any(|w| w.len() > 15)), "{row:?}");
    }
    assert!(masked[9].contains('*') && !clear[9].contains('*'), "{masked:?} {clear:?}");
    let year = csv("X-06", &[]);
    assert!(!year[3].is_empty() && year[4].contains('*') && year[7].starts_with("年度 "), "{year:?}");
}

#[test]
fn a_list_is_laid_out_for_print_and_every_rule_of_the_ledger_has_its_title() {
    let office = office();
    let lists = office.path("sql/lists");
    std::fs::create_dir_all(&lists).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/lists/rectification.sql");
    std::fs::copy(own, lists.join("rectification.sql")).unwrap();
    // A postal code that is too long is mended before the second round.
    let legacy = |sql: &str| {
        rusqlite::Connection::open(office.path("ylbx.db")).unwrap().execute_batch(sql).unwrap();
    };
    legacy("UPDATE GRJBXX SET YB = '13701600' WHERE rowid = 1");
    office.run();
    legacy("UPDATE GRJBXX SET YB = NULL WHERE length(YB) > 6");
    let second = office.run();
    let found = second["findings"].as_array().unwrap().iter();
    assert_eq!(found.filter(|f| f["rule"] == "STR-02").count(), 0, "{second}");
    let path = office.path("整改台账.xlsx");
    for (lang, title, foot) in
        [("zh", "白城市 整改台账", "单位（盖章）"), ("en", "白城市 rectification ledger", "Seal")]
    {
        let list = office.json(&["list", "rectification", "--lang", lang]);
        let rules: Vec<&str> = list.as_array().unwrap().iter().map(|r| r["rule"].as_str().unwrap()).collect();
        assert!(rules.contains(&"STR-02"), "{rules:?}");
        for row in list.as_array().unwrap() {
            assert!(row["title"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
        }
        office.said(&["list", "rectification", "--lang", lang, "--xlsx", path.to_str().unwrap()]);
        let flat = flat(&office, &path);
        is_laid_out(&flat);
        for text in [title, foot, "r0002", "2021-05-31"] {
            assert!(flat.contains(text), "{text}");
        }
    }
}
