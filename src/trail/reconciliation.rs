//! `reconciliation.json`: both sides of every border, and what explains their differences (docs/reconciliation.md).
//!
//! Always: integers. A line is unexplained by the sum of what each of its cells (insurance, period) leaves unexplained, so that two
//! wrong cells never cancel out. No value of a row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole document; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    pub version: u32,
    pub run: String,
    pub borders: Vec<Border>,
    pub unit_of_money: Vec<UnitOfMoney>,
    pub plausible: Vec<Plausible>,
    pub totals: Totals,
}

/// Where two sides meet, for example source and raw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Border {
    /// `source-raw`, `raw-mapped`, `mapped-fates`, `staged-package`.
    pub border: String,
    pub left_side: String,
    pub right_side: String,
    pub lines: Vec<Line>,
    pub totals: Totals,
}

/// What a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Rows, parts, groups or values.
    Rows,
    Fen,
    /// 1/10000 yuan: floats and columns with four digits after the point.
    E4,
    /// Bytes of money that is written as text.
    Bytes,
}

/// One measure of one table (legacy table, edge `ylbx.GRJFMX→AC43`, national table).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub table: String,
    pub measure: String,
    pub unit: Unit,
    pub left: i64,
    pub right: i64,
    /// By reason; left = right + Σ explained + what is unexplained (with its sign).
    pub explained: BTreeMap<String, i64>,
    /// Σ over its cells of |left − right − explained|.
    pub unexplained: u64,
    /// The cells that leave something unexplained, at most 100.
    pub cells: Vec<Cell>,
}

/// One insurance and period of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub insurance: String,
    pub period: String,
    pub left: i64,
    pub right: i64,
    pub explained: BTreeMap<String, i64>,
    /// With its sign.
    pub unexplained: i64,
}

/// Payment details of one legacy table in one year against the unit ledgers: about 1, or 100 times wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitOfMoney {
    /// Legacy table of the details.
    pub table: String,
    pub insurance: String,
    pub year: String,
    pub details_fen: i64,
    pub ledgers_fen: i64,
    /// `times_100`, `hundredth`: which way the declared unit is wrong; counted as unexplained.
    pub fault: Option<String>,
}

/// The amounts of one legacy table, insurance and year against a plausible range (`mappings/national/tables/units.csv`), row by row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plausible {
    /// `AC43.AAE022/AAE180` (a share of another amount), `AC43.AAE180` (yuan a row).
    pub check: String,
    /// Legacy table.
    pub table: String,
    pub insurance: String,
    pub year: String,
    /// Rows that have the amounts.
    pub rows: u64,
    /// Of these: inside the range, 100 times above it, a hundredth of it. The others are neither.
    pub inside: u64,
    pub times_100: u64,
    pub hundredth: u64,
    /// Σ of the amounts.
    pub fen: i64,
    pub verdict: Judged,
}

/// What most rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Half of the rows or more are inside the range.
    Inside,
    /// Yuan and fen are mixed up: counted as unexplained.
    Times100,
    /// As `Times100`.
    Hundredth,
    /// Neither inside nor wrong by 100.
    Implausible,
    /// Too few rows to judge by.
    TooFew,
}

impl Judged {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Times100 => "times_100",
            Self::Hundredth => "hundredth",
            Self::Implausible => "implausible",
            Self::TooFew => "too_few",
        }
    }
}

/// Unexplained rows (rows, parts, groups, values, and bytes of text money) and fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub unexplained_rows: u64,
    pub unexplained_fen: u64,
}
