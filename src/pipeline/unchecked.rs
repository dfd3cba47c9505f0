//! What of the money of a run was compared with nothing: counted beside what is unexplained, so that "0 unexplained" does not say more
//! than was looked at.
//!
//! Always: by legacy table and column; a table without a row has nothing to check.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;

use super::RunError;
use super::map_stage::Typed;
use super::runner::{StageRunner, paths};
use crate::artifacts::{Coverage, Judged, NotChecked, Reconciliation, Unchecked};
use crate::dataset::schema_of;
use crate::functions::Read;
use crate::measures::{DETAILS, LEDGERS, Measure, boundary, side};
use crate::raw::RawView;

/// A legacy table (`ylbx.GRJFMX`) and a national column (`AC43.AAE020`).
type Fed = (String, String);

/// Every money column of every legacy table, and what of it was not compared.
pub(super) fn unchecked(
    runner: &StageRunner<'_>,
    raw: &BTreeMap<String, RawView>,
    typed: &Typed,
    coverage: &Coverage,
    measures: &[Measure],
    reconciliation: &Reconciliation,
) -> Result<Vec<NotChecked>, RunError> {
    let units = units_told(coverage, measures, reconciliation);
    let mut all = Vec::new();
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
        let declared = view.measures.as_ref().map_or(&[][..], |m| m.amounts.as_slice());
        for (column, viewed) in view.read_columns() {
            let Read::Money(_) = viewed.read else { continue };
            let mut add = |what| all.push(NotChecked { what, name: format!("{label}.{}", column.name) });
            if !declared.contains(&column.name) {
                add(Unchecked::NotDeclared);
            }
            match schema.field_with_name(&column.from).map(|f| f.data_type().clone()) {
                Ok(DataType::Utf8) => add(Unchecked::TextSum),
                Ok(DataType::Float64) => add(Unchecked::FloatDigits),
                Ok(_) | Err(_) => {}
            }
            let feeds = table.columns.iter().filter(|c| c.column == column.from).flat_map(|c| &c.feeds);
            if !feeds.into_iter().any(|f| units.contains(&(label.clone(), f.clone()))) {
                add(Unchecked::UnitOfMoney);
            }
        }
    }
    all.sort_unstable();
    Ok(all)
}

/// The national columns whose unit of money something stands against, by the legacy table that feeds them: a range in yuan, or a share
/// of (or a ledger beside) an amount that has one. Two amounts that are only compared with each other may both be wrong.
fn units_told(coverage: &Coverage, measures: &[Measure], reconciliation: &Reconciliation) -> BTreeSet<Fed> {
    let (mut told, mut linked) = (BTreeSet::new(), Vec::new());
    for line in &reconciliation.plausible {
        let judged = match line.verdict {
            Judged::Inside | Judged::Times100 | Judged::Hundredth | Judged::Implausible => true,
            Judged::TooFew => false,
        };
        let Some((table, columns)) = line.check.split_once('.').filter(|_| judged) else { continue };
        let fed = columns.split(['+', '/']).map(|c| (line.table.clone(), format!("{table}.{c}")));
        if columns.contains('/') { linked.push(fed.collect()) } else { told.extend(fed) }
    }
    linked.extend(ledger_links(coverage, measures));
    loop {
        let before = told.len();
        for link in &linked {
            let link: &BTreeSet<Fed> = link;
            if !link.is_disjoint(&told) {
                told.extend(link.iter().cloned());
            }
        }
        if told.len() == before {
            return told;
        }
    }
}

/// Details and ledgers that were compared: each detail table with every ledger.
fn ledger_links(coverage: &Coverage, measures: &[Measure]) -> Vec<BTreeSet<Fed>> {
    let of = |wanted: &str| {
        let lines = measures.iter().filter(|m| m.boundary == boundary::DETAILS_LEDGERS && m.measure == "fen");
        let lines = lines.filter(|m| m.side == wanted && m.value != 0);
        lines.map(|m| (m.insurance.as_str(), m.period.as_str(), m.table.as_str())).collect::<BTreeSet<_>>()
    };
    let (details, ledgers) = (of(side::DETAILS), of(side::LEDGERS));
    let years: BTreeSet<(&str, &str)> = ledgers.iter().map(|(i, y, _)| (*i, *y)).collect();
    let compared: BTreeSet<&str> =
        details.iter().filter(|(i, y, _)| years.contains(&(*i, *y))).map(|(_, _, table)| *table).collect();
    let link = |detail: &&str| {
        let details = ["AAE020", "AAE022"].map(|c| ((*detail).to_owned(), format!("{DETAILS}.{c}")));
        let ledgers = coverage.legacy.iter().flat_map(|t| {
            ["AAB150", "AAB152"].map(|c| (format!("{}.{}", t.source, t.table), format!("{LEDGERS}.{c}")))
        });
        details.into_iter().chain(ledgers).collect()
    };
    compared.iter().map(link).collect()
}
