//! ALTER TABLE.
//!
//! Always: the rows that are there take part: they get the default, the new type, or the statement fails.

use super::super::value::{SqlError, SqlType};
use super::ast::{Alter, ColumnDef};
use super::catalog::{self, Column, Index, Table};
use super::changes;
use super::convert::ASSIGN;
use super::error::{fail, unwrap};
use super::generate::{Code, Generator};
use super::server::now_stored;
use super::session::Session;

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

impl Session {
    pub fn alter_table(&mut self, path: &[String], change: &Alter) -> Result<(), SqlError> {
        let table = self.altered(path)?;
        self.change_table(path, &table, change)?;
        self.reshaped(table.id);
        self.writing(|session| catalog::altered(&session.connection, table.id, now_stored()))
    }

    fn change_table(&mut self, path: &[String], table: &Table, change: &Alter) -> Result<(), SqlError> {
        match change {
            Alter::Add(columns) => self.add_columns(table, columns),
            Alter::AddKey(key) => self.create_index(path, key),
            Alter::DropConstraint(name) => self.drop_index(name, path, true),
            Alter::DropColumn(name) => self.drop_column(table, name),
            Alter::Column(definition) => self.alter_column(table, definition),
            Alter::ChangeTracking(on) => {
                if self.server.quirks().no_change_tracking {
                    return Err(super::error::near("CHANGE_TRACKING"));
                }
                if *on && !self.database.state().tracking {
                    let message = format!(
                        "Change tracking must be enabled on database '{}' before it can be enabled on \
                            table '{}'.",
                        self.database.name, table.name
                    );
                    return Err(fail(22116, message));
                }
                if *on == table.tracked {
                    let state = if *on { "already enabled" } else { "not enabled" };
                    return Err(fail(
                        if *on { 4996 } else { 4998 },
                        format!("Change tracking is {state} for table '{}'.", table.name),
                    ));
                }
                self.writing(|session| {
                    if *on {
                        changes::enable(&session.connection, table)
                    } else {
                        changes::disable(&session.connection, table.id)
                    }
                })
            }
        }
    }

    fn add_columns(&mut self, table: &Table, columns: &[ColumnDef]) -> Result<(), SqlError> {
        let next = table.columns.iter().map(|column| column.id).max().unwrap_or(0) + 1;
        self.writing(|session| {
            for (definition, id) in columns.iter().zip(next..) {
                let column = session.column(definition, id)?;
                if table.column(&column.name).is_some() {
                    return Err(fail(
                        2705,
                        format!(
                            "Column names in each table must be unique. Column \
                        name '{}' in table '{}' is specified more than once.",
                            column.name, table.name
                        ),
                    ));
                }
                let version = column.kind == SqlType::RowVersion;
                let sql = format!("SELECT EXISTS (SELECT 1 FROM t{})", table.id);
                let filled =
                    session.connection.query_row(&sql, [], |row| row.get::<_, bool>(0)).map_err(failed)?;
                if filled && !column.nullable && column.default.is_none() && !version {
                    let message = format!(
                        "ALTER TABLE only allows columns to be added that can \
                        contain nulls, or have a DEFAULT definition specified. Column '{}' cannot be \
                        added to non-empty table '{}'.",
                        column.name, table.name
                    );
                    return Err(fail(4901, message));
                }
                // Only a column that may not be null gets its default in the rows that are there.
                let default = column.default.as_deref().filter(|_| !column.nullable).unwrap_or("NULL");
                let mut sql = format!("ALTER TABLE t{} ADD COLUMN c{id} DEFAULT {default};", table.id);
                if version {
                    sql.push_str(&format!("UPDATE t{} SET c{id} = rv();", table.id));
                }
                session.connection.execute_batch(&sql).map_err(failed)?;
                catalog::add_column(&session.connection, table.id, &column)?;
            }
            Ok(())
        })
    }

    fn drop_column(&mut self, table: &Table, name: &str) -> Result<(), SqlError> {
        let column = table.column(name).ok_or_else(|| {
            fail(
                4924,
                format!(
                    "ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{}'.",
                    table.name
                ),
            )
        })?;
        refuse_key(table, column)?;
        self.writing(|session| {
            let (table, column) = (table.id, column.id);
            let sql = format!(
                "ALTER TABLE t{table} DROP COLUMN c{column};
                 DELETE FROM m_columns WHERE object_id = {table} AND id = {column};"
            );
            session.connection.execute_batch(&sql).map_err(failed)
        })
    }

    fn alter_column(&mut self, table: &Table, definition: &ColumnDef) -> Result<(), SqlError> {
        let old = table.column(&definition.name).ok_or_else(|| {
            let message = format!(
                "ALTER TABLE ALTER COLUMN failed because column '{}' does not exist in table '{}'.",
                definition.name, table.name
            );
            fail(4924, message)
        })?;
        refuse_key(table, old)?;
        let mut column = self.column(definition, old.id)?;
        column.default.clone_from(&old.default);
        column.name.clone_from(&old.name);
        if column.default.is_some() || SqlType::RowVersion == column.kind || SqlType::RowVersion == old.kind {
            return Err(fail(
                5074,
                format!("The column '{}' cannot be altered because something depends on it.", old.name),
            ));
        }
        self.writing(|session| {
            let generator = Generator::new(session);
            let name = format!("c{}", old.id);
            let code = Code::new(name.clone(), old.kind.clone(), true);
            let code = generator.convert(code, &column.kind, ASSIGN, false)?;
            let count = |filter: &str| {
                let sql = format!("SELECT count(*) FROM t{} WHERE {filter}", table.id);
                session.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(failed)
            };
            if !column.nullable && count(&format!("{name} IS NULL"))? > 0 {
                let message = format!(
                    "Cannot insert the value NULL into column '{}', table \
                    '{}.{}.{}'; column does not allow nulls. UPDATE fails.",
                    column.name, session.database.name, table.schema, table.name
                );
                return Err(fail(515, message));
            }
            if code.sql != name && code.sql != format!("({name})") {
                let triggers = changes::pause(table);
                let sql =
                    format!("{} UPDATE t{} SET {name} = {}; {}", triggers.0, table.id, code.sql, triggers.1);
                session.connection.execute_batch(&sql).map_err(failed)?;
            }
            catalog::add_column(&session.connection, table.id, &column)
        })
    }
}

/// 5074: a key stands on the column.
fn refuse_key(table: &Table, column: &Column) -> Result<(), SqlError> {
    let uses = |index: &&Index| index.columns.iter().any(|(id, _)| *id == column.id);
    match table.indexes.iter().find(uses) {
        Some(index) => {
            Err(fail(5074, format!("The object '{}' is dependent on column '{}'.", index.name, column.name)))
        }
        None => Ok(()),
    }
}
