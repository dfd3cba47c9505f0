//! `qianyi extract`: the legacy tables, copied exactly into raw.

use qianyi::pipeline::extract_only;

use super::args::ExtractArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Extracts every source.
pub fn extract(context: &Context, args: &ExtractArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("extract")?;
    let mut run = context.run_settings(&settings, "extract");
    run.full_refresh = args.full.iter().cloned().collect();
    context.listen(&run)?;
    let done = extract_only(&run, &context.progress())?;
    if context.json {
        out::list("extracts", &done);
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "source"), Align::Left),
        (words.say("page", "extract"), Align::Left),
        (words.say("page", "consistency"), Align::Left),
        (words.say("page", "tables_n"), Align::Right),
        (words.say("page", "rows_n"), Align::Right),
    ];
    let rows: Vec<Vec<String>> = done
        .iter()
        .map(|e| {
            let (tables, rows) = (out::grouped(e.tables), out::grouped(e.rows));
            vec![e.source.clone(), e.extract.clone(), e.consistency.clone(), tables, rows]
        })
        .collect();
    out::line(&out::table(&head, &rows));
    Ok(Ended::Done)
}
