//! What `doctor` looks at on a PostgreSQL server.
//!
//! Always: only questions; proves by the server's own answer that the login can read what it must and write nothing.

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::{Examined, Grade, OPEN_TRANSACTION, SourceError, wrong_with};
use super::catalogue::name;
use super::session::rows;
use super::{CopyForm, Inner, ask, quote};
use crate::phrase;

const WRITABLE: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
    AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')";
/// A column that may be read is enough.
const UNREADABLE: &str =
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT has_any_column_privilege(c.oid, 'SELECT')
  ORDER BY c.relname";
/// Tables that are named in one line.
const NAMED: usize = 20;
/// Tables with row security, and whether it holds for us.
const GUARDED: &str =
    "SELECT c.relname, row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relrowsecurity
  ORDER BY NOT row_security_active(c.oid), c.relname";
/// Views that leave rows out, as far as their text says so.
const FILTERED: &str =
    "SELECT c.relname, coalesce(array_to_string(c.reloptions, ',') LIKE '%security_barrier%', false)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('v', 'm') AND pg_get_viewdef(c.oid) ~ '(WHERE|JOIN|LIMIT|DISTINCT|GROUP|HAVING)'
  ORDER BY 1 LIMIT 20";
const FOREIGN: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind = 'f' ORDER BY c.relname";
const CREATES: &str = "SELECT coalesce(bool_or(has_schema_privilege(oid, 'CREATE')), false) FROM pg_namespace WHERE nspname = $1";
/// A role that is not among these does not see since when others work.
const WATCHES: &str = "SELECT rolsuper OR coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'pg_read_all_stats'), false)
  FROM pg_roles WHERE rolname = current_user";
const ROLE: &str = "SELECT rolsuper, rolcreatedb OR rolcreaterole, current_user::text FROM pg_roles WHERE rolname = current_user";
/// 中文㐱: a character of GBK, and one that only GB18030 has.
const KNOWN: &str = "\u{4e2d}\u{6587}\u{3431}";

/// Everything that is worth knowing before the first night.
pub(super) async fn examine(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
) -> Result<Vec<Examined>, SourceError> {
    let mut all = Vec::new();
    // Who is open now is asked below.
    for (name, value) in source.facts.iter().filter(|(name, _)| name != OPEN_TRANSACTION) {
        let grade = if name.starts_with("without") { Grade::Warning } else { Grade::Info };
        all.push(Examined::new(name, grade, value, ""));
    }
    if source.server.tls != super::super::Tls::Verify {
        let advice = phrase!("doctor.tls_verify");
        all.push(Examined::new("tls", Grade::Warning, phrase!("doctor.tls_unchecked"), advice));
    }
    encoding(source, &mut all).await?;
    rights(source, read, &mut all).await?;
    hidden_rows(source, read, &mut all).await?;
    point(source, &mut all);
    watching(source, &mut all).await?;
    limits(source, &mut all).await?;
    Ok(all)
}

async fn encoding(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    if source.text.is_utf8() {
        // The server gives UTF-8: what comes back must be what went there.
        let asking = source.asking().await?;
        let found = rows(asking.client()?, "SELECT $1", &[KNOWN]).await;
        let found = found.map_err(source.failed(phrase!("source.encoding")))?;
        asking.release().await;
        let back: String = found.first().map(|row| row.get(0)).unwrap_or_default();
        let grade = if back == KNOWN { Grade::Ok } else { Grade::Error };
        all.push(Examined::new("encoding", grade, phrase!("doctor.encoding_utf8"), ""));
        return Ok(());
    }
    let held = match source.text.client_encoding.as_str() {
        "SQL_ASCII" => phrase!("doctor.encoding_none"),
        other => phrase!("doctor.encoding_declared", other),
    };
    let found = phrase!("doctor.encoding_read_as", held, encoding = source.text.encoding);
    let advice = phrase!("doctor.encoding_compare");
    all.push(Examined::new("encoding", Grade::Info, found, advice));
    Ok(())
}

async fn rights(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
    all: &mut Vec<Examined>,
) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let ask = async |sql: &str, texts: &[&str]| {
        rows(asking.client()?, sql, texts).await.map_err(source.failed(phrase!("source.rights")))
    };
    let role = ask(ROLE, &[]).await?;
    let (over, user) = role.first().map_or((false, String::new()), |r| {
        (r.get::<_, bool>(0) || r.get::<_, bool>(1), r.get::<_, String>(2))
    });
    let advice = phrase!("doctor.own_login_postgres");
    if over {
        all.push(Examined::new("rights", Grade::Warning, phrase!("doctor.rights_admin", user), &advice));
    }
    let writable = ask(WRITABLE, &[&source.schema]).await?.first().map_or(0, |r| r.get::<_, i64>(0));
    if writable > 0 {
        let found = phrase!("doctor.rights_writable", user, writable);
        all.push(Examined::new("rights", Grade::Warning, found, &advice));
    } else {
        all.push(Examined::new("rights", Grade::Ok, phrase!("doctor.rights_none", user), ""));
    }
    if ask(CREATES, &[&source.schema]).await?.first().is_some_and(|r| r.get(0)) {
        let found = phrase!("doctor.rights_create", user, schema = source.schema);
        let advice = phrase!("doctor.rights_create_advice");
        all.push(Examined::new("rights", Grade::Warning, found, advice));
    }
    let unreadable = ask(UNREADABLE, &[&source.schema]).await?;
    if unreadable.is_empty() {
        all.push(Examined::new("rights", Grade::Ok, phrase!("doctor.rights_readable"), ""));
    } else {
        let names = unreadable.iter().map(|row| name(source, row, 0));
        let (wrong, others): (Vec<String>, Vec<String>) =
            names.partition(|table| wrong_with(table, read) == Grade::Error);
        for (grade, tables) in [(Grade::Error, wrong), (Grade::Info, others)] {
            if !tables.is_empty() {
                all.push(Examined::new(
                    "rights",
                    grade,
                    phrase!("doctor.rights_unreadable", tables = listed(&tables)),
                    &advice,
                ));
            }
        }
    }
    asking.release().await;
    read_only(source, all).await
}

/// The proof: the server itself refuses a write of our transaction.
async fn read_only(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let name = format!("{}.{}", quote(&source.schema), quote("qianyi_must_not_write"));
    let asking = source.asking().await?;
    let client = asking.client()?;
    let refused = client.batch_execute(&format!("CREATE TABLE {name} (x int)")).await;
    client.batch_execute("ROLLBACK").await.map_err(source.failed(phrase!("source.rights")))?;
    asking.release().await;
    let (grade, found) = match refused {
        Err(e) if e.code().is_some_and(|c| matches!(c.code(), "25006" | "42501")) => {
            (Grade::Ok, phrase!("doctor.read_only_refused"))
        }
        Err(_) => (Grade::Warning, phrase!("doctor.read_only_otherwise")),
        Ok(()) => (Grade::Error, phrase!("doctor.read_only_wrote")),
    };
    all.push(Examined::new("read-only", grade, found, ""));
    Ok(())
}

/// The first of some names.
fn listed(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names.get(..NAMED).unwrap_or(names).join(", "))
}

/// Which tables show this login a part of their rows, or those of another point.
async fn hidden_rows(
    source: &Inner,
    read: Option<&BTreeSet<String>>,
    all: &mut Vec<Examined>,
) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let ask = async |sql: &str| {
        rows(asking.client()?, sql, &[&source.schema])
            .await
            .map_err(source.failed(phrase!("source.row_security")))
    };
    if source.has_row_security() {
        let guarded = ask(GUARDED).await?;
        for row in &guarded {
            let name = name(source, row, 0);
            all.push(if row.get(1) {
                let found = phrase!("doctor.row_security_hides", name);
                let grade = wrong_with(&name, read);
                Examined::new("row security", grade, found, phrase!("doctor.row_security_advice"))
            } else {
                let found = phrase!("doctor.row_security_off", name);
                Examined::new("row security", Grade::Info, found, "")
            });
        }
        if guarded.is_empty() {
            all.push(Examined::new("row security", Grade::Ok, phrase!("doctor.row_security_none"), ""));
        }
    }
    for row in ask(FILTERED).await? {
        let (name, barrier): (String, bool) = (name(source, &row, 0), row.get(1));
        let kind = if barrier { phrase!("doctor.view_barrier") } else { phrase!("doctor.view_filter") };
        let found = phrase!("doctor.view_shown", name, kind);
        all.push(Examined::new("views", Grade::Info, found, ""));
    }
    let foreign = ask(FOREIGN).await?;
    if !foreign.is_empty() {
        let foreign: Vec<String> = foreign.iter().map(|row| name(source, row, 0)).collect();
        let found = phrase!("doctor.foreign", tables = listed(&foreign));
        all.push(Examined::new("foreign tables", Grade::Warning, found, phrase!("doctor.foreign_advice")));
    }
    asking.release().await;
    Ok(())
}

fn point(source: &Inner, all: &mut Vec<Examined>) {
    let grade = if source.point.consistency == "fuzzy" { Grade::Warning } else { Grade::Ok };
    let advice = if grade == Grade::Warning { phrase!("doctor.fuzzy") } else { String::new() };
    all.push(Examined::new("consistency", grade, &source.point.consistency, advice));
    if source.copy == CopyForm::Rows {
        all.push(Examined::new("copy", Grade::Warning, phrase!("doctor.plain_rows"), ""));
    }
}

async fn watching(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let sees = rows(asking.client()?, WATCHES, &[]).await.map_err(source.failed(phrase!("source.rights")))?;
    let open = ask::open_transaction(asking.client()?, &source.id).await?;
    asking.release().await;
    let sees = sees.first().is_some_and(|row| row.get(0));
    let grant = phrase!("doctor.grant_stats");
    if source.tells_waiting {
        all.push(if sees {
            Examined::new("watching", Grade::Ok, phrase!("doctor.watch_sees"), "")
        } else {
            Examined::new("watching", Grade::Warning, phrase!("doctor.watch_blind"), &grant)
        });
    }
    let (grade, found, advice) = match (open, sees) {
        (Some(open), _) => (
            Grade::Warning,
            phrase!("doctor.open_since", since = open.since, whose = open.whose),
            phrase!("doctor.open_advice"),
        ),
        (None, true) => (Grade::Ok, phrase!("doctor.open_none"), String::new()),
        (None, false) => (Grade::Warning, phrase!("doctor.open_unseen"), grant),
    };
    all.push(Examined::new(OPEN_TRANSACTION, grade, found, advice));
    Ok(())
}

async fn limits(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let begun = Instant::now();
    let sql = "SELECT extract(epoch FROM clock_timestamp())::double precision";
    let found = rows(asking.client()?, sql, &[]).await.map_err(source.failed(phrase!("source.time")))?;
    let took = begun.elapsed();
    asking.release().await;
    all.push(Examined::new("answer", Grade::Info, phrase!("doctor.answer", ms = took.as_millis()), ""));
    #[allow(clippy::cast_precision_loss)]
    let ours = crate::clock::unix_seconds() as f64;
    let apart = found.first().map_or(0.0, |row| (row.get::<_, f64>(0) - ours).abs());
    let (grade, advice) = if apart > 60.0 {
        (Grade::Warning, phrase!("doctor.clock_advice"))
    } else {
        (Grade::Ok, String::new())
    };
    all.push(Examined::new("clock", grade, phrase!("doctor.clock", seconds = format!("{apart:.0}")), advice));
    Ok(())
}
