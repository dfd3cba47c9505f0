//! What rounds come to: findings by state, counted by rule, and empty values by column (docs/rounds.md).
//!
//! Must not know: how a state is told.

use serde::{Deserialize, Serialize};

/// Findings of one rule in one round, each counted once however many rows share its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundRow {
    /// garbage … merge; `check`: the structural check alone knows the rule.
    pub item: String,
    pub rule: String,
    /// 综合, 养老, 失业, 经办, 信息 or 审计.
    pub department: String,
    pub new: u64,
    pub open: u64,
    /// In this round.
    pub fixed: u64,
    pub reopened: u64,
    /// People have said that it is so and stays, until a day. They do not stand.
    #[serde(default)]
    pub waived: u64,
}

impl RoundRow {
    /// Findings that stand.
    pub fn standing(&self) -> u64 {
        self.new + self.open + self.reopened
    }
}

/// One round: a run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    pub run: String,
    /// The round that it was compared with.
    pub before: Option<String>,
    /// The day that stood for today (yyyy-mm-dd).
    pub as_of: String,
    /// By work item and rule.
    pub rows: Vec<RoundRow>,
}

impl Round {
    /// All rules together.
    pub fn total(&self) -> RoundRow {
        let sum = |get: fn(&RoundRow) -> u64| self.rows.iter().map(get).sum();
        RoundRow {
            new: sum(|r| r.new),
            open: sum(|r| r.open),
            fixed: sum(|r| r.fixed),
            reopened: sum(|r| r.reopened),
            waived: sum(|r| r.waived),
            ..RoundRow::default()
        }
    }
}

/// Empty values of one national column: as mapped, and after cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptyRow {
    pub table: String,
    pub column: String,
    pub title: String,
    pub rows: u64,
    pub before: u64,
    pub after: u64,
}
