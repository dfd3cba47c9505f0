//! `qianyi reconcile`: a run's sides, compared again; exit status 3 when anything is unexplained.

use qianyi::report::Words;
use qianyi::report::number::{count, yuan};
use qianyi::run::{finished, reconcile_again};
use qianyi::trail::{Border, Reconciliation};

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
        out::text(&text(&context.words()?, &adds_up));
    }
    let totals = adds_up.totals;
    Ok(if totals.unexplained_rows + totals.unexplained_fen == 0 { Ended::Done } else { Ended::Blocked })
}

/// Borders, then every line that does not add up.
fn text(words: &Words, adds_up: &Reconciliation) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "border"), Align::Left),
        (words.say("page", "lines_n"), Align::Right),
        (unexplained(words, "rows"), Align::Right),
        (unexplained(words, "yuan"), Align::Right),
    ];
    let row = |b: &Border| {
        let (lines, rows) = (out::grouped(b.lines.len() as u64), out::grouped(b.totals.unexplained_rows));
        vec![words.say("border", &b.border), lines, rows, yuan(b.totals.unexplained_fen)]
    };
    let rows: Vec<Vec<String>> = adds_up.borders.iter().map(row).collect();
    let mut text =
        format!("{} {}\n{}\n", words.say("page", "reconciliation"), adds_up.run, out::table(&head, &rows));
    for border in &adds_up.borders {
        for line in border.lines.iter().filter(|l| l.unexplained > 0) {
            text.push_str(&format!(
                "{} {} {}: {} ≠ {} ({} {})\n",
                border.border,
                line.table,
                line.measure,
                count(line.left),
                count(line.right),
                words.say("page", "unexplained"),
                out::grouped(line.unexplained),
            ));
        }
    }
    for unit in adds_up.unit_of_money.iter().filter(|u| u.fault.is_some()) {
        text.push_str(&format!(
            "{}: {} {} {} {}\n",
            words.say("page", "unit_of_money"),
            unit.table,
            unit.insurance,
            unit.year,
            words.say("fault", unit.fault.as_deref().unwrap_or_default()),
        ));
    }
    text
}

fn unexplained(words: &Words, unit: &str) -> String {
    format!("{} ({})", words.say("page", "unexplained"), words.say("page", unit))
}
