//! What the page says about the rehearsal of the load, or that there was none.
//!
//! Must not know: HTML.

use serde::Serialize;

use super::number::count;
use super::words::Words;
use crate::artifacts::{Forecast, Rehearsal, RehearsalProblem, RehearsedTable};

/// Rows of a problem that the page shows.
const SHOWN: usize = 50;

/// The section.
#[derive(Serialize)]
pub(super) struct Rehearsed<'a> {
    bad: bool,
    /// passed, blocked, engine, or none.
    verdict: String,
    /// With its version.
    server: String,
    rows: String,
    mebibytes: String,
    /// Seconds of loading, keys, comparison.
    load: String,
    keys: String,
    compare: String,
    /// A sentence; empty where nothing was measured.
    forecast: String,
    tables: Vec<TableLine<'a>>,
    problems: Vec<ProblemLine<'a>>,
}

#[derive(Serialize)]
struct TableLine<'a> {
    table: &'a str,
    bad: bool,
    staged: String,
    loaded: String,
    checks: u64,
    columns: u64,
    mebibytes: String,
}

#[derive(Serialize)]
struct ProblemLine<'a> {
    table: &'a str,
    what: String,
    columns: String,
    rows: String,
    told: &'a str,
    samples: Vec<Sample<'a>>,
}

#[derive(Serialize)]
struct Sample<'a> {
    key: &'a str,
    columns: String,
    source: &'a str,
    skey: &'a str,
}

/// Whether a rehearsal found something.
pub(super) fn blocks(of: Option<&Rehearsal>) -> bool {
    of.is_some_and(|r| r.blocked)
}

/// The section of a run.
pub(super) fn rehearsed<'a>(of: Option<&'a Rehearsal>, words: &Words) -> Rehearsed<'a> {
    let verdict = of.map_or("none", Rehearsal::verdict);
    let mebibytes = |bytes: u64| count(bytes.div_ceil(1 << 20));
    let table = |t: &'a RehearsedTable| TableLine {
        table: &t.table,
        bad: t.staged != t.loaded,
        staged: count(t.staged),
        loaded: count(t.loaded),
        checks: t.checks,
        columns: t.columns,
        mebibytes: mebibytes(t.bytes),
    };
    let loaded = of.filter(|r| r.server.is_some());
    let tables = loaded.map(|r| r.tables.iter().filter(|t| t.staged > 0).map(table).collect());
    Rehearsed {
        bad: blocks(of),
        verdict: words.say("rehearsal", verdict),
        server: of.map(server).unwrap_or_default(),
        rows: count(of.map_or(0, |r| r.rows)),
        mebibytes: mebibytes(of.map_or(0, |r| r.bytes)),
        load: seconds(of.map_or(0, |r| r.seconds.load)),
        keys: seconds(of.map_or(0, |r| r.seconds.keys)),
        compare: seconds(of.map_or(0, |r| r.seconds.compare)),
        forecast: of.and_then(|r| r.forecast.as_ref()).map(|f| words.forecast(f)).unwrap_or_default(),
        tables: tables.unwrap_or_default(),
        problems: of.map(|r| r.problems.iter().map(|p| problem(p, words)).collect()).unwrap_or_default(),
    }
}

impl Words {
    /// What a forecast says.
    pub fn forecast(&self, of: &Forecast) -> String {
        let minutes = format!("{}:{:02}:{:02}", of.seconds / 3600, of.seconds / 60 % 60, of.seconds % 60);
        [
            ("{rows}", count(of.rows)),
            ("{time}", minutes),
            ("{space}", count(of.bytes.div_ceil(1 << 20))),
            ("{speed}", count(of.rows_per_second)),
        ]
        .iter()
        .fold(self.say("rehearsal", "forecast"), |text, (name, value)| text.replace(name, value))
    }
}

fn server(of: &Rehearsal) -> String {
    match &of.server {
        Some(server) => format!("{server} (PostgreSQL {})", of.server_version),
        None => String::new(),
    }
}

fn seconds(of: u64) -> String {
    format!("{} s", count(of))
}

fn problem<'a>(of: &'a RehearsalProblem, words: &Words) -> ProblemLine<'a> {
    ProblemLine {
        table: &of.table,
        what: words.say("rehearsal_kind", of.kind.name()),
        columns: of.columns.join(", "),
        rows: if of.rows == 0 { String::new() } else { count(of.rows) },
        told: &of.what,
        samples: of
            .samples
            .iter()
            .take(SHOWN)
            .map(|s| Sample { key: &s.key, columns: s.columns.join(", "), source: &s.source, skey: &s.skey })
            .collect(),
    }
}
