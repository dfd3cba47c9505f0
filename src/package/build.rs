//! Sealing: staged parts → a bag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bag::{self, DECLARATION, MANIFEST, TAG_MANIFEST};
use super::dictionary::{self, CODES, DICTIONARY};
use super::verify::{Verified, verify};
use super::{Contents, PackageError, PackedPart, PackedTable, numbered};
use crate::artifacts::{Reconciliation, Status, Summary};
use crate::durable;
use crate::failpoint;
use crate::national::National;
use crate::progress::Progress;

/// One staged part as its run recorded it.
#[derive(Debug, Clone)]
pub struct StagedPart {
    pub path: PathBuf,
    pub rows: u64,
    pub sha256: String,
}

/// One staged table.
#[derive(Debug, Clone)]
pub struct StagedTable {
    pub table: String,
    pub parts: Vec<StagedPart>,
}

/// What is sealed, and where.
pub struct Build<'a> {
    /// Folder of all packages.
    pub packages: &'a Path,
    pub summary: &'a Summary,
    pub reconciliation: &'a Reconciliation,
    /// The run's `manifest.json`.
    pub manifest: &'a Path,
    pub tables: &'a [StagedTable],
    /// Key maps of what was merged, each with its file in the package.
    pub key_maps: &'a [(String, StagedPart)],
    /// What columns and codes mean.
    pub national: &'a National,
    /// Seal a blocked run, too; the package says so.
    pub allow_blocked: bool,
}

/// A sealed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `p0001-r0001`
    pub id: String,
    pub path: PathBuf,
    /// Payload files, their bytes, and the rows of all tables.
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub blocked: bool,
    /// SHA-256 of the tag manifest, which covers everything: what to keep elsewhere until packages are signed.
    pub seal: String,
}

/// What has gone into the bag so far.
struct Bag {
    folder: PathBuf,
    payload: BTreeMap<String, String>,
    bytes: u64,
}

impl Bag {
    fn write(&mut self, name: &str, text: &[u8]) -> Result<(), PackageError> {
        let (bytes, sha) = durable::write(&self.folder.join(name), text)?;
        self.add(name, bytes, sha);
        Ok(())
    }

    fn json(&mut self, name: &str, document: &impl Serialize) -> Result<(), PackageError> {
        let form = |source| PackageError::Form { what: name.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(document).map_err(form)?;
        text.push(b'\n');
        self.write(name, &text)
    }

    fn add(&mut self, name: &str, bytes: u64, sha: String) {
        self.payload.insert(name.to_owned(), sha);
        self.bytes += bytes;
    }
}

/// Builds the next package of the folder.
///
/// # Errors
/// `PKG-001`, `PKG-002`, `PKG-005`, `DUR-001`; whatever fails, nothing is there under a package's name.
pub fn build(of: &Build<'_>, progress: &dyn Progress) -> Result<Built, PackageError> {
    let blocked = of.summary.status == Status::Blocked;
    if blocked && !of.allow_blocked {
        return Err(PackageError::Blocked { run: of.summary.run.clone() });
    }
    durable::create_dir_all(of.packages)?;
    sweep(of.packages)?;
    let number = numbered(of.packages)?.last().map_or(1, |(n, _)| n + 1);
    let id = format!("p{number:04}-{}", of.summary.run);
    let folder = of.packages.join(format!(".{id}.tmp"));
    durable::create_dir_all(&folder.join("data"))?;
    let mut bag = Bag { folder, payload: BTreeMap::new(), bytes: 0 };
    let rows = of.tables.iter().flat_map(|t| &t.parts).map(|p| p.rows).sum();
    progress.start("package", &id, rows);
    let mut contents = Contents {
        version: 2,
        package: id.clone(),
        run: of.summary.run.clone(),
        blocked,
        tables: Vec::new(),
        key_maps: Vec::new(),
    };
    for table in of.tables {
        contents.tables.push(pack(of, table, &mut bag, progress)?);
    }
    for (file, part) in of.key_maps {
        contents.key_maps.push(copy(of, part, file.clone(), &mut bag)?);
    }
    bag.json("data/tables.json", &contents)?;
    bag.json("data/reconciliation.json", of.reconciliation)?;
    bag.write(DICTIONARY, &dictionary::columns(of.national)?)?;
    bag.write(CODES, &dictionary::codes(of.national)?)?;
    let (bytes, sha) = durable::copy(of.manifest, &bag.folder.join("data/manifest.json"))?;
    bag.add("data/manifest.json", bytes, sha);
    let seal = tags(of, &id, blocked, &bag)?;
    let path = of.packages.join(&id);
    durable::rename(&bag.folder, &path)?;
    failpoint::hit("package.renamed");
    progress.finish();
    Ok(Built { id, path, files: bag.payload.len() as u64, bytes: bag.bytes, rows, blocked, seal })
}

/// The newest package of the folder, when it is of this run, sound, and none of those that are known: its build ended after the package
/// had its name and before anybody recorded it.
///
/// # Errors
/// `PKG-003`, `PKG-005`.
pub fn unrecorded(
    packages: &Path,
    run: &str,
    known: &[String],
    progress: &dyn Progress,
) -> Result<Option<Built>, PackageError> {
    if !packages.is_dir() {
        return Ok(None);
    }
    let Some((_, path)) = numbered(packages)?.pop() else { return Ok(None) };
    let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !id.ends_with(&format!("-{run}")) || known.contains(&id) {
        return Ok(None);
    }
    let found = verify(&path, progress)?;
    let Verified { path, files, bytes, rows, blocked, seal, problems } = found;
    Ok(problems.is_empty().then_some(Built { id, path, files, bytes, rows, blocked, seal }))
}

/// Removes what a build that was killed left.
fn sweep(packages: &Path) -> Result<(), PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: packages.display().to_string(), source };
    for entry in std::fs::read_dir(packages).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(".p") && name.ends_with(".tmp") {
            durable::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

fn pack(
    of: &Build<'_>,
    table: &StagedTable,
    bag: &mut Bag,
    progress: &dyn Progress,
) -> Result<PackedTable, PackageError> {
    let row = of.summary.tables.iter().find(|t| t.table == table.table);
    let folder = format!("data/tables/{}", table.table);
    durable::create_dir_all(&bag.folder.join(&folder))?;
    let mut parts = Vec::new();
    for part in &table.parts {
        let name = part.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        parts.push(copy(of, part, format!("{folder}/{name}"), bag)?);
        progress.rows(part.rows);
    }
    Ok(PackedTable {
        table: table.table.clone(),
        title: row.map(|r| r.title.clone()).unwrap_or_default(),
        rows: parts.iter().map(|p| p.rows).sum(),
        content_digest: row.map(|r| r.content_digest.clone()).unwrap_or_default(),
        parts,
    })
}

/// Copies a part of the run, which must be as it was recorded.
fn copy(of: &Build<'_>, part: &StagedPart, file: String, bag: &mut Bag) -> Result<PackedPart, PackageError> {
    let to = bag.folder.join(&file);
    if let Some(folder) = to.parent() {
        durable::create_dir_all(folder)?;
    }
    let (bytes, sha256) = durable::copy(&part.path, &to)?;
    if sha256 != part.sha256 {
        let (file, run) = (part.path.display().to_string(), of.summary.run.clone());
        return Err(PackageError::Changed { file, run });
    }
    bag.add(&file, bytes, sha256.clone());
    Ok(PackedPart { file, rows: part.rows, bytes, sha256 })
}

/// Writes the tag files; the SHA-256 of the tag manifest.
fn tags(of: &Build<'_>, id: &str, blocked: bool, bag: &Bag) -> Result<String, PackageError> {
    let summary = of.summary;
    let day = summary.finished.get(..10).unwrap_or_default().to_owned();
    let info = bag::info(&[
        ("Source-Organization", summary.city_name.clone()),
        ("External-Identifier", id.to_owned()),
        ("Internal-Sender-Identifier", summary.run.clone()),
        ("Bagging-Date", day),
        ("Payload-Oxum", format!("{}.{}", bag.bytes, bag.payload.len())),
        ("Bag-Software-Agent", format!("qianyi {}", summary.qianyi)),
        ("Qianyi-City", summary.city.clone()),
        ("Qianyi-As-Of", summary.as_of.clone()),
        ("Qianyi-National-Schema", summary.national_digest.clone()),
        ("Qianyi-Mapping", summary.mapping_digest.clone()),
        ("Qianyi-Blocked", if blocked { "yes" } else { "no" }.to_owned()),
    ]);
    let mut tags = BTreeMap::new();
    let texts = [
        ("bagit.txt", DECLARATION.to_owned()),
        ("bag-info.txt", info),
        (MANIFEST, bag::manifest(&bag.payload)),
    ];
    for (name, text) in texts {
        let (_, sha) = durable::write(&bag.folder.join(name), text.as_bytes())?;
        tags.insert(name.to_owned(), sha);
    }
    let (_, seal) = durable::write(&bag.folder.join(TAG_MANIFEST), bag::manifest(&tags).as_bytes())?;
    Ok(seal)
}
