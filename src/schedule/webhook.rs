//! One POST over HTTP/1.1, as much of it as a webhook in a closed network needs.
//!
//! Always: one connection, one request, the status line of the answer, and no more than ten seconds.
//! Must not know: what is posted.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::NotifyError;
use super::settings::WebAddress;

const LIMIT: Duration = Duration::from_secs(10);
/// A status line is shorter than this.
const STATUS_LINE: usize = 1024;

/// Posts a JSON document; an answer of 200 to 299 is success.
pub(super) async fn post(address: &WebAddress, document: &str) -> Result<(), NotifyError> {
    let answer = match timeout(LIMIT, exchange(address, document)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return Err(NotifyError::Unreachable { peer: address.peer.clone(), source }),
        Err(_) => return Err(NotifyError::Slow { what: "the webhook", seconds: LIMIT.as_secs() }),
    };
    match status(&answer) {
        Some(200..=299) => Ok(()),
        Some(other) => {
            Err(NotifyError::Refused { peer: address.peer.clone(), answer: format!("with {other}") })
        }
        None => Err(NotifyError::Refused {
            peer: address.peer.clone(),
            answer: "with something else than HTTP".to_owned(),
        }),
    }
}

/// Sends the request; the first line of the answer.
async fn exchange(address: &WebAddress, document: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(&address.peer).await?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: qianyi/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        address.path,
        address.host,
        env!("CARGO_PKG_VERSION"),
        document.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(document.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < STATUS_LINE {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(answer)
}

/// `HTTP/1.1 204 No Content` → 204.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|b| *b == b'\r' || *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split(' ').next()?;
    (version.starts_with("HTTP/1.") && code.len() == 3).then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_from_the_first_line_alone() {
        for (answer, expected) in [
            ("HTTP/1.1 204 No Content\r\nX: 500\r\n", Some(204)),
            ("HTTP/1.0 503\r\n", Some(503)),
            ("HTTP/1.1 200", Some(200)),
            ("SSH-2.0-x 200 OK\r\n", None),
            ("HTTP/1.1 20\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(answer.as_bytes()), expected, "{answer}");
        }
    }
}
