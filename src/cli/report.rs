//! `qianyi report`: the page of a run, rendered again in the language asked for; with `--xlsx` its numbers as a workbook, too.

use std::path::PathBuf;

use qianyi::pipeline::{finished, render_report, write_workbook};
use serde::Serialize;

use super::args::ReportArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out;

#[derive(Serialize)]
struct Shown {
    run: String,
    report: PathBuf,
    /// The workbook, where one was asked for.
    xlsx: Option<PathBuf>,
}

/// Renders the page.
pub fn report(context: &Context, args: &ReportArgs) -> Result<Ended, Failure> {
    let of = finished(&context.workdir, args.run.as_deref())?;
    let report = render_report(&of, context.lang)?;
    if let Some(path) = &args.xlsx {
        write_workbook(&of, path, context.lang)?;
    }
    if context.json {
        out::object(&Shown { run: of.summary.run, report, xlsx: args.xlsx.clone() });
        return Ok(Ended::Done);
    }
    out::line(&report.display().to_string());
    if let Some(path) = &args.xlsx {
        out::line(&path.display().to_string());
    }
    Ok(Ended::Done)
}
