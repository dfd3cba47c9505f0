//! The audit log `audit.log` of a work directory: one JSON line an event, chained by SM3 (GB/T 32905; docs/audit.md).
//!
//! Always: only ever appended to, by the holder of the work directory's lock, and synced before anybody goes on; nothing is appended to a
//! log that does not fit. Every line carries the SM3 of itself, and in it that of the line before: what is changed, taken out, doubled
//! or moved is found, and against a head that was kept elsewhere also what was cut off. A line that a kill left half written is closed
//! and named by the next event, never removed. No value of a row is in it.
//! Must not know: what an event means.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sm3::{Digest, Sm3};
use thiserror::Error;

use crate::durable::{self, DurableError, hex};
use crate::error::{Consequence, RetryClass};
use crate::state::State;
use crate::{clock, failpoint};
use crate::{hint, said};

/// Its name in the work directory.
const NAME: &str = "audit.log";
/// What comes before the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What stands between a line and its own SM3.
const SEAL: &[u8] = b",\"sm3\":\"";
/// The end of a line after its SM3.
const END: &[u8] = b"\"}";
/// Hex digits of an SM3.
const DIGITS: usize = 64;

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A run ended.
    Run,
    /// A load was rehearsed.
    Rehearsal,
    /// A batch of proposals was approved.
    Approval,
    /// The approval of a batch was undone.
    Undo,
    /// A package was sealed.
    Package,
    /// Extracts, runs, packages or logs were removed by the policy `[keep]`.
    Prune,
    /// Something was written for another office.
    Export,
    /// Something came back from one.
    Import,
    /// Clear data was shown or written.
    Reveal,
    /// A finding was waived.
    Waiver,
    /// The criteria of the cutover were looked at.
    Readiness,
    /// A line before this one was left half written by a kill.
    Interrupted,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Run,
        Self::Rehearsal,
        Self::Approval,
        Self::Undo,
        Self::Package,
        Self::Prune,
        Self::Export,
        Self::Import,
        Self::Reveal,
        Self::Waiver,
        Self::Readiness,
        Self::Interrupted,
    ];

    /// As a line has it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Rehearsal => "rehearsal",
            Self::Approval => "approval",
            Self::Undo => "undo",
            Self::Package => "package",
            Self::Prune => "prune",
            Self::Export => "export",
            Self::Import => "import",
            Self::Reveal => "reveal",
            Self::Waiver => "waiver",
            Self::Readiness => "readiness",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A file that an event stands for, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Covered {
    /// Relative to the work directory, with `/`.
    pub file: String,
    pub sha256: String,
}

/// An event that is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    kind: Kind,
    about: String,
    facts: Map<String, Value>,
    files: Vec<Covered>,
}

impl NewEvent {
    /// An event about one thing: a run, a batch, a package, a file.
    #[must_use]
    pub fn of(kind: Kind, about: impl Into<String>) -> Self {
        Self { kind, about: about.into(), facts: Map::new(), files: Vec::new() }
    }

    /// With a fact: counts, ids, digests, names of people who act; never a value of a row.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// With a file that it stands for, relative to the work directory.
    #[must_use]
    pub fn file(mut self, file: impl Into<String>, sha256: impl Into<String>) -> Self {
        self.files.push(Covered { file: file.into(), sha256: sha256.into() });
        self
    }
}

/// One line of the log. `version` of this form is 1; a new one would be a new first line's `version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub version: u32,
    /// From 1, without gaps.
    pub n: u64,
    /// UTC.
    pub at: String,
    pub kind: String,
    /// Account of the operating system that did it.
    pub account: String,
    /// Which run, batch, package, file.
    pub about: String,
    pub facts: Map<String, Value>,
    pub files: Vec<Covered>,
    /// SM3 of the event before.
    pub prev: String,
    /// SM3 of this line up to here.
    #[serde(skip_serializing)]
    pub sm3: String,
}

/// The newest event: what to keep elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    pub n: u64,
    pub sm3: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.sm3)
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once(':').and_then(|(n, sm3)| {
            let sm3 = sm3.trim().to_ascii_lowercase();
            let is_digest = sm3.len() == DIGITS && sm3.bytes().all(|b| b.is_ascii_hexdigit());
            Some(Self { n: n.trim().parse().ok()?, sm3: is_digest.then_some(sm3)? })
        });
        parsed.ok_or_else(|| format!("`{text}` is no head as `qianyi audit head` prints it (12:9f…)"))
    }
}

/// Why a line does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is not a whole line of this log.
    Form,
    /// Its own SM3 is another.
    Digest,
    /// Its number is not the next one: a line before it is missing, doubled or moved.
    Number,
    /// It does not follow the line before it.
    Chain,
    /// It is the last one and not whole: a write was interrupted, or its end was cut off.
    Incomplete,
    /// The log ends before the event that was kept as its head.
    Cut,
    /// The event that was kept as its head is another here.
    OtherHead,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] =
        [Self::Form, Self::Digest, Self::Number, Self::Chain, Self::Incomplete, Self::Cut, Self::OtherHead];

    /// As labels and JSON name it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Digest => "digest",
            Self::Number => "number",
            Self::Chain => "chain",
            Self::Incomplete => "incomplete",
            Self::Cut => "cut",
            Self::OtherHead => "other_head",
        }
    }
}

/// A line that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// From 1; where the end was cut off, the line after the last.
    pub line: u64,
    pub fault: Fault,
}

/// What can go wrong with the log.
#[derive(Debug, Error, Diagnostic)]
pub enum AuditError {
    #[error("{}", said!("AUD-001", path))]
    #[diagnostic(code("AUD-001"), help("{}", hint!("AUD-001")))]
    Unreadable { path: String, source: io::Error },
    #[error("{}", said!("AUD-002", line, path, fault))]
    #[diagnostic(code("AUD-002"), help("{}", hint!("AUD-002")))]
    Broken { path: String, line: u64, fault: &'static str },
    #[error("{}", said!("AUD-900"))]
    #[diagnostic(code("AUD-900"), help("{}", hint!("AUD-900")))]
    Unlocked,
    #[error("{}", said!("AUD-901"))]
    #[diagnostic(code("AUD-901"), help("{}", hint!("AUD-901")))]
    Form { source: serde_json::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for AuditError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Unreadable { .. } => RetryClass::Resume,
            Self::Broken { .. } => RetryClass::Usage,
            Self::Unlocked | Self::Form { .. } => RetryClass::Bug,
            Self::Durable(e) => e.retry_class(),
        }
    }
}

/// The end of a log that a kill left half written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fragment {
    line: u64,
    bytes: usize,
    sm3: String,
}

/// The log as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Every event up to the first line that does not fit.
    pub events: Vec<Event>,
    /// Lines that a kill left half written, and that a later event closed.
    pub interrupted: Vec<u64>,
    /// The first line that does not fit.
    pub bad: Option<BadLine>,
    /// Lines of the file.
    lines: u64,
    fragment: Option<Fragment>,
    /// The last event lacks its line break.
    unterminated: bool,
}

impl Log {
    /// The newest event; number 0 where there is none.
    #[must_use]
    pub fn head(&self) -> Head {
        let last = self.events.last().map(|e| Head { n: e.n, sm3: e.sm3.clone() });
        last.unwrap_or_else(|| Head { n: 0, sm3: NOTHING.to_owned() })
    }

    /// The first line that does not fit, also beside a head that was kept elsewhere.
    #[must_use]
    pub fn verified(&self, kept: Option<&Head>) -> Option<BadLine> {
        if self.bad.is_some() {
            return self.bad;
        }
        let kept = kept.filter(|k| k.n > 0)?;
        // Lines that were closed count as lines and are no events.
        let before = usize::try_from(kept.n).ok().and_then(|n| self.events.get(n - 1));
        match before {
            None => Some(BadLine { line: self.lines + 1, fault: Fault::Cut }),
            Some(event) if event.sm3 != kept.sm3 => {
                let line = kept.n + self.interrupted.iter().filter(|l| **l <= kept.n).count() as u64;
                Some(BadLine { line, fault: Fault::OtherHead })
            }
            Some(_) => None,
        }
    }

    /// Files that events stand for, each as the newest event has it.
    #[must_use]
    pub fn files(&self) -> BTreeMap<&str, &str> {
        let all = self.events.iter().flat_map(|e| &e.files);
        all.map(|covered| (covered.file.as_str(), covered.sha256.as_str())).collect()
    }

    /// Whether there is an event of this kind about something.
    #[must_use]
    pub fn has(&self, kind: Kind, about: &str) -> bool {
        self.events.iter().any(|e| e.kind == kind.text() && e.about == about)
    }
}

/// Where the log of a work directory is.
#[must_use]
pub fn path(workdir: &Path) -> PathBuf {
    workdir.join(NAME)
}

/// SM3 in lower-case hex.
#[must_use]
pub fn sm3(bytes: &[u8]) -> String {
    hex(&Sm3::digest(bytes))
}

/// Reads the log and checks every line; a work directory without one has no events.
///
/// # Errors
/// `AUD-001`. What does not fit is no error: see [`Log::bad`].
pub fn read(workdir: &Path) -> Result<Log, AuditError> {
    let path = path(workdir);
    match std::fs::read(&path) {
        Ok(text) => Ok(parse(&text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Log::default()),
        Err(source) => Err(AuditError::Unreadable { path: path.display().to_string(), source }),
    }
}

/// Checks every line of a log.
#[must_use]
pub fn parse(text: &[u8]) -> Log {
    let mut log = Log::default();
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    // What follows the last line break is no line unless there is something.
    let rest = lines.pop().filter(|rest| !rest.is_empty());
    log.lines = (lines.len() + usize::from(rest.is_some())) as u64;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        match checked(line, &log.head()) {
            Ok(event) => log.events.push(event),
            Err(fault) => match lines.get(at + 1).map(|next| checked(next, &log.head())) {
                Some(Ok(next)) if closes(&next, line) => {
                    log.interrupted.push(at as u64 + 1);
                    log.events.push(next);
                    at += 1;
                }
                Some(Ok(_) | Err(_)) | None => {
                    log.bad = Some(BadLine { line: at as u64 + 1, fault });
                    return log;
                }
            },
        }
        at += 1;
    }
    if let Some(rest) = rest {
        match checked(rest, &log.head()) {
            Ok(event) => {
                log.events.push(event);
                log.unterminated = true;
            }
            Err(_) => {
                let line = lines.len() as u64 + 1;
                log.bad = Some(BadLine { line, fault: Fault::Incomplete });
                log.fragment = Some(Fragment { line, bytes: rest.len(), sm3: sm3(rest) });
            }
        }
    }
    log
}

/// Whether an event is the one that closes a line which a kill left half written.
fn closes(event: &Event, line: &[u8]) -> bool {
    event.kind == Kind::Interrupted.text()
        && event.facts.get("sm3").and_then(Value::as_str) == Some(sm3(line).as_str())
}

/// The event of a line, when it is whole and follows.
fn checked(line: &[u8], before: &Head) -> Result<Event, Fault> {
    let body = line.len().checked_sub(SEAL.len() + DIGITS + END.len()).ok_or(Fault::Form)?;
    let (body, sealed) = line.split_at(body);
    let own = sealed.strip_prefix(SEAL).and_then(|s| s.strip_suffix(END)).ok_or(Fault::Form)?;
    if own != sm3(body).as_bytes() {
        return Err(Fault::Digest);
    }
    let event: Event = serde_json::from_slice(line).map_err(|_| Fault::Form)?;
    if event.n != before.n + 1 {
        return Err(Fault::Number);
    }
    if event.prev != before.sm3 { Err(Fault::Chain) } else { Ok(event) }
}

/// The log, where one can go on after it: asked before anything is done that has to stand in it.
///
/// # Errors
/// `AUD-001`, `AUD-002`.
pub fn sound(state: &State) -> Result<Log, AuditError> {
    let log = read(state.workdir())?;
    match &log.bad {
        Some(bad) if bad.fault != Fault::Incomplete => Err(AuditError::Broken {
            path: path(state.workdir()).display().to_string(),
            line: bad.line,
            fault: bad.fault.text(),
        }),
        _ => Ok(log),
    }
}

/// Records events, in this order, and returns when they are on disk. Where there are none, nothing is touched.
///
/// # Errors
/// `AUD-001`, `AUD-002`, `AUD-900`, `DUR-001`.
pub fn append(state: &State, events: &[NewEvent]) -> Result<(), AuditError> {
    if events.is_empty() {
        return Ok(());
    }
    if !state.is_writer() {
        return Err(AuditError::Unlocked);
    }
    let path = path(state.workdir());
    let log = sound(state)?;
    let mut text = Vec::new();
    let mut head = log.head();
    if log.unterminated || log.fragment.is_some() {
        text.push(b'\n');
    }
    if let Some(Fragment { line, bytes, sm3 }) = log.fragment {
        let closing = NewEvent::of(Kind::Interrupted, format!("line {line}"));
        head = line_of(&closing.fact("bytes", bytes).fact("sm3", sm3), &head, &mut text)?;
    }
    for event in events {
        head = line_of(event, &head, &mut text)?;
    }
    durable::append(&path, &text)?;
    failpoint::hit("audit.recorded");
    Ok(())
}

/// Adds the line of an event; its head.
fn line_of(of: &NewEvent, before: &Head, text: &mut Vec<u8>) -> Result<Head, AuditError> {
    let event = Event {
        version: 1,
        n: before.n + 1,
        at: clock::now(),
        kind: of.kind.text().to_owned(),
        account: whoami::username().unwrap_or_else(|_| "unknown".to_owned()),
        about: of.about.clone(),
        facts: of.facts.clone(),
        files: of.files.clone(),
        prev: before.sm3.clone(),
        sm3: String::new(),
    };
    let mut line = serde_json::to_vec(&event).map_err(|source| AuditError::Form { source })?;
    // The closing brace comes after the seal.
    line.pop();
    let sm3 = sm3(&line);
    text.extend_from_slice(&line);
    text.extend_from_slice(SEAL);
    text.extend_from_slice(sm3.as_bytes());
    text.extend_from_slice(END);
    text.push(b'\n');
    Ok(Head { n: event.n, sm3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm3_is_that_of_the_standard() {
        // GB/T 32905-2016, A.1 and A.2.
        assert_eq!(sm3(b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        let long = "abcd".repeat(16);
        assert_eq!(sm3(long.as_bytes()), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
    }

    #[test]
    fn a_head_reads_back_as_printed() {
        let head = Head { n: 12, sm3: sm3(b"abc") };
        assert_eq!(head.to_string().parse(), Ok(head.clone()));
        assert_eq!(format!(" 12:{} \n", head.sm3.to_uppercase()).parse(), Ok(head));
        for text in ["", "12", "12:", "x:66c7", "12:66c7"] {
            assert!(text.parse::<Head>().is_err(), "{text}");
        }
    }
}
