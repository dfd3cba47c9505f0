//! The lock of a work directory: one writing process at a time.
//!
//! Always: the operating system frees it when the process ends, however it ends. The file `lock` says who holds it; it stays behind
//! and means nothing while nobody holds the lock.

use std::fs::{self, File};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::StateError;
use crate::{clock, durable};

/// Held as long as the value lives.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `workdir` and writes down who holds it.
    pub(super) fn take(workdir: &Path, command: &str) -> Result<Self, StateError> {
        let path = workdir.join("lock");
        let file = durable::open_lock(&path)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(workdir, &path)),
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

fn held(workdir: &Path, path: &Path) -> StateError {
    let text = fs::read_to_string(path).unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name).map(|v| v.trim().to_owned()))
            .unwrap_or_else(|| "unknown".to_owned())
    };
    StateError::Locked {
        workdir: workdir.display().to_string(),
        pid: field("pid "),
        command: field("command "),
        since: field("since "),
    }
}
