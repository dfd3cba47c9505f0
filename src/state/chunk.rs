//! Chunks of an extract: planned before they are read, finished when their part is durable.

use rusqlite::params;

use super::{ExtractId, State, StateError, from_json, one, sql, to_json};
use crate::dataset::PartInfo;

/// One range of keys of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub table: String,
    /// From 1, in key order as planned; the rest of a range that was cut comes last.
    pub no: u32,
    /// The range, in the source's own form.
    pub bounds: String,
    /// The durable part, once there is one.
    pub part: Option<PartInfo>,
}

impl State {
    /// The chunks of a table by number; none when it was not planned yet.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn chunks(&self, id: ExtractId, table: &str) -> Result<Vec<Chunk>, StateError> {
        let found: Vec<(u32, String, Option<String>)> = {
            let db = self.db();
            let mut query = db
                .prepare_cached(
                    "SELECT no, bounds, part FROM chunk WHERE extract = ?1 AND tbl = ?2 ORDER BY no",
                )
                .map_err(sql("list chunks"))?;
            query
                .query_map(params![id.0, table], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .and_then(Iterator::collect)
                .map_err(sql("list chunks"))?
        };
        found
            .into_iter()
            .map(|(no, bounds, part)| {
                let part = part.map(|p| from_json(&p).map(|p| self.handed(p))).transpose()?;
                Ok(Chunk { table: table.to_owned(), no, bounds, part })
            })
            .collect()
    }

    /// Records that a chunk's part is durable.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn record_chunk(
        &self,
        id: ExtractId,
        table: &str,
        no: u32,
        part: &PartInfo,
    ) -> Result<(), StateError> {
        let part = to_json(&self.stored(part))?;
        self.set_part(id, table, no, Some(part))
    }

    /// Forgets a chunk's part: it is read again.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn forget_chunk(&self, id: ExtractId, table: &str, no: u32) -> Result<(), StateError> {
        self.set_part(id, table, no, None)
    }

    fn set_part(&self, id: ExtractId, table: &str, no: u32, part: Option<String>) -> Result<(), StateError> {
        self.change("record a chunk", |t| {
            one(t.execute(
                "UPDATE chunk SET part = ?4 WHERE extract = ?1 AND tbl = ?2 AND no = ?3",
                params![id.0, table, no, part],
            )?)
        })
    }
}
