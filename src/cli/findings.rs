//! `qianyi findings`: the open findings of a run, on the terminal or as a file for a spreadsheet.

use qianyi::pipeline::{FindingFilter, ListedFinding, each_finding, finished};
use qianyi::report::Words;

use super::args_lists::{FindingsArgs, StateArg};
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::Failure;
use super::findings_file::FindingsFile;
use super::out::{self, Align};

/// So many rows are shown on the terminal; a file has all.
const SHOWN: usize = 50;

/// Lists findings, or writes them as CSV or XLSX, row by row.
pub fn findings(context: &Context, args: &FindingsArgs) -> Result<Ended, Failure> {
    let run = finished(&context.workdir, args.run.as_deref())?;
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    let engine = context.engine(&settings, &city, run.as_of()?)?;
    let filter = filter(args);
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

fn filter(args: &FindingsArgs) -> FindingFilter {
    let state = args.state.map(|s| match s {
        StateArg::New => "new",
        StateArg::Open => "open",
        StateArg::Reopened => "reopened",
        StateArg::Waived => "waived",
    });
    FindingFilter {
        rule: args.rule.clone(),
        table: args.table.clone(),
        department: args.department.clone(),
        state: state.map(str::to_owned),
        unit: args.unit.clone(),
        county: args.county.clone(),
    }
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
