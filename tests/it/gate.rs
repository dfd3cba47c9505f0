//! The gate on rows made by hand: every row one disposition, in order of precedence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qianyi::artifacts::{finding_schema, merged_schema};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::gate::{Decide, GateError, GateReport, GatedBranch, ParentDispositions, decide};
use qianyi::mapping;
use qianyi::national::{self, National};
use tempfile::TempDir;

use crate::support::demo::{as_of, folder};
use crate::support::rows::{Row, part};
use crate::support::text_rows;

/// The national schema, an engine, and a folder.
struct Gate {
    dir: TempDir,
    national: National,
    engine: Engine,
    dispositions: BTreeMap<String, ParentDispositions>,
    /// Key maps of what is merged.
    merged: Vec<PathBuf>,
    /// Columns that are said to be never empty.
    filled: Vec<String>,
}

impl Gate {
    fn new(partitions: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let national = national::load(&folder("national")).unwrap();
        let city = mapping::load(&folder("baicheng"), &national).unwrap();
        let spill = dir.path().join("spill");
        let settings = EngineSettings { memory: 1 << 28, spill, partitions };
        let engine = Engine::start(settings, city.functions(as_of())).unwrap();
        Self { dir, national, engine, dispositions: BTreeMap::new(), merged: Vec::new(), filled: Vec::new() }
    }

    fn out(&self, what: &str, table: &str) -> PathBuf {
        self.dir.path().join(what).join(table)
    }

    /// Decides about `rows` of `table`; `blocking` are findings (rule, `_key`, `_skey`).
    fn decide(&mut self, table: &str, rows: &[Row<'_>], blocking: &[(&str, &str, &str)]) -> GateReport {
        let report = self.try_decide(table, &[rows], blocking).unwrap();
        self.dispositions.insert(table.to_owned(), report.parent_dispositions());
        report
    }

    fn try_decide(
        &self,
        table: &str,
        parts: &[&[Row<'_>]],
        blocking: &[(&str, &str, &str)],
    ) -> Result<GateReport, GateError> {
        let of = self.national.table(table).unwrap();
        let schema = of.mapped_schema();
        let path = |no: usize| self.out("mapped", table).join(format!("{no:06}.parquet"));
        let mapped = parts.iter().enumerate().map(|(no, rows)| part(&path(no), &schema, rows)).collect();
        let lines: Vec<Vec<(&str, &str)>> = blocking
            .iter()
            .map(|(rule, key, skey)| {
                let gate = if rule.starts_with("FIL") { "mark" } else { "block" };
                let mut line = vec![
                    ("rule", *rule),
                    ("table", table),
                    ("_key", *key),
                    ("column", "X"),
                    ("degree", "hard"),
                    ("gate", gate),
                    ("level", "E"),
                    ("_source", "s.T"),
                ];
                if *skey != "NULL" {
                    line.push(("_skey", skey));
                }
                line
            })
            .collect();
        let lines: Vec<Row<'_>> = lines.iter().map(Vec::as_slice).collect();
        let findings = [part(&self.out("findings", table).join("1.parquet"), &finding_schema(), &lines)];
        decide(
            &self.engine,
            &Decide {
                national: &self.national,
                table: of,
                branches: &[GatedBranch { name: "b".to_owned(), mapped }],
                excluded: &[],
                merged: &self.merged,
                findings: &findings,
                parents: &self.dispositions,
                filled: &self.filled,
                staged: &self.out("staged", table),
                rejected: &self.out("rejected", table),
                dispositions: &self.out("dispositions", table),
            },
        )
    }

    /// `_key disposition reason parent` of every row that was not accepted.
    fn dispositions(&self, table: &str) -> Vec<String> {
        texts(&self.out("dispositions", table), &["_key", "disposition", "reason", "parent"])
    }

    fn staged(&self, table: &str) -> Vec<String> {
        texts(&self.out("staged", table), &["_key"])
    }
}

fn texts(folder: &Path, columns: &[&str]) -> Vec<String> {
    let rows = crate::support::parquet_under(folder).into_iter().flat_map(|p| text_rows(&p, columns));
    rows.map(|r| r.into_iter().map(|c| c.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" "))
        .collect()
}

fn person(key: &str) -> [(&str, &str); 4] {
    [("AAC001", key), ("_key", key), ("_source", "s.T"), ("_skey", key)]
}

#[test]
fn excluded_goes_before_rejected_before_held_and_children_follow_their_parents() {
    let mut gate = Gate::new(2);
    let persons = [person("1"), person("2"), person("3")];
    let rows: Vec<Row<'_>> = persons.iter().map(<[_; 4]>::as_slice).collect();
    let report = gate.decide(
        "AC01",
        &rows,
        &[("STR-03", "2", "2"), ("FIX-10", "2", "2"), ("STR-03", "2", "2"), ("FIL-04", "3", "3")],
    );
    assert_eq!((report.rows, report.accepted), (3, 2));
    assert_eq!(gate.dispositions("AC01"), ["2 rejected FIX-10,STR-03 -"]);
    assert_eq!(gate.staged("AC01"), ["1", "3"]);

    let relation = |key: &'static str, person: &'static str, insurance: &'static str| {
        vec![
            ("AAZ159", key),
            ("AAC001", person),
            ("AAE140", insurance),
            ("_key", key),
            ("_source", "s.T"),
            ("_skey", key),
        ]
    };
    // 13: outside the scope and with a finding; 14: rejected although its parent is; 15: of nobody (that is a finding, no disposition);
    // 16: of an insurance that no list has, which is no other insurance.
    let relations = [
        relation("11", "1", "110"),
        relation("12", "2", "110"),
        relation("13", "1", "310"),
        relation("14", "2", "110"),
        relation("15", "9", "110"),
        relation("16", "1", "11O"),
    ];
    let rows: Vec<Row<'_>> = relations.iter().map(Vec::as_slice).collect();
    let report =
        gate.decide("AC02", &rows, &[("STR-03", "13", "13"), ("STR-03", "14", "14"), ("FIX-10", "16", "16")]);
    assert_eq!((report.rows, report.accepted), (6, 2));
    assert_eq!(
        gate.dispositions("AC02"),
        ["12 held AC01 2", "13 excluded out_of_scope -", "14 rejected STR-03 -", "16 rejected FIX-10 -"]
    );

    // A grandchild of the rejected person; children of the excluded relation with and without money.
    let paid = |key: &'static str, relation: &'static str, money: &'static str| {
        vec![
            ("AAZ223", key),
            ("AAZ159", relation),
            ("AAC001", "1"),
            ("AAE140", "110"),
            ("AAE020", money),
            ("_key", key),
            ("_source", "s.T"),
            ("_skey", key),
        ]
    };
    let payments = [
        paid("21", "11", "5.00"),
        paid("22", "12", "5.00"),
        paid("23", "13", "0.00"),
        paid("24", "13", "0.01"),
    ];
    let rows: Vec<Row<'_>> = payments.iter().map(Vec::as_slice).collect();
    let report = gate.decide("AC43", &rows, &[("STR-03", "23", "23")]);
    assert_eq!(gate.dispositions("AC43"), ["22 held AC02 12", "23 excluded AC02 13", "24 held AC02 13"]);
    assert_eq!((report.rows, report.accepted), (4, 1));
    let reasons: Vec<_> =
        report.not_accepted.iter().map(|n| (n.disposition.as_str(), n.reason.as_str(), n.rows)).collect();
    assert_eq!(reasons, [("excluded", "AC02", 1), ("held", "AC02", 2)]);
}

#[test]
fn a_parent_key_with_an_accepted_row_holds_nobody() {
    let mut gate = Gate::new(1);
    let persons = [
        [("AAC001", "1"), ("_key", "1"), ("_source", "s.T"), ("_skey", "a")],
        [("AAC001", "1"), ("_key", "1"), ("_source", "s.T"), ("_skey", "b")],
    ];
    let rows: Vec<Row<'_>> = persons.iter().map(<[_; 4]>::as_slice).collect();
    gate.decide("AC01", &rows, &[("STR-02", "1", "b")]);
    assert_eq!(gate.dispositions("AC01"), ["1 rejected STR-02 -"]);
    let child: Row<'_> = &[
        ("AAZ159", "7"),
        ("AAC001", "1"),
        ("AAE140", "110"),
        ("_key", "7"),
        ("_source", "s.T"),
        ("_skey", "7"),
    ];
    assert_eq!(gate.decide("AC02", &[child], &[]).accepted, 1);
}

#[test]
fn a_row_of_a_group_is_found_by_its_key_and_one_of_a_split_by_key_and_origin() {
    let mut gate = Gate::new(1);
    let group: Row<'_> = &[("AAZ159", "1"), ("AAE140", "110"), ("_key", "1"), ("_source", "s.T")];
    let one: Row<'_> =
        &[("AAZ159", "2"), ("AAE140", "110"), ("_key", "2"), ("_source", "s.T"), ("_skey", "x")];
    let two: Row<'_> =
        &[("AAZ159", "3"), ("AAE140", "110"), ("_key", "3"), ("_source", "s.T"), ("_skey", "x")];
    gate.decide("AC02", &[group, one, two], &[("STR-01", "1", "NULL"), ("STR-02", "3", "x")]);
    assert_eq!(gate.dispositions("AC02"), ["1 rejected STR-01 -", "3 rejected STR-02 -"]);
    assert_eq!(gate.staged("AC02"), ["2"]);
}

#[test]
fn a_merged_row_names_its_survivor_and_only_what_is_excluded_goes_before() {
    let mut gate = Gate::new(2);
    let line = |key: &'static str| {
        [
            ("_key", key),
            ("_source", "s.T"),
            ("_skey", key),
            ("survivor", "2"),
            ("rule", "MRG-01"),
            ("item", "merge"),
            ("level", "A1"),
        ]
    };
    let (first, third) = (line("1"), line("3"));
    let path = gate.out("merged", "AC01").join("AC01.parquet");
    gate.merged.push(part(&path, &merged_schema(), &[&first, &third]));
    let rows = [person("1"), person("2"), person("3")];
    let rows: Vec<Row<'_>> = rows.iter().map(<[_; 4]>::as_slice).collect();
    let report = gate.decide("AC01", &rows, &[("STR-02", "1", "1")]);
    assert_eq!((report.rows, report.accepted), (3, 1));
    assert_eq!(gate.dispositions("AC01"), ["1 merged MRG-01 2", "3 merged MRG-01 2"]);
    assert_eq!(gate.staged("AC01"), ["2"]);
}

#[test]
fn a_table_without_rows_still_gives_its_datasets() {
    let mut gate = Gate::new(2);
    let report = gate.decide("AC01", &[], &[]);
    assert_eq!(
        (report.rows, report.staged.len(), report.rejected.len(), report.dispositions.len()),
        (0, 1, 1, 1)
    );
}

#[test]
fn rows_keep_their_order_and_their_parts_whatever_the_partitions() {
    let keys: Vec<String> = (0..20_000).map(|n| (n * 7919 % 20_011).to_string()).collect();
    let rows: Vec<[(&str, &str); 4]> = keys.iter().map(|k| person(k)).collect();
    let rows: Vec<Row<'_>> = rows.iter().map(<[_; 4]>::as_slice).collect();
    let (first, second) = rows.split_at(12_000);
    let blocking: Vec<(&str, &str, &str)> =
        keys.iter().step_by(37).map(|k| ("STR-02", k.as_str(), k.as_str())).collect();
    let files = |partitions: usize| {
        let gate = Gate::new(partitions);
        let report = gate.try_decide("AC01", &[first, second], &blocking).unwrap();
        assert_eq!(report.staged.len(), 2);
        let kept = gate.staged("AC01");
        let expected: Vec<&String> =
            keys.iter().enumerate().filter(|(n, _)| n % 37 != 0).map(|(_, k)| k).collect();
        assert!(kept.iter().eq(expected));
        let parts = report.staged.iter().chain(&report.rejected).chain(&report.dispositions);
        parts.map(|p| p.sha256.clone()).collect::<Vec<_>>()
    };
    assert_eq!(files(1), files(4));
}

#[test]
fn staged_parts_say_what_their_columns_mean_and_are_nullable_only_where_they_may_be_empty() {
    let mut gate = Gate::new(1);
    gate.filled = vec!["AAC001".to_owned()];
    let persons = [person("1")];
    let rows: Vec<Row<'_>> = persons.iter().map(<[_; 4]>::as_slice).collect();
    gate.decide("AC01", &rows, &[]);
    gate.decide("AC02", &[], &[]);
    for table in ["AC01", "AC02"] {
        let of = gate.national.table(table).unwrap();
        let part = crate::support::parquet_under(&gate.out("staged", table)).remove(0);
        let schema = qianyi::dataset::schema_of(&part).unwrap();
        for column in &of.columns {
            let field = schema.field_with_name(&column.code).unwrap();
            let told = |key: &str| field.metadata().get(key);
            assert_eq!(told("name"), Some(&column.title), "{}", column.code);
            assert_eq!((told("unit"), told("codes")), (column.unit.as_ref(), column.codes.as_ref()));
            assert_eq!(field.is_nullable(), column.code != "AAC001", "{}", column.code);
        }
    }
    // What is said to be never empty and is cannot be written.
    gate.filled.push("AAC003".to_owned());
    assert!(matches!(gate.try_decide("AC01", &[&rows], &[]), Err(GateError::Dataset(_))));
}
