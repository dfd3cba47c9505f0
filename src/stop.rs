//! Somebody asked the work to stop (SIGTERM, Ctrl-C): it ends at its next boundary, where nothing is lost.
//!
//! Always: asked once, asked for good; whoever holds a copy sees it.
//! Must not know: who asks, and what stops.

use tokio::sync::watch;

/// The wish to stop, shared by who asks and who works.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: watch::Sender<bool>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self { asked: watch::Sender::new(false) }
    }

    /// Asks.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// True once somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once somebody asked; at once when that was before.
    pub async fn wait(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
}
