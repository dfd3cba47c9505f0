//! Work items one after another: models that are kept, row rules of one table in one scan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, new_null_array};
use qianyi::dataset::{PartInfo, read_part};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::National;
use qianyi::rules::{
    self, Approval, CleanFolders, CleanItem, Correction, Ended, Item, ItemReport, Models, RuleBook, RuleFiles,
};

use crate::support::demo::{as_of, folder};
use crate::support::{text_rows, write_part};

/// Rules over three persons, and what they left so far.
struct Bench {
    dir: tempfile::TempDir,
    national: National,
    engine: Engine,
    book: RuleBook,
    tables: BTreeMap<String, Vec<PartInfo>>,
    corrections: Vec<Correction>,
}

fn rule(dir: &Path, path: &str, more: &str, sql: &str) {
    let path = dir.join("rules").join(path);
    let id = path.file_stem().unwrap().to_string_lossy();
    let head = "-- title: 一 / one\n-- advice: 二 / two\n-- severity: E\n-- repair: A0\n-- department: 经办\n-- basis: test\n-- table: AC01\n-- column: AAC004\n";
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("-- id: {id}\n{head}{more}{sql}\n")).unwrap();
    std::fs::write(path.with_extension("case"), "").unwrap();
}

impl Bench {
    /// `rules` writes the files of `sql/`.
    fn new(rules: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sql = dir.path().join("sql");
        rules(&sql);
        let national = qianyi::national::load(&folder("national")).unwrap();
        let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
        let settings = EngineSettings { memory: 1 << 28, spill: dir.path().join("spill"), partitions: 2 };
        let engine = Engine::start(settings, city.functions(as_of())).unwrap();
        let (of, params) = (folder("national"), BTreeMap::new());
        let files = RuleFiles { sql: &sql, national: &of, params: &params };
        let book = rules::load(&files, &national, engine.functions()).unwrap_or_else(|e| panic!("{e}"));
        let schema = national.table("AC01").unwrap().mapped_schema();
        let text = |values: [Option<&str>; 3]| Arc::new(StringArray::from(values.to_vec()));
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "_key" | "_skey" => text([Some("1"), Some("2"), Some("3")]) as _,
            "_source" => text([Some("a.P"); 3]) as _,
            "AAC004" => text([Some("1"), Some("2"), None]) as _,
            _ => new_null_array(field.data_type(), 3),
        });
        let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
        let part = write_part(&dir.path().join("persons.parquet"), &batch);
        let tables = BTreeMap::from([("AC01".to_owned(), vec![part])]);
        Self { dir, national, engine, book, tables, corrections: Vec::new() }
    }

    /// Runs an item; the tables are then as it left them.
    fn clean(&mut self, item: Item, models: &mut Models) -> Result<ItemReport, rules::RuleError> {
        let report = rules::clean(
            &CleanItem {
                engine: &self.engine,
                national: &self.national,
                book: &self.book,
                item,
                tables: &self.tables,
                externals: &BTreeMap::new(),
                approved: &BTreeMap::new(),
                corrections: &self.corrections,
                unfilled: &BTreeMap::new(),
                as_of: as_of(),
                to: &CleanFolders::under(&self.dir.path().join(item.text())),
            },
            models,
        )?;
        for replaced in &report.replaced {
            self.tables.insert(replaced.table.clone(), vec![replaced.to.clone()]);
        }
        Ok(report)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    all
}

/// The keys and files of some lines.
fn lines(parts: &[PartInfo]) -> Vec<[String; 2]> {
    let paths: Vec<PathBuf> = parts.iter().map(|p| p.path.clone()).collect();
    let mut all = Vec::new();
    for batch in paths.iter().flat_map(|p| read_part(p).unwrap()) {
        let batch = batch.unwrap();
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (keys, files) = (text("_key"), text("file"));
        all.extend((0..keys.len()).map(|row| [files.value(row).to_owned(), keys.value(row).to_owned()]));
    }
    all
}

#[test]
fn a_model_is_computed_again_only_when_what_it_reads_has_changed() {
    let mut bench = Bench::new(|sql| {
        let none = "-- effect: none\n";
        let asks = "SELECT p._key FROM AC01 AS p JOIN sexes AS s ON s.AAC004 = p.AAC004 WHERE s.persons = 2";
        rule(sql, "garbage/X-01.sql", none, asks);
        rule(sql, "restore/X-02.sql", none, asks);
        let fills = "SELECT p._key, '2' AS AAC004 FROM AC01 AS p WHERE p.AAC004 IS NULL";
        rule(sql, "correct/X-03.sql", "-- touches: AAC004\n-- effect: change\n", fills);
        rule(sql, "fill/X-04.sql", none, asks);
        let models = sql.join("models");
        std::fs::create_dir_all(&models).unwrap();
        let model = "-- row: a sex\nSELECT p.AAC004, count(*) AS persons FROM AC01 AS p GROUP BY p.AAC004\n";
        std::fs::write(models.join("sexes.sql"), model).unwrap();
    });
    let folder = bench.dir.path().join("models");
    let mut models = Models::new(&folder).unwrap();
    for item in [Item::Garbage, Item::Restore] {
        let report = bench.clean(item, &mut models).unwrap();
        assert_eq!((&report.rules[0].ended, report.found.len()), (&Ended::Clean, 0));
        assert_eq!(names(&folder), ["sexes.0.parquet"]);
    }
    bench.clean(Item::Correct, &mut models).unwrap();
    assert_eq!(names(&folder), ["sexes.0.parquet"]);
    let report = bench.clean(Item::Fill, &mut models).unwrap();
    assert_eq!(names(&folder), ["sexes.1.parquet"]);
    assert_eq!(lines(&report.found), [["X-04", "2"], ["X-04", "3"]].map(|l| l.map(str::to_owned)));
    models.remove().unwrap();
    assert!(!folder.exists());
}

#[test]
fn row_rules_of_one_table_find_what_each_would_find_alone() {
    let mut bench = Bench::new(|sql| {
        let none = "-- effect: none\n";
        rule(sql, "garbage/X-01.sql", none, "SELECT p._key FROM AC01 AS p WHERE p.AAC004 = '1'");
        rule(sql, "garbage/X-02.sql", none, "SELECT _key FROM AC01 WHERE AAC004 IS DISTINCT FROM '1'");
        // Over every row, and over none.
        rule(sql, "garbage/X-03.sql", none, "SELECT AC01._key FROM AC01");
        rule(sql, "garbage/X-04.sql", none, "SELECT q._key FROM AC01 AS q WHERE q.AAC004 > '2'");
        let about = "-- effect: none\n-- among: AAC006 IS NOT NULL\n";
        rule(sql, "garbage/X-05.sql", about, "SELECT p._key FROM AC01 AS p WHERE p.AAC006 IS NULL");
        let failing = "SELECT p._key FROM AC01 AS p WHERE CAST(concat(p._key, 'x') AS INT) = 1";
        rule(sql, "restore/X-06.sql", none, failing);
        rule(sql, "restore/X-07.sql", none, "SELECT p._key FROM AC01 AS p");
    });
    let mut models = Models::new(&bench.dir.path().join("models")).unwrap();
    let report = bench.clean(Item::Garbage, &mut models).unwrap();
    let found = [["X-01", "1"], ["X-02", "2"], ["X-02", "3"], ["X-03", "1"], ["X-03", "2"], ["X-03", "3"]];
    assert_eq!(lines(&report.found), found.map(|l| l.map(str::to_owned)));
    let ends: Vec<(&str, &Ended)> = report.rules.iter().map(|r| (r.rule.as_str(), &r.ended)).collect();
    assert_eq!(ends[3..], [("X-04", &Ended::Clean), ("X-05", &Ended::NothingToCheck)]);
    // A failure names the rule, not the scan alone.
    let failed = bench.clean(Item::Restore, &mut models).unwrap_err();
    assert!(failed.to_string().contains("the rule X-06"), "{failed}");
}

#[test]
fn a_correction_is_made_before_its_rule_looks_and_only_where_its_value_stands() {
    let mut bench = Bench::new(|sql| {
        let fills = "SELECT p._key, '9' AS AAC004 FROM AC01 AS p WHERE coalesce(p.AAC004, '1') = '1'";
        rule(sql, "correct/X-01.sql", "-- touches: AAC004\n-- effect: change\n", fills);
        // What people corrected is theirs: a rule of the same item only proposes.
        let again = "SELECT p._key, '1' AS AAC004 FROM AC01 AS p WHERE p.AAC004 = '2'";
        rule(sql, "correct/X-02.sql", "-- touches: AAC004\n-- effect: change\n", again);
    });
    let by = Approval {
        batch: "b0007".to_owned(),
        approver: "王".to_owned(),
        handler: Some("张".to_owned()),
        reviewer: Some("李".to_owned()),
        evidence: Some("证-1".to_owned()),
    };
    let correction = |key: &str, before: Option<&str>, after: &str| Correction {
        rule: "X-01".to_owned(),
        table: "AC01".to_owned(),
        key: key.to_owned(),
        source: "a.P".to_owned(),
        skey: Some(key.to_owned()),
        column: "AAC004".to_owned(),
        before: before.map(str::to_owned),
        after: after.to_owned(),
        by: by.clone(),
    };
    // The first stands, the second holds that value already, of the third the value is another, the fourth has no row.
    bench.corrections = vec![
        correction("1", Some("1"), "2"),
        correction("2", Some("1"), "2"),
        correction("3", Some("1"), "2"),
        correction("4", None, "2"),
    ];
    let mut models = Models::new(&bench.dir.path().join("models")).unwrap();
    let report = bench.clean(Item::Correct, &mut models).unwrap();
    assert_eq!((report.corrected, report.stale), (1, 2));
    assert_eq!(lines(&report.found)[0], ["X-01", "3"].map(str::to_owned), "it is found no more");
    let columns =
        ["_key", "before", "after", "rule", "level", "evidence", "batch", "handler", "reviewer", "approver"];
    let records: Vec<Vec<String>> = text_rows(&report.changes[0].path, &columns)
        .into_iter()
        .map(|r| r.into_iter().map(Option::unwrap_or_default).collect())
        .collect();
    assert_eq!(records[0], ["1", "1", "2", "X-01", "V", "证-1", "b0007", "张", "李", "王"]);
    assert_eq!(records[1][..5], ["2", "2", "1", "X-02", "A0"]);
    assert_eq!(records[2][..5], ["3", "", "9", "X-01", "A0"]);
    assert_eq!(records.len(), 3);
    let fields: u64 = report.replaced.iter().map(|r| r.fields).sum();
    assert_eq!(fields, 3, "each has its record");
}
