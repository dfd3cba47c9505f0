//! `qianyi run`: from the source, or from an extract that is there, to staged, reconciled, reported.

use qianyi::clock;
use qianyi::pipeline::{RunSettings, finished, run};

use super::args::HeldArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::{out, summary};

/// Runs, or goes on with a run that was interrupted.
pub fn walk(context: &Context, args: &HeldArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("run")?;
    let of = RunSettings { held: args.extract.clone(), ..context.run_settings(&settings, "run") };
    context.listen(&of)?;
    let begun = clock::now();
    let done = run(&of, &context.progress())?;
    if context.json {
        out::json(&done);
    } else {
        let words = context.words()?;
        let ended = finished(&context.workdir, Some(&done.run))?;
        out::text(&summary::text(&words, &done, &ended.reconciliation));
        out::line(&format!("{}  {}", words.say("where", "report"), ended.dir.page().display()));
        let staged = ended.dir.path().join("staged");
        out::line(&format!("{}  {}", words.say("where", "staged"), staged.display()));
        if done.finished < begun {
            out::line(&format!("{}: {}", words.say("summary", "unchanged"), done.run));
        }
    }
    Ok(done.status.into())
}
