//! The file that a list was asked for in: a workbook, or CSV.

use std::path::Path;

use chrono::NaiveDate;
use qianyi::report::{ListFile, SheetColumn, SheetWriter};

use super::args_lists::Encoding;
use super::failure::Failure;

/// Begins the file with its head; `None`: none was asked for.
pub fn begin(
    title: &str,
    columns: Vec<SheetColumn>,
    (csv, xlsx): (Option<&Path>, Option<&Path>),
    encoding: Encoding,
    day: NaiveDate,
) -> Result<Option<ListFile>, Failure> {
    if let Some(path) = xlsx {
        let sheet = SheetWriter::create(path, title, columns, day)?;
        return Ok(Some(ListFile::Xlsx(path.to_owned(), Box::new(sheet))));
    }
    let Some(path) = csv else { return Ok(None) };
    let heads: Vec<String> = columns.into_iter().map(|c| c.head).collect();
    Ok(Some(ListFile::csv(path, encoding.into(), &heads)?))
}
