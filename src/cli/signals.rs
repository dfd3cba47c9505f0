//! SIGTERM and Ctrl-C: the first asks the work to stop at its next boundary, the second ends it at once.
//!
//! Always: after the first the command ends by itself, with a message and a status of its own; what is finished is kept.

use qianyi::stop::Stop;

use super::exit;
use super::failure::{Failure, Usage};
use super::out;

/// Hears the signals from now on, on a thread of its own; says `first` when the first one comes.
// Who asks twice does not want to wait for a boundary: what is recorded is durable at any moment.
#[allow(clippy::exit)]
pub fn listen(stop: &Stop, first: String) -> Result<(), Failure> {
    let failed = |source| Usage::Signals { source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (registered, answer) = std::sync::mpsc::channel();
    let stop = stop.clone();
    let hear = move || {
        runtime.block_on(async {
            let mut signals = match Signals::register() {
                Ok(signals) => signals,
                Err(e) => {
                    // Whoever waits for it is there until it comes.
                    let _ = registered.send(Err(e));
                    return;
                }
            };
            let _ = registered.send(Ok(()));
            signals.next().await;
            stop.ask();
            out::error(&first);
            signals.next().await;
            std::process::exit(exit::SIGNALLED);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(hear).map_err(failed)?;
    answer.recv().unwrap_or(Ok(())).map_err(failed)?;
    Ok(())
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn register() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns with the next of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps)]
    fn register() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where it cannot be heard, the process ends as the system says.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
