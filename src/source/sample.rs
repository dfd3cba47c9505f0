//! For which encoding the bytes of text columns speak: a sample of every table, whatever the database (`doctor`).
//!
//! Always: counts, never a value; rows are taken from the first, the middle and the last range of a table.

use super::votes::Votes;
use super::{Column, Examined, Grade, LegacyType, Source, SourceError, Table};
use crate::encoding::TextEncoding;
use crate::phrase;

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
                let what = phrase!("doctor.sample_failed", table = table.name, e);
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
    let counts = phrase!("doctor.sample", ascii, gbk, utf8, other);
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
    let counts = phrase!("doctor.sample_counts", gbk, utf8, other);
    match votes.speaks_against(read_as) {
        Some(for_other) => {
            let found = phrase!("doctor.sample_wrong", name, read_as, counts);
            let advice = phrase!("doctor.sample_wrong_advice", for_other, table = table.name);
            Some(Examined::new("encodings", Grade::Error, found, advice))
        }
        None if votes.speaks_for().is_none() && utf8 > 0 && gbk > 0 => {
            let found = phrase!("doctor.sample_mixed", name, read_as, counts);
            let advice = phrase!("doctor.sample_mixed_advice");
            Some(Examined::new("encodings", Grade::Warning, found, advice))
        }
        None => None,
    }
}
