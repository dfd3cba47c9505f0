//! The demo city: deterministic, perfect where nothing is planted, and its truth says exactly what is planted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use qianyi::fixture::{
    Defects, FixtureError, FixtureReport, FixtureSettings, generate, outside_files, profile, truth_path,
};
use rusqlite::Connection;

use crate::support::text_rows;

fn settings(persons: u64, seed: u64, defects: Defects) -> FixtureSettings {
    FixtureSettings { persons, seed, as_of: NaiveDate::from_ymd_opt(2021, 5, 31).unwrap(), defects }
}

fn city(path: &Path, persons: u64, seed: u64, defects: Defects) -> FixtureReport {
    generate(&settings(persons, seed, defects), path, &mut |_| {}).unwrap()
}

/// A city in a folder of its own.
fn made(persons: u64, defects: Defects) -> (tempfile::TempDir, PathBuf, FixtureReport, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("city.db");
    let report = city(&path, persons, 1, defects);
    let connection = Connection::open(&path).unwrap();
    (dir, path, report, connection)
}

/// What a query that counts answers.
fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |r| r.get(0)).unwrap()
}

/// The truth, column by column: defect, kind, rule, source table, source key, national table, column.
fn truth(database: &Path) -> Vec<Vec<String>> {
    let columns = ["defect", "kind", "rule", "source_table", "source_key", "national_table", "column"];
    text_rows(&truth_path(database), &columns)
        .into_iter()
        .map(|line| line.into_iter().map(Option::unwrap).collect())
        .collect()
}

/// Compares with a golden file; `QIANYI_REWRITE=1` writes it again for a person to read.
fn check_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/baicheng").join(name);
    if std::env::var_os("QIANYI_REWRITE").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{name}: QIANYI_REWRITE=1 writes it again");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_another_city() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["a.db", "b.db", "c.db"].map(|n| dir.path().join(n));
    for (path, seed) in paths.iter().zip([1, 1, 2]) {
        city(path, 200, seed, Defects::Planted);
    }
    let outside = |p: &PathBuf| -> Vec<(String, Vec<u8>)> {
        outside_files(p)
            .unwrap()
            .into_iter()
            .map(|(name, file)| (name, std::fs::read(file).unwrap()))
            .collect()
    };
    let bytes = paths
        .each_ref()
        .map(|p| (std::fs::read(p).unwrap(), std::fs::read(truth_path(p)).unwrap(), outside(p)));
    assert!(bytes[0].2.len() >= 5 && bytes[0].2.iter().all(|(_, file)| !file.is_empty()));
    assert!(bytes[0] == bytes[1], "the same seed");
    assert!(bytes[0].0 != bytes[2].0, "another seed");
}

#[test]
fn a_fixture_is_replaced_and_a_foreign_database_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own.db");
    let first = city(&own, 60, 1, Defects::Planted);
    assert_eq!(first, city(&own, 60, 1, Defects::Planted));

    let foreign = dir.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE GRJBXX (GRBH char(10))").unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "not a database").unwrap();
    for path in [foreign, text] {
        let before = std::fs::read(&path).unwrap();
        let refused = generate(&settings(60, 1, Defects::Planted), &path, &mut |_| {});
        assert!(matches!(refused, Err(FixtureError::Foreign { .. })));
        assert_eq!(before, std::fs::read(&path).unwrap());
        assert!(!truth_path(&path).exists());
    }
}

#[test]
fn nobody_too_many_and_another_age_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    for persons in [0, qianyi::fixture::MOST_PERSONS + 1] {
        let refused = generate(&settings(persons, 1, Defects::Planted), &path, &mut |_| {});
        assert!(matches!(refused, Err(FixtureError::Persons { .. })));
    }
    for year in [1999, 2019, 2035] {
        let as_of = NaiveDate::from_ymd_opt(year, 5, 31).unwrap();
        let refused =
            generate(&FixtureSettings { as_of, ..settings(10, 1, Defects::Planted) }, &path, &mut |_| {});
        assert!(matches!(refused, Err(FixtureError::AsOf { .. })));
    }
    assert!(!path.exists());
}

#[test]
fn a_city_of_any_size_and_seed_can_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    for (persons, seed) in [(1, 3), (7, 4), (22, 5), (50, 6), (199, u64::MAX)] {
        let report = city(&path, persons, seed, Defects::Planted);
        assert!(report.rows["GRJBXX"] + report.rows["GRJBXX2"] >= persons, "{persons}");
    }
    for seed in 10..16 {
        let report = city(&path, 200, seed, Defects::Planted);
        let (found, wanted) = (&report.defects, structural_defects());
        assert!(wanted.iter().all(|d| found.contains_key(d)), "seed {seed}: {found:?}");
    }
}

/// The structural defects that `defects.toml` names.
fn structural_defects() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/baicheng/defects.toml");
    let file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let all = file["defect"].as_array().unwrap();
    let structural = all.iter().filter(|d| d["kind"].as_str() == Some("structural"));
    structural.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_truth_lists_what_was_planted_and_every_planned_defect_is_there() {
    let (_dir, path, report, _) = made(200, Defects::Planted);
    let lines = truth(&path);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for line in &lines {
        *kinds.entry(line[1].clone()).or_default() += 1;
        *named.entry(line[0].clone()).or_default() += 1;
    }
    assert_eq!(kinds, report.truth_lines);
    assert_eq!(named.keys().collect::<Vec<_>>(), report.defects.keys().collect::<Vec<_>>());
    for (defect, planted) in &report.defects {
        assert!(named[defect] >= *planted, "{defect}");
    }
    for defect in structural_defects() {
        assert!(report.defects.contains_key(&defect), "{defect} is not in a small city");
    }
    let distinct: std::collections::BTreeSet<_> = lines.iter().collect();
    assert_eq!(distinct.len(), lines.len(), "no line is defined twice");
}

#[test]
fn without_defects_the_truth_is_empty() {
    let (_dir, path, report, _) = made(60, Defects::None);
    assert_eq!(truth(&path), Vec::<Vec<String>>::new());
    assert_eq!(report.defects, BTreeMap::new());
}

#[test]
fn the_profile_of_a_small_city_is_the_reference() {
    let (_dir, _, report, _) = made(200, Defects::Planted);
    check_golden("profile-200.txt", &profile(&report));
}

#[test]
fn the_profile_of_the_demo_city_is_the_reference() {
    let (_dir, _, report, _) = made(20_000, Defects::Planted);
    assert!((900_000..1_200_000).contains(&report.payments), "about fifty payments a person");
    check_golden("profile-20000.txt", &profile(&report));
}

#[test]
fn text_is_gbk_and_names_come_back_with_rare_and_private_characters() {
    let (_dir, path, _, connection) = made(2000, Defects::Planted);
    let lines = truth(&path);
    let spoiled: Vec<&str> =
        lines.iter().filter(|l| l[0] == "name_undecodable").map(|l| l[4].as_str()).collect();
    let special: Vec<&str> =
        lines.iter().filter(|l| l[0] == "name_private_or_rare").map(|l| l[4].as_str()).collect();
    let mut statement = connection.prepare("SELECT CAST(GRBH AS TEXT), XM, typeof(XM) FROM GRJBXX").unwrap();
    let mut rows = statement.query([]).unwrap();
    let (mut private, mut undecodable) = (0, 0);
    while let Some(row) = rows.next().unwrap() {
        let (number, bytes, kind): (String, Vec<u8>, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        assert_eq!(kind, "blob");
        let key = format!("{number}|#1");
        let Some(name) = encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(&bytes) else {
            assert!(spoiled.contains(&key.as_str()), "{key}");
            undecodable += 1;
            continue;
        };
        let (again, _, lost) = encoding_rs::GBK.encode(&name);
        assert!(!lost && *again == bytes && !name.contains('&'), "{key}");
        // Private characters that the city's font table knows are no defect.
        private += usize::from(special.contains(&key.as_str()));
        if special.contains(&key.as_str()) {
            assert!(name.chars().any(|c| ('\u{E000}'..='\u{F8FF}').contains(&c)), "{key}");
        }
    }
    assert_eq!(undecodable, spoiled.len());
    assert!(private > 0 && !spoiled.is_empty());
}

#[test]
fn an_undamaged_account_rolls_forward_and_adds_up() {
    let (_dir, _, _, connection) = made(400, Defects::None);
    let broken = "SELECT count(*) FROM GRZHND a JOIN GRZHND b ON b.GRBH = a.GRBH AND CAST(b.ND AS INT) = CAST(a.ND AS INT) + 1
                  WHERE ROUND(a.NMYE * 100) <> ROUND(b.SNJC * 100)";
    assert_eq!(count(&connection, broken), 0);
    let year = "SELECT count(*) FROM GRZHND
                WHERE ROUND((SNJC + BNDWHR + BNGRHR + BNLX - BNZC) * 100) <> ROUND(NMYE * 100)";
    assert_eq!(count(&connection, year), 0);
    let balance = "SELECT count(*) FROM GRZH WHERE ROUND((BJLJ + LXLJ - ZCLJ) * 100) <> ROUND(YE * 100)";
    assert_eq!(count(&connection, balance), 0);
    assert!(count(&connection, "SELECT count(*) FROM GRZHND") > 1000);
}

/// Every pension detail in one form, in fen: unit, ledger period, period paid for, kind, unit part, person part.
fn details() -> String {
    let party = (1998..=2005).map(|y| {
        format!(
            "SELECT DWBH, TZNY, FKSSQ AS P, JFLX, CASE KX WHEN x'3131' THEN ROUND(JFE * 100) ELSE 0 END AS U,
             CASE KX WHEN x'3132' THEN ROUND(JFE * 100) ELSE 0 END AS G FROM GRJFMX_{y}"
        )
    });
    let fen =
        (2006..=2008).map(|y| format!("SELECT DWBH, TZNY, JFNY, JFLX, DWJFE_F, GRJFE_F FROM GRJFMX_{y}"));
    let yuan = (2009..=2012)
        .map(|y| format!("GRJFMX_{y}"))
        .chain(["GRJFMX".to_owned()])
        .map(|t| format!("SELECT DWBH, TZNY, FKSSQ, JFLX, ROUND(DWJFE * 100), ROUND(GRJFE * 100) FROM {t}"));
    party.chain(fen).chain(yuan).collect::<Vec<_>>().join(" UNION ALL ")
}

#[test]
fn an_undamaged_ledger_is_the_sum_of_its_details() {
    let (_dir, _, _, connection) = made(400, Defects::None);
    let kinds =
        "CASE trim(CAST(JFLX AS TEXT)) WHEN '3' THEN '4' WHEN '4' THEN '3' ELSE trim(CAST(JFLX AS TEXT)) END";
    // Sums by unit, ledger period and kind: the period paid for is written in several forms.
    let differ = format!(
        "WITH d AS (SELECT DWBH, TZNY, {kinds} AS K, SUM(U) AS U, SUM(G) AS G FROM ({}) WHERE trim(CAST(JFLX AS TEXT)) NOT IN ('6', '7')
                    GROUP BY 1, 2, 3),
              l AS (SELECT DWBH, TZNY, CAST(HDLX AS TEXT) AS K, SUM(ROUND(DWYJ * 100)) AS U, SUM(ROUND(GRYJ * 100)) AS G
                    FROM DWHDTZ WHERE XZ = x'594C' GROUP BY 1, 2, 3)
         SELECT count(*) FROM d FULL JOIN l ON d.DWBH = l.DWBH AND d.TZNY = l.TZNY AND d.K = l.K
         WHERE d.U IS NOT l.U OR d.G IS NOT l.G",
        details()
    );
    assert_eq!(count(&connection, &differ), 0);
    let jobless = "WITH d AS (SELECT u.DWBH AS DWBH, s.NY AS NY, SUM(ROUND(s.GRJE * 100)) AS G FROM SYJFMX s
                        JOIN SYDWXX u ON u.DWBH2 = s.DWBH2 GROUP BY 1, 2),
                        l AS (SELECT DWBH, SSNY AS NY, SUM(ROUND(GRYJ * 100)) AS G FROM DWHDTZ WHERE XZ = x'5359' GROUP BY 1, 2)
                   SELECT count(*) FROM d FULL JOIN l ON d.DWBH = l.DWBH AND d.NY = l.NY WHERE d.G IS NOT l.G";
    assert_eq!(count(&connection, jobless), 0);
    assert!(count(&connection, "SELECT count(*) FROM DWHDTZ") > 500);
}

#[test]
fn every_parent_exists_unless_a_defect_took_it() {
    let (_dir, _, _, connection) = made(400, Defects::None);
    let persons = "(SELECT GRBH FROM GRJBXX UNION SELECT GRBH FROM GRJBXX2)";
    let units = "(SELECT substr('0' || CAST(DWBH AS TEXT), -8) FROM DWJBXX)";
    for table in
        ["GRCBXX", "GRBDXX", "JFGZSB", "GRZH", "LTXRY", "YLJFF", "ZYJX", "STJFNX", "GRJFMX", "GRJFMX_2001"]
    {
        let lost = format!("SELECT count(*) FROM {table} WHERE GRBH NOT IN {persons}");
        assert_eq!(count(&connection, &lost), 0, "{table}");
    }
    // A number that lost its zero is padded with a space: trimmed and filled up, it is the number again.
    let units = units.replace("CAST(DWBH AS TEXT)", "trim(CAST(DWBH AS TEXT))");
    for table in ["DWCBXX", "GRCBXX", "DWHDTZ", "SYDWXX", "GRJFMX_2007", "GRJFMX_2010"] {
        let lost = format!("SELECT count(*) FROM {table} WHERE CAST(DWBH AS TEXT) NOT IN {units}");
        assert_eq!(count(&connection, &lost), 0, "{table}");
    }
    let pairs = [
        ("GRZHND", "GRBH", "GRZH"),
        ("SYJFMX", "SYBH", "SYRYXX"),
        ("SYDYHD", "SYZH", "SYDJ"),
        ("ZYJXMX", "LSH", "ZYJX"),
    ];
    for (child, column, parent) in pairs {
        let lost =
            format!("SELECT count(*) FROM {child} WHERE {column} NOT IN (SELECT {column} FROM {parent})");
        assert_eq!(count(&connection, &lost), 0, "{child}");
    }
    let unrelated = "SELECT count(*) FROM GRJFMX WHERE GRBH NOT IN (SELECT GRBH FROM GRCBXX WHERE CBXZ IN (x'594C', x'3120'))";
    assert_eq!(count(&connection, unrelated), 0);
}
