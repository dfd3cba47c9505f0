//! What can go wrong with a legacy database.
//!
//! Always: a row is named by its row id and its number keys; keys that are text may be personal and stay hidden.

use std::error::Error;

use miette::Diagnostic;
use thiserror::Error as ThisError;

use crate::error::{Consequence, RetryClass};
use crate::retry::Transient;
use crate::{hint, said};

/// A failure of a source. Each names what to check.
#[derive(Debug, ThisError, Diagnostic)]
pub enum SourceError {
    #[error("{}", said!("SRC-001", id, path))]
    #[diagnostic(code("SRC-001"), help("{}", hint!("SRC-001")))]
    Missing { id: String, path: String },
    #[error("{}", said!("SRC-002", id, path))]
    #[diagnostic(code("SRC-002"), help("{}", hint!("SRC-002")))]
    NotAFile { id: String, path: String },
    #[error("{}", said!("SRC-003", id, path))]
    #[diagnostic(code("SRC-003"), help("{}", hint!("SRC-003")))]
    Unreadable { id: String, path: String, source: std::io::Error },
    #[error("{}", said!("SRC-004", id, path))]
    #[diagnostic(code("SRC-004"), help("{}", hint!("SRC-004")))]
    NotADatabase { id: String, path: String },
    #[error("{}", said!("SRC-005", id, path))]
    #[diagnostic(code("SRC-005"), help("{}", hint!("SRC-005")))]
    Wal { id: String, path: String },
    #[error("{}", said!("SRC-053", id, what))]
    #[diagnostic(code("SRC-053"), help("{}", hint!("SRC-053")))]
    Server { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-006", id, what))]
    #[diagnostic(code("SRC-006"), help("{}", hint!("SRC-006")))]
    Database { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-007", id, table, column, declared))]
    #[diagnostic(code("SRC-007"), help("{}", hint!("SRC-007")))]
    UnknownType { id: String, table: String, column: String, declared: String },
    #[error("{}", said!("SRC-050", id, table, column, taken_for))]
    #[diagnostic(code("SRC-050"), help("{}", hint!("SRC-050")))]
    Reserved { id: String, table: String, column: String, taken_for: String },
    #[error("{}", said!("SRC-008", id, field, declared, key, found))]
    #[diagnostic(code("SRC-008"), help("{}", hint!("SRC-008")))]
    Misfit { id: String, field: String, declared: String, key: String, found: &'static str },
    #[error("{}", said!("SRC-009", id, encoding))]
    #[diagnostic(code("SRC-009"), help("{}", hint!("SRC-009")))]
    Encoding { id: String, encoding: String },
    #[error("{}", said!("SRC-010", id, what))]
    #[diagnostic(code("SRC-010"), help("{}", hint!("SRC-010")))]
    Unknown { id: String, what: String },
    #[error("{}", said!("SRC-011", id, table))]
    #[diagnostic(code("SRC-011"), help("{}", hint!("SRC-011")))]
    Interrupted { id: String, table: String },
    #[error("{}", said!("SRC-012", id, table))]
    #[diagnostic(code("SRC-012"), help("{}", hint!("SRC-012")))]
    View { id: String, table: String },
    #[error("{}", said!("SRC-051", id, table))]
    #[diagnostic(code("SRC-051"), help("{}", hint!("SRC-051")))]
    Broken {
        id: String,
        table: String,
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
    #[error("{}", said!("SRC-013", id, what))]
    #[diagnostic(code("SRC-013"), help("{}", hint!("SRC-013")))]
    Incomplete { id: String, what: String },
    #[error("{}", said!("SRC-038", id, key))]
    #[diagnostic(code("SRC-038"), help("{}", hint!("SRC-038")))]
    Exposed { id: String, key: &'static str },
    #[error("{}", said!("SRC-014", id, server))]
    #[diagnostic(code("SRC-014"), help("{}", hint!("SRC-014")))]
    Unreachable { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-015", id, server))]
    #[diagnostic(code("SRC-015"), help("{}", hint!("SRC-015")))]
    Refused { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-016", id, server))]
    #[diagnostic(code("SRC-016"), help("{}", hint!("SRC-016")))]
    Tls { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-017", id, what))]
    #[diagnostic(code("SRC-017"), help("{}", hint!("SRC-017")))]
    Transient { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-018", id, what))]
    #[diagnostic(code("SRC-018"), help("{}", hint!("SRC-018")))]
    Statement { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-019", id, wanted, why))]
    #[diagnostic(code("SRC-019"), help("{}", hint!("SRC-019", way_out)))]
    Consistency { id: String, wanted: &'static str, why: String, way_out: String },
    #[error("{}", said!("SRC-020", id, table, method))]
    #[diagnostic(code("SRC-020"), help("{}", hint!("SRC-020", table)))]
    NoMethod { id: String, table: String, method: &'static str },
    #[error("{}", said!("SRC-021", id, field, key, found))]
    #[diagnostic(code("SRC-021"), help("{}", hint!("SRC-021")))]
    Inexact { id: String, field: String, key: String, found: String },
    #[error("{}", said!("SRC-022", id, what))]
    #[diagnostic(code("SRC-022"), help("{}", hint!("SRC-022")))]
    Protocol { id: String, what: String },
    #[error("{}", said!("SRC-024", id, before, after))]
    #[diagnostic(code("SRC-024"), help("{}", hint!("SRC-024")))]
    Moved { id: String, before: String, after: String },
    #[error("{}", said!("SRC-023", id, table, since, oldest))]
    #[diagnostic(code("SRC-023"), help("{}", hint!("SRC-023", table)))]
    Expired { id: String, table: String, since: String, oldest: String },
    #[error("{}", said!("SRC-025", id, by, table))]
    #[diagnostic(code("SRC-025"), help("{}", hint!("SRC-025", table)))]
    Hidden { id: String, table: String, by: String },
    #[error("{}", said!("SRC-052", id, table, by, word))]
    #[diagnostic(code("SRC-052"), help("{}", hint!("SRC-052", table)))]
    Personal { id: String, table: String, by: String, word: String },
    #[error("{}", said!("SRC-026", id, table))]
    #[diagnostic(code("SRC-026"), help("{}", hint!("SRC-026")))]
    Altered { id: String, table: String },
    #[error("{}", said!("SRC-027", id, part, table))]
    #[diagnostic(code("SRC-027"), help("{}", hint!("SRC-027", part, table)))]
    Twice { id: String, table: String, part: String },
    #[error("{}", said!("SRC-031", id, what))]
    #[diagnostic(code("SRC-031"), help("{}", hint!("SRC-031")))]
    PointEnded { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-032", id, table, why))]
    #[diagnostic(code("SRC-032"), help("{}", hint!("SRC-032")))]
    Filtered { id: String, table: String, why: String },
    #[error("{}", said!("SRC-033", id, columns, table))]
    #[diagnostic(code("SRC-033"), help("{}", hint!("SRC-033")))]
    Masked { id: String, table: String, columns: String },
    #[error("{}", said!("SRC-034", id, what))]
    #[diagnostic(code("SRC-034"), help("{}", hint!("SRC-034")))]
    Converted { id: String, what: String },
    #[error("{}", said!("SRC-035", id, server))]
    #[diagnostic(code("SRC-035"), help("{}", hint!("SRC-035", why)))]
    Certificate { id: String, server: String, why: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-036", id, what))]
    #[diagnostic(code("SRC-036"), help("{}", hint!("SRC-036")))]
    Undecodable { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{}", said!("SRC-037", id, what))]
    #[diagnostic(code("SRC-037"), help("{}", hint!("SRC-037")))]
    TooLarge { id: String, what: String },
}

impl Transient for SourceError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Transient { .. } | Self::Interrupted { .. })
    }
}

impl Consequence for SourceError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Missing { .. }
            | Self::NotAFile { .. }
            | Self::Unreadable { .. }
            | Self::NotADatabase { .. }
            | Self::Wal { .. }
            | Self::UnknownType { .. }
            | Self::Misfit { .. }
            | Self::Reserved { .. }
            | Self::Encoding { .. }
            | Self::Unknown { .. }
            | Self::View { .. }
            | Self::Broken { .. }
            | Self::Incomplete { .. }
            | Self::Exposed { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::Consistency { .. }
            | Self::NoMethod { .. }
            | Self::Inexact { .. }
            | Self::Statement { .. }
            | Self::Hidden { .. }
            | Self::Personal { .. }
            | Self::Twice { .. }
            | Self::Expired { .. }
            | Self::Filtered { .. }
            | Self::Masked { .. }
            | Self::Converted { .. }
            | Self::Certificate { .. }
            | Self::Undecodable { .. }
            | Self::TooLarge { .. } => RetryClass::Usage,
            Self::Database { .. }
            | Self::Server { .. }
            | Self::Interrupted { .. }
            | Self::Unreachable { .. }
            | Self::Transient { .. }
            | Self::Moved { .. }
            | Self::Altered { .. }
            | Self::PointEnded { .. }
            | Self::Protocol { .. } => RetryClass::Resume,
        }
    }
}
