//! The only creator of files: temporary name → write → sync → rename → sync of the folder.
//!
//! Always: a name is either absent or holds the complete, synced bytes. A file left under a temporary name (`.<name>.tmp`) belongs
//! to a killed process and is overwritten by the next one. Files and folders are their owner's alone (0600, 0700), whatever the umask
//! allows; below a folder that passes its group on (setgid) they are also that group's, as far as the folder is. Every operation counts, so
//! that a test can fail the Nth.
//! Must not know: what is in a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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
        let temporary = temporary(path);
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

/// Under which name a file is written.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.tmp"))
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

/// What the group of a folder may do with what is made in it: nothing, unless the folder passes its group on (setgid), as that of a work
/// directory in which several accounts work.
fn for_group(path: &Path) -> u32 {
    const PASSES_ON: u32 = 0o2000;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = fs::metadata(folder).map_or(0, |meta| meta.permissions().mode());
    if mode & PASSES_ON == 0 { 0 } else { mode & 0o070 }
}

/// Opens a file; one that is new is its owner's, and the group's where the folder says so, whatever the umask.
fn open_owned(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    let group = for_group(path) & 0o060;
    // One of another account that was opened has the group's rights already.
    if file.metadata()?.permissions().mode() & group != group {
        file.set_permissions(fs::Permissions::from_mode(0o600 | group))?;
    }
    Ok(file)
}

fn create_owned(path: &Path) -> io::Result<File> {
    open_owned(path, File::options().write(true).create(true).truncate(true))
}

fn append_owned(path: &Path) -> io::Result<File> {
    open_owned(path, File::options().append(true).create(true))
}

/// Adds whole lines to the end of a log that must not lose any; they are on disk when this returns. A kill may leave the beginning of them.
///
/// # Errors
/// `DUR-001`.
pub fn append(path: &Path, lines: &[u8]) -> Result<(), DurableError> {
    let is_new = !path.exists();
    let mut file = operation().and_then(|()| append_owned(path)).map_err(failed(path, "opened"))?;
    operation().and_then(|()| file.write_all(lines)).map_err(failed(path, "written"))?;
    operation().and_then(|()| file.sync_all()).map_err(failed(path, "synced"))?;
    if is_new { sync_folder(path) } else { Ok(()) }
}

/// Makes sure that a file is there, and its owner's alone, before another library opens it (state.db, the generated city).
///
/// # Errors
/// `DUR-001`.
pub fn touch(path: &Path) -> Result<(), DurableError> {
    operation().and_then(|()| append_owned(path)).map(drop).map_err(failed(path, "created"))
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
    folders.recursive(true).mode(0o700);
    operation().and_then(|()| folders.create(path)).map_err(failed(path, "created"))?;
    new.into_iter().rev().try_for_each(|folder| {
        let group = for_group(folder);
        if group != 0 {
            let shared = fs::Permissions::from_mode(0o2700 | group);
            fs::set_permissions(folder, shared).map_err(failed(folder, "given its rights"))?;
        }
        sync_folder(folder)
    })
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

/// Removes what a killed process left of a file that nobody will write again.
///
/// # Errors
/// `DUR-001`.
pub fn remove_unfinished(path: &Path) -> Result<(), DurableError> {
    remove_file(&temporary(path))
}

/// Opens the file that a lock is held on, creating it when absent. Its content is for people; it need not be durable.
///
/// # Errors
/// `DUR-001`.
pub fn open_lock(path: &Path) -> Result<File, DurableError> {
    operation()
        .and_then(|()| open_owned(path, File::options().read(true).write(true).create(true).truncate(false)))
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
    append_owned(path).map_err(failed(path, "opened"))
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
