//! The items of worklists: lines of `found/` that a department has to verify, each with an identity of its own.
//!
//! Always: an item's id is a digest of rule, table, row, column, value and proposal, the same in every run that finds the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use xxhash_rust::xxh3::xxh3_64;

use super::super::RunError;
use super::super::findings::{each_row, whose};
use super::super::finished::Finished;
use super::super::listing::{cell, each, masked};
use super::super::paths::RunDir;
use crate::dataset::{left_parts, register};
use crate::engine::{Engine, Joins};
use crate::national::{National, Table};
use crate::phrase;
use crate::rules::{Effect, Item, Outcome, Rule, RuleBook, finding_id};
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
pub(super) struct Line {
    pub(super) rule: String,
    pub(super) table: String,
    pub(super) effect: Effect,
    pub(super) department: &'static str,
    pub(super) key: String,
    pub(super) source: String,
    pub(super) skey: Option<String>,
    pub(super) column: String,
    pub(super) before: Option<String>,
    /// What is proposed: a value, of a merge the survivor's key, of a new row its columns as JSON.
    pub(super) after: Option<String>,
    /// Of a row as a whole: what its rule has together about it. Another question about the row is another item.
    pub(super) group: Option<String>,
    pub(super) outcome: Outcome,
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

    /// The field that it is about.
    pub(super) fn field(&self) -> [String; 5] {
        let skey = self.skey.clone().unwrap_or_default();
        [self.table.clone(), self.key.clone(), self.source.clone(), skey, self.column.clone()]
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
pub(super) fn each_line(
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
        let mut columns = own.map(|c| format!("f.\"{c}\"")).join(", ");
        let mut joins = String::new();
        whose(of, table, &session, &mut columns, &mut joins)?;
        let sql = format!(
            "SELECT {columns} FROM found AS f{joins} WHERE f.outcome IN ({}) \
             ORDER BY coalesce(f.score, 0) DESC, f._key, f._source, f._skey, f.\"column\", f.\"after\"",
            wanted.join(", ")
        );
        let what = || phrase!("work.worklist", rule = rules[0].id);
        each_row(engine, &session, &sql, &what, |batch, row| -> Result<(), E> {
            let cell = |name: &str| batch.get(name, row);
            let rule = file(&rules, &cell("file").unwrap_or_default());
            let whose = Whose {
                person: cell("AAC999"),
                name: cell("AAC003"),
                unit: cell("AAB999"),
                unit_name: cell("AAB004"),
                county: cell("AAB301"),
                evidence: cell("evidence"),
            };
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

    /// What is proposed.
    pub(super) fn proposed(&self, rule: &Rule, table: &Table, line: &Line) -> Option<String> {
        match rule.effect {
            Effect::None | Effect::Change | Effect::Exclude => {
                self.value(&table.name, &line.column, line.after.clone())
            }
            Effect::Merge => {
                self.value(&table.name, table.key.first().map_or("*", String::as_str), line.after.clone())
            }
            Effect::Add => {
                let to = rule.adds.as_deref().unwrap_or(&table.name);
                let new: BTreeMap<String, String> =
                    line.after.as_deref().and_then(|a| serde_json::from_str(a).ok()).unwrap_or_default();
                let one = |(column, value): (String, String)| {
                    format!("{column}={}", self.value(to, &column, Some(value)).unwrap_or_default())
                };
                let all: Vec<String> = new.into_iter().map(one).collect();
                Some(format!("{to}: {}", all.join(" ")))
            }
        }
    }
}
