//! CREATE, ALTER and DROP, and the way of every changing statement to what carries it out.
//!
//! Always: the catalogue and SQLite's tables change in one transaction.

use super::super::value::{SqlError, SqlType};
use super::ast::{ColumnDef, DatabaseOption, KeyDef, Query, Statement};
use super::catalog::{self, Column, Index, Table};
use super::error::{fail, no_object, unwrap};
use super::generate::Generator;
use super::session::Session;
use super::{collate, dml, server, types};

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

impl Session {
    /// Carries out a statement that changes something; gives the rows affected.
    pub fn change(&mut self, statement: &Statement) -> Result<u64, SqlError> {
        let done = match statement {
            Statement::Insert { table, columns, rows } => return self.insert(table, columns, rows),
            Statement::Update { table, alias, set, filter } => {
                return self.update(table, alias.as_deref(), set, filter.as_ref());
            }
            Statement::Delete { table, alias, filter } => {
                return self.delete(table, alias.as_deref(), filter.as_ref());
            }
            Statement::Truncate(table) => return self.truncate(table),
            Statement::Revert { name, from } => {
                self.outside("RESTORE DATABASE")?;
                self.server.revert(name, from)
            }
            Statement::Rename { from, to } => self.rename(from, to),
            Statement::CreateType { name, base } => {
                self.need_in_database("CREATE TYPE")?;
                self.database.state().aliases.push((name.clone(), base.clone()));
                Ok(())
            }
            Statement::CreateTable { name, columns, keys } => self.create_table(name, columns, keys),
            Statement::CreateIndex { table, key } => self.create_index(table, key),
            Statement::DropIndex { name, table } => self.drop_index(name, table, false),
            Statement::DropTable { names, maybe, view } => self.drop_tables(names, *maybe, *view),
            Statement::AlterTable { name, change } => self.alter_table(name, change),
            Statement::CreateView { name, query } => self.create_view(name, query),
            Statement::CreateSchema(name) => self.create_schema(name),
            Statement::CreateDatabase { name, collation } => self.create_database(name, collation.as_deref()),
            Statement::Snapshot { name, of } => {
                self.outside("CREATE DATABASE")?;
                self.server.snapshot(name, of)
            }
            Statement::DropDatabase { names, maybe } => self.drop_databases(names, *maybe),
            Statement::AlterDatabase { name, option } => self.alter_database(name, option),
            Statement::CreateLogin { name, password } => self.create_login(name, password),
            Statement::DropLogin(name) => self.drop_login(name),
            Statement::CreateUser { name, login } => self.create_user(name, login),
            Statement::DropUser(name) => self.drop_user(name),
            Statement::RoleMember { server, role, member, add } => {
                self.role_member(*server, role, member, *add)
            }
            Statement::Grant { rights, on, to, verb } => {
                let object = match on.as_deref() {
                    Some([schema, star]) if star == "*" => format!("{}.*", schema.to_lowercase()),
                    Some(path) => {
                        let table = self.table(path)?.ok_or_else(|| no_object(&path.join(".")))?;
                        format!("{}.{}", table.schema, table.name).to_lowercase()
                    }
                    None => String::new(),
                };
                self.grant(*verb, rights, &object, to)
            }
            // The session itself carries out the rest.
            _ => Err(fail(50000, "The test engine cannot run this statement here.")),
        };
        done.map(|()| 0)
    }

    /// 226: not within a transaction; and only for those who may.
    fn outside(&self, what: &str) -> Result<(), SqlError> {
        if self.depth > 0 {
            return Err(fail(
                226,
                format!("{what} statement not allowed within multi-statement transaction."),
            ));
        }
        if self.is_sysadmin() {
            return Ok(());
        }
        let message = format!("{what} permission denied in database 'master'.");
        Err(SqlError { class: 14, ..fail(262, message) })
    }

    fn create_database(&self, name: &str, collation: Option<&str>) -> Result<(), SqlError> {
        self.outside("CREATE DATABASE")?;
        let collation = match collation {
            Some(name) => {
                collate::named(name).ok_or_else(|| fail(448, format!("Invalid collation '{name}'.")))?
            }
            None => collate::default(),
        };
        self.server.create(name, collation)
    }

    fn drop_databases(&self, names: &[String], maybe: bool) -> Result<(), SqlError> {
        self.outside("DROP DATABASE")?;
        for name in names {
            if maybe && self.server.database(name).is_none() {
                continue;
            }
            if name.to_lowercase() == self.database.name.to_lowercase() {
                let message = format!("Cannot drop database \"{name}\" because it is currently in use.");
                return Err(fail(3702, message));
            }
            self.server.remove(name)?;
        }
        Ok(())
    }

    fn alter_database(&self, name: &str, option: &DatabaseOption) -> Result<(), SqlError> {
        self.outside("ALTER DATABASE")?;
        let database = if name.eq_ignore_ascii_case("current") {
            std::sync::Arc::clone(&self.database)
        } else {
            self.server.database(name).ok_or_else(|| server::no_database(name))?
        };
        if database.source.is_some() {
            return Err(fail(
                5094,
                "The operation cannot be performed on a database with database snapshots or a snapshot.",
            ));
        }
        let no_tracking = self.server.quirks().no_change_tracking;
        let mut state = database.state();
        match option {
            DatabaseOption::AllowSnapshot(on) => state.allow_snapshot = *on,
            DatabaseOption::ReadCommittedSnapshot(on) => state.committed_snapshot = *on,
            DatabaseOption::ReadOnly(on) => state.read_only = *on,
            DatabaseOption::ChangeTracking(_) if no_tracking => {
                return Err(super::error::near("CHANGE_TRACKING"));
            }
            DatabaseOption::ChangeTracking(on) => state.tracking = *on,
            DatabaseOption::Other => {}
        }
        Ok(())
    }

    fn create_schema(&mut self, name: &str) -> Result<(), SqlError> {
        self.need_in_database("CREATE SCHEMA")?;
        self.writing(|session| {
            let sql = "INSERT INTO m_schemas(name) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM m_schemas \
                WHERE lower(name) = lower(?1))";
            match session.connection.execute(sql, [name]).map_err(failed)? {
                0 => Err(fail(2714, format!("There is already an object named '{name}' in the database."))),
                _ => Ok(()),
            }
        })
    }

    /// The table keeps its id and its rows.
    fn rename(&mut self, from: &[String], to: &str) -> Result<(), SqlError> {
        let table = self.altered(from)?;
        let (_, name) = self.new_name(&[table.schema.clone(), to.to_owned()])?;
        self.reshaped(table.id);
        self.writing(|session| {
            catalog::altered(&session.connection, table.id, server::now_stored())?;
            let sql = "UPDATE m_objects SET name = ?2, key = ?3 WHERE id = ?1";
            let key = format!("{}.{name}", table.schema).to_lowercase();
            let renamed = session.connection.execute(sql, rusqlite::params![table.id, name, key]);
            renamed.map(|_| ()).map_err(failed)
        })
    }

    /// Schema and name of an object that is not there yet.
    fn new_name(&self, path: &[String]) -> Result<(String, String), SqlError> {
        let [.., name] = path else { return Err(super::error::near("(")) };
        if path.len() > 2 && path[0].to_lowercase() != self.database.name.to_lowercase() {
            return Err(fail(50000, "The test engine creates objects in the current database only."));
        }
        if name.starts_with('#') {
            return Err(fail(50000, "The test engine knows no temporary tables."));
        }
        let schema = path.len().checked_sub(2).map_or("dbo", |at| path[at].as_str());
        let schema = if schema.is_empty() { "dbo" } else { schema };
        if self.table(path)?.is_some() {
            return Err(SqlError {
                state: 6,
                ..fail(2714, format!("There is already an object named '{name}' in the database."))
            });
        }
        let sql = "SELECT name FROM m_schemas WHERE lower(name) = lower(?1)";
        let found = self.connection.query_row(sql, [schema], |row| row.get::<_, String>(0));
        let message = format!(
            "The specified schema name \"{schema}\" either does not exist or you do not have \
                permission to use it."
        );
        Ok((found.map_err(|_| fail(2760, message))?, name.clone()))
    }

    fn create_table(
        &mut self,
        path: &[String],
        columns: &[ColumnDef],
        keys: &[KeyDef],
    ) -> Result<(), SqlError> {
        self.need_in_database("CREATE TABLE")?;
        let (schema, name) = self.new_name(path)?;
        self.writing(|session| {
            let mut table = Table {
                id: catalog::add_object(&session.connection, (&schema, &name), "U", server::now_stored())?,
                schema,
                name,
                view: false,
                tracked: false,
                columns: Vec::new(),
                indexes: Vec::new(),
            };
            for (definition, id) in columns.iter().zip(1..) {
                let mut column = session.column(definition, id)?;
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
                let key = keys.iter().filter(|key| key.primary).flat_map(|key| &key.columns);
                if key.into_iter().any(|(name, _)| name.to_lowercase() == column.name.to_lowercase()) {
                    if definition.nullable == Some(true) {
                        return Err(fail(
                            8111,
                            format!(
                                "Cannot define PRIMARY KEY constraint on \
                            nullable column in table '{}'.",
                                table.name
                            ),
                        ));
                    }
                    column.nullable = false;
                }
                catalog::add_column(&session.connection, table.id, &column)?;
                table.columns.push(column);
            }
            let cells =
                table.columns.iter().map(|column| format!("c{}", column.id)).collect::<Vec<_>>().join(", ");
            session
                .connection
                .execute_batch(&format!("CREATE TABLE t{}({cells})", table.id))
                .map_err(failed)?;
            for key in keys {
                let index = new_index(&table, key)?;
                catalog::add_index(&session.connection, &table, &index)?;
                table.indexes.push(index);
            }
            Ok(())
        })
    }

    pub fn column(&self, definition: &ColumnDef, id: i32) -> Result<Column, SqlError> {
        let collation = match &definition.collation {
            Some(name) if name.eq_ignore_ascii_case("database_default") => self.database.collation.clone(),
            Some(name) => {
                collate::named(name).ok_or_else(|| fail(448, format!("Invalid collation '{name}'.")))?
            }
            None => self.database.collation.clone(),
        };
        let aliases = self.database.state().aliases.clone();
        let alias = aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(&definition.kind.name));
        let written = alias.map_or(&definition.kind, |(_, base)| base);
        let kind = types::resolve(written, &collation, false)?;
        if definition.collation.is_some() && types::collation(&kind).is_none() {
            return Err(fail(
                447,
                format!("Expression type {} is invalid for COLLATE clause.", types::name(&kind)),
            ));
        }
        // A rowversion is never null unless it is said to be.
        let nullable = definition.nullable.unwrap_or(kind != SqlType::RowVersion);
        let declared = definition.kind.name.to_lowercase();
        let mut column =
            Column { id, name: definition.name.clone(), kind, declared, nullable, default: None };
        if let Some(default) = &definition.default {
            column.default = Some(dml::default_literal(self, &column, default)?);
        }
        Ok(column)
    }

    pub fn altered(&self, path: &[String]) -> Result<Table, SqlError> {
        let shown = path.join(".");
        let missing = || {
            fail(
                4902,
                format!(
                    "Cannot find the object \"{shown}\" because it does not exist or you do not have \
                        permissions."
                ),
            )
        };
        let table = self.table(path)?.filter(|table| !table.view).ok_or_else(missing)?;
        let key = format!("{}.{}", table.schema, table.name).to_lowercase();
        if self.may("ALTER", &key) {
            Ok(table)
        } else {
            Err(SqlError {
                state: 13,
                ..fail(
                    1088,
                    format!(
                        "Cannot find the object \"{shown}\" because it does not exist or you do not \
                            have permissions."
                    ),
                )
            })
        }
    }

    pub fn create_index(&mut self, path: &[String], key: &KeyDef) -> Result<(), SqlError> {
        let table = self.altered(path)?;
        let index = new_index(&table, key)?;
        if table.indexes.iter().any(|other| other.name.to_lowercase() == index.name.to_lowercase()) {
            return Err(fail(
                1913,
                format!(
                    "The operation failed because an index or statistics with name '{}' already exists \
                        on table '{}'.",
                    index.name, table.name
                ),
            ));
        }
        self.reshaped(table.id);
        self.writing(|session| {
            catalog::altered(&session.connection, table.id, server::now_stored())?;
            catalog::add_index(&session.connection, &table, &index).map_err(|error| {
                if error.number != 50000 {
                    return error;
                }
                let message = format!(
                    "The CREATE UNIQUE INDEX statement terminated because a \
                    duplicate key was found for the object name '{}.{}' and the index name \
                    '{}'.",
                    table.schema, table.name, index.name
                );
                fail(1505, message)
            })
        })
    }

    pub fn drop_index(&mut self, name: &str, path: &[String], constraint: bool) -> Result<(), SqlError> {
        let table = self.altered(path)?;
        let found = table.indexes.iter().find(|index| index.name.to_lowercase() == name.to_lowercase());
        let found = found.filter(|index| index.constraint == constraint);
        let id = found.ok_or_else(|| {
            let what = if constraint { "constraint" } else { "index" };
            fail(
                3701,
                format!(
                    "Cannot drop the {what} '{name}', because it does not exist or you do \
                not have permission."
                ),
            )
        })?;
        if table.tracked && id.primary {
            return Err(fail(
                4998,
                "The primary key constraint on the table cannot be dropped because change tracking is \
                    enabled on it.",
            ));
        }
        let id = id.id;
        self.reshaped(table.id);
        self.writing(|session| {
            catalog::altered(&session.connection, table.id, server::now_stored())?;
            catalog::unbuild_index(&session.connection, table.id, id).map_err(failed)?;
            for from in ["m_indexes WHERE id", "m_index_columns WHERE index_id"] {
                let sql = format!("DELETE FROM {from} = {id} AND object_id = {}", table.id);
                session.connection.execute_batch(&sql).map_err(failed)?;
            }
            Ok(())
        })
    }

    fn drop_tables(&mut self, names: &[Vec<String>], maybe: bool, view: bool) -> Result<(), SqlError> {
        for path in names {
            let found = self.table(path)?.filter(|table| table.view == view);
            let allowed =
                |table: &Table| self.may("ALTER", &format!("{}.{}", table.schema, table.name).to_lowercase());
            let Some(table) = found.filter(allowed) else {
                if maybe {
                    continue;
                }
                let what = if view { "view" } else { "table" };
                let message = format!(
                    "Cannot drop the {what} '{}', because it does not exist or you do not have permission.",
                    path.join(".")
                );
                return Err(SqlError { class: 11, state: 5, ..fail(3701, message) });
            };
            self.reshaped(table.id);
            self.writing(|session| {
                let id = table.id;
                let sql = format!(
                    "DROP TABLE IF EXISTS t{id}; DROP TABLE IF EXISTS k{id}; DELETE FROM m_objects WHERE id = {id};
                     DELETE FROM m_columns WHERE object_id = {id}; DELETE FROM m_indexes WHERE object_id = {id};
                     DELETE FROM m_index_columns WHERE object_id = {id};"
                );
                session.connection.execute_batch(&sql).map_err(failed)
            })?;
        }
        Ok(())
    }

    fn create_view(&mut self, path: &[String], query: &Query) -> Result<(), SqlError> {
        self.need_in_database("CREATE VIEW")?;
        let (schema, name) = self.new_name(path)?;
        self.writing(|session| {
            let mut generator = Generator::new(session);
            let made = generator.query(query);
            session.forget(&generator.temporary);
            let id = catalog::add_object(&session.connection, (&schema, &name), "V", server::now_stored())?;
            session.database.state().views.insert(id, query.clone());
            for (output, at) in made?.columns.into_iter().zip(1..) {
                let Some(column) = output.name else {
                    return Err(fail(
                        4511,
                        "Create View or Function failed because no column name was specified.",
                    ));
                };
                let declared = types::name(&output.kind).to_owned();
                let column = Column {
                    id: at,
                    name: column,
                    kind: output.kind,
                    declared,
                    nullable: output.nullable,
                    default: None,
                };
                catalog::add_column(&session.connection, id, &column)?;
            }
            Ok(())
        })
    }
}

fn new_index(table: &Table, key: &KeyDef) -> Result<Index, SqlError> {
    let mut columns = Vec::new();
    for (name, descending) in &key.columns {
        let missing =
            || fail(1911, format!("Column name '{name}' does not exist in the target table or view."));
        let column = table.column(name).ok_or_else(missing)?;
        if types::length(&column.kind).is_none() || column.kind == SqlType::Variant {
            let message = format!(
                "Column '{name}' in table '{}' is of a type that is invalid for use as a key column in \
                    an index.",
                table.name
            );
            return Err(fail(1919, message));
        }
        if key.primary && column.nullable {
            return Err(fail(
                8111,
                format!("Cannot define PRIMARY KEY constraint on nullable column in table '{}'.", table.name),
            ));
        }
        columns.push((column.id, *descending));
    }
    let taken = table.indexes.iter().any(|index| index.clustered);
    if taken && key.clustered == Some(true) {
        return Err(fail(
            1902,
            format!("Cannot create more than one clustered index on table '{}'.", table.name),
        ));
    }
    if key.primary && table.indexes.iter().any(|index| index.primary) {
        return Err(fail(1779, format!("Table '{}' already has a primary key defined on it.", table.name)));
    }
    let clustered = key.clustered.unwrap_or(key.primary && !taken);
    let next = table.indexes.iter().map(|index| index.id).max().unwrap_or(1).max(1) + 1;
    let id = if clustered { 1 } else { next };
    let prefix = if key.primary { "PK" } else { "UQ" };
    let name = key.name.clone().unwrap_or_else(|| format!("{prefix}__{}__{:08X}{id}", table.name, table.id));
    let (unique, primary, constraint) = (key.unique, key.primary, key.constraint);
    Ok(Index { id, name, columns, unique, primary, constraint, clustered })
}
