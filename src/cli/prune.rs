//! `qianyi prune`: what the policy `[keep]` removes from the work directory; only shown, unless it is told to remove it.

use chrono_tz::Tz;
use qianyi::pipeline::{KeepSettings, PrunedItem, Pruning, prune as pruned};
use qianyi::report::Words;
use qianyi::{clock, mask};

use super::args::PruneArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out::{self, Align};

/// Shows, or removes.
pub fn prune(context: &Context, args: &PruneArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    if settings.keep == KeepSettings::default() {
        return Err(Usage::NoPolicy.into());
    }
    if args.apply {
        context.log("prune")?;
    }
    let done = pruned(&context.workdir, &settings.keep, args.apply, clock::instant())?;
    for item in done.removes.iter().filter(|_| done.applied) {
        tracing::info!(what = item.what.text(), id = item.id, "removed");
    }
    if context.json {
        out::json(&done);
    } else {
        out::text(&text(&context.words()?, &done, settings.time_zone));
    }
    Ok(Ended::Done)
}

fn text(words: &Words, done: &Pruning, zone: Tz) -> String {
    let say = |key: &str| words.say("prune", key);
    let head =
        [("what", Align::Left), ("id", Align::Left), ("finished", Align::Left), ("because", Align::Left)]
            .map(|(key, align)| (say(key), align));
    let because = |item: &PrunedItem| match item.needed {
        Some(need) => format!("{} {}", say(need.text()), item.by),
        None => String::new(),
    };
    let row = |item: &PrunedItem| {
        let finished = clock::wall(&clock::stored_zoned(&item.finished, zone));
        vec![say(item.what.text()), mask::visible(&item.id).into_owned(), finished, because(item)]
    };
    let mut text = String::new();
    for (title, items) in [("removes", &done.removes), ("keeps", &done.keeps)] {
        let title = match (title, done.applied) {
            ("removes", true) => "removed",
            (title, _) => title,
        };
        text.push_str(&format!("{}: {}\n", say(title), items.len()));
        if !items.is_empty() {
            text.push_str(&format!("{}\n\n", out::table(&head, &items.iter().map(row).collect::<Vec<_>>())));
        }
    }
    text.push_str(&format!("{} {} MiB\n", say("frees"), out::grouped(done.frees_bytes >> 20)));
    if !done.applied && !done.removes.is_empty() {
        text.push_str(&format!("{}\n", say("how")));
    }
    text
}
