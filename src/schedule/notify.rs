//! Tells others how a job ended: a program, a webhook, or both.
//!
//! Always: each is given the same JSON document and a limited time; one that fails does not keep the other from being told.
//! Must not know: when somebody is told.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::NotifyError;
use super::settings::NotifySettings;
use super::summary::JobSummary;
use super::webhook;

/// How long a program may take.
const COMMAND: Duration = Duration::from_secs(60);

/// Tells everybody; who could not be told.
pub(super) async fn all(settings: &NotifySettings, summary: &JobSummary) -> Vec<NotifyError> {
    // A struct of texts and counts always has a JSON form.
    let document = serde_json::to_string(summary).unwrap_or_default();
    let mut failed = Vec::new();
    if let [program, arguments @ ..] = settings.command.as_slice()
        && let Err(e) = command(program, arguments, &document).await
    {
        failed.push(e);
    }
    if let Some(address) = &settings.webhook
        && let Err(e) = webhook::post(address, &document).await
    {
        failed.push(e);
    }
    failed
}

async fn command(program: &str, arguments: &[String], document: &str) -> Result<(), NotifyError> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| NotifyError::Start { source })?;
    let told = async {
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read its input is judged by how it ends.
            let _ = input.write_all(document.as_bytes()).await;
        }
        child.wait().await
    };
    match timeout(COMMAND, told).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Command { status: status.to_string() }),
        Ok(Err(source)) => Err(NotifyError::Start { source }),
        Err(_) => Err(NotifyError::Slow { what: "the command", seconds: COMMAND.as_secs() }),
    }
}
