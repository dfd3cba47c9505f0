//! Whether a table shows this login all that it holds: security policies that filter rows, masks over columns, views that ask who
//! reads them.
//!
//! Always: a part is never taken for the whole. A policy that lets the login see every row is proved by counting; what a view reads is
//! told by the names in its definition alone, so beside a filter or a mask no view is read.

use std::collections::BTreeSet;

use tiberius::Row;

use super::super::definition::{Dialect, asks, names};
use super::super::{Examined, Grade, SourceError, Table, wrong_with};
use super::literal::{quote, unicode};
use super::{Inner, answer};
use crate::phrase;

const FILTERS: &str =
    "SELECT CAST(s.name AS nvarchar(128)), CAST(o.name AS nvarchar(128)), CAST(p.name AS nvarchar(128)),
    CAST(o.object_id AS bigint)
  FROM sys.security_predicates AS f JOIN sys.security_policies AS p ON p.object_id = f.object_id
  JOIN sys.objects AS o ON o.object_id = f.target_object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE p.is_enabled = 1 AND f.predicate_type = 0 ORDER BY s.name, o.name";
const MASKS: &str = "SELECT CAST(s.name AS nvarchar(128)), CAST(o.name AS nvarchar(128)), CAST(m.name AS nvarchar(128)),
    CAST(o.object_id AS bigint)
  FROM sys.masked_columns AS m JOIN sys.objects AS o ON o.object_id = m.object_id
  JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE m.is_masked = 1 AND ISNULL(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK'), 0) = 0 ORDER BY s.name, o.name, m.name";
/// Views and functions. Of an encrypted one, and without VIEW DEFINITION, nobody sees the definition.
const MODULES: &str =
    "SELECT CAST(s.name AS nvarchar(128)), CAST(o.name AS nvarchar(128)), CAST(m.definition AS nvarchar(max))
  FROM sys.sql_modules AS m JOIN sys.objects AS o ON o.object_id = m.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE o.type IN ('V', 'IF', 'TF', 'FN') ORDER BY s.name, o.name";
const DIALECT: Dialect = Dialect {
    words: &[
        "suser_sname",
        "suser_name",
        "suser_id",
        "suser_sid",
        "user_name",
        "user_id",
        "current_user",
        "session_user",
        "system_user",
        "original_login",
        "session_context",
        "context_info",
        "connectionproperty",
        "host_name",
        "host_id",
        "app_name",
        "program_name",
        "is_member",
        "is_rolemember",
        "is_srvrolemember",
        "has_perms_by_name",
        "has_dbaccess",
        "permissions",
        "database_principal_id",
        "fn_my_permissions",
        "loginproperty",
        "dm_exec_sessions",
        "dm_exec_connections",
        "sysprocesses",
        "@@spid",
    ],
    quotes: &[('"', '"'), ('[', ']')],
};
/// Rows come and go while they are counted twice.
const TRIES: usize = 3;

/// What lies over a table: a policy, or a masked column.
struct Veil {
    schema: String,
    table: String,
    name: String,
    object: i64,
}

impl Veil {
    fn of(row: &Row) -> Option<Self> {
        let text = |at| answer::text(row, at).unwrap_or_default();
        Some(Self { schema: text(0), table: text(1), name: text(2), object: answer::int(row, 3)? })
    }
}

/// Of a server that does not know the view there are none.
async fn veils(source: &Inner, sql: &str) -> Result<Vec<Veil>, SourceError> {
    Ok(source.probe(sql).await?.unwrap_or_default().iter().filter_map(Veil::of).collect())
}

/// A view or function.
pub(super) struct Module {
    schema: String,
    name: String,
    definition: Option<String>,
}

impl Inner {
    /// Of a server that does not know the view there are none.
    async fn modules(&self) -> Result<&[Module], SourceError> {
        let asked = self.modules.get_or_try_init(|| async {
            let rows = self.probe(MODULES).await?.unwrap_or_default();
            let text = |row: &Row, at| answer::text(row, at).unwrap_or_default();
            let module = |row: &Row| Module {
                schema: text(row, 0),
                name: text(row, 1),
                definition: answer::text(row, 2),
            };
            Ok(rows.iter().map(module).collect())
        });
        asked.await.map(Vec::as_slice)
    }
}

/// The view or function that asks who reads it, among a view and what its definition names, however deep; and by which word.
async fn personal(source: &Inner, view: &str) -> Result<Option<(String, String)>, SourceError> {
    let all = source.modules().await?;
    let mut seen: Vec<usize> =
        (0..all.len()).filter(|at| all[*at].schema == source.schema && all[*at].name == view).collect();
    let mut next = 0;
    while let Some(module) = seen.get(next).and_then(|at| all.get(*at)) {
        next += 1;
        let Some(definition) = &module.definition else { continue };
        if let Some(word) = asks(definition, &DIALECT) {
            return Ok(Some((module.name.clone(), word)));
        }
        let named: Vec<usize> =
            (0..all.len()).filter(|at| !seen.contains(at) && names(definition, &all[*at].name)).collect();
        seen.extend(named);
    }
    Ok(None)
}

/// Refuses a table or view that cannot be read: without the right to, or a view over what is not there.
async fn readable(source: &Inner, table: &Table) -> Result<(), SourceError> {
    let sql = format!("SELECT TOP (0) 1 AS x FROM {} AS t{}", source.named(&table.name), source.hint);
    match source.plain().await?.ask(&source.id, format!("reading {}", table.name), &sql).await {
        Err(SourceError::Server { id, source: why, .. }) if table.view => {
            Err(SourceError::Broken { id, table: table.name.clone(), why })
        }
        other => other.map(drop),
    }
}

/// Refuses a table that shows this login less than it holds, or that cannot be read.
///
/// # Errors
/// `SRC-018`, `SRC-032`, `SRC-033`, `SRC-051`, `SRC-052`.
pub(super) async fn whole(source: &Inner, table: &Table) -> Result<(), SourceError> {
    readable(source, table).await?;
    let filters = veils(source, FILTERS).await?;
    let masks = veils(source, MASKS).await?;
    let of = |veil: &&Veil| veil.schema == source.schema && veil.table == table.name;
    let refused =
        |why: String| SourceError::Filtered { id: source.id.clone(), table: table.name.clone(), why };
    if table.view {
        let beside = |veil: &Veil, what: &str| {
            format!("it is a view, and {} of {}.{} {what}", veil.name, veil.schema, veil.table)
        };
        return match (filters.first(), masks.first()) {
            (Some(filter), _) => {
                let (policy, on) = (&filter.name, format!("{}.{}", filter.schema, filter.table));
                Err(refused(format!("it is a view, and the security policy {policy} filters {on}")))
            }
            (None, Some(mask)) => Err(refused(beside(mask, "is masked"))),
            (None, None) => match personal(source, &table.name).await? {
                Some((by, word)) => {
                    let (id, table) = (source.id.clone(), table.name.clone());
                    Err(SourceError::Personal { id, table, by, word })
                }
                None => Ok(()),
            },
        };
    }
    let masked: Vec<&str> = masks
        .iter()
        .filter(of)
        .map(|veil| veil.name.as_str())
        .filter(|name| table.column(name).is_some())
        .collect();
    if !masked.is_empty() {
        let (id, table) = (source.id.clone(), table.name.clone());
        return Err(SourceError::Masked { id, table, columns: masked.join(", ") });
    }
    let Some(filter) = filters.iter().find(of) else { return Ok(()) };
    match hidden(source, filter).await? {
        None => Ok(()),
        Some((seen, all)) => {
            Err(refused(format!("the security policy {} shows it {seen} of {all} rows", filter.name)))
        }
    }
}

/// Rows that are seen, and rows that there are, where they differ.
async fn hidden(source: &Inner, filter: &Veil) -> Result<Option<(i64, i64)>, SourceError> {
    let mut found = None;
    for _ in 0..TRIES {
        let sql = format!(
            "SELECT (SELECT COUNT_BIG(*) FROM {}.{}), (SELECT SUM(CAST(p.rows AS bigint)) FROM sys.partitions AS p
               WHERE p.index_id IN (0, 1) AND p.object_id = {})",
            quote(&filter.schema),
            quote(&filter.table),
            filter.object
        );
        let what = format!("counting {}", filter.table);
        let rows = source.plain().await?.ask(&source.id, what, &sql).await?;
        let number = |at| rows.first().and_then(|r| answer::int(r, at)).unwrap_or(0);
        found = Some((number(0), number(1)));
        if number(0) == number(1) {
            return Ok(None);
        }
    }
    Ok(found)
}

/// What `doctor` says of it, by table.
pub(super) async fn examine(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
    all: &mut Vec<Examined>,
) -> Result<(), SourceError> {
    let advice = phrase!("doctor.policy_advice");
    for filter in veils(source, FILTERS).await?.iter().filter(|veil| veil.schema == source.schema) {
        let (policy, table) = (&filter.name, &filter.table);
        all.push(match hidden(source, filter).await? {
            None => {
                let found = phrase!("doctor.policy_all", table, policy);
                Examined::new("rows", Grade::Ok, found, "")
            }
            Some((seen, there)) => {
                let found = phrase!("doctor.policy_some", table, policy, seen, there);
                Examined::new("rows", wrong_with(table, read), found, &advice)
            }
        });
    }
    for mask in veils(source, MASKS).await?.iter().filter(|veil| veil.schema == source.schema) {
        let found = phrase!("doctor.masked", table = mask.table, column = mask.name);
        let grade = wrong_with(&mask.table, read);
        all.push(Examined::new("rows", grade, found, phrase!("doctor.masked_advice")));
    }
    for module in source.modules().await? {
        let unread = wrong_with(&module.name, read) == Grade::Info;
        if module.schema != source.schema || module.definition.is_some() || unread {
            continue;
        }
        let found = phrase!("doctor.definition", name = module.name);
        let advice = phrase!("doctor.definition_advice");
        all.push(Examined::new("views", Grade::Warning, found, advice));
    }
    Ok(())
}

/// Whether the login is proved to see every table of the schema, and every policy: by VIEW DEFINITION.
pub(super) async fn sees_all_tables(source: &Inner) -> Result<bool, SourceError> {
    let sql = format!(
        "SELECT CAST(ISNULL(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION'), 0) AS int),
           CAST(ISNULL(HAS_PERMS_BY_NAME({}, 'SCHEMA', 'VIEW DEFINITION'), 0) AS int)",
        unicode(&quote(&source.schema))
    );
    let rows = source.probe(&sql).await?.unwrap_or_default();
    Ok(rows.first().is_some_and(|r| answer::int(r, 0) == Some(1) || answer::int(r, 1) == Some(1)))
}
