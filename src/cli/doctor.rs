//! `qianyi doctor`: what is wrong, or worth knowing, about every source before the first night; asks, and changes nothing.

use miette::Diagnostic;
use qianyi::source::{self, Examined, Grade, SourceError};
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

/// Looks at every source; exit status 3 when something would fail or hurt.
pub fn doctor(context: &Context) -> Result<Ended, Failure> {
    let settings = context.settings()?;
    let mut all = Vec::new();
    for of in &settings.sources {
        let examined = block_on(async { source::connect(of).await?.examine().await })?;
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
