//! A file that came back → rows of text with their places, whether workbook or CSV.
//!
//! Always: nothing of it is computed; a formula, an error, or a number that has lost digits is a mistake with its sheet and cell. Cells are read one
//! by one, so that a file takes no more memory than it has cells; what a library does not expect becomes an error.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use serde::Serialize;

use super::WorklistError;
use super::form::{COLUMNS, FILLED, HIDDEN, at, choices, heads, one_line};
use crate::panics;
use crate::report::{Words, bare};
use crate::spreadsheet::{CellFault, cell_text};
use crate::text_file::{self, Unreadable};

/// Bytes of a file: one of a million items has about half.
const MOST_BYTES: u64 = 512 << 20;

/// A mistake in a file that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// None: a CSV file has none.
    pub sheet: Option<String>,
    /// `M17`; empty: the file as a whole.
    pub cell: String,
    /// The key of its words under `mistake`.
    pub what: &'static str,
    /// What stands in them for `{0}`, `{1}`.
    pub with: Vec<String>,
}

/// One row: its sheet (by number), its row from 1, its cells by our column.
#[derive(Debug)]
pub(super) struct ReadRow {
    pub(super) sheet: usize,
    pub(super) row: u32,
    pub(super) cells: Vec<String>,
    /// Where our columns stand in a file of others.
    places: Option<Arc<[Option<usize>]>>,
}

/// How the head of a file is known, and its columns.
pub(super) enum Heads {
    /// Ours, in either language, with the decisions of that language: columns stand as they went out.
    Ours([(Vec<String>, Vec<String>); 2]),
    /// Of others: our column, and what it may be called there; wherever it stands.
    Named(Vec<(usize, Vec<String>)>),
}

/// So many columns a file of others may have.
const WIDEST: usize = 256;

impl Heads {
    fn width(&self) -> usize {
        match self {
            Self::Ours(_) => COLUMNS.len(),
            Self::Named(_) => WIDEST,
        }
    }
}

/// A file as it came back.
#[derive(Debug, Default)]
pub(super) struct ReadFile {
    sheets: Vec<Option<String>>,
    pub(super) rows: Vec<ReadRow>,
    /// Of the hidden sheet; none: a CSV file, or it is gone.
    pub(super) hidden: BTreeMap<String, String>,
    pub(super) is_csv: bool,
    pub(super) mistakes: Vec<Mistake>,
    /// What may be decided, in the words of its language.
    pub(super) choices: Vec<String>,
    /// As of its rows.
    places: Option<Arc<[Option<usize>]>>,
}

/// The name of a cell: column from 0, row from 1.
pub(super) fn address(column: usize, row: u32) -> String {
    let (mut name, mut n) = (String::new(), column + 1);
    while n > 0 {
        let letter = b'A' + u8::try_from((n - 1) % 26).unwrap_or(0);
        name.insert(0, char::from(letter));
        n = (n - 1) / 26;
    }
    format!("{name}{row}")
}

impl ReadFile {
    /// A mistake in a cell of a row.
    pub(super) fn mistake(
        &self,
        row: &ReadRow,
        column: usize,
        what: &'static str,
        with: Vec<String>,
    ) -> Mistake {
        let sheet = self.sheets.get(row.sheet).cloned().flatten();
        Mistake { sheet, cell: row.address(column), what, with }
    }

    /// Orders mistakes as somebody reads the file: of the whole, then by sheet, row and column.
    pub(super) fn sort(&self, mistakes: &mut [Mistake]) {
        mistakes.sort_by_key(|m| {
            let sheet = self.sheets.iter().position(|s| *s == m.sheet);
            let letters = m.cell.bytes().take_while(u8::is_ascii_uppercase).count();
            let (column, row) = m.cell.split_at(letters);
            (!m.cell.is_empty(), sheet, row.parse::<u32>().unwrap_or(0), letters, column.to_owned())
        });
    }

    fn note(&mut self, sheet: usize, cell: String, what: &'static str, with: Vec<String>) {
        let sheet = self.sheets.get(sheet).cloned().flatten();
        self.mistakes.push(Mistake { sheet, cell, what, with });
    }
}

/// A file as it came back, read once: what is kept of it is what was read.
pub(super) struct CameBack<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: Vec<u8>,
}

impl<'a> CameBack<'a> {
    /// # Errors
    /// `WKL-001`, `WKL-003`.
    pub(super) fn open(path: &'a Path) -> Result<Self, WorklistError> {
        let unreadable = |e: std::io::Error| WorklistError::Unreadable {
            path: path.display().to_string(),
            why: e.to_string(),
        };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(WorklistError::TooBig { path: path.display().to_string(), bytes, most: MOST_BYTES });
        }
        Ok(Self { path, bytes: std::fs::read(path).map_err(unreadable)? })
    }
}

/// Reads a file.
///
/// # Errors
/// `WKL-001`.
pub(super) fn read(of: &CameBack<'_>, words: &[Words; 2]) -> Result<ReadFile, WorklistError> {
    read_by(of, &Heads::Ours(words.each_ref().map(|w| (heads(w), choices(w)))))
}

/// Reads a file by its heads.
///
/// # Errors
/// `WKL-001`.
pub(super) fn read_by(of: &CameBack<'_>, heads: &Heads) -> Result<ReadFile, WorklistError> {
    let unreadable = |why: String| WorklistError::Unreadable { path: of.path.display().to_string(), why };
    if of.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        let text = text_file::decode(&of.bytes).map_err(|Unreadable(why)| unreadable(why))?;
        return csv_rows(&text, heads).map_err(|e| unreadable(e.to_string()));
    }
    let read =
        panics::caught(|| xlsx_rows(Cursor::new(&of.bytes), heads)).map_err(|e| unreadable(e.to_string()))?;
    read.map_err(|e| unreadable(e.to_string()))
}

fn xlsx_rows<R: Read + Seek>(from: R, heads: &Heads) -> Result<ReadFile, XlsxError> {
    let mut book = Xlsx::new(from)?;
    let mut file = ReadFile::default();
    for name in book.sheet_names() {
        if name == HIDDEN {
            file.hidden = hidden(&mut book)?;
            continue;
        }
        file.sheets.push(Some(name.clone()));
        let sheet = file.sheets.len() - 1;
        let before = file.rows.len();
        let begun = sheet_rows(&mut book, &name, sheet, heads, &mut file)?;
        if !begun {
            file.rows.truncate(before);
            file.note(sheet, String::new(), "no_head", Vec::new());
            continue;
        }
        let mut cells = book.worksheet_cells_reader(&name)?;
        while let Some(cell) = cells.next_formula()? {
            if !cell.get_value().is_empty() {
                let (row, column) = cell.get_position();
                file.note(sheet, address(column as usize, row.saturating_add(1)), "formula", Vec::new());
            }
        }
    }
    Ok(file)
}

/// The names and values of the hidden sheet.
fn hidden<R: Read + Seek>(book: &mut Xlsx<R>) -> Result<BTreeMap<String, String>, XlsxError> {
    let (mut names, mut values) = (BTreeMap::new(), BTreeMap::new());
    let mut cells = book.worksheet_cells_reader(HIDDEN)?;
    while let Some(cell) = cells.next_cell()? {
        let ((row, column), text) = (cell.get_position(), text(cell.get_value()).unwrap_or_default());
        match column {
            0 => drop(names.insert(row, text)),
            1 => drop(values.insert(row, text)),
            _ => {}
        }
    }
    Ok(names.into_iter().map(|(row, name)| (name, values.remove(&row).unwrap_or_default())).collect())
}

/// Takes the rows under the head of a sheet; false where it has none.
fn sheet_rows<R: Read + Seek>(
    book: &mut Xlsx<R>,
    name: &str,
    sheet: usize,
    heads: &Heads,
    file: &mut ReadFile,
) -> Result<bool, XlsxError> {
    file.places = None;
    let (mut begun, mut row): (bool, Option<ReadRow>) = (false, None);
    let mut unreadable = Vec::new();
    let mut cells = book.worksheet_cells_reader(name)?;
    loop {
        let cell = cells.next_cell()?;
        let place = cell.as_ref().map(calamine::Cell::get_position);
        let number = place.map(|(row, _)| row.saturating_add(1));
        if row.as_ref().map(|r| r.row) != number {
            if let Some(whole) = row.take() {
                begun = take(file, whole, begun, heads);
            }
            let cells = vec![String::new(); heads.width()];
            row = number.map(|row| ReadRow { sheet, row, cells, places: None });
        }
        let (Some(cell), Some((_, column)), Some(row)) = (cell, place, &mut row) else { break };
        let column = column as usize;
        match (text(cell.get_value()), row.cells.get_mut(column)) {
            (Ok(text), Some(cell)) => *cell = text,
            (Ok(text), None) if begun && !text.is_empty() => unreadable.push((column, row.row, "beside")),
            (Ok(_), None) => {}
            (Err(what), _) if begun => unreadable.push((column, row.row, what)),
            (Err(_), _) => {}
        }
    }
    for (column, row, what) in unreadable {
        file.note(sheet, address(column, row), what, Vec::new());
    }
    Ok(begun)
}

/// Takes a row: those over the head are left, empty ones too. Whether the head has come.
fn take(file: &mut ReadFile, row: ReadRow, begun: bool, heads: &Heads) -> bool {
    match heads {
        Heads::Ours(heads) => take_ours(file, row, begun, heads),
        Heads::Named(named) => take_named(file, row, begun, named),
    }
}

/// Of a row of others our columns.
fn take_named(file: &mut ReadFile, row: ReadRow, begun: bool, named: &[(usize, Vec<String>)]) -> bool {
    if !begun {
        let mut places = vec![None; COLUMNS.len()];
        for (column, heads) in named {
            places[*column] = row.cells.iter().position(|c| heads.iter().any(|h| c.trim() == h));
        }
        let whole = named.iter().all(|(column, _)| places[*column].is_some());
        file.places = whole.then(|| places.into());
        return whole;
    }
    let Some(places) = file.places.clone() else { return false };
    let cell = |place: &Option<usize>| place.and_then(|p| row.cells.get(p)).cloned().unwrap_or_default();
    let cells: Vec<String> = places.iter().map(cell).collect();
    if cells.iter().any(|c| !c.is_empty()) {
        file.rows.push(ReadRow { cells, places: Some(places), ..row });
    }
    true
}

fn take_ours(
    file: &mut ReadFile,
    row: ReadRow,
    begun: bool,
    heads: &[(Vec<String>, Vec<String>); 2],
) -> bool {
    if !begun {
        let ours = heads.iter().find(|(h, _)| h[at::ITEM] == row.cells[at::ITEM]);
        let Some((head, choices)) = ours else { return false };
        file.choices.clone_from(choices);
        let other: Vec<usize> = (0..COLUMNS.len()).filter(|c| row.cells[*c] != head[*c]).collect();
        for column in other {
            let mistake = file.mistake(&row, column, "head", vec![head[column].clone()]);
            file.mistakes.push(mistake);
        }
        return true;
    }
    if row.cells.iter().any(|c| !c.is_empty()) {
        file.rows.push(row);
    }
    true
}

/// What a cell says; else the words of what is wrong with it.
fn text(value: &DataRef<'_>) -> Result<String, &'static str> {
    cell_text(value).map(|text| one_line(&text)).map_err(|fault| match fault {
        CellFault::Digits => "digits",
        CellFault::Duration => "duration",
        CellFault::Error => "error_value",
    })
}

/// What separates the cells of a CSV file, by how spreadsheets save it.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

fn csv_rows(text: &str, heads: &Heads) -> Result<ReadFile, csv::Error> {
    // A line end of two characters is counted late.
    let text = text.replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let separator =
        SEPARATORS.into_iter().max_by_key(|s| first.bytes().filter(|b| b == s).count()).unwrap_or(b',');
    let mut file = ReadFile { sheets: vec![None], is_csv: true, ..ReadFile::default() };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut begun = false;
    for record in reader.records() {
        let record = record?;
        let row = record.position().map_or(0, |p| u32::try_from(p.line()).unwrap_or(u32::MAX));
        let mut cells: Vec<String> = record.iter().map(|c| one_line(bare(c))).collect();
        if begun {
            for column in (heads.width()..cells.len()).filter(|c| !cells[*c].is_empty()) {
                file.note(0, address(column, row), "beside", Vec::new());
            }
        }
        cells.resize(heads.width(), String::new());
        begun = take(&mut file, ReadRow { sheet: 0, row, cells, places: None }, begun, heads);
    }
    if !begun {
        file.note(0, String::new(), "no_head", Vec::new());
    }
    Ok(file)
}

/// What somebody typed that a spreadsheet elsewhere would take for a formula; numbers with a sign are none.
pub(super) fn is_formula(text: &str) -> bool {
    match text.chars().next() {
        Some('=' | '@') => true,
        Some('+' | '-') => !text[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b','),
        _ => false,
    }
}

impl ReadRow {
    /// The name of the cell of one of our columns; empty where the file has none.
    pub(super) fn address(&self, column: usize) -> String {
        let place = match &self.places {
            None => Some(column),
            Some(places) => places.get(column).copied().flatten(),
        };
        place.map(|column| address(column, self.row)).unwrap_or_default()
    }

    /// The protected cells.
    pub(super) fn protected(&self) -> Vec<&str> {
        self.cells[..FILLED.start].iter().map(String::as_str).collect()
    }

    /// A cell that people fill in; none where it is empty.
    pub(super) fn filled(&self, column: usize) -> Option<&str> {
        Some(self.cells[column].as_str()).filter(|c| !c.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{address, is_formula};

    #[test]
    fn cells_have_the_names_that_spreadsheets_give_them() {
        for (column, name) in [(0, "A7"), (11, "L7"), (25, "Z7"), (26, "AA7"), (701, "ZZ7"), (702, "AAA7")] {
            assert_eq!(address(column, 7), name);
        }
    }

    #[test]
    fn a_formula_is_told_from_a_number_with_a_sign() {
        for text in ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-1+1"] {
            assert!(is_formula(text), "{text}");
        }
        for text in ["-12.30", "+86", "张三", "", "1-2"] {
            assert!(!is_formula(text), "{text}");
        }
    }
}
