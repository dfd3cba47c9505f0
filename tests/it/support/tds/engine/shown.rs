//! What a session sees of a table: a view's query, the rows that a security policy leaves, masks over columns.
//!
//! Always: rights on what a view reads are not asked for (one owner owns all); a filter holds for everybody whom its predicate does
//! not let through, a mask for everybody without UNMASK.

use super::super::value::SqlError;
use super::ast::{From, Item, Join, Query, Source};
use super::catalog::{self, Column, Table};
use super::error::{fail, no_object};
use super::generate::Generator;
use super::parser::Parser;
use super::query::Made;
use super::server::{Filter, Server, no_database};
use super::types::{self, Family};

impl Generator<'_> {
    /// The query that stands for a table: a view's own, or the table under its filter. `None`: the table as it is.
    pub fn shown_by(&self, table: &Table) -> Result<Option<Query>, SqlError> {
        let state = self.session.database.state();
        if table.view {
            return Ok(Some(state.views.get(&table.id).cloned().ok_or_else(|| no_object(&table.name))?));
        }
        let login = self.session.login.to_lowercase();
        let filter = state.filters.iter().find(|filter| filter.table == table.id);
        let filter = filter.filter(|filter| !filter.sees_all.contains(&login));
        let Some(filter) = filter.filter(|_| !self.filtering.contains(&table.id)) else { return Ok(None) };
        let source = Source::Table(vec![table.schema.clone(), table.name.clone()]);
        Ok(Some(Query {
            items: vec![Item::All(None)],
            from: vec![From { join: Join::Comma, source, alias: None, on: None }],
            filter: Some(Box::new(filter.predicate.clone())),
            ..Query::default()
        }))
    }

    /// The query of a view or filter in SQLite's SQL; nothing outside binds it.
    pub fn within(&mut self, table: &Table, query: &Query) -> Result<Made, SqlError> {
        let scopes = std::mem::take(&mut self.scopes);
        let before = std::mem::replace(&mut self.within_view, true);
        if !table.view {
            self.filtering.push(table.id);
        }
        let made = self.subquery(query);
        if !table.view {
            self.filtering.pop();
        }
        self.within_view = before;
        self.scopes = scopes;
        made.map_err(|error| match error.number {
            207 | 208 if table.view => {
                let message =
                    format!("Could not use view or function '{}' because of binding errors.", table.name);
                fail(4413, message)
            }
            _ => error,
        })
    }

    /// A column's SQL, or its mask.
    pub fn unmasked(&self, table: &Table, column: &Column, sql: String) -> String {
        let masked = self.session.database.state().masks.contains(&(table.id, column.id));
        if !masked || self.session.may("UNMASK", "") {
            return sql;
        }
        let mask = match types::family(&column.kind) {
            Family::Char => "x'78787878'",
            Family::NChar => "x'7800780078007800'",
            _ => "0",
        };
        format!("CASE WHEN {sql} IS NULL THEN NULL ELSE {mask} END")
    }
}

/// A table of a database.
fn table_of(server: &Server, database: &str, table: &str) -> Result<Table, SqlError> {
    let database = server.database(database).ok_or_else(|| no_database(database))?;
    catalog::table(&database.connect(0)?, &catalog::key_of(table))?.ok_or_else(|| no_object(table))
}

/// Puts a security policy on a table.
pub fn filter(
    server: &Server,
    database: &str,
    table: &str,
    predicate: &str,
    sees_all: &[&str],
) -> Result<(), SqlError> {
    let found = table_of(server, database, table)?;
    let predicate = Parser::new(predicate)?.expr()?;
    let sees_all = sees_all.iter().map(|login| login.to_lowercase()).collect();
    let filter = Filter { policy: format!("{table}_policy"), table: found.id, predicate, sees_all };
    let database = server.database(database).ok_or_else(|| no_database(database))?;
    database.state().filters.push(filter);
    Ok(())
}

/// Masks a column.
pub fn mask(server: &Server, database: &str, table: &str, column: &str) -> Result<(), SqlError> {
    let found = table_of(server, database, table)?;
    let id = found.column(column).ok_or_else(|| no_object(column))?.id;
    let database = server.database(database).ok_or_else(|| no_database(database))?;
    database.state().masks.insert((found.id, id));
    Ok(())
}

/// Another partition stands in the place of a table's own.
pub fn switch(server: &Server, database: &str, table: &str) -> Result<(), SqlError> {
    let found = table_of(server, database, table)?;
    let database = server.database(database).ok_or_else(|| no_database(database))?;
    database.state().switched.insert(found.id);
    Ok(())
}
