//! Cells of a workbook (XLSX) that people made → text.
//!
//! Always: nothing is computed; a number that has lost digits, a duration and an error are no text.

use calamine::DataRef;

/// Beyond this a number in a spreadsheet has lost digits.
const EXACT: f64 = 1e15;

/// Why a cell is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellFault {
    /// A number of more digits than a spreadsheet keeps.
    Digits,
    Duration,
    /// `#N/A` and the like.
    Error,
}

/// What a cell says; a day as 2021-06-01.
///
/// # Errors
/// What it holds instead.
pub fn cell_text(value: &DataRef<'_>) -> Result<String, CellFault> {
    match value {
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) => Ok(text.clone()),
        DataRef::SharedString(text) => Ok((*text).to_owned()),
        DataRef::Int(n) => Ok(n.to_string()),
        DataRef::Float(n) if n.abs() >= EXACT => Err(CellFault::Digits),
        DataRef::Float(n) => Ok(n.to_string()),
        DataRef::Bool(is) => Ok(if *is { "TRUE" } else { "FALSE" }.to_owned()),
        DataRef::DateTime(at) if at.is_datetime() => {
            let (year, month, day, ..) = at.to_ymd_hms_milli();
            Ok(format!("{year:04}-{month:02}-{day:02}"))
        }
        DataRef::DateTimeIso(at) => Ok(at.chars().take(10).collect()),
        DataRef::DateTime(_) | DataRef::DurationIso(_) => Err(CellFault::Duration),
        DataRef::Error(_) => Err(CellFault::Error),
    }
}
