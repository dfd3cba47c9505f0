//! Merged persons: which field a survivor takes from whom, what is listed instead, and what rules see behind the merge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use qianyi::dataset::{PartInfo, read_part};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::National;
use qianyi::rules::{
    self, Approval, CleanFolders, CleanItem, Correction, FieldMerge, Item, ItemReport, Models, RuleBook,
    RuleFiles, proposal_id,
};

use crate::support::copy_folder;
use crate::support::demo::{as_of, folder};
use crate::support::rows::{Row, part};

/// The repository's rules over rows made by hand.
struct Office {
    dir: tempfile::TempDir,
    national: National,
    engine: Engine,
    book: RuleBook,
}

type Lines = Vec<BTreeMap<String, String>>;

/// What the work item merge came to.
struct Merged {
    report: ItemReport,
    found: Lines,
    changes: Lines,
}

fn rows_of(parts: &[PartInfo]) -> Lines {
    let mut all = Lines::new();
    for part in parts {
        for batch in read_part(&part.path).unwrap() {
            let batch = batch.unwrap();
            for row in 0..batch.num_rows() {
                let cell = |(name, column): (&str, &arrow::array::ArrayRef)| {
                    let text = column.as_string_opt::<i32>()?;
                    text.is_valid(row).then(|| (name.to_owned(), text.value(row).to_owned()))
                };
                let schema = batch.schema();
                let names = schema.fields().iter().map(|f| f.name().as_str());
                all.push(names.zip(batch.columns()).filter_map(cell).collect());
            }
        }
    }
    all
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let national = qianyi::national::load(&folder("national")).unwrap();
        let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
        let settings = EngineSettings { memory: 1 << 30, spill: dir.path().join("spill"), partitions: 2 };
        let engine = Engine::start(settings, city.functions(as_of())).unwrap();
        let book = book(&folder("national"), &national, &engine).unwrap_or_else(|e| panic!("{e}"));
        Self { dir, national, engine, book }
    }

    fn tables(&self, rows: &[(&str, &[Row<'_>])]) -> BTreeMap<String, Vec<PartInfo>> {
        let made = |(name, rows): &(&str, &[Row<'_>])| {
            let schema = self.national.table(name).unwrap().mapped_schema();
            let path = part(&self.dir.path().join("in").join(format!("{name}.parquet")), &schema, rows);
            let info = PartInfo {
                path,
                rows: rows.len() as u64,
                bytes: 0,
                sha256: format!("{name} {}", rows.len()),
            };
            ((*name).to_owned(), vec![info])
        };
        rows.iter().map(made).collect()
    }

    fn merge(
        &self,
        name: &str,
        tables: &BTreeMap<String, Vec<PartInfo>>,
        approved: &BTreeMap<u128, Approval>,
    ) -> Merged {
        self.merge_corrected(name, tables, (approved, &[]))
    }

    fn merge_corrected(
        &self,
        name: &str,
        tables: &BTreeMap<String, Vec<PartInfo>>,
        (approved, corrections): (&BTreeMap<u128, Approval>, &[Correction]),
    ) -> Merged {
        let folder = self.dir.path().join(name);
        let mut models = Models::new(&folder.join("models")).unwrap();
        let of = CleanItem {
            engine: &self.engine,
            national: &self.national,
            book: &self.book,
            item: Item::Merge,
            tables,
            externals: &BTreeMap::new(),
            approved,
            corrections,
            unfilled: &BTreeMap::new(),
            as_of: as_of(),
            to: &CleanFolders::under(&folder),
        };
        let report = rules::clean(&of, &mut models).unwrap_or_else(|e| panic!("{e}"));
        let (found, changes) = (rows_of(&report.found), rows_of(&report.changes));
        Merged { report, found, changes }
    }
}

fn book(national: &Path, of: &National, engine: &Engine) -> Result<RuleBook, rules::RuleFaults> {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let params = BTreeMap::new();
    rules::load(&RuleFiles { sql: &sql, national, params: &params }, of, engine.functions())
}

/// Approves every merge that a rule found.
fn approve(of: &Merged, rule: &str) -> BTreeMap<u128, Approval> {
    let by = Approval { batch: "b0001".to_owned(), approver: "王科长".to_owned(), ..Approval::default() };
    let lines = of.found.iter().filter(|l| l["rule"] == rule);
    let id = |l: &BTreeMap<String, String>| {
        let get = |name: &str| l.get(name).map(String::as_str);
        proposal_id(rule, &l["table"], &l["_key"], &l["column"], get("before"), get("after_key"))
    };
    lines.map(|l| (id(l), by.clone())).collect()
}

fn row<'a>(key: &'a str, columns: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let place = [("_key", key), ("_source", "ylbx.T"), ("_skey", key)];
    place.into_iter().chain(columns.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}

/// A number: key, mark of the police, phone, mobile, address, ethnic group, date of the first job.
fn number<'a>(key: &'a str, id: &'a str, more: [&'a str; 6]) -> Vec<(&'a str, &'a str)> {
    let [confirmed, phone, mobile, address, nation, work] = more;
    let columns = [
        ("AAC001", key),
        ("AAC999", key),
        ("AAC147", id),
        ("AAC003", "王小明"),
        ("AAC006", "1965-01-01"),
        ("BAE500", confirmed),
        ("AAE005", phone),
        ("AAC067", mobile),
        ("AAE006", address),
        ("AAC005", nation),
        ("AAC007", work),
    ];
    row(key, &columns)
}

/// A payment: key, person, first month, months.
fn paid<'a>(key: &'a str, person: &'a str, month: &'a str, months: &'a str) -> Vec<(&'a str, &'a str)> {
    let columns = [
        ("AAZ223", key),
        ("AAC001", person),
        ("AAB001", "7"),
        ("AAE140", "110"),
        ("AAA115", "10"),
        ("AAE003", month),
        ("AAE201", months),
        ("AAE078", "1"),
        ("AAE020", "200.00"),
        ("AAE022", "80.00"),
    ];
    row(key, &columns)
}

/// Some columns of lines as text, sorted.
fn told(lines: &Lines, wanted: impl Fn(&BTreeMap<String, String>) -> bool, columns: &[&str]) -> Vec<String> {
    let cell = |l: &BTreeMap<String, String>, c: &str| l.get(c).cloned().unwrap_or_else(|| "∅".to_owned());
    let line =
        |l: &BTreeMap<String, String>| columns.iter().map(|c| cell(l, c)).collect::<Vec<_>>().join(" ");
    let mut all: Vec<String> = lines.iter().filter(|l| wanted(l)).map(line).collect();
    all.sort();
    all
}

#[test]
fn empty_fields_are_filled_by_trust_and_of_two_values_none_is_chosen_but_where_the_file_says_so() {
    let office = Office::new();
    let (one, other) = ("229999196501010010", "22999919700101006X");
    let persons = [
        // Confirmed: it survives and is trusted most. What it lacks comes from who paid last.
        number("1", one, ["1", "3211111", "", "", "01", "1985-01-01"]),
        number("2", one, ["", "3222222", "13900000002", "", "02", "1986-01-01"]),
        number("3", one, ["", "", "13900000003", "幸福街3号", "01", "1985-01-01"]),
        // More months: it survives. Who paid last is trusted more.
        number("4", other, ["", "3244444", "13900000004", "", "", ""]),
        number("5", other, ["", "3255555", "", "和平路5号", "", "1990-01-01"]),
    ];
    let details = [
        paid("21", "2", "201912", "1"),
        paid("31", "3", "201001", "1"),
        paid("41", "4", "200001", "60"),
        paid("51", "5", "201901", "12"),
    ];
    let unit = row("7", &[("AAB001", "7"), ("AAB004", "宏达机械厂")]);
    let persons: Vec<Row<'_>> = persons.iter().map(Vec::as_slice).collect();
    let details: Vec<Row<'_>> = details.iter().map(Vec::as_slice).collect();
    let tables = office.tables(&[("AC01", &persons), ("AC43", &details), ("AB01", &[&unit])]);
    let first = office.merge("first", &tables, &BTreeMap::new());
    assert_eq!(
        told(&first.found, |l| l["rule"] == "MRG-01", &["_key", "after_key", "outcome"]),
        ["2 1 proposed", "3 1 proposed", "5 4 proposed"]
    );
    assert_eq!(told(&first.found, |l| l["rule"] == "MRG-15", &["_key"]), Vec::<String>::new());
    let second = office.merge("second", &tables, &approve(&first, "MRG-01"));
    let fields = |l: &BTreeMap<String, String>| l["table"] == "AC01" && l["column"] != "*";
    assert_eq!(
        told(&second.changes, fields, &["_key", "column", "before", "after", "rule", "batch", "evidence"]),
        [
            "1 AAC067 ∅ 13900000002 MRG-01 b0001 并出编号2",
            "1 AAE006 ∅ 幸福街3号 MRG-01 b0001 并出编号3",
            "4 AAE005 3244444 3255555 MRG-01 b0001 并出编号5",
            "4 AAE006 ∅ 和平路5号 MRG-01 b0001 并出编号5",
        ]
    );
    // Listed, never chosen; what nobody may change is only named, even where the survivor has no value.
    assert_eq!(
        told(
            &second.found,
            |l| l["rule"] == "MRG-15",
            &["_key", "column", "before", "after", "outcome", "evidence"]
        ),
        [
            "1 AAC005 01 02 to_verify 并出编号2；不得代改的字段也不同：AAC007",
            "4 AAC001 4 ∅ to_verify 并出编号5；不得代改的字段也不同：AAC007",
        ]
    );
    assert_eq!(
        told(&second.changes, |l| l["column"] == "AAC001", &["table", "_key", "before", "after"]),
        ["AC43 21 2 1", "AC43 31 3 1", "AC43 51 5 4"]
    );
    // What a clerk answers is made, with his papers, and not asked again.
    let by = Approval {
        evidence: Some("户口簿-7".to_owned()),
        ..approve(&first, "MRG-01").into_values().next().unwrap()
    };
    let line = second.found.iter().find(|l| l["rule"] == "MRG-15" && l["column"] == "AAC005").unwrap();
    let answer = Correction {
        rule: "MRG-15".to_owned(),
        table: "AC01".to_owned(),
        key: line["_key"].clone(),
        source: line["_source"].clone(),
        skey: line.get("_skey").cloned(),
        column: "AAC005".to_owned(),
        before: line.get("before").cloned(),
        after: "02".to_owned(),
        by,
    };
    let answered = office.merge_corrected("answered", &tables, (&approve(&first, "MRG-01"), &[answer]));
    let nation = |l: &BTreeMap<String, String>| l["column"] == "AAC005";
    assert_eq!(
        told(&answered.changes, nation, &["_key", "before", "after", "rule", "level", "evidence"]),
        ["1 01 02 MRG-15 V 户口簿-7"]
    );
    assert_eq!(
        told(&answered.found, |l| l["rule"] == "MRG-15" && nation(l), &["_key", "after"]),
        Vec::<String>::new()
    );
    // Over what it has made, nothing is filled again.
    let mut after = tables.clone();
    for replaced in &second.report.replaced {
        after.insert(replaced.table.clone(), vec![replaced.to.clone()]);
    }
    let third = office.merge("third", &after, &approve(&first, "MRG-01"));
    assert_eq!(told(&third.changes, fields, &["_key", "column"]), Vec::<String>::new());
}

#[test]
fn a_month_and_a_relation_that_two_merged_numbers_have_are_told_in_the_same_run() {
    let office = Office::new();
    let id = "229999196501010010";
    let persons = [number("1", id, ["1", "", "", "", "", ""]), number("2", id, ["", "", "", "", "", ""])];
    let details =
        [paid("11", "1", "201001", "3"), paid("21", "2", "201003", "1"), paid("22", "2", "201004", "1")];
    let relation = |key: &'static str, month: &'static str| {
        row(key, &[("AAZ159", key), ("AAC001", key), ("AAE140", "110"), ("AAC049", month)])
    };
    let relations = [relation("1", "201001"), relation("2", "200901")];
    let unit = row("7", &[("AAB001", "7"), ("AAB004", "宏达机械厂")]);
    let persons: Vec<Row<'_>> = persons.iter().map(Vec::as_slice).collect();
    let details: Vec<Row<'_>> = details.iter().map(Vec::as_slice).collect();
    let relations: Vec<Row<'_>> = relations.iter().map(Vec::as_slice).collect();
    let tables =
        office.tables(&[("AC01", &persons), ("AC43", &details), ("AC02", &relations), ("AB01", &[&unit])]);
    let first = office.merge("first", &tables, &BTreeMap::new());
    let lines =
        |of: &Merged, rule: &str| told(&of.found, |l| l["rule"] == rule, &["_key", "repair", "group"]);
    assert_eq!(lines(&first, "MRG-01"), ["2 V 1"]);
    assert_eq!((lines(&first, "MRG-05"), lines(&first, "MRG-07")), (vec![], vec![]));
    let second = office.merge("second", &tables, &approve(&first, "MRG-01"));
    assert_eq!(lines(&second, "MRG-05"), ["11 V 1 110 201001", "21 V 1 110 201001"]);
    assert_eq!(lines(&second, "MRG-07"), ["1 A1 2"]);
    // Approved, too, the relation with the earlier month stays; both rows name the survivor.
    let mut both = approve(&first, "MRG-01");
    both.extend(approve(&second, "MRG-07"));
    let third = office.merge("third", &tables, &both);
    assert_eq!(
        told(&third.changes, |l| l["column"] == "*", &["table", "_key", "after", "rule"]),
        ["AC01 2 1 MRG-01", "AC02 1 2 MRG-07"]
    );
    assert_eq!(
        told(&third.changes, |l| l["table"] == "AC02" && l["column"] == "AAC001", &["_key", "after"]),
        ["2 1"]
    );
}

#[test]
fn a_file_of_fields_that_chooses_a_name_or_fills_what_nobody_may_change_is_refused_with_its_lines() {
    let office = Office::new();
    let copy = office.dir.path().join("national");
    copy_folder(&folder("national"), &copy);
    let path: PathBuf = copy.join("merge_fields.csv");
    let text = "table,column,how,source,standing\nAC01,AAC003,best,x,proposed\nAC01,AAC007,list,x,proposed\n\
AC01,AAC001,keep,x,proposed\nAC50,AAE240,keep,x,proposed\nAC01,AAC099,keep,x,proposed\nAC01,AAE006,newest,x,proposed\n\
XX01,AAC001,keep,x,proposed\nAC01,AAE007,keep,x,proposed\nAC01,AAE007,best,x,proposed\n";
    std::fs::write(&path, text).unwrap();
    let said = book(&copy, &office.national, &office.engine).unwrap_err().to_string();
    for expected in [
        "AC01.AAC003 says who somebody is: of two values none is chosen (`list`)",
        "no rule may change AC01.AAC007 (INV-06, untouchable.csv): it can only be `never`",
        "AC01.AAC001 is a key, refers to another row, or is counted: it is not merged",
        "AC50.AAE240 is a key, refers to another row, or is counted: it is not merged",
        "there is no column AC01.AAC099",
        "`how` is one of list, keep, best, never, not newest",
        "there is no table XX01",
        "AAE007 is there twice",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn every_merged_column_can_be_listed_and_none_that_says_who_somebody_is_is_chosen() {
    let office = Office::new();
    for (table, fields) in &office.book.merge_fields {
        let rule = office.book.rules.iter().find(|r| r.id == "MRG-15" && r.table == *table).unwrap();
        for (column, how) in fields {
            let untouchable = office.book.untouchable.contains(&(table.clone(), column.clone()));
            assert!(untouchable || rule.touches.contains(column), "{table}.{column}");
            let identity =
                ["AAC147", "AAC002", "AAC003", "AAC006", "AAB004", "AAB998"].contains(&column.as_str());
            assert!(!identity || *how == FieldMerge::List, "{table}.{column}");
        }
    }
}

/// A city's names and births; one in a hundred is there twice, with a slip in the number.
struct Many {
    persons: Vec<[String; 5]>,
    planted: usize,
}

fn many(persons: usize) -> Many {
    let (surnames, given) = (
        "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗",
        "伟强军勇杰涛明超刚平辉鹏华飞波斌芳娜敏静丽艳娟霞英桂玉兰秀凤",
    );
    let char_of = |text: &str, at: usize| text.chars().nth(at % text.chars().count()).unwrap();
    let mut all = Many { persons: Vec::new(), planted: 0 };
    // Spread without chance: the same persons in every measurement.
    let spread = |n: usize, by: usize| n.wrapping_mul(by) >> 7;
    for n in 0..persons {
        let name: String = [(surnames, 31), (given, 1_009), (given, 7_919)]
            .map(|(t, by)| char_of(t, spread(n, by)))
            .iter()
            .collect();
        let (year, month, day) =
            (1950 + spread(n, 104_729) % 50, 1 + spread(n, 65_537) % 12, 1 + spread(n, 48_611) % 28);
        let number =
            |sequence: usize| format!("2299{:02}{year}{month:02}{day:02}{sequence:03}1", n % 90 + 10);
        let unit = (n % 3_000).to_string();
        let birth = format!("{year}-{month:02}-{day:02}");
        all.persons.push([n.to_string(), number(n % 890 + 100), name.clone(), birth.clone(), unit]);
        if n % 100 == 0 {
            all.planted += 1;
            all.persons.push([
                (persons + n).to_string(),
                number((n % 890 + 100) ^ 1),
                name,
                birth,
                (n % 2_999).to_string(),
            ]);
        }
    }
    all
}

/// Prints only: how long the candidates of MRG-04 take, and how many of those that were planted are among them.
#[test]
#[ignore = "a measurement"]
fn near_numbers_of_many_persons_are_measured() {
    let size = std::env::var("QIANYI_BENCH_PERSONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300_000);
    let mut office = Office::new();
    office.book.rules.retain(|r| r.id == "MRG-04");
    let many = many(size);
    let persons: Vec<Vec<(&str, &str)>> = many
        .persons
        .iter()
        .map(|[key, id, name, birth, _]| {
            row(key, &[("AAC001", key), ("AAC999", key), ("AAC147", id), ("AAC003", name), ("AAC006", birth)])
        })
        .collect();
    let spells: Vec<Vec<(&str, &str)>> = many
        .persons
        .iter()
        .map(|[key, _, _, _, unit]| row(key, &[("AAZ157", key), ("AAC001", key), ("AAB001", unit)]))
        .collect();
    let persons: Vec<Row<'_>> = persons.iter().map(Vec::as_slice).collect();
    let spells: Vec<Row<'_>> = spells.iter().map(Vec::as_slice).collect();
    let tables = office.tables(&[("AC01", &persons), ("AC20", &spells)]);
    let begun = std::time::Instant::now();
    let found = office.merge("many", &tables, &BTreeMap::new()).found;
    let seconds = begun.elapsed().as_secs_f64();
    // A pair may go either way; the larger key is the planted one's.
    let right = found.iter().filter(|l| {
        let (a, b): (usize, usize) = (l["_key"].parse().unwrap(), l["after_key"].parse().unwrap());
        a.abs_diff(b) == size
    });
    println!(
        "{} persons: {seconds:.1} s, {} candidates, {} of {} planted",
        persons.len(),
        found.len(),
        right.count(),
        many.planted
    );
}
