//! A command's error and how it is printed: our words, the causes, the places in the user's files, a blank line, the hint.
//!
//! Always: a cause is somebody else's text and may quote values, so it passes the masker first.

use std::fmt::Write as _;
use std::io::IsTerminal;

use clap::error::{ContextKind, ErrorKind};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use qianyi::error::{Consequence, RetryClass};
use qianyi::mask;
use qianyi::messages::{self, Lang};
use qianyi::{hint, phrase, said};
use serde::Serialize;
use thiserror::Error;

use super::place::Place;
use super::{exit, out};

/// Width of what is printed where no terminal says another.
const WIDTH: usize = 100;

/// An error of any module, and what follows from it.
#[derive(Debug)]
pub struct Failure {
    pub retry_class: RetryClass,
    pub error: Box<dyn Diagnostic + Send + Sync>,
}

/// What an argument says that no parser can refuse.
#[derive(Debug, Error, Diagnostic)]
pub enum Usage {
    #[error("{}", said!("CLI-001", given))]
    #[diagnostic(code("CLI-001"), help("{}", hint!("CLI-001")))]
    Into { given: String },
    #[error("{}", said!("CLI-004", said))]
    #[diagnostic(code("CLI-004"), help("{}", hint!("CLI-004")))]
    Arguments { said: String },
    #[error("{}", said!("CLI-005", account))]
    #[diagnostic(code("CLI-005"), help("{}", hint!("CLI-005")))]
    NoApprover { account: String },
    #[error("{}", said!("CLI-006", given))]
    #[diagnostic(code("CLI-006"), help("{}", hint!("CLI-006", nearest)))]
    NoProposals { given: String, nearest: String },
    #[error("{}", said!("CLI-007", given))]
    #[diagnostic(code("CLI-007"), help("{}", hint!("CLI-007")))]
    NoBatch { given: String },
    #[error("{}", said!("CLI-008"))]
    #[diagnostic(code("CLI-008"), help("{}", hint!("CLI-008")))]
    Signals { source: std::io::Error },
    #[error("{}", said!("CLI-009"))]
    #[diagnostic(code("CLI-009"), help("{}", hint!("CLI-009")))]
    NoPolicy,
    #[error("{}", said!("CLI-010", given, workdir))]
    #[diagnostic(code("CLI-010"), help("{}", hint!("CLI-010")))]
    NoLog { given: String, workdir: String },
    #[error("{}", said!("CLI-011", account))]
    #[diagnostic(code("CLI-011"), help("{}", hint!("CLI-011")))]
    NoPerson { account: String },
    #[error("{}", said!("CLI-012", mistakes))]
    #[diagnostic(code("CLI-012"), help("{}", hint!("CLI-012")))]
    WorklistMistakes { mistakes: usize },
    #[error("{}", said!("CLI-013", given))]
    #[diagnostic(code("CLI-013"), help("{}", hint!("CLI-013", nearest)))]
    NoList { given: String, nearest: String },
    #[error("{}", said!("CLI-014"))]
    #[diagnostic(code("CLI-014"), help("{}", hint!("CLI-014")))]
    NoOffice,
    #[error("{}", said!("CLI-002"))]
    #[diagnostic(code("CLI-002"), help("{}", hint!("CLI-002")))]
    NoRules,
    #[error("{}", said!("CLI-015", rule, proposals, batches))]
    #[diagnostic(code("CLI-015"), help("{}", hint!("CLI-015", batches)))]
    Contested { rule: String, proposals: u64, batches: String },
    #[error("{}", said!("CLI-018", rule, proposals, batches))]
    #[diagnostic(code("CLI-018"), help("{}", hint!("CLI-018")))]
    Approved { rule: String, proposals: u64, batches: String },
    #[error("{}", said!("CLI-016", given))]
    #[diagnostic(code("CLI-016"), help("{}", hint!("CLI-016", known)))]
    NoDepartment { given: String, known: String },
    #[error("{}", said!("CLI-017", given))]
    #[diagnostic(code("CLI-017"), help("{}", hint!("CLI-017", nearest)))]
    NoTable { given: String, nearest: String },
    #[error("{}", said!("CLI-003", given))]
    #[diagnostic(code("CLI-003"), help("{}", hint!("CLI-003", nearest)))]
    NoRule { given: String, nearest: String },
}

impl Consequence for Usage {
    fn retry_class(&self) -> RetryClass {
        RetryClass::Usage
    }
}

impl<E: Consequence + Diagnostic + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { retry_class: error.retry_class(), error: Box::new(error) }
    }
}

impl Usage {
    /// What the parser refused; its own text without usage and tips.
    pub fn arguments(asked: &clap::Error) -> Self {
        if messages::lang() == Lang::Zh {
            return Self::Arguments { said: in_chinese(asked) };
        }
        let text = asked.to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let said =
            first.strip_prefix("error: ").unwrap_or(first).split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Arguments { said }
    }
}

/// What clap has against the command line, which it says in English only.
fn in_chinese(asked: &clap::Error) -> String {
    let of = |kind| asked.get(kind).map(ToString::to_string).filter(|text| !text.is_empty());
    let named = |kind| of(kind).unwrap_or_default();
    let arg = named(ContextKind::InvalidArg);
    let said = match asked.kind() {
        ErrorKind::UnknownArgument => phrase!("cli.unknown_argument", arg),
        ErrorKind::InvalidSubcommand => {
            phrase!("cli.unknown_command", command = named(ContextKind::InvalidSubcommand))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match of(ContextKind::InvalidValue) {
            Some(value) => phrase!("cli.value", arg, value),
            None => phrase!("cli.no_value", arg),
        },
        ErrorKind::MissingRequiredArgument => phrase!("cli.required", arg),
        ErrorKind::ArgumentConflict => phrase!("cli.conflict", arg, other = named(ContextKind::PriorArg)),
        // What is left has to do with numbers of values, and with arguments that are no text.
        _ => phrase!("cli.form", arg),
    };
    let meant = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let meant = meant.into_iter().find_map(of).map(|meant| phrase!("cli.meant", meant));
    let known = of(ContextKind::ValidValue).map(|known| phrase!("cli.known", known));
    [Some(said), meant, known].into_iter().flatten().collect()
}

/// An error as JSON (docs/json.md).
#[derive(Serialize)]
pub struct Told {
    pub version: u32,
    /// The exit status.
    pub status: u8,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    /// Somebody else's words, the nearest first.
    pub causes: Vec<String>,
    /// Each mistake of a file.
    pub mistakes: Vec<MistakeTold>,
}

/// A mistake of a file.
#[derive(Serialize)]
pub struct MistakeTold {
    file: Option<String>,
    /// From 1.
    line: Option<usize>,
    code: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Told {
    fn of(failure: &Failure, code: String) -> Self {
        let error = failure.error.as_ref();
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let mistake = |of: &dyn Diagnostic| {
            let (file, line) = Place::of(of).position().unzip();
            let (code, hint) = (of.code().map(|c| c.to_string()), of.help().map(|h| h.to_string()));
            MistakeTold { file, line, code, message: mask::secrets(&of.to_string()), hint }
        };
        Self {
            version: 1,
            status: exit::of_failure(failure),
            code,
            message: mask::secrets(&first_line(error)),
            hint: error.help().map(|hint| hint.to_string()),
            causes: causes.map(|cause| mask::scrub(&cause.to_string())).collect(),
            mistakes: error.related().into_iter().flatten().map(mistake).collect(),
        }
    }
}

/// Prints it, to standard error or as JSON, and notes it in the log.
pub fn show(failure: &Failure, json: bool) {
    let error = failure.error.as_ref();
    let code = error.code().map(|c| c.to_string()).unwrap_or_default();
    tracing::error!(code, "{}", mask::secrets(&error.to_string()));
    if json {
        return out::json_error(&Told::of(failure, code));
    }
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    out::coloured(&text(error, &code, colours));
}

/// What stands before an error, its cause and its hint.
pub fn heads() -> [&'static str; 3] {
    match messages::lang() {
        Lang::Zh => ["错误", "原因", "建议"],
        Lang::En => ["error", "cause", "hint"],
    }
}

fn text(error: &(dyn Diagnostic + Send + Sync), code: &str, colours: bool) -> String {
    let (red, cyan, plain) =
        if colours { ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m") } else { ("", "", "") };
    let [wrong, cause_of, advice] = heads();
    let first = mask::secrets(&first_line(error));
    let mut text = format!("{red}{wrong}{plain} {code}: {}\n", mask::visible_lines(&first));
    let mut cause = error.source();
    while let Some(one) = cause {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {cause_of}: {}", mask::visible_lines(&mask::scrub(&one.to_string())));
        cause = one.source();
    }
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let places = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    for place in error.related().into_iter().flatten() {
        text.push('\n');
        let mut shown = String::new();
        let _ = places.render_report(&mut shown, &Place::of(place));
        if messages::lang() == Lang::Zh {
            // miette has no setting for this word; the Chinese one is as wide.
            shown = shown.replace("  help: ", &format!("  {advice}: "));
        }
        text.push_str(&shown);
    }
    if let Some(hint) = error.help() {
        let _ = writeln!(text, "\n{cyan}{advice}:{plain} {}", mask::visible_lines(&hint.to_string()));
    }
    text
}

/// The message; where the places follow one by one, only its first line.
fn first_line(error: &(dyn Diagnostic + Send + Sync)) -> String {
    let message = error.to_string();
    match error.related() {
        Some(_) => message.lines().next().unwrap_or_default().to_owned(),
        None => message,
    }
}
