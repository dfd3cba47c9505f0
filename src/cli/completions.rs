//! `qianyi completions`: a script for a shell, from the parser's own table.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::exit::Ended;
use super::failure::Failure;
use super::out;

pub fn completions(args: &CompletionsArgs) -> Result<Ended, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "qianyi", &mut text);
    out::text(&String::from_utf8_lossy(&text));
    Ok(Ended::Done)
}
