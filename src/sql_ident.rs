//! Names and texts inside SQL: the only way by which one gets into a statement.
//!
//! Always: whatever is in a name or text, the statement stays what it was.

/// A name, as standard SQL quotes it: SQLite, PostgreSQL, DataFusion.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name, as T-SQL quotes it.
pub fn bracket(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A text, as standard SQL quotes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
