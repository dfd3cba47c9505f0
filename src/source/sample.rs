//! For which encoding the bytes of text columns speak: a sample of every table, whatever the database (`doctor`).
//!
//! Always: counts, never a value; rows are taken from the first, the middle and the last range of a table.

use arrow::array::{Array, AsArray, RecordBatch};

use super::{Column, Examined, Grade, LegacyType, Source, SourceError, Table};
use crate::encoding::{TextEncoding, bytes_column};

/// Ranges that are looked into, and rows of each.
const RANGES: usize = 3;
const ROWS: usize = 2000;
/// Values that must be more than ASCII before they speak for anything.
const LEAST: u64 = 5;

/// What the values of one column could be; values of ASCII alone speak for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Votes {
    ascii: u64,
    /// Whole UTF-8.
    utf8: u64,
    /// Common Chinese in GBK.
    gbk: u64,
    /// Neither.
    other: u64,
}

impl Votes {
    fn add(&mut self, bytes: &[u8]) {
        if bytes.is_ascii() {
            self.ascii += 1;
            return;
        }
        let utf8 = TextEncoding::Utf8.decode(bytes).is_some();
        let gbk =
            TextEncoding::CodePage(encoding_rs::GBK).decode(bytes).is_some_and(|t| t.chars().all(common));
        match (utf8, gbk) {
            // Three bytes each: what is UTF-8 of Chinese is GBK of rare characters as well, and hardly ever the other way round.
            (true, _) if TextEncoding::CodePage(encoding_rs::GBK).ambiguous(bytes) || !gbk => self.utf8 += 1,
            (_, true) => self.gbk += 1,
            (true, false) => self.utf8 += 1,
            (false, false) => self.other += 1,
        }
    }

    /// The encoding of nearly all values that are more than ASCII; `None`: too few of them, or of several kinds.
    fn speaks_for(self) -> Option<TextEncoding> {
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
}

/// Characters that names, addresses and remarks are written in.
fn common(c: char) -> bool {
    c.is_ascii()
        || matches!(c, '\u{4E00}'..='\u{9FA5}' | '\u{3000}'..='\u{303F}' | '\u{FF00}'..='\u{FFEF}' | '·' | '—' | '’' | '“' | '”' | '…')
}

/// The bytes of a row's text as the database holds them.
fn add(votes: &mut Votes, batch: &RecordBatch, column: &Column, row: usize) {
    let of = |name: &str| batch.column_by_name(name).filter(|a| a.is_valid(row));
    if let Some(text) = of(&column.name).and_then(|a| a.as_string_opt::<i32>()) {
        match column.encoding {
            Some(TextEncoding::CodePage(page)) => votes.add(&page.encode(text.value(row)).0),
            Some(TextEncoding::Utf8 | TextEncoding::Utf16) | None => votes.add(text.value(row).as_bytes()),
        }
    } else if let Some(bytes) = of(&bytes_column(&column.name)).and_then(|a| a.as_binary_opt::<i32>()) {
        votes.add(bytes.value(row));
    }
}

/// Samples the char, varchar and text columns of some tables, and says where they speak for another encoding than they are read in.
pub async fn sampled_encodings(source: &dyn Source, tables: &[Table]) -> Vec<Examined> {
    // The rest of a range is not waited for.
    let aside = source.aside().await.ok().flatten();
    let source = aside.as_deref().unwrap_or(source);
    let mut found = Vec::new();
    let mut all = Votes::default();
    for table in tables.iter().filter(|t| !t.view) {
        let text = |c: &&Column| c.kind == Some(LegacyType::CodePageText);
        let sampled: Vec<Column> = table.columns.iter().filter(text).cloned().collect();
        if sampled.is_empty() {
            continue;
        }
        let named = |name: &str| sampled.iter().any(|c| c.name == name);
        let table = table.clone().reading_only(named);
        let votes = match votes(source, &table, &sampled).await {
            Ok(votes) => votes,
            // Another check says why it cannot be read.
            Err(e) => {
                let what = format!("{} could not be sampled: {e}", table.name);
                found.push(Examined::new("encodings", Grade::Warning, what, ""));
                continue;
            }
        };
        for (column, votes) in sampled.iter().zip(votes) {
            all = Votes {
                ascii: all.ascii + votes.ascii,
                utf8: all.utf8 + votes.utf8,
                gbk: all.gbk + votes.gbk,
                other: all.other + votes.other,
            };
            found.extend(judged(&table, column, votes));
        }
    }
    let Votes { ascii, utf8, gbk, other } = all;
    let counts =
        format!("sampled text: {ascii} values of ASCII, {gbk} of GBK, {utf8} of UTF-8, {other} of neither");
    found.insert(0, Examined::new("encodings", Grade::Fact, counts, ""));
    found
}

/// The votes of each sampled column.
async fn votes(source: &dyn Source, table: &Table, sampled: &[Column]) -> Result<Vec<Votes>, SourceError> {
    let ranges = source.chunks(table).await?;
    let mut votes = vec![Votes::default(); sampled.len()];
    let mut places = vec![0, ranges.len() / 2, ranges.len().saturating_sub(1)];
    places.dedup();
    for at in places.into_iter().take(RANGES) {
        let Some(bounds) = ranges.get(at) else { continue };
        let stream = source.read_chunk(table, bounds).await?;
        let batch = tokio::task::spawn_blocking(move || {
            let mut stream = stream;
            stream.next()
        });
        let Ok(Some(batch)) = batch.await else { continue };
        let batch = batch?;
        for row in 0..batch.num_rows().min(ROWS) {
            sampled.iter().zip(&mut votes).for_each(|(column, votes)| add(votes, &batch, column, row));
        }
    }
    Ok(votes)
}

fn judged(table: &Table, column: &Column, votes: Votes) -> Option<Examined> {
    let name = format!("{}.{}", table.name, column.name);
    let read_as = column.encoding.unwrap_or(TextEncoding::Utf8);
    let Votes { utf8, gbk, other, .. } = votes;
    let counts = format!("{gbk} values speak for GBK, {utf8} for UTF-8, {other} for neither");
    let same = |a: TextEncoding| match (a, read_as) {
        (TextEncoding::CodePage(_), TextEncoding::CodePage(page)) => {
            page == encoding_rs::GBK || page == encoding_rs::GB18030
        }
        (a, b) => a == b,
    };
    match votes.speaks_for() {
        Some(for_other) if !same(for_other) => {
            let found = format!("{name} is read as {read_as}: {counts}");
            let advice = format!(
                "set `encoding = \"{for_other}\"` for the source, [sources.tables.{}] or the column, once somebody has compared a name",
                table.name
            );
            Some(Examined::new("encodings", Grade::Wrong, found, &advice))
        }
        None if utf8 > 0 && gbk > 0 => {
            let found = format!("{name} is read as {read_as}, but holds several encodings: {counts}");
            let advice = "rows of the other encoding become read errors, with their bytes kept";
            Some(Examined::new("encodings", Grade::Warning, found, advice))
        }
        Some(_) | None => None,
    }
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
}
