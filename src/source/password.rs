//! The password of a source: from the environment or a file, never from the configuration itself.

use super::{Server, SourceError};

/// The password, if one is configured.
///
/// # Errors
/// `SRC-013` when the variable or the file is not there.
pub(super) fn password(id: &str, server: &Server) -> Result<Option<String>, SourceError> {
    let lacks = |what: String| SourceError::Incomplete { id: id.to_owned(), what };
    if let Some(name) = &server.password_env {
        let word = std::env::var(name);
        return word.map(Some).map_err(|_| lacks(format!("the environment variable {name} (the password)")));
    }
    let Some(path) = &server.password_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|_| lacks(format!("a readable password file at {}", path.display())))?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}
