//! How fast, and when, a source may be read: rows and bytes a second, daily windows, pauses while the server is pressed.
//!
//! Always: shared by all readers of a source, so that the caps hold for them together. What must stop, stops at a chunk boundary.
//! Must not know: what is read.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::NaiveTime;

use super::ExtractError;
use crate::clock;
use crate::source::{Limits, Source, SourceError, Window};
use crate::stop::Stop;

/// How often a busy reader asks whether the server is pressed.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long to leave a pressed server alone before it is asked again.
const LEAVE_ALONE: Duration = Duration::from_secs(2);
/// After so many of these in a row the extract stops; the next start goes on.
const MOST_PAUSES: u32 = 300;

/// How long to wait before looking again at the wish to stop, the windows and the server.
const LOOK: Duration = Duration::from_secs(1);
/// How often to leave a server alone for the sake of a stream that can only be read anew.
const EASE: u32 = 3;

/// The time that a pace goes by.
pub(super) trait Passage: Sync {
    fn now(&self) -> Instant;
    fn time_of_day(&self) -> NaiveTime;
    fn sleep(&self, pause: Duration);
}

/// The time of this machine.
pub(super) struct Machine;

impl Passage for Machine {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn time_of_day(&self) -> NaiveTime {
        clock::time_of_day()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// The pace of one source.
pub(super) struct Pace<'a> {
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
    /// Let the server go, and come back when it is no longer pressed.
    Pause,
    /// Stop at this boundary.
    Stop,
}

impl<'a> Pace<'a> {
    pub(super) fn new(limits: &'a Limits, stop: &'a Stop, time: &'a dyn Passage) -> Self {
        let now = time.now();
        Self { limits, stop, time, next: Mutex::new((now, now)) }
    }

    /// Whether reading is allowed now.
    ///
    /// # Errors
    /// `EXT-010` when somebody asked to stop, `EXT-011` outside the windows.
    pub(super) fn allowed(&self) -> Result<(), ExtractError> {
        if self.stop.asked() {
            return Err(ExtractError::Stopped);
        }
        if !open(&self.limits.windows, self.time.time_of_day()) {
            let windows = self.limits.windows.iter().map(ToString::to_string).collect::<Vec<_>>();
            return Err(ExtractError::Closed { windows: windows.join(", ") });
        }
        Ok(())
    }

    /// Waits as long as so many rows and bytes take under the caps, or until something else is to be done; then says what.
    pub(super) fn passed(
        &self,
        rows: u64,
        bytes: u64,
        source: &dyn Source,
        ask: Ask<'_>,
    ) -> Result<Next, SourceError> {
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.0 = next.0.max(self.time.now()) + takes(self.limits, rows, bytes);
            next.0
        };
        loop {
            if self.allowed().is_err() {
                return Ok(Next::Stop);
            }
            if self.due() && ask(source)?.is_some() {
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

    /// Leaves the server alone until it is no longer pressed.
    ///
    /// # Errors
    /// `EXT-010` to `EXT-012`.
    pub(super) fn relieved(&self, source: &dyn Source, ask: Ask<'_>) -> Result<(), ExtractError> {
        if self.eased(MOST_PAUSES, source, ask)? {
            return Ok(());
        }
        Err(ExtractError::Pressed { id: source.id().to_owned() })
    }

    /// What follows for a stream that cannot be gone on with elsewhere.
    ///
    /// # Errors
    /// `EXT-010`, `EXT-011`; `EXT-013` when the server stays pressed for a moment.
    pub(super) fn whole(
        &self,
        table: &str,
        next: Next,
        source: &dyn Source,
        ask: Ask<'_>,
    ) -> Result<(), ExtractError> {
        match next {
            Next::GoOn => Ok(()),
            Next::Stop => self.allowed(),
            Next::Pause if self.eased(EASE, source, ask)? => Ok(()),
            Next::Pause => Err(ExtractError::Yielded { table: table.to_owned() }),
        }
    }

    /// Leaves the server alone so many times at most; whether it is no longer pressed.
    fn eased(&self, times: u32, source: &dyn Source, ask: Ask<'_>) -> Result<bool, ExtractError> {
        for _ in 0..times {
            self.allowed()?;
            let Some(why) = ask(source)? else { return Ok(true) };
            tracing::info!(source = source.id(), why, "reading pauses");
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

/// Asks a source whether it is pressed.
pub(super) type Ask<'f> = &'f (dyn Fn(&dyn Source) -> Result<Option<String>, SourceError> + Sync);

/// True inside a window, or where there are none.
fn open(windows: &[Window], at: NaiveTime) -> bool {
    windows.is_empty() || windows.iter().any(|w| w.holds(at))
}

#[cfg(test)]
mod tests {
    use super::open;

    #[test]
    fn windows_run_over_midnight() {
        let windows: Vec<_> = ["22:00-06:00", "12:00-12:30"].iter().map(|w| w.parse().unwrap()).collect();
        let at = |text: &str| open(&windows, text.parse().unwrap());
        assert!(at("23:59:59") && at("00:00:00") && at("05:59:59") && at("22:00:00") && at("12:15:00"));
        assert!(!at("06:00:00") && !at("12:30:00") && !at("21:59:59"));
        assert!(open(&[], "10:00:00".parse().unwrap()));
    }
}
