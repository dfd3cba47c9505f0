//! Whether a table or view shows this login all that it holds: row security, and views that ask who reads them.
//!
//! Always: told from the catalogue, and by a question that reads no row; a part is never taken for the whole. What a view reads is
//! followed through views and functions; what a function with a body of text reads, by the names in it.

use super::super::definition::{Dialect, asks};
use super::super::{SourceError, Table};
use super::Inner;
use super::catalogue::name;
use super::session::rows;
use crate::phrase;

const DIALECT: Dialect = Dialect {
    words: &[
        "current_user",
        "session_user",
        "system_user",
        "current_role",
        "getpgusername",
        "current_setting",
        "row_security",
        "row_security_active",
        "pg_has_role",
        "has_any_column_privilege",
        "has_column_privilege",
        "has_database_privilege",
        "has_foreign_data_wrapper_privilege",
        "has_function_privilege",
        "has_language_privilege",
        "has_parameter_privilege",
        "has_schema_privilege",
        "has_sequence_privilege",
        "has_server_privilege",
        "has_table_privilege",
        "has_tablespace_privilege",
        "has_type_privilege",
        "inet_client_addr",
        "inet_client_port",
        "pg_backend_pid",
        "pg_settings",
        "pg_show_all_settings",
        // What a text that is executed asks, nobody can tell.
        "execute",
        // Of servers of other makers.
        "sys_context",
        "userenv",
    ],
    quotes: &[('"', '"')],
};

/// The table or view itself, and what a view reads, however deep. `how` it is reached: by itself, by views, by functions that run as
/// whoever reads, or by functions that run as their owner.
/// `{guarded}` and `{hides}`: whether a table has row security, and whether that would hide rows from us.
const BELOW: &str = "WITH RECURSIVE r(class, oid, how) AS (
      SELECT 'pg_class'::regclass::oid, c.oid, 'self'::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2
      UNION
      SELECT x.class, x.oid, x.how FROM r CROSS JOIN LATERAL (
        SELECT CASE WHEN o.oid IS NULL THEN d.refclassid ELSE 'pg_proc'::regclass END, coalesce(o.oprcode::oid, d.refobjid),
          CASE WHEN r.how = 'self' THEN 'view' ELSE r.how END
        FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.objid = w.oid
        LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
        WHERE r.class = 'pg_class'::regclass AND v.oid = r.oid AND v.relkind = 'v' AND d.classid = 'pg_rewrite'::regclass
          AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass)
        UNION ALL
        SELECT y.class, y.oid, CASE WHEN f.prosecdef OR r.how = 'owner' THEN 'owner' ELSE 'reader' END
        FROM pg_proc f
        CROSS JOIN LATERAL regexp_split_to_array(lower(f.prosrc), '[][ \\t\\r\\n(),.;:\"''=<>+*/|-]+') AS said(words)
        CROSS JOIN LATERAL (
          SELECT d.refclassid, d.refobjid FROM pg_depend d
          WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
            AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
          UNION ALL
          SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT LIKE 'pg\\_%' AND lower(c.relname::text) = ANY (said.words)
          UNION ALL
          SELECT 'pg_proc'::regclass::oid, o.oprcode::oid FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
          WHERE n.nspname NOT LIKE 'pg\\_%' AND strpos(f.prosrc, o.oprname::text) > 0
          UNION ALL
          SELECT 'pg_proc'::regclass::oid, g.oid FROM pg_proc g JOIN pg_namespace n ON n.oid = g.pronamespace
          WHERE n.nspname NOT LIKE 'pg\\_%' AND lower(g.proname::text) = ANY (said.words)) y(class, oid)
        WHERE r.class = 'pg_proc'::regclass AND f.oid = r.oid) x(class, oid, how))
  SELECT coalesce(c.relname, f.proname)::text,
      CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid)
        WHEN l.lanname NOT IN ('c', 'internal') AND NOT EXISTS (SELECT 1 FROM pg_aggregate a WHERE a.aggfnoid = f.oid)
        THEN pg_get_functiondef(f.oid) ELSE '' END,
      coalesce({guarded}, false), coalesce({hides}, false)
  FROM r LEFT JOIN pg_class c ON r.class = 'pg_class'::regclass AND c.oid = r.oid
  LEFT JOIN pg_proc f ON r.class = 'pg_proc'::regclass AND f.oid = r.oid LEFT JOIN pg_language l ON l.oid = f.prolang
  ORDER BY r.how <> 'self', r.class, r.oid";

/// Something that a table or view shows rows of.
pub(super) struct Below {
    pub(super) name: String,
    /// Of a view or function.
    definition: String,
    /// It has row security.
    pub(super) guarded: bool,
    /// Which would hide rows from this login, unless a view's owner reads it.
    hides: bool,
}

/// A table or view, and what it reads.
pub(super) async fn below(source: &Inner, table: &Table) -> Result<Vec<Below>, SourceError> {
    let (guarded, hides) = if source.has_row_security() {
        (
            "c.relrowsecurity",
            "c.relrowsecurity AND r.how IN ('self', 'reader') AND row_security_active(c.oid)",
        )
    } else {
        ("false", "false")
    };
    let sql = BELOW.replace("{guarded}", guarded).replace("{hides}", hides);
    let asking = source.asking().await?;
    let found = rows(asking.client()?, &sql, &[&source.schema, &table.name]).await;
    let found = found.map_err(source.failed(phrase!("source.reads", view = table.name)))?;
    asking.release().await;
    let one = |row: &tokio_postgres::Row| Below {
        name: name(source, row, 0),
        definition: name(source, row, 1),
        guarded: row.get(2),
        hides: row.get(3),
    };
    Ok(found.iter().map(one).collect())
}

/// Refuses a table or view that shows this login less than it holds, or that cannot be read.
///
/// # Errors
/// `SRC-018`, `SRC-025`, `SRC-026`, `SRC-051`, `SRC-052`.
pub(super) async fn whole(source: &Inner, table: &Table) -> Result<(), SourceError> {
    source.reader_of(table).await?.release().await;
    for below in below(source, table).await? {
        let (id, name) = (source.id.clone(), table.name.clone());
        if below.hides {
            return Err(SourceError::Hidden { id, table: name, by: below.name });
        }
        if let Some(word) = asks(&below.definition, &DIALECT) {
            return Err(SourceError::Personal { id, table: name, by: below.name, word });
        }
    }
    Ok(())
}
