//! The catalogue of a PostgreSQL schema: tables, columns with their exact types, keys, sizes, ways to find changes.

use std::collections::BTreeMap;

use super::super::{ChangeMethod, Column, SourceError, Table};
use super::{Inner, decode};

const TABLES: &str =
    "SELECT c.oid::bigint, c.relname::text, c.relkind = 'v' OR c.relkind = 'm' OR c.relkind = 'f',
         greatest(c.reltuples, 0)::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  ORDER BY c.relname::text COLLATE \"C\"";
const COLUMNS: &str =
    "SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
         c.relname::text
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attrelid, a.attnum";
/// Unique indexes over plain columns, the primary key first.
const KEYS: &str = "SELECT i.indrelid::bigint, i.indexrelid::bigint, i.indisprimary, a.attname::text
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, at)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE n.nspname = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indrelid, NOT i.indisprimary, i.indexrelid, k.at";

/// Every table and view of the schema, by name.
pub(super) async fn tables(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let reader = source.reader().await?;
    let client = reader.client()?;
    let schema = source.schema.as_str();
    let failed = || source.failed("reading the catalogue");
    let mut columns: BTreeMap<i64, Vec<Column>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[&schema]).await.map_err(failed())? {
        let declared: String = row.get(2);
        let (name, table): (String, String) = (row.get(1), row.get(4));
        let kind = decode::kind(&declared, source.text.encoding, source.settings.time_zone);
        let encoding = kind.filter(|k| k.is_text()).map(|_| {
            let set = source.settings.encoding_of(&table, &name);
            // A database in UTF-8 holds nothing else.
            set.filter(|_| source.text.client_encoding == "SQL_ASCII").unwrap_or(source.text.encoding)
        });
        let column =
            Column { name, declared, kind, nullable: !row.get::<_, bool>(3), encoding, loose: false };
        columns.entry(row.get(0)).or_default().push(column);
    }
    let mut keys: BTreeMap<i64, Vec<(i64, bool, Vec<String>)>> = BTreeMap::new();
    for row in client.query(KEYS, &[&schema]).await.map_err(failed())? {
        let (index, primary, name): (i64, bool, String) = (row.get(1), row.get(2), row.get(3));
        let of = keys.entry(row.get(0)).or_default();
        match of.last_mut() {
            Some((last, _, names)) if *last == index => names.push(name),
            _ => of.push((index, primary, vec![name])),
        }
    }
    let mut found = Vec::new();
    for row in client.query(TABLES, &[&schema]).await.map_err(failed())? {
        let oid: i64 = row.get(0);
        let rows = u64::try_from(row.get::<_, i64>(3)).unwrap_or(0);
        let table = Table {
            name: row.get(1),
            view: row.get(2),
            columns: columns.remove(&oid).unwrap_or_default(),
            estimated_rows: rows,
            ..Table::default()
        };
        found.push(finished(source, table, keys.remove(&oid).unwrap_or_default())?);
    }
    reader.release().await;
    Ok(found)
}

/// Chooses the key, and says how changes could be found.
fn finished(
    source: &Inner,
    mut table: Table,
    keys: Vec<(i64, bool, Vec<String>)>,
) -> Result<Table, SourceError> {
    let solid = |names: &[String]| names.iter().all(|n| table.column(n).is_some_and(|c| !c.nullable));
    let wanted = source.settings.table(&table.name).key;
    let key = if wanted.is_empty() {
        keys.into_iter().map(|(_, _, names)| names).find(|names| solid(names)).unwrap_or_default()
    } else if keys.iter().any(|(_, _, names)| *names == wanted) && solid(&wanted) {
        wanted
    } else {
        return Err(SourceError::Unknown {
            id: source.id.clone(),
            what: format!("unique index over {} ({}) without NULLs", table.name, wanted.join(", ")),
        });
    };
    table.key = key;
    let mut changes = Vec::new();
    if !table.key.is_empty() && !table.view && source.keeps_xmin {
        // Every row carries the transaction that wrote it.
        changes.push(ChangeMethod::Rowversion);
    }
    changes.extend(table.plain_changes());
    table.changes = changes;
    Ok(table)
}
