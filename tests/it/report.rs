//! The page of a run: what it says in both languages, what comes first, that it is safe and stands alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use qianyi::report::{Lang, ReportError, number, render};
use qianyi::trail::{
    Acknowledged, Blocker, Border, Cell, CodeCoverage, Coverage, ExtractRow, FateRow, FindingRow, Judged,
    LeftAlone, LegacyColumnCoverage, LegacyFate, LegacyTableCoverage, Line, NationalCoverage, NotChecked,
    NotMapped, NotedRow, Origin, Plausible, Reach, Reconciliation, Share, StageRow, Status, Summary,
    Suspicion, TableRow, Totals, Unchecked, Unfed, Unit, UnitOfMoney,
};

const FEN: Unit = Unit::Money { digits: 2 };

fn table(table: &str, title: &str, rows: [u64; 4]) -> TableRow {
    let [accepted, rejected, held, excluded] = rows;
    TableRow {
        table: table.to_owned(),
        title: title.to_owned(),
        mapped: rows.iter().sum(),
        accepted,
        rejected,
        held,
        excluded,
        merged: 0,
        file_digest: "f".repeat(64),
        content_digest: "0123456789abcdef".repeat(4),
    }
}

fn fate(table: &str, fate: &str, reason: &str, rows: u64) -> FateRow {
    FateRow { table: table.to_owned(), fate: fate.to_owned(), reason: reason.to_owned(), rows }
}

fn finding(rule: &str, zh: &str, en: &str, how: [&str; 4], rows: u64) -> FindingRow {
    let [level, gate, table, column] = how.map(str::to_owned);
    let (rule, title_zh, title_en) = (rule.to_owned(), zh.to_owned(), en.to_owned());
    FindingRow { rule, title_zh, title_en, level, gate, table, column, rows }
}

fn left_alone(table: &str, reason: &str, mapped: bool) -> LeftAlone {
    LeftAlone { source: "ylbx".to_owned(), table: table.to_owned(), reason: reason.to_owned(), mapped }
}

/// A small run that is done: two national tables.
fn done() -> Summary {
    Summary {
        version: 1,
        run: "r0001".to_owned(),
        status: Status::Done,
        blocked_by: Vec::new(),
        acknowledged: vec![
            Acknowledged {
                what: Suspicion::EmptyBranch,
                name: "AC26/grjbxx".to_owned(),
                by: "王科长".to_owned(),
                reason: "nobody died".to_owned(),
                used: true,
                part: 0,
                whole: 2021,
            },
            Acknowledged {
                what: Suspicion::CodeList,
                name: "sex/ylbx.GRJBXX.XB".to_owned(),
                by: "王科长".to_owned(),
                reason: "was so in the first round".to_owned(),
                used: false,
                part: 0,
                whole: 0,
            },
        ],
        not_checked: vec![
            NotChecked { what: Unchecked::UnitOfMoney, name: "ylbx.GRJFMX.LX".to_owned() },
            NotChecked { what: Unchecked::UnitOfMoney, name: "ylbx.GRJFMX.ZNJ".to_owned() },
            NotChecked { what: Unchecked::TextSum, name: "ylbx.GRJFMX.ZNJ".to_owned() },
        ],
        qianyi: "0.1.0".to_owned(),
        city: "baicheng".to_owned(),
        city_name: "白城市".to_owned(),
        as_of: "2021-05-31".to_owned(),
        started: "2026-11-24T03:06:22+08:00".to_owned(),
        finished: "2026-11-24T04:07:25+08:00".to_owned(),
        config_digest: "c".repeat(64),
        national_digest: "d".repeat(64),
        mapping_digest: "e".repeat(64),
        extracts: vec![ExtractRow {
            source: "ylbx".to_owned(),
            extract: "e0001".to_owned(),
            consistency: "read transaction".to_owned(),
            point: "change counter 7, 4096 bytes".to_owned(),
            started: "2026-11-24T03:06:22+08:00".to_owned(),
            held: false,
            tables: 2,
            rows: 1_234_567,
        }],
        stages: vec![
            StageRow {
                stage: "extract".to_owned(),
                rows: 1_234_567,
                seconds: 12.34,
                rows_per_second: 100_046.0,
            },
            StageRow { stage: "map".to_owned(), rows: 0, seconds: 0.0, rows_per_second: 0.0 },
        ],
        tables: vec![
            table("AC43", "缴费明细", [1_000_000, 20, 300, 4]),
            table("AC01", "个人基本信息", [2000, 20, 0, 1]),
        ],
        fates: vec![
            fate("AC43", "held", "AC01", 300),
            fate("AC01", "excluded", "out_of_scope", 1),
            fate("AC43", "excluded", "out_of_scope", 4),
            fate("AC43", "rejected", "STR-05", 20),
            fate("AC01", "rejected", "FIL-01,FIL-02", 20),
        ],
        findings: vec![
            finding("FIL-08", "联系地址为空", "address is empty", ["E", "mark", "AC01", "AAE006"], 1500),
            finding("FIL-02", "证件号码为空", "citizen ID is empty", ["B", "block", "AC01", "AAC147"], 20),
            finding("STR-05", "主键重复", "key is not unique", ["B", "block", "AC43", "AAZ223"], 20),
            finding("FIL-01", "姓名为空", "name is empty", ["B", "block", "AC01", "AAC003"], 3),
        ],
        notes: vec![
            NotedRow { table: "ylbx.GRJBXX".into(), column: "CSRQ".into(), code: "date".into(), rows: 17 },
            NotedRow { table: "ylbx.GRJBXX".into(), column: "XM".into(), code: "bytes".into(), rows: 1200 },
        ],
        left_alone: vec![left_alone("TMP1", "temporary table", true)],
        unexplained_rows: 0,
        unexplained_fen: 0,
        peak_rss_bytes: 734_003_200,
    }
}

fn line(table: &str, measure: &str, unit: Unit, sides: [i128; 2], explained: &[(&str, i128)]) -> Line {
    let explained: BTreeMap<String, i128> = explained.iter().map(|(r, n)| ((*r).to_owned(), *n)).collect();
    let [left, right] = sides;
    let unexplained = (left - right - explained.values().sum::<i128>()).unsigned_abs();
    Line {
        table: table.to_owned(),
        measure: measure.to_owned(),
        unit,
        left,
        right,
        explained,
        unexplained,
        cells: Vec::new(),
    }
}

fn border(border: &str, lines: Vec<Line>) -> Border {
    let (left, right) = border.split_once('-').unwrap();
    let sum = |unit: Unit| {
        let of = lines.iter().filter(|l| l.unit == unit).map(|l| l.unexplained);
        u64::try_from(of.sum::<u128>()).unwrap()
    };
    let totals = Totals { unexplained_rows: sum(Unit::Rows), unexplained_fen: sum(FEN) };
    let (border, left_side, right_side) = (border.to_owned(), left.to_owned(), right.to_owned());
    Border { border, left_side, right_side, lines, totals }
}

fn reconciled(borders: Vec<Border>, unit_of_money: Vec<UnitOfMoney>) -> Reconciliation {
    let totals = Totals {
        unexplained_rows: borders.iter().map(|b| b.totals.unexplained_rows).sum(),
        unexplained_fen: borders.iter().map(|b| b.totals.unexplained_fen).sum(),
    };
    let plausible = vec![plausible("ylbx.GRJFMX", [2000, 1990, 10], Judged::Inside)];
    Reconciliation { version: 2, run: "r0001".to_owned(), borders, unit_of_money, plausible, totals }
}

fn plausible(table: &str, [rows, inside, times_100]: [u64; 3], verdict: Judged) -> Plausible {
    Plausible {
        check: "AC43.AAE022/AAE180".to_owned(),
        table: table.to_owned(),
        insurance: "110".to_owned(),
        year: "1999".to_owned(),
        rows,
        inside,
        times_100,
        hundredth: 0,
        fen: 123_456_789,
        verdict,
    }
}

fn years(year: &str, details_fen: i64, fault: Option<&str>) -> UnitOfMoney {
    UnitOfMoney {
        table: "ylbx.GRJFMX".to_owned(),
        insurance: "110".to_owned(),
        year: year.to_owned(),
        details_fen,
        ledgers_fen: 100_000_005,
        fault: fault.map(str::to_owned),
    }
}

/// One code without a national code, one legacy column nobody decided about, one national column that the city does not have.
fn covered() -> Coverage {
    let column = |column: &str, fate: LegacyFate| LegacyColumnCoverage {
        column: column.to_owned(),
        fate,
        feeds: Vec::new(),
    };
    let code = |list: &str, unmapped: Share| CodeCoverage {
        list: list.to_owned(),
        source: "ylbx".to_owned(),
        table: "GRJBXX".to_owned(),
        column: list.to_uppercase(),
        mapped: Share { distinct: 2, rows: 2000, fen: 123_456 },
        unmapped,
    };
    let national = |column: &str, title: &str, origin: Origin| NationalCoverage {
        table: "AC01".to_owned(),
        branch: "person".to_owned(),
        column: column.to_owned(),
        title: title.to_owned(),
        mandatory: "hard".to_owned(),
        origin,
        rows: 2021,
    };
    Coverage {
        version: 1,
        legacy: vec![LegacyTableCoverage {
            source: "ylbx".to_owned(),
            table: "GRJBXX".to_owned(),
            read_by: Some("GRJBXX.toml".to_owned()),
            ignored: None,
            reach: Reach::JoinedOnly,
            columns: vec![
                column("XM", LegacyFate::Mapped),
                column("BZ", LegacyFate::Unused),
                column("CZY", LegacyFate::Skipped { reason: "operator".to_owned() }),
                column("BY1", LegacyFate::Unmapped),
            ],
        }],
        national: vec![
            national("AAC003", "姓名", Origin::Mapped),
            national("AAC058", "证件类型", Origin::Derived { basis: "all are citizen IDs".to_owned() }),
            national("AAC064", "退役类别", Origin::Absent { reason: "never recorded".to_owned() }),
        ],
        codes: vec![code("sex", Share::default()), code("mz", Share { distinct: 1, rows: 21, fen: 100_005 })],
        unfed: vec![Unfed {
            table: "AC43".to_owned(),
            branch: "fen".to_owned(),
            column: "AAE021".to_owned(),
            title: "单位缴费划入账户".to_owned(),
            sql: "0".to_owned(),
            constant: true,
            basis: "not credited".to_owned(),
            rows: 1_000_324,
        }],
        not_mapped: vec![NotMapped {
            source: "ylbx".to_owned(),
            table: "GRJFMX".to_owned(),
            column: "HJ".to_owned(),
            reason: "the total of the others".to_owned(),
        }],
    }
}

/// Everything adds up.
fn balanced() -> Reconciliation {
    let legacy = ["ylbx.GRJBXX", "ylbx.GRJFMX"];
    let source = vec![
        line(legacy[1], "rows", Unit::Rows, [1_232_546, 1_232_546], &[]),
        line(legacy[1], "JFJE", Unit::Money { digits: 4 }, [987_654_321_098, 987_654_321_098], &[]),
        line(legacy[0], "rows", Unit::Rows, [2021, 2021], &[]),
    ];
    let mapped = vec![
        line("ylbx.GRJFMX→AC43", "rows", Unit::Rows, [1_232_546, 1_000_324], &[("summary_row", 232_222)]),
        line("ylbx.GRJFMX→AC43", "fen:AAE020+AAE022", FEN, [98_765_432_105, 98_765_432_105], &[]),
    ];
    let fates = vec![
        line("AC01", "rows", Unit::Rows, [2021, 2000], &[("rejected", 20), ("excluded", 1)]),
        line(
            "AC43",
            "rows",
            Unit::Rows,
            [1_000_324, 1_000_000],
            &[("rejected", 20), ("held", 300), ("excluded", 4)],
        ),
    ];
    reconciled(
        vec![border("source-raw", source), border("raw-mapped", mapped), border("mapped-fates", fates)],
        vec![years("1998", 100_000_005, None), years("1999", 99_999_905, None)],
    )
}

/// The same run, blocked by everything that can block.
fn blocked() -> (Summary, Reconciliation) {
    let mut adds_up = balanced();
    let mut wrong = line("ylbx.GRJFMX→AC43", "fen:AAE022", FEN, [500_005, 400_000], &[]);
    wrong.cells = vec![
        Cell {
            insurance: "110".to_owned(),
            period: "199801".to_owned(),
            left: 5,
            right: 10_000,
            explained: BTreeMap::new(),
            unexplained: -9995,
        },
        Cell {
            insurance: "(none)".to_owned(),
            period: String::new(),
            left: 500_000,
            right: 390_000,
            explained: BTreeMap::from([("rounding".to_owned(), 1)]),
            unexplained: 109_999,
        },
    ];
    let mut borders = adds_up.borders;
    borders[1].lines.push(wrong);
    let lines = std::mem::take(&mut borders[1].lines);
    borders[1] = border("raw-mapped", lines);
    let mut units = adds_up.unit_of_money;
    units.push(years("2000", 10_000_000_500, Some("times_100")));
    adds_up = reconciled(borders, units);
    adds_up.plausible.push(plausible("ylbx.GRJFMX_2007", [300, 1, 299], Judged::Times100));
    adds_up.plausible.push(plausible("ylbx.SYJFMX", [300, 1, 2], Judged::Implausible));
    let mut summary = done();
    summary.status = Status::Blocked;
    summary.left_alone.insert(0, left_alone("XJB", "nothing reads it", false));
    summary.unexplained_fen = adds_up.totals.unexplained_fen;
    summary.blocked_by = vec![
        Blocker::Unexplained { rows: 0, fen: adds_up.totals.unexplained_fen },
        Blocker::NotChecked {
            table: "AC43".to_owned(),
            column: "AAC001".to_owned(),
            rule: "STR-06".to_owned(),
            why: "AC01 is not mapped".to_owned(),
        },
        Blocker::Undecided { table: "ylbx.XJB".to_owned() },
        Blocker::Suspect { what: Suspicion::Acceptance, name: "AC01".to_owned(), part: 0, whole: 19_872 },
    ];
    (summary, adds_up)
}

/// The text between tags, one line a block.
fn text(html: &str) -> String {
    let (_, body) = html.split_once("<body>").unwrap();
    let mut out = String::new();
    for line in body.lines() {
        let mut plain = String::new();
        let mut inside = false;
        for c in line.replace("</td><td", "</td>| <td").replace("</th><th", "</th>| <th").chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    plain.push(' ');
                }
                c if !inside => plain.push(c),
                _ => {}
            }
        }
        let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        if !plain.is_empty() {
            out.push_str(&plain);
            out.push('\n');
        }
    }
    out
}

#[test]
fn a_run_that_is_done_reads_so_in_both_languages() {
    let (summary, adds_up) = (done(), balanced());
    insta::assert_snapshot!("done_zh", text(&render(&summary, &adds_up, &covered(), Lang::Zh).unwrap()));
    insta::assert_snapshot!("done_en", text(&render(&summary, &adds_up, &covered(), Lang::En).unwrap()));
}

#[test]
fn a_blocked_run_reads_so_in_both_languages() {
    let (summary, adds_up) = blocked();
    insta::assert_snapshot!("blocked_zh", text(&render(&summary, &adds_up, &covered(), Lang::Zh).unwrap()));
    insta::assert_snapshot!("blocked_en", text(&render(&summary, &adds_up, &covered(), Lang::En).unwrap()));
}

#[test]
fn what_blocks_stands_before_everything_else() {
    let (summary, adds_up) = blocked();
    let page = text(&render(&summary, &adds_up, &covered(), Lang::En).unwrap());
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(
        lines[1..7],
        [
            "Unexplained : 0 rows, 1,000.05 yuan · Not checked : 3 items",
            "✖ Blocked The run finished, but what follows is not settled: do not submit it.",
            "Reconciliation leaves something unexplained 0 rows · 1,000.05 yuan",
            "A rule could not be checked STR-06 · AC43.AAC001 AC01 is not mapped",
            "A legacy table that nobody decided about: no mapping, and no reason to leave it ylbx.XJB",
            "too few rows accepted (acceptance) AC01 0 &#x2f; 19,872 rows",
        ]
    );
    assert!(!page.contains("Done"), "{page}");
}

/// A border that a package added later counts, though the summary was written before.
#[test]
fn a_run_that_was_done_reads_blocked_when_its_reconciliation_no_longer_adds_up() {
    let (_, adds_up) = blocked();
    let page = text(&render(&done(), &adds_up, &covered(), Lang::Zh).unwrap());
    let third = page.lines().nth(3).unwrap();
    assert_eq!(third, "对账有未解释的差异 0 行 · 1,000.05 元");
}

#[test]
fn the_worst_cells_are_shown_and_the_rest_is_counted() {
    let mut adds_up = balanced();
    let line = &mut adds_up.borders[1].lines[1];
    line.cells = (0..25)
        .map(|n| Cell {
            insurance: "110".to_owned(),
            period: format!("{}", 199_801 + n),
            left: n,
            right: 0,
            explained: BTreeMap::new(),
            unexplained: n,
        })
        .collect();
    line.unexplained = (0..25).sum();
    let page = text(&render(&done(), &adds_up, &covered(), Lang::En).unwrap());
    let shown: Vec<&str> = page.lines().filter(|l| l.starts_with("110 | 1998")).collect();
    assert_eq!(shown.len(), 20);
    assert_eq!(shown[0], "110 | 199825 | 0.24 | 0.00 | | 0.24");
    assert!(page.contains("Cells not shown here (reconciliation.json has them): 5\n"), "{page}");
}

#[test]
fn names_that_look_like_html_are_only_text() {
    let evil = "<script>alert('\"&')</script>";
    let (mut summary, mut adds_up) = blocked();
    let mut coverage = covered();
    summary.city_name = evil.to_owned();
    summary.blocked_by.push(Blocker::Undecided { table: evil.to_owned() });
    summary.tables[0].table = evil.to_owned();
    summary.tables[0].content_digest = evil.to_owned();
    summary.fates[0].fate = evil.to_owned();
    summary.findings[0].title_en = evil.to_owned();
    summary.findings[0].gate = evil.to_owned();
    summary.notes[0].code = evil.to_owned();
    summary.left_alone[0].reason = evil.to_owned();
    summary.extracts[0].point = evil.to_owned();
    summary.stages[0].stage = evil.to_owned();
    adds_up.borders[1].border = evil.to_owned();
    adds_up.borders[1].lines[0].table = evil.to_owned();
    adds_up.borders[1].lines[0].measure = evil.to_owned();
    adds_up.borders[1].lines[0].explained = BTreeMap::from([(evil.to_owned(), 0)]);
    adds_up.unit_of_money[0].table = evil.to_owned();
    coverage.codes[0].list = evil.to_owned();
    coverage.legacy[0].table = evil.to_owned();
    let html = render(&summary, &adds_up, &coverage, Lang::En).unwrap();
    assert!(!html.contains("<script"), "a name became a tag");
    assert!(!html.contains("alert('"), "a quote ends an attribute");
    assert!(html.matches("&lt;script&gt;").count() >= 20);
}

#[test]
fn a_page_asks_for_nothing_outside_itself() {
    let (summary, adds_up) = blocked();
    for lang in [Lang::Zh, Lang::En] {
        let html = render(&summary, &adds_up, &covered(), lang).unwrap();
        let outside =
            ["http://", "https://", "src=", "url(", "@import", "<script", "<link", "<img", "<iframe"];
        for what in outside {
            assert!(!html.contains(what), "{what}");
        }
    }
}

fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(name).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn every_link_leads_to_a_section_and_every_section_has_a_link() {
    let (summary, adds_up) = blocked();
    let html = render(&summary, &adds_up, &covered(), Lang::Zh).unwrap();
    let ids = attributes(&html, " id=\"");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id is there twice");
    let links: BTreeSet<&str> = attributes(&html, "href=\"#").into_iter().collect();
    assert_eq!(links.difference(&known).count(), 0, "{links:?}");
    let sections: BTreeSet<&str> = attributes(&html, "<section id=\"").into_iter().collect();
    assert_eq!(sections.len(), 12);
    assert_eq!(sections.difference(&links).count(), 0, "{sections:?}");
}

/// Void elements have no end; everything else is closed in the order in which it was opened.
#[test]
fn every_tag_is_closed_where_it_belongs() {
    let (summary, adds_up) = blocked();
    for (summary, adds_up) in [(summary, adds_up), (done(), balanced()), (done(), reconciled(vec![], vec![]))]
    {
        let html = render(&summary, &adds_up, &Coverage::default(), Lang::Zh).unwrap();
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"zh-CN\">"), "{}", &html[..60]);
        let mut open: Vec<&str> = Vec::new();
        for tag in html.split('<').skip(2).map(|t| t.split_once('>').unwrap().0) {
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{open:?}"),
                None if name == "meta" => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn an_empty_run_says_that_there_is_nothing() {
    let mut summary = done();
    summary.tables.clear();
    summary.fates.clear();
    summary.findings.clear();
    summary.notes.clear();
    summary.left_alone.clear();
    let page = text(&render(&summary, &reconciled(vec![], vec![]), &Coverage::default(), Lang::En).unwrap());
    for said in [
        "All rows were accepted.",
        "No row breaks a rule.",
        "Every value was read.",
        "This run has no reconciliation.",
        "There are no details and ledgers to compare.",
        "Every legacy table is extracted.",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn documents_of_two_runs_make_no_page() {
    let mut adds_up = balanced();
    adds_up.run = "r0002".to_owned();
    let refused = render(&done(), &adds_up, &covered(), Lang::Zh);
    assert!(matches!(refused, Err(ReportError::TwoRuns { .. })), "{refused:?}");
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report").join(file)).unwrap()
}

fn labels() -> BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> {
    toml::from_str(&read("labels.toml")).unwrap()
}

#[test]
fn every_label_is_there_in_chinese_and_in_english() {
    let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let mut seen = 0;
    for (section, labels) in labels() {
        for (key, label) in labels {
            assert_eq!(label.len(), 2, "{section}.{key}");
            assert!(chinese(&label["zh"]), "{section}.{key}: {}", label["zh"]);
            assert!(
                !chinese(&label["en"]) && !label["en"].trim().is_empty(),
                "{section}.{key}: {}",
                label["en"]
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_page_uses_every_label_of_its_own_and_has_no_text_without_one() {
    let template = read("page.html");
    let own = &labels()["page"];
    let said_in_code = ["rows", "yuan"];
    for key in own.keys().filter(|k| !said_in_code.contains(&k.as_str())) {
        let used = template.split("t.").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
            rest[..end] == *key
        });
        assert!(used, "{key}");
    }
    let mut bare = template.clone();
    for (from, to) in [("{%", "%}"), ("{{", "}}"), ("<", ">")] {
        while let Some(start) = bare.find(from) {
            let end = start + bare[start..].find(to).unwrap() + to.len();
            bare.replace_range(start..end, "");
        }
    }
    assert!(!bare.chars().any(char::is_alphanumeric), "{bare}");
}

/// Codes come from other rooms; one that has no word would be shown bare.
#[test]
fn every_code_that_a_run_can_say_has_a_word() {
    let labels = labels();
    let known = |section: &str, codes: &[&str]| {
        for code in codes {
            assert!(labels[section].contains_key(*code), "{section}.{code}");
        }
    };
    use qianyi::tally::{border, side};
    known("border", &[border::SOURCE_RAW, border::RAW_MAPPED, border::MAPPED_FATES, border::STAGED_PACKAGE]);
    known("side", &[side::SOURCE, side::RAW, side::MAPPED, side::FATES, side::STAGED, side::PACKAGE]);
    let reasons: Vec<&str> = qianyi::mapping::REASONS.iter().map(|(name, _)| *name).collect();
    known("reason", &reasons);
    known("reason", &["rejected", "held", "excluded", "merged", "out_of_scope"]);
    known("fate", &["accepted", "rejected", "held", "excluded", "merged"]);
    known("measure", &["rows", "parts", "groups", "fen", "e4", "int", "values", "bytes"]);
    known("stage", &["extract", "read", "map", "cover", "check", "gate", "count"]);
    use qianyi::national::Gate;
    known("gate", &[Gate::Block.text(), Gate::Mark.text(), Gate::Count.text()]);
    let national = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/national/rules.csv");
    let rules = std::fs::read_to_string(national).unwrap();
    let levels: Vec<&str> = rules.lines().skip(1).map(|l| l.split(',').nth(1).unwrap()).collect();
    assert!(levels.len() > 20);
    known("level", &levels);
    known("suspect", &Suspicion::ALL.map(Suspicion::name));
    known("note", &["bytes", "text", "date", "period", "time", "int", "rate", "money", "code"]);
}

#[test]
fn numbers_are_grouped_and_money_is_exact() {
    assert_eq!(number::count(0_u64), "0");
    assert_eq!(number::count(999_u64), "999");
    assert_eq!(number::count(-1000_i64), "-1,000");
    assert_eq!(number::count(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!(number::yuan(-5_i64), "-0.05");
    assert_eq!(number::yuan(123_456_789_i64), "1,234,567.89");
    assert_eq!(number::yuan(i64::MIN), "-92,233,720,368,547,758.08");
    assert_eq!(number::share(2, 3), "66.66%");
    assert_eq!(number::share(99_999_999, 100_000_000), "99.99%");
    assert_eq!(number::share(1, 100_000_000), "<0.01%");
    assert_eq!(number::share(0, 5), "0.00%");
    assert_eq!(number::share(7, 7), "100.00%");
    assert_eq!(number::share(0, 0), "—");
}

proptest! {
    #[test]
    fn money_reads_back_as_the_same_fen(fen in any::<i64>()) {
        let shown = number::yuan(fen);
        let (yuan, rest) = shown.rsplit_once('.').unwrap();
        prop_assert_eq!(rest.len(), 2);
        let groups: Vec<&str> = yuan.trim_start_matches('-').split(',').collect();
        prop_assert!((1..=3).contains(&groups[0].len()));
        prop_assert!(groups[1..].iter().all(|g| g.len() == 3));
        prop_assert_eq!(shown.replace([',', '.'], "").parse::<i64>().unwrap(), fen);
    }
}
