//! For which encoding the bytes of text columns speak: a sample of every table, whatever the database (`doctor`).
//!
//! Always: counts, never a value; rows are taken from the first, the middle and the last range of a table.

use super::votes::Votes;
use super::{Column, Examined, Grade, LegacyType, Source, SourceError, Table};
use crate::encoding::TextEncoding;

/// Ranges that are looked into, and rows of each.
const RANGES: usize = 3;
const ROWS: usize = 2000;
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
    found.insert(0, Examined::new("encodings", Grade::Info, counts, ""));
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
            sampled
                .iter()
                .zip(&mut votes)
                .for_each(|(column, votes)| votes.add_cell(&batch, &column.name, column.encoding, row));
        }
    }
    Ok(votes)
}

fn judged(table: &Table, column: &Column, votes: Votes) -> Option<Examined> {
    let name = format!("{}.{}", table.name, column.name);
    let read_as = column.encoding.unwrap_or(TextEncoding::Utf8);
    let Votes { utf8, gbk, other, .. } = votes;
    let counts = format!("{gbk} values speak for GBK, {utf8} for UTF-8, {other} for neither");
    match votes.speaks_against(read_as) {
        Some(for_other) => {
            let found = format!("{name} is read as {read_as}: {counts}");
            let advice = format!(
                "set `encoding = \"{for_other}\"` for the source, [sources.tables.{}] or the column, once somebody has compared a name",
                table.name
            );
            Some(Examined::new("encodings", Grade::Error, found, &advice))
        }
        None if votes.speaks_for().is_none() && utf8 > 0 && gbk > 0 => {
            let found = format!("{name} is read as {read_as}, but holds several encodings: {counts}");
            let advice = "rows of the other encoding become read errors, with their bytes kept";
            Some(Examined::new("encodings", Grade::Warning, found, advice))
        }
        None => None,
    }
}
