//! The one integration-test binary: a file a subject.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod city;
mod demo;
mod durable;
mod extract;
mod fixture;
mod mapping;
mod national;
mod report;
mod source;
mod state;
mod support;
