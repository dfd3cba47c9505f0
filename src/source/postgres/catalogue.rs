//! The catalogue of a PostgreSQL schema: tables, columns with their exact types, keys, sizes, ways to find changes.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::super::{ChangeMethod, Column, SourceError, Table};
use super::session::rows;
use super::{Inner, decode};
use crate::phrase;

const TABLES: &str =
    "SELECT c.oid::bigint, c.relname, c.relkind IN ('v', 'm', 'f'), greatest(c.reltuples, 0)::bigint,
      c.relkind = 'p'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  ORDER BY c.relname::text COLLATE \"C\"";
/// A domain is its base type, with the domain's own length.
const COLUMNS: &str = "WITH RECURSIVE d(domain, base, typmod) AS (
      SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_type t WHERE t.typtype = 'd'
      UNION ALL
      SELECT d.domain, t.typbasetype, CASE WHEN d.typmod >= 0 THEN d.typmod ELSE t.typtypmod END
      FROM d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd')
  SELECT a.attrelid::bigint, a.attname, format_type(b.oid, coalesce(d.typmod, a.atttypmod)), a.attnotnull, c.relname,
      bn.nspname = 'pg_catalog' AND b.typtype = 'b' AND b.typcategory <> 'A'
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT d.* FROM d JOIN pg_type t ON t.oid = d.base WHERE t.typtype <> 'd') d ON d.domain = a.atttypid
  JOIN pg_type b ON b.oid = coalesce(d.base, a.atttypid) JOIN pg_namespace bn ON bn.oid = b.typnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attrelid, a.attnum";
/// Unique indexes over plain columns, the primary key first. `{width}`: how many of an index's columns are its key.
const KEYS: &str = "SELECT i.indrelid::bigint, i.indexrelid::bigint, a.attname
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, at)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE n.nspname = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND k.at <= {width}
  ORDER BY i.indrelid, NOT i.indisprimary, i.indexrelid, k.at";
/// Parents with what inherits from them; in another schema by its whole name.
const PARTS: &str = "SELECT i.inhparent::bigint, i.inhrelid::bigint, c.relname, cn.nspname
  FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
  JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  WHERE n.nspname = $1 AND p.relkind IN ('r', 'p')
  ORDER BY i.inhparent, i.inhrelid";

/// A name as its bytes: in a database that is not in UTF-8 it may be in any code page.
struct Name<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Name<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A name, in the database's encoding where it is not UTF-8.
pub(super) fn name(source: &Inner, row: &Row, at: usize) -> String {
    let Name(bytes) = row.get(at);
    match std::str::from_utf8(bytes) {
        Ok(name) => name.to_owned(),
        Err(_) => source
            .text
            .encoding
            .decode(bytes)
            .map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |n| n.into_owned()),
    }
}

/// What is kept under the number of a table.
type By<T> = BTreeMap<i64, T>;

/// Every table and view of the schema, by name.
pub(super) async fn tables(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let reader = source.reader().await?;
    let client = reader.client()?;
    let ask = async |sql: &str| {
        rows(client, sql, &[&source.schema]).await.map_err(source.failed(phrase!("source.catalogue")))
    };
    let mut columns: By<Vec<Column>> = By::new();
    for row in ask(COLUMNS).await? {
        columns.entry(row.get(0)).or_default().push(column(source, &row));
    }
    let width = if source.version >= 110_000 { "i.indnkeyatts" } else { "i.indnatts" };
    let mut keys: By<Vec<(i64, Vec<String>)>> = By::new();
    for row in ask(&KEYS.replace("{width}", width)).await? {
        let (index, column): (i64, String) = (row.get(1), name(source, &row, 2));
        let of = keys.entry(row.get(0)).or_default();
        match of.last_mut() {
            Some((last, names)) if *last == index => names.push(column),
            _ => of.push((index, vec![column])),
        }
    }
    let mut parts: By<Vec<(i64, String)>> = By::new();
    for row in ask(PARTS).await? {
        let (part, schema) = (name(source, &row, 2), name(source, &row, 3));
        let shown = if schema == source.schema { part } else { format!("{schema}.{part}") };
        parts.entry(row.get(0)).or_default().push((row.get(1), shown));
    }
    let mut found = Vec::new();
    for row in ask(TABLES).await? {
        let oid: i64 = row.get(0);
        let table = Table {
            name: name(source, &row, 1),
            view: row.get(2),
            identity: Some(identity(source, oid, &parts)),
            columns: columns.remove(&oid).unwrap_or_default(),
            estimated_rows: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0),
            partitioned: row.get(4),
            parts: parts.get(&oid).into_iter().flatten().map(|(_, name)| name.clone()).collect(),
            ..Table::default()
        };
        found.push(finished(source, table, keys.remove(&oid).unwrap_or_default())?);
    }
    reader.release().await;
    Ok(found)
}

fn column(source: &Inner, row: &Row) -> Column {
    let (table, column, declared): (String, String, String) =
        (name(source, row, 4), name(source, row, 1), name(source, row, 2));
    let kind = decode::kind(source, &declared, row.get(5));
    let encoding = kind.filter(|k| k.is_text()).map(|_| {
        let set = source.settings.encoding_of(&table, &column);
        // A database in UTF-8 holds nothing else.
        set.filter(|_| !source.text.is_utf8()).unwrap_or(source.text.encoding)
    });
    let loose = kind.is_some_and(decode::loose);
    Column { name: column, declared, kind, nullable: !row.get::<_, bool>(3), encoding, loose }
}

/// What tells the table from another one of its name: its number, those of its parts, and the history that they belong to.
fn identity(source: &Inner, oid: i64, parts: &By<Vec<(i64, String)>>) -> String {
    let mut all = vec![oid];
    let mut at = 0;
    while let Some(next) = all.get(at) {
        let below: Vec<i64> = parts.get(next).into_iter().flatten().map(|(part, _)| *part).collect();
        for part in below {
            if !all.contains(&part) {
                all.push(part);
            }
        }
        at += 1;
    }
    let numbers: Vec<String> = all.iter().map(ToString::to_string).collect();
    // A server that does not say which cluster it is says so again after each start.
    let history = if source.cluster.contains(super::ask::STARTED) { "" } else { source.cluster.as_str() };
    format!("oid {} {history}", numbers.join("+")).trim_end().to_owned()
}

/// Chooses the key, and says how changes could be found.
fn finished(source: &Inner, mut table: Table, keys: Vec<(i64, Vec<String>)>) -> Result<Table, SourceError> {
    let solid = |names: &[String]| names.iter().all(|n| table.column(n).is_some_and(|c| !c.nullable));
    let wanted = source.settings.table(&table.name).key;
    // An index of a parent does not hold what inherits from it; that of a partitioned table does. Of a view nobody knows a key.
    let whole = table.parts.is_empty() || table.partitioned;
    let declared = |names: &[String]| table.view && names.iter().all(|n| table.column(n).is_some());
    table.key = if wanted.is_empty() {
        keys.into_iter().map(|(_, names)| names).find(|names| whole && solid(names)).unwrap_or_default()
    } else if (whole && keys.iter().any(|(_, names)| *names == wanted) && solid(&wanted)) || declared(&wanted)
    {
        wanted
    } else {
        let hint = table.differing_in_case(&wanted);
        return Err(SourceError::Unknown {
            id: source.id.clone(),
            what: format!("unique index over {} ({}) without NULLs{hint}", table.name, wanted.join(", ")),
        });
    };
    let mut changes = Vec::new();
    if !table.key.is_empty() && !table.view && source.keeps_xmin() {
        // Every row carries the transaction that wrote it.
        changes.push(ChangeMethod::Rowversion);
    }
    changes.extend(table.plain_changes());
    table.changes = changes;
    Ok(table)
}
