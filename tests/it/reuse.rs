//! A run over what an earlier one has made: what has the same inputs is taken over, everything else is computed.

use std::os::unix::fs::MetadataExt;

use qianyi::artifacts::Summary;
use qianyi::dataset::PartInfo;
use qianyi::pipeline::RunSettings;
use qianyi::state::{Output, State};

use crate::support::copy_folder;
use crate::support::demo::{city, folder, ran, run_settings};

fn begun() -> (tempfile::TempDir, RunSettings) {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 3);
    let mut of = run_settings(&database, &dir.path().join("work"), 2);
    of.city = dir.path().join("baicheng");
    copy_folder(&folder("baicheng"), &of.city);
    (dir, of)
}

/// An output, and the files of its parts.
struct Made {
    output: Output,
    files: Vec<u64>,
}

/// The outputs of the newest run.
fn outputs(of: &RunSettings) -> Vec<Made> {
    let state = State::open_readonly(&of.workdir).unwrap();
    let newest = state.runs().unwrap().last().unwrap().id;
    let file = |part: &PartInfo| std::fs::metadata(&part.path).unwrap().ino();
    let made = |output: Output| Made { files: output.parts.iter().map(file).collect(), output };
    let outputs = state.outputs(newest).unwrap();
    outputs.into_iter().filter(|o| !["round", "documents"].contains(&o.stage.as_str())).map(made).collect()
}

/// Stages that computed something, with their rows; but for the round, which stands on the round before.
fn computed(summary: &Summary) -> Vec<(&str, u64)> {
    let own =
        summary.stages.iter().filter(|s| !["extract", "round"].contains(&s.stage.as_str()) && s.rows > 0);
    own.map(|s| (s.stage.as_str(), s.rows)).collect()
}

/// Where the parts of two lists of outputs are not the same files, under other names.
fn apart(before: &[Made], after: &[Made]) -> Vec<String> {
    let mut found = Vec::new();
    assert_eq!(before.len(), after.len());
    for (old, new) in before.iter().zip(after) {
        let (stage, table) = (&new.output.stage, &new.output.table);
        assert_eq!((&old.output.stage, &old.output.table), (stage, table));
        let paths = |made: &Made| made.output.parts.iter().map(|p| p.path.clone()).collect::<Vec<_>>();
        if old.files != new.files || (!old.files.is_empty() && paths(old) == paths(new)) {
            found.push(format!("{stage} {table}"));
        }
    }
    found
}

fn digests(summary: &Summary) -> Vec<(String, String, String)> {
    let of =
        |t: &qianyi::artifacts::TableRow| (t.table.clone(), t.content_digest.clone(), t.file_digest.clone());
    summary.tables.iter().map(of).collect()
}

#[test]
fn an_unchanged_run_takes_everything_over_and_says_the_same() {
    let (_dir, mut of) = begun();
    let first = ran(&of);
    let before = outputs(&of);
    // Acknowledgements are no input of any stage.
    of.expected.acknowledged.clear();
    of.config_digest = "another".to_owned();
    let second = ran(&of);
    assert_ne!(first.run, second.run);
    assert_eq!(computed(&second), []);
    assert_eq!(apart(&before, &outputs(&of)), Vec::<String>::new());
    assert_eq!(digests(&first), digests(&second));
    assert_eq!(
        (&first.findings, &first.read_errors, &first.dispositions),
        (&second.findings, &second.read_errors, &second.dispositions)
    );
    assert_eq!((first.unexplained_rows, second.unexplained_rows), (0, 0));
    assert!(
        !of.workdir.join("runs").join(&first.run).join("typed").exists(),
        "only the newest run keeps layer 1"
    );
}

#[test]
fn another_mapping_is_computed_and_a_part_that_was_changed_is_not_taken_over() {
    let (_dir, of) = begun();
    let first = ran(&of);
    let before = outputs(&of);
    let typed = before.iter().find(|m| m.output.stage == "read" && m.output.table == "ylbx.GRJBXX").unwrap();
    let path = &typed.output.parts[0].path;
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    let second = ran(&RunSettings { config_digest: "another".to_owned(), ..of.clone() });
    let again: Vec<String> =
        apart(&before, &outputs(&of)).into_iter().filter(|a| a.starts_with("read ")).collect();
    assert_eq!(again, ["read ylbx.GRJBXX"], "its size is the same: the bytes tell");
    assert_eq!(digests(&first), digests(&second));
    let file = of.city.join("AC01.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n# another mapping\n")).unwrap();
    let third = ran(&of);
    let stages: Vec<&str> = computed(&third).into_iter().map(|(stage, _)| stage).collect();
    for stage in ["read", "map", "check", "gate", "count"] {
        assert!(stages.contains(&stage), "{stage}: {stages:?}");
    }
    assert_eq!(digests(&first), digests(&third));
}

#[test]
fn an_increment_reads_and_maps_only_the_tables_that_it_touched() {
    let (dir, of) = begun();
    ran(&of);
    let before = outputs(&of);
    let source = rusqlite::Connection::open(dir.path().join("ylbx.db")).unwrap();
    let changed = source.execute("DELETE FROM QFXX WHERE rowid = (SELECT max(rowid) FROM QFXX)", []).unwrap();
    assert_eq!(changed, 1);
    drop(source);
    ran(&of);
    let apart = apart(&before, &outputs(&of));
    let of_stage = |stage: &str| apart.iter().filter(|a| a.starts_with(stage)).cloned().collect::<Vec<_>>();
    assert_eq!(of_stage("read "), ["read ylbx.QFXX"]);
    assert!(
        of_stage("map ").iter().all(|m| m.ends_with("/QFXX")) && !of_stage("map ").is_empty(),
        "{apart:?}"
    );
    assert!(!of_stage("count ").is_empty(), "{apart:?}");
}
