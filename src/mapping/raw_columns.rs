//! A raw table's columns beside those that the view's file names: which there are, and whether each can be read as the file says.
//!
//! Always: whatever a raw column holds, it is read or it is refused here by name, before any row is looked at.
//! Must not know: how values are read.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema};
use datafusion::logical_expr::{Expr, ident};

use super::error::MappingError;
use super::file::{City, LayerOne, SourceView, Viewed};
use crate::encoding::{BYTES_SUFFIX, TextEncoding, bytes_column, encoding_of};
use crate::functions::{Reader, Zone, reader, refusal, zone_of};
use crate::nearest::nearest;

fn is_companion(raw: &Schema, name: &str) -> bool {
    name.strip_suffix(BYTES_SUFFIX).is_some_and(|column| raw.field_with_name(column).is_ok())
}

/// The legacy columns of a raw schema: all but the `__b` companions.
pub fn held_columns(raw: &Schema) -> impl Iterator<Item = &str> {
    raw.fields().iter().map(|f| f.name().as_str()).filter(move |n| !is_companion(raw, n))
}

/// A column that cannot be read as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unreadable {
    /// The legacy column.
    column: String,
    /// As in `a date is not read as money`.
    why: String,
}

/// The columns of a view that cannot be read from columns of those Arrow types; what is not among them is not looked at.
fn unreadable<'t>(view: &SourceView, of: impl Fn(&str) -> Option<&'t DataType>) -> Vec<Unreadable> {
    let fault = |(column, viewed): (&LayerOne, &Viewed)| {
        let why = refusal(&viewed.read, of(&column.from)?)?;
        Some(Unreadable { column: column.from.clone(), why })
    };
    view.read_columns().filter_map(fault).collect()
}

/// Compares what raw holds with what the view's file names.
///
/// # Errors
/// `MAP-101` for columns that raw does not have, `MAP-102` for columns that the file does not name, `MAP-109` for those that cannot be
/// read as the file says, `MAP-110` for bytes without an encoding.
pub fn check_columns(view: &SourceView, table: &str, raw: &Schema) -> Result<(), MappingError> {
    let held: Vec<&str> = held_columns(raw).collect();
    // A skipped column is not read from the source.
    let needed = view.read_columns().map(|(c, _)| c.from.as_str());
    let (file, of) = (view.name.clone(), table.to_owned());
    let mut missing: Vec<&str> = needed.filter(|n| !held.contains(n)).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let nearest = missing.iter().map(|m| nearest(m, held.iter().copied())).collect::<Vec<_>>().join(", ");
        return Err(MappingError::NoColumn { view: file, table: of, columns: missing.join(", "), nearest });
    }
    let named: BTreeSet<&str> = view.columns.iter().map(|c| c.from.as_str()).collect();
    let unlisted: Vec<&str> = held.into_iter().filter(|h| !named.contains(h)).collect();
    if !unlisted.is_empty() {
        return Err(MappingError::Unlisted { view: file, table: of, columns: unlisted.join(", ") });
    }
    let kind = |column: &str| raw.field_with_name(column).ok().map(|f| f.data_type());
    let refused = unreadable(view, kind);
    if !refused.is_empty() {
        let columns =
            refused.iter().map(|u| format!("{}: {}", u.column, u.why)).collect::<Vec<_>>().join("; ");
        return Err(MappingError::Unreadable { view: file, table: of, columns });
    }
    for (column, _) in view.read_columns() {
        bytes_of(raw, table, &column.from)?;
    }
    Ok(())
}

/// The companion of a column and the encoding of its bytes, where there is one.
fn bytes_of(raw: &Schema, table: &str, column: &str) -> Result<Option<(String, TextEncoding)>, MappingError> {
    let bytes = bytes_column(column);
    if raw.field_with_name(&bytes).is_err() {
        return Ok(None);
    }
    match encoding_of(raw, &bytes) {
        Some(encoding) => Ok(Some((bytes, encoding))),
        None => Err(MappingError::NoEncoding { table: table.to_owned(), column: bytes }),
    }
}

/// The zone of the wall clock of a column.
pub(super) fn zone(raw: &Schema, column: &str) -> Option<Zone> {
    raw.field_with_name(column).ok().and_then(zone_of)
}

/// The reading of a column as an expression over raw.
pub(super) fn reading(
    city: &City,
    raw: &Schema,
    table: &str,
    column: &LayerOne,
    viewed: &Viewed,
) -> Result<Expr, MappingError> {
    let mut given = vec![ident(&column.from)];
    let mut encoding = TextEncoding::Utf8;
    if let Some((bytes, found)) = bytes_of(raw, table, &column.from)? {
        given.push(ident(bytes));
        encoding = found;
    }
    let one = Reader {
        column: column.name.clone(),
        read: viewed.read.clone(),
        nulls: viewed.nulls.clone(),
        font: city.font.clone(),
        encoding,
        zone: zone(raw, &column.from),
    };
    Ok(reader(one).call(given))
}
