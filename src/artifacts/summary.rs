//! `summary.json`: what a finished run says about itself, for the terminal, the page and other programs.
//!
//! Always: counts, rules, tables, digests and times; never a value of a row.

use serde::{Deserialize, Serialize};

use super::{Against, EmptyRow, FigureRow, KnownDifference, Round, TotalTable, YearRow};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything adds up (exit status 0).
    Done,
    /// Finished, but something is unexplained (exit status 3).
    Blocked,
}

/// What a finished run says about itself; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub version: u32,
    pub run: String,
    pub status: Status,
    /// Why it is blocked; empty when done.
    pub blocked_by: Vec<Blocker>,
    /// What would block but for the configuration, and what the configuration acknowledges without need.
    pub acknowledged: Vec<Acknowledged>,
    /// Differences that somebody answers for; reconciliation.json says what became of each.
    #[serde(default)]
    pub known: Vec<KnownDifference>,
    /// What no second number stands against: counted beside what is unexplained.
    pub not_checked: Vec<NotChecked>,
    /// Version of qianyi.
    pub qianyi: String,
    pub city: String,
    pub city_name: String,
    /// The day that stands for today everywhere (yyyy-mm-dd).
    pub as_of: String,
    /// With the offset of the configured zone, as `finished`.
    pub started: String,
    pub finished: String,
    /// Digests of what the run stood on (SHA-256, hex).
    pub config_digest: String,
    pub national_digest: String,
    pub mapping_digest: String,
    /// Of rules and outside data, without approvals.
    #[serde(default)]
    pub rules_digest: String,
    pub extracts: Vec<ExtractRow>,
    pub stages: Vec<StageRow>,
    pub tables: Vec<TableRow>,
    pub dispositions: Vec<DispositionRow>,
    /// Every rule of every work item, and how it ended.
    #[serde(default)]
    pub cleaning: Vec<CleanRow>,
    /// Every invariant, and how it ended.
    #[serde(default)]
    pub invariants: Vec<InvariantRow>,
    /// What rules added and changed, by rule and table: why the dispositions have other rows and money than what was mapped.
    #[serde(default)]
    pub reasons: Vec<ReasonRow>,
    pub findings: Vec<FindingRow>,
    /// The last rounds, oldest first; the last of them is this run.
    #[serde(default)]
    pub rounds: Vec<Round>,
    /// What became of every standing approval.
    #[serde(default)]
    pub standing: Vec<StandingRow>,
    /// Empty values of every national column (FIL-18).
    #[serde(default)]
    pub empty: Vec<EmptyRow>,
    /// Values that could not be decoded, read or translated.
    pub read_errors: Vec<ReadErrorRow>,
    /// Legacy tables that are not extracted, and why.
    pub left_alone: Vec<LeftAlone>,
    /// What the legacy database holds, and how much of it is ready, by insurance.
    #[serde(default)]
    pub figures: Vec<FigureRow>,
    /// Money by year, old against new.
    #[serde(default)]
    pub years: Vec<YearRow>,
    /// Business totals, old against new.
    #[serde(default)]
    pub totals: Vec<TotalTable>,
    /// What changed since the round before; none: this is the first one, or the one before can no longer be read.
    #[serde(default)]
    pub changed: Option<Against>,
    pub unexplained_rows: u64,
    pub unexplained_fen: u64,
    /// The most memory the process ever held, in bytes (0 where the system does not tell).
    pub peak_rss_bytes: u64,
}

/// One thing that keeps a finished run from being done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Blocker {
    /// What does not add up (reconciliation.json says where).
    Unexplained { rows: u64, fen: u64 },
    /// A rule that could not be checked.
    NotChecked { table: String, column: String, rule: String, why: String },
    /// A legacy table (`ylbx.GRJBXX`) that nothing reads and no `[[ignore]]` names.
    Undecided { table: String },
    /// A source that was read without a common point in time: never fit for cutover.
    Fuzzy { source: String },
    /// An invariant that is broken, and by how many rows.
    Invariant { id: String, rows: u64 },
    /// What is hardly meant, and nobody has acknowledged: `part` of `whole` (rows).
    Suspect { what: Suspicion, name: String, part: u64, whole: u64 },
}

/// One rule over one table: how it ended, and what became of the fields and rows that it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanRow {
    /// garbage, restore, correct, fill, complete, ledger or merge.
    pub item: String,
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub severity: String,
    /// 综合, 养老, 失业, 经办, 信息 or 审计.
    pub department: String,
    pub table: String,
    /// clean, found, nothing_to_check or did_not_run.
    pub ended: String,
    pub why: Option<String>,
    /// Outside data that some of its files lacked.
    pub without: Vec<String>,
    /// A0, done in this run.
    pub repaired: u64,
    /// A1, waiting for approval.
    pub proposed: u64,
    /// V, for the department.
    pub to_verify: u64,
    /// P, for the province.
    pub to_province: u64,
    /// N.
    pub noted: u64,
}

/// One standing approval, and what became of it in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRow {
    pub rule: String,
    pub limit: u64,
    pub until: String,
    /// Who answers for it.
    pub by: String,
    /// That waited for approval, or were approved.
    pub proposals: u64,
    pub end: StandingEnd,
    /// `b0007`.
    pub batches: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingEnd {
    /// The next run applies them.
    Approved,
    /// Nothing waited.
    Nothing,
    /// More waited than its limit.
    Beyond,
    /// Its last day is past.
    Expired,
    /// Who answers for it began the run.
    OwnRun,
    /// Raw is not what was recorded.
    NoBackup,
}

impl StandingEnd {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Nothing => "nothing",
            Self::Beyond => "beyond",
            Self::Expired => "expired",
            Self::OwnRun => "own_run",
            Self::NoBackup => "no_backup",
        }
    }
}

/// How an invariant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvariantEnd {
    Holds,
    Broken,
    /// No row, or no earlier run, to compare.
    NothingToCheck,
}

impl InvariantEnd {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::NothingToCheck => "nothing_to_check",
        }
    }
}

/// One invariant of a run (reference 5.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvariantRow {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    pub compares_zh: String,
    pub compares_en: String,
    pub ended: InvariantEnd,
    /// Whether the run is blocked while it is broken.
    pub blocks: bool,
    /// Rows that break it.
    pub rows: u64,
    /// The first of them by their keys, masked.
    pub samples: Vec<String>,
    /// The first work item after which it was broken, where that can be told.
    pub item: Option<String>,
}

/// What one rule added to a table, or changed in its rows and money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonRow {
    pub rule: String,
    pub table: String,
    /// added, or changed.
    pub effect: String,
    /// More rows than were mapped.
    pub rows: i64,
    /// More fen than were mapped, by column.
    pub fen: std::collections::BTreeMap<String, i128>,
}

/// What adds up and is hardly meant all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// A branch (`AC43/kx`, or `AC43/kx/GRJFMX_2003` for one table of a family) that makes no row of a legacy table that has rows.
    EmptyBranch,
    /// A national table (`AC50`) that is mapped from legacy tables without a row.
    EmptyTable,
    /// A national table (`AC01`) of which fewer rows are accepted than `[limits] accepted_min` says.
    Acceptance,
    /// A code column (`sex/ylbx.GRJBXX.XB`) of which less than half of the rows are translated.
    CodeList,
    /// A text column (`gbk/ylbx.GRJBXX.XM`) that was read in an encoding of single bytes, and of which some values are text in another one.
    Encoding,
    /// Amounts (`AC43.AAE180/ylbx.GRJFMX_2003`) that mostly lie outside what is plausible, and not by a factor of 100.
    Implausible,
    /// A measure (`AC43/kx.AAE020`) that a branch fills with a constant, while money of its legacy table arrives nowhere.
    ConstantMeasure,
    /// A legacy column (`ylbx.GRJFMX.JE`) whose money comes to nothing in every national measure that it feeds, and that no `amounts` names.
    VanishedMoney,
}

impl Suspicion {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::EmptyBranch,
        Self::EmptyTable,
        Self::Acceptance,
        Self::CodeList,
        Self::Encoding,
        Self::Implausible,
        Self::ConstantMeasure,
        Self::VanishedMoney,
    ];

    /// As it is written in the configuration and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::EmptyBranch => "empty_branch",
            Self::EmptyTable => "empty_table",
            Self::Acceptance => "acceptance",
            Self::CodeList => "code_list",
            Self::Encoding => "encoding",
            Self::Implausible => "implausible",
            Self::ConstantMeasure => "constant_measure",
            Self::VanishedMoney => "vanished_money",
        }
    }
}

/// One line of `[[acknowledged]]`, and what it is about; `used` is false where nothing of that name would block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub what: Suspicion,
    pub name: String,
    pub by: String,
    pub reason: String,
    pub used: bool,
    pub part: u64,
    pub whole: u64,
}

/// Something that could not be compared with anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotChecked {
    pub what: Unchecked,
    /// A legacy column: `ylbx.GRJFMX.JFGZ`.
    pub name: String,
}

/// What of a money column was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unchecked {
    /// Money that `[measures] amounts` does not name: the source is not asked for its sum, and no measure takes it on.
    NotDeclared,
    /// Money written as text: rows and bytes were compared, not the sum.
    TextSum,
    /// A float: compared to four digits after the point.
    FloatDigits,
    /// Yuan or fen: neither ledgers nor a plausible range stand against it.
    UnitOfMoney,
}

impl Unchecked {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotDeclared => "not_declared",
            Self::TextSum => "text_sum",
            Self::FloatDigits => "float_digits",
            Self::UnitOfMoney => "unit_of_money",
        }
    }
}

/// The raw snapshot of one source that the run stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtractRow {
    pub source: String,
    pub extract: String,
    pub consistency: String,
    pub point: String,
    /// When it began, with the offset of the configured zone.
    pub started: String,
    /// It was there, and was taken without asking the source (`run --extract`).
    pub held: bool,
    pub tables: u64,
    pub rows: u64,
}

/// One stage: rows that went through it in this process, and how long it took; a stage that an earlier process finished shows 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRow {
    pub stage: String,
    pub rows: u64,
    pub seconds: f64,
    pub rows_per_second: f64,
}

/// One national table: its rows by disposition, and the digests of what was staged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    pub table: String,
    pub title: String,
    pub mapped: u64,
    /// Rows that rules added; `mapped` + `added` = Σ dispositions.
    #[serde(default)]
    pub added: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub held: u64,
    pub excluded: u64,
    pub merged: u64,
    /// SHA-256 over the names and file digests of the staged parts (FORMS 5, file digest).
    pub file_digest: String,
    /// Content digest of the staged rows (FORMS 5).
    pub content_digest: String,
}

/// Rows of one table that were not accepted, by disposition and reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DispositionRow {
    pub table: String,
    pub disposition: String,
    pub reason: String,
    pub rows: u64,
}

/// Findings of one rule on one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingRow {
    pub rule: String,
    pub title_zh: String,
    pub title_en: String,
    pub level: String,
    pub gate: String,
    pub table: String,
    pub column: String,
    pub rows: u64,
    /// The first of its rows.
    #[serde(default)]
    pub examples: Vec<FindingExample>,
}

/// A row that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingExample {
    pub key: Option<String>,
    /// Masked.
    pub value: Option<String>,
    /// The legacy row.
    pub source: String,
    pub skey: Option<String>,
}

/// Values of one legacy column that could not be read, by read error code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadErrorRow {
    /// `ylbx.GRJBXX`.
    pub table: String,
    pub column: String,
    pub code: String,
    pub rows: u64,
}

/// A legacy table that is not extracted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    pub source: String,
    pub table: String,
    /// From `[[ignore]]`, or that it is a view, or that nothing reads it.
    pub reason: String,
    /// False when nobody decided: no `[[ignore]]` and no view of layer 1.
    pub mapped: bool,
}
