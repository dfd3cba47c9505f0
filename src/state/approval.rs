//! Approvals: batches of proposals that somebody answers for (RULES 3).
//!
//! Always: an approval is of a proposal, never of a file or a run; an undone batch stays recorded.
//! Must not know: what is proposed.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use super::{State, StateError, one, sql};
use crate::clock;

/// Who approves what, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    pub rule: String,
    /// The run whose proposals they are.
    pub run: String,
    pub approver: String,
    /// Account of the operating system.
    pub account: String,
    pub reason: String,
}

/// A batch as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: i64,
    pub of: NewBatch,
    pub at: String,
    /// When, and by whom.
    pub undone: Option<(String, String)>,
    /// Proposals that it approves, and decisions of a worklist.
    pub proposals: u64,
}

/// The name of a batch, as people type it and change records keep it.
pub fn batch_name(id: i64) -> String {
    format!("b{id:04}")
}

/// What stands behind an approved proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    pub batch: i64,
    pub approver: String,
}

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let of = NewBatch {
        rule: row.get(1)?,
        run: row.get(2)?,
        approver: row.get(3)?,
        account: row.get(4)?,
        reason: row.get(5)?,
    };
    let undone: (Option<String>, Option<String>) = (row.get(7)?, row.get(8)?);
    let proposals: i64 = row.get(9)?;
    Ok(Batch {
        id: row.get(0)?,
        of,
        at: row.get(6)?,
        undone: undone.0.zip(undone.1),
        proposals: proposals.unsigned_abs(),
    })
}

/// Records a batch without what is in it; its number.
pub(super) fn insert_batch(t: &Transaction<'_>, of: &NewBatch) -> rusqlite::Result<i64> {
    t.execute(
        "INSERT INTO batch (rule, run, approver, account, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![of.rule, of.run, of.approver, of.account, of.reason, clock::now()],
    )?;
    Ok(t.last_insert_rowid())
}

impl State {
    /// Records a batch; its number. Rows of one key (STR-05) may propose the same: that is one proposal.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn approve(&self, of: &NewBatch, proposals: &[u128]) -> Result<i64, StateError> {
        self.change("record an approval", |t| {
            let id = insert_batch(t, of)?;
            let mut add = t.prepare("INSERT OR IGNORE INTO approval (batch, proposal) VALUES (?1, ?2)")?;
            for proposal in proposals {
                add.execute(params![id, format!("{proposal:032x}")])?;
            }
            Ok(id)
        })
    }

    /// Records that a batch holds no longer.
    ///
    /// # Errors
    /// `STA-003`, `STA-005` when there is no such batch, or it is undone already.
    pub fn undo_batch(&self, id: i64, by: &str) -> Result<(), StateError> {
        self.change("undo an approval", |t| {
            one(t.execute(
                "UPDATE batch SET undone_at = ?2, undone_by = ?3 WHERE id = ?1 AND undone_at IS NULL",
                params![id, clock::now(), by],
            )?)
        })
    }

    /// Every batch, oldest first.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn batches(&self) -> Result<Vec<Batch>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached(
                "SELECT b.id, b.rule, b.run, b.approver, b.account, b.reason, b.at, b.undone_at, b.undone_by,
                   (SELECT count(*) FROM approval AS a WHERE a.batch = b.id) + (SELECT count(*) FROM decision AS d WHERE d.batch = b.id) FROM batch AS b ORDER BY b.id",
            )
            .map_err(sql("list approvals"))?;
        query.query_map([], batch).and_then(Iterator::collect).map_err(sql("list approvals"))
    }

    /// Every proposal whose approval was undone, with the number of its batch.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn undone_proposals(&self) -> Result<Vec<(i64, u128)>, StateError> {
        let found: Vec<(i64, String)> = {
            let db = self.db();
            let mut query = db
                .prepare_cached(
                    "SELECT b.id, a.proposal FROM approval AS a JOIN batch AS b ON b.id = a.batch WHERE b.undone_at IS NOT NULL",
                )
                .map_err(sql("list approvals"))?;
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .and_then(Iterator::collect)
                .map_err(sql("list approvals"))?
        };
        found.iter().map(|(batch, text)| Ok((*batch, number(text)?))).collect()
    }

    /// Every proposal that is approved, by its identity; of several batches the oldest that holds.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn approved(&self) -> Result<BTreeMap<u128, Approved>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached(
                "SELECT a.proposal, b.id, b.approver FROM approval AS a JOIN batch AS b ON b.id = a.batch
                 WHERE b.undone_at IS NULL ORDER BY b.id DESC",
            )
            .map_err(sql("list approvals"))?;
        let one = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
        let found: Vec<(String, i64, String)> =
            query.query_map([], one).and_then(Iterator::collect).map_err(sql("list approvals"))?;
        found
            .into_iter()
            .map(|(proposal, batch, approver)| Ok((number(&proposal)?, Approved { batch, approver })))
            .collect()
    }
}

fn number(text: &str) -> Result<u128, StateError> {
    u128::from_str_radix(text, 16).map_err(|_| StateError::Impossible { what: format!("proposal {text}") })
}
