//! The listener, its thread, and the commands to it.
//!
//! Always: the runtime lives and dies on its own thread, so that a server may be dropped within a test's runtime; while the server
//! is down its port stays bound, so that nobody else gets it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::super::value::Backend;
use super::{Faults, Login, Options, Shared, connection, tls};

const BACKLOG: u32 = 1024;

/// How long a dropped server waits for batches that still run.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    KillConnections,
    Down,
    Up,
    Stop,
}

/// A running server.
pub struct Server {
    port: u16,
    certificate: String,
    shared: Arc<Shared>,
    commands: UnboundedSender<(Command, Sender<()>)>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// # Panics
    /// When there is no port, no thread or no certificate to be had: then no test can go on.
    pub fn start(backend: Arc<dyn Backend>, options: Options) -> Self {
        Self::try_start(backend, options).unwrap_or_else(|e| panic!("cannot start the test server: {e}"))
    }

    fn try_start(backend: Arc<dyn Backend>, options: Options) -> Result<Self, Box<dyn std::error::Error>> {
        let (certificate, acceptor) = tls::self_signed(options.authority)?;
        let faults = Arc::new(Faults::default());
        let shared = Arc::new(Shared { backend, options, faults, acceptor, logins: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tds")
            .enable_io()
            .build()?;
        let bound = {
            let _context = runtime.enter();
            bind(0)?
        };
        let address = bound.local_addr()?;
        let (commands, inbox) = unbounded_channel();
        let keeper = Keeper { address, shared: shared.clone(), connections: JoinSet::new(), accepted: 0 };
        let thread = std::thread::Builder::new().name("tds-server".to_owned()).spawn(move || {
            runtime.block_on(keeper.keep(bound, inbox));
            runtime.shutdown_timeout(PATIENCE);
        })?;
        let server = Self { port: address.port(), certificate, shared, commands, thread: Some(thread) };
        server.tell(Command::Up);
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that the server shows, which is its own authority: for `localhost` and `127.0.0.1`.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Every LOGIN7 so far, refused ones too.
    pub fn logins(&self) -> Vec<Login> {
        self.shared.logins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes all connections; new ones are welcome. A batch that runs runs to its end, unheard.
    pub fn kill_connections(&self) {
        self.tell(Command::KillConnections);
    }

    /// Closes all connections and refuses new ones.
    pub fn down(&self) {
        self.tell(Command::Down);
    }

    /// Listens again, on the same port.
    pub fn up(&self) {
        self.tell(Command::Up);
    }

    /// Gives a command and waits until it is carried out.
    fn tell(&self, command: Command) {
        let (done, wait) = channel();
        if self.commands.send((command, done)).is_ok() {
            // An error means that the thread has ended, and everything with it.
            let _ = wait.recv();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic on the thread has been reported there.
            let _ = thread.join();
        }
    }
}

/// A socket with the port, not yet listening.
fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // On Unix this lets a port be bound whose old connections still fade; elsewhere it would let it be stolen.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// The port's state.
enum Port {
    Bound(TcpSocket),
    Listening(TcpListener),
    /// Someone else has got it.
    Lost,
}

struct Keeper {
    address: SocketAddr,
    shared: Arc<Shared>,
    connections: JoinSet<()>,
    accepted: u64,
}

impl Keeper {
    async fn keep(mut self, bound: TcpSocket, mut inbox: UnboundedReceiver<(Command, Sender<()>)>) {
        let mut port = Port::Bound(bound);
        loop {
            tokio::select! {
                command = inbox.recv() => {
                    let Some((command, done)) = command else { return };
                    port = self.obey(command, port).await;
                    // The one who asked may have gone.
                    let _ = done.send(());
                    if command == Command::Stop {
                        return;
                    }
                }
                tcp = accept(&port) => {
                    if let Ok((tcp, _)) = tcp {
                        self.accepted += 1;
                        self.connections.spawn(connection::serve(tcp, self.accepted, self.shared.clone()));
                    }
                }
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    async fn obey(&mut self, command: Command, port: Port) -> Port {
        let port = match (command, port) {
            (Command::Up, Port::Bound(socket)) => socket.listen(BACKLOG).map_or(Port::Lost, Port::Listening),
            (Command::Up, Port::Lost) => bind(self.address.port())
                .and_then(|socket| socket.listen(BACKLOG))
                .map_or(Port::Lost, Port::Listening),
            (Command::Down, Port::Listening(listener)) => {
                drop(listener);
                bind(self.address.port()).map_or(Port::Lost, Port::Bound)
            }
            (Command::Stop, _) => Port::Lost,
            (_, port) => port,
        };
        if command != Command::Up {
            self.connections.shutdown().await;
        }
        port
    }
}

async fn accept(port: &Port) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match port {
        Port::Listening(listener) => listener.accept().await,
        _ => std::future::pending().await,
    }
}
