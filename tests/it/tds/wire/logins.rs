//! Logins: accepted, refused, through TLS in every mode.

use std::io::Write;

use tiberius::{AuthMethod, EncryptionLevel, error::Error};

use super::backend::Fake;
use super::{config, connect, connect_with, plain, soon};
use crate::support::tds::wire::{Encryption, Login, Options, Server};

async fn one_plus_one(client: &mut super::Connected) {
    let rows = soon(async { client.simple_query("ROWS 2").await?.into_first_result().await }).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].get::<&str, _>("text"), Some("1"));
}

#[tokio::test]
async fn login_tells_what_the_client_wants() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut config = config(&server);
    config.application_name("测试");
    config.readonly(true);
    config.packet_size(8000);
    let mut client = connect_with(config).await.unwrap();
    one_plus_one(&mut client).await;
    let expected = Login {
        user: "sa".into(),
        database: "db".into(),
        application: "测试".into(),
        read_only: true,
        packet_size: 8000,
        encrypted: false,
    };
    assert_eq!(server.logins(), [expected]);
}

#[tokio::test]
async fn refused_login_says_so() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut config = config(&server);
    config.authentication(AuthMethod::sql_server("sa", "wrong"));
    let error = connect_with(config).await.unwrap_err();
    assert_eq!(error.code(), Some(18456));
    let Error::Server(error) = error else { panic!("{error}") };
    assert_eq!((error.class(), error.state()), (14, 1));
    assert_eq!(error.message(), "Login failed for user 'sa'.");
    assert_eq!(error.server(), "TESTSERVER");
}

async fn with_tls(server: Encryption, client: EncryptionLevel) -> tiberius::Result<bool> {
    let fake = Fake::new();
    let server = Server::start(fake, Options { encryption: server, ..Options::default() });
    let mut config = config(&server);
    config.encryption(client);
    config.trust_cert();
    let mut client = connect_with(config).await?;
    one_plus_one(&mut client).await;
    one_plus_one(&mut client).await;
    Ok(server.logins()[0].encrypted)
}

#[tokio::test]
async fn every_wish_for_encryption_meets_every_server() {
    use EncryptionLevel::{NotSupported, Off, On, Required};
    for (server, client, encrypted) in [
        (Encryption::NotSupported, NotSupported, false),
        (Encryption::LoginOnly, NotSupported, false),
        (Encryption::LoginOnly, Off, true),
        (Encryption::LoginOnly, On, true),
        (Encryption::LoginOnly, Required, true),
        (Encryption::Required, NotSupported, true),
        (Encryption::Required, Off, true),
        (Encryption::Required, On, true),
        (Encryption::Required, Required, true),
        (Encryption::ResetInHandshake, NotSupported, false),
    ] {
        let seen = with_tls(server, client).await;
        assert_eq!(seen.unwrap(), encrypted, "{server:?} {client:?}");
    }
    for (server, client) in [
        (Encryption::NotSupported, On),
        (Encryption::NotSupported, Required),
        (Encryption::ResetInHandshake, Off),
        (Encryption::ResetInHandshake, On),
        (Encryption::ResetInHandshake, Required),
    ] {
        with_tls(server, client).await.expect_err("must not get in");
    }
}

#[tokio::test]
async fn certificate_can_be_trusted() {
    let fake = Fake::new();
    let server = Server::start(fake, Options { encryption: Encryption::Required, ..Options::default() });
    let mut file = tempfile::Builder::new().suffix(".pem").tempfile().unwrap();
    file.write_all(server.certificate_pem().as_bytes()).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let mut config = config(&server);
        config.host(host);
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca(file.path().to_str().unwrap());
        one_plus_one(&mut connect_with(config).await.unwrap()).await;
    }
    let mut stranger = config(&server);
    stranger.encryption(EncryptionLevel::Required);
    stranger.trust_cert_ca("/nonexistent.pem");
    connect_with(stranger).await.unwrap_err();
    let other =
        Server::start(Fake::new(), Options { encryption: Encryption::Required, ..Options::default() });
    let mut wrong = config(&other);
    wrong.encryption(EncryptionLevel::Required);
    wrong.trust_cert_ca(file.path().to_str().unwrap());
    connect_with(wrong).await.unwrap_err();
}

#[tokio::test]
async fn lobs_pass_through_tls() {
    let fake = Fake::new();
    let server = Server::start(fake, Options { encryption: Encryption::Required, ..Options::default() });
    let mut config = config(&server);
    config.encryption(EncryptionLevel::Required);
    config.trust_cert();
    let mut client = connect_with(config).await.unwrap();
    let rows = soon(async { client.simple_query("ROWS 20000").await?.into_first_result().await }).await;
    assert_eq!(rows.unwrap().len(), 20_000);
}

#[tokio::test]
async fn server_goes_down_and_comes_up_on_its_port() {
    let fake = Fake::new();
    let server = plain(&fake);
    let port = server.port();
    for _ in 0..3 {
        let mut client = connect(&server).await.unwrap();
        one_plus_one(&mut client).await;
        server.kill_connections();
        soon(client.simple_query("ROWS 1")).await.map(drop).expect_err("killed");
        let mut client = connect(&server).await.unwrap();
        server.down();
        soon(client.simple_query("ROWS 1")).await.map(drop).expect_err("down");
        connect(&server).await.expect_err("down");
        server.down();
        server.up();
        server.up();
        assert_eq!(server.port(), port);
    }
    let client = connect(&server).await.unwrap();
    drop(server);
    let refused = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    drop(client);
}
