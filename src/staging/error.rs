//! What can go wrong in a rehearsal. What the server refuses of the rows is no error: see [`crate::artifacts::RehearsalProblem`].

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in a rehearsal.
#[derive(Debug, Error, Diagnostic)]
pub enum StagingError {
    #[error("the staging database cannot be reached")]
    #[diagnostic(
        code("STG-001"),
        help(
            "check [staging.server] (host, port, user, password, tls) and that the server takes connections from here; nothing was left there"
        )
    )]
    Unreachable { source: Cause },
    #[error("the staging database failed at {what}")]
    #[diagnostic(
        code("STG-002"),
        help(
            "its message stands below; what was loaded is dropped (else by the next start): mend it and run `qianyi dry-run` again"
        )
    )]
    Failed { what: String, source: Cause },
    #[error("the staging database did not answer {what} within {seconds} s")]
    #[diagnostic(
        code("STG-003"),
        help(
            "look at the load and the locks of the server, or raise `statement_seconds` of [staging]; the next start drops what was loaded"
        )
    )]
    Silent { what: String, seconds: u64 },
    #[error("the login may not rehearse in the staging database: {what}")]
    #[diagnostic(
        code("STG-004"),
        help("let its administrator run sql/staging/grant.sql with the login and the database of [staging]")
    )]
    Rights { what: String },
    #[error("the staging database has the encoding {found}, not UTF8")]
    #[diagnostic(
        code("STG-005"),
        help(
            "lengths count characters, which only UTF8 does: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    )]
    Encoding { found: String },
    #[error("another rehearsal works in schema {schema} of the staging database")]
    #[diagnostic(
        code("STG-006"),
        help("wait until it ends; when it was killed, its sessions end within minutes")
    )]
    Busy { schema: String },
    #[error("schema {schema} of the staging database was not made by qianyi, so it is not replaced")]
    #[diagnostic(
        code("STG-007"),
        help(
            "without --keep its tables are compared with the national schema and loaded aside; or name another `schema` in [staging]"
        )
    )]
    Foreign { schema: String },
    #[error("the staging database answered {what} in a form that was not expected")]
    #[diagnostic(
        code("STG-008"),
        help(
            "it is no PostgreSQL server of version 12 or later, or something between here and there changes what it says"
        )
    )]
    Answer { what: String },
    #[error("column {column} of staged table {table} has another type than the national schema says")]
    #[diagnostic(code("STG-900"), help("this is a fault of qianyi: please report it"))]
    Type { table: String, column: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl Consequence for StagingError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Unreachable { .. }
            | Self::Failed { .. }
            | Self::Silent { .. }
            | Self::Busy { .. }
            | Self::Answer { .. } => RetryClass::Resume,
            Self::Rights { .. } | Self::Encoding { .. } | Self::Foreign { .. } => RetryClass::Usage,
            Self::Type { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
        }
    }
}
