//! Whether a table is still the one that it was when the point was taken.
//!
//! Always: compared when a reading of it begins, and again when it has ended: metadata is not versioned, so a table that was altered or
//! put in another's place meanwhile, or whose partitions were switched, would show what no point held. SQL Server itself ends a snapshot then (3961); others need not.

use std::collections::BTreeMap;

use super::super::{SourceError, Table};
use super::literal::unicode;
use super::{Inner, Way, answer};

/// Object, when it was altered last, and its columns: one line each.
const SHAPES: &str = "SELECT CAST(o.name AS nvarchar(128)), CAST(o.object_id AS bigint),
    CONVERT(varchar(33), o.modify_date, 126), CAST(c.name AS nvarchar(128)), CAST(c.user_type_id AS bigint),
    CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int), CAST(c.is_nullable AS int)
  FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.columns AS c ON c.object_id = o.object_id
  WHERE s.name = {schema} AND o.type IN ('U', 'V'){more} ORDER BY o.object_id, c.column_id";

/// The partitions of a table, which is one where it has no others: TRUNCATE and a switch put others in their place.
const PARTITIONS: &str = "SELECT CAST(o.name AS nvarchar(128)), CAST(p.partition_id AS bigint)
  FROM sys.partitions AS p JOIN sys.objects AS o ON o.object_id = p.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE s.name = {schema} AND o.type = 'U' AND p.index_id IN (0, 1){more} ORDER BY o.object_id, p.partition_number";

/// The shape of every table, by its name.
pub(super) type Shapes = BTreeMap<String, Vec<String>>;

/// The shapes now; of one table, or of all.
pub(super) async fn shapes(source: &Inner, table: Option<&str>) -> Result<Shapes, SourceError> {
    let more = table.map(|name| format!(" AND o.name = {}", unicode(name))).unwrap_or_default();
    let asked = |sql: &str| sql.replace("{schema}", &unicode(&source.schema)).replace("{more}", &more);
    let sql = asked(SHAPES);
    // A server that does not tell is not asked again.
    let rows = source.probe(&sql).await?.unwrap_or_default();
    let mut all = Shapes::new();
    for row in &rows {
        let text = |at| answer::text(row, at).unwrap_or_default();
        let number = |at| answer::int(row, at).map_or_else(|| "-".to_owned(), |n| n.to_string());
        // Without a point the rebuilding of an index moves nothing.
        let altered = if source.way == Way::OneSession { text(2) } else { String::new() };
        let column = [text(3), number(4), number(5), number(6), number(7), number(8)].join(" ");
        all.entry(text(0)).or_default().push(format!("{} {altered} {column}", number(1)));
    }
    // Nor does it without a point.
    let partitions =
        if source.way == Way::OneSession { source.probe(&asked(PARTITIONS)).await? } else { None };
    for row in partitions.iter().flatten() {
        let (name, partition) = (answer::text(row, 0), answer::int(row, 1));
        if let (Some(name), Some(partition)) = (name, partition) {
            all.entry(name).or_default().push(format!("partition {partition}"));
        }
    }
    Ok(all)
}

/// Refuses a table that is no longer what it was when the point was taken.
///
/// # Errors
/// `SRC-026`.
pub(super) async fn check(source: &Inner, table: &Table) -> Result<(), SourceError> {
    // Nobody writes to the database.
    if source.way == Way::Still {
        return Ok(());
    }
    let Some(before) = source.shapes.get(&table.name) else { return Ok(()) };
    let now = shapes(source, Some(&table.name)).await?;
    if now.get(&table.name) == Some(before) {
        return Ok(());
    }
    Err(SourceError::Altered { id: source.id.clone(), table: table.name.clone() })
}
