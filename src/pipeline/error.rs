//! What can go wrong in a run: the errors of its stages, and the few of its own.

use miette::Diagnostic;
use thiserror::Error;

use super::extract::ExtractError;
use super::preflight::Problem;
use crate::audit::AuditError;
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
use crate::{hint, said};

/// What can go wrong in a runner.
#[derive(Debug, Error, Diagnostic)]
pub enum RunError {
    #[error("{}", said!("RUN-001", city, wanted))]
    #[diagnostic(code("RUN-001"), help("{}", hint!("RUN-001", wanted, known)))]
    NoSource { city: String, wanted: String, known: String },
    #[error("{}", said!("RUN-002", source_id, table, view))]
    #[diagnostic(code("RUN-002"), help("{}", hint!("RUN-002", hint, view)))]
    NoTable { source_id: String, table: String, view: String, hint: String },
    #[error("{}", said!("RUN-003", wanted, workdir))]
    #[diagnostic(code("RUN-003"), help("{}", hint!("RUN-003")))]
    NoRun { workdir: String, wanted: String },
    #[error("{}", said!("RUN-033", at, by))]
    #[diagnostic(code("RUN-033"), help("{}", hint!("RUN-033")))]
    Frozen { at: String, by: String },
    #[error("{}", said!("RUN-034", source_id, what))]
    #[diagnostic(code("RUN-034"), help("{}", hint!("RUN-034")))]
    Unfinished { source_id: String, what: String },
    #[error("{}", said!("RUN-030", path, run))]
    #[diagnostic(code("RUN-030"), help("{}", hint!("RUN-030")))]
    Altered { path: String, run: String },
    #[error("{}", said!("RUN-031", path))]
    #[diagnostic(code("RUN-031"), help("{}", hint!("RUN-031")))]
    PartChanged { path: String },
    #[error("{}", said!("RUN-021", run, path))]
    #[diagnostic(code("RUN-021"), help("{}", hint!("RUN-021", run)))]
    LostRound { run: String, path: String },
    #[error("{}", said!("RUN-017", account, run))]
    #[diagnostic(code("RUN-017"), help("{}", hint!("RUN-017")))]
    OwnBatch { account: String, run: String },
    #[error("{}", said!("RUN-018", path))]
    #[diagnostic(code("RUN-018"), help("{}", hint!("RUN-018")))]
    NoBackup { path: String },
    #[error("{}", said!("RUN-032", run))]
    #[diagnostic(code("RUN-032"), help("{}", hint!("RUN-032", page)))]
    Pruned { run: String, page: String },
    #[error("{}", said!("RUN-004"))]
    #[diagnostic(code("RUN-004"), help("{}", hint!("RUN-004")))]
    Thread,
    #[error("{}", said!("RUN-005", path))]
    #[diagnostic(code("RUN-005"), help("{}", hint!("RUN-005")))]
    Form { path: String, source: serde_json::Error },
    #[error("{}", said!("RUN-006", count = problems.len()))]
    #[diagnostic(code("RUN-006"), help("{}", hint!("RUN-006")))]
    Refused {
        #[related]
        problems: Vec<Problem>,
    },
    #[error("{}", said!("RUN-007", source_id))]
    #[diagnostic(code("RUN-007"), help("{}", hint!("RUN-007")))]
    NothingThere { source_id: String },
    #[error("{}", said!("RUN-008", extract, city))]
    #[diagnostic(code("RUN-008"), help("{}", hint!("RUN-008")))]
    NoExtract { extract: String, city: String },
    #[error("{}", said!("RUN-009", extract, source_id, status))]
    #[diagnostic(code("RUN-009"), help("{}", hint!("RUN-009")))]
    NotComplete { extract: String, source_id: String, status: &'static str },
    #[error("{}", said!("RUN-010", named, source_id))]
    #[diagnostic(code("RUN-010"), help("{}", hint!("RUN-010")))]
    OneExtract { source_id: String, named: String },
    #[error("{}", said!("RUN-011", extract, what, view))]
    #[diagnostic(code("RUN-011"), help("{}", hint!("RUN-011")))]
    NotHeld { extract: String, what: String, view: String },
    #[error("{}", said!("RUN-012", extract, source_id, table, view))]
    #[diagnostic(code("RUN-012"), help("{}", hint!("RUN-012")))]
    OtherSums { extract: String, source_id: String, table: String, view: String },
    #[error("{}", said!("RUN-013", path, extract))]
    #[diagnostic(code("RUN-013"), help("{}", hint!("RUN-013")))]
    Damaged { extract: String, path: String },
    #[error("{}", said!("RUN-014", extract, source_id))]
    #[diagnostic(code("RUN-014"), help("{}", hint!("RUN-014")))]
    NoInventory { extract: String, source_id: String },
    #[error("{}", said!("RUN-016", extract, column, was, now))]
    #[diagnostic(code("RUN-016"), help("{}", hint!("RUN-016")))]
    OtherEncoding { extract: String, column: String, was: String, now: String },
    #[error("{}", said!("RUN-015", source_id, view, table, by))]
    #[diagnostic(code("RUN-015"), help("{}", hint!("RUN-015", view)))]
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
    Audit(#[from] AuditError),
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
            | Self::Unfinished { .. }
            | Self::Altered { .. }
            | Self::Pruned { .. }
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
            Self::Audit(e) => e.retry_class(),
            Self::State(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
