//! The binary alone: in a folder with nothing else it has its data with it, says what it is, and writes its manual.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `qianyi` in a folder, in English.
fn qianyi(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    command.args(arguments).current_dir(dir).env_remove("LC_ALL").env("LANG", "C.UTF-8");
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// What it says when it does its work.
fn said(dir: &Path, arguments: &[&str]) -> String {
    let output = qianyi(dir, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every file under a folder, by its path from there.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    found.insert(path.strip_prefix(dir).unwrap().to_owned(), std::fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

/// The one folder that the data was unpacked into.
fn unpacked(work: &Path) -> PathBuf {
    let all: Vec<_> = std::fs::read_dir(work.join("built-in")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn in_an_empty_folder_the_binary_has_its_data_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let demo = said(dir.path(), &["demo", "--persons", "200", "--seed", "4", "--quiet"]);
    assert!(demo.contains("The package is sound"), "{demo}");
    let data = unpacked(&dir.path().join("work"));
    assert!(
        std::fs::metadata(&data).unwrap().permissions().mode().trailing_zeros() >= 6,
        "its owner's alone"
    );
    for folder in ["mappings", "sql"] {
        let (carried, there) = (files(&data.join(folder)), files(&root().join(folder)));
        let names = |of: &BTreeMap<PathBuf, Vec<u8>>| of.keys().cloned().collect::<Vec<_>>();
        // A file that was added while the binary was not built again: `touch src/cli/built_in.rs`.
        assert_eq!(names(&carried), names(&there));
        assert!(carried == there, "{folder} of the binary is not that of the checkout");
    }
    let version = said(dir.path(), &["--version"]);
    let digest = data.file_name().unwrap().to_str().unwrap().rsplit('-').next().unwrap();
    let head = format!("qianyi {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&head) && version.contains(&format!("data {digest}: ")), "{version}");
    assert!(!version.contains(env!("CARGO_MANIFEST_DIR")), "{version}");

    // The demo's settings, for the commands that ask for them.
    let config = dir.path().join("c.toml");
    let source = "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"work/legacy/baicheng.db\"\nencoding = \"gbk\"\n";
    std::fs::write(&config, format!("city = \"baicheng\"\nas_of = \"2021-05-31\"\n{source}")).unwrap();
    let doctor = said(dir.path(), &["--config", "c.toml", "doctor"]);
    assert!(doctor.contains(&format!("that of the binary ({digest})")), "{doctor}");

    // What somebody put there or changed is not used.
    let (more, changed) = (data.join("sql/rules/fill/ZZZ-01.sql"), data.join("mappings/baicheng/AC01.toml"));
    std::fs::write(&more, "-- no rule").unwrap();
    let was = std::fs::read(&changed).unwrap();
    std::fs::write(&changed, "no mapping").unwrap();
    let rules = said(dir.path(), &["--config", "c.toml", "rules", "list"]);
    assert!(rules.contains("FIX-04") && !more.exists());
    assert_eq!(std::fs::read(&changed).unwrap(), was);

    // A folder beside wins.
    let aside = dir.path().join("aside");
    crate::support::copy_folder(&root().join("mappings"), &aside.join("mappings"));
    let checks = said(&aside, &["--workdir", "../work", "--config", "../c.toml", "--json", "doctor"]);
    assert!(checks.contains("the files in mappings"), "{checks}");
    a_city_is_begun(dir.path());
}

/// `init` takes the national schema and the rules from the binary.
fn a_city_is_begun(dir: &Path) {
    said(dir, &["init", "new", "--city", "xin", "--database", "work/legacy/baicheng.db"]);
    for folder in ["mappings/national", "sql"] {
        assert!(files(&dir.join("new").join(folder)) == files(&root().join(folder)), "{folder}");
    }
    let plan = qianyi(dir, &["--config", "new/qianyi.toml", "plan"]);
    assert!(plan.status.code() == Some(0) || plan.status.code() == Some(3));
}

#[test]
fn two_nights_of_the_binary_alone_come_to_their_end_though_the_second_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut nights = Command::new(root().join("scripts/nights"));
    nights
        .args(["--persons", "80"])
        .arg(dir.path())
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_qianyi"))
        .current_dir(dir.path());
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        nights.env_remove(name);
    }
    let done = nights.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("both done, every row accounted for"), "{said}");
}

#[test]
fn every_command_has_its_page_of_the_manual() {
    let dir = tempfile::tempdir().unwrap();
    said(dir.path(), &["man", "man1"]);
    let pages = files(&dir.path().join("man1"));
    for name in ["qianyi.1", "qianyi-run.1", "qianyi-worklist-import.1"] {
        let page = String::from_utf8(pages[Path::new(name)].clone()).unwrap();
        assert!(page.contains(".TH") && page.contains("\\-\\-workdir"), "{name}");
    }
    assert!(!pages.keys().any(|name| name.display().to_string().contains("man.1")), "hidden");
}

#[test]
fn what_is_handed_out_is_complete_and_its_sums_are_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut dist = Command::new(root().join("scripts/dist"));
    dist.args(["--quick", "--binary", env!("CARGO_BIN_EXE_qianyi"), "--to"]).arg(dir.path());
    let made = dist.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let name = format!("qianyi-{}-linux-", env!("CARGO_PKG_VERSION"));
    let of = |ending: &str| {
        let mut all = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
        let found = all.find(|path| path.display().to_string().ends_with(ending));
        found.unwrap_or_else(|| panic!("no {ending}"))
    };
    let (tarball, deb, parts) = (of(".tar.gz"), of(".deb"), of(".sbom.cdx.json"));
    assert!(tarball.file_name().unwrap().to_str().unwrap().starts_with(&name));
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(dir.path()).output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    run("sha256sum", &["--quiet", "-c", "SHA256SUMS"]);
    let sums = std::fs::read_to_string(dir.path().join("SM3SUMS")).unwrap();
    let sm3 = <sm3::Sm3 as sm3::Digest>::digest(std::fs::read(&tarball).unwrap());
    let sm3: String = sm3.iter().map(|b| format!("{b:02x}")).collect();
    assert!(sums.contains(&sm3), "{sums}");
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(parts).unwrap()).unwrap();
    let inside = document["components"].as_array().unwrap();
    assert!(inside.iter().any(|c| c["name"] == "datafusion") && !inside.iter().any(|c| c["name"] == "insta"));

    let listed = run("tar", &["tzf", tarball.to_str().unwrap()]);
    for file in [
        "bin/qianyi",
        "lib/systemd/system/qianyi-schedule.service",
        "share/man/man1/qianyi-run.1.gz",
        "share/bash-completion/completions/qianyi",
        "share/doc/qianyi/html/docs/zh/install.html",
        "share/doc/qianyi/examples/city.example.toml",
        "share/doc/qianyi/examples/qianyi-weekly.timer",
        "share/doc/qianyi/sbom.cdx.json",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(&format!("/usr/{file}"))), "{file}: {listed}");
    }
    // Both hold the same.
    let count = |text: &str| text.lines().filter(|line| !line.ends_with('/')).count();
    assert_eq!(count(&run("dpkg-deb", &["-c", deb.to_str().unwrap()])), count(&listed));
    run("tar", &["xzf", tarball.to_str().unwrap(), "--strip-components=1"]);
    assert!(
        run(&dir.path().join("usr/bin/qianyi").display().to_string(), &["--version"]).starts_with("qianyi ")
    );
    let unit =
        std::fs::read_to_string(dir.path().join("usr/lib/systemd/system/qianyi-schedule.service")).unwrap();
    assert!(
        unit.contains("ExecStart=/usr/bin/qianyi --workdir /var/lib/qianyi --config /etc/qianyi/city.toml"),
        "{unit}"
    );
}
