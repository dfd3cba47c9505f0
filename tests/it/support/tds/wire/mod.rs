//! The wire half of the test server: a TDS 7.4 server that logs clients in to a `Backend` and hands their batches to its
//! sessions.
//!
//! Always: a server listens on 127.0.0.1 alone, keeps its port for life, and takes all its connections with it when dropped. A
//! call that changes its state (`kill_connections`, `down`, `up`) has had its effect when it returns.

mod collation;
mod connection;
mod faults;
mod literal;
mod login;
mod packet;
mod reply;
mod rpc;
mod server;
mod tls;
mod token;
mod types;
mod variant;

use std::sync::{Arc, Mutex, PoisonError};

pub use faults::{Fault, Faults, On};
pub use server::Server;
use tokio_rustls::TlsAcceptor;

use super::value::{Backend, Collation};

/// What a server answers to a client's wish for encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// There is no TLS: a client that demands it gives up.
    NotSupported,
    /// As SQL Server out of the box: a client with encryption off encrypts its login alone, one with encryption on everything,
    /// one that does not support it nothing.
    #[default]
    LoginOnly,
    /// Everything is encrypted, or the client gives up.
    Required,
    /// As `LoginOnly`, but the connection is reset at the client's first TLS message, as by a server that knows only old TLS
    /// versions. A client that does not support encryption gets in.
    ResetInHandshake,
}

/// How a server presents itself.
#[derive(Debug, Clone)]
pub struct Options {
    pub encryption: Encryption,
    /// The server's collation, announced at login.
    pub collation: Collation,
    /// In error messages.
    pub server_name: String,
    /// Major, minor, build: one byte, one byte, two bytes.
    pub version: u32,
    /// The certificate that the server shows is marked as an authority's.
    pub authority: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            encryption: Encryption::default(),
            collation: Collation { name: "Chinese_PRC_CI_AS".to_owned(), code_page: 936 },
            server_name: "TESTSERVER".to_owned(),
            version: 0x0F00_07D0,
            authority: false,
        }
    }
}

/// What a client said when it logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub database: String,
    pub application: String,
    pub read_only: bool,
    pub packet_size: usize,
    /// LOGIN7 came through TLS.
    pub encrypted: bool,
}

/// What all connections of a server share.
struct Shared {
    backend: Arc<dyn Backend>,
    options: Options,
    faults: Arc<Faults>,
    acceptor: TlsAcceptor,
    logins: Mutex<Vec<Login>>,
}

impl Shared {
    fn note(&self, login: &Login) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).push(login.clone());
    }
}
