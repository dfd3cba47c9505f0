//! How much of the disk a work directory takes, and what of it.
//!
//! Always: a file that several runs share counts once in a sum; temporary files count. Only reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::RunError;
use super::prune::disk_bytes;
use super::verify::{entries, walk};
use crate::durable;
use crate::raw;
use crate::state::State;

/// Bytes, by what they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    pub raw: u64,
    pub runs: u64,
    pub packages: u64,
    pub rounds: u64,
    pub logs: u64,
    pub total: u64,
    /// Free where the work directory is; none where the system does not say.
    pub free: Option<u64>,
    /// Of each run, extract (its own files) and package by itself.
    #[serde(skip)]
    pub each: BTreeMap<String, u64>,
}

/// Measures a work directory.
///
/// # Errors
/// `STA-…`; a folder that cannot be listed.
pub fn sizes(state: &State) -> Result<Sizes, RunError> {
    let workdir = state.workdir();
    let mut found = Sizes { free: durable::free_bytes(workdir), ..Sizes::default() };
    let mut all: Vec<PathBuf> = Vec::new();
    let part = |name: &str, all: &mut Vec<PathBuf>| -> Result<u64, RunError> {
        let mut files = Vec::new();
        walk(&workdir.join(name), &mut files)?;
        let bytes = disk_bytes(&files, false);
        all.append(&mut files);
        Ok(bytes)
    };
    found.raw = part("raw", &mut all)?;
    found.runs = part("runs", &mut all)?;
    found.packages = part("packages", &mut all)?;
    found.rounds = part("rounds", &mut all)?;
    found.logs = part("logs", &mut all)?;
    for path in entries(workdir)? {
        let counted = ["raw", "runs", "packages", "rounds", "logs"].iter().any(|n| path.ends_with(n));
        if path.is_dir() && !counted {
            walk(&path, &mut all)?;
        } else if path.is_file() {
            all.push(path);
        }
    }
    found.total = disk_bytes(&all, false);
    for folder in ["runs", "packages"] {
        for path in entries(&workdir.join(folder))? {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let mut files = Vec::new();
            walk(&path, &mut files)?;
            found.each.insert(name, disk_bytes(&files, false));
        }
    }
    for source in state.sources()? {
        for extract in state.extracts(&source)? {
            let mut files = Vec::new();
            for table in &extract.of.tables {
                walk(&raw::folder(workdir, &source, table, extract.id), &mut files)?;
            }
            found.each.insert(extract.id.to_string(), disk_bytes(&files, false));
        }
    }
    Ok(found)
}
