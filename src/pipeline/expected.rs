//! What adds up and is hardly meant all the same: empty branches and tables, few accepted rows, code lists that translate little, text in
//! another encoding than it was read in, amounts that are not plausible, measures that are constants beside money that arrives nowhere, money
//! that comes to nothing.
//!
//! Always: each blocks until the configuration acknowledges it by name, with who and why; whole numbers are compared, no shares. An
//! acknowledgement that nothing answers to is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::encodings::Misread;
use super::gate_stage::Gated;
use super::map_stage::{Edges, Typed};
use super::settings::Expected;
use super::vanished_money::Vanished;
use crate::artifacts::{Acknowledged, Blocker, Coverage, Judged, Reconciliation, Suspicion};

/// What the run came to, as far as it is looked at here.
pub(super) struct Found<'a> {
    pub(super) typed: &'a Typed,
    pub(super) edges: &'a [Edges<'a>],
    pub(super) gated: &'a BTreeMap<String, Gated>,
    pub(super) misread: &'a [Misread],
    pub(super) coverage: &'a Coverage,
    pub(super) reconciliation: &'a Reconciliation,
    /// Money that arrives nowhere, by legacy table.
    pub(super) idle: &'a BTreeMap<String, BTreeSet<String>>,
    pub(super) vanished: &'a [Vanished],
}

/// One thing that is hardly meant: `part` of `whole` rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Suspect {
    what: Suspicion,
    name: String,
    part: u64,
    whole: u64,
}

/// What blocks, and what is acknowledged.
pub(super) fn judge(found: &Found<'_>, expected: &Expected) -> (Vec<Blocker>, Vec<Acknowledged>) {
    let mut suspects = empty_branches(found);
    suspects.extend(empty_tables(found, &suspects));
    suspects.extend(acceptance(found, expected.accepted_min));
    suspects.extend(code_lists(found));
    suspects.extend(misread(found));
    suspects.extend(implausible(found));
    suspects.extend(constant_measures(found));
    suspects.extend(vanished(found));
    suspects.sort_unstable();
    // A measure may be a constant in several parts of a branch.
    suspects.dedup();
    let answers = |s: &Suspect| expected.acknowledged.iter().any(|a| a.what == s.what && a.name == s.name);
    let acknowledged = expected.acknowledged.iter().map(|a| {
        let about = suspects.iter().find(|s| s.what == a.what && s.name == a.name);
        Acknowledged {
            what: a.what,
            name: a.name.clone(),
            by: a.by.clone(),
            reason: a.reason.clone(),
            used: about.is_some(),
            part: about.map_or(0, |s| s.part),
            whole: about.map_or(0, |s| s.whole),
        }
    });
    let acknowledged = acknowledged.collect();
    let blockers = suspects.into_iter().filter(|s| !answers(s)).map(|s| {
        let Suspect { what, name, part, whole } = s;
        Blocker::Suspect { what, name, part, whole }
    });
    (blockers.collect(), acknowledged)
}

/// Branches that make nothing of legacy tables with rows: as a whole, or of one table of a family.
fn empty_branches(found: &Found<'_>) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    for edge in found.edges {
        let legacy = |label: &String| found.typed.reports.get(label).map_or(0, |r| r.rows);
        let tables: Vec<(&String, u64, u64)> =
            edge.reports.iter().map(|(label, r)| (label, legacy(label), r.rows)).collect();
        let (rows, mapped) = tables.iter().fold((0, 0), |sum, t| (sum.0 + t.1, sum.1 + t.2));
        let branch = format!("{}/{}", edge.table.table, edge.branch.name);
        let suspect =
            |name: String, whole: u64| Suspect { what: Suspicion::EmptyBranch, name, part: 0, whole };
        if rows > 0 && mapped == 0 {
            suspects.push(suspect(branch, rows));
        } else {
            for (label, rows, _) in tables.iter().filter(|(_, rows, mapped)| *rows > 0 && *mapped == 0) {
                let table = label.split_once('.').map_or(label.as_str(), |(_, table)| table);
                suspects.push(suspect(format!("{branch}/{table}"), *rows));
            }
        }
    }
    suspects
}

/// National tables that are uploaded, are mapped and have no row, where no branch says it already: their legacy tables are empty.
fn empty_tables(found: &Found<'_>, branches: &[Suspect]) -> Vec<Suspect> {
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    // A working table is for rules alone; only what is uploaded is gated.
    for edge in found.edges.iter().filter(|e| found.gated.contains_key(&e.table.table)) {
        *rows.entry(&edge.table.table).or_default() += edge.rows();
    }
    let said = |table: &str| branches.iter().any(|s| s.name.split('/').next() == Some(table));
    let empty = rows.into_iter().filter(|(table, rows)| *rows == 0 && !said(table));
    empty
        .map(|(table, _)| Suspect { what: Suspicion::EmptyTable, name: table.to_owned(), part: 0, whole: 0 })
        .collect()
}

/// National tables of which too little is accepted. A merged row is accepted in its survivor, or not with it.
fn acceptance(found: &Found<'_>, least: u8) -> Vec<Suspect> {
    let rows = |of: &Gated| {
        let merged = of.gate.not_accepted.iter().filter(|n| n.disposition == "merged").map(|n| n.rows);
        of.gate.rows.saturating_sub(merged.sum())
    };
    let few = found
        .gated
        .iter()
        .filter(|(_, of)| u128::from(of.gate.accepted) * 100 < u128::from(rows(of)) * u128::from(least));
    few.map(|(table, of)| Suspect {
        what: Suspicion::Acceptance,
        name: table.clone(),
        part: of.gate.accepted,
        whole: rows(of),
    })
    .collect()
}

/// Code columns of which less than half of the rows are translated.
fn code_lists(found: &Found<'_>) -> Vec<Suspect> {
    let few = found.coverage.codes.iter().filter(|c| c.mapped.rows < c.unmapped.rows);
    few.map(|c| Suspect {
        what: Suspicion::CodeList,
        name: format!("{}/{}.{}.{}", c.list, c.source, c.table, c.column),
        part: c.mapped.rows,
        whole: c.mapped.rows + c.unmapped.rows,
    })
    .collect()
}

/// Text columns whose bytes speak for another encoding.
fn misread(found: &Found<'_>) -> Vec<Suspect> {
    let suspect = |m: &Misread| {
        let Misread { name, part, whole } = m;
        Suspect { what: Suspicion::Encoding, name: name.clone(), part: *part, whole: *whole }
    };
    found.misread.iter().map(suspect).collect()
}

/// Amounts of a legacy table that are neither plausible nor wrong by 100, over all its years.
fn implausible(found: &Found<'_>) -> Vec<Suspect> {
    let mut tables: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in found.reconciliation.plausible.iter().filter(|p| p.verdict == Judged::Implausible) {
        let sum = tables.entry(format!("{}/{}", line.check, line.table)).or_default();
        sum.0 += line.inside;
        sum.1 += line.rows;
    }
    let suspect = |(name, (part, whole))| Suspect { what: Suspicion::Implausible, name, part, whole };
    tables.into_iter().map(suspect).collect()
}

/// Measures that a branch fills with a constant, while money of a legacy table of it arrives nowhere.
fn constant_measures(found: &Found<'_>) -> Vec<Suspect> {
    let constant = found.coverage.unfed.iter().filter(|u| u.constant && u.rows > 0);
    let beside_money = constant.filter(|u| {
        let mut own = found.edges.iter().filter(|e| e.table.table == u.table && e.branch.name == u.branch);
        own.any(|e| e.reports.keys().any(|label| found.idle.get(label).is_some_and(|idle| !idle.is_empty())))
    });
    beside_money
        .map(|u| Suspect {
            what: Suspicion::ConstantMeasure,
            name: format!("{}/{}.{}", u.table, u.branch, u.column),
            part: 0,
            whole: u.rows,
        })
        .collect()
}

/// Money that comes to nothing in every measure that it feeds.
fn vanished(found: &Found<'_>) -> Vec<Suspect> {
    let suspect = |Vanished { name, rows }: &Vanished| Suspect {
        what: Suspicion::VanishedMoney,
        name: name.clone(),
        part: 0,
        whole: *rows,
    };
    found.vanished.iter().map(suspect).collect()
}
