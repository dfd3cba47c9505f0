//! `qianyi doctor`: what is wrong, or worth knowing, about this machine and every source before the first night; asks, and changes
//! nothing. What a run would refuse is found by the check that `plan` and `run` share.

use std::collections::BTreeSet;

use miette::Diagnostic;
use qianyi::config::Settings;
use qianyi::mapping::City;
use qianyi::phrase;
use qianyi::pipeline::plan::{Plan, Planned, plan};
use qianyi::pipeline::{rule_input, sources_of};
use qianyi::source::{self, Examined, Grade, SourceSettings};
use qianyi::state::State;
use qianyi::{clock, durable};
use serde::Serialize;

use super::built_in;
use super::context::{Context, block_on, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// What raw, mapped and staged rows take on disk together, by row of the source; measured on the demo city, and doubled.
const BYTES_A_ROW: u64 = 400;
/// A work directory with less room than this is worth a word, however small the city.
const LEAST_ROOM: u64 = 2 << 30;

/// In place of a source: what is looked at here.
const MACHINE: &str = "machine";

#[derive(Serialize)]
struct Shown {
    /// `machine` for what is looked at here.
    source: String,
    checks: Vec<Examined>,
}

fn examined(what: &str, grade: Grade, found: String, advice: impl Into<String>) -> Examined {
    Examined { what: what.to_owned(), grade, found, advice: advice.into() }
}

/// An error as a line of the table: wrong, and the rest is looked at all the same.
fn refused(what: &str, e: &(impl Diagnostic + ?Sized)) -> Examined {
    let code = e.code().map(|c| format!("{c}: ")).unwrap_or_default();
    let advice = e.help().map(|h| h.to_string()).unwrap_or_default();
    examined(what, Grade::Error, format!("{code}{e}"), &advice)
}

/// One source: what its adapter looks at, what its text speaks for, and what a run would refuse or could not read.
async fn source(
    of: &SourceSettings,
    city: Option<&City>,
    state: Option<&State>,
) -> Result<(Vec<Examined>, Option<Plan>), Failure> {
    let source = source::connect(of).await?;
    let city = city.filter(|c| c.source_ids.contains(&of.id));
    let planned = match city {
        Some(city) => Some(plan(source.as_ref(), city, of, state).await),
        None => None,
    };
    let (plan, failed) = match planned.transpose() {
        Ok(plan) => (plan, None),
        Err(e) => (None, Some(e)),
    };
    // Only tables that are read decide how it ends.
    let read: Option<BTreeSet<String>> =
        plan.as_ref().map(|p| p.read.iter().map(|t| t.name.clone()).collect());
    let mut checks = source.examine(read.as_ref()).await?;
    checks.push(window(of));
    checks.extend(failed.iter().map(|e| refused("run", e)));
    let mut catalogue = source.catalogue().await.unwrap_or_default();
    catalogue.retain(|table| read.as_ref().is_none_or(|read| read.contains(&table.name)));
    checks.extend(source::sampled_encodings(source.as_ref(), &catalogue).await);
    for table in plan.iter().flat_map(|p| &p.read).filter(|_| open(of)) {
        match source.oddities(table).await {
            Ok(found) => checks.extend(found),
            // Another check says why the table cannot be asked.
            Err(e) => checks.push(examined("values", Grade::Warning, format!("{}: {e}", table.name), "")),
        }
    }
    let problem = |p: &qianyi::pipeline::Problem| {
        examined("run", Grade::Error, format!("{}: {}", p.code, p.problem), &p.advice)
    };
    checks.extend(plan.iter().flat_map(|p| &p.problems).map(problem));
    Ok((checks, plan))
}

/// Whether tables may be read now.
fn open(of: &SourceSettings) -> bool {
    of.limits.open(clock::time_of_day(of.time_zone))
}

/// When a source may be read, and in which zone.
fn window(of: &SourceSettings) -> Examined {
    let now = clock::time_of_day(of.time_zone);
    let at = format!("{} {}", now.format("%H:%M"), of.time_zone);
    let windows: Vec<String> = of.limits.windows.iter().map(ToString::to_string).collect();
    let found = match windows.as_slice() {
        [] => phrase!("doctor.window_any", at),
        all if open(of) => phrase!("doctor.window_open", windows = all.join(", "), at),
        all => phrase!("doctor.window_shut", windows = all.join(", "), at),
    };
    examined("window", Grade::Info, found, "")
}

/// Which files the settings come from, lowest first.
fn configuration(context: &Context) -> Examined {
    let files: Vec<String> = context.files().map(|file| file.display().to_string()).collect();
    examined("configuration", Grade::Info, files.join(", "), "")
}

/// Which national schema, mapping and rules are used.
fn data(context: &Context, settings: &Settings) -> Examined {
    let folder = settings.mappings.display();
    let own = settings.mappings.starts_with(built_in::folder_in(&context.workdir));
    let found = if own {
        phrase!("doctor.data_own", digest = built_in::digest(), folder)
    } else {
        phrase!("doctor.data_files", folder)
    };
    examined("data", Grade::Info, found, "")
}

/// Room in the work directory for what the plans read.
fn room(context: &Context, plans: &[Plan]) -> Option<Examined> {
    let free = durable::free_bytes(&context.workdir)?;
    let read = |p: &Plan| {
        let tables = p.tables.iter().filter(|t| matches!(t.disposition, Planned::Read { .. }));
        tables
            .map(|t| t.rows.unwrap_or(0).saturating_mul(BYTES_A_ROW).saturating_add(t.lob_bytes))
            .sum::<u64>()
    };
    let needed = plans.iter().map(read).sum::<u64>().max(LEAST_ROOM);
    let mib = |bytes: u64| out::grouped(bytes >> 20);
    let found =
        phrase!("doctor.disk", free = mib(free), workdir = context.workdir.display(), needed = mib(needed));
    Some(if free < needed {
        examined("disk", Grade::Warning, found, phrase!("doctor.disk_advice"))
    } else {
        examined("disk", Grade::Ok, found, "")
    })
}

/// Looks at every source; exit status 3 when something would fail or hurt, 2 when the mapping itself has mistakes.
pub fn doctor(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let mapped = mappings(&settings);
    let city = mapped.as_ref().ok().map(|(_, city)| city);
    let state = context.state()?;
    let (mut all, mut plans) = (Vec::new(), Vec::new());
    for of in &settings.sources {
        let checks = match block_on(source(of, city, state.as_ref()))? {
            Ok((checks, plan)) => {
                plans.extend(plan);
                checks
            }
            Err(failure) => vec![refused("connection", failure.error.as_ref())],
        };
        all.push(Shown { source: of.id.clone(), checks });
    }
    let mut machine = vec![examined(
        "time zone",
        Grade::Info,
        phrase!(
            "doctor.zone",
            zone = settings.time_zone,
            now = clock::wall(&clock::zoned(clock::instant(), settings.time_zone))
        ),
        "",
    )];
    machine.push(configuration(context));
    machine.push(data(context, &settings));
    machine.extend(room(context, &plans));
    all.push(Shown { source: MACHINE.to_owned(), checks: machine });
    if context.json {
        out::list("sources", &all);
    } else {
        out::line(&table(context, &all)?);
    }
    let (national, city) = mapped?;
    rule_input(settings.rules.as_ref(), &national, &city)?;
    sources_of(&city, &settings.sources)?;
    let wrong = all.iter().any(|s| s.checks.iter().any(|c| c.grade == Grade::Error));
    Ok(if wrong { Ended::Blocked } else { Ended::Done })
}

fn table(context: &Context, all: &[Shown]) -> Result<String, Failure> {
    let words = context.words()?;
    let head: Vec<(String, Align)> = ["source", "what", "grade", "found", "advice"]
        .iter()
        .map(|key| (words.say("doctor", key), Align::Left))
        .collect();
    let row = |source: &str, c: &Examined| {
        let grade = match c.grade {
            Grade::Ok => "ok",
            Grade::Info => "info",
            Grade::Warning => "warning",
            Grade::Error => "error",
        };
        vec![
            if source == MACHINE { words.say("doctor", MACHINE) } else { source.to_owned() },
            match c.what.split_once(' ') {
                Some(("without", name)) => format!("{} {name}", words.say("doctor_check", "without")),
                Some(_) | None => words.say("doctor_check", &c.what),
            },
            words.say("doctor", grade),
            c.found.clone(),
            c.advice.clone(),
        ]
    };
    let rows: Vec<Vec<String>> =
        all.iter().flat_map(|s| s.checks.iter().map(|c| row(&s.source, c))).collect();
    Ok(out::table(&head, &rows))
}
