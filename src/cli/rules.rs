//! `qianyi rules list|show|test`: the rules, one rule, the cases beside them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping::City;
use qianyi::national::National;
use qianyi::rules::{self, Case, CaseContext, Rule, RuleBook, RuleFiles};
use serde::Serialize;

use super::args::{RuleArgs, RuleTestArgs};
use super::context::{Context, known_rule, mappings};
use super::exit::Ended;
use super::failure::{Failure, Usage};
use super::out::{self, Align};

/// What is needed to look at rules.
struct Loaded {
    national: National,
    city: City,
    settings: qianyi::pipeline::RuleSettings,
    memory: u64,
}

impl Loaded {
    fn of(context: &Context) -> Result<Self, Failure> {
        let settings = context.settings()?;
        let (national, city) = mappings(&settings)?;
        let rules = settings.rules.clone().ok_or(Usage::NoRules)?;
        Ok(Self { national, city, settings: rules, memory: settings.memory })
    }

    /// The rules, with further parameters for one of them.
    fn book(
        &self,
        engine: &Engine,
        rule: &str,
        params: &BTreeMap<String, String>,
    ) -> Result<RuleBook, Failure> {
        let mut all = self.settings.parameters.clone();
        if !params.is_empty() {
            all.entry(rule.to_owned()).or_default().extend(params.clone());
        }
        let files = RuleFiles { sql: &self.settings.folder, national: &self.settings.national, params: &all };
        Ok(rules::load(&files, &self.national, engine.functions())?)
    }

    fn engine(&self, context: &Context, as_of: chrono::NaiveDate) -> Result<Engine, Failure> {
        let spill = context.workdir.join("spill");
        let settings = EngineSettings { memory: self.memory, spill, partitions: 1 };
        Ok(Engine::start(settings, self.city.functions(as_of))?)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    rule: &'a str,
    file: &'a str,
    item: &'static str,
    title_zh: &'a str,
    title_en: &'a str,
    severity: &'static str,
    repair: &'static str,
    department: &'static str,
    table: &'a str,
    effect: &'static str,
    /// A row rule: all of a table run in one scan.
    row_rule: bool,
    needs: &'a [String],
}

fn shown(rule: &Rule) -> Shown<'_> {
    Shown {
        rule: &rule.id,
        file: &rule.name,
        item: rule.item.text(),
        title_zh: &rule.title.zh,
        title_en: &rule.title.en,
        severity: rule.severity.text(),
        repair: rule.repair.text(),
        department: rule.department.text(),
        table: &rule.table,
        effect: rule.effect.text(),
        row_rule: rule.is_row_rule,
        needs: &rule.needs,
    }
}

/// Lists every rule file.
pub fn list(context: &Context) -> Result<Ended, Failure> {
    let loaded = Loaded::of(context)?;
    let engine = loaded.engine(context, chrono::NaiveDate::default())?;
    let book = loaded.book(&engine, "", &BTreeMap::new())?;
    if context.json {
        out::list("rules", &book.rules.iter().map(shown).collect::<Vec<_>>());
        return Ok(Ended::Done);
    }
    let words = context.words()?;
    let word = |key: &str, align| (words.say("rules", key), align);
    let head = vec![
        word("file", Align::Left),
        word("item", Align::Left),
        word("table", Align::Left),
        word("severity", Align::Left),
        word("repair", Align::Left),
        word("department", Align::Left),
        word("shape", Align::Left),
        word("title", Align::Left),
    ];
    let row = |rule: &Rule| {
        vec![
            rule.name.clone(),
            words.say("item", rule.item.text()),
            rule.table.clone(),
            rule.severity.text().to_owned(),
            rule.repair.text().to_owned(),
            words.say("department", rule.department.text()),
            words.say("rules", if rule.is_row_rule { "row" } else { "set" }),
            words.lang().pick(&rule.title.zh, &rule.title.en).to_owned(),
        ]
    };
    out::line(&out::table(&head, &book.rules.iter().map(row).collect::<Vec<_>>()));
    let ids: std::collections::BTreeSet<&str> = book.rules.iter().map(|r| r.id.as_str()).collect();
    out::line(&format!("{} {}", out::grouped(ids.len() as u64), words.say("rules", "rules")));
    Ok(Ended::Done)
}

/// The text of a rule.
#[derive(Serialize)]
struct File {
    path: String,
    text: String,
}

/// Shows the files of one rule.
pub fn show(context: &Context, args: &RuleArgs) -> Result<Ended, Failure> {
    let loaded = Loaded::of(context)?;
    let engine = loaded.engine(context, chrono::NaiveDate::default())?;
    let book = loaded.book(&engine, "", &BTreeMap::new())?;
    let files = named(&book, &args.rule)?.into_iter();
    let files = files.map(|rule| File {
        path: rule.path.display().to_string(),
        text: std::fs::read_to_string(&rule.path).unwrap_or_default(),
    });
    if context.json {
        out::list("files", &files.collect::<Vec<_>>());
        return Ok(Ended::Done);
    }
    for File { path, text } in files {
        out::line(&format!("{path}\n{}", text.trim_end()));
        out::line("");
    }
    Ok(Ended::Done)
}

/// The files of a rule.
fn named<'b>(book: &'b RuleBook, id: &str) -> Result<Vec<&'b Rule>, Failure> {
    known_rule(id, book.rules.iter().flat_map(|r| [&r.id, &r.name]))?;
    Ok(book.rules.iter().filter(|r| r.id == id || r.name == id).collect())
}

#[derive(Serialize)]
struct Tried {
    rule: String,
    case: String,
    /// What differs; none: as it should be.
    differs: Option<String>,
}

/// Runs the cases of every rule, or of one.
pub fn test(context: &Context, args: &RuleTestArgs) -> Result<Ended, Failure> {
    let loaded = Loaded::of(context)?;
    let scratch = context.workdir.join("rules-test");
    let plain = loaded.engine(context, chrono::NaiveDate::default())?;
    let book = loaded.book(&plain, "", &BTreeMap::new())?;
    let chosen: Vec<&Rule> = match &args.rule {
        Some(id) => named(&book, id)?,
        None => book.rules.iter().collect(),
    };
    let mut tried = Vec::new();
    let mut engines: BTreeMap<chrono::NaiveDate, Engine> = BTreeMap::new();
    for rule in chosen {
        let cases = match rules::cases(rule) {
            Ok(cases) => cases,
            Err(why) => {
                tried.push(Tried { rule: rule.name.clone(), case: String::new(), differs: Some(why) });
                continue;
            }
        };
        for case in cases {
            let as_of = case.as_of().unwrap_or_default();
            let engine = match engines.entry(as_of) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(loaded.engine(context, as_of)?),
            };
            let differs = one(&loaded, engine, &book, rule, &case, &scratch)?;
            tried.push(Tried { rule: rule.name.clone(), case: case.name.clone(), differs });
        }
    }
    qianyi::durable::remove_dir_all(&scratch)?;
    let failed = tried.iter().filter(|t| t.differs.is_some()).count();
    if context.json {
        out::list("cases", &tried);
    } else {
        let words = context.words()?;
        for t in &tried {
            match &t.differs {
                None => out::line(&format!("ok    {} · {}", t.rule, t.case)),
                Some(why) => {
                    out::line(&format!("{}  {} · {}\n  {why}", words.say("rules", "wrong"), t.rule, t.case))
                }
            }
        }
        let n = |n: usize| out::grouped(n as u64);
        out::line(&format!(
            "{} {}, {} {}",
            n(tried.len()),
            words.say("rules", "cases"),
            n(failed),
            words.say("rules", "failed")
        ));
    }
    Ok(if failed == 0 { Ended::Done } else { Ended::Blocked })
}

fn one(
    loaded: &Loaded,
    engine: &Engine,
    book: &RuleBook,
    rule: &Rule,
    case: &Case,
    scratch: &std::path::Path,
) -> Result<Option<String>, Failure> {
    let changed;
    let (book, rule) = if case.params.is_empty() {
        (book, rule)
    } else {
        changed = loaded.book(engine, &rule.id, &case.params)?;
        let same = changed.rules.iter().find(|r| r.name == rule.name).unwrap_or(rule);
        (&changed, same)
    };
    let context = CaseContext { engine, national: &loaded.national, book, scratch };
    Ok(rules::try_case(&context, rule, case)?)
}
