//! Which encoding the bytes of text columns speak for: what `doctor` samples, counts and proposes.
//!
//! Always: only values with bytes beyond ASCII count; a proposal is made where nine of ten say the same, and says how many were asked.
//! Must not know: any database.

use std::collections::BTreeMap;

use super::{Examined, Grade};

/// Values of one column that are looked at.
pub(super) const SAMPLE: u64 = 500;
/// Fewer values than this speak for nothing.
const LEAST: u64 = 3;
/// Columns that are named in one line.
const NAMED: usize = 5;

/// What the values of one column say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Votes {
    /// Values with bytes beyond ASCII.
    pub values: u64,
    /// Of these, whole UTF-8; and what reads as common Chinese in GBK.
    pub utf8: u64,
    pub gbk: u64,
}

impl Votes {
    /// Hears one value.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if bytes.is_ascii() {
            return;
        }
        self.values += 1;
        self.utf8 += u64::from(std::str::from_utf8(bytes).is_ok());
        self.gbk += u64::from(common_chinese(bytes));
    }

    /// The encoding that nine of ten speak for.
    fn verdict(self) -> Option<&'static str> {
        let most = |votes: u64| self.values >= LEAST && votes * 10 >= self.values * 9;
        // Chinese in UTF-8 reads as rare characters of GBK, and the other way round it does not.
        match (most(self.utf8), most(self.gbk)) {
            (true, _) => Some("utf-8"),
            (false, true) => Some("gbk"),
            (false, false) => None,
        }
    }
}

/// Pairs of bytes throughout, most of them in the rows of GB 2312: letters of Western text beside each other are none.
fn common_chinese(bytes: &[u8]) -> bool {
    let (mut pairs, mut common, mut rest) = (0_u32, 0_u32, bytes);
    while let [first, after @ ..] = rest {
        if first.is_ascii() {
            rest = after;
            continue;
        }
        let [second, after @ ..] = after else { return false };
        if !(0x81..=0xFE).contains(first) || !(0x40..=0xFE).contains(second) || *second == 0x7F {
            return false;
        }
        pairs += 1;
        common += u32::from((0xA1..=0xF7).contains(first) && *second >= 0xA1);
        rest = after;
    }
    common * 2 > pairs
}

/// What was heard of one column, and the encoding in which it is read.
pub(super) struct Heard {
    pub table: String,
    pub column: String,
    pub read_as: &'static str,
    pub votes: Votes,
}

/// What `doctor` says of all columns of a source.
pub(super) fn report(heard: &[Heard]) -> Vec<Examined> {
    let mut all = Vec::new();
    let mut by: BTreeMap<(&str, Option<&str>), Vec<&Heard>> = BTreeMap::new();
    for one in heard.iter().filter(|h| h.votes.values > 0) {
        by.entry((one.read_as, one.votes.verdict())).or_default().push(one);
    }
    for ((read_as, verdict), columns) in &by {
        let sum = |count: fn(&Votes) -> u64| columns.iter().map(|h| count(&h.votes)).sum::<u64>();
        let values = sum(|v| v.values);
        let (utf8, gbk) = (sum(|v| v.utf8), sum(|v| v.gbk));
        let counts =
            format!("of {values} sampled values beyond ASCII {gbk} speak for gbk, {utf8} are whole utf-8");
        let which = named(columns);
        all.push(match verdict {
            Some(verdict) if same(read_as, verdict) => {
                Examined::new("text", Grade::Fine, format!("{which}, read as {read_as}: {counts}"), "")
            }
            Some(verdict) => {
                let found = format!("{which}, read as {read_as}: {counts}");
                Examined::new("text", Grade::Wrong, found, &proposal(heard, columns, verdict))
            }
            None if values < LEAST => continue,
            None => {
                let found = format!("{which}, read as {read_as}: {counts}");
                let advice =
                    "they speak for no one encoding: compare names in `qianyi profile` with what you know";
                let grade =
                    if *read_as == "gbk" || *read_as == "gb18030" { Grade::Fact } else { Grade::Warning };
                Examined::new("text", grade, found, advice)
            }
        });
    }
    all
}

/// GB 18030 holds what GBK holds.
fn same(read_as: &str, verdict: &str) -> bool {
    read_as.eq_ignore_ascii_case(verdict) || (verdict == "gbk" && read_as == "gb18030")
}

fn named(columns: &[&Heard]) -> String {
    let names: Vec<String> =
        columns.iter().take(NAMED).map(|h| format!("{}.{}", h.table, h.column)).collect();
    let more = columns.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more columns") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The setting for the whole source where no column speaks against it, else for whole tables, else for single columns.
fn proposal(heard: &[Heard], columns: &[&Heard], verdict: &str) -> String {
    let against = |h: &&Heard| h.votes.verdict().is_some_and(|v| v != verdict);
    if !heard.iter().any(|h| against(&h)) {
        return format!("set `encoding = \"{verdict}\"` under [[sources]]");
    }
    let mut tables: Vec<&str> = columns.iter().map(|h| h.table.as_str()).collect();
    tables.dedup();
    let whole = |table: &str| !heard.iter().filter(|h| h.table == table).any(|h| against(&h));
    let lines: Vec<String> = tables
        .iter()
        .map(|table| {
            if whole(table) {
                return format!("[sources.tables.{table}] encoding = \"{verdict}\"");
            }
            let of = columns.iter().filter(|h| h.table == **table);
            let of: Vec<String> =
                of.map(|h| format!("{} = {{ encoding = \"{verdict}\" }}", h.column)).collect();
            format!("[sources.tables.{table}.columns] {}", of.join(", "))
        })
        .collect();
    format!("set {}", lines.join("; "))
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GBK, WINDOWS_1252};

    use super::{Grade, Heard, Votes, report};

    fn heard(table: &str, column: &str, read_as: &'static str, values: &[Vec<u8>]) -> Heard {
        let mut votes = Votes::default();
        values.iter().for_each(|v| votes.hear(v));
        Heard { table: table.to_owned(), column: column.to_owned(), read_as, votes }
    }

    fn names(of: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
        ["张三", "李四", "白城市", "A1", "王䶮", "欧阳建国"].iter().map(|n| of(n)).collect()
    }

    #[test]
    fn bytes_speak_for_the_encoding_that_they_were_written_in() {
        let (gbk, utf8) = (names(|n| GBK.encode(n).0.into_owned()), names(|n| n.as_bytes().to_vec()));
        let western: Vec<Vec<u8>> = ["Zürich", "José", "Müller-Lüdenscheid", "Ångström", "façade"]
            .iter()
            .map(|n| WINDOWS_1252.encode(n).0.into_owned())
            .collect();
        for (values, expected) in [(&gbk, Some("gbk")), (&utf8, Some("utf-8")), (&western, None)] {
            assert_eq!(heard("t", "c", "gbk", values).votes.verdict(), expected);
        }
        let said =
            report(&[heard("ry", "xm", "windows-1252", &gbk), heard("ry", "dz", "windows-1252", &gbk)]);
        assert_eq!((said.len(), said[0].grade), (1, Grade::Wrong));
        assert!(
            said[0].found.contains("of 10 sampled values beyond ASCII 10 speak for gbk"),
            "{}",
            said[0].found
        );
        assert_eq!(said[0].advice, "set `encoding = \"gbk\"` under [[sources]]");
        let said = report(&[heard("ry", "xm", "gbk", &utf8), heard("ry", "dz", "gbk", &gbk)]);
        assert_eq!(said[1].advice, "set [sources.tables.ry.columns] xm = { encoding = \"utf-8\" }");
        assert!(report(&[heard("ry", "xm", "windows-1252", &[b"A".to_vec()])]).is_empty());
    }
}
