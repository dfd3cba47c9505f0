//! Outside data of a city (`[references]` of the configuration): CSV, Parquet or XLSX files → typed rows (RULES 1).
//!
//! Always: the columns are those that `mappings/national/external/<name>.toml` names, found by their name; a value that does not fit is
//! refused with its line, the value itself is not shown. Rows carry the name and the SHA-256 of their file, for the records of what stands on them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};
use calamine::{Reader as _, Xlsx};
use serde::Deserialize;

use super::fault::RuleError;
use super::file::{Bilingual, Reader, RuleBook, stem};
use super::typed;
use crate::dataset::{DatasetError, read_part};
use crate::durable;
use crate::panics;
use crate::phrase;
use crate::spreadsheet::{CellFault, cell_text};
use crate::text_file;

/// Outside data of a city: what its file must hold.
#[derive(Debug, Clone)]
pub struct External {
    /// `ext_police`.
    pub name: String,
    pub title: Bilingual,
    pub columns: Vec<ExternalColumn>,
}

/// A column of outside data.
#[derive(Debug, Clone)]
pub struct ExternalColumn {
    pub code: String,
    /// What its column may be called in a file: its code, its Chinese title, and other heads.
    pub heads: Vec<String>,
    /// A file may come without it; then it is empty.
    pub optional: bool,
    pub kind: DataType,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExternalFile {
    name: String,
    title_zh: String,
    title_en: String,
    #[serde(rename = "department")]
    _department: Option<String>,
    column: Vec<ExternalEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExternalEntry {
    code: String,
    name: String,
    #[serde(default)]
    heads: Vec<String>,
    #[serde(default)]
    optional: bool,
    #[serde(rename = "type")]
    kind: toml::Spanned<String>,
    #[serde(rename = "mask")]
    _mask: Option<String>,
}

/// Loads the files that say which outside data there is.
pub(super) fn externals(reader: &mut Reader, dir: &Path) -> BTreeMap<String, External> {
    let mut all = BTreeMap::new();
    for path in reader.files(dir, "toml") {
        let Some(text) = reader.text(&path) else { continue };
        let file: ExternalFile = match toml::from_str(&text.text) {
            Ok(file) => file,
            Err(e) => {
                reader.fault(&text, e.span().unwrap_or(0..0), e.message().to_owned());
                continue;
            }
        };
        if file.name != stem(&path) {
            reader.fault(&text, 0..0, phrase!("file.called", name = stem(&path)));
        }
        let mut columns = Vec::new();
        for column in file.column {
            match typed::declared(column.kind.get_ref()) {
                Some(kind) => {
                    let heads = [column.code.clone(), column.name].into_iter().chain(column.heads).collect();
                    columns.push(ExternalColumn {
                        code: column.code,
                        heads,
                        optional: column.optional,
                        kind,
                    });
                }
                None => reader.fault(
                    &text,
                    column.kind.span(),
                    phrase!("file.unknown_type", kind = column.kind.get_ref()),
                ),
            }
        }
        let name = format!("ext_{}", stem(&path));
        let title = Bilingual { zh: file.title_zh, en: file.title_en };
        all.insert(name.clone(), External { name, title, columns });
    }
    all
}

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
            return Err(failed(phrase!("file.kind", nearest = crate::nearest::nearest(name, names))));
        };
        let batch = match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            Some("parquet") => parquet(external, path)?,
            Some("xlsx") => {
                let read = panics::caught(|| xlsx(external, path)).map_err(|e| failed(e.to_string()))?;
                read.map_err(failed)?
            }
            _ => csv(external, path).map_err(failed)?,
        };
        all.insert(known, from_file(&batch, path).map_err(failed)?);
    }
    Ok(all)
}

/// Keys of the metadata that rows carry.
const FILE: &str = "file";
const SHA256: &str = "sha256";

/// The same rows with the name and the digest of their file.
fn from_file(batch: &RecordBatch, path: &Path) -> Result<RecordBatch, String> {
    let digest = durable::sha256(path).map_err(|e| e.to_string())?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let facts = HashMap::from([(FILE.to_owned(), name), (SHA256.to_owned(), digest)]);
    let schema = batch.schema().as_ref().clone().with_metadata(facts);
    batch.clone().with_schema(Arc::new(schema)).map_err(|e| e.to_string())
}

/// The files of outside data that a rule stands on, with their SHA-256; none: it stands on none.
pub(super) fn provenance(all: &BTreeMap<String, RecordBatch>, needs: &[String]) -> Option<String> {
    let of = |name: &String| {
        let schema = all.get(name)?.schema();
        Some(format!("{} SHA-256 {}", schema.metadata.get(FILE)?, schema.metadata.get(SHA256)?))
    };
    let files: Vec<String> = needs.iter().filter_map(of).collect();
    (!files.is_empty()).then(|| files.join("、"))
}

fn typed_rows(external: &External, rows: &[Vec<Option<&str>>]) -> Result<RecordBatch, String> {
    let columns: Vec<(String, DataType)> =
        external.columns.iter().map(|c| (c.code.clone(), c.kind.clone())).collect();
    typed::batch(&columns, rows)
        .map_err(|unfit| phrase!("file.unfit", row = unfit.row + 2, column = unfit.column))
}

/// The place of each wanted column, under any of its heads; none: it may be missing, and is.
fn places(external: &External, head: &[String]) -> Result<Vec<Option<usize>>, String> {
    let place = |column: &ExternalColumn| {
        let is = |(_, h): &(usize, &String)| column.heads.iter().any(|known| known == h.trim());
        let mut found = head.iter().enumerate().filter(is).map(|(at, _)| at);
        let first = found.next();
        if let (Some(first), Some(second)) = (first, found.next()) {
            return Err(phrase!(
                "file.column_twice",
                first = first + 1,
                second = second + 1,
                column = column.code
            ));
        }
        if first.is_none() && !column.optional {
            return Err(phrase!("file.no_column", column = column.heads.join(" / ")));
        }
        Ok(first)
    };
    external.columns.iter().map(place).collect()
}

fn csv(external: &External, path: &Path) -> Result<RecordBatch, String> {
    let text = text_file::read(path).map_err(|e| phrase!("file.the_file", why = e.0))?;
    let mut csv = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head: Vec<String> = csv.headers().map_err(|e| e.to_string())?.iter().map(str::to_owned).collect();
    let places = places(external, &head)?;
    let records: Vec<csv::StringRecord> = csv
        .records()
        .collect::<Result<_, _>>()
        .map_err(|e| phrase!("file.line", line = e.position().map_or(1, csv::Position::line)))?;
    let rows: Vec<Vec<Option<&str>>> = records
        .iter()
        .map(|r| places.iter().map(|at| r.get((*at)?).and_then(typed::cell)).collect())
        .collect();
    typed_rows(external, &rows)
}

/// The first sheet of a workbook: its first row is the head. A number that has lost digits is refused.
fn xlsx(external: &External, path: &Path) -> Result<RecordBatch, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut book = Xlsx::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let name = book.sheet_names().first().cloned().ok_or_else(|| phrase!("file.no_sheet"))?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(|e| e.to_string())?;
    let mut rows: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
    while let Some(cell) = cells.next_cell().map_err(|e| e.to_string())? {
        let (row, column) = cell.get_position();
        let text =
            cell_text(cell.get_value()).map_err(|e| phrase!("file.row", row = row + 1, what = unfit(e)))?;
        rows.entry(row).or_default().insert(column, text);
    }
    let (_, first) = rows.pop_first().ok_or_else(|| phrase!("file.no_row"))?;
    let width = first.keys().next_back().map_or(0, |last| *last as usize + 1);
    let head: Vec<String> =
        (0..width).map(|c| first.get(&place_of(c)).cloned().unwrap_or_default()).collect();
    let places = places(external, &head)?;
    let cell = |row: &BTreeMap<u32, String>, at: &Option<usize>| row.get(&place_of((*at)?)).cloned();
    let texts: Vec<Vec<Option<String>>> =
        rows.values().map(|row| places.iter().map(|at| cell(row, at)).collect()).collect();
    let rows: Vec<Vec<Option<&str>>> = texts
        .iter()
        .filter(|row| row.iter().flatten().any(|c| !c.is_empty()))
        .map(|row| row.iter().map(|c| c.as_deref().and_then(typed::cell)).collect())
        .collect();
    typed_rows(external, &rows)
}

fn unfit(of: CellFault) -> String {
    match of {
        CellFault::Digits => phrase!("file.digits"),
        CellFault::Duration => phrase!("file.duration"),
        CellFault::Error => phrase!("file.cell_error"),
    }
}

fn place_of(column: usize) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
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
        external.columns.iter().map(|c| Field::new(&c.code, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    for batch in read_part(path).map_err(|e| failed(said_with_cause(&e)))? {
        let batch = batch.map_err(|e| failed(said_with_cause(&e)))?;
        let head: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        let places = places(external, &head).map_err(failed)?;
        let text = |at: &Option<usize>| match at {
            Some(at) => cast(batch.column(*at), &DataType::Utf8).map_err(|e| failed(e.to_string())),
            None => Ok(new_null_array(&DataType::Utf8, batch.num_rows())),
        };
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
