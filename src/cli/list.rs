//! `qianyi list`: the lists of `sql/lists/`, on the terminal or as a file for a spreadsheet.

use qianyi::pipeline::{ListOf, each_listed, finished, lists, record_reveal, rule_input};
use qianyi::report::{ListHead, SheetColumn, Words};
use qianyi::rules::List;
use qianyi::state::State;
use serde::Serialize;

use super::args_lists::ListArgs;
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::list_file;
use super::out::{self, Align};
use super::worklist::may;

/// So many rows are shown on the terminal; a file has all.
const SHOWN: usize = 50;

/// Which lists there are.
#[derive(Serialize)]
struct Listed {
    list: String,
    title: String,
    about: String,
    set: String,
}

/// Shows which lists there are, shows one, or writes one as CSV or XLSX.
pub fn list(context: &Context, args: &ListArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
    let all = lists(settings.rules.as_ref(), &national, &city, &rules.book)?;
    let words = context.words()?;
    let Some(name) = &args.list else {
        shelf(context, &words, &all);
        return Ok(Ended::Done);
    };
    let names = all.iter().map(|l| l.name.as_str());
    let nearest = || qianyi::nearest::nearest(name, names).to_owned();
    let list = all.iter().find(|l| l.name == *name);
    let list = list.ok_or_else(|| Usage::NoList { given: name.clone(), nearest: nearest() })?;
    let run = finished(&context.workdir, args.run.as_deref())?;
    let account = whoami::username().unwrap_or_default();
    let state = if args.reveal {
        may(&settings, &account)?;
        let state = State::open(&context.workdir, "list")?;
        record_reveal(&state, &list.name, &run.id.to_string(), &account)?;
        state
    } else {
        State::open_readonly(&context.workdir)?
    };
    let of = ListOf {
        run: &run,
        engine: &context.engine(&settings, &city, run.as_of()?)?,
        national: &national,
        rules: &rules,
        state: &state,
        words: &words,
        list,
        params: &list.with(&args.set)?,
        clear: args.reveal,
        zone: settings.time_zone,
    };
    write(context, args, &of)?;
    Ok(Ended::Done)
}

fn shelf(context: &Context, words: &Words, all: &[List]) {
    let said = |l: &List| -> String {
        l.params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let pick = |of: &qianyi::rules::Bilingual| words.lang().pick(&of.zh, &of.en).to_owned();
    if context.json {
        let one = |l: &List| Listed {
            list: l.name.clone(),
            title: pick(&l.title),
            about: pick(&l.about),
            set: said(l),
        };
        return out::list("lists", &all.iter().map(one).collect::<Vec<_>>());
    }
    let head = ["name", "title", "about", "set"].map(|key| (words.say("list", key), Align::Left));
    let row = |l: &List| vec![l.name.clone(), pick(&l.title), pick(&l.about), said(l)];
    out::line(&out::table(&head, &all.iter().map(row).collect::<Vec<_>>()));
}

fn write(context: &Context, args: &ListArgs, of: &ListOf<'_>) -> Result<(), Failure> {
    let (words, list) = (of.words, of.list);
    let heads: Vec<String> =
        list.columns.iter().map(|c| words.lang().pick(&c.title.zh, &c.title.en).to_owned()).collect();
    let columns = heads.iter().map(|h| SheetColumn { head: h.clone(), width: None }).collect();
    let pick = |of: &qianyi::rules::Bilingual| words.lang().pick(&of.zh, &of.en).to_owned();
    let (title, about) = (pick(&list.title), pick(&list.about));
    let set = |text: String, (name, value): (&String, &String)| text.replace(&format!("${name}"), value);
    let about = of.params.iter().fold(about, set);
    let head = ListHead {
        title: &title,
        about: &about,
        printed: None,
        summary: &of.run.summary,
        words,
        day: of.run.as_of()?,
    };
    let mut file = list_file::begin(&head, columns, &args.file)?;
    let (mut all, mut n) = (Vec::new(), 0_u64);
    each_listed(of, |row| -> Result<(), Failure> {
        n += 1;
        if let Some(file) = &mut file {
            return Ok(file.row(&row.iter().map(Option::as_deref).collect::<Vec<_>>())?);
        }
        if context.json || all.len() < SHOWN {
            all.push(row.to_vec());
        }
        Ok(())
    })?;
    if let Some(file) = file {
        list_file::finish(context, words, file, n)?;
    } else if context.json {
        let named = |row: Vec<Option<String>>| -> serde_json::Map<String, serde_json::Value> {
            list.columns.iter().map(|c| c.name.clone()).zip(row.into_iter().map(Into::into)).collect()
        };
        out::list("rows", &all.into_iter().map(named).collect::<Vec<_>>());
    } else {
        let head: Vec<_> = heads.into_iter().map(|h| (h, Align::Left)).collect();
        let rows: Vec<Vec<String>> =
            all.iter().map(|row| row.iter().map(|c| c.clone().unwrap_or_default()).collect()).collect();
        out::line(&format!("{title} · {}\n{}", of.run.id, out::table(&head, &rows)));
        let shown = words.say("findings", "shown");
        out::line(&format!("{shown} {} / {}", out::grouped(rows.len() as u64), out::grouped(n)));
    }
    Ok(())
}
