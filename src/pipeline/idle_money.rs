//! Money of the legacy tables that a mapping reads and that arrives nowhere: beside a measure that is a constant, it is hardly meant.
//!
//! Always: by legacy table and column; money under `amounts` is reconciled, or has a reason under `not_mapped`, and is never idle.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};

use super::RunError;
use super::map_stage::Typed;
use super::runner::{StageRunner, paths};
use crate::artifacts::{Coverage, LegacyDisposition, LegacyTableCoverage};
use crate::dataset::schema_of;
use crate::functions::Read;
use crate::mapping::SourceView;
use crate::national::{Kind, National};
use crate::raw::RawView;

/// The idle money columns of every legacy table with rows, by label (`ylbx.GRJFMX`).
pub(super) fn idle_money(
    runner: &StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
    typed: &Typed,
    coverage: &Coverage,
) -> Result<BTreeMap<String, BTreeSet<String>>, RunError> {
    let mut all = BTreeMap::new();
    for table in &coverage.legacy {
        let label = format!("{}.{}", table.source, table.table);
        let (Some(view), Some(read)) =
            (runner.city.view_of(&table.source, &table.table), typed.reports.get(&label))
        else {
            continue;
        };
        let parts = raw.get(&table.source).and_then(|v| v.tables.get(&table.table)).map(|t| paths(&t.parts));
        let Some(first) = parts.iter().flatten().next().filter(|_| read.rows > 0) else { continue };
        let schema = schema_of(first)?;
        all.insert(label, idle(view, table, &schema, runner.national));
    }
    Ok(all)
}

/// The legacy columns of a table that hold money (by how they are read, or as numbers with digits after the point) which reaches no
/// national column of money, or none at all.
fn idle(
    view: &SourceView,
    table: &LegacyTableCoverage,
    raw: &Schema,
    national: &National,
) -> BTreeSet<String> {
    let amounts = view.measures.iter().flat_map(|m| &m.amounts);
    let declared: BTreeSet<&str> =
        amounts.filter_map(|name| view.column(name)).map(|c| c.from.as_str()).collect();
    let money = |fed: &str| {
        let column = fed.split_once('.').and_then(|(table, code)| national.table(table)?.column(code));
        column.is_some_and(|c| c.kind == Kind::Money)
    };
    let mut found = BTreeSet::new();
    for (column, viewed) in view.read_columns().filter(|(c, _)| !declared.contains(c.from.as_str())) {
        let Some(covered) = table.columns.iter().find(|c| c.column == column.from) else { continue };
        let is_idle = match viewed.read {
            Read::Money(_) => !covered.feeds.iter().any(|fed| money(fed)),
            Read::Text { .. } | Read::Int => {
                let fraction = match raw.field_with_name(&column.from).map(|f| f.data_type()) {
                    Ok(DataType::Decimal128(_, scale)) => *scale > 0,
                    Ok(DataType::Float64) => true,
                    Ok(_) | Err(_) => false,
                };
                fraction && covered.disposition == LegacyDisposition::Unused
            }
            Read::Rate { .. } | Read::Date { .. } | Read::Period { .. } | Read::Time | Read::Code(_) => false,
        };
        if is_idle {
            found.insert(column.from.clone());
        }
    }
    found
}
