//! The only creator of files: temporary name → write → sync → rename → sync of the folder.
//!
//! Always: a name is either absent or holds the complete, synced bytes. A file left under a temporary name (`.<name>.tmp`) belongs
//! to a killed process and is overwritten by the next one. Files and folders are their owner's alone (0600, 0700), whatever the umask
//! allows. Every operation counts, so that a test can fail the Nth.
//! Must not know: what is in a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::{Consequence, RetryClass};
use crate::failpoint;
use crate::{hint, said};

/// A file could not be created, written, synced, renamed or removed.
#[derive(Debug, Error, Diagnostic)]
#[error("{}", said!("DUR-001", path, what))]
#[diagnostic(code("DUR-001"), help("{}", hint!("DUR-001")))]
pub struct DurableError {
    pub path: String,
    pub what: &'static str,
    pub source: io::Error,
}

impl Consequence for DurableError {
    fn retry_class(&self) -> RetryClass {
        RetryClass::Resume
    }
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> DurableError {
    let path = path.display().to_string();
    move |source| DurableError { path, what, source }
}

/// Bytes gathered before they go to the file.
const BUFFER_BYTES: usize = 256 * 1024;

/// Operations so far, and the fault that a test asks for: `QIANYI_DISK_FAULT=N` (the Nth operation finds the disk full, once) or
/// `N+` (that one and all later ones: a full disk stays full).
static OPERATIONS: AtomicU64 = AtomicU64::new(0);

fn fault() -> Option<(u64, bool)> {
    static FAULT: OnceLock<Option<(u64, bool)>> = OnceLock::new();
    *FAULT.get_or_init(|| {
        let text = std::env::var("QIANYI_DISK_FAULT").ok()?;
        let lasting = text.ends_with('+');
        Some((text.trim_end_matches('+').parse().ok()?, lasting))
    })
}

/// Counts one durable operation, and fails it when a test asked for that.
fn operation() -> io::Result<()> {
    let number = OPERATIONS.fetch_add(1, Ordering::Relaxed) + 1;
    match fault() {
        Some((nth, lasting)) if number == nth || (lasting && number > nth) => {
            Err(io::ErrorKind::StorageFull.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Durable operations of this process so far: the end of a fault walk.
pub fn operations() -> u64 {
    OPERATIONS.load(Ordering::Relaxed)
}

/// Bytes that are free where a folder is, or is to be made; `None` where the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|f| f.exists())?;
    fs4::available_space(there).ok()
}

/// Announces a durable operation that another library does (a commit of state.db), so that the fault walk covers it.
///
/// # Errors
/// `DUR-001` when a test asked for it.
pub fn announce(path: &Path, what: &'static str) -> Result<(), DurableError> {
    operation().map_err(failed(path, what))
}

/// The file below the buffer: every write counts.
struct Sink(File);

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        operation()?;
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file being written under a temporary name; hashes its bytes as they go out.
pub struct DurableFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<Sink>,
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
        let file =
            operation().and_then(|()| create_owned(&temporary)).map_err(failed(&temporary, "created"))?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, Sink(file));
        Ok(Self { path: path.to_owned(), temporary, out, sha: Sha256::new(), bytes: 0 })
    }

    /// Syncs, renames to the final name, syncs the folder. Returns the size in bytes and the SHA-256 in lower-case hex.
    ///
    /// # Errors
    /// `DUR-001`.
    pub fn commit(self) -> Result<(u64, String), DurableError> {
        let Self { path, temporary, out, sha, bytes } = self;
        let Sink(file) = out.into_inner().map_err(|e| failed(&temporary, "written")(e.into_error()))?;
        failpoint::hit("durable.written");
        operation().and_then(|()| file.sync_all()).map_err(failed(&temporary, "synced"))?;
        failpoint::hit("durable.synced");
        operation()
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(failed(&path, "renamed into place"))?;
        failpoint::hit("durable.renamed");
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
    let named = |folder: &&Path| !folder.as_os_str().is_empty();
    match path.parent().map(|folder| if named(&folder) { folder } else { Path::new(".") }) {
        Some(folder) => operation()
            .and_then(|()| File::open(folder))
            .and_then(|f| f.sync_all())
            .map_err(failed(folder, "synced")),
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

/// How a file is opened for its owner alone.
fn owned() -> fs::OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_owned(path: &Path) -> io::Result<File> {
    owned().write(true).create(true).truncate(true).open(path)
}

/// Adds whole lines to the end of a log that must not lose any; they are on disk when this returns. A kill may leave the beginning of them.
///
/// # Errors
/// `DUR-001`.
pub fn append(path: &Path, lines: &[u8]) -> Result<(), DurableError> {
    let is_new = !path.exists();
    let mut file = operation()
        .and_then(|()| owned().append(true).create(true).open(path))
        .map_err(failed(path, "opened"))?;
    operation().and_then(|()| file.write_all(lines)).map_err(failed(path, "written"))?;
    operation().and_then(|()| file.sync_all()).map_err(failed(path, "synced"))?;
    if is_new { sync_folder(path) } else { Ok(()) }
}

/// Makes sure that a file is there, and its owner's alone, before another library opens it (state.db, the generated city).
///
/// # Errors
/// `DUR-001`.
pub fn touch(path: &Path) -> Result<(), DurableError> {
    operation()
        .and_then(|()| owned().append(true).create(true).open(path))
        .map(drop)
        .map_err(failed(path, "created"))
}

/// Copies a file. Returns the size in bytes and the SHA-256 of what was written, in lower-case hex.
///
/// # Errors
/// `DUR-001`.
pub fn copy(from: &Path, to: &Path) -> Result<(u64, String), DurableError> {
    let mut source = File::open(from).map_err(failed(from, "opened"))?;
    let mut file = DurableFile::create(to)?;
    io::copy(&mut source, &mut file).map_err(failed(to, "written"))?;
    file.commit()
}

/// A second name for a file that is complete; in place of an earlier file of that name.
///
/// # Errors
/// `DUR-001`; also where the file system has no hard links.
pub fn link(from: &Path, to: &Path) -> Result<(), DurableError> {
    if let Err(e) = operation().and_then(|()| fs::remove_file(to))
        && e.kind() != io::ErrorKind::NotFound
    {
        return Err(failed(to, "replaced")(e));
    }
    operation().and_then(|()| fs::hard_link(from, to)).map_err(failed(to, "linked"))?;
    sync_folder(to)
}

/// Gives a file or folder that is complete its final name; that of a folder must be free.
///
/// # Errors
/// `DUR-001`.
pub fn rename(from: &Path, to: &Path) -> Result<(), DurableError> {
    operation().and_then(|()| fs::rename(from, to)).map_err(failed(to, "renamed into place"))?;
    sync_folder(to)
}

/// Creates a folder and its parents, and syncs the folders that hold the new ones.
///
/// # Errors
/// `DUR-001`.
pub fn create_dir_all(path: &Path) -> Result<(), DurableError> {
    let new: Vec<&Path> = path.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists()).collect();
    let mut folders = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    operation().and_then(|()| folders.recursive(true).create(path)).map_err(failed(path, "created"))?;
    new.into_iter().rev().try_for_each(sync_folder)
}

/// Removes a folder with all that is in it; a missing folder is fine.
///
/// # Errors
/// `DUR-001`.
pub fn remove_dir_all(path: &Path) -> Result<(), DurableError> {
    match operation().and_then(|()| fs::remove_dir_all(path)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, "removed")(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes a file; a missing one is fine.
///
/// # Errors
/// `DUR-001`.
pub fn remove_file(path: &Path) -> Result<(), DurableError> {
    match operation().and_then(|()| fs::remove_file(path)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, "removed")(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens the file that a lock is held on, creating it when absent. Its content is for people; it need not be durable.
///
/// # Errors
/// `DUR-001`.
pub fn open_lock(path: &Path) -> Result<File, DurableError> {
    operation()
        .and_then(|()| owned().read(true).write(true).create(true).truncate(false).open(path))
        .map_err(failed(path, "opened"))
}

/// Replaces the content of the file that a lock is held on.
///
/// # Errors
/// `DUR-001`.
pub fn rewrite_lock(file: &File, path: &Path, text: &str) -> Result<(), DurableError> {
    let mut out = file;
    operation()
        .and_then(|()| file.set_len(0))
        .and_then(|()| out.write_all(text.as_bytes()))
        .map_err(failed(path, "written"))
}

/// Opens a log: lines are appended as they come and need not be durable.
///
/// # Errors
/// `DUR-001`.
pub fn open_log(path: &Path) -> Result<File, DurableError> {
    owned().append(true).create(true).open(path).map_err(failed(path, "opened"))
}

/// The SHA-256 of a file that exists, in lower-case hex.
///
/// # Errors
/// The cause; `NotFound` when there is no such file.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&sha.finalize())),
            n => sha.update(&buffer[..n]),
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
