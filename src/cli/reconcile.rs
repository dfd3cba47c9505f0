//! `qianyi reconcile`: a run's sides, compared again; exit status 3 when anything is unexplained.

use std::collections::BTreeMap;

use qianyi::artifacts::{
    Against, Boundary, FindingChange, Judged, KnownEnd, KnownRow, Reconciliation, SumChange, Summary,
    TotalTable,
};
use qianyi::mask;
use qianyi::measures::Differing;
use qianyi::pipeline::{against, differing_rows, finished, reconcile_again};
use qianyi::report::number::{count, yuan};
use qianyi::report::{Words, amount};
use qianyi::schedule::blocked;

use super::args::ReconcileArgs;
use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Rows of a table that are shown; the run's folder has more.
const ROWS_SHOWN: usize = 20;

/// Compares again.
pub fn reconcile(context: &Context, args: &ReconcileArgs) -> Result<Ended, Failure> {
    let of = finished(&context.workdir, args.run.as_deref())?;
    if let Some(before) = &args.against {
        let changed = against(&finished(&context.workdir, Some(before))?, &of)?;
        match context.json {
            true => out::object(&changed),
            false => out::text(&changes(context, &context.words()?, &changed)),
        }
        return Ok(Ended::Done);
    }
    let adds_up = reconcile_again(&of)?;
    if context.json {
        out::json(&adds_up);
    } else {
        let words = context.words()?;
        out::text(&text(&words, &adds_up, &of.summary));
        for (table, rows) in differing_rows(&of)? {
            out::text(&differing(&words, &table, &rows));
        }
        if !of.summary.totals.is_empty() {
            out::text(&format!("\n{}\n", totals(&words, &of.summary.totals)));
        }
    }
    let totals = adds_up.totals;
    let explained = totals.unexplained_rows == 0 && totals.unexplained_fen == 0;
    Ok(if explained { Ended::Done } else { Ended::Blocked })
}

/// What changed between two runs: rows and money, then findings.
fn changes(context: &Context, words: &Words, changed: &Against) -> String {
    let left = |key: &str| (words.say("against", key), Align::Left);
    let right = |text: &str| (text.to_owned(), Align::Right);
    let difference = right(&words.say("against", "difference"));
    let head = vec![
        left("table"),
        left("measure"),
        left("insurance"),
        left("disposition"),
        right(&changed.before),
        right(&changed.after),
        difference.clone(),
    ];
    let row = |s: &SumChange| {
        let shown = |value: i128| match s.measure.starts_with("fen:") {
            true => qianyi::report::number::yuan(value),
            false => count(value),
        };
        let disposition = words.say("disposition", &s.disposition);
        let mut cells = vec![s.table.clone(), s.measure.clone(), s.insurance.clone(), disposition];
        cells.extend([s.before, s.after, s.after - s.before].map(shown));
        cells
    };
    let rows: Vec<Vec<String>> = changed.sums.iter().map(row).collect();
    let mut text = format!("{} {} → {}\n", words.say("against", "changes"), changed.before, changed.after);
    if rows.is_empty() {
        text.push_str(&format!("{}\n", words.say("against", "no_sums")));
    } else {
        text.push_str(&format!("{}\n", out::table(&head, &rows)));
    }
    let head = vec![
        left("rule"),
        left("title"),
        left("table"),
        left("column"),
        right(&changed.before),
        right(&changed.after),
        difference,
    ];
    let row = |f: &FindingChange| {
        let title = context.lang.pick(&f.title_zh, &f.title_en).to_owned();
        let mut cells = vec![f.rule.clone(), title, f.table.clone(), f.column.clone()];
        cells
            .extend([f.before.into(), f.after.into(), i128::from(f.after) - i128::from(f.before)].map(count));
        cells
    };
    let rows: Vec<Vec<String>> = changed.findings.iter().map(row).collect();
    if rows.is_empty() {
        text.push_str(&format!("{}\n", words.say("against", "no_findings")));
    } else {
        text.push_str(&format!("{}\n", out::table(&head, &rows)));
    }
    text
}

/// Business totals: each number of each insurance, over all its lines; page and workbook have the lines.
fn totals(words: &Words, of: &[TotalTable]) -> String {
    let left = |section: &str, key: &str| (words.say(section, key), Align::Left);
    let right = |key: &str| (words.say("first", key), Align::Right);
    let head = vec![
        left("totals", "total"),
        left("page", "insurance"),
        left("totals", "number"),
        right("old"),
        right("ready"),
        right("not_ready"),
        right("by_rules"),
    ];
    let pick = |zh: &str, en: &str| words.lang().pick(zh, en).to_owned();
    let mut rows = Vec::new();
    for total in of {
        let mut sums: BTreeMap<(&str, usize), [i128; 4]> = BTreeMap::new();
        for line in &total.lines {
            for no in 0..total.columns.len() {
                let sum = sums.entry((&line.insurance, no)).or_default();
                let at = |numbers: &[i128]| numbers.get(no).copied().unwrap_or(0);
                let all = [at(&line.old), at(&line.ready), at(&line.held_back), line.by_rules(no)];
                sum.iter_mut().zip(all).for_each(|(sum, n)| *sum = sum.saturating_add(n));
            }
        }
        for ((insurance, no), numbers) in sums {
            let column = &total.columns[no];
            let shown = |n: i128| if column.money { yuan(n) } else { count(n) };
            let mut row = vec![format!("{} {}", total.id, pick(&total.title_zh, &total.title_en))];
            row.extend([insurance.to_owned(), pick(&column.title_zh, &column.title_en)]);
            row.extend(numbers.map(shown));
            rows.push(row);
        }
    }
    out::table(&head, &rows)
}

/// Borders, then every line that does not add up, then what else blocks the run.
fn text(words: &Words, adds_up: &Reconciliation, of: &Summary) -> String {
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
        count(of.not_checked.len() as u64),
        out::table(&head, &rows)
    );
    for line in unexplained_lines(words, adds_up).into_iter().chain(known_lines(words, adds_up)) {
        text.push_str(&format!("{line}\n"));
    }
    if !of.blocked_by.is_empty() {
        text.push_str(&format!("{}:\n", words.say("page", "blocked_by")));
    }
    for blocker in &of.blocked_by {
        text.push_str(&format!("  {}\n", mask::visible(&blocked(words, blocker))));
    }
    text
}

/// Rows of a table that the gate did not leave as they were: the first ones, with their origin and the columns.
fn differing(words: &Words, table: &str, rows: &[Differing]) -> String {
    let mut text = format!("{}: {table}\n", words.say("differing", "title"));
    for row in rows.iter().take(ROWS_SHOWN) {
        let columns =
            if row.columns.is_empty() { words.say("differing", "lost") } else { row.columns.join(" ") };
        let (key, skey) = (mask::key(&[], &row.key), mask::key(&[], &row.skey));
        let line = format!("  {key} ({} {skey}): {columns}", row.source);
        text.push_str(&format!("{}\n", mask::visible(&line)));
    }
    if rows.len() > ROWS_SHOWN {
        let file = format!("differing/{table}.parquet");
        text.push_str(&format!("  {} {file}\n", words.say("differing", "more")));
    }
    text
}

/// Every known difference, and what became of it.
pub(super) fn known_lines(words: &Words, adds_up: &Reconciliation) -> Vec<String> {
    let line = |k: &KnownRow| {
        let of = &k.difference;
        let found = match k.ended {
            KnownEnd::Differs => format!(" {}", amount(of.unit, k.found)),
            KnownEnd::Explains | KnownEnd::Expired | KnownEnd::Absent => String::new(),
        };
        let line = format!(
            "{}: {} {} {} {} {} {} · {}{found} · {} · {} {}",
            words.say("known", "title"),
            of.boundary,
            of.table,
            of.measure,
            of.insurance,
            of.period,
            amount(of.unit, of.amount),
            words.say("known", k.ended.name()),
            of.basis,
            of.approver,
            of.until
        );
        mask::visible(&line).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    adds_up.known.iter().map(line).collect()
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
