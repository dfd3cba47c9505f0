//! Findings as a file: the columns of the list, as workbook or CSV.

use qianyi::pipeline::{Finished, ListedFinding};
use qianyi::report::{ListFile, ListHead, SheetColumn, Words};

use super::args_lists::FindingsArgs;
use super::context::Context;
use super::failure::Failure;
use super::list_file;

/// The columns: section and key of the head's words.
const COLUMNS: [(&str, &str); 20] = [
    ("findings", "state"),
    ("page", "rule"),
    ("findings", "title"),
    ("page", "level"),
    ("page", "gate"),
    ("findings", "department"),
    ("page", "table"),
    ("findings", "table_title"),
    ("page", "column"),
    ("findings", "column_title"),
    ("findings", "value"),
    ("findings", "person"),
    ("findings", "name"),
    ("findings", "unit"),
    ("findings", "unit_name"),
    ("findings", "county"),
    ("findings", "key"),
    ("findings", "source"),
    ("findings", "skey"),
    ("findings", "first"),
];

/// The file that was asked for, row by row.
pub struct FindingsFile(ListFile);

impl FindingsFile {
    /// Begins the file that the arguments ask for, with its head; `None`: they ask for none.
    pub fn create(words: &Words, args: &FindingsArgs, of: &Finished) -> Result<Option<Self>, Failure> {
        let column =
            |(section, key): &(&str, &str)| SheetColumn { head: words.say(section, key), width: None };
        let columns = COLUMNS.iter().map(column).collect();
        let title = words.say("findings", "sheet");
        let head = ListHead {
            title: &title,
            about: "",
            printed: None,
            summary: &of.summary,
            words,
            day: of.as_of()?,
        };
        Ok(list_file::begin(&head, columns, &args.file)?.map(Self))
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
