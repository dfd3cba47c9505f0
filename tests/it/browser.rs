//! The page in a browser: no overflow at three widths, sorting, search, unfolding for paper, no request, a PDF.

use std::path::Path;
use std::process::Command;

use qianyi::artifacts::Summary;
use qianyi::report::{Lang, render, runbook};

use crate::support::page::{balanced, blocked, covered, disposition, done, finding, table};

/// What is asked of the page in a frame of each width; one line of JSON an answer.
const ASK: &str = r#"
const said = [];
const widths = [400, 1024, 1400];
addEventListener('load', () => {
  for (const [at, frame] of [...document.querySelectorAll('iframe')].entries()) {
    const w = frame.contentWindow, d = frame.contentDocument, root = d.documentElement;
    const wide = [...d.querySelectorAll('body *')].filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > root.clientWidth + 1);
    said.push(['overflow', widths[at % 3], root.scrollWidth - root.clientWidth, wide.length]);
    said.push(['requests', w.performance.getEntriesByType('resource').length]);
    if (at !== 2) continue;
    const rows = (t) => [...t.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.cells[0].textContent);
    const t = d.querySelector('#tables table');
    const heads = t.tHead.rows[0].cells;
    heads[2].click();
    said.push(['sorted', rows(t)[0], heads[2].getAttribute('aria-sort')]);
    heads[2].click();
    said.push(['sorted', rows(t)[0], heads[2].getAttribute('aria-sort')]);
    const found = d.querySelector('#findings table'), field = d.querySelector('#findings input[type=search]');
    field.value = 'fil-02';
    field.dispatchEvent(new w.Event('input'));
    said.push(['found', rows(found).length, rows(found)[0]]);
    said.push(['folded', d.querySelectorAll('details:not([open])').length > 0]);
    w.dispatchEvent(new w.Event('beforeprint'));
    said.push(['folded on paper', d.querySelectorAll('details:not([open])').length]);
    w.dispatchEvent(new w.Event('afterprint'));
    said.push(['charts', d.querySelectorAll('svg.chart text').length > 20]);
  }
  document.body.textContent = JSON.stringify(said);
});
"#;

fn browser(dir: &Path, arguments: &[&str]) -> String {
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let common = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
    let output = Command::new("chromium").args(common).args(arguments).env("HOME", dir).output();
    let output = output.expect("scripts/test installs chromium");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Many tables, rules and long names.
fn large() -> Summary {
    let mut summary = blocked().0;
    for n in 10..40 {
        let long = "一个很长的表名称".repeat(3);
        summary.tables.push(table(&format!("AB{n}"), &long, [1000 * n, n, 2 * n, 3]));
        summary.dispositions.push(disposition(&format!("AB{n}"), "held", "AC01", 2 * n));
        let title = "a long title of a rule that goes on and on";
        summary.findings.push(finding(
            &format!("FIX-{n}"),
            "很长的规则内容",
            title,
            ["E", "mark", "AC01", "AAC003"],
            n,
        ));
    }
    summary
}

#[test]
fn a_page_fits_three_widths_sorts_searches_unfolds_for_paper_and_asks_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let adds_up = blocked().1;
    let pages = [Lang::Zh, Lang::En].map(|lang| render(&large(), &adds_up, &covered(), None, lang).unwrap());
    let mut frames = String::new();
    for page in &pages {
        let text = page.replace('&', "&amp;").replace('"', "&quot;");
        for width in [400, 1024, 1400] {
            frames.push_str(&format!(
                "<iframe style=\"width:{width}px;height:900px;border:0\" srcdoc=\"{text}\"></iframe>"
            ));
        }
    }
    let asks = dir.path().join("ask.html");
    std::fs::write(
        &asks,
        format!("<!DOCTYPE html><meta charset=utf-8><script>{ASK}</script><body>{frames}</body>"),
    )
    .unwrap();
    let url = format!("file://{}", asks.display());
    let dom = browser(dir.path(), &["--virtual-time-budget=10000", "--dump-dom", &url]);
    let said = dom.split_once("[[").unwrap_or_else(|| panic!("{dom}")).1.split_once("]]").unwrap().0;
    let said: Vec<&str> = said.split("],[").collect();
    let fits = |width: u32| said.iter().filter(|l| **l == format!("\"overflow\",{width},0,0")).count();
    assert_eq!([400, 1024, 1400].map(fits), [2, 2, 2], "{said:#?}");
    assert_eq!(said.iter().filter(|l| **l == "\"requests\",0").count(), 6, "{said:#?}");
    for answer in [
        "\"sorted\",\"AC01\",\"ascending\"",
        "\"sorted\",\"AC43\",\"descending\"",
        "\"found\",1,\"FIL-02\"",
        "\"folded\",true",
        "\"folded on paper\",0",
        "\"charts\",true",
    ] {
        assert!(said.contains(&answer), "{answer} {said:#?}");
    }

    let (page, pdf) = (dir.path().join("page.html"), dir.path().join("page.pdf"));
    std::fs::write(&page, &pages[0]).unwrap();
    let into = format!("--print-to-pdf={}", pdf.display());
    browser(dir.path(), &[&into, "--no-pdf-header-footer", &format!("file://{}", page.display())]);
    let pdf = std::fs::read(pdf).unwrap();
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!(pdf.starts_with(b"%PDF") && pages >= 5, "{pages}");
    // To look at with one's own eyes: the pages of both kinds.
    if let Ok(folder) = std::env::var("QIANYI_TEST_PAGES") {
        let folder = Path::new(&folder);
        std::fs::create_dir_all(folder).unwrap();
        for (name, summary, adds_up) in [("blocked", large(), adds_up), ("done", done(), balanced())] {
            for (lang, code) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
                let html = render(&summary, &adds_up, &covered(), None, lang).unwrap();
                std::fs::write(folder.join(format!("{name}.{code}.html")), html).unwrap();
            }
        }
    }
}

#[test]
fn a_run_book_is_read_with_its_mistakes_and_written_as_page_and_workbook() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/cutover-runbook.example.toml");
    let mut book = runbook::read(&example).unwrap();
    book.steps[0].begun = Some(book.steps[0].begins);
    book.steps[0].ended = Some(book.steps[1].ends);
    book.steps[1].name = "<b>&".to_owned();
    let page = runbook::page(&book, Lang::Zh).unwrap();
    for said in ["qianyi cutover freeze", "超时", "360", "&lt;b&gt;&amp;", "复核"] {
        assert!(page.contains(said), "{said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("book.xlsx");
    runbook::workbook(&book, &path, book.steps[0].begins.date(), Lang::En).unwrap();
    let mut read: calamine::Xlsx<_> = calamine::open_workbook(&path).unwrap();
    let sheet = calamine::Reader::worksheet_range_at(&mut read, 0).unwrap().unwrap();
    assert_eq!(sheet.rows().count(), book.steps.len() + 1);
    let wrong = dir.path().join("wrong.toml");
    let text = std::fs::read_to_string(&example).unwrap();
    for (from, to, what) in [
        ("2021-06-18 12:00", "18.6.2021", "is not a time such as"),
        ("who = \"综合计划管理科\"", "wer = \"x\"", "wer"),
        ("ends = \"2021-06-18 13:00\"", "ends = \"2021-06-18 11:00\"", "step 1 ends before it begins"),
    ] {
        std::fs::write(&wrong, text.replacen(from, to, 1)).unwrap();
        let refused = runbook::read(&wrong).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
}
