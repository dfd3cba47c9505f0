//! The business totals of `sql/totals/`: what they add up of rows made by hand, of a whole city, and what is refused of their files.

use std::collections::BTreeMap;
use std::path::Path;

use qianyi::artifacts::{REST, TotalLine, TotalTable};
use qianyi::dataset::PartInfo;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::National;
use qianyi::pipeline::{RuleSettings, RunSettings, finished};
use qianyi::rules::{self, Facts, RuleBook, RuleFiles, total_sums};

use crate::support::copy_folder;
use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::rows::{Row, part};

/// Columns and values of a row.
type Own = Vec<(&'static str, &'static str)>;

struct Bench {
    dir: tempfile::TempDir,
    national: National,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let national = qianyi::national::load(&folder("national")).unwrap();
        let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
        let settings = EngineSettings { memory: 1 << 28, spill: dir.path().join("spill"), partitions: 2 };
        let engine = Engine::start(settings, city.functions(as_of())).unwrap();
        Self { dir, national, engine }
    }

    fn book(&self, sql: &Path) -> Result<RuleBook, String> {
        let (of, params) = (folder("national"), BTreeMap::new());
        let files = RuleFiles { sql, national: &of, params: &params };
        rules::load(&files, &self.national, self.engine.functions())
            .map_err(|e| format!("{:?}", miette::Report::new(e)))
    }

    /// What a total of the repository comes to over mapped rows.
    fn sums(&self, id: &str, tables: &[(&str, &[Own])]) -> Vec<(String, String, Vec<i128>)> {
        let book = self.book(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")).unwrap();
        let total = book.totals.iter().find(|t| t.id == id).unwrap();
        let mut facts = Facts::default();
        for (table, rows) in tables {
            let schema = self.national.table(table).unwrap().mapped_schema();
            let sourced = |row: &Own| row.iter().copied().chain([("_source", "s.T")]).collect();
            let rows: Vec<Own> = rows.iter().map(sourced).collect();
            let rows: Vec<Row<'_>> = rows.iter().map(Vec::as_slice).collect();
            let path = part(&self.dir.path().join(format!("{id}-{table}.parquet")), &schema, &rows);
            let info = PartInfo { path, rows: rows.len() as u64, bytes: 0, sha256: String::new() };
            facts.parts.insert(format!("mapped_{table}"), vec![info]);
        }
        let sums = total_sums(&self.engine, &self.national, total, (&facts, "mapped")).unwrap();
        sums.into_iter().map(|((insurance, by), numbers)| (insurance, by, numbers)).collect()
    }
}

fn line(insurance: &str, by: &str, numbers: &[i128]) -> (String, String, Vec<i128>) {
    (insurance.to_owned(), by.to_owned(), numbers.to_vec())
}

#[test]
fn accounts_ledgers_arrears_benefits_and_states_add_up_what_the_rows_say() {
    let bench = Bench::new();
    let account = |balance: &'static str| -> Own {
        vec![
            ("AAE100", "1"),
            ("AAE238", "100.00"),
            ("AAE239", "10.05"),
            ("AAE357", "0.05"),
            ("AAE240", balance),
        ]
    };
    assert_eq!(
        bench.sums("TOT-01", &[("AC50", &[account("110.00"), account("110.01")])]),
        [line("110", "1", &[2, 20_000, 2_010, 10, 22_001, -1])]
    );
    let year = vec![
        ("AAE001", "2004"),
        ("AAE252", "100.00"),
        ("AAE264", "8.00"),
        ("AAE294", "1.00"),
        ("AAE382", "109.00"),
    ];
    assert_eq!(
        bench.sums("TOT-02", &[("AC51", &[year])]),
        [line("110", "2004", &[1, 10_000, 800, 100, 10_900, 200])]
    );
    let ledger = vec![("AAE140", "110"), ("AAE003", "200401"), ("AAB150", "20.00"), ("AAB152", "8.00")];
    let detail = |kind: &'static str, year: &'static str| -> Own {
        vec![("AAE140", "110"), ("AAE003", year), ("AAE020", "20.00"), ("AAE022", "7.99"), ("YAA115", kind)]
    };
    let details = [detail("0", "200412"), detail("3", "200412"), detail("0", "200501")];
    assert_eq!(
        bench.sums("TOT-03", &[("AB07", &[ledger]), ("AC43", &details)]),
        [line("110", "2004", &[2_800, 2_799, 1]), line("110", "2005", &[0, 2_799, -2_799])]
    );
    let owed = vec![("AAE140", "210"), ("AAE003", "200401"), ("AAE020", "20.00")];
    assert_eq!(bench.sums("TOT-04", &[("AD23", &[owed])]), [line("210", "2004", &[1, 2_000, 0])]);
    let paid =
        |month: &'static str| -> Own { vec![("AAE140", "110"), ("AAE002", month), ("AAE019", "1234.56")] };
    assert_eq!(
        bench.sums("TOT-05", &[("AC82", &[paid("202101"), paid("202101"), paid("202102")])]),
        [line("110", "202101", &[2, 246_912]), line("110", "202102", &[1, 123_456])]
    );
    let state = |column: &'static str, code: &'static str| -> Own { vec![("AAE140", "110"), (column, code)] };
    let persons = [state("AAC008", "1"), state("AAC008", "1"), state("AAC008", "4"), vec![("AAE140", "210")]];
    assert_eq!(
        bench.sums("TOT-06", &[("AC02", &persons)]),
        [line("110", "1", &[2]), line("110", "4", &[1]), line("210", "", &[1])]
    );
    assert_eq!(bench.sums("TOT-07", &[("AB02", &[state("AAB051", "3")])]), [line("110", "3", &[1])]);
    let arrived = |kind: &'static str, source: &'static str, flag: &'static str| -> Own {
        vec![
            ("AAE140", "110"),
            ("AAC066", kind),
            ("AAA115", "10"),
            ("YAA115", source),
            ("AAE078", flag),
            ("AAE201", "2"),
            ("AAE020", "20.00"),
            ("AAE022", "8.00"),
        ]
    };
    let paid = [arrived("101", "0", "1"), arrived("101", "2", "1"), arrived("102", "0", "0")];
    assert_eq!(bench.sums("TOT-09", &[("AC43", &paid)]), [line("110", "101", &[2, 2, 4_000, 1_600])]);
    let units: Vec<Own> = [("7", "00000007", "甲厂")]
        .map(|(id, number, name)| vec![("AAB001", id), ("AAB999", number), ("AAB004", name)])
        .to_vec();
    let of_unit = |unit: &'static str| [arrived("101", "0", "1"), vec![("AAB001", unit)]].concat();
    let paid = [of_unit("7"), of_unit("7"), of_unit("8"), arrived("101", "0", "1")];
    assert_eq!(
        bench.sums("TOT-10", &[("AC43", &paid), ("AB01", &units)]),
        [
            line("110", "", &[1, 2, 2_000, 800]),
            line("110", "00000007 甲厂", &[2, 4, 4_000, 1_600]),
            line("110", "8", &[1, 2, 2_000, 800])
        ]
    );
    assert_eq!(bench.sums("TOT-08", &[("IC10", &[vec![("AAE116", "1")]])]), [line("110", "1", &[1])]);
}

#[test]
fn a_file_that_cannot_be_added_up_is_refused_with_its_line() {
    let bench = Bench::new();
    let sql = bench.dir.path().join("sql");
    std::fs::create_dir_all(sql.join("totals")).unwrap();
    let whole = "-- id: TOT-01\n-- title: 标题 / title\n-- about: 内容 / what\n\
                 -- columns: insurance = 险种 / insurance; year = 年度 / year; n = 数 / n\n\
                 SELECT a.AAE140 AS insurance, CAST(a.AAE003 AS VARCHAR) AS year, count(*) AS n FROM AD23 AS a GROUP BY a.AAE140, a.AAE003\n";
    let with = |text: &str| {
        std::fs::write(sql.join("totals/TOT-01.sql"), text).unwrap();
        bench.book(&sql).map(|book| book.totals.len())
    };
    assert_eq!(with(whole), Ok(1));
    for (from, to, expected) in [
        ("AD23", "AD99", "there is no national table AD99"),
        ("TOT-01", "TOT-02", "the file is called TOT-01"),
        ("-- about: 内容 / what\n", "", "the header has no `about`"),
        ("year = 年度 / year; ", "", "insurance comes first"),
        ("insurance = 险种 / insurance; ", "", "insurance comes first"),
        ("count(*) AS n", "'1' AS n", "n is neither"),
        ("n = 数 / n\n", "n = 数 / n\n-- zero: m\n", "there is no number `m`"),
        ("n = 数 / n\n", "n = 数 / n\n-- most: some\n", "not `some`"),
        ("GROUP BY", "GROUP", "TOT-01.sql"),
    ] {
        let refused = with(&whole.replace(from, to)).unwrap_err();
        assert!(refused.contains(expected), "{to}: {refused}");
    }
}

fn sum(total: &TotalTable, column: usize, of: fn(&TotalLine) -> &Vec<i128>) -> i128 {
    total.lines.iter().map(|l| of(l)[column]).sum()
}

/// Units add up to what kinds of persons do; with a few lines told apart the others are one, and what differs most comes first.
fn by_unit(of: &RunSettings, kinds: &TotalTable, units: &TotalTable) {
    for column in 0..4 {
        let sides: [fn(&TotalLine) -> &Vec<i128>; 3] = [|l| &l.old, |l| &l.ready, |l| &l.held_back];
        for side in sides {
            assert_eq!(sum(kinds, column, side), sum(units, column, side), "{column}");
        }
    }
    assert!(units.lines.len() > 6 && units.lines.iter().all(|l| l.by != REST), "{}", units.lines.len());
    let sql = of.workdir.join("sql");
    copy_folder(&of.rules.as_ref().unwrap().folder, &sql);
    let file = sql.join("totals/TOT-10.sql");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("-- most: 50", "-- most: 2")).unwrap();
    let mut few = RunSettings { config_digest: "few".to_owned(), ..of.clone() };
    few.rules.as_mut().unwrap().folder = sql;
    let summary = ran(&few);
    let found = summary.totals.iter().find(|t| t.id == "TOT-10").unwrap();
    for column in 0..4 {
        assert_eq!(sum(found, column, |l| &l.old), sum(units, column, |l| &l.old));
    }
    let of_pension: Vec<&TotalLine> = found.lines.iter().filter(|l| l.insurance == "110").collect();
    let whole = units.lines.iter().filter(|l| l.insurance == "110").count();
    assert_eq!((of_pension.len(), of_pension[2].by.as_str()), (3, REST));
    assert_eq!(of_pension[2].by_title, (whole - 2).to_string());
    let differs = |l: &TotalLine| (2..4).map(|c| (l.old[c] - l.ready[c]).unsigned_abs()).max().unwrap();
    let worst = units.lines.iter().filter(|l| l.insurance == "110").map(differs).max().unwrap();
    assert!(worst > 0 && differs(of_pension[0]) == worst && differs(of_pension[1]) <= worst);
    let page = std::fs::read_to_string(finished(&of.workdir, None).unwrap().dir.page()).unwrap();
    assert!(page.contains("（其余合计，个数）"));
}

#[test]
fn the_totals_of_a_city_are_those_of_its_tables_and_stand_on_page_workbook_and_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let (database, workdir) = (city(dir.path(), 60, 11), dir.path().join("work"));
    let rules = RuleSettings {
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"),
        national: folder("national"),
        ..RuleSettings::default()
    };
    let of = RunSettings { rules: Some(rules), ..run_settings(&database, &workdir, 2) };
    let summary = ran(&of);
    let total = |id: &str| summary.totals.iter().find(|t| t.id == id).unwrap();
    for (id, table) in [("TOT-01", "AC50"), ("TOT-06", "AC02"), ("TOT-07", "AB02"), ("TOT-08", "IC10")] {
        let (of, rows) = (total(id), summary.tables.iter().find(|t| t.table == table).unwrap());
        assert_eq!(sum(of, 0, |l| &l.old), i128::from(rows.mapped), "{id}");
        assert_eq!(sum(of, 0, |l| &l.ready), i128::from(rows.accepted), "{id}");
        let held_back = rows.rejected + rows.held + rows.excluded + rows.merged;
        assert_eq!(sum(of, 0, |l| &l.held_back), i128::from(held_back), "{id}");
        let by_rules: i128 = of.lines.iter().map(|l| l.by_rules(0)).sum();
        assert_eq!(by_rules, i128::from(rows.added), "{id}");
    }
    let figure = |id: &'static str| summary.figures.iter().filter(move |f| f.figure == id);
    for (id, column, name) in [("TOT-01", 4, "balance"), ("TOT-05", 1, "benefits")] {
        let (old, ready) = (sum(total(id), column, |l| &l.old), sum(total(id), column, |l| &l.ready));
        let figures = figure(name).fold([0, 0], |[old, ready], f| [old + f.old, ready + f.ready]);
        assert!(old > 0 && [old, ready] == figures, "{id} {old} {ready} {figures:?}");
    }
    assert!(total("TOT-06").lines.iter().any(|l| l.by == "1" && l.by_title == "正常参保"));
    by_unit(&of, total("TOT-09"), total("TOT-10"));
    let page = std::fs::read_to_string(finished(&workdir, None).unwrap().dir.page()).unwrap();
    assert!(page.contains("每月待遇") && page.contains("id=\"TOT-07\""));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.args(["reconcile", "--lang", "en", "--workdir"]).arg(&workdir);
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(said.contains("TOT-05 Benefits by month"), "{said}");
    // The same inputs again: nothing is asked twice, and the totals are the same.
    let again = ran(&RunSettings { config_digest: "again".to_owned(), ..of });
    assert_eq!(again.totals, summary.totals);
}
