//! Damages at every boundary: on disk, where the digest of the file names it; and inside a stage, before a digest is recorded, where the
//! reconciliation has to see it. What a boundary cannot see is written down here, and in docs/reconciliation.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use qianyi::artifacts::{Line, Reconciliation};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::measures::{
    Measure, RawSide, ReadAmount, RowOrder, boundary, compare_rows, layer1_measures, raw_side, side,
};
use qianyi::pipeline::{
    BadFile, FileFault, RuleSettings, RunSettings, build_package, differing_rows, finished, verify,
};
use qianyi::progress::Silent;
use qianyi::reconcile::{Sides, reconcile};
use qianyi::state::{Output, State};
use qianyi::{mapping, national, raw};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::support::damage::{Damaged, Kind, damage, put, whole};
use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::{copy_folder, parquet_under, write_part};

fn any(_: &str) -> bool {
    true
}

fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A damage of that kind, else of the next one that the part has values for.
fn damaged(batch: &RecordBatch, first: usize, rng: &mut ChaCha8Rng) -> Option<(Kind, Damaged)> {
    let kinds = (0..Kind::ALL.len()).map(|k| Kind::ALL[(first + k) % Kind::ALL.len()]);
    kinds.into_iter().find_map(|kind| Some((kind, damage(batch, kind, rng, &BTreeSet::new(), &any)?)))
}

fn file(workdir: &Path, part: &Path) -> String {
    part.strip_prefix(workdir).unwrap().display().to_string()
}

fn qianyi(workdir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        command.env_remove(name);
    }
    let output = command.args(args).args(["--lang", "en", "--workdir"]).arg(workdir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_thousand_damages_on_disk_are_named_by_their_files_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let (database, workdir) = (city(dir.path(), 60, 11), dir.path().join("work"));
    let rules = RuleSettings {
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"),
        national: folder("national"),
        ..RuleSettings::default()
    };
    ran(&RunSettings { rules: Some(rules), ..run_settings(&database, &workdir, 2) });
    let national = national::load(&folder("national")).unwrap();
    let mapped = mapping::load(&folder("baicheng"), &national).unwrap();
    let settings = EngineSettings { memory: 1 << 28, spill: workdir.join("spill"), partitions: 2 };
    let engine = Engine::start(settings, mapped.functions(as_of())).unwrap();
    let ended = finished(&workdir, None).unwrap();
    let package = build_package(&workdir, &engine, &national, &ended, true, &Silent).unwrap().0.path;

    // The ledger of rounds is proved by the runs that it tells of; the measures of a package by the reconciliation.
    let unrecorded =
        |p: &Path| p.starts_with(workdir.join("rounds")) || p.ends_with("measures/package.parquet");
    let parts: Vec<PathBuf> = parquet_under(&workdir).into_iter().filter(|p| !unrecorded(p)).collect();
    // The same rows written again are the same file.
    for part in parts.iter().step_by(15) {
        write_part(part, &whole(part));
    }
    assert!(verify(&workdir, &Silent).unwrap().is_sound());

    let kept = dir.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    let (mut planted, mut rng) = (BTreeMap::<Kind, u64>::new(), seeded(7));
    let mut stages: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..4 {
        let mut expected = BTreeMap::new();
        for (no, part) in parts.iter().enumerate().filter(|(no, _)| (no + round) % 2 == 0) {
            let Some((kind, other)) = damaged(&whole(part), no / 2 + round, &mut rng) else { continue };
            std::fs::hard_link(part, kept.join(no.to_string())).unwrap();
            put(part, &other.batch);
            *planted.entry(kind).or_default() += 1;
            let name = file(&workdir, part);
            let stage = name.split('/').take(if name.starts_with("runs") { 3 } else { 1 }).last().unwrap();
            *stages.entry(stage.to_owned()).or_default() += 1;
            expected.insert(name, no);
        }
        let found = verify(&workdir, &Silent).unwrap();
        // A package also says how many bytes it holds.
        let differs = |p: &&BadFile| p.fault == FileFault::Differs && !p.file.ends_with("/bag-info.txt");
        let named: BTreeSet<&String> = found.problems.iter().filter(differs).map(|p| &p.file).collect();
        assert_eq!(named, expected.keys().collect(), "round {round}");
        assert!(found.problems.iter().all(|p| p.fault == FileFault::Differs));
        if round == 0 {
            let (status, said) = qianyi(&workdir, &["verify", "--json"]);
            assert!(status != Some(0) && expected.keys().all(|f| said.contains(f.as_str())), "{said}");
            let (status, said) =
                qianyi(&workdir, &["package", "verify", package.to_str().unwrap(), "--json"]);
            let inside =
                expected.keys().filter_map(|f| f.strip_prefix(&format!("{}/", file(&workdir, &package))));
            assert!(status != Some(0) && inside.clone().count() > 5, "{said}");
            inside.for_each(|f| assert!(said.contains(f), "{f}: {said}"));
        }
        for (name, no) in expected {
            std::fs::rename(kept.join(no.to_string()), workdir.join(name)).unwrap();
        }
    }
    assert!(verify(&workdir, &Silent).unwrap().is_sound());
    assert!(planted.values().sum::<u64>() >= 1_000 && planted.len() == Kind::ALL.len(), "{planted:?}");
    assert!(planted.values().all(|n| *n >= 30), "{planted:?}");
    let wanted =
        ["raw", "typed", "mapped", "cleaned", "changes", "staged", "rejected", "dispositions", "packages"];
    assert!(wanted.iter().all(|s| stages.get(*s).is_some_and(|n| *n > 5)), "{stages:?}");
}

/// What two sides come to, compared.
fn compared(measures: &[Measure]) -> Reconciliation {
    reconcile(&Sides { run: "r0001", measures, known: &[], as_of: "2021-05-31" }).unwrap()
}

fn unexplained(of: &Reconciliation) -> Vec<&Line> {
    of.boundaries.iter().flat_map(|b| &b.lines).filter(|l| l.unexplained > 0).collect()
}

/// Of each kind of damage in each kind of column: how many were planted, how many were seen.
type Seen = BTreeMap<(Kind, &'static str), (u64, u64)>;

fn told(boundary: &str, of: &Seen) -> String {
    let line = |((kind, columns), (planted, seen)): (&(Kind, &str), &(u64, u64))| {
        let how = match (seen, planted - seen) {
            (_, 0) => "all",
            (0, _) => "none",
            _ => "some",
        };
        format!("{boundary} {kind:?} in {columns}: {how}")
    };
    of.iter().map(line).collect::<Vec<_>>().join("\n")
}

struct Stage {
    _dir: tempfile::TempDir,
    of: RunSettings,
    city: mapping::City,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let of = run_settings(&city(dir.path(), 60, 11), &dir.path().join("work"), 2);
        ran(&of);
        let national = national::load(&of.national).unwrap();
        let city = mapping::load(&of.city, &national).unwrap();
        Self { _dir: dir, of, city }
    }

    fn run_dir(&self) -> PathBuf {
        self.of.workdir.join("runs/r0001")
    }
}

/// Some columns, by what they are for.
type Class<'a> = (&'static str, &'a dyn Fn(&str) -> bool);

/// Every kind of damage in the money, in what cells are told by, and in other columns; `see` says whether it was seen.
fn plant(
    batch: &RecordBatch,
    (money, cells): (&[String], &[String]),
    rng: &mut ChaCha8Rng,
    seen: &mut Seen,
    mut see: impl FnMut(&Damaged, Kind) -> bool,
) {
    let own = |c: &str| !c.starts_with('_') && !c.ends_with("__b");
    let is_money = |c: &str| money.iter().any(|m| m == c);
    let is_cell = |c: &str| cells.iter().any(|m| m == c) && !is_money(c);
    let classes: [Class<'_>; 3] = [
        ("money", &is_money),
        ("insurance and period", &is_cell),
        ("other columns", &|c: &str| own(c) && !is_money(c) && !is_cell(c)),
    ];
    for kind in Kind::ALL {
        let whole_row = matches!(kind, Kind::Lost | Kind::Doubled | Kind::Moved);
        for (class, columns) in classes.iter().take(if whole_row { 1 } else { 3 }) {
            let class = if whole_row { "rows" } else { class };
            let Some(other) = damage(batch, kind, rng, &BTreeSet::new(), columns) else { continue };
            let entry = seen.entry((kind, class)).or_default();
            entry.0 += 1;
            entry.1 += u64::from(see(&other, kind));
        }
    }
}

#[test]
fn a_damage_before_a_digest_is_recorded_is_seen_by_what_the_boundary_counts() {
    let stage = Stage::new();
    let state = State::open_readonly(&stage.of.workdir).unwrap();
    let view = raw::current(&state, "ylbx").unwrap();
    let (scratch, mut rng) = (tempfile::tempdir().unwrap(), seeded(3));
    let part = scratch.path().join("damaged.parquet");
    let (mut of_raw, mut of_typed, mut of_gate) = (Seen::new(), Seen::new(), Seen::new());
    for (name, table) in view.tables.iter().filter(|(_, t)| t.rows > 1) {
        let Some(reading) = stage.city.view_of("ylbx", name) else { continue };
        let spec = reading.measures.as_ref();
        let by = spec.map(|s| s.by.clone()).unwrap_or_default();
        let legacy = |c: &String| reading.column(c).map(|c| c.from.clone());
        let amounts: Vec<String> = spec.iter().flat_map(|s| &s.amounts).filter_map(legacy).collect();
        let label = format!("ylbx.{name}");
        let paths: Vec<PathBuf> = table.parts.iter().map(|p| p.path.clone()).collect();

        // source–raw: what the source said is what was counted of the parts as they are.
        let count = |parts: &[PathBuf]| {
            raw_side(&RawSide { table: &label, parts, by: &by, amounts: &amounts }).unwrap()
        };
        let said = count(&paths);
        let source = |m: &Measure| Measure { side: side::SOURCE.to_owned(), ..m.clone() };
        let with = |found: Vec<Measure>| compared(&said.iter().map(source).chain(found).collect::<Vec<_>>());
        assert_eq!(unexplained(&with(said.clone())), Vec::<&Line>::new());
        let rest = &paths[1..];
        plant(&whole(&paths[0]), (&amounts, &by), &mut rng, &mut of_raw, |other, _| {
            put(&part, &other.batch);
            let found = with(count(&[std::slice::from_ref(&part), rest].concat()));
            unexplained(&found).iter().any(|l| l.table == label)
        });

        // raw–mapped, layer 1: what was read of the parts, damaged.
        if reading.unique {
            let typed = parquet_under(&stage.run_dir().join("typed").join(&label));
            let schema = qianyi::dataset::schema_of(&typed[0]).unwrap();
            let raw_schema = qianyi::dataset::schema_of(&paths[0]).unwrap();
            let exact = |c: &str| {
                use arrow::datatypes::DataType::{Decimal128, Int16, Int32, Int64};
                let kind = raw_schema.field_with_name(c).unwrap().data_type();
                matches!(kind, Decimal128(_, ..=2) | Int16 | Int32 | Int64)
            };
            let money = |c: &&(String, String, qianyi::functions::Unit)| exact(&c.0);
            let read: Vec<(String, String, qianyi::functions::Unit)> = reading
                .read_columns()
                .filter_map(|(column, viewed)| match viewed.read {
                    qianyi::functions::Read::Money(unit) => {
                        Some((column.from.clone(), column.name.clone(), unit))
                    }
                    _ => None,
                })
                .collect();
            let read: Vec<_> = read.iter().filter(money).cloned().collect();
            let columns: Vec<ReadAmount> = read
                .iter()
                .map(|(legacy, typed, unit)| ReadAmount {
                    legacy: legacy.clone(),
                    typed: typed.clone(),
                    unit: *unit,
                })
                .collect();
            let typed_money: Vec<String> = read.iter().map(|r| r.1.clone()).collect();
            assert!(typed_money.iter().all(|c| schema.field_with_name(c).is_ok()));
            let count =
                |typed: &[PathBuf]| layer1_measures(&label, &paths, typed, &columns, RowOrder::Kept).unwrap();
            assert_eq!(unexplained(&compared(&count(&typed))), Vec::<&Line>::new());
            let rest = &typed[1..];
            plant(&whole(&typed[0]), (&typed_money, &[]), &mut rng, &mut of_typed, |other, _| {
                put(&part, &other.batch);
                let found = compared(&count(&[std::slice::from_ref(&part), rest].concat()));
                unexplained(&found).iter().any(|l| l.table == label)
            });
        }
    }
    // mapped–dispositions: rows behind the gate, damaged; each is named with its column.
    for table in std::fs::read_dir(stage.run_dir().join("staged")).unwrap().map(|e| e.unwrap().path()) {
        for staged in parquet_under(&table) {
            let batch = whole(&staged);
            let before = [staged.clone()];
            plant(&batch, (&[], &[]), &mut rng, &mut of_gate, |other, kind| {
                put(&part, &other.batch);
                let found = compare_rows(2, &before, std::slice::from_ref(&part)).unwrap();
                named(&batch, other, kind, &found)
            });
        }
    }
    let all = [
        told("source-raw", &of_raw),
        told("raw-mapped, layer 1", &of_typed),
        told("mapped-dispositions", &of_gate),
    ];
    let planted: u64 = [&of_raw, &of_typed, &of_gate].iter().flat_map(|s| s.values()).map(|n| n.0).sum();
    assert!(planted > 1_000, "{planted}");
    insta::assert_snapshot!("what_a_boundary_sees", all.join("\n"));
}

/// Whether the rows that differ are those that were damaged, with the column. A doubled row is one too many: `rows` says so.
fn named(batch: &RecordBatch, other: &Damaged, kind: Kind, found: &qianyi::measures::Compared) -> bool {
    let key = |row: &usize| {
        let at = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().value(*row).to_owned();
        (at("_key"), at("_source"))
    };
    let column: Vec<String> = other.column.iter().cloned().collect();
    let told: BTreeSet<_> = found.differing.iter().map(|d| (d.key.clone(), d.source.clone())).collect();
    let expected: BTreeSet<_> = other.rows.iter().map(key).collect();
    let differ = found.rows - found.same;
    match kind {
        Kind::Moved => differ > 0 || !told.is_empty(),
        Kind::Doubled => {
            assert_eq!(differ, 0);
            other.batch.num_rows() as u64 != found.rows
        }
        _ => {
            differ == other.rows.len() as u64
                && told == expected
                && found.differing.iter().all(|d| d.columns == column)
        }
    }
}

/// Records a part of a run as it is now, as a stage would have that wrote it so.
fn recorded_anew(value: &mut serde_json::Value, before: &str, now: &qianyi::dataset::PartInfo) {
    match value {
        serde_json::Value::Array(all) => all.iter_mut().for_each(|v| recorded_anew(v, before, now)),
        serde_json::Value::Object(all) => {
            if all.get("sha256").is_some_and(|s| s == before) {
                all.insert("sha256".to_owned(), now.sha256.clone().into());
                all.insert("bytes".to_owned(), now.bytes.into());
                all.insert("rows".to_owned(), now.rows.into());
            }
            all.values_mut().for_each(|v| recorded_anew(v, before, now));
        }
        _ => {}
    }
}

/// A copy of the work directory in which a stage did something wrong: what `wrong` makes of each of its parts.
fn by_a_wrong_stage(
    stage: &Stage,
    name: &str,
    to: &Path,
    mut wrong: impl FnMut(&Output, &Path, &RecordBatch) -> Option<RecordBatch>,
) -> RunSettings {
    let of = RunSettings { workdir: to.to_owned(), config_digest: name.to_owned(), ..stage.of.clone() };
    copy_folder(&stage.of.workdir, to);
    let state = State::open(to, "test").unwrap();
    let run = state.runs().unwrap()[0].id;
    for mut output in state.outputs(run).unwrap().into_iter().filter(|o| o.stage == name) {
        for no in 0..output.parts.len() {
            let part = output.parts[no].clone();
            let Some(batch) = wrong(&output, &part.path, &whole(&part.path)) else { continue };
            let now = write_part(&part.path, &batch);
            recorded_anew(&mut output.counts, &part.sha256, &now);
            output.parts[no] = now;
        }
        state.record_output(run, &output).unwrap();
    }
    of
}

fn texts(batch: &RecordBatch, column: Option<&String>) -> Vec<String> {
    let Some(column) = column else { return vec![String::new(); batch.num_rows()] };
    let column = batch.column_by_name(column).unwrap();
    let format = ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap();
    (0..batch.num_rows()).map(|row| format.value(row).to_string()).collect()
}

#[test]
fn a_stage_that_does_something_wrong_is_found_by_the_run_that_takes_its_work() {
    let stage = Stage::new();
    assert_eq!(unexplained(&finished(&stage.of.workdir, None).unwrap().reconciliation), Vec::<&Line>::new());
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), seeded(5));

    // The gate: staged rows that are not those that were mapped; in half of the tables rows that only changed places.
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut turn = 0;
    let of = by_a_wrong_stage(&stage, "gate", &dir.path().join("gate"), |output, path, batch| {
        turn += 1;
        let staged = path.components().any(|c| c.as_os_str() == "staged");
        if !staged || turn % 2 == 0 {
            let rows = (0..batch.num_rows() as u64).rev().collect::<arrow::array::UInt64Array>();
            return staged.then(|| arrow::compute::take_record_batch(batch, &rows).unwrap());
        }
        let (mut batch, mut spared) = (batch.clone(), BTreeSet::new());
        for kind in [
            Kind::Character,
            Kind::Day,
            Kind::NullForEmpty,
            Kind::FullWidth,
            Kind::SwappedYear,
            Kind::SwappedPersons,
        ] {
            let Some(other) = damage(&batch, kind, &mut rng, &spared, &|c| !c.starts_with('_')) else {
                continue;
            };
            spared.extend(other.rows.iter().copied());
            let keys = batch.column_by_name("_key").unwrap().as_string::<i32>();
            let told =
                other.rows.iter().filter(|row| keys.is_valid(**row)).map(|row| keys.value(*row).to_owned());
            expected.entry(output.table.clone()).or_default().extend(told);
            batch = other.batch;
        }
        Some(batch)
    });
    ran(&of);
    let ended = finished(&of.workdir, None).unwrap();
    let found: BTreeMap<String, BTreeSet<String>> = differing_rows(&ended)
        .unwrap()
        .into_iter()
        .map(|(table, rows)| (table, rows.into_iter().map(|r| r.key).collect()))
        .collect();
    expected.retain(|_, rows| !rows.is_empty());
    assert_eq!(found, expected);
    assert!(expected.values().map(BTreeSet::len).sum::<usize>() > 50);
    let lines: BTreeSet<&str> = unexplained(&ended.reconciliation)
        .into_iter()
        .filter(|l| l.measure == "content")
        .map(|l| l.table.as_str())
        .collect();
    assert_eq!(lines, expected.keys().map(String::as_str).collect());
    let (status, said) = qianyi(&of.workdir, &["reconcile"]);
    assert!(status == Some(3) && said.contains("Rows that the gate did not leave"), "{said}");

    mapped_wrongly(&stage, &dir.path().join("map"), &mut rng);
}

/// The mapping: one kind a part, so that a line says how many.
fn mapped_wrongly(stage: &Stage, to: &Path, rng: &mut ChaCha8Rng) {
    let national = national::load(&stage.of.national).unwrap();
    let before = finished(&stage.of.workdir, None).unwrap().reconciliation;
    let placed: BTreeSet<(String, String)> = before
        .boundaries
        .iter()
        .flat_map(|b| &b.lines)
        .filter_map(|l| Some((l.table.clone(), l.measure.strip_prefix("placed:")?.to_owned())))
        .collect();
    assert!(placed.len() > 10, "{placed:?}");
    // Edge and the beginning of a measure → what it must leave unexplained.
    let (mut expected, mut turn) = (BTreeMap::<(String, &str), u128>::new(), 0);
    let of = by_a_wrong_stage(stage, "map", to, |output, path, batch| {
        let table = output.table.split('/').next().unwrap();
        let known = national.table(table)?;
        if !path.components().any(|c| c.as_os_str() == "mapped") || batch.num_rows() < 4 {
            return None;
        }
        let sources = texts(batch, Some(&"_source".to_owned()));
        let edge = format!("{}→{table}", sources[0]);
        let columns = placed.iter().find(|(of, _)| *of == edge).map(|(_, columns)| columns.clone())?;
        let first = columns.split('+').next().unwrap().to_owned();
        turn += 1;
        let (kind, measure) = [
            (Kind::Fen, "fen:"),
            (Kind::SwappedPersons, "placed:"),
            (Kind::Lost, "rows"),
            (Kind::Doubled, "rows"),
        ][turn % 4];
        let (mut batch, mut spared) = (batch.clone(), BTreeSet::new());
        if kind == Kind::SwappedPersons {
            // Two rows of one cell, so that no sum tells.
            let cells: Vec<String> = texts(&batch, known.insurance.as_ref())
                .into_iter()
                .zip(texts(&batch, known.period.as_ref()))
                .map(|(i, p)| format!("{i} {p}"))
                .collect();
            let amounts = texts(&batch, Some(&first));
            let pair = (0..cells.len()).find_map(|a| {
                let other = (a + 1..cells.len()).find(|b| {
                    cells[a] == cells[*b]
                        && amounts[a] != amounts[*b]
                        && !amounts[a].is_empty()
                        && !amounts[*b].is_empty()
                })?;
                Some([a, other])
            })?;
            spared.extend((0..cells.len()).filter(|row| !pair.contains(row)));
        }
        let times = if kind == Kind::SwappedPersons { 1 } else { 3 };
        for _ in 0..times {
            let other = damage(&batch, kind, rng, &spared, &|c| c == first)?;
            *expected.entry((edge.clone(), measure)).or_default() += 1;
            batch = other.batch;
        }
        Some(batch)
    });
    ran(&of);
    let ended = finished(&of.workdir, None).unwrap().reconciliation;
    let mapped = ended.boundaries.iter().find(|b| b.boundary == boundary::RAW_MAPPED).unwrap();
    let mut found = BTreeMap::new();
    for (edge, measure) in expected.keys() {
        let lines = mapped.lines.iter().filter(|l| {
            let kind = l.measure.split(':').next().unwrap();
            l.table == *edge && measure.starts_with(kind)
                || (*measure == "rows" && l.table == *edge && l.measure == "parts")
        });
        let most = lines.map(|l| l.unexplained).max().unwrap_or(0);
        found.insert((edge.clone(), *measure), most);
    }
    assert_eq!(found, expected);
    assert!(expected.len() > 10 && expected.keys().any(|(_, m)| *m == "placed:"), "{expected:?}");
    // Nothing else is said to be wrong.
    let wrong: BTreeSet<&str> =
        mapped.lines.iter().filter(|l| l.unexplained > 0).map(|l| l.table.as_str()).collect();
    assert_eq!(wrong, expected.keys().map(|(edge, _)| edge.as_str()).collect());
}
