//! What people read of a job that ended: which city and job, how it went, what blocks, what to do; as the forms that chat robots and mail
//! take.
//!
//! Always: no value of a row; short enough for whoever carries it. Words of both languages come from labels.toml.
//! Must not know: who reads it.

use serde_json::json;

use super::summary::JobSummary;
use crate::artifacts::{Blocker, Suspicion};
use crate::clock;
use crate::report::Words;
use crate::report::number::{count, yuan};

/// Reasons that a message names; the report has all.
const REASONS: usize = 5;
/// The bytes of a text that 企业微信 takes; 钉钉 takes more.
const LIMIT: usize = 4096;
/// Bytes of one encoded word of a mail header before it is encoded (RFC 2047: 75 characters each).
const WORD: usize = 18;

/// A subject, and one line each of what there is to say: its name and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) title: String,
    lines: Vec<(String, String)>,
}

/// What blocks a run, in words.
#[must_use]
pub fn blocked(words: &Words, by: &Blocker) -> String {
    match by {
        Blocker::Unexplained { rows, fen } => format!(
            "{}: {} {}, {} {}",
            words.say("page", "unexplained"),
            count(*rows),
            words.say("page", "rows"),
            yuan(*fen),
            words.say("page", "yuan")
        ),
        Blocker::NotChecked { table, column, rule, why } => {
            format!("{} {rule} {table}.{column}: {why}", words.say("summary", "not_checked"))
        }
        Blocker::Undecided { table } => format!("{table}: {}", words.say("page", "undecided")),
        Blocker::Suspect { what, name, part, whole } => suspect(words, *what, name, *part, *whole),
        Blocker::Invariant { id, rows } => {
            format!(
                "{} {id}: {} {}",
                words.say("blocker", "invariant"),
                count(*rows),
                words.say("page", "rows")
            )
        }
        Blocker::Fuzzy { source } => format!("{source}: {}", words.say("blocker", "fuzzy")),
    }
}

/// `an empty branch (empty_branch) AC43/kx: 0 of 1,234 rows`.
#[must_use]
pub fn suspect(words: &Words, what: Suspicion, name: &str, part: u64, whole: u64) -> String {
    let much = format!("{} / {} {}", count(part), count(whole), words.say("page", "rows"));
    format!("{} ({}) {name}: {much}", words.say("suspect", what.name()), what.name())
}

impl Message {
    pub(super) fn of(words: &Words, of: &JobSummary) -> Self {
        let say = |key: &str| words.say("notify", key);
        let outcome = words.say("state", of.outcome);
        let title = format!("{} · {} · {} {outcome}", say("title"), of.city, of.job);
        let mut lines = vec![
            (say("city"), of.city.clone()),
            (say("job"), of.job.clone()),
            (say("outcome"), outcome),
            (say("due"), clock::wall(&of.due)),
            (say("times"), format!("{} – {}", clock::wall(&of.started), clock::wall(&of.finished))),
        ];
        let mut line = |key: &str, text: Option<String>| lines.extend(text.map(|text| (say(key), text)));
        line("run", of.run.clone());
        line("rows", of.rows.map(count));
        line("accepted", of.accepted.map(count));
        line("not_accepted", of.not_accepted.map(count));
        line("findings", of.findings.map(count));
        let unexplained = of.unexplained_rows.zip(of.unexplained_fen).map(|(rows, fen)| {
            format!(
                "{} {}, {} {}",
                count(rows),
                words.say("page", "rows"),
                yuan(fen),
                words.say("page", "yuan")
            )
        });
        line("unexplained", unexplained);
        let code = of.error_code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
        line("error", of.error.as_ref().map(|error| format!("{code}{error}")));
        for by in of.blocked_by.iter().take(REASONS) {
            line("blocked_by", Some(blocked(words, by)));
        }
        let more = of.blocked_by.len().saturating_sub(REASONS);
        line("blocked_by", (more > 0).then(|| format!("… +{more}")));
        line("report", of.report.clone());
        line("hint", of.hint.clone());
        Self { title, lines }
    }

    /// Markdown: `gap` stands between two lines.
    fn markdown(&self, gap: &str) -> String {
        let mut text = format!("### {}", self.title);
        for (name, line) in &self.lines {
            // A line of a message stays one.
            let line = line.replace(['\n', '\r'], " ");
            let next = format!("{gap}**{name}**: {line}");
            if text.len() + next.len() > LIMIT {
                break;
            }
            text.push_str(&next);
        }
        text
    }

    /// As a robot of 企业微信 takes it.
    pub(super) fn wecom(&self) -> String {
        json!({ "msgtype": "markdown", "markdown": { "content": self.markdown("\n") } }).to_string()
    }

    /// As a robot of 钉钉 takes it.
    pub(super) fn dingtalk(&self) -> String {
        let text = self.markdown("\n\n");
        json!({ "msgtype": "markdown", "markdown": { "title": self.title, "text": text } }).to_string()
    }

    /// As a mail, headers first.
    pub(super) fn mail(&self, to: &[String]) -> String {
        let mut text = format!(
            "To: {}\nSubject: {}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\
             Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n",
            to.join(", "),
            encoded(&self.title)
        );
        for (name, line) in &self.lines {
            text.push_str(&format!("{name}: {}\n", line.replace(['\n', '\r'], " ")));
        }
        text
    }
}

/// A header's text as encoded words (RFC 2047), cut between characters.
fn encoded(text: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        let last = words.last().map_or(0, String::len);
        if last + c.len_utf8() > WORD {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let word = |word: &String| {
        let hex: String = word.bytes().map(|b| format!("={b:02X}")).collect();
        format!("=?UTF-8?Q?{hex}?=")
    };
    words.iter().map(word).collect::<Vec<_>>().join("\n ")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_subject_is_cut_between_characters_into_words_of_75() {
        let subject = encoded("迁移 · 白城市 · night 失败");
        for word in subject.split("\n ") {
            assert!(word.len() <= 75 && word.is_ascii(), "{word}");
        }
        assert!(subject.starts_with("=?UTF-8?Q?=E8=BF=81=E7=A7=BB=20"), "{subject}");
    }
}
