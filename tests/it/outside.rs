//! Outside data of a city: which files it comes in, and that other data is other data.

use std::path::{Path, PathBuf};

use arrow::array::Array;
use qianyi::mapping::City;
use qianyi::national::National;
use qianyi::pipeline::RuleSettings;

use crate::support::demo::folder;

fn loaded() -> (National, City) {
    let national = qianyi::national::load(&folder("national")).unwrap();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    (national, city)
}

fn settings() -> RuleSettings {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() }
}

#[test]
fn outside_data_of_which_one_value_in_the_middle_changed_is_other_outside_data() {
    let dir = tempfile::tempdir().unwrap();
    let (national, city) = loaded();
    let path = dir.path().join("police.csv");
    let digest = |changed: Option<usize>| {
        let head = "id,name,sex,birth,nation,address,region,alive,death_date,former_name,duplicate\n";
        let row = |n: usize| {
            let nation = if changed == Some(n) { "02" } else { "01" };
            format!("2299011990010100{n:02},王一,1,1990-01-01,{nation},城关,229901,1,,,\n")
        };
        std::fs::write(&path, head.to_owned() + &(0..60).map(row).collect::<String>()).unwrap();
        let of = RuleSettings { references: [("police".to_owned(), path.clone())].into(), ..settings() };
        qianyi::pipeline::rule_input(Some(&of), &national, &city).unwrap().unwrap().digest
    };
    let before = digest(None);
    assert!([0, 30, 59].iter().all(|n| digest(Some(*n)) != before));
    assert_eq!(digest(None), before);
}

#[test]
fn outside_data_is_the_same_as_a_workbook_and_a_number_that_lost_digits_is_refused() {
    use qianyi::report::{SheetCell, SheetColumn, SheetWriter};
    let dir = tempfile::tempdir().unwrap();
    let (national, city) = loaded();
    let heads = "id,name,sex,birth,nation,address,region,alive,death_date,former_name,duplicate";
    let rows = [
        "229901199001010011,王一,1,1990-01-01,01,城关,229901,1,,,",
        "229901199001010038,李 二,2,,02,,,0,2020-02-29,,",
    ];
    let read = |path: PathBuf| {
        let of = RuleSettings { references: [("police".to_owned(), path)].into(), ..settings() };
        let input = qianyi::pipeline::rule_input(Some(&of), &national, &city).map_err(|e| format!("{e}"))?;
        Ok::<_, String>(input.unwrap().externals["ext_police"].columns().to_vec())
    };
    let csv = dir.path().join("公安 提取.csv");
    std::fs::write(&csv, format!("{heads}\n{}\n", rows.join("\n"))).unwrap();
    let workbook = |name: &str, first: SheetCell| {
        let path = dir.path().join(name);
        let columns = heads.split(',').map(|h| SheetColumn { head: h.to_owned(), width: Some(9) }).collect();
        let mut sheet =
            SheetWriter::create(&path, "police", columns, chrono::NaiveDate::default(), None).unwrap();
        for (no, row) in rows.iter().enumerate() {
            let text = |(at, c): (usize, &str)| match (no, at) {
                (0, 0) => first.clone(),
                _ => SheetCell::Text(c.to_owned()),
            };
            sheet.row(&row.split(',').enumerate().map(text).collect::<Vec<_>>()).unwrap();
        }
        sheet.finish().unwrap();
        path
    };
    let text = workbook("公安 提取.xlsx", SheetCell::Text("229901199001010011".to_owned()));
    assert_eq!(read(text).unwrap(), read(csv).unwrap());
    let broken = dir.path().join("half.xlsx");
    let whole = std::fs::read(dir.path().join("公安 提取.xlsx")).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    assert!(read(broken).unwrap_err().contains("half.xlsx"));
}

#[test]
fn a_column_is_known_by_any_of_its_heads_and_an_optional_one_may_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (national, city) = loaded();
    let read = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, encoding_rs::GB18030.encode(text).0).unwrap();
        let of = RuleSettings { references: [("province_problem".to_owned(), path)].into(), ..settings() };
        let input = qianyi::pipeline::rule_input(Some(&of), &national, &city).map_err(|e| {
            let mut said = e.to_string();
            let mut cause = std::error::Error::source(&e);
            while let Some(next) = cause {
                said.push_str(&format!(" {next}"));
                cause = next.source();
            }
            said.replace(&dir.path().display().to_string(), "")
        })?;
        Ok::<_, String>(input.unwrap().externals["ext_province_problem"].clone())
    };
    let short = read("短.csv", "编号,存在问题,身份证号码,备注\nP1,重复参保,229901199001010011,无\n").unwrap();
    let long = read("长.csv", "problem,what,AAC147,AAC003\nP1,重复参保,229901199001010011,\n").unwrap();
    assert_eq!(short.columns(), long.columns());
    assert_eq!((short.num_rows(), short.column_by_name("asked").unwrap().null_count()), (1, 1));
    let missing = read("无.csv", "编号,身份证号码\nP1,229901199001010011\n").unwrap_err();
    let twice = read("两.csv", "编号,问题描述,身份证号,证件号码\nP1,重复,1,2\n").unwrap_err();
    insta::assert_snapshot!(format!("{missing}\n{twice}"));
}
