//! What is asked of a server once, when it is connected: who it is, how it holds text, what it can do, which point we stand at.

use deadpool_postgres::{Object, Pool, PoolError};
use encoding_rs::{GB18030, GBK};
use tokio_postgres::error::SqlState;

use super::super::settings::DEFAULT_ENCODING;
use super::super::{Server, SourceError, SourceSettings, Tls};
use super::connect::{shown, unreachable};
use super::{CopyForm, TextForm, failed};
use crate::encoding::TextEncoding;

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

pub(super) async fn text(session: &Object, id: &str, what: &str, sql: &str) -> Result<String, SourceError> {
    let row = session.query_one(sql, &[]).await.map_err(failed(id, what))?;
    Ok(row.get::<_, Option<String>>(0).unwrap_or_default())
}

/// Version, TLS, and what the configuration allowed.
pub(super) async fn server_facts(
    session: &Object,
    settings: &SourceSettings,
    server: &Server,
) -> Result<Vec<(String, String)>, SourceError> {
    let version = text(session, &settings.id, "asking for the version", "SELECT version()").await?;
    Ok(vec![
        ("server".to_owned(), version.split(" on ").next().unwrap_or_default().to_owned()),
        ("tls".to_owned(), server.tls.text().to_owned()),
    ])
}

/// How the database holds text. `SQL_ASCII` holds bytes of nobody knows which code page: the configured one.
pub(super) async fn text_form(session: &Object, settings: &SourceSettings) -> Result<TextForm, SourceError> {
    let id = &settings.id;
    let of = text(session, id, "asking for the encoding", "SHOW server_encoding").await?;
    Ok(match of.to_ascii_uppercase().as_str() {
        "UTF8" | "UTF-8" => TextForm { encoding: TextEncoding::Utf8, client_encoding: "UTF8" },
        "SQL_ASCII" => {
            TextForm { encoding: settings.encoding.unwrap_or(DEFAULT_ENCODING), client_encoding: "SQL_ASCII" }
        }
        // Servers of other makers hold these; asked in the server's own encoding, the bytes come as they are.
        "GBK" => TextForm { encoding: TextEncoding::CodePage(GBK), client_encoding: "GBK" },
        "GB18030" => TextForm { encoding: TextEncoding::CodePage(GB18030), client_encoding: "GB18030" },
        "EUC_CN" => TextForm { encoding: TextEncoding::CodePage(GBK), client_encoding: "EUC_CN" },
        _ => return Err(SourceError::Encoding { id: id.clone(), encoding: of }),
    })
}

/// Whether the server has binary COPY.
pub(super) async fn copy_form(
    session: &Object,
    settings: &SourceSettings,
    facts: &mut Vec<(String, String)>,
) -> Result<CopyForm, SourceError> {
    let probe = session.copy_out("COPY (SELECT 1) TO STDOUT (FORMAT binary)").await;
    let works = match probe {
        Ok(rows) => {
            use futures::TryStreamExt;
            rows.try_for_each(|_| async { Ok(()) }).await.is_ok()
        }
        Err(_) => false,
    };
    if works && !settings.server.as_ref().is_some_and(|s| s.portable) {
        return Ok(CopyForm::Binary);
    }
    tracing::warn!(source = settings.id, "no binary COPY: rows are read by plain queries, more slowly");
    facts.push(("without binary COPY".to_owned(), "rows are read by plain queries".to_owned()));
    Ok(CopyForm::Rows)
}

/// What all transactions that are visible now determine: equal text means equal content, also after a restart.
pub(super) async fn now(session: &Object, id: &str) -> Result<String, SourceError> {
    let snapshot =
        text(session, id, "asking for the snapshot", "SELECT txid_current_snapshot()::text").await?;
    Ok(format!("{} snapshot {snapshot}", cluster(session, id).await?))
}

/// Which cluster, timeline and database this is: transaction numbers of another one mean nothing here.
pub(super) async fn cluster(session: &Object, id: &str) -> Result<String, SourceError> {
    let database = text(
        session,
        id,
        "asking for the database",
        "SELECT oid::text FROM pg_database WHERE datname = current_database()",
    )
    .await?;
    // Which cluster this is; the functions are younger than some servers, and may be closed to a plain login.
    let cluster = "SELECT c.system_identifier::text || '/' || p.timeline_id::text FROM pg_control_system() c, pg_control_checkpoint() p";
    let asked = session.query_one(cluster, &[]).await;
    let cluster = match asked {
        Ok(row) => row.get::<_, String>(0),
        Err(_) => {
            text(session, id, "asking for the start time", "SELECT pg_postmaster_start_time()::text").await?
        }
    };
    Ok(format!("cluster {cluster} database {database}"))
}

/// Whether a row keeps the number of its transaction when it is frozen: since 9.4. Before, a frozen change looks like an old row.
pub(super) async fn keeps_xmin(session: &Object, id: &str) -> Result<bool, SourceError> {
    let version = text(session, id, "asking for the version", "SHOW server_version_num").await?;
    Ok(version.parse::<u32>().is_ok_and(|v| v >= 90_400))
}

/// Whether the server can say who waits for whom; a fact where it cannot.
pub(super) async fn tells_waiting(
    session: &Object,
    id: &str,
    facts: &mut Vec<(String, String)>,
) -> Result<bool, SourceError> {
    match waiting_for_us(session, id).await {
        Ok(_) => Ok(true),
        Err(e) if crate::retry::Passing::passing(&e) => Err(e),
        Err(_) => {
            let found = "nobody can be seen who waits for a lock of ours".to_owned();
            facts.push(("without pg_blocking_pids".to_owned(), found));
            Ok(false)
        }
    }
}

/// Sessions that wait for a lock of one of ours.
pub(super) async fn waiting_for_us(session: &Object, id: &str) -> Result<i64, SourceError> {
    let sql = "SELECT count(*) FROM pg_stat_activity w
               WHERE w.wait_event_type = 'Lock' AND EXISTS (
                 SELECT 1 FROM pg_stat_activity o
                 WHERE o.application_name = 'qianyi' AND o.usename = current_user AND o.pid = ANY (pg_blocking_pids(w.pid)))";
    let row = session.query_one(sql, &[]).await.map_err(failed(id, "looking for waiting sessions"))?;
    Ok(row.get(0))
}
