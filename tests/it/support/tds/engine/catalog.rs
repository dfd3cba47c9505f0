//! What a database file knows about its own objects: tables, columns, indexes, in SQLite tables whose names begin with `m_`.
//!
//! Always: read and written through the session's connection, so that it takes part in transactions and snapshots. A table
//! with object id 7 is `t7` in SQLite, its columns `c1`, `c2`, …, its index 2 `i7_2`, its change log `k7`.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::value::{SqlError, SqlType};
use super::error::unwrap;
use super::types::{self, Family};

#[derive(Debug, Clone)]
pub struct Column {
    pub id: i32,
    pub name: String,
    pub kind: SqlType,
    /// The type's name as written, since numeric and sysname are types of their own in the catalogue.
    pub declared: String,
    pub nullable: bool,
    /// The stored form as an SQLite literal.
    pub default: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Index {
    pub id: i32,
    pub name: String,
    /// Column id, descending.
    pub columns: Vec<(i32, bool)>,
    pub unique: bool,
    pub primary: bool,
    pub constraint: bool,
    pub clustered: bool,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub id: i32,
    pub schema: String,
    pub name: String,
    pub view: bool,
    /// Whether its changes are tracked.
    pub tracked: bool,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase())
    }

    pub fn column_by_id(&self, id: i32) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// The columns of the primary key.
    pub fn primary_key(&self) -> Vec<&Column> {
        let key = self.indexes.iter().find(|index| index.primary);
        key.map_or_else(Vec::new, |key| {
            key.columns.iter().filter_map(|(id, _)| self.column_by_id(*id)).collect()
        })
    }
}

const SCHEMA: &str = "
CREATE TABLE m_state(ct_version INTEGER, statement INTEGER, next_object INTEGER);
INSERT INTO m_state VALUES (0, 0, 901578250);
CREATE TABLE m_schemas(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO m_schemas VALUES (1, 'dbo'), (2, 'guest'), (3, 'INFORMATION_SCHEMA'), (4, 'sys');
CREATE TABLE m_objects(id INTEGER PRIMARY KEY, key TEXT UNIQUE, schema_id INTEGER, name TEXT, type TEXT, created INTEGER, modified INTEGER,
    tracked INTEGER DEFAULT 0, begin_version INTEGER, min_version INTEGER);
CREATE TABLE m_columns(object_id INTEGER, id INTEGER, name TEXT, kind TEXT, declared TEXT, nullable INTEGER, initial TEXT,
    PRIMARY KEY(object_id, id));
CREATE TABLE m_indexes(object_id INTEGER, id INTEGER, name TEXT, uniq INTEGER, prim INTEGER, cons INTEGER, clus INTEGER,
    PRIMARY KEY(object_id, id));
CREATE TABLE m_index_columns(object_id INTEGER, index_id INTEGER, ordinal INTEGER, column_id INTEGER, descending INTEGER,
    PRIMARY KEY(object_id, index_id, ordinal));
";

/// Makes an empty file a database.
pub fn found(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
}

/// The parts of a name as OBJECT_ID takes it: `[a].[b]`, `"a"."b"`, and bare names with spaces too. `None`: not a name.
pub fn parts(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let close = match rest.chars().next()? {
            '[' => ']',
            '"' => '"',
            _ => {
                let end = rest.find('.').unwrap_or(rest.len());
                parts.push(rest[..end].trim().to_owned());
                match rest.get(end + 1..) {
                    None => return Some(parts),
                    Some(after) => rest = after,
                }
                continue;
            }
        };
        let mut part = String::new();
        rest = &rest[1..];
        loop {
            let end = rest.find(close)?;
            part.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            if !rest.starts_with(close) {
                break;
            }
            part.push(close);
            rest = &rest[1..];
        }
        parts.push(part);
        match rest.trim_start().strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.trim().is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// `[dbo].[T]`, `T` and `dbo.T` as the key of m_objects.
pub fn key_of(name: &str) -> String {
    let path = parts(name).unwrap_or_default();
    match path.as_slice() {
        [name] => format!("dbo.{}", name.to_lowercase()),
        [schema, name] if schema.is_empty() => format!("dbo.{}", name.to_lowercase()),
        _ => path.join(".").to_lowercase(),
    }
}

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

/// The table or view of that key.
pub fn table(connection: &Connection, key: &str) -> Result<Option<Table>, SqlError> {
    let found = connection
        .prepare_cached(
            "SELECT o.id, s.name, o.name, o.type = 'V', o.tracked FROM m_objects o JOIN m_schemas s ON s.id = o.schema_id
             WHERE o.key = ?1",
        )
        .and_then(|mut statement| {
            let row = statement.query_row([key], |row| {
                Ok(Table {
                    id: row.get(0)?,
                    schema: row.get(1)?,
                    name: row.get(2)?,
                    view: row.get(3)?,
                    tracked: row.get(4)?,
                    columns: Vec::new(),
                    indexes: Vec::new(),
                })
            });
            row.optional()
        })
        .map_err(failed)?;
    let Some(mut table) = found else { return Ok(None) };
    table.columns = columns(connection, table.id)?;
    table.indexes = indexes(connection, table.id)?;
    Ok(Some(table))
}

fn columns(connection: &Connection, object: i32) -> Result<Vec<Column>, SqlError> {
    let sql =
        "SELECT id, name, kind, declared, nullable, initial FROM m_columns WHERE object_id = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([object]).map_err(failed)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let text = |at: usize| row.get::<_, String>(at).map_err(failed);
        all.push(Column {
            id: row.get(0).map_err(failed)?,
            name: text(1)?,
            kind: types::described(&text(2)?)?,
            declared: text(3)?,
            nullable: row.get(4).map_err(failed)?,
            default: row.get(5).map_err(failed)?,
        });
    }
    Ok(all)
}

fn indexes(connection: &Connection, object: i32) -> Result<Vec<Index>, SqlError> {
    let run = || -> rusqlite::Result<Vec<Index>> {
        let mut statement = connection.prepare_cached(
            "SELECT id, name, uniq, prim, cons, clus FROM m_indexes WHERE object_id = ?1 ORDER BY id",
        )?;
        let mut keys = connection.prepare_cached(
            "SELECT column_id, descending FROM m_index_columns WHERE object_id = ?1 AND index_id = ?2 \
                ORDER BY ordinal",
        )?;
        let mut all = Vec::new();
        let mut rows = statement.query([object])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let columns = keys.query_map([object, id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.push(Index {
                id,
                name: row.get(1)?,
                columns: columns.collect::<rusqlite::Result<_>>()?,
                unique: row.get(2)?,
                primary: row.get(3)?,
                constraint: row.get(4)?,
                clustered: row.get(5)?,
            });
        }
        Ok(all)
    };
    run().map_err(failed)
}

/// Keys and ids of all tables and views.
pub fn keys(connection: &Connection) -> Result<Vec<String>, SqlError> {
    let run = || -> rusqlite::Result<Vec<String>> {
        let mut statement =
            connection.prepare_cached("SELECT key FROM m_objects WHERE type IN ('U', 'V') ORDER BY id")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    run().map_err(failed)
}

/// A new object's row; gives its id.
pub fn add_object(
    connection: &Connection,
    (schema, name): (&str, &str),
    kind: &str,
    created: i64,
) -> Result<i32, SqlError> {
    let run = || -> rusqlite::Result<i32> {
        connection.execute("UPDATE m_state SET next_object = next_object + 16", [])?;
        let id = connection.query_row("SELECT next_object FROM m_state", [], |row| row.get(0))?;
        connection.execute(
            "INSERT INTO m_objects(id, key, schema_id, name, type, created, modified)
             VALUES (?1, ?2, (SELECT id FROM m_schemas WHERE lower(name) = lower(?3)), ?4, ?5, ?6, ?6)",
            params![id, format!("{schema}.{name}").to_lowercase(), schema, name, kind, created],
        )?;
        Ok(id)
    };
    run().map_err(failed)
}

/// The object was altered at this time.
pub fn altered(connection: &Connection, object: i32, at: i64) -> Result<(), SqlError> {
    let sql = "UPDATE m_objects SET modified = ?2 WHERE id = ?1";
    connection.execute(sql, params![object, at]).map(|_| ()).map_err(failed)
}

pub fn add_column(connection: &Connection, object: i32, column: &Column) -> Result<(), SqlError> {
    let values = params![
        object,
        column.id,
        column.name,
        types::describe(&column.kind),
        column.declared,
        column.nullable,
        column.default
    ];
    let sql = "INSERT OR REPLACE INTO m_columns VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.execute(sql, values).map(|_| ()).map_err(failed)
}

/// An index: its rows in the catalogue and the SQLite index behind it.
pub fn add_index(connection: &Connection, table: &Table, index: &Index) -> Result<(), SqlError> {
    let run = || -> rusqlite::Result<()> {
        connection.execute(
            "INSERT INTO m_indexes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                table.id,
                index.id,
                index.name,
                index.unique,
                index.primary,
                index.constraint,
                index.clustered
            ],
        )?;
        for (ordinal, (column, descending)) in (1_i64..).zip(&index.columns) {
            connection.execute(
                "INSERT INTO m_index_columns VALUES (?1, ?2, ?3, ?4, ?5)",
                params![table.id, index.id, ordinal, column, descending],
            )?;
        }
        build_index(connection, table, index)
    };
    run().map_err(failed)
}

/// The SQLite index over the sort keys of the columns, so that key ranges and their order come from it.
pub fn build_index(connection: &Connection, table: &Table, index: &Index) -> rusqlite::Result<()> {
    let form = |nulls_meet: bool| {
        let keys = index.columns.iter().filter_map(|(id, descending)| {
            let column = table.column_by_id(*id)?;
            let key = key_form(&format!("c{id}"), &column.kind);
            let order = if *descending { " DESC" } else { "" };
            // To SQL Server two nulls are the same key; 'N' is no stored form of anything.
            let key = if nulls_meet && column.nullable { format!("ifnull({key}, 'N')") } else { key };
            Some(format!("{key}{order}"))
        });
        keys.collect::<Vec<_>>().join(", ")
    };
    let (plain, meeting) = (form(false), form(true));
    let unique = if index.unique && plain == meeting { "UNIQUE " } else { "" };
    let name = format!("i{}_{}", table.id, index.id);
    connection.execute_batch(&format!("CREATE {unique}INDEX {name} ON t{}({plain})", table.id))?;
    if index.unique && plain != meeting {
        connection.execute_batch(&format!("CREATE UNIQUE INDEX {name}_n ON t{}({meeting})", table.id))?;
    }
    Ok(())
}

/// Takes the SQLite index away.
pub fn unbuild_index(connection: &Connection, table: i32, index: i32) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "DROP INDEX IF EXISTS i{table}_{index}; DROP INDEX IF EXISTS i{table}_{index}_n"
    ))
}

/// The SQLite expression by which values of a type compare and sort.
pub fn key_form(sql: &str, kind: &SqlType) -> String {
    let collation = types::collation(kind).map_or("", |collation| collation.name.as_str());
    match (types::family(kind), kind) {
        (Family::Char, _) => format!("skc({sql}, '{collation}')"),
        (Family::NChar, _) => format!("skn({sql}, '{collation}')"),
        (Family::Binary, _) => format!("skb({sql})"),
        (_, SqlType::DateTimeOffset { .. }) => format!("substr({sql}, 1, 8)"),
        _ => sql.to_owned(),
    }
}
