//! The schedule: when jobs run, what is recorded, who is told, what a real process does when it is asked to stop.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use qianyi::artifacts::Blocker;
use qianyi::report::{Lang, Words};
use qianyi::schedule::{
    Body, Ended, Event, Form, JobKind, JobSettings, Missed, NotifySettings, Schedule, ScheduleError, Time,
    Times, Told, WebAddress, begins, jitter, next, ready, walk,
};
use qianyi::state::{JobEnd, JobOutcome, Jobs, State, StateError};
use qianyi::stop::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Eight hours before Greenwich, without summer time in these years.
fn china() -> Tz {
    qianyi::clock::DEFAULT_ZONE
}

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}+08:00").parse().unwrap()
}

fn job(name: &str, cron: &str, missed: Missed) -> JobSettings {
    let (name, cron) = (name.to_owned(), Times::parse(cron).unwrap());
    JobSettings { name, cron, job: JobKind::Run, missed, jitter_seconds: 0 }
}

/// Time that passes only when somebody sleeps or a job takes long; asks to stop at its end.
struct Hourglass {
    now: Mutex<DateTime<Utc>>,
    end: DateTime<Utc>,
    stop: Stop,
}

impl Hourglass {
    fn pass(&self, by: TimeDelta) {
        let mut now = self.now.lock().unwrap();
        *now += by;
        if *now >= self.end {
            self.stop.ask();
        }
    }
}

#[async_trait]
impl Time for Hourglass {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    async fn sleep(&self, at_most: Duration) {
        self.pass(TimeDelta::from_std(at_most).unwrap());
    }
}

/// A scheduler in a temporary folder, and everything that it said.
struct Bench {
    dir: tempfile::TempDir,
    jobs: Vec<JobSettings>,
    notify: Option<NotifySettings>,
    metrics: Option<PathBuf>,
    zone: Tz,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Bench {
    fn new(jobs: Vec<JobSettings>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, jobs, notify: None, metrics: None, zone: china(), events: Arc::default() }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Runs from one moment to another; `takes` says how long each run of a job takes and how it ends, `done` in no time after them.
    fn run(&self, from: &str, to: &str, takes: Vec<(TimeDelta, Ended)>) -> u64 {
        let stop = Stop::new();
        let time = Hourglass { now: Mutex::new(at(from)), end: at(to), stop: stop.clone() };
        let time = Arc::new(time);
        let (glass, takes) = (time.clone(), Mutex::new(VecDeque::from(takes)));
        let body: Body = Arc::new(move |_, _| {
            let (long, ended) =
                takes.lock().unwrap().pop_front().unwrap_or((TimeDelta::zero(), Ended::done(None)));
            glass.pass(long);
            ended
        });
        self.with(stop, time, body).unwrap()
    }

    fn with(&self, stop: Stop, time: Arc<dyn Time>, body: Body) -> Result<u64, ScheduleError> {
        let events = self.events.clone();
        let of = Schedule {
            workdir: self.work(),
            city: "白城市".to_owned(),
            words: Words::of(Lang::Zh).unwrap(),
            jobs: self.jobs.clone(),
            notify: self.notify.clone(),
            metrics: self.metrics.clone(),
            zone: self.zone,
            time,
            stop,
            body,
            tell: Box::new(move |e| events.lock().unwrap().push(e.clone())),
        };
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        threads.block_on(walk(&of))
    }

    /// What happened, but for waiting: `name due` in local time, `-name due` for skipped ones.
    fn ran(&self) -> Vec<String> {
        let local = |due: &str| {
            let due: DateTime<Utc> = due.parse().unwrap();
            due.with_timezone(&china()).format("%dT%H:%M").to_string()
        };
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        let one = |e: &Event| match e {
            Event::Started { job, due } => Some(format!("{job} {}", local(due))),
            Event::Skipped { job, due } => Some(format!("-{job} {}", local(due))),
            Event::Waiting { .. } | Event::Ended(_) | Event::Trouble { .. } => None,
        };
        events.iter().filter_map(one).collect()
    }

    fn troubles(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let one = |e: &Event| match e {
            Event::Trouble { code, .. } => Some(code.clone()),
            _ => None,
        };
        events.iter().filter_map(one).collect()
    }
}

fn hours(n: i64) -> TimeDelta {
    TimeDelta::hours(n)
}

fn ended(outcome: JobOutcome) -> Ended {
    Ended { outcome, ..Ended::done(Some(7)) }
}

/// A failure that quotes a person, as a driver might.
fn failure() -> Ended {
    let error = Some("cannot cast '229901198001010010' of 张三丰".to_owned());
    Ended { error, error_code: Some("SRC-009".to_owned()), exit_status: 1, ..ended(JobOutcome::Failed) }
}

#[test]
fn jobs_run_when_they_are_due_in_local_time() {
    let bench =
        Bench::new(vec![job("night", "0 1 * * *", Missed::Skip), job("noon", "0 12 * * *", Missed::Once)]);
    let ran = bench.run("2021-05-30T23:30:00", "2021-06-01T13:00:00", vec![]);
    assert_eq!(bench.ran(), ["night 31T01:00", "noon 31T12:00", "night 01T01:00", "noon 01T12:00"]);
    assert_eq!(ran, 4);
    let state = State::open_readonly(&bench.work()).unwrap();
    let last = state.last_job("night").unwrap().unwrap();
    assert_eq!((last.due.as_str(), last.outcome), ("2021-05-31T17:00:00Z", Some(JobOutcome::Done)));
    assert_eq!(state.last_job("other").unwrap(), None);
}

#[test]
fn a_clock_that_is_set_back_a_day_is_warned_of_and_jobs_run_when_they_are_due_by_it() {
    let bench = Bench::new(vec![job("night", "0 1 * * *", Missed::Skip)]);
    // While it runs: noon becomes noon of the day before.
    assert_eq!(
        bench.run("2026-11-10T00:30:00", "2026-11-11T02:00:00", vec![(hours(-24), ended(JobOutcome::Done))]),
        3
    );
    assert_eq!(bench.troubles(), ["SCH-015"]);
    assert_eq!(bench.ran(), ["night 10T01:00", "night 10T01:00", "night 11T01:00"]);
    // While it was down.
    assert_eq!(bench.run("2026-11-10T00:30:00", "2026-11-10T02:00:00", vec![]), 1);
    assert_eq!(bench.troubles(), ["SCH-015"]);
    assert_eq!(bench.ran(), ["night 10T01:00"]);
    // A correction by seconds makes nothing due twice.
    assert_eq!(bench.run("2026-11-10T02:30:00", "2026-11-11T00:30:00", vec![]), 0);
    assert_eq!(
        bench.run(
            "2026-11-11T00:30:00",
            "2026-11-11T02:00:00",
            vec![(TimeDelta::seconds(-5), ended(JobOutcome::Done))]
        ),
        1
    );
    assert_eq!(bench.troubles(), [""; 0]);
}

#[test]
fn a_nightly_job_runs_once_in_the_nights_in_which_summer_time_begins_and_ends() {
    let berlin: Tz = "Europe/Berlin".parse().unwrap();
    for (from, to) in
        [("2027-03-27T20:00:00", "2027-03-30T20:00:00"), ("2027-10-30T20:00:00", "2027-11-02T20:00:00")]
    {
        for cron in ["30 1 * * *", "30 2 * * *", "0 3 * * *", "30 3 * * *"] {
            let mut bench = Bench::new(vec![job("night", cron, Missed::Skip)]);
            bench.zone = berlin;
            assert_eq!(bench.run(from, to, vec![]), 3, "{cron} {from} {:?}", bench.ran());
        }
    }
}

#[test]
fn what_was_missed_while_the_process_was_down_is_skipped_or_run_once() {
    for (missed, expected) in
        [(Missed::Skip, vec!["-j 05T01:00", "j 06T01:00"]), (Missed::Once, vec!["j 05T01:00", "j 06T01:00"])]
    {
        let bench = Bench::new(vec![job("j", "0 1 * * *", missed)]);
        // What never ran was not missed.
        bench.run("2021-06-01T12:00:00", "2021-06-02T02:00:00", vec![]);
        assert_eq!(bench.ran(), ["j 02T01:00"]);
        bench.run("2021-06-05T12:00:00", "2021-06-06T02:00:00", vec![]);
        assert_eq!(bench.ran(), expected);
        bench.run("2021-06-06T02:00:00", "2021-06-06T03:00:00", vec![]);
        assert!(bench.ran().is_empty(), "nothing was missed in between");
    }
}

#[test]
fn what_comes_due_while_another_job_runs_waits_and_is_run_at_most_once() {
    let long = || vec![(hours(3), ended(JobOutcome::Done))];
    for (missed, expected) in [
        (Missed::Once, vec!["long 01T01:00", "often 01T04:00", "often 01T05:00"]),
        (Missed::Skip, vec!["long 01T01:00", "-often 01T04:00", "often 01T05:00"]),
    ] {
        let bench =
            Bench::new(vec![job("long", "0 1 * * *", Missed::Skip), job("often", "0 2-9 * * *", missed)]);
        bench.run("2021-06-01T00:30:00", "2021-06-01T05:30:00", long());
        assert_eq!(bench.ran(), expected);
    }
    // Two that are due at the same moment both run, one after the other, in the order of the file.
    let twins = Bench::new(vec![job("b", "0 1 * * *", Missed::Skip), job("a", "0 1 * * *", Missed::Skip)]);
    twins.run("2021-06-01T00:30:00", "2021-06-01T05:30:00", long());
    assert_eq!(twins.ran(), ["b 01T01:00", "a 01T01:00"]);
    // A job that takes longer than its own period does not pile up.
    let slow = Bench::new(vec![job("slow", "*/10 * * * *", Missed::Once)]);
    slow.run(
        "2021-06-01T00:55:00",
        "2021-06-01T02:35:00",
        vec![(TimeDelta::minutes(85), ended(JobOutcome::Done))],
    );
    assert_eq!(slow.ran(), ["slow 01T01:00", "slow 01T02:20", "slow 01T02:30"]);
}

#[test]
fn a_run_that_was_killed_or_stopped_is_gone_on_with() {
    for outcome in [None, Some(JobOutcome::Stopped)] {
        let bench = Bench::new(vec![job("j", "0 1 * * *", Missed::Once)]);
        let jobs = Jobs::open(&bench.work()).unwrap();
        let id = jobs.begin("j", "2021-05-31T17:00:00Z", "2021-05-31T17:00:01Z").unwrap();
        if let Some(outcome) = outcome {
            let (message, rows, unexplained_rows, unexplained_fen) = (None, None, None, None);
            let end = JobEnd { outcome, message, rows, unexplained_rows, unexplained_fen };
            jobs.end(id, "2021-05-31T17:09:00Z", &end).unwrap();
        }
        drop(jobs);
        bench.run("2021-06-01T03:00:00", "2021-06-01T04:00:00", vec![]);
        assert_eq!(bench.ran(), ["j 01T01:00"], "{outcome:?}");
    }
}

#[test]
fn a_job_is_told_to_stop_and_its_scheduler_ends_after_it() {
    let bench = Bench::new(vec![job("a", "0 1 * * *", Missed::Once), job("b", "0 1 * * *", Missed::Once)]);
    let stop = Stop::new();
    let time = Hourglass {
        now: Mutex::new(at("2021-06-01T00:59:00")),
        end: at("2030-01-01T00:00:00"),
        stop: stop.clone(),
    };
    let asks = stop.clone();
    let body: Body = Arc::new(move |_, stop| {
        asks.ask();
        if stop.asked() { ended(JobOutcome::Stopped) } else { ended(JobOutcome::Done) }
    });
    assert_eq!(bench.with(stop, Arc::new(time), body).unwrap(), 1);
    assert_eq!(bench.ran(), ["a 01T01:00"]);
    let state = State::open_readonly(&bench.work()).unwrap();
    assert_eq!(state.last_job("a").unwrap().unwrap().outcome, Some(JobOutcome::Stopped));
}

#[test]
fn a_second_scheduler_is_refused_and_other_writers_are_not() {
    let bench = Bench::new(vec![job("a", "0 1 * * *", Missed::Once)]);
    let first = Jobs::open(&bench.work()).unwrap();
    let stop = Stop::new();
    let time = Hourglass {
        now: Mutex::new(at("2021-06-01T00:00:00")),
        end: at("2021-06-01T00:00:00"),
        stop: stop.clone(),
    };
    let body: Body = Arc::new(|_, _| Ended::done(None));
    let error = bench.with(stop, Arc::new(time), body).unwrap_err();
    let ScheduleError::State(StateError::Scheduled { pid, .. }) = &error else { panic!("{error}") };
    assert_eq!(pid, &std::process::id().to_string());
    drop(State::open(&bench.work(), "run").unwrap());
    drop(first);
    assert!(Jobs::open(&bench.work()).is_ok());
}

#[test]
fn a_panic_in_a_job_is_a_failure_of_that_job() {
    let bench = Bench::new(vec![job("a", "0 1 * * *", Missed::Once)]);
    let stop = Stop::new();
    let time = Hourglass {
        now: Mutex::new(at("2021-06-01T00:59:00")),
        end: at("2021-06-01T01:30:00"),
        stop: stop.clone(),
    };
    let body: Body = Arc::new(|_, _| panic!("a fault of qianyi"));
    assert_eq!(bench.with(stop, Arc::new(time), body).unwrap(), 1);
    let last = State::open_readonly(&bench.work()).unwrap().last_job("a").unwrap().unwrap();
    assert_eq!(last.outcome, Some(JobOutcome::Failed));
    assert!(last.message.unwrap().starts_with("SCH-005: the thread of a job ended without a result\n"));
}

proptest! {
    #[test]
    fn jitter_stays_in_bounds_and_is_the_same_every_time(seconds in 0_u32..=86_400, minute in 0_i64..600_000, name in "[a-z]{1,8}") {
        let of = JobSettings { jitter_seconds: seconds, ..job(&name, "* * * * *", Missed::Once) };
        let due = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let found = jitter(&of, due);
        prop_assert!(found >= TimeDelta::zero() && found <= TimeDelta::seconds(i64::from(seconds)));
        prop_assert_eq!(found, jitter(&of.clone(), due));
    }

    #[test]
    fn what_is_ready_has_come_and_was_not_seen(hour in 0_i64..20_000, behind in 0_i64..400, seconds in 0_u32..7200) {
        let of = JobSettings { jitter_seconds: seconds, ..job("j", "0 */5 * * *", Missed::Once) };
        let now = DateTime::UNIX_EPOCH + hours(hour);
        let seen = now - hours(behind);
        if let Some(due) = ready(&of, seen, now, china()) {
            prop_assert!(due > seen && due + jitter(&of, due) <= now);
            let later = next(&of, due, china()).unwrap();
            prop_assert!(later + jitter(&of, later) > now, "a later one is ready too");
        } else if let Some(due) = next(&of, seen, china()) {
            prop_assert!(due + jitter(&of, due) > now);
        }
    }
}

#[test]
fn jitter_differs_from_job_to_job_and_puts_the_run_off() {
    let of = |name: &str| JobSettings { jitter_seconds: 3600, ..job(name, "0 1 * * *", Missed::Once) };
    let due = at("2021-06-01T01:00:00");
    assert_ne!(jitter(&of("a"), due), jitter(&of("b"), due));
    let bench = Bench::new(vec![of("a")]);
    bench.run("2021-06-01T00:30:00", "2021-06-01T02:30:00", vec![]);
    assert_eq!(bench.ran(), ["a 01T01:00"]);
    let last = State::open_readonly(&bench.work()).unwrap().last_job("a").unwrap().unwrap();
    assert_eq!(last.started.parse::<DateTime<Utc>>().unwrap(), due + jitter(&of("a"), due));
}

#[test]
fn status_names_the_next_start() {
    let (now, zone) = (at("2021-06-03T12:00:00"), china());
    for (missed, expected) in [(Missed::Skip, "2021-06-04T01:00:00"), (Missed::Once, "2021-06-02T01:00:00")] {
        let bench = Bench::new(vec![job("j", "0 1 * * *", missed)]);
        assert_eq!(begins(&bench.jobs[0], None, now, zone), Some(at("2021-06-04T01:00:00")));
        bench.run("2021-06-01T00:30:00", "2021-06-01T01:30:00", vec![]);
        let last = State::open_readonly(&bench.work()).unwrap().last_job("j").unwrap();
        assert_eq!(begins(&bench.jobs[0], last.as_ref(), now, zone), Some(at(expected)));
    }
}

/// A program that keeps what it was given.
#[cfg(unix)]
fn script(dir: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("notify.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn told(command: Vec<String>, webhook: Option<WebAddress>) -> Option<NotifySettings> {
    let (sendmail, on) = (String::new(), vec![Told::Failed, Told::Blocked]);
    Some(NotifySettings { command, webhook, form: Form::Json, mail: Vec::new(), sendmail, on })
}

#[cfg(unix)]
#[test]
fn a_command_is_given_the_masked_summary_of_what_failed_or_is_blocked() {
    let mut bench = Bench::new(vec![job("j", "0 1 * * *", Missed::Once)]);
    let got = bench.dir.path().join("got");
    let program = script(bench.dir.path(), "cat >>\"$1\"; echo >>\"$1\"");
    bench.notify = told(vec![program, got.display().to_string()], None);
    let blocked = Ended {
        exit_status: 3,
        unexplained_rows: Some(2),
        unexplained_fen: Some(12_345_678),
        blocked_by: vec![
            Blocker::Undecided { table: "ylbx.X".to_owned() },
            Blocker::NotChecked {
                table: "AC01".to_owned(),
                column: "AAC003".to_owned(),
                rule: "R1".to_owned(),
                why: "张三 13843600001".to_owned(),
            },
        ],
        ..ended(JobOutcome::Blocked)
    };
    let zero = TimeDelta::zero();
    let takes = vec![
        (zero, ended(JobOutcome::Done)),
        (zero, failure()),
        (zero, blocked),
        (zero, ended(JobOutcome::Stopped)),
    ];
    bench.run("2021-06-01T00:30:00", "2021-06-05T00:30:00", takes);
    assert_eq!(bench.troubles(), Vec::<String>::new());
    let text = std::fs::read_to_string(&got).unwrap();
    let all: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(all.len(), 2, "{text}");
    insta::assert_snapshot!("told", text);
    let kept = std::fs::read(bench.work().join("state.db")).unwrap();
    let wal = std::fs::read(bench.work().join("state.db-wal")).unwrap_or_default();
    let kept = String::from_utf8_lossy(&[kept, wal].concat()).into_owned();
    for value in ["229901198001010010", "张三", "13843600001"] {
        assert!(!text.contains(value) && !kept.contains(value), "{value} was told or recorded");
    }
}

#[cfg(unix)]
#[test]
fn who_cannot_be_told_changes_nothing() {
    let mut bench = Bench::new(vec![job("j", "0 1 * * *", Missed::Once)]);
    let program = script(bench.dir.path(), "exit 4");
    // A port that nobody listens on: taken and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let webhook = WebAddress::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    bench.notify = told(vec![program], Some(webhook));
    assert_eq!(
        bench.run("2021-06-01T00:30:00", "2021-06-01T01:30:00", vec![(TimeDelta::zero(), failure())]),
        1
    );
    assert_eq!(bench.troubles(), ["SCH-011", "SCH-013"]);
    bench.notify = told(vec!["./nowhere/at-all".to_owned()], None);
    bench.run("2021-06-02T00:30:00", "2021-06-02T01:30:00", vec![(TimeDelta::zero(), failure())]);
    assert_eq!(bench.troubles(), ["SCH-011", "SCH-013", "SCH-010"]);
    let last = State::open_readonly(&bench.work()).unwrap().last_job("j").unwrap().unwrap();
    assert_eq!(last.outcome, Some(JobOutcome::Failed));
    assert_eq!(last.message.unwrap(), "SRC-009: cannot cast '***' of *");
}

/// One answer to one request; what was asked.
async fn serve(listener: tokio::net::TcpListener, answer: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = Vec::new();
    loop {
        stream.read_buf(&mut asked).await.unwrap();
        let text = String::from_utf8_lossy(&asked).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            stream.write_all(answer.as_bytes()).await.unwrap();
            return text;
        }
    }
}

#[test]
fn a_webhook_is_posted_the_same_summary() {
    for (answer, troubles) in
        [("HTTP/1.1 204 No Content\r\n\r\n", vec![]), ("HTTP/1.1 500 Oh\r\n\r\n", vec!["SCH-014"])]
    {
        let server =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = server.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = server.spawn(serve(listener, answer));
        let mut bench = Bench::new(vec![job("j", "0 1 * * *", Missed::Once)]);
        let webhook = WebAddress::parse(&format!("http://127.0.0.1:{port}/hook?a=b")).unwrap();
        bench.notify = told(vec![], Some(webhook));
        bench.run("2021-06-01T00:30:00", "2021-06-01T01:30:00", vec![(TimeDelta::zero(), failure())]);
        assert_eq!(bench.troubles(), troubles);
        let asked = server.block_on(asked).unwrap();
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with(&format!("POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")),
            "{head}"
        );
        assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["outcome"], &body["error_code"]), (&"failed".into(), &"SRC-009".into()));
    }
}

/// Posts what a job came to in a form; the body that was posted, and the troubles.
fn posted(form: Form, answer: &'static str, end: Ended) -> (serde_json::Value, Vec<String>) {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = server.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = server.spawn(serve(listener, answer));
    let mut bench = Bench::new(vec![job("night", "0 1 * * *", Missed::Once)]);
    let webhook = WebAddress::parse(&format!("http://127.0.0.1:{port}/send?key=1")).unwrap();
    let settings = told(vec![], Some(webhook)).unwrap();
    bench.notify =
        Some(NotifySettings { form, on: vec![Told::Done, Told::Failed, Told::Blocked], ..settings });
    bench.run("2021-06-01T00:30:00", "2021-06-01T01:30:00", vec![(TimeDelta::zero(), end)]);
    let asked = server.block_on(asked).unwrap();
    (serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap(), bench.troubles())
}

#[test]
fn robots_are_told_city_job_run_counts_report_and_what_to_do() {
    let blocked = Ended {
        exit_status: 3,
        run: Some("r0007".to_owned()),
        report: Some("/srv/qianyi/runs/r0007/report/index.html".to_owned()),
        hint: Some("打开报告".to_owned()),
        accepted: Some(1_234),
        not_accepted: Some(5),
        findings: Some(17),
        unexplained_rows: Some(2),
        unexplained_fen: Some(12_345),
        blocked_by: (0..9).map(|n| Blocker::Undecided { table: format!("ylbx.T{n}") }).collect(),
        ..ended(JobOutcome::Blocked)
    };
    const OK: &str = "HTTP/1.1 200 OK\r\n\r\n{\"errcode\":0,\"errmsg\":\"ok\"}";
    let (wecom, troubles) = posted(Form::Wecom, OK, blocked.clone());
    assert_eq!(troubles, Vec::<String>::new());
    assert_eq!(wecom["msgtype"], "markdown");
    let text = wecom["markdown"]["content"].as_str().unwrap();
    for part in [
        "白城市",
        "night",
        "未通过",
        "2021-06-01 01:00:00",
        "r0007",
        "**可上报行数**: 1,234",
        "**问题数据**: 17",
        "2 行, 123.45 元",
        "ylbx.T4",
        "… +4",
        "runs/r0007/report/index.html",
        "打开报告",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.len() <= 4096 && !text.contains("ylbx.T5"), "{text}");
    let (dingtalk, troubles) = posted(Form::Dingtalk, OK, failure());
    assert_eq!(troubles, Vec::<String>::new());
    assert!(dingtalk["markdown"]["title"].as_str().unwrap().contains("night 失败"), "{dingtalk}");
    let text = dingtalk["markdown"]["text"].as_str().unwrap();
    assert!(text.contains("SRC-009: cannot cast '***'") && !text.contains("张三丰"), "{text}");
    // A robot that takes the request and refuses the message has told nobody.
    let refused = "HTTP/1.1 200 OK\r\n\r\n{\"errcode\":93000,\"errmsg\":\"invalid webhook url\"}";
    assert_eq!(posted(Form::Wecom, refused, ended(JobOutcome::Done)).1, ["SCH-014"]);
}

#[cfg(unix)]
#[test]
fn a_mail_goes_through_the_local_sendmail() {
    let mut bench = Bench::new(vec![job("night", "0 1 * * *", Missed::Once)]);
    let got = bench.dir.path().join("got");
    let sendmail = script(bench.dir.path(), &format!("echo \"$@\" >{0}; cat >>{0}", got.display()));
    let mail = vec!["it@bureau.example".to_owned(), "duty".to_owned()];
    bench.notify = Some(NotifySettings { mail, sendmail, ..told(vec![], None).unwrap() });
    let hint = Some("check `password_file`".to_owned());
    let end = Ended { hint, ..failure() };
    bench.run("2021-06-01T00:30:00", "2021-06-01T01:30:00", vec![(TimeDelta::zero(), end)]);
    assert_eq!(bench.troubles(), Vec::<String>::new());
    let mail = std::fs::read_to_string(got).unwrap();
    assert!(mail.starts_with("-i -t\nTo: it@bureau.example, duty\nSubject: =?UTF-8?Q?=E8=BF=81"), "{mail}");
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(head.is_ascii() && head.contains("charset=UTF-8"), "{head}");
    assert!(body.contains("城市: 白城市\n") && body.contains("处理办法: check `password_file`\n"), "{body}");
    let last = State::open_readonly(&bench.work()).unwrap().last_job("night").unwrap().unwrap();
    assert_eq!(last.message.unwrap(), "SRC-009: cannot cast '***' of *\ncheck `password_file`");
}

#[test]
fn the_metrics_say_how_each_job_went_and_survive_a_restart() {
    let mut bench =
        Bench::new(vec![job("night", "0 1 * * *", Missed::Skip), job("idle", "0 0 29 2 *", Missed::Skip)]);
    let path = bench.dir.path().join("prom/qianyi.prom");
    bench.metrics = Some(path.clone());
    let blocked =
        Ended { unexplained_rows: Some(2), unexplained_fen: Some(12_345), ..ended(JobOutcome::Blocked) };
    let takes = vec![(TimeDelta::seconds(90), ended(JobOutcome::Done)), (TimeDelta::seconds(30), blocked)];
    bench.run("2021-06-01T00:30:00", "2021-06-02T01:30:00", takes);
    let text = std::fs::read_to_string(&path).unwrap();
    insta::assert_snapshot!("metrics", text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    std::fs::remove_file(&path).unwrap();
    bench.run("2021-06-02T02:00:00", "2021-06-02T02:30:00", vec![]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    // A file that cannot be written is a trouble and no more.
    bench.metrics = Some(bench.dir.path().join("prom/qianyi.prom/below"));
    assert_eq!(bench.run("2021-06-03T00:30:00", "2021-06-03T01:30:00", vec![]), 1);
    assert_eq!(bench.troubles(), ["DUR-001", "DUR-001"]);
}
