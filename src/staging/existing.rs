//! Tables that the server has before the rehearsal (the province's DDL), compared with what the national schema makes.
//!
//! Always: every difference at once; nothing is loaded over one.
//! Must not know: which province.

use std::collections::BTreeMap;

use super::server::Session;
use super::{StagingError, checks::Holds, checks::checks, ddl};
use crate::artifacts::{RehearsalKind, RehearsalProblem};
use crate::national::National;
use crate::sql_ident::literal;

/// A column as the server declares it.
struct Declared {
    declared: String,
    not_null: bool,
    has_default: bool,
}

/// Every difference between a schema's tables and the national ones.
pub(super) async fn differences(
    session: &Session,
    national: &National,
    schema: &str,
) -> Result<Vec<RehearsalProblem>, StagingError> {
    let sql = format!(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped",
        literal(schema)
    );
    let mut tables: BTreeMap<String, BTreeMap<String, Declared>> = BTreeMap::new();
    for row in session.ask("the tables of the staging database", &sql).await? {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let column = Declared { declared: text(2), not_null: text(3) == "t", has_default: text(4) == "t" };
        tables.entry(text(0)).or_default().insert(text(1), column);
    }
    let mut all = Vec::new();
    for table in ddl::loaded(national) {
        let mut differs = |column: &str, what: String| {
            all.push(RehearsalProblem {
                kind: RehearsalKind::Ddl,
                table: table.name.clone(),
                columns: if column.is_empty() { Vec::new() } else { vec![column.to_owned()] },
                what,
                rows: 0,
                samples: Vec::new(),
            });
        };
        let Some(theirs) = tables.get(&table.name.to_lowercase()) else {
            differs("", "table missing".to_owned());
            continue;
        };
        let held = checks(national, table);
        for column in &table.columns {
            let wanted = ddl::declared(column.kind);
            let Some(found) = theirs.get(&column.code.to_lowercase()) else {
                differs(&column.code, format!("column missing, {wanted}"));
                continue;
            };
            if found.declared != wanted {
                differs(&column.code, format!("{} ≠ {wanted}", found.declared));
            }
            let required =
                held.iter().any(|c| matches!(&c.holds, Holds::NotNull { column: of } if *of == column.code));
            if found.not_null && !required {
                differs(&column.code, "NOT NULL ≠ NULL".to_owned());
            }
        }
        for (name, found) in theirs {
            let known = table.columns.iter().any(|c| c.code.to_lowercase() == *name);
            if !known && found.not_null && !found.has_default {
                differs(name, "column unknown, NOT NULL".to_owned());
            }
        }
    }
    Ok(all)
}
