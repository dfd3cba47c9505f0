//! What rules read in one work item: the current version of each table, references, outside data, models.
//!
//! Always: a session knows exactly the names that its rules need; a table that the city does not map is there without rows. A model is computed
//! where a rule needs it, and again only when something that it reads has changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::fault::RuleError;
use super::file::{Model, RuleBook, memory};
use crate::dataset::{PartInfo, PartWriter, table};
use crate::durable;
use crate::engine::Engine;
use crate::national::National;
use crate::phrase;

/// About what a row of a joined table takes while it is joined.
const ROW_BYTES: u64 = 100;

/// The models of a run as far as they are computed: one work item hands them to the next.
#[derive(Debug)]
pub struct Models {
    /// Of their parts; emptied at the start.
    folder: PathBuf,
    /// By name.
    known: BTreeMap<String, Computed>,
    /// How often one was computed.
    computed: u64,
}

/// A model over certain versions of what it reads.
#[derive(Debug)]
struct Computed {
    /// Of what it was computed from.
    basis: String,
    part: PartInfo,
}

impl Models {
    /// None yet.
    ///
    /// # Errors
    /// `DUR-001`.
    pub fn new(folder: &Path) -> Result<Self, RuleError> {
        durable::remove_dir_all(folder)?;
        durable::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), known: BTreeMap::new(), computed: 0 })
    }

    /// Removes what was computed.
    ///
    /// # Errors
    /// `DUR-001`.
    pub fn remove(self) -> Result<(), RuleError> {
        Ok(durable::remove_dir_all(&self.folder)?)
    }
}

/// The tables of a work item.
pub(super) struct Tables<'a> {
    engine: &'a Engine,
    national: &'a National,
    book: &'a RuleBook,
    /// The current version of every mapped national and working table.
    parts: &'a BTreeMap<String, Vec<PartInfo>>,
    /// Outside data that the city has, by `ext_<name>`.
    externals: &'a BTreeMap<String, RecordBatch>,
    models: &'a mut Models,
    /// What sessions were given already.
    known: RefCell<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(of: &'a super::run::CleanItem<'a>, models: &'a mut Models) -> Self {
        Self {
            engine: of.engine,
            national: of.national,
            book: of.book,
            parts: of.tables,
            externals: of.externals,
            models,
            known: RefCell::new(BTreeMap::new()),
        }
    }

    /// Computes the models that these names stand on, unless they were computed from the same before.
    pub(super) fn compute_models(&mut self, needed: &BTreeSet<String>) -> Result<(), RuleError> {
        let book = self.book;
        for model in book.models_for(needed) {
            if self.missing(&model.reads).is_some() {
                continue;
            }
            let basis = self.basis(model);
            if self.models.known.get(&model.name).is_some_and(|known| known.basis == basis) {
                continue;
            }
            let part = self.compute(model)?;
            self.models.computed += 1;
            let old = self.models.known.insert(model.name.clone(), Computed { basis, part });
            if let Some(old) = old {
                durable::remove_file(&old.part.path)?;
            }
        }
        Ok(())
    }

    /// What a model is computed from: references and outside data are the same all the run.
    fn basis(&self, model: &Model) -> String {
        let version = |name: &String| match (self.parts.get(name), self.models.known.get(name)) {
            (Some(parts), _) => parts.iter().map(|p| p.sha256.as_str()).collect::<Vec<_>>().join(" "),
            (None, Some(known)) => known.part.sha256.clone(),
            (None, None) => String::new(),
        };
        model.reads.iter().map(|name| format!("{name} {}\n", version(name))).collect()
    }

    fn compute(&self, model: &Model) -> Result<PartInfo, RuleError> {
        let session = self.session(&model.reads)?;
        // Never a name that was another file's.
        let path = self.models.folder.join(format!("{}.{}.parquet", model.name, self.models.computed));
        let what = || phrase!("work.model", name = model.name);
        self.engine.block_on(async {
            let frame = session.sql(&model.sql).await.map_err(|e| self.engine.error(what(), e))?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            let mut writer = PartWriter::create(&path, schema)?;
            let mut stream = frame.execute_stream().await.map_err(|e| self.engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                writer.write(&batch.map_err(|e| self.engine.error(what(), e))?)?;
            }
            Ok(writer.finish()?)
        })
    }

    /// Outside data that these names stand on and that the city does not have.
    pub(super) fn missing(&self, names: &BTreeSet<String>) -> Option<String> {
        let models = self.book.models_for(names);
        let all = names.iter().chain(models.iter().flat_map(|m| &m.reads));
        let mut outside = all.filter(|n| self.book.externals.contains_key(*n));
        outside.find(|n| !self.externals.contains_key(*n)).cloned()
    }

    /// Rows of a mapped table or a model.
    pub(super) fn rows(&self, name: &str) -> u64 {
        match self.parts.get(name) {
            Some(parts) => parts.iter().map(|p| p.rows).sum(),
            None => self.models.known.get(name).map_or(0, |known| known.part.rows),
        }
    }

    /// A session that knows these names.
    pub(super) fn session(&self, names: &BTreeSet<String>) -> Result<SessionContext, RuleError> {
        let mut rows: Vec<u64> = names.iter().map(|n| self.rows(n)).collect();
        rows.sort_unstable();
        rows.pop();
        let joins = self.engine.joins(rows.iter().sum(), ROW_BYTES);
        let session = self.engine.session(self.engine.partitions(), joins);
        for name in names {
            let Some(known) = self.table(name)? else { continue };
            session
                .register_table(TableReference::bare(name.as_str()), known)
                .map_err(|e| self.failed(name, e))?;
        }
        Ok(session)
    }

    fn failed(&self, name: &str, e: datafusion::error::DataFusionError) -> RuleError {
        self.engine.error(phrase!("work.rule_table", name), e).into()
    }

    /// What a name stands for.
    pub(super) fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, RuleError> {
        if let Some(known) = self.known.borrow().get(name) {
            return Ok(Some(known.clone()));
        }
        let found: Arc<dyn TableProvider> =
            if let Some(parts) = self.parts.get(name).filter(|parts| !parts.is_empty()) {
                let paths: Vec<PathBuf> = parts.iter().map(|p| p.path.clone()).collect();
                table(name, &paths)?
            } else if let Some(known) = self.models.known.get(name) {
                table(name, std::slice::from_ref(&known.part.path))?
            } else if let Some(batch) = self.book.references.get(name).or_else(|| self.externals.get(name)) {
                memory(batch).map_err(|e| self.failed(name, e))?
            } else if let Some(table) = self.national.table(name) {
                Arc::new(EmptyTable::new(table.mapped_schema()))
            } else {
                return Ok(None);
            };
        self.known.borrow_mut().insert(name.to_owned(), found.clone());
        Ok(Some(found))
    }
}
