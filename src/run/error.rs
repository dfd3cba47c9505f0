//! What can go wrong in a walk: the errors of its rooms, and the few of its own.

use miette::Diagnostic;
use thiserror::Error;

use super::extract::ExtractError;
use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::engine::EngineError;
use crate::error::{Consequence, Follow};
use crate::gate::GateError;
use crate::mapping::{MappingError, MappingErrors};
use crate::national::NationalError;
use crate::package::PackageError;
use crate::quality::QualityError;
use crate::raw::RawError;
use crate::reconcile::ReconcileError;
use crate::report::ReportError;
use crate::source::SourceError;
use crate::state::StateError;
use crate::tally::TallyError;

/// What can go wrong in a walk.
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
            "check `match` in mappings/<city>/sources/{view}.toml, or whether the right database is configured"
        )
    )]
    NoTable { source_id: String, table: String, view: String },
    #[error("no finished run{wanted} in {workdir}")]
    #[diagnostic(
        code("RUN-003"),
        help("run `qianyi run` first, or check --workdir and the run id (`qianyi status`)")
    )]
    NoRun { workdir: String, wanted: String },
    #[error("a working thread ended without a result")]
    #[diagnostic(code("RUN-004"), help("report this with the log"))]
    Thread,
    #[error("{path} does not hold what this version writes")]
    #[diagnostic(code("RUN-005"), help("another version wrote it, or somebody changed it: run again"))]
    Form { path: String, source: serde_json::Error },
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
    Quality(#[from] QualityError),
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
    Tally(#[from] TallyError),
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
    fn follow(&self) -> Follow {
        match self {
            Self::NoSource { .. } | Self::NoTable { .. } | Self::NoRun { .. } | Self::Form { .. } => {
                Follow::Usage
            }
            Self::Thread => Follow::Bug,
            Self::National(e) => e.follow(),
            Self::Mappings(e) => e.follow(),
            Self::Mapping(e) => e.follow(),
            Self::Quality(e) => e.follow(),
            Self::Gate(e) => e.follow(),
            Self::Reconcile(e) => e.follow(),
            Self::Report(e) => e.follow(),
            Self::Package(e) => e.follow(),
            Self::Tally(e) => e.follow(),
            Self::Source(e) => e.follow(),
            Self::Extract(e) => e.follow(),
            Self::Raw(e) => e.follow(),
            Self::Engine(e) => e.follow(),
            Self::Dataset(e) => e.follow(),
            Self::State(e) => e.follow(),
            Self::Durable(e) => e.follow(),
        }
    }
}
