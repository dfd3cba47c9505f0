//! Findings as a file: the columns of the list, as workbook or CSV.

use chrono::NaiveDate;
use qianyi::pipeline::ListedFinding;
use qianyi::report::{ListFile, SheetColumn, Words};

use super::args_lists::FindingsArgs;
use super::context::Context;
use super::failure::Failure;
use super::list_file;

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

/// The file that was asked for, row by row.
pub struct FindingsFile(ListFile);

impl FindingsFile {
    /// Begins the file that the arguments ask for, with its head; `None`: they ask for none.
    pub fn create(words: &Words, args: &FindingsArgs, day: NaiveDate) -> Result<Option<Self>, Failure> {
        let column = |(section, key, width): &(&str, &str, u16)| SheetColumn {
            head: words.say(section, key),
            width: *width,
        };
        let columns = COLUMNS.iter().map(column).collect();
        let title = words.say("findings", "sheet");
        Ok(list_file::begin(&title, columns, &args.file, day)?.map(Self))
    }

    /// Writes one finding.
    pub fn row(&mut self, words: &Words, of: &ListedFinding) -> Result<(), Failure> {
        let state = of.state.as_ref().map(|s| words.say("rounds", s));
        let (level, gate) = (words.say("level", &of.level), words.say("gate", &of.gate));
        let department = of.department.as_ref().map(|d| words.say("department", d));
        Ok(self.0.row(&[
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
        ])?)
    }

    /// Makes the file visible, and says where it lies.
    pub fn finish(self, context: &Context, words: &Words, rows: u64) -> Result<(), Failure> {
        list_file::finish(context, words, self.0, rows)
    }
}
