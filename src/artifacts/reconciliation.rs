//! `reconciliation.json`: both sides of every boundary, and what explains their differences (docs/reconciliation.md).
//!
//! Always: integers. A line is unexplained by the sum of what each of its cells (insurance, period) leaves unexplained, so that two
//! wrong cells never cancel out. No value of a row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::KnownRow;

/// The whole document; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    pub version: u32,
    pub run: String,
    pub boundaries: Vec<Boundary>,
    pub unit_of_money: Vec<UnitOfMoney>,
    pub plausible: Vec<Plausible>,
    /// Every known difference, and what became of it.
    #[serde(default)]
    pub known: Vec<KnownRow>,
    pub totals: Totals,
}

/// Where two sides meet, for example source and raw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// `source-raw`, `raw-mapped`, `mapped-dispositions`, `staged-package`.
    pub boundary: String,
    pub left_side: String,
    pub right_side: String,
    pub lines: Vec<Line>,
    pub totals: Totals,
}

/// What a line counts: `rows`, `bytes`, `fen`, `e4`, … in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unit {
    /// Rows, parts, groups or values.
    Rows,
    /// Yuan, in units of so many digits after the point: 2 is fen, 4 is 1/10000 yuan.
    Money { digits: u32 },
    /// Bytes of money that is written as text.
    Bytes,
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Rows => "rows".to_owned(),
            Unit::Bytes => "bytes".to_owned(),
            Unit::Money { digits: 2 } => "fen".to_owned(),
            Unit::Money { digits } => format!("e{digits}"),
        }
    }
}

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "rows" => Ok(Self::Rows),
            "bytes" => Ok(Self::Bytes),
            "fen" => Ok(Self::Money { digits: 2 }),
            other => {
                let digits = other.strip_prefix('e').and_then(|d| d.parse().ok());
                digits.map(|digits| Self::Money { digits }).ok_or_else(|| format!("{other} is no unit"))
            }
        }
    }
}

/// One measure of one table (legacy table, edge `ylbx.GRJFMX→AC43`, national table).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub table: String,
    pub measure: String,
    pub unit: Unit,
    pub left: i128,
    pub right: i128,
    /// By reason; left = right + Σ explained + what is unexplained (with its sign).
    pub explained: BTreeMap<String, i128>,
    /// Σ over its cells of |left − right − explained|.
    pub unexplained: u128,
    /// The cells that leave something unexplained, at most 100.
    pub cells: Vec<Cell>,
}

/// One insurance and period of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub insurance: String,
    pub period: String,
    pub left: i128,
    pub right: i128,
    pub explained: BTreeMap<String, i128>,
    /// With its sign.
    pub unexplained: i128,
}

/// Payment details of one legacy table in one year against the unit ledgers: about 1, or 100 times wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitOfMoney {
    /// Legacy table of the details.
    pub table: String,
    pub insurance: String,
    pub year: String,
    pub details_fen: i128,
    pub ledgers_fen: i128,
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
    pub fen: i128,
    pub verdict: Judged,
}

/// What most rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Half of the rows or more are inside the range.
    Inside,
    /// Yuan and fen are mixed up: counted as unexplained.
    #[serde(rename = "times_100")]
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

/// Unexplained rows (rows, parts, groups, values, and bytes of text money) and fen; 2⁶⁴ − 1 stands for as many or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub unexplained_rows: u64,
    pub unexplained_fen: u64,
}
