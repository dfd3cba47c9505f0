//! What is asked of a server once, when it is connected: who it is, how it holds text, what it can do, which point we stand at.

use deadpool_postgres::{Object, Pool, PoolError};
use futures::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::settings::DEFAULT_ENCODING;
use super::super::{Server, SourceError, SourceSettings, Tls};
use super::connect::{may_refuse, shown, unreachable};
use super::session::rows;
use super::{CopyForm, TextForm, UTF8, failed};
use crate::encoding::TextEncoding;
use crate::phrase;

/// Before the start time of a server that does not say which cluster it is.
pub(super) const STARTED: &str = "started ";

/// The first session. What went wrong with it says what is wrong with the settings.
pub(super) async fn session(
    settings: &SourceSettings,
    server: &Server,
    pool: &Pool,
) -> Result<Object, SourceError> {
    pool.get().await.map_err(|e| match e {
        PoolError::Backend(e) => {
            let (id, server_name) = (settings.id.clone(), shown(server));
            let refused = e.code().is_some_and(|c| {
                matches!(c.code().get(..2), Some("28" | "3D")) || *c == SqlState::INSUFFICIENT_PRIVILEGE
            });
            // The driver words a failed handshake only in its text.
            if refused {
                SourceError::Refused { id, server: server_name, source: Box::new(e) }
            } else if e.code().is_none() && server.tls != Tls::Off && e.to_string().contains("TLS") {
                SourceError::Tls { id, server: server_name, source: Box::new(e) }
            } else if e.to_string().contains("password") {
                SourceError::Refused { id, server: server_name, source: Box::new(e) }
            } else {
                unreachable(settings, server, e)
            }
        }
        other => unreachable(settings, server, other),
    })
}

pub(super) async fn text(client: &Client, id: &str, what: String, sql: &str) -> Result<String, SourceError> {
    let found = rows(client, sql, &[]).await.map_err(failed(id, what))?;
    Ok(found.first().and_then(|row| row.get::<_, Option<String>>(0)).unwrap_or_default())
}

/// Version, TLS, and what the configuration allowed.
pub(super) async fn server_facts(
    session: &Client,
    settings: &SourceSettings,
    server: &Server,
) -> Result<Vec<(String, String)>, SourceError> {
    let version = text(session, &settings.id, phrase!("source.version"), "SELECT version()").await?;
    Ok(vec![
        ("server".to_owned(), version.split(" on ").next().unwrap_or_default().to_owned()),
        ("tls".to_owned(), server.tls.text().to_owned()),
    ])
}

/// How the database holds text, and how it is asked for so that the server converts nothing. One that is not in UTF-8 may hold bytes of
/// another code page (`SQL_ASCII` promises nothing, and every byte is a letter of LATIN1): what is set goes before what it says.
pub(super) async fn text_form(session: &Client, settings: &SourceSettings) -> Result<TextForm, SourceError> {
    let id = &settings.id;
    let of =
        text(session, id, phrase!("source.ask_encoding"), "SHOW server_encoding").await?.to_ascii_uppercase();
    let form = |encoding| TextForm { encoding, client_encoding: of.clone() };
    let says = match of.as_str() {
        "UTF8" | "UTF-8" => {
            return Ok(TextForm { encoding: TextEncoding::Utf8, client_encoding: UTF8.to_owned() });
        }
        "SQL_ASCII" => Some(DEFAULT_ENCODING),
        "EUC_CN" => TextEncoding::named("gbk"),
        "LATIN1" => TextEncoding::named("windows-1252"),
        // GBK and GB18030 are held by servers of other makers.
        other => TextEncoding::named(&other.replace('_', "-").replace("WIN", "windows-")),
    };
    let encoding = settings.encoding.or(says);
    encoding.map(form).ok_or_else(|| SourceError::Encoding { id: id.clone(), encoding: of.clone() })
}

/// Whether the server has binary COPY.
pub(super) async fn copy_form(
    session: &Client,
    settings: &SourceSettings,
    facts: &mut Vec<(String, String)>,
) -> Result<CopyForm, SourceError> {
    let probe = async {
        let rows = session.copy_out("COPY (SELECT 1) TO STDOUT (FORMAT binary)").await?;
        rows.try_for_each(|_| async { Ok(()) }).await
    };
    let works = may_refuse(session, &settings.id, probe).await?.is_ok();
    if works && !settings.server.as_ref().is_some_and(|s| s.portable) {
        return Ok(CopyForm::Binary);
    }
    tracing::warn!(source = settings.id, "no binary COPY: rows are read by plain queries, more slowly");
    facts.push(("without binary COPY".to_owned(), phrase!("doctor.fact_plain")));
    Ok(CopyForm::Rows)
}

/// What all transactions that are visible now determine: equal text means equal content, also after a restart.
pub(super) async fn now(session: &Client, id: &str) -> Result<String, SourceError> {
    let snapshot =
        text(session, id, phrase!("source.snapshot"), "SELECT txid_current_snapshot()::text").await?;
    Ok(format!("{} snapshot {snapshot}", cluster(session, id).await?))
}

/// Which cluster, timeline and database this is: transaction numbers of another one mean nothing here.
pub(super) async fn cluster(session: &Client, id: &str) -> Result<String, SourceError> {
    let database = text(
        session,
        id,
        phrase!("source.database"),
        "SELECT oid::text FROM pg_database WHERE datname = current_database()",
    )
    .await?;
    // Which cluster this is; the functions are younger than some servers, and may be closed to a plain login.
    let cluster = "SELECT c.system_identifier::text || '/' || p.timeline_id::text FROM pg_control_system() c, pg_control_checkpoint() p";
    let asked = may_refuse(session, id, rows(session, cluster, &[])).await?;
    let cluster = match asked.ok().and_then(|found| found.first().map(|row| row.get::<_, String>(0))) {
        Some(cluster) => cluster,
        None => format!("{STARTED}{}", started(session, id).await?),
    };
    Ok(format!("cluster {cluster} database {database}"))
}

/// When the server was started, in seconds, whatever the zone of the session.
pub(super) async fn started(session: &Client, id: &str) -> Result<String, SourceError> {
    let sql = "SELECT extract(epoch FROM pg_postmaster_start_time())::text";
    text(session, id, phrase!("source.start_time"), sql).await
}

/// Its version as a number: 150018.
pub(super) async fn version(session: &Client, id: &str) -> Result<u32, SourceError> {
    let version = text(session, id, phrase!("source.version"), "SHOW server_version_num").await?;
    Ok(version.parse().unwrap_or(0))
}

/// Digits after the point of the type money, which stand in the server's locale.
pub(super) async fn money_digits(session: &Client, id: &str) -> Result<u8, SourceError> {
    let asked = may_refuse(session, id, rows(session, "SELECT '0'::money::numeric::text", &[])).await?;
    let shown = asked.ok().and_then(|found| found.first().map(|row| row.get::<_, String>(0)));
    let digits = shown.as_deref().and_then(|s| s.split_once('.')).map_or(0, |(_, digits)| digits.len());
    Ok(u8::try_from(digits).unwrap_or(2))
}

/// Whether the server can say who waits for whom; a fact where it cannot.
pub(super) async fn tells_waiting(
    session: &Client,
    id: &str,
    facts: &mut Vec<(String, String)>,
) -> Result<bool, SourceError> {
    if may_refuse(session, id, rows(session, WAITING, &[])).await?.is_ok() {
        return Ok(true);
    }
    let found = phrase!("doctor.fact_blind");
    facts.push(("without pg_blocking_pids".to_owned(), found));
    Ok(false)
}

/// Sessions that wait for a lock of one of ours. Everybody may see who waits for a lock.
const WAITING: &str = "SELECT count(DISTINCT w.pid) FROM pg_locks w
  WHERE NOT w.granted AND EXISTS (
    SELECT 1 FROM pg_stat_activity o
    WHERE o.application_name = 'qianyi' AND o.usename = current_user AND o.pid = ANY (pg_blocking_pids(w.pid)))";

pub(super) async fn waiting_for_us(session: &Client, id: &str) -> Result<i64, SourceError> {
    let found = rows(session, WAITING, &[]).await.map_err(failed(id, phrase!("source.waiting")))?;
    Ok(found.first().map_or(0, |row| row.get(0)))
}

/// A transaction that may still write.
pub(super) struct OpenTransaction {
    pub(super) since: String,
    /// Its user, program and process; of a prepared one its name.
    pub(super) whose: String,
}

/// The transaction that is open for the longest time: what it writes is stamped with a time that is past when it becomes visible.
/// Without the right to see others (`pg_read_all_stats`) only those of the same user and the prepared ones are found.
pub(super) async fn open_transaction(
    session: &Client,
    id: &str,
) -> Result<Option<OpenTransaction>, SourceError> {
    let found = may_refuse(session, id, rows(session, OPEN, &[])).await?.unwrap_or_default();
    Ok(found.first().map(|row| OpenTransaction { since: row.get(0), whose: row.get(1) }))
}

const OPEN: &str = "SELECT since::text, whose FROM (
    SELECT xact_start AS since, coalesce(usename::text, '') || ', '
        || coalesce(nullif(application_name, ''), 'a program without a name') || ', process ' || pid AS whose
    FROM pg_stat_activity
    WHERE datname = current_database() AND xact_start IS NOT NULL AND query NOT LIKE 'autovacuum:%'
      AND NOT (application_name = 'qianyi' AND usename = current_user)
    UNION ALL
    SELECT prepared, owner::text || ', prepared transaction ' || gid FROM pg_prepared_xacts
    WHERE database = current_database()) o
  ORDER BY since LIMIT 1";
