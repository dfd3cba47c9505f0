//! Verification: is a bag complete and valid (RFC 8493, 3), and does it hold the rows that it says?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::bag::{self, DECLARATION, MANIFEST, TAG_MANIFEST};
use super::{Contents, PackageError, cross};
use crate::dataset::row_count;
use crate::durable;
use crate::measures::content_digest;
use crate::phrase;
use crate::progress::Progress;

/// One thing that is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Relative to the package's folder.
    pub file: String,
    pub what: String,
}

/// What a verification found; sound when there are no problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub path: PathBuf,
    /// Payload files and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// What the package itself says: its run did not end well.
    pub blocked: bool,
    /// SHA-256 of the tag manifest, which covers everything: what to keep elsewhere.
    pub seal: String,
    pub problems: Vec<Problem>,
}

impl Verified {
    /// Of a package whose payload was not looked at.
    fn of(path: &Path, problems: Vec<Problem>) -> Self {
        let path = path.to_owned();
        Self { path, files: 0, bytes: 0, rows: 0, blocked: false, seal: String::new(), problems }
    }
}

/// `data/tables.json`.
pub(super) const TABLES: &str = "data/tables.json";

pub(super) struct Check<'a> {
    pub(super) bag: &'a Path,
    problems: Vec<Problem>,
    /// Files that are not what their digest says: they are not opened.
    changed: BTreeSet<String>,
}

impl Check<'_> {
    pub(super) fn found(&mut self, file: &str, what: impl Into<String>) {
        self.problems.push(Problem { file: file.to_owned(), what: what.into() });
    }

    /// A tag file's text; empty, with a problem, when it cannot be read.
    pub(super) fn text(&mut self, name: &str) -> String {
        let path = self.bag.join(name);
        // A pipe or a link would be waited for, or be another file tomorrow.
        if std::fs::symlink_metadata(&path).is_ok_and(|m| !m.is_file()) {
            self.found(name, phrase!("package.plain"));
            return String::new();
        }
        match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => {
                self.found(name, phrase!("package.unread", e));
                String::new()
            }
        }
    }

    /// Checks every file of a manifest; the size of all that exist.
    fn manifest(&mut self, name: &str, files: &BTreeMap<String, String>) -> u64 {
        let mut bytes = 0;
        for (file, expected) in files {
            if !inside(file) {
                self.found(name, phrase!("package.outside", file));
                continue;
            }
            let path = self.bag.join(file);
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_file() => bytes += found.len(),
                Ok(_) => {
                    self.found(file, phrase!("package.plain"));
                    continue;
                }
                Err(_) => {
                    self.found(file, phrase!("package.missing"));
                    continue;
                }
            }
            match durable::sha256(&path) {
                Ok(found) if found == *expected => {}
                Ok(_) => {
                    self.found(file, phrase!("package.changed"));
                    self.changed.insert(file.clone());
                }
                Err(e) => self.found(file, phrase!("package.unread", e)),
            }
        }
        bytes
    }
}

/// A path that stays inside the bag.
fn inside(file: &str) -> bool {
    !file.is_empty() && Path::new(file).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Checks every file, digest, row count and content digest of a package; everything that is wrong at once.
///
/// # Errors
/// `PKG-003` when it is no bag at all, `PKG-005` when its folder cannot be read.
pub fn verify(path: &Path, progress: &dyn Progress) -> Result<Verified, PackageError> {
    if !path.join("bagit.txt").is_file() {
        return Err(PackageError::NotABag { path: path.display().to_string() });
    }
    let mut check = Check { bag: path, problems: Vec::new(), changed: BTreeSet::new() };
    if check.text("bagit.txt") != DECLARATION {
        check.found("bagit.txt", phrase!("package.declaration"));
    }
    if path.join("fetch.txt").exists() {
        check.found("fetch.txt", phrase!("package.fetch"));
    }
    // A folder elsewhere could be another one tomorrow.
    if !std::fs::symlink_metadata(path.join("data")).is_ok_and(|data| data.is_dir()) {
        check.found("data", phrase!("package.data"));
        return Ok(Verified::of(path, check.problems));
    }
    let mut listed = Vec::new();
    for name in [MANIFEST, TAG_MANIFEST] {
        let (files, strange) = bag::read_manifest(&check.text(name));
        strange.into_iter().for_each(|what| check.found(name, what));
        listed.push((name, files));
    }
    let bytes: Vec<u64> = listed.iter().map(|(name, files)| check.manifest(name, files)).collect();
    let (payload, tags) = (&listed[0].1, &listed[1].1);
    for tag in ["bagit.txt", "bag-info.txt", MANIFEST] {
        if !tags.contains_key(tag) {
            check.found(TAG_MANIFEST, phrase!("package.unlisted_tag", tag));
        }
    }
    let mut all = BTreeSet::new();
    walk(path, path, &mut all)?;
    let known =
        |f: &str| payload.contains_key(f) || tags.contains_key(f) || [TAG_MANIFEST, "fetch.txt"].contains(&f);
    for extra in all.iter().filter(|f| !known(f)) {
        check.found(extra, phrase!("package.in_no_manifest"));
    }
    let there: BTreeSet<String> = all.into_iter().filter(|f| f.starts_with("data/")).collect();
    for outside in payload.keys().filter(|f| !f.starts_with("data/")) {
        check.found(outside, phrase!("package.no_payload"));
    }
    let info = check.text("bag-info.txt");
    let oxum = format!("{}.{}", bytes[0], there.len());
    if bag::field(&info, "Payload-Oxum") != Some(oxum.as_str()) {
        check.found("bag-info.txt", phrase!("package.oxum", oxum));
    }
    let (rows, blocked) = tables(&mut check, payload, progress);
    let seal = durable::sha256(&path.join(TAG_MANIFEST)).unwrap_or_default();
    let mut problems = check.problems;
    problems.sort();
    problems.dedup();
    Ok(Verified {
        path: path.to_owned(),
        files: there.len() as u64,
        bytes: bytes[0],
        rows,
        blocked,
        seal,
        problems,
    })
}

/// Everything under a folder that is no folder (a link to one is none), relative to the bag, with `/`.
fn walk(bag: &Path, folder: &Path, into: &mut BTreeSet<String>) -> Result<(), PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: folder.display().to_string(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(bag, &entry.path(), into)?;
        } else {
            let path = entry.path();
            let names = path.strip_prefix(bag).unwrap_or(&path).components();
            let names: Vec<_> = names.map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
            into.insert(names.join("/"));
        }
    }
    Ok(())
}

/// Rows and content of every table against `data/tables.json`.
fn tables(check: &mut Check<'_>, payload: &BTreeMap<String, String>, progress: &dyn Progress) -> (u64, bool) {
    const NAME: &str = TABLES;
    let contents: Contents = match serde_json::from_str(&check.text(NAME)) {
        Ok(contents) => contents,
        Err(e) => {
            check.found(NAME, phrase!("package.form", e));
            return (0, false);
        }
    };
    cross::documents(check, &contents, payload);
    let mut all = 0;
    for table in &contents.tables {
        progress.start("verify", &table.table, table.rows);
        let mut parts = Vec::new();
        let plain = |bag: &Path, file: &str| {
            inside(file) && std::fs::symlink_metadata(bag.join(file)).is_ok_and(|m| m.is_file())
        };
        for part in &table.parts {
            if check.changed.contains(&part.file) || !plain(check.bag, &part.file) {
                continue;
            }
            let path = check.bag.join(&part.file);
            match row_count(&path) {
                Ok(rows) if rows == part.rows => parts.push(path),
                Ok(rows) => check.found(&part.file, phrase!("package.rows", rows, expected = part.rows)),
                Err(_) => check.found(&part.file, phrase!("package.parquet")),
            }
        }
        if parts.len() == table.parts.len() {
            match content_digest(&parts) {
                Ok(found) if found.hex() == table.content_digest && found.rows() == table.rows => {}
                Ok(_) => check.found(NAME, phrase!("package.other_rows", table = table.table)),
                Err(_) => check.found(NAME, phrase!("package.rows_unread", table = table.table)),
            }
        }
        all += table.rows;
        progress.rows(table.rows);
        progress.finish();
    }
    (all, contents.blocked)
}
