//! What a run refuses is found by `plan` and `doctor` before the first night, all of it at once.

use std::path::{Path, PathBuf};
use std::process::Command;

use qianyi::source::connect;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::copy_folder;
use crate::support::demo::{city, folder};
use crate::support::extracts::{runtime, thousand};
use crate::support::legacy::table;
use crate::support::pg::Cluster;

/// A generated city with a mapping that may be edited, and a configuration.
struct Bench {
    dir: tempfile::TempDir,
    database: PathBuf,
}

/// What a command said: exit status, the JSON on standard output, standard error.
struct Said {
    status: i32,
    json: Value,
    errors: String,
}

/// Every text of a JSON document.
fn texts(of: &Value, into: &mut String) {
    match of {
        Value::String(text) => into.push_str(&format!("{text}\n")),
        Value::Array(all) => all.iter().for_each(|v| texts(v, into)),
        Value::Object(all) => all.values().for_each(|v| texts(v, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), 60, 9);
        copy_folder(&folder("national"), &dir.path().join("mappings/national"));
        copy_folder(&folder("baicheng"), &dir.path().join("mappings/baicheng"));
        let bench = Self { dir, database };
        bench.configure("");
        bench
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "mappings = \"mappings\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{}\"\n{more}",
            self.database.display()
        );
        std::fs::write(self.dir.path().join("c.toml"), text).unwrap();
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.dir.path().join("mappings/baicheng").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn change(&self, sql: &str) {
        Connection::open(&self.database).unwrap().execute_batch(sql).unwrap();
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn say(&self, command: &[&str]) -> Said {
        let config = self.dir.path().join("c.toml");
        let mut qianyi = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
            qianyi.env_remove(name);
        }
        qianyi.arg("--workdir").arg(self.work()).arg("--config").arg(config).args(["--quiet", "--json"]);
        let output = qianyi.args(command).env("LANG", "C.UTF-8").env_remove("LC_ALL").output().unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let mut errors = String::from_utf8(output.stderr).unwrap();
        if json["code"].is_string() {
            texts(&json, &mut errors);
        }
        Said { status: output.status.code().unwrap_or(-1), json, errors }
    }

    /// The codes of the problems that `plan` lists; it ends with status 3 where there are any, and `doctor` finds the same.
    fn problems(&self) -> Vec<String> {
        let plan = self.say(&["plan"]);
        let problems = plan.json["sources"][0]["problems"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", plan.errors))
            .clone();
        let mut codes: Vec<String> =
            problems.iter().map(|p| p["code"].as_str().unwrap().to_owned()).collect();
        assert!(problems.iter().all(|p| p["advice"].as_str().is_some_and(|a| !a.is_empty())), "{problems:?}");
        assert_eq!(plan.status, if codes.is_empty() { 0 } else { 3 }, "{}", plan.errors);
        let doctor = self.say(&["doctor"]);
        let checks =
            doctor.json["sources"][0]["checks"].as_array().unwrap_or_else(|| panic!("{}", doctor.errors));
        let found = |p: &&Value| {
            let text = format!("{}: {}", p["code"].as_str().unwrap(), p["problem"].as_str().unwrap());
            checks.iter().any(|c| c["what"] == "run" && c["grade"] == "error" && c["found"] == text.as_str())
        };
        assert!(problems.iter().all(|p| found(&p)), "{checks:?}");
        if !codes.is_empty() {
            assert_eq!(doctor.status, 3, "{}", doctor.errors);
        }
        codes.sort();
        codes
    }
}

fn nothing_read(work: &Path) -> bool {
    crate::support::parquet_under(work).is_empty()
}

#[test]
fn everything_that_a_run_refuses_is_found_by_plan_and_doctor_and_refused_at_once() {
    let bench = Bench::new();
    assert_eq!(bench.problems(), Vec::<String>::new(), "the demo city is sound");
    bench.configure(
        "[sources.tables.NOWHERE]\nchanges = \"full\"\n[sources.tables.DWJBXX]\nchanges = \"rowversion\"\n[sources.tables.GRCBXX.columns]\nNONE = { encoding = \"gbk\" }\n",
    );
    bench.edit("sources/GRJBXX.toml", "ZP       = { skip = \"photo: out of scope\" }\n", "");
    bench.edit("sources/QFXX.toml", "source = \"ylbx\"", "source = \"ylbx\"\nmatch = \"qfxx\"");
    bench.edit("sources/LTXRY.toml", "source = \"ylbx\"", "source = \"ylbx\"\nmatch = \"LTXRY_NEW\"");
    let found = bench.problems();
    // QFXX and LTXRY are tables that nobody reads now.
    let expected = ["MAP-102", "PLN-001", "PLN-001", "RUN-002", "RUN-002", "SRC-010", "SRC-010", "SRC-020"];
    assert_eq!(found, expected);
    for command in ["extract", "run"] {
        let refused = bench.say(&[command]);
        assert_eq!(refused.status, 2, "{}", refused.errors);
        for code in ["RUN-006", "MAP-102", "RUN-002", "SRC-010", "SRC-020"] {
            assert!(refused.errors.contains(code), "{command} does not say {code}: {}", refused.errors);
        }
        assert!(!refused.errors.contains("PLN-001"), "{}", refused.errors);
        assert!(
            refused.errors.contains("case matters") && refused.errors.contains("rights"),
            "{}",
            refused.errors
        );
        assert!(nothing_read(&bench.work()));
    }
}

#[test]
fn columns_and_tables_that_changed_since_the_last_extract_are_found_before_the_next() {
    let bench = Bench::new();
    assert_eq!(bench.say(&["extract"]).status, 0);
    assert_eq!(bench.problems(), Vec::<String>::new());
    bench.change("ALTER TABLE DWJBXX ADD COLUMN NEU int; ALTER TABLE GRCBXX RENAME COLUMN CBZT TO CBZT2; DROP TABLE DMB");
    bench.edit("sources/DWJBXX.toml", "[columns]\n", "[columns]\nNEU = { parse = \"int\" }\n");
    let found = bench.problems();
    // DMB is a table of the last extract that is gone, and one that a file of the mapping does not find.
    assert_eq!(found, ["EXT-005", "EXT-005", "EXT-005", "MAP-101", "RUN-002"], "{found:?}");
    let refused = bench.say(&["extract"]);
    assert!(refused.status == 2 && refused.errors.contains("+ NEU INT"), "{}", refused.errors);
}

#[test]
fn codes_whose_zeros_a_spreadsheet_took_are_named_with_their_list() {
    let bench = Bench::new();
    let path = bench.dir.path().join("mappings/baicheng/codes/DWLX.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.lines().map(|l| format!("{}\n", l.trim_start_matches('0'))).collect::<String>(),
    )
    .unwrap();
    assert_eq!(bench.problems(), ["PLN-002"]);
    let plan = bench.say(&["plan"]);
    let problem = &plan.json["sources"][0]["problems"][0];
    assert!(problem["problem"].as_str().unwrap().contains("codes/DWLX.csv"), "{problem}");
    assert_eq!(problem["ends"], "unread");
}

#[test]
fn a_pattern_of_ignored_tables_that_takes_all_tables_of_a_file_is_named_with_its_line() {
    let bench = Bench::new();
    bench.edit("city.toml", "table = \"TEST_*\"", "table = \"QF*\"");
    bench.change("DROP TABLE IF EXISTS TEST_GRJBXX");
    let plan = bench.say(&["plan"]);
    let found = plan.json["sources"][0]["problems"].as_array().unwrap();
    let told = found.iter().find(|p| p["code"] == "RUN-015").unwrap_or_else(|| panic!("{found:?}"));
    let text = told["problem"].as_str().unwrap();
    assert!(
        text.contains("QFXX.toml") && text.contains("`QF*` at ") && text.contains("city.toml:"),
        "{text}"
    );
    assert!(!found.iter().any(|p| p["code"] == "RUN-002"), "{found:?}");
    assert_eq!(bench.say(&["run"]).status, 2);
}

#[test]
fn national_codes_whose_zeros_a_spreadsheet_took_are_refused_with_list_line_and_code() {
    let bench = Bench::new();
    bench.edit("codes/MZ.csv", "\n01,01,", "\n01,1,");
    for command in ["plan", "run"] {
        let refused = bench.say(&[command]);
        assert_eq!(refused.status, 2, "{}", refused.errors);
        for said in [
            "MAP-007",
            "codes/MZ.csv:2",
            "AAC005",
            "`1` (line 2, did you mean `01`?)",
            "leading zeros are lost",
        ] {
            assert!(
                refused.errors.replace("\n", " ").contains(said),
                "{command} does not say {said}: {}",
                refused.errors
            );
        }
    }
}

#[test]
fn types_and_sums_that_cannot_be_are_found_and_skipped_columns_are_not_asked_for_theirs() {
    let bench = Bench::new();
    bench.change("ALTER TABLE DWJBXX ADD COLUMN ORT geometry; ALTER TABLE QFXX ADD COLUMN TAG datetime");
    bench.edit("sources/DWJBXX.toml", "[columns]\n", "[columns]\nORT = { parse = \"text\" }\n");
    bench.edit("sources/QFXX.toml", "[columns]\n", "[columns]\nTAG = { parse = \"date\" }\n");
    bench.edit("sources/QFXX.toml", "by = [\"XZ\", \"SSNY\"]", "by = [\"XZ\", \"TAG\"]");
    let found = bench.problems();
    // SQLite has no types that are unknown, only affinities.
    assert_eq!(found, ["SRC-010"], "{found:?}");
    bench.edit("sources/DWJBXX.toml", "ORT = { parse = \"text\" }", "ORT = { skip = \"no map\" }");
    bench.edit("sources/QFXX.toml", "by = [\"XZ\", \"TAG\"]", "by = [\"XZ\", \"SSNY\"]");
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn a_database_without_a_table_and_a_mapping_with_mistakes_end_as_what_they_are() {
    let bench = Bench::new();
    let empty = bench.dir.path().join("empty.db");
    Connection::open(&empty).unwrap().execute_batch("CREATE TABLE t (a int); DROP TABLE t").unwrap();
    let bench = Bench { database: empty, ..bench };
    bench.configure("");
    assert_eq!(bench.problems(), ["RUN-007"]);
    assert_eq!(bench.say(&["run"]).status, 2);
    bench.edit("AC01.toml", "d.XM\"", "d.XMM\"");
    for command in ["plan", "doctor"] {
        let mistaken = bench.say(&[command]);
        assert_eq!(mistaken.status, 2, "{}", mistaken.errors);
        assert!(mistaken.errors.contains("AC01.toml:"), "{}", mistaken.errors);
    }
}

#[test]
fn values_that_become_read_errors_are_counted_where_the_server_can_tell() {
    let (cluster, threads, settings) = thousand();
    threads.block_on(cluster.run(
        "grow",
        "CREATE TABLE odd (id int PRIMARY KEY, d date, n numeric, f float8, t timestamptz, x text);
         INSERT INTO odd VALUES (1, 'infinity', 'NaN', 'Infinity', '-infinity', 'NaN'),
           (2, '0044-03-15 BC', 1, 1, '2020-01-01', NULL), (3, '2020-01-01', NULL, 'NaN', NULL, NULL)",
    ));
    let found = threads.block_on(async {
        let source = connect(&settings).await.unwrap();
        let odd = table(source.as_ref(), "odd").await;
        source.oddities(&odd).await.unwrap()
    });
    let said: Vec<&str> = found.iter().map(|e| e.found.as_str()).collect();
    let expected = [
        "odd.d: 1 values are infinite",
        "odd.d: 1 values are before the year 1 or after 9999",
        "odd.n: 1 values are NaN or infinite",
        "odd.f: 2 values are NaN or infinite",
        "odd.t: 1 values are infinite",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_name_in_another_case_is_hinted_at() {
    let bench = Bench::new();
    bench.configure(
        "[sources.tables.dwjbxx]\nchanges = \"full\"\n[sources.tables.GRCBXX.columns]\ngrbh = { encoding = \"gbk\" }\n",
    );
    let plan = bench.say(&["plan"]);
    let said: Vec<&str> = plan.json["sources"][0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["problem"].as_str())
        .collect();
    assert!(said.iter().any(|p| p.contains("there is `DWJBXX`")), "{said:?}");
    assert!(said.iter().any(|p| p.contains("there is `GRBH`")), "{said:?}");
}

#[test]
fn tables_that_nothing_reads_decide_nothing_and_one_that_is_shown_in_part_is_refused_once_by_all() {
    let bench = Bench::new();
    let (cluster, threads) = (Cluster::start(), runtime());
    threads.block_on(cluster.database("city", "SQL_ASCII"));
    qianyi::fixture::copy_to_postgres(&bench.database, &cluster.url("city"), &mut |_| {}).unwrap();
    let change = |sql: &str| threads.block_on(cluster.run("city", sql));
    change(
        "CREATE ROLE reader LOGIN; CREATE TABLE \"TMP_SECRET\" (id int); CREATE TABLE \"TMP_GUARDED\" (id int);
         ALTER TABLE \"TMP_GUARDED\" ENABLE ROW LEVEL SECURITY; SET check_function_bodies = off;
         CREATE FUNCTION lost() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM nowhere';
         CREATE VIEW \"V_BROKEN\" AS SELECT lost AS id FROM lost(); CREATE VIEW \"V_MINE\" AS SELECT 1 AS id WHERE current_user = 'x';
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE ALL ON \"TMP_SECRET\" FROM reader",
    );
    let config = format!(
        "mappings = \"mappings\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\n\
         [sources.server]\nhost = \"{}\"\ndatabase = \"city\"\nuser = \"reader\"\ntls = \"off\"\n",
        cluster.socket().display()
    );
    std::fs::write(bench.dir.path().join("c.toml"), config).unwrap();
    assert_eq!(bench.problems(), Vec::<String>::new());
    let doctor = bench.say(&["doctor"]);
    assert_eq!(doctor.status, 0, "{} {}", doctor.json, doctor.errors);
    let info = |found: &str| {
        let checks = doctor.json["sources"][0]["checks"].as_array().unwrap();
        checks.iter().any(|c| c["grade"] == "info" && c["found"].as_str().unwrap().contains(found))
    };
    assert!(
        info("cannot read TMP_SECRET") && info("TMP_GUARDED: row security would hide"),
        "{}",
        doctor.json
    );
    assert_eq!(bench.say(&["extract"]).status, 0);
    for (sql, code) in [
        ("ALTER TABLE \"DWJBXX\" ENABLE ROW LEVEL SECURITY", "SRC-025"),
        ("ALTER TABLE \"DWJBXX\" DISABLE ROW LEVEL SECURITY; REVOKE SELECT ON \"DWJBXX\" FROM reader", "SRC-018"),
        (
            "ALTER TABLE \"DWJBXX\" RENAME TO \"TMP_DW\"; CREATE VIEW \"DWJBXX\" AS SELECT * FROM \"TMP_DW\" WHERE session_user <> 'x';
             GRANT SELECT ON \"DWJBXX\" TO reader",
            "SRC-052",
        ),
    ] {
        change(sql);
        assert_eq!(bench.problems(), [code]);
        let refused = bench.say(&["run"]);
        assert!(refused.status != 0 && refused.errors.contains(code), "{code}: {}", refused.errors);
        assert!(!refused.errors.contains("reading DWJBXX") || code == "SRC-018", "{}", refused.errors);
    }
}
