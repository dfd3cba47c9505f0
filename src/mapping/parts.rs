//! A stream of batches → the parts of a dataset, through the one writer.
//!
//! Always: a numbered dataset is cut every [`PART_ROWS`] rows exactly, so its parts do not depend on the sizes of the batches; there is at
//! least one part.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::dataset::{DatasetError, PART_ROWS, PartInfo, PartWriter};
use crate::durable;

/// How parts are named.
#[derive(Debug, Clone)]
pub(super) enum Naming {
    /// `000000.parquet`, `000001.parquet`, … of [`PART_ROWS`] rows.
    Numbered,
    /// One part with the name of the part that it comes from.
    Like(PathBuf),
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
                Naming::Numbered => PathBuf::from(format!("{:06}.parquet", self.done.len())),
                Naming::Like(path) => path.file_name().map(PathBuf::from).unwrap_or_default(),
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
            let cut = matches!(self.naming, Naming::Numbered);
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

/// Empties a folder for a dataset that is computed (again).
pub(super) fn fresh(dir: &Path) -> Result<(), DatasetError> {
    durable::remove_dir_all(dir)?;
    durable::create_dir_all(dir)?;
    Ok(())
}
