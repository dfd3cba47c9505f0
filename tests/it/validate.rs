//! The structural check on rows made by hand: which rule, which column, which row, and what is shown of a value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use qianyi::artifacts::read_error_schema;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping;
use qianyi::national::{self, LengthIn, National};
use qianyi::validate::{Check, CheckReport, CheckedBranch, Outcome, ReadErrors, RowsFrom, check};
use tempfile::TempDir;

use crate::support::demo::{as_of, folder};
use crate::support::rows::{Row, part};
use crate::support::{parquet_under, text_rows};

struct Room {
    dir: TempDir,
    national: National,
    engine: Engine,
    mapped: BTreeMap<String, Vec<PathBuf>>,
}

/// What is checked beside the rows.
#[derive(Default)]
struct Asked<'a> {
    /// Only these columns are filled by the branch; none: all.
    fills: &'a [&'a str],
    /// skey, layer-1 column, code, text; and what the column feeds.
    read_errors: &'a [[&'a str; 4]],
    feeds: &'a [(&'a str, &'a str)],
}

impl Room {
    fn new(partitions: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let national = national::load(&folder("national")).unwrap();
        let city = mapping::load(&folder("baicheng"), &national).unwrap();
        let spill = dir.path().join("spill");
        let engine =
            Engine::start(EngineSettings { memory: 1 << 28, spill, partitions }, city.functions(as_of()))
                .unwrap();
        Self { dir, national, engine, mapped: BTreeMap::new() }
    }

    /// Makes the mapped rows of a table.
    fn holds(&mut self, table: &str, rows: &[Row<'_>]) {
        let schema = self.national.table(table).unwrap().mapped_schema();
        let path = self.dir.path().join("mapped").join(table).join("1.parquet");
        self.mapped.insert(table.to_owned(), vec![part(&path, &schema, rows)]);
    }

    fn check(&self, table: &str, asked: &Asked<'_>) -> CheckReport {
        let of = self.national.table(table).unwrap();
        let absent: BTreeSet<String> = of
            .columns
            .iter()
            .map(|c| c.code.clone())
            .filter(|c| !asked.fills.is_empty() && !asked.fills.contains(&c.as_str()))
            .collect();
        let lines: Vec<[(&str, &str); 5]> = asked
            .read_errors
            .iter()
            .map(|[skey, column, code, text]| {
                [("source", "s.T"), ("skey", *skey), ("column", *column), ("code", *code), ("bytes", *text)]
            })
            .collect();
        let lines: Vec<Row<'_>> = lines.iter().map(<[_; 5]>::as_slice).collect();
        let read_errors = part(&self.dir.path().join("read_errors/1.parquet"), &read_error_schema(), &lines);
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (legacy, national) in asked.feeds {
            columns.entry((*legacy).to_owned()).or_default().push((*national).to_owned());
        }
        let branch = CheckedBranch {
            name: "b".to_owned(),
            mapped: self.mapped[table].clone(),
            rows_from: RowsFrom::One,
            absent,
            read_errors: vec![ReadErrors { source: "s.T".to_owned(), parts: vec![read_errors], columns }],
        };
        check(
            &self.engine,
            &Check {
                national: &self.national,
                table: of,
                branches: &[branch],
                mapped: &self.mapped,
                changes: &[],
                findings: &self.findings(table),
                scratch: &self.dir.path().join("scratch"),
            },
        )
        .unwrap()
    }

    fn findings(&self, table: &str) -> PathBuf {
        self.dir.path().join("findings").join(table)
    }

    /// rule, column, `_key`, gate, value
    fn found(&self, table: &str) -> Vec<String> {
        said(&self.findings(table), &["rule", "column", "_key", "gate", "value"])
    }
}

fn said(folder: &Path, columns: &[&str]) -> Vec<String> {
    let rows = parquet_under(folder).into_iter().flat_map(|p| text_rows(&p, columns));
    rows.map(|r| r.into_iter().map(|c| c.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" "))
        .collect()
}

const PERSON: &[&str] = &["AAC001", "AAC003", "AAC147", "AAC004", "AAC060", "AAE138", "AAC005", "AAE005"];

#[test]
fn every_rule_of_a_row_is_found_with_its_column_its_key_and_a_masked_value() {
    let mut room = Room::new(2);
    let long = "欧阳".repeat(26);
    room.holds(
        "AC01",
        &[
            &[
                ("AAC001", "1"),
                ("AAC003", "张三"),
                ("AAC147", "229901198001010010"),
                ("AAC004", "1"),
                ("AAC060", "1"),
                ("AAC005", "01"),
                ("AAE005", "13843600001"),
                ("_key", "1"),
                ("_source", "s.T"),
                ("_skey", "1"),
            ],
            &[
                ("AAC001", "2"),
                ("AAC147", "229901198001010010"),
                ("AAC004", "7"),
                ("AAC060", "2"),
                ("_key", "2"),
                ("_source", "s.T"),
                ("_skey", "2"),
            ],
            &[
                ("AAC001", "3"),
                ("AAC003", &long),
                ("AAC147", " "),
                ("AAC004", "2"),
                ("AAC060", "1"),
                ("AAC005", "01"),
                ("AAE005", "13843600001"),
                ("_key", "3"),
                ("_source", "s.T"),
                ("_skey", "3"),
            ],
        ],
    );
    let report = room.check("AC01", &Asked { fills: PERSON, ..Asked::default() });
    let masked = format!("STR-02 AAC003 3 block 欧{}", "*".repeat(24));
    assert_eq!(
        room.found("AC01"),
        [
            "FIL-01 AAC003 2 block -",
            "FIL-02 AAC147 3 block -",
            "FIL-04 AAC005 2 mark -",
            "FIL-07 AAE005 2 mark -",
            "FIX-10 AAC004 2 block 7",
            masked.as_str(),
            "STR-04 AAE138 2 mark -",
        ]
    );
    assert_eq!((report.rows, report.findings()), (3, 7));
    let outcome = |rule: &str, column: &str| {
        report.checked.iter().find(|c| c.rule == rule && c.column == column).map(|c| c.outcome.clone())
    };
    assert_eq!(outcome("STR-05", "AAC001"), Some(Outcome::Clean));
    assert_eq!(outcome("FIX-10", "AAC004"), Some(Outcome::Found(1)));
}

#[test]
fn a_note_becomes_a_finding_and_explains_the_empty_value() {
    let mut room = Room::new(2);
    let row = |key: &'static str| {
        vec![
            ("AAC001", key),
            ("AAC147", "1"),
            ("AAC060", "1"),
            ("AAC005", "01"),
            ("AAE005", "1"),
            ("_key", key),
            ("_source", "s.T"),
            ("_skey", key),
        ]
    };
    let rows = [row("1"), row("2"), row("3")];
    let rows: Vec<Row<'_>> = rows.iter().map(Vec::as_slice).collect();
    room.holds("AC01", &rows);
    let read_errors = [
        ["1", "XM", "bytes", "王\u{e000}五"],
        ["2", "XB", "code", "男性"],
        ["3", "GRBH", "int", "0000012345"],
        ["9", "XM", "bytes", "x"],
    ];
    let feeds = [("XM", "AAC003"), ("XB", "AAC004"), ("GRBH", "AAC001")];
    room.check("AC01", &Asked { fills: PERSON, read_errors: &read_errors, feeds: &feeds });
    assert_eq!(
        room.found("AC01"),
        [
            // Row 1 has no name because it could not be read: that is one fault, not two.
            "FIL-01 AAC003 2 block -",
            "FIL-01 AAC003 3 block -",
            "FIL-03 AAC004 1 block -",
            "FIL-03 AAC004 3 block -",
            "FIX-10 AAC004 2 block ***",
            // What stands under a surrogate id here is the number that people gave.
            "STR-01 AAC001 3 block 00*******5",
            "STR-01 AAC003 1 block 王**",
        ]
    );
}

#[test]
fn keys_stand_once_and_parents_exist_and_rows_out_of_scope_are_nobodys_business() {
    let mut room = Room::new(2);
    let keyed = |code: &'static str, key: &'static str, skey: &'static str| {
        vec![(code, key), ("_key", key), ("_source", "s.T"), ("_skey", skey)]
    };
    let (a, b) = (keyed("AAC001", "1", "a"), keyed("AAC001", "1", "b"));
    room.holds("AC01", &[&a, &b]);
    room.check("AC01", &Asked { fills: &["AAC001"], ..Asked::default() });
    assert_eq!(
        said(&room.findings("AC01"), &["rule", "column", "_key", "_skey"]),
        ["STR-05 AAC001 1 a", "STR-05 AAC001 1 b"]
    );
    room.holds("AB01", &[&keyed("AAB001", "5", "5")]);
    room.holds("AC02", &[&keyed("AAZ159", "7", "7")]);
    let paid = |key: &'static str,
                insurance: &'static str,
                person: &'static str,
                unit: &'static str,
                relation: &'static str| {
        vec![
            ("AAZ223", key),
            ("AAE140", insurance),
            ("AAC001", person),
            ("AAB001", unit),
            ("AAZ159", relation),
            ("_key", key),
            ("_source", "s.T"),
            ("_skey", key),
        ]
    };
    let rows = [
        paid("1", "110", "1", "5", "7"),
        paid("2", "110", "2", "6", "8"),
        paid("3", "310", "2", "6", "8"),
        paid("5", "11O", "1", "5", "7"),
    ];
    let mut rows: Vec<Row<'_>> = rows.iter().map(Vec::as_slice).collect();
    // An empty foreign key is emptiness, no missing parent.
    let empty: Row<'_> = &[
        ("AAZ223", "4"),
        ("AAE140", "110"),
        ("AAC001", "1"),
        ("AAB001", "5"),
        ("_key", "4"),
        ("_source", "s.T"),
        ("_skey", "4"),
    ];
    rows.push(empty);
    room.holds("AC43", &rows);
    room.check(
        "AC43",
        &Asked { fills: &["AAZ223", "AAE140", "AAC001", "AAB001", "AAZ159"], ..Asked::default() },
    );
    assert_eq!(
        room.found("AC43"),
        [
            "FIX-10 AAE140 5 block 11O",
            "MIS-01 AAC001 2 block 2",
            "MIS-02 AAB001 2 block 6",
            "STR-03 AAZ159 4 block -",
            "STR-06 AAZ159 2 block 8"
        ]
    );
    // A parent that is not mapped at all cannot be checked, and that blocks the run.
    room.mapped.remove("AC02");
    let report = room.check("AC43", &Asked { fills: &["AAZ159"], ..Asked::default() });
    let unchecked: Vec<_> =
        report.checked.iter().filter(|c| matches!(c.outcome, Outcome::DidNotRun(_))).collect();
    assert_eq!(unchecked.len(), 1);
    assert_eq!((unchecked[0].rule.as_str(), unchecked[0].column.as_str()), ("STR-06", "AAZ159"));
}

#[test]
fn a_table_without_rows_has_nothing_to_check() {
    let mut room = Room::new(2);
    room.holds("AC01", &[]);
    let report = room.check("AC01", &Asked::default());
    assert_eq!((report.rows, report.findings(), report.parts.len()), (0, 0, 1));
    assert!(report.checked.iter().all(|c| c.outcome == Outcome::NothingToCheck));
}

#[test]
fn lengths_count_characters_or_bytes_as_the_schema_says() {
    let mut room = Room::new(1);
    let name = "欧阳".repeat(20);
    room.holds(
        "AC01",
        &[&[("AAC001", "1"), ("AAC003", &name), ("_key", "1"), ("_source", "s.T"), ("_skey", "1")]],
    );
    let asked = Asked { fills: &["AAC001", "AAC003"], ..Asked::default() };
    assert_eq!(room.check("AC01", &asked).findings(), 0);
    room.national.length_in = LengthIn::Bytes;
    assert_eq!(room.check("AC01", &asked).findings(), 1);
}

#[test]
fn findings_are_the_same_bytes_whatever_the_partitions() {
    let keys: Vec<String> = (0..9_000).map(|n| (n % 4_000).to_string()).collect();
    let rows: Vec<[(&str, &str); 5]> = keys
        .iter()
        .map(|k| {
            [
                ("AAC001", k.as_str()),
                ("AAC004", "7"),
                ("_key", k.as_str()),
                ("_source", "s.T"),
                ("_skey", k.as_str()),
            ]
        })
        .collect();
    let rows: Vec<Row<'_>> = rows.iter().map(<[_; 5]>::as_slice).collect();
    let digest = |partitions: usize| {
        let mut room = Room::new(partitions);
        room.holds("AC01", &rows);
        let report = room.check("AC01", &Asked { fills: PERSON, ..Asked::default() });
        assert!(report.findings() > 20_000, "{}", report.findings());
        report.parts.iter().map(|p| p.sha256.clone()).collect::<Vec<_>>()
    };
    assert_eq!(digest(1), digest(4));
}
