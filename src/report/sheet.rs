//! A workbook (XLSX) that people filter; or a list that they print and sign, or a form that they fill in: frozen head with a filter, A4 across.
//!
//! Always: numbers that people write keep all their digits, and nothing is a formula; rows go out as they come, in constant memory. What is printed
//! is not cut. The same rows give the same bytes.
//! Must not know: what the rows are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{
    Color, DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, IgnoreError,
    ProtectionOptions, Workbook, Worksheet, XlsxError,
};

use super::{ReportError, fit};
use crate::durable;

/// Rows of a sheet under its head; what is more goes on in the next (a sheet holds 1,048,576).
const SHEET_ROWS: u32 = 1_000_000;

/// A column: what its head says, and how wide it is, in characters; none: by what stands in it.
#[derive(Debug, Clone)]
pub struct SheetColumn {
    pub head: String,
    pub width: Option<u16>,
}

/// What is printed around the rows: nothing of them is cut.
#[derive(Debug, Clone)]
pub struct SheetPrint {
    /// What stands over the head: the title, then what the sheet is about.
    pub over: Vec<String>,
    /// At the foot of every printed page; may hold the codes of page headers (`&P`).
    pub foot: String,
    /// So many columns are printed; none: all.
    pub printed: Option<u16>,
    pub form: Option<SheetForm>,
}

/// What makes a list a form: cells that people fill in, all others protected; columns that are not printed are hidden.
#[derive(Debug, Clone)]
pub struct SheetForm {
    /// Columns that people fill in.
    pub filled: Range<u16>,
    /// A column of them, and what may stand in it.
    pub choices: (u16, Vec<String>),
    /// What is said when something else is typed there.
    pub wrong_choice: String,
}

/// Characters of a sheet's name; 31 with its number.
const SHEET_NAME: usize = 28;
/// A4.
const PAPER: u8 = 9;
/// What is printed is set in the font of every Chinese office, in this size.
const FONT: (&str, u8) = ("宋体", 10);
/// Lines of a form's row at least: room for a pen.
const FORM_LINES: u32 = 2;
/// So many rows are as high as their texts take. Nobody prints more, and a height that is set stays in memory.
const HIGH_ROWS: u32 = 50_000;
/// So many rows are looked at for the widths of columns.
const MEASURED: usize = 500;

/// A cell: a text, or a number in plain digits (`-1234.05`), which stays a text where a spreadsheet would round it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetCell {
    Text(String),
    Number(String),
}

/// Digits that a spreadsheet keeps.
const EXACT_DIGITS: usize = 15;

impl From<Option<&str>> for SheetCell {
    fn from(of: Option<&str>) -> Self {
        Self::Text(of.unwrap_or_default().to_owned())
    }
}

impl SheetCell {
    fn said(&self) -> &str {
        match self {
            Self::Text(said) | Self::Number(said) => said,
        }
    }
}

/// A workbook being written.
pub struct SheetWriter {
    path: PathBuf,
    /// Of the sheets.
    title: String,
    columns: Vec<SheetColumn>,
    print: Option<SheetPrint>,
    /// The row of the head.
    head: u32,
    workbook: Workbook,
    text: Format,
    sheets: usize,
    /// Sheets of this title.
    of_title: usize,
    /// Rows of the last sheet.
    rows: u32,
    /// Of the columns; none as long as rows wait to be measured.
    widths: Option<Vec<u16>>,
    waiting: Vec<Vec<SheetCell>>,
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
        print: Option<SheetPrint>,
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
        let text = if print.is_some() { printed(text) } else { text };
        Ok(Self {
            path: path.to_owned(),
            title: title.to_owned(),
            columns,
            head: print.as_ref().map_or(0, |p| u32::try_from(p.over.len()).unwrap_or(0)),
            print,
            workbook,
            text,
            sheets: 0,
            of_title: 0,
            rows: 0,
            widths: None,
            waiting: Vec::new(),
        })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn row(&mut self, cells: &[SheetCell]) -> Result<(), ReportError> {
        if self.widths.is_some() {
            return self.write_row(cells);
        }
        self.waiting.push(cells.to_vec());
        if self.waiting.len() < MEASURED { Ok(()) } else { self.measure() }
    }

    /// Settles the widths of the columns, and writes what waited for them.
    fn measure(&mut self) -> Result<(), ReportError> {
        let waiting = std::mem::take(&mut self.waiting);
        let longest = |column: usize| {
            let texts = waiting.iter().filter_map(|row| row.get(column));
            texts.map(|cell| fit::width(cell.said())).max().unwrap_or(0)
        };
        let open: Vec<usize> =
            (0..self.columns.len()).filter(|no| self.columns[*no].width.is_none()).collect();
        let heads: Vec<&str> = open.iter().map(|no| self.columns[*no].head.as_str()).collect();
        let mut by_text =
            fit::widths(&heads, &open.iter().map(|no| longest(*no)).collect::<Vec<_>>()).into_iter();
        let width = |c: &SheetColumn| match c.width {
            // A head that is not wrapped may be cut.
            Some(width) if self.print.is_none() => width,
            Some(width) => width.max(fit::unbroken(&c.head)),
            None => by_text.next().unwrap_or_default(),
        };
        self.widths = Some(self.columns.iter().map(width).collect());
        self.next_sheet()?;
        waiting.iter().try_for_each(|row| self.write_row(row))
    }

    fn write_row(&mut self, cells: &[SheetCell]) -> Result<(), ReportError> {
        if self.rows == SHEET_ROWS {
            self.end_sheet()?;
            self.next_sheet()?;
        }
        self.rows += 1;
        let (row, text, at) = (self.head + self.rows, self.text.clone(), self.sheets - 1);
        let print = self.print.as_ref().filter(|_| self.rows <= HIGH_ROWS);
        let height = print.map(|print| {
            let texts = cells.iter().map(SheetCell::said).zip(self.printed_widths());
            fit::height(texts, if print.form.is_some() { FORM_LINES } else { 1 })
        });
        self.write(|workbook| {
            let sheet = workbook.worksheet_from_index(at)?;
            if let Some(height) = height {
                sheet.set_row_height(row, height)?;
            }
            for (column, cell) in (0_u16..).zip(cells) {
                let number = match cell {
                    SheetCell::Number(plain) => exact(plain),
                    SheetCell::Text(_) => None,
                };
                let said = cell.said();
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

    /// The widths of the columns that are printed.
    fn printed_widths(&self) -> impl Iterator<Item = u16> + '_ {
        let printed = self.print.as_ref().and_then(|p| p.printed).map_or(usize::MAX, usize::from);
        self.widths.iter().flatten().copied().take(printed)
    }

    /// Ends this table and begins another, on a sheet of its own.
    ///
    /// # Errors
    /// `REP-002`.
    pub fn next_table(&mut self, title: &str, columns: Vec<SheetColumn>) -> Result<(), ReportError> {
        self.end_table()?;
        (self.title, self.columns, self.of_title, self.widths) = (title.to_owned(), columns, 0, None);
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), ReportError> {
        if self.widths.is_none() {
            self.measure()?;
        }
        self.end_sheet()
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
        self.end_table()?;
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
        let plain: String =
            self.title.chars().filter(|c| !"[]:*?/\\".contains(*c)).take(SHEET_NAME).collect();
        let name = match self.of_title {
            1 => plain,
            no => format!("{plain} {no}"),
        };
        let head = Format::new()
            .set_bold()
            .set_background_color(Color::RGB(0x00EE_F2F7))
            .set_border_bottom(FormatBorder::Thin)
            .set_align(FormatAlign::Left);
        let head = if self.print.is_some() { printed(head) } else { head };
        let (columns, at, print) = (self.columns.clone(), self.head, self.print.clone());
        let widths = self.widths.clone().unwrap_or_default();
        let shown: Vec<u16> = self.printed_widths().collect();
        self.write(|workbook| {
            let sheet = workbook.add_worksheet_with_constant_memory();
            sheet.set_name(name)?.set_freeze_panes(at + 1, 0)?;
            sheet
                .set_paper_size(PAPER)
                .set_landscape()
                .set_print_fit_to_pages(1, 0)
                .set_repeat_rows(at, at)?;
            if let Some(print) = &print {
                begin_print(sheet, print, &shown)?;
                let heads = columns.iter().map(|c| c.head.as_str()).zip(shown.iter().copied());
                sheet.set_row_height(at, fit::height(heads, 1))?;
            }
            let hidden = print.as_ref().filter(|p| p.form.is_some()).and_then(|p| p.printed);
            let form = print.and_then(|p| p.form);
            for (no, (column, width)) in (0_u16..).zip(columns.iter().zip(widths)) {
                sheet.set_column_width(no, f64::from(width))?;
                let fills = form.as_ref().is_some_and(|f| f.filled.contains(&no));
                let head = if fills { head.clone().set_background_color(FILLED) } else { head.clone() };
                sheet.write_string_with_format(at, no, &column.head, &head)?;
                if hidden.is_some_and(|from| no >= from) {
                    sheet.set_column_hidden(no)?;
                }
            }
            Ok(())
        })
    }

    /// The filter, and no green corners on numbers that are texts.
    fn end_sheet(&mut self) -> Result<(), ReportError> {
        let last = u16::try_from(self.columns.len()).unwrap_or(u16::MAX).saturating_sub(1);
        let (head, at) = (self.head, self.sheets - 1);
        let printed = self.print.as_ref().and_then(|p| p.printed);
        let form = self.print.as_ref().and_then(|p| p.form.clone());
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
            }
            if let Some(printed) = printed {
                sheet.set_print_area(0, 0, end, printed.saturating_sub(1))?;
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

/// A text on paper: wrapped, from the top of its cell.
fn printed(format: Format) -> Format {
    format.set_font_name(FONT.0).set_font_size(FONT.1).set_text_wrap().set_align(FormatAlign::Top)
}

/// Colour of the heads of what people fill in.
const FILLED: Color = Color::RGB(0x00FF_F2CC);

/// What stands over the head and at the foot of a page, and what makes a sheet a form; `widths` are those of the columns that are printed.
fn begin_print(sheet: &mut Worksheet, print: &SheetPrint, widths: &[u16]) -> Result<(), XlsxError> {
    sheet.set_print_gridlines(true).set_print_center_horizontally(true);
    sheet.set_margins(0.4, 0.4, 0.5, 0.7, 0.2, 0.3).set_footer(&print.foot);
    if let Some(form) = &print.form {
        begin_form(sheet, form)?;
    }
    let last = u16::try_from(widths.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let title = printed(Format::new().set_bold()).set_font_size(16).set_align(FormatAlign::Center);
    let plain = printed(Format::new());
    let whole: u16 = widths.iter().sum();
    for (row, text) in (0_u32..).zip(&print.over) {
        // The title's letters are half as large again.
        let (format, room, lines) = if row == 0 { (&title, whole / 2, 2) } else { (&plain, whole, 1) };
        sheet.set_row_height(row, fit::height([(text.as_str(), room)].into_iter(), lines))?;
        if last == 0 {
            sheet.write_string_with_format(row, 0, text, format)?;
        } else {
            sheet.merge_range(row, 0, row, last, text, format)?;
        }
    }
    Ok(())
}

/// All cells protected but those that people fill in.
fn begin_form(sheet: &mut Worksheet, form: &SheetForm) -> Result<(), XlsxError> {
    let allowed = ProtectionOptions {
        format_columns: true,
        format_rows: true,
        use_autofilter: true,
        ..ProtectionOptions::default()
    };
    sheet.protect_with_options(&allowed);
    let filled = printed(Format::new().set_num_format("@").set_unlocked());
    for column in form.filled.clone() {
        sheet.set_column_format(column, &filled)?;
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
