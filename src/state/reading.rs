//! How each table of an extract was read: in full, or as changes over an earlier extract; and where the next one begins.
//!
//! Always: recorded together with the table's planned chunks; a watermark counts only once its extract is complete.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{ExtractId, State, StateError, from_json, one, sql, to_json};
use crate::dataset::PartInfo;

/// A column as drift compares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadColumn {
    pub name: String,
    pub declared: String,
}

/// Rows that an increment brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

/// How one table of an extract is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub table: String,
    pub method: String,
    /// The extract whose view the changes go over; `None`: read in full.
    pub base: Option<ExtractId>,
    pub columns: Vec<ReadColumn>,
    /// Columns that the mapping skipped.
    pub unread: Vec<ReadColumn>,
    /// What tells the table, and the rows that it shows, from another one of its name; as the server said it.
    pub identity: Option<String>,
    pub key: Vec<String>,
    /// Where the next increment begins, typed by the server.
    pub watermark: Option<String>,
    /// The table as it is at this extract, once that is finished.
    pub view: Option<Vec<PartInfo>>,
    /// Keys of rows that were deleted.
    pub deletes: Option<PartInfo>,
    pub changed: Option<Changed>,
}

/// Where the changes of a table have come to in the newest complete extract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    pub source: String,
    pub table: String,
    pub method: String,
    pub value: Option<String>,
    pub extract: ExtractId,
    /// When that extract began.
    pub started: String,
}

type Fields = (
    String,
    String,
    Option<i64>,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
);

/// A reading with its lists as text.
pub(super) struct Stored<'r> {
    reading: &'r Reading,
    columns: String,
    unread: String,
    key: String,
    view: Option<String>,
    deletes: Option<String>,
    counts: Option<String>,
}

impl Stored<'_> {
    /// How a table is read.
    pub(super) fn insert(&self, t: &Transaction<'_>, id: ExtractId) -> rusqlite::Result<()> {
        let Reading { table, method, base, identity, watermark, .. } = self.reading;
        t.execute(
            "INSERT INTO reading (extract, tbl, method, base, columns, key, watermark, unread, identity)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                id.0,
                table,
                method,
                base.map(|b| b.0),
                self.columns,
                self.key,
                watermark,
                self.unread,
                identity
            ],
        )?;
        Ok(())
    }

    /// What a table came to.
    pub(super) fn finish(&self, t: &Transaction<'_>, id: ExtractId) -> rusqlite::Result<()> {
        one(t.execute(
            "UPDATE reading SET view = ?3, deletes = ?4, counts = ?5 WHERE extract = ?1 AND tbl = ?2",
            params![id.0, self.reading.table, self.view, self.deletes, self.counts],
        )?)
    }
}

impl State {
    /// Records how a table will be read, and its chunks, before any of them is read.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn begin_reading(
        &self,
        id: ExtractId,
        reading: &Reading,
        bounds: &[String],
    ) -> Result<(), StateError> {
        let stored = self.stored_reading(reading)?;
        self.change("record planned chunks", |t| {
            stored.insert(t, id)?;
            let mut insert =
                t.prepare("INSERT INTO chunk (extract, tbl, no, bounds) VALUES (?1, ?2, ?3, ?4)")?;
            for (no, bounds) in (1_u32..).zip(bounds) {
                insert.execute(params![id.0, reading.table, no, bounds])?;
            }
            Ok(())
        })
    }

    /// How a table of an extract is read; `None` when it was not planned yet.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn reading(&self, id: ExtractId, table: &str) -> Result<Option<Reading>, StateError> {
        let found: Option<Fields> = {
            let db = self.db();
            let mut query = db
                .prepare_cached(
                    "SELECT tbl, method, base, columns, key, watermark, view, deletes, counts, unread, identity
                     FROM reading WHERE extract = ?1 AND tbl = ?2",
                )
                .map_err(sql("look up a table"))?;
            query
                .query_row(params![id.0, table], |r| {
                    Ok((
                        r.get(0)?,
                        r.get(1)?,
                        r.get(2)?,
                        r.get(3)?,
                        r.get(4)?,
                        r.get(5)?,
                        r.get(6)?,
                        r.get(7)?,
                        r.get(8)?,
                        r.get(9)?,
                        r.get(10)?,
                    ))
                })
                .optional()
                .map_err(sql("look up a table"))?
        };
        found.map(|f| self.reading_of(f)).transpose()
    }

    fn reading_of(&self, fields: Fields) -> Result<Reading, StateError> {
        let (table, method, base, columns, key, watermark, view, deletes, counts, unread, identity) = fields;
        let view: Option<Vec<PartInfo>> = view.map(|v| from_json(&v)).transpose()?;
        let deletes: Option<PartInfo> = deletes.map(|d| from_json(&d)).transpose()?;
        Ok(Reading {
            table,
            method,
            base: base.map(ExtractId),
            columns: from_json(&columns)?,
            unread: from_json(&unread)?,
            identity,
            key: from_json(&key)?,
            watermark,
            view: view.map(|parts| parts.into_iter().map(|p| self.handed(p)).collect()),
            deletes: deletes.map(|p| self.handed(p)),
            changed: counts.map(|c| from_json(&c)).transpose()?,
        })
    }

    /// Records what a table came to.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn finish_reading(&self, id: ExtractId, reading: &Reading) -> Result<(), StateError> {
        let stored = self.stored_reading(reading)?;
        self.change("record a table", |t| stored.finish(t, id))
    }

    pub(super) fn stored_reading<'r>(&self, reading: &'r Reading) -> Result<Stored<'r>, StateError> {
        let stored = |parts: &Vec<PartInfo>| parts.iter().map(|p| self.stored(p)).collect::<Vec<_>>();
        Ok(Stored {
            reading,
            columns: to_json(&reading.columns)?,
            unread: to_json(&reading.unread)?,
            key: to_json(&reading.key)?,
            view: reading.view.as_ref().map(|v| to_json(&stored(v))).transpose()?,
            deletes: reading.deletes.as_ref().map(|d| to_json(&self.stored(d))).transpose()?,
            counts: reading.changed.map(|c| to_json(&c)).transpose()?,
        })
    }

    /// The part of a range is durable up to where the range was cut: the range ends there, and its rest is a new chunk, which is
    /// handed back.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn cut_chunk(
        &self,
        id: ExtractId,
        table: &str,
        no: u32,
        part: &PartInfo,
        [done, rest]: [&str; 2],
    ) -> Result<u32, StateError> {
        let part = to_json(&self.stored(part))?;
        self.change("record a cut chunk", |t| {
            one(t.execute(
                "UPDATE chunk SET part = ?4, bounds = ?5 WHERE extract = ?1 AND tbl = ?2 AND no = ?3",
                params![id.0, table, no, part, done],
            )?)?;
            let next: u32 = t.query_row(
                "SELECT max(no) + 1 FROM chunk WHERE extract = ?1 AND tbl = ?2",
                params![id.0, table],
                |r| r.get(0),
            )?;
            t.execute(
                "INSERT INTO chunk (extract, tbl, no, bounds) VALUES (?1, ?2, ?3, ?4)",
                params![id.0, table, next, rest],
            )?;
            Ok(next)
        })
    }

    /// Forgets a table of an unfinished extract: it is planned and read again.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn forget_reading(&self, id: ExtractId, table: &str) -> Result<(), StateError> {
        self.change("forget a table", |t| {
            t.execute("DELETE FROM chunk WHERE extract = ?1 AND tbl = ?2", params![id.0, table])?;
            t.execute("DELETE FROM reading WHERE extract = ?1 AND tbl = ?2", params![id.0, table])?;
            Ok(())
        })
    }

    /// Where the changes of every table have come to, by source and table.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn watermarks(&self) -> Result<Vec<Watermark>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached(
                "SELECT e.source, r.tbl, r.method, r.watermark, e.id, e.started
                 FROM reading r JOIN extract e ON e.id = r.extract
                 WHERE e.id = (SELECT max(id) FROM extract n WHERE n.source = e.source AND n.status = 'complete')
                 ORDER BY e.source, r.tbl",
            )
            .map_err(sql("list watermarks"))?;
        let row = |r: &rusqlite::Row<'_>| {
            Ok(Watermark {
                source: r.get(0)?,
                table: r.get(1)?,
                method: r.get(2)?,
                value: r.get(3)?,
                extract: ExtractId(r.get(4)?),
                started: r.get(5)?,
            })
        };
        query.query_map([], row).and_then(Iterator::collect).map_err(sql("list watermarks"))
    }
}
