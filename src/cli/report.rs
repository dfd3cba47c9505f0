//! `qianyi report`: the page of a run, rendered again in the language asked for.

use qianyi::pipeline::{finished, render_report};
use serde::Serialize;

use super::args::RunArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out;

#[derive(Serialize)]
struct Shown {
    run: String,
    report: std::path::PathBuf,
}

/// Renders the page.
pub fn report(context: &Context, args: &RunArgs) -> Result<Ended, Failure> {
    let of = finished(&context.workdir, args.run.as_deref())?;
    let report = render_report(&of, context.lang)?;
    if context.json {
        out::json(&Shown { run: of.summary.run, report });
    } else {
        out::line(&report.display().to_string());
    }
    Ok(Ended::Done)
}
