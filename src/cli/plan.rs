//! `qianyi plan`: what a run would do, and what it would refuse, asked of the source (or of an extract); nothing is written.

use qianyi::mask;
use qianyi::pipeline::plan::{Plan, Planned, PlannedTable, UnmappedCode, plan as planned, plan_held};
use qianyi::pipeline::{Ends, Problem, held, rule_input, sources_of};
use qianyi::report::Words;
use qianyi::source;
use qianyi::state::State;

use super::args::HeldArgs;
use super::context::{Context, block_on, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Plans every source; exit status 3 when a run would be refused, blocked or leave values unread. A source that does not answer does not keep the others
/// from being shown.
pub fn plan(context: &Context, args: &HeldArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    rule_input(settings.rules.as_ref(), &national, &city)?;
    let (mut plans, mut failed) = (Vec::new(), None);
    if args.extract.is_empty() {
        let state = context.state()?;
        for of in sources_of(&city, &settings.sources)? {
            let one = block_on(async {
                let source = source::connect(of).await?;
                Ok::<_, Failure>(planned(source.as_ref(), &city, of, state.as_ref()).await?)
            })?;
            match one {
                Ok(plan) => plans.push(plan),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
    } else {
        let state = State::open_readonly(&context.workdir)?;
        let held = held(&state, &city, &settings.sources, &args.extract)?;
        plans.extend(held.iter().map(|(source, held)| plan_held(source, &city, held)));
    }
    if context.json {
        out::list("sources", &plans);
    } else {
        for plan in &plans {
            out::text(&text(context, plan)?);
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None if plans.iter().all(|p| p.problems.is_empty()) => Ok(Ended::Done),
        None => Ok(Ended::Blocked),
    }
}

/// A number, or that nobody looked.
fn number(n: Option<u64>) -> String {
    n.map_or_else(|| "—".to_owned(), out::grouped)
}

/// The tables, and what becomes of each.
fn tables(words: &Words, plan: &Plan) -> String {
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "legacy_table"), Align::Left),
        (words.say("plan", "disposition"), Align::Left),
        (words.say("plan", "feeds"), Align::Left),
        (words.say("plan", "rows"), Align::Right),
        (words.say("plan", "chunks"), Align::Right),
        (words.say("plan", "changes"), Align::Left),
    ];
    let rows: Vec<Vec<String>> = plan
        .tables
        .iter()
        .map(|t| {
            let disposition = match &t.disposition {
                Planned::Read { by } => format!("{by}.toml"),
                Planned::Ignored { reason } => format!("{}: {reason}", words.say("plan", "ignored")),
                Planned::Unmapped => words.say("page", "undecided"),
            };
            vec![
                t.table.clone(),
                disposition,
                t.feeds.join(" "),
                number(t.rows),
                number(t.chunks),
                t.changes.first().map_or("", |c| *c).to_owned(),
            ]
        })
        .collect();
    out::table(&head, &rows)
}

fn text(context: &Context, plan: &Plan) -> Result<String, Failure> {
    let words = context.words()?;
    let tables = tables(&words, plan);
    let mut text = format!("{} {}\n{}\n", words.say("page", "source"), plan.source, tables);
    let mut list = |title: &str, lines: Option<Vec<String>>| {
        let number =
            lines.as_ref().map_or_else(|| words.say("plan", "not_looked_at"), |l| l.len().to_string());
        text.push_str(&format!("\n{}: {number}\n", words.say("plan", title)));
        let lines = lines.iter().flatten();
        lines.for_each(|l| text.push_str(&format!("  {}\n", mask::visible_lines(l))));
    };
    let of =
        |columns: &dyn Fn(&PlannedTable) -> Vec<String>| Some(plan.tables.iter().flat_map(columns).collect());
    let named = |table: &str, columns: &[String]| columns.iter().map(|c| format!("{table}.{c}")).collect();
    list("missing_tables", Some(plan.missing_tables.clone()));
    list("unmapped_columns", of(&|t| named(&t.table, &t.unmapped_columns)));
    list("missing_columns", of(&|t| named(&t.table, &t.missing_columns)));
    let codes = of(&|t| {
        let code = |c: &UnmappedCode| {
            format!("{}.{} = {} ({}): {}", t.table, c.column, c.value, c.list, out::grouped(c.rows))
        };
        t.unmapped_codes.iter().flatten().map(code).collect()
    });
    let asked = plan.tables.iter().all(|t| t.unmapped_codes.is_some());
    list("unmapped_codes", codes.filter(|_| asked));
    let word = |ends: Ends| match ends {
        Ends::Refused => words.say("plan", "refused"),
        Ends::Blocked => words.say("plan", "blocked"),
        Ends::Unread => words.say("plan", "unread"),
    };
    let problem = |p: &Problem| format!("{} · {}: {}\n    {}", word(p.ends), p.code, p.problem, p.advice);
    list("problems", Some(plan.problems.iter().map(problem).collect()));
    let (rows, chunks) = (out::grouped(plan.rows), number(plan.chunks));
    text.push_str(&format!(
        "\n{} {rows} · {} {chunks}\n",
        words.say("plan", "rows"),
        words.say("plan", "chunks")
    ));
    Ok(text)
}
