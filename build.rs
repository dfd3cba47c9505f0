//! Gives the binary the words of its version: the commit and the profile it was built with. Without git, or outside of a checkout, there is no
//! commit, and the build goes on.

#![allow(clippy::print_stdout)] // how a build script speaks

use std::path::Path;
use std::process::Command;

/// What the binary is made of: a change in one of them is a change of what it should say.
const MADE_OF: &[&str] =
    &["src", "mappings", "sql", "config", "messages", "fixtures", "Cargo.lock", "build.rs"];

fn main() {
    let profile = std::env::var("PROFILE").unwrap_or_default();
    // While it is developed the commit changes with every step; asking for it would build everything once more each time.
    let commit = if profile == "release" { commit() } else { None };
    if commit.is_none() {
        println!("cargo:rerun-if-changed=build.rs");
    }
    let words = commit.into_iter().chain([profile]).collect::<Vec<_>>().join(", ");
    println!("cargo:rustc-env=QIANYI_BUILD={words}");
}

/// The commit, with a `+` where files that git knows were changed since.
fn commit() -> Option<String> {
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"]).unwrap_or_default();
    let heads = ["HEAD", branch.as_str(), "packed-refs"];
    let heads = heads.iter().filter_map(|name| git(&["rev-parse", "--git-path", name]));
    for path in MADE_OF.iter().map(|path| (*path).to_owned()).chain(heads) {
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    Some(format!("{head}{}", if changed.is_empty() { "" } else { "+" }))
}

fn git(arguments: &[&str]) -> Option<String> {
    let answer =
        Command::new("git").args(arguments).output().ok().filter(|answer| answer.status.success())?;
    Some(String::from_utf8(answer.stdout).ok()?.trim().to_owned())
}
