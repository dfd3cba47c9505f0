//! mapped → cleaned: the seven work items in their order, then what nobody has repaired as findings for the gate.
//!
//! Always: an item sees the tables as the items before it left them; a part in which nothing changed is the mapped one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::map_stage::{Edges, parts_by_table};
use super::rule_input::RuleInput;
use super::runner::{StageRunner, paths};
use super::{RunError, check_stage};
use crate::artifacts::{CleanRow, EmptyRow, FoundRows};
use crate::dataset::PartInfo;
use crate::durable::hex;
use crate::national::National;
use crate::rules::{
    self, CleanItem, EmptyOf, Ended, ExcludedOf, Item, ItemReport, OpenOf, Outcome, RuleBook,
};
use crate::validate::CheckReport;

/// What cleaning came to.
#[derive(Default)]
pub(super) struct Cleaned {
    pub(super) book: Option<RuleBook>,
    pub(super) items: Vec<ItemReport>,
    /// Mapped part → its last version, where that is another.
    latest: BTreeMap<PathBuf, PartInfo>,
    /// Columns that no branch fills, by national table and legacy table.
    unfilled: BTreeMap<(String, String), BTreeSet<String>>,
    /// Rows that rules exclude, by table.
    excluded: BTreeMap<String, Vec<PartInfo>>,
    /// Empty values of every column (FIL-18).
    pub(super) empty: Vec<EmptyRow>,
}

impl Cleaned {
    /// The last version of some mapped parts.
    pub(super) fn parts(&self, mapped: &[PartInfo]) -> Vec<PartInfo> {
        mapped.iter().map(|part| self.latest.get(&part.path).unwrap_or(part).clone()).collect()
    }

    /// Where the last version of each mapped part lies.
    pub(super) fn paths(&self, mapped: &[PartInfo]) -> Vec<PathBuf> {
        paths(&self.parts(mapped))
    }

    /// The last version of every national table, over all its branches.
    pub(super) fn tables(&self, edges: &[Edges<'_>]) -> BTreeMap<String, Vec<PathBuf>> {
        let of = parts_by_table(edges);
        of.into_iter().map(|(table, parts)| (table, self.paths(&parts))).collect()
    }

    /// The change records of a table.
    pub(super) fn changes(&self, table: &str) -> Vec<PathBuf> {
        let all = self.items.iter().flat_map(|i| paths(&i.changes));
        all.filter(|path| path.file_stem().is_some_and(|stem| stem == table)).collect()
    }

    /// Rows of a table that rules exclude.
    pub(super) fn excluded(&self, table: &str) -> Vec<PathBuf> {
        self.excluded.get(table).map(|parts| paths(parts)).unwrap_or_default()
    }

    /// The title of a rule, in Chinese and English.
    pub(super) fn title(&self, id: &str) -> Option<(String, String)> {
        let rule = self.book.as_ref()?.rules.iter().find(|r| r.id == id)?;
        Some((rule.title.zh.clone(), rule.title.en.clone()))
    }

    /// What rules found in a table: a part is named by its rule and table.
    fn found(&self, table: &str) -> Vec<PathBuf> {
        let ending = format!(".{table}");
        let named = |path: &PathBuf| path.file_stem().is_some_and(|s| s.to_string_lossy().ends_with(&ending));
        self.items.iter().flat_map(|i| paths(&i.found)).filter(named).collect()
    }
}

/// Runs the work items.
pub(super) fn clean_all(
    runner: &mut StageRunner<'_>,
    input: Option<RuleInput>,
    edges: &[Edges<'_>],
) -> Result<Cleaned, RunError> {
    let mut cleaned = Cleaned::default();
    let Some(RuleInput { book, externals, approved, digest }) = input else { return Ok(cleaned) };
    let unfilled = unfilled(runner.national, edges);
    let mapped = parts_by_table(edges);
    for item in Item::ALL.iter().copied().filter(|item| book.of(*item).next().is_some()) {
        let tables: BTreeMap<String, Vec<PartInfo>> =
            mapped.iter().map(|(table, parts)| (table.clone(), cleaned.parts(parts))).collect();
        let mut sha = Sha256::new();
        sha.update(format!("{digest}\n"));
        for (table, parts) in &tables {
            super::runner::add_parts(&mut sha, table, parts);
        }
        let inputs = hex(&sha.finalize());
        let dir = &runner.dir;
        let (found, changes) = (dir.found(item.text()), dir.changes(item.text()));
        let (folder, scratch) = (dir.cleaned(item.text()), dir.scratch("clean"));
        let expected = tables.values().flatten().map(|p| p.rows).sum();
        let report = runner.once(
            "clean",
            item.text(),
            &inputs,
            expected,
            |w| {
                Ok(rules::clean(&CleanItem {
                    engine: w.engine,
                    national: w.national,
                    book: &book,
                    item,
                    tables: &tables,
                    externals: &externals,
                    approved: &approved,
                    unfilled: &unfilled,
                    as_of: w.as_of,
                    found: &found,
                    changes: &changes,
                    cleaned: &folder,
                    scratch: &scratch,
                })?)
            },
            |r: &ItemReport| {
                let parts = r.found.iter().chain(&r.changes).chain(r.replaced.iter().map(|r| &r.to));
                (r.rows, parts.cloned().collect())
            },
        )?;
        for replaced in &report.replaced {
            let first =
                cleaned.latest.iter().find(|(_, part)| part.path == replaced.from).map(|(m, _)| m.clone());
            cleaned.latest.insert(first.unwrap_or_else(|| replaced.from.clone()), replaced.to.clone());
        }
        cleaned.items.push(report);
    }
    cleaned.unfilled = unfilled;
    exclude(runner, &mut cleaned, &book)?;
    count_empty(runner, &mut cleaned, edges)?;
    cleaned.book = Some(book);
    Ok(cleaned)
}

/// Columns that no branch fills for rows of a legacy table.
fn unfilled(national: &National, edges: &[Edges<'_>]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for edge in edges {
        let Some(table) = national.table(&edge.table.table) else { continue };
        let none = check_stage::unfilled(table, edge.branch);
        for source in edge.reports.keys() {
            let place = (table.name.clone(), source.clone());
            // Another branch over the same table may fill what this one does not.
            let both = match all.get(&place) {
                Some(known) => known.intersection(&none).cloned().collect(),
                None => none.clone(),
            };
            all.insert(place, both);
        }
    }
    all
}

/// Rows of each table that rules exclude.
fn exclude(runner: &mut StageRunner<'_>, cleaned: &mut Cleaned, book: &RuleBook) -> Result<(), RunError> {
    let inputs = runner.of_parts(cleaned.items.iter().flat_map(|i| &i.found));
    let tables: BTreeSet<&String> =
        book.rules.iter().filter(|r| r.effect == rules::Effect::Exclude).map(|r| &r.table).collect();
    for table in tables {
        let (folder, found) = (runner.dir.excluded(table), cleaned.found(table));
        let part = runner.once(
            "exclude",
            table,
            &inputs,
            0,
            |w| {
                Ok(rules::excluded(&ExcludedOf {
                    engine: w.engine,
                    book,
                    table,
                    found: &found,
                    folder: &folder,
                })?)
            },
            |part: &Option<PartInfo>| (part.iter().map(|p| p.rows).sum(), part.iter().cloned().collect()),
        )?;
        cleaned.excluded.insert(table.clone(), part.into_iter().collect());
    }
    Ok(())
}

/// Counts the empty values of every table that is uploaded.
fn count_empty(
    runner: &mut StageRunner<'_>,
    cleaned: &mut Cleaned,
    edges: &[Edges<'_>],
) -> Result<(), RunError> {
    let national = runner.national;
    let mapped = parts_by_table(edges);
    for table in national.tables.iter().filter(|t| t.upload) {
        let Some(parts) = mapped.get(&table.name) else { continue };
        let parts = cleaned.parts(parts);
        let changed = cleaned.items.iter().flat_map(|i| &i.changes);
        let inputs = runner.of_parts(parts.iter().chain(changed));
        let (rows, changes) = (parts.iter().map(|p| p.rows).sum(), cleaned.changes(&table.name));
        let found: Vec<EmptyRow> = runner.once(
            "shares",
            &table.name,
            &inputs,
            rows,
            |w| {
                let parts = &paths(&parts);
                Ok(rules::empty_values(&EmptyOf { engine: w.engine, table, parts, changes: &changes })?)
            },
            |_: &Vec<EmptyRow>| (rows, Vec::new()),
        )?;
        cleaned.empty.extend(found);
    }
    Ok(())
}

/// One table's open findings.
#[derive(Serialize, Deserialize)]
struct OpenPart {
    part: PartInfo,
    found: Vec<FoundRows>,
}

/// Adds what rules found, and nobody has repaired, to the findings of each table.
pub(super) fn add_open(
    runner: &mut StageRunner<'_>,
    cleaned: &Cleaned,
    checks: &mut BTreeMap<String, CheckReport>,
) -> Result<(), RunError> {
    if cleaned.book.is_none() {
        return Ok(());
    }
    let national = runner.national;
    let inputs = runner.of_everything();
    for (name, check) in checks.iter_mut() {
        let Some(table) = national.table(name) else { continue };
        let owned: BTreeSet<(String, String)> =
            check.checked.iter().map(|c| (c.rule.clone(), c.column.clone())).collect();
        let (findings, found) = (runner.dir.open_findings(name), cleaned.found(name));
        let open = runner.once(
            "open",
            name,
            &inputs,
            0,
            |w| {
                let of = OpenOf {
                    engine: w.engine,
                    national,
                    table,
                    found: &found,
                    unfilled: &cleaned.unfilled,
                    owned: &owned,
                    findings: &findings,
                };
                let (part, found) = rules::open_findings(&of)?;
                Ok(OpenPart { part, found })
            },
            |o: &OpenPart| (o.part.rows, vec![o.part.clone()]),
        )?;
        check.parts.push(open.part);
        check.found.extend(open.found);
    }
    Ok(())
}

/// Every rule and how it ended, for the summary.
pub(super) fn rows(cleaned: &Cleaned) -> Vec<CleanRow> {
    let Some(book) = &cleaned.book else { return Vec::new() };
    let row = |item: &ItemReport, report: &rules::RuleReport| {
        let rule = book.rules.iter().find(|r| r.id == report.rule)?;
        let (ended, found, why) = match &report.ended {
            Ended::Clean => ("clean", None, None),
            Ended::Found(found) => ("found", Some(found), None),
            Ended::NothingToCheck => ("nothing_to_check", None, None),
            Ended::DidNotRun(why) => ("did_not_run", None, Some(why.clone())),
        };
        let of = |outcome: Outcome| found.and_then(|f| f.get(&outcome)).copied().unwrap_or(0);
        Some(CleanRow {
            item: item.item.text().to_owned(),
            rule: report.rule.clone(),
            title_zh: rule.title.zh.clone(),
            title_en: rule.title.en.clone(),
            severity: rule.severity.text().to_owned(),
            department: rule.department.text().to_owned(),
            table: report.table.clone(),
            ended: ended.to_owned(),
            why,
            without: report.without.clone(),
            repaired: of(Outcome::Repaired),
            proposed: of(Outcome::Proposed),
            to_verify: of(Outcome::ToVerify),
            to_province: of(Outcome::ToProvince),
            noted: of(Outcome::Noted),
        })
    };
    cleaned.items.iter().flat_map(|item| item.rules.iter().filter_map(|r| row(item, r))).collect()
}
