//! SQL Server's errors, by number, as the engine raises them.
//!
//! Always: an error that has to cross SQLite (out of a scalar function) comes out with its number.

use super::super::value::SqlError;

/// What begins the text of an error that crosses SQLite; then number, class and message follow.
const MARK: &str = "\u{1}sql";

/// A statement error of class 16.
pub fn fail(number: u32, message: impl Into<String>) -> SqlError {
    SqlError { number, state: 1, class: 16, message: message.into() }
}

/// 102: what the parser does not understand.
pub fn near(token: &str) -> SqlError {
    SqlError { number: 102, state: 1, class: 15, message: format!("Incorrect syntax near '{token}'.") }
}

/// 208: no such table or view.
pub fn no_object(name: &str) -> SqlError {
    fail(208, format!("Invalid object name '{name}'."))
}

/// 195: no such function.
pub fn no_function(name: &str) -> SqlError {
    SqlError {
        number: 195,
        state: 10,
        class: 15,
        message: format!("'{name}' is not a recognized built-in function name."),
    }
}

/// 8115: a value that its target cannot hold.
pub fn overflow(target: &str) -> SqlError {
    fail(8115, format!("Arithmetic overflow error converting expression to data type {target}."))
}

/// An error wrapped for its way through SQLite.
pub fn wrap(error: SqlError) -> rusqlite::Error {
    let text = format!("{MARK}|{}|{}|{}|{}", error.number, error.state, error.class, error.message);
    rusqlite::Error::UserFunctionError(text.into())
}

/// The error back out of what SQLite says.
pub fn unwrap(error: &rusqlite::Error) -> SqlError {
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    if let Some(at) = text.find(MARK) {
        let mut parts = text[at + MARK.len() + 1..].splitn(4, '|');
        let mut next = || parts.next().unwrap_or_default();
        let (number, state, class) = (next().parse(), next().parse(), next().parse());
        if let (Ok(number), Ok(state), Ok(class)) = (number, state, class) {
            return SqlError { number, state, class, message: next().to_owned() };
        }
    }
    match error.sqlite_error().map(|failure| failure.code) {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            // The extended code tells a stale snapshot (a write after others wrote) from a mere wait.
            match error.sqlite_error().map(|failure| failure.extended_code) {
                Some(517) => fail(3960, "Snapshot isolation transaction aborted due to update conflict."),
                _ => fail(1222, "Lock request time out period exceeded."),
            }
        }
        _ => fail(50000, format!("The test engine cannot do this: {text}")),
    }
}
