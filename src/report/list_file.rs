//! A list as a file: a workbook that is printed and signed, or CSV in UTF-8 with a byte order mark or GB 18030. Row by row, in constant memory.
//!
//! Always: both have the same columns and cells; numbers that people write keep all their digits, and nothing is a formula.
//! Must not know: what the rows are.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::{ReportError, SheetCell, SheetColumn, SheetPrint, SheetWriter, Words};
use crate::artifacts::Summary;
use crate::durable::DurableFile;

/// Encoding of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvEncoding {
    /// With a byte order mark, as spreadsheets want it.
    Utf8,
    Gb18030,
}

/// A list being written.
pub enum ListFile {
    Csv(Box<CsvFile>),
    Xlsx(PathBuf, Box<SheetWriter>),
}

/// What a list is, and of which run.
#[derive(Clone, Copy)]
pub struct ListHead<'a> {
    pub title: &'a str,
    /// What more is to be said over it; may be empty.
    pub about: &'a str,
    /// So many of its columns are printed; none: all.
    pub printed: Option<u16>,
    pub summary: &'a Summary,
    pub words: &'a Words,
    pub day: NaiveDate,
}

impl ListHead<'_> {
    /// City and title, round and day; at the foot who signs.
    fn print(&self) -> SheetPrint {
        let (of, word) = (self.summary, |key: &str| self.words.say("list", key));
        let mut about = format!("{}: {}    {}: {}", word("round"), of.run, word("day"), of.as_of);
        if !self.about.is_empty() {
            about.push_str(&format!("    {}: {}", word("about"), self.about));
        }
        let over = vec![format!("{} {}", of.city_name, self.title), about];
        SheetPrint { over, foot: word("foot"), printed: self.printed, form: None }
    }
}

/// A CSV file being written.
pub struct CsvFile {
    path: PathBuf,
    encoding: CsvEncoding,
    file: DurableFile,
}

impl ListFile {
    /// Begins a list with its head: as CSV, or as a workbook.
    ///
    /// # Errors
    /// `REP-002`, `REP-003`, `DUR-001`.
    pub fn begin(
        path: &Path,
        csv: Option<CsvEncoding>,
        head: &ListHead<'_>,
        columns: Vec<SheetColumn>,
    ) -> Result<Self, ReportError> {
        if let Some(encoding) = csv {
            let heads: Vec<String> = columns.into_iter().map(|c| c.head).collect();
            return Self::csv(path, encoding, &heads);
        }
        let sheet = SheetWriter::create(path, head.title, columns, head.day, Some(head.print()))?;
        Ok(Self::Xlsx(path.to_owned(), Box::new(sheet)))
    }

    /// Begins a CSV file with its head.
    ///
    /// # Errors
    /// `REP-003`, `DUR-001`.
    pub fn csv(path: &Path, encoding: CsvEncoding, heads: &[String]) -> Result<Self, ReportError> {
        let mut csv = CsvFile { path: path.to_owned(), encoding, file: DurableFile::create(path)? };
        if encoding == CsvEncoding::Utf8 {
            csv.write("\u{feff}".as_bytes())?;
        }
        csv.row(&heads.iter().map(|h| Some(h.as_str())).collect::<Vec<_>>())?;
        Ok(Self::Csv(Box::new(csv)))
    }

    /// Writes a row, a text a column; NULL stays empty.
    ///
    /// # Errors
    /// `REP-002`, `REP-003`.
    pub fn row(&mut self, cells: &[Option<&str>]) -> Result<(), ReportError> {
        match self {
            Self::Csv(csv) => csv.row(cells),
            Self::Xlsx(_, sheet) => sheet.row(&cells.iter().map(|c| SheetCell::from(*c)).collect::<Vec<_>>()),
        }
    }

    /// Makes the file visible; where it lies. A workbook gets a hidden sheet of names and values, where there are any.
    ///
    /// # Errors
    /// `REP-002`, `REP-003`, `DUR-001`.
    pub fn finish(self, hidden: &str, values: &[(&str, String)]) -> Result<PathBuf, ReportError> {
        match self {
            Self::Csv(csv) => {
                let CsvFile { path, file, .. } = *csv;
                file.commit()?;
                Ok(path)
            }
            Self::Xlsx(path, sheet) => {
                sheet.finish_with(hidden, values)?;
                Ok(path)
            }
        }
    }
}

impl CsvFile {
    fn row(&mut self, cells: &[Option<&str>]) -> Result<(), ReportError> {
        let path = self.path.clone();
        let failed = |e: &dyn std::fmt::Display| unwritable(&path, e);
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(cells.iter().map(|c| dressed(c.unwrap_or_default()))).map_err(|e| failed(&e))?;
        let line = line.into_inner().map_err(|e| failed(&e))?;
        match self.encoding {
            CsvEncoding::Utf8 => self.write(&line),
            CsvEncoding::Gb18030 => {
                let text = String::from_utf8(line).map_err(|e| failed(&e))?;
                self.write(&encoding_rs::GB18030.encode(&text).0)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ReportError> {
        self.file.write_all(bytes).map_err(|e| unwritable(&self.path, &e))
    }
}

fn unwritable(path: &Path, e: &dyn std::fmt::Display) -> ReportError {
    ReportError::List { path: path.display().to_string(), why: e.to_string() }
}

/// What a spreadsheet takes a cell for a formula by.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell that a spreadsheet would take for a formula, or for a number or a day that it writes otherwise (cut digits, lost zeros, another order),
/// as text.
fn dressed(cell: &str) -> String {
    let digits = cell.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && cell.len() <= 11 && (cell.len() == 1 || !cell.starts_with('0'));
    let number = cell.starts_with(|c: char| c.is_ascii_digit())
        && cell.bytes().all(|b| b.is_ascii_digit() || b"-/.:,%eE ".contains(&b));
    if cell.starts_with(FORMULA) {
        format!("'{cell}")
    } else if number && !plain {
        format!("=\"{cell}\"")
    } else {
        cell.to_owned()
    }
}

/// A cell of a CSV file of ours, or of one that a spreadsheet saved again, as it was written.
pub fn bare(cell: &str) -> &str {
    let quoted = cell.strip_prefix("=\"").and_then(|c| c.strip_suffix('"'));
    quoted.or_else(|| cell.strip_prefix('\'').filter(|c| c.starts_with(FORMULA))).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::{bare, dressed};

    #[test]
    fn a_spreadsheet_takes_no_cell_for_what_it_is_not() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("-12.30", "'-12.30"),
            ("229901198001010010", "=\"229901198001010010\""),
            ("0012", "=\"0012\""),
            ("12.30", "=\"12.30\""),
            ("1980-01-01", "=\"1980-01-01\""),
            ("12e45", "=\"12e45\""),
            ("201912", "201912"),
            ("0", "0"),
            ("", ""),
            ("张三", "张三"),
            ("4号楼", "4号楼"),
        ] {
            assert_eq!(dressed(cell), expected);
            assert_eq!(bare(expected), cell);
        }
        assert_eq!(bare("'s"), "'s");
    }
}
