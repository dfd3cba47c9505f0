//! Who holds the point, and who reads at it.
//!
//! Always: every question is asked inside a read-only transaction that sets for itself what it needs. A session is given back to the
//! pool only after its transaction ended well; in every other case its connection is closed. When the holder is lost (a restart of
//! the server), the point is taken again, and must be the same.

use deadpool_postgres::Object;
use tokio::sync::OwnedMutexGuard;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::super::{Consistency, Point, SourceError, SourceSettings};
use super::{Inner, Way, ask, failed};
use crate::phrase;

/// Answers as the database is at each question.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
/// Answers as it is at one point.
const BEGIN_POINT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// What a reading of the holder itself goes back to, and with it the locks that it took.
const MARK: &str = "SAVEPOINT reading";
const BACK: &str = "ROLLBACK TO SAVEPOINT reading;RELEASE SAVEPOINT reading";

/// Asks by a statement without a name, of which nothing is left at the server.
pub(super) async fn rows(
    client: &Client,
    sql: &str,
    texts: &[&str],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
        texts.iter().map(|t| (t as &(dyn ToSql + Sync), Type::TEXT)).collect();
    client.query_typed(sql, &parameters).await
}

/// The session whose transaction is the point.
pub(super) struct Holder {
    /// `None`: it was lost, or left in the middle of an answer.
    session: Option<Object>,
    snapshot: Option<String>,
    /// When it was taken, or a little earlier; `None` without a common point.
    pub(super) taken: Option<String>,
    /// Since when the oldest transaction is open that could still write at that time.
    pub(super) open_since: Option<String>,
}

impl Holder {
    fn lost(&self) -> bool {
        self.session.as_ref().is_none_or(|s| s.is_closed())
    }
}

/// How the configured consistency is had: as it is recorded, and how readers come to it.
fn way(settings: &SourceSettings) -> Result<(&'static str, Way), SourceError> {
    match settings.consistency {
        Consistency::Default | Consistency::ExportedSnapshot => Ok(("exported snapshot", Way::Import)),
        Consistency::RestoredCopy => Ok(("restored copy", Way::Import)),
        Consistency::SnapshotSession => Ok(("snapshot session", Way::OneSession)),
        Consistency::Fuzzy => Ok(("fuzzy", Way::Fuzzy)),
        Consistency::DatabaseSnapshot => Err(SourceError::Consistency {
            id: settings.id.clone(),
            wanted: "database-snapshot",
            why: phrase!("source.no_database_snapshots"),
            way_out: phrase!("source.way_exported"),
        }),
    }
}

/// Takes the point. `set_up` begins every transaction.
pub(super) async fn take(
    session: Object,
    settings: &SourceSettings,
    set_up: &str,
) -> Result<(Holder, Way, Point), SourceError> {
    let id = &settings.id;
    let (name, way) = way(settings)?;
    let at = |text: String| Point { consistency: name.to_owned(), text };
    let asking = Reader::begin(session, id, BEGIN, set_up).await?;
    let client = asking.client()?;
    // Who is open before the point is taken: whoever begins later stamps later.
    let open_since = ask::open_transaction(client, id).await?.map(|open| open.since);
    let cluster = ask::cluster(client, id).await?;
    let since = ask::text(client, id, phrase!("source.time"), "SELECT clock_timestamp()::text").await?;
    let Some(session) = asking.end().await else {
        return Err(SourceError::Protocol {
            id: id.clone(),
            what: "a transaction that cannot end".to_owned(),
        });
    };
    if way == Way::Fuzzy {
        let holder = Holder { session: Some(session), snapshot: None, taken: None, open_since };
        return Ok((holder, way, at(format!("since {since}"))));
    }
    begin(&session, id, BEGIN_POINT, set_up).await?;
    let taken = ask::text(&session, id, phrase!("source.time"), "SELECT now()::text").await?;
    let sql = "SELECT txid_current_snapshot()::text";
    let inside = ask::text(&session, id, phrase!("source.snapshot"), sql).await?;
    let point = at(format!("{cluster} snapshot {inside}"));
    let snapshot = match way {
        Way::OneSession | Way::Fuzzy => None,
        Way::Import => Some(exported(&session, id).await?),
    };
    Ok((Holder { session: Some(session), snapshot, taken: Some(taken), open_since }, way, point))
}

async fn exported(session: &Client, id: &str) -> Result<String, SourceError> {
    let asked = rows(session, "SELECT pg_export_snapshot()", &[]).await;
    let found = asked.map_err(|e| match e.code() {
        None => failed(id, phrase!("source.export"))(e),
        Some(_) => SourceError::Consistency {
            id: id.to_owned(),
            wanted: "exported-snapshot",
            why: phrase!("source.no_export"),
            way_out: phrase!("source.way_session"),
        },
    })?;
    Ok(found.first().map(|row| row.get(0)).unwrap_or_default())
}

async fn begin(session: &Client, id: &str, how: &str, set_up: &str) -> Result<(), SourceError> {
    session.batch_execute(&format!("{how};{set_up}")).await.map_err(failed(id, phrase!("source.begin")))
}

/// A session in a transaction.
pub(super) enum Reader {
    /// Of the pool; `None` after it was given back.
    Pooled(Option<Box<Object>>),
    /// The holder itself.
    Held { guard: OwnedMutexGuard<Holder>, released: bool },
}

impl Reader {
    /// A session of the pool in a transaction that answers as the database is at each question.
    pub(super) async fn asking(session: Object, id: &str, set_up: &str) -> Result<Self, SourceError> {
        Self::begin(session, id, BEGIN, set_up).await
    }

    async fn begin(session: Object, id: &str, how: &str, set_up: &str) -> Result<Self, SourceError> {
        // From here on, dropping it closes the connection.
        let reader = Self::Pooled(Some(Box::new(session)));
        begin(reader.client()?, id, how, set_up).await?;
        Ok(reader)
    }

    pub(super) fn client(&self) -> Result<&Client, SourceError> {
        let session: Option<&Object> = match self {
            Self::Pooled(object) => object.as_deref(),
            Self::Held { guard, .. } => guard.session.as_ref(),
        };
        let session: Option<&Client> = session.map(|object| &***object);
        session.ok_or_else(|| SourceError::Protocol {
            id: String::new(),
            what: "a session was used after its end".to_owned(),
        })
    }

    /// Ends the transaction of a session of the pool; `None` where that failed.
    async fn end(mut self) -> Option<Object> {
        let Self::Pooled(object) = &mut self else { return None };
        let session = object.take()?;
        if session.batch_execute("COMMIT").await.is_ok() {
            return Some(*session);
        }
        drop(Object::take(*session));
        None
    }

    /// Gives the session back; its answer must have been drained.
    pub(super) async fn release(mut self) {
        if let Self::Held { guard, released } = &mut self {
            // The point stays, the locks go.
            *released = match &guard.session {
                Some(session) => session.batch_execute(BACK).await.is_ok(),
                None => false,
            };
            return;
        }
        drop(self.end().await);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let left = match self {
            Self::Pooled(object) => object.take().map(|session| *session),
            Self::Held { guard, released: false } => guard.session.take(),
            Self::Held { released: true, .. } => None,
        };
        if let Some(session) = left {
            drop(Object::take(session));
        }
    }
}

impl Inner {
    /// A session outside the point, for questions about the server as it is now.
    pub(super) async fn asking(&self) -> Result<Reader, SourceError> {
        let session = ask::session(&self.settings, &self.server, &self.pool).await?;
        Reader::asking(session, &self.id, &self.set_up).await
    }

    /// A session at the point.
    pub(super) async fn reader(&self) -> Result<Reader, SourceError> {
        if self.way == Way::OneSession {
            let mut guard = self.holder.clone().lock_owned().await;
            if guard.lost() {
                self.take_again(&mut guard).await?;
            }
            let reader = Reader::Held { guard, released: false };
            reader.client()?.batch_execute(MARK).await.map_err(self.failed(phrase!("source.begin")))?;
            return Ok(reader);
        }
        let mut tried_again = false;
        loop {
            let snapshot = {
                let mut holder = self.holder.lock().await;
                if holder.lost() && self.way == Way::Import {
                    self.take_again(&mut holder).await?;
                }
                holder.snapshot.clone()
            };
            let session = ask::session(&self.settings, &self.server, &self.pool).await?;
            let Some(snapshot) = snapshot else {
                return Reader::begin(session, &self.id, BEGIN_POINT, &self.set_up).await;
            };
            let reader = Reader::begin(session, &self.id, BEGIN_POINT, "").await?;
            let import = format!("SET TRANSACTION SNAPSHOT '{snapshot}';{}", self.set_up);
            match reader.client()?.batch_execute(&import).await {
                Ok(()) => return Ok(reader),
                Err(e) if !tried_again && gone(&e) => {
                    tried_again = true;
                    let mut holder = self.holder.lock().await;
                    if holder.snapshot.as_deref() == Some(snapshot.as_str()) {
                        self.take_again(&mut holder).await?;
                    }
                }
                Err(e) => return Err(self.failed(phrase!("source.import"))(e)),
            }
        }
    }

    /// The holder was lost: the point is taken again, and must be the same as before.
    async fn take_again(&self, holder: &mut Holder) -> Result<(), SourceError> {
        // What is left of the old one may be in the middle of something.
        drop(holder.session.take().map(Object::take));
        let session = ask::session(&self.settings, &self.server, &self.pool).await?;
        let (fresh, _, point) = take(session, &self.settings, &self.set_up).await?;
        if point != self.point {
            return Err(SourceError::Moved {
                id: self.id.clone(),
                before: self.point.text.clone(),
                after: point.text,
            });
        }
        *holder = fresh;
        Ok(())
    }
}

/// The snapshot that was to be imported is no more.
fn gone(e: &tokio_postgres::Error) -> bool {
    e.code().is_some_and(|c| {
        *c == SqlState::INVALID_PARAMETER_VALUE
            || *c == SqlState::UNDEFINED_OBJECT
            || *c == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
    })
}
