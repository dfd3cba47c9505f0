//! Progress as people see it: a bar with rows/s and time left on a terminal, plain lines elsewhere; every finished piece in the log.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use qianyi::mask;
use qianyi::messages::{lang, phrases};
use qianyi::phrase;
use qianyi::progress::Progress;

use super::out;

/// A plain line about an unfinished piece of work at most this often.
const EVERY: Duration = Duration::from_secs(10);
/// A source that says nothing for so long is said to be silent, again and again.
const SILENT: Duration = Duration::from_secs(30);
/// How often it is looked whether one is.
const LOOK: Duration = Duration::from_secs(1);
/// Pieces shorter than this get no plain line of their own.
const BRIEF: Duration = Duration::from_millis(500);

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

/// Whether a source is waited for, and since when.
struct Silence {
    /// Questions without an answer.
    open: usize,
    heard: Instant,
    said: Instant,
}

impl Silence {
    /// Seconds since the source was heard last, when that is to be said now.
    fn due(&mut self, now: Instant) -> Option<u64> {
        let silent = now.saturating_duration_since(self.heard);
        let again = now.saturating_duration_since(self.said.max(self.heard));
        if self.open == 0 || silent < SILENT || again < SILENT {
            return None;
        }
        self.said = now;
        Some(silent.as_secs())
    }

    fn asked(&mut self, now: Instant) {
        if self.open == 0 {
            self.heard = now;
        }
        self.open += 1;
    }

    fn answered(&mut self, now: Instant) {
        self.open = self.open.saturating_sub(1);
        self.heard = now;
    }
}

/// What is watched, and what the thread that listens for silence sees of it.
struct Shared {
    manner: Manner,
    piece: Mutex<Option<Piece>>,
    silence: Mutex<Silence>,
}

/// Watches a walk.
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Bars on a terminal, lines elsewhere, nothing when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let manner = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, true) => Manner::Bars,
            (false, false) => Manner::Lines,
        };
        let now = Instant::now();
        let silence = Mutex::new(Silence { open: 0, heard: now, said: now });
        let shared = Arc::new(Shared { manner, piece: Mutex::default(), silence });
        listen(Arc::downgrade(&shared));
        Self(shared)
    }

    fn piece(&self) -> MutexGuard<'_, Option<Piece>> {
        self.0.piece()
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.0.silence()
    }
}

impl Shared {
    fn piece(&self) -> MutexGuard<'_, Option<Piece>> {
        self.piece.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the source is silent, if it is.
    fn listen(&self) {
        let Some(seconds) = self.silence().due(Instant::now()) else { return };
        let held = self.piece();
        let about =
            held.as_ref().map(|p| format!("{} {:<18} ", stage(&p.stage), p.table)).unwrap_or_default();
        tracing::info!(seconds, "the server is silent");
        let said = phrase!("progress.silent", seconds);
        let say = || out::error(&format!("{about}{said}\n"));
        match (self.manner, held.as_ref().and_then(|p| p.bar.as_ref())) {
            (Manner::Quiet, _) => {}
            (_, Some(bar)) => bar.suspend(say),
            (_, None) => say(),
        }
    }
}

/// Listens for as long as somebody watches.
fn listen(watched: Weak<Shared>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK);
            let Some(shared) = watched.upgrade() else { return };
            shared.listen();
        }
    });
}

fn bar(stage: &str, table: &str, total: u64) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr_with_hz(4));
    let template = if total > 0 { phrase!("progress.bar") } else { phrase!("progress.unbounded") };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("speed", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A speed that cannot be written is no reason to stop.
        let _ = text.write_str(&phrase!("progress.speed", rows = out::grouped(whole(state.per_sec()))));
    });
    bar.with_style(style.progress_chars("=> "))
        .with_prefix(format!("{} {table}", self::stage(stage).trim_end()))
}

/// What a stage works on as people know it: a work item by its name.
fn piece_of(stage: &str, table: &str) -> String {
    let named = phrases().get(&format!("progress.stage_{stage}_{table}"));
    named.map_or_else(|| mask::visible(table).into_owned(), |p| lang().pick(&p.zh, &p.en).to_owned())
}

/// The name of a stage in the language of the process, ten columns wide; a Chinese character takes two.
fn stage(code: &str) -> String {
    let key = format!("progress.stage_{code}");
    let name = phrases().get(&key).map_or(code, |p| lang().pick(&p.zh, &p.en));
    let width: usize = name.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    format!("{name}{}", " ".repeat(10_usize.saturating_sub(width)))
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
        "{} {:<18} {}{ending}\n",
        stage(&piece.stage),
        piece.table,
        phrase!(
            "progress.done",
            rows = format!("{:>12}", out::grouped(piece.rows)),
            seconds = format!("{seconds:>7.1}"),
            speed = format!("{:>11}", out::grouped(speed))
        )
    )
}

impl Progress for Watch {
    fn start(&self, stage: &str, table: &str, total: u64) {
        let now = Instant::now();
        let table = piece_of(stage, table);
        let bar = (self.0.manner == Manner::Bars).then(|| bar(stage, &table, total));
        let stage = stage.to_owned();
        *self.piece() = Some(Piece { stage, table, begun: now, said: now, rows: 0, bar });
    }

    fn rows(&self, n: u64) {
        let mut held = self.piece();
        let Some(piece) = held.as_mut() else { return };
        piece.rows += n;
        if let Some(bar) = &piece.bar {
            bar.inc(n);
        } else if self.0.manner == Manner::Lines && piece.said.elapsed() >= EVERY {
            piece.said = Instant::now();
            out::error(&line(piece, " …"));
        }
    }

    fn tries_again(&self, after: &str, pause: Duration) {
        let said = phrase!("progress.again", seconds = format!("{:.1}", pause.as_secs_f64()), after);
        let say = || out::error(&format!("{said}\n"));
        match (self.0.manner, self.piece().as_ref().and_then(|p| p.bar.as_ref())) {
            (Manner::Quiet, _) => {}
            (_, Some(bar)) => bar.suspend(say),
            (_, None) => say(),
        }
    }

    fn finish(&self) {
        let Some(piece) = self.piece().take() else { return };
        let seconds = piece.begun.elapsed().as_secs_f64();
        tracing::info!(stage = piece.stage, table = piece.table, rows = piece.rows, seconds, "finished");
        if let Some(bar) = &piece.bar {
            bar.finish_and_clear();
        }
        if self.0.manner != Manner::Quiet && piece.begun.elapsed() >= BRIEF {
            out::error(&line(&piece, ""));
        }
    }
    fn asked(&self) {
        self.silence().asked(Instant::now());
    }

    fn answered(&self) {
        self.silence().answered(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Silence;

    #[test]
    fn a_server_that_is_asked_and_says_nothing_is_said_to_be_silent_every_half_minute() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut silence = Silence { open: 0, heard: begun, said: begun };
        assert_eq!(silence.due(at(100)), None, "nobody asks");
        silence.asked(at(100));
        silence.asked(at(101));
        assert_eq!(silence.due(at(129)), None);
        assert_eq!(silence.due(at(130)), Some(30));
        assert_eq!(silence.due(at(131)), None);
        assert_eq!(silence.due(at(160)), Some(60));
        silence.answered(at(170));
        assert_eq!(silence.due(at(199)), None, "another reader got an answer");
        assert_eq!(silence.due(at(200)), Some(30));
        silence.answered(at(201));
        assert_eq!(silence.due(at(500)), None);
    }
}
