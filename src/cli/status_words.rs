//! `qianyi status` in words: how each job and the newest run ended, why, what to do, when it goes on, how old the data is, and what of the
//! work directory is not as it was left.

use chrono::{DateTime, Utc};
use qianyi::artifacts::Summary;
use qianyi::audit;
use qianyi::clock;
use qianyi::mask;
use qianyi::report::Words;
use qianyi::schedule::blocked;
use qianyi::state::{RunStatus, State};

use super::context::Context;
use super::failure::Failure;
use super::status::{JobShown, RunShown, Shown};
use super::verify::bad_line;

/// Reasons of a blocked run that are told; its page has all.
const REASONS: usize = 8;

/// What there is to say below the tables; empty where all is well and nothing was scheduled.
pub fn text(context: &Context, state: &State, words: &Words, shown: &Shown) -> Result<String, Failure> {
    let mut text = String::new();
    for job in &shown.jobs {
        text.push_str(&told_of_job(words, job));
    }
    if let Some(run) = shown.runs.last() {
        text.push_str(&told_of_run(context, words, run));
    }
    for source in state.sources()? {
        if let Some(newest) = state.latest_extract(&source)?
            && let Some(at) = clock::moment(&newest.started)
        {
            let zoned = clock::wall(&clock::zoned(at, context.zone()?));
            let age = age(words, clock::instant(), at);
            text.push_str(&format!(
                "{} {source}: {} {} {zoned} · {age}\n",
                words.say("status", "source"),
                newest.id,
                words.say("status", "data_of"),
            ));
        }
    }
    for gone in &shown.removed_by_hand {
        text.push_str(&format!("{gone}: {}\n", words.say("status", "removed_by_hand")));
    }
    if let Some(bad) = audit::read(&context.workdir)?.bad {
        text.push_str(&format!(
            "{}\n  {}: qianyi audit verify\n",
            bad_line(words, bad),
            words.say("status", "what_to_do")
        ));
    }
    Ok(text)
}

/// `3 hours ago`, `2 days ago`.
fn age(words: &Words, now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let hours = (now - at).num_hours().max(0);
    let (n, unit) = if hours < 48 { (hours, "hours_ago") } else { (hours / 24, "days_ago") };
    format!("{n} {}", words.say("status", unit))
}

fn told_of_job(words: &Words, job: &JobShown) -> String {
    let say = |key: &str| words.say("status", key);
    let next = match &job.next {
        Some(next) => format!("{} {}", say("next"), clock::wall(next)),
        None => String::new(),
    };
    let Some(last) = &job.last else {
        return format!("{} {}: {} · {next}\n", say("job"), job.job, say("never"));
    };
    let ended = last.finished.as_ref().unwrap_or(&last.started);
    let mut text = format!(
        "{} {}: {} {} · {next}\n",
        say("job"),
        job.job,
        words.say("state", &last.outcome),
        clock::wall(ended)
    );
    if let Some(message) = &last.message {
        text.push_str(&format!("  {}: {}\n", say("why"), mask::visible(message)));
    }
    if let Some(hint) = &last.hint {
        text.push_str(&format!("  {}: {}\n", say("what_to_do"), mask::visible(hint)));
    }
    text
}

fn told_of_run(context: &Context, words: &Words, run: &RunShown) -> String {
    let say = |key: &str| words.say("status", key);
    let state = words.say("state", &run.status);
    let mut text = format!("{} {}: {state}\n", say("run"), run.run);
    let page = context.workdir.join("runs").join(&run.run).join("report").join("index.html");
    if run.status == RunStatus::Running.text() {
        text.push_str(&format!("  {}: {}\n", say("what_to_do"), say("run_again")));
    } else if run.status == RunStatus::Blocked.text() {
        let summary = context.workdir.join("runs").join(&run.run).join("summary.json");
        let summary: Option<Summary> =
            std::fs::read(summary).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let reasons = summary.map(|s| s.blocked_by).unwrap_or_default();
        for by in reasons.iter().take(REASONS) {
            text.push_str(&format!("  {}: {}\n", say("why"), mask::visible(&blocked(words, by))));
        }
        if reasons.len() > REASONS {
            text.push_str(&format!("  … +{}\n", reasons.len() - REASONS));
        }
        text.push_str(&format!("  {}: {}\n", say("what_to_do"), say("look_at_report")));
    }
    if page.is_file() {
        text.push_str(&format!("  {}: {}\n", say("report"), page.display()));
    }
    text
}
