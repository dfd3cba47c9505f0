//! Connections to a SQL Server: one pool, TLS and login as configured, every session gentle, read-only intent announced.
//!
//! Always: a session comes back to the pool only when its last answer was drained; before it is used again it must answer a question
//! that nobody asked before, so that one that is out of step is thrown away. A setting that the server refuses is a fact that is
//! recorded, but for those that a right answer needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use socket2::{SockRef, TcpKeepalive};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::super::password::password;
use super::super::{Login, Server, SourceError, SourceSettings, Tls};
use super::answer;
use super::errors::{failed, login_failed, unreachable};
use crate::phrase;

const DEFAULT_PORT: u16 = 1433;
/// A line is silent for so long before it is tried, and so long between trials.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);
/// A listener may send us on to a replica; that one to nobody.
const MOST_ROUTES: u32 = 2;

/// Follows a SELECT: how many rows it had.
pub(super) const SAID: &str = "SELECT CAST(@@ROWCOUNT AS bigint)";

pub(super) type Session = Client<Compat<TcpStream>>;
pub(super) type Pool = managed::Pool<Manager>;
pub(super) type Object = managed::Object<Manager>;

/// `host:port/database`, for messages.
pub(super) fn shown(server: &Server) -> String {
    format!("{}:{}/{}", server.host, server.port.unwrap_or(DEFAULT_PORT), server.database)
}

/// Makes sessions.
pub(super) struct Manager {
    settings: SourceSettings,
    server: Server,
    config: Config,
    marker: AtomicU32,
    refused: Mutex<BTreeSet<&'static str>>,
}

/// The pool; nothing is connected yet.
pub(super) fn pool(settings: &SourceSettings, server: &Server) -> Result<Pool, SourceError> {
    let manager = Manager {
        settings: settings.clone(),
        server: server.clone(),
        config: config(settings, server)?,
        marker: AtomicU32::new(0),
        refused: Mutex::default(),
    };
    // Two more than the readers: the session that holds the point, and the one that asks while all readers are busy.
    Pool::builder(manager)
        .max_size(settings.limits.connections.max(1) as usize + 2)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|e| unreachable(settings, server, e))
}

/// Opens a session by hand, with the pool's settings; what went wrong says what is wrong with the settings.
pub(super) async fn session(pool: &Pool) -> Result<Object, SourceError> {
    pool.get().await.map_err(|e| match e {
        managed::PoolError::Backend(e) => e,
        other => unreachable(&pool.manager().settings, &pool.manager().server, other),
    })
}

/// A peer that vanished without a word (a firewall that forgot the line) is noticed within about two minutes, however long a
/// statement may be silent.
fn kept_alive(stream: &TcpStream) -> std::io::Result<()> {
    let alive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_AGAIN);
    SockRef::from(stream).set_tcp_keepalive(&alive)
}

fn config(settings: &SourceSettings, server: &Server) -> Result<Config, SourceError> {
    let lacks = |what: &str| SourceError::Incomplete { id: settings.id.clone(), what: what.to_owned() };
    if server.host.contains('\\') && server.port.is_none() {
        return Err(lacks("`port`: an instance is reached by its port, not by its name"));
    }
    let mut config = Config::new();
    config.host(server.host.split('\\').next().unwrap_or_default());
    config.port(server.port.unwrap_or(DEFAULT_PORT));
    config.database(&server.database);
    config.application_name("qianyi");
    config.readonly(true);
    config.handshake_timeout(Some(Duration::from_secs(server.connect_seconds)));
    let seconds = settings.limits.statement_seconds;
    config.command_timeout((seconds > 0).then(|| Duration::from_secs(seconds)));
    let word = password(&settings.id, server)?.unwrap_or_default();
    config.authentication(match server.login {
        Login::Sql => AuthMethod::sql_server(&server.user, word),
        Login::Windows => windows().ok_or_else(|| {
            lacks("a build with Windows login: `cargo build --release --features windows-login`")
        })?,
    });
    match server.tls {
        Tls::Verify => {
            config.encryption(EncryptionLevel::Required);
            if let Some(ca) = &server.ca {
                config.trust_cert_ca_bundle(certificates(ca).map_err(|what| lacks(&what))?);
            }
        }
        Tls::Trust => {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert();
        }
        Tls::LoginOnly => {
            config.encryption(EncryptionLevel::Off);
            config.trust_cert();
        }
        Tls::Off => config.encryption(EncryptionLevel::NotSupported),
    }
    Ok(config)
}

/// The bytes of a file of certificates, PEM or DER; else what the configuration lacks.
fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path)
        .map_err(|_| format!("a file of certificates (`ca`) that can be read: {}", path.display()))?;
    let pem = bytes.windows(10).any(|w| w == b"-----BEGIN");
    let found = if pem {
        CertificateDer::pem_slice_iter(&bytes).filter(Result::is_ok).count()
    } else {
        // A certificate in DER is one sequence.
        usize::from(bytes.first() == Some(&0x30))
    };
    match found {
        0 => Err(format!("a certificate, in PEM or DER, in the file that `ca` names: {}", path.display())),
        _ => Ok(bytes),
    }
}

/// By the Kerberos ticket of whoever runs qianyi.
#[cfg(feature = "windows-login")]
fn windows() -> Option<AuthMethod> {
    Some(AuthMethod::Integrated)
}

#[cfg(not(feature = "windows-login"))]
fn windows() -> Option<AuthMethod> {
    None
}

impl Manager {
    /// Settings that the server refused.
    pub(super) fn refused(&self) -> Vec<&'static str> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    async fn connected(&self) -> Result<Session, SourceError> {
        let mut config = self.config.clone();
        for _ in 0..MOST_ROUTES {
            let limit = Duration::from_secs(self.server.connect_seconds);
            let reached = tokio::time::timeout(limit, TcpStream::connect(config.get_addr())).await;
            let stream = match reached {
                Ok(Ok(stream)) => stream,
                Ok(Err(e)) => return Err(unreachable(&self.settings, &self.server, e)),
                Err(e) => return Err(unreachable(&self.settings, &self.server, e)),
            };
            stream
                .set_nodelay(true)
                .and_then(|()| kept_alive(&stream))
                .map_err(|e| unreachable(&self.settings, &self.server, e))?;
            match Client::connect(config.clone(), stream.compat_write()).await {
                Ok(session) => return Ok(session),
                Err(Error::Routing { host, port }) => {
                    config.host(host);
                    config.port(port);
                }
                Err(e) => return Err(login_failed(&self.settings, &self.server, e)),
            }
        }
        Err(SourceError::Protocol {
            id: self.settings.id.clone(),
            what: "it sends every connection on to another server".to_owned(),
        })
    }

    /// Makes a session gentle, and its answers whole.
    async fn set_up_session(&self, session: &mut Session) -> Result<(), SourceError> {
        let id = &self.settings.id;
        // Without these an answer could be cut, or compare otherwise.
        let needed =
            ["SET ROWCOUNT 0", "SET TEXTSIZE 2147483647", "SET ANSI_NULLS ON", "SET QUOTED_IDENTIFIER ON"];
        for sql in needed {
            ask(session, sql).await.map_err(failed(id, phrase!("source.session_setting")))?;
        }
        let lock = format!("SET LOCK_TIMEOUT {}", self.settings.limits.lock_milliseconds);
        let gentle = [
            ("LOCK_TIMEOUT", lock.as_str()),
            ("DEADLOCK_PRIORITY", "SET DEADLOCK_PRIORITY LOW"),
            ("NOCOUNT", "SET NOCOUNT ON"),
        ];
        for (name, sql) in gentle {
            match ask(session, sql).await {
                Ok(_) => {}
                Err(Error::Server(_)) => {
                    self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
                }
                Err(e) => return Err(failed(id, phrase!("source.session_setting"))(e)),
            }
        }
        Ok(())
    }

    /// True when the session answers what it is asked, and not an older question.
    pub(super) async fn in_step(&self, session: &mut Session) -> bool {
        let marker = self.marker.fetch_add(1, Ordering::Relaxed) & 0x3fff_ffff;
        let answer = ask(session, &format!("SELECT CAST({marker} AS bigint)")).await;
        let row = answer.ok().and_then(|rows| rows.into_iter().next());
        row.and_then(|row| row.into_iter().next()) == Some(ColumnData::I64(Some(i64::from(marker))))
    }
}

impl managed::Manager for Manager {
    type Type = Session;
    type Error = SourceError;

    async fn create(&self) -> Result<Session, SourceError> {
        let mut session = self.connected().await?;
        self.set_up_session(&mut session).await?;
        Ok(session)
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<SourceError> {
        if self.in_step(session).await { Ok(()) } else { Err(RecycleError::message("out of step")) }
    }
}

/// One statement, its answer whole. The driver takes an answer that breaks off for one that ended, so the server says how many rows
/// there were.
pub(super) async fn ask(session: &mut Session, sql: &str) -> Result<Vec<Row>, Error> {
    if !sql.starts_with("SELECT") {
        return session.simple_query(sql).await?.into_first_result().await;
    }
    let sql = format!("{sql}; {SAID}");
    let mut results = session.simple_query(sql).await?.into_results().await?;
    let said = results.pop().and_then(|rows| rows.first().and_then(|row| answer::int(row, 0)));
    match (results.pop(), results.is_empty()) {
        (Some(rows), true) if said == i64::try_from(rows.len()).ok() => Ok(rows),
        _ => Err(Error::Protocol("an answer without its end".into())),
    }
}
