//! `qianyi fixture`: a legacy city of any size, and the truth about its defects.

use std::path::PathBuf;

use qianyi::fixture::{Defects, FixtureSettings, copy_to_postgres, copy_to_sqlserver, generate, profile};
use serde::Serialize;

use super::args::FixtureArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out;

#[derive(Serialize)]
struct Shown {
    database: PathBuf,
    truth: PathBuf,
    persons: u64,
    seed: u64,
    rows: std::collections::BTreeMap<String, u64>,
    payments: u64,
    defects: std::collections::BTreeMap<String, u64>,
}

/// Makes the city.
pub fn fixture(context: &Context, args: &FixtureArgs) -> Result<Ended, Failure> {
    let sqlserver = args.into.strip_prefix("sqlserver:");
    let server = args.into.starts_with("postgres://") || sqlserver.is_some();
    let path = match args.into.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        None if server => context.workdir.join("legacy").join("baicheng.db"),
        Some(_) | None => return Err(Usage::Into { given: qianyi::mask::secrets(&args.into) }.into()),
    };
    let as_of = context.fixture_as_of()?;
    let defects = if args.no_defects { Defects::None } else { Defects::Planted };
    let of = FixtureSettings { persons: args.persons, seed: args.seed, as_of, defects };
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        qianyi::durable::create_dir_all(folder)?;
    }
    let progress = context.progress();
    // How many rows it will be is not known before.
    progress.start("generate", "baicheng", 0);
    let mut told = 0;
    let made = generate(&of, &path, &mut |rows| {
        progress.rows(rows - told);
        told = rows;
    })?;
    progress.finish();
    if server {
        progress.start("copy", "baicheng", told);
        told = 0;
        let mut hear = |rows| {
            progress.rows(rows - told);
            told = rows;
        };
        match sqlserver {
            Some(connection) => copy_to_sqlserver(&path, connection, &mut hear)?,
            None => copy_to_postgres(&path, &args.into, &mut hear)?,
        }
        progress.finish();
    }
    if context.json {
        out::object(&Shown {
            database: path,
            truth: made.truth.clone(),
            persons: made.persons,
            seed: made.seed,
            rows: made.rows,
            payments: made.payments,
            defects: made.defects,
        });
    } else {
        out::text(&profile(&made));
        out::line(&format!("\ndatabase  {}\ntruth     {}", path.display(), made.truth.display()));
    }
    Ok(Ended::Done)
}
