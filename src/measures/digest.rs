//! The content digest of a dataset: what its rows say, in no order (FORMS 5).
//!
//! Always: equal for equal rows, whatever their order, parts, partitions or source; a column that is NULL in a row is not part of it,
//! so a new nullable column changes nothing. Fixed by a golden test: another form is a new version.
//!
//! A canonical row is, by ascending name, each column that is not NULL and does not start with `_`: length of the name (u16), name,
//! type tag, length of the value (u32), value. Integers, decimals (unscaled), dates (yyyymmdd) and times (µs) are 16 bytes, two's
//! complement; text is UTF-8 as stored; all numbers are little-endian.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

use super::MeasureError;
use crate::civil;
use crate::dataset::{PartInfo, PartWriter, read_part};
use crate::durable::hex;

/// Buckets by the first byte of the key's digest.
pub const BUCKETS: usize = 256;

/// Rows and sum mod 2¹²⁸ of the digests of canonical rows, by bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDigest {
    rows: Vec<u64>,
    sums: Vec<u128>,
}

impl Default for ContentDigest {
    fn default() -> Self {
        Self { rows: vec![0; BUCKETS], sums: vec![0; BUCKETS] }
    }
}

impl ContentDigest {
    /// Adds the rows of a batch; it must have a column `_key` (Utf8).
    ///
    /// # Errors
    /// `MEA-001` for a column of a type that no dataset of ours has.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), MeasureError> {
        each_row(batch, |name| !name.starts_with('_'), |_, bucket, digest| self.count(bucket, digest))
    }

    /// Counts a row.
    pub(crate) fn count(&mut self, bucket: usize, digest: u128) {
        self.rows[bucket] += 1;
        self.sums[bucket] = self.sums[bucket].wrapping_add(digest);
    }

    /// Buckets in which another one has other rows, in groups of about so many rows of both.
    pub(crate) fn differing(&self, other: &Self, rows: u64) -> Vec<Vec<usize>> {
        let differs = |at: &usize| self.rows[*at] != other.rows[*at] || self.sums[*at] != other.sums[*at];
        let (mut groups, mut group, mut held) = (Vec::new(), Vec::new(), 0);
        for at in (0..BUCKETS).filter(differs) {
            let own = self.rows[at] + other.rows[at];
            if !group.is_empty() && held + own > rows {
                groups.push(std::mem::take(&mut group));
                held = 0;
            }
            held += own;
            group.push(at);
        }
        groups.extend((!group.is_empty()).then_some(group));
        groups
    }

    /// Adds the rows of another one.
    pub fn merge(&mut self, other: &Self) {
        for bucket in 0..BUCKETS {
            self.rows[bucket] += other.rows[bucket];
            self.sums[bucket] = self.sums[bucket].wrapping_add(other.sums[bucket]);
        }
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// Rows and sum of one bucket.
    pub fn bucket(&self, bucket: u8) -> (u64, u128) {
        (self.rows[usize::from(bucket)], self.sums[usize::from(bucket)])
    }

    /// The whole as SHA-256 over version, buckets, rows and sums, in lower-case hex.
    pub fn hex(&self) -> String {
        let mut sha = Sha256::new();
        sha.update(b"qianyi content 1");
        for (rows, sum) in self.rows.iter().zip(&self.sums) {
            sha.update(rows.to_le_bytes());
            sha.update(sum.to_le_bytes());
        }
        hex(&sha.finalize())
    }

    /// Writes it as a dataset of one part; the folder must exist.
    ///
    /// # Errors
    /// `DAT-002`, `DAT-003`.
    pub fn write(&self, path: &Path) -> Result<PartInfo, MeasureError> {
        let numbers = 0..i32::try_from(BUCKETS).unwrap_or(i32::MAX);
        let rows = self.rows.iter().map(|r| i64::try_from(*r).unwrap_or(i64::MAX));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(numbers)),
            Arc::new(Int64Array::from_iter_values(rows)),
            Arc::new(StringArray::from_iter_values(self.sums.iter().map(|s| format!("{s:032x}")))),
        ];
        let batch = RecordBatch::try_new(digest_schema(), columns)
            .map_err(|e| MeasureError::impossible("a batch of digests", e))?;
        let mut writer = PartWriter::create(path, digest_schema())?;
        writer.write(&batch)?;
        Ok(writer.finish()?)
    }

    /// Reads what [`ContentDigest::write`] wrote.
    ///
    /// # Errors
    /// `DAT-001`, `MEA-002`.
    pub fn read(path: &Path) -> Result<Self, MeasureError> {
        let not = || MeasureError::NotMeasures { path: path.display().to_string() };
        let mut out = Self::default();
        for batch in read_part(path)? {
            let batch = batch?;
            if batch.schema_ref().fields() != digest_schema().fields() {
                return Err(not());
            }
            for row in 0..batch.num_rows() {
                let bucket = usize::try_from(batch.column(0).as_primitive::<Int32Type>().value(row));
                let bucket = bucket.ok().filter(|b| *b < BUCKETS).ok_or_else(not)?;
                let rows = batch.column(1).as_primitive::<Int64Type>().value(row);
                out.rows[bucket] = u64::try_from(rows).map_err(|_| not())?;
                let sum = batch.column(2).as_string::<i32>().value(row);
                out.sums[bucket] = u128::from_str_radix(sum, 16).map_err(|_| not())?;
            }
        }
        Ok(out)
    }
}

/// Goes through the rows of a batch with a column `_key` (Utf8): number, bucket and digest of the canonical row of the columns that are asked
/// for.
///
/// # Errors
/// `MEA-001` for a column of a type that no dataset of ours has.
pub(super) fn each_row(
    batch: &RecordBatch,
    of: fn(&str) -> bool,
    mut each: impl FnMut(usize, usize, u128),
) -> Result<(), MeasureError> {
    let columns = columns(batch, of)?;
    let key = batch.column_by_name("_key").and_then(|k| k.as_string_opt::<i32>());
    let key = key.ok_or_else(|| uncountable("_key", "missing"))?;
    let mut canonical = Vec::with_capacity(1024);
    for row in 0..batch.num_rows() {
        canonical.clear();
        columns.iter().for_each(|column| column.append(row, &mut canonical));
        let bucket = if key.is_null(row) { 0 } else { bucket(key.value(row)) };
        each(row, bucket, xxh3_128(&canonical));
    }
    Ok(())
}

/// The columns of a batch that are asked for, by ascending name.
pub(super) fn columns(batch: &RecordBatch, of: fn(&str) -> bool) -> Result<Vec<Column<'_>>, MeasureError> {
    let mut columns: Vec<Column<'_>> = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if of(field.name()) {
            columns.push(Column::new(field.name(), array)?);
        }
    }
    columns.sort_by(|a, b| a.name.cmp(b.name));
    Ok(columns)
}

/// The bucket of a row: the first byte of XXH3-128 of its `_key`.
pub fn bucket(key: &str) -> usize {
    usize::from(xxh3_128(key.as_bytes()).to_be_bytes()[0])
}

/// The columns of a stored content digest.
pub fn digest_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("bucket", DataType::Int32, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("sum", DataType::Utf8, false),
    ]))
}

/// The content digest of a dataset, in one streaming pass.
///
/// # Errors
/// `DAT-001`, `MEA-001`.
pub fn content_digest(parts: &[PathBuf]) -> Result<ContentDigest, MeasureError> {
    let mut digest = ContentDigest::default();
    for part in parts {
        for batch in read_part(part)? {
            digest.add(&batch?)?;
        }
    }
    Ok(digest)
}

pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    /// Length and name, as they begin each value.
    head: Vec<u8>,
    array: &'a ArrayRef,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int32,
    Int64,
    Decimal,
    Date,
    Time,
}

impl Kind {
    fn tag(self) -> u8 {
        match self {
            Self::Text => b't',
            Self::Int32 | Self::Int64 => b'i',
            Self::Decimal => b'm',
            Self::Date => b'd',
            Self::Time => b'u',
        }
    }
}

fn uncountable(column: &str, found: &str) -> MeasureError {
    MeasureError::Uncountable {
        what: "a canonical row".to_owned(),
        column: column.to_owned(),
        found: found.to_owned(),
    }
}

impl<'a> Column<'a> {
    fn new(name: &'a str, array: &'a ArrayRef) -> Result<Self, MeasureError> {
        let kind = match array.data_type() {
            DataType::Utf8 => Kind::Text,
            DataType::Int32 => Kind::Int32,
            DataType::Int64 => Kind::Int64,
            DataType::Decimal128(_, _) => Kind::Decimal,
            DataType::Date32 => Kind::Date,
            DataType::Timestamp(TimeUnit::Microsecond, None) => Kind::Time,
            other => return Err(uncountable(name, &other.to_string())),
        };
        let length = u16::try_from(name.len()).map_err(|_| uncountable(name, "a name too long"))?;
        let mut head = length.to_le_bytes().to_vec();
        head.extend_from_slice(name.as_bytes());
        head.push(kind.tag());
        Ok(Self { name, head, array, kind })
    }

    /// Adds the value of a row; nothing where it is NULL.
    pub(super) fn append(&self, row: usize, out: &mut Vec<u8>) {
        if self.array.is_null(row) {
            return;
        }
        out.extend_from_slice(&self.head);
        let number: i128 = match self.kind {
            Kind::Text => {
                let text = self.array.as_string::<i32>().value(row).as_bytes();
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend_from_slice(text);
                return;
            }
            Kind::Int32 => self.array.as_primitive::<Int32Type>().value(row).into(),
            Kind::Int64 => self.array.as_primitive::<Int64Type>().value(row).into(),
            Kind::Decimal => self.array.as_primitive::<Decimal128Type>().value(row),
            Kind::Date => yyyymmdd(self.array.as_primitive::<Date32Type>().value(row)).into(),
            Kind::Time => self.array.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        };
        out.extend_from_slice(&16_u32.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Days since 1970-01-01 → yyyymmdd.
fn yyyymmdd(days: i32) -> i64 {
    let (year, month, day) = civil::date_of(days.into());
    year * 10_000 + month * 100 + day
}
