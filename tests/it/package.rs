//! Packages: what is sealed, what verification finds, and that others can check it too.

use std::path::{Path, PathBuf};
use std::process::Command;

use qianyi::engine::{Engine, EngineSettings};
use qianyi::error::Consequence;
use qianyi::package::{Problem, verify};
use qianyi::pipeline::{Finished, build_package, finished};
use qianyi::progress::Silent;
use qianyi::{mapping, national};
use tempfile::TempDir;

use crate::support::copy_folder;
use crate::support::demo::{as_of, city, folder, ran, run_settings};

/// A finished run over a small city, and its first package.
struct Sealed {
    dir: TempDir,
    workdir: PathBuf,
    engine: Engine,
    national: national::National,
    run: Finished,
    package: PathBuf,
}

impl Sealed {
    fn new(persons: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), persons, 8);
        let workdir = dir.path().join("work");
        ran(&run_settings(&database, &workdir, 2));
        let national = national::load(&folder("national")).unwrap();
        let mapped = mapping::load(&folder("baicheng"), &national).unwrap();
        let spill = workdir.join("spill");
        let engine = Engine::start(
            EngineSettings { memory: 1 << 30, spill, partitions: 2 },
            mapped.functions(as_of()),
        )
        .unwrap();
        let run = finished(&workdir, None).unwrap();
        let package = PathBuf::new();
        let mut made = Self { dir, workdir, engine, national, run, package };
        made.package = made.build();
        made
    }

    /// Builds the next package.
    fn build(&self) -> PathBuf {
        let (built, adds_up) =
            build_package(&self.workdir, &self.engine, &self.national, &self.run, false, &Silent).unwrap();
        let boundary = adds_up.boundaries.iter().find(|b| b.boundary == "staged-package").unwrap();
        assert!(boundary.lines.len() > 60);
        assert_eq!((boundary.totals.unexplained_rows, boundary.totals.unexplained_fen), (0, 0));
        built.path
    }

    /// What is wrong with a copy of the package after `damage`.
    fn after(&self, damage: impl FnOnce(&Path)) -> Vec<String> {
        let copy = self.dir.path().join("copy");
        let _ = std::fs::remove_dir_all(&copy);
        copy_folder(&self.package, &copy);
        damage(&copy);
        let found = verify(&copy, &Silent).unwrap();
        found.problems.iter().map(|Problem { file, what }| format!("{file}: {what}")).collect()
    }
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    std::fs::write(path, change(std::fs::read_to_string(path).unwrap())).unwrap();
}

/// The dictionary names every column of every packed table, and the list of codes every code that stands in one.
fn every_column_and_code_is_explained(sealed: &Sealed) {
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(sealed.package.join("data").join(name)).unwrap();
        let text = text.strip_prefix('\u{feff}').unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let (columns, codes) = (rows("dictionary.csv"), rows("codes.csv"));
    let mut checked = 0;
    for table in std::fs::read_dir(sealed.package.join("data/tables")).unwrap() {
        let folder = table.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for part in crate::support::parquet_under(&folder) {
            let schema = qianyi::dataset::schema_of(&part).unwrap();
            for field in schema.fields().iter().filter(|f| !f.name().starts_with('_')) {
                let line = columns.iter().find(|c| c[0] == name && c[2] == *field.name());
                let line = line.unwrap_or_else(|| panic!("{name}.{} is not explained", field.name()));
                assert!(!line[1].is_empty() && !line[3].is_empty() && !line[4].is_empty(), "{line:?}");
                if !line[8].is_empty() {
                    for row in crate::support::text_rows(&part, &[field.name()]) {
                        let Some(code) = &row[0] else { continue };
                        assert!(codes.iter().any(|c| c[0] == line[8] && c[1] == *code), "{line:?} {code}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 1_000, "{checked}");
}

#[test]
fn a_package_is_sound_and_every_damage_is_found_and_named() {
    let sealed = Sealed::new(200);
    let sound = verify(&sealed.package, &Silent).unwrap();
    assert_eq!(sound.problems, []);
    let accepted: u64 = sealed.run.summary.tables.iter().map(|t| t.accepted).sum();
    assert_eq!((sound.rows, sound.blocked), (accepted, false));
    every_column_and_code_is_explained(&sealed);

    let table = "data/tables/AA10";
    let part = std::fs::read_dir(sealed.package.join(table)).unwrap().next().unwrap().unwrap().file_name();
    let part = format!("{table}/{}", part.to_string_lossy());
    let flipped = sealed.after(|bag| {
        let mut bytes = std::fs::read(bag.join(&part)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(bag.join(&part), bytes).unwrap();
    });
    assert!(flipped.contains(&format!("{part}: was changed: its SHA-256 is another")), "{flipped:?}");
    let cut = sealed.after(|bag| {
        let bytes = std::fs::read(bag.join(&part)).unwrap();
        std::fs::write(bag.join(&part), &bytes[..bytes.len() / 2]).unwrap();
    });
    // What is not what its digest says is not opened.
    assert!(cut.contains(&format!("{part}: was changed: its SHA-256 is another")), "{cut:?}");
    assert!(!cut.iter().any(|p| p.contains("Parquet")), "{cut:?}");
    assert!(cut.iter().any(|p| p.starts_with("bag-info.txt: Payload-Oxum")), "{cut:?}");
    let lost = sealed.after(|bag| std::fs::remove_file(bag.join(&part)).unwrap());
    assert!(lost.contains(&format!("{part}: is missing")), "{lost:?}");
    let extra = sealed.after(|bag| std::fs::write(bag.join("data/more.txt"), "x").unwrap());
    assert!(extra.contains(&"data/more.txt: is in no manifest".to_owned()), "{extra:?}");
    let tags = sealed.after(|bag| {
        edit(&bag.join("bag-info.txt"), |t| t.replace("Qianyi-Blocked: no", "Qianyi-Blocked: yes"))
    });
    assert_eq!(
        tags,
        [
            "bag-info.txt: Qianyi-Blocked is not no, as tables.json says",
            "bag-info.txt: was changed: its SHA-256 is another"
        ]
    );
    let version = sealed.after(|bag| edit(&bag.join("bagit.txt"), |t| t.replace("1.0", "0.97")));
    assert!(version.contains(&"bagit.txt: does not declare BagIt 1.0 in UTF-8".to_owned()), "{version:?}");
    let escape = sealed.after(|bag| {
        edit(&bag.join("manifest-sha256.txt"), |t| format!("{}  ../outside\n{t}", "0".repeat(64)));
    });
    assert!(
        escape.contains(&"manifest-sha256.txt: ../outside leads out of the package".to_owned()),
        "{escape:?}"
    );
    let garbage = sealed.after(|bag| edit(&bag.join("manifest-sha256.txt"), |t| format!("nonsense\n{t}")));
    assert!(garbage.iter().any(|p| p.contains("not a line of a manifest")), "{garbage:?}");
    let form =
        sealed.after(|bag| edit(&bag.join("data/tables.json"), |t| t.replace("\"rows\"", "\"lines\"")));
    assert!(form.iter().any(|p| p.starts_with("data/tables.json: is not of the form")), "{form:?}");
    let fetch = sealed.after(|bag| std::fs::write(bag.join("fetch.txt"), "").unwrap());
    assert_eq!(fetch, ["fetch.txt: a package holds all of its files itself"]);
    for (name, text) in [("notes.txt", "x"), ("manifest-md5.txt", "x"), ("tagmanifest-md5.txt", "")] {
        let extra = sealed.after(|bag| std::fs::write(bag.join(name), text).unwrap());
        assert_eq!(extra, [format!("{name}: is in no manifest")]);
    }
    documents_that_contradict_each_other_are_found(&sealed, &part);
    #[cfg(unix)]
    {
        let moved = sealed.after(|bag| {
            let elsewhere = sealed.dir.path().join("elsewhere");
            let _ = std::fs::remove_dir_all(&elsewhere);
            std::fs::rename(bag.join("data"), &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, bag.join("data")).unwrap();
        });
        assert_eq!(moved, ["data: is no folder of the package itself (missing, or a link)"]);
        let link = sealed.after(|bag| {
            std::fs::remove_file(bag.join(&part)).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", bag.join(&part)).unwrap();
        });
        assert!(link.contains(&format!("{part}: is not a plain file")), "{link:?}");
    }
}

/// Somebody who writes the digests anew after a change does not get far.
fn documents_that_contradict_each_other_are_found(sealed: &Sealed, part: &str) {
    let resealed = |name: &'static str, from: &'static str, to: &'static str| {
        sealed.after(|bag| {
            edit(&bag.join(name), |t| {
                assert!(t.contains(from), "{name} has no {from}");
                t.replacen(from, to, 1)
            });
            for (manifest, file) in
                [("manifest-sha256.txt", name), ("tagmanifest-sha256.txt", "manifest-sha256.txt")]
            {
                let sha = qianyi::durable::sha256(&bag.join(file)).unwrap();
                edit(&bag.join(manifest), |t| {
                    let line = |l: &str| {
                        if l.ends_with(&format!("  {file}")) {
                            format!("{sha}  {file}\n")
                        } else {
                            format!("{l}\n")
                        }
                    };
                    t.lines().map(line).collect()
                });
            }
        })
    };
    for (name, from, to, expected) in [
        ("data/tables.json", "\"blocked\": false", "\"blocked\": true", "Qianyi-Blocked is not yes"),
        ("data/tables.json", "\"run\": \"r0001\"", "\"run\": \"r0002\"", "is of run r0001, not r0002"),
        ("data/tables.json", "\"rows\": ", "\"rows\": 1", "but its parts hold"),
        ("data/manifest.json", "\"run\": \"r0001\"", "\"run\": \"r0009\"", "is not of run r0001"),
        (
            "data/reconciliation.json",
            "\"unexplained_fen\": 0\n  }\n}",
            "\"unexplained_fen\": 7\n  }\n}",
            "leaves something unexplained",
        ),
    ] {
        let found = resealed(name, from, to);
        assert!(found.iter().any(|p| p.contains(expected)), "{name} {from}: {found:?}");
    }
    let other = resealed("data/tables.json", "\"sha256\": \"", "\"sha256\": \"0");
    assert!(
        other.iter().any(|p| p.contains("is another in tables.json than in the payload manifest")),
        "{part}: {other:?}"
    );
}

#[test]
fn the_same_run_is_sealed_to_the_same_bytes_and_a_changed_staged_file_is_refused() {
    let sealed = Sealed::new(200);
    let second = sealed.build();
    assert!(second.ends_with("p0002-r0001"));
    let text = |bag: &Path, name: &str| std::fs::read_to_string(bag.join(name)).unwrap();
    let tables = |bag: &Path| text(bag, "data/tables.json").replace("p0002", "p0001");
    assert_eq!(tables(&second), tables(&sealed.package));
    let info = text(&sealed.package, "bag-info.txt");
    let stable: String = info
        .lines()
        .map(|l| match l.split_once(": ") {
            Some((
                label @ ("Bagging-Date" | "Payload-Oxum" | "Qianyi-National-Schema" | "Qianyi-Mapping"),
                _,
            )) => {
                format!("{label}: …\n")
            }
            _ => format!("{l}\n"),
        })
        .collect();
    insta::assert_snapshot!("bag_info", stable);
    // What a build that was killed left is removed by the next one.
    let left = sealed.workdir.join("packages/.p0009-r0001.tmp");
    std::fs::create_dir_all(left.join("data")).unwrap();
    assert!(sealed.build().ends_with("p0003-r0001") && !left.exists());
    let staged = sealed.run.dir.staged("AA10");
    let part = std::fs::read_dir(staged).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let error = build_package(&sealed.workdir, &sealed.engine, &sealed.national, &sealed.run, false, &Silent)
        .unwrap_err();
    assert!(error.to_string().contains("is not the file that run r0001 staged"), "{error}");
    assert_eq!(error.retry_class(), qianyi::error::RetryClass::Resume);
    assert!(!sealed.workdir.join("packages/p0004-r0001").exists());
}

/// `scripts/test` installs Python's bagit, the Library of Congress' own validator.
#[test]
fn another_bagit_validator_accepts_a_package() {
    let python = std::env::var("QIANYI_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import bagit"]).output();
    assert!(
        there.is_ok_and(|o| o.status.success()),
        "{python} has no module bagit: run scripts/test, which installs it, or set QIANYI_TEST_PYTHON"
    );
    let sealed = Sealed::new(200);
    let check = "import bagit, sys; bag = bagit.Bag(sys.argv[1]); bag.validate(); print(bag.version, bag.info['Source-Organization'])";
    let output = Command::new(&python).args(["-c", check]).arg(&sealed.package).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1.0 白城市");
    std::fs::write(sealed.package.join("data/more.txt"), "x").unwrap();
    let output = Command::new(&python).args(["-c", check]).arg(&sealed.package).output().unwrap();
    assert!(!output.status.success());
}
