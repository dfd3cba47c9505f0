//! Trying again what failed for a passing reason, with growing and jittered pauses. The only place that knows the crate `backoff`.
//!
//! Always: what did not fail for a passing reason is never tried again; the last error is handed out unchanged.
//! Must not know: what is tried.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backoff::ExponentialBackoffBuilder;

/// The first pause, and the longest one.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// An error that knows whether the same call may succeed a little later.
pub trait Passing {
    /// True when it may.
    fn passing(&self) -> bool;
}

/// Calls `work` until it succeeds, fails for good, or has been tried again `retries` times; `again` hears of every retry.
///
/// # Errors
/// The last error of `work`.
pub async fn retry<T, E: Passing, F: Future<Output = Result<T, E>>>(
    retries: u32,
    mut work: impl FnMut() -> F,
    mut again: impl FnMut(&E, Duration),
) -> Result<T, E> {
    let left = AtomicU32::new(retries);
    let pauses = ExponentialBackoffBuilder::new()
        .with_initial_interval(FIRST)
        .with_max_interval(LONGEST)
        .with_max_elapsed_time(None)
        .build();
    let tried = || {
        let done = work();
        async {
            done.await.map_err(|e| {
                let more = e.passing()
                    && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
                if more { backoff::Error::transient(e) } else { backoff::Error::permanent(e) }
            })
        }
    };
    backoff::future::retry_notify(pauses, tried, |e: E, pause| again(&e, pause)).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Passing, retry};

    #[derive(Debug, PartialEq)]
    struct Failure(bool);

    impl Passing for Failure {
        fn passing(&self) -> bool {
            self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_passes_is_tried_again_and_not_for_ever() {
        for (passing, retries, succeeds_at, calls, ends) in [
            (true, 3, 3, 3, Ok(())),
            (true, 2, 9, 3, Err(Failure(true))),
            (false, 5, 9, 1, Err(Failure(false))),
            (true, 0, 9, 1, Err(Failure(true))),
        ] {
            let seen = Cell::new(0);
            let work = || {
                seen.set(seen.get() + 1);
                let at = seen.get();
                async move { if at >= succeeds_at { Ok(()) } else { Err(Failure(passing)) } }
            };
            let result = retry(retries, work, |_, _| {}).await;
            assert_eq!((seen.get(), result), (calls, ends));
        }
    }
}
