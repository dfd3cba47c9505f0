//! The tests' own SQL Server, tested itself: what stands on it is worth no more than it is.

mod engine;
mod wire;
