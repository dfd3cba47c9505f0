//! `qianyi worklist`: lists for the departments out, their decisions in, and where every item stands.

use std::path::Path;

use qianyi::config::{Person, Role, Settings};
use qianyi::pipeline::{
    ClearValues, ExportOf, HandedOut, Import, ImportOf, Imported, ItemFilter, Mistake, Signatory,
    WorklistRow, export_province, export_worklists, finished, rule_input, worklist_rows,
};
use qianyi::report::Words;
use qianyi::rules::{Department, RuleBook};
use qianyi::state::State;

use super::args::{WorklistExportArgs, WorklistImportArgs, WorklistListArgs};
use super::context::{Context, absolute, known_rule, mappings};
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out::{self, Align};

/// So many mistakes of a file are shown; with --json all.
const SHOWN: usize = 200;

/// Writes the worklists of a run.
pub fn export(context: &Context, args: &WorklistExportArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
    let values = if args.reveal { ClearValues::Revealed } else { ClearValues::Masked };
    let account = whoami::username().unwrap_or_default();
    if values == ClearValues::Revealed {
        may(&settings, &account)?;
    }
    let run = finished(&context.workdir, args.run.as_deref())?;
    let engine = context.engine(&settings, &city, run.as_of()?)?;
    let state = State::open(&context.workdir, "worklist export")?;
    let words = context.words()?;
    let folder = match &args.to {
        Some(folder) => absolute(folder),
        None => absolute(&context.workdir).join("worklists").join(run.id.to_string()),
    };
    let of = ExportOf {
        run: &run,
        engine: &engine,
        national: &national,
        book: &rules.book,
        state: &state,
        words: &words,
        filter: filter(&rules.book, args.rule.as_ref(), args.department.as_ref(), args.county.as_ref())?,
        folder: &folder,
        csv: args.csv.then(|| args.encoding.into()),
        values,
        account: &account,
        day: run.as_of()?,
    };
    if args.province {
        let (path, items) = export_province(&of)?;
        let written = words.say("findings", "written");
        if context.json {
            out::object(&serde_json::json!({ "path": path, "items": items }));
        } else {
            out::line(&format!("{} {written} · {}", out::grouped(items), path.display()));
        }
        return Ok(Ended::Done);
    }
    let handed = export_worklists(&of)?;
    if context.json {
        out::list("files", &handed);
    } else {
        out::text(&handed_out(&words, &handed));
    }
    Ok(Ended::Done)
}

/// Reads worklists that came back.
pub fn import(context: &Context, args: &WorklistImportArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let account = whoami::username().unwrap_or_default();
    may(&settings, &account)?;
    let (national, city) = mappings(&settings)?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
    let run = finished(&context.workdir, None)?;
    let people: Vec<Signatory> = settings.people.iter().map(signatory).collect();
    let state = State::open(&context.workdir, "worklist import")?;
    let words = context.words()?;
    // One that is not here is looked for beside the mappings: the binary carries forms, too.
    let beside = |form: &Path| settings.mappings.parent().map(|data| data.join(form)).filter(|f| f.exists());
    let form = args
        .form
        .as_ref()
        .map(|f| if f.exists() { f.clone() } else { beside(f).unwrap_or_else(|| f.clone()) });
    let (mut all, mut mistakes) = (Vec::new(), 0);
    let engine = context.engine(&settings, &city, run.as_of()?)?;
    let mut import = Import::begin(ImportOf {
        run: &run,
        engine: &engine,
        national: &national,
        book: &rules.book,
        state: &state,
        people: &people,
        account: &account,
        zone: settings.time_zone,
        waiver_months: settings.waiver_months,
        form: form.as_deref(),
    })?;
    for path in &args.files {
        let came = import.take(path)?;
        mistakes += came.mistakes.len();
        if !context.json {
            out::line(&came_back(&words, &path.display().to_string(), &came));
        }
        all.push(came);
    }
    if context.json {
        out::list("files", &all);
    }
    if mistakes > 0 { Err(Usage::WorklistMistakes { mistakes }.into()) } else { Ok(Ended::Done) }
}

/// Shows where every item stands.
pub fn list(context: &Context, args: &WorklistListArgs) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let (national, city) = mappings(&settings)?;
    let rules = rule_input(settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
    let run = finished(&context.workdir, None)?;
    let state = State::open_readonly(&context.workdir)?;
    let filter = filter(&rules.book, args.rule.as_ref(), args.department.as_ref(), None)?;
    let rows = worklist_rows(&run, &rules.book, &state, &filter)?;
    let words = context.words()?;
    if context.json {
        out::list("items", &rows);
    } else if rows.is_empty() {
        out::line(&words.say("worklist", "nothing"));
    } else {
        out::line(&stands(&words, &rows));
    }
    Ok(Ended::Done)
}

/// Which items are meant; what names no rule and no department is refused.
fn filter(
    book: &RuleBook,
    rule: Option<&String>,
    of: Option<&String>,
    county: Option<&String>,
) -> Result<ItemFilter, Usage> {
    if let Some(given) = rule {
        known_rule(given, book.rules.iter().map(|r| &r.id))?;
    }
    let department = of.map(|given| department(given)).transpose()?;
    Ok(ItemFilter { rule: rule.cloned(), department, county: county.cloned() })
}

/// The department that is meant, as files spell it.
pub fn department(given: &str) -> Result<String, Usage> {
    match Department::named(given) {
        Some(known) => Ok(known.text().to_owned()),
        None => Err(Usage::NoDepartment {
            given: given.to_owned(),
            known: Department::ALL.iter().map(|d| d.text()).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Somebody as worklists know him.
pub fn signatory(of: &Person) -> Signatory {
    Signatory {
        name: of.name.clone(),
        account: of.account.clone(),
        handles: of.roles.contains(&Role::Handler),
        reviews: of.roles.contains(&Role::Reviewer),
        approves: of.roles.contains(&Role::Approver),
    }
}

/// Whoever runs this is one of the people, and not only there to look.
pub fn may(settings: &Settings, account: &str) -> Result<(), Failure> {
    let acts = |p: &&Person| p.account == account && p.roles.iter().any(|r| *r != Role::Auditor);
    match settings.people.iter().find(acts) {
        Some(_) => Ok(()),
        None => Err(Usage::NoPerson { account: account.to_owned() }.into()),
    }
}

fn handed_out(words: &Words, handed: &[HandedOut]) -> String {
    if handed.is_empty() {
        return format!("{}\n", words.say("worklist", "nothing"));
    }
    let left = |key: &str| (words.say("worklist", key), Align::Left);
    let head = [
        left("number"),
        left("department"),
        left("rule"),
        left("county"),
        (words.say("worklist", "items"), Align::Right),
        left("file"),
    ];
    let row = |h: &HandedOut| {
        vec![
            h.worklist.clone(),
            words.say("department", &h.department),
            h.rule.clone(),
            h.county.clone().unwrap_or_default(),
            out::grouped(h.items),
            h.path.display().to_string(),
        ]
    };
    format!("{}\n", out::table(&head, &handed.iter().map(row).collect::<Vec<_>>()))
}

/// What a file came to: its mistakes, or what was taken of it.
fn came_back(words: &Words, path: &str, of: &Imported) -> String {
    let word = |key: &str| words.say("worklist", key);
    if !of.mistakes.is_empty() {
        let head = [
            (words.say("worklist", "sheet"), Align::Left),
            (words.say("worklist", "cell"), Align::Left),
            (words.say("worklist", "mistake"), Align::Left),
        ];
        let row = |m: &Mistake| vec![m.sheet.clone().unwrap_or_default(), m.cell.clone(), said(words, m)];
        let rows: Vec<Vec<String>> = of.mistakes.iter().take(SHOWN).map(row).collect();
        let more = match of.mistakes.len() - rows.len() {
            0 => String::new(),
            n => format!("\n{} {}", word("more"), out::grouped(n as u64)),
        };
        return format!(
            "{path}: {} ({})\n{}{more}",
            word("refused"),
            of.mistakes.len(),
            out::table(&head, &rows)
        );
    }
    let kinds = of
        .decided
        .iter()
        .map(|d| format!("{} {}", words.say("decision", d.kind.text()), out::grouped(d.items)));
    let rest = [("undecided", of.undecided), ("known", of.known), ("first", of.first)]
        .into_iter()
        .filter(|(_, n)| *n > 0);
    let rest = rest.map(|(key, n)| format!("{} {}", word(key), out::grouped(n)));
    let all: Vec<String> = kinds.chain(rest).collect();
    let batch = match &of.batch {
        Some(batch) => format!("{batch} · {}", words.say("approve", "next_run")),
        None => word("nothing_taken"),
    };
    format!("{path}: {} {} · {} · {batch}", of.worklist, of.rule, all.join(" · "))
}

/// A mistake in words.
fn said(words: &Words, of: &Mistake) -> String {
    let mut text = words.say("mistake", of.what);
    for (no, with) in of.with.iter().enumerate() {
        text = text.replace(&format!("{{{no}}}"), with);
    }
    text
}

fn stands(words: &Words, rows: &[WorklistRow]) -> String {
    let left = |key: &str| (words.say("worklist", key), Align::Left);
    let right = |key: &str| (words.say("worklist", key), Align::Right);
    let head = [
        left("department"),
        left("rule"),
        left("wrong"),
        right("open"),
        right("handed_out"),
        right("first"),
        right("decided"),
        right("waived"),
        right("province"),
        right("stale"),
    ];
    let row = |r: &WorklistRow| {
        let numbers =
            [r.open, r.handed_out, r.first, r.decided, r.waived, r.province, r.stale].map(out::grouped);
        let title = words.lang().pick(&r.title_zh, &r.title_en).to_owned();
        [words.say("department", &r.department), r.rule.clone(), title].into_iter().chain(numbers).collect()
    };
    out::table(&head, &rows.iter().map(row).collect::<Vec<Vec<String>>>())
}
