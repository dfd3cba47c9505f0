//! What can go wrong while a package is built or looked at. What is wrong inside a package is no error: see [`super::Problem`].

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::error::{Consequence, RetryClass};
use crate::measures::MeasureError;
use crate::{hint, said};

/// What can go wrong while a package is built or looked at.
#[derive(Debug, Error, Diagnostic)]
pub enum PackageError {
    #[error("{}", said!("PKG-001", run))]
    #[diagnostic(code("PKG-001"), help("{}", hint!("PKG-001")))]
    Blocked { run: String },
    #[error("{}", said!("PKG-002", file, run))]
    #[diagnostic(code("PKG-002"), help("{}", hint!("PKG-002")))]
    Changed { file: String, run: String },
    #[error("{}", said!("PKG-003", path))]
    #[diagnostic(code("PKG-003"), help("{}", hint!("PKG-003")))]
    NotABag { path: String },
    #[error("{}", said!("PKG-004", packages))]
    #[diagnostic(code("PKG-004"), help("{}", hint!("PKG-004")))]
    None { packages: String },
    #[error("{}", said!("PKG-005", path))]
    #[diagnostic(code("PKG-005"), help("{}", hint!("PKG-005")))]
    Unreadable { path: String, source: std::io::Error },
    #[error("{}", said!("PKG-900", what))]
    #[diagnostic(code("PKG-900"), help("{}", hint!("PKG-900")))]
    Form { what: String, source: serde_json::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tally(#[from] MeasureError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for PackageError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Blocked { .. } => RetryClass::Blocked,
            Self::NotABag { .. } | Self::None { .. } => RetryClass::Usage,
            Self::Changed { .. } | Self::Unreadable { .. } => RetryClass::Resume,
            Self::Form { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Tally(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
