//! What can go wrong with a legacy database.
//!
//! Always: a row is named by its row id and its number keys; keys that are text may be personal and stay hidden.

use std::error::Error;

use miette::Diagnostic;
use thiserror::Error as ThisError;

use crate::error::{Consequence, RetryClass};
use crate::retry::Transient;

/// A failure of a source. Each names what to check.
#[derive(Debug, ThisError, Diagnostic)]
pub enum SourceError {
    #[error("source {id}: there is no database at {path}")]
    #[diagnostic(
        code("SRC-001"),
        help("check `path` of the source in the configuration; is the disk mounted?")
    )]
    Missing { id: String, path: String },
    #[error("source {id}: {path} is no file")]
    #[diagnostic(code("SRC-002"), help("`path` names the database file itself, not its folder"))]
    NotAFile { id: String, path: String },
    #[error("source {id}: {path} cannot be opened")]
    #[diagnostic(
        code("SRC-003"),
        help("check the rights of the file and its folders for the user who runs qianyi")
    )]
    Unreadable { id: String, path: String, source: std::io::Error },
    #[error("source {id}: {path} is not a SQLite database")]
    #[diagnostic(
        code("SRC-004"),
        help("check that `path` and `kind` belong together, and that the copy was complete")
    )]
    NotADatabase { id: String, path: String },
    #[error("source {id}: {path} is in WAL mode, which cannot be read without writing beside it")]
    #[diagnostic(
        code("SRC-005"),
        help(
            "give qianyi a copy of its own, in rollback mode: sqlite3 original.db \"VACUUM INTO 'copy.db'\""
        )
    )]
    Wal { id: String, path: String },
    #[error("source {id}: {what} failed")]
    #[diagnostic(
        code("SRC-053"),
        help(
            "the server's own words stand with it; run the same command again: it goes on from here. If it comes back, show them to the DBA, or report them with the server's version"
        )
    )]
    Server { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: {what} failed")]
    #[diagnostic(
        code("SRC-006"),
        help(
            "check that the database is intact and that nobody writes to it now (it may be locked, or have a hot journal); then run the same command again: it goes on from here"
        )
    )]
    Database { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: column {table}.{column} has the type `{declared}`, which qianyi does not know")]
    #[diagnostic(
        code("SRC-007"),
        help("list the table under [[ignore]] in city.toml if it is not needed; otherwise report the type")
    )]
    UnknownType { id: String, table: String, column: String, declared: String },
    #[error("source {id}: column {table}.{column} has a name that qianyi uses for {taken_for}")]
    #[diagnostic(
        code("SRC-050"),
        help(
            "skip the column in the mapping (`skip = \"reason\"`), or read a view in which it has another name"
        )
    )]
    Reserved { id: String, table: String, column: String, taken_for: String },
    #[error("source {id}: {field} is declared `{declared}`, but the row with {key} holds {found}")]
    #[diagnostic(
        code("SRC-008"),
        help(
            "look at this row in the source. A copy of a legacy database must keep its storage classes: code-page text as BLOB, nvarchar and datetime as TEXT, numbers as numbers"
        )
    )]
    Misfit { id: String, field: String, declared: String, key: String, found: &'static str },
    #[error("source {id}: the encoding `{encoding}` is unknown or cannot be used for legacy text")]
    #[diagnostic(code("SRC-009"), help("use gbk for code page 936, or gb18030, big5, utf-8, windows-1252"))]
    Encoding { id: String, encoding: String },
    #[error("source {id}: there is no {what}")]
    #[diagnostic(code("SRC-010"), help("`qianyi profile` lists the tables and columns that the source has"))]
    Unknown { id: String, what: String },
    #[error("source {id}: reading {table} ended before its last row")]
    #[diagnostic(code("SRC-011"), help("run the same command again; if it comes back, report it"))]
    Interrupted { id: String, table: String },
    #[error("source {id}: {table} is a view and has no rows of its own")]
    #[diagnostic(code("SRC-012"), help("name the tables below the view in the mapping"))]
    View { id: String, table: String },
    #[error("source {id}: {table} cannot be read as it is defined")]
    #[diagnostic(
        code("SRC-051"),
        help(
            "it needs a table, column or function that is not there, or an expression of it fails: mend it in the database, or list it under [[ignore]] in city.toml"
        )
    )]
    Broken {
        id: String,
        table: String,
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
    #[error("source {id}: the configuration lacks {what}")]
    #[diagnostic(code("SRC-013"), help("add it under [sources.server]; docs/config.md describes every key"))]
    Incomplete { id: String, what: String },
    #[error("source {id}: no connection to {server}")]
    #[diagnostic(
        code("SRC-014"),
        help(
            "check host, port, firewall and that the server runs; `qianyi doctor` tells what can be reached. A reset during the handshake of an old SQL Server often means TLS 1.0: see docs/sources.md"
        )
    )]
    Unreachable { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: {server} refuses the login")]
    #[diagnostic(
        code("SRC-015"),
        help(
            "check user, password (`password_env`, `password_file`), database name, and the login's rights"
        )
    )]
    Refused { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: {server} and qianyi do not agree on TLS")]
    #[diagnostic(
        code("SRC-016"),
        help(
            "give the server a certificate that this machine trusts (`ca`), or choose `tls = \"trust\"`; a server that speaks only TLS 1.0 needs its TLS 1.2 update, a restored copy on a newer one, or `tls = \"off\"` over a private line: the run records which"
        )
    )]
    Tls { id: String, server: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: transient error: {what}")]
    #[diagnostic(
        code("SRC-017"),
        help(
            "it was tried again as often as `retries` says; run the same command again later: it goes on from here"
        )
    )]
    Transient { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: the server refuses {what}")]
    #[diagnostic(
        code("SRC-018"),
        help("`qianyi doctor` shows which rights are missing; sql/source/ has the scripts that grant them")
    )]
    Statement { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: consistency `{wanted}` cannot be had: {why}")]
    #[diagnostic(
        code("SRC-019"),
        help(
            "{way_out}. qianyi never falls back by itself; `fuzzy` reads without a common point and is never fit for cutover"
        )
    )]
    Consistency { id: String, wanted: &'static str, why: String, way_out: &'static str },
    #[error("source {id}: table {table} has no {method} to follow its changes by")]
    #[diagnostic(
        code("SRC-020"),
        help("`qianyi plan` proposes a method for every table; set it under [sources.tables.{table}]")
    )]
    NoMethod { id: String, table: String, method: &'static str },
    #[error("source {id}: {field}, in the row with {key}, holds {found}")]
    #[diagnostic(
        code("SRC-021"),
        help("look at this row in the source; a value that no type here holds exactly is never bent")
    )]
    Inexact { id: String, field: String, key: String, found: String },
    #[error("source {id}: the server sent something that qianyi does not understand: {what}")]
    #[diagnostic(
        code("SRC-022"),
        help("the connection was thrown away; if it comes back, report it with the server's version")
    )]
    Protocol { id: String, what: String },
    #[error("source {id}: the point of this extract cannot be taken again: {before} became {after}")]
    #[diagnostic(
        code("SRC-024"),
        help(
            "the session that held it was lost while people went on working; run the same command again: it brings every table to one new point"
        )
    )]
    Moved { id: String, before: String, after: String },
    #[error(
        "source {id}: the server no longer knows what changed in {table} since {since}; it knows changes from {oldest} on"
    )]
    #[diagnostic(
        code("SRC-023"),
        help(
            "extract the table again: set `changes = \"full\"` for one extract (or give `--full {table}`); then lengthen the server's retention or extract more often"
        )
    )]
    Expired { id: String, table: String, since: String, oldest: String },
    #[error("source {id}: row security of {by} hides rows of {table} from this login")]
    #[diagnostic(
        code("SRC-025"),
        help(
            "a part of a table is never read for the whole, as pg_dump does not either: let the DBA give the login BYPASSRLS, or read a restored copy as its owner; or list {table} under [[ignore]]"
        )
    )]
    Hidden { id: String, table: String, by: String },
    #[error(
        "source {id}: what the view {table} shows depends on the login that reads it: {by} asks for `{word}`"
    )]
    #[diagnostic(
        code("SRC-052"),
        help(
            "rows that it hides from this login would be missing without a word: map the tables below it, or let the DBA make a view that does not ask; or list {table} under [[ignore]]"
        )
    )]
    Personal { id: String, table: String, by: String, word: String },
    #[error(
        "source {id}: {table} was altered, rewritten, emptied or replaced by somebody after the point of this extract, and can no longer be read at that point"
    )]
    #[diagnostic(
        code("SRC-026"),
        help(
            "let that work come to its end, then run the same command again: it brings every table to one new point"
        )
    )]
    Altered { id: String, table: String },
    #[error("source {id}: the rows of {part} are rows of {table}, too; reading both would count them twice")]
    #[diagnostic(
        code("SRC-027"),
        help(
            "list {part} under [[ignore]] in city.toml (its rows come with {table}), or {table} and map all of its parts"
        )
    )]
    Twice { id: String, table: String, part: String },
    #[error(
        "source {id}: the server ended the point of this extract: {what} came upon a table that somebody altered or emptied"
    )]
    #[diagnostic(
        code("SRC-031"),
        help(
            "ALTER, TRUNCATE, a partition switch or the rebuilding of an index ends it: keep maintenance out of the window, then run the same command again; it brings every table to one new point"
        )
    )]
    PointEnded { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: the login sees only a part of {table}: {why}")]
    #[diagnostic(
        code("SRC-032"),
        help(
            "let the predicate of the policy pass qianyi's login, or read a copy in which it is off (ALTER SECURITY POLICY … WITH (STATE = OFF)); rows that are hidden would be missing without a word"
        )
    )]
    Filtered { id: String, table: String, why: String },
    #[error("source {id}: the server masks {columns} of {table} for this login")]
    #[diagnostic(
        code("SRC-033"),
        help("GRANT UNMASK to qianyi's login: what it reads now are not the values that the table holds")
    )]
    Masked { id: String, table: String, columns: String },
    #[error("source {id}: the server converts text on its way to bytes: {what}")]
    #[diagnostic(
        code("SRC-034"),
        help(
            "every name would come out wrong; read another copy of the database, on a server that hands out the bytes of a column as they are stored"
        )
    )]
    Converted { id: String, what: String },
    #[error("source {id}: the certificate of {server} is not accepted")]
    #[diagnostic(
        code("SRC-035"),
        help("{why}. Without a right certificate: `tls = \"trust\"`, over a private line")
    )]
    Certificate { id: String, server: String, why: &'static str, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: the answer cannot be decoded ({what})")]
    #[diagnostic(
        code("SRC-036"),
        help(
            "it would be the same every time; report it with the server's version, and list the table under [[ignore]] until then"
        )
    )]
    Undecodable { id: String, what: String, source: Box<dyn Error + Send + Sync> },
    #[error("source {id}: the sum of {what} has more than 38 digits")]
    #[diagnostic(
        code("SRC-037"),
        help(
            "amounts of that column are absurdly large: correct them in the source, or leave the column out of `amounts`"
        )
    )]
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
