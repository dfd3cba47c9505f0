//! Worklists that were handed out, and what people decided about their items (RULES 5).
//!
//! Always: the decisions of one import are one batch, which is undone as every batch (approval.rs).
//! Must not know: files, rules, or what becomes of a decision.

use rusqlite::{Row, params};

use super::approval::insert_batch;
use super::{NewBatch, State, StateError, sql};
use crate::clock;

/// A list of items for one department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worklist {
    pub id: i64,
    /// The run that found its items.
    pub run: String,
    pub rule: String,
    pub department: String,
    /// None: of rows without one.
    pub county: Option<String>,
    /// Over every protected cell, whatever the order of its rows.
    pub digest: String,
    /// Ids of its items, ascending.
    pub items: Vec<u64>,
    /// Whether it shows values in clear.
    pub revealed: bool,
    /// Account of the operating system that exported it.
    pub account: String,
}

/// The name of a worklist, as files and people write it.
pub fn worklist_name(id: i64) -> String {
    format!("w{id:04}")
}

/// What somebody decides about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// What the rule proposes is done (采纳建议).
    Adopt,
    /// Another value is right (填写更正值).
    Correct,
    /// It is so, and stays (情况属实无需更正).
    Waive,
    /// The province is asked (上报省局).
    Province,
}

impl DecisionKind {
    /// Every one, in the order of the drop-down.
    pub const ALL: [Self; 4] = [Self::Adopt, Self::Correct, Self::Waive, Self::Province];

    /// As it is stored.
    pub fn text(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Correct => "correct",
            Self::Waive => "waive",
            Self::Province => "province",
        }
    }
}

/// A decision that was handled, reviewed and approved by three people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub worklist: i64,
    pub item: u64,
    pub kind: DecisionKind,
    pub rule: String,
    pub table: String,
    pub key: String,
    pub source: String,
    pub skey: Option<String>,
    pub column: String,
    /// The value that it is about.
    pub before: Option<String>,
    /// The value that is right, or what the rule proposes.
    pub after: Option<String>,
    /// Number of the evidence.
    pub evidence: Option<String>,
    /// Last day of a waiver (yyyy-mm-dd).
    pub expires: Option<String>,
    pub handler: Signature,
    pub reviewer: Signature,
    pub approver: Signature,
}

/// Who, and on which day (yyyy-mm-dd).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub day: String,
}

fn decision(row: &Row<'_>) -> rusqlite::Result<Option<(i64, Decision)>> {
    let (item, kind): (String, String) = (row.get(2)?, row.get(3)?);
    let item = u64::from_str_radix(&item, 16).ok();
    let kind = DecisionKind::ALL.into_iter().find(|k| k.text() == kind);
    let signature = |at: usize| -> rusqlite::Result<Signature> {
        Ok(Signature { name: row.get(at)?, day: row.get(at + 1)? })
    };
    let Some((item, kind)) = item.zip(kind) else { return Ok(None) };
    let decision = Decision {
        worklist: row.get(1)?,
        item,
        kind,
        rule: row.get(4)?,
        table: row.get(5)?,
        key: row.get(6)?,
        source: row.get(7)?,
        skey: row.get(8)?,
        column: row.get(9)?,
        before: row.get(10)?,
        after: row.get(11)?,
        evidence: row.get(12)?,
        expires: row.get(13)?,
        handler: signature(14)?,
        reviewer: signature(16)?,
        approver: signature(18)?,
    };
    Ok(Some((row.get(0)?, decision)))
}

impl State {
    /// The number that the next worklist gets.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn next_worklist(&self) -> Result<i64, StateError> {
        let db = self.db();
        let next = "SELECT coalesce(max(id), 0) + 1 FROM worklist";
        db.query_row(next, [], |row| row.get(0)).map_err(sql("list worklists"))
    }

    /// Records worklists whose files are there.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn hand_out(&self, all: &[Worklist]) -> Result<(), StateError> {
        self.change("record worklists", |t| {
            let mut add = t.prepare(
                "INSERT INTO worklist (id, run, rule, department, county, digest, items, revealed, account, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?;
            for of in all {
                let items: Vec<u8> = of.items.iter().flat_map(|item| item.to_le_bytes()).collect();
                add.execute(params![
                    of.id, of.run, of.rule, of.department, of.county, of.digest, items, of.revealed, of.account, clock::now()
                ])?;
            }
            Ok(())
        })
    }

    /// Every worklist, oldest first.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn worklists(&self) -> Result<Vec<Worklist>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached(
                "SELECT id, run, rule, department, county, digest, items, revealed, account FROM worklist ORDER BY id",
            )
            .map_err(sql("list worklists"))?;
        let one = |row: &Row<'_>| {
            let items: Vec<u8> = row.get(6)?;
            let items = items.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
            Ok(Worklist {
                id: row.get(0)?,
                run: row.get(1)?,
                rule: row.get(2)?,
                department: row.get(3)?,
                county: row.get(4)?,
                digest: row.get(5)?,
                items,
                revealed: row.get(7)?,
                account: row.get(8)?,
            })
        };
        query.query_map([], one).and_then(Iterator::collect).map_err(sql("list worklists"))
    }

    /// Records the decisions of one import as a batch; its number.
    ///
    /// # Errors
    /// `STA-003`.
    pub fn decide(&self, of: &NewBatch, decisions: &[Decision]) -> Result<i64, StateError> {
        self.change("record decisions", |t| {
            let id = insert_batch(t, of)?;
            let mut add = t.prepare(
                "INSERT INTO decision (batch, worklist, item, kind, rule, tbl, row_key, source, skey, col, before, after, evidence, expires,
                   handler, handled, reviewer, reviewed, approver, approved)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?;
            for d in decisions {
                add.execute(params![
                    id,
                    d.worklist,
                    format!("{:016x}", d.item),
                    d.kind.text(),
                    d.rule,
                    d.table,
                    d.key,
                    d.source,
                    d.skey,
                    d.column,
                    d.before,
                    d.after,
                    d.evidence,
                    d.expires,
                    d.handler.name,
                    d.handler.day,
                    d.reviewer.name,
                    d.reviewer.day,
                    d.approver.name,
                    d.approver.day,
                ])?;
            }
            Ok(id)
        })
    }

    /// Every decision whose batch holds, with the number of its batch, oldest first.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn decisions(&self) -> Result<Vec<(i64, Decision)>, StateError> {
        self.decisions_of("b.undone_at IS NULL")
    }

    /// Every decision whose batch was undone, with the number of its batch, oldest first.
    ///
    /// # Errors
    /// `STA-003`, `STA-005`.
    pub fn undone_decisions(&self) -> Result<Vec<(i64, Decision)>, StateError> {
        self.decisions_of("b.undone_at IS NOT NULL")
    }

    fn decisions_of(&self, batches: &str) -> Result<Vec<(i64, Decision)>, StateError> {
        let db = self.db();
        let mut query = db
            .prepare_cached(&format!(
                "SELECT d.batch, d.worklist, d.item, d.kind, d.rule, d.tbl, d.row_key, d.source, d.skey, d.col, d.before, d.after, d.evidence,
                   d.expires, d.handler, d.handled, d.reviewer, d.reviewed, d.approver, d.approved
                 FROM decision AS d JOIN batch AS b ON b.id = d.batch WHERE {batches} ORDER BY d.batch, d.item"
            ))
            .map_err(sql("list decisions"))?;
        let found: Vec<Option<(i64, Decision)>> =
            query.query_map([], decision).and_then(Iterator::collect).map_err(sql("list decisions"))?;
        let impossible = || StateError::Impossible { what: "a decision of an unknown kind".to_owned() };
        found.into_iter().map(|one| one.ok_or_else(impossible)).collect()
    }
}
