//! What the configuration says of the schedule: jobs, who is told of failures, where the metrics go.
//!
//! Always: a cron text is parsed here alone, five fields of the configured time zone; a job that was read can come due.
//! Must not know: how a file is read, or what a job does.

use crate::phrase;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Deserializer, de};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    Extract,
    Run,
}

impl JobKind {
    /// As written in a configuration, and the command that does the same.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Run => "run",
        }
    }
}

/// What becomes of runs that came due while the process was down, or while another job ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// The next one is waited for.
    #[default]
    Skip,
    /// However many there were: one, as soon as possible.
    Once,
}

/// One of `[[schedule]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSettings {
    pub name: String,
    pub cron: Times,
    pub job: JobKind,
    #[serde(default)]
    pub missed: Missed,
    /// A run begins up to so many seconds after it is due.
    #[serde(default)]
    pub jitter_seconds: u32,
}

/// How a job ended that somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// It did its work.
    Done,
    Failed,
    Blocked,
}

/// What a webhook is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The summary of the job.
    #[default]
    Json,
    /// A message that a robot of 企业微信 takes.
    Wecom,
    /// A message that a robot of 钉钉 takes.
    Dingtalk,
}

/// `[notify]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifySettings {
    /// A program and its arguments; empty: none.
    #[serde(default)]
    pub command: Vec<String>,
    pub webhook: Option<WebAddress>,
    /// What is posted there.
    #[serde(default)]
    pub form: Form,
    /// Addresses that a mail goes to; none: nobody.
    #[serde(default)]
    pub mail: Vec<String>,
    /// The program that takes a mail.
    #[serde(default = "sendmail")]
    pub sendmail: String,
    #[serde(default = "both")]
    pub on: Vec<Told>,
}

fn sendmail() -> String {
    "/usr/sbin/sendmail".to_owned()
}

fn both() -> Vec<Told> {
    vec![Told::Failed, Told::Blocked]
}

/// A cron expression.
#[derive(Debug, Clone)]
pub struct Times {
    /// As it was written.
    pub text: String,
    pub(super) cron: Cron,
}

impl Times {
    /// Parses five fields, or a nickname such as `@daily`.
    ///
    /// # Errors
    /// Why it is no cron expression, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(reason)?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let times = Self { text, cron };
        let some_day = chrono::DateTime::UNIX_EPOCH;
        match times.cron.find_next_occurrence(&some_day, false) {
            Ok(_) => Ok(times),
            Err(_) => Err(phrase!("config.no_day")),
        }
    }
}

fn reason(error: CronError) -> String {
    let text = match error {
        CronError::InvalidPattern(why)
        | CronError::IllegalCharacters(why)
        | CronError::ComponentError(why) => why,
        CronError::EmptyPattern => "it is empty".to_owned(),
        other => other.to_string(),
    };
    text.trim_end_matches('.').to_owned()
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Where a webhook is: `http://host[:port]/path` or `https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// As the header `Host` names it: with the port, when one was given.
    pub host: String,
    /// What to connect to: host and port.
    pub peer: String,
    /// Path and query.
    pub path: String,
    /// `https://`.
    pub tls: bool,
}

impl WebAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// Why it cannot be called, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, tls) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(phrase!("config.address")),
        };
        if rest.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(
                "an address has no blanks and no characters beyond ASCII: write those as %xx".to_owned()
            );
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (host, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if host.contains('@') {
            return Err(phrase!("config.address_user"));
        }
        let name =
            if host.starts_with('[') { host.rfind(']').map_or("", |at| &host[at + 1..]) } else { host };
        let peer = match name.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok_and(|p| p > 0) => host.to_owned(),
            Some(_) => return Err(phrase!("config.address_port")),
            None => format!("{host}:{}", if tls { 443 } else { 80 }),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(phrase!("config.address_host"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), peer, path, tls })
    }
}

impl<'de> Deserialize<'de> for WebAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Times, WebAddress};

    #[test]
    fn an_address_is_taken_apart_or_refused_with_a_reason() {
        for (text, host, peer, path) in [
            ("http://a.b/c?d=e#f", "a.b", "a.b:80", "/c?d=e"),
            ("http://10.0.0.1:8080", "10.0.0.1:8080", "10.0.0.1:8080", "/"),
            ("http://[::1]:90?x", "[::1]:90", "[::1]:90", "/?x"),
            ("http://[::1]/x", "[::1]", "[::1]:80", "/x"),
            ("https://qyapi.example/send?key=1", "qyapi.example", "qyapi.example:443", "/send?key=1"),
        ] {
            let found = WebAddress::parse(text).unwrap();
            assert_eq!((found.host.as_str(), found.peer.as_str(), found.path.as_str()), (host, peer, path));
        }
        for (text, why) in [
            ("HTTPS://a/b", "begins with http://"),
            ("ftp://a", "begins with http://"),
            ("http://", "no host"),
            ("http://:80/", "no host"),
            ("http://a:99999/", "port"),
            ("http://u:p@a/", "password"),
            ("http://a/b c", "blanks"),
            ("http://a/b\r\nX: y", "blanks"),
        ] {
            let refused = WebAddress::parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn a_cron_text_has_five_fields_and_a_day_that_comes() {
        for text in ["0 1 * * *", "*/15 8-18 * * MON-FRI", "@daily", "0 0 29 2 *"] {
            assert!(Times::parse(text).is_ok(), "{text}");
        }
        for text in ["", "0 1 * *", "0 0 1 * * *", "61 1 * * *", "0 0 30 2 *", "now"] {
            let refused = Times::parse(text).unwrap_err();
            assert!(!refused.is_empty() && !refused.contains('\n'), "{text}: {refused}");
        }
    }
}
