//! An office with its people over a small city: the binary's commands, forms that go out and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use qianyi::report::bare;
use serde_json::Value;

use super::demo::{acknowledged, city, folder};

/// A work directory, its configuration, and the people of an office.
pub struct Office {
    pub dir: tempfile::TempDir,
}

impl Office {
    pub fn new(rules: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), 120, 3);
        let mut config = format!(
            "mappings = \"{}\"\nrules = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n",
            folder("").display(),
            dir.path().join("sql").display(),
        );
        let own = whoami::username().unwrap();
        for (name, account, roles) in [
            ("操作员", own.as_str(), "\"operator\", \"approver\""),
            ("张经办", "zhang", "\"handler\""),
            ("李复核", "li", "\"reviewer\""),
            ("王审批", "wang", "\"approver\""),
            ("赵全能", "zhao", "\"handler\", \"reviewer\", \"approver\""),
            ("孙经办", "sun", "\"handler\""),
            ("周复核", "zhou", "\"reviewer\""),
            ("吴审批", "wu", "\"approver\""),
        ] {
            config.push_str(&format!(
                "[[people]]\nname = \"{name}\"\naccount = \"{account}\"\nroles = [{roles}]\n"
            ));
        }
        config.push_str(&format!(
            "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{}\"\nencoding = \"gb18030\"\n{}",
            database.display(),
            acknowledged()
        ));
        std::fs::write(dir.path().join("city.toml"), config).unwrap();
        let office = Self { dir };
        rules.iter().for_each(|(place, text)| office.rule(place, text));
        office
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn rule(&self, place: &str, text: &str) {
        let path = self.path("sql/rules").join(place).with_extension("sql");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let id = path.file_stem().unwrap().to_string_lossy();
        std::fs::write(&path, format!("-- id: {id}\n{text}")).unwrap();
        std::fs::write(path.with_extension("case"), "").unwrap();
    }

    /// Runs the binary: exit status and standard output.
    pub fn said(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .arg("--workdir")
            .arg(self.path("work"))
            .arg("--config")
            .arg(self.path("city.toml"));
        let said = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = said.status.code().unwrap();
        assert!(status != 1, "{arguments:?}: {}", text(&said.stderr));
        (status, text(&said.stdout))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let (_, text) = self.said(&[arguments, &["--json"]].concat());
        // A refused import tells its mistakes all the same.
        let document: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {text}"));
        // One list for the province is told by its path.
        if document.get("path").is_some() { document } else { crate::support::listed(&document) }
    }

    pub fn run(&self) -> Value {
        let (status, text) = self.said(&["run", "--quiet", "--json"]);
        assert!(status == 0 || status == 3, "{text}");
        let summary: Value = serde_json::from_str(&text).unwrap();
        let broken = summary["invariants"].as_array().unwrap().iter().filter(|i| i["ended"] == "broken");
        assert_eq!(broken.count(), 0, "{summary}");
        assert_eq!((&summary["unexplained_rows"], &summary["unexplained_fen"]), (&0.into(), &0.into()));
        summary
    }

    /// Exports; the one file of a rule, or its first.
    pub fn export(&self, rule: &str, more: &[&str]) -> PathBuf {
        let handed = self.json(&[&["worklist", "export", "--lang", "zh", "--rule", rule][..], more].concat());
        PathBuf::from(handed[0]["path"].as_str().unwrap())
    }

    /// Imports a file of rows; its mistakes as cell and kind, and what else it came to.
    pub fn import(&self, path: &Path) -> (BTreeSet<(String, String)>, Value) {
        let came = self.json(&["worklist", "import", path.to_str().unwrap()])[0].clone();
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let mistakes =
            came["mistakes"].as_array().unwrap().iter().map(|m| (text(&m["cell"]), text(&m["what"])));
        (mistakes.collect(), came)
    }

    pub fn list(&self, rule: &str) -> BTreeMap<String, u64> {
        let rows = self.json(&["worklist", "list", "--rule", rule]);
        let counts = rows[0].as_object().unwrap().iter().filter_map(|(k, v)| Some((k.clone(), v.as_u64()?)));
        counts.filter(|(_, n)| *n > 0).collect()
    }
}

pub fn counts<const N: usize>(of: [(&str, u64); N]) -> BTreeMap<String, u64> {
    of.map(|(k, n)| (k.to_owned(), n)).into_iter().filter(|(_, n)| *n > 0).collect()
}

pub fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => encoding_rs::GB18030.decode(bytes).0.into_owned(),
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|r| r.unwrap().iter().map(|cell| bare(cell).to_owned()).collect()).collect()
}

pub fn save(path: &Path, rows: &[Vec<String>]) {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    std::fs::write(path, writer.into_inner().unwrap()).unwrap();
}

/// Cells from the decision on: decision, value, evidence, until, and three who signed with their days.
pub fn filled(decision: &str, value: &str, evidence: &str, until: &str) -> [String; 10] {
    let signed = ["张经办", "2021-06-01", "李复核", "2021/6/2", "王审批", "20210603"];
    let all = [decision, value, evidence, until].into_iter().chain(signed).map(str::to_owned);
    all.collect::<Vec<_>>().try_into().unwrap()
}

pub const DECISION: usize = 11;

pub fn fill(row: &mut [String], cells: &[String; 10]) {
    row[DECISION..DECISION + 10].clone_from_slice(cells);
}
