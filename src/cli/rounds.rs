//! `qianyi status --rounds`: what every round found, and what became of what the rounds before it had found.

use qianyi::artifacts::{Round, RoundRow};
use qianyi::pipeline;
use qianyi::report::Words;
use qianyi::state::State;

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Shows the rounds of the work directory, oldest first.
pub fn rounds(context: &Context) -> Result<Ended, Failure> {
    let all = pipeline::rounds(&State::open_readonly(&context.workdir)?)?;
    if context.json {
        out::list("rounds", &all);
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    if all.is_empty() {
        out::line(&words.say("rounds", "none"));
    }
    let mut blank = "";
    for round in &all {
        out::text(&format!("{blank}{}\n{}\n", counts(&words, round), by_rule(&words, round)));
        blank = "\n";
    }
    Ok(Ended::Done)
}

/// One line: `Round r0002 (2021-05-31), against r0001: New 3 · Open 120 · Fixed 10 · Reopened 0`; a second one where something is reopened.
pub fn counts(words: &Words, of: &Round) -> String {
    let word = |key: &str| words.say("rounds", key);
    let before = match &of.before {
        Some(before) => format!("{} {before}", word("before")),
        None => word("first"),
    };
    let total = of.total();
    let numbers =
        [("new", total.new), ("open", total.open), ("fixed", total.fixed), ("reopened", total.reopened)]
            .map(|(key, n)| format!("{} {}", word(key), out::grouped(n)));
    let mut numbers = numbers.to_vec();
    if total.waived > 0 {
        numbers.push(format!("{} {}", word("waived"), out::grouped(total.waived)));
    }
    let line = format!("{} {} ({}), {before}: {}", word("round"), of.run, of.as_of, numbers.join(" · "));
    if total.reopened == 0 { line } else { format!("{line}\n  ✖ {}", word("reopened_means")) }
}

fn by_rule(words: &Words, of: &Round) -> String {
    let left = |section: &str, key: &str| (words.say(section, key), Align::Left);
    let right = |key: &str| (words.say("rounds", key), Align::Right);
    let head = vec![
        left("rules", "item"),
        left("rules", "file"),
        left("rules", "department"),
        right("new"),
        right("open"),
        right("fixed"),
        right("reopened"),
        right("standing"),
    ];
    let numbers = |r: &RoundRow| [r.new, r.open, r.fixed, r.reopened, r.standing()].map(out::grouped);
    let row = |r: &RoundRow| {
        let texts = [words.say("item", &r.item), r.rule.clone(), words.say("department", &r.department)];
        texts.into_iter().chain(numbers(r)).collect::<Vec<String>>()
    };
    let total = [words.say("page", "total"), String::new(), String::new()];
    let total = total.into_iter().chain(numbers(&of.total())).collect();
    let rows: Vec<Vec<String>> = of.rows.iter().map(row).chain([total]).collect();
    out::table(&head, &rows)
}
