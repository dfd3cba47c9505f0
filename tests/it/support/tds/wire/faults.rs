//! Faults on command: what a test arms, the next matching occasion takes.
//!
//! Always: a fault is taken once. `injected` counts those that took effect (a byte fault only when its byte was reached),
//! `pending` those that nobody has taken yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which occasion takes a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    Login,
    AnyBatch,
    /// As the session sees the text: parameters already substituted. Upper and lower case differ.
    BatchContaining(String),
}

/// Bytes are those of the reply's packets, headers included, and start at 0 with the reply that takes the fault (for a login:
/// with the PRELOGIN reply; TLS itself is not counted). Rows are those of the whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The batch runs; the socket closes once so many bytes went out, in a later reply if this one is shorter.
    DropAfter { bytes: u64 },
    /// As `DropAfter`, but the socket stays open, silent, until the client closes it or the server is dropped.
    Stall { after_bytes: u64 },
    /// Flips bits in one byte of this reply; without effect if the reply is shorter.
    CorruptByte { at: u64, xor: u8 },
    /// At a login, whatever `On` says: closes instead of answering PRELOGIN.
    CloseDuringPrelogin,
    /// At a login, whatever `On` says: RST instead of an answer to LOGIN7.
    ResetDuringLogin,
    /// An error after so many rows (or at the end of a shorter reply); the session stays usable unless the class is 20 or
    /// more. With 0 rows the batch does not run at all, as a deadlock victim's statement has no effect. At a login: refused.
    ErrorToken { number: u32, class: u8, state: u8, message: String, after_rows: u64 },
    /// COLMETADATA whose first column has a type that no client knows.
    UnknownType,
    /// This row lacks its last byte; the message and the connection end there. Without effect on a reply of fewer rows.
    ShortRow { row: u64 },
    /// A byte that begins no token, after so many rows or at the end of a shorter reply.
    GarbageToken { after_rows: u64 },
    /// The message ends after so many rows (`u64::MAX`: all) without DONE; the connection stays.
    EndWithoutDone { after_rows: u64 },
}

/// A login, or a batch on a connection.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Counts from 1 over the server's life.
    pub connection: u64,
    /// `None` at the login.
    pub batch: Option<&'a str>,
    /// Counts from 1 on each connection; 0 at the login.
    pub number: u64,
}

type Policy = Box<dyn FnMut(&Occasion<'_>) -> Option<Fault> + Send>;

/// The armed faults of one server, for the tests and for its connections.
#[derive(Default)]
pub struct Faults {
    queue: Mutex<VecDeque<(On, Fault)>>,
    policy: Mutex<Option<Policy>>,
    injected: AtomicUsize,
}

impl Faults {
    /// Queues a fault for the next occasion that matches.
    pub fn arm(&self, on: On, fault: Fault) {
        lock(&self.queue).push_back((on, fault));
    }

    /// Asked at every login and every batch for which nothing in the queue matches; replaces an earlier one.
    pub fn policy(&self, policy: Policy) {
        *lock(&self.policy) = Some(policy);
    }

    /// Forgets what is armed, and the policy.
    pub fn clear(&self) {
        lock(&self.queue).clear();
        *lock(&self.policy) = None;
    }

    pub fn injected(&self) -> usize {
        self.injected.load(Ordering::SeqCst)
    }

    pub fn pending(&self) -> usize {
        lock(&self.queue).len()
    }

    pub(super) fn take(&self, occasion: &Occasion<'_>) -> Option<Fault> {
        let mut queue = lock(&self.queue);
        if let Some(at) = queue.iter().position(|(on, fault)| matches(on, fault, occasion)) {
            return queue.remove(at).map(|(_, fault)| fault);
        }
        drop(queue);
        lock(&self.policy).as_mut().and_then(|policy| policy(occasion))
    }

    pub(super) fn count(&self) {
        self.injected.fetch_add(1, Ordering::SeqCst);
    }
}

fn matches(on: &On, fault: &Fault, occasion: &Occasion<'_>) -> bool {
    if matches!(fault, Fault::CloseDuringPrelogin | Fault::ResetDuringLogin) {
        return occasion.batch.is_none();
    }
    match (on, occasion.batch) {
        (On::Login, None) | (On::AnyBatch, Some(_)) => true,
        (On::BatchContaining(part), Some(batch)) => batch.contains(part.as_str()),
        _ => false,
    }
}

/// A test that panicked while it armed a fault must not take the server with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
