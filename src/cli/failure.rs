//! A command's error and how it is printed: our words, the causes, the places in the user's files, a blank line, the hint.
//!
//! Always: a cause is somebody else's text and may quote values, so it passes the masker first.

use std::fmt::Write as _;
use std::io::IsTerminal;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use qianyi::error::{Consequence, RetryClass};
use qianyi::mask;
use thiserror::Error;

use super::out;
use super::place::Place;

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
    #[error("--into {given} names no database that a city can be made in")]
    #[diagnostic(
        code("CLI-001"),
        help(
            "give sqlite:PATH (sqlite:work/legacy/city.db), postgres://USER@HOST/DATABASE or sqlserver:Server=tcp:HOST,1433;Database=…;User Id=…;Password=…"
        )
    )]
    Into { given: String },
    #[error("the account {account} may not approve")]
    #[diagnostic(
        code("CLI-005"),
        help("[[people]] of the configuration names accounts and roles; approving takes the role approver")
    )]
    NoApprover { account: String },
    #[error("{given} proposes nothing that waits for approval")]
    #[diagnostic(code("CLI-006"), help("did you mean {nearest}? `qianyi approve` lists what waits"))]
    NoProposals { given: String, nearest: String },
    #[error("there is no batch {given} that could be undone")]
    #[diagnostic(code("CLI-007"), help("`qianyi status` lists the batches"))]
    NoBatch { given: String },
    #[error("the signals that ask to stop cannot be heard")]
    #[diagnostic(code("CLI-008"), help("report this with the name and version of the operating system"))]
    Signals { source: std::io::Error },
    #[error("the account {account} is none of the people of the configuration, or only there to look")]
    #[diagnostic(
        code("CLI-009"),
        help(
            "[[people]] names who may reveal values and import decisions: account and roles; an auditor changes nothing"
        )
    )]
    NoPerson { account: String },
    #[error("{mistakes} mistakes in worklists; nothing was taken of a file that has one")]
    #[diagnostic(
        code("CLI-010"),
        help(
            "mend the cells that are named in the file and import it again; protected cells stay as they went out"
        )
    )]
    WorklistMistakes { mistakes: usize },
    #[error("there are no rules")]
    #[diagnostic(
        code("CLI-002"),
        help(
            "`rules` of the configuration names the folder with rules/ and models/; the default is sql/ beside the mappings"
        )
    )]
    NoRules,
    #[error("there is no rule {given}")]
    #[diagnostic(code("CLI-003"), help("did you mean {nearest}? `qianyi rules list` shows all"))]
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

/// Prints it to standard error and notes it in the log.
pub fn show(failure: &Failure) {
    let error = failure.error.as_ref();
    let code = error.code().map(|c| c.to_string()).unwrap_or_default();
    tracing::error!(code, "{}", mask::secrets(&error.to_string()));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    out::coloured(&text(error, &code, colours));
}

fn text(error: &(dyn Diagnostic + Send + Sync), code: &str, colours: bool) -> String {
    let (red, cyan, plain) =
        if colours { ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m") } else { ("", "", "") };
    let mut text =
        format!("{red}error{plain} {code}: {}\n", mask::visible_lines(&mask::secrets(&first_line(error))));
    let mut cause = error.source();
    while let Some(one) = cause {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  cause: {}", mask::visible_lines(&mask::scrub(&one.to_string())));
        cause = one.source();
    }
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let places = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    for place in error.related().into_iter().flatten() {
        text.push('\n');
        let _ = places.render_report(&mut text, &Place::of(place));
    }
    if let Some(hint) = error.help() {
        let _ = writeln!(text, "\n{cyan}hint:{plain} {}", mask::visible_lines(&hint.to_string()));
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
