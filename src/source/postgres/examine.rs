//! What `doctor` looks at on a PostgreSQL server.
//!
//! Always: only questions; proves by the server's own answer that the login can read what it must and write nothing.

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::{Examined, Grade, OPEN_TRANSACTION, SourceError, wrong_with};
use super::catalogue::name;
use super::session::rows;
use super::{CopyForm, Inner, ask, quote};

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
        let advice = "use `tls = \"verify\"` with `ca`, unless the line is private";
        all.push(Examined::new("tls", Grade::Warning, "the server's certificate is not checked", advice));
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
        let found = found.map_err(source.failed("testing the encoding"))?;
        asking.release().await;
        let back: String = found.first().map(|row| row.get(0)).unwrap_or_default();
        let grade = if back == KNOWN { Grade::Ok } else { Grade::Error };
        all.push(Examined::new("encoding", grade, "UTF-8, there and back", ""));
        return Ok(());
    }
    let held = match source.text.client_encoding.as_str() {
        "SQL_ASCII" => "bytes without a declared code page".to_owned(),
        other => format!("bytes declared as {other}"),
    };
    let found = format!("{held}; read as {}", source.text.encoding);
    let advice = "check `encoding` against a name that you know: `qianyi profile` shows values";
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
        rows(asking.client()?, sql, texts).await.map_err(source.failed("asking for rights"))
    };
    let role = ask(ROLE, &[]).await?;
    let (over, user) = role.first().map_or((false, String::new()), |r| {
        (r.get::<_, bool>(0) || r.get::<_, bool>(1), r.get::<_, String>(2))
    });
    let advice = "give qianyi a login of its own: sql/source/postgres/01-readonly-login.sql";
    if over {
        all.push(Examined::new("rights", Grade::Warning, format!("{user} administers the server"), advice));
    }
    let writable = ask(WRITABLE, &[&source.schema]).await?.first().map_or(0, |r| r.get::<_, i64>(0));
    if writable > 0 {
        let found = format!("{user} could write to {writable} tables; transactions are set to read only");
        all.push(Examined::new("rights", Grade::Warning, found, advice));
    } else {
        all.push(Examined::new("rights", Grade::Ok, format!("{user} can write to no table"), ""));
    }
    if ask(CREATES, &[&source.schema]).await?.first().is_some_and(|r| r.get(0)) {
        let found = format!("{user} could make tables in {}", source.schema);
        let advice = "REVOKE CREATE ON SCHEMA … FROM PUBLIC, or from it";
        all.push(Examined::new("rights", Grade::Warning, found, advice));
    }
    let unreadable = ask(UNREADABLE, &[&source.schema]).await?;
    if unreadable.is_empty() {
        all.push(Examined::new("rights", Grade::Ok, "every table can be read", ""));
    } else {
        let names = unreadable.iter().map(|row| name(source, row, 0));
        let (wrong, others): (Vec<String>, Vec<String>) =
            names.partition(|table| wrong_with(table, read) == Grade::Error);
        for (grade, tables) in [(Grade::Error, wrong), (Grade::Info, others)] {
            if !tables.is_empty() {
                all.push(Examined::new("rights", grade, format!("cannot read {}", listed(&tables)), advice));
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
    client.batch_execute("ROLLBACK").await.map_err(source.failed("asking for rights"))?;
    asking.release().await;
    let (grade, found) = match refused {
        Err(e) if e.code().is_some_and(|c| matches!(c.code(), "25006" | "42501")) => {
            (Grade::Ok, "the server refuses a write of our transaction")
        }
        Err(_) => (Grade::Warning, "the server refused a write, but for another reason"),
        Ok(()) => (Grade::Error, "a read-only transaction could write (it was rolled back)"),
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
        rows(asking.client()?, sql, &[&source.schema]).await.map_err(source.failed("asking for row security"))
    };
    if source.has_row_security() {
        let guarded = ask(GUARDED).await?;
        for row in &guarded {
            let name = name(source, row, 0);
            all.push(if row.get(1) {
                let found = format!("{name}: row security would hide rows from this login; it is not read");
                let grade = wrong_with(&name, read);
                Examined::new("row security", grade, found, "ALTER ROLE … BYPASSRLS for the login")
            } else {
                let found = format!("{name}: has row security, which does not hold for this login");
                Examined::new("row security", Grade::Info, found, "")
            });
        }
        if guarded.is_empty() {
            all.push(Examined::new("row security", Grade::Ok, "no table has any", ""));
        }
    }
    for row in ask(FILTERED).await? {
        let (name, barrier): (String, bool) = (name(source, &row, 0), row.get(1));
        let kind = if barrier { "a security barrier" } else { "a view that may leave rows out" };
        let found = format!("{name} is {kind}: it is read as it shows itself");
        all.push(Examined::new("views", Grade::Info, found, ""));
    }
    let foreign = ask(FOREIGN).await?;
    if !foreign.is_empty() {
        let foreign: Vec<String> = foreign.iter().map(|row| name(source, row, 0)).collect();
        let found =
            format!("{}: foreign tables, which do not stand at the point of an extract", listed(&foreign));
        all.push(Examined::new("foreign tables", Grade::Warning, found, "read them at their own server"));
    }
    asking.release().await;
    Ok(())
}

fn point(source: &Inner, all: &mut Vec<Examined>) {
    let grade = if source.point.consistency == "fuzzy" { Grade::Warning } else { Grade::Ok };
    let advice =
        if grade == Grade::Warning { "never fit for cutover: choose another `consistency`" } else { "" };
    all.push(Examined::new("consistency", grade, &source.point.consistency, advice));
    if source.copy == CopyForm::Rows {
        all.push(Examined::new("copy", Grade::Warning, "rows are read by plain queries, more slowly", ""));
    }
}

async fn watching(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let sees = rows(asking.client()?, WATCHES, &[]).await.map_err(source.failed("asking for rights"))?;
    let open = ask::open_transaction(asking.client()?, &source.id).await?;
    asking.release().await;
    let sees = sees.first().is_some_and(|row| row.get(0));
    let grant = "GRANT pg_read_all_stats: sql/source/postgres/01-readonly-login.sql";
    if source.tells_waiting {
        let blind = "cannot see who waits for a lock of ours; reading pauses only for a slow server";
        all.push(if sees {
            Examined::new("watching", Grade::Ok, "sees who waits for a lock of ours", "")
        } else {
            Examined::new("watching", Grade::Warning, blind, grant)
        });
    }
    let (grade, found, advice) = match (open, sees) {
        (Some(open), _) => (
            Grade::Warning,
            format!("open since {}: {}", open.since, open.whose),
            "the method `timestamp` goes back to its beginning each time, as long as it is open",
        ),
        (None, true) => (Grade::Ok, "no transaction of others is open".to_owned(), ""),
        (None, false) => (
            Grade::Warning,
            "transactions of others cannot be seen: the method `timestamp` is right, but cannot say who holds it back".to_owned(),
            grant,
        ),
    };
    all.push(Examined::new(OPEN_TRANSACTION, grade, found, advice));
    Ok(())
}

async fn limits(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let asking = source.asking().await?;
    let begun = Instant::now();
    let sql = "SELECT extract(epoch FROM clock_timestamp())::double precision";
    let found = rows(asking.client()?, sql, &[]).await.map_err(source.failed("asking for the time"))?;
    let took = begun.elapsed();
    asking.release().await;
    all.push(Examined::new("answer", Grade::Info, format!("{} ms there and back", took.as_millis()), ""));
    #[allow(clippy::cast_precision_loss)]
    let ours = crate::clock::unix_seconds() as f64;
    let apart = found.first().map_or(0.0, |row| (row.get::<_, f64>(0) - ours).abs());
    let (grade, advice) =
        if apart > 60.0 { (Grade::Warning, "set both clocks by the same server") } else { (Grade::Ok, "") };
    all.push(Examined::new("clock", grade, format!("{apart:.0} s apart"), advice));
    Ok(())
}
