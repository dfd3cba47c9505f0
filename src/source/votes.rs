//! For which encoding the bytes of a text column speak: counts over some of its values.
//!
//! Always: counts, never a value.

use arrow::array::{Array, AsArray, RecordBatch};

use crate::encoding::{TextEncoding, bytes_column};

/// Values that must be more than ASCII before they speak for anything.
const LEAST: u64 = 5;

/// What the values of one column could be; values of ASCII alone speak for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Votes {
    pub ascii: u64,
    /// Whole UTF-8.
    pub utf8: u64,
    /// Common Chinese in GBK; some characters of it may be cut or broken.
    pub gbk: u64,
    /// Neither.
    pub other: u64,
}

impl Votes {
    /// Counts the text of a row in the bytes that the database holds: those of `name` as they are read, or those kept aside.
    pub fn add_cell(&mut self, batch: &RecordBatch, name: &str, read_as: Option<TextEncoding>, row: usize) {
        let of = |name: &str| batch.column_by_name(name).filter(|a| a.is_valid(row));
        if let Some(text) = of(name).and_then(|a| a.as_string_opt::<i32>()) {
            match read_as {
                Some(TextEncoding::CodePage(page)) => self.add(&page.encode(text.value(row)).0),
                Some(TextEncoding::Utf8 | TextEncoding::Utf16) | None => self.add(text.value(row).as_bytes()),
            }
        } else if let Some(bytes) = of(&bytes_column(name)).and_then(|a| a.as_binary_opt::<i32>()) {
            self.add(bytes.value(row));
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if bytes.is_ascii() {
            self.ascii += 1;
            return;
        }
        let utf8 = TextEncoding::Utf8.decode(bytes).is_some();
        let gbk = mostly_gbk(bytes);
        match (utf8, gbk) {
            // Three bytes each: what is UTF-8 of Chinese is GBK of rare characters as well, and hardly ever the other way round.
            (true, _) if TextEncoding::CodePage(encoding_rs::GBK).ambiguous(bytes) || !gbk => self.utf8 += 1,
            (_, true) => self.gbk += 1,
            (true, false) => self.utf8 += 1,
            (false, false) => self.other += 1,
        }
    }

    /// The encoding of nearly all values that are more than ASCII; `None`: too few of them, or of several kinds.
    pub fn speaks_for(self) -> Option<TextEncoding> {
        let all = self.utf8 + self.gbk + self.other;
        let nearly = |n: u64| all >= LEAST && n * 20 >= all * 19;
        if nearly(self.utf8) {
            Some(TextEncoding::Utf8)
        } else if nearly(self.gbk) {
            Some(TextEncoding::CodePage(encoding_rs::GBK))
        } else {
            None
        }
    }

    /// The encoding that the values speak for, where it is another one than they are read in.
    pub fn speaks_against(self, read_as: TextEncoding) -> Option<TextEncoding> {
        if is_single_byte(read_as) {
            // Whatever the bytes, they decode: one value that is Chinese in truth is one value too many.
            let gbk = TextEncoding::CodePage(encoding_rs::GBK);
            return (self.utf8 + self.gbk > 0).then_some(if self.utf8 > self.gbk {
                TextEncoding::Utf8
            } else {
                gbk
            });
        }
        let same = |a: &TextEncoding| match (*a, read_as) {
            (TextEncoding::CodePage(_), TextEncoding::CodePage(page)) => {
                page == encoding_rs::GBK || page == encoding_rs::GB18030
            }
            (a, b) => a == b,
        };
        self.speaks_for().filter(|a| !same(a))
    }
}

/// Whether every byte above ASCII is a character by itself (Latin1): then bytes of any other encoding decode as well, as other characters.
pub fn is_single_byte(encoding: TextEncoding) -> bool {
    matches!(encoding, TextEncoding::CodePage(page) if page.is_single_byte())
}

/// Whether at least half of the bytes above ASCII are characters of GB 2312 (pairs from A1A1 to F7FE), which are nearly all that people
/// write: rarer ones, a name that was cut in the middle of a character, and stray bytes do not hide it. A single letter above ASCII, as in
/// a word of a Latin language, is no pair.
fn mostly_gbk(bytes: &[u8]) -> bool {
    let (mut pairs, mut alone, mut at) = (0_usize, 0_usize, 0_usize);
    while let Some(lead) = bytes.get(at) {
        let trail = bytes.get(at + 1).copied().unwrap_or(0);
        if (0xA1..=0xF7).contains(lead) && (0xA1..=0xFE).contains(&trail) {
            (pairs, at) = (pairs + 1, at + 2);
        } else {
            (alone, at) = (alone + usize::from(!lead.is_ascii()), at + 1);
        }
    }
    pairs > 0 && pairs * 2 >= alone
}

#[cfg(test)]
mod tests {
    use super::Votes;
    use crate::encoding::TextEncoding;

    #[test]
    fn bytes_speak_for_the_encoding_that_they_were_written_in() {
        let names =
            ["张建国", "李小明", "王芳", "赵铁柱（曾用名）", "白城市洮北区", "欧阳文", "Smith", "22990119"];
        let of = |encoding: &'static encoding_rs::Encoding| {
            let mut votes = Votes::default();
            names.iter().for_each(|n| votes.add(&encoding.encode(n).0));
            votes
        };
        let utf8 = of(encoding_rs::UTF_8);
        assert_eq!((utf8.ascii, utf8.utf8, utf8.speaks_for()), (2, 6, Some(TextEncoding::Utf8)));
        let gbk = of(encoding_rs::GBK);
        assert_eq!((gbk.gbk, gbk.speaks_for()), (6, Some(TextEncoding::CodePage(encoding_rs::GBK))));
        let mut mixed = gbk;
        names.iter().for_each(|n| mixed.add(n.as_bytes()));
        assert_eq!(mixed.speaks_for(), None);
        assert_eq!(Votes::default().speaks_for(), None);
    }

    #[test]
    fn one_chinese_value_in_a_column_of_single_bytes_speaks_against_it() {
        let latin1 = TextEncoding::named("windows-1252").unwrap();
        let gbk = TextEncoding::CodePage(encoding_rs::GBK);
        let of = |values: &[&[u8]]| {
            let mut votes = Votes::default();
            values.iter().for_each(|v| votes.add(v));
            votes.speaks_against(latin1)
        };
        assert_eq!(of(&[b"Jos\xe9", b"Stra\xdfe", b"Smith", b"\x80 10"]), None);
        assert_eq!(of(&[b"Jos\xe9", b"\xd5\xc5\xc8\xfd"]), Some(gbk));
        assert_eq!(of(&[b"\xd5\xc5\xc8"]), Some(gbk), "cut in the middle of a character");
        assert_eq!(of(&[b"\xd5\xc5\xc8\xfd (\x80\x95)"]), Some(gbk), "stray bytes after a name");
        assert_eq!(of(&["张三".as_bytes()]), Some(TextEncoding::Utf8));
    }
}
