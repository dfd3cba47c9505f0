//! Progress as people see it: a bar with rows/s and time left on a terminal, plain lines elsewhere; every finished piece in the log.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use qianyi::mask;
use qianyi::progress::Progress;

use super::out;

/// A plain line about an unfinished piece of work at most this often.
const EVERY: Duration = Duration::from_secs(10);
/// Pieces shorter than this get no plain line of their own.
const BRIEF: Duration = Duration::from_millis(500);
const STYLE: &str = "{prefix:28!} [{bar:24}] {human_pos}/{human_len} rows  {speed}  {eta} left";
const UNBOUNDED: &str = "{prefix:28!} {spinner} {human_pos} rows  {speed}  {elapsed}";

struct Piece {
    stage: String,
    table: String,
    begun: Instant,
    said: Instant,
    rows: u64,
    bar: Option<ProgressBar>,
}

/// How loud it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Bars,
    Lines,
    Quiet,
}

/// Watches a walk.
pub struct Watch {
    manner: Manner,
    piece: Mutex<Option<Piece>>,
}

impl Watch {
    /// Bars on a terminal, lines elsewhere, nothing when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let manner = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, true) => Manner::Bars,
            (false, false) => Manner::Lines,
        };
        Self { manner, piece: Mutex::default() }
    }

    fn piece(&self) -> MutexGuard<'_, Option<Piece>> {
        self.piece.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bar(stage: &str, table: &str, total: u64) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr_with_hz(4));
    let template = if total > 0 { STYLE } else { UNBOUNDED };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("speed", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A speed that cannot be written is no reason to stop.
        let _ = write!(text, "{} rows/s", out::grouped(whole(state.per_sec())));
    });
    bar.with_style(style.progress_chars("=> ")).with_prefix(format!("{stage} {table}"))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(speed: f64) -> u64 {
    speed as u64
}

#[allow(clippy::cast_precision_loss)]
fn line(piece: &Piece, ending: &str) -> String {
    let seconds = piece.begun.elapsed().as_secs_f64().max(0.001);
    let speed = whole(piece.rows as f64 / seconds);
    format!(
        "{:<10} {:<18} {:>12} rows {:>7.1} s {:>11} rows/s{ending}\n",
        piece.stage,
        piece.table,
        out::grouped(piece.rows),
        seconds,
        out::grouped(speed)
    )
}

impl Progress for Watch {
    fn start(&self, stage: &str, table: &str, total: u64) {
        let now = Instant::now();
        let bar = (self.manner == Manner::Bars).then(|| bar(stage, &mask::visible(table), total));
        let (stage, table) = (stage.to_owned(), mask::visible(table).into_owned());
        *self.piece() = Some(Piece { stage, table, begun: now, said: now, rows: 0, bar });
    }

    fn rows(&self, n: u64) {
        let mut held = self.piece();
        let Some(piece) = held.as_mut() else { return };
        piece.rows += n;
        if let Some(bar) = &piece.bar {
            bar.inc(n);
        } else if self.manner == Manner::Lines && piece.said.elapsed() >= EVERY {
            piece.said = Instant::now();
            out::error(&line(piece, " …"));
        }
    }

    fn finish(&self) {
        let Some(piece) = self.piece().take() else { return };
        let seconds = piece.begun.elapsed().as_secs_f64();
        tracing::info!(stage = piece.stage, table = piece.table, rows = piece.rows, seconds, "finished");
        if let Some(bar) = &piece.bar {
            bar.finish_and_clear();
        }
        if self.manner != Manner::Quiet && piece.begun.elapsed() >= BRIEF {
            out::error(&line(&piece, ""));
        }
    }
}
