//! A legacy table whose columns are no longer those of the last extract: refuse with the difference, freeze, or accept.
//!
//! Always: never a column that silently turns NULL; what was chosen is configuration, and named.

use std::collections::{BTreeMap, BTreeSet};

use super::ExtractError;
use super::increment::earlier;
use crate::source::{Drift, Source, Table, TableSettings};
use crate::state::{ReadColumn, Reading, State, StateError};

/// The columns of a table that are read, as they are compared.
pub(super) fn columns(table: &Table) -> Vec<ReadColumn> {
    table.columns.iter().map(compared).collect()
}

/// The columns that the mapping skips.
pub(super) fn unread(table: &Table) -> Vec<ReadColumn> {
    table.unread.iter().map(compared).collect()
}

fn compared(column: &crate::source::Column) -> ReadColumn {
    ReadColumn { name: column.name.clone(), declared: column.declared.clone() }
}

/// The table itself has not changed, but the mapping reads other columns of it now.
pub(super) fn chosen_full_refresh(table: &Table, before: &Reading) -> bool {
    let (now, now_unread) = (columns(table), unread(table));
    let known = |c: &ReadColumn| before.columns.contains(c) || before.unread.contains(c);
    now != before.columns
        && now.iter().all(known)
        && before.columns.iter().all(|c| now.contains(c) || now_unread.contains(c))
}

/// What follows from comparing with the last extract.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Same,
    /// They differ, and that is accepted, or the mapping chose so: the table is read again.
    Accepted,
}

/// Compares a table with its last extract; `freeze` cuts the table back to the columns of then.
///
/// # Errors
/// `EXT-005` with the difference.
pub(super) fn reconcile_columns(
    table: &mut Table,
    before: &Reading,
    drift: Drift,
) -> Result<Columns, ExtractError> {
    let now = columns(table);
    if chosen_full_refresh(table, before) {
        return Ok(Columns::Accepted);
    }
    let before = before.columns.as_slice();
    if now == before {
        return Ok(Columns::Same);
    }
    let difference = difference(before, &now);
    let refused = |choices: &'static str| ExtractError::Drift {
        table: table.name.clone(),
        difference: difference.clone(),
        choices,
    };
    match drift {
        Drift::Accept => {
            tracing::warn!(table = table.name, difference, "the columns changed, which is accepted");
            Ok(Columns::Accepted)
        }
        Drift::Freeze if before.iter().all(|c| now.contains(c)) => {
            tracing::warn!(table = table.name, difference, "new columns are not read");
            cut(table, before);
            Ok(Columns::Same)
        }
        Drift::Freeze => Err(refused("`accept`: columns that were dropped or retyped cannot be frozen")),
        Drift::Stop => Err(refused("`accept` (read the table again) or `freeze` (leave new columns out)")),
    }
}

/// Compares a table with its last extract, and changes nothing.
///
/// # Errors
/// `EXT-005` with the difference; those of state.db.
pub fn drifted(state: &State, source: &dyn Source, table: &Table, drift: Drift) -> Result<(), ExtractError> {
    let before = earlier(state, source.id(), None, &source.reading(), &table.name)?;
    before
        .first()
        .map_or(Ok(()), |(_, before)| reconcile_columns(&mut table.clone(), before, drift).map(drop))
}

/// Tables of the newest complete extract that the source, which has these, no longer has, and whose loss is not accepted: an
/// `EXT-005` each.
///
/// # Errors
/// Those of state.db.
pub fn vanished(
    state: &State,
    source: &dyn Source,
    has: &BTreeSet<&str>,
    settings: &BTreeMap<String, TableSettings>,
) -> Result<Vec<ExtractError>, StateError> {
    let last = state.latest_extract(source.id())?.filter(|e| e.of.settings == source.reading());
    let tables = last.map(|e| e.of.tables).unwrap_or_default();
    let mut gone = Vec::new();
    for table in tables.into_iter().filter(|t| !has.contains(t.as_str())) {
        if settings.get(&table).is_some_and(|s| s.drift == Drift::Accept) {
            tracing::warn!(table, "the source no longer has this table, which is accepted");
            continue;
        }
        let choices = "`accept` (its rows leave the current view)";
        gone.push(ExtractError::Drift { table, difference: "- the whole table".to_owned(), choices });
    }
    Ok(gone)
}

/// The table with those of its columns that were read before, in the order of then. A key that is no longer whole is none.
pub(super) fn cut(table: &mut Table, before: &[ReadColumn]) {
    let place = |name: &str| before.iter().position(|b| b.name == name);
    table.columns.retain(|c| place(&c.name).is_some());
    table.columns.sort_by_key(|c| place(&c.name));
    if !table.key.iter().all(|k| table.column(k).is_some()) {
        table.key.clear();
    }
}

fn difference(before: &[ReadColumn], now: &[ReadColumn]) -> String {
    let mut parts = Vec::new();
    for column in before {
        match now.iter().find(|c| c.name == column.name) {
            None => parts.push(format!("- {} {}", column.name, column.declared)),
            Some(c) if c.declared != column.declared => {
                parts.push(format!("~ {} {} → {}", column.name, column.declared, c.declared));
            }
            Some(_) => {}
        }
    }
    for column in now.iter().filter(|c| !before.iter().any(|b| b.name == c.name)) {
        parts.push(format!("+ {} {}", column.name, column.declared));
    }
    if parts.is_empty() { "the order of the columns".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{Columns, columns, reconcile_columns};
    use crate::source::{Column, Drift, LegacyType, Table};
    use crate::state::{ReadColumn, Reading};

    fn table(columns: &[(&str, &str)]) -> Table {
        let column = |(name, declared): &(&str, &str)| Column {
            name: (*name).to_owned(),
            declared: (*declared).to_owned(),
            kind: LegacyType::parse(declared, chrono_tz::Tz::Asia__Shanghai),
            nullable: true,
            ..Column::default()
        };
        Table { name: "T".to_owned(), columns: columns.iter().map(column).collect(), ..Table::default() }
    }

    fn read(columns: Vec<ReadColumn>) -> Reading {
        Reading {
            table: "T".to_owned(),
            method: "full".to_owned(),
            base: None,
            columns,
            unread: Vec::new(),
            identity: None,
            key: Vec::new(),
            watermark: None,
            view: None,
            deletes: None,
            changed: None,
        }
    }

    fn check(
        before: &[(&str, &str)],
        now: &[(&str, &str)],
        drift: Drift,
    ) -> Result<(Columns, usize), String> {
        let before = read(columns(&table(before)));
        let mut now = table(now);
        reconcile_columns(&mut now, &before, drift).map(|c| (c, now.columns.len())).map_err(|e| e.to_string())
    }

    #[test]
    fn a_key_that_lost_a_column_to_the_freeze_is_no_key() {
        let before = read(columns(&table(&[("B", "int"), ("A", "int")])));
        let mut now = Table {
            key: vec!["A".to_owned(), "N".to_owned()],
            ..table(&[("A", "int"), ("N", "int"), ("B", "int")])
        };
        assert_eq!(reconcile_columns(&mut now, &before, Drift::Freeze).unwrap(), Columns::Same);
        assert_eq!(
            (columns(&now), now.key.len()),
            (before.columns, 0),
            "as it was read before, and by no key"
        );
    }

    #[test]
    fn a_changed_table_stops_with_the_difference_unless_a_choice_was_made() {
        let old = [("A", "int"), ("B", "varchar(5)")];
        assert_eq!(check(&old, &old, Drift::Stop), Ok((Columns::Same, 2)));
        let wider = [("A", "int"), ("B", "varchar(9)"), ("C", "int")];
        let refused = check(&old, &wider, Drift::Stop).unwrap_err();
        assert!(refused.contains("~ B varchar(5) → varchar(9), + C int"), "{refused}");
        assert_eq!(check(&old, &wider, Drift::Accept), Ok((Columns::Accepted, 3)));
        assert!(check(&old, &wider, Drift::Freeze).is_err());
        let more = [("C", "int"), ("A", "int"), ("B", "varchar(5)")];
        assert_eq!(check(&old, &more, Drift::Freeze), Ok((Columns::Same, 2)));
        let fewer = check(&old, &[("A", "int")], Drift::Stop).unwrap_err();
        assert!(fewer.contains("- B varchar(5)"), "{fewer}");
    }

    #[test]
    fn columns_that_the_mapping_reads_or_skips_from_now_on_are_no_drift() {
        let all = [("A", "int"), ("B", "varchar(5)"), ("C", "geometry")];
        let before = read(columns(&table(&all[..2])));
        let before = Reading { unread: columns(&table(&all[2..])), ..before };
        for wanted in [&["A"][..], &["A", "B", "C"], &["C"]] {
            let mut now = table(&all).reading_only(|c| wanted.contains(&c));
            assert_eq!(
                reconcile_columns(&mut now, &before, Drift::Stop).unwrap(),
                Columns::Accepted,
                "{wanted:?}"
            );
        }
        // A skipped column may change or go.
        let mut now = table(&[("A", "int"), ("B", "varchar(5)"), ("C", "int")]).reading_only(|c| c != "C");
        assert_eq!(reconcile_columns(&mut now, &before, Drift::Stop).unwrap(), Columns::Same);
        let mut now = table(&all[..2]);
        assert_eq!(reconcile_columns(&mut now, &before, Drift::Stop).unwrap(), Columns::Same);
        // A column that is read at last, but is another one by now.
        let mut now = table(&[("A", "int"), ("B", "varchar(5)"), ("C", "int")]);
        assert!(reconcile_columns(&mut now, &before, Drift::Stop).is_err());
    }
}
