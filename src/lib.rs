//! qianyi (迁移): from a city's legacy social-insurance database to sealed, reconciled national data.
//!
//! The library never prints and never exits. Modules by layer, highest first; a module imports from lower layers only
//! (ARCHITECTURE.md; checked by tests/it/layout.rs).

// layer 3: workflows
pub mod config;
pub mod cutover;
pub mod fixture;
pub mod init;
pub mod pipeline;
pub mod profile;
pub mod schedule;

// layer 2: stages, none imports another
pub mod gate;
pub mod mapping;
pub mod package;
pub mod raw;
pub mod reconcile;
pub mod report;
pub mod rules;
pub mod source;
pub mod staging;
pub mod validate;

// layer 1: what stages share
pub mod artifacts;
pub mod audit;
pub mod dataset;
pub mod engine;
pub mod functions;
pub mod measures;
pub mod national;
pub mod state;

// layer 0: foundation
pub mod civil;
pub mod clock;
pub mod durable;
pub mod encoding;
pub mod error;
pub mod failpoint;
pub mod folder;
pub mod mask;
pub mod messages;
pub mod nearest;
pub mod panics;
pub mod progress;
pub mod retry;
pub mod spreadsheet;
pub mod sql_ident;
pub mod stop;
pub mod text_file;
