//! `qianyi trace`: one row's whole way, from raw to package.

use qianyi::mask;
use qianyi::pipeline::{ListedChange, Origin, TracedRow, TracedValue, finished, trace};
use qianyi::report::{Lang, Words};

use super::args::TraceArgs;
use super::context::{Context, known_table, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Shows the way of a row; exit status 3 when the run has no such row.
pub fn follow(context: &Context, args: &TraceArgs) -> Result<Ended, Failure> {
    let of = finished(&context.workdir, args.run.as_deref())?;
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    if !args.table.contains('.') {
        known_table(&national, &args.table)?;
    }
    let engine = context.engine(&settings, &city, of.as_of()?)?;
    let found = trace(&context.workdir, &engine, &national, &of, &args.table, &args.key)?;
    if context.json {
        out::object(&found);
    } else {
        let words = context.words()?;
        if found.rows.is_empty() {
            out::line(&format!("{} ({})", words.say("trace", "none"), found.run));
        }
        for row in &found.rows {
            out::text(&text(&words, context.lang, row));
        }
    }
    Ok(if found.rows.is_empty() { Ended::Blocked } else { Ended::Done })
}

fn text(words: &Words, lang: Lang, row: &TracedRow) -> String {
    let say = |key: &str| words.say("trace", key);
    let mut lines = vec![format!("{} {} {}", row.table, row.title, row.key)];
    for Origin { source, skey, raw, row } in &row.origins {
        let at = match raw.as_str() {
            "" => String::new(),
            raw => format!(" · {raw} {} {}", say("row"), out::grouped(*row)),
        };
        lines.push(format!("  {}: {source} {skey}{at}", say("origin")));
    }
    if !row.mapped.is_empty() {
        lines.push(format!("  {}: {}", say("mapped"), row.mapped));
    }
    for ListedChange { column, before, after, rule, level, .. } in &row.changes {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "∅".to_owned());
        lines.push(format!(
            "  {}: {column} {} → {} ({rule}, {level})",
            say("change"),
            shown(before),
            shown(after)
        ));
    }
    for finding in &row.findings {
        let title = lang.pick(&finding.title_zh, &finding.title_en);
        let state = finding.state.as_deref().map(|s| words.say("rounds", s)).unwrap_or_default();
        lines.push(format!("  {}: {} {} {title} {state}", say("finding"), finding.rule, finding.column));
    }
    let disposition = match row.disposition.as_str() {
        "" => say("lost"),
        name => words.say("disposition", name),
    };
    lines.push(format!("  {}: {disposition} {} · {}", say("ended"), row.reason, row.ended));
    let merges = row.merged_into.iter().map(|m| ("merged_into", m));
    for (word, merge) in merges.chain(row.merged_from.iter().map(|m| ("merged_from", m))) {
        let more = [&merge.origin, &merge.batch, &merge.approver, &merge.evidence];
        let more: String = more.into_iter().flatten().map(|text| format!(" · {text}")).collect();
        lines.push(format!("  {}: {} ({}){more}", say(word), merge.key, merge.rule));
    }
    for package in &row.packages {
        lines.push(format!("  {}: {package}", words.say("where", "package")));
    }
    let head: Vec<(String, Align)> =
        ["column", "title", "mapped", "ended"].iter().map(|key| (say(key), Align::Left)).collect();
    let cells = |v: &TracedValue| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "∅".to_owned());
        vec![v.column.clone(), v.title.clone(), shown(&v.mapped), shown(&v.ended)]
    };
    let rows: Vec<Vec<String>> = row.values.iter().map(cells).collect();
    let mut text = lines.iter().map(|l| mask::visible(l).into_owned() + "\n").collect::<String>();
    text.push_str(&out::table(&head, &rows));
    text.push_str("\n\n");
    text
}
