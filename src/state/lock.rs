//! The locks of a work directory: one writing process at a time, and one scheduler, which holds a lock of its own while it waits.
//!
//! Always: the operating system frees a lock when the process ends, however it ends. The file (`lock`, `schedule.lock`) says who holds
//! it; it stays behind and means nothing while nobody holds the lock.

use std::fs::{self, File};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::StateError;
use crate::{clock, durable};

/// The refusal: work directory, process, its command, since when.
type Refused = fn(String, String, String, String) -> StateError;

/// Held as long as the value lives.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `workdir` and writes down who holds it.
    pub(super) fn take(workdir: &Path, command: &str) -> Result<Self, StateError> {
        Self::take_file(workdir, "lock", command, |workdir, pid, command, since| StateError::Locked {
            workdir,
            pid,
            command,
            since,
        })
    }

    /// Takes the lock of the one scheduler of `workdir`, which other writers do not ask for.
    pub(super) fn take_schedule(workdir: &Path) -> Result<Self, StateError> {
        Self::take_file(workdir, "schedule.lock", "schedule", |workdir, pid, _, since| {
            StateError::Scheduled { workdir, pid, since }
        })
    }

    fn take_file(workdir: &Path, name: &str, command: &str, refused: Refused) -> Result<Self, StateError> {
        let path = workdir.join(name);
        let file = durable::open_lock(&path)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(workdir, &path, refused)),
            Err(TryLockError::Error(source)) => {
                let path = path.display().to_string();
                return Err(durable::DurableError { path, what: "locked", source }.into());
            }
        }
        let text = format!("pid {}\ncommand {command}\nsince {}\n", std::process::id(), clock::now());
        durable::rewrite_lock(&file, &path, &text)?;
        Ok(Self { _file: file })
    }
}

fn held(workdir: &Path, path: &Path, refused: Refused) -> StateError {
    let text = fs::read_to_string(path).unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name).map(|v| v.trim().to_owned()))
            .unwrap_or_else(|| "unknown".to_owned())
    };
    refused(workdir.display().to_string(), field("pid "), field("command "), field("since "))
}
