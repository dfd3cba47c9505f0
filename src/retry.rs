//! Trying again what failed for a transient reason, with growing and jittered pauses. The only place that knows the crate `backoff`.
//!
//! Always: what did not fail for a transient reason is never tried again; the last error is handed out unchanged.
//! Must not know: what is tried.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// The first pause, and the longest one.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// An error that knows whether the same call may succeed a little later.
pub trait Transient {
    /// True when it may.
    fn is_transient(&self) -> bool;
}

/// What a call came to that may have done a part of its work.
pub enum Tried<T> {
    Done(T),
    /// It failed after it had got on: the count of retries begins again.
    GotOn,
}

/// Calls `work` until it is done, fails for good, or has failed `retries` times more in a row; `wait` hears the error and pauses.
///
/// # Errors
/// The last error of `work`.
pub fn retry<T, E: Transient>(
    retries: u32,
    mut work: impl FnMut() -> Result<Tried<T>, E>,
    mut wait: impl FnMut(Option<&E>, Duration),
) -> Result<T, E> {
    let mut pauses = ExponentialBackoffBuilder::new()
        .with_initial_interval(FIRST)
        .with_max_interval(LONGEST)
        .with_multiplier(2.0)
        .with_max_elapsed_time(None)
        .build();
    let mut left = retries;
    loop {
        match work() {
            Ok(Tried::Done(value)) => return Ok(value),
            Ok(Tried::GotOn) => {
                left = retries;
                pauses.reset();
                wait(None, pauses.next_backoff().unwrap_or(FIRST));
            }
            Err(e) if e.is_transient() && left > 0 => {
                left -= 1;
                wait(Some(&e), pauses.next_backoff().unwrap_or(LONGEST));
            }
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Transient, Tried, retry};

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Failure(bool);

    impl Transient for Failure {
        fn is_transient(&self) -> bool {
            self.0
        }
    }

    /// `.` fails and may pass, `!` fails for good, `+` gets on, `=` is done.
    fn check(script: &str, retries: u32, expected: Result<usize, Failure>) {
        let mut calls = 0;
        let work = || {
            calls += 1;
            match script.chars().nth(calls - 1).unwrap() {
                '.' => Err(Failure(true)),
                '!' => Err(Failure(false)),
                '+' => Ok(Tried::GotOn),
                _ => Ok(Tried::Done(calls)),
            }
        };
        assert_eq!(retry(retries, work, |_, _| {}), expected, "{script}");
    }

    #[test]
    fn only_what_passes_is_tried_again_and_not_for_ever() {
        check("..=", 3, Ok(3));
        check("...", 2, Err(Failure(true)));
        check("!", 5, Err(Failure(false)));
        check(".", 0, Err(Failure(true)));
        check(".+.+.=", 1, Ok(6));
    }
}
