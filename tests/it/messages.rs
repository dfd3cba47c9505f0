//! What errors say in both languages: every code has both texts, both pages list them, and the binary speaks the language that was asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use qianyi::messages::{Lang, all};

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

#[test]
fn a_page_that_a_message_names_is_there() {
    for (code, of) in all() {
        for text in [&of.en, &of.zh, &of.en_hint, &of.zh_hint] {
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

/// Commands that must fail, each in the folder `dir`.
fn mistakes(dir: &Path) -> Vec<Vec<String>> {
    let file = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name).display().to_string()
    };
    let mappings = root().join("mappings").display().to_string();
    let city = |name: &str, database: &str| {
        let source = format!("[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{database}\"\n");
        file(name, &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\n{source}"))
    };
    let absent = dir.join("absent").display().to_string();
    let text = file(
        "text.db",
        "no database, but long enough to have a header of its own: one hundred bytes and some more of them.",
    );
    let folder = dir.display().to_string();
    let (no_database, a_folder, a_text) =
        (city("a.toml", &absent), city("b.toml", &folder), city("c.toml", &text));
    let unknown_key = file("d.toml", "cty = \"baicheng\"\n");
    let no_mappings = file("e.toml", &format!("mappings = \"{absent}\"\ncity = \"baicheng\"\n"));
    let commands: [&[&str]; 18] = [
        &["--config", &absent, "run"],
        &["run"],
        &["--config", &unknown_key, "run"],
        &["--config", &no_mappings, "plan"],
        &["--config", &no_database, "run"],
        &["--config", &a_folder, "extract"],
        &["--config", &a_text, "profile"],
        &["--config", &a_text, "plan"],
        &["report"],
        &["--config", &no_database, "reconcile"],
        &["--config", &no_database, "findings"],
        &["--config", &no_database, "rules", "show", "FIX-99"],
        &["fixture", "--persons", "0", "--into", &format!("sqlite:{absent}.db")],
        &["fixture", "--persons", "5", "--into", &format!("sqlite:{text}")],
        &["fixture", "--persons", "5", "--into", "oracle:x"],
        &["package", "verify", &folder],
        &["--config", &no_database, "schedule"],
        &["--config", &no_database, "run", "--extract", "e0009"],
    ];
    commands.map(|c| c.iter().map(|word| (*word).to_owned()).collect()).to_vec()
}

/// What each of them says, with its status.
fn told(dir: &Path, lang: &str) -> Vec<String> {
    let each = |arguments: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        let work: PathBuf = dir.join("work");
        command
            .args(["--lang", lang, "--quiet", "--workdir"])
            .arg(&work)
            .args(&arguments)
            .current_dir(root());
        let said = command.output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap() + &String::from_utf8(said.stdout).unwrap();
        let text =
            text.replace(&dir.display().to_string(), "DIR").replace(env!("CARGO_MANIFEST_DIR"), "ROOT");
        format!("{}\n{}", said.status.code().unwrap_or(-1), text.trim_end())
    };
    mistakes(dir).into_iter().map(each).collect()
}

/// Four words of English in a row, outside of what is to be typed.
fn english(line: &str) -> bool {
    let outside: String = line.split('`').step_by(2).collect();
    let mut row = 0;
    outside.split(' ').any(|word| {
        let is_word = !word.is_empty()
            && word.trim_end_matches([',', '.', ':', ';']).bytes().all(|b| b.is_ascii_lowercase());
        row = if is_word { row + 1 } else { 0 };
        row >= 4
    })
}

#[test]
fn mistakes_are_told_in_the_language_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (en, zh) = (told(dir.path(), "en"), told(dir.path(), "zh"));
    let rule = "\n\n--------\n\n";
    insta::assert_snapshot!("mistakes_en", en.join(rule));
    insta::assert_snapshot!("mistakes_zh", zh.join(rule));
    for (en, zh) in en.iter().zip(&zh) {
        assert!(!has_chinese(en), "{en}");
        assert_eq!(en.lines().next(), zh.lines().next(), "one status: {zh}");
        // Causes are the words of a driver, and a marked place those of the user's file.
        let own = zh.lines().filter(|line| line.starts_with("错误") || line.starts_with("建议"));
        for line in own {
            assert!(has_chinese(line) && !english(line), "{line}");
        }
    }
}
