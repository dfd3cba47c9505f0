//! A reader of one table, and whether the table is still what it was at the point.
//!
//! Always: a reader holds a lock that keeps everybody from altering the table until its transaction ends, and only then looks. A
//! rewritten table (ALTER … TYPE, TRUNCATE, SET UNLOGGED, …) is empty to snapshots that are older, and a name may have passed to another
//! table: whatever differs between the point and now is an error that says so. No lock outlives a reading.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::{SourceError, Table};
use super::Inner;
use super::session::{Reader, rows};
use super::shown;
use crate::phrase;

/// A table, what inherits from it, and what a view reads: which files hold the rows, and what the columns are called.
const SHAPE: &str = "WITH RECURSIVE r(oid) AS (
      SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2
      UNION
      SELECT x.oid FROM r CROSS JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.oid
        UNION ALL
        SELECT d.refobjid FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.objid = w.oid
        WHERE v.oid = r.oid AND v.relkind = 'v' AND d.classid = 'pg_rewrite'::regclass
          AND d.refclassid = 'pg_class'::regclass) x(oid))
  SELECT md5(string_agg(concat_ws(' ', c.oid, c.relfilenode,
      (SELECT string_agg(a.attnum || ' ' || a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      (SELECT string_agg(md5(w.ev_action::text), ' ' ORDER BY w.oid) FROM pg_rewrite w WHERE w.ev_class = c.oid)),
    '; ' ORDER BY c.oid))
  FROM r JOIN pg_class c ON c.oid = r.oid WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')";

impl Inner {
    /// A session at the point that may read the table.
    pub(super) async fn reader_of(&self, table: &Table) -> Result<Reader, SourceError> {
        let reader = self.reader().await?;
        // Asks for nothing but the locks that every reading takes.
        let lock = format!("SELECT 1 FROM {} LIMIT 0", self.from(table));
        if let Err(e) = reader.client()?.batch_execute(&lock).await {
            reader.release().await;
            return Err(self.cannot_read(table, e).await);
        }
        let then = self.shape(reader.client()?, table).await?;
        let asking = self.asking().await?;
        let now = self.shape(asking.client()?, table).await?;
        asking.release().await;
        let first = {
            let mut seen = self.seen.lock().await;
            seen.entry(table.name.clone()).or_insert_with(|| then.clone()).clone()
        };
        if then == now && first == now {
            return Ok(reader);
        }
        reader.release().await;
        Err(self.altered(table))
    }

    fn altered(&self, table: &Table) -> SourceError {
        SourceError::Altered { id: self.id.clone(), table: table.name.clone() }
    }

    async fn shape(&self, client: &Client, table: &Table) -> Result<String, SourceError> {
        let found = rows(client, SHAPE, &[&self.schema, &table.name]).await;
        let found = found.map_err(self.failed(phrase!("source.looking", table = table.name)))?;
        Ok(found.first().and_then(|row| row.get::<_, Option<String>>(0)).unwrap_or_default())
    }

    /// What the server's refusal to read a table means.
    pub(super) async fn cannot_read(&self, table: &Table, e: tokio_postgres::Error) -> SourceError {
        match self.refusal(table, &e).await {
            Err(other) => other,
            Ok(Refusal::Hidden(by)) => {
                SourceError::Hidden { id: self.id.clone(), table: table.name.clone(), by }
            }
            Ok(Refusal::Gone) => self.altered(table),
            Ok(Refusal::Broken) => {
                SourceError::Broken { id: self.id.clone(), table: table.name.clone(), why: Box::new(e) }
            }
            Ok(Refusal::Other) => self.failed(phrase!("source.reading", table = table.name))(e),
        }
    }

    async fn refusal(&self, table: &Table, e: &tokio_postgres::Error) -> Result<Refusal, SourceError> {
        let Some(state) = e.code().filter(|state| !super::is_transient(state)) else {
            return Ok(Refusal::Other);
        };
        if *state == SqlState::INSUFFICIENT_PRIVILEGE {
            let guarded = shown::below(self, table).await?.into_iter().find(|below| below.guarded);
            return Ok(guarded.map_or(Refusal::Other, |below| Refusal::Hidden(below.name)));
        }
        let undefined = *state == SqlState::UNDEFINED_TABLE || *state == SqlState::UNDEFINED_COLUMN;
        if !undefined && !table.view {
            return Ok(Refusal::Other);
        }
        let asking = self.asking().await?;
        let now = self.shape(asking.client()?, table).await?;
        asking.release().await;
        Ok(if now.is_empty() || !table.view { Refusal::Gone } else { Refusal::Broken })
    }
}

/// Why the server refuses to read a table.
enum Refusal {
    /// By the row security of this table.
    Hidden(String),
    /// It is there no longer.
    Gone,
    /// A view that fails as it is defined.
    Broken,
    Other,
}
