//! The catalogue views: sys.tables, sys.columns and their likes, computed when a query names them.
//!
//! Always: ids and sizes are those that SQL Server shows; a session sees only objects on which it has a right.

use rusqlite::Connection;

use super::super::value::{Datum, SqlError, SqlType};
use super::catalog::{self, Table};
use super::error::{fail, unwrap};
use super::server::{Database, held};
use super::session::Session;
use super::types;
use super::{Quirks, collate};

/// Every view with its columns: name and type. n: sysname, x: nvarchar(60), c: char(2), i: int, s: smallint, t: tinyint,
/// g: bigint, b: bit, d: datetime, u: uniqueidentifier, m: nvarchar(max).
const VIEWS: [(&str, &str); 25] = [
    (
        "databases",
        "name:n database_id:i source_database_id:i create_date:d compatibility_level:t \
            collation_name:n is_read_only:b state:t state_desc:x snapshot_isolation_state:t \
            snapshot_isolation_state_desc:x is_read_committed_snapshot_on:b is_in_standby:b",
    ),
    ("schemas", "name:n schema_id:i principal_id:i"),
    (
        "tables",
        "name:n object_id:i principal_id:i schema_id:i parent_object_id:i type:c type_desc:x \
            create_date:d modify_date:d is_ms_shipped:b",
    ),
    (
        "views",
        "name:n object_id:i principal_id:i schema_id:i parent_object_id:i type:c type_desc:x \
            create_date:d modify_date:d is_ms_shipped:b",
    ),
    (
        "objects",
        "name:n object_id:i principal_id:i schema_id:i parent_object_id:i type:c type_desc:x \
            create_date:d modify_date:d is_ms_shipped:b",
    ),
    (
        "columns",
        "object_id:i name:n column_id:i system_type_id:t user_type_id:i max_length:s precision:t \
            scale:t collation_name:n is_nullable:b is_rowguidcol:b is_identity:b is_computed:b is_hidden:b",
    ),
    (
        "types",
        "name:n system_type_id:t user_type_id:i schema_id:i is_nullable:b is_user_defined:b \
            is_assembly_type:b",
    ),
    (
        "indexes",
        "object_id:i name:n index_id:i type:t type_desc:x is_unique:b is_primary_key:b \
            is_unique_constraint:b is_disabled:b is_hypothetical:b has_filter:b",
    ),
    (
        "index_columns",
        "object_id:i index_id:i index_column_id:i column_id:i key_ordinal:t is_descending_key:b \
            is_included_column:b",
    ),
    ("sql_modules", "object_id:i definition:m"),
    ("partitions", "partition_id:g object_id:i index_id:i partition_number:i rows:g"),
    ("allocation_units", "allocation_unit_id:g type:t type_desc:x container_id:g total_pages:g used_pages:g"),
    ("dm_db_partition_stats", "partition_id:g object_id:i index_id:i partition_number:i row_count:g"),
    (
        "change_tracking_databases",
        "database_id:i is_auto_cleanup_on:t retention_period:i retention_period_units_desc:x",
    ),
    (
        "change_tracking_tables",
        "object_id:i is_track_columns_updated_on:b min_valid_version:g begin_version:g cleanup_version:g",
    ),
    ("database_principals", "name:n principal_id:i type:c type_desc:x default_schema_name:n is_fixed_role:b"),
    ("masked_columns", "object_id:i name:n column_id:i is_masked:b masking_function:n"),
    (
        "security_policies",
        "name:n object_id:i schema_id:i type:c is_ms_shipped:b is_enabled:b is_schema_bound:b",
    ),
    (
        "security_predicates",
        "object_id:i security_predicate_id:i target_object_id:i predicate_definition:n predicate_type:i \
            predicate_type_desc:x operation:i operation_desc:x",
    ),
    (
        "database_recovery_status",
        "database_id:i database_guid:u family_guid:u last_log_backup_lsn:g recovery_fork_guid:u \
            first_recovery_fork_guid:u fork_point_lsn:g",
    ),
    (
        "dm_tran_active_transactions",
        "transaction_id:g name:n transaction_begin_time:d transaction_type:i transaction_state:i",
    ),
    (
        "dm_tran_database_transactions",
        "transaction_id:g database_id:i database_transaction_begin_time:d database_transaction_type:i \
            database_transaction_state:i database_transaction_log_record_count:g \
            database_transaction_begin_lsn:g",
    ),
    ("dm_exec_requests", "session_id:s status:x command:x blocking_session_id:s"),
    ("dm_exec_sessions", "session_id:s program_name:n login_name:n is_user_process:b status:x"),
    ("dm_exec_connections", "session_id:i encrypt_option:n net_transport:n auth_scheme:n"),
];

/// The session that waits for a session of `qianyi` when a test asks for it.
const WAITING: i64 = 9000;

pub struct View {
    pub columns: Vec<(&'static str, SqlType)>,
    pub rows: Vec<Vec<Datum>>,
}

fn known(name: &str, quirks: Quirks) -> Option<usize> {
    let lower = name.to_lowercase();
    let hidden = (quirks.no_dm_views && lower.starts_with("dm_"))
        || (quirks.no_change_tracking && lower.starts_with("change_tracking"));
    VIEWS.iter().position(|(view, _)| *view == lower).filter(|_| !hidden)
}

/// The object id of a view, if the server has it.
pub fn number(name: &str, quirks: Quirks) -> Option<i64> {
    known(name, quirks).and_then(|at| i64::try_from(at).ok()).map(|at| -400 - at)
}

fn text(text: &str) -> Datum {
    Datum::Utf16(text.encode_utf16().collect())
}

fn maybe(name: Option<&str>) -> Datum {
    name.map_or(Datum::Null, text)
}

fn int(n: impl Into<i64>) -> Datum {
    Datum::Int(n.into())
}

fn count(n: usize) -> Datum {
    Datum::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn pair(letters: &str) -> Datum {
    Datum::Bytes(format!("{letters:2}").into_bytes())
}

fn moment(stored: i64) -> Datum {
    let form = rusqlite::types::ValueRef::Integer(stored);
    super::store::decode(form, &SqlType::DateTime).unwrap_or(Datum::Null)
}

fn kind(letter: &str) -> SqlType {
    let collation = collate::default();
    match letter {
        "n" => SqlType::NVarChar { chars: Some(128), collation },
        "x" => SqlType::NVarChar { chars: Some(60), collation },
        "m" => SqlType::NVarChar { chars: None, collation },
        "c" => SqlType::Char { bytes: 2, collation },
        "s" => SqlType::SmallInt,
        "t" => SqlType::TinyInt,
        "g" => SqlType::BigInt,
        "b" => SqlType::Bit,
        "d" => SqlType::DateTime,
        "u" => SqlType::UniqueIdentifier,
        _ => SqlType::Int,
    }
}

/// The view's rows now, in the session's database or another. `None`: no such view.
pub fn read(session: &Session, database: Option<&str>, name: &str) -> Result<Option<View>, SqlError> {
    let quirks = session.server.quirks();
    let Some(at) = known(name, quirks) else { return Ok(None) };
    let (name, layout) = VIEWS[at];
    let columns = layout.split(' ').filter_map(|column| column.split_once(':'));
    let columns = columns.map(|(name, letter)| (name, kind(letter))).collect();
    let rows = match database.filter(|name| !name.eq_ignore_ascii_case(&session.database.name)) {
        None => rows(session, &session.database, &session.connection, name)?,
        Some(other) => {
            let other = session.server.database(other).ok_or_else(|| super::server::no_database(other))?;
            if !session.may_enter(&other) {
                return Err(fail(
                    916,
                    format!(
                        "The server principal \"{}\" is not able to access the database \"{}\" under \
                            the current security context.",
                        session.login, other.name
                    ),
                ));
            }
            rows(session, &other, &other.connect(0)?, name)?
        }
    };
    Ok(Some(View { columns, rows }))
}

fn rows(
    session: &Session,
    database: &Database,
    connection: &Connection,
    name: &str,
) -> Result<Vec<Vec<Datum>>, SqlError> {
    match name {
        "databases" => return Ok(databases(session)),
        "schemas" => return schemas(connection),
        "types" => return Ok(type_rows(database)),
        "security_policies" | "security_predicates" => return Ok(policies(session, database, name)),
        "database_recovery_status" => return Ok(recovery(session)),
        "dm_tran_active_transactions" | "dm_tran_database_transactions" => {
            return transactions(session, name);
        }
        "change_tracking_databases" => {
            let tracked = session.server.databases().into_iter().filter(|database| database.state().tracking);
            return Ok(tracked.map(|one| vec![int(one.id), int(1), int(2), text("DAYS")]).collect());
        }
        "database_principals" => return Ok(principals(database)),
        "dm_exec_requests" | "dm_exec_sessions" | "dm_exec_connections" => {
            return Ok(activity(session, name));
        }
        "dm_db_partition_stats" => session.need_in_database("VIEW DATABASE STATE")?,
        _ => {}
    }
    let aliases = database.state().aliases.clone();
    let masks = database.state().masks.clone();
    let mut all = Vec::new();
    for key in catalog::keys(connection)? {
        let rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "VIEW DEFINITION"];
        if !rights.iter().any(|right| session.may(right, &key)) {
            continue;
        }
        let Some(table) = catalog::table(connection, &key)? else { continue };
        match name {
            "tables" | "views" | "objects" => all.extend(object(connection, &table, name)?),
            "columns" => all.extend(table.columns.iter().map(|column| column_row(&table, column, &aliases))),
            "masked_columns" => {
                let masked = table.columns.iter().filter(|column| masks.contains(&(table.id, column.id)));
                all.extend(masked.map(|column| {
                    vec![int(table.id), text(&column.name), int(column.id), int(1), text("default()")]
                }));
            }
            // As it was parsed: every name that it says is in it.
            "sql_modules" => {
                let query = database.state().views.get(&table.id).map(|query| format!("{query:?}"));
                let seen = session.may("VIEW DEFINITION", &key);
                all.extend(
                    query.map(|query| vec![int(table.id), maybe(Some(query.as_str()).filter(|_| seen))]),
                );
            }
            "indexes" => all.extend(index_rows(&table)),
            "index_columns" => all.extend(index_columns(&table)),
            "allocation_units" => all.extend(lobs(session, connection, &table)?),
            "change_tracking_tables" => all.extend(tracking(connection, &table)?),
            _ => all.extend(partitions(session, connection, &table)?),
        }
    }
    Ok(all)
}

fn databases(session: &Session) -> Vec<Vec<Datum>> {
    let row = |database: &Database| {
        let state = database.state();
        let snapshot = state.allow_snapshot || database.source.is_some();
        vec![
            text(&database.name),
            int(database.id),
            database.source.map_or(Datum::Null, int),
            moment(database.created),
            int(150),
            text(&database.collation.name),
            int(state.read_only),
            int(0),
            text("ONLINE"),
            int(snapshot),
            text(if snapshot { "ON" } else { "OFF" }),
            int(state.committed_snapshot),
            int(0),
        ]
    };
    session.server.databases().iter().map(|database| row(database)).collect()
}

fn schemas(connection: &Connection) -> Result<Vec<Vec<Datum>>, SqlError> {
    let run = || -> rusqlite::Result<Vec<Vec<Datum>>> {
        let mut statement = connection.prepare_cached("SELECT name, id FROM m_schemas ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok(vec![text(&row.get::<_, String>(0)?), int(row.get::<_, i64>(1)?), int(1)])
        })?;
        rows.collect()
    };
    run().map_err(|error| unwrap(&error))
}

/// The first id of alias types.
const FIRST_ALIAS: usize = 257;

fn type_rows(database: &Database) -> Vec<Vec<Datum>> {
    let listed = types::NAMES.iter().filter(|(name, ..)| *name != "rowversion");
    let row = |(name, system, user): &(&str, u8, i32)| {
        let assembly = *system == 240;
        vec![text(name), int(*system), int(*user), int(4), int(*name != "timestamp"), int(0), int(assembly)]
    };
    let own = database.state().aliases.clone();
    let own = own.iter().zip(FIRST_ALIAS..).map(|((name, base), id)| {
        let system = types::NAMES.iter().find(|(listed, ..)| base.name.eq_ignore_ascii_case(listed));
        let system = system.map_or(0, |(_, system, _)| *system);
        vec![text(name), int(system), count(id), int(1), int(1), int(1), int(0)]
    });
    listed.map(row).chain(own).collect()
}

/// Security policies are seen by those who may see definitions.
fn policies(session: &Session, database: &Database, view: &str) -> Vec<Vec<Datum>> {
    if !session.may("VIEW DEFINITION", "") {
        return Vec::new();
    }
    let filters = database.state().filters.clone();
    let row = |(filter, at): (super::server::Filter, i64)| {
        let id = int(at + 100);
        if view == "security_policies" {
            return vec![text(&filter.policy), id, int(1), pair("SP"), int(0), int(1), int(1)];
        }
        let (target, kind) = (int(filter.table), text("FILTER"));
        vec![id, int(1), target, text("([dbo].[seen]([x]))"), int(0), kind, Datum::Null, Datum::Null]
    };
    filters.into_iter().zip(0..).map(row).collect()
}

/// Which fork of its history each database is on.
fn recovery(session: &Session) -> Vec<Vec<Datum>> {
    let guid = |database: i32, what: u8, fork: u64| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&database.to_be_bytes());
        bytes[4] = what;
        bytes[8..].copy_from_slice(&fork.to_be_bytes());
        Datum::Guid(bytes)
    };
    let row = |database: std::sync::Arc<Database>| {
        let (id, fork) = (database.id, database.state().fork);
        let (own, family, fork) = (guid(id, 1, 0), guid(id, 2, 0), guid(id, 3, fork));
        vec![int(id), own, family, Datum::Null, fork, Datum::Null, Datum::Null]
    };
    session.server.databases().into_iter().map(row).collect()
}

/// Open transactions of all databases.
fn transactions(session: &Session, view: &str) -> Result<Vec<Vec<Datum>>, SqlError> {
    if !session.may_on_server("VIEW SERVER STATE") {
        let message = "VIEW SERVER STATE permission was denied on object 'server', database 'master'.";
        return Err(SqlError { class: 14, ..fail(300, message) });
    }
    let mut rows = Vec::new();
    for database in session.server.databases() {
        let open = database.state().open.clone();
        for (id, one) in open {
            let begun = moment(one.begun);
            rows.push(if view == "dm_tran_active_transactions" {
                vec![int(id), text("user_transaction"), begun, int(1), int(2)]
            } else {
                let (first, state) = if one.wrote { (begun, 4) } else { (Datum::Null, 3) };
                let lsn = if one.wrote { int(1) } else { Datum::Null };
                vec![int(id), int(database.id), first, int(1), int(state), int(one.wrote), lsn]
            });
        }
    }
    Ok(rows)
}

fn object(connection: &Connection, table: &Table, view: &str) -> Result<Option<Vec<Datum>>, SqlError> {
    if (view == "tables" && table.view) || (view == "views" && !table.view) {
        return Ok(None);
    }
    let sql = "SELECT schema_id, created, modified FROM m_objects WHERE id = ?1";
    let found = connection
        .query_row(sql, [table.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)));
    let (schema, created, modified) = found.map_err(|error| unwrap(&error))?;
    let (letter, name) = if table.view { ("V", "VIEW") } else { ("U", "USER_TABLE") };
    Ok(Some(vec![
        text(&table.name),
        int(table.id),
        Datum::Null,
        int(schema),
        int(0),
        pair(letter),
        text(name),
        moment(created),
        moment(modified),
        int(0),
    ]))
}

fn column_row(table: &Table, column: &catalog::Column, aliases: &[(String, types::Written)]) -> Vec<Datum> {
    let (max_length, precision, scale) = types::catalogue_sizes(&column.kind);
    let own = types::NAMES.iter().find(|(name, ..)| column.declared.eq_ignore_ascii_case(name));
    let plain = types::NAMES.iter().find(|(name, ..)| *name == types::name(&column.kind));
    let (system, user) = own.or(plain).map_or((0, 0), |(_, system, user)| (*system, *user));
    let alias = aliases.iter().position(|(name, _)| column.declared.eq_ignore_ascii_case(name));
    let user = alias.map_or(int(user), |at| count(FIRST_ALIAS + at));
    let collation = types::collation(&column.kind).map(|collation| collation.name.as_str());
    vec![
        int(table.id),
        text(&column.name),
        int(column.id),
        int(system),
        user,
        int(max_length),
        int(precision),
        int(scale),
        maybe(collation),
        int(column.nullable),
        int(0),
        int(0),
        int(0),
        int(0),
    ]
}

/// The indexes of a table, and the heap where no index is clustered: name, id, type and three flags.
fn storage(table: &Table) -> Vec<(Option<&str>, i32, i32, [bool; 3])> {
    let mut all = Vec::new();
    if table.view {
        return all;
    }
    if !table.indexes.iter().any(|index| index.clustered) {
        all.push((None, 0, 0, [false; 3]));
    }
    all.extend(table.indexes.iter().map(|index| {
        let flags = [index.unique, index.primary, index.constraint && !index.primary];
        (Some(index.name.as_str()), index.id, if index.clustered { 1 } else { 2 }, flags)
    }));
    all
}

fn index_rows(table: &Table) -> Vec<Vec<Datum>> {
    let row = |(name, id, kind, [unique, primary, constraint]): (Option<&str>, i32, i32, [bool; 3])| {
        let shown = ["HEAP", "CLUSTERED", "NONCLUSTERED"][usize::try_from(kind).unwrap_or(0)];
        vec![
            int(table.id),
            maybe(name),
            int(id),
            int(kind),
            text(shown),
            int(unique),
            int(primary),
            int(constraint),
            int(0),
            int(0),
            int(0),
        ]
    };
    storage(table).into_iter().map(row).collect()
}

fn index_columns(table: &Table) -> Vec<Vec<Datum>> {
    let mut all = Vec::new();
    for index in &table.indexes {
        for (at, (column, descending)) in index.columns.iter().enumerate() {
            let ordinal = count(at + 1);
            all.push(vec![
                int(table.id),
                int(index.id),
                ordinal.clone(),
                int(*column),
                ordinal,
                int(*descending),
                int(0),
            ]);
        }
    }
    all
}

fn partitions(
    session: &Session,
    connection: &Connection,
    table: &Table,
) -> Result<Vec<Vec<Datum>>, SqlError> {
    if table.view {
        return Ok(Vec::new());
    }
    let counted =
        connection.query_row(&format!("SELECT count(*) FROM t{}", table.id), [], |row| row.get::<_, i64>(0));
    let stale = session.server.quirks().stale_row_counts;
    let rows = if stale { 0 } else { counted.map_err(|error| unwrap(&error))? };
    let row = |(_, id, ..): (Option<&str>, i32, i32, [bool; 3])| {
        let switched = i64::from(session.database.state().switched.contains(&table.id));
        let partition = (i64::from(table.id) << 16) + (switched << 8) + i64::from(id);
        vec![int(partition), int(table.id), int(id), int(1), int(rows)]
    };
    Ok(storage(table).into_iter().map(row).collect())
}

/// The pages of large values: one for each row of a table that has a column of them.
fn lobs(session: &Session, connection: &Connection, table: &Table) -> Result<Vec<Vec<Datum>>, SqlError> {
    let large = |kind: &SqlType| {
        matches!(
            kind,
            SqlType::Text { .. }
                | SqlType::NText { .. }
                | SqlType::Image
                | SqlType::Xml
                | SqlType::VarChar { bytes: None, .. }
                | SqlType::NVarChar { chars: None, .. }
                | SqlType::VarBinary { bytes: None }
        )
    };
    if !table.columns.iter().any(|column| large(&column.kind)) {
        return Ok(Vec::new());
    }
    let first = partitions(session, connection, table)?.into_iter().next();
    let unit = |row: Vec<Datum>| {
        let (partition, pages) = (row[0].clone(), row[4].clone());
        vec![partition.clone(), int(2), text("LOB_DATA"), partition, pages.clone(), pages]
    };
    Ok(first.map(unit).into_iter().collect())
}

fn tracking(connection: &Connection, table: &Table) -> Result<Option<Vec<Datum>>, SqlError> {
    if !table.tracked {
        return Ok(None);
    }
    let sql = "SELECT min_version, begin_version FROM m_objects WHERE id = ?1";
    let found =
        connection.query_row(sql, [table.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let (least, begun) = found.map_err(|error| unwrap(&error))?;
    Ok(Some(vec![int(table.id), int(0), int(least), int(begun), int(least)]))
}

fn principals(database: &Database) -> Vec<Vec<Datum>> {
    let row = |name: &str, id: i64, letter: &str, kind: &str, fixed: bool| {
        let schema = if letter == "S" { text("dbo") } else { Datum::Null };
        vec![text(name), int(id), pair(letter), text(kind), schema, int(fixed)]
    };
    let mut all = vec![
        row("public", 0, "R", "DATABASE_ROLE", false),
        row("dbo", 1, "S", "SQL_USER", false),
        row("guest", 2, "S", "SQL_USER", false),
    ];
    for (id, user) in (5..).zip(database.state().principals.values()) {
        all.push(row(&user.name, id, "S", "SQL_USER", false));
    }
    for (name, id) in
        [("db_owner", 16384), ("db_ddladmin", 16387), ("db_datareader", 16390), ("db_datawriter", 16391)]
    {
        all.push(row(name, id, "R", "DATABASE_ROLE", true));
    }
    all
}

/// Sessions, what they do, and how they are connected. Without the right a session sees itself only.
fn activity(session: &Session, view: &str) -> Vec<Vec<Datum>> {
    let all = held(&session.server.sessions).clone();
    let blocker = all.iter().find(|(_, info)| info.program == "qianyi").map(|(id, _)| *id);
    let blocker = blocker.filter(|_| session.server.blocked());
    let everything = session.may_on_server("VIEW SERVER STATE");
    let seen = all.iter().filter(|(id, _)| everything || **id == session.id);
    let mut rows: Vec<Vec<Datum>> = match view {
        "dm_exec_requests" => vec![vec![int(session.id), text("running"), text("SELECT"), int(0)]],
        "dm_exec_sessions" => seen
            .map(|(id, info)| {
                let status = if *id == session.id { "running" } else { "sleeping" };
                vec![int(*id), text(&info.program), text(&info.login), int(1), text(status)]
            })
            .collect(),
        _ => seen.map(|(id, _)| vec![int(*id), text("FALSE"), text("TCP"), text("SQL")]).collect(),
    };
    if let (Some(blocker), true) = (blocker, everything) {
        match view {
            "dm_exec_requests" => {
                rows.push(vec![int(WAITING), text("suspended"), text("UPDATE"), int(blocker)])
            }
            "dm_exec_sessions" => {
                rows.push(vec![int(WAITING), text("application"), text("sa"), int(1), text("running")]);
            }
            _ => rows.push(vec![int(WAITING), text("FALSE"), text("TCP"), text("SQL")]),
        }
    }
    rows
}
