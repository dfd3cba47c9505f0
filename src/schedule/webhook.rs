//! One POST over HTTP/1.1, with TLS or without, as much of it as a webhook needs.
//!
//! Always: one connection, one request, one answer of limited size, and no more than ten seconds. A certificate must be one that the
//! system trusts, or the file in `SSL_CERT_FILE`.
//! Must not know: what is posted.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::NotifyError;
use super::settings::{Form, WebAddress};

const LIMIT: Duration = Duration::from_secs(10);
/// The answer of a webhook is shorter than this.
const ANSWER: u64 = 64 * 1024;

/// Posts a JSON document; an answer of 200 to 299 is success, and where a robot answers with a code of its own, 0.
pub(super) async fn post(address: &WebAddress, document: String, form: Form) -> Result<(), NotifyError> {
    let of = address.clone();
    let asked = spawn_blocking(move || exchange(&of, &document));
    let peer = || address.peer.clone();
    let answer = match timeout(LIMIT, asked).await {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(source))) => return Err(NotifyError::Unreachable { peer: peer(), source }),
        Ok(Err(lost)) => {
            return Err(NotifyError::Unreachable { peer: peer(), source: io::Error::other(lost) });
        }
        Err(_) => return Err(NotifyError::Slow { what: "the webhook", seconds: LIMIT.as_secs() }),
    };
    let refused = |answer: String| Err(NotifyError::Refused { peer: peer(), answer });
    match (status(&answer), form) {
        (Some(200..=299), Form::Json) => Ok(()),
        (Some(200..=299), Form::Wecom | Form::Dingtalk) => match code(&answer) {
            Some(0) => Ok(()),
            Some(code) => refused(format!("with errcode {code}")),
            None => refused("without an errcode".to_owned()),
        },
        (Some(other), _) => refused(format!("with {other}")),
        (None, _) => refused("with something else than HTTP".to_owned()),
    }
}

/// What is written to and read from.
trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// Sends the request; the answer.
fn exchange(address: &WebAddress, document: &str) -> io::Result<Vec<u8>> {
    let mut stream = connect(address)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: qianyi/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        address.path,
        address.host,
        env!("CARGO_PKG_VERSION"),
        document.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(document.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    // A peer that closes without saying so has answered all the same.
    match stream.take(ANSWER).read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        Err(_) if status(&answer).is_some() => Ok(answer),
        Err(e) => Err(e),
    }
}

fn connect(address: &WebAddress) -> io::Result<Box<dyn Line>> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for at in address.peer.to_socket_addrs()? {
        match TcpStream::connect_timeout(&at, LIMIT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
                return if address.tls { tls(address, stream) } else { Ok(Box::new(stream)) };
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn tls(address: &WebAddress, stream: TcpStream) -> io::Result<Box<dyn Line>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = address.peer.rsplit_once(':').map_or(address.peer.as_str(), |(name, _)| name);
    let name = name.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

/// `HTTP/1.1 204 No Content` → 204.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|b| *b == b'\r' || *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split(' ').next()?;
    (version.starts_with("HTTP/1.") && code.len() == 3).then(|| code.parse().ok()).flatten()
}

/// The `errcode` of a robot's answer, in whatever pieces its body comes.
fn code(answer: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(answer);
    let (_, rest) = text.split_once("\"errcode\"")?;
    let digits = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{code, status};

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

    #[test]
    fn the_code_of_a_robot_is_read_from_its_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n{\"errcode\":0,\"errmsg\":\"ok\"}", Some(0)),
            ("\r\n\r\n1f\r\n{\"errmsg\": \"x\", \"errcode\" : 93000}\r\n0\r\n", Some(93_000)),
            ("\r\n\r\n{\"errcode\":-1}", Some(-1)),
            ("\r\n\r\n<html>", None),
        ] {
            assert_eq!(code(answer.as_bytes()), expected, "{answer}");
        }
    }
}
