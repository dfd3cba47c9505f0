//! LOGIN7 read, and the tokens that answer it.
//!
//! Always: a LOGIN7 whose offsets point outside of it is malformed; the password leaves this module only towards the backend.

use bytes::BytesMut;

use super::rpc::{Refused, utf16};
use super::token;
use super::{Login, Options};

/// Where LOGIN7's fields stand.
const PACKET_SIZE: usize = 8;
const TYPE_FLAGS: usize = 26;
const USER: usize = 40;
const PASSWORD: usize = 44;
const APPLICATION: usize = 48;
const DATABASE: usize = 68;

const READ_ONLY_INTENT: u8 = 0x20;

/// What a packet may be long.
const SIZES: std::ops::RangeInclusive<usize> = 512..=32767;

/// Decodes LOGIN7: the login, and the password.
pub fn decode(body: &[u8], encrypted: bool) -> Result<(Login, String), Refused> {
    let size = u32::from_le_bytes(fixed(body, PACKET_SIZE)?) as usize;
    let [flags] = fixed(body, TYPE_FLAGS)?;
    let login = Login {
        user: utf16(text(body, USER)?)?,
        database: utf16(text(body, DATABASE)?)?,
        application: utf16(text(body, APPLICATION)?)?,
        read_only: flags & READ_ONLY_INTENT != 0,
        packet_size: if size == 0 {
            super::packet::DEFAULT_SIZE
        } else {
            size.clamp(*SIZES.start(), *SIZES.end())
        },
        encrypted,
    };
    // Obfuscated: the halves of each byte swapped, then XOR 0xA5.
    let password: Vec<u8> = text(body, PASSWORD)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    Ok((login, utf16(&password)?))
}

fn fixed<const N: usize>(body: &[u8], at: usize) -> Result<[u8; N], Refused> {
    body.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or(Refused::Malformed)
}

/// A text whose offset in bytes and length in characters stand at `at`.
fn text(body: &[u8], at: usize) -> Result<&[u8], Refused> {
    let offset = usize::from(u16::from_le_bytes(fixed(body, at)?));
    let length = usize::from(u16::from_le_bytes(fixed(body, at + 2)?)) * 2;
    body.get(offset..offset + length).ok_or(Refused::Malformed)
}

/// What a real server says to a login that it lets in, but for the DONE.
pub fn put_welcome(dst: &mut BytesMut, login: &Login, database: &str, options: &Options) {
    token::put_database(dst, database, "master", &options.server_name);
    token::put_collation(dst, super::collation::bytes(&options.collation));
    let language = "Changed language setting to us_english.".to_owned();
    token::put_info(dst, 5703, language, &options.server_name);
    token::put_login_ack(dst, options.version);
    token::put_packet_size(dst, login.packet_size, super::packet::DEFAULT_SIZE);
}
