//! A faulty double of a PostgreSQL server: stands before a real one and refuses, loses the answer, never answers or answers late, at a
//! statement that a test names; or ends a process at a numbered message.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::pg::Cluster;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every connection is closed at once.
    Refuse,
    /// The server does its work; its answer and the connection are lost.
    Cut,
    /// As `Cut`, and then every connection is refused.
    Gone,
    /// The server does its work; no byte comes back on this connection any more, and it stays open.
    Mute,
    /// The answer comes after a while.
    Late,
}

/// How late.
const LATE: Duration = Duration::from_millis(400);
/// A statement that ends a COPY into the server, in place of its text.
pub const COPY_DONE: &str = "\u{0}copy done";

const PASS: u8 = 0;
const CUT: u8 = 1;
const MUTE: u8 = 2;
const SLOW: u8 = 3;

#[derive(Default)]
struct Shared {
    /// A part of a statement, and what happens at the first that has it.
    fault: Mutex<Option<(String, Fault)>>,
    refusing: Mutex<bool>,
    /// Messages that clients sent.
    messages: AtomicU64,
    /// The number of the message at which a process ends, and which.
    kill: Mutex<Option<(u64, u32)>>,
    /// Connections to the server that nobody answers for any more.
    silent: Mutex<Vec<UnixStream>>,
}

pub struct Double {
    dir: TempDir,
    shared: Arc<Shared>,
}

impl Double {
    pub fn start(cluster: &Cluster) -> Self {
        let dir = tempfile::Builder::new().prefix("qydb").tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let shared = Arc::new(Shared::default());
        let (of, server) = (shared.clone(), cluster.socket().join(".s.PGSQL.5432"));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (of, server) = (of.clone(), server.clone());
                std::thread::spawn(move || of.connected(client, &server));
            }
        });
        Self { dir, shared }
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        self.dir.path()
    }

    /// Sets what goes wrong at the first statement that has `part`.
    pub fn fault(&self, part: &str, fault: Fault) {
        *self.shared.fault.lock().unwrap() = Some((part.to_owned(), fault));
        *self.shared.refusing.lock().unwrap() = fault == Fault::Refuse;
    }

    /// Whether the statement came.
    pub fn met(&self) -> bool {
        self.shared.fault.lock().unwrap().is_none()
    }

    /// Lets everything pass from now on.
    pub fn mend(&self) {
        *self.shared.fault.lock().unwrap() = None;
        *self.shared.refusing.lock().unwrap() = false;
    }

    /// Messages of clients since the last call.
    pub fn messages(&self) -> u64 {
        self.shared.messages.swap(0, Ordering::SeqCst)
    }

    /// Ends a process (SIGKILL) when the numbered message of it comes.
    pub fn kill_at(&self, message: u64, process: u32) {
        *self.shared.kill.lock().unwrap() = Some((message, process));
    }
}

/// The next message: its bytes; none at the end of the stream.
fn message(from: &mut UnixStream, has_type: bool) -> Option<Vec<u8>> {
    let head = usize::from(has_type);
    let mut bytes = vec![0; head + 4];
    from.read_exact(&mut bytes).ok()?;
    let length = u32::from_be_bytes(bytes[head..].try_into().unwrap()) as usize;
    bytes.resize(head + length, 0);
    from.read_exact(&mut bytes[head + 4..]).ok()?;
    Some(bytes)
}

impl Shared {
    fn connected(self: Arc<Self>, mut client: UnixStream, server: &PathBuf) {
        if *self.refusing.lock().unwrap() {
            return;
        }
        let Ok(mut to_server) = UnixStream::connect(server) else { return };
        let Some(startup) = message(&mut client, false) else { return };
        if to_server.write_all(&startup).is_err() {
            return;
        }
        let state = Arc::new(AtomicU8::new(PASS));
        let (of, from_server, to_client) =
            (state.clone(), to_server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || answers(&of, from_server, to_client));
        while let Some(bytes) = message(&mut client, true) {
            self.looked_at(&bytes, &state);
            if to_server.write_all(&bytes).is_err() {
                break;
            }
        }
        if state.load(Ordering::SeqCst) == MUTE {
            // The server never hears that its client is gone.
            self.silent.lock().unwrap().push(to_server);
        } else {
            let _ = to_server.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Counts a message, and does what is set for it.
    fn looked_at(&self, bytes: &[u8], state: &AtomicU8) {
        let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((at, process)) = *self.kill.lock().unwrap()
            && at == number
        {
            let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
            assert!(killed.unwrap().success());
        }
        let text = match bytes[0] {
            b'c' => COPY_DONE.to_owned(),
            b'Q' | b'P' => String::from_utf8_lossy(&bytes[5..]).into_owned(),
            _ => return,
        };
        let mut fault = self.fault.lock().unwrap();
        let Some((_, what)) = fault.clone().filter(|(part, f)| *f != Fault::Refuse && text.contains(part))
        else {
            return;
        };
        *fault = None;
        let next = match what {
            Fault::Refuse | Fault::Cut | Fault::Gone => CUT,
            Fault::Mute => MUTE,
            Fault::Late => SLOW,
        };
        *self.refusing.lock().unwrap() = what == Fault::Gone;
        state.store(next, Ordering::SeqCst);
    }
}

/// Passes the server's messages on, as far as the state of the connection lets them through.
fn answers(state: &AtomicU8, mut server: UnixStream, mut client: UnixStream) {
    while let Some(bytes) = message(&mut server, true) {
        match state.load(Ordering::SeqCst) {
            CUT if bytes[0] == b'Z' => break,
            CUT | MUTE => continue,
            SLOW => {
                std::thread::sleep(LATE);
                state.store(PASS, Ordering::SeqCst);
            }
            _ => {}
        }
        if client.write_all(&bytes).is_err() {
            break;
        }
    }
    if state.load(Ordering::SeqCst) != MUTE {
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    }
}
