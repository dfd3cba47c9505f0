//! Sessions of the staging server: how they are opened, how long they may take, rows into it and out of it.
//!
//! Always: every answer has a limit of time here besides the server's own, since a server may never answer; a session is closed when it
//! is done with, never used again, and carries the name of its rehearsal, by which what is left of it can be ended.
//! Must not know: what is loaded.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use deadpool_postgres::{ClientWrapper, Object, Pool};
use futures::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::DbError;

use super::StagingError;
use super::row::{HEADER, TRAILER, length};
use crate::mask;
use crate::sql_ident::literal;

/// Bytes that go out at a time.
const SEND_BYTES: usize = 256 << 10;
/// Given to the network besides what the server gives itself.
const GRACE_SECONDS: u64 = 15;
/// A statement waits so long for a lock: of a session that a killed rehearsal left.
const LOCK_SECONDS: u64 = 60;
/// Seconds after which the server tries a silent line, between its trials, and how many of them.
const KEEPALIVE: u32 = 60;
const KEEPALIVE_AGAIN: u32 = 10;
const KEEPALIVE_TIMES: u32 = 6;

/// The server, and how long a statement may take.
#[derive(Clone)]
pub(super) struct Server {
    pub pool: Pool,
    pub seconds: u64,
    /// What its sessions are called: the same for all of a schema up to the last word, which is the process.
    pub name: String,
}

/// One session.
pub(super) struct Session {
    client: ClientWrapper,
    seconds: u64,
}

/// How a COPY ended that did not fail for good.
pub(super) enum Copied {
    Done,
    /// The server does not take the rows: its message.
    Refused(String),
}

impl Server {
    /// Opens a session: in UTF-8, with limits.
    pub(super) async fn session(&self) -> Result<Session, StagingError> {
        let opened = timeout(Duration::from_secs(GRACE_SECONDS * 2), self.pool.get()).await;
        let client = opened
            .map_err(|_| StagingError::Silent {
                what: "a connection".to_owned(),
                seconds: GRACE_SECONDS * 2,
            })?
            .map_err(|e| StagingError::Unreachable { source: Box::new(e) })?;
        let session = Session { client: Object::take(client), seconds: self.seconds };
        // A peer that vanished without a word is noticed by the server, too: else it would keep its locks for hours.
        let set = format!(
            "SET application_name TO '{}'; SET client_encoding TO 'UTF8'; SET statement_timeout TO '{seconds}s'; \
             SET lock_timeout TO '{LOCK_SECONDS}s'; SET idle_in_transaction_session_timeout TO '{seconds}s'; \
             SET tcp_keepalives_idle TO {KEEPALIVE}; SET tcp_keepalives_interval TO {KEEPALIVE_AGAIN}; \
             SET tcp_keepalives_count TO {KEEPALIVE_TIMES}; \
             SET row_security TO off; SET standard_conforming_strings TO on; SET extra_float_digits TO 3",
            self.name,
            seconds = self.seconds,
        );
        session.run("session settings", &set).await?;
        Ok(session)
    }
}

impl Session {
    async fn within<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<Result<T, tokio_postgres::Error>, StagingError> {
        let seconds = self.seconds.saturating_add(GRACE_SECONDS);
        let answered = timeout(Duration::from_secs(seconds), answer).await;
        answered.map_err(|_| StagingError::Silent { what: what.to_owned(), seconds })
    }

    /// Runs statements.
    pub(super) async fn run(&self, what: &str, sql: &str) -> Result<(), StagingError> {
        self.within(what, self.client.batch_execute(sql)).await?.map_err(failed(what))
    }

    /// Runs a statement that the server may refuse because of what the rows are: its message then.
    pub(super) async fn may_refuse(&self, what: &str, sql: &str) -> Result<Option<String>, StagingError> {
        match self.within(what, self.client.batch_execute(sql)).await? {
            Ok(()) => Ok(None),
            Err(e) => refused(e.as_db_error()).map(Some).ok_or_else(|| failed(what)(e)),
        }
    }

    /// Runs a statement that waits for others; false: they took longer than a lock may.
    pub(super) async fn may_wait(&self, what: &str, sql: &str) -> Result<bool, StagingError> {
        match self.within(what, self.client.batch_execute(sql)).await? {
            Ok(()) => Ok(true),
            Err(e) if e.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
            Err(e) => Err(failed(what)(e)),
        }
    }

    /// Rows of a query, as text.
    pub(super) async fn ask(&self, what: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, StagingError> {
        let answer = self.within(what, self.client.simple_query(sql)).await?.map_err(failed(what))?;
        let mut rows = Vec::new();
        for message in answer {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
        }
        Ok(rows)
    }

    /// The one text that a query answers.
    pub(super) async fn text(&self, what: &str, sql: &str) -> Result<String, StagingError> {
        let rows = self.ask(what, sql).await?;
        let first = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        first.ok_or_else(|| StagingError::Answer { what: what.to_owned() })
    }

    /// Copies rows in; `next` appends some rows to a buffer, and says whether there were any.
    pub(super) async fn copy_in(
        &self,
        what: &str,
        sql: &str,
        mut next: impl FnMut(&mut Vec<u8>) -> Result<bool, StagingError>,
    ) -> Result<Copied, StagingError> {
        let sink = self.within(what, self.client.copy_in::<_, Bytes>(sql)).await?;
        let sink = match sink {
            Ok(sink) => sink,
            Err(e) => return refused(e.as_db_error()).map(Copied::Refused).ok_or_else(|| failed(what)(e)),
        };
        futures::pin_mut!(sink);
        let mut buffer = HEADER.to_vec();
        loop {
            let more = next(&mut buffer)?;
            if !more {
                buffer.extend_from_slice(TRAILER);
            }
            if !more || buffer.len() >= SEND_BYTES {
                let bytes = Bytes::from(std::mem::take(&mut buffer));
                if let Err(e) = self.within(what, sink.send(bytes)).await? {
                    return refused(e.as_db_error()).map(Copied::Refused).ok_or_else(|| failed(what)(e));
                }
            }
            if !more {
                break;
            }
        }
        match self.within(what, sink.as_mut().finish()).await? {
            Ok(_) => Ok(Copied::Done),
            Err(e) => refused(e.as_db_error()).map(Copied::Refused).ok_or_else(|| failed(what)(e)),
        }
    }

    /// Copies the rows of a query out, each as the bytes of a binary row.
    pub(super) async fn copy_out(
        &self,
        what: &str,
        query: &str,
        mut row: impl FnMut(&[u8]) -> Result<(), StagingError>,
    ) -> Result<(), StagingError> {
        let unexpected = || StagingError::Answer { what: what.to_owned() };
        let sql = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = self.within(what, self.client.copy_out(&sql)).await?.map_err(failed(what))?;
        futures::pin_mut!(stream);
        let mut buffer = BytesMut::new();
        let (mut begun, mut ended) = (false, false);
        while let Some(chunk) = self.within(what, async { Ok(stream.next().await) }).await?.ok().flatten() {
            buffer.extend_from_slice(&chunk.map_err(failed(what))?);
            if !begun && buffer.len() >= HEADER.len() {
                let header = buffer.split_to(HEADER.len());
                begun = header == HEADER;
                if !begun {
                    return Err(unexpected());
                }
            }
            while begun && !ended {
                if buffer.starts_with(TRAILER) {
                    ended = true;
                } else if let Some(bytes) = length(&buffer) {
                    row(&buffer.split_to(bytes))?;
                } else {
                    break;
                }
            }
        }
        // An answer that was cut short must not look like fewer rows.
        if ended { Ok(()) } else { Err(unexpected()) }
    }

    /// Ends every other session whose name is like that, but those that wait for their turn: of a rehearsal that was killed, or that lost
    /// its connections.
    pub(super) async fn end_others(&self, like: &str) -> Result<(), StagingError> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE {} \
             AND wait_event IS DISTINCT FROM 'advisory' \
             AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
            literal(like)
        );
        self.ask("ending sessions that were left", &sql).await.map(|_| ())
    }
}

fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> StagingError + '_ {
    move |e| {
        let denied = e.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE);
        match e.as_db_error().filter(|_| denied) {
            Some(said) => StagingError::Rights { what: said.message().to_owned() },
            None => StagingError::Failed { what: what.to_owned(), source: Box::new(e) },
        }
    }
}

/// The server's message where it refuses rows: data that does not fit (class 22) or breaks a constraint (class 23). Its details quote
/// values and are left out, and values in the message are masked.
fn refused(e: Option<&DbError>) -> Option<String> {
    let e = e?;
    let class = e.code().code().get(..2)?;
    let mut text = format!("SQLSTATE {}: {}", e.code().code(), mask::scrub(e.message()));
    if let Some(column) = e.column() {
        text.push_str(&format!(", {column}"));
    }
    matches!(class, "22" | "23").then_some(text)
}
