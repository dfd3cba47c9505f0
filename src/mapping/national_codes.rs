//! Whether the national codes that a city's lists give are codes of the national columns that they feed.
//!
//! Always: a list has one mistake for a national code list, at its first wrong line, with every code that is not there. Looked at is what an
//! expression gives as it stands: columns read through a list, `code_of`, and what coalesce, CASE and the like pass on of them.
//! Must not know: legacy codes; whether any row has them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::sql::sqlparser::ast::Expr;

use super::branches::CheckContext;
use super::csv::Sheet;
use super::fault::{MappingFault, Mistake};
use super::file::{Branch, Content, Reading, SourceView, TableMapping};
use super::refs;
use crate::national::CodeList;
use crate::nearest::nearest;
use crate::phrase;

/// So many codes of one list are named; a list that lost its zeros has them all wrong.
const NAMED: usize = 10;

/// Notes every list of the city that gives a national column codes which its national code list does not have.
pub(super) fn check(
    context: &CheckContext<'_>,
    tables: &[TableMapping],
    sheets: &BTreeMap<String, Sheet>,
    faults: &mut Vec<MappingFault>,
) {
    for ((list, national), column) in fed(context, tables) {
        let (Some(sheet), Some(codes)) = (sheets.get(&list), context.national.codes.get(national)) else {
            continue;
        };
        faults.extend(unknown(sheet, national, codes, &column));
    }
}

/// Which lists of the city feed which national code lists, with the first column by which they do (`AC01.AAC005`).
fn fed<'n>(context: &CheckContext<'n>, tables: &[TableMapping]) -> BTreeMap<(String, &'n str), String> {
    let mut found = BTreeMap::new();
    for table in tables {
        let Some(national) = context.national.table(&table.table) else { continue };
        for branch in &table.branches {
            for mapped in branch.all_columns() {
                let column = national.column(&mapped.column);
                let (Some(codes), Content::Sql { sql, .. }) =
                    (column.and_then(|c| c.codes.as_deref()), &mapped.content)
                else {
                    continue;
                };
                for list in lists(context.views, branch, sql) {
                    let name = || format!("{}.{}", table.table, mapped.column);
                    found.entry((list, codes)).or_insert_with(name);
                }
            }
        }
    }
    found
}

/// The lists of which an expression gives national codes.
fn lists(views: &[SourceView], branch: &Branch, sql: &str) -> BTreeSet<String> {
    let Ok(expression) = refs::parse(sql) else { return BTreeSet::new() };
    let of_column = |e: &Expr| {
        let column = refs::plain(e)?;
        let mut legacy = std::iter::once(&branch.from).chain(branch.joins.iter().map(|j| &j.legacy));
        let view = legacy.find(|l| l.alias == column.alias)?;
        match &views.iter().find(|v| v.name == view.view)?.column(&column.column)?.reading {
            Reading::Viewed(viewed) => viewed.codes.clone(),
            Reading::Skip(_) => None,
        }
    };
    let of_call = |e: &Expr| {
        let Expr::Function(f) = e else { return None };
        let called = f.name.to_string().eq_ignore_ascii_case("code_of");
        refs::arguments(&f.args).first().filter(|_| called).and_then(|list| refs::literal(list))
    };
    refs::values(&expression).into_iter().filter_map(|e| of_column(e).or_else(|| of_call(e))).collect()
}

/// The codes of a list that the national one does not have; an empty code is a declared NULL.
fn unknown(sheet: &Sheet, national: &str, codes: &CodeList, column: &str) -> Option<MappingFault> {
    let wrong: Vec<(usize, &str)> = sheet
        .rows
        .iter()
        .map(|(line, row)| (*line, row[1].trim()))
        .filter(|(_, code)| !code.is_empty() && !codes.codes.contains_key(*code))
        .collect();
    let (first, _) = wrong.first()?;
    let without = |code: &str| code.trim_start_matches('0').to_owned();
    let zeros = |code: &str| codes.codes.keys().find(|k| without(k) == without(code)).cloned();
    let mut lost = false;
    let mut named: Vec<String> = Vec::new();
    for (line, code) in wrong.iter().take(NAMED) {
        let padded = zeros(code);
        lost |= padded.is_some();
        let near = padded.unwrap_or_else(|| nearest(code, codes.codes.keys().map(String::as_str)));
        named.push(phrase!("mapping.code_near", code, line, near));
    }
    if wrong.len() > NAMED {
        named.push(phrase!("mapping.more", count = wrong.len() - NAMED));
    }
    let message = phrase!("mapping.no_code", column, national, codes = named.join(", "));
    let hint =
        if lost { phrase!("mapping.zeros").to_owned() } else { phrase!("mapping.no_code_hint", national) };
    Some(sheet.fault(Mistake::CodeList, *first, message).hint(hint))
}
