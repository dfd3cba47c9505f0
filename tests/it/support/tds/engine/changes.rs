//! Change tracking: a log per tracked table, written by SQLite triggers, and CHANGETABLE over it.
//!
//! Always: the log is written in the transaction of the change, under the version that the transaction gets when it commits.

use rusqlite::Connection;

use super::super::value::{SqlError, SqlType};
use super::catalog::{self, Table, key_form};
use super::collate;
use super::error::{fail, no_object, unwrap};
use super::generate::{Bound, Code, Generator};
use super::server::Server;

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

/// The version of the last transaction that changed a tracked table.
pub fn version(connection: &Connection) -> Result<i64, SqlError> {
    connection.query_row("SELECT ct_version FROM m_state", [], |row| row.get(0)).map_err(failed)
}

/// Begins a statement that changes a tracked table.
pub fn next_statement(connection: &Connection) -> Result<(), SqlError> {
    connection.execute_batch("UPDATE m_state SET statement = statement + 1").map_err(failed)
}

fn key_list(table: &Table, prefix: &str) -> String {
    table.primary_key().iter().map(|column| format!("{prefix}c{}", column.id)).collect::<Vec<_>>().join(", ")
}

/// The sort keys of the primary key's columns.
fn key_forms(table: &Table) -> String {
    let forms =
        table.primary_key().into_iter().map(|column| key_form(&format!("c{}", column.id), &column.kind));
    forms.collect::<Vec<_>>().join(", ")
}

/// The triggers that note every change. An update of the key is a delete and an insert; within a statement deletes come
/// before inserts, so that `SET k = k + 1` leaves the rows there, whatever order SQLite takes them in.
fn triggers(table: &Table) -> String {
    let (id, columns) = (table.id, key_list(table, ""));
    let note = |operation: &str, of: &str| {
        let key = key_list(table, of);
        let present = u8::from(operation != "D");
        format!(
            "INSERT INTO k{id}(version, place, op, {columns})
             SELECT ct_version + 1, 2 * statement + {present}, '{operation}', {key} FROM m_state;"
        )
    };
    let same = table.primary_key().into_iter().map(|column| {
        let side = |of: &str| key_form(&format!("{of}c{}", column.id), &column.kind);
        format!("{} = {}", side("OLD."), side("NEW."))
    });
    let same = same.collect::<Vec<_>>().join(" AND ");
    let (new, old) = (note("I", "NEW."), note("D", "OLD."));
    let update = note("U", "NEW.");
    format!(
        "CREATE TRIGGER k{id}_i AFTER INSERT ON t{id} BEGIN {new} END;
         CREATE TRIGGER k{id}_d AFTER DELETE ON t{id} BEGIN {old} END;
         CREATE TRIGGER k{id}_u AFTER UPDATE ON t{id} WHEN {same} BEGIN {update} END;
         CREATE TRIGGER k{id}_k AFTER UPDATE ON t{id} WHEN NOT ({same}) BEGIN {old} {new} END;"
    )
}

fn without_triggers(id: i32) -> String {
    ["i", "d", "u", "k"].map(|one| format!("DROP TRIGGER IF EXISTS k{id}_{one};")).concat()
}

/// SQL that takes a table's triggers away, and SQL that puts them back.
pub fn pause(table: &Table) -> (String, String) {
    if table.tracked { (without_triggers(table.id), triggers(table)) } else { Default::default() }
}

/// ENABLE CHANGE_TRACKING. The second time begins at a version of its own, since changes in between went unnoticed.
pub fn enable(connection: &Connection, table: &Table) -> Result<(), SqlError> {
    if table.primary_key().is_empty() {
        let message = format!(
            "Cannot enable change tracking on table '{}'. Change tracking requires a primary key on \
                the table.",
            table.name
        );
        return Err(fail(4997, message));
    }
    let (id, columns) = (table.id, key_list(table, ""));
    let sql = format!(
        "DROP TABLE IF EXISTS k{id};
         CREATE TABLE k{id}(version INTEGER, place INTEGER, op TEXT, {columns});
         CREATE INDEX k{id}_v ON k{id}(version);
         CREATE INDEX k{id}_x ON k{id}({});
         UPDATE m_state SET ct_version = ct_version + 1
             WHERE EXISTS (SELECT 1 FROM m_objects WHERE id = {id} AND begin_version IS NOT NULL);
         UPDATE m_objects SET tracked = 1, begin_version = (SELECT ct_version FROM m_state),
             min_version = (SELECT ct_version FROM m_state) WHERE id = {id};
         {}",
        key_forms(table),
        triggers(table)
    );
    connection.execute_batch(&sql).map_err(failed)
}

/// DISABLE CHANGE_TRACKING.
pub fn disable(connection: &Connection, id: i32) -> Result<(), SqlError> {
    let sql = format!(
        "{} DROP TABLE IF EXISTS k{id}; UPDATE m_objects SET tracked = 0 WHERE id = {id};",
        without_triggers(id)
    );
    connection.execute_batch(&sql).map_err(failed)
}

/// Empties a table without noting its rows; what was noted before is no longer valid.
pub fn truncate(connection: &Connection, table: &Table) -> Result<(), SqlError> {
    let id = table.id;
    if !table.tracked {
        return connection.execute_batch(&format!("DELETE FROM t{id}")).map_err(failed);
    }
    let (off, on) = pause(table);
    let sql = format!("{off} DELETE FROM t{id}; {on}");
    connection.execute_batch(&sql).map_err(failed)?;
    // A version of its own, so that one read before the truncation is older than the least valid one.
    connection
        .execute_batch(&format!(
            "UPDATE m_state SET ct_version = ct_version + 1;
             UPDATE m_objects SET min_version = (SELECT ct_version FROM m_state) WHERE id = {id};
             DELETE FROM k{id};"
        ))
        .map_err(failed)
}

/// Forgets a table's log up to now, as the cleanup does.
pub fn forget(server: &Server, database: &str, table: &str) -> Result<(), SqlError> {
    let database = server.database(database).ok_or_else(|| super::server::no_database(database))?;
    let connection = database.connect(0)?;
    let found = catalog::table(&connection, &catalog::key_of(table))?.filter(|table| table.tracked);
    let id = found.ok_or_else(|| no_object(table))?.id;
    // The next version is the least valid one: whoever stands at the present one has missed something.
    let sql = format!(
        "UPDATE m_state SET ct_version = ct_version + 1;
         UPDATE m_objects SET min_version = (SELECT ct_version FROM m_state) WHERE id = {id};
         DELETE FROM k{id};"
    );
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql} COMMIT")).map_err(failed)
}

/// CHANGETABLE(CHANGES …): net changes per key since a version, as a temporary table.
pub fn table(
    generator: &mut Generator<'_>,
    path: &[String],
    since: &Code,
    alias: &str,
) -> Result<(String, Vec<Bound>), SqlError> {
    let session = generator.session;
    let shown = path.join(".");
    if session.server.quirks().no_change_tracking {
        return Err(no_object("CHANGETABLE"));
    }
    let table = session.table(path)?.ok_or_else(|| no_object(&shown))?;
    session.need("SELECT", (&table.schema, &table.name))?;
    session.need("VIEW CHANGE TRACKING", (&table.schema, &table.name))?;
    session.need_snapshots()?;
    if !table.tracked {
        return Err(fail(22105, format!("Change tracking is not enabled on table '{shown}'.")));
    }
    let key = table.primary_key();
    let id = table.id;
    let same = |left: &str, right: &str| {
        let parts = key.iter().map(|column| {
            let side = |of: &str| key_form(&format!("{of}c{}", column.id), &column.kind);
            format!("{} = {}", side(left), side(right))
        });
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let groups = key_forms(&table);
    // A null version asks for everything, as on SQL Server (there with every row of the table as an insert).
    if since.constant == Some(super::super::value::Datum::Null) {
        return Err(fail(50000, "The test engine knows no CHANGETABLE since NULL."));
    }
    let version = &since.sql;
    let cells =
        key.iter().map(|column| format!("l.c{} AS c{}", column.id, column.id)).collect::<Vec<_>>().join(", ");
    let temporary = format!("s_{}_{}", session.id, generator.temporary.len());
    // The last change of each key decides (SQLite takes the row of the maximum); unless it is a deletion, an insertion on the way makes the row a new one.
    let sql = format!(
        "CREATE TEMP TABLE {temporary} AS SELECT {cells}, l.version AS v, max(l.place) AS p,
            CASE WHEN l.op <> 'D' THEN (SELECT max(i.version) FROM k{id} i WHERE i.version > {version} AND i.op = 'I' AND {}) END AS n,
            l.op AS op
         FROM k{id} l WHERE l.version > {version} GROUP BY {groups};
         CREATE INDEX temp.{temporary}_i ON {temporary}({groups})",
        same("i.", "l.")
    );
    session.connection.execute_batch(&sql).map_err(failed)?;
    generator.temporary.push(temporary.clone());
    Ok((format!("temp.{temporary}"), change_columns(&table, alias)))
}

/// The columns of CHANGETABLE.
fn change_columns(table: &Table, alias: &str) -> Vec<Bound> {
    let mut columns: Vec<Bound> = table
        .primary_key()
        .iter()
        .map(|column| Bound {
            name: column.name.clone(),
            sql: format!("{alias}.c{}", column.id),
            kind: column.kind.clone(),
            nullable: false,
        })
        .collect();
    let text = SqlType::NChar { chars: 1, collation: collate::default() };
    let operation = format!(
        "CASE WHEN {alias}.op = 'D' THEN x'4400' WHEN {alias}.n IS NOT NULL THEN x'4900' ELSE x'5500' END"
    );
    let own = [
        ("SYS_CHANGE_VERSION", format!("{alias}.v"), SqlType::BigInt),
        ("SYS_CHANGE_CREATION_VERSION", format!("{alias}.n"), SqlType::BigInt),
        ("SYS_CHANGE_OPERATION", operation, text),
        ("SYS_CHANGE_COLUMNS", "NULL".to_owned(), SqlType::VarBinary { bytes: Some(4100) }),
        ("SYS_CHANGE_CONTEXT", "NULL".to_owned(), SqlType::VarBinary { bytes: Some(128) }),
    ];
    columns.extend(own.map(|(name, sql, kind)| Bound { name: name.to_owned(), sql, kind, nullable: true }));
    columns
}
