//! `qianyi plan`: what a run would do, asked of the source; nothing is written.

use qianyi::run::plan::{Plan, Planned, plan as planned};
use qianyi::run::sources_of;
use qianyi::source;

use super::context::{Context, block_on, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Plans every source.
pub fn plan(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (_, city) = mappings(&settings)?;
    let mut plans = Vec::new();
    for of in sources_of(&city, &settings.sources)? {
        let one = block_on(async {
            let source = source::connect(of).await?;
            Ok::<_, Failure>(planned(source.as_ref(), &city).await?)
        })?;
        plans.push(one?);
    }
    if context.json {
        out::json(&plans);
    } else {
        for plan in &plans {
            out::text(&text(context, plan)?);
        }
    }
    Ok(Ended::Done)
}

fn text(context: &Context, plan: &Plan) -> Result<String, Failure> {
    let words = context.words()?;
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "legacy_table"), Align::Left),
        (words.say("plan", "fate"), Align::Left),
        (words.say("plan", "feeds"), Align::Left),
        (words.say("plan", "rows"), Align::Right),
        (words.say("plan", "chunks"), Align::Right),
        (words.say("plan", "changes"), Align::Left),
    ];
    let rows: Vec<Vec<String>> = plan
        .tables
        .iter()
        .map(|t| {
            let fate = match &t.fate {
                Planned::Read { by } => format!("{by}.toml"),
                Planned::Ignored { reason } => format!("{}: {reason}", words.say("plan", "ignored")),
                Planned::Unmapped => words.say("page", "undecided"),
            };
            vec![
                t.table.clone(),
                fate,
                t.feeds.join(" "),
                out::grouped(t.rows),
                out::grouped(t.chunks),
                t.changes.first().map_or("", |c| *c).to_owned(),
            ]
        })
        .collect();
    let mut text = format!("{} {}\n{}\n", words.say("page", "source"), plan.source, out::table(&head, &rows));
    let mut list = |title: &str, lines: Vec<String>| {
        text.push_str(&format!("\n{}: {}\n", words.say("plan", title), lines.len()));
        lines.iter().for_each(|l| text.push_str(&format!("  {l}\n")));
    };
    let of = |columns: &dyn Fn(&qianyi::run::plan::PlannedTable) -> Vec<String>| -> Vec<String> {
        plan.tables.iter().flat_map(columns).collect()
    };
    let named = |table: &str, columns: &[String]| columns.iter().map(|c| format!("{table}.{c}")).collect();
    list("missing_tables", plan.missing_tables.clone());
    list("unmapped_columns", of(&|t| named(&t.table, &t.unmapped_columns)));
    list("missing_columns", of(&|t| named(&t.table, &t.missing_columns)));
    list(
        "unreadable_columns",
        of(&|t| {
            t.unreadable_columns.iter().map(|c| format!("{}.{}: {}", t.table, c.column, c.why)).collect()
        }),
    );
    list("worn_codes", plan.worn_codes.clone());
    list(
        "unmapped_codes",
        of(&|t| {
            let code = |c: &qianyi::run::plan::UnmappedCode| {
                let zeros = c
                    .but_for_zeros
                    .as_ref()
                    .map(|code| format!(" · {}: {code}", words.say("plan", "but_for_zeros")));
                let rows = out::grouped(c.rows);
                let zeros = zeros.unwrap_or_default();
                format!("{}.{} = {} ({}): {rows}{zeros}", t.table, c.column, c.value, c.list)
            };
            t.unmapped_codes.iter().map(code).collect()
        }),
    );
    let (rows, chunks) = (out::grouped(plan.rows), out::grouped(plan.chunks));
    text.push_str(&format!(
        "\n{} {rows} · {} {chunks}\n",
        words.say("plan", "rows"),
        words.say("plan", "chunks")
    ));
    Ok(text)
}
