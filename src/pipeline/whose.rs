//! Whose row a finding or an item is about: joins that add the person, the unit and columns of the row to a query over `f`.
//!
//! Always: one row of `f` stays one row; what the run does not have is NULL.
//! Must not know: what the query is for, or how anything is masked.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;

use super::RunError;
use super::finished::Finished;
use crate::dataset::{left_parts, register};
use crate::national::{National, Table};
use crate::sql_ident::quote;

/// The columns that say whose a row is, the tables of whom, and what is told of them.
const LINKS: [(&str, &str, &[&str]); 2] =
    [("AAC001", "AC01", &["AAC999", "AAC003"]), ("AAB001", "AB01", &["AAB999", "AAB004", "AAB301"])];

/// About which row a query over `f` says more.
#[derive(Clone, Copy)]
pub(super) enum RowOf {
    /// The row of the line itself.
    Line,
    /// Of a merge the row that stays (`after_key`).
    Survivor,
}

impl RowOf {
    /// What stands before the names that it gives.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Line => "",
            Self::Survivor => "to_",
        }
    }

    /// By what its row is found: columns, how they are grouped, and the condition.
    fn by(self) -> [&'static str; 3] {
        match self {
            Self::Line => [
                "_key, _source, coalesce(_skey, '') AS _skey",
                "_key, _source, coalesce(_skey, '')",
                "r._key = f._key AND r._source = f._source AND r._skey = coalesce(f._skey, '')",
            ],
            Self::Survivor => ["_key", "_key", "to_r._key = f.after_key"],
        }
    }
}

/// The name under which a query gives a column of the row.
pub(super) fn row_column(row: RowOf, column: &str) -> String {
    format!("{}row.{column}", row.prefix())
}

/// A query over `f` that grows.
pub(super) struct Query<'a> {
    pub(super) of: &'a Finished,
    pub(super) national: &'a National,
    pub(super) session: &'a SessionContext,
    pub(super) columns: String,
    pub(super) joins: String,
}

impl Query<'_> {
    /// Adds the person and the unit of a row, and some columns of it (`row_column`). A table that names neither person nor unit belongs to
    /// that of its parent, as an account's year does to the account's.
    pub(super) fn whose(&mut self, table: &Table, row: RowOf, shown: &[String]) -> Result<(), RunError> {
        let own = links(table);
        let parent = table.parents.iter().find_map(|p| {
            let to = self.national.table(&p.table).filter(|t| own.is_empty() && !links(t).is_empty())?;
            Some((to, p.columns.iter().map(String::as_str).collect::<Vec<_>>()))
        });
        let through = parent.iter().flat_map(|(_, through)| through.iter().copied());
        let shown_too = shown.iter().map(String::as_str);
        let wanted: BTreeSet<&str> = own.iter().copied().chain(through).chain(shown_too).collect();
        let wanted: Vec<&str> = wanted.into_iter().collect();
        let x = row.prefix();
        let rows = self.rows(&format!("{x}row"), &table.name, &wanted)?;
        let Some(rows) = rows.filter(|_| !wanted.is_empty()) else { return Ok(()) };
        let [by, group, on] = row.by();
        self.joins.push_str(&format!(
            " LEFT JOIN (SELECT {by}, {} FROM ({rows}) GROUP BY {group}) AS {x}r ON {on}",
            least(&wanted)
        ));
        for column in shown {
            let name = quote(&row_column(row, column));
            self.columns.push_str(&format!(", {x}r.{} AS {name}", quote(column)));
        }
        match parent {
            None => self.people(x, &own, "r"),
            Some((to, through)) => {
                let to_links = links(to);
                if self.parent(x, to, &through)? { self.people(x, &to_links, "t") } else { Ok(()) }
            }
        }
    }

    /// Joins the parent's row as `t`; false where the run has none.
    fn parent(&mut self, x: &str, to: &Table, through: &[&str]) -> Result<bool, RunError> {
        let (keys, links): (Vec<&str>, _) = (to.key.iter().map(String::as_str).collect(), links(to));
        let Some(rows) = self.rows(&format!("{x}parent"), &to.name, &[&keys[..], &links].concat())? else {
            return Ok(false);
        };
        let same = |(key, own): (&&str, &&str)| format!("{x}t.{} = {x}r.{}", quote(key), quote(own));
        let same: Vec<String> = keys.iter().zip(through).map(same).collect();
        let keys: Vec<String> = keys.iter().map(|k| quote(k)).collect();
        self.joins.push_str(&format!(
            " LEFT JOIN (SELECT {0}, {1} FROM ({rows}) GROUP BY {0}) AS {x}t ON {2}",
            keys.join(", "),
            least(&links),
            same.join(" AND ")
        ));
        Ok(true)
    }

    /// Joins person and unit by the links of a row.
    fn people(&mut self, x: &str, links: &[&str], row: &str) -> Result<(), RunError> {
        for (at, (link, table, told)) in LINKS.into_iter().enumerate() {
            let wanted = [&[link], told].concat();
            let rows = links.contains(&link).then(|| self.rows(&format!("{x}of{at}"), table, &wanted));
            let Some(rows) = rows.transpose()?.flatten() else { continue };
            self.joins.push_str(&format!(
                " LEFT JOIN (SELECT {0}, {1} FROM ({rows}) GROUP BY {0}) AS {x}o{at} ON {x}o{at}.{0} = {x}{row}.{0}",
                quote(link),
                least(told)
            ));
            for column in told {
                let name = quote(&format!("{x}{column}"));
                self.columns.push_str(&format!(", {x}o{at}.{} AS {name}", quote(column)));
            }
        }
        Ok(())
    }

    /// Some columns of the accepted and other rows of a table; none where it has no parts.
    fn rows(&self, name: &str, table: &str, columns: &[&str]) -> Result<Option<String>, RunError> {
        let columns: String = columns.iter().map(|c| format!(", {}", quote(c))).collect();
        let dir = &self.of.dir;
        let mut sides = Vec::new();
        for (side, folder) in [("staged", dir.staged(table)), ("rejected", dir.rejected(table))] {
            let parts = left_parts(&folder)?;
            if !parts.is_empty() {
                let name = format!("{name}_{side}");
                register(self.session, &name, &parts)?;
                sides.push(format!("SELECT _key, _source, _skey{columns} FROM {name}"));
            }
        }
        Ok((!sides.is_empty()).then(|| sides.join(" UNION ALL ")))
    }
}

fn links(table: &Table) -> Vec<&'static str> {
    LINKS.into_iter().map(|(link, ..)| link).filter(|link| table.column(link).is_some()).collect()
}

/// Of some columns the least value, each under its own name.
fn least(columns: &[&str]) -> String {
    columns.iter().map(|c| format!("min({0}) AS {0}", quote(c))).collect::<Vec<_>>().join(", ")
}
