//! Findings of a run against the truth that the fixture wrote: per defect, what was missed and what was invented.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{parquet_under, text_rows};

/// (rule, national table, column, `_source`, `_skey`)
type Line = (String, String, String, String, String);

/// What a comparison found, as sentences; empty means precision and recall of 1.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Planted lines per defect.
    pub planted: BTreeMap<String, usize>,
    pub missed: Vec<String>,
    pub invented: Vec<String>,
}

/// Compares the findings under `run/findings` with the structural lines of the truth.
pub fn compare(run: &Path, truth: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    let mut expected: BTreeMap<Line, String> = BTreeMap::new();
    let columns = ["defect", "kind", "rule", "national_table", "column", "source_table", "source_key"];
    for row in text_rows(truth, &columns) {
        let cells: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        let [defect, kind, rule, table, column, source, key] = <[String; 7]>::try_from(cells).unwrap();
        if kind == "structural" {
            *verdict.planted.entry(defect.clone()).or_default() += 1;
            expected.insert((rule, table, column, source, key), defect);
        }
    }
    let mut met: BTreeSet<Line> = BTreeSet::new();
    for part in parquet_under(&run.join("findings")) {
        let mut lineage: Option<BTreeMap<(String, String), Vec<String>>> = None;
        for row in text_rows(&part, &["rule", "table", "column", "_source", "_skey", "_key"]) {
            let cell = |i: usize| row[i].clone().unwrap_or_default();
            let (rule, table, column, source) = (cell(0), cell(1), cell(2), cell(3));
            let keys = match &row[4] {
                Some(key) => vec![key.clone()],
                None => {
                    let known = lineage.get_or_insert_with(|| lineage_of(run, &table));
                    known.get(&(cell(5), source.clone())).cloned().unwrap_or_default()
                }
            };
            let lines: Vec<Line> = keys
                .iter()
                .map(|key| (rule.clone(), table.clone(), column.clone(), source.clone(), key.clone()))
                .filter(|line| expected.contains_key(line))
                .collect();
            if lines.is_empty() {
                verdict.invented.push(format!("{rule} {table}.{column} {source} {keys:?}"));
            }
            met.extend(lines);
        }
    }
    for (line, defect) in &expected {
        if !met.contains(line) {
            verdict.missed.push(format!("{defect}: {} {}.{} {} {}", line.0, line.1, line.2, line.3, line.4));
        }
    }
    verdict
}

/// (`_key`, `_source`) → `_skey`s of the group rows of a table.
fn lineage_of(run: &Path, table: &str) -> BTreeMap<(String, String), Vec<String>> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for part in parquet_under(&run.join("lineage").join(table)) {
        for row in text_rows(&part, &["_key", "_source", "_skey"]) {
            let cell = |i: usize| row[i].clone().unwrap_or_default();
            found.entry((cell(0), cell(1))).or_default().push(cell(2));
        }
    }
    found
}
