//! The log of a command that writes: `<workdir>/logs/<when>-<command>-<pid>.json`, one JSON document a line.
//!
//! Always: times in the configured zone; stages, tables, counts, times, error codes; never a value of a row. Only qianyi's own events, since libraries quote values.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use chrono_tz::Tz;
use qianyi::{clock, durable};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, filter, fmt};

use super::failure::Failure;

static PATH: OnceLock<PathBuf> = OnceLock::new();

/// Where the log is, once it is open.
pub fn path() -> Option<&'static Path> {
    PATH.get().map(PathBuf::as_path)
}

/// The time of an event.
struct When(Tz);

impl FormatTime for When {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", clock::instant().with_timezone(&self.0).format("%Y-%m-%dT%H:%M:%S%.6f%:z"))
    }
}

/// Opens the log and sends all later events there.
///
/// # Errors
/// `DUR-001` when the work directory cannot be written.
pub fn open(workdir: &Path, command: &str, zone: Tz) -> Result<(), Failure> {
    let folder = workdir.join("logs");
    durable::create_dir_all(&folder)?;
    let when = clock::instant().with_timezone(&zone).format("%Y%m%dT%H%M%S");
    let path = folder.join(format!("{when}-{}-{}.json", command.replace(' ', "-"), std::process::id()));
    let file = durable::open_log(&path)?;
    let ours = filter::Targets::new().with_target("qianyi", LevelFilter::INFO);
    let lines = fmt::layer().json().with_timer(When(zone)).with_current_span(false).with_span_list(false);
    let lines = lines.with_writer(Mutex::new(file));
    // A second log in one process (there is none) would change nothing.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    let _ = PATH.set(path);
    tracing::info!(command, version = env!("CARGO_PKG_VERSION"), "started");
    Ok(())
}
