//! The files of `mappings/national/` → the checked schema.

use std::path::Path;

use miette::Diagnostic;
use thiserror::Error;

use super::National;
use crate::error::{Consequence, Follow};

/// What is wrong with the national schema.
#[derive(Debug, Error, Diagnostic)]
pub enum NationalError {
    #[error("{path} cannot be read")]
    #[diagnostic(
        code("NAT-001"),
        help("check `mappings` in the configuration; the folder holds schema.toml")
    )]
    Unreadable { path: String, source: std::io::Error },
}

impl Consequence for NationalError {
    fn follow(&self) -> Follow {
        match self {
            Self::Unreadable { .. } => Follow::Usage,
        }
    }
}

/// Loads and checks the folder.
///
/// # Errors
/// `NAT-…`, all mistakes of a file at once.
pub fn load(dir: &Path) -> Result<National, NationalError> {
    Err(NationalError::Unreadable {
        path: dir.display().to_string(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}
