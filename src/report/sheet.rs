//! A list as a workbook (XLSX) that people filter, or a form that they fill in, print and sign: frozen head with a filter, every cell a text.
//!
//! Always: numbers that people write keep all their digits, and nothing is a formula; rows go out as they come, in constant memory. The
//! same rows give the same bytes.
//! Must not know: what the rows are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{
    Color, DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, IgnoreError,
    ProtectionOptions, Workbook, Worksheet, XlsxError,
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

/// What makes a list a form: cells that people fill in, all others protected; A4 across, the head on every printed page.
#[derive(Debug, Clone)]
pub struct SheetForm {
    /// What stands over the head: the title, then what the form is about and how it is filled in.
    pub over: Vec<String>,
    /// At the foot of every printed page; may hold the codes of page headers (`&P`).
    pub foot: String,
    /// Columns that people fill in.
    pub filled: Range<u16>,
    /// A column of them, and what may stand in it.
    pub choices: (u16, Vec<String>),
    /// What is said when something else is typed there.
    pub wrong_choice: String,
    /// From this column on nothing is shown or printed.
    pub hidden: u16,
}

/// A4.
const PAPER: u8 = 9;
/// Height of a form's row in points: two lines, as texts are wrapped and nobody measures them.
const FORM_ROW: u32 = 30;
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
    form: Option<SheetForm>,
    /// The row of the head.
    head: u32,
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
        Self::begin(path, title, columns, day, None)
    }

    /// As [`SheetWriter::create`], as a form.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn form(
        path: &Path,
        title: &str,
        columns: Vec<SheetColumn>,
        day: NaiveDate,
        form: SheetForm,
    ) -> Result<Self, ReportError> {
        Self::begin(path, title, columns, day, Some(form))
    }

    fn begin(
        path: &Path,
        title: &str,
        columns: Vec<SheetColumn>,
        day: NaiveDate,
        form: Option<SheetForm>,
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
        let head = form.as_ref().map_or(0, |f| u32::try_from(f.over.len()).unwrap_or(0));
        let text = if form.is_some() { text.set_text_wrap().set_align(FormatAlign::Top) } else { text };
        let mut writer =
            Self { path, title, columns, form, head, workbook, text, sheets: 0, of_title: 0, rows: 0 };
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
        let (row, text, at) = (self.head + self.rows, self.text.clone(), self.sheets - 1);
        let height = self.form.is_some().then_some(FORM_ROW);
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            if let Some(height) = height {
                sheet.set_row_height(row, height)?;
            }
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
        let (row, text, at) = (self.head + self.rows, self.text.clone(), self.sheets - 1);
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
    pub fn finish(self) -> Result<(), ReportError> {
        self.finish_with("", &[])
    }

    /// As [`SheetWriter::finish`], with a hidden sheet of names and values.
    ///
    /// # Errors
    /// `REP-002`, `DUR-001`.
    pub fn finish_with(mut self, hidden: &str, values: &[(&str, String)]) -> Result<(), ReportError> {
        self.end_sheet()?;
        if !values.is_empty() {
            self.write(|workbook| {
                let sheet = workbook.add_worksheet_with_constant_memory();
                sheet.set_name(hidden)?.set_very_hidden(true).protect();
                for (row, (name, value)) in (0_u32..).zip(values) {
                    sheet.write_string(row, 0, *name)?.write_string(row, 1, value)?;
                }
                Ok(())
            })?;
        }
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
        let head = if self.form.is_some() { head.set_text_wrap() } else { head };
        let (columns, at, form) = (self.columns.clone(), self.head, self.form.clone());
        self.write(|workbook| {
            let sheet = workbook.add_worksheet_with_constant_memory();
            sheet.set_name(name)?.set_freeze_panes(at + 1, 0)?;
            if let Some(form) = &form {
                begin_form(sheet, form, at)?;
            }
            for (no, column) in (0_u16..).zip(&columns) {
                sheet.set_column_width(no, f64::from(column.width))?;
                let fills = form.as_ref().is_some_and(|f| f.filled.contains(&no));
                let head = if fills { head.clone().set_background_color(FILLED) } else { head.clone() };
                sheet.write_string_with_format(at, no, &column.head, &head)?;
                if form.as_ref().is_some_and(|f| no >= f.hidden) {
                    sheet.set_column_hidden(no)?;
                }
            }
            Ok(())
        })
    }

    /// The filter, and no green corners on numbers that are texts.
    fn end_sheet(&mut self) -> Result<(), ReportError> {
        let last = u16::try_from(self.columns.len()).unwrap_or(u16::MAX).saturating_sub(1);
        let (head, at, form) = (self.head, self.sheets - 1, self.form.clone());
        let end = head + self.rows;
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            sheet.autofilter(head, 0, end, last)?;
            sheet.ignore_error_range(head, 0, end.max(head + 1), last, IgnoreError::NumberStoredAsText)?;
            if let Some(form) = &form {
                let (column, choices) = &form.choices;
                let choice = DataValidation::new()
                    .allow_list_strings(choices)?
                    .set_error_message(&form.wrong_choice)?;
                sheet.add_data_validation(head + 1, *column, end.max(head + 1), *column, &choice)?;
                sheet.set_print_area(0, 0, end, form.hidden.saturating_sub(1))?;
            }
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

/// Colour of the heads of what people fill in.
const FILLED: Color = Color::RGB(0x00FF_F2CC);

/// What makes a sheet a form, and what stands over its head.
fn begin_form(sheet: &mut Worksheet, form: &SheetForm, head: u32) -> Result<(), XlsxError> {
    sheet.set_paper_size(PAPER).set_landscape().set_print_fit_to_pages(1, 0).set_print_gridlines(true);
    sheet.set_repeat_rows(head, head)?;
    sheet.set_margins(0.4, 0.4, 0.5, 0.7, 0.2, 0.3).set_footer(&form.foot);
    let allowed = ProtectionOptions {
        format_columns: true,
        format_rows: true,
        use_autofilter: true,
        ..ProtectionOptions::default()
    };
    sheet.protect_with_options(&allowed);
    let filled = Format::new().set_num_format("@").set_unlocked().set_text_wrap().set_align(FormatAlign::Top);
    for column in form.filled.clone() {
        sheet.set_column_format(column, &filled)?;
    }
    let last = form.hidden.saturating_sub(1);
    let title = Format::new().set_bold().set_font_size(16).set_align(FormatAlign::Center);
    let plain = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    for (row, text) in (0_u32..).zip(&form.over) {
        sheet.set_row_height(row, if row == 0 { 26 } else { 32 })?;
        sheet.merge_range(row, 0, row, last, text, if row == 0 { &title } else { &plain })?;
    }
    Ok(())
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
