//! When a job is due: cron occurrences of a time zone, put off by a jitter.
//!
//! Always: pure; the same job, moment and record give the same answer. The jitter is a digest of the job's name and the due moment:
//! the same at every start, other jobs and other days elsewhere.
//! Must not know: what a job does.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use xxhash_rust::xxh3::xxh3_64;

use super::settings::{JobSettings, Missed};
use crate::state::{JobOutcome, JobRun};

/// How long after it is due a job begins.
#[must_use]
pub fn jitter(job: &JobSettings, due: DateTime<Utc>) -> TimeDelta {
    let text = format!("{}\n{}", job.name, due.timestamp());
    let seconds = xxh3_64(text.as_bytes()) % (u64::from(job.jitter_seconds) + 1);
    TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default())
}

/// The first moment after `seen` that a job is due.
#[must_use]
pub fn next(job: &JobSettings, seen: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let found = job.cron.cron.find_next_occurrence(&seen.with_timezone(&zone), false);
    found.ok().map(|d| d.with_timezone(&Utc))
}

/// The last moment after `seen` for which a job should have begun by `now`; those before it are not caught up.
#[must_use]
pub fn ready(job: &JobSettings, seen: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let (mut at, mut inclusive) = (now, true);
    loop {
        let found = job.cron.cron.find_previous_occurrence(&at.with_timezone(&zone), inclusive);
        let due = found.ok()?.with_timezone(&Utc);
        if due <= seen {
            return None;
        }
        if due + jitter(job, due) <= now {
            return Some(due);
        }
        (at, inclusive) = (due, false);
    }
}

/// A clock that shows so much less than it has shown was set back; less is a correction, after which nothing is due twice.
pub const SET_BACK: TimeDelta = TimeDelta::minutes(10);

/// Whether a job's last record is from a time that has not come: the clock was set back since.
#[must_use]
pub fn is_ahead(last: Option<&JobRun>, now: DateTime<Utc>) -> bool {
    let due = last.and_then(|run| run.due.parse::<DateTime<Utc>>().ok());
    due.is_some_and(|due| due > now + SET_BACK)
}

/// The moment up to which a job has been dealt with, from its last record: what was killed or stopped has not.
#[must_use]
pub fn seen(last: Option<&JobRun>, now: DateTime<Utc>) -> DateTime<Utc> {
    // By the clock as it is now nothing was dealt with: the job runs when it is due, and not only when the old time has come again.
    if is_ahead(last, now) {
        return now;
    }
    let due = |run: &JobRun| run.due.parse::<DateTime<Utc>>().ok();
    match last.and_then(|run| Some((due(run)?, run.outcome))) {
        Some((due, None | Some(JobOutcome::Stopped))) => due - TimeDelta::seconds(1),
        Some((due, Some(_))) => due,
        None => now,
    }
}

/// When a job begins next, from its last record; a moment before `now` is overdue and is caught up.
#[must_use]
pub fn begins(
    job: &JobSettings,
    last: Option<&JobRun>,
    now: DateTime<Utc>,
    zone: Tz,
) -> Option<DateTime<Utc>> {
    let running = last.filter(|run| run.outcome.is_none()).and_then(|run| run.due.parse().ok());
    let due = next(job, running.unwrap_or_else(|| seen(last, now)), zone)?;
    let begins = due + jitter(job, due);
    if begins > now || job.missed == Missed::Once {
        return Some(begins);
    }
    let due = next(job, now, zone)?;
    Some(due + jitter(job, due))
}
