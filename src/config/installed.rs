//! Where a machine and an account keep their own settings (XDG Base Directory Specification): the lowest layers above the built-in default.
//!
//! Always: only files that are there; folders that are no absolute path are left out, as the specification says.
//! Must not know: what is in a file.

use std::path::{Path, PathBuf};

/// Below a folder of configurations.
const FILE: &str = "qianyi/qianyi.toml";

/// `qianyi/qianyi.toml` under each of `$XDG_CONFIG_DIRS` (`/etc/xdg`) and under `$XDG_CONFIG_HOME` (`$HOME/.config`), those that are there,
/// lowest first: the account's own goes before the machine's.
#[must_use]
pub fn installed(environment: &[(String, String)]) -> Vec<PathBuf> {
    let set =
        |name: &str| environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str());
    let machine = set("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg").split(':').map(PathBuf::from);
    let own = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(home).join(".config")));
    // Of the machine's folders the first goes before the others.
    let mut folders: Vec<PathBuf> = machine.collect();
    folders.reverse();
    folders.extend(own);
    folders.retain(|folder| folder.is_absolute());
    folders.into_iter().map(|folder| folder.join(FILE)).filter(|file| file.is_file()).collect()
}
