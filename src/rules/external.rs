//! Outside data of a city (`[references]` of the configuration): CSV or Parquet files → typed rows (RULES 1).
//!
//! Always: the columns are those that `mappings/national/external/<name>.toml` names, found by their name; a value that does not fit is
//! refused with its line, the value itself is not shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};

use super::fault::RuleError;
use super::file::{External, RuleBook};
use super::typed;
use crate::dataset::{DatasetError, read_part};
use crate::text_file;

/// Reads every file that the configuration names; by `ext_<name>`.
///
/// # Errors
/// `RUL-104`.
pub fn read(
    book: &RuleBook,
    files: &BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, RecordBatch>, RuleError> {
    let mut all = BTreeMap::new();
    for (name, path) in files {
        let known = format!("ext_{name}");
        let failed =
            |what: String| RuleError::External { name: name.clone(), path: path.display().to_string(), what };
        let Some(external) = book.externals.get(&known) else {
            let names = book.externals.keys().map(|n| n.trim_start_matches("ext_"));
            return Err(failed(format!(
                "there is no such kind; did you mean {}?",
                crate::nearest::nearest(name, names)
            )));
        };
        let batch = match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            Some("parquet") => parquet(external, path)?,
            _ => csv(external, path).map_err(failed)?,
        };
        all.insert(known, batch);
    }
    Ok(all)
}

fn typed_rows(external: &External, rows: &[Vec<Option<&str>>]) -> Result<RecordBatch, String> {
    let columns: Vec<(String, DataType)> =
        external.columns.iter().map(|(name, _, kind)| (name.clone(), kind.clone())).collect();
    typed::batch(&columns, rows)
        .map_err(|unfit| format!("row {}: {} does not hold what stands there", unfit.row + 2, unfit.column))
}

/// The place of each wanted column: under its code or its Chinese title.
fn places(external: &External, head: &[String]) -> Result<Vec<usize>, String> {
    let place = |(code, title, _): &(String, String, DataType)| {
        let found = head.iter().position(|h| h.trim() == code || h.trim() == title);
        found.ok_or_else(|| format!("it has no column {code} ({title})"))
    };
    external.columns.iter().map(place).collect()
}

fn csv(external: &External, path: &Path) -> Result<RecordBatch, String> {
    let text = text_file::read(path).map_err(|e| format!("the file {}", e.0))?;
    let mut csv = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head: Vec<String> = csv.headers().map_err(|e| e.to_string())?.iter().map(str::to_owned).collect();
    let places = places(external, &head)?;
    let records: Vec<csv::StringRecord> = csv
        .records()
        .collect::<Result<_, _>>()
        .map_err(|e| format!("line {}", e.position().map_or(1, csv::Position::line)))?;
    let rows: Vec<Vec<Option<&str>>> =
        records.iter().map(|r| places.iter().map(|at| r.get(*at).and_then(typed::cell)).collect()).collect();
    typed_rows(external, &rows)
}

/// What stands in the way of reading a file, with its cause.
fn said_with_cause(e: &DatasetError) -> String {
    match std::error::Error::source(e) {
        Some(cause) => cause.to_string(),
        None => e.to_string(),
    }
}

fn parquet(external: &External, path: &Path) -> Result<RecordBatch, RuleError> {
    let failed = |what: String| RuleError::External {
        name: external.name.trim_start_matches("ext_").to_owned(),
        path: path.display().to_string(),
        what,
    };
    let mut batches = Vec::new();
    let fields: Vec<Field> =
        external.columns.iter().map(|(n, _, _)| Field::new(n, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    for batch in read_part(path).map_err(|e| failed(said_with_cause(&e)))? {
        let batch = batch.map_err(|e| failed(said_with_cause(&e)))?;
        let head: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        let places = places(external, &head).map_err(failed)?;
        let text = |at: &usize| cast(batch.column(*at), &DataType::Utf8).map_err(|e| failed(e.to_string()));
        let columns: Vec<ArrayRef> = places.iter().map(text).collect::<Result<_, _>>()?;
        batches.push(RecordBatch::try_new(schema.clone(), columns).map_err(|e| failed(e.to_string()))?);
    }
    let whole = concat_batches(&schema, &batches).map_err(|e| failed(e.to_string()))?;
    let columns: Vec<&StringArray> = whole.columns().iter().map(|c| c.as_string::<i32>()).collect();
    let rows: Vec<Vec<Option<&str>>> = (0..whole.num_rows())
        .map(|row| columns.iter().map(|c| c.is_valid(row).then(|| c.value(row))).collect())
        .collect();
    typed_rows(external, &rows).map_err(failed)
}
