//! Code lists and font tables: CSV as people save it, with the line of every mistake.
//!
//! Always: a line that is not what its first line promises is refused by its number; a file with one such line gives no rows at all.
//! Must not know: what the columns mean.

use std::path::{Path, PathBuf};

use super::fault::{MappingFault, Mistake};
use crate::phrase;
use crate::text_file::{self, Unreadable};

/// A CSV file with a header.
pub(super) struct Sheet {
    path: PathBuf,
    text: String,
    /// Line, and the wanted columns in their order.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

const FULL_WIDTH: char = '，';

impl Sheet {
    /// Reads the columns of a file; `None` when something is wrong with it, which is noted.
    pub(super) fn read(path: &Path, columns: &[&str], faults: &mut Vec<MappingFault>) -> Option<Self> {
        let text = match text_file::read(path) {
            Ok(text) => text,
            Err(Unreadable(why)) => {
                faults.push(MappingFault::new(Mistake::File, path, "", 0..0, phrase!("file.the_file", why)));
                return None;
            }
        };
        let mut sheet = Self { path: path.to_owned(), text, rows: Vec::new() };
        let before = faults.len();
        sheet.rows = sheet.records(columns, faults);
        (faults.len() == before).then_some(sheet)
    }

    /// A mistake in a line.
    pub(super) fn fault(&self, mistake: Mistake, line: usize, message: impl Into<String>) -> MappingFault {
        let lines = self.text.split_inclusive('\n').take(line.saturating_sub(1));
        let start = lines.map(str::len).sum::<usize>();
        MappingFault::new(mistake, &self.path, &self.text, start..start, message)
    }

    fn records(&self, columns: &[&str], faults: &mut Vec<MappingFault>) -> Vec<(usize, Vec<String>)> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(self.text.as_bytes());
        let header = reader.headers().cloned().unwrap_or_default();
        let places: Vec<Option<usize>> =
            columns.iter().map(|c| header.iter().position(|h| h.trim() == *c)).collect();
        if places.iter().any(Option::is_none) {
            let message = phrase!("mapping.csv_columns", columns = columns.join(", "));
            let fault = self.fault(Mistake::File, 1, message);
            let other = header.iter().any(|h| h.contains([FULL_WIDTH, ';', '\t']));
            let hint = phrase!("mapping.csv_comma");
            faults.push(if other { fault.hint(hint) } else { fault });
            return Vec::new();
        }
        let places: Vec<usize> = places.into_iter().flatten().collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let at = |p: Option<&csv::Position>| p.map_or(1, |p| usize::try_from(p.line()).unwrap_or(1));
            match record {
                Ok(record) => match malformed(&record, header.len(), &places) {
                    None => {
                        let row = places.iter().map(|p| record.get(*p).unwrap_or_default().to_owned());
                        rows.push((at(record.position()), row.collect()));
                    }
                    Some((message, hint)) => {
                        faults.push(self.fault(Mistake::File, at(record.position()), message).hint(hint));
                    }
                },
                Err(e) => {
                    faults.push(self.fault(Mistake::File, at(e.position()), phrase!("mapping.csv", e)));
                }
            }
        }
        rows
    }
}

/// What is wrong with a line, and what to do.
fn malformed(record: &csv::StringRecord, columns: usize, places: &[usize]) -> Option<(String, String)> {
    let needed = places.iter().max().map_or(0, |p| p + 1);
    let full_width = phrase!("mapping.csv_wide");
    if record.iter().any(|field| field.contains('\n')) {
        return Some((phrase!("mapping.csv_quote"), phrase!("mapping.csv_quote_hint")));
    }
    if record.len() < needed {
        let message = phrase!("mapping.csv_short", found = record.len(), needed);
        let wide = record.iter().any(|field| field.contains(FULL_WIDTH));
        let hint = if wide { full_width } else { phrase!("mapping.csv_short_hint") };
        return Some((message, hint));
    }
    if places.iter().any(|p| record.get(*p).is_some_and(|field| field.contains(FULL_WIDTH))) {
        return Some((phrase!("mapping.csv_wide_code"), full_width));
    }
    if record.iter().skip(columns).any(|field| !field.trim().is_empty()) {
        let message = phrase!("mapping.csv_long", columns);
        return Some((message, phrase!("mapping.csv_long_hint")));
    }
    None
}
