//! A PostgreSQL cluster of the test's own: in a temporary folder, under a user that is not root, gone with the value.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qianyi::source::{Limits, Server, SourceKind, SourceSettings, Tls};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A running cluster that listens on a Unix socket in its folder.
pub struct Cluster {
    dir: TempDir,
}

/// Where PostgreSQL's own programs are.
fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is not installed: run ./scripts/test")
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|p| p.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL's server is not installed: run ./scripts/test")
}

/// A program of PostgreSQL, never as root.
fn command(program: &str) -> Command {
    let path = programs().join(program);
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    }
}

fn done(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Copies a folder with its owners.
fn copy(from: &Path, to: &Path) -> Command {
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(from).arg(to);
    copy
}

impl Cluster {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("qypg").tempdir().unwrap();
        // The server's user needs the folder.
        let mut owner = Command::new("chmod");
        owner.arg("777").arg(dir.path());
        done(owner);
        let cluster = Self { dir };
        let mut init = command("initdb");
        init.args(["-U", "founder", "-A", "trust", "-E", "SQL_ASCII", "--locale", "C", "--no-sync", "-D"]);
        init.arg(cluster.data());
        done(init);
        cluster.up();
        cluster
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the server and waits until it answers.
    pub fn up(&self) {
        let mut start = command("pg_ctl");
        let options = format!(
            "-c fsync=off -c listen_addresses= -c unix_socket_directories={} -c shared_buffers=64MB -c max_connections=40 -c max_prepared_transactions=5",
            self.dir.path().display()
        );
        start.args(["-w", "-s", "-t", "60", "-o", &options, "-l"]).arg(self.dir.path().join("log"));
        start.arg("-D").arg(self.data()).arg("start");
        start.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(start.status().unwrap().success(), "{}", self.log());
    }

    /// Stops the server as a crash or an impatient administrator would.
    pub fn down(&self) {
        let mut stop = command("pg_ctl");
        stop.args(["-w", "-s", "-m", "immediate", "-D"]).arg(self.data()).arg("stop");
        stop.stdout(Stdio::null()).stderr(Stdio::null());
        let _ = stop.status();
    }

    /// Stops the server in order, and copies its files to a folder beside them.
    pub fn copy_files(&self) {
        self.stopped();
        done(copy(&self.data(), &self.dir.path().join("copy")));
        self.up();
    }

    /// Stops the server, and puts the copied files back: without a recovery, so that the cluster looks the same.
    pub fn put_back(&self) {
        self.stopped();
        std::fs::remove_dir_all(self.data()).unwrap();
        done(copy(&self.dir.path().join("copy"), &self.data()));
        self.up();
    }

    fn stopped(&self) {
        let mut stop = command("pg_ctl");
        stop.args(["-w", "-s", "-m", "fast", "-D"]).arg(self.data()).arg("stop");
        done(stop);
    }

    /// Stops the server, sets the number of its next transaction, and starts it.
    pub fn set_next_transaction(&self, number: u32) {
        self.stopped();
        let mut reset = command("pg_resetwal");
        reset.args(["-x", &number.to_string(), "-D"]).arg(self.data());
        done(reset);
        // The page of the commit log on which that number lies: four transactions a byte, 256 KiB a segment.
        let segment = self.data().join("pg_xact").join(format!("{:04X}", number / 4 / (256 << 10)));
        std::fs::write(&segment, vec![0; 256 << 10]).unwrap();
        let mut owner = Command::new("chmod");
        owner.arg("666").arg(&segment);
        done(owner);
        self.up();
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn socket(&self) -> &Path {
        self.dir.path()
    }

    /// A URL of a database for the fixture's loader.
    pub fn url(&self, database: &str) -> String {
        let host = self.socket().display().to_string().replace('/', "%2F");
        format!("postgres://founder@{host}/{database}")
    }

    /// Makes a database in an encoding.
    pub async fn database(&self, name: &str, encoding: &str) {
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'");
        self.run("postgres", &sql).await;
    }

    /// Runs statements in a database.
    pub async fn run(&self, database: &str, sql: &str) {
        let client = self.client(database).await;
        client.batch_execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }

    /// A connection of somebody else's.
    pub async fn client(&self, database: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Settings of the source `ylbx` in a database.
    pub fn settings(&self, database: &str, chunk_rows: u64) -> SourceSettings {
        Self::settings_at(self.socket(), database, chunk_rows)
    }

    /// The same for a cluster that another process started.
    pub fn settings_at(socket: &Path, database: &str, chunk_rows: u64) -> SourceSettings {
        SourceSettings {
            kind: SourceKind::Postgres,
            chunk_rows,
            server: Some(Server {
                host: socket.display().to_string(),
                port: None,
                database: database.to_owned(),
                schema: None,
                user: "founder".to_owned(),
                password_env: None,
                password_credential: None,
                password_file: None,
                login: Default::default(),
                tls: Tls::Off,
                ca: None,
                portable: false,
                connect_seconds: 15,
            }),
            limits: Limits { connections: 3, ..Limits::default() },
            ..SourceSettings::sqlite("ylbx", PathBuf::new())
        }
    }
}

/// A pgbouncer in transaction mode before a cluster: each transaction is on whatever server session is free.
pub struct Bouncer {
    dir: TempDir,
    process: std::process::Child,
}

impl Bouncer {
    /// `None` where pgbouncer is not installed.
    pub fn start(cluster: &Cluster, sessions: u32) -> Option<Self> {
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|p| Path::new(p).is_file())?;
        let dir = tempfile::Builder::new().prefix("qypb").tempdir().unwrap();
        let mut open = Command::new("chmod");
        open.arg("777").arg(dir.path());
        done(open);
        let settings = format!(
            "[databases]\n* = host={} user=founder\n[pgbouncer]\npool_mode = transaction\nauth_type = any\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {}\ndefault_pool_size = {sessions}\nlogfile = {}/log\n",
            cluster.socket().display(),
            dir.path().display(),
            dir.path().display()
        );
        let config = dir.path().join("pgbouncer.ini");
        std::fs::write(&config, settings).unwrap();
        let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
        let mut start = Command::new(if root { "setpriv" } else { program });
        if root {
            // In place of runuser, which would stand between us and the process.
            start.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", program]);
        }
        let process = start.arg("-q").arg(&config).stdin(Stdio::null()).spawn().unwrap();
        Some(Self { dir, process })
    }

    /// Settings of the source `ylbx` behind it.
    pub fn settings(&self, database: &str, chunk_rows: u64) -> SourceSettings {
        let mut settings = Cluster::settings_at(self.dir.path(), database, chunk_rows);
        settings.server.as_mut().unwrap().port = Some(6432);
        settings
    }

    /// A connection of an application; waits until pgbouncer answers.
    pub async fn client(&self, database: &str) -> tokio_postgres::Client {
        let host = self.dir.path().display().to_string().replace('/', "%2F");
        let url = format!("postgres://application@{host}:6432/{database}");
        loop {
            if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.down();
        // What the server's user made, root may remove; otherwise it is the same user.
        let _ = std::fs::remove_dir_all(self.data());
        let _ = std::fs::remove_dir_all(self.dir.path().join("copy"));
    }
}
