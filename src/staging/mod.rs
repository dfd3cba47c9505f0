//! The rehearsal: staged tables into a staging PostgreSQL, with every key on, compared row by row, and then dropped or kept.
//!
//! Always: everything goes into a shadow schema that carries our mark, so that whatever happens nothing else of the server is touched;
//! what failed is dropped over a new session, and the next start drops what a killed one left. What came back is compared in full: rows by digest, columns by their sums.
//! Must not know: how rows were staged, or what a run is.

mod checks;
mod compare;
mod ddl;
mod digest;
mod error;
mod existing;
mod load;
mod measure;
mod row;
mod server;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use deadpool_postgres::Pool;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

pub use checks::{Check, checks};
pub use compare::{Profile, asked_of_engine, profile};
pub use ddl::loaded;
pub use error::StagingError;

use self::checks::Holds;
use self::load::{Part, PartLoaded};
use self::server::{Server, Session};
use crate::artifacts::{Rehearsal, RehearsalProblem, RehearsalRow, RehearsedTable};
use crate::failpoint;
use crate::measures::{ContentDigest, Measure};
use crate::national::{National, Table};
use crate::progress::Progress;
use crate::sql_ident::{literal, quote};

/// What a schema of ours is marked with, as its comment.
const MARK: &str = "made by qianyi dry-run; dropped by the next one";
/// Rows of a broken check that are named.
const NAMED: usize = 5;

/// Where to, and how.
pub struct Staging {
    pub pool: Pool,
    /// `host:port/database`, for people.
    pub shown: String,
    /// The schema that the tables have in the end; they are loaded beside it.
    pub schema: String,
    /// Sessions that load at a time.
    pub sessions: usize,
    /// Limit of one statement.
    pub statement_seconds: u64,
    /// Leave what was loaded under `schema`, in place of what an earlier rehearsal left there.
    pub keep: bool,
}

/// One staged table.
#[derive(Debug, Clone)]
pub struct StagedTable {
    /// National table.
    pub table: String,
    pub parts: Vec<PathBuf>,
    pub rows: u64,
    pub profile: Profile,
}

/// What every session of a rehearsal knows.
struct Shared {
    tables: Vec<Table>,
    /// Places of the key's columns.
    keys: Vec<Vec<usize>>,
    shadow: String,
}

impl Shared {
    fn key(&self, table: usize) -> &[usize] {
        &self.keys[table]
    }
}

/// A rehearsal while it goes on.
struct Rehearsing<'a> {
    of: &'a Staging,
    national: &'a National,
    staged: &'a [StagedTable],
    shared: Arc<Shared>,
    server: Server,
    control: Session,
    progress: &'a dyn Progress,
}

/// Loads, checks, compares; what the server counts besides, in the form of measures. Nothing stays on the server but what `keep` asks for.
///
/// # Errors
/// `STG-…`; what is wrong with rows is a problem of the rehearsal.
pub async fn rehearse(
    of: &Staging,
    national: &National,
    staged: &[StagedTable],
    progress: &dyn Progress,
) -> Result<(Rehearsal, Vec<Measure>), StagingError> {
    let name = format!("{} {}", sessions_of(&of.schema), std::process::id());
    let server = Server { pool: of.pool.clone(), seconds: of.statement_seconds, name };
    let control = server.session().await?;
    let tables: Vec<Table> = staged.iter().filter_map(|s| national.table(&s.table).cloned()).collect();
    let place = |table: &Table, code: &String| table.columns.iter().position(|c| &c.code == code);
    let keys = tables.iter().map(|t| t.key.iter().filter_map(|code| place(t, code)).collect()).collect();
    let shared = Arc::new(Shared { tables, keys, shadow: format!("{}_load", of.schema) });
    let rehearsing = Rehearsing { of, national, staged, shared, server, control, progress };
    let existing = rehearsing.begin().await?;
    let done = rehearsing.work(existing).await;
    let done = match done {
        Ok((found, measures)) => {
            let ended = match found.kept {
                true => rehearsing.swap().await,
                false => rehearsing.drop_shadow(&rehearsing.control).await,
            };
            ended.map(|()| (found, measures))
        }
        Err(e) => Err(e),
    };
    if done.is_err()
        && let Err(e) = rehearsing.clear().await
    {
        tracing::warn!("what was loaded stays until the next dry run: {e}");
    }
    done
}

impl Rehearsing<'_> {
    /// Looks at the server, takes the lock, drops what was left; whether it has tables of somebody else.
    async fn begin(&self) -> Result<bool, StagingError> {
        let control = &self.control;
        let schema = &self.of.schema;
        self.lock(control).await?;
        // Statements of a rehearsal that was killed may go on for a while.
        control.end_others(&format!("{} %", sessions_of(schema))).await?;
        let encoding = control.text("its encoding", "SHOW server_encoding").await?;
        if encoding != "UTF8" {
            return Err(StagingError::Encoding { found: encoding });
        }
        let existing = matches!(marked(control, schema).await?, Some(false));
        if existing && self.of.keep {
            return Err(StagingError::Foreign { schema: schema.clone() });
        }
        self.drop_shadow(control).await?;
        Ok(existing)
    }

    /// Takes the lock that keeps two rehearsals apart; it is the session's.
    async fn lock(&self, session: &Session) -> Result<(), StagingError> {
        let schema = &self.of.schema;
        let lock = format!("SELECT pg_advisory_lock(hashtext({}))", literal(&format!("qianyi {schema}")));
        let taken = session.may_wait("the lock of rehearsals", &lock).await?;
        if taken { Ok(()) } else { Err(StagingError::Busy { schema: schema.clone() }) }
    }

    /// After a failure: ends whatever session of this rehearsal is left, which may be stuck or lost, and drops what was loaded.
    async fn clear(&self) -> Result<(), StagingError> {
        let session = self.server.session().await?;
        session.end_others(&self.server.name).await?;
        self.lock(&session).await?;
        self.drop_shadow(&session).await
    }

    /// Drops the shadow schema, which must be ours.
    async fn drop_shadow(&self, session: &Session) -> Result<(), StagingError> {
        let shadow = &self.shared.shadow;
        match marked(session, shadow).await? {
            None => Ok(()),
            Some(true) => {
                let sql = format!("DROP SCHEMA {} CASCADE", quote(shadow));
                session.run("dropping what was loaded", &sql).await
            }
            Some(false) => Err(StagingError::Foreign { schema: shadow.clone() }),
        }
    }

    /// Puts the shadow in the place of what an earlier rehearsal kept.
    async fn swap(&self) -> Result<(), StagingError> {
        let (schema, shadow) = (quote(&self.of.schema), quote(&self.shared.shadow));
        let sql = format!(
            "BEGIN; DROP SCHEMA IF EXISTS {schema} CASCADE; ALTER SCHEMA {shadow} RENAME TO {schema}; COMMIT"
        );
        self.control.run("taking the place of the tables before", &sql).await
    }

    async fn work(&self, existing: bool) -> Result<(Rehearsal, Vec<Measure>), StagingError> {
        let version = self.control.text("its version", "SHOW server_version").await?;
        let mut found = Rehearsal {
            server_version: version,
            schema: self.of.schema.clone(),
            existing,
            ..Rehearsal::begun(Some(self.of.shown.clone()))
        };
        if existing {
            found.problems = existing::differences(&self.control, self.national, &self.of.schema).await?;
            if !found.problems.is_empty() {
                found.blocked = true;
                return Ok((found, Vec::new()));
            }
        }
        self.create(existing).await?;
        failpoint::hit("rehearse.created");
        let begun = Instant::now();
        let sent = self.load(&mut found).await?;
        found.seconds.load = seconds(begun);
        let mut measures = Vec::new();
        // Behind rows that are not there everything else would differ as well.
        if found.problems.is_empty() {
            let begun = Instant::now();
            self.keys(existing, &mut found).await?;
            failpoint::hit("rehearse.keyed");
            found.seconds.keys = seconds(begun);
            let begun = Instant::now();
            self.compare(&sent, &mut found, &mut measures).await?;
            failpoint::hit("rehearse.compared");
            found.seconds.compare = seconds(begun);
        }
        found.rows = found.tables.iter().map(|t| t.loaded).sum();
        found.bytes = found.tables.iter().map(|t| t.bytes).sum();
        found.blocked = !found.problems.is_empty();
        found.kept = self.of.keep && !found.blocked;
        Ok((found, measures))
    }

    /// The shadow schema with its tables, at once.
    async fn create(&self, existing: bool) -> Result<(), StagingError> {
        let shadow = quote(&self.shared.shadow);
        let mut sql = vec![
            "BEGIN".to_owned(),
            format!("CREATE SCHEMA {shadow}"),
            format!("COMMENT ON SCHEMA {shadow} IS {}", literal(MARK)),
        ];
        if existing {
            sql.extend(self.shared.tables.iter().map(|t| {
                let (own, theirs) =
                    (ddl::qualified(&self.shared.shadow, &t.name), ddl::qualified(&self.of.schema, &t.name));
                format!("CREATE TABLE {own} (LIKE {theirs} INCLUDING ALL)")
            }));
        } else {
            sql.extend(ddl::tables(self.national, &self.shared.shadow));
        }
        sql.push("COMMIT".to_owned());
        self.control.run("making the tables", &sql.join(";\n")).await
    }

    /// Loads every part; the digests of what was sent, by table.
    async fn load(&self, found: &mut Rehearsal) -> Result<Vec<ContentDigest>, StagingError> {
        let parts = |(table, staged): (usize, &StagedTable)| {
            staged.parts.iter().map(move |path| Part { table, path: path.clone() }).collect::<Vec<_>>()
        };
        let queue: VecDeque<Part> = self.staged.iter().enumerate().flat_map(parts).collect();
        let queue = Arc::new(Mutex::new(queue));
        let total = self.staged.iter().map(|s| s.rows).sum();
        self.progress.start("rehearse", &self.of.schema, total);
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let mut workers = JoinSet::new();
        for _ in 0..self.of.sessions.max(1) {
            workers.spawn(load::work(self.shared.clone(), self.server.clone(), queue.clone(), send.clone()));
        }
        drop(send);
        let mut sent = vec![ContentDigest::default(); self.staged.len()];
        while let Some(part) = receive.recv().await {
            let PartLoaded { table, rows, sent: of_part, problem } = part;
            sent[table].merge(&of_part);
            self.progress.rows(rows);
            found.problems.extend(problem);
            failpoint::hit("rehearse.loaded");
        }
        while let Some(worker) = workers.join_next().await {
            joined(worker)?;
        }
        self.progress.finish();
        for (at, staged) in self.staged.iter().enumerate() {
            let table = &self.shared.tables[at];
            found.tables.push(RehearsedTable {
                table: staged.table.clone(),
                staged: staged.rows,
                loaded: sent[at].rows(),
                bytes: 0,
                checks: checks(self.national, table).len() as u64,
                columns: table.columns.len() as u64,
            });
        }
        Ok(sent)
    }

    /// Adds every key, and counts what breaks one.
    async fn keys(&self, existing: bool, found: &mut Rehearsal) -> Result<(), StagingError> {
        let all: Vec<Check> = self.shared.tables.iter().flat_map(|t| checks(self.national, t)).collect();
        self.progress.start("keys", &self.of.schema, all.len() as u64);
        // Unique keys first: others refer to them.
        let (unique, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|c| matches!(c.holds, Holds::Unique { .. }));
        for check in unique.into_iter().chain(others) {
            let what = format!("adding {}", check.name);
            let added = match ddl::key(check, &self.shared.shadow).filter(|_| !existing) {
                Some(add) => self.control.may_refuse(&what, &add).await?.is_none(),
                None => false,
            };
            if !added {
                found.problems.extend(self.broken(check).await?);
            }
            self.progress.rows(1);
        }
        self.progress.finish();
        for table in &self.shared.tables {
            let sql = format!("ANALYZE {}", ddl::qualified(&self.shared.shadow, &table.name));
            self.control.run("ANALYZE", &sql).await?;
        }
        Ok(())
    }

    /// The rows that break a check, counted and the first named; `None`: it holds.
    async fn broken(&self, check: &Check) -> Result<Option<RehearsalProblem>, StagingError> {
        let named = |table: &str| ddl::qualified(&self.shared.shadow, table);
        let from = check.broken(named, &check.codes(self.national));
        let what = format!("check {}", check.name);
        let rows = self.control.text(&what, &format!("SELECT count(*) FROM {from}")).await?;
        let rows: u64 = rows.parse().map_err(|_| StagingError::Answer { what: what.clone() })?;
        if rows == 0 {
            return Ok(None);
        }
        let Some(at) = self.shared.tables.iter().position(|t| t.name == check.table) else { return Ok(None) };
        let table = &self.shared.tables[at];
        let columns: Vec<String> =
            table.columns.iter().map(|c| format!("t.{}", ddl::name(&c.code))).collect();
        let query = format!("SELECT {} FROM {from} LIMIT {NAMED}", columns.join(", "));
        let mut wanted: HashMap<u128, RehearsalRow> = HashMap::new();
        self.control
            .copy_out(&what, &query, |row| {
                if let Some((key, _)) = row::digests(row, self.shared.key(at)) {
                    let own = RehearsalRow { key: load::key(table, row), ..RehearsalRow::default() };
                    wanted.insert(key, own);
                }
                Ok(())
            })
            .await?;
        digest::origins(&self.shared, at, &self.staged[at].parts, &mut wanted)?;
        let mut samples: Vec<RehearsalRow> = wanted.into_values().collect();
        samples.sort_unstable();
        Ok(Some(RehearsalProblem { samples, ..check.problem(rows) }))
    }

    /// Compares every table: columns, then rows.
    async fn compare(
        &self,
        sent: &[ContentDigest],
        found: &mut Rehearsal,
        measures: &mut Vec<Measure>,
    ) -> Result<(), StagingError> {
        let total = self.staged.iter().map(|s| s.rows).sum();
        self.progress.start("compare", &self.of.schema, total);
        let queue = Arc::new(Mutex::new((0..self.staged.len()).collect::<VecDeque<usize>>()));
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let mut workers = JoinSet::new();
        for _ in 0..self.of.sessions.max(1) {
            workers.spawn(digest::work(
                self.shared.clone(),
                self.server.clone(),
                queue.clone(),
                send.clone(),
            ));
        }
        drop(send);
        let mut given = vec![ContentDigest::default(); self.staged.len()];
        while let Some((at, buckets)) = receive.recv().await {
            self.progress.rows(buckets.rows());
            given[at] = buckets;
        }
        while let Some(worker) = workers.join_next().await {
            joined(worker)?;
        }
        for (at, staged) in self.staged.iter().enumerate() {
            let profile = compare::given(&self.shared, &self.server, at, &staged.profile).await?;
            let table = &self.shared.tables[at];
            found.problems.extend(compare::differences(table, &staged.profile, &profile));
            let rows =
                digest::differences(&self.shared, &self.server, at, &staged.parts, &sent[at], &given[at])
                    .await?;
            found.problems.extend(rows);
            measures.extend(measure::given(&self.shared, &self.control, at).await?);
            let size = format!(
                "SELECT pg_total_relation_size({}::regclass)",
                literal(&ddl::qualified(&self.shared.shadow, &table.name))
            );
            let bytes = self.control.text("the size of a table", &size).await?;
            found.tables[at].bytes = bytes.parse().unwrap_or(0);
        }
        self.progress.finish();
        Ok(())
    }
}

/// Seconds since then, a begun one as a whole.
fn seconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// What a task came to.
fn joined<T>(of: Result<Result<T, StagingError>, tokio::task::JoinError>) -> Result<T, StagingError> {
    of.map_err(|e| StagingError::Failed { what: "a session".to_owned(), source: Box::new(e) })?
}

/// What sessions that load into a schema are called, before the number of their process: no longer than the server keeps.
fn sessions_of(schema: &str) -> String {
    format!("qianyi load {:016x}", xxh3_64(schema.as_bytes()))
}

/// Whether a schema carries our mark; `None`: there is no such schema.
async fn marked(session: &Session, schema: &str) -> Result<Option<bool>, StagingError> {
    let sql = format!(
        "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = {}",
        literal(schema)
    );
    let rows = session.ask("the schemas of the staging database", &sql).await?;
    Ok(rows.first().map(|row| row.first().and_then(Option::as_deref) == Some(MARK)))
}
