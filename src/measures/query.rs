//! Counting by SQL: rows and sums by cell, from one query.
//!
//! Always: money comes as Decimal128(·, 2), so that its unscaled integer is fen; nothing passes through a float.

use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::prelude::SessionContext;

use super::MeasureError;
use super::cells::{Cells, add};
use super::measure::{ALL, NONE};
use crate::dataset::register;
use crate::engine::{Engine, Joins};
use crate::phrase;
pub(super) use crate::sql_ident::{literal, quote};

/// The SQL of a cell's part: NULL is [`NONE`], what is not told apart is [`ALL`].
pub(super) fn cell(sql: Option<&str>) -> String {
    match sql {
        Some(sql) => format!("coalesce(CAST({sql} AS VARCHAR), {})", literal(NONE)),
        None => literal(ALL),
    }
}

/// A session with these tables.
pub(super) fn session(
    engine: &Engine,
    joins: Joins,
    tables: &[(&str, &[PathBuf])],
) -> Result<SessionContext, MeasureError> {
    let session = engine.session(engine.partitions(), joins);
    for (name, parts) in tables {
        register(&session, name, parts)?;
    }
    Ok(session)
}

/// The rows of a query whose answer is small: cells.
pub(super) fn ask(
    engine: &Engine,
    session: &SessionContext,
    what: &str,
    sql: &str,
) -> Result<Vec<RecordBatch>, MeasureError> {
    let answer = engine.block_on(async { session.sql(sql).await?.collect().await });
    Ok(answer.map_err(|e| engine.error(phrase!("work.sums", what), e))?)
}

/// One group of an answer: the texts of its key, and its numbers.
pub(super) struct Group<'a> {
    batch: &'a RecordBatch,
    row: usize,
    texts: usize,
}

impl Group<'_> {
    /// A text of the key; NULL is empty.
    pub(super) fn text(&self, at: usize) -> &str {
        let column = self.batch.column(at).as_string::<i32>();
        if column.is_null(self.row) { "" } else { column.value(self.row) }
    }

    /// The name of a number.
    fn name(&self, at: usize) -> &str {
        self.batch.schema_ref().field(self.texts + at).name()
    }

    /// A number: rows, or fen; NULL is 0.
    pub(super) fn number(&self, at: usize, what: &str) -> Result<i128, MeasureError> {
        let column = self.batch.column(self.texts + at);
        if column.is_null(self.row) {
            return Ok(0);
        }
        match column.data_type() {
            DataType::Int64 => Ok(column.as_primitive::<Int64Type>().value(self.row).into()),
            DataType::Decimal128(_, 2) => Ok(column.as_primitive::<Decimal128Type>().value(self.row)),
            other => Err(MeasureError::Uncountable {
                what: what.to_owned(),
                column: self.name(at).to_owned(),
                found: other.to_string(),
            }),
        }
    }
}

/// The groups of an answer whose first `texts` columns are the key.
pub(super) fn groups(batches: &[RecordBatch], texts: usize) -> impl Iterator<Item = Group<'_>> {
    batches.iter().flat_map(move |batch| (0..batch.num_rows()).map(move |row| Group { batch, row, texts }))
}

/// Adds the numbers of a group to a cell: those of `take`, each a sum of columns.
pub(super) fn add_group(
    cells: &mut Cells,
    group: &Group<'_>,
    cell: [&str; 3],
    take: &[Vec<usize>],
    what: &str,
) -> Result<(), MeasureError> {
    let sums = cells.cell(cell[0], cell[1], cell[2])?;
    for (sum, columns) in sums.iter_mut().zip(take) {
        for column in columns {
            add(sum, group.number(*column, what)?, what, group.name(*column))?;
        }
    }
    Ok(())
}
