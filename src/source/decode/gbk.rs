//! Text in GBK and GB 18030 by tables: the characters of two bytes that encode back to the same two bytes, which is nearly all text.
//!
//! Always: what a table decodes is what decoding and encoding back proves; what it does not hold (four bytes, private use, pairs that
//! come back otherwise, half characters) it leaves to that proof.

use std::sync::OnceLock;

use encoding_rs::{Encoding, GB18030, GBK};

use super::text::private_use;

/// First and second bytes of a pair.
const LEADS: std::ops::RangeInclusive<u8> = 0x81..=0xFE;
const TRAILS: std::ops::RangeInclusive<u8> = 0x40..=0xFE;
const WIDTH: usize = 191;

static OF_GBK: OnceLock<Table> = OnceLock::new();
static OF_GB18030: OnceLock<Table> = OnceLock::new();

/// What pairs of bytes mean in one of the two; 0: not in the table.
pub(super) struct Table {
    pairs: Vec<u16>,
}

impl Table {
    /// The table of a code page that has one.
    pub(super) fn of(code_page: &'static Encoding) -> Option<&'static Self> {
        if code_page == GBK {
            Some(OF_GBK.get_or_init(|| Self::made(GBK)))
        } else if code_page == GB18030 {
            Some(OF_GB18030.get_or_init(|| Self::made(GB18030)))
        } else {
            None
        }
    }

    fn made(code_page: &'static Encoding) -> Self {
        let pairs = LEADS.flat_map(|lead| TRAILS.map(move |trail| [lead, trail]));
        Self { pairs: pairs.map(|pair| proved(code_page, pair)).collect() }
    }

    /// Decodes into `text`; false, with anything in it, where the table does not hold all of it.
    pub(super) fn decode(&self, bytes: &[u8], text: &mut String) -> bool {
        text.clear();
        // A pair becomes three bytes at most.
        text.reserve(bytes.len() / 2 * 3 + 1);
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if first.is_ascii() {
                text.push(char::from(first));
                rest = after;
                continue;
            }
            let Some((&second, after)) = after.split_first() else { return false };
            if !LEADS.contains(&first) || !TRAILS.contains(&second) {
                return false;
            }
            let at = usize::from(first - LEADS.start()) * WIDTH + usize::from(second - TRAILS.start());
            match self.pairs.get(at).copied().map(u32::from).and_then(char::from_u32) {
                Some('\0') | None => return false,
                Some(c) => text.push(c),
            }
            rest = after;
        }
        true
    }
}

/// The character of a pair that is exactly one, of the basic plane, not of private use, and comes back as the same pair; else 0.
fn proved(code_page: &'static Encoding, pair: [u8; 2]) -> u16 {
    let Some(text) = code_page.decode_without_bom_handling_and_without_replacement(&pair) else { return 0 };
    let (back, _, lost) = code_page.encode(&text);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !lost && *back == pair && !private_use(&text) => u16::try_from(u32::from(c)).unwrap_or(0),
        _ => 0,
    }
}
