//! Connections to a PostgreSQL server: one pool, TLS as configured, every transaction read-only and gentle.
//!
//! Always: a session that failed, or whose answer was not drained, is taken out of the pool and closed; a setting that the server
//! refuses is a fact that is recorded, but for those that a right answer needs. Nothing is set that outlives its transaction.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::password::password;
use super::super::{Server, SourceError, SourceSettings, Tls};
use super::failed;
use crate::phrase;

const DEFAULT_PORT: u16 = 5432;
/// A line is silent for so long before it is tried, and so long between trials: a peer that vanished without a word is noticed within
/// about two minutes, however long a statement may be silent.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);

/// `host:port/database`, for messages.
pub(super) fn shown(server: &Server) -> String {
    format!("{}:{}/{}", server.host, server.port.unwrap_or(DEFAULT_PORT), server.database)
}

/// Sessions that read at a time.
pub(super) fn readers(settings: &SourceSettings) -> usize {
    settings.limits.connections.max(1) as usize
}

/// The pool; nothing is connected yet.
pub(super) fn pool(settings: &SourceSettings, server: &Server) -> Result<Pool, SourceError> {
    let mut config = Config::new();
    config
        .host(&server.host)
        .port(server.port.unwrap_or(DEFAULT_PORT))
        .dbname(&server.database)
        .user(&server.user)
        .application_name("qianyi")
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE_AGAIN)
        .connect_timeout(Duration::from_secs(server.connect_seconds));
    if let Some(word) = password(&settings.id, server)? {
        config.password(word);
    }
    let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match server.tls {
        Tls::Off => {
            config.ssl_mode(SslMode::Disable);
            Manager::from_config(config, NoTls, how)
        }
        Tls::Verify | Tls::Trust => {
            config.ssl_mode(SslMode::Require);
            Manager::from_config(config, MakeRustlsConnect::new(tls(settings, server)?), how)
        }
        Tls::LoginOnly => {
            return Err(SourceError::Incomplete {
                id: settings.id.clone(),
                what: phrase!("source.tls_mode"),
            });
        }
    };
    // Two more than the readers: the session that holds the snapshot, and the one that asks while all readers are busy.
    Pool::builder(manager)
        .max_size(readers(settings) + 2)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|e| unreachable(settings, server, e))
}

pub(super) fn unreachable(
    settings: &SourceSettings,
    server: &Server,
    source: impl std::error::Error + Send + Sync + 'static,
) -> SourceError {
    SourceError::Unreachable { id: settings.id.clone(), server: shown(server), source: Box::new(source) }
}

fn tls(settings: &SourceSettings, server: &Server) -> Result<ClientConfig, SourceError> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| SourceError::Tls {
        id: settings.id.clone(),
        server: shown(server),
        source,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| refused(Box::new(e)))?;
    if server.tls == Tls::Trust {
        let any = Arc::new(AnyCertificate(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &server.ca {
        use rustls::pki_types::pem::PemObject;
        let found = CertificateDer::pem_file_iter(path).map_err(|e| refused(Box::new(e)))?;
        for certificate in found {
            let certificate = certificate.map_err(|e| refused(Box::new(e)))?;
            roots.add(certificate).map_err(|e| refused(Box::new(e)))?;
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// `tls = "trust"`: any certificate, its signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What makes a transaction gentle, and what it spells the same everywhere: the statements that begin every one, and what the server
/// does not know, as facts. Nothing of it outlives its transaction: behind a pooler the session is somebody else's then.
pub(super) async fn set_up_session(
    client: &Client,
    settings: &SourceSettings,
    client_encoding: &str,
) -> Result<(String, Vec<(String, String)>), SourceError> {
    let limits = &settings.limits;
    // Without the first an answer could be wrong.
    let wanted = [
        ("client_encoding", client_encoding.to_owned()),
        // A policy that would hide rows is an error.
        ("row_security", "off".to_owned()),
        ("statement_timeout", limits.statement_seconds.saturating_mul(1000).to_string()),
        ("lock_timeout", limits.lock_milliseconds.to_string()),
        ("idle_in_transaction_session_timeout", "0".to_owned()),
        ("max_parallel_workers_per_gather", "0".to_owned()),
        ("jit", "off".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
        // What the server spells must not depend on a role's own taste.
        ("extra_float_digits", "3".to_owned()),
        ("bytea_output", "hex".to_owned()),
        ("datestyle", "ISO, YMD".to_owned()),
        ("intervalstyle", "postgres".to_owned()),
        ("timezone", settings.time_zone.name().to_owned()),
    ];
    let id = &settings.id;
    let (mut set_up, mut refused) = (String::new(), Vec::new());
    for (at, (name, value)) in wanted.into_iter().enumerate() {
        let set = format!("SET LOCAL {name} TO '{value}';");
        match may_refuse(client, id, client.batch_execute(&set)).await? {
            Ok(()) => set_up.push_str(&set),
            Err(e) if at == 0 => return Err(failed(id, phrase!("source.session_setting"))(e)),
            Err(_) => refused.push((format!("without {name}"), phrase!("doctor.fact_unknown"))),
        }
    }
    Ok((set_up, refused))
}

/// Asks what a server may refuse, without losing the transaction by it.
pub(super) async fn may_refuse<T>(
    client: &Client,
    id: &str,
    question: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<Result<T, tokio_postgres::Error>, SourceError> {
    let what = || failed(id, phrase!("source.abilities"));
    client.batch_execute("SAVEPOINT asked").await.map_err(what())?;
    let answer = question.await;
    let then = if answer.is_ok() { "RELEASE SAVEPOINT asked" } else { "ROLLBACK TO SAVEPOINT asked" };
    client.batch_execute(then).await.map_err(what())?;
    Ok(answer)
}
