//! What an expression of a mapping cannot compute of a row: NULL, and a read error of that row.
//!
//! Always: a row is reported where a value is there, its result is NULL, and the expression asks for it at all (a guard): never as a
//! matter of how the engine happens to evaluate. Mappings never call these functions themselves: names with `_` are not theirs.
//! Must not know: which expressions they are put around, and where reports go.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use super::code::{self, Codes};
use super::json;
use super::scalar::{Call, Scalar, Takes};

/// One value that an expression could not compute with.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Number of the place in the branch.
    pub site: usize,
    pub skey: &'a str,
    pub value: &'a str,
}

/// Hears of every one; an error ends the query.
#[derive(Clone)]
pub struct Notice(pub Arc<dyn Fn(Refused<'_>) -> Result<()> + Send + Sync>);

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notice")
    }
}

impl Notice {
    /// For a planner: nothing runs.
    pub fn nobody() -> Self {
        Self(Arc::new(|_| Ok(())))
    }
}

/// The functions that report to `notice`: `_read_error`, `_unmapped`, `_not_json`.
pub fn noting(codes: Arc<Codes>, notice: Notice) -> [ScalarUDF; 3] {
    [read_errors(notice), code::unmapped(codes), json::not_json()]
}

/// `_read_error(site, value, result, skey, guard)`: the result; where it is NULL, the value is not, and the guard is true, the row is
/// reported.
fn read_errors(notice: Notice) -> ScalarUDF {
    let takes = [Takes::Int, Takes::Any, Takes::Any, Takes::Text, Takes::Any];
    Scalar::new("_read_error", &takes, DataType::Null).gives_like(2).does(move |call| {
        let result = call.array(2)?;
        if call.rows > 0 && result.logical_null_count() > 0 {
            report(call, &*result, &notice)?;
        }
        Ok(result)
    })
}

fn report(call: &Call, result: &dyn Array, notice: &Notice) -> Result<()> {
    let values = call.array(1)?;
    if values.logical_null_count() == call.rows {
        return Ok(());
    }
    let (site, skeys) = (call.ints(0)?.value(0), call.text(3)?);
    let guard = cast(&call.array(4)?, &DataType::Boolean)?;
    let guard = guard.as_boolean();
    let (missing, absent) = (result.logical_nulls(), values.logical_nulls());
    let mut texts = None;
    for row in 0..call.rows {
        let lost = missing.as_ref().is_some_and(|n| n.is_null(row))
            && absent.as_ref().is_none_or(|n| n.is_valid(row))
            && guard.is_valid(row)
            && guard.value(row);
        if !lost {
            continue;
        }
        if texts.is_none() {
            texts = Some(cast(&values, &DataType::Utf8)?);
        }
        let value = texts.as_ref().map_or("", |t| t.as_string::<i32>().value(row));
        let (site, skey) = (usize::try_from(site).unwrap_or(0), skeys.get(row).unwrap_or_default());
        (notice.0)(Refused { site, skey, value })?;
    }
    Ok(())
}
