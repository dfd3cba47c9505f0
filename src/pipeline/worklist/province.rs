//! What the province has to decide (上报省局清单): items that departments send it, and what rules say is its to decide.
//!
//! Always: a name holds the number of its list and is never given twice. What went out is recorded, and nothing else can be answered (answers.rs); the last columns
//! are empty, for the answers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::answers::PROVINCE;
use super::export::{ClearValues, ExportOf};
use super::form::{RowsDigest, item_text, one_line};
use super::items::{Line, Shown, Whose, each_item};
use super::list::{by_item, decided};
use super::{WorklistError, WorklistEvent, record};
use crate::audit;
use crate::durable;
use crate::folder;
use crate::national::Table;
use crate::pipeline::RunError;
use crate::report::{ListFile, SheetColumn};
use crate::rules::{Outcome, Rule};
use crate::state::{Decision, DecisionKind, Worklist, worklist_name};

/// The columns: key of the head's words under `worklist`, width in characters.
const COLUMNS: [(&str, u16); 29] = [
    ("item", 18),
    ("rule", 10),
    ("wrong", 34),
    ("department", 10),
    ("table", 20),
    ("column", 20),
    ("person", 14),
    ("name", 10),
    ("unit", 12),
    ("unit_name", 28),
    ("county", 10),
    ("row", 24),
    ("current", 20),
    ("proposed", 20),
    ("found", 24),
    ("number", 9),
    ("sender", 9),
    ("sending", 9),
    ("sent", 12),
    ("decision", 16),
    ("corrected", 20),
    ("evidence", 16),
    ("until", 12),
    ("handler", 9),
    ("handled", 12),
    ("reviewer", 9),
    ("reviewed", 12),
    ("approver", 9),
    ("approved", 12),
];

/// Writes the list of a run: where it lies, and how many items it has.
///
/// # Errors
/// `WKL-…`, `REP-…`, `ENG-…`, `DAT-…`, `STA-…`.
pub fn export_province(of: &ExportOf<'_>) -> Result<(PathBuf, u64), WorklistError> {
    audit::sound(of.state).map_err(RunError::from)?;
    let decided = by_item(decided(of.state, of.book, of.day)?.in_force);
    let next = of.state.next_worklist()?;
    let (mut file, mut items, mut rows) = (begin(of, next)?, BTreeSet::new(), RowsDigest::default());
    let shown = Shown { national: of.national, clear: of.values == ClearValues::Revealed };
    let outcomes = [Outcome::ToVerify, Outcome::ToProvince];
    each_item(
        of.run,
        (of.engine, of.national, of.book),
        &outcomes,
        &of.filter,
        |rule, table, line, whose| {
            let sent = decided.get(&line.id()).map(|(_, d)| d).filter(|d| d.kind == DecisionKind::Province);
            if line.outcome == Outcome::ToVerify && sent.is_none() {
                return Ok(());
            }
            // Rows that nothing tells apart are one item.
            if !items.insert(line.id()) {
                return Ok(());
            }
            let cells = row(of, &shown, (rule, table), (&line, &whose, sent)).map(|c| one_line(&c));
            rows.add("province", &cells.each_ref().map(String::as_str));
            file.row(&cells.each_ref().map(|c| Some(c.as_str()))).map_err(WorklistError::from)
        },
    )?;
    let path = file.finish("", &[])?;
    let items: Vec<u64> = items.into_iter().collect();
    let count = items.len() as u64;
    if count > 0 {
        of.state.hand_out(&[Worklist {
            id: next,
            run: of.run.id.to_string(),
            rule: String::new(),
            department: PROVINCE.to_owned(),
            county: of.filter.county.clone(),
            digest: rows.text(),
            items,
            revealed: of.values == ClearValues::Revealed,
            account: of.account.to_owned(),
        }])?;
    }
    let event = WorklistEvent::Exported {
        worklist: "province",
        path: &path,
        items: count,
        revealed: of.values == ClearValues::Revealed,
        account: of.account,
    };
    record(of.state, &event)?;
    Ok((path, count))
}

fn begin(of: &ExportOf<'_>, number: i64) -> Result<ListFile, WorklistError> {
    let title = of.words.say("worklist", "province_list");
    let ending = if of.csv.is_some() { "csv" } else { "xlsx" };
    durable::create_dir_all(of.folder).map_err(RunError::from)?;
    let name = format!("{}-{}-{}.{ending}", title.replace(' ', "-"), of.run.id, worklist_name(number));
    let path = of.folder.join(folder::name(&name));
    let column =
        |(key, width): &(&str, u16)| SheetColumn { head: of.words.say("worklist", key), width: *width };
    let columns = COLUMNS.iter().map(column).collect();
    Ok(ListFile::begin(&path, of.csv, &title, columns, of.day)?)
}

fn row(
    of: &ExportOf<'_>,
    shown: &Shown<'_>,
    (rule, table): (&Rule, &Table),
    (line, whose, sent): (&Line, &Whose, Option<&Decision>),
) -> [String; COLUMNS.len()] {
    let text = |value: Option<String>| value.unwrap_or_default();
    let column = table.column(&line.column).map(|c| format!("{} ", c.title)).unwrap_or_default();
    let signed = |get: fn(&Decision) -> &String| sent.map(get).cloned().unwrap_or_default();
    let told = [
        item_text(line.id()),
        rule.id.clone(),
        of.words.lang().pick(&rule.title.zh, &rule.title.en).to_owned(),
        of.words.say("department", rule.department.text()),
        format!("{} {}", table.title, table.name),
        format!("{column}{}", line.column),
        text(shown.value("AC01", "AAC999", whose.person.clone())),
        text(shown.value("AC01", "AAC003", whose.name.clone())),
        text(shown.value("AB01", "AAB999", whose.unit.clone())),
        text(shown.value("AB01", "AAB004", whose.unit_name.clone())),
        text(whose.county.clone()),
        format!("{} {}", line.source, text(line.skey.clone())),
        text(shown.value(&table.name, &line.column, line.before.clone())),
        text(shown.proposed(rule, table, line)),
        text(whose.evidence.clone()),
        sent.map(|d| worklist_name(d.worklist)).unwrap_or_default(),
        signed(|d| &d.handler.name),
        signed(|d| &d.approver.name),
        signed(|d| &d.approver.day),
    ];
    let mut cells: [String; COLUMNS.len()] = Default::default();
    cells.iter_mut().zip(told).for_each(|(cell, text)| *cell = text);
    cells
}
