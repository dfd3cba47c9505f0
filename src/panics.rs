//! Panics: where a library may meet bytes that it does not expect, they become errors; everywhere else they end the work, and their text
//! is masked before anybody sees it.
//!
//! Always: what was caught says nothing on the terminal. Must not know: who reports a panic that nobody caught.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::mask;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// A library panicked over what it was given.
#[derive(Debug)]
pub struct Panicked(String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the library that reads it met what it does not expect: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

/// Does `work`; a panic in it is an error, and not reported.
///
/// # Errors
/// The panic. What `work` had begun to change must not be used again.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let before = EXPECTED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(before);
    done.map_err(|payload| Panicked(text(payload.as_ref())))
}

/// Whether a panic on this thread will be caught as an error.
pub fn is_expected() -> bool {
    EXPECTED.get()
}

/// What a panic says, masked: libraries quote values.
pub fn text(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    mask::scrub(said.unwrap_or("no text"))
}
