//! The text of systemd units: one service that runs the schedule, and instead of it a service and a timer a job.
//!
//! Always: text only, nothing is installed; absolute paths, quoted as systemd reads them. A timer stands only for a cron expression
//! that OnCalendar can say exactly.
//! Must not know: where qianyi runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::calendar;
use super::error::ScheduleError;
use super::settings::{JobSettings, Missed};

/// What units are made of; every path is absolute.
#[derive(Debug, Clone)]
pub struct Units {
    /// The binary.
    pub program: PathBuf,
    pub workdir: PathBuf,
    /// The folder that relative paths of the default layer start from.
    pub folder: PathBuf,
    /// `--config` and the other options that every unit gives.
    pub options: Vec<PathBuf>,
    /// Files that are written besides the work directory.
    pub written: Vec<PathBuf>,
    pub user: Option<String>,
    /// The time zone of the cron expressions.
    pub zone: Tz,
    /// Where the units are to lie.
    pub dir: PathBuf,
}

/// The text of all units for these jobs.
///
/// # Errors
/// `SCH-003`, `SCH-004` when a path or the user cannot be named in a unit.
pub fn text(of: &Units, jobs: &[JobSettings]) -> Result<String, ScheduleError> {
    if let Some(user) = of.user.as_ref().filter(|u| !is_user(u)) {
        return Err(ScheduleError::User { given: user.clone() });
    }
    let workdir = plain(&of.workdir)?;
    let service = service(of)?;
    let mut out = format!(
        "# Nothing was installed. Save each part under the name in its first line. These must exist and belong to the\n\
         # user, the first to nobody else (chmod 700): {}. Then either the one service:\n\
         #   systemctl daemon-reload && systemctl enable --now qianyi-schedule.service\n\
         # or, instead of it, the timers below; those know neither [notify] nor metrics.\n\n",
        written(of)?.join(" ")
    );
    let _ = write!(
        out,
        "# {}\n[Unit]\nDescription=qianyi: the schedule of {}\nWants=network-online.target\n\
         After=network-online.target\n\n[Service]\nType=exec\n{}Restart=on-failure\nRestartSec=30\n\
         RestartPreventExitStatus=2\n{service}\n[Install]\nWantedBy=multi-user.target\n",
        file(of, "qianyi-schedule.service")?,
        specifiers(&workdir),
        start(of, "schedule")?,
    );
    for job in jobs {
        one(&mut out, of, job, &service)?;
    }
    Ok(out)
}

/// The service and the timer of one job.
fn one(out: &mut String, of: &Units, job: &JobSettings, service: &str) -> Result<(), ScheduleError> {
    let name = &job.name;
    let (unit, timer) = (format!("qianyi-job-{name}.service"), format!("qianyi-job-{name}.timer"));
    let _ = write!(
        out,
        "\n# {}\n[Unit]\nDescription=qianyi: job {name}\nWants=network-online.target\n\
         After=network-online.target\n\n[Service]\nType=oneshot\n{}{service}",
        file(of, &unit)?,
        start(of, job.job.text())?,
    );
    let path = file(of, &timer)?;
    let Some(calendar) = calendar::of_cron(&job.cron.text) else {
        let _ = write!(
            out,
            "\n# {path}: none. OnCalendar cannot say {:?}; use qianyi-schedule.service.\n",
            job.cron.text
        );
        return Ok(());
    };
    let persistent = job.missed == Missed::Once;
    let _ = write!(
        out,
        "\n# {path}\n[Unit]\nDescription=qianyi: when job {name} is due\n\n[Timer]\n# cron: {}\n\
         OnCalendar={calendar} {}\nPersistent={persistent}\nAccuracySec=1s\n",
        job.cron.text,
        of.zone.name()
    );
    if job.jitter_seconds > 0 {
        let _ = write!(out, "RandomizedDelaySec={}\nFixedRandomDelay=true\n", job.jitter_seconds);
    }
    out.push_str("\n[Install]\nWantedBy=timers.target\n");
    Ok(())
}

/// What every service says.
fn service(of: &Units) -> Result<String, ScheduleError> {
    let user = of.user.as_ref().map(|u| format!("User={u}\n")).unwrap_or_default();
    Ok(format!(
        "{user}WorkingDirectory={}\n# Where the configuration takes something from the environment:\n\
         # EnvironmentFile=/etc/qianyi/environment\n# Where it says password_credential = \"NAME\":\n\
         # LoadCredential=NAME:/etc/qianyi/NAME.password\nKillSignal=SIGTERM\nKillMode=mixed\n\
         # A chunk ends well within this; after it the process is killed, which loses the piece at hand alone.\n\
         TimeoutStopSec=15min\nNoNewPrivileges=true\nProtectSystem=strict\nProtectHome=read-only\n\
         ReadWritePaths={}\n",
        specifiers(&plain(&of.folder)?),
        written(of)?.join(" "),
    ))
}

/// The folders that are written to, the work directory first.
fn written(of: &Units) -> Result<Vec<String>, ScheduleError> {
    let mut paths = vec![word(&plain(&of.workdir)?)];
    for path in &of.written {
        let folder = path.parent().unwrap_or(path);
        if !folder.starts_with(&of.workdir) {
            paths.push(word(&plain(folder)?));
        }
    }
    paths.dedup();
    Ok(paths)
}

fn start(of: &Units, command: &str) -> Result<String, ScheduleError> {
    let argument = |text: &str| word(text).replace('$', "$$");
    let mut words = vec![word(&plain(&of.program)?), "--workdir".to_owned(), argument(&plain(&of.workdir)?)];
    for option in &of.options {
        words.push(argument(&plain(option)?));
    }
    words.push("--quiet".to_owned());
    words.push(command.to_owned());
    Ok(format!("ExecStart={}\n", words.join(" ")))
}

fn file(of: &Units, name: &str) -> Result<String, ScheduleError> {
    plain(&of.dir.join(name))
}

/// A path as text that fits into a line.
fn plain(path: &Path) -> Result<String, ScheduleError> {
    let text = path.to_str().filter(|t| !t.chars().any(char::is_control));
    text.map(ToOwned::to_owned).ok_or_else(|| ScheduleError::Path { path: path.display().to_string() })
}

/// A text in which systemd looks for specifiers.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word of a list or command.
fn word(text: &str) -> String {
    let simple = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    let text = specifiers(text);
    if !text.is_empty() && text.chars().all(simple) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn is_user(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 31
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::{is_user, word};

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        for (given, expected) in [
            ("/srv/qianyi", "/srv/qianyi"),
            ("/srv/a b", "\"/srv/a b\""),
            ("/srv/100%", "/srv/100%%"),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("", "\"\""),
        ] {
            assert_eq!(word(given), expected);
        }
    }

    #[test]
    fn only_a_name_of_a_user_is_one() {
        for (name, is) in [("qianyi", true), ("_q-1", true), ("", false), ("Root", false), ("a\nb", false)] {
            assert_eq!(is_user(name), is, "{name}");
        }
    }
}
