//! `[cutover]` of the configuration: limits of the criteria, and who approves.

use std::collections::BTreeMap;

/// Limits of the criteria.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CutoverSettings {
    /// Findings that keep rows out, which a rule may have; 0 where it is not named.
    pub blocking: BTreeMap<String, u64>,
    /// Legacy tables and columns that nobody decided about.
    pub undecided_max: u64,
    /// Rows with codes that are not mapped.
    pub unmapped_rows_max: u64,
    /// Amounts that nothing stands against.
    pub not_checked_max: u64,
    /// Days since the dry run.
    pub age_days: u32,
    /// Hours since the newest extract of every source began; of no account once the work directory is frozen.
    pub lag_hours: u32,
    /// Hours that run and load may take; `None`: nobody said, and the criterion is not fulfilled.
    pub window_hours: Option<u32>,
    /// How many of the approvers must have approved.
    pub approvals: u32,
    /// Accounts of `[[people]]` with the role `approver`.
    pub approvers: Vec<String>,
}

impl Default for CutoverSettings {
    fn default() -> Self {
        Self {
            blocking: BTreeMap::new(),
            undecided_max: 0,
            unmapped_rows_max: 0,
            not_checked_max: 0,
            age_days: 7,
            lag_hours: 24,
            window_hours: None,
            approvals: 2,
            approvers: Vec::new(),
        }
    }
}
