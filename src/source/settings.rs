//! Which database, and how it is read: settings of one source as config/ hands them out.
//!
//! Always: a password never shows in Debug, errors or logs; what is not set has a gentle default.
//! Must not know: layers of configuration, or the sources of a city.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::encoding::TextEncoding;

/// Which database, and how to read it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The short name that lineage and folders carry: `ylbx`.
    pub id: String,
    pub kind: SourceKind,
    /// The database file of the embedded kind.
    #[serde(default)]
    pub path: PathBuf,
    /// Code page of char, varchar and text, as a WHATWG label: `gbk`, `gb18030`, `utf-8`. Where it is set, it goes before what the
    /// database says of them; where neither says one, it is GBK.
    pub encoding: Option<TextEncoding>,
    /// The zone whose wall clock the source's times with a zone are shown in, and that of `limits.windows`; by default the configuration's.
    #[serde(default = "default_time_zone")]
    pub time_zone: Tz,
    /// Rows of one chunk, the unit of resume: one Parquet part each.
    #[serde(default = "default_chunk_rows")]
    pub chunk_rows: u64,
    /// Where the server is; the kinds that are servers need it.
    pub server: Option<Server>,
    /// How all answers come to one point in time.
    #[serde(default)]
    pub consistency: Consistency,
    #[serde(default)]
    pub limits: Limits,
    /// What is particular to one legacy table.
    #[serde(default)]
    pub tables: BTreeMap<String, TableSettings>,
}

impl SourceSettings {
    /// The settings of a SQLite file, all others at their defaults.
    pub fn sqlite(id: &str, path: PathBuf) -> Self {
        Self {
            id: id.to_owned(),
            kind: SourceKind::Sqlite,
            path,
            encoding: None,
            time_zone: default_time_zone(),
            chunk_rows: default_chunk_rows(),
            server: None,
            consistency: Consistency::default(),
            limits: Limits::default(),
            tables: BTreeMap::new(),
        }
    }

    /// What is set for a table.
    pub fn table(&self, name: &str) -> TableSettings {
        self.tables.get(name).cloned().unwrap_or_default()
    }

    /// The encoding that is set for a column's text: by itself, its table, or the source; `None` where nothing is.
    pub fn encoding_of(&self, table: &str, column: &str) -> Option<TextEncoding> {
        let table = self.tables.get(table);
        let own = table.and_then(|t| t.columns.get(column)).and_then(|c| c.encoding);
        own.or(table.and_then(|t| t.encoding)).or(self.encoding)
    }
}

impl SourceSettings {
    /// What is set of encodings and time zone, as text: other settings give other raw parts.
    pub fn spellings(&self) -> String {
        let label = |of: Option<TextEncoding>| of.map_or_else(|| "default".to_owned(), TextEncoding::label);
        let mut text = format!("{}, {}", label(self.encoding), self.time_zone);
        for (table, of) in &self.tables {
            if of.encoding.is_some() {
                text.push_str(&format!(", {table} {}", label(of.encoding)));
            }
            for (column, of) in of.columns.iter().filter(|(_, of)| of.encoding.is_some()) {
                text.push_str(&format!(", {table}.{column} {}", label(of.encoding)));
            }
        }
        text
    }
}

/// The code page of text whose code page neither the database nor a setting says.
pub const DEFAULT_ENCODING: TextEncoding = TextEncoding::CodePage(encoding_rs::GBK);

fn default_time_zone() -> Tz {
    crate::clock::DEFAULT_ZONE
}

fn default_chunk_rows() -> u64 {
    262_144
}

/// The kinds of database that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Sqlite,
    Postgres,
    SqlServer,
}

impl SourceKind {
    /// As configuration spells them.
    pub const ALL: &[&str] = &["sqlite", "postgres", "sqlserver"];
}

/// A server to connect to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Name or address; for PostgreSQL also the folder of a Unix socket.
    pub host: String,
    /// Default: 5432, 1433; an instance of SQL Server is reached by its port.
    pub port: Option<u16>,
    pub database: String,
    /// Default: `public`, `dbo`.
    pub schema: Option<String>,
    #[serde(default)]
    pub user: String,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The systemd credential whose first line is the password (`LoadCredential=` of the unit).
    pub password_credential: Option<String>,
    #[serde(default)]
    pub login: Login,
    #[serde(default)]
    pub tls: Tls,
    /// Certificates (PEM) trusted besides those of the machine.
    pub ca: Option<PathBuf>,
    /// Uses nothing but plain queries, for servers that only resemble the one they claim to be.
    #[serde(default)]
    pub portable: bool,
    /// Limit of connecting and logging in.
    #[serde(default = "default_connect_seconds")]
    pub connect_seconds: u64,
}

fn default_connect_seconds() -> u64 {
    15
}

/// Who logs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// A login of the database itself.
    #[default]
    Sql,
    /// The Windows account whose Kerberos ticket the process has; SQL Server only, and only in builds with the feature `windows-login`.
    Windows,
}

/// How the line is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Encrypted, and the server's certificate is checked.
    #[default]
    Verify,
    /// Encrypted, any certificate is taken: protects against listening, not against a false server.
    Trust,
    /// Only the login is encrypted, with any certificate (SQL Server); rows travel in the clear.
    LoginOnly,
    /// Nothing is encrypted, the password neither: a private line or the machine itself.
    Off,
}

impl Tls {
    /// As it is configured and recorded.
    pub fn text(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Trust => "trust",
            Self::LoginOnly => "login-only",
            Self::Off => "off",
        }
    }
}

/// How all answers of a source come to one point in time (PITFALLS: sessions do not share one).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// What suits the kind: a read transaction (SQLite), an exported snapshot (PostgreSQL), one snapshot session (SQL Server).
    #[default]
    Default,
    /// A database snapshot (`CREATE DATABASE … AS SNAPSHOT OF`); its name is the configured database.
    DatabaseSnapshot,
    /// A copy restored from a backup, which nobody writes to.
    RestoredCopy,
    /// One session in SNAPSHOT isolation, hence one reader.
    SnapshotSession,
    /// Parallel readers on one exported snapshot (PostgreSQL).
    ExportedSnapshot,
    /// No common point: every table as it is when it is read. Never fit for cutover.
    Fuzzy,
}

/// How gently a server is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Readers at a time; one more connection asks and watches.
    pub connections: u32,
    pub rows_per_second: Option<u64>,
    pub bytes_per_second: Option<u64>,
    /// When reading is allowed, in the source's time zone; none: always.
    pub windows: Vec<Window>,
    /// Limit of one statement; 0: none.
    pub statement_seconds: u64,
    /// How long a statement waits for a lock.
    pub lock_milliseconds: u64,
    /// A question that the server usually answers at once takes longer than this: it is slow, reading pauses.
    pub slow_milliseconds: u64,
    /// How often an operation that failed for a transient reason is tried again.
    pub retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2,
            rows_per_second: None,
            bytes_per_second: None,
            windows: Vec::new(),
            statement_seconds: 3600,
            lock_milliseconds: 5000,
            slow_milliseconds: 2000,
            retries: 8,
        }
    }
}

impl Limits {
    /// True inside a window, or where there are none.
    pub fn open(&self, at: NaiveTime) -> bool {
        self.windows.is_empty() || self.windows.iter().any(|w| w.holds(at))
    }
}

/// A daily window, half-open; one that ends before it begins runs over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: NaiveTime,
    pub to: NaiveTime,
}

impl Window {
    /// True when `at` lies in the window.
    pub fn holds(self, at: NaiveTime) -> bool {
        if self.from <= self.to { self.from <= at && at < self.to } else { self.from <= at || at < self.to }
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no window such as \"20:00-06:30\"");
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let time = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").map_err(|_| wrong());
        let window = Self { from: time(from)?, to: time(to)? };
        if window.from == window.to { Err(wrong()) } else { Ok(window) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.format("%H:%M"), self.to.format("%H:%M"))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What is particular to one legacy table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSettings {
    /// Columns of a unique key to read by, in place of the primary key.
    #[serde(default)]
    pub key: Vec<String>,
    /// How later extracts find what changed.
    #[serde(default)]
    pub changes: ChangeMethod,
    /// The column of the timestamp method (and of rowversion, where there are several).
    pub column: Option<String>,
    /// How far the timestamp method looks back behind its watermark.
    #[serde(default = "default_overlap")]
    pub overlap_seconds: u64,
    /// What to do when the table's columns are no longer those of the last extract.
    #[serde(default)]
    pub drift: Drift,
    /// The code page of its char, varchar and text, where it is not that of the source.
    pub encoding: Option<TextEncoding>,
    /// What is particular to one of its columns.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnSettings>,
}

/// What is particular to one legacy column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSettings {
    /// The code page of its text, where it is not that of the table.
    pub encoding: Option<TextEncoding>,
}

impl TableSettings {
    /// The method as an extract records it, with its column: what was marked by one cannot be followed by another.
    pub fn method(&self) -> String {
        match &self.column {
            Some(column) => format!("{} {column}", self.changes.text()),
            None => self.changes.text().to_owned(),
        }
    }
}

fn default_overlap() -> u64 {
    600
}

/// How an extract finds what changed in a table since the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeMethod {
    /// It does not: the whole table is read and kept.
    #[default]
    Full,
    /// SQL Server's change tracking; deletes included.
    ChangeTracking,
    /// A rowversion column, or PostgreSQL's xmin; and all keys are read to find deletes.
    Rowversion,
    /// A column that every change sets, with overlap; and all keys are read to find deletes.
    Timestamp,
    /// The whole table is read, and compared by key and row digest; only the difference is kept.
    Compare,
}

impl ChangeMethod {
    pub const ALL: &[Self] =
        &[Self::Full, Self::ChangeTracking, Self::Rowversion, Self::Timestamp, Self::Compare];

    /// As it is configured and recorded.
    pub fn text(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ChangeTracking => "change-tracking",
            Self::Rowversion => "rowversion",
            Self::Timestamp => "timestamp",
            Self::Compare => "compare",
        }
    }
}

/// The choice when columns were added, dropped or retyped since the last extract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Refuse, and show the difference.
    #[default]
    Stop,
    /// Go on with the columns of the last extract; new ones are not read.
    Freeze,
    /// Take the table as it is now: it is read again.
    Accept,
}
