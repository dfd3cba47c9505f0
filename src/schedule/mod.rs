//! The schedule: jobs by cron expression in the foreground, their record, who is told, metrics, systemd units.
//!
//! Always: one scheduler a work directory, one job at a time; every run of a job is recorded when it begins and when it ends; what
//! goes wrong with telling or measuring never changes how a job ended. Time is handed in.
//! Must not know: what a job does (the binary hands it in), or how anything is printed.

mod calendar;
mod due;
mod error;
mod jobs;
mod message;
mod metrics;
mod notify;
mod settings;
mod summary;
pub mod units;
mod webhook;

pub use due::{begins, jitter, next, ready, seen};
pub use error::{NotifyError, ScheduleError};
pub use jobs::{Body, Event, Schedule, Time, WallClock, walk};
pub use message::{blocked, suspect};
pub use settings::{Form, JobKind, JobSettings, Missed, NotifySettings, Times, Told, WebAddress};
pub use summary::{Ended, JobSummary};
