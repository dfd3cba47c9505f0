//! One extract after another of single tables, what they came to, and something that happens in the middle of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use qianyi::dataset::{PartInfo, read_part};
use qianyi::measures::{Measure, RawSide, raw_side, read_measures, side};
use qianyi::pipeline::extract::{ExtractError, Extracted, Extraction, Purpose, extract};
use qianyi::progress::{Progress, Silent};
use qianyi::source::{ChangeMethod, SourceSettings, Table, TableMeasures, TableSettings, connect};
use qianyi::state::{ExtractId, Reading, State};
use qianyi::stop::Stop;
use qianyi::{durable, raw};

use super::parquet_under;
use super::pg::Cluster;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// An extract to be made.
pub struct Attempt<'a> {
    pub workdir: &'a Path,
    pub settings: &'a SourceSettings,
    pub tables: &'a [&'a str],
    pub full_refresh: &'a [&'a str],
    pub measures: &'a [TableMeasures],
    pub stop: Stop,
    pub progress: Arc<dyn Progress>,
    pub purpose: Purpose,
}

impl<'a> Attempt<'a> {
    pub fn of(workdir: &'a Path, settings: &'a SourceSettings, tables: &'a [&'a str]) -> Self {
        let (stop, progress) = (Stop::new(), Arc::new(Silent));
        Self {
            workdir,
            settings,
            tables,
            full_refresh: &[],
            measures: &[],
            stop,
            progress,
            purpose: Purpose::Extract,
        }
    }

    pub fn make(self) -> Result<Extracted, ExtractError> {
        let threads = runtime();
        let state = State::open(self.workdir, "test")?;
        let source = threads.block_on(connect(self.settings))?;
        let all = threads.block_on(source.catalogue())?;
        let tables: Vec<Table> = all.into_iter().filter(|t| self.tables.contains(&t.name.as_str())).collect();
        extract(&Extraction {
            state: &state,
            source: &*source,
            runtime: threads.handle(),
            tables: &tables,
            settings: &self.settings.tables,
            limits: &self.settings.limits,
            zone: self.settings.time_zone,
            chunk_rows: self.settings.chunk_rows,
            full_refresh: &self.full_refresh.iter().map(|t| (*t).to_owned()).collect(),
            measures: self.measures,
            stop: &self.stop,
            progress: self.progress,
            purpose: self.purpose,
        })
    }
}

/// Extracts the tables of a source into a work directory.
pub fn extracted(
    workdir: &Path,
    settings: &SourceSettings,
    tables: &[&str],
) -> Result<Extracted, ExtractError> {
    Attempt::of(workdir, settings, tables).make()
}

/// Extracts a table, and compares what the source sums itself with what raw holds: what both say.
pub fn summed(settings: &SourceSettings, wanted: &TableMeasures) -> Vec<Measure> {
    let work = tempfile::tempdir().unwrap();
    let tables = [wanted.table.as_str()];
    let measures = std::slice::from_ref(wanted);
    let done = Attempt { measures, ..Attempt::of(work.path(), settings, &tables) }.make().unwrap();
    let parts: Vec<_> = done.tables[0].parts.iter().map(|p| p.path.clone()).collect();
    let table = format!("ylbx.{}", wanted.table);
    let of_raw = RawSide { table: &table, parts: &parts, by: &wanted.by, amounts: &wanted.amounts };
    let mut raw = raw_side(&of_raw).unwrap();
    let mut said = read_measures(&done.measures.path).unwrap();
    said.iter_mut().for_each(|m| m.side = side::RAW.to_owned());
    raw.sort();
    said.sort();
    // Of an empty table a source says nothing but its rows.
    raw.retain(|m| m.value != 0 || said.contains(m));
    assert_eq!(said, raw, "{wanted:?}");
    said
}

/// Every row of some parts as text, sorted.
pub fn rows_of(parts: &[PartInfo]) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts {
        assert!(raw::intact(part));
        for batch in read_part(&part.path).unwrap() {
            let batch = batch.unwrap();
            let shown: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c, &FormatOptions::default().with_null("∅")).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let row: Vec<String> = shown.iter().map(|f| f.value(row).to_string()).collect();
                all.push(row.join("|"));
            }
        }
    }
    all.sort();
    all
}

/// Every row of a table in the current view as text, sorted.
pub fn rows(workdir: &Path, table: &str) -> Vec<String> {
    let state = State::open_readonly(workdir).unwrap();
    rows_of(&raw::current(&state, "ylbx").unwrap().tables[table].parts)
}

/// What a table's rows are now: those of an extract of its own.
pub fn truth(settings: &SourceSettings, table: &str) -> Vec<String> {
    let work = tempfile::tempdir().unwrap();
    let full = SourceSettings { tables: BTreeMap::new(), ..settings.clone() };
    extracted(work.path(), &full, &[table]).unwrap();
    rows(work.path(), table)
}

/// Follows the changes of a table by a method.
pub fn follow(
    settings: &SourceSettings,
    table: &str,
    changes: ChangeMethod,
    column: Option<&str>,
) -> SourceSettings {
    let mut settings = settings.clone();
    let column = column.map(ToOwned::to_owned);
    let how = TableSettings { changes, column, overlap_seconds: 0, ..TableSettings::default() };
    settings.tables.insert(table.to_owned(), how);
    settings
}

/// Nothing lies under raw that state.db does not know, and nothing half written.
pub fn nothing_stray(workdir: &Path) {
    let state = State::open_readonly(workdir).unwrap();
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for source in state.sources().unwrap() {
        for extract in state.extracts(&source).unwrap() {
            known.extend(extract.measures.map(|m| m.path));
            for table in &extract.of.tables {
                let reading = state.reading(extract.id, table).unwrap();
                let parts = reading.into_iter().flat_map(|r| r.view.into_iter().flatten().chain(r.deletes));
                known.extend(parts.map(|p| p.path));
            }
        }
    }
    for path in parquet_under(&workdir.join("raw")) {
        let held = known.iter().any(|k| durable::sha256(k).is_ok() && same_file(k, &path));
        assert!(held, "nobody knows {}", path.display());
    }
    let half = walk(&workdir.join("raw")).into_iter().filter(|p| p.to_string_lossy().ends_with(".tmp"));
    assert_eq!(half.count(), 0, "half written parts");
}

fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok() == b.canonicalize().ok()
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// The text of all files under a folder.
pub fn text_under(dir: &Path) -> String {
    walk(dir).iter().map(|p| String::from_utf8_lossy(&std::fs::read(p).unwrap()).into_owned()).collect()
}

/// Does something once, as soon as so many rows of an extract were written (0: as soon as the first table is begun).
pub struct When {
    after: u64,
    seen: AtomicU64,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl When {
    pub fn rows(after: u64, act: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { after, seen: AtomicU64::new(0), act: Mutex::new(Some(Box::new(act))) })
    }

    fn saw(&self, rows: u64) {
        if self.seen.fetch_add(rows, Ordering::SeqCst) + rows >= self.after
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
    }
}

impl Progress for When {
    fn start(&self, _stage: &str, _table: &str, _total: u64) {
        self.saw(0);
    }
    fn rows(&self, n: u64) {
        self.saw(n);
    }
    fn finish(&self) {}
}

/// A cluster with one database and a table of a thousand rows, 2001 in their stamps.
pub fn thousand() -> (Cluster, tokio::runtime::Runtime, SourceSettings) {
    let cluster = Cluster::start();
    let threads = runtime();
    threads.block_on(cluster.database("grow", "UTF8"));
    threads.block_on(cluster.run(
        "grow",
        "CREATE TABLE t (id int PRIMARY KEY, x text, at timestamp, other timestamp);
         INSERT INTO t SELECT n, 'v', '2001-01-01', '2001-01-01' FROM generate_series(1, 1000) n; ANALYZE t",
    ));
    let settings = cluster.settings("grow", 100);
    (cluster, threads, settings)
}

/// How a table of an extract was read.
pub fn reading(workdir: &Path, extract: ExtractId, table: &str) -> Reading {
    State::open_readonly(workdir).unwrap().reading(extract, table).unwrap().unwrap()
}
