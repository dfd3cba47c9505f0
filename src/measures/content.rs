//! Rows before a stage that only sorts them, against those behind it: each must be there again, unchanged, its lineage too.
//!
//! Always: the full population, in no order, by digests of whole rows in buckets; the rows themselves are looked at only where the digests of a
//! bucket differ, as many buckets at a time as fit. Which rows and columns differ is named of the first ones.
//! Must not know: which stage it was.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xxhash_rust::xxh3::xxh3_128;

use super::MeasureError;
use super::digest::{ContentDigest, columns, each_row};
use crate::dataset::{PartInfo, PartWriter, read_part};

/// Rows of differing buckets that are looked at in one pass over both sides.
const PASS_ROWS: u64 = 1_000_000;
/// Rows that are named; all are counted.
pub const NAMED: usize = 1_000;
/// What a row says of itself behind the gate, and did not before.
const BESIDE: [&str; 2] = ["_disposition", "_reason"];

/// What became of the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Rows before.
    pub rows: u64,
    /// Of these, those that are behind, unchanged.
    pub same: u64,
    /// The first ones of the others, by key.
    pub differing: Vec<Differing>,
}

/// A row that is not behind as it was before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Differing {
    pub key: String,
    pub source: String,
    pub skey: String,
    /// Columns that have another value behind; empty where no row of this key and lineage has changed: it is lost, or another row took its lineage.
    pub columns: Vec<String>,
}

fn whole(name: &str) -> bool {
    !BESIDE.contains(&name)
}

/// Compares two sides of a table, on so many threads.
///
/// # Errors
/// `DAT-001`, `MEA-001`.
pub fn compare_rows(
    threads: usize,
    before: &[PathBuf],
    behind: &[PathBuf],
) -> Result<Compared, MeasureError> {
    let (a, b) = (digested(threads, before)?, digested(threads, behind)?);
    let mut out = Compared { rows: a.rows(), same: a.rows(), differing: Vec::new() };
    for group in a.differing(&b, PASS_ROWS) {
        let mut rows = Rows::new();
        each_of(before, &group, |_, _, digest| {
            *rows.entry(digest).or_default() += 1;
            Ok(())
        })?;
        each_of(behind, &group, |_, _, digest| {
            *rows.entry(digest).or_default() -= 1;
            Ok(())
        })?;
        rows.retain(|_, n| *n != 0);
        out.same -= rows.values().filter(|n| **n > 0).map(|n| n.unsigned_abs()).sum::<u64>();
        let open = NAMED.saturating_sub(out.differing.len());
        out.differing.extend(named((before, behind), &group, rows, open)?);
    }
    out.differing.sort_unstable();
    Ok(out)
}

/// Digest of a row → how many more there are before than behind.
type Rows = HashMap<u128, i64>;

fn digested(threads: usize, parts: &[PathBuf]) -> Result<ContentDigest, MeasureError> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<ContentDigest, MeasureError> {
        let mut own = ContentDigest::default();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            for batch in read_part(part)? {
                each_row(&batch?, whole, |_, bucket, digest| own.count(bucket, digest))?;
            }
        }
        Ok(own)
    };
    let stopped = || MeasureError::impossible("comparing rows", std::io::Error::other("a thread stopped"));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, parts.len().max(1))).map(|_| scope.spawn(work)).collect();
        let mut all = ContentDigest::default();
        for thread in threads {
            all.merge(&thread.join().unwrap_or_else(|_| Err(stopped()))?);
        }
        Ok(all)
    })
}

/// Goes through the rows of some buckets.
fn each_of(
    parts: &[PathBuf],
    group: &[usize],
    mut each: impl FnMut(&RecordBatch, usize, u128) -> Result<(), MeasureError>,
) -> Result<(), MeasureError> {
    for part in parts {
        for batch in read_part(part)? {
            let (batch, mut rows) = (batch?, Vec::new());
            each_row(&batch, whole, |row, bucket, digest| {
                if group.contains(&bucket) {
                    rows.push((row, digest));
                }
            })?;
            rows.into_iter().try_for_each(|(row, digest)| each(&batch, row, digest))?;
        }
    }
    Ok(())
}

/// Key, source table and source key of a row.
fn place(batch: &RecordBatch, row: usize) -> [String; 3] {
    ["_key", "_source", "_skey"].map(|name| {
        let column = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        column.filter(|c| c.is_valid(row)).map(|c| c.value(row).to_owned()).unwrap_or_default()
    })
}

/// The digest of every value of a row that is not NULL, by column.
type Values = HashMap<String, u128>;

fn values(batch: &RecordBatch, row: usize) -> Result<Values, MeasureError> {
    let mut bytes = Vec::new();
    let mut all = Values::new();
    for column in columns(batch, whole)? {
        bytes.clear();
        column.append(row, &mut bytes);
        if !bytes.is_empty() {
            all.insert(column.name.to_owned(), xxh3_128(&bytes));
        }
    }
    Ok(all)
}

/// Names the rows that are missing behind, at most `open`, with the columns that have other values there.
fn named(
    (before, behind): (&[PathBuf], &[PathBuf]),
    group: &[usize],
    mut rows: Rows,
    open: usize,
) -> Result<Vec<Differing>, MeasureError> {
    let mut missing: Vec<([String; 3], Values)> = Vec::new();
    each_of(before, group, |batch, row, digest| {
        if let Some(left) = rows.get_mut(&digest).filter(|left| **left > 0)
            && missing.len() < open
        {
            *left -= 1;
            missing.push((place(batch, row), values(batch, row)?));
        }
        Ok(())
    })?;
    let wanted: HashSet<&[String; 3]> = missing.iter().map(|(place, _)| place).collect();
    let mut others: HashMap<[String; 3], Values> = HashMap::new();
    each_of(behind, group, |batch, row, digest| {
        if rows.get(&digest).is_some_and(|left| *left < 0) {
            let place = place(batch, row);
            if wanted.contains(&place) {
                others.insert(place, values(batch, row)?);
            }
        }
        Ok(())
    })?;
    let differing = |(place, was): &([String; 3], Values)| {
        let is = others.get(place);
        let columns: BTreeSet<&String> = is.iter().flat_map(|is| was.keys().chain(is.keys())).collect();
        let differs = |column: &&String| is.is_some_and(|is| was.get(*column) != is.get(*column));
        let [key, source, skey] = place.clone();
        Differing { key, source, skey, columns: columns.into_iter().filter(differs).cloned().collect() }
    };
    Ok(missing.iter().map(differing).collect())
}

/// The columns of a dataset of differing rows.
pub fn differing_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(["_key", "_source", "_skey", "columns"].map(text).to_vec()))
}

/// Writes differing rows as one part; columns are told by spaces.
///
/// # Errors
/// `DAT-002`, `DAT-003`.
pub fn write_differing(path: &Path, rows: &[Differing]) -> Result<PartInfo, MeasureError> {
    let text = |of: &dyn Fn(&Differing) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let columns = vec![
        text(&|r| r.key.clone()),
        text(&|r| r.source.clone()),
        text(&|r| r.skey.clone()),
        text(&|r| r.columns.join(" ")),
    ];
    let batch = RecordBatch::try_new(differing_schema(), columns)
        .map_err(|e| MeasureError::impossible("a batch of differing rows", e))?;
    let mut writer = PartWriter::create(path, differing_schema())?;
    writer.write(&batch)?;
    Ok(writer.finish()?)
}

/// Reads what [`write_differing`] wrote.
///
/// # Errors
/// `DAT-001`, `MEA-002`.
pub fn read_differing(path: &Path) -> Result<Vec<Differing>, MeasureError> {
    let mut all = Vec::new();
    for batch in read_part(path)? {
        let batch = batch?;
        if batch.schema().fields() != differing_schema().fields() {
            return Err(MeasureError::NotMeasures { path: path.display().to_string() });
        }
        let text = |at: usize, row: usize| batch.column(at).as_string::<i32>().value(row).to_owned();
        all.extend((0..batch.num_rows()).map(|row| Differing {
            key: text(0, row),
            source: text(1, row),
            skey: text(2, row),
            columns: text(3, row).split_whitespace().map(str::to_owned).collect(),
        }));
    }
    Ok(all)
}
