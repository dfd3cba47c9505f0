//! The first rows of every finding of a table, as the page shows them.
//!
//! Always: in the order of the parts, so that the same run shows the same; values are masked already.

use std::collections::BTreeMap;

use super::RunError;
use super::listing::{cell, each};
use super::paths::RunDir;
use crate::artifacts::FindingExample;
use crate::dataset::left_parts;

/// So many rows of a finding are shown; `qianyi findings` has all.
const SHOWN: usize = 5;

/// By rule and column.
pub(super) fn examples(
    dir: &RunDir,
    table: &str,
) -> Result<BTreeMap<(String, String), Vec<FindingExample>>, RunError> {
    let mut parts = left_parts(&dir.findings(table))?;
    parts.extend(left_parts(&dir.open_findings(table))?);
    let mut all: BTreeMap<(String, String), Vec<FindingExample>> = BTreeMap::new();
    each(parts, |batch, row| {
        let text = |name: &str| cell(batch, name, row);
        let of = (text("rule").unwrap_or_default(), text("column").unwrap_or_default());
        let shown = all.entry(of).or_default();
        if shown.len() < SHOWN {
            shown.push(FindingExample {
                key: text("_key"),
                value: text("value"),
                source: text("_source").unwrap_or_default(),
                skey: text("_skey"),
            });
        }
    })?;
    Ok(all)
}
