//! A new city's folder: what is written can be loaded and planned, and nothing is ever written over.

use std::path::Path;
use std::process::{Command, Output};

use qianyi::config::{Layers, load};

use crate::support::demo::city;

fn qianyi(dir: &Path, lang: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["--lang", lang, "--quiet"]);
    command.arg("--workdir").arg(dir.join("work")).args(arguments).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_city_is_written_once_and_its_plan_says_what_is_next() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 20, 3);
    let folder = dir.path().join("xinshi");
    let (name, database) = (folder.display().to_string(), database.display().to_string());
    let arguments = ["init", &name, "--city", "xinshi", "--name", "新市", "--database", &database];
    let made = qianyi(dir.path(), "en", &arguments);
    assert_eq!(made.status.code(), Some(0), "{}", told(&made));
    let said = told(&made);
    assert!(
        said.contains("written mappings/xinshi/sources/GRJBXX.toml") && said.contains("1. edit "),
        "{said}"
    );
    let config = folder.join("qianyi.toml");
    let found = load(&Layers { files: vec![config.clone()], ..Layers::default() }).unwrap();
    assert_eq!(
        (found.city.as_str(), found.sources[0].path.display().to_string()),
        ("xinshi", database.clone())
    );
    let text = std::fs::read_to_string(&config).unwrap();
    let view = std::fs::read_to_string(folder.join("mappings/xinshi/sources/GRJBXX.toml")).unwrap();
    assert!(view.contains("key = [\"GRBH\"]") && view.contains("XM ") && view.contains("初稿"), "{view}");
    // What was written can be loaded, and every table is decided about.
    let path = config.display().to_string();
    let plan = qianyi(dir.path(), "en", &["--config", &path, "plan"]);
    let said = told(&plan);
    // Tables that drafts read go nowhere yet: a run would end as blocked.
    assert!(plan.status.code() == Some(3) && said.contains("PLN-003"), "{said}");
    assert!(said.contains("GRJBXX.toml") && said.contains("Undecided columns: 0"), "{said}");
    // The example of a national table is one: with its sources' columns it is read.
    let example = folder.join("mappings/xinshi/AC01.toml.example");
    assert!(example.is_file());
    // A second time nothing is touched, also what was edited.
    std::fs::write(&config, format!("{text}\n# mine\n")).unwrap();
    std::fs::remove_file(folder.join("mappings/xinshi/sources/GRZH.toml")).unwrap();
    let again = qianyi(dir.path(), "zh", &arguments);
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    let said = told(&again);
    assert!(said.contains("已存在，未改动： qianyi.toml"), "{said}");
    assert!(said.contains("已写入 mappings/xinshi/sources/GRZH.toml"), "{said}");
    assert!(std::fs::read_to_string(&config).unwrap().ends_with("# mine\n"));
    let refused = qianyi(dir.path(), "en", &["init", &name, "--city", "../x"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(told(&refused).contains("INI-001"), "{}", told(&refused));
}
