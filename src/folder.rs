//! Folders: what is in them, and the names that folders and files get from names of tables.
//!
//! Always: a folder that cannot be listed is an error, never an empty one; a missing folder holds nothing. Names are file names,
//! whatever is in them: no name leads out of its folder, and two names never share one.
//! Must not know: what the files hold.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

/// What is in a folder, by name.
///
/// # Errors
/// The cause, for every other reason than that there is no such folder.
pub fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = listed.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// What is in a folder under a name with that ending, by name.
///
/// # Errors
/// As [`entries`].
pub fn with_ending(dir: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = entries(dir)?;
    found.retain(|path| path.extension().is_some_and(|e| e == ending));
    Ok(found)
}

/// A legacy name as the name of a folder or file: letters, digits, `_`, `-` and inner points stay, every other byte becomes `%XX`.
pub fn name(of: &str) -> String {
    let mut out = String::with_capacity(of.len());
    for c in of.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '-') || (c == '.' && !out.is_empty()) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{entries, name};

    #[test]
    fn a_name_stays_in_its_folder_and_is_shared_by_no_other() {
        for (given, expected) in [
            ("GRJBXX", "GRJBXX"),
            ("ylbx.缴费明细", "ylbx.缴费明细"),
            ("../x", "%2E.%2Fx"),
            ("..", "%2E."),
            ("a b", "a%20b"),
            ("a%20b", "a%2520b"),
            ("a\u{1b}[1m", "a%1B%5B1m"),
        ] {
            assert_eq!(name(given), expected);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_an_error_and_a_missing_one_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(entries(&dir.path().join("missing")).unwrap().is_empty());
        assert!(entries(&dir.path().join("file")).is_err());
        assert_eq!(entries(dir.path()).unwrap(), [dir.path().join("file")]);
    }
}
