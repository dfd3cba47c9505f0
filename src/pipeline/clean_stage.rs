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
    self, CleanFolders, CleanItem, EmptyOf, Ended, ExcludedOf, Item, ItemReport, Models, OpenOf, Outcome,
    RuleBook, TrailReport,
};
use crate::validate::CheckReport;

/// What cleaning came to.
#[derive(Default)]
pub(super) struct Cleaned {
    pub(super) book: Option<RuleBook>,
    /// Of rules and outside data, without approvals.
    pub(super) rules_digest: String,
    pub(super) items: Vec<ItemReport>,
    /// Mapped part → its last version, where that is another.
    latest: BTreeMap<PathBuf, PartInfo>,
    /// Columns that no branch fills, by national table and legacy table.
    unfilled: BTreeMap<(String, String), BTreeSet<String>>,
    /// Rows that rules exclude, by table.
    excluded: BTreeMap<String, Vec<PartInfo>>,
    /// Empty values of every column (FIL-18).
    pub(super) empty: Vec<EmptyRow>,
    /// Rows that rules added, and change records as rows, by table: each part as it was written first.
    added: BTreeMap<String, Vec<PartInfo>>,
    /// Of the tables of change records: how many rows the records must give.
    pub(super) trails: BTreeMap<String, u64>,
    /// Items of worklists that were found to be so, and until which day.
    pub(super) waivers: BTreeMap<u64, String>,
    /// After each work item: the version of every table.
    pub(super) versions: Vec<(Item, BTreeMap<String, Vec<PartInfo>>)>,
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

    /// The last version of every national table: of its mapped parts, and of those that were added.
    pub(super) fn versions_of(
        &self,
        mapped: &BTreeMap<String, Vec<PartInfo>>,
    ) -> BTreeMap<String, Vec<PartInfo>> {
        let mut all: BTreeMap<String, Vec<PartInfo>> =
            mapped.iter().map(|(table, parts)| (table.clone(), self.parts(parts))).collect();
        for table in self.added.keys() {
            all.entry(table.clone()).or_default().extend(self.added(table));
        }
        all
    }

    /// Where the last version of every national table lies.
    pub(super) fn tables(&self, edges: &[Edges<'_>]) -> BTreeMap<String, Vec<PathBuf>> {
        self.versions_of(&parts_by_table(edges)).into_iter().map(|(t, parts)| (t, paths(&parts))).collect()
    }

    /// The last version of the rows that were added to a table; no part where none were.
    pub(super) fn added(&self, table: &str) -> Vec<PartInfo> {
        self.added.get(table).map(|parts| self.parts(parts)).unwrap_or_default()
    }

    /// Rows that were added to a table.
    pub(super) fn added_rows(&self, table: &str) -> u64 {
        self.added(table).iter().map(|p| p.rows).sum()
    }

    /// National columns that no branch fills in any row of a table: their emptiness is no finding in an added row either.
    pub(super) fn absent(&self, table: &str) -> BTreeSet<String> {
        let mut of = self.unfilled.iter().filter(|((t, _), _)| t == table).map(|(_, columns)| columns);
        let first = of.next().cloned().unwrap_or_default();
        of.fold(first, |all, columns| all.intersection(columns).cloned().collect())
    }

    /// The key maps of a table, of every item.
    pub(super) fn merged(&self, table: &str) -> Vec<PartInfo> {
        let all = self.items.iter().flat_map(|i| &i.merged);
        all.filter(|m| m.table == table).map(|m| m.part.clone()).collect()
    }

    /// Rows of a table that rules exclude, as parts.
    pub(super) fn excluded_parts(&self) -> &BTreeMap<String, Vec<PartInfo>> {
        &self.excluded
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

    /// Takes what an item came to.
    fn take(&mut self, report: ItemReport, mapped: &BTreeMap<String, Vec<PartInfo>>) {
        for replaced in &report.replaced {
            let first =
                self.latest.iter().find(|(_, part)| part.path == replaced.from).map(|(m, _)| m.clone());
            self.latest.insert(first.unwrap_or_else(|| replaced.from.clone()), replaced.to.clone());
        }
        for added in &report.added {
            self.added.entry(added.table.clone()).or_default().push(added.part.clone());
        }
        self.versions.push((report.item, self.versions_of(mapped)));
        self.items.push(report);
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
    let Some(RuleInput { book, externals, approved, corrections, waivers, digest, rules_digest }) = input
    else {
        return Ok(cleaned);
    };
    cleaned.rules_digest = rules_digest;
    cleaned.waivers = waivers;
    let unfilled = unfilled(runner.national, edges);
    let mapped = parts_by_table(edges);
    let mut models = Models::new(&runner.dir.scratch("models"))?;
    for item in Item::ALL.iter().copied().filter(|item| book.of(*item).next().is_some()) {
        let tables = cleaned.versions_of(&mapped);
        let mut sha = Sha256::new();
        sha.update(format!("{digest}\n"));
        for (table, parts) in &tables {
            super::runner::add_parts(&mut sha, table, parts);
        }
        let inputs = hex(&sha.finalize());
        let dir = &runner.dir;
        let to = CleanFolders {
            found: dir.found(item.text()),
            changes: dir.changes(item.text()),
            cleaned: dir.cleaned(item.text()),
            merged: dir.merged(item.text()),
            reasons: dir.reasons(item.text()),
            scratch: dir.scratch("clean"),
        };
        let expected = tables.values().flatten().map(|p| p.rows).sum();
        let report = runner.once(
            "clean",
            item.text(),
            &inputs,
            expected,
            |w| {
                let item = CleanItem {
                    engine: w.engine,
                    national: w.national,
                    book: &book,
                    item,
                    tables: &tables,
                    externals: &externals,
                    approved: &approved,
                    corrections: &corrections,
                    unfilled: &unfilled,
                    as_of: w.as_of,
                    to: &to,
                };
                Ok(rules::clean(&item, &mut models)?)
            },
            |r: &ItemReport| (r.rows, parts_of(r)),
        )?;
        cleaned.take(report, &mapped);
    }
    models.remove()?;
    cleaned.unfilled = unfilled;
    exclude(runner, &mut cleaned, &book)?;
    count_empty(runner, &mut cleaned, edges)?;
    trail(runner, &mut cleaned, &book)?;
    cleaned.book = Some(book);
    Ok(cleaned)
}

/// Everything that an item wrote.
fn parts_of(of: &ItemReport) -> Vec<PartInfo> {
    let parts = of.found.iter().chain(&of.changes).chain(of.replaced.iter().map(|r| &r.to));
    let rows = of.added.iter().chain(&of.merged).map(|p| &p.part);
    parts.chain(rows).chain(&of.reasons).cloned().collect()
}

/// National tables of change records, filled at the end of cleaning (reference 1, T24).
fn trail(runner: &mut StageRunner<'_>, cleaned: &mut Cleaned, book: &RuleBook) -> Result<(), RunError> {
    let inputs =
        format!("{} {}", runner.of_parts(cleaned.items.iter().flat_map(|i| &i.changes)), book.digest);
    let changes: Vec<PathBuf> = cleaned.items.iter().flat_map(|i| paths(&i.changes)).collect();
    for trail in &book.trails {
        let folder = runner.dir.trail(&trail.table);
        let done = runner.once(
            "trail",
            &trail.table,
            &inputs,
            0,
            |w| Ok(rules::write_trail(w.engine, w.national, trail, &changes, &folder)?),
            |t: &Option<TrailReport>| {
                (t.iter().map(|t| t.part.rows).sum(), t.iter().map(|t| t.part.clone()).collect())
            },
        )?;
        if let Some(report) = done {
            cleaned.trails.insert(trail.table.clone(), report.expected);
            cleaned.added.entry(trail.table.clone()).or_default().push(report.part);
        }
    }
    Ok(())
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
