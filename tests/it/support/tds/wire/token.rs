//! The tokens that do not depend on a type: ERROR, INFO, ENVCHANGE, LOGINACK, the DONE family.
//!
//! Always: lengths are computed from what is written, and texts too long for their length field are cut.

use bytes::{BufMut, BytesMut};
use tds_protocol::codec::{write_b_varchar, write_us_varchar};
use tds_protocol::token::{Done, DoneInProc, DoneProc, DoneStatus, TokenType};

use super::super::value::SqlError;

/// SQL Server's longest message, in characters.
const LONGEST_MESSAGE: usize = 2047;

const ENV_DATABASE: u8 = 1;
const ENV_PACKET_SIZE: u8 = 4;
const ENV_COLLATION: u8 = 7;

/// SELECT, as DONE names the command.
pub const COMMAND_SELECT: u16 = 0xC1;

/// A byte that begins no token.
pub const GARBAGE: u8 = 0x05;

fn put_with_length(dst: &mut BytesMut, token: TokenType, body: &[u8]) {
    dst.put_u8(token as u8);
    dst.put_u16_le(body.len() as u16);
    dst.put_slice(body);
}

fn put_message(dst: &mut BytesMut, token: TokenType, error: &SqlError, server: &str) {
    let mut body = BytesMut::new();
    body.put_u32_le(error.number);
    body.put_u8(error.state);
    body.put_u8(error.class);
    let message: String = error.message.chars().take(LONGEST_MESSAGE).collect();
    write_us_varchar(&mut body, &message);
    write_b_varchar(&mut body, server);
    // No procedure; line 1, which is where most batches here begin and end.
    write_b_varchar(&mut body, "");
    body.put_u32_le(1);
    put_with_length(dst, token, &body);
}

pub fn put_error(dst: &mut BytesMut, error: &SqlError, server: &str) {
    put_message(dst, TokenType::Error, error, server);
}

pub fn put_info(dst: &mut BytesMut, number: u32, message: String, server: &str) {
    put_message(dst, TokenType::Info, &SqlError { number, state: 1, class: 0, message }, server);
}

/// The database has changed: ENVCHANGE, and the message that SQL Server sends with it.
pub fn put_database(dst: &mut BytesMut, new: &str, old: &str, server: &str) {
    let mut body = BytesMut::new();
    body.put_u8(ENV_DATABASE);
    write_b_varchar(&mut body, new);
    write_b_varchar(&mut body, old);
    put_with_length(dst, TokenType::EnvChange, &body);
    put_info(dst, 5701, format!("Changed database context to '{new}'."), server);
}

pub fn put_packet_size(dst: &mut BytesMut, new: usize, old: usize) {
    let mut body = BytesMut::new();
    body.put_u8(ENV_PACKET_SIZE);
    write_b_varchar(&mut body, &new.to_string());
    write_b_varchar(&mut body, &old.to_string());
    put_with_length(dst, TokenType::EnvChange, &body);
}

pub fn put_collation(dst: &mut BytesMut, collation: [u8; 5]) {
    let mut body = BytesMut::new();
    body.put_u8(ENV_COLLATION);
    body.put_u8(5);
    body.put_slice(&collation);
    body.put_u8(0);
    put_with_length(dst, TokenType::EnvChange, &body);
}

pub fn put_login_ack(dst: &mut BytesMut, version: u32) {
    let mut body = BytesMut::new();
    // T-SQL, TDS 7.4.
    body.put_u8(1);
    body.put_u32(0x7400_0004);
    write_b_varchar(&mut body, "Microsoft SQL Server");
    body.put_u32(version);
    put_with_length(dst, TokenType::LoginAck, &body);
}

/// A statement's end, as the reply to a batch and as the reply to a procedure call tell it.
#[derive(Debug, Clone, Copy, Default)]
pub struct End {
    pub status: DoneStatus,
    pub command: u16,
    pub rows: u64,
}

impl End {
    pub fn put_done(self, dst: &mut BytesMut) {
        Done { status: self.status, cur_cmd: self.command, row_count: self.rows }.encode(dst);
    }

    pub fn put_done_in_proc(self, dst: &mut BytesMut) {
        DoneInProc { status: self.status, cur_cmd: self.command, row_count: self.rows }.encode(dst);
    }

    pub fn put_done_proc(self, dst: &mut BytesMut) {
        DoneProc { status: self.status, cur_cmd: self.command, row_count: self.rows }.encode(dst);
    }

    pub fn failed() -> Self {
        let mut end = Self::default();
        end.status.error = true;
        end
    }

    /// The acknowledgement of an attention.
    pub fn attention() -> Self {
        let mut end = Self::default();
        end.status.attn = true;
        end
    }
}

pub fn put_return_status(dst: &mut BytesMut, status: u32) {
    dst.put_u8(TokenType::ReturnStatus as u8);
    dst.put_u32_le(status);
}
