//! `qianyi man`: manual pages from the parser's own table, for a package of the distribution.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;
use qianyi::durable::{self, DurableError};

use super::args::Cli;
use super::exit::Ended;
use super::failure::Failure;

/// Writes the pages.
pub fn man(dir: &Path) -> Result<Ended, Failure> {
    durable::create_dir_all(dir)?;
    let mut all = Cli::command();
    all.build();
    page(&all, dir)?;
    Ok(Ended::Done)
}

/// The page of a command, and those of the commands under it.
fn page(of: &clap::Command, dir: &Path) -> Result<(), DurableError> {
    let man = Man::new(of.clone());
    let path = dir.join(man.get_filename());
    let mut text = Vec::new();
    let failed = |source| DurableError { path: path.display().to_string(), what: "written", source };
    man.render(&mut text).map_err(failed)?;
    durable::write(&path, &text)?;
    of.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").try_for_each(|c| page(c, dir))
}
