//! Items → files, one a department, rule and county, and their record.
//!
//! Always: rows go out as they come; a file is visible before it is recorded; what is decided and stands is not handed out again. A name is
//! never given twice, so that no file that somebody fills in is written over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::Serialize;

use super::super::finished::Finished;
use super::form::{self, COLUMNS, FILLED, HIDDEN, RowsDigest, VERSION, at};
use super::items::{ItemFilter, Line, Shown, Whose, each_item};
use super::list::{by_item, decided};
use super::{WorklistError, WorklistEvent, record};
use crate::audit;
use crate::durable;
use crate::engine::Engine;
use crate::folder;
use crate::national::{National, Table};
use crate::pipeline::RunError;
use crate::report::{CsvEncoding, ListFile, SheetColumn, SheetForm, SheetPrint, SheetWriter, Words};
use crate::rules::{Outcome, Rule, RuleBook};
use crate::state::{State, Worklist, worklist_name};

/// Whether values are shown in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearValues {
    Masked,
    Revealed,
}

/// What is exported, and how.
pub struct ExportOf<'a> {
    pub run: &'a Finished,
    pub engine: &'a Engine,
    pub national: &'a National,
    pub book: &'a RuleBook,
    pub state: &'a State,
    pub words: &'a Words,
    pub filter: ItemFilter,
    pub folder: &'a Path,
    /// None: workbooks.
    pub csv: Option<CsvEncoding>,
    pub values: ClearValues,
    /// Account of the operating system.
    pub account: &'a str,
    /// The day that stands for today in the run.
    pub day: NaiveDate,
}

/// A file that went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandedOut {
    pub worklist: String,
    pub rule: String,
    pub department: String,
    pub county: Option<String>,
    pub items: u64,
    pub path: PathBuf,
}

/// A file being written.
struct Open {
    id: i64,
    file: ListFile,
    rule: String,
    department: String,
    county: Option<String>,
    digest: RowsDigest,
    items: BTreeSet<u64>,
}

/// Writes the worklists of a run; none where nothing is open.
///
/// # Errors
/// `WKL-…`, `REP-…`, `ENG-…`, `DAT-…`, `STA-…`.
pub fn export_worklists(of: &ExportOf<'_>) -> Result<Vec<HandedOut>, WorklistError> {
    audit::sound(of.state).map_err(RunError::from)?;
    let settled = by_item(decided(of.state, of.book, of.day)?.in_force);
    let next = of.state.next_worklist()?;
    let mut open: BTreeMap<(String, Option<String>), Open> = BTreeMap::new();
    let shown = Shown { national: of.national, words: of.words, clear: of.values == ClearValues::Revealed };
    each_item(
        of.run,
        (of.engine, of.national, of.book),
        &[Outcome::ToVerify],
        &of.filter,
        |rule, table, line, whose| {
            if settled.contains_key(&line.id()) {
                return Ok(());
            }
            let place = (rule.id.clone(), whose.county.clone());
            if !open.contains_key(&place) {
                let id = next + i64::try_from(open.len()).unwrap_or(i64::MAX);
                open.insert(place.clone(), begin(of, id, rule, whose.county.clone())?);
            }
            let Some(file) = open.get_mut(&place) else { return Ok(()) };
            row(file, &shown, (rule, table), &line, &whose)
        },
    )?;
    let (mut handed, mut recorded) = (Vec::new(), Vec::new());
    for file in open.into_values() {
        let (out, worklist) = end(of, file)?;
        handed.push(out);
        recorded.push(worklist);
    }
    of.state.hand_out(&recorded)?;
    for out in &handed {
        let event = WorklistEvent::Exported {
            worklist: &out.worklist,
            path: &out.path,
            items: out.items,
            revealed: of.values == ClearValues::Revealed,
            account: of.account,
        };
        record(of.state, &event)?;
    }
    handed.sort_by(|a, b| a.worklist.cmp(&b.worklist));
    Ok(handed)
}

fn begin(of: &ExportOf<'_>, id: i64, rule: &Rule, county: Option<String>) -> Result<Open, WorklistError> {
    let department = rule.department.text().to_owned();
    let ending = if of.csv.is_some() { "csv" } else { "xlsx" };
    let place = county.iter().map(|c| format!("-{c}")).collect::<String>();
    let name = format!("{department}-{}{place}-{}.{ending}", rule.id, worklist_name(id));
    durable::create_dir_all(of.folder).map_err(crate::pipeline::RunError::from)?;
    let path = of.folder.join(folder::name(&name));
    let heads = form::heads(of.words);
    let file = match of.csv {
        Some(encoding) => ListFile::csv(&path, encoding, &heads)?,
        None => {
            let column =
                |((_, width), head): (&(&str, u16), String)| SheetColumn { head, width: Some(*width) };
            let columns = COLUMNS.iter().zip(heads).map(column).collect();
            let print = sheet_print(of, id, rule, county.as_deref());
            let sheet = SheetWriter::create(&path, &rule.id, columns, of.day, Some(print))?;
            ListFile::Xlsx(path, Box::new(sheet))
        }
    };
    let (rule, digest, items) = (rule.id.clone(), RowsDigest::default(), BTreeSet::new());
    Ok(Open { id, file, rule, department, county, digest, items })
}

/// The title, what is wrong, how the sheet is filled in, and where it is signed.
fn sheet_print(of: &ExportOf<'_>, id: i64, rule: &Rule, county: Option<&str>) -> SheetPrint {
    let word = |key: &str| of.words.say("worklist", key);
    let pick = |text: &crate::rules::Bilingual| of.words.lang().pick(&text.zh, &text.en).to_owned();
    let city = &of.run.summary.city_name;
    let mut about = vec![
        format!("{}: {}", word("department"), of.words.say("department", rule.department.text())),
        format!("{}: {}", word("rule"), rule.id),
        format!("{}: {} ({})", word("round"), of.run.id, of.run.summary.as_of),
        format!("{}: {}", word("number"), worklist_name(id)),
    ];
    about.extend(county.map(|c| format!("{}: {c}", word("county"))));
    let mut wrong =
        format!("{}: {}  {}: {}", word("wrong"), pick(&rule.title), word("advice"), pick(&rule.advice));
    if !rule.evidence.is_empty() {
        wrong.push_str(&format!("  {}: {}", word("needed"), rule.evidence));
    }
    let column = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    let form = SheetForm {
        filled: column(FILLED.start)..column(FILLED.end),
        choices: (column(at::DECISION), form::choices(of.words)),
        wrong_choice: word("choose"),
    };
    let over = vec![format!("{city} {}", word("title")), about.join("    "), wrong, word("how")];
    SheetPrint { over, foot: word("foot"), printed: Some(column(at::CHECK)), form: Some(form) }
}

fn row(
    file: &mut Open,
    shown: &Shown<'_>,
    (rule, table): (&Rule, &Table),
    line: &Line,
    whose: &Whose,
) -> Result<(), WorklistError> {
    let id = line.id();
    // Rows that nothing tells apart are one item.
    if !file.items.insert(id) {
        return Ok(());
    }
    let titled = |title: Option<&str>, code: &str| match title {
        Some(title) => format!("{title} {code}"),
        None => code.to_owned(),
    };
    let column = table.column(&line.column).map(|c| c.title.as_str());
    let text = |value: Option<String>| value.unwrap_or_default();
    let [person, name, unit, unit_name] = shown.people(whose);
    let mut cells = [
        form::item_text(id),
        titled(Some(&table.title), &table.name),
        titled(column, &line.column),
        person,
        name,
        unit,
        unit_name,
        shown.row(table, line, whose),
        text(shown.current(rule, table, line, whose)),
        text(shown.proposed(rule, table, line, whose)),
        text(whose.evidence.clone()),
    ];
    // What a form reads back has no line breaks or blanks that a spreadsheet would change.
    cells.iter_mut().for_each(|c| *c = form::one_line(c));
    let protected: Vec<&str> = cells.iter().map(String::as_str).collect();
    let check = file.digest.add(&worklist_name(file.id), &protected);
    let mut row: Vec<Option<&str>> = protected.iter().map(|c| Some(*c)).collect();
    row.resize(at::CHECK, None);
    row.push(Some(&check));
    Ok(file.file.row(&row)?)
}

fn end(of: &ExportOf<'_>, file: Open) -> Result<(HandedOut, Worklist), WorklistError> {
    let (name, digest) = (worklist_name(file.id), file.digest.text());
    let values = [
        ("version", VERSION.to_owned()),
        ("worklist", name.clone()),
        ("round", of.run.id.to_string()),
        ("rule", file.rule.clone()),
        ("department", file.department.clone()),
        ("county", file.county.clone().unwrap_or_default()),
        ("items", file.items.len().to_string()),
        ("digest", digest.clone()),
    ];
    let path = file.file.finish(HIDDEN, &values)?;
    let items: Vec<u64> = file.items.into_iter().collect();
    let out = HandedOut {
        worklist: name,
        rule: file.rule.clone(),
        department: file.department.clone(),
        county: file.county.clone(),
        items: items.len() as u64,
        path,
    };
    let worklist = Worklist {
        id: file.id,
        run: of.run.id.to_string(),
        rule: file.rule,
        department: file.department,
        county: file.county,
        digest,
        items,
        revealed: of.values == ClearValues::Revealed,
        account: of.account.to_owned(),
    };
    Ok((out, worklist))
}
