//! A SQL Server for the tests: the one that `QIANYI_TEST_SQLSERVER` names (an ADO.NET connection string), else the tests' own.
//!
//! Always: works in databases of its own, which it makes and drops. Nothing here relies on which of the two it is; what only the own
//! server can do (faults, a cleanup on command) is behind [`Mssql::own`].

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use qianyi::source::{Consistency, Limits, Server as Address, SourceKind, SourceSettings, Tls};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::extracts::runtime;
use super::tds::engine::Engine;
use super::tds::wire::{Encryption, Options, Server};

/// Names a real server for the whole suite.
pub const REAL: &str = "QIANYI_TEST_SQLSERVER";
/// The password of the own server's administrator.
const PASSWORD: &str = "Founder-2021";
/// A code page of legacy databases.
const COLLATION: &str = "Chinese_PRC_CI_AS";

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The tests' own server.
pub struct Own {
    pub engine: Engine,
    pub wire: Server,
}

/// A server with an administrator's session, and one database for the test.
pub struct Mssql {
    own: Option<Own>,
    config: Config,
    runtime: Runtime,
    pub database: String,
    /// Further databases to drop: snapshots first.
    more: std::sync::Mutex<Vec<String>>,
    passwords: tempfile::TempDir,
}

impl Mssql {
    /// The real server, if there is one, else the own.
    pub fn start() -> Self {
        match std::env::var(REAL) {
            Ok(connection) => Self::with(
                None,
                Config::from_ado_string(&connection).expect("QIANYI_TEST_SQLSERVER is no ADO.NET string"),
            ),
            Err(_) => Self::own_with(Options::default()),
        }
    }

    /// The own server, whatever the environment says.
    pub fn own_with(options: Options) -> Self {
        let engine = Engine::start(PASSWORD).unwrap();
        let encryption = options.encryption;
        let wire = Server::start(Arc::new(engine.clone()), options);
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(wire.port());
        config.authentication(AuthMethod::sql_server("sa", PASSWORD));
        config.encryption(EncryptionLevel::NotSupported);
        if encryption == Encryption::Required {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert();
        }
        Self::with(Some(Own { engine, wire }), config)
    }

    fn with(own: Option<Own>, config: Config) -> Self {
        let n = DATABASES.fetch_add(1, Ordering::Relaxed);
        let database = format!("qianyi_test_{}_{n}", std::process::id());
        let (runtime, passwords) = (runtime(), tempfile::tempdir().unwrap());
        let server = Self { own, config, runtime, database, more: std::sync::Mutex::default(), passwords };
        server.master(&format!("CREATE DATABASE [{}] COLLATE {COLLATION}", server.database));
        server.master(&format!("ALTER DATABASE [{}] SET ALLOW_SNAPSHOT_ISOLATION ON", server.database));
        server
    }

    /// What only the own server can do; `None` on a real one.
    pub fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    fn session(&self, database: &str) -> Client<Compat<TcpStream>> {
        let mut config = self.config.clone();
        config.database(database);
        self.runtime.block_on(async {
            let stream = TcpStream::connect(config.get_addr()).await.unwrap();
            Client::connect(config, stream.compat_write()).await.unwrap()
        })
    }

    fn statements(&self, database: &str, statements: &[&str]) {
        let mut session = self.session(database);
        for sql in statements {
            let done =
                self.runtime.block_on(async { session.simple_query(*sql).await?.into_results().await });
            done.unwrap_or_else(|e| panic!("{e}\n{sql}"));
        }
        self.runtime.block_on(session.close()).unwrap();
    }

    /// Runs a statement in `master`.
    pub fn master(&self, sql: &str) {
        self.statements("master", &[sql]);
    }

    /// Runs statements in the test's database, one batch each, in one session.
    pub fn run(&self, statements: &[&str]) {
        self.statements(&self.database, statements);
    }

    /// Runs statements in another database, one batch each; it is dropped with the test's.
    pub fn in_database(&self, database: &str, statements: &[&str]) {
        self.more.lock().unwrap().push(database.to_owned());
        self.statements(database, statements);
    }

    /// A session of somebody who works with the database.
    pub fn open(&self) -> Clerk<'_> {
        Clerk { server: self, session: std::cell::RefCell::new(self.session(&self.database)) }
    }

    /// A database snapshot of the test's database, by its name.
    pub fn snapshot(&self) -> String {
        let name = format!("{}_{}", self.database, DATABASES.fetch_add(1, Ordering::Relaxed));
        let (logical, file) = self.data_file();
        self.master(&format!(
            "CREATE DATABASE [{name}] ON (NAME = [{logical}], FILENAME = N'{file}.{name}.ss') AS SNAPSHOT OF [{}]",
            self.database
        ));
        self.more.lock().unwrap().push(name.clone());
        name
    }

    /// Logical and physical name of the database's data file; the own server has no files to name.
    fn data_file(&self) -> (String, String) {
        if self.own.is_some() {
            return (self.database.clone(), "snapshot".to_owned());
        }
        let sql = "SELECT CAST(name AS nvarchar(128)), CAST(physical_name AS nvarchar(260)) FROM sys.database_files WHERE type = 0";
        let mut session = self.session(&self.database);
        let rows = self
            .runtime
            .block_on(async { session.simple_query(sql).await?.into_first_result().await })
            .unwrap();
        let text = |at: usize| rows[0].get::<&str, _>(at).unwrap().to_owned();
        (text(0), text(1))
    }

    /// Nobody writes to the test's database any more, or people do again.
    pub fn read_only(&self, on: bool) {
        let word = if on { "READ_ONLY" } else { "READ_WRITE" };
        self.master(&format!("ALTER DATABASE [{}] SET {word} WITH ROLLBACK IMMEDIATE", self.database));
    }

    /// An ADO.NET string of the test's database, for the fixture's loader.
    pub fn ado(&self) -> String {
        match std::env::var(REAL) {
            Ok(connection) if self.own.is_none() => format!("{connection};Database={}", self.database),
            _ => format!(
                "Server=tcp:{};Database={};User Id=sa;Password={PASSWORD};Encrypt=DANGER_PLAINTEXT",
                self.config.get_addr().replace(':', ","),
                self.database
            ),
        }
    }

    /// Settings of the source `ylbx` in the test's database.
    pub fn settings(&self, chunk_rows: u64) -> SourceSettings {
        self.settings_of(&self.database, chunk_rows)
    }

    /// Settings of the source `ylbx` in a database, as administrator.
    pub fn settings_of(&self, database: &str, chunk_rows: u64) -> SourceSettings {
        let (user, word) = match (&self.own, std::env::var(REAL)) {
            (None, Ok(connection)) => login(&connection),
            _ => ("sa".to_owned(), PASSWORD.to_owned()),
        };
        self.settings_as(database, &user, &word, chunk_rows)
    }

    /// Settings of the source `ylbx` as somebody.
    pub fn settings_as(&self, database: &str, user: &str, word: &str, chunk_rows: u64) -> SourceSettings {
        let address = self.config.get_addr();
        let (host, port) = address.rsplit_once(':').unwrap();
        let file: PathBuf = self.passwords.path().join(user);
        std::fs::write(&file, word).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        SourceSettings {
            kind: SourceKind::SqlServer,
            chunk_rows,
            server: Some(Address {
                host: host.to_owned(),
                port: Some(port.parse().unwrap()),
                database: database.to_owned(),
                schema: None,
                user: user.to_owned(),
                password_env: None,
                password_credential: None,
                password_file: Some(file),
                login: Default::default(),
                tls: if self.own.is_some() { Tls::Off } else { Tls::Trust },
                ca: None,
                portable: false,
                connect_seconds: 15,
            }),
            consistency: Consistency::Default,
            limits: Limits { connections: 3, ..Limits::default() },
            ..SourceSettings::sqlite("ylbx", PathBuf::new())
        }
    }
}

/// Somebody else's session.
pub struct Clerk<'s> {
    server: &'s Mssql,
    session: std::cell::RefCell<Client<Compat<TcpStream>>>,
}

impl Clerk<'_> {
    pub fn run(&self, sql: &str) {
        let mut session = self.session.borrow_mut();
        let done =
            self.server.runtime.block_on(async { session.simple_query(sql).await?.into_results().await });
        done.unwrap_or_else(|e| panic!("{e}\n{sql}"));
    }
}

/// User and password of an ADO.NET string.
fn login(connection: &str) -> (String, String) {
    let value = |names: &[&str]| {
        let part = connection
            .split(';')
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| names.iter().any(|n| name.trim().eq_ignore_ascii_case(n)));
        part.map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
    };
    (value(&["user id", "uid", "user"]), value(&["password", "pwd"]))
}

impl Drop for Mssql {
    fn drop(&mut self) {
        if self.own.is_some() || std::thread::panicking() {
            return;
        }
        let more = std::mem::take(&mut *self.more.lock().unwrap());
        for name in more {
            self.master(&format!("DROP DATABASE [{name}]"));
        }
        self.master(&format!("ALTER DATABASE [{}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE", self.database));
        self.master(&format!("DROP DATABASE [{}]", self.database));
    }
}
