//! The items of worklists: lines of `found/` that a department has to verify, each with an identity of its own.
//!
//! Always: an item's id is a digest of rule, table, row, column, value and proposal, the same in every run that finds the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use xxhash_rust::xxh3::xxh3_64;

use super::super::RunError;
use super::super::findings::{Cells, each_row};
use super::super::finished::Finished;
use super::super::listing::{cell, each, masked};
use super::super::paths::RunDir;
use super::super::whose::{Query, RowOf, row_column};
use crate::dataset::{left_parts, register};
use crate::engine::{Engine, Joins};
use crate::national::{Kind, National, Table};
use crate::phrase;
use crate::report::Words;
use crate::rules::{Effect, Item, Outcome, Rule, RuleBook, finding_id, proposal_id};
use crate::sql_ident::literal;

/// Which items are wanted; what is none of a filter's takes all.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    pub rule: Option<String>,
    pub department: Option<String>,
    /// A region code.
    pub county: Option<String>,
}

impl ItemFilter {
    /// Whether it takes items of a rule.
    pub(super) fn takes(&self, rule: &Rule) -> bool {
        self.rule.as_ref().is_none_or(|r| *r == rule.id)
            && self.department.as_ref().is_none_or(|d| d == rule.department.text())
    }
}

/// A line that a rule found, exact and unmasked.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Line {
    pub(in crate::pipeline) rule: String,
    pub(in crate::pipeline) table: String,
    pub(in crate::pipeline) effect: Effect,
    pub(in crate::pipeline) department: &'static str,
    pub(in crate::pipeline) key: String,
    pub(in crate::pipeline) source: String,
    pub(in crate::pipeline) skey: Option<String>,
    pub(in crate::pipeline) column: String,
    pub(in crate::pipeline) before: Option<String>,
    /// What is proposed: a value, of a merge the survivor's key, of a new row its columns as JSON.
    pub(in crate::pipeline) after: Option<String>,
    /// Of a row as a whole: what its rule has together about it. Another question about the row is another item.
    pub(in crate::pipeline) group: Option<String>,
    pub(in crate::pipeline) outcome: Outcome,
}

impl Line {
    pub(super) fn id(&self) -> u64 {
        let or = |t: &Option<String>| t.clone().unwrap_or_else(|| "∅".to_owned());
        let parts = [
            self.rule.clone(),
            self.table.clone(),
            self.key.clone(),
            self.source.clone(),
            or(&self.skey),
            self.column.clone(),
            or(&self.before),
            or(&self.after),
        ];
        let parts = parts.into_iter().chain(self.group.clone());
        let text: String = parts.map(|p| format!("{}:{p}", p.len())).collect();
        xxh3_64(text.as_bytes())
    }

    /// The finding that it is: the same whatever its value.
    pub(super) fn finding(&self) -> String {
        finding_id(&self.rule, &self.table, &self.key, &self.column)
    }

    /// The proposal that it makes.
    pub(in crate::pipeline) fn proposal(&self) -> u128 {
        let (before, after) = (self.before.as_deref(), self.after.as_deref());
        proposal_id(&self.rule, &self.table, &self.key, &self.column, before, after)
    }

    /// The field that it is about; of a rule about rows the row as a whole: `*`.
    pub(super) fn field(&self) -> [String; 5] {
        let skey = self.skey.clone().unwrap_or_default();
        let column = if self.effect.is_of_rows() { "*".to_owned() } else { self.column.clone() };
        [self.table.clone(), self.key.clone(), self.source.clone(), skey, column]
    }

    fn of(rule: &Rule, cell: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| cell(name).unwrap_or_default();
        let proposed = if rule.effect == Effect::Merge { "after_key" } else { "after" };
        let of_row = rule.effect == Effect::None && text("column") == "*";
        Self {
            rule: rule.id.clone(),
            table: rule.table.clone(),
            effect: rule.effect,
            department: rule.department.text(),
            key: text("_key"),
            source: text("_source"),
            skey: cell("_skey"),
            column: text("column"),
            before: cell("before"),
            after: cell(proposed),
            group: cell("group").filter(|_| of_row),
            outcome: Outcome::named(&text("outcome")).unwrap_or(Outcome::ToVerify),
        }
    }
}

/// What an item shows of whose row it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Whose {
    pub(super) person: Option<String>,
    pub(super) name: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) unit_name: Option<String>,
    pub(super) county: Option<String>,
    /// What the rule itself says about the row.
    pub(super) evidence: Option<String>,
    /// By what people tell the row from others of that person and unit: columns and values.
    pub(super) natural: Vec<(String, String)>,
    /// Of a merge: whose row stays.
    pub(super) survivor: Option<Box<Whose>>,
}

impl Whose {
    fn of(batch: &Cells, at: usize, row: RowOf, table: &Table) -> Self {
        let cell = |name: &str| batch.get(&format!("{}{name}", row.prefix()), at);
        let part = |column: &String| Some((column.clone(), batch.get(&row_column(row, column), at)?));
        Self {
            person: cell("AAC999"),
            name: cell("AAC003"),
            unit: cell("AAB999"),
            unit_name: cell("AAB004"),
            county: cell("AAB301"),
            natural: table.natural.iter().filter_map(part).collect(),
            ..Self::default()
        }
    }
}

/// The parts of what rules found, with the files of each rule: by rule and table, in the order of work items.
fn found<'b>(dir: &RunDir, book: &'b RuleBook) -> Result<Vec<(PathBuf, Vec<&'b Rule>)>, RunError> {
    let mut all = Vec::new();
    for item in Item::ALL {
        for part in left_parts(&dir.found(item.text()))? {
            let stem = part.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let of = |r: &&Rule| r.item == *item && format!("{}.{}", r.id, r.table) == stem;
            let rules: Vec<&Rule> = book.rules.iter().filter(of).collect();
            if !rules.is_empty() {
                all.push((part, rules));
            }
        }
    }
    Ok(all)
}

fn file<'b>(rules: &[&'b Rule], name: &str) -> &'b Rule {
    rules.iter().find(|r| r.name == name).copied().unwrap_or(rules[0])
}

/// Every line with one of some outcomes, of the rules that a filter takes, in no order that matters.
pub(in crate::pipeline) fn each_line(
    dir: &RunDir,
    book: &RuleBook,
    outcomes: &[Outcome],
    wanted: impl Fn(&Rule) -> bool,
    mut take: impl FnMut(Line),
) -> Result<(), RunError> {
    for (part, rules) in found(dir, book)? {
        if !wanted(rules[0]) {
            continue;
        }
        each(vec![part], |batch: &RecordBatch, row| {
            let outcome = cell(batch, "outcome", row);
            if outcomes.iter().any(|o| outcome.as_deref() == Some(o.text())) {
                let rule = file(&rules, &cell(batch, "file", row).unwrap_or_default());
                take(Line::of(rule, |name| cell(batch, name, row)));
            }
        })?;
    }
    Ok(())
}

/// Findings (by their id) whose waiver holds on a day.
pub(in crate::pipeline) fn waived(
    dir: &RunDir,
    book: Option<&RuleBook>,
    waivers: &BTreeMap<u64, String>,
    day: &str,
) -> Result<BTreeSet<String>, RunError> {
    let mut found = BTreeSet::new();
    let Some(book) = book.filter(|_| !waivers.is_empty()) else { return Ok(found) };
    each_line(
        dir,
        book,
        &[Outcome::ToVerify, Outcome::ToProvince],
        |_| true,
        |line| {
            if waivers.get(&line.id()).is_some_and(|until| until.as_str() >= day) {
                found.insert(line.finding());
            }
        },
    )?;
    Ok(found)
}

/// Every item with one of some outcomes, of the rules that a filter takes, with whose row it is, those of a rule and table after those of another: what matters most first,
/// then by key.
pub(super) fn each_item<E: From<RunError>>(
    of: &Finished,
    (engine, national, book): (&Engine, &National, &RuleBook),
    outcomes: &[Outcome],
    filter: &ItemFilter,
    mut take: impl FnMut(&Rule, &Table, Line, Whose) -> Result<(), E>,
) -> Result<(), E> {
    let wanted: Vec<String> = outcomes.iter().map(|o| literal(o.text())).collect();
    for (part, rules) in found(&of.dir, book)? {
        let Some(table) = national.table(&rules[0].table).filter(|_| filter.takes(rules[0])) else {
            continue;
        };
        let session = engine.session(engine.partitions(), Joins::Large);
        register(&session, "found", &[part]).map_err(RunError::from)?;
        let own = [
            "file",
            "column",
            "before",
            "after",
            "after_key",
            "group",
            "evidence",
            "outcome",
            "_key",
            "_source",
            "_skey",
        ];
        let columns = own.map(|c| format!("f.\"{c}\"")).join(", ");
        let mut query = Query { of, national, session: &session, columns, joins: String::new() };
        query.whose(table, RowOf::Line, &table.natural)?;
        let merges = rules.iter().any(|r| r.effect == Effect::Merge);
        if merges {
            query.whose(table, RowOf::Survivor, &table.natural)?;
        }
        let Query { columns, joins, .. } = query;
        let sql = format!(
            "SELECT {columns} FROM found AS f{joins} WHERE f.outcome IN ({}) \
             ORDER BY coalesce(f.score, 0) DESC, f._key, f._source, f._skey, f.\"column\", f.\"after\"",
            wanted.join(", ")
        );
        let what = || phrase!("work.worklist", rule = rules[0].id);
        each_row(engine, &session, &sql, &what, |batch, row| -> Result<(), E> {
            let cell = |name: &str| batch.get(name, row);
            let rule = file(&rules, &cell("file").unwrap_or_default());
            let survivor = merges.then(|| Box::new(Whose::of(batch, row, RowOf::Survivor, table)));
            let whose =
                Whose { evidence: cell("evidence"), survivor, ..Whose::of(batch, row, RowOf::Line, table) };
            if filter.county.is_none() || filter.county == whose.county {
                take(rule, table, Line::of(rule, cell), whose)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// An item as people see it: masked by its columns, or in clear.
pub(super) struct Shown<'a> {
    pub(super) national: &'a National,
    pub(super) words: &'a Words,
    pub(super) clear: bool,
}

impl Shown<'_> {
    /// A value of a national column.
    pub(super) fn value(&self, table: &str, column: &str, value: Option<String>) -> Option<String> {
        if self.clear {
            return value;
        }
        masked(self.national.table(table).and_then(|t| t.column(column)), value)
    }

    /// Person and unit: number, name, number, name.
    pub(super) fn people(&self, whose: &Whose) -> [String; 4] {
        [
            self.value("AC01", "AAC999", whose.person.clone()),
            self.value("AC01", "AAC003", whose.name.clone()),
            self.value("AB01", "AAB999", whose.unit.clone()),
            self.value("AB01", "AAB004", whose.unit_name.clone()),
        ]
        .map(Option::unwrap_or_default)
    }

    /// Values under the titles of their columns, a code with its name: `险种类型 110 企业职工基本养老保险；费款所属期 202103`.
    fn titled<'v>(&self, table: &Table, values: impl Iterator<Item = (&'v String, &'v String)>) -> String {
        let one = |(code, value): (&String, &String)| {
            let column = table.column(code)?;
            let shown = self.named(table, code, Some(value.clone()))?;
            Some(format!("{} {shown}", column.title))
        };
        values.filter_map(one).collect::<Vec<_>>().join(PART)
    }

    /// A value of a column, a code with its name: `110 企业职工基本养老保险`.
    fn named(&self, table: &Table, code: &str, value: Option<String>) -> Option<String> {
        let shown = self.value(&table.name, code, value)?;
        let list = table.column(code).and_then(|c| self.national.codes.get(c.codes.as_ref()?));
        let name = list.and_then(|l| l.codes.get(&shown)).map(|c| format!(" {}", c.name));
        Some(format!("{shown}{}", name.unwrap_or_default()))
    }

    /// The row: by what people know it, then where it lies in the legacy database.
    pub(super) fn row(&self, table: &Table, line: &Line, whose: &Whose) -> String {
        let legacy = format!("{} {}", line.source, line.skey.as_deref().unwrap_or_default());
        let natural = self.titled(table, whose.natural.iter().map(|(c, v)| (c, v)));
        joined(&[natural, legacy.trim_end().to_owned()], PART)
    }

    /// Whose a row is, and by what people know it.
    fn told(&self, table: &Table, whose: &Whose) -> String {
        let natural = self.titled(table, whose.natural.iter().map(|(c, v)| (c, v)));
        joined(&[joined(&self.people(whose), " "), natural], PART)
    }

    /// What stands there. A surrogate number of ours tells nobody anything: instead of it, whom or what it is of.
    pub(super) fn current(&self, rule: &Rule, table: &Table, line: &Line, whose: &Whose) -> Option<String> {
        let [person, name, unit, unit_name] = self.people(whose);
        let id = table.column(&line.column).is_some_and(|c| c.kind == Kind::Id);
        let told = match line.column.as_str() {
            "AAC001" => joined(&[person, name], " "),
            "AAB001" => joined(&[unit, unit_name], " "),
            _ if id && rule.effect == Effect::Merge => self.told(table, whose),
            _ => String::new(),
        };
        if told.is_empty() { self.named(table, &line.column, line.before.clone()) } else { Some(told) }
    }

    /// What is proposed.
    pub(super) fn proposed(&self, rule: &Rule, table: &Table, line: &Line, whose: &Whose) -> Option<String> {
        match rule.effect {
            Effect::None | Effect::Change | Effect::Exclude => {
                self.named(table, &line.column, line.after.clone())
            }
            Effect::Merge => {
                let told = self.told(table, whose.survivor.as_deref()?);
                // A row of nobody has only its number.
                let key = || self.value(&table.name, table.key.first()?, line.after.clone());
                let told = if told.is_empty() { key()? } else { told };
                Some(format!("{} {told}", self.words.say("worklist", "merge_into")))
            }
            Effect::Add => {
                let to = rule.adds.as_deref().and_then(|t| self.national.table(t)).unwrap_or(table);
                let new: BTreeMap<String, String> =
                    line.after.as_deref().and_then(|a| serde_json::from_str(a).ok()).unwrap_or_default();
                // A surrogate number of ours tells nobody anything.
                let told = |code: &String| to.column(code).is_some_and(|c| c.kind != Kind::Id);
                let values = self.titled(to, new.iter().filter(|(code, _)| told(code)));
                Some(format!(
                    "{} {} {}{PART}{values}",
                    self.words.say("worklist", "add_to"),
                    to.title,
                    to.name
                ))
            }
        }
    }
}

/// Between the parts of a cell.
const PART: &str = "；";

/// What is not empty, one after the other.
fn joined(parts: &[String], between: &str) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    parts.join(between)
}
