//! The one clock: when something happened, for people and for state.db.
//!
//! Always: UTC, to the second. What a run computes never depends on it (`as_of` stands for today, FORMS 8).

use chrono::{DateTime, Utc};

/// Now, as `2026-11-23T19:06:22Z`.
pub fn now() -> String {
    text(Utc::now())
}

/// A moment in that form.
pub fn text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now, to reckon with.
pub fn instant() -> DateTime<Utc> {
    Utc::now()
}

/// The day of the run, where the configuration names no other.
pub fn today() -> chrono::NaiveDate {
    Utc::now().date_naive()
}

/// Now, in seconds since 1970.
pub fn unix_seconds() -> i64 {
    chrono::Utc::now().timestamp()
}

/// The time of day where this machine stands, for windows in which reading is allowed.
pub fn time_of_day() -> chrono::NaiveTime {
    chrono::Local::now().time()
}
