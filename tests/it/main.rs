//! The one integration-test binary: a file a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::too_many_lines)]

mod changes;
mod city;
mod cli;
mod config;
mod conformance;
mod demo;
mod drift;
mod durable;
mod extract;
mod fixture;
mod gate;
mod held;
mod house;
mod mapping;
mod national;
mod package;
mod plan;
mod postgres;
mod preflight;
mod quality;
mod reconcile;
mod report;
mod schedule;
mod schedule_cli;
mod source;
mod sqlserver;
mod sqlserver_faults;
mod state;
mod support;
mod tally;
mod tds;
mod time;
mod trouble;
