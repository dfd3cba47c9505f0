//! A list as a workbook (XLSX) that people filter: frozen head with a filter, every cell a text.
//!
//! Always: numbers that people write keep all their digits, and nothing is a formula; rows go out as they come, in constant memory. The
//! same rows give the same bytes.
//! Must not know: what the rows are.

use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, IgnoreError, Workbook, XlsxError,
};

use super::ReportError;
use crate::durable;

/// Rows of a sheet under its head; what is more goes on in the next (a sheet holds 1,048,576).
const SHEET_ROWS: u32 = 1_000_000;

/// A column: what its head says, and how wide it is, in characters.
#[derive(Debug, Clone)]
pub struct SheetColumn {
    pub head: String,
    pub width: u16,
}

/// A cell: a text, or a number in plain digits (`-1234.05`), which stays a text where a spreadsheet would round it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetCell {
    Text(String),
    Number(String),
}

/// Digits that a spreadsheet keeps.
const EXACT_DIGITS: usize = 15;

/// A workbook being written.
pub struct SheetWriter {
    path: PathBuf,
    /// Of the sheets.
    title: String,
    columns: Vec<SheetColumn>,
    workbook: Workbook,
    text: Format,
    sheets: usize,
    /// Sheets of this title.
    of_title: usize,
    /// Rows of the last sheet.
    rows: u32,
}

impl SheetWriter {
    /// Begins a workbook; nothing is visible under `path` before [`SheetWriter::finish`]. `day` stands for the day on which it was made.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn create(
        path: &Path,
        title: &str,
        columns: Vec<SheetColumn>,
        day: NaiveDate,
    ) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Sheet { path: path.display().to_string(), source };
        let mut workbook = Workbook::new();
        // What waits on disk holds the rows: it lies where the file will lie, not in the system's folder.
        workbook.set_tempdir(folder(path)).map_err(failed)?;
        let [month, day_of] = [day.month(), day.day()].map(|n| u8::try_from(n).unwrap_or(1));
        let year = u16::try_from(day.year()).unwrap_or(1900);
        let made = ExcelDateTime::from_ymd(year, month, day_of).map_err(failed)?;
        workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&made));
        let text = Format::new().set_num_format("@");
        let (path, title) = (path.to_owned(), title.to_owned());
        let mut writer = Self { path, title, columns, workbook, text, sheets: 0, of_title: 0, rows: 0 };
        writer.next_sheet()?;
        Ok(writer)
    }

    /// Writes a row, a text a column; NULL stays empty.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn row(&mut self, cells: &[Option<&str>]) -> Result<(), ReportError> {
        if self.rows == SHEET_ROWS {
            self.end_sheet()?;
            self.next_sheet()?;
        }
        self.rows += 1;
        let (row, text, at) = (self.rows, self.text.clone(), self.sheets - 1);
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            for (column, cell) in (0_u16..).zip(cells) {
                if let Some(cell) = cell.filter(|c| !c.is_empty()) {
                    sheet.write_string_with_format(row, column, cell, &text)?;
                }
            }
            Ok(())
        })
    }

    /// Ends this table and begins another, on a sheet of its own.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn next_table(&mut self, title: &str, columns: Vec<SheetColumn>) -> Result<(), ReportError> {
        self.end_sheet()?;
        (self.title, self.columns, self.of_title) = (title.to_owned(), columns, 0);
        self.next_sheet()
    }

    /// Writes a row of texts and numbers.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn cells(&mut self, cells: &[SheetCell]) -> Result<(), ReportError> {
        if self.rows == SHEET_ROWS {
            self.end_sheet()?;
            self.next_sheet()?;
        }
        self.rows += 1;
        let (row, text, at) = (self.rows, self.text.clone(), self.sheets - 1);
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            for (column, cell) in (0_u16..).zip(cells) {
                let (SheetCell::Text(said) | SheetCell::Number(said)) = cell;
                let number = match cell {
                    SheetCell::Number(plain) => exact(plain),
                    SheetCell::Text(_) => None,
                };
                if let Some(number) = number {
                    let form = if said.contains('.') { "#,##0.00" } else { "#,##0" };
                    let form = Format::new().set_num_format(form);
                    sheet.write_number_with_format(row, column, number, &form)?;
                } else if !said.is_empty() {
                    sheet.write_string_with_format(row, column, said, &text)?;
                }
            }
            Ok(())
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `REP-002`, `DUR-001`.
    pub fn finish(mut self) -> Result<(), ReportError> {
        self.end_sheet()?;
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let part = self.path.with_file_name(format!(".{name}.part"));
        self.write(|workbook| workbook.save(&part))?;
        durable::copy(&part, &self.path)?;
        durable::remove_file(&part)?;
        Ok(())
    }

    fn next_sheet(&mut self) -> Result<(), ReportError> {
        self.sheets += 1;
        self.of_title += 1;
        self.rows = 0;
        let name = match self.of_title {
            1 => self.title.clone(),
            no => format!("{} {no}", self.title),
        };
        let head = Format::new()
            .set_bold()
            .set_background_color(Color::RGB(0x00EE_F2F7))
            .set_border_bottom(FormatBorder::Thin)
            .set_align(FormatAlign::Left);
        let columns = self.columns.clone();
        self.write(|workbook| {
            let sheet = workbook.add_worksheet_with_constant_memory();
            sheet.set_name(name)?.set_freeze_panes(1, 0)?;
            for (at, column) in (0_u16..).zip(&columns) {
                sheet.set_column_width(at, f64::from(column.width))?;
                sheet.write_string_with_format(0, at, &column.head, &head)?;
            }
            Ok(())
        })
    }

    /// The filter, and no green corners on numbers that are texts.
    fn end_sheet(&mut self) -> Result<(), ReportError> {
        let last = u16::try_from(self.columns.len()).unwrap_or(u16::MAX).saturating_sub(1);
        let (rows, at) = (self.rows, self.sheets - 1);
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            sheet.autofilter(0, 0, rows, last)?;
            sheet.ignore_error_range(0, 0, rows.max(1), last, IgnoreError::NumberStoredAsText)?;
            Ok(())
        })
    }

    fn write(
        &mut self,
        work: impl FnOnce(&mut Workbook) -> Result<(), XlsxError>,
    ) -> Result<(), ReportError> {
        work(&mut self.workbook)
            .map_err(|source| ReportError::Sheet { path: self.path.display().to_string(), source })
    }
}

/// A number that a spreadsheet holds exactly as it is written.
fn exact(plain: &str) -> Option<f64> {
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    plain.parse().ok().filter(|_| digits <= EXACT_DIGITS)
}

/// The folder of a file.
fn folder(of: &Path) -> &Path {
    match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
