//! The password of a source: from the environment, a file or a systemd credential, never from the configuration itself.
//!
//! Always: a file that everybody on the machine may read, change or replace by its own mode is refused. No name is told, since somebody may
//! have written the password itself there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Server, SourceError};
use crate::phrase;

/// Where systemd puts the credentials of a unit.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// What others may do with a file.
const OTHERS: u32 = 0o007;

/// The password, if one is configured.
///
/// # Errors
/// `SRC-013` when the variable, the file or the credential is not there, `SRC-038` when others may read it.
pub(super) fn password(id: &str, server: &Server) -> Result<Option<String>, SourceError> {
    let lacks = |what: String| SourceError::Incomplete { id: id.to_owned(), what };
    if let Some(name) = &server.password_env {
        let word = std::env::var(name);
        return word.map(Some).map_err(|_| lacks(phrase!("source.password_env")));
    }
    let (path, key) = match (&server.password_credential, &server.password_file) {
        (Some(name), _) => {
            let folder = std::env::var_os(CREDENTIALS)
                .map(PathBuf::from)
                .ok_or_else(|| lacks(phrase!("source.password_credential", variable = CREDENTIALS)))?;
            (folder.join(name), "password_credential")
        }
        (None, Some(path)) => (path.clone(), "password_file"),
        (None, None) => return Ok(None),
    };
    let unreadable = |e: std::io::Error| lacks(phrase!("source.password_file", key, why = e.kind()));
    if others_may(&path).map_err(unreadable)? {
        return Err(SourceError::Exposed { id: id.to_owned(), key });
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

fn others_may(path: &Path) -> std::io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & OTHERS != 0)
}
