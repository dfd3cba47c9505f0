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

/// The pace of one source.
pub(super) struct Pace<'a> {
    limits: &'a Limits,
    stop: &'a Stop,
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
    pub(super) fn new(limits: &'a Limits, stop: &'a Stop) -> Self {
        let now = Instant::now();
        Self { limits, stop, next: Mutex::new((now, now)) }
    }

    /// Whether reading is allowed now.
    ///
    /// # Errors
    /// `EXT-010` when somebody asked to stop, `EXT-011` outside the windows.
    pub(super) fn allowed(&self) -> Result<(), ExtractError> {
        if self.stop.asked() {
            return Err(ExtractError::Stopped);
        }
        if !open(&self.limits.windows, clock::time_of_day()) {
            let windows = self.limits.windows.iter().map(ToString::to_string).collect::<Vec<_>>();
            return Err(ExtractError::Closed { windows: windows.join(", ") });
        }
        Ok(())
    }

    /// Waits as long as so many rows and bytes take under the caps; then says what to do.
    pub(super) fn passed(
        &self,
        rows: u64,
        bytes: u64,
        source: &dyn Source,
        ask: Ask<'_>,
    ) -> Result<Next, SourceError> {
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.0 = next.0.max(Instant::now()) + self.takes(rows, bytes);
            next.0
        };
        std::thread::sleep(until.saturating_duration_since(Instant::now()).min(ASK_EVERY));
        if self.allowed().is_err() {
            return Ok(Next::Stop);
        }
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let due = next.1.elapsed() >= ASK_EVERY;
            if due {
                next.1 = Instant::now();
            }
            due
        };
        if due && ask(source)?.is_some() { Ok(Next::Pause) } else { Ok(Next::GoOn) }
    }

    /// Leaves the server alone until it is no longer pressed.
    ///
    /// # Errors
    /// `EXT-010` to `EXT-012`.
    pub(super) fn relieved(&self, source: &dyn Source, ask: Ask<'_>) -> Result<(), ExtractError> {
        for _ in 0..MOST_PAUSES {
            self.allowed()?;
            let Some(why) = ask(source)? else { return Ok(()) };
            tracing::info!(source = source.id(), why, "reading pauses");
            std::thread::sleep(LEAVE_ALONE);
        }
        Err(ExtractError::Pressed { id: source.id().to_owned() })
    }

    #[allow(clippy::cast_precision_loss)]
    fn takes(&self, rows: u64, bytes: u64) -> Duration {
        let at = |count: u64, rate: Option<u64>| rate.map_or(0.0, |r| count as f64 / r.max(1) as f64);
        let seconds = at(rows, self.limits.rows_per_second).max(at(bytes, self.limits.bytes_per_second));
        Duration::from_secs_f64(seconds)
    }
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
