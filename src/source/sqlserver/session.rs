//! Who holds the point, and who reads at it.
//!
//! Always: a reader goes back to the pool only after its answer was drained; in every other case its connection is closed. Sessions of
//! SQL Server cannot share a snapshot: either nobody writes to the database, or one session reads everything, or there is no point.

use tiberius::Row;
use tiberius::error::Error;
use tokio::sync::OwnedMutexGuard;

use super::super::{Consistency, OPEN_TRANSACTION, Point, SourceError, SourceSettings};
use super::connect::{Manager, Object, Session, ask, session};
use super::errors::failed;
use super::{Inner, Way, answer};
use crate::phrase;

/// The session whose transaction is the point.
pub(super) struct Holder {
    session: Object,
    /// `MIN_ACTIVE_ROWVERSION() - 1` from before the snapshot: everything up to it is decided and visible.
    pub(super) rowversion: Option<String>,
    /// The server's local time at the point, or before it: no stamp of a change that is seen here is later.
    pub(super) taken: String,
    pub(super) writers: Writers,
    health: Health,
}

/// Transactions that had written and were open when the point was taken: what they stamped is not seen, and may be older than what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Writers {
    /// The login may not look, or the point was taken by somebody else.
    Unseen,
    None,
    /// When the oldest began, in the server's local time.
    Since(String),
    /// In a copy: they are undone in it, and nobody knows when they began.
    Undone,
}

impl Writers {
    /// For the record of an extract.
    pub(super) fn fact(&self) -> Option<(String, String)> {
        match self {
            Self::None => None,
            Self::Unseen => Some(("without open transactions".to_owned(), phrase!("doctor.fact_unseen"))),
            Self::Since(at) => Some((OPEN_TRANSACTION.to_owned(), phrase!("doctor.fact_open", at))),
            Self::Undone => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Fine,
    /// A statement failed; the transaction may have survived.
    Doubtful,
    /// An answer was left in the middle.
    Lost,
}

/// What is known of the database itself.
pub(super) struct Facts {
    pub name: String,
    pub server: String,
    pub created: String,
    pub snapshot_isolation: bool,
    pub is_snapshot: bool,
    pub read_only: bool,
    /// The next log of another server changes it.
    pub standby: bool,
    /// The database whose history this is: of a snapshot the one below it.
    pub history: String,
}

const FACTS: &str = "SELECT CAST(d.name AS nvarchar(128)), CAST(@@SERVERNAME AS nvarchar(128)),
    CONVERT(varchar(33), d.create_date, 126), CAST(d.snapshot_isolation_state AS int),
    CAST(CASE WHEN d.source_database_id IS NULL THEN 0 ELSE 1 END AS int), CAST(d.is_read_only AS int),
    CAST(d.is_in_standby AS int), CAST(COALESCE(s.name, d.name) AS nvarchar(128)),
    CONVERT(varchar(33), COALESCE(s.create_date, d.create_date), 126)
  FROM sys.databases AS d LEFT JOIN sys.databases AS s ON s.database_id = d.source_database_id
  WHERE d.name = DB_NAME()";
/// Bytes written to the database's files since the server has them open: equal numbers, nothing was written in between.
const WRITTEN: &str = "SELECT CONVERT(varchar(33), i.sqlserver_start_time, 126),
    CAST((SELECT SUM(v.num_of_bytes_written) FROM sys.dm_io_virtual_file_stats(DB_ID(), NULL) AS v) AS bigint)
  FROM sys.dm_os_sys_info AS i";

/// What the server says of the configured database.
pub(super) async fn facts(session: &mut Session, id: &str) -> Result<Facts, SourceError> {
    let what = phrase!("source.database");
    let rows = ask(session, FACTS).await.map_err(failed(id, what))?;
    let row = rows.into_iter().next().ok_or_else(|| SourceError::Protocol {
        id: id.to_owned(),
        what: "a server that does not list its own database".to_owned(),
    })?;
    let text = |at| answer::text(&row, at).unwrap_or_default();
    Ok(Facts {
        name: text(0),
        server: text(1),
        created: text(2),
        snapshot_isolation: answer::int(&row, 3) == Some(1),
        is_snapshot: answer::int(&row, 4) == Some(1),
        read_only: answer::int(&row, 5) == Some(1),
        standby: answer::int(&row, 6) == Some(1),
        history: format!("server {} database {} created {}", text(1), text(7), text(8)),
    })
}

/// What proves that nobody wrote to a read-only database in between; `None` where the login may not ask.
pub(super) async fn written(session: &mut Session, id: &str) -> Result<Option<String>, SourceError> {
    match ask(session, WRITTEN).await {
        Ok(rows) => Ok(rows.first().and_then(|r| {
            Some(format!("up since {} with {} bytes written", answer::text(r, 0)?, answer::int(r, 1)?))
        })),
        Err(Error::Server(_)) => Ok(None),
        Err(e) => Err(failed(id, phrase!("source.written"))(e)),
    }
}

/// How the settings come to a point in this database, and which.
///
/// # Errors
/// `SRC-019` when the database is not what the chosen consistency needs.
pub(super) fn choose(settings: &SourceSettings, of: &Facts) -> Result<(Way, Point), SourceError> {
    let cannot = |wanted, why: String, way_out: String| SourceError::Consistency {
        id: settings.id.clone(),
        wanted,
        why,
        way_out,
    };
    let at = |name: &str, way: Way| {
        let text = format!("server {} database {} created {}", of.server, of.name, of.created);
        Ok((way, Point { consistency: name.to_owned(), text }))
    };
    match settings.consistency {
        Consistency::DatabaseSnapshot if of.is_snapshot => at("database snapshot", Way::Still),
        Consistency::DatabaseSnapshot => Err(cannot(
            "database-snapshot",
            phrase!("source.no_snapshot"),
            phrase!("source.way_database_snapshot"),
        )),
        Consistency::RestoredCopy | Consistency::Default if of.standby => {
            Err(cannot("restored-copy", phrase!("source.standby"), phrase!("source.way_standby")))
        }
        Consistency::RestoredCopy if of.read_only => at("restored copy", Way::Still),
        Consistency::RestoredCopy => {
            Err(cannot("restored-copy", phrase!("source.writable"), phrase!("source.way_read_only")))
        }
        Consistency::Default if of.read_only || of.is_snapshot => at("read-only database", Way::Still),
        Consistency::Default | Consistency::SnapshotSession if of.snapshot_isolation => {
            at("snapshot session", Way::OneSession)
        }
        Consistency::Default | Consistency::SnapshotSession => {
            Err(cannot("snapshot-session", phrase!("source.no_isolation"), phrase!("source.way_isolation")))
        }
        Consistency::ExportedSnapshot => {
            Err(cannot("exported-snapshot", phrase!("source.no_shared"), phrase!("source.way_choose")))
        }
        Consistency::Fuzzy => at("fuzzy", Way::Fuzzy),
    }
}

/// Takes the point: the first reading of a snapshot transaction fixes it.
pub(super) async fn take(
    mut object: Object,
    settings: &SourceSettings,
    way: Way,
    point: Point,
    created: &str,
) -> Result<(Holder, Point), SourceError> {
    let id = &settings.id;
    let rowversion = before_snapshot(&mut object, id).await?;
    if way == Way::Still {
        let taken = created.to_owned();
        let writers = Writers::Undone;
        return Ok((Holder { session: object, rowversion, taken, writers, health: Health::Fine }, point));
    }
    // What cannot be proved equal has a text of its own each time.
    let rows =
        ask(&mut object, "SELECT CONVERT(varchar(36), NEWID()), CONVERT(varchar(33), SYSDATETIME(), 126)");
    let rows = rows.await.map_err(failed(id, phrase!("source.time")))?;
    let row = rows.first();
    let own = row.and_then(|r| answer::text(r, 0)).unwrap_or_default();
    let now = row.and_then(|r| answer::text(r, 1)).unwrap_or_default();
    // After the time and before the snapshot: one that begins in between is younger than the time.
    let writers = oldest_writer(&mut object, id).await?;
    let point = Point { text: format!("{} at {now} session {own}", point.text), ..point };
    if way == Way::OneSession {
        for sql in ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION"] {
            ask(&mut object, sql).await.map_err(failed(id, phrase!("source.begin")))?;
        }
        let first = "SELECT COUNT_BIG(*) FROM sys.objects";
        ask(&mut object, first).await.map_err(failed(id, phrase!("source.snapshot")))?;
    }
    Ok((Holder { session: object, rowversion, taken: now, writers, health: Health::Fine }, point))
}

/// Since when the oldest transaction is open that has written here; a second less, as its time is rounded.
async fn oldest_writer(session: &mut Session, id: &str) -> Result<Writers, SourceError> {
    let sql = "SELECT CONVERT(varchar(33), DATEADD(second, -1, MIN(a.transaction_begin_time)), 126)
      FROM sys.dm_tran_active_transactions AS a
      JOIN sys.dm_tran_database_transactions AS d ON d.transaction_id = a.transaction_id
      WHERE d.database_id = DB_ID() AND d.database_transaction_begin_time IS NOT NULL";
    match ask(session, sql).await {
        Ok(rows) => Ok(rows.first().and_then(|r| answer::text(r, 0)).map_or(Writers::None, Writers::Since)),
        Err(Error::Server(_)) => Ok(Writers::Unseen),
        Err(e) => Err(failed(id, phrase!("source.open_transactions"))(e)),
    }
}

/// The history that versions count in, and the one that stamps belong to. A database that was set back to an older state is on another
/// fork; copies of one database are of one family.
pub(super) async fn histories(
    session: &mut Session,
    id: &str,
    of: &Facts,
    way: Way,
) -> Result<(String, String), SourceError> {
    let sql = "SELECT CONVERT(varchar(36), r.recovery_fork_guid), CONVERT(varchar(36), r.family_guid)
      FROM sys.databases AS d
      JOIN sys.database_recovery_status AS r ON r.database_id = COALESCE(d.source_database_id, d.database_id)
      WHERE d.name = DB_NAME()";
    let rows = match ask(session, sql).await {
        Ok(rows) => rows,
        Err(Error::Server(_)) => Vec::new(),
        Err(e) => return Err(failed(id, phrase!("source.history"))(e)),
    };
    let text = |at| rows.first().and_then(|r| answer::text(r, at));
    let fork = text(0).map(|fork| format!(" fork {fork}")).unwrap_or_default();
    let history = format!("{}{fork}", of.history);
    if way != Way::Still || of.is_snapshot {
        return Ok((history.clone(), history));
    }
    let family = text(1).map_or_else(|| "a copy".to_owned(), |family| format!("family {family}"));
    Ok((history, family))
}

/// The rowversion up to which everything is decided now; `None` where the server cannot say.
async fn before_snapshot(session: &mut Session, id: &str) -> Result<Option<String>, SourceError> {
    let sql =
        "SELECT CONVERT(varchar(18), CAST(CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1 AS binary(8)), 1)";
    match ask(session, sql).await {
        Ok(rows) => Ok(rows.first().and_then(|row| answer::text(row, 0))),
        Err(Error::Server(_)) => Ok(None),
        Err(e) => Err(failed(id, phrase!("source.database_far"))(e)),
    }
}

/// A session at the point.
pub(super) enum Reader {
    /// Of the pool; `None` after it was given back.
    Pooled(Option<Box<Object>>),
    Held {
        guard: OwnedMutexGuard<Holder>,
        released: bool,
    },
}

impl Reader {
    pub(super) fn session(&mut self) -> Result<&mut Session, SourceError> {
        match self {
            Self::Pooled(Some(object)) => Ok(object),
            Self::Held { guard, .. } => Ok(&mut guard.session),
            Self::Pooled(None) => {
                Err(SourceError::Protocol { id: String::new(), what: "a session was used twice".to_owned() })
            }
        }
    }

    /// Gives the session back; its answer must have been drained.
    pub(super) fn release(mut self) {
        match &mut self {
            Self::Pooled(object) => drop(object.take()),
            Self::Held { released, .. } => *released = true,
        }
    }

    /// The server answered with an error, and the answer was drained.
    fn doubt(mut self) {
        if let Self::Held { guard, released } = &mut self {
            guard.health = Health::Doubtful;
            *released = true;
        }
    }

    /// One statement, its answer whole; gives the session back.
    pub(super) async fn ask(mut self, id: &str, what: String, sql: &str) -> Result<Vec<Row>, SourceError> {
        // The driver's futures are large: on the heap, those that ask several questions stay small.
        match Box::pin(ask(self.session()?, sql)).await {
            Ok(rows) => {
                self.release();
                Ok(rows)
            }
            Err(e) => {
                self.end(&e);
                Err(failed(id, what)(e))
            }
        }
    }

    /// What becomes of the session after an error of the driver.
    pub(super) fn end(self, e: &Error) {
        if matches!(e, Error::Server(_)) {
            self.doubt();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        match self {
            Self::Pooled(object) => {
                if let Some(object) = object.take() {
                    drop(Object::take(*object));
                }
            }
            Self::Held { guard, released } if !*released => guard.health = Health::Lost,
            Self::Held { .. } => {}
        }
    }
}

/// True when the holder's transaction is still there, and in step.
async fn alive(manager: &Manager, session: &mut Session) -> bool {
    if !manager.in_step(session).await {
        return false;
    }
    let open = ask(session, "SELECT CAST(@@TRANCOUNT AS int)").await;
    open.is_ok_and(|rows| rows.first().and_then(|r| answer::int(r, 0)).is_some_and(|n| n > 0))
}

impl Inner {
    /// A session outside any transaction, for questions about the server.
    pub(super) async fn plain(&self) -> Result<Reader, SourceError> {
        Ok(Reader::Pooled(Some(Box::new(Box::pin(session(&self.pool)).await?))))
    }

    /// A session at the point.
    ///
    /// # Errors
    /// `SRC-024` when the one session that held it is gone.
    pub(super) async fn reader(&self) -> Result<Reader, SourceError> {
        match self.way {
            Way::Still | Way::Fuzzy => self.plain().await,
            Way::OneSession => {
                let mut guard = self.holder.clone().lock_owned().await;
                let there = match guard.health {
                    Health::Fine => true,
                    Health::Doubtful => Box::pin(alive(self.pool.manager(), &mut guard.session)).await,
                    Health::Lost => false,
                };
                guard.health = if there { Health::Fine } else { Health::Lost };
                if there { Ok(Reader::Held { guard, released: false }) } else { Err(self.moved()) }
            }
        }
    }

    fn moved(&self) -> SourceError {
        SourceError::Moved {
            id: self.id.clone(),
            before: self.point.text.clone(),
            after: "nothing: its session is lost".to_owned(),
        }
    }
}
