//! Base and changes → the table as it is now; and the difference of two readings of a table.
//!
//! Always: a part without a changed key is kept as it is, not copied; rows keep their order, new and updated ones come last. Keys
//! are compared by the digest of their bytes, exactly as they were read, never under a collation. Memory is bounded: many keys are
//! looked at in several passes; a merge also holds one byte a row of the base.
//! Must not know: how changes were found.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

use super::RawError;
use crate::dataset::{DatasetError, PartInfo, PartWriter, read_columns, read_part, schema_of};
use crate::encoding::BYTES_SUFFIX;
use crate::functions::digests;
use crate::state::Changed;

/// Keys that one pass holds: 48 bytes each, with the table's slack. Few in unit tests, so that they see several passes.
const PASS_KEYS: u64 = if cfg!(test) { 5 } else { 4 << 20 };

/// Digests are as good as random already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
}

type Set = HashSet<u128, BuildHasherDefault<Already>>;
type Map<T> = HashMap<u128, T, BuildHasherDefault<Already>>;

/// The columns of raw that hold a key: `c`, and `c__b` where there is one.
fn key_columns(schema: &Schema, key: &[String]) -> Vec<String> {
    let of_key = |name: &str| key.iter().any(|k| k == name || name.strip_suffix(BYTES_SUFFIX) == Some(k));
    schema.fields().iter().map(|f| f.name().clone()).filter(|n| of_key(n)).collect()
}

pub(super) fn digest_rows(
    batch: &RecordBatch,
    columns: &[String],
    path: &Path,
) -> Result<Vec<u128>, RawError> {
    let arrays: Vec<ArrayRef> = columns.iter().filter_map(|c| batch.column_by_name(c).cloned()).collect();
    Ok(digests(&arrays).map_err(|e| unreadable(path, e))?)
}

fn unreadable(path: &Path, e: impl std::error::Error + Send + Sync + 'static) -> DatasetError {
    DatasetError::Unreadable { path: path.display().to_string(), source: Box::new(e) }
}

/// Calls `row` with the key's digest of every row of the parts.
fn each_key(parts: &[PartInfo], key: &[String], mut row: impl FnMut(u128)) -> Result<(), RawError> {
    for part in parts {
        let columns = key_columns(schema_of(&part.path)?.as_ref(), key);
        for batch in read_columns(&part.path, &columns)? {
            digest_rows(&batch?, &columns, &part.path)?.into_iter().for_each(&mut row);
        }
    }
    Ok(())
}

fn rows(parts: &[PartInfo]) -> u64 {
    parts.iter().map(|p| p.rows).sum()
}

/// How often all keys are looked at, so that no pass holds more than it may.
fn passes(keys: u64) -> u128 {
    u128::from(keys.div_ceil(PASS_KEYS).max(1))
}

/// The keys of `base` that are not among `now`, as a part of the key's columns; `now` holds at least the key's columns.
///
/// # Errors
/// `DAT-001`, `DAT-002`.
pub fn vanished(
    base: &[PartInfo],
    now: &[PartInfo],
    key: &[String],
    path: &Path,
) -> Result<PartInfo, RawError> {
    let first = base.first().ok_or_else(|| DatasetError::Empty { dir: path.display().to_string() })?;
    let whole = schema_of(&first.path)?;
    let columns = key_columns(&whole, key);
    let fields: Vec<_> = whole.fields().iter().filter(|f| columns.contains(f.name())).cloned().collect();
    let mut part = PartWriter::create(path, Arc::new(Schema::new(fields)))?;
    let of = passes(rows(now));
    for pass in 0..of {
        let mut known = Set::default();
        each_key(now, key, |k| {
            if k % of == pass {
                known.insert(k);
            }
        })?;
        for from in base {
            for batch in read_columns(&from.path, &columns)? {
                let batch = batch?;
                let gone: Vec<bool> = digest_rows(&batch, &columns, &from.path)?
                    .into_iter()
                    .map(|k| k % of == pass && !known.contains(&k))
                    .collect();
                if gone.contains(&true) {
                    part.write(&kept(&batch, gone, &from.path)?)?;
                }
            }
        }
    }
    Ok(part.finish()?)
}

fn kept(batch: &RecordBatch, keep: Vec<bool>, path: &Path) -> Result<RecordBatch, RawError> {
    Ok(filter_record_batch(batch, &BooleanArray::from(keep)).map_err(|e| unreadable(path, e))?)
}

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// In order; at least one. Untouched parts of the base are among them.
    pub parts: Vec<PartInfo>,
    pub changed: Changed,
}

/// Applies changes: rows of `base` whose key is in `upserts` or `deletes` go, then `upserts` follow. New parts are written to
/// `folder` as `m000001.parquet` and so on; it must exist.
///
/// # Errors
/// `DAT-001`, `DAT-002`.
pub fn merge(
    base: &[PartInfo],
    upserts: &[PartInfo],
    deletes: Option<&PartInfo>,
    key: &[String],
    folder: &Path,
) -> Result<Merged, RawError> {
    let dispositions =
        dispositions(base, upserts, deletes.map(std::slice::from_ref).unwrap_or_default(), key)?;
    let mut changed = Changed::default();
    let mut parts = Vec::new();
    for ((number, part), dispositions) in (1_u32..).zip(base).zip(&dispositions) {
        parts.extend(without(
            part,
            dispositions,
            &folder.join(format!("m{number:06}.parquet")),
            &mut changed,
        )?);
    }
    parts.extend(upserts.iter().filter(|p| p.rows > 0).cloned());
    changed.inserted = rows(upserts).saturating_sub(changed.updated);
    if parts.is_empty() {
        // A dataset has at least one part, of no rows if need be.
        parts.extend(upserts.iter().chain(base).find(|p| p.rows == 0).cloned());
    }
    if parts.is_empty() {
        let first = base.first().ok_or_else(|| DatasetError::Empty { dir: folder.display().to_string() })?;
        parts.push(PartWriter::create(&folder.join("m000000.parquet"), schema_of(&first.path)?)?.finish()?);
    }
    Ok(Merged { parts, changed })
}

/// What becomes of a row of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposition {
    Stays,
    /// There is a newer one.
    Replaced,
    Deleted,
}

/// The disposition of every row of every part of the base.
fn dispositions(
    base: &[PartInfo],
    upserts: &[PartInfo],
    deletes: &[PartInfo],
    key: &[String],
) -> Result<Vec<Vec<Disposition>>, RawError> {
    let size = |part: &PartInfo| usize::try_from(part.rows).unwrap_or(0);
    let mut all: Vec<Vec<Disposition>> = base.iter().map(|p| vec![Disposition::Stays; size(p)]).collect();
    let of = passes(rows(upserts) + rows(deletes));
    for pass in 0..of {
        let mut known: Map<Disposition> = Map::default();
        for (parts, disposition) in [(deletes, Disposition::Deleted), (upserts, Disposition::Replaced)] {
            each_key(parts, key, |k| {
                if k % of == pass {
                    known.insert(k, disposition);
                }
            })?;
        }
        if known.is_empty() {
            continue;
        }
        for (part, dispositions) in base.iter().zip(&mut all) {
            let mut row = dispositions.iter_mut();
            each_key(std::slice::from_ref(part), key, |k| {
                if let (Some(disposition), Some(found)) = (row.next(), known.get(&k)) {
                    *disposition = *found;
                }
            })?;
        }
    }
    Ok(all)
}

/// A part without the rows that changed or went; itself where there are none, nothing where none is left.
fn without(
    part: &PartInfo,
    dispositions: &[Disposition],
    path: &Path,
    changed: &mut Changed,
) -> Result<Option<PartInfo>, RawError> {
    let count = |wanted: Disposition| dispositions.iter().filter(|f| **f == wanted).count() as u64;
    let (updated, deleted) = (count(Disposition::Replaced), count(Disposition::Deleted));
    changed.updated += updated;
    changed.deleted += deleted;
    if updated + deleted == 0 {
        return Ok((part.rows > 0).then(|| part.clone()));
    }
    if updated + deleted == part.rows {
        return Ok(None);
    }
    let mut rest = PartWriter::create(path, schema_of(&part.path)?)?;
    let mut dispositions = dispositions.iter();
    for batch in read_part(&part.path)? {
        let batch = batch?;
        let keep = dispositions.by_ref().take(batch.num_rows()).map(|f| *f == Disposition::Stays).collect();
        rest.write(&kept(&batch, keep, &part.path)?)?;
    }
    Ok(Some(rest.finish()?))
}

/// The same rows in few parts: `c000001.parquet` and so on, of `part_rows` rows each.
///
/// # Errors
/// `DAT-001`, `DAT-002`.
pub fn compact(parts: &[PartInfo], part_rows: u64, folder: &Path) -> Result<Vec<PartInfo>, RawError> {
    let first = parts.first().ok_or_else(|| DatasetError::Empty { dir: folder.display().to_string() })?;
    let made = join(parts, part_rows, |n| named(folder, n))?;
    if made.is_empty() { Ok(vec![first.clone()]) } else { Ok(made) }
}

/// The path of a rewritten part, counted from 0.
pub(super) fn named(folder: &Path, n: usize) -> PathBuf {
    folder.join(format!("c{:06}.parquet", n + 1))
}

/// The rows of some parts in parts of `part_rows` rows each, at the paths that `path` names from 0; none where there is no row.
pub(super) fn join(
    parts: &[PartInfo],
    part_rows: u64,
    path: impl Fn(usize) -> PathBuf,
) -> Result<Vec<PartInfo>, RawError> {
    let mut made = Vec::new();
    let mut open: Option<PartWriter> = None;
    for part in parts {
        for batch in read_part(&part.path)? {
            let mut writer = match open.take() {
                Some(writer) => writer,
                None => PartWriter::create(&path(made.len()), schema_of(&part.path)?)?,
            };
            writer.write(&batch?)?;
            if writer.rows() >= part_rows { made.push(writer.finish()?) } else { open = Some(writer) }
        }
    }
    if let Some(writer) = open {
        made.push(writer.finish()?);
    }
    Ok(made)
}

/// How two readings of a table differ, by key and by the digest of the whole row.
///
/// # Errors
/// `DAT-001`.
pub fn compare(base: &[PartInfo], now: &[PartInfo], key: &[String]) -> Result<Changed, RawError> {
    let mut changed = Changed::default();
    let of = passes(rows(base));
    for pass in 0..of {
        let mut known: Map<u128> = Map::default();
        each_row(base, key, |k, row| {
            if k % of == pass {
                known.insert(k, row);
            }
        })?;
        each_row(now, key, |k, row| {
            if k % of == pass {
                match known.remove(&k) {
                    None => changed.inserted += 1,
                    Some(before) => changed.updated += u64::from(before != row),
                }
            }
        })?;
        changed.deleted += known.len() as u64;
    }
    Ok(changed)
}

fn each_row(parts: &[PartInfo], key: &[String], mut row: impl FnMut(u128, u128)) -> Result<(), RawError> {
    for part in parts {
        let schema: SchemaRef = schema_of(&part.path)?;
        let columns = key_columns(&schema, key);
        let all: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        for batch in read_part(&part.path)? {
            let batch = batch?;
            let keys = digest_rows(&batch, &columns, &part.path)?;
            let whole = digest_rows(&batch, &all, &part.path)?;
            keys.into_iter().zip(whole).for_each(|(k, r)| row(k, r));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::{Changed, compact, compare, merge, vanished};
    use crate::dataset::{PartInfo, PartWriter, read_part};

    type Rows = BTreeMap<i64, i64>;

    fn part(path: &Path, rows: &[(i64, i64)], key_only: bool) -> PartInfo {
        let field = |name: &str| Field::new(name, DataType::Int64, true);
        let column = |f: fn(&(i64, i64)) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(f)));
        let (fields, arrays) = if key_only {
            (vec![field("k")], vec![column(|r| r.0) as _])
        } else {
            (vec![field("k"), field("v")], vec![column(|r| r.0) as _, column(|r| r.1) as _])
        };
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(path, schema.clone()).unwrap();
        writer.write(&RecordBatch::try_new(schema, arrays).unwrap()).unwrap();
        writer.finish().unwrap()
    }

    fn read(parts: &[PartInfo]) -> Rows {
        let mut all = Rows::new();
        for batch in parts.iter().flat_map(|p| read_part(&p.path).unwrap()) {
            let batch = batch.unwrap();
            let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                assert_eq!(all.insert(column(0).value(row), column(1).value(row)), None, "twice");
            }
        }
        all
    }

    #[test]
    fn changes_of_any_size_come_to_the_same_as_a_map_does_in_as_many_passes_as_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let (key, folder) = (["k".to_owned()], dir.path());
        for (upserts, deletes) in [(0, 0), (3, 2), (17, 9), (60, 0), (0, 60), (40, 40)] {
            let before: Vec<(i64, i64)> = (0..60).map(|k| (k, 0)).collect();
            let halves = before.chunks(23).enumerate();
            let base: Vec<_> =
                halves.map(|(n, rows)| part(&folder.join(format!("b{n}")), rows, false)).collect();
            let newer: Vec<(i64, i64)> = (0..upserts).map(|n| (n * 2, 1)).collect();
            let gone: Vec<(i64, i64)> = (0..deletes).map(|n| (n, 0)).filter(|d| d.0 % 2 == 1).collect();
            let upserts = part(&folder.join("u"), &newer, false);
            let tombstones = part(&folder.join("d"), &gone, true);
            let merged = merge(&base, &[upserts], Some(&tombstones), &key, folder).unwrap();
            let mut expected: Rows = before.iter().copied().filter(|r| !gone.contains(r)).collect();
            expected.extend(newer.iter().copied());
            assert_eq!(read(&merged.parts), expected);
            let updated = newer.iter().filter(|r| r.0 < 60).count() as u64;
            let inserted = newer.len() as u64 - updated;
            let changed = Changed { inserted, updated, deleted: gone.len() as u64 };
            assert_eq!(merged.changed, changed);
            assert_eq!(compare(&base, &merged.parts, &key).unwrap(), changed);
            let found = vanished(&base, &merged.parts, &key, &folder.join("v")).unwrap();
            assert_eq!(found.rows, gone.len() as u64);
            let few = compact(&merged.parts, 1000, folder).unwrap();
            assert_eq!((few.len(), read(&few)), (1, expected));
        }
    }
}
