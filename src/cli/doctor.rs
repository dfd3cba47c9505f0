//! `qianyi doctor`: what is wrong, or worth knowing, about every source before the first night; asks, and changes nothing.

use miette::Diagnostic;
use qianyi::source::{self, ChangeMethod, Examined, Grade, SourceError, SourceSettings, TableSettings};
use serde::Serialize;

use super::context::{Context, block_on};
use super::exit::Ended;
use super::failure::Failure;
use super::out::{self, Align};

#[derive(Serialize)]
struct Shown {
    source: String,
    checks: Vec<Examined>,
}

/// A source that does not answer: wrong, and the others are looked at all the same.
fn refused(e: &SourceError) -> Examined {
    let code = e.code().map(|c| format!("{c}: ")).unwrap_or_default();
    Examined {
        what: "connection".to_owned(),
        grade: Grade::Wrong,
        found: format!("{code}{e}"),
        advice: e.help().map(|h| h.to_string()).unwrap_or_default(),
    }
}

/// What is set for tables that are not there, or by methods that they do not have: the extract would refuse it.
fn tables(catalogue: &[source::Table], of: &SourceSettings) -> Vec<Examined> {
    let wrong = |found: String, advice: &str| Examined {
        what: "tables".to_owned(),
        grade: Grade::Wrong,
        found,
        advice: advice.to_owned(),
    };
    let check = |(name, how): (&String, &TableSettings)| {
        let Some(table) = catalogue.iter().find(|t| t.name == *name) else {
            return Some(wrong(
                format!("[sources.tables.{name}]: there is no such table"),
                "`qianyi plan` lists the tables",
            ));
        };
        let stamped = how.changes == ChangeMethod::Timestamp
            && how.column.as_ref().is_some_and(|c| table.column(c).is_some());
        // Without a key a table is read in full whatever is set.
        if stamped || table.key.is_empty() || table.changes.contains(&how.changes) {
            return None;
        }
        let found =
            format!("[sources.tables.{name}]: it has no {} to follow its changes by", how.changes.text());
        Some(wrong(found, "`qianyi plan` proposes a method for every table"))
    };
    of.tables.iter().filter_map(check).collect()
}

/// Looks at every source; exit status 3 when something would fail or hurt.
pub fn doctor(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let mut all = Vec::new();
    for of in &settings.sources {
        let examined = block_on(async {
            let source = source::connect(of).await?;
            let mut checks = source.examine().await?;
            let catalogue = source.catalogue().await?;
            checks.extend(tables(&catalogue, of));
            checks.extend(source::sampled_encodings(source.as_ref(), &catalogue).await);
            Ok::<_, source::SourceError>(checks)
        })?;
        let checks = examined.unwrap_or_else(|e| vec![refused(&e)]);
        all.push(Shown { source: of.id.clone(), checks });
    }
    if context.json {
        out::json(&all);
    } else {
        let words = context.words()?;
        let head: Vec<(String, Align)> = ["source", "what", "grade", "found", "advice"]
            .iter()
            .map(|key| (words.say("doctor", key), Align::Left))
            .collect();
        let row = |source: &str, c: &Examined| {
            let grade = match c.grade {
                Grade::Fine => "fine",
                Grade::Fact => "fact",
                Grade::Warning => "warning",
                Grade::Wrong => "wrong",
            };
            vec![
                source.to_owned(),
                c.what.clone(),
                words.say("doctor", grade),
                c.found.clone(),
                c.advice.clone(),
            ]
        };
        let rows: Vec<Vec<String>> =
            all.iter().flat_map(|s| s.checks.iter().map(|c| row(&s.source, c))).collect();
        out::line(&out::table(&head, &rows));
    }
    let wrong = all.iter().any(|s| s.checks.iter().any(|c| c.grade == Grade::Wrong));
    Ok(if wrong { Ended::Blocked } else { Ended::Done })
}
