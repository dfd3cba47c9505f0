//! `qianyi findings` and `qianyi changes`: what a run found and changed, row by row.

use std::io::Write;

use qianyi::pipeline::{Finished, ListedChange, ListedFinding, each_change, each_finding, finished};
use qianyi::report::Words;

use super::args::{ChangesArgs, Encoding, FindingsArgs};
use super::context::{Context, mappings};
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out::{self, Align};

/// So many rows are shown on the terminal; a file has all.
const SHOWN: usize = 50;

/// Lists findings, or writes them as CSV.
pub fn findings(context: &Context, args: &FindingsArgs) -> Result<Ended, Failure> {
    let run = finished(&context.workdir, args.run.as_deref())?;
    let departments: std::collections::BTreeMap<&str, &str> =
        run.summary.cleaning.iter().map(|r| (r.rule.as_str(), r.department.as_str())).collect();
    let wanted = |f: &ListedFinding| {
        args.rule.as_ref().is_none_or(|r| *r == f.rule)
            && args.table.as_ref().is_none_or(|t| *t == f.table)
            && args.department.as_ref().is_none_or(|d| departments.get(f.rule.as_str()) == Some(&d.as_str()))
    };
    let (mut all, mut n) = (Vec::new(), 0_u64);
    let keep = args.csv.is_some() || context.json;
    each_finding(&run, |f| {
        if wanted(&f) {
            n += 1;
            if keep || all.len() < SHOWN {
                all.push(f);
            }
        }
    })?;
    if context.json {
        out::json(&all);
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    let head = head(&words);
    let word = |key: &str| words.say("findings", key);
    let row = |f: &ListedFinding| {
        vec![
            f.rule.clone(),
            f.table.clone(),
            f.column.clone(),
            f.level.clone(),
            words.say("gate", &f.gate),
            f.value.clone().unwrap_or_default(),
            f.key.clone().unwrap_or_default(),
            f.source.clone(),
            f.skey.clone().unwrap_or_default(),
        ]
    };
    if let Some(path) = &args.csv {
        write(path, args.encoding, &head, &all.iter().map(row).collect::<Vec<_>>())?;
        out::line(&format!("{} {} · {}", out::grouped(n), word("written"), path.display()));
        return Ok(Ended::Done);
    }
    if all.is_empty() {
        out::line(&word("none"));
        return Ok(Ended::Done);
    }
    let head: Vec<(String, Align)> = head.into_iter().map(|h| (h, Align::Left)).collect();
    out::line(&out::table(&head, &all.iter().map(row).collect::<Vec<_>>()));
    out::line(&format!("{} {} / {}", word("shown"), out::grouped(all.len() as u64), out::grouped(n)));
    Ok(Ended::Done)
}

fn head(words: &Words) -> [String; 9] {
    let of = |section: &str, key: &str| words.say(section, key);
    [
        of("page", "rule"),
        of("page", "table"),
        of("page", "column"),
        of("page", "level"),
        of("page", "gate"),
        of("findings", "value"),
        of("findings", "key"),
        of("findings", "source"),
        of("findings", "skey"),
    ]
}

/// Shows the change records of a table, or of one row of it.
pub fn changes(context: &Context, args: &ChangesArgs) -> Result<Ended, Failure> {
    let run: Finished = finished(&context.workdir, args.run.as_deref())?;
    let settings = context.settings()?;
    let (national, _) = mappings(&settings)?;
    let (mut all, mut n) = (Vec::new(), 0_u64);
    each_change(&run, &national, |c| {
        let wanted = args.table.as_ref().is_none_or(|t| *t == c.table)
            && args.key.as_ref().is_none_or(|k| *k == c.key);
        if wanted {
            n += 1;
            if context.json || all.len() < SHOWN {
                all.push(c);
            }
        }
    })?;
    if context.json {
        out::json(&all);
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    let word = |key: &str| (words.say("changes", key), Align::Left);
    if all.is_empty() {
        out::line(&word("none").0);
        return Ok(Ended::Done);
    }
    let head = vec![
        (words.say("page", "table"), Align::Left),
        word("row"),
        word("column"),
        word("before"),
        word("after"),
        word("rule"),
        word("item"),
        word("level"),
        word("evidence"),
    ];
    let row = |c: &ListedChange| {
        vec![
            c.table.clone(),
            c.key.clone(),
            c.column.clone(),
            c.before.clone().unwrap_or_default(),
            c.after.clone().unwrap_or_default(),
            c.rule.clone(),
            words.say("item", &c.item),
            c.level.clone(),
            c.evidence.clone().unwrap_or_default(),
        ]
    };
    out::line(&out::table(&head, &all.iter().map(row).collect::<Vec<_>>()));
    out::line(&format!(
        "{} / {} {}",
        out::grouped(all.len() as u64),
        out::grouped(n),
        words.say("changes", "changes")
    ));
    Ok(Ended::Done)
}

/// Writes a CSV that a spreadsheet opens: UTF-8 with a byte order mark, or GB 18030.
fn write(
    path: &std::path::Path,
    encoding: Encoding,
    head: &[String],
    rows: &[Vec<String>],
) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Usage::Unwritable {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(head).map_err(|e| failed(&e))?;
    for row in rows {
        csv.write_record(row.iter().map(|cell| harmless(cell))).map_err(|e| failed(&e))?;
    }
    let bytes = csv.into_inner().map_err(|e| failed(&e))?;
    let text = String::from_utf8(bytes).map_err(|e| failed(&e))?;
    let bytes = match encoding {
        Encoding::Utf8 => format!("\u{feff}{text}").into_bytes(),
        Encoding::Gb18030 => encoding_rs::GB18030.encode(&text).0.into_owned(),
    };
    let mut file = qianyi::durable::DurableFile::create(path)?;
    file.write_all(&bytes).map_err(|e| failed(&e))?;
    file.commit()?;
    Ok(())
}

/// A cell that a spreadsheet would take for a formula, or for a number that it shortens, as text.
fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let long = cell.len() > 11 && cell.bytes().all(|b| b.is_ascii_digit());
    if formula {
        format!("'{cell}")
    } else if long {
        format!("=\"{cell}\"")
    } else {
        cell.to_owned()
    }
}
