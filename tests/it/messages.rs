//! What errors say in both languages: every code has both texts, and both pages list them. What the binary says is in mistakes.rs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use qianyi::messages::{Lang, all, phrases};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Words of the form `ABC-123` in quotation marks.
fn codes(text: &str) -> BTreeSet<String> {
    let is_code = |word: &str| {
        let bytes = word.as_bytes();
        bytes.len() == 7
            && bytes[..3].iter().all(u8::is_ascii_uppercase)
            && bytes[3] == b'-'
            && bytes[4..].iter().all(u8::is_ascii_digit)
    };
    text.split('"').filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// What a template fills in.
fn names(template: &str) -> BTreeSet<&str> {
    let inside = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    inside.map(str::trim).collect()
}

fn has_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_code_has_its_texts_in_both_languages_and_every_text_its_code() {
    let mut text = String::new();
    sources(&root().join("src"), &mut text);
    // Codes of mistakes in rules and of checks of data are no errors of the program.
    let prefixes: BTreeSet<&str> = all().keys().map(|code| &code[..3]).collect();
    let used: BTreeSet<String> = codes(&text).into_iter().filter(|c| prefixes.contains(&c[..3])).collect();
    let known: BTreeSet<String> = all().keys().cloned().collect();
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "without a text");
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "without a use");
    assert!(known.len() > 180);
    for (code, of) in all() {
        for (en, zh) in [(&of.en, &of.zh), (&of.en_hint, &of.zh_hint)] {
            assert!(!en.is_empty() && !zh.is_empty(), "{code}");
            assert_eq!(names(en), names(zh), "{code}");
            assert!(!has_chinese(en), "{code}: {en}");
            // A text without words of its own, filled in whole or the name of a file, is the same in both.
            let own = en.split("{{").map(|part| part.rsplit("}}").next().unwrap_or_default());
            assert!(has_chinese(zh) || !own.collect::<String>().trim().contains(' '), "{code}: {zh}");
        }
    }
}

/// Keys behind `phrase!(`.
fn keys(text: &str) -> BTreeSet<String> {
    let rest = text.split("phrase!(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    rest.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[test]
fn every_phrase_that_is_used_stands_in_both_languages_and_every_one_is_used() {
    let mut text = String::new();
    sources(&root().join("src"), &mut text);
    // The example of the macro's own documentation is one, too.
    let used = keys(&text);
    // Stages are named by their code.
    let known: BTreeSet<String> =
        phrases().keys().filter(|key| !key.starts_with("progress.stage_")).cloned().collect();
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "without a text");
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "without a use");
    for entry in std::fs::read_dir(root().join("messages")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let section = file.strip_suffix(".toml").unwrap();
        let loaded = ["errors", "help"].contains(&section)
            || known.iter().any(|key| key.starts_with(&format!("{section}.")));
        assert!(loaded, "{file} is not read");
    }
    for (key, of) in phrases() {
        assert!(!of.en.trim().is_empty() && !of.zh.trim().is_empty(), "{key}");
        assert_eq!(names(&of.en), names(&of.zh), "{key}");
        assert!(!has_chinese(&of.en), "{key}: {}", of.en);
        // One that is nothing but what is to be typed is the same in both.
        let own = of.en.split("{{").map(|part| part.rsplit("}}").next().unwrap_or_default());
        let words = own.collect::<String>();
        assert!(has_chinese(&of.zh) || !words.bytes().any(|b| b.is_ascii_lowercase()), "{key}: {}", of.zh);
    }
}

#[test]
fn a_page_that_a_message_names_is_there() {
    let errors = all().iter().map(|(code, m)| (code, vec![&m.en, &m.zh, &m.en_hint, &m.zh_hint]));
    for (code, texts) in errors.chain(phrases().iter().map(|(key, p)| (key, vec![&p.en, &p.zh]))) {
        for text in texts {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
            let pages = words.filter(|word| word.starts_with("docs/"));
            pages.for_each(|page| assert!(root().join(page).is_file(), "{code} names {page}"));
        }
    }
}

/// The page of errors; with QIANYI_WRITE_DOCS it is written anew.
fn page(lang: Lang) -> String {
    let mut out = match lang {
        Lang::En => {
            "# Errors by code\n\nChinese: [zh/errors.md](zh/errors.md). Made from messages/errors.toml; `‹…›` is filled in.\n\n\
             | code | what is wrong | what to do |\n|---|---|---|\n"
        }
        Lang::Zh => {
            "# 错误代码\n\n英文版：[../errors.md](../errors.md)。由 messages/errors.toml 生成；`‹…›` 处填入具体内容。\n\n\
             | 代码 | 含义 | 处理办法 |\n|---|---|---|\n"
        }
    }
    .to_owned();
    let cell = |text: &str| {
        // Of a plural both forms say the same.
        let text = text.split("{% else %}").last().unwrap().replace("{% endif %}", "");
        text.replace("{{ ", "‹").replace(" }}", "›").replace('|', "\\|")
    };
    for (code, of) in all() {
        let (said, hint) = (lang.pick(&of.zh, &of.en), lang.pick(&of.zh_hint, &of.en_hint));
        writeln!(out, "| {code} | {} | {} |", cell(said), cell(hint)).unwrap();
    }
    out
}

#[test]
fn the_pages_of_errors_are_those_of_the_messages() {
    for (lang, file) in [(Lang::En, "docs/errors.md"), (Lang::Zh, "docs/zh/errors.md")] {
        let path = root().join(file);
        if std::env::var_os("QIANYI_WRITE_DOCS").is_some() {
            std::fs::write(&path, page(lang)).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == page(lang), "{file} differs: run this test with QIANYI_WRITE_DOCS=1");
    }
}
