//! The package: the staged tables of one run, sealed as a BagIt bag (RFC 8493, version 1.0; docs/package.md).
//!
//! Always: built under a temporary name, synced, renamed as a whole; the same run and number give the same bytes. Any BagIt validator
//! accepts it. Verification needs nothing but the package.
//! Must not know: how rows came to be staged.

mod bag;
mod build;
mod cross;
mod dictionary;
mod error;
mod verify;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folder;

pub use build::{Build, Built, StagedPart, StagedTable, build, unrecorded};
pub use error::PackageError;
pub use verify::{Problem, Verified, verify};

/// `data/tables.json`: what is in a package; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub version: u32,
    pub package: String,
    pub run: String,
    /// True when the run did not end well: never for upload.
    pub blocked: bool,
    pub tables: Vec<PackedTable>,
    /// The key maps of what was merged: donor and survivor, by table.
    #[serde(default)]
    pub key_maps: Vec<PackedPart>,
}

/// One national table of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedTable {
    pub table: String,
    pub title: String,
    pub rows: u64,
    /// Content digest of its rows (FORMS 5).
    pub content_digest: String,
    pub parts: Vec<PackedPart>,
}

/// One Parquet file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedPart {
    /// Relative to the package's folder, with `/`.
    pub file: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// The newest package of a folder of packages.
///
/// # Errors
/// `PKG-004` when there is none; an unreadable folder.
pub fn newest(packages: &Path) -> Result<PathBuf, PackageError> {
    let none = || PackageError::None { packages: packages.display().to_string() };
    numbered(packages)?.into_iter().next_back().map(|(_, path)| path).ok_or_else(none)
}

/// Finished packages by number: folders named `p0001-…`.
fn numbered(packages: &Path) -> Result<Vec<(u32, PathBuf)>, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: packages.display().to_string(), source };
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        name.strip_prefix('p')?.split('-').next()?.parse().ok()
    };
    let listed = folder::entries(packages).map_err(unreadable)?;
    let mut found: Vec<_> = listed.into_iter().filter_map(|p| Some((number(&p)?, p))).collect();
    found.sort();
    Ok(found)
}
