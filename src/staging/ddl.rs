//! The staging database's tables, generated from the national schema: types, lengths, mandatory columns, code and parent keys, titles.
//!
//! Always: names are written without quotes and in lower case, as SQL that people write finds them; ids, dates, periods and times have
//! the national forms (reference 1: N20, N8, N6, N14).
//! Must not know: a connection.

use super::checks::{Check, Holds, checks};
use crate::national::{Kind, LengthIn, National, Table};
use crate::sql_ident::{literal, quote};

/// The name of a table or column in the staging database.
pub(super) fn name(national: &str) -> String {
    quote(&national.to_lowercase())
}

/// A table's name with its schema.
pub(super) fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", quote(schema), name(table))
}

/// The table that holds a code list.
pub(super) fn code_table(list: &str) -> String {
    format!("code_{}", list.to_lowercase())
}

/// The type of a column as PostgreSQL's catalogue spells it (`format_type`).
pub(super) fn declared(kind: Kind) -> String {
    match kind {
        Kind::Id => "numeric(20,0)".to_owned(),
        Kind::Text(length) => format!("character varying({length})"),
        Kind::Date => "numeric(8,0)".to_owned(),
        Kind::Period => "numeric(6,0)".to_owned(),
        Kind::Time => "numeric(14,0)".to_owned(),
        Kind::Money => "numeric(16,2)".to_owned(),
        Kind::Rate { precision, scale } => format!("numeric({precision},{scale})"),
        Kind::Int(digits) => format!("numeric({digits},0)"),
    }
}

/// The tables that are loaded: those that are uploaded, parents first.
pub fn loaded(national: &National) -> impl Iterator<Item = &Table> {
    national.tables.iter().filter(|t| t.upload)
}

/// The whole DDL of a schema, one statement each: code tables with their codes, tables with comments. What can refuse a single row
/// (type, length, NOT NULL, CHECK) is there from the start; keys are added behind the load ([`keys`]).
pub(super) fn tables(national: &National, schema: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (list, codes) in &national.codes {
        let table = qualified(schema, &code_table(list));
        all.push(format!(
            "CREATE TABLE {table} (code character varying(20) PRIMARY KEY, name character varying(400) NOT NULL)"
        ));
        let rows: Vec<String> = codes
            .codes
            .iter()
            .map(|(code, of)| format!("({}, {})", literal(code), literal(&of.name)))
            .collect();
        if !rows.is_empty() {
            all.push(format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
        }
    }
    for table in loaded(national) {
        all.push(create(national, table, schema));
        let qualified = qualified(schema, &table.name);
        all.push(format!("COMMENT ON TABLE {qualified} IS {}", literal(&table.title)));
        for column in &table.columns {
            let of = format!("{qualified}.{}", name(&column.code));
            all.push(format!("COMMENT ON COLUMN {of} IS {}", literal(&column.title)));
        }
    }
    all
}

fn create(national: &National, table: &Table, schema: &str) -> String {
    let held = checks(national, table);
    let required =
        |code: &str| held.iter().any(|c| matches!(&c.holds, Holds::NotNull { column } if column == code));
    let mut lines = Vec::new();
    for column in &table.columns {
        let null = if required(&column.code) { " NOT NULL" } else { "" };
        lines.push(format!("  {} {}{null}", name(&column.code), declared(column.kind)));
        if let (Kind::Text(length), LengthIn::Bytes) = (column.kind, national.length_in) {
            lines.push(format!("  CHECK (octet_length({}) <= {length})", name(&column.code)));
        }
    }
    for check in &held {
        if let Holds::Row { predicate } = &check.holds {
            lines.push(format!("  CONSTRAINT {} CHECK ({predicate})", quote(&check.name)));
        }
    }
    format!("CREATE TABLE {} (\n{}\n)", qualified(schema, &table.name), lines.join(",\n"))
}

/// The statement that adds a key, for what a key can say.
pub(super) fn key(check: &Check, schema: &str) -> Option<String> {
    let columns = |of: &[String]| of.iter().map(|c| name(c)).collect::<Vec<_>>().join(", ");
    let add =
        format!("ALTER TABLE {} ADD CONSTRAINT {}", qualified(schema, &check.table), quote(&check.name));
    match &check.holds {
        Holds::Unique { columns: of } => Some(format!("{add} PRIMARY KEY ({})", columns(of))),
        Holds::Code { column, list } => Some(format!(
            "{add} FOREIGN KEY ({}) REFERENCES {} (code)",
            name(column),
            qualified(schema, &code_table(list))
        )),
        Holds::Parent { columns: of, parent, parent_key, when: None } => Some(format!(
            "{add} FOREIGN KEY ({}) REFERENCES {} ({})",
            columns(of),
            qualified(schema, parent),
            columns(parent_key)
        )),
        Holds::Parent { when: Some(_), .. } | Holds::NotNull { .. } | Holds::Row { .. } => None,
    }
}
