//! Lines to a SQL Server: TLS and certificates, logins, answers that cannot be decoded.

use qianyi::retry::Transient;
use qianyi::source::{SourceError, Tls, connect};

use crate::support::extracts::runtime;
use crate::support::mssql::Mssql;
use crate::support::tds::wire::{Encryption, Fault, On, Options};

#[test]
fn a_wrong_password_or_database_is_refused_at_once() {
    let server = Mssql::start();
    let threads = runtime();
    let wrong = [
        server.settings_as(&server.database, "nobody", "wrong", 10),
        server.settings_of("no_such_database", 10),
    ];
    for settings in wrong {
        let refused = threads.block_on(connect(&settings)).err().unwrap();
        assert!(matches!(refused, SourceError::Refused { .. }), "{refused:?}");
        assert!(!refused.is_transient());
    }
    // Servers of other makers say it with another number.
    let own = Mssql::own_with(Options::default());
    let message = "Database 'city' does not exist.".to_owned();
    let said = Fault::ErrorToken { number: 911, class: 16, state: 1, message, after_rows: 0 };
    own.own().unwrap().wire.faults().arm(On::Login, said);
    let refused = threads.block_on(connect(&own.settings(10))).err().unwrap();
    assert!(matches!(refused, SourceError::Refused { .. }) && !refused.is_transient(), "{refused:?}");
    let mut nowhere = server.settings(10);
    nowhere.server.as_mut().unwrap().port = Some(1);
    let lost = threads.block_on(connect(&nowhere)).err().unwrap();
    assert!(matches!(lost, SourceError::Unreachable { .. }) && lost.is_transient(), "{lost:?}");
}

#[test]
fn lines_are_protected_as_configured_and_old_servers_are_told_what_to_do() {
    let threads = runtime();
    let dir = tempfile::tempdir().unwrap();
    let tried = |server: &Mssql, tls, ca: bool| {
        let mut settings = server.settings(10);
        let to = settings.server.as_mut().unwrap();
        to.tls = tls;
        if ca {
            let path = dir.path().join("ca.pem");
            std::fs::write(&path, server.own().unwrap().wire.certificate_pem()).unwrap();
            to.ca = Some(path);
            to.host = "localhost".to_owned();
        }
        threads.block_on(async {
            let source = connect(&settings).await?;
            source.catalogue().await?;
            Ok::<_, SourceError>(source.facts().into_iter().find(|(name, _)| name == "tls").unwrap().1)
        })
    };
    let encrypted = own_with_tls(Encryption::Required);
    assert_eq!(tried(&encrypted, Tls::Trust, false).unwrap(), "trust");
    assert_eq!(tried(&encrypted, Tls::Verify, true).unwrap(), "verify");
    // Nobody vouches for it; one that is marked as an authority cannot be named as `ca`: what it must be is said.
    let refused = tried(&encrypted, Tls::Verify, false).unwrap_err();
    assert!(matches!(refused, SourceError::Certificate { .. }) && !refused.is_transient(), "{refused:?}");
    assert!(format!("{:?}", miette::Report::new(refused)).contains("`ca` must hold"));
    let authority =
        Mssql::own_with(Options { encryption: Encryption::Required, authority: true, ..Options::default() });
    let refused = tried(&authority, Tls::Verify, true).unwrap_err();
    assert!(format!("{:?}", miette::Report::new(refused)).contains("CA:FALSE"));
    assert_eq!(tried(&authority, Tls::Trust, false).unwrap(), "trust");
    let login_only = own_with_tls(Encryption::LoginOnly);
    assert_eq!(tried(&login_only, Tls::LoginOnly, false).unwrap(), "login-only");
    let plain = own_with_tls(Encryption::NotSupported);
    assert_eq!(tried(&plain, Tls::Off, false).unwrap(), "off");
    let refused = tried(&plain, Tls::Trust, false).unwrap_err();
    assert!(matches!(refused, SourceError::Tls { .. }), "{refused:?}");
    let old = own_with_tls(Encryption::ResetInHandshake);
    let refused = tried(&old, Tls::Trust, false).unwrap_err();
    let shown = format!("{:?}", miette::Report::new(refused));
    assert!(shown.contains("TLS 1.0"), "{shown}");
}

fn own_with_tls(encryption: Encryption) -> Mssql {
    Mssql::own_with(Options { encryption, ..Options::default() })
}

#[test]
fn a_file_that_holds_no_certificate_is_named_before_anybody_connects() {
    let server = Mssql::own_with(Options { encryption: Encryption::Required, ..Options::default() });
    let (dir, threads) = (tempfile::tempdir().unwrap(), runtime());
    for (text, expected) in [(None, "can be read"), (Some("no certificate"), "in PEM or DER")] {
        let path = dir.path().join("ca.txt");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let mut settings = server.settings(10);
        let to = settings.server.as_mut().unwrap();
        (to.tls, to.ca) = (Tls::Verify, Some(path));
        let refused = threads.block_on(connect(&settings)).err().unwrap();
        assert!(matches!(refused, SourceError::Incomplete { .. }), "{refused:?}");
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}
