//! `qianyi run`: from the source to staged, reconciled, reported.

use qianyi::run::{finished, run};

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::{out, summary};

/// Runs, or goes on with a run that was interrupted.
pub fn walk(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("run")?;
    let done = run(&context.run_settings(&settings, "run"), &context.progress())?;
    if context.json {
        out::json(&done);
    } else {
        let words = context.words()?;
        out::text(&summary::text(&words, &done));
        let ended = finished(&context.workdir, Some(&done.run))?;
        out::line(&format!("{}  {}", words.say("where", "report"), ended.dir.page().display()));
        let staged = ended.dir.path().join("staged");
        out::line(&format!("{}  {}", words.say("where", "staged"), staged.display()));
    }
    Ok(done.status.into())
}
