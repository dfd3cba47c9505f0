//! Extracts: which reading of which source, at which point, and whether it is complete.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::{ExtractId, Reading, State, StateError, from_json, one, sql, to_json};
use crate::clock;
use crate::dataset::PartInfo;

/// How far an extract is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractStatus {
    /// Begun and not finished; goes on while the source stands at the same point.
    Running,
    /// Every chunk is durable, the sums agree with the source's count.
    Complete,
    /// The source moved on before it was complete; its parts are to be removed.
    Abandoned,
    /// Abandoned, and nothing of it is left on disk.
    Removed,
    /// Every chunk is durable, but they were read at several points: only a base for changes, never a view.
    Mixed,
}

impl ExtractStatus {
    /// As stored and shown.
    pub fn text(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Abandoned => "abandoned",
            Self::Removed => "removed",
            Self::Mixed => "mixed",
        }
    }

    fn parse(text: &str) -> Result<Self, StateError> {
        [Self::Running, Self::Complete, Self::Abandoned, Self::Removed, Self::Mixed]
            .into_iter()
            .find(|s| s.text() == text)
            .ok_or_else(|| StateError::Impossible { what: format!("extract status {text}") })
    }
}

/// What makes an extract the same as another: source, point, settings and tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExtract {
    pub source: String,
    /// How the point was held: `read transaction` for the embedded source.
    pub consistency: String,
    pub point: String,
    /// What else decides the bytes of a part (encoding, form of raw), as text.
    pub settings: String,
    pub tables: Vec<String>,
}

/// A table or view of the source that an extract does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherTable {
    pub table: String,
    pub view: bool,
}

/// One extract as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    pub id: ExtractId,
    pub of: NewExtract,
    pub status: ExtractStatus,
    pub started: String,
    pub finished: Option<String>,
    /// Which measures were asked of the source, as text; `None` until they were.
    pub asked: Option<String>,
    /// The part with the answers.
    pub measures: Option<PartInfo>,
    /// About server and connection: version, TLS, what had to be done without.
    pub facts: Vec<(String, String)>,
    /// What else the source has; `None`: not recorded.
    pub others: Option<Vec<OtherTable>>,
}

const COLUMNS: &str = "id, source, consistency, point, settings, tables, status, started, finished, asked, \
     measures, facts, others";

type Fields = (
    NewExtract,
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
);

fn fields(row: &Row<'_>) -> rusqlite::Result<Fields> {
    let of = NewExtract {
        source: row.get(1)?,
        consistency: row.get(2)?,
        point: row.get(3)?,
        settings: row.get(4)?,
        tables: Vec::new(),
    };
    Ok((
        of,
        row.get(0)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        row.get(10)?,
        row.get(11)?,
        row.get(12)?,
    ))
}

impl State {
    /// Records a new extract as running.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn begin_extract(&self, of: &NewExtract) -> Result<ExtractId, StateError> {
        let tables = to_json(&of.tables)?;
        self.change("begin an extract", |t| {
            t.execute(
                "INSERT INTO extract (source, consistency, point, settings, tables, status, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6)",
                params![of.source, of.consistency, of.point, of.settings, tables, clock::now()],
            )?;
            Ok(ExtractId(t.last_insert_rowid()))
        })
    }

    /// Records an extract that will hold what another one holds: of the same source, point and tables, begun when that was. Until
    /// [`Self::finish_copy`] it is abandoned: whatever ends the process, the next start removes it.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn begin_copy(&self, of: &Extract, facts: &[(String, String)]) -> Result<ExtractId, StateError> {
        let facts = to_json(&facts)?;
        self.change("begin an extract", |t| {
            t.execute(
                "INSERT INTO extract (source, consistency, point, settings, tables, status, started, asked, facts, others)
                 SELECT source, consistency, point, settings, tables, 'abandoned', started, asked, ?2, others
                 FROM extract WHERE id = ?1",
                params![of.id.0, facts],
            )?;
            Ok(ExtractId(t.last_insert_rowid()))
        })
    }

    /// Records all tables of such an extract, and that it is complete.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn finish_copy(
        &self,
        id: ExtractId,
        readings: &[Reading],
        measures: Option<&PartInfo>,
    ) -> Result<(), StateError> {
        let readings = readings.iter().map(|r| self.stored_reading(r)).collect::<Result<Vec<_>, _>>()?;
        let measures = measures.map(|part| to_json(&self.stored(part))).transpose()?;
        self.change("record an extract", |t| {
            for reading in &readings {
                reading.insert(t, id)?;
                reading.finish(t, id)?;
            }
            one(t.execute(
                "UPDATE extract SET status = 'complete', finished = ?2, measures = ?3 WHERE id = ?1",
                params![id.0, clock::now(), measures],
            )?)
        })
    }

    /// The sources that were ever extracted here, by id.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn sources(&self) -> Result<Vec<String>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached("SELECT DISTINCT source FROM extract ORDER BY source")
            .map_err(sql("list sources"))?;
        let found = query.query_map([], |r| r.get(0)).and_then(Iterator::collect);
        found.map_err(sql("list sources"))
    }

    /// All extracts of a source, oldest first.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn extracts(&self, source: &str) -> Result<Vec<Extract>, StateError> {
        let found: Vec<Fields> = {
            let db = self.db();
            let text = format!("SELECT {COLUMNS} FROM extract WHERE source = ?1 ORDER BY id");
            let mut query = db.prepare(&text).map_err(sql("list extracts"))?;
            query.query_map([source], fields).and_then(Iterator::collect).map_err(sql("list extracts"))?
        };
        found.into_iter().map(|f| self.extract_of(f)).collect()
    }

    fn extract_of(&self, fields: Fields) -> Result<Extract, StateError> {
        let (of, id, tables, status, started, finished, asked, measures, facts, others) = fields;
        Ok(Extract {
            id: ExtractId(id),
            of: NewExtract { tables: from_json(&tables)?, ..of },
            status: ExtractStatus::parse(&status)?,
            started,
            finished,
            asked,
            measures: measures.map(|m| from_json(&m).map(|p| self.handed(p))).transpose()?,
            facts: from_json(&facts)?,
            others: others.map(|o| from_json(&o)).transpose()?,
        })
    }

    /// Records what else the source has.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn set_others(&self, id: ExtractId, others: &[OtherTable]) -> Result<(), StateError> {
        let others = to_json(&others)?;
        self.change("record tables", |t| {
            t.execute("UPDATE extract SET others = ?2 WHERE id = ?1", params![id.0, others])
        })?;
        Ok(())
    }

    /// The newest complete extract of a source.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn latest_extract(&self, source: &str) -> Result<Option<Extract>, StateError> {
        Ok(self.extracts(source)?.into_iter().rfind(|e| e.status == ExtractStatus::Complete))
    }

    /// Moves an extract to a status; `Complete` also records when.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn set_extract(&self, id: ExtractId, status: ExtractStatus) -> Result<(), StateError> {
        let finished = match status {
            ExtractStatus::Complete | ExtractStatus::Mixed => Some(clock::now()),
            ExtractStatus::Running | ExtractStatus::Abandoned | ExtractStatus::Removed => None,
        };
        self.change("record an extract's status", |t| {
            one(t.execute(
                "UPDATE extract SET status = ?2, finished = ?3 WHERE id = ?1",
                params![id.0, status.text(), finished],
            )?)?;
            if status == ExtractStatus::Removed {
                t.execute("DELETE FROM chunk WHERE extract = ?1", [id.0])?;
                t.execute("DELETE FROM reading WHERE extract = ?1", [id.0])?;
            }
            Ok(())
        })
    }

    /// Records what is worth knowing about server and connection, and at which point an extract goes on.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn set_facts(&self, id: ExtractId, facts: &[(String, String)]) -> Result<(), StateError> {
        let facts = to_json(&facts)?;
        self.change("record facts", |t| {
            one(t.execute("UPDATE extract SET facts = ?2 WHERE id = ?1", params![id.0, facts])?)
        })
    }

    /// Records the part with the source's own answers, and what had been asked.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn record_measures(&self, id: ExtractId, asked: &str, part: &PartInfo) -> Result<(), StateError> {
        let part = to_json(&self.stored(part))?;
        self.change("record measures", |t| {
            one(t.execute(
                "UPDATE extract SET asked = ?2, measures = ?3 WHERE id = ?1",
                params![id.0, asked, part],
            )?)
        })
    }
}
