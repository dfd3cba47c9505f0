//! One connection, from PRELOGIN to its end.
//!
//! Always: all of it is one task, so that dropping the task closes the socket; a session runs on a blocking thread, one batch at
//! a time, and its answers wait in a channel of one until the socket has taken what came before.

use std::io;
use std::sync::Arc;

use tds_protocol::packet::PacketType;
use tds_protocol::prelogin::PreLogin;
use tds_protocol::version::TdsVersion;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::super::value::{Session, SqlError};
use super::faults::{Fault, Occasion};
use super::packet::{Message, PacketWriter, Stop, read_message};
use super::reply::{Line, Progress, Reply, Style};
use super::rpc::{self, Refused};
use super::token::{self, End};
use super::{Encryption, Shared, login, tls};

/// A request that this server does not know.
const BAD_REQUEST: u32 = 4002;

/// Serves a connection until it ends, for whatever reason.
pub async fn serve(mut tcp: TcpStream, number: u64, shared: Arc<Shared>) {
    let mut writer = PacketWriter::new(shared.faults.clone());
    // Whoever closed, and why, is known to the test.
    let _ = match greet(&mut tcp, number, &shared, &mut writer).await {
        Ok((channel, fault)) => Guest { number, shared, writer, fault }.enter(tcp, channel).await,
        Err(Stop::Stall) => {
            drain(&mut tcp).await;
            Ok(())
        }
        Err(Stop::Close) => Ok(()),
    };
}

/// Reads what comes, unheard, until the client closes.
async fn drain<R: AsyncRead + Unpin>(reader: &mut R) {
    let mut buf = [0; 1024];
    while !matches!(reader.read(&mut buf).await, Ok(0) | Err(_)) {}
}

/// Answers PRELOGIN.
async fn greet(
    tcp: &mut TcpStream,
    number: u64,
    shared: &Shared,
    writer: &mut PacketWriter,
) -> Result<(tls::Channel, Option<Fault>), Stop> {
    let _ = tcp.set_nodelay(true);
    let message = read_message(tcp).await?.ok_or(Stop::Close)?;
    let wish = PreLogin::decode(message.body).map_err(|_| Stop::Close)?;
    if message.kind != PacketType::PreLogin {
        return Err(Stop::Close);
    }
    let fault = writer.arm(shared.faults.take(&Occasion { connection: number, batch: None, number: 0 }));
    if fault == Some(Fault::CloseDuringPrelogin) {
        shared.faults.count();
        return Err(Stop::Close);
    }
    let (answer, channel) = tls::negotiate(shared.options.encryption, wish.encryption);
    let prelogin =
        PreLogin::new().with_version(TdsVersion::new(shared.options.version)).with_encryption(answer);
    writer.tokens.extend_from_slice(&prelogin.encode());
    writer.finish(tcp).await?;
    if fault == Some(Fault::ResetDuringLogin) {
        tcp.set_zero_linger()?;
    }
    if shared.options.encryption == Encryption::ResetInHandshake && channel != tls::Channel::Plain {
        read_message(tcp).await?;
        tcp.set_zero_linger()?;
        return Err(Stop::Close);
    }
    Ok((channel, fault))
}

/// A connection that has not logged in yet.
struct Guest {
    number: u64,
    shared: Arc<Shared>,
    writer: PacketWriter,
    fault: Option<Fault>,
}

impl Guest {
    /// Lets LOGIN7 in through TLS or without, as agreed, and serves the rest the same way or without.
    async fn enter(self, mut tcp: TcpStream, channel: tls::Channel) -> io::Result<()> {
        match channel {
            tls::Channel::Plain => {
                if let Some(request) = read_message(&mut tcp).await? {
                    self.log_in(tcp, request, false).await;
                }
            }
            tls::Channel::LoginOnly => {
                let mut stream = tls::accept(&self.shared.acceptor, tcp).await?;
                if let Some(request) = read_message(&mut stream).await? {
                    self.log_in(stream.into_inner().0.into_inner(), request, true).await;
                }
            }
            tls::Channel::Everything => {
                let mut stream = tls::accept(&self.shared.acceptor, tcp).await?;
                if let Some(request) = read_message(&mut stream).await? {
                    self.log_in(stream, request, true).await;
                }
            }
        }
        Ok(())
    }

    async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        mut stream: S,
        request: Message,
        encrypted: bool,
    ) {
        match self.try_log_in(&mut stream, request, encrypted).await {
            Ok(session) => {
                let database = session.database();
                let Self { number, shared, writer, .. } = self;
                Host { number, batches: 0, shared, writer, session: Some(session), database }
                    .converse(stream)
                    .await;
            }
            Err(Stop::Stall) => drain(&mut stream).await,
            Err(Stop::Close) => {}
        }
    }

    async fn try_log_in<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        request: Message,
        encrypted: bool,
    ) -> Result<Box<dyn Session>, Stop> {
        let (login, password) = match login::decode(&request.body, encrypted) {
            Ok(decoded) if request.kind == PacketType::Tds7Login => decoded,
            _ => return Err(Stop::Close),
        };
        self.shared.note(&login);
        if self.fault == Some(Fault::ResetDuringLogin) {
            self.shared.faults.count();
            return Err(Stop::Close);
        }
        if let Some(Fault::ErrorToken { number, class, state, message, .. }) = self.fault.take_if(is_error) {
            self.shared.faults.count();
            return Err(self.refuse(stream, &SqlError { number, state, class, message }).await);
        }
        let backend = self.shared.backend.clone();
        let asked = login.clone();
        let result = spawn_blocking(move || {
            backend.login(&asked.user, &password, &asked.database, &asked.application)
        });
        let session = match result.await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(self.refuse(stream, &error).await),
            // The backend has panicked.
            Err(_) => return Err(Stop::Close),
        };
        let options = &self.shared.options;
        login::put_welcome(&mut self.writer.tokens, &login, &session.database(), options);
        match self.fault.take() {
            None => End::default().put_done(&mut self.writer.tokens),
            Some(fault) => {
                self.shared.faults.count();
                if !matches!(fault, Fault::EndWithoutDone { .. }) {
                    self.writer.tokens.extend_from_slice(&[token::GARBAGE]);
                }
            }
        }
        self.writer.finish(stream).await?;
        self.writer.end_reply();
        self.writer.set_size(login.packet_size);
        Ok(session)
    }

    /// Says no; the connection is to be closed then.
    async fn refuse<W: AsyncWrite + Unpin>(&mut self, wire: &mut W, error: &SqlError) -> Stop {
        token::put_error(&mut self.writer.tokens, error, &self.shared.options.server_name);
        End::failed().put_done(&mut self.writer.tokens);
        self.writer.finish(wire).await.err().unwrap_or(Stop::Close)
    }
}

fn is_error(fault: &mut Fault) -> bool {
    matches!(fault, Fault::ErrorToken { .. })
}

/// A connection that has logged in.
struct Host {
    number: u64,
    batches: u64,
    shared: Arc<Shared>,
    writer: PacketWriter,
    /// Away while a batch runs.
    session: Option<Box<dyn Session>>,
    database: String,
}

impl Host {
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: S) {
        let (reader, mut wire) = tokio::io::split(stream);
        // The client may have one request open, and an attention to it.
        let (sender, mut inbox) = mpsc::channel(2);
        let requests = async {
            let stop = self.answer_all(&mut wire, &mut inbox).await;
            if stop == Stop::Stall {
                while inbox.recv().await.is_some() {}
            }
        };
        tokio::select! {
            () = requests => {}
            never = receive(reader, sender) => match never {},
        }
    }

    async fn answer_all<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut WriteHalf<S>,
        inbox: &mut mpsc::Receiver<Message>,
    ) -> Stop {
        while let Some(request) = inbox.recv().await {
            if let Err(stop) = self.answer(wire, inbox, request).await {
                return stop;
            }
        }
        Stop::Close
    }

    async fn answer<W: AsyncWrite + Unpin>(
        &mut self,
        wire: &mut W,
        inbox: &mut mpsc::Receiver<Message>,
        request: Message,
    ) -> Result<(), Stop> {
        let (style, text) = match request.kind {
            PacketType::SqlBatch => (Style::Batch, rpc::batch(request.body)),
            PacketType::Rpc => (Style::Call, rpc::call(request.body)),
            PacketType::Attention => {
                End::attention().put_done(&mut self.writer.tokens);
                self.writer.finish(wire).await?;
                self.writer.end_reply();
                return Ok(());
            }
            kind => {
                let message = format!("This server does not know requests of the kind {kind:?}.");
                (Style::Batch, Err(Refused::Sql(rpc::unsupported(BAD_REQUEST, message))))
            }
        };
        match text {
            Ok(text) => self.run(wire, inbox, style, text).await,
            Err(Refused::Sql(error)) => {
                let mut line = line(&mut self.writer, wire, inbox, &self.shared);
                let mut reply = Reply::new(style);
                let progress = reply.error(&mut line, &error);
                reply.finish(&mut line, progress).await
            }
            Err(Refused::Malformed) => Err(Stop::Close),
        }
    }

    /// Runs a batch and replies.
    async fn run<W: AsyncWrite + Unpin>(
        &mut self,
        wire: &mut W,
        inbox: &mut mpsc::Receiver<Message>,
        style: Style,
        text: String,
    ) -> Result<(), Stop> {
        self.batches += 1;
        let occasion = Occasion { connection: self.number, batch: Some(&text), number: self.batches };
        let fault = self.writer.arm(self.shared.faults.take(&occasion));
        let mut reply = Reply::new(style);
        if let Some(Fault::ErrorToken { number, class, state, message, after_rows: 0 }) = fault {
            self.shared.faults.count();
            let mut line = line(&mut self.writer, wire, inbox, &self.shared);
            let progress = reply.error(&mut line, &SqlError { number, state, class, message });
            return reply.finish(&mut line, progress).await;
        }
        reply.set_fault(fault);
        let (sender, mut answers) = mpsc::channel(1);
        let Some(mut session) = self.session.take() else { return Err(Stop::Close) };
        let running = spawn_blocking(move || {
            // Nobody hears the rest of a batch whose reply has ended early.
            session.run(&text, &mut |answer| drop(sender.blocking_send(answer)));
            session
        });
        let mut line = line(&mut self.writer, wire, inbox, &self.shared);
        let progress = loop {
            let answer = tokio::select! {
                // An attention that is there already counts, however much has been answered.
                biased;
                request = line.inbox.recv() => match request {
                    Some(Message { kind: PacketType::Attention, .. }) => break Progress::Attention,
                    // A request within a reply, or a client that has closed.
                    _ => return Err(Stop::Close),
                },
                answer = answers.recv() => answer,
            };
            let Some(answer) = answer else { break Progress::Going };
            let progress = reply.answer(&mut line, answer).await?;
            if progress != Progress::Going {
                break progress;
            }
        };
        drop(answers);
        let session = running.await.map_err(|_| Stop::Close)?;
        let database = session.database();
        self.session = Some(session);
        if database != self.database {
            reply.put_database(&mut line, &database, &self.database);
            self.database = database;
        }
        reply.finish(&mut line, progress).await
    }
}

fn line<'a, W>(
    writer: &'a mut PacketWriter,
    wire: &'a mut W,
    inbox: &'a mut mpsc::Receiver<Message>,
    shared: &'a Shared,
) -> Line<'a, W> {
    Line { writer, wire, inbox, faults: &shared.faults, server_name: &shared.options.server_name }
}

/// Hands over what the client sends, and hangs up when it closes or sends what cannot be read.
async fn receive<S: AsyncRead + AsyncWrite>(
    mut reader: ReadHalf<S>,
    sender: mpsc::Sender<Message>,
) -> std::convert::Infallible {
    while let Ok(Some(message)) = read_message(&mut reader).await {
        if sender.send(message).await.is_err() {
            break;
        }
    }
    drop(sender);
    std::future::pending().await
}
