//! The business totals of a run: each asked of what was mapped, of what is staged, and of what is not.
//!
//! Always: behind the gate; what rules made of a number is what is left between the three. A total without a line is left out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::RunError;
use super::clean_stage::Cleaned;
use super::gate_stage::Gated;
use super::invariant_stage::of_run;
use super::map_stage::Edges;
use super::runner::StageRunner;
use crate::artifacts::{REST, TotalColumn, TotalLine, TotalTable};
use crate::rules::{self, Facts, Total, TotalSums};

/// Versions of rows: old, ready, held back.
const VERSIONS: [&str; 3] = ["mapped", "staged", "rejected"];

/// What a total came to in each version: insurance, what lines are told apart by, and the numbers as text, since JSON values have 64 bits.
type Asked = Vec<Vec<(String, String, Vec<String>)>>;

/// Asks every total of the rules.
pub(super) fn ask_all(
    runner: &mut StageRunner<'_>,
    edges: &[Edges<'_>],
    cleaned: &Cleaned,
    gated: &BTreeMap<String, Gated>,
) -> Result<Vec<TotalTable>, RunError> {
    let Some(book) = cleaned.book.as_ref().filter(|book| !book.totals.is_empty()) else {
        return Ok(Vec::new());
    };
    let facts = Facts { parts: of_run(edges, cleaned, gated), rows: BTreeMap::new() };
    let inputs = format!("{} {}", runner.of_everything(), book.digest);
    let mut all = Vec::new();
    for total in &book.totals {
        let asked = runner.once(
            "total",
            &total.id,
            &inputs,
            0,
            |w| asked(w, total, &facts),
            |_: &Asked| (0, Vec::new()),
        )?;
        all.push(table(runner, total, asked));
    }
    all.retain(|t| !t.lines.is_empty());
    Ok(all)
}

fn asked(runner: &StageRunner<'_>, total: &Total, facts: &Facts) -> Result<Asked, RunError> {
    let one = |version: &&str| {
        let sums = rules::total_sums(runner.engine, runner.national, total, (facts, version))?;
        let line = |((insurance, by), numbers): ((String, String), Vec<i128>)| {
            (insurance, by, numbers.iter().map(i128::to_string).collect())
        };
        Ok(sums.into_iter().map(line).collect())
    };
    VERSIONS.iter().map(one).collect()
}

/// The lines of all versions beside each other.
fn table(runner: &StageRunner<'_>, total: &Total, asked: Asked) -> TotalTable {
    let sums = |lines: Vec<(String, String, Vec<String>)>| -> TotalSums {
        let number = |text: &String| text.parse().unwrap_or(0);
        lines.into_iter().map(|(i, by, n)| ((i, by), n.iter().map(number).collect())).collect()
    };
    let versions: Vec<TotalSums> = asked.into_iter().map(sums).collect();
    let keys: BTreeSet<(String, String)> = versions.iter().flat_map(|v| v.keys().cloned()).collect();
    let none = || vec![0; total.numbers.len()];
    let line = |key: (String, String)| {
        let at = |version: usize| versions.get(version).and_then(|v| v.get(&key)).cloned();
        let [old, ready, held_back] = [0, 1, 2].map(|version| at(version).unwrap_or_else(none));
        let by_title = total.by_title(runner.national, &key.1);
        TotalLine { insurance: key.0, by: key.1, by_title, old, ready, held_back }
    };
    let column = |n: &rules::TotalNumber| TotalColumn {
        title_zh: n.title.zh.clone(),
        title_en: n.title.en.clone(),
        money: n.money,
        zero: n.zero,
    };
    TotalTable {
        id: total.id.clone(),
        title_zh: total.title.zh.clone(),
        title_en: total.title.en.clone(),
        about_zh: total.about.zh.clone(),
        about_en: total.about.en.clone(),
        by_zh: total.by.title.zh.clone(),
        by_en: total.by.title.en.clone(),
        columns: total.numbers.iter().map(column).collect(),
        lines: told_apart(total, keys.into_iter().map(line).collect()),
    }
}

/// The lines that differ most and then the largest of each insurance, as many as the total tells apart; all others in one.
fn told_apart(total: &Total, lines: Vec<TotalLine>) -> Vec<TotalLine> {
    let Some(most) = total.most else { return lines };
    let mut by_insurance: BTreeMap<String, Vec<TotalLine>> = BTreeMap::new();
    for line in lines {
        by_insurance.entry(line.insurance.clone()).or_default().push(line);
    }
    let largest = |of: &dyn Fn(usize) -> i128| {
        let money = total.numbers.iter().enumerate().filter(|(_, n)| n.money);
        money.map(|(at, _)| of(at).unsigned_abs()).max().unwrap_or_default()
    };
    let mut all = Vec::new();
    for (insurance, mut lines) in by_insurance {
        lines.sort_by_cached_key(|l| {
            (Reverse(largest(&|at| l.old[at] - l.ready[at])), Reverse(largest(&|at| l.old[at])), l.by.clone())
        });
        let others = lines.split_off(most.min(lines.len()));
        all.extend(lines);
        all.extend(rest(insurance, &others));
    }
    all
}

/// All of some lines in one; none of none.
fn rest(insurance: String, lines: &[TotalLine]) -> Option<TotalLine> {
    let sum = |of: fn(&TotalLine) -> &Vec<i128>| -> Option<Vec<i128>> {
        lines
            .iter()
            .map(|l| of(l).clone())
            .reduce(|sum, more| sum.iter().zip(more).map(|(a, b)| a + b).collect())
    };
    let (by, by_title) = (REST.to_owned(), lines.len().to_string());
    let [old, ready, held_back] = [sum(|l| &l.old)?, sum(|l| &l.ready)?, sum(|l| &l.held_back)?];
    Some(TotalLine { insurance, by, by_title, old, ready, held_back })
}
