//! `qianyi changes`: what a run changed, field by field.

use qianyi::pipeline::{Finished, ListedChange, each_change, finished};

use super::args::ChangesArgs;
use super::context::{Context, known_table, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// So many rows are shown on the terminal; `--json` has all.
const SHOWN: usize = 50;

/// Shows the change records of a table, or of one row of it.
pub fn changes(context: &Context, args: &ChangesArgs) -> Result<Ended, Failure> {
    let run: Finished = finished(&context.workdir, args.run.as_deref())?;
    let settings = context.settings()?;
    let (national, _) = mappings(&settings)?;
    args.table.iter().try_for_each(|table| known_table(&national, table))?;
    let (mut all, mut n) = (Vec::new(), 0_u64);
    each_change(&run, &national, |c| {
        let wanted = args.table.as_ref().is_none_or(|t| *t == c.table)
            && args.key.as_ref().is_none_or(|k| *k == c.key);
        if wanted {
            n += 1;
            if context.json || all.len() < SHOWN {
                all.push(c);
            }
        }
    })?;
    if context.json {
        out::list("changes", &all);
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    let word = |key: &str| (words.say("changes", key), Align::Left);
    if all.is_empty() {
        out::line(&word("none").0);
        return Ok(Ended::Done);
    }
    let head = vec![
        (words.say("page", "table"), Align::Left),
        word("row"),
        word("column"),
        word("before"),
        word("after"),
        word("rule"),
        word("item"),
        word("level"),
        word("evidence"),
    ];
    let row = |c: &ListedChange| {
        vec![
            c.table.clone(),
            c.key.clone(),
            c.column.clone(),
            c.before.clone().unwrap_or_default(),
            c.after.clone().unwrap_or_default(),
            c.rule.clone(),
            words.say("item", &c.item),
            c.level.clone(),
            c.evidence.clone().unwrap_or_default(),
        ]
    };
    out::line(&out::table(&head, &all.iter().map(row).collect::<Vec<_>>()));
    out::line(&format!(
        "{} / {} {}",
        out::grouped(all.len() as u64),
        out::grouped(n),
        words.say("changes", "changes")
    ));
    Ok(Ended::Done)
}
