//! A PostgreSQL server, or one that speaks its protocol (KingbaseES, openGauss).
//!
//! Always: one session holds the snapshot and answers questions; readers import that snapshot, so all see one point. Rows come as
//! binary COPY and are decoded straight into Arrow; where a server has no binary COPY, as binary rows of a plain query. What a server
//! lacks is found by a probe, recorded in [`Source::facts`], and never replaced in silence by something weaker.

mod ask;
mod catalogue;
mod changes;
mod connect;
mod decode;
mod examine;
mod measure;
mod numeric;
mod oddities;
mod read;
mod rows;
mod session;
mod shown;
mod special;
mod still;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use deadpool_postgres::Pool;
use tokio::sync::{Mutex, Semaphore};
use tokio_postgres::error::SqlState;

use session::{Holder, Reader};

use super::{
    Bounds, ChunkStream, Consistency, Examined, Frequency, KeyValue, Measured, OPEN_TRANSACTION, Point,
    Server, Source, SourceError, SourceSettings, Table, TableMeasures, TableSettings,
};
use crate::encoding::TextEncoding;
use crate::phrase;
use crate::sql_ident::quote;

/// A pool of sessions at a server that is no source, and how the server is called in messages; nothing is connected yet.
///
/// # Errors
/// `SRC-013` for a password that is not where it should be; `SRC-…` for TLS.
pub fn postgres_pool(settings: &SourceSettings, server: &Server) -> Result<(Pool, String), SourceError> {
    Ok((connect::pool(settings, server)?, connect::shown(server)))
}

/// Changes when raw parts come out otherwise for the same source.
const FORM_OF_RAW: u32 = 4;

/// The server's name of UTF-8.
const UTF8: &str = "UTF8";

/// A PostgreSQL database at one point in time.
pub struct Postgres {
    inner: Arc<Inner>,
}

/// What readers share.
struct Inner {
    id: String,
    settings: SourceSettings,
    server: Server,
    schema: String,
    pool: Pool,
    text: TextForm,
    way: Way,
    copy: CopyForm,
    point: Point,
    facts: Vec<(String, String)>,
    /// What begins every transaction: gentle, and with one spelling.
    set_up: String,
    holder: Arc<Mutex<Holder>>,
    /// Cluster, timeline and database.
    cluster: String,
    /// When the server was started: until it is started again, its history is one.
    started: String,
    /// As a number: 150018.
    version: u32,
    /// Digits after the point of the type money.
    money_digits: u8,
    /// The time zone that sessions have unless they choose another.
    zone: String,
    /// What a table was when it was first read at this point.
    seen: Mutex<BTreeMap<String, String>>,
    /// The server says who waits for a lock of ours.
    tells_waiting: bool,
    /// One permit for each session that may read.
    reading: Arc<Semaphore>,
}

/// What text columns hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TextForm {
    /// Of columns for which none is set.
    encoding: TextEncoding,
    /// What transactions set as client_encoding, so that the server converts nothing.
    client_encoding: String,
}

impl TextForm {
    /// The server itself sees to it that everything is UTF-8.
    fn is_utf8(&self) -> bool {
        self.client_encoding == UTF8
    }
}

/// How a reader comes to the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By importing the holder's snapshot.
    Import,
    /// It is the holder.
    OneSession,
    /// Not at all.
    Fuzzy,
}

/// How rows travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyForm {
    Binary,
    /// The server has no binary COPY: the same binary fields as rows of a query.
    Rows,
}

/// Our words for a failure of the driver; what follows from it depends on the SQLSTATE.
fn failed(id: &str, what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> SourceError {
    let (id, what) = (id.to_owned(), what.into());
    move |e| {
        let Some(state) = e.code().cloned() else {
            return SourceError::Transient { id, what, source: Box::new(e) };
        };
        let source = Box::new(e);
        if is_transient(&state) {
            SourceError::Transient { id, what, source }
        } else if state == SqlState::INSUFFICIENT_PRIVILEGE {
            SourceError::Statement { id, what, source }
        } else {
            SourceError::Server { id, what, source }
        }
    }
}

/// Classes that pass: connection (08), rollback (40), resources (53), intervention (57), lock not available.
fn is_transient(state: &SqlState) -> bool {
    let class = state.code().get(..2).unwrap_or_default();
    matches!(class, "08" | "40" | "53" | "57") || *state == SqlState::LOCK_NOT_AVAILABLE
}

impl Inner {
    fn failed(&self, what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> SourceError {
        failed(&self.id, what)
    }

    /// The table's name in SQL, after FROM.
    fn from(&self, table: &Table) -> String {
        let only = if table.only { "ONLY " } else { "" };
        format!("{only}{}.{}", quote(&self.schema), quote(&table.name))
    }

    /// Policies that hide rows are known to it: since 9.5.
    fn has_row_security(&self) -> bool {
        self.version >= 90_500
    }

    /// Whether a row keeps the number of its transaction when it is frozen: since 9.4. Before, a frozen change looks like an old row.
    fn keeps_xmin(&self) -> bool {
        self.version >= 90_400
    }
}

impl Postgres {
    /// Connects, probes what the server can do, and takes the snapshot.
    ///
    /// # Errors
    /// `SRC-009`, `SRC-013` to `SRC-019`.
    pub async fn connect(settings: &SourceSettings) -> Result<Self, SourceError> {
        let server = settings.server.clone().ok_or_else(|| SourceError::Incomplete {
            id: settings.id.clone(),
            what: "[sources.server]".to_owned(),
        })?;
        let pool = connect::pool(settings, &server)?;
        let asking = Reader::asking(ask::session(settings, &server, &pool).await?, &settings.id, "").await?;
        let client = asking.client()?;
        let mut facts = ask::server_facts(client, settings, &server).await?;
        let text = ask::text_form(client, settings).await?;
        let zone = ask::text(client, &settings.id, phrase!("source.time_zone"), "SHOW timezone").await?;
        let (set_up, refused) = connect::set_up_session(client, settings, &text.client_encoding).await?;
        facts.extend(refused);
        let copy = ask::copy_form(client, settings, &mut facts).await?;
        let cluster = ask::cluster(client, &settings.id).await?;
        let started = ask::started(client, &settings.id).await?;
        let version = ask::version(client, &settings.id).await?;
        let money_digits = ask::money_digits(client, &settings.id).await?;
        let tells_waiting = ask::tells_waiting(client, &settings.id, &mut facts).await?;
        if let Some(open) = ask::open_transaction(client, &settings.id).await? {
            facts.push((OPEN_TRANSACTION.to_owned(), format!("{}, {}", open.since, open.whose)));
        }
        asking.release().await;
        let session = ask::session(settings, &server, &pool).await?;
        let (holder, way, point) = session::take(session, settings, &set_up).await?;
        let inner = Inner {
            reading: Arc::new(Semaphore::new(connect::readers(settings))),
            id: settings.id.clone(),
            settings: settings.clone(),
            schema: server.schema.clone().unwrap_or_else(|| "public".to_owned()),
            server,
            pool,
            text,
            way,
            copy,
            point,
            facts,
            set_up,
            holder: Arc::new(Mutex::new(holder)),
            cluster,
            started,
            version,
            money_digits,
            zone,
            seen: Mutex::default(),
            tells_waiting,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl Source for Postgres {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn reading(&self) -> String {
        format!(
            "postgres, {}, {}, form {FORM_OF_RAW}",
            self.inner.text.encoding,
            self.inner.settings.spellings()
        )
    }

    async fn point(&self) -> Result<Point, SourceError> {
        if self.inner.settings.consistency == Consistency::RestoredCopy {
            // Nobody holds a restored copy still: it is asked again.
            let asking = self.inner.asking().await?;
            let now = ask::now(asking.client()?, &self.inner.id).await?;
            asking.release().await;
            return Ok(Point { text: now, ..self.inner.point.clone() });
        }
        Ok(self.inner.point.clone())
    }

    async fn catalogue(&self) -> Result<Vec<Table>, SourceError> {
        catalogue::tables(&self.inner).await
    }

    async fn whole(&self, table: &Table) -> Result<(), SourceError> {
        shown::whole(&self.inner, table).await
    }

    async fn count(&self, table: &Table) -> Result<u64, SourceError> {
        read::count(&self.inner, table).await
    }

    async fn chunks(&self, table: &Table) -> Result<Vec<Bounds>, SourceError> {
        read::ranges(&self.inner, table).await
    }

    async fn read_chunk(&self, table: &Table, bounds: &Bounds) -> Result<ChunkStream, SourceError> {
        let condition = read::condition(table, bounds)?;
        read::stream(&self.inner, table, &condition).await
    }

    fn key_at(&self, table: &Table, batch: &RecordBatch, row: usize) -> Option<Vec<KeyValue>> {
        read::key_at(table, batch, row)
    }

    fn readers(&self) -> usize {
        match self.inner.way {
            // One more than there are sessions: they go on reading while a part is sealed.
            Way::Import | Way::Fuzzy => connect::readers(&self.inner.settings) + 1,
            Way::OneSession => 1,
        }
    }

    fn facts(&self) -> Vec<(String, String)> {
        self.inner.facts.clone()
    }

    async fn under_load(&self) -> Result<Option<String>, SourceError> {
        let asking = self.inner.asking().await?;
        let begun = Instant::now();
        let waiting = if self.inner.tells_waiting {
            ask::waiting_for_us(asking.client()?, &self.inner.id).await?
        } else {
            ask::text(asking.client()?, &self.inner.id, phrase!("source.small_question"), "SELECT ''::text")
                .await?;
            0
        };
        let took = begun.elapsed();
        asking.release().await;
        let slow = Duration::from_millis(self.inner.settings.limits.slow_milliseconds);
        Ok(match waiting {
            0 if took > slow => Some(phrase!("doctor.load_slow")),
            0 => None,
            n => Some(phrase!("doctor.load_waiting", n)),
        })
    }

    async fn examine(&self, read: Option<&BTreeSet<String>>) -> Result<Vec<Examined>, SourceError> {
        examine::examine(&self.inner, read).await
    }

    async fn watermark(&self, table: &Table, how: &TableSettings) -> Result<Option<String>, SourceError> {
        changes::watermark(&self.inner, table, how).await
    }

    async fn goes_on(&self, since: &str) -> Result<bool, SourceError> {
        Ok(changes::goes_on(&self.inner, since))
    }

    async fn changed(
        &self,
        table: &Table,
        how: &TableSettings,
        since: &str,
    ) -> Result<ChunkStream, SourceError> {
        let condition = changes::condition(&self.inner, table, how, since).await?;
        read::stream(&self.inner, table, &condition).await
    }

    /// No method of PostgreSQL sees deletes.
    async fn deleted(
        &self,
        _table: &Table,
        _how: &TableSettings,
        _since: &str,
    ) -> Result<Option<ChunkStream>, SourceError> {
        Ok(None)
    }

    async fn oddities(&self, table: &Table) -> Result<Vec<Examined>, SourceError> {
        oddities::oddities(&self.inner, table).await
    }

    fn measurable(&self, table: &Table, asked: &TableMeasures) -> Result<(), SourceError> {
        measure::measurable(&self.inner, table, asked)
    }

    async fn measure(&self, table: &Table, asked: &TableMeasures) -> Result<Vec<Measured>, SourceError> {
        measure::measure(&self.inner, table, asked).await
    }

    async fn frequencies(
        &self,
        table: &Table,
        column: &str,
        limit: u64,
    ) -> Result<Vec<Frequency>, SourceError> {
        measure::frequencies(&self.inner, table, column, limit).await
    }
}
