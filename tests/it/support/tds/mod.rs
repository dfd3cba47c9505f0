//! A TDS 7.4 server for tests, backed by SQLite: what tiberius needs to log in, ask and stream, and faults on command.

pub mod engine;
pub mod value;
pub mod wire;
