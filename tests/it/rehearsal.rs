//! The rehearsal in a staging database: what passes, what is found and named, what is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use qianyi::artifacts::{Reconciliation, Rehearsal, RehearsalKind};
use qianyi::dataset;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::national::{Kind, National};
use qianyi::pipeline::{Finished, RunError, StagingSettings, finished, rehearse};
use qianyi::progress::Silent;
use qianyi::{failpoint, mapping, national};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::demo::{as_of, city, folder, ran, run_settings};
use crate::support::pg::Cluster;

pub const SCHEMA: &str = "qianyi_staging";

/// A finished run over a small city, and a server with an empty database in UTF-8.
pub struct Stage {
    _dir: TempDir,
    database: PathBuf,
    pub workdir: PathBuf,
    engine: Engine,
    national: National,
    pub cluster: Cluster,
    threads: Runtime,
}

impl Stage {
    pub fn new(persons: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), persons, 11);
        let workdir = dir.path().join("work");
        ran(&run_settings(&database, &workdir, 2));
        let national = national::load(&folder("national")).unwrap();
        let mapped = mapping::load(&folder("baicheng"), &national).unwrap();
        let settings = EngineSettings { memory: 1 << 30, spill: workdir.join("spill"), partitions: 2 };
        let engine = Engine::start(settings, mapped.functions(as_of())).unwrap();
        let threads = Runtime::new().unwrap();
        let cluster = Cluster::start();
        threads.block_on(cluster.database("staging", "UTF8"));
        Self { _dir: dir, database, workdir, engine, national, cluster, threads }
    }

    pub fn run(&self) -> Finished {
        finished(&self.workdir, None).unwrap()
    }

    pub fn settings(&self, database: &str) -> StagingSettings {
        StagingSettings {
            schema: SCHEMA.to_owned(),
            connections: 2,
            statement_seconds: 600,
            server: self.cluster.settings(database, 1).server.unwrap(),
        }
    }

    pub fn rehearse(&self, settings: Option<&StagingSettings>, keep: bool) -> Result<Rehearsal, RunError> {
        rehearse(&self.workdir, &self.engine, &self.national, &self.run(), settings, keep, &Silent)
    }

    pub fn sql(&self, sql: &str) {
        self.threads.block_on(self.cluster.run("staging", sql));
    }

    fn ask(&self, sql: &str) -> String {
        self.threads.block_on(async {
            let client = self.cluster.client("staging").await;
            client.query_one(sql, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
        })
    }

    /// Schemas of the database that are not the server's own.
    pub fn schemas(&self) -> String {
        self.ask(
            "SELECT string_agg(nspname::text, ' ' ORDER BY nspname) FROM pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')",
        )
    }
}

pub fn code(e: &RunError) -> String {
    miette::Diagnostic::code(e).map(|c| c.to_string()).unwrap_or_default()
}

#[test]
fn a_load_is_rehearsed_with_every_key_on_and_nothing_is_left_unless_it_is_kept_or_when_it_is_killed() {
    let stage = Stage::new(60);
    let settings = stage.settings("staging");
    let found = stage.rehearse(Some(&settings), false).unwrap();
    assert_eq!(found.problems, vec![]);
    assert!(!found.blocked && !found.kept && !found.existing);
    assert!(found.rows > 1_000, "{}", found.rows);
    assert!(found.bytes > found.rows * 50);
    // Once what is rejected and held is in order, there are more rows.
    let forecast = found.forecast.unwrap();
    let held_back: u64 = stage.run().summary.tables.iter().map(|t| t.rejected + t.held).sum();
    assert!(held_back > 0 && forecast.rows == found.rows + held_back, "{forecast:?}");
    assert!(forecast.bytes >= found.bytes && forecast.seconds >= found.seconds.whole(), "{forecast:?}");
    for table in &found.tables {
        assert_eq!(table.staged, table.loaded, "{}", table.table);
        assert!(table.checks > 1 && table.columns > 3, "{table:?}");
    }
    assert_eq!(stage.schemas(), "");

    // Staged parts say which columns are never empty: those that the tables require whatever the row.
    for table in &found.tables {
        let of = stage.national.table(&table.table).unwrap();
        let part = dataset::parts(&stage.run().dir.staged(&table.table)).unwrap().remove(0);
        let schema = dataset::schema_of(&part).unwrap();
        let never = schema.fields().iter().filter(|f| !f.is_nullable() && !f.name().starts_with('_'));
        let never: Vec<String> = never.map(|f| f.name().clone()).collect();
        assert!(never == stage.national.filled(of) && !never.is_empty(), "{}: {never:?}", table.table);
    }

    let adds_up: Reconciliation = stage.run().reconciliation;
    let boundary = adds_up.boundaries.iter().find(|b| b.boundary == "staged-database").unwrap();
    assert!(boundary.lines.len() > 60, "{}", boundary.lines.len());
    assert_eq!((boundary.totals.unexplained_rows, boundary.totals.unexplained_fen), (0, 0));
    let fen = boundary.lines.iter().filter(|l| l.measure.starts_with("fen:") && l.left != 0).count();
    assert!(fen > 5, "{fen}");
    crate::cutover::over_a_rehearsed_run(&stage.workdir, &run_settings(&stage.database, &stage.workdir, 2));

    // What a killed one left goes, and what is kept takes the place of what was kept before.
    stage.sql(&format!(
        "CREATE SCHEMA {SCHEMA}_load; CREATE TABLE {SCHEMA}_load.ac01 (a int); \
         COMMENT ON SCHEMA {SCHEMA}_load IS 'made by qianyi dry-run; dropped by the next one'"
    ));
    for _ in 0..2 {
        assert!(stage.rehearse(Some(&settings), true).unwrap().kept);
        assert_eq!(stage.schemas(), SCHEMA);
    }
    let count = |kind: char| {
        stage.ask(&format!(
            "SELECT count(*)::text FROM pg_constraint WHERE contype = '{kind}' AND connamespace = '{SCHEMA}'::regnamespace"
        ))
    };
    let codes: usize = qianyi_codes(&stage.national);
    assert_eq!(count('p').parse::<usize>().unwrap(), found.tables.len() + stage.national.codes.len());
    assert!(count('f').parse::<usize>().unwrap() > codes, "{} {codes}", count('f'));
    assert_eq!(
        stage.ask(&format!("SELECT obj_description('{SCHEMA}.ac01'::regclass)")),
        stage.national.table("AC01").unwrap().title
    );
    let required = format!(
        "SELECT string_agg(attname::text || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull, ', ' ORDER BY attnum) \
         FROM pg_attribute WHERE attrelid = '{SCHEMA}.ac01'::regclass AND attname IN ('aac001', 'aac003', 'aac006', 'aae036')"
    );
    assert_eq!(
        stage.ask(&required),
        "aac001 numeric(20,0) true, aac003 character varying(50) true, aac006 numeric(8,0) true, aae036 numeric(14,0) false"
    );

    stage.sql(&format!("DROP SCHEMA {SCHEMA} CASCADE"));
    on_the_command_line(&stage);

    // Without a server the same checks run here.
    let found = stage.rehearse(None, false).unwrap();
    assert_eq!((found.server, found.blocked, found.rows), (None, false, 0));
    assert!(found.tables.iter().map(|t| t.checks).sum::<u64>() > 200);
}

/// Columns with a code list of the tables that are loaded.
fn qianyi_codes(national: &National) -> usize {
    let loaded = national.tables.iter().filter(|t| t.upload);
    loaded.flat_map(|t| &t.columns).filter(|c| c.codes.is_some()).count()
}

/// A server that changes what it is given: rows named in `damage` lose, gain or get other values on their way into the tables.
fn treacherous(stage: &Stage, damages: &[Damage]) {
    stage.sql(
        "CREATE TABLE public.damage (tab text, key text, vals jsonb, primary key (tab, key));
         CREATE FUNCTION public.damaged() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE d public.damage;
         BEGIN
           SELECT * INTO d FROM public.damage WHERE tab = TG_TABLE_NAME AND key = to_jsonb(NEW) ->> TG_ARGV[0];
           IF NOT FOUND THEN RETURN NEW; END IF;
           IF d.vals IS NULL THEN RETURN NULL; END IF;
           RETURN jsonb_populate_record(NEW, d.vals);
         END $$;
         CREATE FUNCTION public.attach() RETURNS event_trigger LANGUAGE plpgsql AS $$
         DECLARE o record;
         BEGIN
           FOR o IN SELECT c.object_identity, r.relname, (SELECT attname FROM pg_attribute WHERE attrelid = c.objid AND attnum = 1) AS key
                    FROM pg_event_trigger_ddl_commands() c JOIN pg_class r ON r.oid = c.objid
                    WHERE c.command_tag = 'CREATE TABLE' AND c.schema_name = 'qianyi_staging_load'
           LOOP
             IF EXISTS (SELECT 1 FROM public.damage WHERE tab = o.relname) THEN
               EXECUTE format('CREATE TRIGGER damaged BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.damaged(%L)', o.object_identity, o.key);
             END IF;
           END LOOP;
         END $$;
         CREATE EVENT TRIGGER attach ON ddl_command_end EXECUTE FUNCTION public.attach();",
    );
    let lines: Vec<String> = damages
        .iter()
        .map(|d| {
            let vals = d.vals.as_ref().map_or("NULL".to_owned(), |v| format!("'{}'", v.replace('\'', "''")));
            format!("('{}', '{}', {vals})", d.table.to_lowercase(), d.key)
        })
        .collect();
    for some in lines.chunks(500) {
        stage.sql(&format!("INSERT INTO public.damage VALUES {}", some.join(", ")));
    }
}

#[derive(Debug, Clone)]
struct Damage {
    table: String,
    key: String,
    /// JSON of the columns that change; none: the row is lost.
    vals: Option<String>,
    column: String,
}

/// About so many damages, over all tables that have a surrogate id as their key's first column: each row once, each kind in turn.
fn damages(stage: &Stage, run: &Finished, wanted: usize) -> Vec<Damage> {
    let mut all = Vec::new();
    let tables: Vec<_> =
        stage.national.tables.iter().filter(|t| t.upload && t.columns[0].code == t.key[0]).collect();
    let mut turn = 0;
    for table in tables.iter().filter(|t| t.key.len() == 1 && run.dir.staged(&t.name).is_dir()) {
        let of_table = wanted / 5;
        let mut taken = 0;
        for part in dataset::parts(&run.dir.staged(&table.name)).unwrap() {
            for batch in dataset::read_part(&part).unwrap() {
                let batch = batch.unwrap();
                for row in 0..batch.num_rows() {
                    if taken >= of_table || batch.column(0).data_type() != &DataType::Int64 {
                        break;
                    }
                    turn += 1;
                    let key = batch.column(0).as_primitive::<Int64Type>().value(row).to_string();
                    let Some((column, vals)) = damage(table, &batch, row, turn) else { continue };
                    all.push(Damage { table: table.name.clone(), key, vals, column });
                    taken += 1;
                }
            }
        }
    }
    all
}

/// The damage of that turn to a row: a lost row, one fen, one character, one day, NULL for a value, an empty text for NULL, a
/// full-width digit, a swapped year. `None`: the row has no column for it.
fn damage(
    table: &national::Table,
    batch: &arrow::array::RecordBatch,
    row: usize,
    turn: usize,
) -> Option<(String, Option<String>)> {
    let referred: BTreeSet<&String> =
        table.parents.iter().flat_map(|p| &p.columns).chain(&table.key).collect();
    let find = |kind: fn(Kind) -> bool, null: bool| {
        let at = table.columns.iter().position(|c| {
            let column = batch.column_by_name(&c.code).unwrap();
            kind(c.kind) && c.codes.is_none() && !referred.contains(&c.code) && column.is_null(row) == null
        })?;
        Some((&table.columns[at], batch.column(at)))
    };
    let text = |k: Kind| matches!(k, Kind::Text(20..));
    let set = |code: &str, value: String| {
        Some((code.to_owned(), Some(format!("{{\"{}\": {value}}}", code.to_lowercase()))))
    };
    match turn % 8 {
        0 => Some((String::new(), None)),
        1 => {
            let (column, values) = find(|k| k == Kind::Money, false)?;
            let fen = values.as_primitive::<Decimal128Type>().value(row) + 1;
            set(&column.code, format!("{}.{:02}", fen / 100, fen.abs() % 100))
        }
        2 => {
            let (column, values) = find(text, false)?;
            let value = values.as_string::<i32>().value(row);
            let changed: String = value.chars().take(value.chars().count() - 1).chain(['旷']).collect();
            set(&column.code, serde_json::to_string(&changed).unwrap())
        }
        3 => {
            let (column, _) = find(|k| k == Kind::Date, false)?;
            set(&column.code, "19570102".to_owned())
        }
        4 => {
            let (column, _) = find(text, true)?;
            set(&column.code, "\"\"".to_owned())
        }
        5 => {
            let (column, _) = find(|k| k == Kind::Period, false)?;
            set(&column.code, "190102".to_owned())
        }
        6 => {
            let (column, values) = find(text, false)?;
            let value = values.as_string::<i32>().value(row);
            let mut changed = value.to_owned();
            changed.replace_range(..value.chars().next()?.len_utf8(), "０");
            set(&column.code, serde_json::to_string(&changed).unwrap())
        }
        _ => {
            let (column, values) = find(|k| k == Kind::Money, false)?;
            let fen = values.as_primitive::<Decimal128Type>().value(row) - 100;
            (fen > 0).then_some(())?;
            set(&column.code, format!("{}.{:02}", fen / 100, fen % 100))
        }
    }
}

#[test]
fn a_thousand_damages_on_the_way_are_all_found_and_named_and_nothing_else() {
    let stage = Stage::new(250);
    let run = stage.run();
    let planted = damages(&stage, &run, 1_200);
    assert!(planted.len() >= 1_000, "{}", planted.len());
    treacherous(&stage, &planted);
    let found = stage.rehearse(Some(&stage.settings("staging")), true).unwrap();
    assert!(found.blocked && !found.kept);
    assert_eq!(stage.schemas(), "");

    let mut expected: BTreeMap<(String, String), String> =
        planted.iter().map(|d| ((d.table.clone(), d.key.clone()), d.column.clone())).collect();
    for problem in &found.problems {
        match problem.kind {
            RehearsalKind::Missing | RehearsalKind::Changed => {
                assert_eq!(problem.rows, problem.samples.len() as u64);
                for sample in &problem.samples {
                    let column = expected.remove(&(problem.table.clone(), sample.key.clone()));
                    assert_eq!(column, Some(sample.columns.join(",")), "{} {sample:?}", problem.table);
                    assert!(sample.source.contains('.'), "{sample:?}");
                }
            }
            // A lost parent leaves children behind, and sums differ.
            RehearsalKind::Broken | RehearsalKind::Column => {}
            RehearsalKind::Ddl | RehearsalKind::Refused | RehearsalKind::Extra => panic!("{problem:?}"),
        }
    }
    assert_eq!(expected, BTreeMap::new());
    // The columns themselves say so, too, without knowing what was sent.
    let told: BTreeSet<(&str, &str)> = found
        .problems
        .iter()
        .filter(|p| p.kind == RehearsalKind::Column)
        .flat_map(|p| p.columns.iter().map(|c| (p.table.as_str(), c.as_str())))
        .collect();
    let fen = planted.iter().find(|d| d.vals.as_ref().is_some_and(|v| v.contains('.'))).unwrap();
    assert!(told.contains(&(fen.table.as_str(), fen.column.as_str())), "{told:?}");
    // The reconciliation of the run sees the lost rows and the fen.
    let boundary = stage.run().reconciliation;
    let boundary = boundary.boundaries.into_iter().find(|b| b.boundary == "staged-database").unwrap();
    assert!(boundary.totals.unexplained_rows > 0 && boundary.totals.unexplained_fen > 0);

    // Without the damages everything is right again.
    stage.sql("DROP EVENT TRIGGER attach");
    assert_eq!(stage.rehearse(Some(&stage.settings("staging")), false).unwrap().problems, vec![]);
}

#[test]
fn what_the_server_is_or_refuses_is_named_before_or_by_its_rows() {
    let stage = Stage::new(60);
    let settings = stage.settings("staging");

    // Tables of the province: differences are listed, and nothing is loaded.
    assert!(stage.rehearse(Some(&settings), true).unwrap().kept);
    stage.sql(&format!(
        "COMMENT ON SCHEMA {SCHEMA} IS NULL; ALTER TABLE {SCHEMA}.ac01 ALTER COLUMN aac003 TYPE varchar(60); \
         ALTER TABLE {SCHEMA}.ac01 DROP COLUMN aac005; ALTER TABLE {SCHEMA}.ab01 ADD COLUMN zzz001 text NOT NULL DEFAULT ''; \
         ALTER TABLE {SCHEMA}.ab01 ALTER COLUMN zzz001 DROP DEFAULT; \
         DROP TABLE {SCHEMA}.ae28; \
         ALTER TABLE {SCHEMA}.ac01 ADD CONSTRAINT sexes CHECK (aac004 IN ('1', '2', '9')) NOT VALID; \
         DELETE FROM {SCHEMA}.code_aac060 WHERE code = '9'"
    ));
    let refused = stage.rehearse(Some(&settings), true).unwrap_err();
    assert_eq!(code(&refused), "STG-007");
    let found = stage.rehearse(Some(&settings), false).unwrap();
    assert!(found.existing && found.blocked && found.rows == 0);
    let told: Vec<String> =
        found.problems.iter().map(|p| format!("{} {} {}", p.table, p.columns.join(","), p.what)).collect();
    insta::assert_snapshot!("differences_of_the_ddl", told.join("\n"));

    // The province's own constraint refuses rows: each is named by its origin.
    stage.sql(&format!(
        "ALTER TABLE {SCHEMA}.ac01 ALTER COLUMN aac003 TYPE varchar(50); ALTER TABLE {SCHEMA}.ac01 ADD COLUMN aac005 varchar(3); \
         ALTER TABLE {SCHEMA}.ab01 DROP COLUMN zzz001; \
         ALTER TABLE {SCHEMA}.ac01 DROP CONSTRAINT sexes; INSERT INTO {SCHEMA}.code_aac060 VALUES ('9', '未知'); \
         CREATE TABLE {SCHEMA}.ae28 (LIKE {SCHEMA}.ae29)"
    ));
    let found = stage.rehearse(Some(&settings), false).unwrap();
    let told: Vec<String> =
        found.problems.iter().map(|p| format!("{} {}", p.table, p.columns.join(","))).collect();
    assert!(told.iter().all(|t| t.starts_with("AE28") || t.starts_with("AC01 AAC005")), "{told:?}");
    stage.sql(&format!("DROP SCHEMA {SCHEMA} CASCADE"));
    assert!(stage.rehearse(Some(&settings), true).unwrap().kept);
    let third =
        stage.ask(&format!("SELECT aac001::text FROM {SCHEMA}.ac01 ORDER BY aac001 OFFSET 3 LIMIT 1"));
    let tenth =
        stage.ask(&format!("SELECT aac001::text FROM {SCHEMA}.ac01 ORDER BY aac001 OFFSET 10 LIMIT 1"));
    stage.sql(&format!(
        "COMMENT ON SCHEMA {SCHEMA} IS NULL; \
         ALTER TABLE {SCHEMA}.ac01 ADD CONSTRAINT province CHECK (aac001 NOT IN ({third}, {tenth})) NOT VALID"
    ));
    let found = stage.rehearse(Some(&settings), false).unwrap();
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    let problem = &found.problems[0];
    assert_eq!((problem.kind, problem.table.as_str(), problem.rows), (RehearsalKind::Refused, "AC01", 2));
    assert!(problem.what.contains("23514"), "{}", problem.what);
    let named: BTreeSet<&str> = problem.samples.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(named, BTreeSet::from([third.as_str(), tenth.as_str()]));
    assert!(problem.samples.iter().all(|s| s.source == "ylbx.GRJBXX" && s.skey.contains('*')));
    assert_eq!(stage.schemas(), SCHEMA);

    // Another encoding, no rights, nobody there.
    stage.threads.block_on(stage.cluster.database("ascii", "SQL_ASCII"));
    assert_eq!(code(&stage.rehearse(Some(&stage.settings("ascii")), false).unwrap_err()), "STG-005");
    stage.sql("CREATE ROLE guest LOGIN");
    let mut guest = stage.settings("staging");
    guest.schema = "other".to_owned();
    guest.server.user = "guest".to_owned();
    let denied = stage.rehearse(Some(&guest), false).unwrap_err();
    assert_eq!(code(&denied), "STG-004", "{denied:?}");
    let grant =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/staging/grant.sql")).unwrap();
    stage.sql(&grant.replace("qianyi_login", "guest").replace("staging_database", "staging"));
    assert_eq!(stage.rehearse(Some(&guest), false).unwrap().problems, vec![]);
    let mut nobody = stage.settings("staging");
    nobody.server.host = stage.workdir.display().to_string();
    assert_eq!(code(&stage.rehearse(Some(&nobody), false).unwrap_err()), "STG-001");
}

/// The command line: killed at every failpoint of a rehearsal, then right, in both languages.
fn on_the_command_line(stage: &Stage) {
    let config = stage.workdir.join("dry.toml");
    let text = format!(
        "city = \"baicheng\"\nmappings = \"{}\"\n[staging]\n[staging.server]\nhost = \"{}\"\ndatabase = \"staging\"\nuser = \"founder\"\ntls = \"off\"\n",
        folder("").display(),
        stage.cluster.socket().display()
    );
    std::fs::write(&config, text).unwrap();
    let command = |failpoint: Option<&str>, lang: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
        command.args(["dry-run", "--run", "r0001", "--quiet", "--lang", lang, "--config"]).arg(&config);
        command.arg("--workdir").arg(&stage.workdir);
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
            command.env_remove(name);
        }
        if let Some(at) = failpoint {
            command.env("QIANYI_FAILPOINT", at);
        }
        command.output().unwrap()
    };
    for name in failpoint::ALL.iter().filter(|n| n.starts_with("rehearse.")) {
        assert!(!command(Some(&format!("{name}:1")), "en").status.success(), "{name}");
        assert_eq!(stage.schemas(), format!("{SCHEMA}_load"), "{name}");
    }
    let done = command(None, "en");
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{out} {}", String::from_utf8_lossy(&done.stderr));
    assert!(
        out.contains("Passed: every constraint was on") && out.contains("Forecast: once nothing"),
        "{out}"
    );
    assert_eq!(stage.schemas(), "");
    let out = String::from_utf8(command(None, "zh").stdout).unwrap();
    assert!(out.contains("预演通过"), "{out}");
    let page = std::fs::read_to_string(stage.run().dir.page()).unwrap();
    assert!(page.contains("待上报 → 预演库") && page.contains("全部整改到位后共"));
}
