//! The wire half of the test server, as tiberius sees it.
//!
//! Always: every wait has a deadline, so that a server that hangs fails its test.

mod backend;
mod batches;
mod faults;
mod logins;
mod malformed;
mod types;

use std::future::Future;
use std::time::Duration;

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::support::tds::wire::{Encryption, Options, Server};
use backend::Fake;

pub type Connected = Client<Compat<TcpStream>>;

/// Long enough for a busy machine, short enough for a test run.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the server hangs")
}

pub fn config(server: &Server) -> Config {
    let mut config = Config::new();
    config.host("localhost");
    config.port(server.port());
    config.authentication(AuthMethod::sql_server("sa", "Pa55'wörd"));
    config.database("db");
    config.encryption(EncryptionLevel::NotSupported);
    config
}

pub async fn connect_with(config: Config) -> tiberius::Result<Connected> {
    soon(async {
        let tcp = TcpStream::connect(("127.0.0.1", config_port(&config))).await?;
        tcp.set_nodelay(true)?;
        Client::connect(config, tcp.compat_write()).await
    })
    .await
}

fn config_port(config: &Config) -> u16 {
    config.get_addr().rsplit(':').next().unwrap().parse().unwrap()
}

pub async fn connect(server: &Server) -> tiberius::Result<Connected> {
    connect_with(config(server)).await
}

/// A server without TLS, where TLS is not the question.
pub fn plain(fake: &std::sync::Arc<Fake>) -> Server {
    let options = Options { encryption: Encryption::NotSupported, ..Options::default() };
    Server::start(fake.clone(), options)
}
