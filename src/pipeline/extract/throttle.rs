//! How fast, and when, a source may be read: rows and bytes a second, daily windows, pauses while the server is under load.
//!
//! Always: shared by all readers of a source, so that the caps hold for them together. What must stop, stops at a chunk boundary.
//! Must not know: what is read.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::ExtractError;
use crate::clock;
use crate::source::{Limits, SourceError};
use crate::stop::Stop;

/// How often a busy reader asks whether the server is under load.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long to leave a under load server alone before it is asked again.
const LEAVE_ALONE: Duration = Duration::from_secs(2);
/// After so many of these in a row the extract stops; the next start goes on.
const MOST_PAUSES: u32 = 300;

/// How long to wait before looking again at the wish to stop, the windows and the server.
const LOOK: Duration = Duration::from_secs(1);
/// How often to leave a server alone for the sake of a stream that can only be read again.
const EASE: u32 = 3;

/// The time that a throttle goes by.
pub(super) trait Passage: Sync {
    fn now(&self) -> Instant;
    fn time_of_day(&self) -> NaiveTime;
    fn sleep(&self, pause: Duration);
}

/// The time as it passes, and the time of day in the source's zone.
pub(super) struct Machine {
    pub(super) zone: Tz,
}

impl Passage for Machine {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn time_of_day(&self) -> NaiveTime {
        clock::time_of_day(self.zone)
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// The throttle of one source.
pub(super) struct Throttle<'a> {
    id: &'a str,
    limits: &'a Limits,
    stop: &'a Stop,
    time: &'a dyn Passage,
    /// When the next batch may pass, and when the server was asked last.
    next: Mutex<(Instant, Instant)>,
}

/// What a reader does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// Let the server go, and come back when it is no longer under load.
    Pause,
    /// Stop at this boundary.
    Stop,
}

impl<'a> Throttle<'a> {
    pub(super) fn new(id: &'a str, limits: &'a Limits, stop: &'a Stop, time: &'a dyn Passage) -> Self {
        let now = time.now();
        Self { id, limits, stop, time, next: Mutex::new((now, now)) }
    }

    /// Whether reading is allowed now.
    ///
    /// # Errors
    /// `EXT-010` when somebody asked to stop, `EXT-011` outside the windows.
    pub(super) fn allowed(&self) -> Result<(), ExtractError> {
        if self.stop.asked() {
            return Err(ExtractError::Stopped);
        }
        if !self.limits.open(self.time.time_of_day()) {
            let windows = self.limits.windows.iter().map(ToString::to_string).collect::<Vec<_>>();
            return Err(ExtractError::Closed { windows: windows.join(", ") });
        }
        Ok(())
    }

    /// Waits as long as so many rows and bytes take under the caps, or until something else is to be done; then says what.
    pub(super) fn passed(&self, rows: u64, bytes: u64, ask: Ask<'_>) -> Result<Next, SourceError> {
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.0 = next.0.max(self.time.now()) + takes(self.limits, rows, bytes);
            next.0
        };
        loop {
            if self.allowed().is_err() {
                return Ok(Next::Stop);
            }
            if self.due() && ask()?.is_some() {
                return Ok(Next::Pause);
            }
            let left = until.saturating_duration_since(self.time.now());
            if left.is_zero() {
                return Ok(Next::GoOn);
            }
            self.time.sleep(left.min(LOOK));
        }
    }

    /// Whether it is time to ask the server again.
    fn due(&self) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.time.now();
        let due = now.saturating_duration_since(next.1) >= ASK_EVERY;
        if due {
            next.1 = now;
        }
        due
    }

    /// Leaves the server alone until it is no longer under load.
    ///
    /// # Errors
    /// `EXT-010` to `EXT-012`.
    pub(super) fn wait_for_load(&self, ask: Ask<'_>) -> Result<(), ExtractError> {
        if self.eased(MOST_PAUSES, ask)? {
            return Ok(());
        }
        Err(ExtractError::Pressed { id: self.id.to_owned() })
    }

    /// What follows for a stream that cannot be gone on with elsewhere.
    ///
    /// # Errors
    /// `EXT-010`, `EXT-011`; `EXT-013` when the server stays under load for a moment.
    pub(super) fn whole(&self, table: &str, next: Next, ask: Ask<'_>) -> Result<(), ExtractError> {
        match next {
            Next::GoOn => Ok(()),
            Next::Stop => self.allowed(),
            Next::Pause if self.eased(EASE, ask)? => Ok(()),
            Next::Pause => Err(ExtractError::Yielded { table: table.to_owned() }),
        }
    }

    /// Leaves the server alone so many times at most; whether it is no longer under load.
    fn eased(&self, times: u32, ask: Ask<'_>) -> Result<bool, ExtractError> {
        for _ in 0..times {
            self.allowed()?;
            let Some(why) = ask()? else { return Ok(true) };
            tracing::info!(source = self.id, why, "reading pauses");
            self.time.sleep(LEAVE_ALONE);
        }
        Ok(false)
    }
}

/// How long so many rows and bytes take under the caps.
#[allow(clippy::cast_precision_loss)]
fn takes(limits: &Limits, rows: u64, bytes: u64) -> Duration {
    let at = |count: u64, rate: Option<u64>| rate.map_or(0.0, |r| count as f64 / r.max(1) as f64);
    Duration::from_secs_f64(at(rows, limits.rows_per_second).max(at(bytes, limits.bytes_per_second)))
}

/// Asks the source whether it is under load.
pub(super) type Ask<'f> = &'f (dyn Fn() -> Result<Option<String>, SourceError> + Sync);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use chrono::{NaiveTime, TimeDelta};

    use super::super::ExtractError;
    use super::{ASK_EVERY, Next, Passage, Throttle};
    use crate::source::{Limits, SourceError, Window};
    use crate::stop::Stop;

    /// A clock that only sleeping moves.
    struct Clock {
        begun: Instant,
        of_day: NaiveTime,
        slept: Mutex<Duration>,
    }

    impl Clock {
        fn at(of_day: &str) -> Self {
            Self { begun: Instant::now(), of_day: of_day.parse().unwrap(), slept: Mutex::default() }
        }

        fn slept(&self) -> Duration {
            *self.slept.lock().unwrap()
        }
    }

    impl Passage for Clock {
        fn now(&self) -> Instant {
            self.begun + self.slept()
        }

        fn time_of_day(&self) -> NaiveTime {
            self.of_day.overflowing_add_signed(TimeDelta::from_std(self.slept()).unwrap()).0
        }

        fn sleep(&self, pause: Duration) {
            *self.slept.lock().unwrap() += pause;
        }
    }

    fn windows(all: &[&str]) -> Vec<Window> {
        all.iter().map(|w| w.parse().unwrap()).collect()
    }

    /// Hundredfold `rows` and `bytes` under the caps: how long it took.
    fn throttled(
        rows_per_second: Option<u64>,
        bytes_per_second: Option<u64>,
        rows: u64,
        bytes: u64,
    ) -> Duration {
        let limits = Limits { rows_per_second, bytes_per_second, ..Limits::default() };
        let (clock, stop) = (Clock::at("12:00:00"), Stop::new());
        let throttle = Throttle::new("ylbx", &limits, &stop, &clock);
        for _ in 0..100 {
            assert_eq!(throttle.passed(rows, bytes, &|| Ok(None)).unwrap(), Next::GoOn);
        }
        clock.slept()
    }

    #[test]
    fn the_caps_hold_however_slow_they_are_and_the_stricter_one_counts() {
        let seconds = Duration::from_secs;
        assert_eq!(throttled(None, None, 8192, 1 << 20), Duration::ZERO);
        assert_eq!(throttled(Some(8192), None, 8192, 1 << 20), seconds(100));
        // A batch of 8192 rows at 10 rows a second takes more than a quarter of an hour.
        assert!(throttled(Some(10), None, 8192, 1).abs_diff(seconds(81_920)) < seconds(1));
        assert_eq!(throttled(None, Some(1 << 18), 1, 1 << 20), seconds(400));
        assert_eq!(throttled(Some(1000), Some(1 << 18), 1000, 1 << 20), seconds(400));
        assert_eq!(throttled(Some(250), Some(1 << 30), 1000, 1 << 20), seconds(400));
    }

    #[test]
    fn readers_share_the_caps() {
        let limits = Limits { rows_per_second: Some(100), ..Limits::default() };
        let (clock, stop) = (Clock::at("12:00:00"), Stop::new());
        let throttle = Throttle::new("ylbx", &limits, &stop, &clock);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| drop(throttle.passed(100, 1, &|| Ok(None)))));
            }
        });
        assert!(clock.slept() >= Duration::from_secs(40), "{:?}", clock.slept());
    }

    #[test]
    fn reading_stops_when_its_window_closes_also_while_it_waits_and_goes_on_in_the_next() {
        let limits =
            Limits { rows_per_second: Some(1), windows: windows(&["20:00-06:30"]), ..Limits::default() };
        let (clock, stop) = (Clock::at("06:29:30"), Stop::new());
        let throttle = Throttle::new("ylbx", &limits, &stop, &clock);
        assert!(throttle.allowed().is_ok());
        assert_eq!(throttle.passed(3600, 1, &|| Ok(None)).unwrap(), Next::Stop);
        assert_eq!(clock.slept(), Duration::from_secs(30), "not a second longer than the window");
        let closed = throttle.allowed().unwrap_err();
        assert!(matches!(&closed, ExtractError::Closed { windows } if windows == "20:00-06:30"));
        assert!(throttle.whole("T", Next::Stop, &|| Ok(None)).is_err(), "a whole table does not outlast it");
        clock.sleep(Duration::from_secs(13 * 3600 + 1800));
        assert!(throttle.allowed().is_ok());
        assert_eq!(throttle.passed(1, 1, &|| Ok(None)).unwrap(), Next::GoOn);
        stop.ask();
        assert!(matches!(throttle.allowed(), Err(ExtractError::Stopped)));
        assert_eq!(throttle.passed(1, 1, &|| Ok(None)).unwrap(), Next::Stop);
    }

    /// A server that is under load as often as it is asked before it answers that it is not.
    fn under_load(times: u32) -> impl Fn() -> Result<Option<String>, SourceError> + Sync {
        let asked = AtomicU32::new(0);
        move || Ok((asked.fetch_add(1, Ordering::Relaxed) < times).then(|| "slow".to_owned()))
    }

    #[test]
    fn a_pressed_server_is_left_alone_until_it_recovers_but_not_for_ever() {
        let (limits, stop) = (Limits::default(), Stop::new());
        let clock = Clock::at("12:00:00");
        let throttle = Throttle::new("ylbx", &limits, &stop, &clock);
        let ask = under_load(7);
        assert_eq!(throttle.passed(1, 1, &ask).unwrap(), Next::GoOn, "it was asked a moment ago");
        clock.sleep(ASK_EVERY);
        assert_eq!(throttle.passed(1, 1, &ask).unwrap(), Next::Pause);
        let before = clock.slept();
        throttle.wait_for_load(&ask).unwrap();
        assert_eq!(clock.slept() - before, Duration::from_secs(12), "six more answers, two seconds each");
        // What cannot be cut waits for a moment where it is, and then lets go.
        assert!(throttle.whole("T", Next::Pause, &under_load(2)).is_ok());
        let given_up = throttle.whole("T", Next::Pause, &under_load(3)).unwrap_err();
        assert!(matches!(given_up, ExtractError::Yielded { .. }));
        let for_ever = throttle.wait_for_load(&under_load(u32::MAX)).unwrap_err();
        assert!(matches!(for_ever, ExtractError::Pressed { .. }));
    }

    #[test]
    fn windows_run_over_midnight() {
        let limits = Limits { windows: windows(&["22:00-06:00", "12:00-12:30"]), ..Limits::default() };
        let at = |text: &str| limits.open(text.parse().unwrap());
        assert!(at("23:59:59") && at("00:00:00") && at("05:59:59") && at("22:00:00") && at("12:15:00"));
        assert!(!at("06:00:00") && !at("12:30:00") && !at("21:59:59"));
        assert!(Limits::default().open("10:00:00".parse().unwrap()));
    }
}
