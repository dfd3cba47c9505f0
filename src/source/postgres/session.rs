//! Who holds the point, and who reads at it.
//!
//! Always: a reader is given back to the pool only after its transaction ended well; in every other case its connection is closed.
//! When the holder is lost (a restart of the server), the point is taken again, and must be the same.

use deadpool_postgres::Object;
use tokio::sync::OwnedMutexGuard;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::{Consistency, Point, SourceError, SourceSettings};
use super::{Inner, Way, ask, failed};

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The session whose transaction is the point.
pub(super) struct Holder {
    session: Object,
    snapshot: Option<String>,
    /// When it was taken, or a little earlier; `None` without a common point.
    pub(super) taken: Option<String>,
    /// Its transaction was left in the middle of an answer.
    broken: bool,
}

/// Takes the point.
pub(super) async fn take(
    session: Object,
    settings: &SourceSettings,
) -> Result<(Holder, Way, Point), SourceError> {
    let id = &settings.id;
    let cannot =
        |wanted, why: String, way_out| SourceError::Consistency { id: id.clone(), wanted, why, way_out };
    let (name, way) = match settings.consistency {
        Consistency::Default | Consistency::ExportedSnapshot => ("exported snapshot", Way::Import),
        Consistency::RestoredCopy => ("restored copy", Way::Import),
        Consistency::SnapshotSession => ("snapshot session", Way::OneSession),
        Consistency::Fuzzy => ("fuzzy", Way::Fuzzy),
        Consistency::DatabaseSnapshot => {
            return Err(cannot(
                "database-snapshot",
                "PostgreSQL has no database snapshots".to_owned(),
                "set `consistency = \"exported-snapshot\"`, which is the default",
            ));
        }
    };
    let at = |text: String| Point { consistency: name.to_owned(), text };
    if way == Way::Fuzzy {
        let since = ask::text(&session, id, "asking for the time", "SELECT clock_timestamp()::text").await?;
        return Ok((
            Holder { session, snapshot: None, taken: None, broken: false },
            way,
            at(format!("since {since}")),
        ));
    }
    // A refusal inside a transaction ends it: everything that may be refused is asked before, the snapshot itself inside.
    let outside = ask::now(&session, id).await?;
    session.batch_execute(BEGIN).await.map_err(failed(id, "beginning the snapshot"))?;
    let taken = ask::text(&session, id, "asking for the time", "SELECT now()::text").await?;
    let sql = "SELECT txid_current_snapshot()::text";
    let inside = ask::text(&session, id, "asking for the snapshot", sql).await?;
    let cluster = outside.split_once(" snapshot ").map_or("", |(cluster, _)| cluster);
    let point = at(format!("{cluster} snapshot {inside}"));
    let snapshot = match way {
        Way::OneSession | Way::Fuzzy => None,
        Way::Import => {
            let exported = session.query_one("SELECT pg_export_snapshot()", &[]).await;
            let row = exported.map_err(|e| match e.code() {
                None => failed(id, "exporting the snapshot")(e),
                Some(_) => cannot(
                    "exported-snapshot",
                    "the server cannot export a snapshot".to_owned(),
                    "set `consistency = \"snapshot-session\"` (one reader), or read a restored copy",
                ),
            })?;
            Some(row.get(0))
        }
    };
    Ok((Holder { session, snapshot, taken: Some(taken), broken: false }, way, point))
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
    pub(super) fn client(&self) -> Result<&Client, SourceError> {
        match self {
            Self::Pooled(Some(object)) => Ok(&***object),
            Self::Held { guard, .. } => Ok(&guard.session),
            Self::Pooled(None) => {
                Err(SourceError::Protocol { id: String::new(), what: "a session was used twice".to_owned() })
            }
        }
    }

    /// Gives the session back; its answer must have been drained.
    pub(super) async fn release(mut self) {
        match &mut self {
            Self::Pooled(object) => {
                if let Some(session) = object.take()
                    && session.batch_execute("COMMIT").await.is_err()
                {
                    drop(Object::take(*session));
                }
            }
            Self::Held { released, .. } => *released = true,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        match self {
            Self::Pooled(object) => {
                if let Some(session) = object.take() {
                    drop(Object::take(*session));
                }
            }
            Self::Held { guard, released } => guard.broken |= !*released,
        }
    }
}

impl Inner {
    /// A session outside any snapshot, for questions about the server. Never in a transaction.
    pub(super) async fn plain_session(&self) -> Result<Object, SourceError> {
        let session = ask::session(&self.settings, &self.server, &self.pool).await?;
        session.batch_execute(&self.set_up).await.map_err(self.failed("setting up a session"))?;
        Ok(session)
    }

    /// A session at the point.
    pub(super) async fn reader(&self) -> Result<Reader, SourceError> {
        if self.way == Way::OneSession {
            let mut guard = self.holder.clone().lock_owned().await;
            if guard.broken || guard.session.is_closed() {
                self.take_again(&mut guard).await?;
            }
            return Ok(Reader::Held { guard, released: false });
        }
        let mut tried_again = false;
        loop {
            let snapshot = {
                let mut holder = self.holder.lock().await;
                if holder.session.is_closed() && self.way == Way::Import {
                    self.take_again(&mut holder).await?;
                }
                holder.snapshot.clone()
            };
            let session = self.plain_session().await?;
            // From here on, dropping it closes the connection.
            let reader = Reader::Pooled(Some(Box::new(session)));
            let client = reader.client()?;
            client.batch_execute(BEGIN).await.map_err(self.failed("beginning to read"))?;
            let Some(snapshot) = snapshot else { return Ok(reader) };
            let import = format!("SET TRANSACTION SNAPSHOT '{snapshot}'");
            match client.batch_execute(&import).await {
                Ok(()) => return Ok(reader),
                Err(e) if !tried_again && gone(&e) => {
                    tried_again = true;
                    let mut holder = self.holder.lock().await;
                    if holder.snapshot.as_deref() == Some(snapshot.as_str()) {
                        self.take_again(&mut holder).await?;
                    }
                }
                Err(e) => return Err(self.failed("importing the snapshot")(e)),
            }
        }
    }

    /// The holder was lost: the point is taken anew, and must be the same as before.
    async fn take_again(&self, holder: &mut Holder) -> Result<(), SourceError> {
        let session = self.plain_session().await?;
        let (fresh, _, point) = take(session, &self.settings).await?;
        if point != self.point {
            return Err(SourceError::Moved {
                id: self.id.clone(),
                before: self.point.text.clone(),
                after: point.text,
            });
        }
        // The old one may be in the middle of something.
        let old = std::mem::replace(holder, fresh);
        drop(Object::take(old.session));
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
