//! A generated demo city taken through extraction, layer 1 and layer 2.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::demo::run_settings;
use chrono::NaiveDate;
use qianyi::engine::{Engine, EngineSettings, Joins};
use qianyi::fixture::{Defects, FixtureSettings, generate};
use qianyi::mapping::{
    self, BranchReport, City, Layer1Out, Layer1Report, LegacyTable, MappedOut, TypedTables,
};
use qianyi::national::{self, National};
use qianyi::pipeline;
use qianyi::progress::{Progress, Silent};
use qianyi::raw::{self, RawView};
use qianyi::source::SourceSettings;
use qianyi::state::State;
use tempfile::TempDir;

use super::legacy::settings;
use super::parquet_under;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name)
}

/// The national schema and the demo city's mapping.
pub fn loaded() -> (National, City) {
    let national = national::load(&folder("national")).unwrap();
    match mapping::load(&folder("baicheng"), &national) {
        Ok(city) => (national, city),
        Err(e) => panic!("{:?}", miette::Report::new(e)),
    }
}

/// A city as far as layer 2.
pub struct MappedCity {
    pub dir: TempDir,
    pub national: National,
    pub city: City,
    pub engine: Engine,
    pub held: Vec<LegacyTable>,
    /// By legacy table.
    pub layer1: BTreeMap<String, Layer1Report>,
    /// By national table, branch and legacy table.
    pub layer2: BTreeMap<(String, String, String), BranchReport>,
}

impl MappedCity {
    /// Makes a city of so many persons and takes it through both layers.
    pub fn make(persons: u64, seed: u64, defects: Defects) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let as_of = NaiveDate::from_ymd_opt(2021, 5, 31).unwrap();
        let database = dir.path().join("ylbx.db");
        generate(&FixtureSettings { persons, seed, as_of, defects }, &database, &mut |_| {}).unwrap();
        let (national, city) = loaded();
        let source = settings(&database, 4_000);
        let raw = extracted(dir.path(), &city, &source);
        let spill = dir.path().join("spill");
        let engine =
            Engine::start(EngineSettings { memory: 1 << 30, spill, partitions: 3 }, city.functions(as_of))
                .unwrap();
        let held = raw
            .tables
            .iter()
            .map(|(name, table)| LegacyTable {
                source_id: source.id.clone(),
                name: name.clone(),
                parts: table.parts.iter().map(|p| p.path.clone()).collect(),
            })
            .collect();
        let empty = BTreeMap::new();
        let mut made = Self { dir, national, city, engine, held, layer1: BTreeMap::new(), layer2: empty };
        made.read();
        made
    }

    fn read(&mut self) {
        let mut typed = TypedTables::default();
        for legacy in &self.held {
            let Some(view) = self.city.view_of(&legacy.source_id, &legacy.name) else { continue };
            let out = Layer1Out {
                typed: self.dir.path().join("typed").join(&legacy.name),
                read_errors: self.dir.path().join("read_errors").join(&legacy.name),
            };
            let report = shown(mapping::read_layer1(&self.engine, &self.city, view, legacy, &out));
            typed.add(legacy, out.typed);
            self.layer1.insert(legacy.name.clone(), report);
        }
        for table in &self.city.tables {
            for branch in &table.branches {
                let Some(view) = self.city.view(&branch.from.view) else { continue };
                for legacy in self.held.iter().filter(|l| view.matches(&l.name)) {
                    let out = MappedOut {
                        mapped: self.mapped(&table.table).join(&branch.name),
                        lineage: self.dir.path().join("lineage").join(&table.table).join(&branch.name),
                        read_errors: self
                            .dir
                            .path()
                            .join("read_errors/mapped")
                            .join(&table.table)
                            .join(&branch.name),
                    };
                    let report = shown(mapping::translate(
                        &self.engine,
                        &self.city,
                        &self.national,
                        table,
                        branch,
                        &legacy.name,
                        &typed,
                        &out,
                    ));
                    let key = (table.table.clone(), branch.name.clone(), legacy.name.clone());
                    self.layer2.insert(key, report);
                }
            }
        }
    }

    /// The folder of a mapped national table.
    pub fn mapped(&self, table: &str) -> PathBuf {
        self.dir.path().join("mapped").join(table)
    }

    /// Answers SQL over the mapped national tables (by name), each row as text joined by `|`.
    pub fn ask(&self, sql: &str) -> Vec<String> {
        let session = self.engine.session(2, Joins::Large);
        for table in &self.city.tables {
            let parts = parquet_under(&self.mapped(&table.table));
            qianyi::dataset::register(&session, &table.table, &parts).unwrap();
        }
        let batches =
            self.engine.block_on(async { session.sql(sql).await.unwrap().collect().await.unwrap() });
        let options = arrow::util::display::FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| arrow::util::display::ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                rows.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|"));
            }
        }
        rows
    }
}

fn shown<T, E: miette::Diagnostic + Send + Sync + 'static>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(e) => panic!("{:?}", miette::Report::new(e)),
    }
}

fn extracted(workdir: &Path, city: &City, source: &SourceSettings) -> RawView {
    let state = State::open(workdir, "test").unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let mut settings = run_settings(&source.path, workdir, 1);
    settings.sources = vec![source.clone()];
    pipeline::extract_all(&state, city, &settings, pipeline::extract::Purpose::Run, &progress).unwrap();
    raw::current(&state, &source.id).unwrap()
}
