//! A stream of batches → the parts of a dataset, through the one writer.
//!
//! Always: a numbered dataset is cut every [`PART_ROWS`] rows exactly, so its parts do not depend on the sizes of the batches; there is at
//! least one part.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::dataset::{self, DatasetError, PART_ROWS, PartInfo, PartWriter};
use crate::{durable, folder};

/// How parts are named.
#[derive(Debug, Clone)]
pub(super) enum Naming {
    /// `<prefix>000000.parquet`, `<prefix>000001.parquet`, … of [`PART_ROWS`] rows.
    Numbered { prefix: String },
    /// One part of that file name.
    One(String),
}

/// Writes one dataset.
pub(super) struct Parts {
    dir: PathBuf,
    schema: SchemaRef,
    naming: Naming,
    open: Option<PartWriter>,
    done: Vec<PartInfo>,
}

impl Parts {
    /// The folder must exist.
    pub(super) fn new(dir: &Path, schema: SchemaRef, naming: Naming) -> Self {
        Self { dir: dir.to_owned(), schema, naming, open: None, done: Vec::new() }
    }

    fn writer(&mut self) -> Result<&mut PartWriter, DatasetError> {
        if self.open.is_none() {
            let name = match &self.naming {
                Naming::Numbered { prefix } => format!("{prefix}{:06}.parquet", self.done.len()),
                Naming::One(name) => name.clone(),
            };
            self.open = Some(PartWriter::create(&self.dir.join(name), self.schema.clone())?);
        }
        // The line above has just filled it.
        self.open.as_mut().ok_or_else(|| DatasetError::Empty { dir: self.dir.display().to_string() })
    }

    /// Appends rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let cut = matches!(self.naming, Naming::Numbered { .. });
            let writer = self.writer()?;
            let room = usize::try_from(writer.rows()).map_or(0, |rows| PART_ROWS.saturating_sub(rows));
            let take = if cut { room.min(rest.num_rows()) } else { rest.num_rows() };
            writer.write(&rest.slice(0, take))?;
            rest = rest.slice(take, rest.num_rows() - take);
            if cut && take == room {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), DatasetError> {
        if let Some(writer) = self.open.take() {
            self.done.push(writer.finish()?);
        }
        Ok(())
    }

    /// Closes the last part; an empty dataset gets a part of no rows.
    pub(super) fn finish(mut self) -> Result<Vec<PartInfo>, DatasetError> {
        if self.done.is_empty() {
            self.writer()?;
        }
        self.close()?;
        Ok(self.done)
    }
}

/// The file name of a part.
pub(super) fn file_name(part: &Path) -> String {
    part.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What the parts that come from one legacy table start with, in a folder that several legacy tables share: no two of them share it.
pub(super) fn prefix(legacy_table: &str) -> String {
    format!("{}-", folder::name(legacy_table))
}

/// Makes the folder, and removes what an earlier, unfinished run left of the parts with that prefix.
pub(super) fn without(dir: &Path, prefix: &str) -> Result<(), DatasetError> {
    durable::create_dir_all(dir)?;
    let old = |path: &PathBuf| {
        let name = file_name(path);
        let number = name.strip_prefix(prefix).and_then(|n| n.strip_suffix(".parquet"));
        number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    for path in dataset::left_parts(dir)?.iter().filter(|p| old(p)) {
        durable::remove_file(path)?;
    }
    Ok(())
}

/// Empties a folder for a dataset that is computed (again).
pub(super) fn fresh(dir: &Path) -> Result<(), DatasetError> {
    durable::remove_dir_all(dir)?;
    durable::create_dir_all(dir)?;
    Ok(())
}
