//! TDS packets: requests put together, replies cut to the packet size, and the faults that count bytes.
//!
//! Always: every packet but the last of a reply is full, as TDS 7.3 wants; malformed input ends in an error, never in a panic
//! or in an endless read.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, BytesMut};
use tds_protocol::packet::{PACKET_HEADER_SIZE, PacketHeader, PacketStatus, PacketType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::faults::{Fault, Faults};

/// Until LOGIN7 says otherwise.
pub const DEFAULT_SIZE: usize = 4096;

/// Bigger requests are refused, so that a broken client cannot eat the memory.
const MAX_REQUEST: usize = 512 << 20;

/// A whole request.
pub struct Message {
    pub kind: PacketType,
    pub body: BytesMut,
}

fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// The next request, or `None` when the client has closed between two.
pub async fn read_message<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<Message>> {
    let mut body = BytesMut::new();
    let mut first = None;
    loop {
        let mut raw = [0; PACKET_HEADER_SIZE];
        match reader.read_exact(&mut raw).await {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof && first.is_none() => return Ok(None),
            other => other?,
        };
        let header = PacketHeader::decode(&mut &raw[..]).map_err(invalid)?;
        if *first.get_or_insert(header.packet_type) != header.packet_type {
            return Err(invalid("the packet type changes within a message"));
        }
        let length = usize::from(header.length)
            .checked_sub(PACKET_HEADER_SIZE)
            .ok_or_else(|| invalid("a packet shorter than its header"))?;
        let start = body.len();
        if start + length > MAX_REQUEST {
            return Err(invalid("the request is too long"));
        }
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..]).await?;
        if header.status.contains(PacketStatus::END_OF_MESSAGE) {
            if !header.status.contains(PacketStatus::IGNORE_EVENT) {
                return Ok(Some(Message { kind: header.packet_type, body }));
            }
            body.clear();
            first = None;
        }
    }
}

/// Why a connection stops sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The socket is to be closed, or is closed already.
    Close,
    /// Silence, with the socket open, until the client closes it.
    Stall,
}

/// Any trouble with the socket means that it is closed.
impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Close
    }
}

/// Collects the tokens of a reply and sends them as packets.
pub struct PacketWriter {
    /// The tokens not yet sent.
    pub tokens: BytesMut,
    size: usize,
    next_id: u8,
    cuts: Vec<(u64, Stop)>,
    corrupt: Option<(u64, u8)>,
    faults: Arc<Faults>,
}

impl PacketWriter {
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            tokens: BytesMut::new(),
            size: DEFAULT_SIZE,
            next_id: 1,
            cuts: Vec::new(),
            corrupt: None,
            faults,
        }
    }

    /// The packet size from the next packet on.
    pub fn set_size(&mut self, size: usize) {
        self.size = size;
    }

    /// Takes over the faults that count bytes; gives back the others.
    pub fn arm(&mut self, fault: Option<Fault>) -> Option<Fault> {
        match fault? {
            Fault::DropAfter { bytes } => self.cuts.push((bytes, Stop::Close)),
            Fault::Stall { after_bytes } => self.cuts.push((after_bytes, Stop::Stall)),
            Fault::CorruptByte { at, xor } => self.corrupt = Some((at, xor)),
            other => return Some(other),
        }
        None
    }

    /// Whether tokens wait that fill a packet, so that `send_full` has something to do.
    pub fn is_full(&self) -> bool {
        self.tokens.len() > self.size - PACKET_HEADER_SIZE
    }

    /// Sends all packets that are full; what remains is never empty, so that the last packet is not either.
    pub async fn send_full<W: AsyncWrite + Unpin>(&mut self, wire: &mut W) -> Result<(), Stop> {
        while self.is_full() {
            self.send(wire, false).await?;
        }
        Ok(())
    }

    /// Sends the rest and ends the message.
    pub async fn finish<W: AsyncWrite + Unpin>(&mut self, wire: &mut W) -> Result<(), Stop> {
        self.send_full(wire).await?;
        self.send(wire, true).await
    }

    /// The reply is over: a corruption that it was too short for is dropped.
    pub fn end_reply(&mut self) {
        self.corrupt = None;
        self.next_id = 1;
    }

    async fn send<W: AsyncWrite + Unpin>(&mut self, wire: &mut W, last: bool) -> Result<(), Stop> {
        let payload = self.tokens.len().min(self.size - PACKET_HEADER_SIZE);
        let length = payload + PACKET_HEADER_SIZE;
        let status = if last { PacketStatus::END_OF_MESSAGE } else { PacketStatus::NORMAL };
        let mut header = PacketHeader::new(PacketType::TabularResult, status, length as u16);
        header.packet_id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut packet = BytesMut::with_capacity(length);
        header.encode(&mut packet);
        packet.put_slice(&self.tokens[..payload]);
        self.tokens.advance(payload);
        self.flip(&mut packet);
        let cut = self.cut(length as u64);
        let sent = cut.map_or(length, |(bytes, _)| bytes as usize);
        wire.write_all(&packet[..sent]).await?;
        wire.flush().await?;
        cut.map_or(Ok(()), |(_, stop)| Err(stop))
    }

    fn flip(&mut self, packet: &mut [u8]) {
        let Some((at, xor)) = self.corrupt.take() else { return };
        match usize::try_from(at).ok().and_then(|at| packet.get_mut(at)) {
            Some(byte) => {
                *byte ^= xor;
                self.faults.count();
            }
            None => self.corrupt = Some((at - packet.len() as u64, xor)),
        }
    }

    /// How many bytes of the next `length` may go out, and what comes then.
    fn cut(&mut self, length: u64) -> Option<(u64, Stop)> {
        let first = self.cuts.iter().copied().min_by_key(|(left, _)| *left)?;
        if first.0 <= length {
            self.faults.count();
            return Some(first);
        }
        for (left, _) in &mut self.cuts {
            *left -= length;
        }
        None
    }
}
