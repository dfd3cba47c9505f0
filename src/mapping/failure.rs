//! A failure inside a running plan, before the engine has said what it means.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::error::MappingError;
use crate::dataset::DatasetError;
use crate::engine::Engine;

/// DataFusion's word, or ours.
pub(super) enum Failure {
    Query(DataFusionError),
    Mapping(MappingError),
}

impl Failure {
    /// `what` completes "… could not be computed".
    pub(super) fn into_mapping(self, engine: &Engine, what: &str) -> MappingError {
        match self {
            Self::Query(e) => engine.error(what, e).into(),
            Self::Mapping(e) => e,
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(e: DataFusionError) -> Self {
        Self::Query(e)
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(e: tokio::task::JoinError) -> Self {
        Self::Query(DataFusionError::ExecutionJoin(Box::new(e)))
    }
}

impl From<ArrowError> for Failure {
    fn from(e: ArrowError) -> Self {
        Self::Query(DataFusionError::ArrowError(Box::new(e), None))
    }
}

impl From<MappingError> for Failure {
    fn from(e: MappingError) -> Self {
        Self::Mapping(e)
    }
}

impl From<DatasetError> for Failure {
    fn from(e: DatasetError) -> Self {
        Self::Mapping(e.into())
    }
}
