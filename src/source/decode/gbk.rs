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

    /// The text; `None` where the table does not hold all of it.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<String> {
        // A pair becomes three bytes at most.
        let mut text = String::with_capacity(bytes.len() / 2 * 3 + 1);
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if first.is_ascii() {
                text.push(char::from(first));
                rest = after;
                continue;
            }
            let (&second, after) = after.split_first()?;
            if !LEADS.contains(&first) || !TRAILS.contains(&second) {
                return None;
            }
            let at = usize::from(first - LEADS.start()) * WIDTH + usize::from(second - TRAILS.start());
            match self.pairs.get(at).copied().map(u32::from).and_then(char::from_u32) {
                Some('\0') | None => return None,
                Some(c) => text.push(c),
            }
            rest = after;
        }
        Some(text)
    }
}

/// The character of a pair that is exactly one, of the basic plane, not of private use, and comes back as the same pair; else 0.
fn proved(code_page: &'static Encoding, pair: [u8; 2]) -> u16 {
    let Some(text) = code_page.decode_without_bom_handling_and_without_replacement(&pair) else { return 0 };
    let (back, _, lost) = code_page.encode(&text);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !lost && *back == pair && !private_use(&text) => {
            u16::try_from(u32::from(c)).unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{Encoding, GB18030, GBK};
    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    use super::super::text::private_use;
    use super::Table;

    /// By decoding and encoding back.
    fn proof(bytes: &[u8], code_page: &'static Encoding) -> Option<String> {
        let text = code_page.decode_without_bom_handling_and_without_replacement(bytes)?;
        let (back, _, lost) = code_page.encode(&text);
        (!lost && *back == *bytes && !private_use(&text)).then(|| text.into_owned())
    }

    /// What the table says must be the proof; what it leaves is left to it.
    fn check(bytes: &[u8], code_page: &'static Encoding) -> bool {
        let text = Table::of(code_page).unwrap().decode(bytes);
        let held = text.is_some();
        assert!(!held || text == proof(bytes, code_page), "{bytes:x?} {code_page:?}");
        held
    }

    #[test]
    fn every_sequence_of_one_two_and_four_bytes_is_what_encoding_back_proves() {
        for code_page in [GBK, GB18030] {
            let mut held = 0_u32;
            for first in 0..=0xFF_u8 {
                check(&[first], code_page);
                for second in 0..=0xFF_u8 {
                    let pair = [first, second];
                    let known = check(&pair, code_page);
                    // The table leaves nothing of the basic plane that the proof holds, but the one byte of the euro.
                    let proved =
                        proof(&pair, code_page).is_some_and(|t| t.chars().all(|c| u32::from(c) <= 0xFFFF));
                    assert!(known == proved || first == 0x80 || second == 0x80, "{pair:x?} {code_page:?}");
                    held += u32::from(known && !first.is_ascii());
                }
            }
            assert!(held > 21_000, "{held}");
            for first in 0x81..=0xFE {
                for second in 0x30..=0x39 {
                    for third in 0x81..=0xFE {
                        for fourth in 0x30..=0x39 {
                            assert!(!check(&[first, second, third, fourth], code_page));
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_are_what_encoding_back_proves(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            for code_page in [GBK, GB18030] {
                check(&bytes, code_page);
            }
        }
    }
}
