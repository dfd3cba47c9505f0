//! `qianyi verify`: raw, runs, packages and the audit log against what was recorded of them.

use qianyi::audit::BadLine;
use qianyi::mask;
use qianyi::pipeline::{Verification, verify as verified};
use qianyi::report::Words;

use super::context::Context;
use super::exit::Ended;
use super::failure::Failure;
use super::out;

/// Files that the terminal names; `--json` has all.
const SHOWN: usize = 100;

/// Checks everything; exit status 3 when something is not as it was recorded.
pub fn verify(context: &Context) -> Result<Ended, Failure> {
    let found = verified(&context.workdir, context.progress().as_ref())?;
    if context.json {
        out::json(&found);
    } else {
        out::text(&text(&context.words()?, "verify", &found));
    }
    Ok(if found.is_sound() { Ended::Done } else { Ended::Blocked })
}

/// What a verification came to, as text; `section` has the words for the whole.
pub fn text(words: &Words, section: &str, found: &Verification) -> String {
    let say = |key: &str| words.say("verify", key);
    let whole = if found.is_sound() { "sound" } else { "unsound" };
    let mut text = format!(
        "{} · {} {} · {} MiB · {} {}\n",
        words.say(section, whole),
        out::grouped(found.files),
        say("files"),
        out::grouped(found.bytes >> 20),
        out::grouped(found.events),
        say("events"),
    );
    for line in &found.interrupted {
        text.push_str(&format!("  audit.log:{line}: {}\n", say("interrupted")));
    }
    if let Some(bad) = found.line {
        text.push_str(&format!("{}\n", bad_line(words, bad)));
    }
    for bad in found.problems.iter().take(SHOWN) {
        let more = bad.more.as_ref().map(|m| format!(" ({})", mask::visible(m))).unwrap_or_default();
        let fault = words.say("verify", bad.fault.text());
        text.push_str(&format!("  {}: {fault} · {}{more}\n", mask::visible(&bad.file), bad.of));
    }
    if found.problems.len() > SHOWN {
        text.push_str(&format!("  … {} / {}\n", SHOWN, out::grouped(found.problems.len() as u64)));
    }
    if !found.is_sound() {
        text.push_str(&format!("{}\n", say("what_to_do")));
    }
    text
}

/// The first line of the audit log that does not fit.
pub fn bad_line(words: &Words, bad: BadLine) -> String {
    format!("  audit.log:{}: {}", bad.line, words.say("audit_fault", bad.fault.text()))
}
