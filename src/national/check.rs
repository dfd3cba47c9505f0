//! Whether the tables of the national schema fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use toml::Spanned;

use super::file::{ColumnFile, Reader, TableFile, Text, kind, unknown};
use super::{CodeList, Degree, GateFile, Kind, Mandatory, Rule, Table};
use crate::phrase;

/// What a table is checked against.
struct CheckContext<'a> {
    names: BTreeMap<&'a str, &'a TableFile>,
    codes: &'a BTreeMap<String, CodeList>,
    rules: &'a BTreeMap<String, Rule>,
    gate: &'a GateFile,
    common: &'a [ColumnFile],
}

/// Checks every table file; the tables come in file order.
pub(super) fn tables(
    reader: &mut Reader,
    read: &[(Text, TableFile)],
    common: &[ColumnFile],
    codes: &BTreeMap<String, CodeList>,
    rules: &BTreeMap<String, Rule>,
    gate: &GateFile,
) -> Vec<Table> {
    let names = read.iter().map(|(_, f)| (f.table.get_ref().as_str(), f)).collect();
    let context = CheckContext { names, codes, rules, gate, common };
    let mut tables = Vec::new();
    for (text, file) in read {
        let mut seen = BTreeSet::new();
        for column in file.column.iter().chain(common) {
            if !seen.insert(column.code.get_ref().clone()) {
                reader.fault(
                    text,
                    column.code.span(),
                    phrase!("national.twice", name = column.code.get_ref()),
                );
            }
        }
        file.column.iter().for_each(|c| column(reader, text, c, &context));
        keys(reader, text, file, &seen);
        parents(reader, text, file, &context, &seen);
        let table = file.table(common);
        predicates(reader, text, file, &table);
        tables.push(table);
    }
    tables
}

fn column(reader: &mut Reader, text: &Text, column: &ColumnFile, context: &CheckContext<'_>) {
    let parsed = kind(column.kind.get_ref());
    if parsed.is_none() {
        let message = phrase!("national.type");
        reader.fault(text, column.kind.span(), message);
    }
    if column.measure && parsed != Some(Kind::Money) {
        reader.fault(text, column.kind.span(), phrase!("national.measure"));
    }
    if column.when.is_some() && *column.mandatory.get_ref() != Mandatory::No {
        reader.fault(text, column.mandatory.span(), phrase!("national.when"));
    }
    if let Some(rule) = &column.empty {
        let known = context.rules.contains_key(rule.get_ref());
        if !known || context.gate.decide(rule.get_ref(), Degree::Hard).is_none() {
            reader.fault(
                text,
                rule.span(),
                unknown(phrase!("national.empty_rule"), rule.get_ref(), context.rules.keys()),
            );
        }
    }
    let Some(list) = &column.codes else { return };
    let Some(codes) = context.codes.get(list.get_ref()) else {
        reader.fault(
            text,
            list.span(),
            unknown(phrase!("national.code_list"), list.get_ref(), context.codes.keys()),
        );
        return;
    };
    match parsed {
        Some(Kind::Text(length)) => {
            if let Some(long) = codes.codes.keys().find(|c| c.chars().count() > length as usize) {
                reader.fault(text, list.span(), phrase!("national.code_long", long, length));
            }
        }
        _ => reader.fault(text, column.kind.span(), phrase!("national.codes_text")),
    }
}

fn keys(reader: &mut Reader, text: &Text, file: &TableFile, columns: &BTreeSet<String>) {
    if file.key.is_empty() {
        reader.fault(text, file.table.span(), phrase!("national.table_key"));
    }
    let named =
        file.key.iter().chain(file.natural.iter().flatten()).chain(&file.insurance).chain(&file.period);
    for name in named {
        if !columns.contains(name.get_ref()) {
            reader.fault(text, name.span(), unknown(phrase!("national.column"), name.get_ref(), columns));
        }
    }
    // A column that every table carries (common.toml) is never mandatory.
    for name in &file.key {
        let own = file.column.iter().find(|c| c.code.get_ref() == name.get_ref());
        if file.upload() && own.is_some_and(|c| *c.mandatory.get_ref() != Mandatory::Hard) {
            reader.fault(text, name.span(), phrase!("national.key_hard"));
        }
    }
}

fn parents(
    reader: &mut Reader,
    text: &Text,
    file: &TableFile,
    context: &CheckContext<'_>,
    columns: &BTreeSet<String>,
) {
    for parent in &file.parent {
        if !context.rules.contains_key(parent.rule.get_ref()) {
            reader.fault(
                text,
                parent.rule.span(),
                unknown(phrase!("national.rule"), parent.rule.get_ref(), context.rules.keys()),
            );
        }
        if reader.unread.contains(parent.table.get_ref()) {
            continue;
        }
        let Some(other) = context.names.get(parent.table.get_ref().as_str()) else {
            let known: Vec<String> = context.names.keys().map(|n| (*n).to_owned()).collect();
            reader.fault(
                text,
                parent.table.span(),
                unknown(phrase!("national.table"), parent.table.get_ref(), &known),
            );
            continue;
        };
        if other.key.len() != parent.columns.len() {
            let message =
                phrase!("national.key_columns", table = parent.table.get_ref(), count = other.key.len());
            reader.fault(text, parent.table.span(), message);
        }
        let kind_in = |f: &TableFile, name: &str| {
            let all = f.column.iter().chain(context.common);
            all.filter(|c| c.code.get_ref() == name).find_map(|c| kind(c.kind.get_ref()))
        };
        for (column, key) in parent.columns.iter().zip(&other.key) {
            if !columns.contains(column.get_ref()) {
                reader.fault(
                    text,
                    column.span(),
                    unknown(phrase!("national.column"), column.get_ref(), columns),
                );
            } else if kind_in(file, column.get_ref()) != kind_in(other, key.get_ref()) {
                let message =
                    phrase!("national.other_type", column = column.get_ref(), table = parent.table.get_ref());
                reader.fault(text, column.span(), message);
            }
        }
    }
}

/// Predicates name columns of their table and are true or false.
fn predicates(reader: &mut Reader, text: &Text, file: &TableFile, table: &Table) {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let ctx = SessionContext::new_with_config(config);
    let empty = Arc::new(EmptyTable::new(table.mapped_schema()));
    if ctx.register_table(datafusion::common::TableReference::bare(table.name.as_str()), empty).is_err() {
        return;
    }
    let whens = file.column.iter().filter_map(|c| c.when.as_ref());
    let all: Vec<&Spanned<String>> =
        whens.chain(&file.scope).chain(file.parent.iter().filter_map(|p| p.when.as_ref())).collect();
    for predicate in all {
        let sql = format!("SELECT 1 FROM \"{}\" WHERE {}", table.name, predicate.get_ref());
        let planned = futures::executor::block_on(ctx.sql(&sql));
        if let Err(e) = planned {
            reader.fault(
                text,
                predicate.span(),
                phrase!("national.predicate", table = table.name, why = e.strip_backtrace()),
            );
        }
    }
}
