//! What is approved and changes rows and money: added rows, merged rows, reconciled money, and the tables of change records. Each has its reason
//! in reconciliation; without one a difference is unexplained. Kills in cleaning change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use qianyi::artifacts::{CleanRow, FindingChange, InvariantEnd, Status, Summary};
use qianyi::dataset::{read_part, schema_of};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::National;
use qianyi::pipeline::{
    Approver, FileFault, ProposedBatch, RuleSettings, RunSettings, against, approve, build_package, finished,
    proposals, reconcile_again, rule_input, run, trace, verify,
};
use qianyi::progress::{Progress, Silent};
use qianyi::rules::Effect;
use qianyi::state::State;

use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::{copy_folder, parquet_under};

fn rules() -> RuleSettings {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    RuleSettings { folder: sql, national: folder("national"), ..RuleSettings::default() }
}

fn national() -> National {
    qianyi::national::load(&folder("national")).unwrap()
}

fn settings(database: &Path, workdir: &Path, partitions: usize) -> RunSettings {
    RunSettings { rules: Some(rules()), ..run_settings(database, workdir, partitions) }
}

/// Approves everything that a run proposes; the batches.
fn approve_all(of: &RunSettings, summary: &Summary) -> Vec<ProposedBatch> {
    let national = national();
    let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
    let input = rule_input(of.rules.as_ref(), &national, &city).unwrap().unwrap();
    let ended = finished(&of.workdir, Some(&summary.run)).unwrap();
    let state = State::open(&of.workdir, "approve").unwrap();
    let all = proposals(&state, &ended, &national, &input.book).unwrap();
    let by =
        Approver { name: "王科长".to_owned(), account: "wang".to_owned(), reason: "清单".to_owned() };
    approve(&state, &ended, &all.iter().collect::<Vec<_>>(), &by).unwrap();
    all
}

/// Text cells of every part under a folder: those of some columns, row by row.
fn texts(dir: &Path, columns: &[&str]) -> Vec<Vec<Option<String>>> {
    let mut all = Vec::new();
    for part in parquet_under(dir) {
        for batch in read_part(&part).unwrap() {
            let batch = batch.unwrap();
            let of: Vec<_> = columns
                .iter()
                .map(|c| {
                    arrow::compute::cast(batch.column_by_name(c).unwrap(), &arrow::datatypes::DataType::Utf8)
                        .unwrap()
                })
                .collect();
            for row in 0..batch.num_rows() {
                let cell = |c: &arrow::array::ArrayRef| {
                    let c = c.as_string::<i32>();
                    c.is_valid(row).then(|| c.value(row).to_owned())
                };
                all.push(of.iter().map(cell).collect());
            }
        }
    }
    all
}

/// SHA-256 of what cleaning and everything after it made, by path.
fn digests(of: &RunSettings, run: &str) -> BTreeMap<PathBuf, String> {
    let dir = of.workdir.join("runs").join(run);
    let mut found = BTreeMap::new();
    let folders = [
        "found",
        "changes",
        "cleaned",
        "merged",
        "reasons",
        "trail",
        "findings",
        "staged",
        "rejected",
        "dispositions",
    ];
    for part in folders.iter().flat_map(|f| parquet_under(&dir.join(f))) {
        found.insert(part.strip_prefix(&dir).unwrap().to_owned(), qianyi::durable::sha256(&part).unwrap());
    }
    found
}

fn row<'s>(summary: &'s Summary, batch: &ProposedBatch) -> &'s CleanRow {
    summary.cleaning.iter().find(|r| r.rule == batch.rule && r.table == batch.table).unwrap()
}

#[test]
fn approved_rows_are_added_and_merged_with_their_reasons_and_undone_again() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 600, 3);
    let of = settings(&database, &dir.path().join("work"), 2);
    let first = ran(&of);
    assert_eq!(first.status, Status::Done, "{:?}", first.blocked_by);
    assert!(first.reasons.is_empty(), "{:?}", first.reasons);
    let batches = approve_all(&of, &first);
    let book = {
        let national = national();
        let city = qianyi::mapping::load(&folder("baicheng"), &national).unwrap();
        rule_input(of.rules.as_ref(), &national, &city).unwrap().unwrap().book
    };
    let effect = |b: &ProposedBatch| {
        book.rules.iter().find(|r| r.id == b.rule && r.table == b.table).map(|r| r.effect)
    };
    let effects: BTreeSet<Effect> = batches.iter().filter_map(effect).collect();
    assert!(effects.contains(&Effect::Add) && effects.contains(&Effect::Merge), "{effects:?}");
    let second = ran(&of);
    assert_eq!((second.unexplained_rows, second.unexplained_fen), (0, 0));
    assert_eq!((second.status, second.blocked_by.as_slice()), (Status::Done, &[][..]));
    let broken: Vec<_> = second.invariants.iter().filter(|i| i.ended == InvariantEnd::Broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
    // What is approved is done; how much a later item proposes depends on what an earlier one has done.
    for batch in batches.iter().filter(|b| matches!(effect(b), Some(Effect::Add | Effect::Merge))) {
        let (before, after) = (row(&first, batch), row(&second, batch));
        assert!(after.repaired > before.repaired, "{after:?}");
    }
    let run = of.workdir.join("runs").join(&second.run);
    added(&run, &second);
    merged(&run, &second);
    trail(&run, &second);
    let rows = |folder: &str| texts(&run.join(folder), &["_key"]).len();
    crate::lists::say_what_the_run_says(&of, &second, rows("changes"), rows("merged"));
    key_map(&of, &second);
    // A difference that has lost its reason is unexplained.
    let ended = finished(&of.workdir, Some(&second.run)).unwrap();
    // What changed is told once, by column where the gate looks at it.
    let told = against(&finished(&of.workdir, Some(&first.run)).unwrap(), &ended).unwrap().findings;
    let twice = |f: &&FindingChange| {
        f.column.is_empty() && told.iter().filter(|o| (&o.table, &o.rule) == (&f.table, &f.rule)).count() > 1
    };
    assert!(told.iter().any(|f| !f.column.is_empty()) && !told.iter().any(|f| twice(&f)), "{told:?}");
    assert_eq!(reconcile_again(&ended).unwrap(), ended.reconciliation);
    let reasons: Vec<PathBuf> = parquet_under(&run.join("measures"))
        .into_iter()
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("reasons."))
        .collect();
    assert!(!reasons.is_empty());
    let copy = dir.path().join("copy");
    copy_folder(&of.workdir, &copy);
    for part in &reasons {
        std::fs::remove_file(copy.join(part.strip_prefix(&of.workdir).unwrap())).unwrap();
    }
    let less = reconcile_again(&finished(&copy, Some(&second.run)).unwrap()).unwrap().totals;
    let rows: i64 = second.reasons.iter().map(|r| r.rows).sum();
    assert_eq!(less.unexplained_rows, rows.unsigned_abs());
    assert!(less.unexplained_fen > 0, "{less:?}");
    // Other partitions, the same bytes; a rerun takes everything over.
    let expected = digests(&of, &second.run);
    let seven = settings(&database, &dir.path().join("seven"), 7);
    let begun = ran(&seven);
    approve_all(&seven, &begun);
    let other = ran(&seven);
    assert_eq!(digests(&seven, &other.run), expected);
    let again = ran(&RunSettings { config_digest: "another".to_owned(), ..of.clone() });
    // A round of its own is closed all the same.
    let computed = again.stages.iter().filter(|s| s.stage != "extract" && s.stage != "round");
    let rows: u64 = computed.map(|s| s.rows).sum();
    assert_eq!((rows, digests(&of, &again.run)), (0, expected));
    // Undone, everything is as it was.
    {
        let state = State::open(&of.workdir, "approve").unwrap();
        for batch in state.batches().unwrap() {
            state.undo_batch(batch.id, "王科长").unwrap();
        }
    }
    let undone = ran(&of);
    assert_eq!(digests(&of, &undone.run), digests(&of, &first.run));
    assert_eq!(undone.tables, first.tables);
    // What people undid has not come back by itself.
    let round = undone.rounds.last().unwrap().total();
    assert_eq!(round.reopened, 0, "{:?}", undone.rounds.last());
}

/// Added rows: whole rows of their table, named by rule and origin, each with a record, counted by rule.
fn added(run: &Path, summary: &Summary) {
    let national = national();
    let records =
        texts(&run.join("changes"), &["table", "_key", "_source", "_skey", "column", "before", "batch"]);
    let mut rows = 0;
    for reason in summary.reasons.iter().filter(|r| r.effect == "added") {
        let table = national.table(&reason.table).unwrap();
        let source = format!("rule:{}", reason.rule);
        let mut found = Vec::new();
        for folder in ["staged", "rejected"] {
            let dir = run.join(folder).join(&reason.table);
            found.extend(
                texts(&dir, &["_key", "_source", "_skey"])
                    .into_iter()
                    .filter(|r| r[1].as_deref() == Some(&source)),
            );
        }
        assert_eq!(i64::try_from(found.len()).unwrap(), reason.rows, "{reason:?}");
        for row in &found {
            assert!(row[2].as_ref().unwrap().contains('/'), "{row:?}");
            let own = |r: &&Vec<Option<String>>| r[0].as_deref() == Some(&reason.table) && r[1..4] == row[..];
            let of: Vec<_> = records.iter().filter(own).filter(|r| r[4].as_deref() == Some("*")).collect();
            assert!(of.len() == 1 && of[0][5].is_none() && of[0][6].is_some(), "{row:?}: {of:?}");
        }
        let part = parquet_under(&run.join("cleaned"))
            .into_iter()
            .find(|p| p.parent().unwrap().ends_with(Path::new(&reason.table).join("added")));
        assert_eq!(schema_of(&part.unwrap()).unwrap().fields(), table.mapped_schema().fields());
        rows += found.len();
    }
    assert!(rows > 10, "{rows}");
    for table in &summary.tables {
        let dispositions = table.accepted + table.rejected + table.held + table.excluded + table.merged;
        assert_eq!(table.mapped + table.added, dispositions, "{}", table.table);
    }
}

/// Merged rows: donors are told with their survivor, and nobody in scope names a donor any more.
fn merged(run: &Path, summary: &Summary) {
    let map = texts(&run.join("merged"), &["_key", "survivor", "rule", "batch"]);
    assert!(!map.is_empty() && map.iter().all(|m| m[3].is_some()), "{map:?}");
    let told: u64 = summary.tables.iter().map(|t| t.merged).sum();
    assert_eq!(map.len() as u64, told);
    let dispositions = texts(&run.join("dispositions"), &["_key", "disposition", "reason", "parent"]);
    for donor in &map {
        let here: Vec<_> =
            dispositions.iter().filter(|d| d[0] == donor[0] && d[1].as_deref() == Some("merged")).collect();
        assert!(here.iter().any(|d| d[2] == donor[2] && d[3] == donor[1]), "{donor:?}: {here:?}");
    }
    let donors: BTreeSet<&Option<String>> = map.iter().map(|m| &m[0]).collect();
    let survivors: BTreeSet<&Option<String>> = map.iter().map(|m| &m[1]).collect();
    assert!(donors.is_disjoint(&survivors));
    let mut followed = 0;
    for table in ["AC02", "AC43"] {
        let staged = texts(&run.join("staged").join(table), &["AAC001"]);
        assert!(!staged.iter().any(|r| donors.contains(&r[0])), "{table}");
        followed += staged.iter().filter(|r| survivors.contains(&r[0])).count();
    }
    assert!(followed > 0);
}

/// The key map goes into the package and shows where a donor went; edited anywhere it is found and named.
fn key_map(of: &RunSettings, summary: &Summary) {
    let national = national();
    let ended = finished(&of.workdir, Some(&summary.run)).unwrap();
    let engine = engine(&of.workdir.with_extension("spill"));
    let sealed = build_package(&of.workdir, &engine, &national, &ended, true, &Silent).unwrap().0.path;
    let maps = parquet_under(&sealed.join("data/merged"));
    assert!(maps.iter().any(|m| m.ends_with("data/merged/merge/AC01.parquet")), "{maps:?}");
    let sound = qianyi::package::verify(&sealed, &Silent).unwrap();
    assert!(sound.problems.is_empty(), "{:?}", sound.problems);
    // A donor is looked up by its own number, and by that of the legacy system.
    let map = texts(
        &of.workdir.join("runs").join(&summary.run).join("merged"),
        &["_key", "survivor", "_source", "_skey", "rule"],
    );
    let donor = map.iter().find(|m| m[4].as_deref() == Some("MRG-01")).unwrap();
    let [key, survivor, source, skey] = [0, 1, 2, 3].map(|at| donor[at].clone().unwrap());
    for (table, key) in [("AC01", &key), (source.as_str(), &skey)] {
        let way = trace(&of.workdir, &engine, &national, &ended, table, key).unwrap();
        let row = way.rows.iter().find(|r| r.table == "AC01" && r.disposition == "merged").unwrap();
        let into = row.merged_into.as_ref().unwrap();
        assert_eq!((into.rule.as_str(), into.batch.is_some()), ("MRG-01", true));
    }
    let way = trace(&of.workdir, &engine, &national, &ended, "AC01", &survivor).unwrap();
    assert!(way.rows[0].merged_from.iter().any(|m| m.rule == "MRG-01" && m.origin.is_some()), "{way:?}");
    edited(of, &sealed, summary);
}

/// Changes a byte of the key map in a copy of the work directory: in the run, and in the package, whose own manifests are written anew.
fn edited(of: &RunSettings, sealed: &Path, summary: &Summary) {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&of.workdir, dir.path());
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let name = format!("runs/{}/merged/merge/AC01.parquet", summary.run);
    flip(&dir.path().join(&name));
    let found = verify(dir.path(), &Silent).unwrap();
    assert!(
        found.problems.iter().any(|p| p.file == name && p.fault == FileFault::Differs),
        "{:?}",
        found.problems
    );
    let copy =
        RunSettings { workdir: dir.path().to_owned(), config_digest: "edited".to_owned(), ..of.clone() };
    // The next run does not build on it: it stands on the mapped rows and the approvals, and makes the map anew.
    let again = ran(&copy);
    let own = format!("runs/{}/merged/merge/AC01.parquet", again.run);
    assert_eq!(std::fs::read(dir.path().join(own)).unwrap(), std::fs::read(of.workdir.join(&name)).unwrap());
    let package = dir.path().join(sealed.strip_prefix(&of.workdir).unwrap());
    let inside = "data/merged/merge/AC01.parquet";
    flip(&package.join(inside));
    let named = |package: &Path| {
        let found = qianyi::package::verify(package, &Silent).unwrap();
        found.problems.into_iter().map(|p| p.file).collect::<BTreeSet<_>>()
    };
    assert!(named(&package).contains(inside));
    // Whoever writes the manifests anew still contradicts what the run recorded.
    let digest = |name: &str| qianyi::durable::sha256(&package.join(name)).unwrap();
    let before = qianyi::durable::sha256(&sealed.join(inside)).unwrap();
    for name in ["data/tables.json", "manifest-sha256.txt"] {
        let text = std::fs::read_to_string(package.join(name)).unwrap();
        let old = qianyi::durable::sha256(&sealed.join("data/tables.json")).unwrap();
        let text = text.replace(&before, &digest(inside)).replace(&old, &digest("data/tables.json"));
        std::fs::write(package.join(name), text).unwrap();
    }
    let tags = std::fs::read_to_string(package.join("tagmanifest-sha256.txt")).unwrap();
    let old = qianyi::durable::sha256(&sealed.join("manifest-sha256.txt")).unwrap();
    std::fs::write(
        package.join("tagmanifest-sha256.txt"),
        tags.replace(&old, &digest("manifest-sha256.txt")),
    )
    .unwrap();
    assert_eq!(named(&package), BTreeSet::from([inside.to_owned()]));
}

/// An engine beside a run.
fn engine(spill: &Path) -> Engine {
    let city = qianyi::mapping::load(&folder("baicheng"), &national()).unwrap();
    let settings = EngineSettings { memory: 1 << 28, spill: spill.to_owned(), partitions: 2 };
    Engine::start(settings, city.functions(as_of())).unwrap()
}

/// The tables of change records: one detail a record, each of an event of the log.
fn trail(run: &Path, summary: &Summary) {
    let records = texts(&run.join("changes"), &["table", "column", "before", "after"]);
    let staged = |table: &str, columns: &[&str]| texts(&run.join("staged").join(table), columns);
    let mut details = staged("AC30A1", &["AAZ205", "AAZ002", "AAE157", "AAE122", "AAE123", "AAE124"]);
    details.extend(staged("AC31A1", &["AAZ205", "AAZ002", "AAE157", "AAE122", "AAE123", "AAE124"]));
    assert_eq!(details.len(), records.len());
    let ids: BTreeSet<_> = details.iter().map(|d| d[0].clone()).collect();
    assert_eq!(ids.len(), details.len(), "a detail has an id of its own");
    let log: BTreeSet<_> = staged("AE02", &["AAZ002"]).into_iter().map(|r| r[0].clone()).collect();
    assert!(details.iter().all(|d| log.contains(&d[1])));
    let fields = |rows: &[Vec<Option<String>>], from: usize| {
        let mut all: Vec<_> = rows
            .iter()
            .filter(|r| r[from + 1].as_deref() != Some("*"))
            .map(|r| r[from..from + 4].to_vec())
            .collect();
        all.sort();
        all
    };
    assert_eq!(fields(&details, 2), fields(&records, 0));
    for table in ["AE02", "AC30A1", "AC31A1"] {
        let of = summary.tables.iter().find(|t| t.table == table).unwrap();
        assert_eq!((of.mapped, of.added), (0, of.accepted), "{of:?}");
    }
}

/// A rule that adds events whose keys are there, and one whose key is not.
const TWICE: &str = "-- id: X-01\n-- title: 一 / one\n-- advice: 二 / two\n-- severity: E\n-- repair: A0\n-- department: 经办\n-- basis: test\n\
-- table: AC05\n-- column: AAZ002\n-- adds: AC05\n-- touches: AAZ002, AAC001, AAB001, AAE140\n-- effect: add\n\
SELECT e._key, e.AAZ002 AS AAZ002, e.AAC001 AS AAC001, e.AAB001 AS AAB001, e.AAE140 AS AAE140 FROM AC05 AS e WHERE e.AAE140 = '110'
UNION ALL SELECT min(e._key) AS _key, CAST(1 AS BIGINT) AS AAZ002, min(e.AAC001) AS AAC001, min(e.AAB001) AS AAB001, '110' AS AAE140 FROM AC05 AS e
UNION ALL SELECT max(e._key) AS _key, CAST(1 AS BIGINT) AS AAZ002, min(e.AAC001) AS AAC001, min(e.AAB001) AS AAB001, '110' AS AAE140 FROM AC05 AS e\n";

#[test]
fn a_row_whose_key_is_there_stays_proposed() {
    let dir = tempfile::tempdir().unwrap();
    let sql = dir.path().join("sql/rules/complete");
    std::fs::create_dir_all(&sql).unwrap();
    std::fs::write(sql.join("X-01.sql"), TWICE).unwrap();
    std::fs::write(sql.join("X-01.case"), "").unwrap();
    let few = RuleSettings {
        folder: dir.path().join("sql"),
        national: folder("national"),
        ..RuleSettings::default()
    };
    let database = city(dir.path(), 150, 3);
    let of = RunSettings { rules: Some(few), ..run_settings(&database, &dir.path().join("work"), 2) };
    let summary = ran(&of);
    let told = &summary.cleaning[0];
    assert!(told.repaired == 1 && told.proposed > 10, "{told:?}");
    let events = summary.tables.iter().find(|t| t.table == "AC05").unwrap();
    assert_eq!((events.added, summary.unexplained_rows, summary.unexplained_fen), (1, 0, 0));
}

#[test]
fn killed_anywhere_in_cleaning_the_next_start_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 150, 5);
    let of = settings(&database, &dir.path().join("work"), 2);
    let first = ran(&of);
    approve_all(&of, &first);
    let killed = RunSettings { workdir: dir.path().join("killed"), ..of.clone() };
    copy_folder(&of.workdir, &killed.workdir);
    let whole = ran(&of);
    assert!(whole.tables.iter().any(|t| t.merged > 0), "{:?}", whole.tables);
    let mut kills = 0;
    for name in qianyi::failpoint::ALL.iter().filter(|n| n.starts_with("clean.")) {
        for nth in [1, 2] {
            let ended = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "approved::run_in_a_child", "--ignored", "--nocapture"])
                .env("QIANYI_TEST_SOURCE", &database)
                .env("QIANYI_TEST_WORKDIR", &killed.workdir)
                .env("QIANYI_FAILPOINT", format!("{name}:{nth}"))
                .env("RUST_BACKTRACE", "0")
                .output()
                .unwrap();
            assert!(!ended.status.success(), "{name}:{nth} was not reached");
            kills += 1;
        }
    }
    assert_eq!(kills, 6);
    let resumed = ran(&killed);
    assert_eq!(resumed.run, whole.run);
    assert_eq!(digests(&killed, &resumed.run), digests(&of, &whole.run));
    assert_eq!(resumed.reasons, whole.reasons);
}

/// Not a test of its own: what the kills run.
#[test]
#[ignore = "run by other tests, in a process that may die"]
fn run_in_a_child() {
    let (Ok(source), Ok(work)) = (std::env::var("QIANYI_TEST_SOURCE"), std::env::var("QIANYI_TEST_WORKDIR"))
    else {
        return;
    };
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    if let Err(e) = run(&settings(Path::new(&source), Path::new(&work), 2), &progress) {
        println!("{e}");
    }
}
