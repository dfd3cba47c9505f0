//! What `doctor` looks at on a PostgreSQL server.
//!
//! Always: only questions; proves by the server's own answer that the login can read what it must and write nothing.

use std::time::Instant;

use super::super::{Examined, Grade, SourceError};
use super::{CopyForm, Inner, quote};
use crate::encoding::TextEncoding;

const WRITABLE: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
    AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')";
const UNREADABLE: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, 'SELECT')
  ORDER BY 1 LIMIT 20";
const CREATES: &str = "SELECT coalesce(bool_or(has_schema_privilege(oid, 'CREATE')), false) FROM pg_namespace WHERE nspname = $1";
/// A role that is not among these sees of other sessions neither what they wait for nor that they wait.
const WATCHES: &str = "SELECT rolsuper OR coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'pg_read_all_stats'), false)
  FROM pg_roles WHERE rolname = current_user";
const ROLE: &str = "SELECT rolsuper, rolcreatedb OR rolcreaterole, current_user::text FROM pg_roles WHERE rolname = current_user";
/// 中文㐱: a character of GBK, and one that only GB18030 has.
const KNOWN: &str = "\u{4e2d}\u{6587}\u{3431}";

/// Everything that is worth knowing before the first night.
pub(super) async fn examine(source: &Inner) -> Result<Vec<Examined>, SourceError> {
    let mut all = Vec::new();
    for (name, value) in &source.facts {
        let grade = if name.starts_with("without") { Grade::Warning } else { Grade::Fact };
        all.push(Examined::new(name, grade, value, ""));
    }
    if source.server.tls != super::super::Tls::Verify {
        let advice = "use `tls = \"verify\"` with `ca`, unless the line is private";
        all.push(Examined::new("tls", Grade::Warning, "the server's certificate is not checked", advice));
    }
    encoding(source, &mut all).await?;
    rights(source, &mut all).await?;
    point(source, &mut all);
    watching(source, &mut all).await?;
    pace(source, &mut all).await?;
    Ok(all)
}

async fn encoding(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let TextEncoding::CodePage(code_page) = source.text.encoding else {
        // The server gives UTF-8: what comes back must be what went there.
        let session = source.plain_session().await?;
        let row = session.query_one("SELECT $1::text", &[&KNOWN]).await;
        let back: String = row.map_err(source.failed("testing the encoding"))?.get(0);
        let grade = if back == KNOWN { Grade::Fine } else { Grade::Wrong };
        all.push(Examined::new("encoding", grade, "UTF-8, there and back", ""));
        return Ok(());
    };
    let found = format!("bytes without a declared code page; read as {}", code_page.name());
    let advice = "check `encoding` against a name that you know: `qianyi profile` shows values";
    all.push(Examined::new("encoding", Grade::Fact, found, advice));
    Ok(())
}

async fn rights(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let session = source.plain_session().await?;
    let failed = || source.failed("asking for rights");
    let role = session.query_one(ROLE, &[]).await.map_err(failed())?;
    let (over, makes, user): (bool, bool, String) = (role.get(0), role.get(1), role.get(2));
    let advice = "give qianyi a login of its own: sql/source/postgres/01-readonly-login.sql";
    if over || makes {
        all.push(Examined::new("rights", Grade::Warning, format!("{user} administers the server"), advice));
    }
    let writable: i64 = session.query_one(WRITABLE, &[&source.schema]).await.map_err(failed())?.get(0);
    if writable > 0 {
        let found = format!("{user} could write to {writable} tables; sessions are set to read only");
        all.push(Examined::new("rights", Grade::Warning, found, advice));
    } else {
        all.push(Examined::new("rights", Grade::Fine, format!("{user} can write to no table"), ""));
    }
    let creates = session.query_one(CREATES, &[&source.schema]).await.map_err(failed())?;
    if creates.get(0) {
        let found = format!("{user} could make tables in {}", source.schema);
        all.push(Examined::new(
            "rights",
            Grade::Warning,
            found,
            "REVOKE CREATE ON SCHEMA … FROM PUBLIC, or from it",
        ));
    }
    let unreadable = session.query(UNREADABLE, &[&source.schema]).await.map_err(failed())?;
    if unreadable.is_empty() {
        all.push(Examined::new("rights", Grade::Fine, "every table can be read", ""));
    } else {
        let names: Vec<String> = unreadable.iter().map(|r| r.get(0)).collect();
        all.push(Examined::new("rights", Grade::Wrong, format!("cannot read {}", names.join(", ")), advice));
    }
    // The proof: the server itself refuses a write of this session.
    let name = format!("{}.{}", quote(&source.schema), quote("qianyi_must_not_write"));
    session.batch_execute("BEGIN READ ONLY").await.map_err(failed())?;
    let refused = session.batch_execute(&format!("CREATE TABLE {name} (x int)")).await;
    session.batch_execute("ROLLBACK").await.map_err(failed())?;
    let (grade, found) = match refused {
        Err(e) if e.code().is_some_and(|c| matches!(c.code(), "25006" | "42501")) => {
            (Grade::Fine, "the server refuses a write of this session")
        }
        Err(_) => (Grade::Warning, "the server refused a write, but for another reason"),
        Ok(()) => (Grade::Wrong, "a read-only transaction could write (it was rolled back)"),
    };
    all.push(Examined::new("read-only", grade, found, ""));
    Ok(())
}

fn point(source: &Inner, all: &mut Vec<Examined>) {
    let grade = if source.point.consistency == "fuzzy" { Grade::Warning } else { Grade::Fine };
    let advice =
        if grade == Grade::Warning { "never fit for cutover: choose another `consistency`" } else { "" };
    all.push(Examined::new("consistency", grade, &source.point.consistency, advice));
    if source.copy == CopyForm::Rows {
        all.push(Examined::new("copy", Grade::Warning, "rows are read by plain queries, more slowly", ""));
    }
}

async fn watching(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    if !source.tells_waiting {
        return Ok(());
    }
    let session = source.plain_session().await?;
    let row = session.query_one(WATCHES, &[]).await.map_err(source.failed("asking for rights"))?;
    let (grade, found, advice) = if row.get(0) {
        (Grade::Fine, "sees who waits for a lock of ours", "")
    } else {
        let advice = "GRANT pg_read_all_stats: sql/source/postgres/01-readonly-login.sql";
        (
            Grade::Warning,
            "cannot see who waits for a lock of ours; reading pauses only for a slow server",
            advice,
        )
    };
    all.push(Examined::new("watching", grade, found, advice));
    Ok(())
}

async fn pace(source: &Inner, all: &mut Vec<Examined>) -> Result<(), SourceError> {
    let session = source.plain_session().await?;
    let begun = Instant::now();
    let sql = "SELECT extract(epoch FROM clock_timestamp())::double precision";
    let row = session.query_one(sql, &[]).await.map_err(source.failed("asking for the time"))?;
    let took = begun.elapsed();
    all.push(Examined::new("answer", Grade::Fact, format!("{} ms there and back", took.as_millis()), ""));
    #[allow(clippy::cast_precision_loss)]
    let ours = crate::clock::unix_seconds() as f64;
    let apart = (row.get::<_, f64>(0) - ours).abs();
    let (grade, advice) =
        if apart > 60.0 { (Grade::Warning, "set both clocks by the same server") } else { (Grade::Fine, "") };
    all.push(Examined::new("clock", grade, format!("{apart:.0} s apart"), advice));
    Ok(())
}
