//! Findings as a file: a workbook, or CSV in UTF-8 with a byte order mark or GB 18030. Row by row, in constant memory.
//!
//! Always: both have the same columns and cells; numbers that people write keep all their digits, and nothing is a formula.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use qianyi::durable::DurableFile;
use qianyi::pipeline::ListedFinding;
use qianyi::report::{SheetColumn, SheetWriter, Words};

use super::args::{Encoding, FindingsArgs};
use super::failure::{Failure, Usage};

/// The columns: section and key of the head's words, width in characters.
const COLUMNS: [(&str, &str, u16); 20] = [
    ("findings", "state", 9),
    ("page", "rule", 10),
    ("findings", "title", 34),
    ("page", "level", 9),
    ("page", "gate", 12),
    ("findings", "department", 10),
    ("page", "table", 9),
    ("findings", "table_title", 20),
    ("page", "column", 10),
    ("findings", "column_title", 20),
    ("findings", "value", 22),
    ("findings", "person", 14),
    ("findings", "name", 10),
    ("findings", "unit", 12),
    ("findings", "unit_name", 28),
    ("findings", "county", 10),
    ("findings", "key", 24),
    ("findings", "source", 18),
    ("findings", "skey", 24),
    ("findings", "first", 12),
];

/// The file that was asked for.
pub enum FindingsFile {
    Csv(Box<Csv>),
    Xlsx(PathBuf, Box<SheetWriter>),
}

/// A CSV file being written.
pub struct Csv {
    path: PathBuf,
    encoding: Encoding,
    file: DurableFile,
}

impl FindingsFile {
    /// Begins the file that the arguments ask for, with its head; `None`: they ask for none.
    pub fn create(words: &Words, args: &FindingsArgs, day: NaiveDate) -> Result<Option<Self>, Failure> {
        let heads = COLUMNS.map(|(section, key, _)| words.say(section, key));
        if let Some(path) = &args.xlsx {
            let column = |((_, _, width), head): (&(&str, &str, u16), &String)| SheetColumn {
                head: head.clone(),
                width: *width,
            };
            let columns = COLUMNS.iter().zip(&heads).map(column).collect();
            let title = words.say("findings", "sheet");
            return Ok(Some(Self::Xlsx(
                path.clone(),
                Box::new(SheetWriter::create(path, &title, columns, day)?),
            )));
        }
        let Some(path) = &args.csv else { return Ok(None) };
        let file = DurableFile::create(path)?;
        let mut csv = Csv { path: path.clone(), encoding: args.encoding, file };
        if args.encoding == Encoding::Utf8 {
            csv.write("\u{feff}".as_bytes())?;
        }
        csv.row(&heads.each_ref().map(|h| Some(h.as_str())))?;
        Ok(Some(Self::Csv(Box::new(csv))))
    }

    /// Writes one finding.
    pub fn row(&mut self, words: &Words, of: &ListedFinding) -> Result<(), Failure> {
        let state = of.state.as_ref().map(|s| words.say("rounds", s));
        let (level, gate) = (words.say("level", &of.level), words.say("gate", &of.gate));
        let department = of.department.as_ref().map(|d| words.say("department", d));
        let cells = [
            state.as_deref(),
            Some(&of.rule),
            Some(words.lang().pick(&of.title_zh, &of.title_en)),
            Some(&level),
            Some(&gate),
            department.as_deref(),
            Some(&of.table),
            Some(&of.table_title),
            Some(&of.column),
            Some(&of.column_title),
            of.value.as_deref(),
            of.person.as_deref(),
            of.name.as_deref(),
            of.unit.as_deref(),
            of.unit_name.as_deref(),
            of.county.as_deref(),
            of.key.as_deref(),
            Some(&of.source),
            of.skey.as_deref(),
            of.first.as_deref(),
        ];
        match self {
            Self::Csv(csv) => csv.row(&cells),
            Self::Xlsx(_, sheet) => Ok(sheet.row(&cells)?),
        }
    }

    /// Makes the file visible; where it lies.
    pub fn finish(self) -> Result<PathBuf, Failure> {
        match self {
            Self::Csv(csv) => {
                let Csv { path, file, .. } = *csv;
                file.commit()?;
                Ok(path)
            }
            Self::Xlsx(path, sheet) => {
                sheet.finish()?;
                Ok(path)
            }
        }
    }
}

impl Csv {
    fn row(&mut self, cells: &[Option<&str>]) -> Result<(), Failure> {
        let path = self.path.clone();
        let failed = |e: &dyn std::fmt::Display| unwritable(&path, e);
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(cells.iter().map(|c| harmless(c.unwrap_or_default()))).map_err(|e| failed(&e))?;
        let line = line.into_inner().map_err(|e| failed(&e))?;
        match self.encoding {
            Encoding::Utf8 => self.write(&line),
            Encoding::Gb18030 => {
                let text = String::from_utf8(line).map_err(|e| failed(&e))?;
                self.write(&encoding_rs::GB18030.encode(&text).0)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.file.write_all(bytes).map_err(|e| unwritable(&self.path, &e))?)
    }
}

fn unwritable(path: &Path, e: &dyn std::fmt::Display) -> Usage {
    Usage::Unwritable { path: path.display().to_string(), why: e.to_string() }
}

/// A cell that a spreadsheet would take for a formula, or for a number that it shortens, as text.
fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let long = cell.len() > 11 && cell.bytes().all(|b| b.is_ascii_digit());
    if formula {
        format!("'{cell}")
    } else if long {
        format!("=\"{cell}\"")
    } else {
        cell.to_owned()
    }
}
