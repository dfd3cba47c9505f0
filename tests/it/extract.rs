//! source → raw: what is extracted, gone on with, reused; and the same bytes after any end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use qianyi::encoding::TextEncoding;
use qianyi::error::Consequence;
use qianyi::failpoint;
use qianyi::fixture::{Defects, FixtureSettings, generate};
use qianyi::measures::{RawSide, raw_side, read_measures, side};
use qianyi::pipeline::extract::{ExtractError, Extracted, Extraction, Origin, extract};
use qianyi::progress::Silent;
use qianyi::raw;
use qianyi::source::{SourceSettings, TableMeasures, connect};
use qianyi::state::{ExtractStatus, State};
use qianyi::stop::Stop;
use rusqlite::types::Value;

use crate::support::legacy::{Legacy, settings};
use crate::support::{parquet_under, text_rows};

const CHUNK_ROWS: u64 = 40;

/// Four small tables: keyed by bytes, keyed by two columns, without a key, empty.
fn city() -> Legacy {
    let legacy = Legacy::new(
        "CREATE TABLE GRJBXX (GRBH char(10) NOT NULL PRIMARY KEY, XM varchar(20), LRRQ datetime);
         CREATE TABLE GRZHND (GRBH char(10) NOT NULL, ND char(4) NOT NULL, YE numeric(12,2), PRIMARY KEY (GRBH, ND));
         CREATE TABLE YLJFF (GRBH char(10), JE money); CREATE TABLE QFXX (DWBH char(8))",
    );
    let key = |n: i64| Value::Blob(format!("{:010}", (n * 7919) % 100_000).into_bytes());
    let rows = |count: i64, f: &dyn Fn(i64) -> Vec<Value>| (0..count).map(f).collect::<Vec<_>>();
    let name = |n: i64| Value::Blob(if n % 9 == 0 { vec![0xAA, 0xA1] } else { vec![0xB0, 0xD7, 0xB3, 0xC7] });
    let time = |n: i64| Value::Text(format!("2009-03-{:02} 08:30:00.000", n % 28 + 1));
    legacy.insert("GRJBXX", &rows(150, &|n| vec![key(n), name(n), time(n)]));
    #[allow(clippy::cast_precision_loss)]
    let amount = |n: i64| Value::Real(n as f64 / 4.0);
    legacy.insert(
        "GRZHND",
        &rows(90, &|n| vec![key(n / 3), Value::Blob(format!("{}", 2000 + n % 3).into_bytes()), amount(n)]),
    );
    legacy.insert("YLJFF", &rows(40, &|n| vec![key(n % 7), amount(n)]));
    legacy
}

fn wanted() -> Vec<TableMeasures> {
    let texts = |t: &[&str]| t.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    vec![TableMeasures { table: "GRZHND".to_owned(), by: texts(&["ND"]), amounts: texts(&["YE"]) }]
}

async fn run(
    workdir: &Path,
    settings: &SourceSettings,
    measures: &[TableMeasures],
) -> Result<Extracted, ExtractError> {
    let state = State::open(workdir, "test")?;
    let source = connect(settings).await?;
    let tables: Vec<_> = source.catalogue().await?.into_iter().filter(|t| !t.view).collect();
    tokio::task::block_in_place(|| {
        extract(&Extraction {
            state: &state,
            source: &*source,
            runtime: &tokio::runtime::Handle::current(),
            tables: &tables,
            settings: &settings.tables,
            limits: &settings.limits,
            zone: settings.time_zone,
            chunk_rows: settings.chunk_rows,
            full_refresh: &BTreeSet::new(),
            measures,
            stop: &Stop::new(),
            progress: Arc::new(Silent),
            purpose: qianyi::pipeline::extract::Purpose::Extract,
        })
    })
}

/// The digest of every part as it lies on disk, by table and part; no unfinished file may be left.
fn digests(workdir: &Path) -> BTreeMap<String, String> {
    let state = State::open_readonly(workdir).unwrap();
    let view = raw::current(&state, "ylbx").unwrap();
    let mut all = BTreeMap::new();
    for (name, table) in view.tables {
        for part in table.parts {
            assert!(raw::intact(&part), "{}", part.path.display());
            let file = part.path.file_name().unwrap().to_string_lossy().into_owned();
            all.insert(format!("{name}/{file}"), part.sha256);
        }
    }
    all.insert("measures".to_owned(), view.measures.unwrap().sha256);
    assert_eq!(parquet_under(&workdir.join("raw")).len(), all.len(), "parts that nobody knows");
    all
}

fn unfinished(workdir: &Path) -> usize {
    let mut open = vec![workdir.join("raw")];
    let mut found = 0;
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(".tmp") {
                found += 1;
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extract_holds_every_row_and_the_sums_of_the_source() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    let done = run(work.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
    assert_eq!((done.origin, done.rows_read, done.id.to_string().as_str()), (Origin::New, 280, "e0001"));
    let counts: Vec<_> = done.tables.iter().map(|t| (t.table.as_str(), t.rows, t.parts.len())).collect();
    assert_eq!(counts, [("GRJBXX", 150, 4), ("GRZHND", 90, 3), ("QFXX", 0, 1), ("YLJFF", 40, 1)]);
    assert!(work.path().join("raw/ylbx/GRJBXX/e0001/000004.parquet").is_file());
    let measures = work.path().join("raw/ylbx/e0001.measures.parquet");
    let shown: Vec<String> =
        text_rows(&measures, &["boundary", "side", "table", "measure", "insurance", "period"])
            .into_iter()
            .map(|r| r.into_iter().map(Option::unwrap).collect::<Vec<_>>().join(","))
            .collect();
    assert_eq!(shown[0], "source-raw,source,ylbx.GRJBXX,rows,,");
    assert_eq!(shown[1], "source-raw,source,ylbx.GRZHND,fen:YE,,2000");
    assert_eq!(shown.len(), 1 + 2 * 3 + 1 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_raw_sum_every_type_alike() {
    let legacy = Legacy::new(
        "CREATE TABLE T (XZ char(2), NY nvarchar(6), D bit, A numeric(10,2), M money, F float, I int, S varchar(9));
         INSERT INTO T VALUES (x'594C', '一月', 1, 0.10, 0.0001, 338.39999, 5, x'312C3233'),
                              (x'594C', '一月', 1, 0.20, 1.5, -0.00019, 6, x'B0D7'),
                              (x'594C', '', 0, 0.30, NULL, 1e14, NULL, NULL),
                              (x'AAA1', NULL, NULL, -7, -1, 1, 1, x'B0')",
    );
    for by in [&[][..], &["XZ", "NY"], &["D"], &["I", "S"]] {
        let (lines, same) =
            both_sides(&legacy.path, 3, &[table_measures("T", by, &["A", "M", "F", "I", "D", "S"])]).await;
        assert!(lines >= 8, "{by:?}");
        assert!(same, "{by:?}");
    }
    let work = tempfile::tempdir().unwrap();
    let error = run(work.path(), &legacy.settings(3), &[table_measures("T", &["F"], &[])]).await.unwrap_err();
    assert!(error.to_string().contains("group T by F: it is neither text nor a whole number"), "{error}");
}

fn table_measures(table: &str, by: &[&str], amounts: &[&str]) -> TableMeasures {
    let texts = |t: &[&str]| t.iter().map(|s| (*s).to_owned()).collect();
    TableMeasures { table: table.to_owned(), by: texts(by), amounts: texts(amounts) }
}

/// Extracts, then compares the source's answers with the same counted from the parts: how many lines, and whether they agree.
async fn both_sides(database: &Path, chunk_rows: u64, wanted: &[TableMeasures]) -> (usize, bool) {
    let work = tempfile::tempdir().unwrap();
    let done = run(work.path(), &settings(database, chunk_rows), wanted).await.unwrap();
    let mut raw = Vec::new();
    for table in &done.tables {
        let name = format!("ylbx.{}", table.table);
        let parts: Vec<_> = table.parts.iter().map(|p| p.path.clone()).collect();
        let asked = wanted.iter().find(|w| w.table == table.table);
        let side = RawSide {
            table: &name,
            parts: &parts,
            by: asked.map_or(&[], |a| &a.by),
            amounts: asked.map_or(&[], |a| &a.amounts),
        };
        raw.extend(raw_side(&side).unwrap());
    }
    let mut source = read_measures(&done.measures.path).unwrap();
    source.iter_mut().for_each(|m| m.side = side::RAW.to_owned());
    raw.sort();
    // A source says nothing of the sums of an empty table, raw says 0.
    raw.retain(|m| m.value != 0 || source.contains(m));
    (source.len(), source == raw)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_source_is_not_read_twice() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    let settings = legacy.settings(CHUNK_ROWS);
    run(work.path(), &settings, &wanted()).await.unwrap();
    let before = digests(work.path());
    let again = run(work.path(), &settings, &wanted()).await.unwrap();
    assert_eq!((again.origin, again.rows_read, again.id.to_string().as_str()), (Origin::Reused, 0, "e0001"));
    assert_eq!(digests(work.path()), before);
    let other = run(work.path(), &settings, &[]).await.unwrap();
    assert_eq!((other.origin, other.rows_read), (Origin::Resumed, 0), "other sums are asked, no row is read");
    assert_ne!(digests(work.path())["measures"], before["measures"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_lost_or_changed_is_read_again() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    let settings = legacy.settings(CHUNK_ROWS);
    run(work.path(), &settings, &wanted()).await.unwrap();
    let before = digests(work.path());
    let part = |n: u32| work.path().join(format!("raw/ylbx/GRJBXX/e0001/{n:06}.parquet"));
    std::fs::remove_file(part(1)).unwrap();
    let mut bytes = std::fs::read(part(2)).unwrap();
    bytes[40] ^= 1;
    std::fs::write(part(2), bytes).unwrap();
    let again = run(work.path(), &settings, &wanted()).await.unwrap();
    assert_eq!((again.origin, again.rows_read), (Origin::Resumed, 80));
    assert_eq!(digests(work.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_point_or_code_page_is_another_extract() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    let settings = legacy.settings(CHUNK_ROWS);
    run(work.path(), &settings, &[]).await.unwrap();
    legacy.change("INSERT INTO QFXX VALUES (x'3031')");
    let second = run(work.path(), &settings, &[]).await.unwrap();
    assert_eq!((second.id.to_string().as_str(), second.rows_read), ("e0002", 281));
    let other = SourceSettings { encoding: TextEncoding::named("gb18030"), ..settings };
    assert_eq!(run(work.path(), &other, &[]).await.unwrap().id.to_string(), "e0003");
    let state = State::open_readonly(work.path()).unwrap();
    assert_eq!(raw::current(&state, "ylbx").unwrap().tables["QFXX"].rows, 1);
    assert!(state.extracts("ylbx").unwrap().iter().all(|e| e.status == ExtractStatus::Complete));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_extract_of_an_older_point_is_abandoned_and_removed() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    assert!(!child(&legacy, work.path(), &[("QIANYI_FAILPOINT", "extract.recorded:2")]).status.success());
    assert!(work.path().join("raw/ylbx/GRJBXX/e0001").is_dir());
    legacy.change("INSERT INTO QFXX VALUES (x'3031')");
    // Killed while it removes the old parts: the next start removes the rest.
    assert!(!child(&legacy, work.path(), &[("QIANYI_FAILPOINT", "extract.abandoned:1")]).status.success());
    let done = run(work.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
    assert_eq!((done.id.to_string().as_str(), done.origin), ("e0002", Origin::New));
    assert!(!work.path().join("raw/ylbx/GRJBXX/e0001").exists());
    let state = State::open_readonly(work.path()).unwrap();
    let statuses: Vec<_> = state.extracts("ylbx").unwrap().into_iter().map(|e| e.status).collect();
    assert_eq!(statuses, [ExtractStatus::Removed, ExtractStatus::Complete]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_current_before_the_first_extract_is_complete() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    assert!(!child(&legacy, work.path(), &[("QIANYI_FAILPOINT", "extract.measured:1")]).status.success());
    let state = State::open_readonly(work.path()).unwrap();
    let error = raw::current(&state, "ylbx").unwrap_err();
    assert_eq!(error.to_string(), "source ylbx has no complete extract in this work directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_is_kept_as_written_and_ends_no_extract() {
    let (legacy, work) = (city(), tempfile::tempdir().unwrap());
    legacy.change("INSERT INTO YLJFF VALUES (x'31', 'one yuan')");
    let done = run(work.path(), &legacy.settings(CHUNK_ROWS), &[]).await.unwrap();
    let table = done.tables.iter().find(|t| t.table == "YLJFF").unwrap();
    assert_eq!(table.rows, 41);
    let last =
        qianyi::dataset::read_part(&table.parts.last().unwrap().path).unwrap().last().unwrap().unwrap();
    let (row, of) = (last.num_rows() - 1, |name: &str| last.column_by_name(name).unwrap());
    assert!(of("JE").is_null(row));
    assert_eq!(of("JE__b").as_binary::<i32>().value(row), b"one yuan");
}

/// Runs [`extract_in_a_child`] in a process of its own.
fn child(legacy: &Legacy, workdir: &Path, environment: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "extract::extract_in_a_child", "--ignored", "--nocapture"])
        .env("QIANYI_TEST_SOURCE", &legacy.path)
        .env("QIANYI_TEST_WORKDIR", workdir)
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// Not a test of its own: what [`child`] runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by other tests, in a process that may die"]
async fn extract_in_a_child() {
    let (Ok(source), Ok(work)) = (std::env::var("QIANYI_TEST_SOURCE"), std::env::var("QIANYI_TEST_WORKDIR"))
    else {
        return;
    };
    match run(Path::new(&work), &settings(Path::new(&source), CHUNK_ROWS), &wanted()).await {
        Ok(_) => println!("operations={}", qianyi::durable::operations()),
        Err(e) => {
            println!("follow={:?}", e.retry_class());
            panic!("{:?}", miette::Report::new(e));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_failpoint_the_next_start_gives_the_same_bytes() {
    let (legacy, whole) = (city(), tempfile::tempdir().unwrap());
    run(whole.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
    let expected = digests(whole.path());
    let mut kills = 0;
    // Of these three other tests take care: an abandoned extract, ranges that are cut, changes that are merged (changes.rs).
    let elsewhere = ["extract.abandoned", "extract.cut", "extract.merged"];
    let ours = |n: &&&str| {
        ["durable.", "state.", "extract."].iter().any(|p| n.starts_with(p)) && !elsewhere.contains(*n)
    };
    for name in failpoint::ALL.iter().filter(ours) {
        for nth in 1.. {
            if !kill_and_resume(&legacy, &format!("{name}:{nth}"), &expected).await {
                assert!(nth > 1, "{name} is never hit");
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_and_again_the_next_start_gives_the_same_bytes() {
    let (legacy, whole) = (city(), tempfile::tempdir().unwrap());
    run(whole.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
    let expected = digests(whole.path());
    let mut seed = 20_261_123_u64;
    for _ in 0..12 {
        let work = tempfile::tempdir().unwrap();
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            child(&legacy, work.path(), &[("QIANYI_FAILPOINT", &format!("*:{}", (seed >> 33) % 40 + 1))]);
        }
        run(work.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
        assert_eq!(digests(work.path()), expected);
        assert_eq!(unfinished(work.path()), 0);
    }
}

/// Kills a child at `failpoint`, goes on in this process, compares; false when the child never got there.
async fn kill_and_resume(legacy: &Legacy, failpoint: &str, expected: &BTreeMap<String, String>) -> bool {
    let work = tempfile::tempdir().unwrap();
    let killed = !child(legacy, work.path(), &[("QIANYI_FAILPOINT", failpoint)]).status.success();
    run(work.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
    assert_eq!(&digests(work.path()), expected, "{failpoint}");
    assert_eq!(unfinished(work.path()), 0, "{failpoint}");
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_durable_operation_finds_the_disk_full_the_next_start_gives_the_same_bytes() {
    let (legacy, whole) = (city(), tempfile::tempdir().unwrap());
    let sound = child(&legacy, whole.path(), &[]);
    let expected = digests(whole.path());
    let said = String::from_utf8_lossy(&sound.stdout).into_owned();
    let operations: u64 =
        said.lines().find_map(|l| l.split("operations=").nth(1)).unwrap().trim().parse().unwrap();
    assert!(operations > 50, "{operations}");
    for nth in 1..=operations {
        for fault in [nth.to_string(), format!("{nth}+")] {
            let work = tempfile::tempdir().unwrap();
            let failed = child(&legacy, work.path(), &[("QIANYI_DISK_FAULT", &fault)]);
            let said = String::from_utf8_lossy(&failed.stdout);
            assert!(said.contains("follow=Resume"), "fault {fault}: {said}");
            run(work.path(), &legacy.settings(CHUNK_ROWS), &wanted()).await.unwrap();
            assert_eq!(digests(work.path()), expected, "fault {fault}");
            assert_eq!(unfinished(work.path()), 0, "fault {fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_city_is_extracted_whole_and_source_and_raw_agree() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("city.db");
    let as_of = chrono::NaiveDate::from_ymd_opt(2021, 5, 31).unwrap();
    let of = FixtureSettings { persons: 200, seed: 7, as_of, defects: Defects::Planted };
    let made = generate(&of, &path, &mut |_| {}).unwrap();
    let work = tempfile::tempdir().unwrap();
    let done = run(work.path(), &settings(&path, 1000), &[]).await.unwrap();
    for table in &done.tables {
        assert_eq!(table.rows, made.rows.get(&table.table).copied().unwrap_or(0), "{}", table.table);
    }
    let wanted = [
        table_measures("GRJFMX_2001", &["XZLX", "FKSSQ"], &["JFE", "HRJE"]),
        table_measures("GRJFMX_2007", &["XZLX", "JFNY"], &["DWJFE_F", "GRJFE_F"]),
        table_measures("GRJFMX_2010", &["XZLX", "FKSSQ"], &["DWJFE", "GRJFE"]),
        table_measures("SYJFMX", &["NY"], &["DWJE", "GRJE"]),
        table_measures("ZYJX", &["ZYNY"], &["ZHJE", "TCJE"]),
    ];
    let (lines, same) = both_sides(&path, 1000, &wanted).await;
    assert!(lines > 100 && same, "{lines} lines");
}

/// `cargo nextest run --run-ignored all a_million --no-capture`: rows per second and peak memory.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn a_million_rows_of_twelve_columns() {
    let legacy = Legacy::new(
        "CREATE TABLE GRJFMX (LSH int NOT NULL PRIMARY KEY, GRBH char(10), DWBH char(8), XZLX char(2), TZNY char(6),
           FKSSQ varchar(7), JFLX char(2), JFGZ numeric(10,2), JFJS numeric(10,2), DWJFE numeric(10,2), GRJFE numeric(10,2), DZRQ char(8));
         WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
         INSERT INTO GRJFMX SELECT i, CAST(printf('%010d', i % 20000) AS BLOB), CAST(printf('%08d', i % 300) AS BLOB), x'594C',
           CAST(printf('%06d', 201301 + i % 12) AS BLOB), CAST(printf('%06d', 201301 + i % 12) AS BLOB), x'3120',
           (i % 900000) / 100.0, (i % 900000) / 100.0, (i % 90000) / 100.0, (i % 70000) / 100.0, x'3230313330333135' FROM n",
    );
    let work = tempfile::tempdir().unwrap();
    let measures = [TableMeasures {
        table: "GRJFMX".to_owned(),
        by: vec!["XZLX".to_owned(), "FKSSQ".to_owned()],
        amounts: vec!["DWJFE".to_owned(), "GRJFE".to_owned()],
    }];
    let done = run(work.path(), &legacy.settings(262_144), &measures).await.unwrap();
    #[allow(clippy::cast_precision_loss)]
    let rate = done.rows_read as f64 / done.seconds;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("");
    println!("{} rows in {:.2} s: {rate:.0} rows/s; {peak}", done.rows_read, done.seconds);
    assert_eq!(done.rows_read, 1_000_000);
}
