//! What `doctor` looks at on a SQL Server.
//!
//! Always: only questions, and never a trial of writing: the server's own answers say what the login could do. (There is no read-only
//! transaction here, so a trial that succeeds would have written.)

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::{Examined, Grade, OPEN_TRANSACTION, SourceError, Tls, wrong_with};
use super::literal::unicode;
use super::{Inner, Way, answer, shown};
use crate::phrase;

const LOGIN: &str = "sql/source/sqlserver/01-readonly-login.sql";
const ROLES: &str =
    "SELECT CAST(SUSER_SNAME() AS nvarchar(128)), CAST(ISNULL(IS_SRVROLEMEMBER('sysadmin'), 0) AS int),
    CAST(ISNULL(IS_MEMBER('db_owner'), 0) AS int), CAST(ISNULL(IS_MEMBER('db_datawriter'), 0) AS int),
    CAST(ISNULL(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE'), 0) AS int)";
const TABLES: &str = "SELECT CAST(o.name AS nvarchar(128)),
    CAST(ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'SELECT'), 0) AS int),
    CAST(ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'INSERT'), 0) AS int)
    + CAST(ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'UPDATE'), 0) AS int)
    + CAST(ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'DELETE'), 0) AS int)
  FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE s.name = {schema} AND o.type IN ('U', 'V') ORDER BY o.name";
/// Unreadable tables that are named in one line.
const NAMED: usize = 20;

/// Everything that is worth knowing before the first night.
pub(super) async fn examine(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
) -> Result<Vec<Examined>, SourceError> {
    let mut all = Vec::new();
    for (name, value) in &source.facts {
        let look = name.starts_with("without") || name == OPEN_TRANSACTION;
        let grade = if look { Grade::Warning } else { Grade::Info };
        all.push(Examined::new(name, grade, value, ""));
    }
    line(source, &mut all);
    encoding(source, &mut all);
    rights(source, read, &mut all).await?;
    shown::examine(source, read, &mut all).await?;
    point(source, &mut all).await?;
    changes(source, &mut all).await?;
    watch(source, &mut all).await?;
    limits(source, &mut all).await?;
    Ok(all)
}

fn line(source: &Inner, all: &mut Vec<Examined>) {
    let (found, advice) = match source.server.tls {
        Tls::Verify => return,
        Tls::Trust => (phrase!("doctor.tls_unchecked"), phrase!("doctor.tls_verify")),
        Tls::LoginOnly => (phrase!("doctor.tls_login"), phrase!("doctor.tls_update")),
        Tls::Off => (phrase!("doctor.tls_off"), phrase!("doctor.tls_update")),
    };
    all.push(Examined::new("tls", Grade::Warning, found, advice));
}

/// The database's own code page; that text comes out of it as it is was proved when the source was opened.
fn encoding(source: &Inner, all: &mut Vec<Examined>) {
    let name = source.code_page.name();
    let found = phrase!("doctor.encoding_page", collation = source.collation, name);
    let (_, _, lost) = source.code_page.encode("\u{767d}\u{57ce}");
    if lost {
        let found = phrase!("doctor.encoding_no_chinese", found);
        let advice = phrase!("doctor.encoding_no_chinese_advice");
        all.push(Examined::new("encoding", Grade::Warning, found, advice));
    } else {
        all.push(Examined::new("encoding", Grade::Ok, phrase!("doctor.encoding_back", found), ""));
    }
}

async fn rights(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
    all: &mut Vec<Examined>,
) -> Result<(), SourceError> {
    let rows = source.plain().await?.ask(&source.id, phrase!("source.rights"), ROLES).await?;
    let row = rows.first();
    let flag = |at| row.and_then(|r| answer::int(r, at)) == Some(1);
    let user = row.and_then(|r| answer::text(r, 0)).unwrap_or_default();
    let advice = phrase!("doctor.own_login", script = LOGIN);
    let mut powerful = Vec::new();
    for (at, name) in [(1, "sysadmin"), (2, "db_owner"), (3, "db_datawriter"), (4, "CREATE TABLE")] {
        if flag(at) {
            powerful.push(name);
        }
    }
    if !powerful.is_empty() {
        let found = phrase!("doctor.rights_roles", user, roles = powerful.join(", "));
        all.push(Examined::new("rights", Grade::Warning, found, &advice));
    }
    let sql = TABLES.replace("{schema}", &unicode(&source.schema));
    let rows = source.plain().await?.ask(&source.id, phrase!("source.rights"), &sql).await?;
    let writable = rows.iter().filter(|r| answer::int(r, 2).unwrap_or(0) > 0).count();
    if writable > 0 {
        let found = phrase!("doctor.rights_writable_sent", user, writable);
        all.push(Examined::new("read-only", Grade::Warning, found, &advice));
    } else {
        let found = phrase!("doctor.rights_none_said", user);
        all.push(Examined::new("read-only", Grade::Ok, found, ""));
    }
    let unreadable: Vec<String> =
        rows.iter().filter(|r| answer::int(r, 1) != Some(1)).filter_map(|r| answer::text(r, 0)).collect();
    let sees_all = shown::sees_all_tables(source).await?;
    if !sees_all {
        let found = phrase!("doctor.rights_partial");
        let advice = phrase!("doctor.grant_definition", script = LOGIN);
        all.push(Examined::new("rights", Grade::Warning, found, &advice));
    }
    if unreadable.is_empty() {
        let (schema, tables) = (&source.schema, rows.len());
        let found = if sees_all {
            phrase!("doctor.rights_all_readable", schema, tables)
        } else {
            phrase!("doctor.rights_seen_readable", schema, tables)
        };
        all.push(Examined::new("rights", if sees_all { Grade::Ok } else { Grade::Info }, found, ""));
    } else {
        let (wrong, others): (Vec<String>, Vec<String>) =
            unreadable.into_iter().partition(|table| wrong_with(table, read) == Grade::Error);
        for (grade, tables) in [(Grade::Error, wrong), (Grade::Info, others)] {
            if !tables.is_empty() {
                let names = tables.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
                all.push(Examined::new(
                    "rights",
                    grade,
                    phrase!("doctor.rights_unreadable", tables = names),
                    &advice,
                ));
            }
        }
    }
    Ok(())
}

async fn point(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let (grade, advice) = match source.way {
        Way::Still => (Grade::Ok, String::new()),
        Way::OneSession => (Grade::Info, phrase!("doctor.one_reader")),
        Way::Fuzzy => (Grade::Warning, phrase!("doctor.fuzzy")),
    };
    all.push(Examined::new("consistency", grade, &source.point.consistency, advice));
    let sql = "SELECT CAST(d.snapshot_isolation_state AS int), CAST(d.is_read_committed_snapshot_on AS int)
      FROM sys.databases AS d WHERE d.name = DB_NAME()";
    let rows = source.probe(sql).await?.unwrap_or_default();
    let on = |at| rows.first().and_then(|r| answer::int(r, at)) == Some(1);
    let word = |on| if on { "ON" } else { "OFF" };
    let found = phrase!("doctor.isolation", snapshot = word(on(0)), committed = word(on(1)));
    let advice =
        if source.way == Way::Fuzzy && !on(1) { phrase!("doctor.isolation_advice") } else { String::new() };
    let grade = if advice.is_empty() { Grade::Info } else { Grade::Warning };
    all.push(Examined::new("isolation", grade, found, advice));
    Ok(())
}

/// Change tracking, and what holds rowversion watermarks back.
async fn changes(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let sql = "SELECT COUNT_BIG(*) FROM sys.change_tracking_tables";
    let tracked = source.probe(sql).await?.and_then(|rows| rows.first().and_then(|r| answer::int(r, 0)));
    let found = match tracked {
        None => phrase!("doctor.tracking_unseen"),
        Some(0) => phrase!("doctor.tracking_none"),
        Some(n) => phrase!("doctor.tracking", n),
    };
    let advice = if tracked.unwrap_or(0) == 0 { phrase!("doctor.tracking_advice") } else { String::new() };
    all.push(Examined::new("changes", Grade::Info, found, advice));
    if source.way == Way::Still {
        let found = phrase!("doctor.stamps");
        let advice = phrase!("doctor.stamps_advice");
        all.push(Examined::new("stamps", Grade::Info, found, advice));
    }
    let sql = "SELECT CAST(@@DBTS AS bigint) - (CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1)";
    match source.probe(sql).await?.and_then(|rows| rows.first().and_then(|r| answer::int(r, 0))) {
        None => all.push(Examined::new("rowversion", Grade::Info, phrase!("doctor.rowversion_unsaid"), "")),
        Some(0) => {}
        Some(n) => {
            let found = phrase!("doctor.rowversion_held", n);
            let advice = phrase!("doctor.rowversion_advice");
            all.push(Examined::new("rowversion", Grade::Warning, found, advice));
        }
    }
    Ok(())
}

/// Whether we would see that somebody waits for us.
async fn watch(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let sql = "SELECT CAST(ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE'), 0) AS int)";
    let sees =
        source.probe(sql).await?.and_then(|rows| rows.first().and_then(|r| answer::int(r, 0))) == Some(1);
    if sees {
        all.push(Examined::new("blocking", Grade::Ok, phrase!("doctor.blocking_seen"), ""));
    } else {
        let found = phrase!("doctor.blocking_blind");
        all.push(Examined::new(
            "blocking",
            Grade::Warning,
            found,
            phrase!("doctor.grant_state", script = LOGIN),
        ));
    }
    Ok(())
}

async fn limits(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let mut reader = source.plain().await?;
    reader.session()?;
    let begun = Instant::now();
    let sql = "SELECT CONVERT(varchar(33), SYSUTCDATETIME(), 126)";
    let rows = reader.ask(&source.id, phrase!("source.time"), sql).await?;
    let took = begun.elapsed();
    all.push(Examined::new("answer", Grade::Info, phrase!("doctor.answer", ms = took.as_millis()), ""));
    let said = rows.first().and_then(|r| answer::text(r, 0)).unwrap_or_default();
    let Ok(theirs) = chrono::NaiveDateTime::parse_from_str(&said, "%Y-%m-%dT%H:%M:%S%.f") else {
        all.push(Examined::new("clock", Grade::Warning, phrase!("doctor.clock_unsaid"), ""));
        return Ok(());
    };
    let ours = crate::clock::unix_seconds();
    let apart = theirs.and_utc().timestamp().abs_diff(ours);
    let (grade, advice) = if apart > 60 {
        (Grade::Warning, phrase!("doctor.clock_advice"))
    } else {
        (Grade::Ok, String::new())
    };
    all.push(Examined::new("clock", grade, phrase!("doctor.clock", seconds = apart), advice));
    Ok(())
}
