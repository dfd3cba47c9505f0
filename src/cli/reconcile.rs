//! `qianyi reconcile`: a run's sides, compared again; exit status 3 when anything is unexplained.

use qianyi::artifacts::{Boundary, Judged, Reconciliation};
use qianyi::mask;
use qianyi::pipeline::{finished, reconcile_again};
use qianyi::report::Words;
use qianyi::report::number::{count, yuan};

use super::args::RunArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Compares again.
pub fn reconcile(context: &Context, args: &RunArgs) -> Result<Ended, Failure> {
    let of = finished(&context.workdir, args.run.as_deref())?;
    let adds_up = reconcile_again(&of)?;
    if context.json {
        out::json(&adds_up);
    } else {
        out::text(&text(&context.words()?, &adds_up, of.summary.not_checked.len() as u64));
    }
    let totals = adds_up.totals;
    let explained = totals.unexplained_rows == 0 && totals.unexplained_fen == 0;
    Ok(if explained { Ended::Done } else { Ended::Blocked })
}

/// Borders, then every line that does not add up.
fn text(words: &Words, adds_up: &Reconciliation, not_checked: u64) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "boundary"), Align::Left),
        (words.say("page", "lines_n"), Align::Right),
        (unexplained(words, "rows"), Align::Right),
        (unexplained(words, "yuan"), Align::Right),
    ];
    let row = |b: &Boundary| {
        let (lines, rows) = (out::grouped(b.lines.len() as u64), out::grouped(b.totals.unexplained_rows));
        vec![words.say("boundary", &b.boundary), lines, rows, yuan(b.totals.unexplained_fen)]
    };
    let rows: Vec<Vec<String>> = adds_up.boundaries.iter().map(row).collect();
    let mut text = format!(
        "{} {} · {}: {}\n{}\n",
        words.say("page", "reconciliation"),
        adds_up.run,
        words.say("page", "not_checked"),
        count(not_checked),
        out::table(&head, &rows)
    );
    for line in unexplained_lines(words, adds_up) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// Every line that does not add up, and every unit of money that is wrong.
pub(super) fn unexplained_lines(words: &Words, adds_up: &Reconciliation) -> Vec<String> {
    let mut lines = Vec::new();
    for boundary in &adds_up.boundaries {
        for line in boundary.lines.iter().filter(|l| l.unexplained > 0) {
            lines.push(format!(
                "{} {} {}: {} ≠ {} ({} {})",
                boundary.boundary,
                line.table,
                line.measure,
                count(line.left),
                count(line.right),
                words.say("page", "unexplained"),
                count(i128::try_from(line.unexplained).unwrap_or(i128::MAX)),
            ));
        }
    }
    for unit in adds_up.unit_of_money.iter().filter(|u| u.fault.is_some()) {
        lines.push(format!(
            "{}: {} {} {} {}",
            words.say("page", "unit_of_money"),
            unit.table,
            unit.insurance,
            unit.year,
            words.say("fault", unit.fault.as_deref().unwrap_or_default()),
        ));
    }
    for line in adds_up.plausible.iter().filter(|p| matches!(p.verdict, Judged::Times100 | Judged::Hundredth))
    {
        lines.push(format!(
            "{}: {} {} {} {} {}",
            words.say("page", "unit_of_money"),
            line.table,
            line.check,
            line.insurance,
            line.year,
            words.say("fault", line.verdict.name()),
        ));
    }
    lines.iter().map(|line| mask::visible(line).into_owned()).collect()
}

fn unexplained(words: &Words, unit: &str) -> String {
    format!("{} ({})", words.say("page", "unexplained"), words.say("page", unit))
}
