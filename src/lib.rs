//! qianyi (迁移): from a city's legacy social-insurance database to sealed, reconciled national data.
//!
//! The library never prints and never exits. Rooms by floor, highest first; a room imports from lower floors only
//! (ARCHITECTURE.md; checked by tests/it/house.rs).

// floor 3: walks
pub mod config;
pub mod fixture;
pub mod profile;
pub mod run;
pub mod schedule;

// floor 2: stages, none imports another
pub mod gate;
pub mod mapping;
pub mod package;
pub mod quality;
pub mod raw;
pub mod reconcile;
pub mod report;
pub mod source;

// floor 1: what stages share
pub mod dataset;
pub mod engine;
pub mod functions;
pub mod national;
pub mod state;
pub mod tally;
pub mod trail;

// floor 0: ground
pub mod civil;
pub mod clock;
pub mod durable;
pub mod encoding;
pub mod error;
pub mod failpoint;
pub mod folder;
pub mod mask;
pub mod progress;
pub mod retry;
pub mod stop;
pub mod text_file;
