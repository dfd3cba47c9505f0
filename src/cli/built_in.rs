//! The data that the binary carries: the national schema, the demo city's mapping, the rules, what a DBA runs.
//!
//! Always: a folder `mappings/` here, or one that the configuration names, wins. Where there is none, the data is unpacked under the work
//! directory, into a folder named after version and digest; each time it is used, its bytes are compared with those of the binary, and a
//! folder in which anything differs is replaced as a whole.
//! Must not know: what is in a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use qianyi::durable::{self, DurableError};
use qianyi::folder;
use sha2::{Digest, Sha256};

/// Each with the name that it is unpacked under.
static CARRIED: [(&str, Dir<'static>); 2] = [
    ("mappings", include_dir!("$CARGO_MANIFEST_DIR/mappings")),
    ("sql", include_dir!("$CARGO_MANIFEST_DIR/sql")),
];

type Files = BTreeMap<PathBuf, &'static [u8]>;

/// Every file, by its path under the unpacked folder.
fn files() -> &'static Files {
    fn add(name: &str, of: &'static Dir<'static>, all: &mut Files) {
        all.extend(of.files().map(|file| (Path::new(name).join(file.path()), file.contents())));
        of.dirs().for_each(|dir| add(name, dir, all));
    }
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut all = Files::new();
        CARRIED.iter().for_each(|(name, of)| add(name, of, &mut all));
        all
    })
}

/// Twelve digits of the SHA-256 over the names and bytes of all files.
pub fn digest() -> &'static str {
    static DIGEST: OnceLock<String> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let mut sha = Sha256::new();
        for (path, bytes) in files() {
            sha.update(format!("{}\n{}\n", path.display(), bytes.len()));
            sha.update(bytes);
        }
        durable::hex(&sha.finalize()).chars().take(12).collect()
    })
}

/// What `--version` says.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut text = format!("{} ({})\n", env!("CARGO_PKG_VERSION"), env!("QIANYI_BUILD"));
        let _ = write!(text, "data {}: {} files of schema, rules and demo city", digest(), files().len());
        text
    })
}

/// Where the data is unpacked in a work directory.
pub fn folder_in(workdir: &Path) -> PathBuf {
    workdir.join("built-in").join(format!("{}-{}", env!("CARGO_PKG_VERSION"), digest()))
}

/// The folder with the data, byte by byte that of the binary; made where it is not there.
///
/// # Errors
/// `DUR-001`.
pub fn unpacked(workdir: &Path) -> Result<PathBuf, DurableError> {
    let target = folder_in(workdir);
    if is_whole(&target) {
        return Ok(target);
    }
    durable::remove_dir_all(&target)?;
    let fresh = target.with_file_name(format!(".{}.tmp", std::process::id()));
    durable::remove_dir_all(&fresh)?;
    for (path, bytes) in files() {
        let path = fresh.join(path);
        if let Some(folder) = path.parent() {
            durable::create_dir_all(folder)?;
        }
        durable::write(&path, bytes)?;
    }
    match durable::rename(&fresh, &target) {
        Ok(()) => Ok(target),
        // Another process was faster.
        Err(_) if is_whole(&target) => durable::remove_dir_all(&fresh).map(|()| target),
        Err(e) => Err(e),
    }
}

/// Whether a folder holds the carried files, all of them and nothing else.
fn is_whole(dir: &Path) -> bool {
    let mut seen = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir_here) = open.pop() {
        let Ok(entries) = folder::entries(&dir_here) else { return false };
        for path in entries {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let carried = path.strip_prefix(dir).ok().and_then(|name| files().get(name));
            let same = carried.is_some_and(|bytes| std::fs::read(&path).is_ok_and(|found| found == *bytes));
            if !same {
                return false;
            }
            seen += 1;
        }
    }
    seen == files().len()
}
