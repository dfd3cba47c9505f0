//! What PRELOGIN agrees on, and the TLS handshake inside PRELOGIN packets.
//!
//! Always: TLS 1.2, as SQL Server speaks it within TDS 7.x; a TLS 1.3 server would send session tickets after the handshake,
//! into the plain stream of a client that encrypts the login alone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::PrivateKeyDer;
use tds_protocol::packet::{PACKET_HEADER_SIZE, PacketHeader, PacketStatus, PacketType};
use tds_protocol::prelogin::EncryptionLevel;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Encryption;
use super::packet::DEFAULT_SIZE;

/// How far TLS goes on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Plain,
    LoginOnly,
    Everything,
}

/// The server's answer to a client's wish, and what follows from the two (MS-TDS 2.2.6.5).
pub fn negotiate(server: Encryption, client: EncryptionLevel) -> (EncryptionLevel, Channel) {
    use EncryptionLevel::{NotSupported, Off, On, Required};
    match (server, client) {
        (Encryption::NotSupported, _) => (NotSupported, Channel::Plain),
        (Encryption::Required, NotSupported | Off) => (Required, Channel::Everything),
        (_, NotSupported) => (NotSupported, Channel::Plain),
        (_, Off) => (Off, Channel::LoginOnly),
        _ => (On, Channel::Everything),
    }
}

/// A certificate for `localhost` and `127.0.0.1` made now, in PEM, and the acceptor that shows it.
/// `authority`: with CA:TRUE, as `openssl req -x509` makes it.
pub fn self_signed(authority: bool) -> Result<(String, TlsAcceptor), Box<dyn std::error::Error>> {
    let mut of = rcgen::CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    if authority {
        of.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let pair = rcgen::KeyPair::generate()?;
    let made = of.self_signed(&pair)?;
    let key = PrivateKeyDer::try_from(pair.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)?;
    Ok((made.pem(), TlsAcceptor::from(Arc::new(config))))
}

/// The TLS handshake; afterwards TLS lies on the bare socket.
pub async fn accept(acceptor: &TlsAcceptor, tcp: TcpStream) -> io::Result<TlsStream<HandshakeStream>> {
    let mut tls = acceptor.accept(HandshakeStream::new(tcp)).await?;
    tls.get_mut().0.wrapped = false;
    Ok(tls)
}

/// A socket that packs what is written, and unpacks what is read, in PRELOGIN packets while the handshake lasts.
pub struct HandshakeStream {
    tcp: TcpStream,
    wrapped: bool,
    header: [u8; PACKET_HEADER_SIZE],
    header_read: usize,
    body_left: usize,
    written: Vec<u8>,
    packets: Vec<u8>,
}

impl HandshakeStream {
    fn new(tcp: TcpStream) -> Self {
        let header = [0; PACKET_HEADER_SIZE];
        Self {
            tcp,
            wrapped: true,
            header,
            header_read: 0,
            body_left: 0,
            written: Vec::new(),
            packets: Vec::new(),
        }
    }

    pub fn into_inner(self) -> TcpStream {
        self.tcp
    }

    /// Reads on until the body of a packet begins; `false` when the client has closed.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.body_left == 0 {
            let mut buf = ReadBuf::new(&mut self.header[self.header_read..]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buf))?;
            let read = buf.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            self.header_read += read;
            if self.header_read == PACKET_HEADER_SIZE {
                self.header_read = 0;
                let header = PacketHeader::decode(&mut &self.header[..]).map_err(io::Error::other)?;
                if header.packet_type != PacketType::PreLogin {
                    return Poll::Ready(Err(io::Error::other("no PRELOGIN packet within the TLS handshake")));
                }
                self.body_left = usize::from(header.length).saturating_sub(PACKET_HEADER_SIZE);
            }
        }
        Poll::Ready(Ok(true))
    }

    fn pack(&mut self) {
        let mut chunks = self.written.chunks(DEFAULT_SIZE - PACKET_HEADER_SIZE).peekable();
        while let Some(chunk) = chunks.next() {
            let status =
                if chunks.peek().is_none() { PacketStatus::END_OF_MESSAGE } else { PacketStatus::NORMAL };
            let length = (chunk.len() + PACKET_HEADER_SIZE) as u16;
            PacketHeader::new(PacketType::PreLogin, status, length).encode(&mut self.packets);
            self.packets.extend_from_slice(chunk);
        }
        self.written.clear();
    }
}

impl AsyncRead for HandshakeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.wrapped {
            return Pin::new(&mut this.tcp).poll_read(cx, buf);
        }
        if !ready!(this.poll_header(cx))? {
            return Poll::Ready(Ok(()));
        }
        let mut part = buf.take(this.body_left);
        ready!(Pin::new(&mut this.tcp).poll_read(cx, &mut part))?;
        let read = part.filled().to_vec();
        this.body_left -= read.len();
        buf.put_slice(&read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HandshakeStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.wrapped {
            return Pin::new(&mut self.tcp).poll_write(cx, buf);
        }
        self.written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.pack();
        while !this.packets.is_empty() {
            let written = ready!(Pin::new(&mut this.tcp).poll_write(cx, &this.packets))?;
            this.packets.drain(..written);
        }
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
