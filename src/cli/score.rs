//! `qianyi rules score`: what the rules of a run found, beside the defects that were planted in a generated city.

use qianyi::pipeline::{RuleScore, finished, score as scored};
use qianyi::report::Words;

use super::args::ScoreArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Prints a line for each rule; blocked when one misses something or finds what was not planted.
pub fn score(context: &Context, args: &ScoreArgs) -> Result<Ended, Failure> {
    let run = finished(&context.workdir, args.run.as_deref())?;
    let all = scored(&run, &args.truth)?;
    if context.json {
        out::list("rules", &all);
    } else {
        out::line(&text(&context.words()?, &all));
    }
    Ok(if all.iter().all(RuleScore::is_exact) { Ended::Done } else { Ended::Blocked })
}

fn text(words: &Words, all: &[RuleScore]) -> String {
    let head: Vec<(String, Align)> = std::iter::once((words.say("page", "rule"), Align::Left))
        .chain(
            ["planted", "found", "right", "missed", "beside", "precision", "recall"]
                .map(|key| (words.say("score", key), Align::Right)),
        )
        .chain(std::iter::once((words.say("score", "note"), Align::Left)))
        .collect();
    let rows: Vec<Vec<String>> = all.iter().map(|s| row(words, s)).collect();
    let exact = all.iter().filter(|s| s.is_exact()).count() as u64;
    format!(
        "{}\n{} {} {}",
        out::table(&head, &rows),
        out::grouped(exact),
        words.say("score", "exact"),
        out::grouped(all.len() as u64)
    )
}

fn row(words: &Words, s: &RuleScore) -> Vec<String> {
    let (missed, beside) = (s.missed.len() as u64, s.beside.len() as u64);
    let mut notes = Vec::new();
    if s.did_not_run {
        notes.push(words.say("score", "did_not_run"));
    }
    if s.planted == 0 && s.found == 0 {
        notes.push(words.say("score", "nothing"));
    }
    let first = s.missed.first().or_else(|| s.beside.first().and_then(|b| b.from.as_ref()));
    if let Some(legacy) = first {
        notes.push(format!("{} {} {}", words.say("score", "example"), legacy.table, legacy.key));
    }
    let mut cells = vec![s.rule.clone()];
    cells.extend([s.planted, s.found, s.right, missed, beside].map(out::grouped));
    cells.extend([fraction(s.right, s.found), fraction(s.planted - missed, s.planted)]);
    cells.push(notes.join(" · "));
    cells
}

/// Parts of a whole, exactly.
fn fraction(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        _ if part == whole => "1".to_owned(),
        _ => format!("{part}/{whole}"),
    }
}
