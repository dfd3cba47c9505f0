//! What a runner is given: where, which city, which sources, how much memory. Checked by config/ before it comes here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::Held;
use crate::artifacts::{KnownDifference, Suspicion};
use crate::report::Lang;
use crate::source::{Server, SourceSettings};
use crate::stop::Stop;

/// What a run is expected to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Percent of a national table's mapped rows that must be accepted.
    pub accepted_min: u8,
    pub acknowledged: Vec<Acknowledgement>,
    /// Differences that somebody answers for.
    pub known: Vec<KnownDifference>,
}

/// Something that would block a run, and that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    pub what: Suspicion,
    /// As the run names it: `AC43/kx`.
    pub name: String,
    /// Who answers for it.
    pub by: String,
    pub reason: String,
}

/// Where rules are, and what a city gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Folder with rules/ and models/.
    pub folder: PathBuf,
    /// `mappings/national`, with tables/ and external/.
    pub national: PathBuf,
    /// Parameters: rule → name → SQL literal.
    pub parameters: BTreeMap<String, BTreeMap<String, String>>,
    /// Outside data: name (`police`) → file.
    pub references: BTreeMap<String, PathBuf>,
}

/// Where a dry run loads to.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagingSettings {
    /// The schema that its tables have; they are loaded beside it.
    #[serde(default = "staging_schema")]
    pub schema: String,
    /// Sessions that load at a time.
    #[serde(default = "staging_connections")]
    pub connections: u32,
    /// Limit of one statement.
    #[serde(default = "staging_statement_seconds")]
    pub statement_seconds: u64,
    pub server: Server,
}

fn staging_schema() -> String {
    "qianyi_staging".to_owned()
}

fn staging_connections() -> u32 {
    2
}

fn staging_statement_seconds() -> u64 {
    3600
}

/// What a run approves by itself, because somebody said so beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub rule: String,
    /// More proposals than this are left to people.
    pub limit: u64,
    /// The last day on which it holds.
    pub until: NaiveDate,
    /// Who answers for it.
    pub approver: String,
    /// Account of the operating system.
    pub account: String,
}

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct RunSettings {
    pub workdir: PathBuf,
    /// `mappings/national`.
    pub national: PathBuf,
    /// `mappings/<city>`.
    pub city: PathBuf,
    /// `None`: nothing is cleaned.
    pub rules: Option<RuleSettings>,
    pub sources: Vec<SourceSettings>,
    /// Bytes for the whole process.
    pub memory: u64,
    /// Parallel streams.
    pub partitions: usize,
    /// The day that stands for today; `None`: that of the extract point.
    pub as_of: Option<NaiveDate>,
    /// In which the day of an extract point is told, and times are shown.
    pub time_zone: Tz,
    /// SHA-256 of the merged configuration, without what cannot change a result (work directory, memory, partitions).
    pub config_digest: String,
    /// Language of the page.
    pub lang: Lang,
    /// Tables that are read again, whatever their method of following changes.
    pub full_refresh: BTreeSet<String>,
    /// Extracts that are there to stand on; none: every source is read.
    pub held: Vec<Held>,
    /// What another process is told is running here.
    pub command: String,
    /// What would block the run, and what of it is acknowledged.
    pub expected: Expected,
    /// What it approves by itself.
    pub standing: Vec<Standing>,
    /// Asked by whoever wants the runner to end at its next boundary.
    pub stop: Stop,
}
