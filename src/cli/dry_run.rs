//! `qianyi dry-run`: a run, then its load rehearsed in the staging database; exit status 3 when anything is wrong with either.

use qianyi::artifacts::{Rehearsal, RehearsalProblem, RehearsalRow, RehearsedTable};
use qianyi::mask;
use qianyi::pipeline::{RunSettings, finished, rehearse, render_report, run};
use qianyi::report::Words;

use super::args::DryRunArgs;
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};
use super::summary;

/// Rows of a problem that the terminal shows; rehearsal.json has more.
const SHOWN: usize = 5;

/// Runs, unless a run is named, and rehearses its load.
pub fn dry_run(context: &Context, args: &DryRunArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("dry-run")?;
    let words = context.words()?;
    let progress = context.progress();
    let (id, ended) = match &args.run {
        Some(id) => (Some(id.clone()), Ended::Done),
        None => {
            let of =
                RunSettings { held: args.held.extract.clone(), ..context.run_settings(&settings, "dry-run") };
            context.listen(&of)?;
            let done = run(&of, &progress)?;
            if !context.json {
                let ended = finished(&context.workdir, Some(&done.run))?;
                out::text(&summary::text(&words, &done, &ended.reconciliation));
            }
            (Some(done.run.clone()), done.status.into())
        }
    };
    let of = finished(&context.workdir, id.as_deref())?;
    let (national, city) = mappings(&settings)?;
    let engine = context.engine(&settings, &city, of.as_of()?)?;
    let staging = settings.staging.as_ref();
    let found = rehearse(&context.workdir, &engine, &national, &of, staging, args.keep, progress.as_ref())?;
    // The page shows the new boundary, too.
    let page = render_report(&finished(&context.workdir, Some(&found.run))?, context.lang)?;
    if context.json {
        out::json(&found);
    } else {
        out::text(&text(&words, &found));
        out::line(&format!("{}  {}", words.say("where", "report"), page.display()));
        out::line(&format!("{}  {}", words.say("where", "rehearsal"), of.dir.rehearsal().display()));
    }
    Ok(if found.blocked { Ended::Blocked } else { ended })
}

/// What a rehearsal came to, as text.
fn text(words: &Words, found: &Rehearsal) -> String {
    let mut text = String::new();
    let at = match &found.server {
        Some(server) => format!(" · {server} (PostgreSQL {})", mask::visible(&found.server_version)),
        None => String::new(),
    };
    text.push_str(&format!("{} {}{at}\n", words.say("rehearsal", "title"), found.run));
    text.push_str(&format!("{}\n", words.say("rehearsal", found.verdict())));
    if found.server.is_some() {
        text.push_str(&format!("{}\n", table(words, &found.tables)));
        let seconds = &found.seconds;
        text.push_str(&format!(
            "{}: {} {} · {} {} MiB · {} {} s · {} {} s · {} {} s\n",
            words.say("rehearsal", "whole"),
            out::grouped(found.rows),
            words.say("page", "rows"),
            words.say("rehearsal", "space"),
            out::grouped(found.bytes >> 20),
            words.say("rehearsal", "load"),
            seconds.load,
            words.say("rehearsal", "keys"),
            seconds.keys,
            words.say("rehearsal", "compare"),
            seconds.compare,
        ));
        if let Some(forecast) = &found.forecast {
            text.push_str(&format!("{}\n", words.forecast(forecast)));
        }
        let kept = if found.kept { "kept" } else { "dropped" };
        text.push_str(&format!("{} ({})\n", words.say("rehearsal", kept), found.schema));
    }
    for problem in &found.problems {
        text.push_str(&told(words, problem));
    }
    text
}

fn table(words: &Words, tables: &[RehearsedTable]) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "table"), Align::Left),
        (words.say("side", "staged"), Align::Right),
        (words.say("side", "database"), Align::Right),
        (words.say("rehearsal", "checks"), Align::Right),
        (words.say("rehearsal", "columns"), Align::Right),
        ("MiB".to_owned(), Align::Right),
    ];
    let row = |t: &RehearsedTable| {
        let whole = [t.staged, t.loaded, t.checks, t.columns, t.bytes.div_ceil(1 << 20)];
        std::iter::once(t.table.clone()).chain(whole.map(out::grouped)).collect()
    };
    let rows: Vec<Vec<String>> = tables.iter().filter(|t| t.staged > 0).map(row).collect();
    out::table(&head, &rows)
}

/// One problem: what, in how many rows, and the first of them.
fn told(words: &Words, problem: &RehearsalProblem) -> String {
    let columns = problem.columns.join(", ");
    let rows = match problem.rows {
        0 => String::new(),
        rows => format!(" · {} {}", out::grouped(rows), words.say("page", "rows")),
    };
    let mut text = format!(
        "{} {columns} {}{rows} {}\n",
        problem.table,
        words.say("rehearsal_kind", problem.kind.name()),
        problem.what
    );
    for row in problem.samples.iter().take(SHOWN) {
        let RehearsalRow { key, columns, source, skey } = row;
        text.push_str(&format!("  {key} {} ← {source} {skey}\n", columns.join(", ")));
    }
    text.split_inclusive('\n').map(|line| mask::visible_lines(line).into_owned()).collect()
}
