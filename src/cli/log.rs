//! The log of a command that writes: `<workdir>/logs/<when>-<command>-<pid>.json`, one JSON document a line.
//!
//! Always: stages, tables, counts, times, error codes; never a value of a row. Only qianyi's own events, since libraries quote values.

use std::path::Path;
use std::sync::Mutex;

use qianyi::{clock, durable};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, filter, fmt};

use super::failure::Failure;

/// Opens the log and sends all later events there.
///
/// # Errors
/// `DUR-001` when the work directory cannot be written.
pub fn open(workdir: &Path, command: &str) -> Result<(), Failure> {
    let folder = workdir.join("logs");
    durable::create_dir_all(&folder)?;
    let when = clock::now().replace([':', '-'], "");
    let path = folder.join(format!("{when}-{}-{}.json", command.replace(' ', "-"), std::process::id()));
    let file = durable::open_log(&path)?;
    let ours = filter::Targets::new().with_target("qianyi", LevelFilter::INFO);
    let lines =
        fmt::layer().json().with_current_span(false).with_span_list(false).with_writer(Mutex::new(file));
    // A second log in one process (there is none) would change nothing.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    tracing::info!(command, version = env!("CARGO_PKG_VERSION"), "started");
    Ok(())
}
