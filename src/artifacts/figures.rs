//! What the first screen of a run's page counts: units, persons, accounts, yuan by insurance (`mappings/national/tables/figures.csv`).
//!
//! Always: old = ready + Σ not ready, exactly; of money the difference that rules made stands beside it: old = ready + Σ not ready − rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One figure of one insurance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureRow {
    /// `persons`, `contributions`.
    pub figure: String,
    pub title_zh: String,
    pub title_en: String,
    /// Whether the numbers are fen; else they are different keys.
    pub money: bool,
    /// A code, or `(none)`.
    pub insurance: String,
    /// Its Chinese name; empty where the national list has none.
    pub insurance_title: String,
    /// What the legacy database holds, in national terms.
    pub old: i128,
    /// Of it: staged for upload.
    pub ready: i128,
    /// The rest by disposition; `rekeyed`: a rule moved its rows to another insurance.
    pub not_ready: BTreeMap<String, i128>,
    /// What rules added (keys), added and changed (fen): part of what is uploaded, not of the old.
    pub by_rules: i128,
}

impl FigureRow {
    /// What is not uploaded.
    pub fn held_back(&self) -> i128 {
        self.not_ready.values().sum()
    }
}

/// The money of one figure in one year, old against new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct YearRow {
    pub figure: String,
    pub title_zh: String,
    pub title_en: String,
    pub insurance: String,
    /// Four digits, or `(none)`.
    pub year: String,
    /// Fen, as mapped and as staged.
    pub old: i128,
    pub ready: i128,
}
