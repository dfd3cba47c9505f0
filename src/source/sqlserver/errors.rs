//! What a failure of SQL Server means: passes, wrong settings, missing rights, or anything else.
//!
//! Always: servers of other makers put most errors under one number, so class and text are looked at as well; the driver's own words
//! stay the cause and never become ours.

use tiberius::error::{Error, TokenError};

use super::super::{Server, SourceError, SourceSettings, Tls};
use super::connect::shown;
use crate::phrase;

/// Errors that pass: deadlock, lock time-out, memory, recovery, start, shutdown, failover, throttling.
const PASSING: &[u32] = &[
    233, 596, 701, 802, 921, 922, 927, 976, 983, 1204, 1205, 1222, 3960, 3966, 6005, 8645, 8651, 8628, 10053,
    10054, 10060, 10928, 10929, 17142, 17187, 18401, 40197, 40501, 40613, 49918, 49919, 49920,
];
/// Who logs in, with what password, into which database.
const LOGIN: &[u32] = &[911, 916, 4060, 4064, 18452, 18456, 18470, 18486, 18487, 18488];
/// Rights that are missing.
const RIGHTS: &[u32] = &[229, 230, 262, 297, 300, 371, 15562];
/// A table was altered or truncated since the snapshot began: metadata is not versioned.
const ALTERED: &[u32] = &[3961, 3964];
/// Resources (memory, disk, locks), and everything that ends the connection.
const CLASS_RESOURCES: u8 = 17;
const CLASS_FATAL: u8 = 20;

/// True when the same statement may succeed a little later.
fn is_transient(e: &TokenError) -> bool {
    let text = e.message().to_ascii_lowercase();
    PASSING.contains(&e.code())
        || e.class() == CLASS_RESOURCES
        || e.class() >= CLASS_FATAL
        || text.contains("deadlock")
        || text.contains("lock request time out")
        || text.contains("lock timeout")
}

/// True where the driver has the whole answer and cannot make values of it: it never will.
fn undecodable(e: &Error) -> bool {
    match e {
        Error::Encoding(_)
        | Error::Conversion(_)
        | Error::Utf8
        | Error::Utf16
        | Error::ParseInt(_)
        | Error::BulkInput(_) => true,
        Error::Protocol(text) => text.contains("invalid UTF-16") || text.contains("missing collation"),
        Error::Io { .. } | Error::Server(_) | Error::Tls(_) | Error::Routing { .. } => false,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

/// Our words for a failure of the driver.
pub(super) fn failed(id: &str, what: impl Into<String>) -> impl FnOnce(Error) -> SourceError {
    let (id, what) = (id.to_owned(), what.into());
    move |e| {
        if undecodable(&e) {
            return SourceError::Undecodable { id, what, source: Box::new(e) };
        }
        // Without an error of the server the line broke, a time-out ran out, or what came was garbled: another connection may do.
        let token = if let Error::Server(token) = &e { Some(token) } else { None };
        match token {
            Some(token) if ALTERED.contains(&token.code()) => {
                SourceError::PointEnded { id, what, source: Box::new(e) }
            }
            Some(token) if !is_transient(token) && RIGHTS.contains(&token.code()) => {
                SourceError::Statement { id, what, source: Box::new(e) }
            }
            Some(token) if !is_transient(token) => SourceError::Server { id, what, source: Box::new(e) },
            Some(_) | None => SourceError::Transient { id, what, source: Box::new(e) },
        }
    }
}

pub(super) fn unreachable(
    settings: &SourceSettings,
    server: &Server,
    source: impl std::error::Error + Send + Sync + 'static,
) -> SourceError {
    SourceError::Unreachable { id: settings.id.clone(), server: shown(server), source: Box::new(source) }
}

/// What a certificate must be, by what TLS says is wrong with it.
fn certificate(said: &str) -> String {
    let says = |word: &str| said.contains(word);
    if says("CaUsedAsEndEntity") {
        phrase!("source.certificate_authority")
    } else if says("not valid for name") {
        phrase!("source.certificate_name")
    } else if says("UnsupportedCertVersion") {
        phrase!("source.certificate_form")
    } else if says("expired") || says("not valid yet") {
        phrase!("source.certificate_time")
    } else {
        phrase!("source.certificate_ca")
    }
}

/// What went wrong between the first byte and the login.
pub(super) fn login_failed(settings: &SourceSettings, server: &Server, e: Error) -> SourceError {
    let (id, at) = (settings.id.clone(), shown(server));
    match &e {
        // Whichever database it is, the login cannot enter it.
        Error::Server(token) if LOGIN.contains(&token.code()) => {
            SourceError::Refused { id, server: at, source: Box::new(e) }
        }
        Error::Server(_) => failed(&settings.id, phrase!("source.login"))(e),
        Error::Tls(text) if text.contains("certificate") && server.tls == Tls::Verify => {
            let why = certificate(text);
            SourceError::Certificate { id, server: at, why, source: Box::new(e) }
        }
        Error::Tls(_) => SourceError::Tls { id, server: at, source: Box::new(e) },
        // One of the two insists on encryption, the other has none.
        Error::Protocol(text) if text.contains("encryption") => {
            SourceError::Tls { id, server: at, source: Box::new(e) }
        }
        _ => unreachable(settings, server, e),
    }
}

#[cfg(test)]
mod tests {
    use tiberius::error::{Error, IoErrorKind};

    use super::{SourceError, failed};
    use crate::retry::Transient;

    #[test]
    fn an_answer_that_cannot_be_decoded_is_not_asked_for_again_and_a_garbled_one_is() {
        for (e, again) in [
            (Error::Encoding("invalid sequence".into()), false),
            (Error::Conversion("no number".into()), false),
            (Error::Utf16, false),
            (Error::Protocol("nvarchar: invalid UTF-16 sequence".into()), false),
            (Error::Protocol("invalid token type".into()), true),
            (Error::Io { kind: IoErrorKind::UnexpectedEof, message: String::new() }, true),
        ] {
            let shown = format!("{e:?}");
            let ours = failed("ylbx", "reading t")(e);
            assert_eq!(ours.is_transient(), again, "{shown}");
            assert!(again || matches!(ours, SourceError::Undecodable { .. }), "{shown}");
        }
    }
}
