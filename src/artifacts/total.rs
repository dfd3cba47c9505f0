//! Business totals of a run (`sql/totals/`): what an office adds up, old against new, line by line.
//!
//! Always: of every number old = ready + held back − by rules, exactly; money in fen.

use serde::{Deserialize, Serialize};

/// In place of what tells lines apart: all others of an insurance in one line.
pub const REST: &str = "(rest)";

/// One business total: a table of lines by insurance and something else (a year, a month, a state).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalTable {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    /// What it adds up, and what should be so.
    pub about_zh: String,
    pub about_en: String,
    /// What its lines are told apart by besides the insurance.
    pub by_zh: String,
    pub by_en: String,
    pub columns: Vec<TotalColumn>,
    /// By insurance, then by `by`; where only some lines are told apart, by how much they differ, and [`REST`] last.
    pub lines: Vec<TotalLine>,
}

/// One number of every line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalColumn {
    pub title_zh: String,
    pub title_en: String,
    /// Whether it is fen; else a count.
    pub money: bool,
    /// Whether it should be 0.
    pub zero: bool,
}

/// One line: its numbers in the order of the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalLine {
    pub insurance: String,
    /// A year, a month, a code, a unit; empty where there is none; [`REST`] for all others.
    pub by: String,
    /// The name of the code; empty where it is none; of [`REST`] how many lines it stands for.
    pub by_title: String,
    /// Of the rows as mapped: what the legacy database holds, in national terms.
    pub old: Vec<i128>,
    /// Of the rows that are staged.
    pub ready: Vec<i128>,
    /// Of the rows that are not.
    pub held_back: Vec<i128>,
}

impl TotalLine {
    /// What rules added and changed of one number.
    pub fn by_rules(&self, column: usize) -> i128 {
        let at = |of: &[i128]| of.get(column).copied().unwrap_or(0);
        at(&self.ready) + at(&self.held_back) - at(&self.old)
    }
}
