//! `qianyi demo`: a legacy city with known defects, everything that is done with it, and where the results lie.

use qianyi::config;
use qianyi::fixture::{Defects, FixtureSettings, generate};
use qianyi::package::verify;
use qianyi::pipeline::{Approver, approve, finished, proposals, render_report, rule_input, run};
use qianyi::state::State;
use serde::Serialize;

use super::args::DemoArgs;
use super::context::{Context, absolute, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::office::{self, OfficeRound};
use super::{out, package, summary};

#[derive(Serialize)]
struct Shown<'a> {
    summary: &'a qianyi::artifacts::Summary,
    /// With --rounds.
    rounds: &'a [OfficeRound],
    /// The settings with which every other command works on it.
    config: String,
    report: String,
    staged: String,
    package: String,
}

/// Makes the city, runs, seals, verifies.
pub fn demo(context: &Context, args: &DemoArgs) -> Result<Ended, Failure> {
    let folder = context.workdir.join("legacy");
    let database = folder.join("baicheng.db");
    let settings = context.demo_settings(database.clone())?;
    context.log("demo")?;
    make(context, args, &database, context.fixture_as_of()?)?;
    let config = absolute(&context.workdir).join("demo.toml");
    qianyi::durable::write(&config, config::demo_file().as_bytes())?;
    let config = config.display().to_string();
    let progress = context.progress();
    let (mut done, rounds) = office::rounds(context, &settings, (&database, args.rounds))?;
    if args.approve_all {
        approve_all(context, &settings, &done.run)?;
        done = run(&context.run_settings(&settings, "demo"), &progress)?;
    }
    let words = context.words()?;
    let ended = finished(&context.workdir, Some(&done.run))?;
    if !context.json {
        out::text(&summary::text(&words, &done, &ended.reconciliation));
        if !rounds.is_empty() {
            out::text(&office::text(&words, &rounds));
        }
    }
    let (national, city) = mappings(&settings)?;
    let engine = context.engine(&settings, &city, ended.as_of()?)?;
    let workdir = &context.workdir;
    // The demo shows a blocked run's package, too; the package says that it is none for upload.
    let (built, _) =
        qianyi::pipeline::build_package(workdir, &engine, &national, &ended, true, progress.as_ref())?;
    // The page shows the new boundary, too.
    render_report(&finished(workdir, Some(&done.run))?, context.lang)?;
    let verified = verify(&built.path, progress.as_ref())?;
    let report = ended.dir.page().display().to_string();
    let staged = ended.dir.path().join("staged").display().to_string();
    let package = built.path.display().to_string();
    if context.json {
        out::object(&Shown { summary: &done, rounds: &rounds, config, report, staged, package });
    } else {
        out::line(&package::verified(&words, &verified));
        out::line("");
        for (label, path) in
            [("config", config), ("report", report), ("staged", staged), ("package", package)]
        {
            out::line(&format!("{}  {path}", words.say("where", label)));
        }
    }
    let sound = verified.problems.is_empty();
    Ok(if sound { done.status.into() } else { Ended::Blocked })
}

/// Approves everything that the first round proposes.
fn approve_all(context: &Context, settings: &qianyi::config::Settings, run: &str) -> Result<(), Failure> {
    let (national, city) = mappings(settings)?;
    let Some(rules) = rule_input(settings.rules.as_ref(), &national, &city)? else { return Ok(()) };
    let first = finished(&context.workdir, Some(run))?;
    let state = State::open(&context.workdir, "demo")?;
    let all = proposals(&state, &first, &national, &rules.book)?;
    let batches: Vec<_> = all.iter().collect();
    let by = Approver {
        name: "qianyi demo".to_owned(),
        account: String::new(),
        reason: "demo --approve-all".to_owned(),
    };
    approve(&state, &first, &batches, &by)?;
    Ok(())
}

fn make(
    context: &Context,
    args: &DemoArgs,
    database: &std::path::Path,
    as_of: chrono::NaiveDate,
) -> Result<(), Failure> {
    // Nobody may be reading the city that is replaced here.
    let _lock = State::open(&context.workdir, "demo")?;
    let of = FixtureSettings { persons: args.persons, seed: args.seed, as_of, defects: Defects::Planted };
    if let Some(folder) = database.parent() {
        qianyi::durable::create_dir_all(folder)?;
    }
    let progress = context.progress();
    // How many rows it will be is not known before.
    progress.start("generate", "baicheng", 0);
    let mut told = 0;
    generate(&of, database, &mut |rows| {
        progress.rows(rows - told);
        told = rows;
    })?;
    progress.finish();
    Ok(())
}
