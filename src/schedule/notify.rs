//! Tells others how a job ended: a program, a webhook, mail, or several of them.
//!
//! Always: each is told the same and given a limited time; one that fails does not keep the others from being told.
//! Must not know: when somebody is told.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::NotifyError;
use super::message::Message;
use super::settings::{Form, NotifySettings};
use super::summary::JobSummary;
use super::webhook;
use crate::report::Words;

/// How long a program may take.
const COMMAND: Duration = Duration::from_secs(60);

/// Tells everybody; who could not be told.
pub(super) async fn all(settings: &NotifySettings, words: &Words, summary: &JobSummary) -> Vec<NotifyError> {
    // A struct of texts and counts always has a JSON form.
    let document = serde_json::to_string(summary).unwrap_or_default();
    let message = Message::of(words, summary);
    let mut failed = Vec::new();
    if let [program, arguments @ ..] = settings.command.as_slice() {
        failed.extend(command("the command", program, arguments, &document).await.err());
    }
    if let Some(address) = &settings.webhook {
        let body = match settings.form {
            Form::Json => document,
            Form::Wecom => message.wecom(),
            Form::Dingtalk => message.dingtalk(),
        };
        failed.extend(webhook::post(address, body, settings.form).await.err());
    }
    if !settings.mail.is_empty() {
        // The addresses stand in the mail; a dot alone does not end it.
        let arguments = ["-i".to_owned(), "-t".to_owned()];
        let mail = message.mail(&settings.mail);
        failed.extend(command("sendmail", &settings.sendmail, &arguments, &mail).await.err());
    }
    failed
}

/// Starts a program, gives it a text, and waits for its end.
async fn command(
    what: &'static str,
    program: &str,
    arguments: &[String],
    text: &str,
) -> Result<(), NotifyError> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| NotifyError::Start { what, source })?;
    let told = async {
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read its input is judged by how it ends.
            let _ = input.write_all(text.as_bytes()).await;
        }
        child.wait().await
    };
    match timeout(COMMAND, told).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Command { what, status: status.to_string() }),
        Ok(Err(source)) => Err(NotifyError::Start { what, source }),
        Err(_) => Err(NotifyError::Slow { what, seconds: COMMAND.as_secs() }),
    }
}
