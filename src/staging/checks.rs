//! What must hold of staged rows in the staging database, as one list: for the DDL, for the names of what broke, and for the engine
//! where there is no server.
//!
//! Always: follows from the national schema and the gate alone. Each check has a query that finds the rows that break it; it reads the
//! same in PostgreSQL and in the engine.
//! Must not know: a connection.

use crate::artifacts::{RehearsalKind, RehearsalProblem};
use crate::national::{Kind, National, Table};
use crate::sql_ident::literal;

/// One thing that must hold of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub table: String,
    /// Name of the constraint: `ac01_aac003_filled`.
    pub name: String,
    pub holds: Holds,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    NotNull {
        column: String,
    },
    /// SQL, true or unknown for every row.
    Row {
        predicate: String,
    },
    Unique {
        columns: Vec<String>,
    },
    Code {
        column: String,
        list: String,
    },
    Parent {
        columns: Vec<String>,
        parent: String,
        parent_key: Vec<String>,
        /// SQL: rows that it holds for.
        when: Option<String>,
    },
}

/// Every check of a table.
pub fn checks(national: &National, table: &Table) -> Vec<Check> {
    let of = |what: &str, holds: Holds| Check {
        table: table.name.clone(),
        name: format!("{}_{what}", table.name).to_lowercase(),
        holds,
    };
    let mut all = vec![of("key", Holds::Unique { columns: table.key.clone() })];
    for column in &table.columns {
        let code = &column.code;
        if table.key.contains(code) || (national.is_required(column) && column.when.is_none()) {
            all.push(of(&format!("{code}_filled"), Holds::NotNull { column: code.clone() }));
        } else if let Some(when) = column.when.as_ref().filter(|_| national.is_required(column)) {
            let predicate = format!("({when}) IS NOT TRUE OR {code} IS NOT NULL");
            all.push(of(&format!("{code}_filled"), Holds::Row { predicate }));
        }
        if let Some(list) = &column.codes {
            all.push(of(&format!("{code}_code"), Holds::Code { column: code.clone(), list: list.clone() }));
        }
    }
    for (no, parent) in table.parents.iter().enumerate() {
        let Some(of_parent) = national.table(&parent.table) else { continue };
        let holds = Holds::Parent {
            columns: parent.columns.clone(),
            parent: parent.table.clone(),
            parent_key: of_parent.key.clone(),
            when: parent.when.clone(),
        };
        all.push(of(&format!("parent{}", no + 1), holds));
    }
    all
}

impl Check {
    /// The rows that break it: a FROM clause and what stands behind it, over tables as `named` spells them. `codes`: the codes of its list.
    pub fn broken(&self, named: impl Fn(&str) -> String, codes: &[&str]) -> String {
        let table = named(&self.table);
        match &self.holds {
            Holds::NotNull { column } => format!("{table} AS t WHERE t.{column} IS NULL"),
            Holds::Row { predicate } => format!("{table} AS t WHERE ({predicate}) IS FALSE"),
            Holds::Unique { columns } => {
                let of = columns.join(", ");
                format!(
                    "{table} AS t JOIN (SELECT {of} FROM {table} GROUP BY {of} HAVING COUNT(*) > 1) AS d ON {}",
                    equal(columns, columns, "d")
                )
            }
            Holds::Code { column, .. } => {
                let list: Vec<String> = codes.iter().map(|c| literal(c)).collect();
                match list.is_empty() {
                    true => format!("{table} AS t WHERE t.{column} IS NOT NULL"),
                    false => format!("{table} AS t WHERE t.{column} NOT IN ({})", list.join(", ")),
                }
            }
            Holds::Parent { columns, parent, parent_key, when } => {
                let parent = named(parent);
                let mut filled: Vec<String> = columns.iter().map(|c| format!("t.{c} IS NOT NULL")).collect();
                filled.extend(when.iter().map(|w| format!("({w})")));
                format!(
                    "{table} AS t WHERE {} AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {})",
                    filled.join(" AND "),
                    equal(columns, parent_key, "p")
                )
            }
        }
    }
}

impl Check {
    /// The tables that it looks at.
    pub fn tables(&self) -> Vec<&str> {
        let mut all = vec![self.table.as_str()];
        if let Holds::Parent { parent, .. } = &self.holds {
            all.push(parent.as_str());
        }
        all.dedup();
        all
    }

    /// Columns that it is about.
    pub fn columns(&self) -> Vec<String> {
        match &self.holds {
            Holds::NotNull { column } | Holds::Code { column, .. } => vec![column.clone()],
            Holds::Row { .. } => Vec::new(),
            Holds::Unique { columns } | Holds::Parent { columns, .. } => columns.clone(),
        }
    }

    /// The codes of its list.
    pub fn codes<'n>(&self, national: &'n National) -> Vec<&'n str> {
        match &self.holds {
            Holds::Code { list, .. } => national
                .codes
                .get(list)
                .map(|l| l.codes.keys().map(String::as_str).collect())
                .unwrap_or_default(),
            Holds::NotNull { .. } | Holds::Row { .. } | Holds::Unique { .. } | Holds::Parent { .. } => {
                Vec::new()
            }
        }
    }

    /// That it does not hold for so many rows.
    pub fn problem(&self, rows: u64) -> RehearsalProblem {
        RehearsalProblem {
            kind: RehearsalKind::Broken,
            table: self.table.clone(),
            columns: self.columns(),
            what: self.name.clone(),
            rows,
            samples: Vec::new(),
        }
    }
}

fn equal(columns: &[String], theirs: &[String], alias: &str) -> String {
    let pairs: Vec<String> =
        columns.iter().zip(theirs).map(|(a, b)| format!("t.{a} = {alias}.{b}")).collect();
    pairs.join(" AND ")
}

/// Whether a column is counted in amounts or numbers, and so summed by [`super::compare`].
pub(super) fn is_number(kind: Kind) -> bool {
    match kind {
        Kind::Text(_) => false,
        Kind::Id
        | Kind::Date
        | Kind::Period
        | Kind::Time
        | Kind::Money
        | Kind::Rate { .. }
        | Kind::Int(_) => true,
    }
}
