//! state.db and the lock of the work directory.

use std::path::PathBuf;

use chrono::NaiveDate;
use qianyi::dataset::PartInfo;
use qianyi::error::{Consequence, RetryClass};
use qianyi::state::{ExtractStatus, NewExtract, Output, RunStatus, State, StateError};

fn part(workdir: &std::path::Path, name: &str) -> PartInfo {
    PartInfo { path: workdir.join(name), rows: 3, bytes: 100, sha256: "ab".repeat(32) }
}

#[test]
fn a_second_writer_is_told_who_holds_the_work_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = State::open(dir.path(), "qianyi extract").unwrap();
    let Err(error) = State::open(dir.path(), "qianyi run") else { panic!("two writers") };
    let StateError::Locked { pid, command, since, .. } = &error else { panic!("{error}") };
    assert_eq!(pid, &std::process::id().to_string());
    assert_eq!(command, "qianyi extract");
    assert!(since.ends_with('Z') && since.len() == 20, "{since}");
    assert_eq!(error.retry_class(), RetryClass::Resume);
    assert!(State::open_readonly(dir.path()).is_ok(), "readers need no lock");
    drop(first);
    assert!(State::open(dir.path(), "qianyi run").is_ok());
}

#[test]
fn reading_where_nothing_was_written_says_so_and_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = State::open_readonly(dir.path()) else { panic!("opened") };
    assert!(matches!(error, StateError::Missing { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(State::open(dir.path(), "test").unwrap());
    let db = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    for opened in [State::open(dir.path(), "test"), State::open_readonly(dir.path())] {
        let Err(error) = opened else { panic!("opened") };
        assert_eq!(error.to_string(), "state.db has form 99; this version knows forms up to 7");
    }
}

#[test]
fn a_state_of_an_older_version_is_brought_to_the_newest_form_by_a_writer_and_refused_to_readers() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    for (number, text) in (1..).zip([
        include_str!("../../src/state/migrations/0001.sql"),
        include_str!("../../src/state/migrations/0002.sql"),
        include_str!("../../src/state/migrations/0003.sql"),
    ]) {
        db.execute_batch(text).unwrap();
        db.pragma_update(None, "user_version", number).unwrap();
    }
    db.execute_batch(
        "INSERT INTO run (digest, extracts, status, started) VALUES ('aa', '[]', 'running', '2026-05-31T00:00:00Z')",
    )
    .unwrap();
    drop(db);
    let Err(error) = State::open_readonly(dir.path()) else { panic!("opened") };
    assert!(matches!(error, StateError::TooOld { found: 3, .. }), "{error}");
    let state = State::open(dir.path(), "test").unwrap();
    assert_eq!(state.unfinished_run("aa").unwrap().map(|r| r.as_of), Some(None));
    drop(state);
    assert!(State::open_readonly(dir.path()).is_ok());
}

#[test]
fn runs_go_on_only_under_their_own_digest() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), "test").unwrap();
    let first = state.begin_run("aa", &[], NaiveDate::default(), "op").unwrap();
    assert_eq!(first.to_string(), "r0001");
    let known = |digest: &str| state.unfinished_run(digest).unwrap().map(|r| (r.id, r.as_of));
    assert_eq!(known("aa"), Some((first, Some(NaiveDate::default()))));
    assert_eq!(known("bb"), None);
    state.set_run(first, RunStatus::Blocked).unwrap();
    assert_eq!(state.unfinished_run("aa").unwrap(), None);
    assert_eq!(state.begin_run("aa", &[], NaiveDate::default(), "op").unwrap().to_string(), "r0002");
    let statuses: Vec<_> =
        state.runs().unwrap().into_iter().map(|r| (r.status, r.finished.is_some())).collect();
    assert_eq!(statuses, [(RunStatus::Blocked, true), (RunStatus::Running, false)]);
}

#[test]
fn an_output_is_what_was_recorded_last_even_where_the_work_directory_moved() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let state = State::open(&old, "test").unwrap();
    let run = state.begin_run("aa", &[], NaiveDate::default(), "op").unwrap();
    let output = |name: &str, at: &PathBuf| Output {
        stage: "mapped".to_owned(),
        table: "AC01".to_owned(),
        parts: vec![part(at, name)],
        digest: "dd".to_owned(),
        counts: serde_json::json!({ "rows": 3 }),
    };
    state.record_output(run, &output("first", &old)).unwrap();
    state.record_output(run, &output("second", &old)).unwrap();
    assert_eq!(state.output(run, "mapped", "AC01").unwrap(), Some(output("second", &old)));
    drop(state);
    std::fs::rename(&old, &new).unwrap();
    let state = State::open(&new, "test").unwrap();
    assert_eq!(state.outputs(run).unwrap(), [output("second", &new)]);
    state.delete_output(run, "mapped", "AC01").unwrap();
    assert_eq!(state.output(run, "mapped", "AC01").unwrap(), None);
}

#[test]
fn a_damaged_state_says_so_and_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("state.db"),
        "neither SQLite nor anything else, and longer than a header of it ".repeat(4),
    )
    .unwrap();
    let before = std::fs::read(dir.path().join("state.db")).unwrap();
    for opened in [State::open(dir.path(), "test").err(), State::open_readonly(dir.path()).err()] {
        let error = opened.unwrap();
        assert!(matches!(error, StateError::Damaged { .. }), "{error}");
        assert_eq!(error.retry_class(), RetryClass::Usage);
    }
    assert_eq!(std::fs::read(dir.path().join("state.db")).unwrap(), before);
}

#[test]
fn what_is_recorded_about_a_thing_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), "test").unwrap();
    let run = state.begin_run("aa", &[], NaiveDate::default(), "op").unwrap();
    let of = NewExtract {
        source: "ylbx".to_owned(),
        consistency: String::new(),
        point: "p".to_owned(),
        settings: String::new(),
        tables: vec!["T".to_owned()],
    };
    let extract = state.begin_extract(&of).unwrap();
    let part = part(dir.path(), "000001.parquet");
    // Somebody opened a copy, or a row was lost: nothing of it may pass as done.
    let db = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM run; DELETE FROM extract").unwrap();
    drop(db);
    let refused: Vec<Result<(), StateError>> = vec![
        state.record_chunk(extract, "T", 1, &part),
        state.forget_chunk(extract, "T", 1),
        state.cut_chunk(extract, "T", 1, &part, ["a", "b"]).map(|_| ()),
        state.set_extract(extract, ExtractStatus::Complete),
        state.set_facts(extract, &[]),
        state.record_measures(extract, "", &part),
        state.set_run(run, RunStatus::Done),
        state.delete_output(run, "map", "AC43"),
    ];
    for (no, refused) in refused.into_iter().enumerate() {
        let error = refused.unwrap_err();
        assert!(matches!(error, StateError::Impossible { .. }), "{no}: {error}");
        assert_eq!(error.retry_class(), RetryClass::Bug);
    }
}

#[test]
fn rows_of_one_key_that_propose_the_same_are_one_approval() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), "test").unwrap();
    let text = |t: &str| t.to_owned();
    let of = qianyi::state::NewBatch {
        rule: text("FIL-10"),
        run: text("r0001"),
        approver: text("王科长"),
        account: text("wang"),
        reason: text("省局统一规则"),
    };
    assert_eq!(state.approve(&of, &[7, 7, 8]).unwrap(), 1);
    assert_eq!(state.batches().unwrap()[0].proposals, 2);
    assert_eq!(state.approved().unwrap().keys().copied().collect::<Vec<u128>>(), [7, 8]);
    state.undo_batch(1, "王科长").unwrap();
    assert!(state.approved().unwrap().is_empty());
}
