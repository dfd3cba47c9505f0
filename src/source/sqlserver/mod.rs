//! A SQL Server, or a server that speaks its protocol (TDS).
//!
//! Always: what the answers of one source share is chosen and recorded: a database that nobody writes to (several readers), one session
//! in SNAPSHOT isolation (one reader), or no common point. Text and money travel in forms that the driver does not bend. What a server
//! lacks is found by a probe, recorded in [`Source::facts`], and never replaced in silence by something weaker.

mod answer;
mod ask;
mod catalogue;
mod changes;
mod connect;
mod decode;
mod errors;
mod examine;
mod literal;
mod measure;
mod read;
mod session;
mod shown;
mod steady;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use encoding_rs::Encoding;
use tiberius::Row;
use tokio::sync::Mutex;

use super::{
    Bounds, ChunkStream, Consistency, Examined, Frequency, KeyValue, Measured, Point, Server, Source,
    SourceError, SourceSettings, Table, TableMeasures, TableSettings,
};
use crate::phrase;
use connect::Pool;
use decode::UnicodeForm;
use literal::quote;
use session::Holder;

/// Changes when raw parts come out otherwise for the same source.
const FORM_OF_RAW: u32 = 4;

/// A SQL Server database at one point in time.
pub struct SqlServer {
    inner: Arc<Inner>,
}

/// What readers share.
struct Inner {
    id: String,
    settings: SourceSettings,
    server: Server,
    schema: String,
    pool: Pool,
    /// The database's own collation, and the code page of its text.
    collation: String,
    code_page: &'static Encoding,
    /// The code pages of the collations of columns.
    collations: BTreeMap<String, i64>,
    unicode: UnicodeForm,
    /// What ends a reading statement: one processor of the server is enough.
    hint: &'static str,
    way: Way,
    point: Point,
    /// Of a database that nobody writes to: what the point says without, and the proof that it stayed as it was.
    still: (String, Option<String>),
    /// The database whose history the watermarks count in, and its stamps.
    history: String,
    stamps: String,
    /// Every table when the point was taken.
    shapes: steady::Shapes,
    /// A readable secondary of an availability group: it sees neither open transactions nor change tracking.
    secondary: bool,
    facts: Vec<(String, String)>,
    /// Every view and function of the database that the login may see the definition of.
    modules: tokio::sync::OnceCell<Vec<shown::Module>>,
    /// Questions that the server does not know, or not allow.
    unknown: std::sync::Mutex<BTreeSet<String>>,
    holder: Arc<Mutex<Holder>>,
}

/// How a reader comes to the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nobody writes to the database: every session sees the same.
    Still,
    /// It is the holder.
    OneSession,
    /// Not at all.
    Fuzzy,
}

impl Inner {
    /// The table's name in T-SQL.
    fn named(&self, table: &str) -> String {
        format!("{}.{}", quote(&self.schema), quote(table))
    }

    /// The code page of a collation.
    fn page_of(&self, collation: &str) -> Option<&'static Encoding> {
        self.collations.get(collation).copied().and_then(catalogue::encoding)
    }

    fn broken(&self, what: &str) -> SourceError {
        SourceError::Protocol { id: self.id.clone(), what: what.to_owned() }
    }

    /// A question that the server may not know, or not allow: then `None`, and it is not asked again.
    async fn probe(&self, sql: &str) -> Result<Option<Vec<Row>>, SourceError> {
        let unknown = || self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown().contains(sql) {
            return Ok(None);
        }
        match self.plain().await?.ask(&self.id, phrase!("source.probing"), sql).await {
            Ok(rows) => Ok(Some(rows)),
            Err(SourceError::Server { .. } | SourceError::Statement { .. }) => {
                unknown().insert(sql.to_owned());
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

impl SqlServer {
    /// Connects, probes what the server can do, and takes the point.
    ///
    /// # Errors
    /// `SRC-009`, `SRC-013` to `SRC-019`, `SRC-034`, `SRC-035`.
    pub async fn connect(settings: &SourceSettings) -> Result<Self, SourceError> {
        let server = settings.server.clone().ok_or_else(|| SourceError::Incomplete {
            id: settings.id.clone(),
            what: "[sources.server]".to_owned(),
        })?;
        let pool = connect::pool(settings, &server)?;
        let mut object = connect::session(&pool).await?;
        let known = ask::database(&mut object, settings).await?;
        let of = session::facts(&mut object, &settings.id).await?;
        let (way, point, still) = Box::pin(point_of(&mut object, settings, &of)).await?;
        let secondary =
            !of.read_only && !of.is_snapshot && ask::updates_elsewhere(&mut object, &settings.id).await?;
        let mut facts = ask::server_facts(&mut object, settings, &server).await?;
        if secondary {
            let what = phrase!("doctor.fact_secondary");
            facts.push(("replica".to_owned(), what.to_owned()));
        }
        let unicode = ask::unicode_form(&mut object, settings, &mut facts).await?;
        let hint = ask::hint(&mut object, settings, &mut facts).await?;
        let refused = pool.manager().refused();
        facts.extend(refused.iter().map(|name| (format!("without {name}"), phrase!("doctor.fact_setting"))));
        let (history, stamps) = Box::pin(session::histories(&mut object, &settings.id, &of, way)).await?;
        let (holder, point) = Box::pin(session::take(object, settings, way, point, &of.created)).await?;
        facts.extend(holder.writers.fact());
        let mut inner = Inner {
            id: settings.id.clone(),
            settings: settings.clone(),
            schema: server.schema.clone().unwrap_or_else(|| "dbo".to_owned()),
            server,
            pool,
            collation: known.collation,
            code_page: known.code_page,
            collations: BTreeMap::new(),
            unicode,
            hint,
            way,
            point,
            still,
            history,
            stamps,
            shapes: steady::Shapes::new(),
            secondary,
            facts,
            modules: tokio::sync::OnceCell::new(),
            unknown: std::sync::Mutex::default(),
            holder: Arc::new(Mutex::new(holder)),
        };
        inner.shapes = Box::pin(steady::shapes(&inner, None)).await?;
        inner.collations = catalogue::collations(&inner).await?;
        Box::pin(ask::text_forms(&inner)).await?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// The way to the point, and of a database that nobody writes to what the point says without, and the proof that it stays as it is.
async fn point_of(
    object: &mut connect::Object,
    settings: &SourceSettings,
    of: &session::Facts,
) -> Result<(Way, Point, (String, Option<String>)), SourceError> {
    let (way, mut point) = session::choose(settings, of)?;
    let base = point.text.clone();
    if way != Way::Still || of.is_snapshot {
        return Ok((way, point, (base, None)));
    }
    let proof = session::written(object, &settings.id).await?;
    // What cannot be proved equal has a text of its own each time.
    let own = match &proof {
        Some(proof) => proof.clone(),
        None => format!("opened {}", ask::own(object, &settings.id).await?),
    };
    point.text = format!("{base} {own}");
    Ok((way, point, (base, proof)))
}

#[async_trait]
impl Source for SqlServer {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn reading(&self) -> String {
        let (page, set) = (self.inner.code_page.name(), self.inner.settings.spellings());
        format!("sqlserver, {page}, {set}, form {FORM_OF_RAW}")
    }

    async fn point(&self) -> Result<Point, SourceError> {
        if self.inner.way == Way::Still {
            // Somebody may have opened the copy for writing, or made another one under its name.
            let mut reader = self.inner.plain().await?;
            let facts = session::facts(reader.session()?, &self.inner.id).await?;
            let now = session::choose(&self.inner.settings, &facts)?.1;
            let (base, proof) = &self.inner.still;
            let again = match proof {
                Some(_) => session::written(reader.session()?, &self.inner.id).await?,
                None => None,
            };
            reader.release();
            if now.text != *base || again != *proof {
                let text = format!("{} {}", now.text, again.unwrap_or_default());
                return Ok(Point { text, ..now });
            }
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
        let condition = read::condition(&self.inner, table, bounds)?;
        read::stream(&self.inner, table, &condition).await
    }

    fn key_at(&self, table: &Table, batch: &RecordBatch, row: usize) -> Option<Vec<KeyValue>> {
        read::key_at(&self.inner, table, batch, row)
    }

    fn readers(&self) -> usize {
        match self.inner.way {
            Way::Still | Way::Fuzzy => self.inner.settings.limits.connections.max(1) as usize,
            Way::OneSession => 1,
        }
    }

    fn facts(&self) -> Vec<(String, String)> {
        self.inner.facts.clone()
    }

    async fn aside(&self) -> Result<Option<Box<dyn Source>>, SourceError> {
        if self.inner.way != Way::OneSession {
            return Ok(None);
        }
        let settings = SourceSettings { consistency: Consistency::Fuzzy, ..self.inner.settings.clone() };
        Ok(Some(Box::new(Self::connect(&settings).await?)))
    }

    async fn under_load(&self) -> Result<Option<String>, SourceError> {
        let begun = Instant::now();
        let waiting = ask::waiting_for_us(&self.inner).await?;
        let slow = Duration::from_millis(self.inner.settings.limits.slow_milliseconds);
        Ok(match waiting {
            0 if begun.elapsed() > slow => Some(phrase!("doctor.load_slow")),
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

    async fn changed(
        &self,
        table: &Table,
        how: &TableSettings,
        since: &str,
    ) -> Result<ChunkStream, SourceError> {
        changes::changed(&self.inner, table, how, since).await
    }

    async fn deleted(
        &self,
        table: &Table,
        how: &TableSettings,
        since: &str,
    ) -> Result<Option<ChunkStream>, SourceError> {
        changes::deleted(&self.inner, table, how, since).await
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
