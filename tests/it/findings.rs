//! `qianyi findings`: the list on the terminal, as CSV and as a workbook; both files have the same cells, to the last digit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::NaiveDate;
use qianyi::report::{SheetCell, SheetColumn, SheetWriter, bare};

use crate::support::demo::{city, folder};

/// What a spreadsheet reads in a workbook: LibreOffice writes it as CSV, every cell as it is shown.
fn read_back(dir: &Path, xlsx: &Path) -> Vec<Vec<String>> {
    let profile = format!("-env:UserInstallation=file://{}", dir.join("profile").display());
    let done = Command::new("soffice")
        .arg(profile)
        .args(["--headless", "--convert-to"])
        .arg("csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false")
        .arg("--outdir")
        .args([dir, xlsx])
        .output()
        .expect("LibreOffice (scripts/test installs it)");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let csv = dir.join(xlsx.with_extension("csv").file_name().unwrap());
    rows(&std::fs::read(csv).unwrap())
}

fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    let text = csv.strip_prefix("\u{feff}".as_bytes()).unwrap_or(csv);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    // Without what a CSV wears against spreadsheets.
    reader.records().map(|r| r.unwrap().iter().map(|cell| bare(cell).to_owned()).collect()).collect()
}

#[test]
fn a_workbook_holds_every_text_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.xlsx");
    let column = |head: &str| SheetColumn { head: head.to_owned(), width: Some(20) };
    let columns = vec![column("主键"), column("内容")];
    let write = || {
        let day = NaiveDate::from_ymd_opt(2021, 5, 31).unwrap();
        let mut sheet = SheetWriter::create(&path, "问题数据清单", columns.clone(), day, None).unwrap();
        for (key, text) in CELLS {
            sheet.row(&[Some(key), Some(text)].map(SheetCell::from)).unwrap();
        }
        sheet.row(&[None, Some("end")].map(SheetCell::from)).unwrap();
        sheet.finish().unwrap();
        std::fs::read(&path).unwrap()
    };
    const CELLS: [(&str, &str); 9] = [
        ("9223372036854775807", "19 digits"),
        ("0012", "=1+1"),
        ("+86", "-3"),
        ("@SUM(A1)", "张*"),
        ("1e5", "2021-05-31"),
        ("TRUE", "a\"b,c"),
        ("00:00", "50%"),
        ("'x", "<b>&amp;"),
        (" lead", "trail "),
    ];
    let bytes = write();
    assert_eq!(write(), bytes, "the same rows give the same bytes");
    let left: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&path), "nothing is left beside it");
    let found = read_back(dir.path(), &path);
    assert_eq!(found[0], ["主键", "内容"]);
    for ((key, text), row) in CELLS.iter().zip(&found[1..]) {
        assert_eq!(row, &[*key, *text]);
    }
    assert_eq!(found[10], ["", "end"]);
}

/// The binary over a work directory, with rules, in this language.
fn qianyi(work: &Path, config: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    let said =
        command.args(arguments).arg("--workdir").arg(work).arg("--config").arg(config).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(matches!(said.status.code(), Some(0 | 3)), "{arguments:?}: {}", text(&said.stderr));
    text(&said.stdout)
}

#[test]
fn csv_and_workbook_have_the_same_cells_and_the_filters_take_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 300, 3);
    let config = dir.path().join("city.toml");
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{}\"\nencoding = \"gb18030\"\n",
        folder("").display(),
        database.display()
    );
    std::fs::write(&config, text).unwrap();
    let work = dir.path().join("work");
    let say = |arguments: &[&str]| qianyi(&work, &config, arguments);
    say(&["run", "--quiet", "--lang", "zh"]);
    let file = |name: &str| dir.path().join(name).display().to_string();
    for lang in ["zh", "en"] {
        say(&["findings", "--lang", lang, "--csv", &file(&format!("{lang}1.csv"))]);
        say(&["findings", "--lang", lang, "--xlsx", &file(&format!("{lang}.xlsx"))]);
        let expected = rows(&std::fs::read(file(&format!("{lang}1.csv"))).unwrap());
        let found = read_back(dir.path(), Path::new(&file(&format!("{lang}.xlsx"))));
        assert!(found.len() > 200, "{}", found.len());
        // City and title, round and day stand over the head.
        assert!(found[0][0].starts_with("白城市 ") && found[1][0].contains("r0001"), "{:?}", &found[..2]);
        assert_eq!(found[2..], expected);
    }
    let all = rows(&std::fs::read(file("zh1.csv")).unwrap());
    insta::assert_snapshot!("heads_zh", all[0].join(" | "));
    let at = |head: &str| all[0].iter().position(|h| h == head).unwrap();
    let column = |name: &str| all[1..].iter().map(|r| r[at(name)].clone()).collect::<BTreeSet<String>>();
    // Ids have all their digits, names are masked, everything is new in the first round.
    assert!(column("国标主键").iter().any(|k| k.len() >= 18));
    assert!(
        column("姓名").iter().any(|n| n.contains('*'))
            && !column("姓名").iter().any(|n| n.chars().count() > 1 && !n.contains('*'))
    );
    assert_eq!(column("状态"), BTreeSet::from(["新发现".to_owned()]));
    let unit = column("单位编号").into_iter().find(|u| !u.is_empty()).unwrap();
    let county = column("行政区划").into_iter().find(|u| !u.is_empty()).unwrap();
    let count = |head: &str, value: &str| all[1..].iter().filter(|r| r[at(head)] == value).count();
    for (filter, value, head, cell) in [
        ("--unit", unit.as_str(), "单位编号", unit.as_str()),
        ("--county", &county, "行政区划", &county),
        ("--department", "养老", "责任科室", "养老"),
        ("--state", "new", "状态", "新发现"),
        ("--table", "AC01", "表", "AC01"),
        ("--rule", "STR-01", "规则", "STR-01"),
    ] {
        let path = file("some.csv");
        say(&["findings", "--lang", "zh", filter, value, "--csv", &path]);
        let some = rows(&std::fs::read(&path).unwrap());
        assert_eq!(some.len() - 1, count(head, cell), "{filter} {value}");
        assert!(some.len() > 1 && some[1..].iter().all(|r| r[at(head)] == cell), "{filter} {value}");
    }
    assert!(say(&["findings", "--state", "reopened"]).contains("no such finding"));
}
