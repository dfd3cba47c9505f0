//! The run book of a cutover: steps, who answers for each, planned and actual time, from a TOML file, as a page or a workbook for people.
//!
//! Always: a mistake in the file is shown with its line; a step without an actual time has an empty field to write it by hand. The page
//! asks for nothing outside itself, as the page of a run.
//! Must not know: what a step does.

use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use super::words::Words;
use super::{Lang, ReportError, STYLE, SheetCell, SheetColumn, SheetWriter};

const PAGE: &str = include_str!("runbook.html");
/// How times are written in the file.
const FORM: &str = "%Y-%m-%d %H:%M";

/// The file, checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunBook {
    pub title: String,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `3.2`.
    pub no: String,
    pub name: String,
    /// Department or person.
    pub who: String,
    /// `2022-04-18 12:00`.
    #[serde(deserialize_with = "moment")]
    pub begins: NaiveDateTime,
    #[serde(deserialize_with = "moment")]
    pub ends: NaiveDateTime,
    #[serde(default, deserialize_with = "moment_or_none")]
    pub begun: Option<NaiveDateTime>,
    #[serde(default, deserialize_with = "moment_or_none")]
    pub ended: Option<NaiveDateTime>,
    /// The command, where one does it.
    #[serde(default)]
    pub command: String,
    #[serde(default)]
    pub note: String,
}

fn moment<'de, D: serde::Deserializer<'de>>(of: D) -> Result<NaiveDateTime, D::Error> {
    let text = String::deserialize(of)?;
    let wrong = |_| serde::de::Error::custom(format!("`{text}` is not a time such as 2022-04-18 12:00"));
    NaiveDateTime::parse_from_str(&text, FORM).map_err(wrong)
}

fn moment_or_none<'de, D: serde::Deserializer<'de>>(of: D) -> Result<Option<NaiveDateTime>, D::Error> {
    moment(of).map(Some)
}

#[derive(Serialize)]
struct Line<'a> {
    no: &'a str,
    name: &'a str,
    who: &'a str,
    begins: String,
    ends: String,
    minutes: i64,
    begun: String,
    ended: String,
    took: String,
    late: bool,
    command: &'a str,
    note: &'a str,
}

/// Reads the file.
///
/// # Errors
/// `REP-004` with the line of the mistake.
pub fn read(path: &Path) -> Result<RunBook, ReportError> {
    let wrong = |what: String| ReportError::RunBook { path: path.display().to_string(), what };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let book: RunBook =
        toml::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| wrong(e.to_string()))?;
    if book.steps.is_empty() {
        return Err(wrong("it has no [[step]]".to_owned()));
    }
    let backwards = |s: &&Step| s.ends < s.begins || s.ended.zip(s.begun).is_some_and(|(e, b)| e < b);
    match book.steps.iter().find(backwards) {
        Some(step) => Err(wrong(format!("step {} ends before it begins", step.no))),
        None => Ok(book),
    }
}

fn line(of: &Step) -> Line<'_> {
    let shown = |at: NaiveDateTime| at.format(FORM).to_string();
    let took = of.ended.zip(of.begun).map(|(e, b)| (e - b).num_minutes());
    Line {
        no: &of.no,
        name: &of.name,
        who: &of.who,
        begins: shown(of.begins),
        ends: shown(of.ends),
        minutes: (of.ends - of.begins).num_minutes(),
        begun: of.begun.map(shown).unwrap_or_default(),
        ended: of.ended.map(shown).unwrap_or_default(),
        took: took.map(|m| m.to_string()).unwrap_or_default(),
        late: of.ended.is_some_and(|e| e > of.ends),
        command: &of.command,
        note: &of.note,
    }
}

/// The run book as one page.
///
/// # Errors
/// `REP-900`, `REP-901`.
pub fn page(of: &RunBook, lang: Lang) -> Result<String, ReportError> {
    let words = Words::of(lang)?;
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    let lines: Vec<Line<'_>> = of.steps.iter().map(line).collect();
    Ok(templates.template_from_str(PAGE)?.render(context! {
        lang => lang.tag(),
        style => Value::from_safe_string(STYLE.to_owned()),
        w => Serde(words.all()),
        title => &of.title,
        steps => Serde(lines),
    })?)
}

/// The run book as a workbook; `day` stands for the day on which it was made.
///
/// # Errors
/// `REP-002`, `REP-901`, `DUR-001`.
pub fn workbook(of: &RunBook, path: &Path, day: NaiveDate, lang: Lang) -> Result<(), ReportError> {
    let words = Words::of(lang)?;
    let heads: [(&str, u16); 11] = [
        ("no", 6),
        ("step", 36),
        ("who", 18),
        ("begins", 17),
        ("ends", 17),
        ("minutes", 10),
        ("begun", 17),
        ("ended", 17),
        ("took", 10),
        ("command", 36),
        ("note", 36),
    ];
    let column = |(key, width)| SheetColumn { head: words.say("runbook", key), width: Some(width) };
    let columns = heads.map(column).to_vec();
    let mut sheet = SheetWriter::create(path, &words.say("runbook", "sheet"), columns, day, None)?;
    for l in of.steps.iter().map(line) {
        let text = |t: &str| SheetCell::Text(t.to_owned());
        sheet.row(&[
            text(l.no),
            text(l.name),
            text(l.who),
            text(&l.begins),
            text(&l.ends),
            SheetCell::Number(l.minutes.to_string()),
            text(&l.begun),
            text(&l.ended),
            if l.took.is_empty() { text("") } else { SheetCell::Number(l.took.clone()) },
            text(l.command),
            text(l.note),
        ])?;
    }
    sheet.finish()
}
