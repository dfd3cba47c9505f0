//! What can go wrong while a package is built or looked at. What is wrong inside a package is no error: see [`super::Problem`].

use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::durable::DurableError;
use crate::error::{Consequence, RetryClass};
use crate::measures::MeasureError;

/// What can go wrong while a package is built or looked at.
#[derive(Debug, Error, Diagnostic)]
pub enum PackageError {
    #[error("run {run} is blocked, so its rows are not sealed for upload")]
    #[diagnostic(
        code("PKG-001"),
        help(
            "`qianyi report` shows what blocks it; to look at such a package all the same: --allow-blocked"
        )
    )]
    Blocked { run: String },
    #[error("{file} is not the file that run {run} staged")]
    #[diagnostic(
        code("PKG-002"),
        help("somebody changed it after the run: run again, then build the package")
    )]
    Changed { file: String, run: String },
    #[error("{path} is no package: it has no bagit.txt")]
    #[diagnostic(
        code("PKG-003"),
        help("give the package's own folder, for example work/packages/p0001-r0001")
    )]
    NotABag { path: String },
    #[error("there is no package in {packages}")]
    #[diagnostic(code("PKG-004"), help("run `qianyi package build` first, or give the package's folder"))]
    None { packages: String },
    #[error("{path} cannot be read")]
    #[diagnostic(code("PKG-005"), help("check that the folder exists and the rights of its files"))]
    Unreadable { path: String, source: std::io::Error },
    #[error("{what} has no JSON form")]
    #[diagnostic(code("PKG-900"), help("this is a fault of qianyi: please report it"))]
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
            Self::Blocked { .. } | Self::NotABag { .. } | Self::None { .. } => RetryClass::Usage,
            Self::Changed { .. } | Self::Unreadable { .. } => RetryClass::Resume,
            Self::Form { .. } => RetryClass::Bug,
            Self::Dataset(e) => e.retry_class(),
            Self::Tally(e) => e.retry_class(),
            Self::Durable(e) => e.retry_class(),
        }
    }
}
