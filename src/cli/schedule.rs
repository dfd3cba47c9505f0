//! `qianyi schedule`: the jobs of the configuration in the foreground; `qianyi schedule install`: systemd units as text.
//!
//! Always: a job is the same library call as its command, under settings that are read again each time. What happens goes to standard
//! error as it happens, without progress of the work when quiet.

use std::sync::Arc;

use chrono_tz::Tz;
use qianyi::artifacts::{Status, TableRow};
use qianyi::pipeline::{self, RunSettings};
use qianyi::schedule::units::{self, Units};
use qianyi::schedule::{self, Body, Event, JobKind, JobSettings, Schedule, ScheduleError, WallClock};
use qianyi::state::JobOutcome;
use qianyi::stop::Stop;
use qianyi::{clock, schedule::Ended as JobEnded};
use serde::Serialize;

use super::args::InstallArgs;
use super::context::{Context, absolute, block_on, mappings};
use super::exit::{self, Ended};
use super::failure::Failure;
use super::{out, signals};

/// The error codes of work that stopped as asked: by somebody, or by a window that closed.
const STOPPED: &[&str] = &["EXT-010", "EXT-011"];

#[derive(Serialize)]
struct Shown {
    jobs_run: u64,
}

/// Runs jobs until SIGTERM or Ctrl-C.
pub fn schedule(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("schedule")?;
    let words = context.words()?;
    // A mapping with a mistake is told by its jobs.
    let city = mappings(&settings).map_or_else(|_| settings.city.clone(), |(_, city)| city.name);
    let (say, json) = (move |key: &str| words.say("schedule", key), context.json);
    let (stopped, stopping, zone) = (say("stopped"), say("stopping"), settings.time_zone);
    let of = Schedule {
        workdir: absolute(&context.workdir),
        city,
        words: context.words()?,
        jobs: settings.schedule,
        notify: settings.notify,
        metrics: settings.metrics,
        zone,
        time: Arc::new(WallClock),
        stop: Stop::new(),
        body: body(context),
        tell: Box::new(move |event| out::error(&line(&say, event, zone))),
    };
    signals::listen(&of.stop, stopping)?;
    let ran = block_on(schedule::walk(&of))??;
    if json {
        out::object(&Shown { jobs_run: ran });
    } else {
        out::line(&format!("{stopped}: {ran}"));
    }
    Ok(Ended::Done)
}

/// Prints units.
pub fn install(context: &Context, args: InstallArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    if settings.schedule.is_empty() {
        return Err(ScheduleError::NoJobs.into());
    }
    let of = Units {
        program: std::env::current_exe().unwrap_or_else(|_| "/usr/local/bin/qianyi".into()),
        workdir: absolute(&context.workdir),
        folder: absolute(".".as_ref()),
        options: context.options(),
        written: settings.metrics.iter().map(|m| absolute(m)).collect(),
        user: args.user,
        zone: settings.time_zone,
        dir: absolute(&args.dir),
    };
    out::text(&units::text(&of, &settings.schedule)?);
    Ok(Ended::Done)
}

/// What a job does.
fn body(context: &Context) -> Body {
    let context = context.clone();
    Arc::new(move |job, stop| {
        work(&context, job, stop).unwrap_or_else(|failure| {
            let code = failure.error.code().map(|c| c.to_string());
            let stopped = code.as_deref().is_some_and(|c| STOPPED.contains(&c));
            let outcome = if stopped { JobOutcome::Stopped } else { JobOutcome::Failed };
            JobEnded::failed(outcome, exit::of_failure(&failure), failure.error.as_ref())
        })
    })
}

fn work(context: &Context, job: &JobSettings, stop: &Stop) -> Result<JobEnded, Failure> {
    let settings = context.settings()?;
    let of = context.run_settings(&settings, &format!("schedule {}", job.name));
    let of = RunSettings { stop: stop.clone(), ..of };
    let progress = context.progress();
    let blocked_hint = context.words()?.say("status", "look_at_report");
    match job.job {
        JobKind::Extract => {
            let done = pipeline::extract_only(&of, &progress)?;
            Ok(JobEnded::done(Some(done.iter().map(|e| e.rows).sum())))
        }
        JobKind::Run => {
            let done = pipeline::run(&of, &progress)?;
            let outcome = match done.status {
                Status::Done => JobOutcome::Done,
                Status::Blocked => JobOutcome::Blocked,
            };
            let page = absolute(&context.workdir).join("runs").join(&done.run).join("report/index.html");
            let sum = |of: fn(&TableRow) -> u64| Some(done.tables.iter().map(of).sum());
            Ok(JobEnded {
                outcome,
                exit_status: exit::of_ended(done.status.into()),
                run: Some(done.run.clone()),
                report: Some(page.display().to_string()),
                accepted: sum(|t| t.accepted),
                not_accepted: sum(|t| t.rejected + t.held),
                findings: Some(done.findings.iter().map(|f| f.rows).sum()),
                hint: (outcome == JobOutcome::Blocked).then(|| blocked_hint.clone()),
                unexplained_rows: Some(done.unexplained_rows),
                unexplained_fen: Some(done.unexplained_fen),
                blocked_by: done.blocked_by,
                ..JobEnded::done(Some(done.extracts.iter().map(|e| e.rows).sum()))
            })
        }
    }
}

fn line(say: &impl Fn(&str) -> String, event: &Event, zone: Tz) -> String {
    let text = match event {
        Event::Waiting { job, begins } => format!("{} {job}: {}", say("waiting"), clock::wall(begins)),
        Event::Started { job, due } => {
            format!("{} {job} ({} {})", say("started"), say("due"), clock::wall(due))
        }
        Event::Ended(of) => {
            let code = of.error_code.as_ref().map(|c| format!(" {c}")).unwrap_or_default();
            let error = of.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
            format!("{} {} {}{code}{error}", say("ended"), of.job, of.outcome)
        }
        Event::Skipped { job, due } => {
            format!("{} {job} ({} {})", say("skipped"), say("due"), clock::wall(due))
        }
        Event::Trouble { code, text } => format!("{code}: {text}"),
    };
    format!("{} {text}\n", clock::wall(&clock::zoned(clock::instant(), zone)))
}
