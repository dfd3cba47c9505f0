//! The file that a list was asked for in: a workbook, or CSV.

use std::path::PathBuf;

use qianyi::report::{ListFile, ListHead, SheetColumn, Words};
use serde::Serialize;

use super::args_lists::FileArgs;
use super::context::Context;
use super::failure::Failure;
use super::out;

#[derive(Serialize)]
struct Written {
    rows: u64,
    path: PathBuf,
}

/// Begins the file with its head; `None`: none was asked for.
pub fn begin(
    head: &ListHead<'_>,
    columns: Vec<SheetColumn>,
    of: &FileArgs,
) -> Result<Option<ListFile>, Failure> {
    let csv = of.csv.as_ref().map(|_| of.encoding.into());
    let Some(path) = of.csv.as_ref().or(of.xlsx.as_ref()) else { return Ok(None) };
    Ok(Some(ListFile::begin(path, csv, head, columns)?))
}

/// Makes the file visible, and says how many rows it has and where it lies.
pub fn finish(context: &Context, words: &Words, file: ListFile, rows: u64) -> Result<(), Failure> {
    let path = file.finish("", &[])?;
    if context.json {
        out::object(&Written { rows, path });
    } else {
        let written = words.say("findings", "written");
        out::line(&format!("{} {written} · {}", out::grouped(rows), path.display()));
    }
    Ok(())
}
