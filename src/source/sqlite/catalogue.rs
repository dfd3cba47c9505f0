//! The catalogue of a SQLite file.

use rusqlite::Connection;

use super::{Inner, quote};
use crate::encoding::TextEncoding;
use crate::source::settings::DEFAULT_ENCODING;
use crate::source::{Column, LegacyType, SourceError, Table};

/// Every table and view but SQLite's own, by name.
pub(super) fn tables(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let found = primary(source)?;
    found.into_iter().map(|table| chosen(source, table)).collect()
}

/// A table with the key that is chosen for it: one over which there is a unique index, without NULLs.
fn chosen(source: &Inner, mut table: Table) -> Result<Table, SourceError> {
    let Some(wanted) = source
        .settings
        .tables
        .get(&table.name)
        .map(|of| &of.key)
        .filter(|k| !k.is_empty() && **k != table.key)
    else {
        return Ok(table);
    };
    let solid = wanted.iter().all(|name| table.column(name).is_some_and(|c| !c.nullable));
    let unique = unique_indexes(&source.db(), &table.name)
        .map_err(source.failed(format!("looking at the indexes of {}", table.name)))?;
    if !solid || !unique.contains(wanted) {
        return Err(SourceError::Unknown {
            id: source.id.clone(),
            what: format!("unique index over {} ({}) without NULLs", table.name, wanted.join(", ")),
        });
    }
    table.key.clone_from(wanted);
    Ok(Table { changes: table.plain_changes(), ..table })
}

/// The columns of every unique index that holds all rows.
fn unique_indexes(db: &Connection, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let mut query = db.prepare("SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND NOT partial")?;
    let names: Vec<String> = query.query_map([table], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let columns = |index: &String| {
        let mut query = db.prepare("SELECT coalesce(name, '') FROM pragma_index_info(?1) ORDER BY seqno")?;
        query.query_map([index], |r| r.get(0))?.collect()
    };
    names.iter().map(columns).collect()
}

fn primary(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let db = source.db();
    let read = || -> rusqlite::Result<Vec<Table>> {
        let mut query = db.prepare(
            "SELECT name, type FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        let names: Vec<(String, String)> =
            query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        names.into_iter().map(|(name, kind)| table(source, &db, name, kind == "view")).collect()
    };
    read().map_err(source.failed("reading the catalogue"))
}

fn table(source: &Inner, db: &Connection, name: String, view: bool) -> rusqlite::Result<Table> {
    let mut query =
        db.prepare_cached("SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let mut key: Vec<(u32, String)> = Vec::new();
    let mut columns = Vec::new();
    let mut rows = query.query([&name])?;
    while let Some(row) = rows.next()? {
        let (column, declared, not_null, pk): (String, String, bool, u32) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if pk > 0 {
            key.push((pk, column.clone()));
        }
        let kind = LegacyType::parse(&declared, source.settings.time_zone);
        let encoding = match kind {
            Some(LegacyType::CodePageText) => {
                Some(source.settings.encoding_of(&name, &column).unwrap_or(DEFAULT_ENCODING))
            }
            Some(LegacyType::Unicode) => Some(TextEncoding::Utf8),
            _ => None,
        };
        columns.push(Column { name: column, declared, kind, nullable: !not_null, encoding, loose: false });
    }
    key.sort_unstable();
    let key = key.into_iter().map(|(_, column)| column).collect();
    let estimated_rows = if view { 0 } else { estimate(db, &name, &columns)? };
    let table = Table { name, view, columns, key, estimated_rows, ..Table::default() };
    Ok(Table { changes: table.plain_changes(), ..table })
}

/// The highest row id: cheap, exact where no row was ever deleted. A table without row ids is counted.
fn estimate(db: &Connection, name: &str, columns: &[Column]) -> rusqlite::Result<u64> {
    let table = quote(name);
    let text = match row_id(db, name, columns)? {
        Some(id) => format!("SELECT COALESCE(MAX({id}), 0) FROM {table}"),
        None => format!("SELECT COUNT(*) FROM {table}"),
    };
    db.query_row(&text, [], |r| r.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0))
}

/// The name under which the row id of a table can be read; `None` where it has none, or columns hide all its names.
pub(super) fn row_id(
    db: &Connection,
    table: &str,
    columns: &[Column],
) -> rusqlite::Result<Option<&'static str>> {
    let without: bool = db
        .prepare_cached("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'")?
        .query_row([table], |r| r.get(0))?;
    if without {
        return Ok(None);
    }
    let free = |name: &&str| !columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    Ok(["_rowid_", "rowid", "oid"].into_iter().find(free))
}
