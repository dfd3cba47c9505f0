//! The metrics of the schedule as Prometheus text (exposition format 0.0.4), for a file that a collector reads.
//!
//! Always: computed from the record alone, so that they are the same before and after a restart; a value that is not known has no
//! line; job names are the only labels that come from a person.
//! Must not know: when they are written.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::settings::JobSettings;
use crate::durable::{self, DurableError};
use crate::state::{JobOutcome, JobRun, Jobs, StateError};

/// One metric: its name, what it says, and its lines (labels, value).
struct Family {
    name: &'static str,
    help: &'static str,
    lines: Vec<(Vec<(&'static str, String)>, i64)>,
}

impl Family {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, lines: Vec::new() }
    }

    fn add(&mut self, job: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.lines.push((vec![("job", job.to_owned())], value));
        }
    }

    fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {} {}\n# TYPE {} gauge", self.name, help(self.help), self.name);
        for (labels, value) in &self.lines {
            let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{}\"", label(v))).collect();
            let _ = writeln!(out, "{}{{{}}} {value}", self.name, labels.join(","));
        }
    }
}

/// The text for these jobs.
pub(super) fn text(jobs: &[JobSettings], record: &Jobs) -> Result<String, StateError> {
    let mut build =
        Family::new("qianyi_build_info", "The version of qianyi that runs the schedule; always 1.");
    build.lines.push((vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1));
    let mut run = Family::new("qianyi_job_last_run_timestamp_seconds", "When the job was last begun.");
    let mut success =
        Family::new("qianyi_job_last_success_timestamp_seconds", "When the job last ended as done.");
    let mut duration = Family::new("qianyi_job_last_duration_seconds", "How long its last run took.");
    let mut outcome =
        Family::new("qianyi_job_last_outcome", "1 for the outcome of its last run, 0 for the others.");
    let mut rows = Family::new("qianyi_job_rows", "Rows that its last run handled.");
    let mut unexplained_rows =
        Family::new("qianyi_unexplained_rows", "Rows that its last reconciliation could not explain.");
    let mut unexplained_fen =
        Family::new("qianyi_unexplained_fen", "Fen that its last reconciliation could not explain.");
    for job in jobs {
        let name = &job.name;
        let last = record.last(name)?;
        run.add(name, last.as_ref().and_then(|r| seconds(&r.started)));
        duration.add(name, last.as_ref().and_then(took));
        rows.add(name, last.as_ref().and_then(|r| r.rows).map(i64::saturating));
        for one in JobOutcome::ALL {
            let is = last.as_ref().is_some_and(|r| r.outcome == Some(one));
            let labels = vec![("job", name.clone()), ("outcome", one.text().to_owned())];
            outcome.lines.push((labels, i64::from(is)));
        }
        success.add(name, record.last_done(name)?.and_then(|r| seconds(r.finished.as_deref()?)));
        if let Some(reconciled) = record.last_reconciled(name)? {
            unexplained_rows.add(name, reconciled.unexplained_rows.map(i64::saturating));
            unexplained_fen.add(name, reconciled.unexplained_fen.map(i64::saturating));
        }
    }
    let mut out = String::new();
    for family in [build, run, success, duration, outcome, rows, unexplained_rows, unexplained_fen] {
        family.write(&mut out);
    }
    Ok(out)
}

/// Puts the text where the collector reads it, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), DurableError> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        durable::create_dir_all(folder)?;
    }
    durable::write(path, text.as_bytes()).map(|_| ())
}

/// Counts of rows and fen in a gauge.
trait Saturating {
    fn saturating(count: u64) -> Self;
}

impl Saturating for i64 {
    fn saturating(count: u64) -> Self {
        Self::try_from(count).unwrap_or(Self::MAX)
    }
}

fn seconds(text: &str) -> Option<i64> {
    text.parse::<DateTime<Utc>>().ok().map(|at| at.timestamp())
}

fn took(run: &JobRun) -> Option<i64> {
    Some((seconds(run.finished.as_deref()?)? - seconds(&run.started)?).max(0))
}

fn help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn label(text: &str) -> String {
    help(text).replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn labels_and_help_are_escaped() {
        let mut family = Family::new("m", "a\\b\nc");
        family.add("x\"y\\z\n", Some(-1));
        family.add("absent", None);
        let mut out = String::new();
        family.write(&mut out);
        assert_eq!(out, "# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{job=\"x\\\"y\\\\z\\n\"} -1\n");
    }
}
