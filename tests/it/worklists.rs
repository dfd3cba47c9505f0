//! Worklists: forms that go out, come back from LibreOffice and as CSV, and what their decisions do to the next run; every mistake with its cell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use qianyi::state::State;
use serde_json::Value;

use crate::support::demo::folder;
use crate::support::office::{DECISION, Office, counts, fill, filled, rows, save};
use crate::support::{parquet_under, text_rows};

pub const HEAD: &str = "-- title: 核实 / to verify\n-- advice: 核对档案 / look into the file\n-- severity: E\n-- repair: V\n-- department: 养老\n\
-- evidence: 身份证复印件\n-- basis: test\n";
/// Every man, and what is proposed.
const MEN: &str = "-- table: AC01\n-- column: AAC004\n-- touches: AAC004\n-- effect: change\n\
SELECT p._key, '2' AS AAC004 FROM AC01 AS p WHERE p.AAC004 = '1'\n";
const UNITS: &str = "-- table: AB01\n-- column: AAB004\n-- effect: none\nSELECT u._key FROM AB01 AS u WHERE u.AAB004 <> '新名称有限公司'\n";
const EVENTS: &str =
    "-- table: AC05\n-- column: *\n-- effect: exclude\nSELECT e._key FROM AC05 AS e WHERE e.AAZ002 % 3 = 0\n";

/// An office with three rules whose items departments verify.
pub fn office() -> Office {
    Office::new(&[
        ("correct/X-01", &format!("{HEAD}{MEN}")),
        ("correct/X-02", &format!("{HEAD}{UNITS}")),
        ("complete/X-03", &format!("{HEAD}{EVENTS}")),
    ])
}

/// A last day that may be.
fn soon() -> String {
    (chrono::Utc::now().date_naive() + chrono::Days::new(100)).to_string()
}

/// Converts a file with LibreOffice.
pub fn converted(dir: &Path, from: &Path, to: &str) -> PathBuf {
    let profile = format!("-env:UserInstallation=file://{}", dir.join("profile").display());
    let done = Command::new("soffice")
        .arg(profile)
        .args(["--headless", "--convert-to", to, "--outdir"])
        .args([dir, from])
        .output()
        .expect("LibreOffice (scripts/test installs it)");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    dir.join(from.with_extension(to).file_name().unwrap())
}

/// Cells of a row of a flat OpenDocument sheet, repeated ones one by one.
fn flat_cells(row: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = row;
    while let Some(start) = rest.find("<table:table-cell") {
        rest = &rest[start..];
        let tag_end = rest.find('>').unwrap() + 1;
        let end = if rest[..tag_end].ends_with("/>") {
            tag_end
        } else {
            rest.find("</table:table-cell>").unwrap() + "</table:table-cell>".len()
        };
        let (cell, after) = rest.split_at(end);
        rest = after;
        let marked = cell.split_once("table:number-columns-repeated=\"");
        let (times, cell) = match marked {
            Some((before, after)) => {
                let (n, after) = after.split_once('"').unwrap();
                (n.parse::<usize>().unwrap().min(30), format!("{before}{after}"))
            }
            None => (1, cell.to_owned()),
        };
        all.extend(std::iter::repeat_n(cell, times));
    }
    all
}

/// Fills in rows of a workbook (by item) with LibreOffice and saves it as another.
fn filled_in(dir: &Path, workbook: &Path, fills: &[(String, [String; 10])]) -> PathBuf {
    let flat = converted(dir, workbook, "fods");
    let mut text = std::fs::read_to_string(&flat).unwrap();
    for (item, cells) in fills {
        let at = text.find(&format!("<text:p>{item}</text:p>")).unwrap_or_else(|| panic!("no {item}"));
        let start = text[..at].rfind("<table:table-row").unwrap();
        let end = at + text[at..].find("</table:table-row>").unwrap();
        let begin = start + text[start..].find('>').unwrap() + 1;
        let mut all = flat_cells(&text[begin..end]);
        for (cell, value) in all[DECISION..].iter_mut().zip(cells).filter(|(_, v)| !v.is_empty()) {
            assert!(cell.ends_with("/>"), "{cell} is empty");
            let tag = cell.trim_end_matches("/>").to_owned();
            *cell = match value.strip_prefix("of:") {
                Some(formula) => format!(
                    "{tag} table:formula=\"of:{formula}\" office:value-type=\"float\" office:value=\"2\"><text:p>2</text:p></table:table-cell>"
                ),
                None => {
                    format!("{tag} office:value-type=\"string\"><text:p>{value}</text:p></table:table-cell>")
                }
            };
        }
        text.replace_range(begin..end, &all.concat());
    }
    std::fs::write(&flat, text).unwrap();
    let back = dir.join("back");
    std::fs::create_dir_all(&back).unwrap();
    let moved = back.join(flat.file_name().unwrap());
    std::fs::rename(&flat, &moved).unwrap();
    converted(&back, &moved, "xlsx")
}

#[test]
fn decisions_go_out_and_come_back_and_the_next_run_applies_them() {
    let office = office();
    let first = office.run();
    let men = office.list("X-01")["open"];
    assert!(men > 25, "{men}");
    // As CSV; names are masked, and in clear when that was asked for.
    let csv = office.export("X-01", &["--csv"]);
    let clean = rows(&std::fs::read(&csv).unwrap());
    assert_eq!((clean.len() as u64, clean[0].len()), (men + 1, 22));
    let names = |of: &[Vec<String>]| of[1..].iter().filter(|r| r[4].contains('*')).count() as u64;
    assert!(names(&clean) > men / 2);
    assert!(clean[1..].iter().all(|r| r[8] == "1 男" && r[9] == "2 女"), "current and proposed value");
    let clear = rows(&std::fs::read(office.export("X-01", &["--csv", "--reveal"])).unwrap());
    assert_eq!(names(&clear), 0);
    assert_eq!(office.list("X-01"), counts([("handed_out", men)]));
    mistakes(&office, &clean);
    // A workbook that LibreOffice has saved comes back as it went out, with what was filled in.
    let workbook = office.export("X-01", &[]);
    let item = |at: usize| clean[at][0].clone();
    let fills = [
        (item(1), filled("采纳建议", "", "证-1", "")),
        (item(2), filled("填写更正值", "9", "证-2", "")),
        (item(3), filled("情况属实无需更正", "", "证-3", &soon())),
        (item(4), filled("上报省局", "", "", "")),
    ];
    let spoiled = [(item(5), filled("填写更正值", "of:=1+1", "证-5", ""))];
    let formula = filled_in(office.dir.path(), &workbook, &spoiled);
    let (wrong, came) = office.import(&formula);
    assert!(wrong.iter().any(|(cell, what)| cell.starts_with('M') && what == "formula"), "{wrong:?}");
    assert_eq!((&came["mistakes"][0]["sheet"], &came["batch"]), (&"X-01".into(), &Value::Null));
    let back = filled_in(office.dir.path(), &workbook, &fills);
    let (wrong, came) = office.import(&back);
    assert_eq!(wrong, BTreeSet::new());
    assert_eq!((&came["batch"], &came["undecided"]), (&"b0001".into(), &(men - 4).into()));
    assert_eq!(came["decided"].as_array().unwrap().len(), 4);
    // Again it is nothing new; otherwise it contradicts.
    let (_, again) = office.import(&back);
    assert_eq!((&again["batch"], &again["known"]), (&Value::Null, &4.into()));
    let mut other = clean.clone();
    fill(&mut other[1], &filled("填写更正值", "9", "证-1", ""));
    let path = office.path("other.csv");
    save(&path, &other);
    let contradicts = BTreeSet::from([("L2".to_owned(), "contradicts".to_owned())]);
    assert_eq!(office.import(&path).0, contradicts);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    assert_eq!(office.import(&path).0, contradicts, "lines end as Windows ends them");
    unlogged(&office, &back);
    assert_eq!(
        office.list("X-01"),
        counts([("decided", 2), ("waived", 1), ("province", 1), ("handed_out", men - 4)])
    );
    let province = office.json(&["worklist", "export", "--lang", "zh", "--province", "--csv"]);
    let sent = rows(&std::fs::read(province["path"].as_str().unwrap()).unwrap());
    let cell = |head: &str| sent[1][sent[0].iter().position(|h| h == head).unwrap()].as_str();
    assert_eq!((sent.len(), &province["items"], cell("上报经办")), (2, &1.into(), "张经办"));
    assert_eq!(
        (cell("请示事项"), cell("拟办意见")),
        ("“性别 AAC004”可否由“1 男”改为“2 女”", "拟改为“2 女”; 核对档案")
    );
    others(&office);
    let second = office.run();
    assert_eq!(second["run"], "r0002");
    applied(&office, &first, &second);
    assert_eq!(office.list("X-01"), counts([("waived", 1), ("province", 1), ("handed_out", men - 4)]));
    answered(&office, &sent, men);
    // A rule that finds fault with the corrected value finds it again: to be decided anew.
    office
        .rule("correct/X-01", &format!("{HEAD}{}", MEN.replace("p.AAC004 = '1'", "p.AAC004 IN ('1', '9')")));
    office.run();
    assert_eq!(office.list("X-01")["stale"], 2);
    // Undone, all is open again.
    let (status, _) = office.said(&["approve", "--undo", "b0001"]);
    assert_eq!((status, office.list("X-01").get("waived")), (0, None));
    let log = qianyi::audit::read(&office.path("work")).unwrap();
    let count = |kind: &str| log.events.iter().filter(|e| e.kind == kind).count();
    assert!(
        log.bad.is_none() && count("export") > 0 && count("import") > 0 && count("reveal") > 0,
        "{log:?}"
    );
}

/// What the province answers about the one item that was sent to it: all or nothing, by a form of its own.
fn answered(office: &Office, sent: &[Vec<String>], men: u64) {
    let form = folder("national").join("province/answers.toml");
    let path = office.path("answers.csv");
    let import = |rows: &[Vec<String>]| {
        save(&path, rows);
        let arguments = ["worklist", "import", path.to_str().unwrap(), "--form", form.to_str().unwrap()];
        let came = office.json(&arguments)[0].clone();
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let mistakes = came["mistakes"].as_array().unwrap().iter();
        (mistakes.map(|m| (text(&m["cell"]), text(&m["what"]))).collect::<BTreeSet<_>>(), came)
    };
    let at = sent[0].iter().position(|head| head == "处理意见").unwrap();
    let with = |value: &str| {
        let mut rows = sent.to_vec();
        rows[1][at..at + 10].clone_from_slice(&filled("按批复更正", value, "吉社险函1号", ""));
        rows
    };
    let mut other = with("9");
    other[1][0].replace_range(1..5, "0000");
    save(&path, &other);
    let refused = ["worklist", "import", path.to_str().unwrap(), "--form", form.to_str().unwrap()];
    assert_eq!(office.said(&refused).0, 2, "nothing of it was ever sent");
    other.push(with("9").remove(1));
    assert_eq!(import(&other).0, BTreeSet::from([("A2".to_owned(), "not_sent".to_owned())]));
    assert_eq!(import(&with("7")).0, BTreeSet::from([("W2".to_owned(), "code".to_owned())]));
    // Our list in English comes back by the same form.
    let english = office.json(&["worklist", "export", "--lang", "en", "--province", "--csv"]);
    let mut english = rows(&std::fs::read(english["path"].as_str().unwrap()).unwrap());
    assert_eq!(english[0][at], "Decision");
    english[1][at..at + 10].clone_from_slice(&filled("As answered", "7", "No. 1", ""));
    assert_eq!(import(&english).0, BTreeSet::from([("W2".to_owned(), "code".to_owned())]));
    english[1][at] = "Whatever".to_owned();
    let (mistakes, came) = import(&english);
    assert_eq!(mistakes, BTreeSet::from([("V2".to_owned(), "decision".to_owned())]));
    let named = came["mistakes"][0]["with"][0].as_str().unwrap();
    assert!(named.contains("Leave as it is"), "{named}");
    // Its columns may stand in any order.
    let mut turned = with("9");
    turned.iter_mut().for_each(|row| row.reverse());
    let (mistakes, came) = import(&turned);
    assert_eq!((mistakes, &came["decided"][0]["kind"]), (BTreeSet::new(), &"correct".into()));
    assert_eq!(office.list("X-01"), counts([("waived", 1), ("decided", 1), ("handed_out", men - 4)]));
}

/// Rows that leave, and a name that is corrected in a file of GB 18030.
fn others(office: &Office) {
    let events = office.export("X-03", &["--csv"]);
    let mut leaving = rows(&std::fs::read(&events).unwrap());
    fill(&mut leaving[1], &filled("采纳建议", "", "证-6", ""));
    save(&events, &leaving);
    assert_eq!(office.import(&events).0, BTreeSet::new());
    let handed = office.json(&[
        "worklist",
        "export",
        "--lang",
        "zh",
        "--rule",
        "X-02",
        "--csv",
        "--encoding",
        "gb18030",
    ]);
    let counties: BTreeSet<&str> =
        handed.as_array().unwrap().iter().filter_map(|h| h["county"].as_str()).collect();
    assert!(!counties.is_empty(), "{handed}");
    let file = handed.as_array().unwrap().iter().find(|h| h["county"].is_string()).unwrap();
    let units = PathBuf::from(file["path"].as_str().unwrap());
    assert!(units.to_str().unwrap().contains(file["county"].as_str().unwrap()));
    let mut of_county = rows(&std::fs::read(&units).unwrap());
    fill(&mut of_county[1], &filled("填写更正值", "新名称有限公司", "证-7", ""));
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    of_county.iter().for_each(|row| writer.write_record(row).unwrap());
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    std::fs::write(&units, encoding_rs::GB18030.encode(&text).0).unwrap();
    let (wrong, came) = office.import(&units);
    assert_eq!((wrong, &came["batch"]), (BTreeSet::new(), &"b0003".into()));
}

/// What the second run did with the decisions.
fn applied(office: &Office, first: &Value, second: &Value) {
    let run = office.path("work/runs/r0002");
    let columns = [
        "rule", "column", "before", "after", "level", "evidence", "batch", "handler", "reviewer", "approver",
    ];
    let mut records = BTreeSet::new();
    for part in parquet_under(&run.join("changes")) {
        records.extend(
            text_rows(&part, &columns)
                .into_iter()
                .map(|r| r.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()),
        );
    }
    for (after, evidence) in [("2", "证-1"), ("9", "证-2")] {
        let record = ["X-01", "AAC004", "1", after, "V", evidence, "b0001", "张经办", "李复核", "王审批"];
        assert!(records.iter().any(|r| *r == record.map(str::to_owned)), "{records:?}");
    }
    assert!(
        records.iter().any(|r| r[0] == "X-02" && r[3] == "新名称有限公司" && r[6] == "b0003"),
        "{records:?}"
    );
    assert_eq!(records.len(), 3, "{records:?}");
    let events = |of: &Value| {
        let row = of["tables"].as_array().unwrap().iter().find(|t| t["table"] == "AC05").unwrap();
        row["excluded"].as_u64().unwrap()
    };
    assert_eq!(events(second), events(first) + 1, "what was to leave has left");
    // The rounds say what is fixed, and what is so.
    let mut states = BTreeMap::<String, u64>::new();
    for row in text_rows(&office.path("work/rounds/r0002/ledger.parquet"), &["rule", "state"]) {
        if row[0].as_deref() == Some("X-01") {
            *states.entry(row[1].clone().unwrap()).or_default() += 1;
        }
    }
    assert_eq!((states["fixed"], states["waived"]), (2, 1), "{states:?}");
    assert!(office.said(&["status", "--rounds", "--lang", "zh"]).1.contains("情况属实（暂免） 1"));
}

/// Beside a log that does not fit nothing goes out in clear and nothing is taken.
fn unlogged(office: &Office, signed: &Path) {
    let log = office.path("work/audit.log");
    let whole = std::fs::read(&log).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&log, flipped).unwrap();
    let batches = || State::open_readonly(&office.path("work")).unwrap().batches().unwrap().len();
    let before = batches();
    let (to, signed) = (office.path("clear"), signed.to_str().unwrap());
    for command in [
        &["worklist", "export", "--reveal", "--to", to.to_str().unwrap()][..],
        &["worklist", "export", "--province", "--reveal", "--to", to.to_str().unwrap()],
        &["worklist", "import", signed],
    ] {
        assert_ne!(office.said(command).0, 0, "{command:?}");
    }
    assert_eq!((batches(), to.exists()), (before, false));
    std::fs::write(&log, whole).unwrap();
}

/// Every mistake of a file is told with its cell, and nothing of it is taken.
fn mistakes(office: &Office, clean: &[Vec<String>]) {
    let mut file = clean.to_vec();
    let mut expected = BTreeSet::new();
    let adopted = filled("采纳建议", "", "证", "");
    let with = |at: usize, value: &str| {
        let mut cells = adopted.clone();
        cells[at] = value.to_owned();
        cells
    };
    let correct = |value: &str| filled("填写更正值", value, "证", "");
    let cases = [
        (filled("随便", "", "证", ""), 'L', "decision"),
        (filled("采纳建议", "", "", ""), 'N', "no_evidence"),
        (correct(""), 'M', "no_value"),
        (correct("7"), 'M', "code"),
        (correct("1"), 'M', "same"),
        (correct("=1+1"), 'M', "formula"),
        (filled("采纳建议", "9", "证", ""), 'M', "not_both"),
        (filled("采纳建议", "", "证", "2999-01-01"), 'O', "not_waived"),
        (filled("情况属实无需更正", "", "证", "2021-01-01"), 'O', "expired"),
        (filled("情况属实无需更正", "", "证", "2999-12-31"), 'O', "too_long"),
        (filled("", "", "证", ""), 'L', "undecided"),
        (with(4, "钱某"), 'P', "unknown_person"),
        (with(6, "张经办"), 'R', "no_role"),
        (with(8, "操作员"), 'T', "operator"),
        (with(8, ""), 'T', "no_name"),
        (with(5, "2021-13-01"), 'Q', "day"),
        (with(7, "2021-05-31"), 'S', "order"),
        (with(9, "2999-01-01"), 'U', "future"),
        (with(9, ""), 'U', "no_day"),
        (with(2, "@SUM(A1)"), 'N', "formula"),
    ];
    for (at, (cells, column, what)) in (1..).zip(&cases) {
        fill(&mut file[at], cells);
        expected.insert((format!("{column}{}", at + 1), (*what).to_owned()));
    }
    let mut twice = adopted.clone();
    (twice[4], twice[6]) = ("赵全能".to_owned(), "赵全能".to_owned());
    fill(&mut file[21], &twice);
    "3".clone_into(&mut file[22][8]);
    file[23][0].replace_range(1..5, "0000");
    file[24] = file[25].clone();
    for (cell, what) in [("R22", "same_person"), ("A23", "changed"), ("A24", "key"), ("A26", "twice")] {
        expected.insert((cell.to_owned(), what.to_owned()));
    }
    let path = office.path("wrong.csv");
    save(&path, &file);
    let (wrong, came) = office.import(&path);
    assert_eq!(wrong, expected);
    assert_eq!((&came["batch"], came["decided"].as_array().unwrap().len()), (&Value::Null, 0));
    let (status, text) = office.said(&["worklist", "import", "--lang", "zh", path.to_str().unwrap()]);
    assert_eq!(status, 2);
    // As somebody reads the file: by row, then by column.
    let cells = came["mistakes"].as_array().unwrap().iter().map(|m| m["cell"].as_str().unwrap());
    let places: Vec<(u32, &str)> = cells.map(|c| (c[1..].parse().unwrap(), &c[..1])).collect();
    assert!(places.is_sorted(), "{places:?}");
    // What may be decided is told in the language of the file.
    for words in [
        "整份文件未导入",
        "与 P22 为同一人",
        "更正值不在“性别”的国标代码表内",
        "至 K23 的受保护内容",
        "处理意见只能是：采纳建议 / 填写更正值 / 情况属实无需更正 / 上报省局",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(expected.iter().all(|(_, what)| !text.contains(&format!(" {what}\n"))), "{text}");
    // Rows that are gone, and a list of nobody.
    save(&path, &clean[..clean.len() - 1]);
    assert_eq!(office.import(&path).0, BTreeSet::from([(String::new(), "missing".to_owned())]));
    let mut foreign = clean.to_vec();
    foreign.iter_mut().skip(1).for_each(|r| r[21].replace_range(..5, "w9999"));
    save(&path, &foreign);
    assert_eq!(office.said(&["worklist", "import", path.to_str().unwrap()]).0, 2);
    std::fs::write(office.path("no.xlsx"), b"PK\x03\x04 nothing").unwrap();
    assert_eq!(office.said(&["worklist", "import", office.path("no.xlsx").to_str().unwrap()]).0, 2);
    assert_eq!(office.list("X-01").get("decided"), None);
}
