//! Tables that the server has before the rehearsal (the province's DDL), compared with what the national schema makes.
//!
//! Always: every difference at once; nothing is loaded over one. Codes are compared where the server says them as a list: a CHECK of values, or a
//! key to a table of codes; what another CHECK refuses shows as a refused row.
//! Must not know: which province.

use std::collections::{BTreeMap, BTreeSet};

use super::server::Session;
use super::{StagingError, checks::Holds, checks::checks, ddl};
use crate::artifacts::{RehearsalKind, RehearsalProblem};
use crate::national::National;
use crate::sql_ident::{literal, quote};

/// A column as the server declares it.
struct Declared {
    declared: String,
    not_null: bool,
    has_default: bool,
}

/// The columns of every table of a schema, by name.
async fn tables(
    session: &Session,
    schema: &str,
) -> Result<BTreeMap<String, BTreeMap<String, Declared>>, StagingError> {
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
    Ok(tables)
}

/// Every difference between a schema's tables and the national ones.
pub(super) async fn differences(
    session: &Session,
    national: &National,
    schema: &str,
) -> Result<Vec<RehearsalProblem>, StagingError> {
    let tables = tables(session, schema).await?;
    let codes = codes(session, schema).await?;
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
            let list = column.codes.as_ref().and_then(|list| national.codes.get(list));
            let theirs = codes.get(&(table.name.to_lowercase(), column.code.to_lowercase()));
            if let (Some(list), Some(theirs)) = (list, theirs) {
                let lacking: Vec<&str> =
                    list.codes.keys().filter(|c| !theirs.contains(*c)).map(String::as_str).collect();
                if !lacking.is_empty() {
                    differs(&column.code, format!("codes missing: {}", lacking.join(", ")));
                }
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

/// Table and column → the codes that the server lets through, where it says them as a list.
async fn codes(
    session: &Session,
    schema: &str,
) -> Result<BTreeMap<(String, String), BTreeSet<String>>, StagingError> {
    let what = "the codes of the staging database";
    let sql = format!(
        "SELECT c.relname, a.attname, k.contype, pg_get_constraintdef(k.oid), rn.nspname, rc.relname, ra.attname \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] \
         LEFT JOIN pg_class rc ON rc.oid = k.confrelid LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace \
         LEFT JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1] \
         WHERE n.nspname = {} AND k.contype IN ('c', 'f') AND cardinality(k.conkey) = 1",
        literal(schema)
    );
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut listed: BTreeMap<[String; 3], BTreeSet<String>> = BTreeMap::new();
    for row in session.ask(what, &sql).await? {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let codes = if text(2) == "c" {
            let Some(codes) = values_of(&text(3)) else { continue };
            codes
        } else {
            let key = [text(4), text(5), text(6)];
            if !listed.contains_key(&key) {
                let [of, table, column] = &key;
                let sql =
                    format!("SELECT DISTINCT {}::text FROM {}.{}", quote(column), quote(of), quote(table));
                let rows = session.ask(what, &sql).await?;
                listed.insert(key.clone(), rows.into_iter().filter_map(|r| r.into_iter().next()?).collect());
            }
            listed.get(&key).cloned().unwrap_or_default()
        };
        // Of several the server takes what all let through.
        let at = (text(0), text(1));
        let both = all.get(&at).map(|known| known.intersection(&codes).cloned().collect());
        all.insert(at, both.unwrap_or(codes));
    }
    Ok(all)
}

/// The values of a CHECK that is a list of them (`= ANY (ARRAY['1', '2'])`, `= '1' OR = '2'`); `None`: it says something else.
fn values_of(check: &str) -> Option<BTreeSet<String>> {
    let mut pieces = check.trim_end_matches(" NOT VALID").split('\'');
    let mut codes = BTreeSet::new();
    let mut around = pieces.next()?.to_owned();
    while let (Some(code), Some(rest)) = (pieces.next(), pieces.next()) {
        codes.insert(code.to_owned());
        around.push_str(rest);
    }
    let other = ["<", ">", "~", "NOT", "AND", "length", "substr"].iter().any(|word| around.contains(word));
    (!other && around.contains('=') && !codes.is_empty()).then_some(codes)
}

#[cfg(test)]
mod tests {
    use super::values_of;

    #[test]
    fn a_check_is_a_list_of_values_or_something_else() {
        let codes = |check: &str| values_of(check).map(|c| c.into_iter().collect::<Vec<_>>().join(" "));
        let any = "CHECK (((aac004)::text = ANY ((ARRAY['1'::character varying, '2'::character varying])::text[])))";
        assert_eq!(codes(any).as_deref(), Some("1 2"));
        assert_eq!(codes(&format!("{any} NOT VALID")).as_deref(), Some("1 2"));
        let or = "CHECK (((aae100 = '0'::bpchar) OR (aae100 = '1'::bpchar)))";
        assert_eq!(codes(or).as_deref(), Some("0 1"));
        for other in [
            "CHECK ((aae019 >= (0)::numeric))",
            "CHECK (((aac147)::text ~ '^[0-9]{17}[0-9X]$'::text))",
            "CHECK (((aac004)::text <> '3'::text))",
            "CHECK ((NOT ((aac004)::text = '3'::text)))",
            "CHECK ((length((aac147)::text) = 18))",
        ] {
            assert_eq!(codes(other), None, "{other}");
        }
    }
}
