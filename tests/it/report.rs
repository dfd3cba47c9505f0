//! The page of a run: what it says in both languages, what comes first, that it is safe and stands alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use qianyi::artifacts::{Blocker, Cell, Coverage, KnownEnd, StandingEnd, Suspicion};
use qianyi::report::{Lang, ReportError, number, render};

use crate::support::page::{balanced, blocked, covered, done, known_row, reconciled};

/// The text between tags, one line a block.
fn text(html: &str) -> String {
    let (_, body) = html.split_once("</head>").unwrap();
    let (body, _) = body.split_once("<script>").unwrap();
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
    insta::assert_snapshot!(
        "done_zh",
        text(&render(&summary, &adds_up, &covered(), None, Lang::Zh).unwrap())
    );
    insta::assert_snapshot!(
        "done_en",
        text(&render(&summary, &adds_up, &covered(), None, Lang::En).unwrap())
    );
}

#[test]
fn a_blocked_run_reads_so_in_both_languages() {
    let (summary, adds_up) = blocked();
    insta::assert_snapshot!(
        "blocked_zh",
        text(&render(&summary, &adds_up, &covered(), None, Lang::Zh).unwrap())
    );
    insta::assert_snapshot!(
        "blocked_en",
        text(&render(&summary, &adds_up, &covered(), None, Lang::En).unwrap())
    );
}

#[test]
fn what_blocks_stands_before_everything_else() {
    let (summary, adds_up) = blocked();
    let page = text(&render(&summary, &adds_up, &covered(), None, Lang::En).unwrap());
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(
        lines[1..7],
        [
            "Unexplained : 0 rows, 1,000.05 yuan · Not checked : 3 items · Not ready : 340 rows, 321.05 yuan",
            "✖ Blocked The run finished, but what follows is not settled: do not submit it.",
            "Reconciliation leaves something unexplained 0 rows · 1,000.05 yuan ylbx.GRJFMX→AC43 money AAE022: 1,000.05 yuan; ylbx.GRJFMX 2000: 100 times too much: fen read as yuan",
            "A rule could not be checked STR-06 · AC43.AAC001 AC01 is not mapped",
            "An undecided legacy table: no mapping, and no reason to leave it ylbx.XJB",
            "too few rows accepted (acceptance) AC01 0 &#x2f; 19,872 rows",
        ]
    );
    assert!(!page.contains("Done"), "{page}");
}

#[test]
fn nothing_is_called_accounted_for_while_rows_or_money_are_held_back() {
    let whole = "Every row and every fen";
    let verdict = |summary: &qianyi::artifacts::Summary, lang| {
        let html = render(summary, &balanced(), &covered(), None, lang).unwrap();
        html.split_once("</header>").unwrap().0.to_owned()
    };
    let held = done();
    let said = verdict(&held, Lang::En);
    assert!(
        !said.contains(whole)
            && said.contains(
                "340 rows, and 321.05 yuan of all money figures together, are rejected or held back"
            ),
        "{said}"
    );
    assert!(verdict(&held, Lang::Zh).contains("340 行、各项金额合计 321.05 元因不合格或暂缓而未上报"));
    // Money alone is enough.
    let mut money = held.clone();
    money.tables.iter_mut().for_each(|t| (t.rejected, t.held) = (0, 0));
    assert!(!verdict(&money, Lang::En).contains(whole));
    money.figures[1].not_ready.clear();
    money.figures[0].not_ready.remove("rejected");
    assert!(verdict(&money, Lang::En).contains(whole));
    // What is known and answered for is said beside it.
    let mut adds_up = balanced();
    adds_up.known.push(known_row(KnownEnd::Explains, 1, 1));
    let html = render(&money, &adds_up, &covered(), None, Lang::Zh).unwrap();
    let (head, _) = html.split_once("</header>").unwrap();
    assert!(head.contains("其中 1 项差异按已知差异处理"), "{head}");
}

#[test]
fn the_first_screen_says_what_is_ready_whose_work_is_open_and_what_changed() {
    let (summary, adds_up) = blocked();
    let page = text(&render(&summary, &adds_up, &covered(), None, Lang::En).unwrap());
    for line in [
        "企业职工基本养老保险 110",
        "Persons | 2,021 | 2,000 | 21 | 98.96% | excluded 1 · rejected 20 |",
        "Contributions (yuan) | 987,654,321.05 | 987,654,000.00 | 321.05 | 99.99% | held 321.05 | -0.05",
        "pension | 39 | 3 | 4 | 12 | 3 | 2",
        "✖ not met | Findings that keep rows out, by rule | FIL-01 3 &gt; 0; FIL-02 20 &gt; 0; STR-05 20 &gt; 0 | 0",
        "✖ not met | Reopened findings | 4 | 0",
        "✖ not met | Rehearsal of the load | not rehearsed | passed",
        "Accepted | rows | 999,980 | 1,000,000 | +20",
        "STR-05 key is not unique | AC43.AAZ223 | 16 | 20 | +4",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\n{page}");
    }
    let first = text(&render(&done(), &balanced(), &covered(), None, Lang::En).unwrap());
    assert!(first.contains("This is the first round"), "{first}");
}

#[test]
fn a_workbook_has_the_numbers_of_the_page_a_sheet_a_table() {
    use calamine::{Data, Reader, Xlsx, open_workbook};
    use qianyi::report::{Documents, workbook};
    let dir = tempfile::tempdir().unwrap();
    let (summary, adds_up) = blocked();
    for lang in [Lang::Zh, Lang::En] {
        let path = dir.path().join("run.xlsx");
        let coverage = covered();
        let of =
            Documents { summary: &summary, reconciliation: &adds_up, coverage: &coverage, rehearsal: None };
        workbook(&path, &of, crate::support::demo::as_of(), lang).unwrap();
        let mut book: Xlsx<_> = open_workbook(&path).unwrap();
        let names = book.sheet_names();
        assert_eq!(names.len(), 17, "{names:?}");
        let sheet = book.worksheet_range(&names[1]).unwrap();
        let row: Vec<Data> = sheet.rows().nth(2).unwrap().to_vec();
        assert_eq!(row[0], Data::String("110".to_owned()));
        assert_eq!(row[3..6], [Data::Float(987_654_321.05), Data::Float(987_654_000.0), Data::Float(321.05)]);
        let sheet = book.worksheet_range(&names[3]).unwrap();
        let sum: f64 = sheet
            .rows()
            .skip(1)
            .map(|r| match r[4] {
                Data::Float(n) => n,
                _ => 0.0,
            })
            .sum();
        assert!((sum - 1_002_000.0).abs() < 0.5, "{sum}");
    }
}

/// A boundary that a package added later counts, though the summary was written before.
#[test]
fn a_run_that_was_done_reads_blocked_when_its_reconciliation_no_longer_adds_up() {
    let (_, adds_up) = blocked();
    let page = text(&render(&done(), &adds_up, &covered(), None, Lang::Zh).unwrap());
    let third = page.lines().nth(3).unwrap();
    assert_eq!(
        third,
        "对账有未解释的差异 0 行 · 1,000.05 元 ylbx.GRJFMX→AC43 金额 AAE022: 1,000.05 元; ylbx.GRJFMX 2000: 大 100 倍：分被当作元"
    );
}

#[test]
fn the_worst_cells_are_shown_and_the_rest_is_counted() {
    let mut adds_up = balanced();
    let line = &mut adds_up.boundaries[1].lines[1];
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
    let page = text(&render(&done(), &adds_up, &covered(), None, Lang::En).unwrap());
    let shown: Vec<&str> =
        page.lines().filter(|l| l.starts_with("110 企业职工基本养老保险 | 1998")).collect();
    assert_eq!(shown.len(), 20);
    assert_eq!(shown[0], "110 企业职工基本养老保险 | 199825 | 0.24 | 0.00 | | 0.24");
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
    summary.dispositions[0].disposition = evil.to_owned();
    summary.findings[0].title_en = evil.to_owned();
    summary.findings[0].gate = evil.to_owned();
    summary.read_errors[0].code = evil.to_owned();
    summary.left_alone[0].reason = evil.to_owned();
    summary.extracts[0].point = evil.to_owned();
    summary.stages[0].stage = evil.to_owned();
    adds_up.boundaries[1].boundary = evil.to_owned();
    adds_up.boundaries[1].lines[0].table = evil.to_owned();
    adds_up.boundaries[1].lines[0].measure = evil.to_owned();
    adds_up.boundaries[1].lines[0].explained = BTreeMap::from([(evil.to_owned(), 0)]);
    adds_up.unit_of_money[0].table = evil.to_owned();
    coverage.codes[0].list = evil.to_owned();
    coverage.legacy[0].table = evil.to_owned();
    let html = render(&summary, &adds_up, &coverage, None, Lang::En).unwrap();
    assert_eq!(html.matches("<script").count(), 1, "a name became a tag");
    assert!(!html.contains("alert('"), "a quote ends an attribute");
    assert!(html.matches("&lt;script&gt;").count() >= 20);
}

#[test]
fn a_page_asks_for_nothing_outside_itself() {
    let (summary, adds_up) = blocked();
    for lang in [Lang::Zh, Lang::En] {
        let html = render(&summary, &adds_up, &covered(), None, lang).unwrap();
        let outside =
            ["http://", "https://", "src=", "url(", "@import", "<link", "<img", "<iframe", "fetch("];
        for what in outside {
            assert!(!html.contains(what), "{what}");
        }
        assert!(html.contains("Content-Security-Policy\" content=\"default-src 'none';"));
    }
}

fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(name).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn every_link_leads_to_a_section_and_every_section_has_a_link() {
    let (summary, adds_up) = blocked();
    let html = render(&summary, &adds_up, &covered(), None, Lang::Zh).unwrap();
    let ids = attributes(&html, " id=\"");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id is there twice");
    let links: BTreeSet<&str> = attributes(&html, "href=\"#").into_iter().collect();
    assert_eq!(links.difference(&known).count(), 0, "{links:?}");
    let sections: BTreeSet<&str> = attributes(&html, "<section id=\"").into_iter().collect();
    assert_eq!(sections.len(), 22);
    assert_eq!(sections.difference(&links).count(), 0, "{sections:?}");
}

/// Void elements have no end; everything else is closed in the order in which it was opened.
#[test]
fn every_tag_is_closed_where_it_belongs() {
    let (summary, adds_up) = blocked();
    for (summary, adds_up) in [(summary, adds_up), (done(), balanced()), (done(), reconciled(vec![], vec![]))]
    {
        let html = render(&summary, &adds_up, &Coverage::default(), None, Lang::Zh).unwrap();
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"zh-CN\">"), "{}", &html[..60]);
        let mut open: Vec<&str> = Vec::new();
        let (before, rest) = html.split_once("<script>").unwrap();
        let html = format!("{before}{}", rest.split_once("</script>").unwrap().1);
        for tag in html.split('<').skip(2).map(|t| t.split_once('>').unwrap().0) {
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{open:?}"),
                None if name == "meta" || tag.ends_with('/') => {}
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
    summary.dispositions.clear();
    summary.findings.clear();
    summary.read_errors.clear();
    summary.left_alone.clear();
    summary.totals.clear();
    let page =
        text(&render(&summary, &reconciled(vec![], vec![]), &Coverage::default(), None, Lang::En).unwrap());
    for said in [
        "All rows were accepted.",
        "No row breaks a rule.",
        "Every value was read.",
        "This run has no reconciliation.",
        "There are no business totals",
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
    let refused = render(&done(), &adds_up, &covered(), None, Lang::Zh);
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
    use qianyi::measures::{boundary, side};
    known(
        "boundary",
        &[
            boundary::SOURCE_RAW,
            boundary::RAW_MAPPED,
            boundary::MAPPED_DISPOSITIONS,
            boundary::STAGED_PACKAGE,
        ],
    );
    known("side", &[side::SOURCE, side::RAW, side::MAPPED, side::DISPOSITIONS, side::STAGED, side::PACKAGE]);
    let reasons: Vec<&str> = qianyi::mapping::REASONS.iter().map(|(name, _)| *name).collect();
    known("reason", &reasons);
    known("reason", &["rejected", "held", "excluded", "merged", "out_of_scope"]);
    known("disposition", &["accepted", "rejected", "held", "excluded", "merged"]);
    known("measure", &["rows", "parts", "groups", "fen", "e4", "int", "values", "bytes"]);
    known(
        "stage",
        &[
            "extract",
            "read",
            "map",
            "cover",
            "clean",
            "shares",
            "trail",
            "check",
            "gate",
            "count",
            "invariant",
            "total",
            "round",
        ],
    );
    use qianyi::national::Gate;
    let limits = qianyi::artifacts::DocumentLimits::default();
    let criteria = qianyi::artifacts::of_documents(&done(), &balanced(), &covered(), None, &limits);
    known("criterion", &criteria.iter().map(|c| c.id.as_str()).collect::<Vec<_>>());
    known("criterion", &["fresh", "raw", "audit", "lag", "window", "approvals"]);
    known("light", &["green", "amber", "red"]);
    known("disposition_short", &["accepted", "rejected", "held", "excluded", "merged", "rekeyed"]);
    known("gate", &[Gate::Block.text(), Gate::Mark.text(), Gate::Count.text()]);
    let national = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/national/rules.csv");
    let rules = std::fs::read_to_string(national).unwrap();
    let levels: Vec<&str> = rules.lines().skip(1).map(|l| l.split(',').nth(1).unwrap()).collect();
    assert!(levels.len() > 20);
    known("level", &levels);
    known("suspect", &Suspicion::ALL.map(Suspicion::name));
    known("rounds", &qianyi::rules::FindingState::ALL.iter().map(|s| s.text()).collect::<Vec<_>>());
    known("item", &qianyi::rules::Item::ALL.iter().map(|i| i.text()).chain(["check"]).collect::<Vec<_>>());
    use StandingEnd::{Approved, Beyond, Expired, NoBackup, Nothing, OwnRun};
    let ends = [Approved, Nothing, Beyond, Expired, OwnRun, NoBackup];
    known("standing", &ends.map(StandingEnd::name));
    use KnownEnd::{Absent, Differs, Explains};
    known("known", &[Explains, KnownEnd::Expired, Differs, Absent].map(KnownEnd::name));
    known("reason", &["known"]);
    known("read_error", &["bytes", "text", "date", "period", "time", "int", "rate", "money", "code"]);
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
