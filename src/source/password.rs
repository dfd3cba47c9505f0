//! The password of a source: from the environment or a file, never from the configuration itself.

use super::{Server, SourceError};

/// The password, if one is configured.
///
/// # Errors
/// `SRC-013` when the variable or the file is not there.
pub(super) fn password(id: &str, server: &Server) -> Result<Option<String>, SourceError> {
    let lacks = |what: String| SourceError::Incomplete { id: id.to_owned(), what };
    // Neither name is told: somebody may have written the password itself there.
    if let Some(name) = &server.password_env {
        let word = std::env::var(name);
        return word.map(Some).map_err(|_| {
            lacks("the environment variable that `password_env` names (it is not set)".to_owned())
        });
    }
    let Some(path) = &server.password_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|e| lacks(format!("a readable file where `password_file` says ({})", e.kind())))?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}
