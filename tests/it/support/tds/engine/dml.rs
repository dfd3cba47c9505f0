//! INSERT, UPDATE, DELETE and TRUNCATE.
//!
//! Always: a value goes through assignment to its column's type; rowversion columns get a new value with every change.

use rusqlite::types::Value;

use super::super::value::{Datum, SqlError, SqlType};
use super::ast::{Expr, Rows};
use super::catalog::{self, Column, Table};
use super::convert::{self, ASSIGN, CAST};
use super::error::{fail, no_object, unwrap};
use super::generate::{Binding, Bound, Code, Generator};
use super::session::Session;
use super::{changes, store, types};

fn failed(error: rusqlite::Error) -> SqlError {
    unwrap(&error)
}

fn no_null(table: &str, column: &Column, verb: &str) -> String {
    format!(
        "Cannot insert the value NULL into column '{}', table '{table}'; column does not allow nulls. \
            {verb} fails.",
        column.name
    )
}

impl Session {
    fn target(&self, path: &[String], right: &str) -> Result<Table, SqlError> {
        let shown = path.join(".");
        let table = self.table(path)?.ok_or_else(|| no_object(&shown))?;
        self.need(right, (&table.schema, &table.name))?;
        self.need_snapshots()?;
        if table.view {
            return Err(fail(4405, format!("View or function '{shown}' is not updatable.")));
        }
        Ok(table)
    }

    fn full_name(&self, table: &Table) -> String {
        format!("{}.{}.{}", self.database.name, table.schema, table.name)
    }

    /// Notes that the transaction changes a tracked table, before it does.
    fn note(&mut self, table: &Table) -> Result<(), SqlError> {
        if table.tracked { changes::next_statement(&self.connection) } else { Ok(()) }
    }

    pub fn insert(&mut self, path: &[String], names: &[String], rows: &Rows) -> Result<u64, SqlError> {
        let table = self.target(path, "INSERT")?;
        let columns = named_columns(&table, names)?;
        self.writing(|session| {
            session.note(&table)?;
            let values = match rows {
                Rows::Values(rows) => session.literal_rows(&table, &columns, rows)?,
                Rows::Query(query) => {
                    let mut generator = Generator::new(session);
                    let made =
                        generator.query(query).and_then(|made| session.query_rows(&table, &columns, &made));
                    session.forget(&generator.temporary);
                    made?
                }
            };
            session.store_rows(&table, &columns, &values)
        })
    }

    /// The rows of VALUES as stored forms of the columns. `None`: the column's default.
    fn literal_rows(
        &self,
        table: &Table,
        columns: &[&Column],
        rows: &[Vec<Option<Expr>>],
    ) -> Result<Vec<Vec<Option<Value>>>, SqlError> {
        let mut generator = Generator::new(self);
        let mut codes: Vec<Vec<Option<Code>>> = Vec::with_capacity(rows.len());
        for row in rows {
            // DEFAULT VALUES is a row without cells.
            if !row.is_empty() && row.len() != columns.len() {
                return Err(fail(
                    213,
                    "Column name or number of supplied values does not match table definition.",
                ));
            }
            let mut cells = Vec::with_capacity(columns.len());
            for (at, _) in columns.iter().enumerate() {
                cells.push(match row.get(at) {
                    Some(Some(expr)) => Some(generator.value(expr)?),
                    _ => None,
                });
            }
            codes.push(cells);
        }
        for at in 0..columns.len() {
            unify_column(&generator, &mut codes, at)?;
        }
        let one = |code: Option<Code>, column: &Column| -> Result<Option<Value>, SqlError> {
            let Some(code) = code else { return Ok(None) };
            self.assigned(&generator, table, column, code).map(Some)
        };
        let filled = codes.into_iter().map(|cells| {
            cells
                .into_iter()
                .zip(columns)
                .map(|(code, column)| one(code, column))
                .collect::<Result<Vec<_>, _>>()
        });
        let filled = filled.collect();
        self.forget(&generator.temporary);
        filled
    }

    /// A value as the stored form of its column.
    fn assigned(
        &self,
        generator: &Generator<'_>,
        table: &Table,
        column: &Column,
        code: Code,
    ) -> Result<Value, SqlError> {
        if column.kind == SqlType::RowVersion {
            return if code.untyped {
                Ok(Value::Null)
            } else {
                Err(fail(
                    273,
                    "Cannot insert an explicit value into a timestamp column. Use INSERT with a column \
                        list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.",
                ))
            };
        }
        let named = |error: SqlError| self.truncated(error, table, column);
        if let Some(value) = &code.constant {
            if !code.untyped {
                convert::check(&code.kind, &column.kind, false)?;
            }
            let value = convert::convert(value, &code.kind, &column.kind, ASSIGN).map_err(named)?;
            return Ok(store::encode(&value));
        }
        let code = generator.convert(code, &column.kind, ASSIGN, false)?;
        let found =
            self.connection.query_row(&format!("SELECT {}", code.sql), [], |row| row.get::<_, Value>(0));
        found.map_err(failed).map_err(named)
    }

    /// 2628 with the names that it has on SQL Server.
    fn truncated(&self, error: SqlError, table: &Table, column: &Column) -> SqlError {
        if error.number != 2628 {
            return error;
        }
        let message = format!(
            "String or binary data would be truncated in table '{}', column '{}'.",
            self.full_name(table),
            column.name
        );
        SqlError { message, ..error }
    }

    /// The rows of a query as stored forms of the columns.
    fn query_rows(
        &self,
        table: &Table,
        columns: &[&Column],
        made: &super::query::Made,
    ) -> Result<Vec<Vec<Option<Value>>>, SqlError> {
        if made.columns.len() != columns.len() {
            return Err(fail(
                213,
                "Column name or number of supplied values does not match table definition.",
            ));
        }
        let generator = Generator::new(self);
        let mut cells = Vec::new();
        for (at, (output, column)) in made.columns.iter().zip(columns).enumerate() {
            if column.kind == SqlType::RowVersion {
                return Err(fail(273, "Cannot insert an explicit value into a timestamp column."));
            }
            let code = Code::new(format!("q.c{}", at + 1), output.kind.clone(), output.nullable);
            let code = Code { strength: output.strength, ..code };
            cells.push(generator.convert(code, &column.kind, ASSIGN, false)?.sql);
        }
        let run = || -> rusqlite::Result<Vec<Vec<Option<Value>>>> {
            let sql = format!("SELECT {} FROM ({}) AS q", cells.join(", "), made.sql);
            let mut statement = self.connection.prepare(&sql)?;
            let rows =
                statement.query_map([], |row| (0..cells.len()).map(|at| row.get(at).map(Some)).collect())?;
            rows.collect()
        };
        run().map_err(failed).map_err(|error| match columns {
            [column] => self.truncated(error, table, column),
            _ => error,
        })
    }

    fn store_rows(
        &mut self,
        table: &Table,
        columns: &[&Column],
        rows: &[Vec<Option<Value>>],
    ) -> Result<u64, SqlError> {
        let mut places = Vec::new();
        let cells = table.columns.iter().map(|column| {
            let given = columns.iter().position(|other| other.id == column.id);
            match (given, &column.default) {
                _ if column.kind == SqlType::RowVersion => "rv()".to_owned(),
                (Some(at), _) => {
                    places.push((at, column));
                    format!("?{}", places.len())
                }
                (None, Some(default)) => default.clone(),
                (None, None) => "NULL".to_owned(),
            }
        });
        let cells = cells.collect::<Vec<_>>().join(", ");
        let missing = |column: &&Column| {
            let given = columns.iter().any(|other| other.id == column.id);
            !given && !column.nullable && column.default.is_none() && column.kind != SqlType::RowVersion
        };
        if let (Some(column), false) = (table.columns.iter().find(missing), rows.is_empty()) {
            return Err(SqlError {
                state: 2,
                ..fail(515, no_null(&self.full_name(table), column, "INSERT"))
            });
        }
        let names =
            table.columns.iter().map(|column| format!("c{}", column.id)).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO t{}({names}) VALUES ({cells})", table.id);
        let mut insert = self.connection.prepare_cached(&sql).map_err(failed)?;
        for row in rows {
            for (at, (place, column)) in places.iter().enumerate() {
                let value = match (&row[*place], &column.default) {
                    (Some(value), _) => value.clone(),
                    (None, Some(default)) => self
                        .connection
                        .query_row(&format!("SELECT {default}"), [], |row| row.get(0))
                        .map_err(failed)?,
                    (None, None) => Value::Null,
                };
                if value == Value::Null && !column.nullable {
                    return Err(SqlError {
                        state: 2,
                        ..fail(515, no_null(&self.full_name(table), column, "INSERT"))
                    });
                }
                insert.raw_bind_parameter(at + 1, value).map_err(failed)?;
            }
            insert.raw_execute().map_err(|error| duplicate(&error, table))?;
        }
        drop(insert);
        self.noted |= table.tracked && !rows.is_empty();
        Ok(u64::try_from(rows.len()).unwrap_or(0))
    }

    /// A generator that knows the columns of the table to change, under its alias in SQLite.
    fn over(&self, table: &Table, alias: Option<&str>) -> Generator<'_> {
        let mut generator = Generator::new(self);
        let names = match alias {
            Some(alias) => vec![alias.to_lowercase()],
            None => vec![table.schema.to_lowercase(), table.name.to_lowercase()],
        };
        let columns = table.columns.iter().map(|column| Bound {
            name: column.name.clone(),
            sql: format!("x.c{}", column.id),
            kind: column.kind.clone(),
            nullable: column.nullable,
        });
        generator.scopes.push(vec![Binding { names, columns: columns.collect() }]);
        generator
    }

    pub fn update(
        &mut self,
        path: &[String],
        alias: Option<&str>,
        set: &[(String, Expr)],
        filter: Option<&Expr>,
    ) -> Result<u64, SqlError> {
        let table = self.target(path, "UPDATE")?;
        self.writing(|session| {
            session.note(&table)?;
            let mut generator = session.over(&table, alias);
            let mut parts = Vec::new();
            for (name, value) in set {
                let column =
                    table.column(name).ok_or_else(|| fail(207, format!("Invalid column name '{name}'.")))?;
                if column.kind == SqlType::RowVersion {
                    return Err(fail(272, "Cannot update a timestamp column."));
                }
                let code = generator.value(value)?;
                let nullable = code.nullable;
                let code = generator.convert(code, &column.kind, ASSIGN, false)?;
                let message = no_null(&session.full_name(&table), column, "UPDATE").replace('\'', "''");
                let sql = if nullable && !column.nullable {
                    format!("nn({}, '{message}')", code.sql)
                } else {
                    code.sql
                };
                parts.push(format!("c{} = {sql}", column.id));
            }
            let versions = table.columns.iter().filter(|column| column.kind == SqlType::RowVersion);
            parts.extend(versions.map(|column| format!("c{} = rv()", column.id)));
            let mut sql = format!("UPDATE t{} AS x SET {}", table.id, parts.join(", "));
            if let Some(filter) = filter {
                sql.push_str(&format!(" WHERE {}", generator.condition(filter)?));
            }
            let temporary = std::mem::take(&mut generator.temporary);
            let changed = session.run_update(&table, &sql);
            session.forget(&temporary);
            let changed = changed?;
            session.noted |= table.tracked && changed > 0;
            Ok(changed)
        })
    }

    /// SQLite checks keys row by row, SQL Server after the statement: on a duplicate the check is put off to the end.
    fn run_update(&self, table: &Table, sql: &str) -> Result<u64, SqlError> {
        let count = |changed: usize| u64::try_from(changed).unwrap_or(0);
        match self.connection.execute(sql, []) {
            Ok(changed) => Ok(count(changed)),
            Err(error) if duplicate(&error, table).number != unwrap(&error).number => {
                let unique = || table.indexes.iter().filter(|index| index.unique);
                for index in unique() {
                    catalog::unbuild_index(&self.connection, table.id, index.id).map_err(failed)?;
                }
                let changed = self.connection.execute(sql, []).map_err(failed)?;
                for index in unique() {
                    catalog::build_index(&self.connection, table, index)
                        .map_err(|error| duplicate(&error, table))?;
                }
                Ok(count(changed))
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub fn delete(
        &mut self,
        path: &[String],
        alias: Option<&str>,
        filter: Option<&Expr>,
    ) -> Result<u64, SqlError> {
        let table = self.target(path, "DELETE")?;
        self.writing(|session| {
            session.note(&table)?;
            let mut generator = session.over(&table, alias);
            let mut sql = format!("DELETE FROM t{} AS x", table.id);
            if let Some(filter) = filter {
                sql.push_str(&format!(" WHERE {}", generator.condition(filter)?));
            }
            let temporary = std::mem::take(&mut generator.temporary);
            let changed = session.connection.execute(&sql, []);
            session.forget(&temporary);
            let changed = changed.map_err(failed)?;
            session.noted |= table.tracked && changed > 0;
            Ok(u64::try_from(changed).unwrap_or(0))
        })
    }

    pub fn truncate(&mut self, path: &[String]) -> Result<u64, SqlError> {
        let table = self.target(path, "ALTER")?;
        self.reshaped(table.id);
        self.writing(|session| changes::truncate(&session.connection, &table).map(|()| 0))
    }
}

/// The columns that an INSERT names, or all of them.
fn named_columns<'t>(table: &'t Table, names: &[String]) -> Result<Vec<&'t Column>, SqlError> {
    if names.is_empty() {
        return Ok(table.columns.iter().collect());
    }
    let mut columns: Vec<&Column> = Vec::new();
    for name in names {
        let column = table.column(name).ok_or_else(|| fail(207, format!("Invalid column name '{name}'.")))?;
        if columns.iter().any(|other| other.id == column.id) {
            return Err(fail(
                264,
                format!(
                    "The column name '{name}' is specified more than once in the SET clause or column \
                        list of an INSERT."
                ),
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// The rows of VALUES are one table to SQL Server: where the families of a column's values differ, all meet in one type first.
fn unify_column(
    generator: &Generator<'_>,
    rows: &mut [Vec<Option<Code>>],
    at: usize,
) -> Result<(), SqlError> {
    let mut meeting: Option<SqlType> = None;
    let mut families = Vec::new();
    for code in rows.iter().filter_map(|row| row[at].as_ref()).filter(|code| !code.untyped) {
        let family = types::family(&code.kind);
        if !families.contains(&family) {
            families.push(family);
        }
        meeting = Some(match meeting {
            Some(kind) if kind == code.kind => kind,
            Some(kind) => types::common(&kind, &code.kind),
            None => code.kind.clone(),
        });
    }
    let Some(kind) = meeting.filter(|_| families.len() > 1) else { return Ok(()) };
    for cell in rows.iter_mut().map(|row| &mut row[at]) {
        if let Some(code) = cell.take() {
            *cell = Some(if code.untyped { code } else { generator.convert(code, &kind, CAST, false)? });
        }
    }
    Ok(())
}

/// SQLite's complaint about a key as SQL Server's.
pub fn duplicate(error: &rusqlite::Error, table: &Table) -> SqlError {
    let text = error.to_string();
    let Some(what) = text.split_once("UNIQUE constraint failed: ").map(|(_, what)| what) else {
        return unwrap(error);
    };
    let broken = table.indexes.iter().filter(|index| index.unique).find(|index| {
        let name = format!("i{}_{}", table.id, index.id);
        let columns =
            index.columns.iter().map(|(id, _)| format!("t{}.c{id}", table.id)).collect::<Vec<_>>().join(", ");
        what.contains(&format!("'{name}'")) || what.contains(&format!("'{name}_n'")) || what == columns
    });
    let Some(index) = broken else { return unwrap(error) };
    let object = format!("{}.{}", table.schema, table.name);
    if index.constraint {
        let kind = if index.primary { "PRIMARY KEY" } else { "UNIQUE KEY" };
        return SqlError {
            class: 14,
            ..fail(
                2627,
                format!(
                    "Violation of {kind} constraint '{}'. Cannot insert duplicate key in object '{object}'.",
                    index.name
                ),
            )
        };
    }
    let message =
        format!("Cannot insert duplicate key row in object '{object}' with unique index '{}'.", index.name);
    SqlError { class: 14, ..fail(2601, message) }
}

/// A default as the SQLite literal that stands for it.
pub fn default_literal(session: &Session, column: &Column, expr: &Expr) -> Result<String, SqlError> {
    let fixed = matches!(
        expr,
        Expr::Null
            | Expr::Number(_)
            | Expr::Float(_)
            | Expr::Money(_)
            | Expr::Text(_)
            | Expr::National(_)
            | Expr::Hex(_)
            | Expr::Negative(_)
    );
    let generator_value = |expr: &Expr| Generator::new(session).value(expr);
    let code = if fixed {
        generator_value(expr)?
    } else {
        return Err(fail(50000, "The test engine knows literals as defaults only."));
    };
    let value = code.constant.clone().unwrap_or(Datum::Null);
    let value = convert::convert(&value, &code.kind, &column.kind, ASSIGN)?;
    Ok(store::literal(&store::encode(&value)))
}
