//! Text that was read in one encoding and whose bytes speak for another: GBK in a column of a Latin1 collation decodes without a mistake,
//! and every name is wrong.
//!
//! Always: every value of raw that was read in an encoding of single bytes, whatever the database; counts, never a value. Bytes of other
//! encodings that are something else do not decode, and are read errors. `doctor` asks a sample of the source the same beforehand.

use std::collections::BTreeMap;

use super::RunError;
use crate::dataset::read_columns;
use crate::encoding::{TextEncoding, bytes_column, encoding_of};
use crate::raw::{RawTable, RawView};
use crate::source::{Votes, is_single_byte};

/// A text column whose values speak for another encoding.
pub(super) struct Misread {
    /// `gbk/ylbx.GRJBXX.XM`: the encoding that its bytes speak for, and the column.
    pub(super) name: String,
    /// Values that speak for it.
    pub(super) part: u64,
    /// Values that are more than ASCII.
    pub(super) whole: u64,
}

/// The text columns of raw that were read in another encoding than their bytes speak for.
pub(super) fn misread(raw: &BTreeMap<String, RawView>) -> Result<Vec<Misread>, RunError> {
    let mut all = Vec::new();
    for (source, view) in raw {
        for (name, table) in &view.tables {
            all.extend(of_table(&format!("{source}.{name}"), table)?);
        }
    }
    Ok(all)
}

fn of_table(label: &str, table: &RawTable) -> Result<Vec<Misread>, RunError> {
    let text = |name: &str| {
        let encoding = encoding_of(&table.schema, &bytes_column(name))?;
        is_single_byte(encoding).then(|| (name.to_owned(), encoding))
    };
    let columns: Vec<(String, TextEncoding)> =
        table.schema.fields().iter().filter_map(|f| text(f.name())).collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<String> =
        columns.iter().flat_map(|(name, _)| [name.clone(), bytes_column(name)]).collect();
    let mut votes = vec![Votes::default(); columns.len()];
    for part in &table.parts {
        for batch in read_columns(&part.path, &wanted)? {
            let batch = batch?;
            for ((name, encoding), votes) in columns.iter().zip(&mut votes) {
                (0..batch.num_rows()).for_each(|row| votes.add_cell(&batch, name, Some(*encoding), row));
            }
        }
    }
    let judged = columns.iter().zip(votes).filter_map(|((name, encoding), votes)| {
        let spoken = votes.speaks_against(*encoding)?;
        let Votes { utf8, gbk, other, .. } = votes;
        let part = if spoken == TextEncoding::Utf8 { utf8 } else { gbk };
        Some(Misread { name: format!("{spoken}/{label}.{name}"), part, whole: utf8 + gbk + other })
    });
    Ok(judged.collect())
}
