//! `qianyi package`: seal a run's staged tables, or check a package.

use qianyi::package::{Verified, newest};
use qianyi::pipeline::{build_package, finished, render_report};
use qianyi::report::Words;

use super::args::{BuildArgs, VerifyArgs};
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out;

/// Builds a package.
pub fn build(context: &Context, args: &BuildArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let of = finished(&context.workdir, args.run.as_deref())?;
    context.log("package build")?;
    let (national, city) = mappings(&settings)?;
    let engine = context.engine(&settings, &city, of.as_of()?)?;
    let progress = context.progress();
    let (workdir, allow) = (&context.workdir, args.allow_blocked);
    let (built, adds_up) = build_package(workdir, &engine, &national, &of, allow, progress.as_ref())?;
    // The page shows the new boundary, too.
    render_report(&finished(workdir, Some(&of.summary.run))?, context.lang)?;
    if context.json {
        out::object(&built);
    } else {
        let words = context.words()?;
        let (files, rows) = (out::grouped(built.files), out::grouped(built.rows));
        out::line(&format!(
            "{} {} · {files} {} · {rows} {}",
            words.say("where", "package"),
            built.id,
            words.say("package", "files"),
            words.say("page", "rows")
        ));
        out::line(&built.path.display().to_string());
        out::line(&format!("{} {}", words.say("package", "seal"), built.seal));
    }
    let boundary = adds_up.boundaries.iter().find(|b| b.boundary == "staged-package").map(|b| b.totals);
    let even = boundary.is_some_and(|t| t.unexplained_rows + t.unexplained_fen == 0);
    Ok(if even { Ended::Done } else { Ended::Blocked })
}

/// Verifies a package; exit status 3 when anything is wrong with it.
pub fn verify(context: &Context, args: &VerifyArgs) -> Result<Ended, Failure> {
    let path = match &args.package {
        Some(path) => path.clone(),
        None => newest(&context.workdir.join("packages"))?,
    };
    let found = qianyi::package::verify(&path, context.progress().as_ref())?;
    if context.json {
        out::object(&found);
    } else {
        out::line(&verified(&context.words()?, &found));
    }
    Ok(if found.problems.is_empty() { Ended::Done } else { Ended::Blocked })
}

/// What a verification found, as text.
pub fn verified(words: &Words, found: &Verified) -> String {
    let (files, rows) = (out::grouped(found.files), out::grouped(found.rows));
    let state = if found.problems.is_empty() { "sound" } else { "unsound" };
    let mut text = format!(
        "{} {} · {files} {} · {rows} {}",
        words.say("package", state),
        found.path.display(),
        words.say("package", "files"),
        words.say("page", "rows")
    );
    text.push_str(&format!("\n  {} {}", words.say("package", "seal"), found.seal));
    if found.blocked {
        text.push_str(&format!("\n{}", words.say("package", "blocked")));
    }
    for problem in &found.problems {
        text.push_str(&format!("\n  {}: {}", problem.file, problem.what));
    }
    text
}
