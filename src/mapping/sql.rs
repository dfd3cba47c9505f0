//! The SELECTs of a branch, the same text for the check at loading and for the run.
//!
//! Always: the driving table is `_from`, the joined views are `_join0`, `_join1`, …; the result has the mapped national columns, `_key`, and
//! what orders it. Whatever is not unique by itself is ordered by `_key`, `_skey` and then by what tells equal ones apart.
//! Must not know: where the tables lie.

use super::file::{Branch, Content, Group, Mapped, Part, Shape};
use crate::sql_ident::quote;

/// So many rows of a key that a join finds several times are named.
const NAMED_ROWS: usize = 2;

/// Registered name of the driving table.
pub(super) const FROM: &str = "_from";

/// Registered name of a joined view.
pub(super) fn join_name(i: usize) -> String {
    format!("_join{i}")
}

/// National columns that have an expression, in order.
pub(super) fn computed<'a>(columns: impl IntoIterator<Item = &'a Mapped>) -> Vec<(&'a str, &'a str)> {
    let sql = |m: &'a Mapped| match &m.content {
        Content::Sql { sql, .. } => Some((m.column.as_str(), sql.as_str())),
        Content::Absent(_) => None,
    };
    columns.into_iter().filter_map(sql).collect()
}

fn where_clause(conditions: &[&str]) -> String {
    let all: Vec<String> = conditions.iter().map(|c| format!("({c})")).collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

fn joins(branch: &Branch) -> String {
    let one = |(i, join): (usize, &super::file::Join)| {
        format!(" LEFT JOIN {} AS {} ON {}", join_name(i), join.legacy.alias, join.on)
    };
    branch.joins.iter().enumerate().map(one).collect()
}

fn filter(branch: &Branch) -> Vec<&str> {
    branch.filter.iter().map(|f| f.sql.as_str()).collect()
}

fn key_expression(columns: &[(&str, &str)], key: &[String]) -> String {
    if key.is_empty() {
        return "'' AS \"_key\"".to_owned();
    }
    let part = |k: &String| {
        let sql = columns.iter().find(|(c, _)| c == k).map_or("NULL", |(_, sql)| *sql);
        format!("({sql})")
    };
    format!("key_text({}) AS \"_key\"", key.iter().map(part).collect::<Vec<_>>().join(", "))
}

fn list(columns: &[(&str, &str)]) -> String {
    columns.iter().map(|(c, sql)| format!("({sql}) AS {}, ", quote(c))).collect()
}

/// The order of a branch's rows: that of its parts, or by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    AsItComes,
    ByKey,
}

/// The rows of a branch, of any shape; of a split as one query, which is planned but never run: that has a query for each part.
pub(super) fn rows(branch: &Branch, key: &[String], order: Order) -> String {
    match &branch.shape {
        Shape::Row => row(branch, key, order),
        Shape::Split(parts) => each_part(branch, parts, key, Order::AsItComes).join(" UNION ALL "),
        Shape::Group(group) => grouped(branch, group, key),
    }
}

fn sorted(order: Order) -> &'static str {
    match order {
        Order::AsItComes => "",
        Order::ByKey => " ORDER BY \"_key\", \"_skey\"",
    }
}

fn row(branch: &Branch, key: &[String], order: Order) -> String {
    let columns = computed(&branch.columns);
    format!(
        "SELECT {}{}, {alias}.\"_skey\" AS \"_skey\" FROM {FROM} AS {alias}{}{}{}",
        list(&columns),
        key_expression(&columns, key),
        joins(branch),
        where_clause(&filter(branch)),
        sorted(order),
        alias = branch.from.alias,
    )
}

/// One part of a split branch: the branch's columns and its own.
fn part(branch: &Branch, part: &Part, key: &[String], names: &[&str], order: Order) -> String {
    let own = computed(branch.columns.iter().chain(&part.columns));
    let all: Vec<(&str, &str)> = names
        .iter()
        .map(|n| (*n, own.iter().find(|(c, _)| c == n).map_or("NULL", |(_, sql)| *sql)))
        .collect();
    let mut conditions = filter(branch);
    conditions.push(&part.when);
    format!(
        "SELECT {}{}, {alias}.\"_skey\" AS \"_skey\" FROM {FROM} AS {alias}{}{}{}",
        list(&all),
        key_expression(&own, key),
        joins(branch),
        where_clause(&conditions),
        sorted(order),
        alias = branch.from.alias,
    )
}

/// Every part of a split branch, a query each, with the same columns.
pub(super) fn each_part(branch: &Branch, parts: &[Part], key: &[String], order: Order) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in computed(branch.all_columns()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    parts.iter().map(|one| part(branch, one, key, &names, order)).collect()
}

/// The driving table of a group branch with `_occ`: 1, or the number of the row among those of its group and occurrence.
fn numbered(branch: &Branch, group: &Group) -> String {
    let alias = &branch.from.alias;
    let occurrence = if group.occurrence.is_empty() {
        "CAST(1 AS BIGINT)".to_owned()
    } else {
        let by: Vec<&str> = group.by.iter().chain(&group.occurrence).map(String::as_str).collect();
        let over = format!("PARTITION BY {} ORDER BY {alias}.\"_skey\"", by.join(", "));
        format!("CAST(row_number() OVER ({over}) AS BIGINT)")
    };
    let rows = where_clause(&filter(branch));
    format!("(SELECT {alias}.*, {occurrence} AS \"_occ\" FROM {FROM} AS {alias}{rows}) AS {alias}")
}

fn grouped(branch: &Branch, group: &Group, key: &[String]) -> String {
    let columns = computed(&branch.columns);
    let by = group.by.iter().map(|g| format!("{g}, ")).collect::<String>();
    let names: Vec<String> = (0..group.by.len()).map(|i| format!("\"_g{i}\"")).collect();
    let shown: String = group.by.iter().zip(&names).map(|(g, n)| format!("{g} AS {n}, ")).collect();
    format!(
        "SELECT {}{shown}{alias}.\"_occ\" AS \"_occ\", {} FROM {}{} GROUP BY {by}{alias}.\"_occ\" \
         ORDER BY \"_key\", {}, \"_occ\"",
        list(&columns),
        key_expression(&columns, key),
        numbered(branch, group),
        joins(branch),
        names.join(", "),
        alias = branch.from.alias,
    )
}

/// Which row went into which group row: `_key`, `_skey`.
pub(super) fn lineage(branch: &Branch, group: &Group, key: &[String]) -> String {
    format!(
        "SELECT {}, {alias}.\"_skey\" AS \"_skey\" FROM {} ORDER BY \"_key\", \"_skey\"",
        key_expression(&computed(&branch.columns), key),
        numbered(branch, group),
        alias = branch.from.alias,
    )
}

/// One expression over the rows of a branch with its first `joins` joins, unfiltered.
pub(super) fn probe(branch: &Branch, joined: usize, expression: &str) -> String {
    let few = Branch { joins: branch.joins[..joined.min(branch.joins.len())].to_vec(), ..branch.clone() };
    let alias = &branch.from.alias;
    format!("SELECT ({expression}) AS x FROM {FROM} AS {alias}{}", joins(&few))
}

/// Rows that pass the filter of a split branch, and rows of which at least one part is true.
pub(super) fn used(branch: &Branch, parts: &[Part]) -> String {
    let any: Vec<String> = parts.iter().map(|p| format!("({})", p.when)).collect();
    format!(
        "SELECT count(*) AS passed, count(*) FILTER (WHERE {}) AS used FROM {FROM} AS {}{}{}",
        any.join(" OR "),
        branch.from.alias,
        joins(branch),
        where_clause(&filter(branch)),
    )
}

/// The first rows of a joined view that have a key of that text.
pub(super) fn rows_of_key(table: &str, columns: &[String], key: &str) -> String {
    let by = columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
    let key = key.replace('\'', "''");
    format!(
        "SELECT _source, _skey FROM {table} WHERE key_text({by}) = '{key}' ORDER BY _source, _skey LIMIT {NAMED_ROWS}"
    )
}

/// Keys of a joined view that several of its rows have: their number, and one of them as text.
pub(super) fn duplicates(table: &str, columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|c| quote(c)).collect();
    let filled: Vec<String> = names.iter().map(|n| format!("{n} IS NOT NULL")).collect();
    let by = names.join(", ");
    format!(
        "SELECT count(*) AS n, key_text({by}) AS k FROM {table} WHERE {} GROUP BY {by} HAVING count(*) > 1 \
         ORDER BY k LIMIT 1",
        filled.join(" AND ")
    )
}
