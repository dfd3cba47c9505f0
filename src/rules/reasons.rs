//! Why the rows and the money behind cleaning differ from what was mapped: by rule, in the cells of the boundary mapped–dispositions.
//!
//! Always: counted from what was proposed and recorded, never from the parts that were written, so that a difference without a record has no
//! reason. `added:<rule>` are rows that a rule added, `changed:<rule>` money (or insurance and period) that it changed.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::parse_decimal;
use arrow::datatypes::{DataType, Decimal128Type};

use super::add::Added;
use super::apply::Change;
use crate::measures::{ALL, Measure, NONE, boundary, side};
use crate::national::Table;

/// Table, measure, insurance, period, reason.
type Place = [String; 5];

/// Rows and fen by reason and cell: what the left side has more than the right.
#[derive(Debug, Default)]
pub(super) struct Reasons(BTreeMap<Place, i128>);

/// Yuan as fen.
fn fen(text: Option<&str>) -> i128 {
    text.and_then(|t| parse_decimal::<Decimal128Type>(t, 38, 2).ok()).unwrap_or(0)
}

impl Reasons {
    fn grow(&mut self, table: &Table, measure: String, cell: &[String; 2], reason: &str, value: i128) {
        let [insurance, period] = cell.clone();
        let place = [table.name.clone(), measure, insurance, period, reason.to_owned()];
        *self.0.entry(place).or_default() += value;
    }

    /// Rows that a rule added.
    pub(super) fn added(&mut self, table: &Table, rows: &[Added]) {
        for row in rows.iter().filter(|_| table.upload) {
            let value = |column: &Option<String>| match column {
                Some(column) => row.values.get(column).cloned().unwrap_or_else(|| NONE.to_owned()),
                None => ALL.to_owned(),
            };
            let cell = [value(&table.insurance), value(&table.period)];
            let reason = format!("added:{}", row.record.rule);
            self.grow(table, "rows".to_owned(), &cell, &reason, -1);
            for column in table.columns.iter().filter(|c| c.measure) {
                let value = fen(row.values.get(&column.code).map(String::as_str));
                self.grow(table, format!("fen:{}", column.code), &cell, &reason, -value);
            }
        }
    }

    /// Whether a change of this column moves rows or money.
    pub(super) fn matter(table: &Table, column: &str) -> bool {
        let cell = [&table.insurance, &table.period].into_iter().flatten().any(|c| c == column);
        table.upload && (cell || table.column(column).is_some_and(|c| c.measure))
    }

    /// The changes of one row of a batch, as it was before.
    pub(super) fn changed(&mut self, table: &Table, batch: &RecordBatch, row: usize, changes: &[&Change]) {
        let of = |column: &str| changes.iter().find(|c| c.column == column);
        let was = |column: &Option<String>| match column {
            Some(column) => text(batch, column, row).unwrap_or_else(|| NONE.to_owned()),
            None => ALL.to_owned(),
        };
        let is = |column: &Option<String>| match column {
            Some(name) => of(name).map_or_else(|| was(column), |c| c.after.clone()),
            None => ALL.to_owned(),
        };
        let before = [was(&table.insurance), was(&table.period)];
        let after = [is(&table.insurance), is(&table.period)];
        let moved = before != after;
        let movers: Vec<&str> = [&table.insurance, &table.period]
            .into_iter()
            .flatten()
            .filter_map(|column| Some(of(column)?.rule.as_str()))
            .collect();
        let mover = format!("changed:{}", movers.first().copied().unwrap_or_default());
        if moved {
            self.grow(table, "rows".to_owned(), &before, &mover, 1);
            self.grow(table, "rows".to_owned(), &after, &mover, -1);
        }
        for column in table.columns.iter().filter(|c| c.measure) {
            let change = of(&column.code);
            let measure = format!("fen:{}", column.code);
            let old = match change {
                Some(change) => fen(change.before.as_deref()),
                None if moved => fen(text(batch, &column.code, row).as_deref()),
                None => continue,
            };
            let new = change.map_or(old, |change| fen(Some(&change.after)));
            let reason = change.map_or_else(|| mover.clone(), |c| format!("changed:{}", c.rule));
            self.grow(table, measure.clone(), &before, &reason, old);
            self.grow(table, measure, &after, &reason, -new);
        }
    }

    /// As measures of the boundary: what the right side has otherwise.
    pub(super) fn measures(self) -> Vec<Measure> {
        let measure = |([table, measure, insurance, period, bucket], value): (Place, i128)| Measure {
            boundary: boundary::MAPPED_DISPOSITIONS.to_owned(),
            side: side::DISPOSITIONS.to_owned(),
            table,
            measure,
            insurance,
            period,
            bucket,
            value,
        };
        self.0.into_iter().filter(|(_, value)| *value != 0).map(measure).collect()
    }
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let value = cast(&batch.column_by_name(column)?.slice(row, 1), &DataType::Utf8).ok()?;
    let value = value.as_string_opt::<i32>()?;
    value.is_valid(0).then(|| value.value(0).to_owned())
}
