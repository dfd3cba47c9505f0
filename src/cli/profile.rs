//! `qianyi profile`: what the extracted legacy tables hold.

use std::collections::BTreeMap;

use qianyi::pipeline::{as_of, sources_of};
use qianyi::profile::{Profile, TableProfile, profile as profiled};
use qianyi::raw;
use qianyi::state::State;

use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

/// Profiles the current raw tables of every source.
pub fn profile(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (_, city) = mappings(&settings)?;
    let state = State::open_readonly(&context.workdir)?;
    let mut views = BTreeMap::new();
    for of in sources_of(&city, &settings.sources)? {
        views.insert(of.id.clone(), raw::current(&state, &of.id)?);
    }
    let today = as_of(&context.run_settings(&settings, "profile"), &views)?;
    let engine = context.engine(&settings, &city, today)?;
    let mut profiles = Vec::new();
    for (source, view) in &views {
        profiles.push(profiled(&engine, &city, source, view)?);
    }
    if context.json {
        out::list("sources", &profiles);
    } else {
        for profile in &profiles {
            out::text(&text(context, profile)?);
        }
    }
    Ok(Ended::Done)
}

fn text(context: &Context, profile: &Profile) -> Result<String, Failure> {
    let words = context.words()?;
    let word = |key: &str| words.say("profile", key);
    let head: Vec<(String, Align)> = vec![
        (words.say("page", "column"), Align::Left),
        (word("kind"), Align::Left),
        (word("nulls"), Align::Right),
        (word("empty"), Align::Right),
        (word("undecodable"), Align::Right),
        (word("kept_aside"), Align::Right),
        (word("length"), Align::Right),
        (word("distinct"), Align::Right),
        (word("codes"), Align::Left),
    ];
    let mut text = String::new();
    for table in &profile.tables {
        let by = table.read_by.clone().or_else(|| table.ignored.clone()).unwrap_or_default();
        let rows = out::grouped(table.rows);
        text.push_str(&format!(
            "\n{}.{} · {rows} {} · {by}\n",
            profile.source,
            table.table,
            words.say("page", "rows")
        ));
        text.push_str(&out::table(&head, &columns(table, &word("unmapped"))));
        text.push('\n');
    }
    Ok(text)
}

fn columns(table: &TableProfile, unmapped: &str) -> Vec<Vec<String>> {
    let length = |shortest: Option<u64>, longest: Option<u64>| match (shortest, longest) {
        (Some(a), Some(b)) if a == b => a.to_string(),
        (Some(a), Some(b)) => format!("{a}–{b}"),
        _ => String::new(),
    };
    let row = |c: &qianyi::profile::ColumnProfile| {
        let codes = c.codes.as_ref().map(|codes| {
            let lost: Vec<&str> =
                codes.values.iter().filter(|v| !v.mapped).map(|v| v.value.as_str()).collect();
            let lists = codes.lists.join(" ");
            if lost.is_empty() { lists } else { format!("{lists} ({unmapped}: {})", lost.join(" ")) }
        });
        vec![
            c.column.clone(),
            c.kind.clone(),
            out::grouped(c.nulls),
            out::grouped(c.empty),
            out::grouped(c.undecodable),
            out::grouped(c.kept_aside),
            length(c.shortest, c.longest),
            out::grouped(c.distinct),
            codes.unwrap_or_default(),
        ]
    };
    table.columns.iter().map(row).collect()
}
