//! What rules found and nobody has repaired → findings of a table, for the gate (reference 9.1).
//!
//! Always: sorted by rule, column, key and lineage, values masked. What the structural check finds under the same rule and column is left to it:
//! one fault, one finding.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use futures::StreamExt;

use super::fault::RuleError;
use super::kind::Outcome;
use crate::artifacts::{FindingSink, FoundRows, RowAt, RuleGate, shown};
use crate::dataset::{PartInfo, register};
use crate::durable;
use crate::engine::{Engine, Joins};
use crate::national::{National, Table};
use crate::phrase;

/// Whose open findings are wanted, and where they go.
pub struct OpenOf<'a> {
    pub engine: &'a Engine,
    pub national: &'a National,
    pub table: &'a Table,
    /// What rules found in it (`found/`).
    pub found: &'a [PathBuf],
    /// Columns that no branch fills, by national table and legacy table: their emptiness is no finding.
    pub unfilled: &'a BTreeMap<(String, String), BTreeSet<String>>,
    /// Rules and columns that the structural check answers for.
    pub owned: &'a BTreeSet<(String, String)>,
    /// The folder of the part.
    pub findings: &'a Path,
}

/// Writes the open findings of a table; the part, and their numbers.
///
/// # Errors
/// `ENG-…`, `DAT-…`, `DUR-001`.
pub fn open_findings(of: &OpenOf<'_>) -> Result<(PartInfo, Vec<FoundRows>), RuleError> {
    durable::create_dir_all(of.findings)?;
    let path = of.findings.join("rules.parquet");
    let mut sink = FindingSink::create(&path, &of.table.name)?;
    let mut counted: BTreeMap<[String; 4], u64> = BTreeMap::new();
    if !of.found.is_empty() {
        let session = of.engine.session(of.engine.partitions(), Joins::Large);
        register(&session, "found", of.found)?;
        let sql = format!(
            "SELECT rule, \"column\", severity, before, _key, _source, _skey, outcome FROM found WHERE \"table\" = {} \
             ORDER BY rule, \"column\", _key, _skey, _source",
            crate::sql_ident::literal(&of.table.name)
        );
        let what = || phrase!("work.open", table = of.table.name);
        of.engine.block_on(async {
            let stream = async { session.sql(&sql).await?.execute_stream().await };
            let mut stream = stream.await.map_err(|e| of.engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| of.engine.error(what(), e))?;
                let text = |at: usize| batch.column(at).as_string::<i32>();
                let (rules, columns, levels, values) = (text(0), text(1), text(2), text(3));
                let (keys, sources, skeys, outcomes) = (text(4), text(5), text(6), text(7));
                for row in 0..batch.num_rows() {
                    let (rule, column) = (rules.value(row), columns.value(row));
                    let open = Outcome::named(outcomes.value(row)).is_none_or(Outcome::is_open);
                    let place = (of.table.name.clone(), sources.value(row).to_owned());
                    let lacking =
                        values.is_null(row) && of.unfilled.get(&place).is_some_and(|u| u.contains(column));
                    if !open || lacking || of.owned.contains(&(rule.to_owned(), column.to_owned())) {
                        continue;
                    }
                    let known = of.table.column(column);
                    let gate = RuleGate::of_rule(of.national, rule, known, levels.value(row));
                    let value = known.filter(|_| values.is_valid(row)).map(|c| shown(c, values.value(row)));
                    let at = RowAt {
                        key: Some(keys.value(row)),
                        source: sources.value(row),
                        skey: skeys.is_valid(row).then(|| skeys.value(row)),
                    };
                    sink.add(&gate, at, value.as_deref())?;
                    let [rule, column] = [rule, column].map(str::to_owned);
                    *counted
                        .entry([rule, column, gate.gate().to_owned(), gate.level().to_owned()])
                        .or_default() += 1;
                }
            }
            Ok::<(), RuleError>(())
        })?;
    }
    let part = sink.finish()?;
    let found = counted
        .into_iter()
        .map(|([rule, column, gate, level], rows)| FoundRows { rule, column, gate, level, rows })
        .collect();
    Ok((part, found))
}
