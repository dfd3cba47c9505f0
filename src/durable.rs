//! The only creator of files: temporary name → write → sync → rename → sync of the folder.
//!
//! Always: a name is either absent or holds the complete, synced bytes. A file left under a temporary name (`.<name>.tmp`) belongs
//! to a killed process and is overwritten by the next one.
//! Must not know: what is in a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::{Consequence, Follow};

/// A file could not be created, written, synced, renamed or removed.
#[derive(Debug, Error, Diagnostic)]
#[error("{path} could not be {what}")]
#[diagnostic(
    code("DUR-001"),
    help(
        "check free disk space (df) and the rights of the folder; then run the same command again: it goes on from here"
    )
)]
pub struct DurableError {
    pub path: String,
    pub what: &'static str,
    pub source: io::Error,
}

impl Consequence for DurableError {
    fn follow(&self) -> Follow {
        Follow::Resume
    }
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> DurableError {
    let path = path.display().to_string();
    move |source| DurableError { path, what, source }
}

/// A file being written under a temporary name; hashes its bytes as they go out.
pub struct DurableFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    sha: Sha256,
    bytes: u64,
}

impl DurableFile {
    /// Opens the temporary file beside `path`.
    ///
    /// # Errors
    /// `DUR-001`.
    pub fn create(path: &Path) -> Result<Self, DurableError> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = path.with_file_name(format!(".{name}.tmp"));
        let file = File::create(&temporary).map_err(failed(&temporary, "created"))?;
        Ok(Self { path: path.to_owned(), temporary, out: BufWriter::new(file), sha: Sha256::new(), bytes: 0 })
    }

    /// Syncs, renames to the final name, syncs the folder. Returns the size in bytes and the SHA-256 in lower-case hex.
    ///
    /// # Errors
    /// `DUR-001`.
    pub fn commit(self) -> Result<(u64, String), DurableError> {
        let Self { path, temporary, out, sha, bytes } = self;
        let file = out.into_inner().map_err(|e| failed(&temporary, "written")(e.into_error()))?;
        file.sync_all().map_err(failed(&temporary, "synced"))?;
        fs::rename(&temporary, &path).map_err(failed(&path, "renamed into place"))?;
        sync_folder(&path)?;
        Ok((bytes, hex(&sha.finalize())))
    }
}

impl Write for DurableFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.sha.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn sync_folder(path: &Path) -> Result<(), DurableError> {
    match path.parent() {
        Some(folder) => File::open(folder).and_then(|f| f.sync_all()).map_err(failed(folder, "synced")),
        None => Ok(()),
    }
}

/// Writes a whole small file.
///
/// # Errors
/// `DUR-001`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(u64, String), DurableError> {
    let mut file = DurableFile::create(path)?;
    file.write_all(bytes).map_err(failed(path, "written"))?;
    file.commit()
}

/// Creates a folder and its parents.
///
/// # Errors
/// `DUR-001`.
pub fn create_dir_all(path: &Path) -> Result<(), DurableError> {
    fs::create_dir_all(path).map_err(failed(path, "created"))
}

/// Removes a folder with all that is in it; a missing folder is fine.
///
/// # Errors
/// `DUR-001`.
pub fn remove_dir_all(path: &Path) -> Result<(), DurableError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, "removed")(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
