//! What can go wrong in a run: the errors of its stages, and the few of its own.

use miette::Diagnostic;
use thiserror::Error;

use super::extract::ExtractError;
use super::preflight::Problem;
use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, RetryClass};
use crate::gate::GateError;
use crate::mapping::{MappingError, MappingErrors};
use crate::measures::MeasureError;
use crate::national::NationalError;
use crate::package::PackageError;
use crate::raw::RawError;
use crate::reconcile::ReconcileError;
use crate::report::ReportError;
use crate::rules::RuleError;
use crate::source::SourceError;
use crate::staging::StagingError;
use crate::state::StateError;
use crate::validate::ValidateError;

/// What can go wrong in a runner.
#[derive(Debug, Error, Diagnostic)]
pub enum RunError {
    #[error("the city {city} reads source {wanted}, which the configuration does not have")]
    #[diagnostic(
        code("RUN-001"),
        help("add [[sources]] with id = \"{wanted}\" to the configuration; it has: {known}")
    )]
    NoSource { city: String, wanted: String, known: String },
    #[error("source {source_id} has no table {table} that {view}.toml could read")]
    #[diagnostic(
        code("RUN-002"),
        help(
            "{hint}check `match` in mappings/<city>/sources/{view}.toml, whether the right database and schema are configured, and the rights of the login: a server hides tables that it may not see"
        )
    )]
    NoTable { source_id: String, table: String, view: String, hint: String },
    #[error("no finished run{wanted} in {workdir}")]
    #[diagnostic(
        code("RUN-003"),
        help("run `qianyi run` first, or check --workdir and the run id (`qianyi status`)")
    )]
    NoRun { workdir: String, wanted: String },
    #[error("the work directory was frozen for cutover at {at} by {by}: no source is read after that")]
    #[diagnostic(
        code("RUN-032"),
        help(
            "`qianyi run --extract latest` runs over the last extract; another --workdir may extract again"
        )
    )]
    Frozen { at: String, by: String },
    #[error("{path} is not what run {run} wrote")]
    #[diagnostic(
        code("RUN-030"),
        help(
            "somebody changed or removed it, or the disk is failing: nothing is reported or packaged from it. Restore it from a backup, or run again"
        )
    )]
    Altered { path: String, run: String },
    #[error("{path} changed since it was written")]
    #[diagnostic(
        code("RUN-031"),
        help(
            "check the disk; then run the same command again: it computes this part anew and goes on from there"
        )
    )]
    PartChanged { path: String },
    #[error(
        "the ledger of round {run}, {path}, is not what was recorded: what was found before cannot be told from what is new"
    )]
    #[diagnostic(
        code("RUN-021"),
        help(
            "restore rounds/{run} from a backup of the work directory, then run again: it goes on from here"
        )
    )]
    LostRound { run: String, path: String },
    #[error("{account} began run {run}, and does not approve what it proposes")]
    #[diagnostic(
        code("RUN-017"),
        help("another account with the role approver approves it ([[people]] of the configuration)")
    )]
    OwnBatch { account: String, run: String },
    #[error("the raw part {path} is not what was recorded: nothing is approved without a backup")]
    #[diagnostic(
        code("RUN-018"),
        help(
            "restore the work directory, or extract again with `qianyi extract`, run, and approve that run"
        )
    )]
    NoBackup { path: String },
    #[error("a working thread ended without a result")]
    #[diagnostic(code("RUN-004"), help("report this with the log"))]
    Thread,
    #[error("{path} does not hold what this version writes")]
    #[diagnostic(code("RUN-005"), help("another version wrote it, or somebody changed it: run again"))]
    Form { path: String, source: serde_json::Error },
    #[error("{} things stand in the way; nothing was read", problems.len())]
    #[diagnostic(
        code("RUN-006"),
        help("`qianyi plan` shows the same list: mend each of them, then run again")
    )]
    Refused {
        #[related]
        problems: Vec<Problem>,
    },
    #[error("source {source_id} shows no table at all")]
    #[diagnostic(
        code("RUN-007"),
        help(
            "check `database` and `schema` of [sources.server] (or `path`), and the rights of the login: a server hides tables that it may not see"
        )
    )]
    NothingThere { source_id: String },
    #[error("there is no extract {extract} of a source that {city} reads")]
    #[diagnostic(code("RUN-008"), help("`qianyi status` lists the extracts of this work directory"))]
    NoExtract { extract: String, city: String },
    #[error("extract {extract} of source {source_id} is {status}, not complete")]
    #[diagnostic(
        code("RUN-009"),
        help("name a complete one (`qianyi status`), or `--extract latest`; `qianyi extract` completes it")
    )]
    NotComplete { extract: String, source_id: String, status: &'static str },
    #[error("--extract names {named} of source {source_id}, and a run stands on one of each source")]
    #[diagnostic(
        code("RUN-010"),
        help("give `--extract latest`, or `--extract` with one id for each source of the city")
    )]
    OneExtract { source_id: String, named: String },
    #[error("extract {extract} does not hold {what}, which sources/{view}.toml reads")]
    #[diagnostic(
        code("RUN-011"),
        help(
            "it was made with a mapping that left this out, or from a source without it: run once without --extract, which reads it"
        )
    )]
    NotHeld { extract: String, what: String, view: String },
    #[error(
        "in extract {extract}, source {source_id} was asked for other sums of {table} than `[measures]` of sources/{view}.toml now names"
    )]
    #[diagnostic(
        code("RUN-012"),
        help("the source has to be asked: run once without --extract, or put `[measures]` back as it was")
    )]
    OtherSums { extract: String, source_id: String, table: String, view: String },
    #[error("{path}, a part of extract {extract}, is not what was recorded")]
    #[diagnostic(
        code("RUN-013"),
        help(
            "somebody changed or removed it: take it from a backup, or run without --extract, which reads it again"
        )
    )]
    Damaged { extract: String, path: String },
    #[error("extract {extract} does not say what else source {source_id} has")]
    #[diagnostic(
        code("RUN-014"),
        help("it was interrupted at its very end, or an older version made it: run `qianyi extract` once")
    )]
    NoInventory { extract: String, source_id: String },
    #[error("extract {extract}: {column} was read as {was}, and the configuration now says {now}")]
    #[diagnostic(
        code("RUN-016"),
        help(
            "an encoding is settled when a table is read: run without --extract, which reads it again, or put `encoding` back"
        )
    )]
    OtherEncoding { extract: String, column: String, was: String, now: String },
    #[error("source {source_id}: every table that {view}.toml reads is ignored: {table} by {by}")]
    #[diagnostic(
        code("RUN-015"),
        help(
            "make the pattern under [[ignore]] narrower, or remove sources/{view}.toml and the branches that read it"
        )
    )]
    Ignored { source_id: String, table: String, view: String, by: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    National(#[from] NationalError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mappings(#[from] MappingErrors),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mapping(#[from] MappingError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Validate(#[from] ValidateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Rules(#[from] RuleError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reconcile(#[from] ReconcileError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Staging(#[from] StagingError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Raw(#[from] RawError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for RunError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::NoSource { .. }
            | Self::NoTable { .. }
            | Self::NoRun { .. }
            | Self::Frozen { .. }
            | Self::Altered { .. }
            | Self::Form { .. }
            | Self::Refused { .. }
            | Self::NothingThere { .. }
            | Self::NoExtract { .. }
            | Self::NotComplete { .. }
            | Self::OneExtract { .. }
            | Self::NotHeld { .. }
            | Self::OtherSums { .. }
            | Self::Damaged { .. }
            | Self::NoInventory { .. }
            | Self::OtherEncoding { .. }
            | Self::OwnBatch { .. }
            | Self::NoBackup { .. }
            | Self::LostRound { .. }
            | Self::Ignored { .. } => RetryClass::Usage,
            Self::PartChanged { .. } => RetryClass::Resume,
            Self::Thread => RetryClass::Bug,
            Self::National(e) => e.retry_class(),
            Self::Mappings(e) => e.retry_class(),
            Self::Mapping(e) => e.retry_class(),
            Self::Validate(e) => e.retry_class(),
            Self::Rules(e) => e.retry_class(),
            Self::Gate(e) => e.retry_class(),
            Self::Reconcile(e) => e.retry_class(),
            Self::Report(e) => e.retry_class(),
            Self::Package(e) => e.retry_class(),
            Self::Measure(e) => e.retry_class(),
            Self::Staging(e) => e.retry_class(),
            Self::Source(e) => e.retry_class(),
            Self::Extract(e) => e.retry_class(),
            Self::Raw(e) => e.retry_class(),
            Self::Engine(e) => e.retry_class(),
            Self::Dataset(e) => e.retry_class(),
            Self::State(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
