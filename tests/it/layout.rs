//! The layout of the source: what ARCHITECTURE.md promises about the source, checked by reading it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of that ending under a folder, relative to the root, with its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file without its unit tests and comments.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    body.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Rooms by layer, from lib.rs: `// layer 2: …` and the `pub mod` lines below it.
fn layers() -> BTreeMap<String, u8> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut layers = BTreeMap::new();
    let mut layer = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("// layer ") {
            layer = rest.chars().next().and_then(|c| c.to_digit(10)).map(|n| u8::try_from(n).unwrap());
        } else if let Some(module) = line.strip_prefix("pub mod ").and_then(|r| r.strip_suffix(';')) {
            layers.insert(module.to_owned(), layer.unwrap_or_else(|| panic!("{module} stands on no layer")));
        }
    }
    layers
}

/// The module of a file under src.
fn module(file: &str) -> String {
    let rest = file.strip_prefix("src/").unwrap();
    rest.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_too_long() {
    for (name, text) in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        assert!(text.starts_with("//! "), "{name} has no head comment");
        let lines = text.lines().count();
        assert!(lines <= 600, "{name} has {lines} lines");
    }
}

#[test]
fn a_module_imports_from_lower_layers_only_and_a_stage_never_its_neighbour() {
    let layers = layers();
    assert!(layers.len() > 20);
    let mut wrong = Vec::new();
    for (name, text) in files("src", "rs").iter().filter(|(n, _)| !n.starts_with("src/cli/")) {
        let own = module(name);
        let Some(layer) = layers.get(&own) else { continue };
        let code = code(text);
        for piece in code.split("crate::").skip(1) {
            let other: String = piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(theirs) = layers.get(&other).filter(|_| other != own) else { continue };
            let allowed = theirs < layer || (theirs == layer && *layer != 2);
            if !allowed {
                wrong.push(format!("{name} (layer {layer}) imports {other} (layer {theirs})"));
            }
        }
    }
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new());
}

/// (what nobody else may do, who may, why)
const ALONE: &[(&str, &[&str], &str)] = &[
    ("println!", &[], "results go through cli/out.rs, which writes to standard output itself"),
    ("eprintln!", &[], "as println!"),
    (
        "process::exit",
        &["src/cli/signals.rs"],
        "main returns the exit status; a second signal does not wait for it",
    ),
    ("std::process::abort", &["src/failpoint.rs"], "the failpoints of tests"),
    ("stdout()", &["src/cli/out.rs"], "the one printer"),
    (
        "stderr()",
        &["src/cli/out.rs", "src/cli/watch.rs", "src/cli/failure.rs"],
        "the printer; the others ask whether it is a terminal",
    ),
    ("File::create", &["src/durable.rs"], "files become visible only when complete and synced"),
    ("fs::write", &["src/durable.rs"], "as File::create"),
    ("fs::rename", &["src/durable.rs"], "as File::create"),
    ("fs::create_dir", &["src/durable.rs"], "as File::create"),
    ("fs::remove", &["src/durable.rs"], "as File::create"),
    ("File::options", &["src/durable.rs"], "as File::create"),
    ("OpenOptions", &["src/durable.rs"], "as File::create"),
    (r#""\"\"""#, &["src/sql_ident.rs"], "one way to quote a name in SQL"),
    ("Utc::now", &["src/clock.rs"], "no result depends on the clock"),
    ("chrono::Local", &[], "times stand in the configured zone, never in the machine's"),
    ("Local::now", &[], "as chrono::Local"),
    ("SystemTime::now", &[], "no result depends on the clock"),
    ("ArrowWriter", &["src/dataset/writer.rs"], "one writer, one set of properties"),
    ("unsafe ", &[], "forbidden"),
    ("todo!", &[], "nothing is left open"),
    ("unimplemented!", &[], "nothing is left open"),
];

#[test]
fn what_one_file_does_no_other_does() {
    let mut wrong = Vec::new();
    for (name, text) in files("src", "rs") {
        let code = code(&text);
        for (what, who, why) in ALONE {
            // A word of its own: `println!` is no part of `eprintln!`.
            let found = code
                .match_indices(what)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if found && !who.contains(&name.as_str()) {
                wrong.push(format!("{name}: {what} ({why})"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_error_says_what_to_do_under_a_code_of_its_own() {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, text) in files("src", "rs") {
        let code = code(&text);
        for piece in code.split("#[error(").skip(1).filter(|p| !p.starts_with("transparent")) {
            let variant: String = piece.split("#[error(").next().unwrap_or_default().to_owned();
            let told = variant.split("code(\"").nth(1).and_then(|c| c.split('"').next());
            // Mistakes in files carry a code and a hint each by themselves.
            let by_itself = code.contains("impl Diagnostic for");
            let has_help = variant.contains("help(") || variant.contains("#[help]");
            match told {
                Some(told) if has_help => {
                    let place = format!("{name}: {}", piece.lines().next().unwrap_or_default());
                    // A document and the mistakes in it share a code.
                    if let Some(before) = codes.insert(told.to_owned(), place.clone())
                        && before.split(':').next() != Some(name.as_str())
                    {
                        wrong.push(format!("{told} stands for two errors: {before} and {place}"));
                    }
                }
                _ if by_itself => {}
                _ => wrong.push(format!("{name}: {}", piece.lines().next().unwrap_or_default())),
            }
        }
    }
    assert!(codes.len() > 60, "{}", codes.len());
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_page_that_is_named_exists() {
    let mut texts: Vec<(String, String)> = files("src", "rs");
    texts.extend(files("docs", "md"));
    for name in
        ["README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CHANGELOG.md", "config/city.example.toml"]
    {
        texts.push((name.to_owned(), std::fs::read_to_string(root().join(name)).unwrap()));
    }
    let mut missing = BTreeSet::new();
    for (name, text) in &texts {
        let folder = PathBuf::from(name).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|p| p.split(')').next()) {
            if name.ends_with(".md") && !target.contains("://") && !root().join(&folder).join(target).exists()
            {
                missing.insert(format!("{name}: {target}"));
            }
        }
        for page in text.split("docs/").skip(1) {
            let page: String =
                page.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
            let page = page.trim_end_matches('.');
            if page.ends_with(".md") && !root().join("docs").join(page).exists() {
                missing.insert(format!("{name}: docs/{page}"));
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn the_readmes_open_with_the_two_commands() {
    for name in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{name} lacks {what}"));
        assert!(at("cargo run --release -- demo") < at("./scripts/test"));
        assert!(at("./scripts/test") < 1_500, "{name}");
    }
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    for step in ["./scripts/test", "cargo fmt --check", "cargo clippy", "cargo deny", "/debug/qianyi\" demo"]
    {
        assert!(ci.contains(step), ".ci/run lacks {step}");
    }
}

#[test]
fn no_tracked_file_names_a_machine_or_a_person() {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let listed = listed.ok().filter(|o| o.status.success()).expect("tests run in a checkout");
    // Put together here, so that this file does not name them.
    let words =
        [["/ho", "me/"].concat(), ["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), ["/tm", "p/q"].concat()];
    let mut wrong = Vec::new();
    for name in String::from_utf8(listed.stdout).unwrap().lines() {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        for word in words.iter().filter(|w| text.contains(*w)) {
            // `../work/legacy` is the demo's own folder.
            if text.replace("../work/", "").replace("DIR/work/", "").contains(word) {
                wrong.push(format!("{name}: {word}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
