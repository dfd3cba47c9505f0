//! What rules read in one work item: the current version of each table, references, outside data, models.
//!
//! Always: a session knows exactly the names that its rules need; a table that the city does not map is there without rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::fault::RuleError;
use super::file::{RuleBook, memory};
use crate::dataset::{PartInfo, PartWriter, register};
use crate::durable;
use crate::engine::Engine;
use crate::national::National;

/// About what a row of a joined table takes while it is joined.
const ROW_BYTES: u64 = 100;

/// The tables of a work item.
pub(super) struct Tables<'a> {
    pub(super) engine: &'a Engine,
    pub(super) national: &'a National,
    pub(super) book: &'a RuleBook,
    /// The current version of every mapped national and working table.
    pub(super) parts: &'a BTreeMap<String, Vec<PartInfo>>,
    /// Outside data that the city has, by `ext_<name>`.
    pub(super) externals: &'a BTreeMap<String, RecordBatch>,
    /// Models of this item, computed, by name.
    pub(super) models: BTreeMap<String, PathBuf>,
}

impl Tables<'_> {
    /// Computes the models that the rules of an item need.
    pub(super) fn compute_models(
        &mut self,
        needed: &BTreeSet<String>,
        scratch: &Path,
    ) -> Result<(), RuleError> {
        durable::create_dir_all(scratch)?;
        for model in self.book.models_for(needed) {
            let missing = self.missing(&model.reads);
            if missing.is_some() {
                continue;
            }
            let session = self.session(&model.reads)?;
            let path = scratch.join(format!("{}.parquet", model.name));
            let what = || format!("the model {}", model.name);
            let part = self.engine.block_on(async {
                let frame = session.sql(&model.sql).await.map_err(|e| self.engine.error(what(), e))?;
                let schema = Arc::new(frame.schema().as_arrow().clone());
                let mut writer = PartWriter::create(&path, schema)?;
                let mut stream = frame.execute_stream().await.map_err(|e| self.engine.error(what(), e))?;
                while let Some(batch) = stream.next().await {
                    writer.write(&batch.map_err(|e| self.engine.error(what(), e))?)?;
                }
                Ok::<PartInfo, RuleError>(writer.finish()?)
            })?;
            self.models.insert(model.name.clone(), part.path);
        }
        Ok(())
    }

    /// Outside data that these names stand on and that the city does not have.
    pub(super) fn missing(&self, names: &BTreeSet<String>) -> Option<String> {
        let models = self.book.models_for(names);
        let all = names.iter().chain(models.iter().flat_map(|m| &m.reads));
        let mut outside = all.filter(|n| self.book.externals.contains_key(*n));
        outside.find(|n| !self.externals.contains_key(*n)).cloned()
    }

    fn rows(&self, name: &str) -> u64 {
        self.parts.get(name).map_or(0, |parts| parts.iter().map(|p| p.rows).sum())
    }

    /// A session that knows these names.
    pub(super) fn session(&self, names: &BTreeSet<String>) -> Result<SessionContext, RuleError> {
        let mut rows: Vec<u64> = names.iter().map(|n| self.rows(n)).collect();
        rows.sort_unstable();
        rows.pop();
        let joins = self.engine.joins(rows.iter().sum(), ROW_BYTES);
        let session = self.engine.session(self.engine.partitions(), joins);
        for name in names {
            self.know(&session, name)?;
        }
        Ok(session)
    }

    fn know(&self, session: &SessionContext, name: &str) -> Result<(), RuleError> {
        let failed = |e| self.engine.error(format!("the table {name} for the rules"), e);
        let put = |table| session.register_table(TableReference::bare(name), table).map(|_| ());
        if let Some(parts) = self.parts.get(name).filter(|parts| !parts.is_empty()) {
            let paths: Vec<PathBuf> = parts.iter().map(|p| p.path.clone()).collect();
            return Ok(register(session, name, &paths)?);
        }
        if let Some(path) = self.models.get(name) {
            return Ok(register(session, name, std::slice::from_ref(path))?);
        }
        if let Some(batch) = self.book.references.get(name).or_else(|| self.externals.get(name)) {
            return Ok(memory(batch).and_then(|table| put(table)).map_err(failed)?);
        }
        match self.national.table(name) {
            Some(table) => Ok(put(Arc::new(EmptyTable::new(table.mapped_schema()))).map_err(failed)?),
            None => Ok(()),
        }
    }
}
