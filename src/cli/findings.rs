//! `qianyi findings`: the open findings of a run, on the terminal or as a file for a spreadsheet.

use qianyi::pipeline::{FindingFilter, ListedFinding, each_finding, finished, rule_input};
use qianyi::report::Words;

use super::args_lists::{FindingsArgs, StateArg};
use super::context::{Context, known_rule, known_table, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::findings_file::FindingsFile;
use super::out::{self, Align};
use super::worklist::department;

/// So many rows are shown on the terminal; a file has all.
const SHOWN: usize = 50;

/// Lists findings, or writes them as CSV or XLSX, row by row.
pub fn findings(context: &Context, args: &FindingsArgs) -> Result<Ended, Failure> {
    let run = finished(&context.workdir, args.run.as_deref())?;
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    args.table.iter().try_for_each(|table| known_table(&national, table))?;
    // Rules and outside data are read only where one is named.
    if let Some(rule) = &args.rule {
        let book = rule_input(settings.rules.as_ref(), &national, &city)?.map(|rules| rules.book);
        let of_files = book.iter().flat_map(|b| &b.rules).map(|r| &r.id);
        known_rule(rule, national.rules.keys().chain(of_files))?;
    }
    let engine = context.engine(&settings, &city, run.as_of()?)?;
    let filter = filter(args)?;
    let words = context.words()?;
    let mut file = FindingsFile::create(&words, args, &run)?;
    let (mut all, mut n) = (Vec::new(), 0_u64);
    each_finding(&run, &engine, &national, &filter, |f| -> Result<(), Failure> {
        n += 1;
        if let Some(file) = &mut file {
            return file.row(&words, f);
        }
        if context.json || all.len() < SHOWN {
            all.push(f.clone());
        }
        Ok(())
    })?;
    if let Some(file) = file {
        file.finish(context, &words, n)?;
    } else if context.json {
        out::list("findings", &all);
    } else if all.is_empty() {
        out::line(&words.say("findings", "none"));
    } else {
        out::line(&shown(&words, &all));
        let of = words.say("findings", "shown");
        out::line(&format!("{of} {} / {}", out::grouped(all.len() as u64), out::grouped(n)));
    }
    Ok(Ended::Done)
}

fn filter(args: &FindingsArgs) -> Result<FindingFilter, Failure> {
    let state = args.state.map(|s| match s {
        StateArg::New => "new",
        StateArg::Open => "open",
        StateArg::Reopened => "reopened",
        StateArg::Waived => "waived",
    });
    Ok(FindingFilter {
        rule: args.rule.clone(),
        table: args.table.clone(),
        department: args.department.as_deref().map(department).transpose()?,
        state: state.map(str::to_owned),
        unit: args.unit.clone(),
        county: args.county.clone(),
        key: None,
    })
}

fn shown(words: &Words, all: &[ListedFinding]) -> String {
    let head = [
        ("page", "rule"),
        ("page", "table"),
        ("page", "column"),
        ("page", "level"),
        ("page", "gate"),
        ("findings", "state"),
        ("findings", "value"),
        ("findings", "key"),
        ("findings", "source"),
        ("findings", "skey"),
    ]
    .map(|(section, key)| (words.say(section, key), Align::Left));
    let row = |f: &ListedFinding| {
        vec![
            f.rule.clone(),
            f.table.clone(),
            f.column.clone(),
            f.level.clone(),
            words.say("gate", &f.gate),
            f.state.as_ref().map(|s| words.say("rounds", s)).unwrap_or_default(),
            f.value.clone().unwrap_or_default(),
            f.key.clone().unwrap_or_default(),
            f.source.clone(),
            f.skey.clone().unwrap_or_default(),
        ]
    };
    out::table(&head, &all.iter().map(row).collect::<Vec<_>>())
}
