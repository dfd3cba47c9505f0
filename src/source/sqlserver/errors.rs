//! What a failure of SQL Server means: passes, wrong settings, missing rights, or anything else.
//!
//! Always: servers of other makers put most errors under one number, so class and text are looked at as well; the driver's own words
//! stay the cause and never become ours.

use tiberius::error::{Error, TokenError};

use super::super::{Server, SourceError, SourceSettings};
use super::connect::shown;

/// Errors that pass: deadlock, lock time-out, memory, recovery, start, shutdown, failover, throttling.
const PASSING: &[u32] = &[
    233, 596, 701, 802, 921, 922, 927, 976, 983, 1204, 1205, 1222, 3960, 3961, 3966, 6005, 8645, 8651, 8628,
    10053, 10054, 10060, 10928, 10929, 17142, 17187, 18401, 40197, 40501, 40613, 49918, 49919, 49920,
];
/// Who logs in, with what password, into which database.
const LOGIN: &[u32] = &[916, 4060, 4064, 18452, 18456, 18470, 18486, 18487, 18488];
/// Rights that are missing.
const RIGHTS: &[u32] = &[229, 230, 262, 297, 300, 371, 15562];
/// Resources (memory, disk, locks), and everything that ends the connection.
const CLASS_RESOURCES: u8 = 17;
const CLASS_FATAL: u8 = 20;

/// True when the same statement may succeed a little later.
fn passing(e: &TokenError) -> bool {
    let text = e.message().to_ascii_lowercase();
    PASSING.contains(&e.code())
        || e.class() == CLASS_RESOURCES
        || e.class() >= CLASS_FATAL
        || text.contains("deadlock")
        || text.contains("lock request time out")
        || text.contains("lock timeout")
}

/// Our words for a failure of the driver.
pub(super) fn failed(id: &str, what: impl Into<String>) -> impl FnOnce(Error) -> SourceError {
    let (id, what) = (id.to_owned(), what.into());
    move |e| {
        let token = match &e {
            Error::Server(token) => Some(token),
            // The line broke, a time-out ran out, or what came was garbled: another connection may do.
            Error::Io { .. }
            | Error::Protocol(_)
            | Error::Encoding(_)
            | Error::Conversion(_)
            | Error::Utf8
            | Error::Utf16
            | Error::ParseInt(_)
            | Error::Tls(_)
            | Error::Routing { .. }
            | Error::BulkInput(_) => None,
            #[allow(unreachable_patterns)]
            _ => None,
        };
        match token {
            Some(token) if !passing(token) && RIGHTS.contains(&token.code()) => {
                SourceError::Statement { id, what, source: Box::new(e) }
            }
            Some(token) if !passing(token) => SourceError::Database { id, what, source: Box::new(e) },
            Some(_) | None => SourceError::Passing { id, what, source: Box::new(e) },
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

/// What went wrong between the first byte and the login.
pub(super) fn login_failed(settings: &SourceSettings, server: &Server, e: Error) -> SourceError {
    let (id, at) = (settings.id.clone(), shown(server));
    match &e {
        Error::Server(token) if LOGIN.contains(&token.code()) => {
            SourceError::Refused { id, server: at, source: Box::new(e) }
        }
        Error::Server(_) => failed(&settings.id, "the login")(e),
        Error::Tls(_) => SourceError::Tls { id, server: at, source: Box::new(e) },
        // One of the two insists on encryption, the other has none.
        Error::Protocol(text) if text.contains("encryption") => {
            SourceError::Tls { id, server: at, source: Box::new(e) }
        }
        _ => unreachable(settings, server, e),
    }
}
