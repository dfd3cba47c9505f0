//! The loop: wait until a job is due, run it, record it, tell and measure; until somebody asks to stop.
//!
//! Always: one job at a time. What came due while another ran, or while the process was down, is run once afterwards or skipped, as
//! the job says, and never twice. The wish to stop ends waiting at once and reaches a running job through the same [`Stop`].
//! Must not know: the clock (it is handed in), and what a job does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use miette::Diagnostic;
use tokio::task::spawn_blocking;

use super::due;
use super::error::ScheduleError;
use super::settings::{JobSettings, Missed, NotifySettings, Told};
use super::summary::{Ended, JobSummary};
use super::{metrics, notify};
use crate::clock;
use crate::mask;
use crate::report::Words;
use crate::state::{JobOutcome, Jobs};
use crate::stop::Stop;

/// The clock is looked at at least so often, since it may be set while we wait.
const LOOK: Duration = Duration::from_secs(60);

/// What time it is, and how it passes.
#[async_trait]
pub trait Time: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
    /// Returns after that long, or earlier.
    async fn sleep(&self, at_most: Duration);
}

/// The time of the machine.
pub struct WallClock;

#[async_trait]
impl Time for WallClock {
    fn now(&self) -> DateTime<Utc> {
        clock::instant()
    }

    async fn sleep(&self, at_most: Duration) {
        tokio::time::sleep(at_most).await;
    }
}

/// What a job does; called on a thread of its own, and to look at `stop` between pieces of work.
pub type Body = Arc<dyn Fn(&JobSettings, &Stop) -> Ended + Send + Sync>;

/// What happens, for whoever shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Nothing is due; this job is the next, to begin at that moment.
    Waiting {
        job: String,
        begins: String,
    },
    Started {
        job: String,
        due: String,
    },
    Ended(Box<JobSummary>),
    /// It came due while it could not run, and is not caught up.
    Skipped {
        job: String,
        due: String,
    },
    /// Telling or measuring failed: error code and text.
    Trouble {
        code: String,
        text: String,
    },
}

/// What a scheduler is given.
pub struct Schedule {
    pub workdir: PathBuf,
    /// The city's name, for whoever is told.
    pub city: String,
    /// The language of whoever is told.
    pub words: Words,
    pub jobs: Vec<JobSettings>,
    pub notify: Option<NotifySettings>,
    /// Where the metrics go.
    pub metrics: Option<PathBuf>,
    /// The time zone of the cron expressions, and of what is told.
    pub zone: Tz,
    pub time: Arc<dyn Time>,
    pub stop: Stop,
    pub body: Body,
    pub tell: Box<dyn Fn(&Event)>,
}

/// Runs jobs until somebody asks to stop; how many were run.
///
/// # Errors
/// `SCH-001` without jobs; `STA-007` when another scheduler runs here; those of state.db. What a job does wrong is no error here.
pub async fn walk(of: &Schedule) -> Result<u64, ScheduleError> {
    if of.jobs.is_empty() {
        return Err(ScheduleError::NoJobs);
    }
    let record = Jobs::open(&of.workdir)?;
    let now = of.time.now();
    let mut seen = Vec::new();
    let mut ahead = false;
    for job in &of.jobs {
        let last = record.last(&job.name)?;
        ahead |= due::is_ahead(last.as_ref(), now);
        seen.push(due::seen(last.as_ref(), now));
    }
    if ahead {
        of.set_back();
    }
    of.measure(&record)?;
    // What is ready without our having waited for it is late.
    let (mut late, mut ran, mut told) = (true, 0, None);
    let mut shown = now;
    while !of.stop.asked() {
        let now = of.time.now();
        if now + due::SET_BACK < shown {
            of.set_back();
            seen.iter_mut().for_each(|seen| *seen = now.min(*seen));
            shown = now;
        }
        shown = shown.max(now);
        let ready = of.ready(&seen);
        if ready.is_empty() {
            late = false;
            of.wait(&seen, &mut told).await;
            continue;
        }
        for (n, due) in ready {
            if of.stop.asked() {
                break;
            }
            let job = &of.jobs[n];
            seen[n] = due;
            if late && job.missed == Missed::Skip {
                let due = clock::zoned(due, of.zone);
                tracing::info!(job = job.name, due, "skipped");
                (of.tell)(&Event::Skipped { job: job.name.clone(), due });
                continue;
            }
            of.once(&record, job, due).await?;
            ran += 1;
        }
        late = true;
    }
    Ok(ran)
}

impl Schedule {
    /// Warns that the clock shows a time that has been before.
    fn set_back(&self) {
        self.trouble(&ScheduleError::SetBack);
    }

    /// Jobs that should have begun by now, the longest due first.
    fn ready(&self, seen: &[DateTime<Utc>]) -> Vec<(usize, DateTime<Utc>)> {
        let now = self.time.now();
        let all = self.jobs.iter().zip(seen).enumerate();
        let mut ready: Vec<_> =
            all.filter_map(|(n, (job, seen))| Some((n, due::ready(job, *seen, now, self.zone)?))).collect();
        ready.sort_by_key(|(n, due)| (*due + due::jitter(&self.jobs[*n], *due), *n));
        ready
    }

    /// Waits for the next job, the wish to stop, or the next look at the clock.
    async fn wait(&self, seen: &[DateTime<Utc>], told: &mut Option<Event>) {
        let begins = |(job, seen): (&JobSettings, &DateTime<Utc>)| {
            let due = due::next(job, *seen, self.zone)?;
            Some((due + due::jitter(job, due), job.name.clone()))
        };
        let next = self.jobs.iter().zip(seen).filter_map(begins).min();
        let pause = next.as_ref().and_then(|(at, _)| (*at - self.time.now()).to_std().ok());
        if let Some((at, job)) = next {
            let event = Event::Waiting { job, begins: clock::zoned(at, self.zone) };
            if told.as_ref() != Some(&event) {
                (self.tell)(&event);
                *told = Some(event);
            }
        }
        tokio::select! {
            () = self.time.sleep(pause.unwrap_or(LOOK).min(LOOK)) => {}
            () = self.stop.wait() => {}
        }
    }

    /// One run of a job, from its record to its record.
    async fn once(&self, record: &Jobs, job: &JobSettings, due: DateTime<Utc>) -> Result<(), ScheduleError> {
        let (due, started) = (clock::text(due), clock::text(self.time.now()));
        let id = record.begin(&job.name, &due, &started)?;
        let (due, started) = (self.shown(&due), self.shown(&started));
        tracing::info!(job = job.name, due, "job started");
        (self.tell)(&Event::Started { job: job.name.clone(), due: due.clone() });
        let (body, settings, stop) = (self.body.clone(), job.clone(), self.stop.clone());
        let ended = spawn_blocking(move || body(&settings, &stop)).await;
        let lost = |_| Ended::failed(JobOutcome::Failed, 1, &ScheduleError::Thread);
        let ended = ended.unwrap_or_else(lost).masked();
        let finished = clock::text(self.time.now());
        record.end(id, &finished, &ended.record())?;
        let summary = JobSummary {
            version: 2,
            city: self.city.clone(),
            job: job.name.clone(),
            outcome: ended.outcome.text(),
            due,
            started,
            finished: self.shown(&finished),
            exit_status: ended.exit_status,
            error_code: ended.error_code,
            error: ended.error,
            hint: ended.hint,
            run: ended.run,
            report: ended.report,
            rows: ended.rows,
            accepted: ended.accepted,
            not_accepted: ended.not_accepted,
            findings: ended.findings,
            unexplained_rows: ended.unexplained_rows,
            unexplained_fen: ended.unexplained_fen,
            blocked_by: ended.blocked_by,
        };
        let code = summary.error_code.clone().unwrap_or_default();
        let run = summary.run.clone().unwrap_or_default();
        tracing::info!(
            job = job.name,
            run,
            outcome = summary.outcome,
            code,
            rows = summary.rows,
            "job ended"
        );
        (self.tell)(&Event::Ended(Box::new(summary.clone())));
        self.measure(record)?;
        self.notify(ended.outcome, &summary).await;
        Ok(())
    }

    /// A stored moment as people are told of it.
    fn shown(&self, at: &str) -> String {
        clock::stored_zoned(at, self.zone)
    }

    /// Writes the metrics; a file that cannot be written is a trouble, not an end.
    fn measure(&self, record: &Jobs) -> Result<(), ScheduleError> {
        let Some(path) = &self.metrics else { return Ok(()) };
        let text = metrics::text(&self.jobs, record)?;
        if let Err(e) = metrics::write(path, &text) {
            self.trouble(&e);
        }
        Ok(())
    }

    async fn notify(&self, outcome: JobOutcome, summary: &JobSummary) {
        let told = match outcome {
            JobOutcome::Done => Told::Done,
            JobOutcome::Failed => Told::Failed,
            JobOutcome::Blocked => Told::Blocked,
            JobOutcome::Stopped => return,
        };
        let Some(settings) = self.notify.as_ref().filter(|n| n.on.contains(&told)) else { return };
        for failed in notify::all(settings, &self.words, summary).await {
            self.trouble(&failed);
        }
    }

    fn trouble(&self, error: &impl Diagnostic) {
        let code = error.code().map(|c| c.to_string()).unwrap_or_default();
        let cause = std::error::Error::source(error).map(|c| format!(": {c}")).unwrap_or_default();
        let text = mask::message(&code, &format!("{error}{cause}"));
        tracing::warn!(code, "{text}");
        (self.tell)(&Event::Trouble { code, text });
    }
}
