//! What changed between two finished runs: rows and money by national table, insurance and disposition, and findings by rule.
//!
//! Always: from what each run counted, not from what its documents say; only what differs is told.

use std::collections::{BTreeMap, BTreeSet};

use super::RunError;
use super::finished::{Finished, measures};
use crate::artifacts::{Against, FindingChange, SumChange, Summary};
use crate::measures::{CONTENT, Measure, boundary, side};

/// Compares a run with an earlier one.
///
/// # Errors
/// `DAT-…`, `MEA-…`.
pub fn against(before: &Finished, after: &Finished) -> Result<Against, RunError> {
    let (then, now) = (measures(&before.dir)?, measures(&after.dir)?);
    Ok(changed((&before.summary, &then), (&after.summary, &now)))
}

/// Compares what two runs counted and found.
pub(super) fn changed(before: (&Summary, &[Measure]), after: (&Summary, &[Measure])) -> Against {
    let mut sums: BTreeMap<[String; 4], [i128; 2]> = BTreeMap::new();
    for (at, (_, measures)) in [before, after].into_iter().enumerate() {
        for m in measures {
            let counted = m.boundary == boundary::MAPPED_DISPOSITIONS && m.measure != CONTENT;
            if counted && m.side == side::DISPOSITIONS {
                // `added:` and `changed:` say why sums differ from the mapped ones; they are no dispositions.
                let disposition = match m.bucket.as_str() {
                    "" => "accepted".to_owned(),
                    reason if reason.contains(':') => continue,
                    other => other.to_owned(),
                };
                let cell = [m.table.clone(), m.measure.clone(), m.insurance.clone(), disposition];
                sums.entry(cell).or_default()[at] += m.value;
            }
        }
    }
    let differs = sums.into_iter().filter(|(_, [before, after])| before != after);
    let sums = differs.map(|([table, measure, insurance, disposition], [before, after])| SumChange {
        table,
        measure,
        insurance,
        disposition,
        before,
        after,
    });
    Against {
        before: before.0.run.clone(),
        after: after.0.run.clone(),
        sums: sums.collect(),
        findings: findings(before.0, after.0),
    }
}

fn findings(before: &Summary, after: &Summary) -> Vec<FindingChange> {
    let mut all: BTreeMap<[String; 3], FindingChange> = BTreeMap::new();
    // What the gate looks at is told by column already.
    let told: BTreeSet<(&str, &str)> =
        [before, after].iter().flat_map(|run| &run.findings).map(|f| (&*f.table, &*f.rule)).collect();
    for (is_after, run) in [(false, before), (true, after)] {
        let of_check = run
            .findings
            .iter()
            .map(|f| ([f.table.clone(), f.rule.clone(), f.column.clone()], &f.title_zh, &f.title_en, f.rows));
        let others = run.cleaning.iter().filter(|c| !told.contains(&(&*c.table, &*c.rule)));
        let of_rules = others.map(|c| {
            let open = c.proposed + c.to_verify + c.to_province;
            ([c.table.clone(), c.rule.clone(), String::new()], &c.title_zh, &c.title_en, open)
        });
        for (key, zh, en, rows) in of_check.chain(of_rules) {
            let [table, rule, column] = key.clone();
            let one = all.entry(key).or_insert_with(|| FindingChange {
                rule,
                title_zh: zh.clone(),
                title_en: en.clone(),
                table,
                column,
                before: 0,
                after: 0,
            });
            let side = if is_after { &mut one.after } else { &mut one.before };
            *side += rows;
        }
    }
    all.into_values().filter(|f| f.before != f.after).collect()
}
