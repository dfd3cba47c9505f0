//! `qianyi compact`: base and increments of every source made into one new base.

use qianyi::pipeline::{Compacted, compact as compacted};
use qianyi::report::Words;

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Compacts, and says what the new bases are.
pub fn compact(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    context.log("compact")?;
    let done = compacted(&context.workdir, &settings.sources, context.progress().as_ref())?;
    if context.json {
        out::list("compacted", &done);
    } else {
        out::line(&text(&context.words()?, &done));
    }
    Ok(Ended::Done)
}

fn text(words: &Words, done: &[Compacted]) -> String {
    let say = |key: &str| words.say("compact", key);
    let head = vec![
        (words.say("page", "source"), Align::Left),
        (say("extract"), Align::Left),
        (say("base"), Align::Left),
        (words.say("page", "tables_n"), Align::Right),
        (words.say("page", "rows_n"), Align::Right),
        (say("before"), Align::Right),
        (say("after"), Align::Right),
    ];
    let row = |c: &Compacted| {
        let base = c.base.clone().unwrap_or_else(|| say("already"));
        let counts = [c.tables, c.rows, c.parts_before, c.parts_after].map(out::grouped);
        [vec![c.source.clone(), c.extract.clone(), base], counts.to_vec()].concat()
    };
    out::table(&head, &done.iter().map(row).collect::<Vec<_>>())
}
